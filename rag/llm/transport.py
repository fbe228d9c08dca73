"""An HTTP client that gives up when no piece of an answer comes in time, whatever else the server sends.

A read timeout alone does not see a server that only sends keep-alive comments, or a byte now and then. Where the
caller has patience, a server that takes no more for now (429) is asked again when it says, by nobody before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from math import isfinite
from typing import Any

import httpx

_CONNECT_S = 10.0
_TOO_MANY = 429
_LONGEST_S = 60.0
"""The longest wait before an endpoint is asked again that does not say when."""


class Clock:
    """Counts down to the moment when the next piece is overdue."""

    def __init__(self, timeout_s: float) -> None:
        """Start counting."""
        self._timeout_s = timeout_s
        self.reset()

    def reset(self) -> None:
        """Start again: a piece has come."""
        self._end = time.monotonic() + self._timeout_s

    def left(self) -> float:
        """Seconds left. Raises `httpx.ReadTimeout` when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpx.ReadTimeout("no piece in time")
        return left


class Gate:
    """What all requests to one endpoint share: where it has said that it takes no more, all wait until it does."""

    def __init__(self, patience_s: float = 0.0, stop: threading.Event | None = None) -> None:
        """Let a request wait up to `patience_s` altogether, and no longer once `stop` is set."""
        self._patience_s = patience_s
        self._stop = stop or threading.Event()
        self._open_at = 0.0

    def wait(self) -> bool:
        """Wait until the endpoint takes requests again; return whether there was any waiting."""
        waited = False
        while (left := self._open_at - time.monotonic()) > 0 and not self._stop.wait(left):
            waited = True
        return waited

    def shut(self, response: httpx.Response, tries: int, since: float) -> bool:
        """Keep all out as long as the response asks for; a time that it does not name doubles with every try.

        Return False where a request that waits since `since` has no such patience.
        """
        asked = retry_after(response.headers.get("retry-after", ""))
        delay = min(2.0**tries, _LONGEST_S) if asked is None else max(asked, min(tries, 10) / 2)
        until = time.monotonic() + delay
        if self._stop.is_set() or until - since > self._patience_s:
            return False
        self._open_at = max(self._open_at, until)
        return True


def retry_after(value: str) -> float | None:
    """Return the seconds of a Retry-After, a number or a date (RFC 9110, 10.2.3); None where it is neither."""
    with suppress(ValueError):
        return max(0.0, seconds) if isfinite(seconds := float(value)) else None
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, IndexError):
        return None


class ClockedClient(httpx.Client):
    """A client for one answer. Proxies of the environment are used, but never for this machine itself."""

    def __init__(self, base_url: str, clock: Clock, gate: Gate | None = None) -> None:
        """Open nothing yet."""
        super().__init__(trust_env=not is_loopback(base_url), follow_redirects=True)
        self._clock = clock
        self._gate = gate or Gate()

    def send(self, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        """Send within the time left, retries included, and watch what comes back; time at the gate does not count."""
        since, tries = time.monotonic(), 0
        while True:
            if self._gate.wait():
                self._clock.reset()
            response = self._sent(request, **kwargs)
            if response.status_code != _TOO_MANY or not self._gate.shut(response, tries, since):
                return response
            response.close()
            tries += 1

    def _sent(self, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        left = self._clock.left()
        request.extensions["timeout"] = {
            "connect": min(left, _CONNECT_S),
            "read": left,
            "write": left,
            "pool": left,
        }
        response = super().send(request, **kwargs)
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _Watched(response.stream, self._clock)
        return response


class _Watched(httpx.SyncByteStream):
    """A stream of bytes that ends in `httpx.ReadTimeout` when the clock has run down."""

    def __init__(self, stream: httpx.SyncByteStream, clock: Clock) -> None:
        self._stream, self._clock = stream, clock

    def __iter__(self) -> Iterator[bytes]:
        for block in self._stream:
            self._clock.left()
            yield block

    def close(self) -> None:
        self._stream.close()


def is_loopback(url: str) -> bool:
    """Whether the address is on this machine."""
    host = httpx.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
