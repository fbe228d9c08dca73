"""Keys, rights, rates, sizes, names of this machine, and clients that go away."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from rag.answer.events import EvidenceFound, Finished, Stage, Token
from tests.ui.api.places import ASK, Api, chat, served
from tests.ui.standin import ANSWER, EVIDENCE
from ui.api.guard import Limits, LoopbackNames
from ui.store import LOCAL, Role

ROUTES = [
    ("POST", "/v1/chat/completions", chat()),
    ("GET", "/v1/models", None),
    ("POST", "/api/ask", ASK),
    ("POST", "/api/search", ASK),
    ("GET", "/api/library", None),
    ("GET", "/api/issues", None),
    ("GET", "/api/library/article?id=动态-1", None),
    ("GET", "/api/batch", None),
]


OF_A_BATCH: list[tuple[str, str, Any]] = [
    ("POST", "/api/batch", {"questions": [ASK]}),
    ("GET", "/api/batch/x", None),
    ("DELETE", "/api/batch/x", None),
    ("GET", "/api/batch/x/result", None),
    ("POST", "/api/batch/x/cancel", None),
    ("POST", "/api/batch/x/resume", None),
]


@pytest.mark.parametrize(
    ("method", "path", "body"), [*ROUTES, *OF_A_BATCH, ("GET", "/metrics", None), ("POST", "/mcp", {})]
)
def test_where_login_is_required_every_route_wants_a_key(tmp_path: Path, method: str, path: str, body: Any):
    api = Api(tmp_path, login=True)
    for headers in ({}, {"authorization": "Bearer weice-wrong"}, {"authorization": "Basic eDp5"}):
        response = api.client.request(method, path, json=body, headers=headers)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
        assert response.headers["www-authenticate"] == "Bearer"
    assert api.app.asked == []


def test_every_documented_route_is_in_the_list_above(tmp_path: Path):
    paths = Api(tmp_path).client.get("/openapi.json").json()["paths"]
    listed = {path.partition("?")[0] for _, path, _ in [*ROUTES, *OF_A_BATCH]}
    assert {path.replace("{id}", "x") for path in paths} - {"/healthz", "/readyz", "/metrics"} == listed


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_a_key_opens_what_readers_may_use(tmp_path: Path, method: str, path: str, body: Any):
    api = Api(tmp_path, login=True)
    assert api.client.request(method, path, json=body, headers=api.key()).status_code == 200


@pytest.mark.parametrize(("role", "status"), [(Role.READER, 403), (Role.EDITOR, 403), (Role.ADMIN, 200)])
def test_metrics_are_for_administrators(tmp_path: Path, role: Role, status: int):
    api = Api(tmp_path, login=True)
    assert api.client.get("/metrics", headers=api.key(role=role)).status_code == status


def test_a_revoked_key_opens_nothing(tmp_path: Path):
    api = Api(tmp_path, login=True)
    key = api.key()
    api.store.accounts.revoke_key(1)
    assert api.client.get("/v1/models", headers=key).status_code == 401


def test_the_owner_of_a_key_is_in_the_audit_log_also_where_no_login_is_required(tmp_path: Path):
    api = Api(tmp_path)
    api.client.post("/api/ask", json=ASK, headers=api.key("李四"))
    api.client.post("/api/ask", json=ASK, headers={"authorization": "Bearer sk-anything"})
    assert [entry.user for entry in api.store.audit.list(LOCAL)] == ["本机", "李四"]


def test_too_many_requests_wait_and_each_key_counts_by_itself(tmp_path: Path):
    api = Api(tmp_path, login=True, limits=Limits(per_minute=2))
    one, other = api.key("张三"), api.key("李四")
    assert [api.client.get("/v1/models", headers=one).status_code for _ in range(3)] == [200, 200, 429]
    assert api.client.get("/v1/models", headers=other).status_code == 200
    refused = api.client.get("/v1/models", headers=one)
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 61


@pytest.mark.parametrize("told", [True, False])
def test_a_body_that_is_too_large_is_refused(tmp_path: Path, told: bool):
    api = Api(tmp_path, limits=Limits(body_bytes=2048))
    body = b'{"question": "' + b"x" * 4096 + b'"}'
    content = body if told else iter([body[:100], body[100:]])
    response = api.client.post("/api/ask", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "request_too_large"
    assert api.app.asked == []


class Slow:
    """An assistant that writes until it is stopped, and says when it was."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.go_on = threading.Event()

    def stream(self, *_: object):
        yield Stage("检索")
        yield EvidenceFound(EVIDENCE)
        try:
            while not self.go_on.is_set():
                time.sleep(0.01)
                yield Token("字")
        except GeneratorExit:
            self.stopped.set()
            raise
        yield Finished(ANSWER)


