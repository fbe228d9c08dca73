"""The page as a web application: Blocks, theme, and a response filter that keeps the browser on this machine.

Nothing on the page asks another host for anything: fonts are the system's, Gradio's telemetry is off, and a
Content-Security-Policy makes the browser refuse what slips through.
"""

from __future__ import annotations

import os
import re
from html import escape
from typing import TYPE_CHECKING, Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders

from rag.errors import IndexStateError, UsageError
from ui.batches import Batches
from ui.store import Role, Store, User
from ui.web import audit, batch, chat, evaluation, feedback, history, library
from ui.web.asking import Desk
from ui.web.context import AT_ONCE, QUIET, Web, panel, told
from ui.web.reader import Shelf
from ui.web.script import SCRIPT
from ui.web.sessions import Sessions
from ui.web.style import CSS, PLOTS, SCREENS
from ui.web.view import chat as chat_view
from ui.web.view import reader as reader_view

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from rag.wiring import App

TITLE = "卫策问答"

_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # Gradio's own templates are compiled in the page
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)
_FOREIGN_META = re.compile(rb'<meta\s+(?:property="og:|name="twitter:)[^>]*>\s*')
_FOREIGN_SAMPLE = re.compile(rb'https://github\.com/gradio-app/[^"\\\s]*')
"""What Gradio gives as an example of an uploaded file; nobody asks for it."""
_ICON = (
    b'<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns=\'http:%2F%2Fwww.w3.org%2F2000%2Fsvg\' '
    b"viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='7' fill='%230f766e'/%3E"
    b"%3Cpath d='M13 7h6v6h6v6h-6v6h-6v-6H7v-6h6z' fill='white'/%3E%3C/svg%3E\">"
)
"""In the page itself: a browser would ask for /favicon.ico, which a reverse proxy gives to another service."""
_CHINESE = (
    b"<script>for (const [k, v] of [['language', 'zh-CN'], ['languages', ['zh-CN']]])"
    b"Object.defineProperty(navigator, k, {get: () => v})</script>"
)


def build_blocks(web: Web) -> gr.Blocks:
    """Lay out the page: the tabs, and the reader beside them."""
    blocks: gr.Blocks
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as blocks:
        top = gr.HTML(elem_id="top")
        reader = panel(elem_id="reader")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("问答", id="chat"):
                talking = chat.add_tab(web, blocks)
            with gr.Tab("历史", id="history") as tab:
                history.add_tab(web, tab, talking)
            with gr.Tab("批量", id="batch") as tab:
                batch.add_tab(web, tab)
            with gr.Tab("资料库", id="library") as tab:
                held = library.add_tab(web, tab)
            with gr.Tab("反馈", id="feedback", visible=not web.guarded) as judged:
                feedback.add_tab(web, judged)
            with gr.Tab("评测", id="evaluation", visible=not web.guarded) as evaluated:
                evaluation.add_tab(web, evaluated)
            with gr.Tab("审计", id="audit", visible=not web.guarded) as audited:
                audit.add_tab(web, audited)
        _tie_reader(web, reader, [reader, talking.talk, held])

        def on_load(request: gr.Request) -> tuple[Any, ...]:
            user = web.user(request)
            roles = (Role.EDITOR, Role.EDITOR, Role.ADMIN)
            return _header(web, user), *(gr.update(visible=user.role.covers(role)) for role in roles)

        blocks.load(told(on_load), outputs=[top, judged, evaluated, audited], **QUIET)
    return blocks


def _tie_reader(web: Web, reader: gr.HTML, panels: list[gr.HTML]) -> None:
    """Let what names a place of an answer, in any of the panels, open the reader there."""

    def on_open(event: gr.EventData, request: gr.Request) -> str:
        user = web.user(request)
        turn, _, place = str(event.at).partition(":")
        if turn == "article":
            return reader_view.opened(web.shelf.article(place))
        answer = web.desk.answer(chat.turn_of(turn), user.name)
        if answer is None:
            raise UsageError("这个问题没有回答", "请刷新网页再试")
        return reader_view.opened(web.shelf.open(answer, turn, place))

    for one in panels:
        one.select(told(on_open), outputs=[reader], **QUIET)
    reader.clear(lambda: "", outputs=[reader], **AT_ONCE)


