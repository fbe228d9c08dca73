"""Who may ask, how often, how much at once: keys, rate limits, request sizes, and names of this machine alone.

Where nobody has to log in, only requests to a loopback name are served: a page elsewhere that points its own name at
this machine (DNS rebinding) or sends a form to it gets nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from rag.errors import AccessError
from ui.api.errors import ApiError, described
from ui.store import LOCAL, Role, Store, User, need

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CURRENT: ContextVar[User] = ContextVar("weice_user")
"""Who sent the request that is being served: for what is not called with it, such as MCP tools."""

BODY_S = 30
"""How long a client may take to send its request."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may ask for: requests a minute, bytes a request, seconds and answers at once."""

    per_minute: int = 60
    body_bytes: int = 1 << 20
    seconds: float = 300.0
    at_once: int = 8


class Gate:
    """Tells whose request it is, and refuses what is none's or one too many."""

    def __init__(self, store: Store, limits: Limits, *, login: bool) -> None:
        """Without `login`, everybody who can reach the server is the one at this machine."""
        self._store = store
        self._login = login
        self._rate = RateLimitItemPerMinute(limits.per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def enter(self, request: Request, role: Role = Role.READER) -> User:
        """Return who asks. Raises `ApiError` without a key or too often, `AccessError` without the right."""
        user, who = self._known(request)
        if not self._limiter.hit(self._rate, who):
            at = self._limiter.get_window_stats(self._rate, who).reset_time
            raise ApiError(
                "请求太多",
                "请稍候再试",
                status=429,
                kind="rate_limit_error",
                code="rate_limit_exceeded",
                retry_after_s=max(1, int(at - time.time()) + 1),
            )
        return need(user, role)

    def _known(self, request: Request) -> tuple[User, str]:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and secret.strip():
            try:
                user, key = self._store.accounts.key_owner(secret.strip())
            except AccessError as error:
                if self._login:
                    raise _unknown(error.what) from error
            else:
                return user, f"key {key.id}"
        if self._login:
            raise _unknown("没有给密钥")
        return LOCAL, LOCAL.name


def _unknown(what: str) -> ApiError:
    step = "请在请求头写 Authorization: Bearer 密钥，密钥用 weice key create 新建"
    return ApiError(what, step, status=401, kind="authentication_error", code="invalid_api_key")


class Guarded:
    """ASGI filter for an application that knows no keys of its own: it is served to who may enter."""

    def __init__(self, inner: ASGIApp, gate: Gate) -> None:
        """Let through to `inner` what `gate` lets in."""
        self._inner = inner
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, with its sender in `CURRENT`."""
        try:
            user = await asyncio.to_thread(self._gate.enter, Request(scope))
        except Exception as error:  # noqa: BLE001  # whatever it is becomes a response
            await _refuse(error, scope, receive, send)
            return
        token = CURRENT.set(user)
        try:
            await self._inner(scope, receive, send)
        finally:
            CURRENT.reset(token)


class BodyLimit:
    """ASGI filter: refuses a body that is too large, or that comes too slowly."""

    def __init__(self, inner: ASGIApp, limit: int) -> None:
        """Let bodies of at most `limit` bytes through."""
        self._inner = inner
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > self._limit:
            await _refuse(_too_large(self._limit), scope, receive, send)
            return
        watch = _Watch(receive, self._limit)
        refused = False

        async def send_or_refuse(message: Message) -> None:
            nonlocal refused
            if watch.wrong is None:
                await send(message)
            elif not refused:  # whatever the application made of half a body is not sent
                refused = True
                await _refuse(watch.wrong, scope, receive, send)

        await self._inner(scope, watch.receive, send_or_refuse)


class _Watch:
    """Reads a body, and keeps what is wrong with it."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._got = 0
        self._whole = False
        self.wrong: ApiError | None = None

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), BODY_S)
        except TimeoutError:
            kind = "invalid_request_error"
            self.wrong = ApiError("请求发得太慢", "请检查网络", status=408, kind=kind, code="timeout")
            raise self.wrong from None
        self._got += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._got > self._limit:
            self.wrong = _too_large(self._limit)
            raise self.wrong
        return message


def _too_large(limit: int) -> ApiError:
    what = f"请求太大，最多 {limit >> 10} KB"
    return ApiError(what, "请拆成几次", status=413, kind="invalid_request_error", code="request_too_large")


class LoopbackNames:
    """ASGI filter: serves only requests to a loopback name that come from no page of another host."""

    def __init__(self, inner: ASGIApp) -> None:
        """Filter the requests to `inner`."""
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] in {"http", "websocket"}:
            headers = dict(scope["headers"])
            named = [f"//{headers.get(b'host', b'').decode('latin-1')}"]
            if scope.get("client"):
                named.append(f"//{_bracketed(scope['client'][0])}")  # who a proxy says it asks for
            if b"origin" in headers:
                named.append(headers[b"origin"].decode("latin-1"))
            if not all(_is_loopback(url) for url in named):
                step = "请用 http://127.0.0.1 打开；要经反向代理给别人用，请新建账号并设 login = true"
                error = ApiError("只能在本机使用", step, status=403, kind="permission_error", code="not_local")
                await _refuse(error, scope, receive, send)
                return
        await self._inner(scope, receive, send)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    status, content, headers = described(error)
    await JSONResponse(content, status, headers)(scope, receive, send)
