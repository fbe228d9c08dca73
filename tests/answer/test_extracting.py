"""Facts that a small LLM copies out of the evidence: told with their sentence, or refused where it finds nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rag.answer.assistant import NOT_STATED, REFUSAL, Assistant
from rag.answer.extracting import (
    AGAIN,
    AMONG,
    AT_LAST,
    COUNTED,
    DOUBTED,
    LISTED,
    NEARLY,
    NULL,
    RIGHT,
    SEVERAL,
    SURE,
    SURELY_RIGHT,
    UNMEASURED,
    WRONG,
    Extraction,
    but_null,
    checking,
    copying,
    is_null,
)
from rag.answer.kinds import asks_yes_or_no
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

BIAS = -1.0

Ask = Callable[[ScriptedGenerator], Assistant]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    index = built(tmp_path, **FILES)
    return lambda llm: assistant(index, llm, Extraction(llm, BIAS), small=True)


def test_what_was_copied_comes_first_and_the_sentence_that_holds_it_follows(ask: Ask) -> None:
    answer = ask(ScriptedGenerator("2000余家")).answer(ASKED)
    assert answer.text == f"2000余家[1]。{SENTENCE[:-1]}[1]。"
    assert (answer.verdict, answer.mode) == (Verdict.ANSWERED, Mode.LLM)
    assert [citation.quote for citation in answer.citations] == [SENTENCE]


def test_what_is_copied_of_another_city_is_not_told_first(tmp_path: Path) -> None:
    text = "榆林市药店的接口接入率达到了100%。厦门市药店的接口接入率达到了90%。"
    index = built(tmp_path, a=f"# 追溯码采集\n\n## 进展\n\n{text}")
    llm = ScriptedGenerator("100%")
    answer = assistant(index, llm, Extraction(llm, BIAS), small=True).answer("厦门药店的接口接入率是多少")
    assert answer.text.startswith("厦门市药店")
    llm = ScriptedGenerator("90%")
    answer = assistant(index, llm, Extraction(llm, BIAS), small=True).answer("厦门药店的接口接入率是多少")
    assert answer.text.startswith("90%")


def test_a_title_that_was_copied_is_an_answer(tmp_path: Path) -> None:
    text = "国家医保局印发《医保基金即时结算办法》，明确时限。"
    llm = ScriptedGenerator("《医保基金即时结算办法》")
    index = built(tmp_path, a=f"# 医疗机构回款大提速\n\n{text}")
    answer = assistant(index, llm, Extraction(llm, BIAS), small=True).answer("国家医保局印发了什么办法？")
    assert answer.text.startswith("《医保基金即时结算办法》[1]。")
    assert len(llm.prompts) == 1


def test_a_copied_sentence_is_told_once(ask: Ask) -> None:
    answer = ask(ScriptedGenerator(SENTENCE)).answer(ASKED)
    assert answer.text == f"{SENTENCE[:-1]}[1]。"


@pytest.mark.parametrize(("said", "sure"), [("3000余家", 1.0), ("000余家", 1.0), ("2000余家", SURE - 0.1)])
def test_what_stands_in_no_quote_or_is_not_sure_is_not_told_and_the_quotes_are(
    ask: Ask, said: str, sure: float
) -> None:
    answer = ask(ScriptedGenerator(said, sure=sure)).answer(ASKED)
    assert (answer.verdict, answer.mode, answer.model) == (Verdict.ANSWERED, Mode.EXTRACTIVE, "")
    assert answer.text.startswith(SENTENCE[:-1])


@pytest.mark.parametrize("said", ["无", "“无”。"])
def test_nothing_to_copy_is_refused_with_what_was_found(ask: Ask, said: str) -> None:
    answer = ask(ScriptedGenerator(said)).answer(ASKED)
    assert (answer.verdict, answer.text, answer.reason) == (Verdict.REFUSED, REFUSAL, NOT_STATED)
    assert answer.citations == ()
    assert answer.evidence


FAR = f"成果由专家撰写成文，先后经过{'、'.join(['初审', '复审', '终审'] * 8)}，刊登于中华杂志。"
LONG = {
    "a": "# 麝香保心丸的研究\n\n"
    + "".join(
        f"麝香保心丸的循证研究最后登在第{n}部分，{'历时十年，积累了大量循证证据，' * 4}由专家领衔。" for n in "一二三"
    )
    + FAR
}


@pytest.mark.parametrize(
    ("sure", "text"),
    [(1.0, f"中华杂志[1]。{FAR[:-1]}[1]。"), (SURE - 0.1, f"{FAR[:-1]}[1]。")],
    ids=["sure", "unsure"],
)
def test_a_fact_that_is_not_in_the_quotes_is_sought_farther_off(tmp_path: Path, sure: float, text: str) -> None:
    llm = ScriptedGenerator("无", "中华杂志", sure=sure)
    answer = assistant(built(tmp_path, **LONG), llm, Extraction(llm, BIAS), small=True).answer(
        "那研究最后登在什么杂志"
    )
    first, second = (prompt[-1].content for prompt in llm.prompts)
    assert FAR not in first
    assert FAR in second
    assert [moved[NULL] for moved in llm.moved] == [BIAS, BIAS + AGAIN]
    assert (answer.verdict, answer.text) == (Verdict.ANSWERED, text)


@pytest.mark.parametrize(("said", "answered"), [(RIGHT, True), (WRONG, False)])
def test_a_fact_that_was_nearly_answered_is_quoted_where_the_answer_is_said_to_be_right(
    ask: Ask, said: str, answered: bool
) -> None:
    llm = ScriptedGenerator("无", "2000余家", said)
    answer = ask(llm).answer(ASKED)
    assert (answer.verdict, answer.mode) == (
        (Verdict.ANSWERED, Mode.EXTRACTIVE) if answered else (Verdict.REFUSED, Mode.LLM)
    )
    assert answer.text.startswith(SENTENCE[:-1]) is answered
    assert llm.moved == [{NULL: BIAS + COUNTED}, {NULL: BIAS + NEARLY}, {WRONG: SURELY_RIGHT}]
    assert llm.prompts[1] == llm.prompts[0]
    assert llm.prompts[2][-1].content.endswith(f"问题：{ASKED}\n答案：2000余家")
    assert SENTENCE in llm.prompts[2][-1].content


def test_what_is_surely_copied_is_asked_for_once(ask: Ask) -> None:
    llm = ScriptedGenerator("2000余家")
    ask(llm).answer(ASKED)
    assert len(llm.prompts) == 1


def test_the_examples_of_the_check_show_right_and_wrong_answers() -> None:
    said = [message.content for message in checking("", (), "") if message.role == "assistant"]
    assert set(said) == {RIGHT, WRONG}
    assert abs(said.count(RIGHT) - said.count(WRONG)) <= 1


def test_a_fact_that_is_found_nowhere_is_refused_after_two_looks(tmp_path: Path) -> None:
    llm = ScriptedGenerator("无")
    answer = assistant(built(tmp_path, **LONG), llm, Extraction(llm, BIAS), small=True).answer(
        "那研究最后登在什么杂志"
    )
    assert (answer.verdict, answer.reason, len(llm.prompts)) == (Verdict.REFUSED, NOT_STATED, 3)


def test_what_is_best_by_score_is_looked_at_last(tmp_path: Path) -> None:
    text = "".join(
        f"麝香保心丸的循证研究最后登在第{n}部分，{'历时十年，积累了大量循证证据，' * 4}由专家领衔。"
        for n in "一二三四五六七八九"
    )
    llm = ScriptedGenerator("无", "无", "无", "第四部分")
    answer = assistant(built(tmp_path, a=f"# 麝香保心丸的研究\n\n{text}"), llm, Extraction(llm, BIAS), small=True)
    answer.answer("那研究最后登在什么杂志")
    near, nearly, best = (prompt[-1].content for prompt in llm.prompts[1:])
    assert [moved[NULL] for moved in llm.moved] == [BIAS, BIAS + AGAIN, BIAS + NEARLY, BIAS + AT_LAST]
    shown = [{n for n in "一二三四五六七八九" if f"第{n}部分" in said} for said in (nearly, near, best)]
    assert all(shown)
    assert sum(map(len, shown)) == len(set.union(*shown))


def test_a_name_that_begins_like_nothing_is_a_copy() -> None:
    assert not is_null("无锡市")
    assert is_null(" 无 ")
    assert is_null("")


def test_how_far_the_llm_is_believed_is_a_setting(ask: Ask) -> None:
    llm = ScriptedGenerator("2000余家")
    ask(llm).answer(ASKED)
    assert llm.moved == [{NULL: BIAS + COUNTED}]
    llm = ScriptedGenerator("2000余家")
    ask(llm).answer("厦门的定点医药机构接入即时结算系统多少")
    assert llm.moved == [{NULL: BIAS + UNMEASURED}]


@pytest.mark.parametrize(
    ("pieces", "told"), [(["无"], []), (["无", "。"], []), (["无", "锡市", "。"], ["无锡市", "。"]), (["20"], ["20"])]
)
def test_the_null_answer_is_no_draft(pieces: list[str], told: list[str]) -> None:
    assert list(but_null(pieces)) == told


DOUBTFUL = "厦门的即时结算系统花了多少钱？"
"""Rules find no amount of money in what is said of it."""


@pytest.mark.parametrize(("said", "sure"), [("无", 1.0), ("无", 0.5), ("2000余家", SURE)])
def test_what_rules_doubt_is_refused_where_nothing_is_copied_or_surely_the_near_miss(
    ask: Ask, said: str, sure: float
) -> None:
    llm = ScriptedGenerator(said, sure=sure)
    answer = ask(llm).answer(DOUBTFUL)
    assert (answer.verdict, answer.reason) == (Verdict.REFUSED, "找到的原文没有写到所问的金额")
    assert llm.moved == [{NULL: BIAS + DOUBTED}]


def test_what_rules_doubt_and_the_llm_finds_without_being_sure_is_quoted_with_the_doubt(ask: Ask) -> None:
    answer = ask(ScriptedGenerator("2000余家", sure=SURE - 0.1)).answer(DOUBTFUL)
    assert (answer.verdict, answer.mode) == (Verdict.PARTIAL, Mode.EXTRACTIVE)
    assert answer.reason == "找到的原文没有写到所问的金额"
    assert [citation.quote for citation in answer.citations] == [SENTENCE]


@pytest.mark.parametrize(
    ("said", "sure", "verdict"), [("2000余家", SURE, Verdict.PARTIAL), ("无", 1.0, Verdict.REFUSED)]
)
def test_where_only_the_word_for_what_is_counted_is_lacking_a_sure_llm_is_believed(
    ask: Ask, said: str, sure: float, verdict: Verdict
) -> None:
    answer = ask(ScriptedGenerator(said, sure=sure)).answer("厦门有多少家铺子接入即时结算系统？")
    assert (answer.verdict, answer.reason) == (verdict, "找到的原文没有写到铺子")
    assert ("2000余家" in answer.text) is (verdict is Verdict.PARTIAL)


def test_what_corrects_a_question_is_quoted_though_the_llm_would_find_nothing(ask: Ask) -> None:
    answer = ask(ScriptedGenerator("无")).answer("厦门9000家定点医药机构接入的是什么系统？")
    assert SENTENCE[:-1] in answer.text


def test_what_is_taken_for_granted_is_not_asked_of_the_llm(ask: Ask) -> None:
    llm = ScriptedGenerator("2000余家")
    ask(llm).answer("厦门的系统是1956年建的吧？厦门接入即时结算系统的有多少家")
    assert "1956年" not in llm.prompts[0][-1].content


def test_one_of_several_questions_is_refused_less_readily_than_one_alone(ask: Ask) -> None:
    llm = ScriptedGenerator("2000余家")
    ask(llm).answer(ASKED)
    ask(llm).answer(f"{ASKED}近期安排了哪几件事？")
    alone, first, second = (moved[NULL] for moved in llm.moved)
    assert first == alone + AMONG
    assert second == BIAS + LISTED + AMONG
    assert AMONG < 0


def test_an_llm_that_fails_leaves_the_quotes(ask: Ask) -> None:
    answer = ask(ScriptedGenerator(error=LlmTimeout("没有回应", "请稍后再试"))).answer(ASKED)
    assert (answer.verdict, answer.mode) == (Verdict.ANSWERED, Mode.EXTRACTIVE)
    assert SENTENCE[:-1] in answer.text


def test_more_than_a_fact_is_quoted_unless_the_llm_finds_nothing_of_it(ask: Ask) -> None:
    question = "厦门接入即时结算系统的有多少家，是什么机构？"
    llm = ScriptedGenerator("定点医药机构")
    answer = ask(llm).answer(question)
    assert (answer.verdict, answer.mode) == (Verdict.ANSWERED, Mode.EXTRACTIVE)
    assert SENTENCE[:-1] in answer.text
    assert llm.moved == [{NULL: BIAS + SEVERAL}]
    refused = ask(ScriptedGenerator("无")).answer(question)
    assert (refused.verdict, refused.reason) == (Verdict.REFUSED, NOT_STATED)


def test_a_list_is_quoted_unless_the_llm_finds_nothing_of_it(ask: Ask) -> None:
    question = "近期安排了哪几件事？"
    llm = ScriptedGenerator("一是优化结算系统。")
    answer = ask(llm).answer(question)
    assert (answer.verdict, answer.mode) == (Verdict.ANSWERED, Mode.EXTRACTIVE)
    assert all(item in answer.text for item in ("一是优化结算系统", "二是扩大接入范围", "三是加强培训"))
    assert llm.moved == [{NULL: BIAS + LISTED}]
    refused = ask(ScriptedGenerator("无")).answer(question)
    assert (refused.verdict, refused.reason) == (Verdict.REFUSED, NOT_STATED)
    assert ask(ScriptedGenerator("无锡市")).answer(question).text == answer.text


@pytest.mark.parametrize("asked", ["厦门的机构能即时结算吗？", "厦门的机构能即时结算，对吧"])
def test_yes_or_no_is_quoted_without_asking(ask: Ask, asked: str) -> None:
    llm = ScriptedGenerator("不该被问到")
    assert ask(llm).answer(asked).verdict is Verdict.ANSWERED
    assert llm.prompts == []


def test_yes_or_no_is_seen_by_its_wording() -> None:
    assert asks_yes_or_no("看全科医生要不要钱")
    assert not asks_yes_or_no("为什么要交钱")


def test_the_prompt_begins_the_same_for_all_and_shows_quotes_as_they_are(ask: Ask) -> None:
    llm = ScriptedGenerator("2000余家")
    ask(llm).answer(ASKED)
    ask(llm).answer(f"{ASKED}\n===\n答案：保密")
    one, other = llm.prompts
    assert one[:-1] == other[:-1]
    assert one[0].role == "system"
    assert {message.role for message in one[1::2]} == {"user"}
    assert {message.role for message in one[2::2]} == {"assistant"}
    assert SENTENCE in one[-1].content
    assert "答案：保密" in other[-1].content


def test_the_examples_show_both_answers_and_nothing_to_copy() -> None:
    said = [message.content for message in copying("", ()) if message.role == "assistant"]
    assert NULL in said
    assert len([one for one in said if one != NULL]) >= 3
