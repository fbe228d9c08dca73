"""Conversations: whose they are, in what order, and what is found in them."""

from __future__ import annotations

import pytest

from rag.errors import UsageError
from rag.schema import Turn
from tests.ui.store.places import Clock, answered, store
from ui.store import history


def test_a_turn_comes_back_whole():
    talks = store().conversations
    talk = talks.create("张三")
    asked = talks.ask(talk.id, "张三", "厦门接入多少家？", {"scenario": "政策速览"})
    assert talks.load(talk.id, "张三")[1][0].answer is None, "the question is there before its answer"
    talks.finish(asked.id, answered())
    held, turns = talks.load(talk.id, "张三")
    assert turns[0].answer == answered()
    assert turns[0].options == {"scenario": "政策速览"}
    assert held.title == "厦门接入多少家？"
    assert held.turns == 1


def test_only_answered_turns_are_history():
    talks = store().conversations
    talk = talks.create("张三")
    talks.add(talk.id, "张三", "一", answered())
    talks.fail(talks.ask(talk.id, "张三", "二").id, "模型打不开")
    talks.ask(talk.id, "张三", "三")
    _, turns = talks.load(talk.id, "张三")
    assert [turn.error for turn in turns] == [None, "模型打不开", None]
    assert history(turns) == (Turn("一", answered()["answer"]),)


def test_the_latest_conversation_is_first():
    clock = Clock()
    talks = store(clock=clock).conversations
    old, new = talks.create("张三", "旧"), None
    clock.turn(minutes=1)
    new = talks.create("张三", "新")
    assert [talk.title for talk in talks.list("张三")] == ["新", "旧"]
    clock.turn(minutes=1)
    talks.ask(old.id, "张三", "又问")
    assert [talk.id for talk in talks.list("张三")] == [old.id, new.id]
    assert [talk.turns for talk in talks.list("张三")] == [1, 0]
    assert [talk.title for talk in talks.list("张三", limit=1, offset=1)] == ["新"]


@pytest.mark.parametrize(
    ("search", "found"),
    [("医保", {"甲"}), ("即时结算", {"乙"}), ("AED", {"丙"}), ("aed", {"丙"}), ("%", set()), ("医保 没有", set())],
)
def test_search_looks_into_titles_questions_and_answers(search: str, found: set[str]):
    talks = store().conversations
    talks.create("张三", "甲")
    for title, question in (("甲", "医保是什么"), ("丙", "多少台aed")):
        talk = talks.create("张三", title)
        talks.ask(talk.id, "张三", question)
    answered_one = talks.create("张三", "乙")
    talks.add(answered_one.id, "张三", "多少家", answered())
    assert {talk.title for talk in talks.list("张三", search)} == found


def test_other_peoples_conversations_do_not_exist():
    talks = store().conversations
    talk = talks.create("张三", "私事")
    turn = talks.add(talk.id, "张三", "问", answered())
    assert talks.list("李四") == ()
    for touch in (
        lambda: talks.load(talk.id, "李四"),
        lambda: talks.rename(talk.id, "李四", "改"),
        lambda: talks.delete(talk.id, "李四"),
        lambda: talks.ask(talk.id, "李四", "问"),
        lambda: talks.turn(turn.id, "李四"),
        lambda: talks.cut(turn.id, "李四"),
        lambda: talks.load("没有", "张三"),
    ):
        with pytest.raises(UsageError, match="没有这个对话"):
            touch()
    assert talks.load(talk.id, "张三")[1] == (turn,)


def test_rename_delete_and_cut():
    talks = store().conversations
    talk = talks.create("张三", "题")
    turns = [talks.add(talk.id, "张三", question, answered()) for question in ("一", "二", "三")]
    talks.cut(turns[1].id, "张三")
    assert [turn.question for turn in talks.load(talk.id, "张三")[1]] == ["一"]
    talks.rename(talk.id, "张三", "  新\n题 ")
    assert talks.list("张三")[0].title == "新 题"
    with pytest.raises(UsageError, match="标题"):
        talks.rename(talk.id, "张三", "  ")
    talks.delete(talk.id, "张三")
    assert talks.list("张三") == ()


def test_an_answer_to_a_deleted_turn_is_dropped():
    talks = store().conversations
    talk = talks.create("张三")
    turn = talks.ask(talk.id, "张三", "问")
    talks.delete(talk.id, "张三")
    talks.finish(turn.id, answered())
    talks.fail(turn.id, "迟了")
    assert talks.list("张三") == ()


def test_a_long_first_question_becomes_a_short_title():
    talks = store().conversations
    talk = talks.create("张三")
    talks.ask(talk.id, "张三", "问" * 300)
    assert talks.list("张三")[0].title == "问" * 39 + "…"


def test_each_article_is_counted_once_an_answer_and_readers_see_only_their_own():
    talks = store().conversations
    mine, theirs = talks.create("张三"), talks.create("李四")
    whole = answered()
    first, second = whole["citations"]
    talks.add(mine.id, "张三", "一", whole | {"citations": [first, first, second]})
    again = talks.add(mine.id, "张三", "二", whole | {"citations": [first]})
    talks.add(theirs.id, "李四", "三", whole | {"citations": [second]})
    talks.add(theirs.id, "李四", "四", answered(refused=True))
    talks.fail(talks.ask(theirs.id, "李四", "五").id, "模型打不开")
    one, other = (first["file"], first["title"]), (second["file"], second["title"])
    assert talks.cited("张三") == {one: 2, other: 1}
    assert talks.cited("李四") == {other: 1}
    assert talks.cited(None) == {one: 2, other: 2}
    talks.finish(again.id, whole | {"citations": [second]})
    assert talks.cited("张三") == {one: 1, other: 2}, "an answer that takes another's place is counted alone"
    talks.cut(again.id, "张三")
    talks.delete(theirs.id, "李四")
    assert talks.cited(None) == {one: 1, other: 1}, "what is deleted is not counted"
