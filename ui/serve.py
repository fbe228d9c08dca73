"""Serves page and API until Ctrl-C: address first, then accounts, models and index, then the web server.

Beyond this machine only where there are accounts: then page and API ask who it is.
"""

from __future__ import annotations

import errno
import ipaddress
import signal
import socket
from typing import TYPE_CHECKING, Any

from rag.errors import IndexMissing, UsageError, WeiceError
from ui import terminal

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

    from rag.settings import Settings
    from rag.wiring import App
    from ui.api.guard import Limits
    from ui.store import Store

GRACE_S = 3
"""How long open pages may keep the server alive after Ctrl-C."""


def serve(
    app: App, *, host: str, port: int, use_llm: bool, api_only: bool = False, root_path: str | None = None
) -> None:
    """Serve until interrupted; `api_only` without the page, `root_path` where a reverse proxy puts it.

    Raises `UsageError` where others could come in and there are no accounts, `WeiceError` for a used port.
    """
    with listen(host, port) as listener:
        out = terminal.console()
        store = _open_store(app.settings)
        try:
            login = needs_login(app.settings, store, listener.getsockname()[0])
            _need_models(app, use_llm=use_llm)
            _need_index(app)
            out.print("正在打开服务 …")
            if use_llm:
                app.prepare()
            root = (app.settings.root_path if root_path is None else root_path).strip("/")
            whole = build(app, store, use_llm=use_llm, login=login, api_only=api_only, root_path=root and f"/{root}")
            _run(whole, listener, "接口已打开" if api_only else "卫策问答已打开")
        finally:
            store.close()
        out.print("已停止。")


def serve_tools(app: App, *, use_llm: bool) -> None:
    """Serve the MCP tools over standard input and output until the other side hangs up."""
    from ui.api.metrics import Metrics
    from ui.api.running import Answers
    from ui.api.tools import server

    store = _open_store(app.settings)
    try:
        answers = Answers(app, store, Metrics(), limits(app.settings), use_llm=use_llm)
        server(app, store, answers).run("stdio")
    finally:
        store.close()


def needs_login(settings: Settings, store: Store, address: str) -> bool:
    """Whether page and API ask who it is. Raises `UsageError` where they must and there is nobody yet."""
    beyond = not ipaddress.ip_address(address).is_loopback
    if not beyond and not settings.login:
        return False
    if not store.accounts.any():
        what = f"监听 {address} 会让别的电脑也能打开，要先有账号" if beyond else "设置了要登录（login），但还没有账号"
        raise UsageError(what, "请运行 weice user add 用户名 --role 管理员")
    return True


def build(
    app: App, store: Store, *, use_llm: bool, login: bool, api_only: bool = False, root_path: str = ""
) -> ASGIApp:
    """Put API and page together as one ASGI application."""
    from ui.api.app import build_api
    from ui.api.guard import LoopbackNames
    from ui.batches import Batches

    batches = Batches(app, store, use_llm=use_llm)
    api = build_api(app, store, use_llm=use_llm, login=login, limits=limits(app.settings), batches=batches)
    page: ASGIApp = api  # which says of every path that it has none
    if not api_only:
        from ui.web.page import build_web

        page = build_web(app, store, use_llm=use_llm, guarded=login, root_path=root_path, batches=batches)
    whole = Together(api, page, root_path)
    return whole if login else LoopbackNames(whole)


def limits(settings: Settings) -> Limits:
    """What the settings let a client of the API ask for."""
    from ui.api.guard import Limits

    return Limits(
        per_minute=settings.api_per_minute,
        body_bytes=settings.api_body_kb << 10,
        seconds=settings.api_timeout_s,
        at_once=settings.api_at_once,
    )


class Together:
    """ASGI application: the API under its own paths, the page under all others."""

    def __init__(self, api: FastAPI, page: ASGIApp, root_path: str) -> None:
        """Serve both; `root_path` is what a reverse proxy takes off the paths before it asks here."""
        self._api = api
        self._page = page
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the life of both."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif is_api(scope["path"]):
            await self._api({**scope, "root_path": self._root_path}, receive, send)
        else:
            await self._page(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._page is self._api:
            await self._api(scope, receive, send)
            return
        async with self._api.router.lifespan_context(self._api):
            await self._page(scope, receive, send)


def is_api(path: str) -> bool:
    """Whether a path is the API's."""
    from ui.api.app import PREFIXES

    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in PREFIXES)


def _open_store(settings: Settings) -> Store:
    from ui.store import open_store

    return open_store(settings)


def listen(host: str, port: int) -> socket.socket:
    """Take the address before anything heavy happens; port 0 takes any free one."""
    family, address = _address(host)
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            other = f"否则换一个端口，例如 --port {port % 65535 + 1}"
            open_already = f"可能网页已经打开（http://{host}:{port}）；{other}"
            raise WeiceError(f"端口 {port} 已被占用", open_already) from error
        what = f"不能监听 {host}:{port}（{error.strerror}）"
        raise WeiceError(what, "请用 --port 换一个 1024 以上的端口") from error
    return listener


def _address(host: str) -> tuple[socket.AddressFamily, str]:
    address = "127.0.0.1" if host == "localhost" else host
    try:
        ip = ipaddress.ip_address(address)
    except ValueError as error:
        raise UsageError(f"监听地址不对：{host}", "请写 IP 地址：127.0.0.1 只在本机，0.0.0.0 所有网卡") from error
    return (socket.AF_INET6 if ip.version == 6 else socket.AF_INET), address


def _need_models(app: App, *, use_llm: bool) -> None:
    """Look for the models that will be used. Raises `ModelError` naming the command that fetches them."""
    for spec, kind in app.wanted_models():
        if use_llm or kind != "llm":
            app.models.path(spec, kind)


def _need_index(app: App) -> None:
    """Open the index, building it where there is none."""
    try:
        app.index  # noqa: B018  # opened here, so that what is wrong with it is said before the server starts
    except IndexMissing:
        with terminal.progress_bars() as progress:
            report = app.build_index(progress)
        terminal.show_build(terminal.console(), report)


def _run(whole: ASGIApp, listener: socket.socket, opened: str) -> None:
    import uvicorn

    more: dict[str, Any] = {"timeout_graceful_shutdown": GRACE_S, "server_header": False}
    config = uvicorn.Config(whole, log_level="error", **more)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    terminal.console().print(f"{opened}：http://{shown}:{port}　按 Ctrl-C 停止")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's stop is a Ctrl-C, not a kill
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn raises it again once all is closed
        return
