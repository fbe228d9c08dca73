"""The MCP server: what an assistant of somebody else can do here: ask, search, read an article, list the issues.

Over standard input and output (`weice mcp`), or over HTTP in the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import CallToolResult, InputRequiredResult, ToolAnnotations
from pydantic import Field, ValidationError

from rag.answer.filters import HeldTo, written
from rag.errors import WeiceError
from rag.records import Record, answer_record, evidence_record
from ui.api import errors, library
from ui.api.guard import CURRENT
from ui.api.running import Answers, Asked
from ui.store import LOCAL, Store, User

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from rag.wiring import App

_Got = TypeVar("_Got")

ABOUT = (
    "卫策问答：只依据库内的卫生健康政策简报回答问题，每句话都带原文出处。"
    "回答里的 verdict 为 refused 时，资料中没有答案，请照实转告，不要自己补充。"
)
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)

Question = Annotated[str, Field(min_length=1, max_length=20_000, description="完整的中文问题")]


class Tools:
    """What the tools do; each question is noted in the audit log."""

    def __init__(self, app: App, store: Store, answers: Answers) -> None:
        """Ask through `answers`, look into `app`."""
        self._app = app
        self._store = store
        self._answers = answers

    async def ask(
        self,
        question: Question,
        no_llm: Annotated[bool, Field(description="不用大模型，直接摘录原文，快得多")] = False,
        filters: HeldTo = None,
    ) -> Record:
        """Answer, as `weice ask --json` does."""
        try:
            asked = Asked(question, _who(), "mcp", no_llm=no_llm, filters=written(filters))
            return answer_record(await self._answers.answer(asked))
        except WeiceError as error:
            raise ToolError(str(error)) from error

    async def search(
        self,
        question: Question,
        k: Annotated[int, Field(ge=1, le=50, description="列出几段")] = 8,
        filters: HeldTo = None,
    ) -> Record:
        """Find passages, as `weice search --json` does."""
        user = _who()

        def find() -> Record:
            found = self._app.search(question, k=k, within=self._app.held_to(written(filters)))
            self._store.audit.note(user.name, "mcp", "search", question)
            return {"retrieved": [evidence_record(item) for item in found]}

        return await _told(find)

    async def get_article(
        self,
        id: Annotated[str, Field(max_length=500, description="文章编号")],  # noqa: A002  # the tool's own word
    ) -> Record:
        """Give one article whole."""
        found = await _told(lambda: library.article(self._app, id))
        if found is None:
            raise ToolError("没有这篇文章，编号见 list_issues")
        return found

    async def list_issues(self) -> Record:
        """List the issues and their articles."""
        return await _told(lambda: library.issues(self._app))


class _Server(MCPServer[Any]):
    """Says in our words what is wrong with a call, and takes no argument that a tool does not have."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool. Raises `ToolError`."""
        tools = {tool.name: tool.input_schema["properties"] for tool in await self.list_tools()}
        if name not in tools:
            raise ToolError(f"没有工具 {name[:40]!r}。可用：{'、'.join(tools)}")
        if unknown := [key for key in arguments if key not in tools[name]]:
            raise ToolError(f"字段 {unknown[0][:40]}：不认识的字段。可用：{'、'.join(tools[name])}")
        try:
            return await super().call_tool(name, arguments, context)
        except UnexpectedToolError as error:
            raise UnexpectedToolError(errors.INTERNAL) from error
        except ToolError as error:
            match error.__cause__:
                case ValidationError() as wrong:
                    raise ToolError(errors.wrong_field(wrong.errors()[0], wrong.errors()[0]["loc"])[0]) from wrong
                case ToolError() as ours:
                    raise ours from None
            raise


def server(app: App, store: Store, answers: Answers) -> MCPServer[Any]:
    """The MCP server with its four tools."""
    made = _Server("weice", title="卫策问答", instructions=ABOUT, log_level="ERROR")
    tools = Tools(app, store, answers)
    for work, title, what in (
        (tools.ask, "提问", "依据资料库回答一个问题，每句话附原文出处。"),
        (tools.search, "检索", "只检索，列出资料库里最相关的段落。"),
        (tools.get_article, "读文章", "按编号给出一篇文章的全文；编号见 list_issues。"),
        (tools.list_issues, "列出各期", "列出资料库里的各期和其中的文章（标题与编号）。"),
    ):
        made.add_tool(work, title=title, description=what, annotations=READS)
    return made


def _who() -> User:
    return CURRENT.get(LOCAL)


class WebTools:
    """The MCP server as an ASGI endpoint; it works inside `running`, which may be entered again after it was left."""

    def __init__(self, app: App, store: Store, answers: Answers) -> None:
        """Keep what the tools are made of."""
        self._made_of = (app, store, answers)
        self._web: ASGIApp | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve while the block is entered."""
        tools = server(*self._made_of)
        self._web = tools.streamable_http_app(
            stateless_http=True,
            json_response=True,
            transport_security=TransportSecuritySettings(
                enable_dns_rebinding_protection=False
            ),  # see `LoopbackNames`
        )
        async with tools.session_manager.run():
            yield
        self._web = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        assert self._web is not None, "served outside of `running`"  # noqa: S101
        await self._web(scope, receive, send)


async def _told(work: Callable[[], _Got]) -> _Got:
    """Do it in a thread; what is wrong is told to the caller in our words."""
    try:
        return await asyncio.to_thread(work)
    except WeiceError as error:
        raise ToolError(str(error)) from error