@pytest.fixture
def slow(tmp_path: Path):
    def made(**limits: Any) -> tuple[Api, Slow]:
        api, assistant = Api(tmp_path, limits=Limits(**limits)), Slow()
        api.app.assistant = lambda **_: assistant
        return api, assistant

    return made


@pytest.mark.parametrize("body", [chat(stream=True), chat()])
def test_a_client_that_goes_away_stops_the_generation(slow: Callable[..., tuple[Api, Slow]], body: dict[str, Any]):
    api, assistant = slow()
    with served(api.web) as url:
        host, port = url.removeprefix("http://").split(":")
        raw = httpx.Request("POST", url, json=body).content
        lines = ("POST /v1/chat/completions HTTP/1.1", "Host: x", "Content-Type: application/json")
        head = "\r\n".join((*lines, f"Content-Length: {len(raw)}", "", ""))
        with socket.create_connection((host, int(port))) as link:
            link.sendall(head.encode() + raw)
            if body.get("stream"):
                assert b"200 OK" in link.recv(4096)
            else:
                _wait(lambda: "weice_answers_running 1.0" in httpx.get(f"{url}/metrics").text)
        assert assistant.stopped.wait(20)
        _wait(lambda: "weice_answers_running 0.0" in httpx.get(f"{url}/metrics").text)
    assert [entry.verdict for entry in api.store.audit.list(LOCAL)] == ["stopped"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_takes_too_long_is_given_up(slow: Callable[..., tuple[Api, Slow]], stream: bool):
    api, assistant = slow(seconds=0.3)
    response = api.client.post("/v1/chat/completions", json=chat(stream=stream))
    assert response.status_code == (200 if stream else 504)
    assert '"code": "timeout"' in response.text or '"code":"timeout"' in response.text
    assert assistant.stopped.wait(20)


def test_one_question_too_many_at_once_is_told_to_come_back(slow: Callable[..., tuple[Api, Slow]]):
    api, assistant = slow(at_once=1)
    with served(api.web) as url, httpx.Client(base_url=url, timeout=60) as client:
        with client.stream("POST", "/v1/chat/completions", json=chat(stream=True)) as first:
            lines = first.iter_lines()
            next(lines)
            refused = client.post("/api/ask", json=ASK)
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "overloaded"
            assert "retry-after" in refused.headers
            assert client.post("/api/search", json=ASK).status_code == 200, "retrieval never waits for generation"
            assistant.go_on.set()
            assert "data: [DONE]" in list(lines)
        _wait(lambda: client.post("/api/ask", json=ASK).status_code == 200)


def _wait(done: Callable[[], bool]) -> None:
    for _ in range(400):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come")


@pytest.mark.parametrize(
    ("host", "origin", "client", "status"),
    [
        ("127.0.0.1:7860", None, "127.0.0.1", 200),
        ("localhost", "http://localhost:7860", "::1", 200),
        ("[::1]:7860", None, "::1", 200),
        ("evil.example", None, "127.0.0.1", 403),
        ("127.0.0.1.evil.example", None, "127.0.0.1", 403),
        ("127.0.0.1:7860", "http://evil.example", "127.0.0.1", 403),
        ("127.0.0.1:7860", "null", "127.0.0.1", 403),
        ("127.0.0.1:7860", None, "10.0.0.7", 403),
        ("[::1", None, "127.0.0.1", 403),
        ("", None, "127.0.0.1", 403),
    ],
)
def test_without_login_only_this_machine_is_served(
    tmp_path: Path, host: str, origin: str | None, client: str, status: int
):
    web = TestClient(LoopbackNames(Api(tmp_path).web), client=(client, 1))
    headers = {"host": host} | ({"origin": origin} if origin else {})
    assert web.get("/v1/models", headers=headers).status_code == status
