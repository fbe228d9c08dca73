"""Outlines: how many things a question asks for, and the stretch of an article that lists as many."""

from __future__ import annotations

import pytest

from rag.answer.outline import Stretch, counts, items, stretch_of, stretch_with
from rag.schema import Article, Chunk, Evidence, Section
from tests.builders import article, whole

TEXT = (
    "近日，医保局发出通知。\n一、药店问题\n主要违法违规行为如下。\n①空刷凭证\n不得空刷。\n②倒卖串药\n不得倒卖。\n"
    "③超量开药\n不得超量。\n二、下一步\n一是宣传，二是培训，三是检查，四是处罚。"
)


def outlined() -> Article:
    """The text with its two sections, the first one with three inner ones."""
    at = [TEXT.index(head) for head in ("一、药店", "①", "②", "③", "二、下一步")]
    end = len(TEXT)
    heads = ("一、药店问题", "①空刷凭证", "②倒卖串药", "③超量开药", "二、下一步")
    spans = ((at[0], at[4], 1), (at[1], at[2], 2), (at[2], at[3], 2), (at[3], at[4], 2), (at[4], end, 1))
    sections = tuple(Section(head, *span) for head, span in zip(heads, spans, strict=True))
    return Article("a#1", article("x").issue, "零售药店的问题", TEXT, sections=sections)


def found(of: Article, text: str, score: float = 1.0) -> Evidence:
    start = of.text.index(text)
    return Evidence(Chunk(of, start, start + len(text)), score)


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("天津要打造哪五大高地", {5}),
        ("六统一都统了啥", {6}),
        ("5类违规和两项处罚", {5, 2}),
        ("2025年3月15日的第4期", set()),
        ("20家医院", set()),
        ("有哪些违规", set()),
    ],
)
def test_the_number_of_things_asked_for_is_read_and_dates_are_none(question: str, asked: set[int]) -> None:
    assert counts(question) == asked


def test_a_stretch_lists_its_headings_and_each_numbering_from_one_on() -> None:
    text = "一是甲，二是乙，三是丙。第一，丁。第二，戊。（二）没有开头。"
    assert items(Stretch(article(text), 0, len(text), ())) == {0, 2, 3}


def test_a_count_leads_to_the_section_with_as_many_headings() -> None:
    of = outlined()
    stretch = stretch_with(
        "药店三类违规是哪些", [found(of, "近日，医保局发出通知。"), found(of, "不得超量。", 0.9)], 1000
    )
    assert stretch is not None
    assert stretch.text.startswith("一、药店问题")
    assert [child.heading for child in stretch.children] == ["①空刷凭证", "②倒卖串药", "③超量开药"]


def test_a_count_leads_to_a_numbering_inside_the_text() -> None:
    stretch = stretch_with("下一步抓哪四件事", [found(outlined(), "一是宣传，二是培训，三是检查，四是处罚。")], 1000)
    assert stretch is not None
    assert stretch.text.startswith("二、下一步")


def test_a_numbering_that_little_evidence_lies_in_is_not_believed() -> None:
    of, other = outlined(), article("药店另有规定。", id_="b#1")
    evidence = [Evidence(whole(other), 1.0), found(of, "不得超量。", 0.3)]
    assert stretch_with("三类违规是哪些", evidence, 1000) is None


def test_without_a_count_no_stretch_is_better_than_another() -> None:
    assert stretch_with("违规是哪些", [found(outlined(), "不得超量。")], 1000) is None


def test_a_summary_is_of_the_section_that_holds_most_of_the_evidence_else_of_the_article() -> None:
    of = outlined()
    inside = [found(of, "不得空刷。"), found(of, "不得倒卖。"), found(of, "四是处罚。", 0.2)]
    assert stretch_of(inside).text.startswith("一、药店问题")
    assert stretch_of([found(of, "不得空刷。"), found(of, "四是处罚。"), found(of, "近日")]).text == TEXT


def test_a_numbering_too_long_to_be_shown_is_left_but_for_its_headings() -> None:
    of = outlined()
    assert stretch_with("下一步抓哪四件事", [found(of, "一是宣传，二是培训，三是检查，四是处罚。")], 10) is None
    assert stretch_with("药店三类违规是哪些", [found(of, "不得超量。")], 10) is not None
