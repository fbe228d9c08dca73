"""What Prometheus is told: requests, answers by verdict, seconds. Counts only, never a question."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from rag.schema import Answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320)


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        """Start at nought, in a registry of its own."""
        self._registry = CollectorRegistry()
        self._requests = Counter("weice_requests", "Requests", ("route", "method", "status"), registry=self._registry)
        self._request_seconds = Histogram(
            "weice_request_seconds", "Seconds a request", ("route",), buckets=_SECONDS, registry=self._registry
        )
        self._answers = Counter("weice_answers", "Answers", ("via", "verdict", "mode"), registry=self._registry)
        self._answer_seconds = Histogram(
            "weice_answer_seconds", "Seconds an answer", ("mode",), buckets=_SECONDS, registry=self._registry
        )
        self._failures = Counter(
            "weice_answers_unfinished", "Answers that failed or were stopped", ("how",), registry=self._registry
        )
        self.running = Gauge("weice_answers_running", "Answers being made", registry=self._registry)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, method, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def answered(self, via: str, answer: Answer) -> None:
        """Count an answer."""
        self._answers.labels(via, answer.verdict.value, answer.mode.value).inc()
        self._answer_seconds.labels(answer.mode.value).observe(answer.timings.total_s)

    def unfinished(self, how: str) -> None:
        """Count a question without an answer: stopped, late or failed."""
        self._failures.labels(how).inc()

    def text(self) -> bytes:
        """The figures as Prometheus reads them."""
        return generate_latest(self._registry)


class Measured:
    """ASGI filter: counts the requests to `inner` by route, never by what was in the path."""

    def __init__(self, inner: ASGIApp, metrics: Metrics) -> None:
        """Count into `metrics`."""
        self._inner = inner
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        started, status = time.monotonic(), 499

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._inner(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in {"GET", "POST", "DELETE", "HEAD", "OPTIONS"} else "other"
            self._metrics.request(route, method, status, time.monotonic() - started)
