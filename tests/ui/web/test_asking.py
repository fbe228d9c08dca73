"""What becomes of a question, without a browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rag.answer.filters import Filters
from rag.errors import StorageError, UsageError
from rag.records import Record
from rag.schema import Turn
from tests.ui.standin import ANSWER, EVIDENCE, REFUSED, ROUND, WILD, StandIn
from tests.ui.store.places import store as new_store
from ui.store import Store
from ui.web.asking import CUT_OFF, STOPPED, Asked, Desk, Job, coverage, suggestions
from ui.web.view.chat import Exchange, Running

TIMEOUT_S = 60
USER = "本机"


class Place:
    """A desk over the scripted program and a store in memory."""

    def __init__(self, folder: Path, store: Store | None = None, **given: object) -> None:
        self.app = StandIn(folder, **given)  # type: ignore[arg-type]
        self.store = store or new_store()
        self.desk = Desk(self.app, self.store, use_llm=True)  # type: ignore[arg-type]
        self.talk = self.store.conversations.create(USER).id

    def start(self, question: str, talk: str | None = None, **how: object) -> Job:
        return self.desk.start(talk or self.talk, USER, Asked(question, **how))  # type: ignore[arg-type]

    def ask(self, question: str, **how: object) -> Exchange:
        return finished(self.start(question, **how))


def finished(job: Job) -> Exchange:
    for _ in job.watch():
        pass
    assert job.result is not None
    return job.result


def until(job: Job, holds: Callable[[Running], object]) -> Iterator[Running]:
    """Watch until the state is so."""
    states = job.watch()
    for state in states:
        if holds(state):
            return states
    raise AssertionError("it never came to that")


def record(one: Exchange) -> Record:
    assert one.answer is not None
    return one.answer


def test_evidence_comes_before_any_draft_and_the_checked_answer_last(tmp_path: Path):
    job = Place(tmp_path, delay_s=0.05).start("厦门？")
    states = list(job.watch())
    first_evidence = next(n for n, state in enumerate(states) if state.evidence)
    first_draft = next(n for n, state in enumerate(states) if state.draft)
    assert first_evidence < first_draft
    assert record(finished(job))["verdict"] == "answered"


def test_a_second_question_carries_the_first_as_history(tmp_path: Path):
    place = Place(tmp_path)
    first = record(place.ask("厦门？"))["answer"]
    place.ask("那湖南呢？")
    assert place.app.asked == [("厦门？", ()), ("那湖南呢？", (Turn("厦门？", first),))]


def test_the_mode_and_the_scenario_are_kept_with_the_question(tmp_path: Path):
    from rag.answer.scenarios import scenario

    place = Place(tmp_path)
    assert record(place.ask("厦门？", extractive=True, scenario=scenario("时间线")))["mode"] == "extractive"
    held = place.ask("厦门？", filters=Filters(columns=("医保动态",)))
    assert record(held)["mode"] == "llm"
    assert (record(held)["coverage"]["issues"], record(held)["coverage"]["within"]) == (1, "医保动态")
    _, turns = place.store.conversations.load(place.talk, USER)
    assert [t.options for t in turns] == [
        {"extractive": True, "scenario": "timeline", "filters": Filters().record},
        {"extractive": False, "scenario": None, "filters": Filters(columns=("医保动态",)).record},
    ]
    assert [bool(one) for one in place.app.within] == [False, True]
    assert [one and one.name for one in place.app.chosen] == ["timeline", None]


@pytest.mark.parametrize(
    ("question", "said"), [("出错", "向量模型打不开。运行 weice models verify"), ("崩溃", "程序内部错误")]
)
def test_a_failure_is_a_line_in_the_conversation_and_no_history(tmp_path: Path, question: str, said: str):
    place = Place(tmp_path)
    assert said in place.ask(question).said
    kept = place.desk.exchanges(place.talk, USER)[0]
    assert said in kept.said
    assert "boom" not in kept.said
    place.ask("厦门？")
    assert place.app.asked[1] == ("厦门？", ())


def test_stop_ends_a_question_and_keeps_its_evidence_but_not_its_draft(tmp_path: Path):
    place = Place(tmp_path, delay_s=0.05)
    job = place.start("慢")
    until(job, lambda state: state.draft)
    place.desk.stop(place.talk)
    result = finished(job)
    assert (result.said, result.answer, len(result.retrieved)) == (STOPPED, None, 2)
    assert place.desk.exchanges(place.talk, USER)[0].said == STOPPED


def test_stop_in_one_conversation_leaves_the_others(tmp_path: Path):
    place = Place(tmp_path, delay_s=0.05)
    job = place.start("厦门？")
    place.desk.stop("nowhere")
    place.desk.stop(place.store.conversations.create(USER).id)
    assert record(finished(job))["verdict"] == "answered"


def test_a_reader_who_leaves_finds_the_answer_on_coming_back(tmp_path: Path):
    place = Place(tmp_path, delay_s=0.2)
    job = place.start("厦门？")
    watching = job.watch()
    next(watching)
    watching.close()  # type: ignore[attr-defined]  # a generator
    assert place.desk.running(place.talk) is job
    assert place.desk.exchanges(place.talk, USER) == ()
    finished(job)
    assert record(place.desk.exchanges(place.talk, USER)[0])["verdict"] == "answered"


def test_a_second_question_while_one_is_on_its_way_joins_it(tmp_path: Path):
    place = Place(tmp_path, delay_s=0.2)
    job = place.start("厦门？")
    assert place.start("湖南？") is job
    finished(job)
    assert [question for question, _ in place.app.asked] == ["厦门？"]


def test_a_slow_generation_of_one_reader_does_not_hold_up_the_evidence_of_another(tmp_path: Path):
    place = Place(tmp_path, delay_s=0.05)
    slow = place.start("慢")
    until(slow, lambda state: state.draft)
    other = place.store.conversations.create(USER).id
    assert record(finished(place.start("厦门？", other)))["verdict"] == "answered"
    place.desk.stop(place.talk)
    assert finished(slow).said == STOPPED


def test_who_waits_for_the_llm_learns_how_many_are_ahead(tmp_path: Path):
    place = Place(tmp_path, delay_s=0.3)
    talks = [place.talk, *(place.store.conversations.create(USER).id for _ in range(2))]
    jobs = []
    for talk in talks:
        jobs.append(place.start("慢", talk))
        until(jobs[-1], lambda state: state.stage == "生成")
    assert [place.desk.ahead(job) for job in jobs] == [0, 1, 2]
    place.desk.stop(talks[0])
    assert [place.desk.ahead(job) for job in jobs] == [0, 0, 1]
    for talk in talks:
        place.desk.stop(talk)


def test_a_full_queue_refuses_before_anything_happened_but_never_quotes(tmp_path: Path):
    place = Place(tmp_path, delay_s=0.3, questions_at_once=2)
    jobs = [place.start("慢"), place.start("慢", place.store.conversations.create(USER).id)]
    with pytest.raises(UsageError, match=r"已有 2 个问题.*没有丢.*摘录模式"):
        place.desk.need_room(Asked("厦门？"))
    place.desk.need_room(Asked("厦门？", extractive=True))
    place.desk.stop(place.talk)
    place.desk.need_room(Asked("厦门？"))
    place.desk.stop(jobs[1].turn.conversation)


def test_nobody_sees_or_asks_in_the_conversation_of_another(tmp_path: Path):
    place = Place(tmp_path)
    place.ask("厦门？")
    with pytest.raises(UsageError):
        place.desk.exchanges(place.talk, "别人")
    with pytest.raises(UsageError):
        place.desk.start(place.talk, "别人", Asked("厦门？"))


def test_a_question_whose_program_was_killed_is_told_so(tmp_path: Path):
    place = Place(tmp_path)
    place.store.conversations.ask(place.talk, USER, "厦门？")
    assert place.desk.exchanges(place.talk, USER)[0].said == CUT_OFF


def test_an_answer_that_can_not_be_stored_is_shown_all_the_same(tmp_path: Path):
    place = Place(tmp_path)

    def full(turn: int, answer: Record) -> None:
        raise StorageError("磁盘已满", "请腾出空间")

    place.store.conversations.finish = full  # type: ignore[method-assign]
    assert record(place.ask("厦门？"))["verdict"] == "answered"


def test_every_question_is_in_the_audit_log_with_its_verdict(tmp_path: Path):
    from ui.store import LOCAL

    place = Place(tmp_path)
    for question in ("厦门？", "财政？", "出错"):
        place.ask(question)
    entries = [(e.user, e.via, e.question, e.verdict) for e in place.store.audit.list(LOCAL)]
    assert entries == [
        (USER, "web", "出错", "error"),
        (USER, "web", "财政？", "refused"),
        (USER, "web", "厦门？", "answered"),
    ]


def test_a_finished_question_leaves_no_thread(tmp_path: Path):
    place = Place(tmp_path)
    place.ask("厦门？")
    for thread in threading.enumerate():
        if thread.name == "weice-ask":
            thread.join(TIMEOUT_S)
    while place.desk.running(place.talk) is not None:
        time.sleep(0.01)
    assert not [thread for thread in threading.enumerate() if thread.name == "weice-ask"]


def test_coverage_counts_files_dates_and_hits():
    assert coverage((ROUND, WILD), EVIDENCE) == {
        "issues": 2,
        "from": "2025-02-11",
        "to": "2025-02-11",
        "hits": {"卫生健康信息动态2025年第4期（总第341期）": 1, "附件.md": 1},
    }
    assert coverage((), ())["from"] is None


def test_suggestions_ask_for_what_was_found_and_not_cited():
    only_first = replace(ANSWER, citations=ANSWER.citations[:1])
    assert suggestions(only_first) == [f"《{WILD.title[:18]}…》主要讲了什么？"]
    assert suggestions(ANSWER) == []
    assert suggestions(REFUSED)[0] == "《国家出手！2025年医疗机构回款大提…》里“地方探索”主要讲了什么？"
