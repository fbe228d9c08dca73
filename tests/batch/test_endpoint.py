"""A batch against a real HTTP server: several rows at once, refusals for a moment, broken lines, and a sudden end."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from rag.batch import Batch, batch_path
from rag.wiring import App
from tests.batch.lists import lines, text_list
from tests.builders import program
from tests.llm.standin import Endpoint, event, say

CITIES = ("厦门", "福州", "泉州", "漳州", "莆田", "三明", "南平", "龙岩", "宁德", "杭州", "宁波", "温州")
COUNTS = {city: 2000 + 37 * n for n, city in enumerate(CITIES)}
FILES = {
    f"{city}刊": f"# {city}即时结算\n\n{city}市有{count}余家定点医药机构接入即时结算系统。"
    for city, count in COUNTS.items()
}
QUESTIONS = [f"{city}有多少家定点医药机构接入即时结算系统？" for city in CITIES]
ASKS = re.compile(r"问题：(..)")

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def served(port: int = 0) -> Iterator[Endpoint]:
    made = Endpoint(port)
    try:
        yield made
    finally:
        made.over.set()
        made.server.shutdown()
        made.server.server_close()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with served() as made:
        yield made


def asked_about(handler: Any) -> str:
    """The city that the request which is being answered asks about."""
    return str(ASKS.findall(handler.asked["messages"][-1]["content"])[-1])


def tell(handler: BaseHTTPRequestHandler) -> None:
    """Answer what is asked, by the evidence, in other words."""
    city = asked_about(handler)
    say("接入即时结算系统的定点医药机构，", f"{city}市有{COUNTS[city]}余家。")(handler)


def too_many(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(429)
    handler.send_header("Retry-After", "0.2")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def breaks(handler: BaseHTTPRequestHandler) -> None:
    """Hang up in the middle of the answer."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Content-Length", "10000")
    handler.end_headers()
    event(handler, f"{asked_about(handler)}市有")


def over(folder: Path, endpoint: Endpoint) -> App:
    settings = {"llm": "custom", "llm_base_url": endpoint.url, "llm_model": "m"}
    return program(folder, FILES, **settings)


def run(app: App, source: Path, target: Path, **how: Any) -> Any:
    return app.run_batch(source, target, progress=lambda *_: None, **how)


def cities_asked(endpoint: Endpoint) -> list[str]:
    return [ASKS.findall(request["messages"][-1]["content"])[-1] for request in endpoint.requests]


def test_eight_workers_are_served_at_once_and_the_rows_keep_their_order(tmp_path: Path, endpoint: Endpoint) -> None:
    together = threading.Barrier(8, timeout=60)

    def behave(handler: BaseHTTPRequestHandler) -> None:
        if asked_about(handler) in CITIES[:8]:
            together.wait()  # none is answered before eight of them are there
        tell(handler)

    endpoint.behave = behave
    source, target = text_list(tmp_path / "in.txt", *QUESTIONS), tmp_path / "out.jsonl"
    with closing(over(tmp_path, endpoint)) as app:
        report = run(app, source, target, workers=8)
    assert (report.total, report.done, report.failed, report.fallback) == (12, 12, 0, 0)
    told = lines(target)
    assert [line["question"] for line in told] == QUESTIONS
    for line, (city, count) in zip(told, COUNTS.items(), strict=True):
        assert (line["mode"], line["verdict"]) == ("llm", "answered")
        assert f"{city}市有{count}余家[1]" in line["answer"]
        assert line["citations"][0]["quote"].startswith(f"{city}市有{count}余家")
    assert len(endpoint.requests) == 12, "each is asked once"


