"""The stretch of an article that a question for several things is about."""

from __future__ import annotations

import pytest

from rag.answer.citing import Aligner
from rag.answer.nearest import LONGEST, Nearest
from rag.answer.ranking import SentenceRanker
from rag.answer.reading import EvidenceReader
from rag.corpus.words import Words
from rag.ports import Embedder
from rag.schema import Article, Evidence
from rag.settings import load as load_settings
from rag.testing import HashingEmbedder
from rag.wiring import App
from tests.builders import article, whole

REASONS = "改革的背景有三条。第一，通货膨胀高企。第二，公共债务沉重。第三，群众普遍不满。"
STEPS = "政府随后对管理体制作了调整。第一，减少管理层级。第二，引入内部市场。第三，立法保障患者权益。"
RURAL = article(f"背景\n{REASONS}\n举措\n{STEPS}", "背景", "举措", title="英国的医疗体系")


def quoted(of: Article, question: str, embedder: Embedder) -> str:
    return "".join(of.text[a:b] for spans in Nearest(embedder).stretches(question, of)[:1] for a, b in spans)


@pytest.fixture(params=["hashing", pytest.param("real", marks=pytest.mark.model)])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return App(load_settings()).embedder if request.param == "real" else HashingEmbedder(512)


@pytest.mark.parametrize(
    ("question", "held", "left"),
    [
        ("管理体制作了哪些调整", "引入内部市场", "公共债务"),
        ("改革有哪些背景", "公共债务", "内部市场"),
    ],
)
def test_the_stretch_that_is_asked_for_is_quoted_whole(embedder, question: str, held: str, left: str) -> None:
    told = quoted(RURAL, question, embedder)
    assert held in told
    assert left not in told


@pytest.mark.model
def test_the_embedding_model_sees_what_shares_no_word_with_the_question() -> None:
    told = quoted(RURAL, "英国动了哪几刀", App(load_settings()).embedder)
    assert "引入内部市场" in told
    assert "公共债务" not in told


def test_a_second_stretch_is_quoted_where_it_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    nearest = Nearest(HashingEmbedder(512))
    first, second = nearest.stretches("改革有哪些背景", RURAL)
    assert not set(first) & set(second)
    monkeypatch.setattr("rag.answer.nearest.SECOND", sum(b - a for a, b in second) - 1)
    assert nearest.stretches("改革有哪些背景", RURAL) == [first]


def test_what_an_item_of_a_list_leads_to_is_quoted_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = "（一）完善规划。（二）统筹政策。（三）共享要素。"
    parts = f"区域融合提两条建议。\n一、机制已经形成。\n二、制度要融合共建。{inner}"
    of = article(parts, title="区域一体化")
    assert "（二）统筹政策。" in quoted(of, "区域融合提两条建议", HashingEmbedder(512))
    monkeypatch.setattr("rag.answer.nearest.UNFOLDED", 10)
    assert "（二）统筹政策。" not in quoted(of, "区域融合提两条建议", HashingEmbedder(512))


def test_an_article_without_lists_and_sections_has_none() -> None:
    assert quoted(article("全省中药种植面积达485万亩。"), "有哪些做法", HashingEmbedder()) == ""


def test_a_section_that_is_too_long_is_not_quoted_whole() -> None:
    of = article("做法\n" + "各地按时完成并报送材料，确保落实到位。" * 60, "做法")
    assert len(of.text) > LONGEST
    assert quoted(of, "有哪些做法", HashingEmbedder()) == ""


def test_a_list_is_quoted_with_the_nearest_stretch_and_a_fact_is_not() -> None:
    words = Words()
    aligner = Aligner(words.tokens, lambda _: 1.0, lambda *_: 0.0)
    ranker = SentenceRanker(words, lambda _: 1.0, aligner, load_settings().sentence_ranker)
    reader = EvidenceReader(ranker, aligner, Nearest(HashingEmbedder(512)), budget=600)
    evidence = [Evidence(whole(RURAL), 1.0)]
    listed = reader.read("管理体制作了哪些调整", evidence).quotes
    assert any("减少管理层级" in p.text for p in listed)
    assert [p.key for p in listed] == sorted(p.key for p in listed)
    severally = reader.read("背景和举措分别几条", [Evidence(whole(RURAL), 1.0)]).quotes
    assert any("改革的背景有三条" in p.text for p in severally)
    fact = reader.read("公共债务怎样", evidence).quotes
    assert not any("减少管理层级" in p.text for p in fact)
