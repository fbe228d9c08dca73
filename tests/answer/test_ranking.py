"""The reranker's features: what each sees, and that weights order by them."""

from __future__ import annotations

import pytest

from rag.answer.ranking import FEATURES, FeatureReranker
from rag.corpus.words import Words
from rag.schema import Chunk, Evidence
from tests.builders import article, whole

HOSPITALS = whole(article("厦门有2000余家定点医药机构。全部接入即时结算。", title="回款提速", id_="a#1"))
DATE = whole(article("系统于2025年3月1日上线。", title="追溯码", id_="b#1"))
NOTHING = whole(article("天气晴朗。", title="风景", id_="c#1"))


def seen(question: str, *chunks: Chunk) -> list[dict[str, float]]:
    """The features of each passage by name; every word weighs the same."""
    reranker = FeatureReranker(Words(), lambda _: 1.0, {})
    rows = reranker.features(question, [Evidence(chunk, 0.5) for chunk in chunks])
    return [dict(zip(FEATURES, row.tolist(), strict=True)) for row in rows]


def test_a_passage_that_holds_nothing_of_the_question_has_only_its_fused_score() -> None:
    features = seen("厦门定点", NOTHING)[0]
    assert features.pop("fused") == 0.5
    assert set(features.values()) == {0.0}


def test_words_in_two_sentences_count_whole_for_the_passage_and_half_for_its_best_sentence() -> None:
    features = seen("厦门即时", HOSPITALS)[0]
    assert features["chunk"] == 1.0
    assert features["sentence"] == pytest.approx(0.5)


def test_headings_count_by_themselves_and_for_each_sentence_below() -> None:
    features = seen("追溯", DATE)[0]
    assert (features["context"], features["sentence"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("question", "fits"), [("什么时候上线", True), ("上线多少系统", True), ("哪个系统上线", False)]
)
def test_only_a_sentence_in_the_shape_of_the_answer_is_shaped(question: str, fits: bool) -> None:
    assert (seen(question, DATE)[0]["shaped"] > 0) is fits


def test_a_mistyped_word_still_shares_character_pairs() -> None:
    features = seen("定点医要机构", HOSPITALS, NOTHING)[0]
    assert features["sentence_pairs"] > 0.3


def test_what_weighs_decides_the_order_and_no_passages_are_no_error() -> None:
    evidence = [Evidence(NOTHING, 0.9), Evidence(HOSPITALS, 0.1)]
    reranked = {
        name: FeatureReranker(Words(), lambda _: 1.0, {name: 1.0}).rerank("厦门定点", evidence)[0].chunk
        for name in ("fused", "chunk")
    }
    assert reranked == {"fused": NOTHING, "chunk": HOSPITALS}
    assert FeatureReranker(Words(), lambda _: 1.0, {"fused": 1.0}).rerank("厦门", []) == []