def test_rows_outlive_refusals_for_a_moment_and_a_row_that_breaks_has_its_reason(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    refused: set[str] = set()
    lock = threading.Lock()

    def behave(handler: BaseHTTPRequestHandler) -> None:
        city = asked_about(handler)
        with lock:
            first = city not in refused and CITIES.index(city) % 2 == 0
            refused.add(city)
        if city in {"福州", "宁波"}:
            breaks(handler)
        elif first:
            too_many(handler)
        else:
            tell(handler)

    endpoint.behave = behave
    source, target = text_list(tmp_path / "in.txt", *QUESTIONS), tmp_path / "out.jsonl"
    with closing(over(tmp_path, endpoint)) as app:
        report = run(app, source, target, workers=8)
        assert (report.total, report.done, report.failed, report.fallback) == (12, 12, 0, 2)
        told = {line["question"][:2]: line for line in lines(target)}
        assert list(told) == list(CITIES)
        for city, line in told.items():
            broken = city in {"福州", "宁波"}
            assert line["mode"] == ("extractive" if broken else "llm")
            assert ("中途断开" in (line["reason"] or "")) is broken
            assert str(COUNTS[city]) in line["answer"], "quoted at least"
        endpoint.behave = tell
        endpoint.requests.clear()
        again = run(app, source, target, workers=8, retry="failed")
        assert (again.done, again.skipped, again.fallback) == (2, 10, 0)
    assert sorted(cities_asked(endpoint)) == sorted(["福州", "宁波"])
    assert {line["mode"] for line in lines(target)} == {"llm"}


def test_an_endpoint_that_dies_in_the_middle_loses_nothing_and_the_next_run_goes_on(tmp_path: Path) -> None:
    source, target = text_list(tmp_path / "in.txt", *QUESTIONS), tmp_path / "out.jsonl"
    with served() as endpoint:
        dead = threading.Event()

        def behave(handler: BaseHTTPRequestHandler) -> None:
            if len(endpoint.requests) > 5 or dead.is_set():
                if not dead.is_set():
                    dead.set()
                    endpoint.server.socket.close()  # nobody is let in any more
                breaks(handler)
            else:
                tell(handler)

        endpoint.behave = behave
        app = over(tmp_path, endpoint)
        with closing(app):
            report = run(app, source, target, workers=3)
        port = endpoint.port
    before = {line["question"]: line for line in lines(target)}
    written = {question for question, line in before.items() if line["mode"] == "llm"}
    assert (report.done, report.failed, report.fallback) == (12, 0, 12 - len(written))
    assert list(before) == QUESTIONS
    assert 3 <= len(written) <= 5
    assert all("大模型没有作答" in line["reason"] for question, line in before.items() if question not in written)
    with served(port) as endpoint:
        endpoint.behave = tell
        with closing(app):
            again = run(app, source, target, workers=3, retry="failed")
        assert (again.done, again.skipped, again.fallback) == (12 - len(written), len(written), 0)
        assert sorted(cities_asked(endpoint)) == sorted(q[:2] for q in QUESTIONS if q not in written)
    after = {line["question"]: line for line in lines(target)}
    assert list(after) == QUESTIONS
    assert {line["mode"] for line in after.values()} == {"llm"}
    assert all(after[question] == before[question] for question in written)


def test_a_dead_endpoint_takes_no_answer_away_that_was_written_before(tmp_path: Path) -> None:
    source, target = text_list(tmp_path / "in.txt", *QUESTIONS[:4]), tmp_path / "out.jsonl"
    with served() as endpoint:
        endpoint.behave = tell
        app = over(tmp_path, endpoint)
        with closing(app):
            run(app, source, target, workers=4)
        port, before = endpoint.port, lines(target)
    with closing(app):
        report = run(app, source, target, workers=4, retry="all")
        assert (report.failed, report.fallback) == (4, 0)
        assert lines(target) == before
        with served(port) as endpoint:
            endpoint.behave = tell
            assert run(app, source, target, workers=4).failed == 0
            assert len(endpoint.requests) == 4, "what could not be asked anew is asked again"


def test_a_stop_while_the_endpoint_takes_no_more_leaves_the_rows_to_the_next_run(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    stop = threading.Event()

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(429)
        handler.send_header("Retry-After", "200")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        stop.set()

    endpoint.behave = behave
    source, target = text_list(tmp_path / "in.txt", *QUESTIONS), tmp_path / "out.jsonl"
    with closing(over(tmp_path, endpoint)) as app:
        report = run(app, source, target, workers=4, stop=stop)
        assert report.stopped
        assert not target.exists()
        with Batch(batch_path(app.batches, target)) as batch:
            assert [record for _, record in batch.records()] == [None] * 12
        endpoint.behave = tell
        assert run(app, source, target, workers=4).done == 12
    assert {line["mode"] for line in lines(target)} == {"llm"}
