"""Ends logins after their time: Gradio's own last as long as the server.

Gradio puts a token into a cookie when somebody logs in, and asks nobody how old it is. Here the token is seen on its
way out, and left out of requests that come after its time: for Gradio those are by nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "access-token-"  # noqa: S105  # how Gradio begins the names of its cookies


class Sessions:
    """ASGI filter: a login counts for so long, and only if it was made here."""

    def __init__(self, inner: ASGIApp, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Filter the requests to `inner`."""
        self._inner = inner
        self._seconds = seconds
        self._clock = clock
        self._since: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._inner(scope, receive, send)
            return
        headers = [(name, self._valid(value) if name == b"cookie" else value) for name, value in scope["headers"]]

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                for token in _given(message):
                    self._note(token)
            await send(message)

        await self._inner({**scope, "headers": headers}, receive, send_and_note)

    def _valid(self, cookies: bytes) -> bytes:
        """The cookies without tokens whose time is over."""
        kept = []
        for cookie in cookies.decode("latin-1").split(";"):
            name, _, value = cookie.strip().partition("=")
            if not name.startswith(TOKEN) or self._counts(value):
                kept.append(cookie.strip())
        return "; ".join(kept).encode("latin-1")

    def _counts(self, token: str) -> bool:
        since = self._since.get(token)
        return since is not None and self._clock() - since < self._seconds

    def _note(self, token: str) -> None:
        for old in [other for other in self._since if not self._counts(other)]:
            del self._since[old]
        self._since.setdefault(token, self._clock())


def _given(start: Message) -> Iterator[str]:
    """The tokens that a response gives out."""
    for name, value in start.get("headers", ()):
        if name.lower() == b"set-cookie" and value.startswith(TOKEN.encode()):
            token = value.decode("latin-1").partition("=")[2].partition(";")[0].strip('" ')
            if token:
                yield token
