"""An HTTP client that gives up when no piece of an answer comes in time, whatever else the server sends.

A read timeout alone does not see a server that only sends keep-alive comments, or a byte now and then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import httpx

_CONNECT_S = 10.0


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


class ClockedClient(httpx.Client):
    """A client for one answer. Proxies of the environment are used, but never for this machine itself."""

    def __init__(self, base_url: str, clock: Clock) -> None:
        """Open nothing yet."""
        super().__init__(trust_env=not is_loopback(base_url), follow_redirects=True)
        self._clock = clock

    def send(self, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        """Send within the time left, retries included, and watch what comes back."""
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
