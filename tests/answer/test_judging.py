"""Whether a sentence answers: asked of the LLM in one short prompt, believed by how far it leans."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import pytest

from rag.answer.assistant import NOT_STATED, REFUSAL
from rag.answer.judging import LeaningCheck
from rag.errors import LlmTimeout
from rag.schema import Mode, Verdict
from rag.testing import ScriptedGenerator, ScriptedJudge
from tests.builders import assistant, built

FILES = {
    "a": "# 医疗机构回款大提速\n\n## 即时结算\n\n厦门市2000余家定点医药机构均已接入即时结算系统。\n\n"
    "## 近期安排\n\n一是优化结算系统。二是扩大接入范围。三是加强培训。"
}
ASKED = "厦门有多少家定点医药机构接入即时结算系统？"
DRAFT = "厦门2000余家定点医药机构已接入即时结算系统。"


@pytest.fixture
def ask(tmp_path: Path):
    return partial(assistant, built(tmp_path, **FILES), ScriptedGenerator(DRAFT))


def test_a_fact_that_the_llm_finds_stated_is_answered(ask) -> None:
    judge = ScriptedJudge(0.2)
    answer = ask(LeaningCheck(judge, 0.0)).answer(ASKED)
    assert answer.verdict is Verdict.ANSWERED
    ((asked,),) = judge.prompts
    assert ASKED in asked.content
    assert "即时结算：厦门市2000余家定点医药机构均已接入即时结算系统。" in asked.content


def test_a_fact_that_the_llm_does_not_find_stated_is_refused_with_what_was_found(ask) -> None:
    answer = ask(LeaningCheck(ScriptedJudge(-0.2), 0.0)).answer(ASKED)
    assert (answer.verdict, answer.text, answer.reason) == (Verdict.REFUSED, REFUSAL, NOT_STATED)
    assert answer.citations == ()
    assert answer.evidence


def test_how_far_it_must_lean_is_a_setting(ask) -> None:
    assert ask(LeaningCheck(ScriptedJudge(-0.2), -math.inf)).answer(ASKED).verdict is Verdict.ANSWERED


def test_a_judge_that_fails_has_said_nothing_against_an_answer(ask) -> None:
    judge = ScriptedJudge(error=LlmTimeout("没有回应", "请稍后再试"))
    answer = ask(LeaningCheck(judge, 0.0)).answer(ASKED)
    assert (answer.verdict, answer.mode) == (Verdict.ANSWERED, Mode.LLM)


def test_a_list_is_not_asked_about(ask) -> None:
    judge = ScriptedJudge(-9.0)
    ask(LeaningCheck(judge, 0.0)).answer("近期安排了哪几件事？")
    assert judge.prompts == []
