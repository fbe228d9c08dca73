"""Feedback: given by readers, listed by editors, made cases that `weice eval` takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval import cases
from rag.errors import AccessError, UsageError
from tests.ui.standin import QUOTE
from tests.ui.store.places import Clock, answered, store
from ui.store import LOCAL, Reason, Role, Store, User, drafted_case

EDITOR = User("编辑甲", Role.EDITOR)


def _turn(held: Store, question: str = "厦门接入多少家？", *, refused: bool = False, before: str = "") -> int:
    talk = held.conversations.create("张三")
    if before:
        held.conversations.add(talk.id, "张三", before, answered(before))
    return held.conversations.add(talk.id, "张三", question, answered(question, refused=refused)).id


def test_a_second_judgement_takes_the_place_of_the_first():
    held = store()
    turn = _turn(held)
    held.feedback.give(turn, "张三", good=True)
    held.feedback.give(turn, "张三", good=False, reason=Reason.NUMBER, right_answer=" 2000余家 ")
    (only,) = held.feedback.list(EDITOR)
    assert (only.good, only.reason, only.right_answer) == (False, Reason.NUMBER, "2000余家")
    assert held.feedback.of(turn, "张三") == only
    held.feedback.take_back(turn, "张三")
    assert held.feedback.list(EDITOR) == ()


def test_it_outlives_the_conversation():
    held = store()
    turn = _turn(held)
    held.feedback.give(turn, "张三", good=True)
    held.conversations.delete(held.conversations.list("张三")[0].id, "张三")
    assert held.feedback.list(LOCAL)[0].answer == answered()


def test_a_thumb_down_needs_a_reason_and_an_answer_of_ones_own():
    held = store()
    turn = _turn(held)
    with pytest.raises(UsageError, match="引用错误、数字错误"):
        held.feedback.give(turn, "张三", good=False)
    with pytest.raises(UsageError, match="没有这个回答"):
        held.feedback.give(turn, "李四", good=True)
    unanswered = held.conversations.ask(held.conversations.create("张三").id, "张三", "问")
    with pytest.raises(UsageError, match="没有这个回答"):
        held.feedback.give(unanswered.id, "张三", good=True)


def test_only_editors_see_the_list_and_make_cases(tmp_path: Path):
    held, reader = store(), User("张三", Role.READER)
    with pytest.raises(AccessError, match="编辑"):
        held.feedback.list(reader)
    with pytest.raises(AccessError, match="编辑"):
        held.feedback.make_case(reader, 1, {}, tmp_path / "set.jsonl")


def test_the_list_is_filtered():
    clock = Clock()
    held = store(clock=clock)
    turns = [_turn(held, question) for question in ("一", "二", "三")]
    for turn, reason in zip(turns, (None, Reason.CITATION, Reason.OTHER), strict=True):
        clock.turn(minutes=1)
        held.feedback.give(turn, "张三", good=reason is None, reason=reason)

    def asked(**which):
        return [one.question for one in held.feedback.list(EDITOR, **which)]

    assert asked() == ["三", "二", "一"]
    assert asked(good=False) == ["三", "二"]
    assert asked(reason=Reason.CITATION) == ["二"]
    assert asked(made=True) == []
    assert asked(made=False, limit=1, offset=1) == ["二"]


def test_a_thumb_down_becomes_a_case_that_eval_takes(tmp_path: Path):
    held = store()
    turn = _turn(held, "那杭州呢？", before="厦门接入多少家？")
    given = held.feedback.give(turn, "张三", good=False, reason=Reason.NUMBER, right_answer="2000余家")
    case = drafted_case(given)
    path = tmp_path / "own.jsonl"
    held.feedback.make_case(EDITOR, given.id, case, path)
    (read,) = cases.load(path)
    assert read.id == f"fb-{given.id}"
    assert read.type == "followup"
    assert read.history[0].user == "厦门接入多少家？"
    assert "[1]" not in read.history[0].assistant
    assert read.must == (("2000余家",),)
    assert (read.sources[0].file, read.sources[0].quote) == ("动态.txt", QUOTE)
    assert held.feedback.list(EDITOR, made=True)[0].case_id == read.id


def test_what_should_have_been_refused_becomes_an_unanswerable_case(tmp_path: Path):
    held = store()
    given = held.feedback.give(_turn(held), "张三", good=False, reason=Reason.SHOULD_REFUSE)
    held.feedback.make_case(EDITOR, given.id, drafted_case(given), tmp_path / "own.jsonl")
    (read,) = cases.load(tmp_path / "own.jsonl")
    assert (read.type, read.answerable, read.must, read.sources) == ("unanswerable", False, (), ())


def test_a_rightly_refused_answer_is_unanswerable_too():
    held = store()
    given = held.feedback.give(_turn(held, refused=True), "张三", good=True)
    assert drafted_case(given)["answerable"] is False


def test_a_case_that_eval_would_not_take_leaves_the_set_as_it_was(tmp_path: Path):
    held, path = store(), tmp_path / "own.jsonl"
    given = held.feedback.give(_turn(held), "张三", good=False, reason=Reason.NUMBER, right_answer="2000余家")
    held.feedback.make_case(EDITOR, given.id, drafted_case(given), path)
    before = path.read_bytes()
    for wrong in (drafted_case(given), drafted_case(given) | {"id": "x", "must": []}):
        with pytest.raises(UsageError):
            held.feedback.make_case(EDITOR, given.id, wrong, path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["own.jsonl"]


def test_of_two_editors_the_first_one_makes_the_case(tmp_path: Path):
    held = store()
    talk = held.conversations.create("张三")
    turn = held.conversations.add(talk.id, "张三", "问", answered())
    given = held.feedback.give(turn.id, "张三", good=False, reason=Reason.NUMBER, right_answer="2100家")
    path = tmp_path / "feedback.jsonl"
    held.feedback.make_case(LOCAL, given.id, drafted_case(given), path)
    first = path.read_text(encoding="utf-8")
    with pytest.raises(UsageError, match=f"已做成考题 fb-{given.id}。.*另一位编辑"):
        held.feedback.make_case(LOCAL, given.id, drafted_case(given) | {"question": "另一个"}, path)
    assert path.read_text(encoding="utf-8") == first