def build_web(
    app: App,
    store: Store,
    *,
    use_llm: bool,
    guarded: bool = False,
    root_path: str = "",
    batches: Batches | None = None,
) -> ASGIApp:
    """The whole web application, to be run by any ASGI server.

    `guarded` lets nobody in without an account; `root_path` is where a reverse proxy puts it; `batches` are those
    that an API beside it runs too.
    """
    fonts = ("system-ui", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif")
    theme = gr.themes.Default(
        primary_hue="teal",
        neutral_hue="slate",
        font=[gr.themes.Font(name) for name in fonts],
        font_mono=[gr.themes.Font("ui-monospace"), gr.themes.Font("monospace")],
    ).set(button_primary_background_fill="*primary_700", button_primary_background_fill_hover="*primary_800")
    no_docs: dict[str, Any] = {"docs_url": None, "redoc_url": None, "openapi_url": None}
    batches = batches or Batches(app, store, use_llm=use_llm)
    surroundings = Web(app, store, Desk(app, store, use_llm=use_llm), Shelf(app), batches, guarded, root_path)
    web = gr.mount_gradio_app(
        FastAPI(title=TITLE, **no_docs),
        build_blocks(surroundings),
        path="/",
        footer_links=[],
        run_history=False,
        app_kwargs=no_docs,
        auth=store.accounts.allows if guarded else None,
        auth_message="请用管理员给你的账号登录",
        root_path=root_path or None,
        show_error=False,
        max_file_size=library.MAX_UPLOAD,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme,
        css=CSS,
        head=f'<meta name="weice-max-upload" content="{library.MAX_UPLOAD}"><style>{SCREENS}{PLOTS}</style>{SCRIPT}',
    )
    if guarded:
        return StayHere(Sessions(web, app.settings.session_hours * 3600))
    return StayHere(web)


def _header(web: Web, user: User) -> str:
    """What stands above the tabs: the library as it is when the page is opened, and who is logged in."""
    line = f"只依据资料库回答，每句注明出处。{_library(web.app)}"
    who = f'{escape(user.name)}（{user.role}） <a href="{web.root_path}/logout">退出</a>' if web.guarded else ""
    return f'<header class="wc-top"><h1>{TITLE}</h1><p>{line}</p><p class="wc-who">{who}</p></header>'


def _library(app: App) -> str:
    try:
        return chat_view.library_line(app.index.articles, app.index.version)
    except IndexStateError:
        return "还没有索引。"


class StayHere:
    """ASGI filter: a policy header on every response, the start page in Chinese without links elsewhere."""

    def __init__(self, inner: ASGIApp) -> None:
        """Filter the responses of `inner`."""
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        if scope["path"] == "/":
            plain = [(k, v) for k, v in scope["headers"] if k != b"accept-encoding"]
            await self._inner({**scope, "headers": plain}, receive, _PageEditor(send))
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                _guard(MutableHeaders(scope=message))
            await send(message)

        await self._inner(scope, receive, send_with_policy)


class _PageEditor:
    """Holds the start page back until it is whole, then sends it edited."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        page = edited(self._body)
        headers = MutableHeaders(scope=self._start)
        headers["content-length"] = str(len(page))
        _guard(headers)
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": page})


def edited(page: bytes) -> bytes:
    """Gradio's start page in Chinese, without the social-media tags that name other hosts."""
    page = _FOREIGN_SAMPLE.sub(b"", _FOREIGN_META.sub(b"", page)).replace(b'lang="en"', b'lang="zh-CN"', 1)
    return page.replace(b"<head>", b"<head>" + _CHINESE + _ICON, 1)


def _guard(headers: MutableHeaders) -> None:
    headers["content-security-policy"] = _POLICY
    headers["referrer-policy"] = "no-referrer"
    headers["x-content-type-options"] = "nosniff"
