"""Retrieval: two legs, fused; what the question names moves passages; each part can be left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rag.answer.ranking import FeatureReranker
from rag.answer.retrieval import HybridRetriever, split
from rag.corpus.words import Words
from rag.index.version import IndexVersion
from rag.schema import Evidence
from rag.settings import load as load_settings
from rag.testing import HashingEmbedder
from tests.builders import built

FILES = {
    "round": "# 地方展望\n\n## 湖南：抓集群\n\n全省中药种植面积达485万亩，建设重点专科。\n\n"
    "## 云南：抓人才\n\n全省培养2500名继承人，建设重点专科。\n\n## 四川：抓品牌\n\n全省发布大模型，建设重点专科。",
    "pay": "# 回款提速\n\n厦门市2000余家定点医药机构均已接入即时结算系统。",
    "care": "# 长期护理保险\n\n长期护理保险参保人数超过1.8亿人。",
}


@pytest.fixture
def index(tmp_path: Path) -> IndexVersion:
    return built(tmp_path, **FILES)


def retriever(index: IndexVersion, **more: object) -> HybridRetriever:
    words = Words()
    parts: dict[str, object] = {"reranker": FeatureReranker(words, index.idf, load_settings().ranker)} | more
    return HybridRetriever(index, HashingEmbedder(), words, **parts)  # type: ignore[arg-type]


def sections(evidence: Sequence[Evidence]) -> list[str]:
    return [e.chunk.section or e.chunk.article.title for e in evidence]


def test_the_region_of_a_question_brings_its_section_first(index: IndexVersion) -> None:
    assert sections(retriever(index).retrieve("云南的重点专科建设", 4))[0] == "云南：抓人才"


def test_a_comparison_gets_passages_of_each_region(index: IndexVersion) -> None:
    first_two = sections(retriever(index).retrieve("四川和湖南的重点专科建设对比", 4))[:2]
    assert set(first_two) == {"四川：抓品牌", "湖南：抓集群"}


def test_a_synonym_of_the_lexicon_finds_what_is_written_otherwise(index: IndexVersion) -> None:
    found = retriever(index, dense=False).retrieve("长护险有多少人参保", 1)
    assert sections(found) == ["长期护理保险"]


def test_a_passage_tells_which_legs_found_it(index: IndexVersion) -> None:
    question = "厦门定点医药机构即时结算"
    assert retriever(index).retrieve(question, 1)[0].found_by == ("dense", "sentences", "words")
    for leg, others in (
        ("words", "dense sentences"),
        ("dense", "sentences keywords"),
        ("sentences", "dense keywords"),
    ):
        alone = retriever(index, **dict.fromkeys(others.split(), False))
        assert alone.retrieve(question, 1)[0].found_by == (leg,)


def test_a_retriever_without_legs_finds_nothing(index: IndexVersion) -> None:
    assert retriever(index, dense=False, sentences=False, keywords=False).retrieve("厦门", 3) == []


def test_words_that_stand_nowhere_are_no_error(index: IndexVersion) -> None:
    assert retriever(index, dense=False, sentences=False).retrieve("zzz qqq", 3) == []


def test_a_question_is_split_by_the_regions_it_compares() -> None:
    assert split("四川和云南的中医药工作") == ("四川和的中医药工作", "和云南的中医药工作")
    assert split("四川的中医药工作") == ("四川的中医药工作",)
    follows = "四川和云南的在哪国（接着“浙江的在哪国”问）"
    assert split(follows) == ("四川和的在哪国（接着“的在哪国”问）", "和云南的在哪国（接着“的在哪国”问）")


def test_a_search_held_to_some_articles_finds_them_and_no_others(index: IndexVersion):
    whole = retriever(index, candidates=2)
    held = whole.within(lambda article: article.title == "长期护理保险")
    found = held.retrieve("厦门有多少家定点医药机构接入即时结算系统？", 5)
    assert {e.chunk.article.title for e in found} == {"长期护理保险"}
    assert whole.within(lambda _: False).retrieve("厦门？", 5) == []
    assert "回款提速" in {e.chunk.article.title for e in whole.retrieve("厦门即时结算系统", 5)}
