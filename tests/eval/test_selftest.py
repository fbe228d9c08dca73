"""The self-test passes sound measures over any questions and stops at each way in which a measure can lie."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from eval.cases import Case, Source, load
from eval.metrics import ANSWER_SCORES, Scorer, said
from eval.selftest import PROVEN, empty, oracle, prove
from rag.errors import WeiceError
from rag.records import Record

DATASETS = Path(__file__).resolve().parents[2] / "eval" / "datasets"


def case(id_: str, fact: str, quote: str, article: str) -> Case:
    return Case(id_, "factoid", f"问{id_}", (), ((fact,),), (), (Source("a.txt", article, quote),), True)


CASES = (
    case("p", "39间", "建成39间手术室", "甲"),
    case("q", "2000余家", "接入2000余家机构", "乙"),
    case("r", "485万亩", "种植485万亩", "乙"),
    Case("u", "unanswerable", "问u", (), (), (), (), False),
)


@pytest.mark.parametrize("path", sorted(DATASETS.glob("*.jsonl")), ids=lambda path: path.name)
def test_the_measures_stand_on_the_committed_questions(path: Path) -> None:
    prove(load(path))


def test_sound_measures_pass_on_few_on_one_and_on_unanswerable_questions() -> None:
    prove(CASES)
    prove(CASES[:1])
    prove(CASES[-1:])


def test_questions_on_one_article_that_share_their_facts_pass_too() -> None:
    prove((CASES[1], replace(CASES[1], id="s"), replace(CASES[1], id="t")))


def test_the_oracle_says_facts_and_cites_quotes_and_refuses_what_has_no_answer() -> None:
    said_ = oracle(CASES[0])
    assert (said_["answer"], said_["refused"]) == ("39间。", False)
    assert [(c["file"], c["title"], c["quote"]) for c in said_["citations"]] == [("a.txt", "甲", "建成39间手术室")]
    assert oracle(CASES[-1])["refused"] is True
    assert (empty(CASES[0])["answer"], empty(CASES[0])["citations"]) == ("", [])


def always_one(case_: Case, answer: Record) -> float | None:
    return 1.0


def always_zero(case_: Case, answer: Record) -> float | None:
    return 0.0


def never_applies(case_: Case, answer: Record) -> float | None:
    return None


def always_half(case_: Case, answer: Record) -> float | None:
    return 0.5


def length_of_the_answer(case_: Case, answer: Record) -> float | None:
    return float(bool(answer["answer"] or answer["citations"]))


LIES = (always_one, always_zero, never_applies, always_half, length_of_the_answer)


@pytest.mark.parametrize("name", PROVEN)
@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_measure_broken_on_purpose_stops_the_run_and_is_named(name: str, lie: Scorer) -> None:
    with pytest.raises(WeiceError, match=f"评测自检没有通过.*{name}"):
        prove(CASES, {**ANSWER_SCORES, name: lie})


def test_a_measure_that_judges_the_reference_in_place_of_the_answer_is_found_out() -> None:
    def reference(case_: Case, answer: Record) -> float | None:
        return float(all(said(fact[0], fact[0]) for fact in case_.must))

    with pytest.raises(WeiceError, match=re.escape("题 p 的空答案在指标 key_facts 上得 1，应为 0")):
        prove(CASES, {**ANSWER_SCORES, "key_facts": reference})


@pytest.mark.parametrize("name", ["wrong_fact", "dead_link", "uncited_sentence", "false_answer", "false_refusal"])
def test_a_measure_that_blames_the_right_answer_is_found_out(name: str) -> None:
    with pytest.raises(WeiceError, match=f"标准答案在指标 {name} 上得 1，应为 0"):
        prove(CASES, {**ANSWER_SCORES, name: always_one})


def test_a_false_answer_must_be_seen() -> None:
    with pytest.raises(WeiceError, match="题 u 的空答案在指标 false_answer 上得 0，应为 1"):
        prove(CASES, {**ANSWER_SCORES, "false_answer": always_zero})


def test_a_question_whose_right_answer_says_what_must_not_be_said_is_named() -> None:
    with pytest.raises(WeiceError, match="题 p 的标准答案在指标 fully_correct 上得 0，应为 1"):
        prove((replace(CASES[0], must_not=("39间",)),))
