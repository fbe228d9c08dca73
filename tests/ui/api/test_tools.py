"""The MCP tools, called by the real `mcp` client: in this process, and over HTTP with and without a key."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from rag.answer.filters import Filters
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
    assert set(listed[0].input_schema["properties"]) == {"question", "no_llm", "filters"}
    assert set(listed[1].input_schema["properties"]) == {"question", "k", "filters"}


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
        ("ask", {"question": ""}, "字段 question：太短"),
        ("search", {"question": "问", "k": 0}, "字段 k：太小"),
        (
            "ask",
            {"question": "问", "issues": ["第4期"]},
            "字段 issues：不认识的字段。可用：question、no_llm、filters",
        ),
        ("list", {}, "没有工具 'list'。可用：ask、search、get_article、list_issues"),
    ],
)
def test_what_is_wrong_is_told_to_the_assistant(api: Api, tool: str, arguments: dict[str, Any], says: str):
    got = _called(api, tool, **arguments)
    assert got.is_error
    assert says in got.content[0].text
    assert "Error" not in got.content[0].text


@pytest.mark.parametrize("tool", ["ask", "search"])
def test_a_question_is_held_to_what_the_filters_say(api: Api, tool: str):
    filters = {"issues": ["第4期"], "since": "2025-02-01"}
    assert not _called(api, tool, question=QUESTION, filters=filters).is_error
    assert not _called(api, tool, question=QUESTION, filters=json.dumps(filters)).is_error, (
        "as some assistants send it"
    )
    assert not _called(api, tool, question=QUESTION, filters=None).is_error
    whole = Filters(issues=("卫生健康信息动态2025年第4期（总第341期）",), since="2025-02-01")
    assert api.app.within == [whole, whole, None]


@pytest.mark.parametrize("tool", ["ask", "search"])
@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ({"issues": ["第9期"]}, "没有期号“第9期”。可用：卫生健康信息动态2025年第4期"),
        ({"since": "昨天"}, "日期不对：昨天。请写成 2025-02-11 这样"),
        ({"since": "2025-03-01", "until": "2025-02-01"}, "开始日期 2025-03-01 晚于结束日期 2025-02-01"),
        ({"issue": ["第4期"]}, "字段 filters.issue：不认识的字段"),
        ({"issues": "第4期"}, "字段 filters.issues：应为列表"),
        (["第4期"], "字段 filters：应为 {…}"),
    ],
)
def test_filters_that_are_wrong_are_told(api: Api, tool: str, filters: Any, says: str):
    got = _called(api, tool, question=QUESTION, filters=filters)
    assert got.is_error
    assert got.content[0].text.startswith(says)
    assert api.app.within == []


def test_what_is_no_error_of_ours_is_not_told(api: Api):
    got = _called(api, "ask", question="程序崩溃")
    assert got.is_error
    assert got.content[0].text == "程序内部错误。请重试；仍不行请看服务端日志"


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
