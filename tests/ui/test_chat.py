"""What the chat tab does with a question, without a browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.schema import Turn
from tests.ui.standin import StandIn
from ui.web.chat import Chat, Conversation
from ui.web.view import Running

TIMEOUT_S = 60


def make(tmp_path: Path, **given: object) -> tuple[StandIn, Chat]:
    app = StandIn(tmp_path, **given)  # type: ignore[arg-type]
    return app, Chat(app, use_llm=True)  # type: ignore[arg-type]


def finished(updates: Iterator[Running | Conversation]) -> Conversation:
    last = list(updates)[-1]
    assert isinstance(last, tuple)
    return last


def test_evidence_comes_before_any_draft_and_the_checked_answer_last(tmp_path: Path):
    _, chat = make(tmp_path)
    updates = list(chat.ask("厦门？", False, (), "a"))
    states = [update for update in updates if isinstance(update, Running)]
    first_evidence = next(n for n, state in enumerate(states) if state.evidence)
    first_draft = next(n for n, state in enumerate(states) if state.draft)
    assert first_evidence < first_draft
    assert isinstance(updates[-1], tuple)
    assert "已回答" in updates[-1][0].html


def test_a_second_question_carries_the_first_as_history(tmp_path: Path):
    app, chat = make(tmp_path)
    past = finished(chat.ask("厦门？", False, (), "a"))
    past = finished(chat.ask("那湖南呢？", False, past, "a"))
    assert len(past) == 2
    assert app.asked[1] == ("那湖南呢？", (Turn("厦门？", past[0].turn.assistant if past[0].turn else ""),))


def test_extractive_mode_asks_without_the_llm(tmp_path: Path):
    _, chat = make(tmp_path)
    assert "原文摘录" in finished(chat.ask("厦门？", True, (), "a"))[0].html
    assert "大模型作答" in finished(chat.ask("厦门？", False, (), "a"))[0].html


@pytest.mark.parametrize(
    ("question", "said"), [("出错", "向量模型打不开。运行 weice models verify"), ("崩溃", "程序内部错误")]
)
def test_a_failure_is_a_line_in_the_conversation_and_no_history(tmp_path: Path, question: str, said: str):
    app, chat = make(tmp_path)
    past = finished(chat.ask(question, False, (), "a"))
    assert said in past[0].html
    assert "boom" not in past[0].html
    finished(chat.ask("厦门？", False, past, "a"))
    assert app.asked[1] == ("厦门？", ())


def test_stop_ends_a_question_and_keeps_its_evidence_but_not_its_draft(tmp_path: Path):
    _, chat = make(tmp_path, delay_s=0.05)
    updates = chat.ask("慢", False, (), "a")
    for update in updates:
        if isinstance(update, Running) and "2000余家" in update.draft:
            chat.stop("a")
            break
    past = finished(updates)
    assert "已停止" in past[0].html
    assert "检索到的资料（2 段）" in past[0].html
    assert "厦门有2000余家，" not in past[0].html
    assert past[0].turn is None


def test_stop_of_one_reader_leaves_the_others(tmp_path: Path):
    _, chat = make(tmp_path)
    chat.stop("nobody")
    updates = chat.ask("厦门？", False, (), "b")
    next(updates)
    chat.stop("a")
    assert "已回答" in finished(updates)[0].html


def test_a_reader_who_leaves_stops_the_assistant(tmp_path: Path):
    _, chat = make(tmp_path, delay_s=0.05)
    before = threading.active_count()
    updates = chat.ask("慢", False, (), "a")
    for _ in range(6):
        next(updates)
    updates.close()  # type: ignore[attr-defined]  # a generator
    for thread in threading.enumerate():
        if thread.name == "weice-ask":
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()
    assert threading.active_count() <= before


def test_a_slow_generation_of_one_reader_does_not_hold_up_the_evidence_of_another(tmp_path: Path):
    _, chat = make(tmp_path, delay_s=0.05)
    slow = chat.ask("慢", False, (), "slow")
    for update in slow:
        if isinstance(update, Running) and update.draft:
            break
    assert "已回答" in finished(chat.ask("厦门？", False, (), "quick"))[0].html
    chat.stop("slow")
    assert "已停止" in finished(slow)[0].html
