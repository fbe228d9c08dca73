"""Serves the page on this machine until Ctrl-C: address first, then models and index, then the web server.

Only loopback addresses: a page that other machines can open needs accounts, which are not here yet.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import TYPE_CHECKING

from rag.errors import IndexMissing, UsageError, WeiceError
from ui import terminal

if TYPE_CHECKING:
    from rag.wiring import App

GRACE_S = 3
"""How long open pages may keep the server alive after Ctrl-C."""


def serve(app: App, *, host: str, port: int, use_llm: bool) -> None:
    """Serve until interrupted. Raises `UsageError` for another machine's address, `WeiceError` for a used port."""
    with listen(host, port) as listener:
        out = terminal.console()
        _need_models(app, use_llm=use_llm)
        _need_index(app)
        out.print("正在打开网页服务 …")
        if use_llm:
            app.prepare()
        _run(app, listener, use_llm=use_llm)
        out.print("已停止。")


def listen(host: str, port: int) -> socket.socket:
    """Take the address before anything heavy happens; port 0 takes any free one."""
    family, address = _loopback(host)
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


def _loopback(host: str) -> tuple[socket.AddressFamily, str]:
    address = "127.0.0.1" if host == "localhost" else host
    try:
        ip = ipaddress.ip_address(address)
    except ValueError as error:
        raise UsageError(f"监听地址不对：{host}", "请用 127.0.0.1") from error
    if not ip.is_loopback:
        raise UsageError(f"目前只能在本机打开网页，不能监听 {host}", "请用 --host 127.0.0.1")
    return (socket.AF_INET6 if ip.version == 6 else socket.AF_INET), address


def _need_models(app: App, *, use_llm: bool) -> None:
    """Look for the models that will be used. Raises `ModelError` naming the command that fetches them."""
    for spec, kind in app.wanted_models():
        if use_llm or kind == "embedding":
            app.models.path(spec, kind)


def _need_index(app: App) -> None:
    """Open the index, building it where there is none."""
    try:
        app.index  # noqa: B018  # opened here, so that what is wrong with it is said before the server starts
    except IndexMissing:
        with terminal.progress_bars() as progress:
            report = app.build_index(progress)
        terminal.show_build(terminal.console(), report)


def _run(app: App, listener: socket.socket, *, use_llm: bool) -> None:
    import uvicorn  # gradio and what it brings takes seconds: after all that can fail quickly

    from ui.web.page import build_web

    web = build_web(app, use_llm=use_llm)
    config = uvicorn.Config(web, log_level="error", timeout_graceful_shutdown=GRACE_S, server_header=False)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    terminal.console().print(f"卫策问答已打开：http://{shown}:{port}　按 Ctrl-C 停止")
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn raises it again once all is closed
        return
