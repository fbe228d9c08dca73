"""Whether a sentence answers: asked of the LLM in one short prompt, believed by how far it leans."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import pytest

from rag.answer.assistant import NOT_STATED, REFUSAL
from rag.answer.judging import LeaningCheck
from rag.answer.kinds import asks_yes_or_no
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


def test_a_question_for_yes_or_no_is_quoted_and_no_small_model_says_either(tmp_path: Path) -> None:
    generator = ScriptedGenerator("不需要接入。")
    small = assistant(built(tmp_path, **FILES), generator, LeaningCheck(ScriptedJudge(0.2), 0.0), small=True)
    answer = small.answer("厦门定点医药机构要不要接入即时结算系统？")
    assert generator.prompts == []
    assert answer.mode is Mode.EXTRACTIVE
    assert answer.text == "厦门市2000余家定点医药机构均已接入即时结算系统[1]。"
    assert answer.model == ""


@pytest.mark.parametrize("small", [True, False])
def test_what_a_small_model_writes_is_followed_by_the_quotes_that_it_does_not_cite(
    tmp_path: Path, small: bool
) -> None:
    more = "厦门市定点医药机构接入即时结算系统的工作全部完成。"
    index = built(tmp_path, a=FILES["a"].replace("\n\n## 近期", f"{more}\n\n## 近期"))
    answer = assistant(index, ScriptedGenerator(DRAFT), small=small).answer(ASKED)
    assert answer.text.startswith("厦门2000余家定点医药机构已接入即时结算系统[1]。")
    assert (more.rstrip("。") in answer.text) is small
    assert (answer.mode, answer.model) == (Mode.LLM, "scripted")


@pytest.mark.parametrize("question", ["看个全科医生要不要钱", "看病是否免费？", "异地住院能报销吗？"])
def test_questions_for_yes_or_no_are_known_by_their_wording(question: str) -> None:
    assert asks_yes_or_no(question)


@pytest.mark.parametrize("question", ["那个小镇叫什么", "哪些药不要钱", "有多少家不合格？"])
def test_other_questions_are_not(question: str) -> None:
    assert not asks_yes_or_no(question)


def test_what_a_small_model_tells_half_of_is_quoted_whole(tmp_path: Path) -> None:
    index = built(tmp_path, a="# 夜市\n\n江苏开设369场中医夜市，服务33.64万群众，案例入选全国干部培训教材。")
    answer = assistant(index, ScriptedGenerator("江苏开设了369场中医夜市。"), small=True).answer(
        "江苏中医夜市办了多少场？"
    )
    assert answer.text.startswith("江苏开设了369场中医夜市[1]。")
    assert "服务33.64万群众" in answer.text
