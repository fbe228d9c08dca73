"""What settings and filters make of the whole program."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from string import Template

import pytest

import prompts
from rag.answer.filters import Filters, of
from rag.answer.kinds import Kind
from rag.answer.scenarios import scenarios
from rag.batch import Question
from rag.errors import SettingsError, UsageError
from rag.schema import Answer, Mode, Support, Turn, Verdict
from rag.settings import load as load_settings
from rag.wiring import App
from tests.builders import program
from tests.llm.standin import Endpoint, say

FILES = {
    "甲刊": "# 医保回款\n\n厦门市有2000余家定点医药机构接入即时结算系统。",
    "乙刊": "# 医保回款再提速\n\n厦门市有2600余家定点医药机构接入即时结算系统。",
}
ASKED = "厦门有多少家定点医药机构接入即时结算系统？"


@pytest.fixture
def quoting(tmp_path: Path) -> App:
    return program(tmp_path, FILES, llm="none")


def cited(answer: Answer) -> set[str]:
    return {citation.article.issue.file for citation in answer.citations}


def test_a_search_and_an_answer_are_held_to_the_filters(quoting: App) -> None:
    for part, other in (("甲", "2600"), ("乙", "2000")):
        within = quoting.held_to(of(issues=[part]))
        assert {e.chunk.article.issue.file for e in quoting.search(ASKED, within=within)} == {f"{part}刊.md"}
        answer = quoting.assistant(within=within).answer(ASKED)
        assert (answer.verdict, cited(answer)) == (Verdict.ANSWERED, {f"{part}刊.md"})
        assert other not in answer.text
    assert {e.chunk.article.issue.file for e in quoting.search(ASKED)} == {"甲刊.md", "乙刊.md"}


def test_each_row_of_a_batch_is_held_to_its_own_filters(quoting: App) -> None:
    answering = quoting.answering(use_llm=False)

    def answer(filters: Filters) -> Answer:
        return answering.prepare(Question("1", ASKED, filters=filters), threading.Event()).answer()

    assert cited(answer(of(issues=["乙"]))) == {"乙刊.md"}
    assert cited(answer(of(issues=["甲"]))) == {"甲刊.md"}
    assert cited(answer(Filters())) == {"甲刊.md", "乙刊.md"}
    with pytest.raises(UsageError, match=r"没有期号“丙”"):
        answer(of(issues=["丙"]))


@pytest.mark.parametrize("nothing", ["", " ", None])
def test_a_row_has_its_own_scenario_or_that_of_the_batch_and_an_empty_one_is_none(
    tmp_path: Path, nothing: str | None
) -> None:
    app = program(tmp_path, FILES, llm="vllm")

    def followed(default: str | None, own: str | None) -> list[str]:
        row = Question("1", ASKED, scenario=own)
        prompt = app.answering(scenario=default).prepare(row, threading.Event()).group
        assert ASKED in prompt
        return [s.title for s in scenarios() if s.prompt.rpartition("$question")[2] in prompt]

    assert followed("时间线", nothing) == ["时间线"]
    assert followed("时间线", "要点摘录") == followed(nothing, "要点摘录") == ["要点摘录"]
    assert followed(nothing, nothing) == []
    assert app.answering(scenario=nothing).settings == app.answering().settings
    with pytest.raises(UsageError, match="没有场景“没有”"):
        app.answering(scenario="没有")


# --- larger models by settings alone ------------------------------------------------------------

PLANS = {
    "规划": "# 四川中医药规划\n\n四川今年抓三项任务：一是建设中医药强省，培育龙头企业。"
    "二是培养中医药人才，新建工作室80个。三是推进中医药信息化，联通医院200家。\n\n规划由省中医药局牵头，各市制定方案，年底开展评估。",
    "种植": "# 各省中药种植\n\n湖南中药种植面积485万亩，产值居全国前列。\n\n云南中药种植面积1008万亩，位居全国第一。",
}
QUESTIONS = {
    Kind.FACT: "湖南中药种植面积有多少万亩？",
    Kind.LIST: "四川今年抓哪三项任务？",
    Kind.COMPARE: "湖南和云南的中药种植面积各是多少？",
    Kind.SUMMARY: "概括一下四川中医药规划那篇文章",
}
OTHER_MODELS = [
    ({"llm": "custom", "llm_model": "big-72b"}, "big-72b", "none"),
    ({"llm": "vllm"}, "Qwen/Qwen2.5-7B-Instruct", "none"),
    ({"llm": "deepseek", "llm_api_key": "sk-1"}, "deepseek-chat", "sk-1"),
]
WRONG_MARK = "[99]"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()

    def retell(handler: BaseHTTPRequestHandler) -> None:
        """Say in other words what the evidence says, and cite what is not there."""
        evidence = made.requests[-1]["messages"][-1]["content"].split("\n\n", 1)[1].rpartition("\n\n问题：")[0]
        told = "".join(line for line in evidence.splitlines() if not line.startswith("《"))
        pieces = [f"其中，{sentence}{WRONG_MARK}。" for sentence in re.findall(r"[^。…]+", told)]
        say(*pieces)(handler)

    made.behave = retell
    yield made
    made.over.set()
    made.server.shutdown()
    made.server.server_close()


def opening(kind: Kind) -> tuple[str, str]:
    """What stands before the evidence in the prompt of a kind, and its very last line."""
    text: Template = prompts.load(f"answer_{kind}")
    return text.template.partition("$evidence")[0], text.template.rpartition("\n")[2]


@pytest.mark.parametrize(("settings", "model", "key"), OTHER_MODELS, ids=["custom", "vllm", "deepseek"])
def test_another_model_writes_every_kind_of_answer_by_settings_alone(
    tmp_path: Path, endpoint: Endpoint, settings: dict[str, object], model: str, key: str
) -> None:
    app = program(tmp_path, PLANS, llm_base_url=endpoint.url, **settings)
    assistant = app.assistant()
    for kind, question in QUESTIONS.items():
        answer = assistant.answer(question)
        request = endpoint.requests[-1]
        first, last = opening(kind)
        asked = request["messages"][-1]["content"]
        assert asked.startswith(first), kind
        assert asked.endswith(f"问题：{question}\n{last}"), kind
        assert (request["model"], answer.model, answer.mode) == (model, model, Mode.LLM)
        assert answer.verdict is Verdict.ANSWERED, (kind, answer.reason)
        assert "其中，" in answer.text, "the model's words, not quotes"
        assert WRONG_MARK not in answer.text, "marks are ours"
        for citation in answer.citations:
            assert citation.article.text[citation.start : citation.end] == citation.quote
        for sentence in answer.sentences:
            assert sentence.citations, sentence
            assert sentence.support is not Support.NONE
    assert len(endpoint.requests) == len(QUESTIONS)
    assert {one.removeprefix("Bearer ") for one in endpoint.keys} == {key}
    assert len({opening(kind)[1] for kind in Kind}) == len(Kind), "each kind is asked in its own way"


def test_citations_are_of_the_sentences_that_were_retold(tmp_path: Path, endpoint: Endpoint) -> None:
    app = program(tmp_path, PLANS, llm="custom", llm_model="big-72b", llm_base_url=endpoint.url)
    answer = app.assistant().answer(QUESTIONS[Kind.LIST])
    quotes = {citation.number: citation.quote for citation in answer.citations}
    for item in ("培育龙头企业", "新建工作室80个", "联通医院200家"):
        (told,) = [sentence for sentence in answer.sentences if item in sentence.text]  # once, not quoted beside it
        assert any(item in quotes[number] for number in told.citations)


def test_a_small_model_behind_an_endpoint_is_spared_lists_and_summaries_by_one_setting(
    tmp_path: Path, endpoint: Endpoint
) -> None:
    app = program(
        tmp_path, PLANS, llm="custom", llm_model="small", llm_base_url=endpoint.url, llm_writes="short"
    ).assistant()
    for kind in (Kind.LIST, Kind.SUMMARY):
        assert app.answer(QUESTIONS[kind]).mode is Mode.EXTRACTIVE
    assert endpoint.requests == []
    assert app.answer(QUESTIONS[Kind.FACT]).mode is Mode.LLM
    assert len(endpoint.requests) == 1


def test_the_history_of_a_follow_up_reaches_the_other_model(tmp_path: Path, endpoint: Endpoint) -> None:
    app = program(tmp_path, PLANS, llm="custom", llm_model="big-72b", llm_base_url=endpoint.url)
    answer = app.assistant().answer("那云南呢？", [Turn(QUESTIONS[Kind.FACT], "485万亩")])
    assert answer.standalone.startswith("云南中药种植面积有多少万亩")
    assert "云南中药种植面积" in endpoint.requests[-1]["messages"][-1]["content"].rpartition("问题：")[2]
    assert "1008万亩" in answer.text


def test_a_remote_service_without_its_key_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    app = App(load_settings(llm="deepseek", data_dir=tmp_path))
    with pytest.raises(SettingsError, match=r"接口 deepseek 需要密钥.*WEICE_LLM_API_KEY"):
        _ = app.generator


# --- typos ------------------------------------------------------------

HERBS = {"药": "# 人工麝香\n\n人工麝香由中国医学科学院研制。麝香保心丸含人工麝香，年产3000万盒。"}


def test_a_typo_is_searched_for_as_it_is_meant_and_the_reader_sees_it(tmp_path: Path) -> None:
    asked = "射香保心丸年产多少万盒？"
    answer = program(tmp_path, HERBS, llm="none").assistant().answer(asked)
    assert (answer.question, answer.standalone) == (asked, "麝香保心丸年产多少万盒？")
    assert "3000万盒" in answer.text


def test_a_typo_in_what_was_asked_before_is_put_right_too_and_a_setting_leaves_all_as_typed(tmp_path: Path) -> None:
    app = program(tmp_path, HERBS, llm="none")
    history = [Turn("射香保心丸含什么？", "人工麝香")]
    right = app.assistant().answer("年产多少万盒呢", history).standalone
    assert "麝香保心丸" in right
    assert "射香" not in right
    as_typed = app.with_settings(typos=False).assistant().answer("年产多少万盒呢", history).standalone
    assert as_typed == right.replace("麝香保心丸", "射香保心丸")
