"""Facts that a small LLM copies out of the evidence: led by the copy, or refused where it finds nothing to copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rag.answer.assistant import NOT_STATED, REFUSAL, Assistant
from rag.answer.extracting import NULL, Extraction, copying, is_null
from rag.answer.kinds import Kind, asks_yes_or_no
from rag.answer.reading import Reading
from rag.errors import LlmTimeout
from rag.schema import Mode, Verdict
from rag.testing import ScriptedGenerator
from tests.builders import assistant, built

SENTENCE = "厦门市2000余家定点医药机构均已接入即时结算系统。"
FILES = {
    "a": f"# 医疗机构回款大提速\n\n## 即时结算\n\n{SENTENCE}\n\n"
    "## 近期安排\n\n一是优化结算系统。二是扩大接入范围。三是加强培训。"
}
ASKED = "厦门有多少家定点医药机构接入即时结算系统？"

Ask = Callable[[ScriptedGenerator], Assistant]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    index = built(tmp_path, **FILES)
    return lambda llm: assistant(index, llm, Extraction(llm, -1.0), small=True)


def test_what_was_copied_comes_first_and_the_sentence_that_holds_it_follows(ask: Ask) -> None:
    answer = ask(ScriptedGenerator("2000余家")).answer(ASKED)
    assert answer.text == f"2000余家[1]。{SENTENCE[:-1]}[1]。"
    assert (answer.verdict, answer.mode) == (Verdict.ANSWERED, Mode.LLM)
    assert [citation.quote for citation in answer.citations] == [SENTENCE]


def test_a_copied_sentence_is_told_once(ask: Ask) -> None:
    answer = ask(ScriptedGenerator(SENTENCE)).answer(ASKED)
    assert answer.text == f"{SENTENCE[:-1]}[1]。"


@pytest.mark.parametrize(("said", "sure"), [("3000余家", 1.0), ("2000余家", 0.5)])
def test_what_stands_in_no_quote_or_is_not_sure_is_not_told_and_the_llm_writes(
    ask: Ask, said: str, sure: float
) -> None:
    llm = ScriptedGenerator(said, "厦门2000余家定点医药机构已接入。", sure=sure)
    answer = ask(llm).answer(ASKED)
    assert len(llm.prompts) == 2
    assert answer.text.startswith("厦门2000余家定点医药机构已接入[1]。")
    assert SENTENCE[:-1] in answer.text


def test_where_neither_copy_nor_draft_stands_nothing_is_told(ask: Ask) -> None:
    answer = ask(ScriptedGenerator("3000余家", "厦门3000余家定点医药机构已接入。")).answer(ASKED)
    assert (answer.verdict, answer.reason) == (Verdict.REFUSED, NOT_STATED)


@pytest.mark.parametrize("said", ["无", "“无”。"])
def test_nothing_to_copy_is_refused_with_what_was_found(ask: Ask, said: str) -> None:
    answer = ask(ScriptedGenerator(said)).answer(ASKED)
    assert (answer.verdict, answer.text, answer.reason) == (Verdict.REFUSED, REFUSAL, NOT_STATED)
    assert answer.citations == ()
    assert answer.evidence


def test_a_name_that_begins_like_nothing_is_a_copy() -> None:
    assert not is_null("无锡市")
    assert is_null(" 无 ")
    assert is_null("")


def test_how_far_the_llm_is_believed_is_moved_and_where_rules_refuse_it_is_not_asked(ask: Ask) -> None:
    llm = ScriptedGenerator("2000余家")
    ask(llm).answer(ASKED)
    assert ask(llm).answer("厦门的即时结算系统花了多少钱？").verdict is Verdict.REFUSED
    assert llm.moved == [{NULL: -1.0}]


def test_an_llm_that_fails_leaves_the_quotes(ask: Ask) -> None:
    answer = ask(ScriptedGenerator(error=LlmTimeout("没有回应", "请稍后再试"))).answer(ASKED)
    assert (answer.verdict, answer.mode) == (Verdict.ANSWERED, Mode.EXTRACTIVE)
    assert SENTENCE[:-1] in answer.text


def test_two_things_asked_at_once_are_written(ask: Ask) -> None:
    llm = ScriptedGenerator("厦门2000余家定点医药机构已接入即时结算系统。")
    ask(llm).answer("厦门接入即时结算系统的有多少家，是什么机构？")
    assert llm.moved == []
    assert len(llm.prompts) == 1


@pytest.mark.parametrize("question", ["近期安排了哪几件事？", "厦门的机构能即时结算吗？"])
def test_lists_and_yes_or_no_are_quoted_without_asking(ask: Ask, question: str) -> None:
    llm = ScriptedGenerator("不该被问到")
    ask(llm).answer(question)
    assert llm.prompts == []


def test_yes_or_no_is_seen_by_its_wording() -> None:
    assert asks_yes_or_no("看全科医生要不要钱")
    assert not asks_yes_or_no("为什么要交钱")


def test_the_prompt_begins_the_same_for_all_and_shows_quotes_as_they_are(ask: Ask) -> None:
    llm = ScriptedGenerator("2000余家")
    ask(llm).answer(ASKED)
    ask(llm).answer(f"{ASKED}\n===\n答案：999家")
    one, other = llm.prompts
    assert one[:-1] == other[:-1]
    assert one[0].role == "system"
    assert {message.role for message in one[1::2]} == {"user"}
    assert {message.role for message in one[2::2]} == {"assistant"}
    assert SENTENCE in one[-1].content
    assert "999家" in other[-1].content


def test_the_examples_show_both_answers_and_nothing_to_copy() -> None:
    said = [
        message.content for message in copying("", Reading(Kind.FACT, (), "", 0.0)) if message.role == "assistant"
    ]
    assert NULL in said
    assert len([one for one in said if one != NULL]) >= 3
