"""The plain JSON routes, health, metrics, documentation."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from rag.answer.filters import Filters
from rag.errors import IndexBroken
from rag.records import answer_record
from rag.schema import Turn
from tests.ui.api.places import ASK, QUESTION, Api
from tests.ui.standin import ANSWER, ROUND
from ui.store import LOCAL


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


def test_ask_gives_the_record_of_the_command_line(api: Api):
    asked = {**ASK, "id": "q-1", "history": [{"user": "一问", "assistant": "一答"}]}
    assert api.client.post("/api/ask", json=asked).json() == answer_record(ANSWER, "q-1")
    assert api.app.asked == [(QUESTION, (Turn("一问", "一答"),))]


def test_ask_without_llm_and_with_a_scenario(api: Api):
    got = api.client.post("/api/ask", json={**ASK, "no_llm": True, "scenario": "政策速览"}).json()
    assert got["mode"] == "extractive"
    assert api.app.chosen[-1].title == "政策速览"
    for nothing in ("", " ", None):
        assert api.client.post("/api/ask", json={**ASK, "scenario": nothing}).status_code == 200
    assert api.app.chosen[-3:] == [None, None, None]


def test_search_gives_the_record_of_the_command_line(api: Api):
    got = api.client.post("/api/search", json={**ASK, "k": 1}).json()
    assert set(got) == {"retrieved"}
    assert got["retrieved"] == answer_record(ANSWER)["retrieved"][:1]


@pytest.mark.parametrize("path", ["/api/ask", "/api/search"])
def test_a_question_is_held_to_what_the_filters_say(api: Api, path: str):
    whole = Filters(issues=("卫生健康信息动态2025年第4期（总第341期）",), since="2025-02-01")
    asked = {**ASK, "filters": {"issues": ["第4期"], "since": "2025-02-01"}}
    assert api.client.post(path, json=asked).status_code == 200
    assert api.client.post(path, json=ASK).status_code == 200
    assert api.app.within == [whole, None]


@pytest.mark.parametrize("path", ["/api/ask", "/api/search"])
@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"issues": ["第9期"]}, "没有期号“第9期”"),
        ({"since": "昨天"}, "日期不对"),
        ({"issue": ["第4期"]}, "filters.issue"),
    ],
)
def test_filters_that_are_wrong_are_told(api: Api, path: str, filters: dict[str, object], said: str):
    response = api.client.post(path, json={**ASK, "filters": filters})
    assert response.status_code == 400
    assert said in str(response.json()["error"])


def test_the_library_by_article_and_by_issue(api: Api):
    got = api.client.get("/api/library").json()
    assert got["index_version"] == "v1"
    assert [one["id"] for one in got["articles"]] == ["动态-1", "动态-2"]
    assert got["articles"][0]["characters"] == len(ROUND.text)
    issues = api.client.get("/api/issues").json()["issues"]
    assert issues[0]["issue"] == "卫生健康信息动态2025年第4期（总第341期）"
    assert issues[0]["date"] == "2025-02-11"
    assert issues[0]["articles"] == [{"id": "动态-1", "title": ROUND.title, "column": "医保动态"}]
    assert api.client.get("/api/library/article", params={"id": "动态-1"}).json()["text"] == ROUND.text
    assert api.client.get("/api/library/article", params={"id": "没有"}).status_code == 404


@pytest.mark.parametrize(
    ("path", "asked", "param"),
    [
        ("/api/ask", {}, "question"),
        ("/api/ask", {"question": ""}, "question"),
        ("/api/ask", {**ASK, "topk": 3}, "topk"),
        ("/api/ask", {**ASK, "history": [{"user": "一问"}]}, "history.0.assistant"),
        ("/api/search", {**ASK, "k": 0}, "k"),
        ("/api/search", {**ASK, "k": 101}, "k"),
    ],
)
def test_a_wrong_field_is_named(api: Api, path: str, asked: dict[str, object], param: str):
    response = api.client.post(path, json=asked)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


def test_a_page_elsewhere_cannot_send_a_form(api: Api):
    response = api.client.post("/api/ask", content='{"question": "问"}', headers={"content-type": "text/plain"})
    assert response.status_code == 400
    assert api.app.asked == []


def test_unknown_paths_and_methods_are_told_in_the_same_form(api: Api):
    assert api.client.get("/api/nothing").json()["error"]["code"] == "http_404"
    assert api.client.get("/api/ask").json()["error"]["code"] == "http_405"


def test_every_question_is_in_the_audit_log_with_its_verdict(api: Api):
    api.client.post("/api/ask", json=ASK)
    api.client.post("/api/ask", json={"question": "财政收入多少？"})
    api.client.post("/api/ask", json={"question": "模型出错"})
    api.client.post("/api/search", json=ASK)
    log = [(entry.action, entry.question, entry.verdict) for entry in api.store.audit.list(LOCAL)][::-1]
    assert log == [
        ("ask", QUESTION, "answered"),
        ("ask", "财政收入多少？", "refused"),
        ("ask", "模型出错", "failed"),
        ("search", QUESTION, ""),
    ]


def test_health_is_open_and_readiness_names_what_is_missing_without_paths(tmp_path: Path):
    assert Api(tmp_path, login=True).client.get("/healthz").json() == {"status": "ok"}
    assert Api(tmp_path).client.get("/readyz").json() == {"ready": True, "checks": {"index": "ok", "database": "ok"}}
    response = Api(tmp_path, no_index=True).client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "checks": {"index": "IndexMissing", "database": "ok"}}


def test_a_broken_index_is_a_503_that_says_what_to_do(tmp_path: Path):
    api = Api(tmp_path, error=IndexBroken("索引损坏", "运行 weice index --rebuild"))
    response = api.client.post("/api/search", json=ASK)
    assert response.status_code == 503
    assert response.json()["error"] == {
        "message": "索引损坏。运行 weice index --rebuild", "type": "server_error", "param": None, "code": "no_index",
    }  # fmt: skip


def test_metrics_count_requests_and_answers_and_hold_no_question(api: Api):
    api.client.post("/api/ask", json=ASK)
    api.client.post("/api/ask", json={"question": "模型出错"})
    api.client.get("/api/没有的路径")
    idle, end = "weice_answers_running 0.0", time.monotonic() + 10
    while idle not in (text := api.client.get("/metrics").text) and time.monotonic() < end:
        time.sleep(0.05)  # the answer is out before its thread has ended
    assert 'weice_requests_total{method="POST",route="/api/ask",status="200"} 1.0' in text
    assert 'weice_answers_total{mode="llm",verdict="answered",via="api"} 1.0' in text
    assert 'weice_answers_unfinished_total{how="failed"} 1.0' in text
    assert idle in text
    assert "厦门" not in text
    assert "没有的路径" not in text


def test_the_documentation_needs_no_other_host(api: Api):
    for page in ("/docs", "/redoc"):
        body = api.client.get(page).text
        assert "http" not in re.sub(r"http-equiv", "", body), page
        for path in re.findall(r'(?:src|href)="(/[^"]+)"', body):
            assert api.client.get(path).status_code == 200, path
    schema = api.client.get("/openapi.json").json()
    assert {"/v1/chat/completions", "/v1/models", "/api/ask", "/api/search", "/api/library", "/metrics"} <= set(
        schema["paths"]
    )
    assert "422" not in str(schema)
