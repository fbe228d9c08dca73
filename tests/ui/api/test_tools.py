"""The MCP tools, called by the real `mcp` client: in this process, and over HTTP with and without a key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from rag.records import answer_record
from tests.ui.api.places import QUESTION, Api, served
from tests.ui.standin import ANSWER, ROUND
from ui.api.guard import Limits
from ui.api.metrics import Metrics
from ui.api.running import Answers
from ui.api.tools import server
from ui.store import LOCAL


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


def _with_client(transport: Any, work: Callable[[Client], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with Client(transport) as client:
            return await work(client)

    return anyio.run(run)


def _called(api: Api, tool: str, **arguments: object) -> Any:
    answers = Answers(api.app, api.store, Metrics(), Limits(), use_llm=True)
    return _with_client(server(api.app, api.store, answers), lambda client: client.call_tool(tool, arguments))


def test_there_are_four_tools_that_only_read(api: Api):
    answers = Answers(api.app, api.store, Metrics(), Limits(), use_llm=True)
    listed = _with_client(server(api.app, api.store, answers), lambda client: client.list_tools()).tools
    assert [tool.name for tool in listed] == ["ask", "search", "get_article", "list_issues"]
    assert all(tool.annotations.read_only_hint for tool in listed)
    assert all(tool.description for tool in listed)
    assert set(listed[0].input_schema["properties"]) == {"question", "no_llm"}


def test_ask_gives_the_whole_record_and_is_in_the_audit_log(api: Api):
    got = _called(api, "ask", question=QUESTION)
    assert not got.is_error
    assert got.structured_content == answer_record(ANSWER)
    assert _called(api, "ask", question=QUESTION, no_llm=True).structured_content["mode"] == "extractive"
    entries = api.store.audit.list(LOCAL)
    assert [(entry.user, entry.via, entry.verdict) for entry in entries] == [("本机", "mcp", "answered")] * 2


def test_search_article_and_issues(api: Api):
    assert len(_called(api, "search", question=QUESTION, k=1).structured_content["retrieved"]) == 1
    assert _called(api, "get_article", id="动态-1").structured_content["text"] == ROUND.text
    issues = _called(api, "list_issues").structured_content["issues"]
    assert [issue["file"] for issue in issues] == ["动态.txt", "附件.md"]


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("get_article", {"id": "没有"}, "list_issues"),
        ("ask", {"question": "模型出错"}, "weice models verify"),
        ("ask", {"question": ""}, "question"),
        ("search", {"question": "问", "k": 0}, "k"),
    ],
)
def test_what_is_wrong_is_told_to_the_assistant(api: Api, tool: str, arguments: dict[str, Any], says: str):
    got = _called(api, tool, **arguments)
    assert got.is_error
    assert says in got.content[0].text


def test_what_is_no_error_of_ours_is_not_told(api: Api):
    got = _called(api, "ask", question="程序崩溃")
    assert got.is_error
    assert "boom" not in got.content[0].text


def test_over_http_the_key_tells_who_asks(tmp_path: Path):
    api = Api(tmp_path, login=True)
    key = api.key("李四")

    async def asked(url: str) -> Any:
        async with (
            httpx2.AsyncClient(headers=key) as http,
            Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
        ):
            return await client.call_tool("ask", {"question": QUESTION})

    with served(api.web) as url:
        got = anyio.run(asked, url)
    assert got.structured_content["verdict"] == "answered"
    assert [entry.user for entry in api.store.audit.list(LOCAL)] == ["李四"]
