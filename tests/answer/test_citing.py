"""Citations: aligned by words, verified by numbers and places, verbatim, numbered as they first occur."""

from __future__ import annotations

import pytest

from rag.answer.citing import Aligned, Aligner, distinct, number, plain
from rag.corpus.words import Words
from rag.errors import QuoteError
from rag.schema import Citation, Support
from tests.builders import article, whole

TEXT = (
    "厦门市全市2000余家定点医药机构均已接入即时结算系统。海南省医保事前提醒规则已扩充到17大类440小类242419条。"
    "全省中药种植面积达485万亩。职工医保基金收入为2.37万亿元。"
)
ALIGNER = Aligner(Words().tokens, lambda _: 1.0, lambda *_: 0.0)


def aligned(sentence: str, text: str = TEXT) -> Aligned:
    return ALIGNER.align(sentence, ALIGNER.passages([whole(article(text))]))


def test_a_sentence_is_given_the_sentence_that_carries_it() -> None:
    found = aligned("厦门有2000余家定点医药机构接入了即时结算系统。")
    assert [p.text for p in found.passages] == ["厦门市全市2000余家定点医药机构均已接入即时结算系统。"]
    assert found.support is Support.FULL


def test_a_wrong_number_is_not_carried() -> None:
    found = aligned("厦门有3000余家定点医药机构接入了即时结算系统。")
    assert found.support is Support.NONE
    assert found.unmatched == ("3000余",)


def test_a_wrong_region_is_not_carried() -> None:
    found = aligned("四川省2000余家定点医药机构均已接入即时结算系统。")
    assert found.support is Support.NONE
    assert "四川" in found.unmatched


def test_the_region_of_a_section_carries_a_sentence_that_does_not_name_it() -> None:
    text = "湖南：抓紧集群建设\n全省中药种植面积达485万亩。"
    chunk = whole(article(text, "湖南：抓紧集群建设"))
    found = ALIGNER.align("湖南中药种植面积达485万亩。", ALIGNER.passages([chunk]))
    assert found.support is Support.FULL


def test_a_sentence_about_something_else_is_not_carried() -> None:
    assert aligned("今天的天气很好，适合出门散步。").support is Support.NONE


def test_a_lead_in_that_only_announces_takes_nothing_from_the_support() -> None:
    found = aligned(
        "湖南今年中医药工作的成绩包括以下几个方面：全省中药种植面积达485万亩。", "湖南全省中药种植面积达485万亩。"
    )
    assert found.support is Support.FULL


def test_items_of_a_list_stand_on_lines_of_their_own() -> None:
    text, _, _ = number([aligned("一是全省中药种植面积达485万亩。"), aligned("二是职工医保基金收入为2.37万亿元。")])
    assert [line[:2] for line in text.split("\n")] == ["一是", "二是"]


def test_a_heading_stands_on_a_line_of_its_own() -> None:
    said = ["全省中药种植面积达485万亩。", "职工医保基金收入", "职工医保基金收入为2.37万亿元。"]
    text, _, _ = number([aligned(sentence) for sentence in said])
    assert text.split("\n")[1] == "职工医保基金收入[2]"
    assert text.count("\n") == 2


def test_a_sentence_of_two_facts_cites_both_sentences() -> None:
    found = aligned("厦门2000余家定点医药机构接入即时结算系统，海南医保事前提醒规则扩充到242419条。")
    assert len(found.passages) == 2
    assert found.support is Support.FULL


def test_marks_stand_before_the_closing_punctuation_and_number_as_they_occur() -> None:
    first = aligned("全省中药种植面积达485万亩。")
    second = aligned("厦门市全市2000余家定点医药机构均已接入即时结算系统。")
    text, sentences, citations = number([first, second, first])
    assert text == (
        "全省中药种植面积达485万亩[1]。厦门市全市2000余家定点医药机构均已接入即时结算系统[2]。全省中药种植面积达485万亩[1]。"
    )
    assert [c.number for c in citations] == [1, 2]
    assert [s.citations for s in sentences] == [(1,), (2,), (1,)]


def test_every_citation_is_what_stands_at_its_offsets() -> None:
    _, _, citations = number([aligned("海南规则扩充到242419条。")])
    one = citations[0]
    assert one.article.text[one.start : one.end] == one.quote


def test_a_quote_that_the_article_does_not_hold_cannot_be_made() -> None:
    with pytest.raises(QuoteError, match="引文与原文不符"):
        Citation(1, whole(article(TEXT)), 0, 5, "厦门市有2")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("厦门有2000余家[1]。", "厦门有2000余家。"),
        ("**厦门**：2000余家【资料2】。", "厦门：2000余家。"),
        ("## 要点\n- 第一\n- 第二", "要点\n第一\n第二"),
        ("《医保基金即时结算》（2025-02-11）即时结算\n厦门有2000余家。", "厦门有2000余家。"),
        ("资料中提到，厦门有2000余家。", "厦门有2000余家。"),
        ("《医保基金即时结算》指出，厦门有2000余家。", "厦门有2000余家。"),
        ("编号[12]和（2024年）", "编号和（2024年）"),
    ],
)
def test_a_models_marks_and_markup_are_taken_out(written: str, read: str) -> None:
    assert plain(written) == read


def test_what_is_said_twice_is_kept_once() -> None:
    assert distinct(["共39间。", "共39 间", "共40间。"]) == ["共39间。", "共40间。"]
