"""Batches over the API: created, watched, read, stopped, gone on with, and nobody else's."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from rag.answer.filters import Filters
from tests.ui.api.places import Answerer, Api
from ui.store import LOCAL

LIST = {"questions": [{"question": "甲？"}, {"question": "乙？", "id": "q-2"}, {"question": "丙？"}]}


@pytest.fixture
def made(tmp_path: Path) -> tuple[Api, Answerer]:
    api = Api(tmp_path)
    return api, Answerer(api)


def _until(api: Api, id_: str, *states: str, **headers: Any) -> dict[str, Any]:
    for _ in range(400):
        status = api.client.get(f"/api/batch/{id_}", **headers).json()
        if status["state"] in states:
            return status
        time.sleep(0.02)
    raise AssertionError(status)


def _results(api: Api, id_: str) -> list[dict[str, Any]]:
    response = api.client.get(f"/api/batch/{id_}/result")
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


def test_a_list_is_answered_in_its_order_under_its_own_ids(made: tuple[Api, Answerer]):
    api, _ = made
    response = api.client.post("/api/batch", json=LIST)
    assert response.status_code == 202
    status = _until(api, response.json()["id"], "done")
    assert (status["total"], status["done"], status["answered"], status["failed"]) == (3, 3, 3, 0)
    results = _results(api, status["id"])
    assert [(one["id"], one["question"]) for one in results] == [("1", "甲？"), ("q-2", "乙？"), ("3", "丙？")]
    assert results[0]["verdict"] == "answered"
    assert results[0]["citations"]
    assert [one["id"] for one in api.client.get("/api/batch").json()["batches"]] == [status["id"]]
    assert api.store.audit.list(LOCAL)[0].action == "batch"


def test_filters_are_passed_on(made: tuple[Api, Answerer]):
    api, answerer = made
    rows = [{"question": "厦门？", "filters": {"issues": ["第4期"]}}, {"question": "厦门？"}]
    created = api.client.post("/api/batch", json={"questions": rows}).json()
    _until(api, created["id"], "done")
    assert [row.filters for row in answerer.asked] == [Filters(issues=("第4期",)), Filters()]
    wrong = {"questions": [{"question": "厦门？", "filters": {"since": "昨天"}}]}
    assert api.client.post("/api/batch", json=wrong).status_code == 400


def test_history_scenario_and_mode_are_passed_on(made: tuple[Api, Answerer]):
    api, answerer = made
    row = {"question": "那杭州呢？", "history": [{"user": "厦门？", "assistant": "有"}], "scenario": "政策速览"}
    created = api.client.post("/api/batch", json={"questions": [row], "no_llm": True, "scenario": "要点摘录"}).json()
    _until(api, created["id"], "done")
    assert (answerer.asked[0].history[0].user, answerer.asked[0].scenario) == ("厦门？", "政策速览")
    assert {(how["use_llm"], how["scenario"]) for how in answerer.how} == {(False, "要点摘录")}


def test_a_row_that_fails_is_told_and_resume_asks_it_again(made: tuple[Api, Answerer]):
    api, answerer = made
    answerer.broken = {"乙？"}
    id_ = api.client.post("/api/batch", json=LIST).json()["id"]
    assert _until(api, id_, "done")["failed"] == 1
    assert "weice models verify" in _results(api, id_)[1]["error"]
    answerer.broken = set()
    answerer.asked.clear()
    api.client.post(f"/api/batch/{id_}/resume")
    for _ in range(400):
        if _until(api, id_, "done")["failed"] == 0:
            break
        time.sleep(0.02)
    assert [row.question for row in answerer.asked] == ["乙？"]


def test_a_batch_stops_where_it_is_and_goes_on_from_there(made: tuple[Api, Answerer]):
    api, answerer = made
    answerer.waits = True
    id_ = api.client.post("/api/batch", json=LIST).json()["id"]
    _until(api, id_, "running")
    refused = api.client.delete(f"/api/batch/{id_}")
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "still_running"
    api.client.post(f"/api/batch/{id_}/cancel")
    answerer.let.release(1)
    status = _until(api, id_, "stopped")
    assert status["done"] < 3
    answerer.waits = False
    answerer.let.release(9)
    while (resumed := api.client.post(f"/api/batch/{id_}/resume").json())["state"] == "stopped":
        time.sleep(0.02)
    assert _until(api, id_, "done")["done"] == 3
    assert resumed["total"] == 3
    assert sorted(row.question for row in answerer.asked) == sorted(["甲？", "乙？", "丙？"]), (
        "nothing is asked twice"
    )


def test_a_second_batch_waits_for_the_first(made: tuple[Api, Answerer]):
    api, answerer = made
    answerer.waits = True
    first = api.client.post("/api/batch", json=LIST).json()["id"]
    _until(api, first, "running")
    second = api.client.post("/api/batch", json=LIST).json()["id"]
    assert _until(api, second, "waiting")["done"] == 0
    answerer.let.release(9)
    _until(api, second, "done")
    assert _until(api, first, "done")


def test_a_deleted_batch_is_gone_with_its_answers(made: tuple[Api, Answerer]):
    api, _ = made
    id_ = api.client.post("/api/batch", json=LIST).json()["id"]
    _until(api, id_, "done")
    while api.client.delete(f"/api/batch/{id_}").status_code == 409:
        time.sleep(0.02)
    assert api.client.get(f"/api/batch/{id_}").status_code == 404
    assert not list(api.app.batches.rglob(f"{id_}*"))


def test_other_peoples_batches_do_not_exist(tmp_path: Path):
    api = Api(tmp_path, login=True)
    Answerer(api)
    mine, other = {"headers": api.key("张三")}, {"headers": api.key("李四")}
    id_ = api.client.post("/api/batch", json=LIST, **mine).json()["id"]
    _until(api, id_, "done", **mine)
    for method, path in (("GET", ""), ("GET", "/result"), ("POST", "/cancel"), ("POST", "/resume"), ("DELETE", "")):
        assert api.client.request(method, f"/api/batch/{id_}{path}", **other).status_code == 404
    assert api.client.get("/api/batch", **other).json() == {"batches": []}
    assert api.client.get(f"/api/batch/{id_}/result", **mine).text.count("\n") == 3


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"questions": []}, "questions"),
        ({"questions": [{"question": ""}]}, "questions.0.question"),
        ({"questions": [{"question": "甲", "topk": 1}]}, "questions.0.topk"),
        ({}, "questions"),
    ],
)
def test_a_wrong_list_is_refused_whole(made: tuple[Api, Answerer], asked: dict[str, Any], param: str):
    api, _ = made
    response = api.client.post("/api/batch", json=asked)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert api.client.get("/api/batch").json() == {"batches": []}


def test_too_many_batches_are_refused(made: tuple[Api, Answerer]):
    api, _ = made
    for _ in range(200):
        api.store.batches.add(LOCAL.name, {"scenario": None, "no_llm": True})
    response = api.client.post("/api/batch", json=LIST)
    assert response.status_code == 429
    assert response.json()["error"]["code"] == "too_many_batches"
