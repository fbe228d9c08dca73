"""Forms of an answer: what is asked of one place, the table and the timeline."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from rag.answer.citing import Aligned, Aligner
from rag.answer.forms import asked_of, of_each, of_each_article, table, timeline
from rag.corpus.words import Words
from rag.schema import Support
from tests.builders import article, whole

ALIGNER = Aligner(Words().tokens, lambda _: 1.0, lambda *_: 0.0)


def said(*texts: str) -> list[Aligned]:
    """Sentences of an answer, each carried by a sentence of its own of one article."""
    passages = ALIGNER.passages([whole(article("".join(f"原文{n}。" for n in range(1, len(texts) + 1))))])
    return [Aligned(text, (p,), Support.FULL, ()) for text, p in zip(texts, passages, strict=True)]


@pytest.mark.parametrize(
    ("place", "question", "asked"),
    [
        ("湖南", "湖南和云南的中药材种植", "湖南的中药材种植"),
        ("云南", "湖南和云南的中药材种植", "云南的中药材种植"),
        ("四川", "湖南省、云南省、四川省、广东省以及贵州省分别有多少亩", "四川省分别有多少亩"),
        ("内蒙古", "内蒙古自治区与宁夏回族自治区的医保", "内蒙古自治区的医保"),
        ("宁夏", "内蒙与宁夏回族自治区的医保", "宁夏回族自治区的医保"),
        ("福建", "福建省厦门市和浙江宁波的即时结算", "福建省厦门市的即时结算"),
        ("浙江", "福建省厦门市和浙江宁波的即时结算", "浙江宁波的即时结算"),
        ("湖南", "跟云南比，湖南种得多吗", "跟比，湖南种得多吗"),
    ],
)
def test_a_question_is_asked_of_one_place_without_the_others(place: str, question: str, asked: str) -> None:
    assert asked_of(place, question) == asked


@pytest.mark.parametrize(
    ("question", "each"),
    [
        ("四川和云南今年各抓哪几件事", ("四川今年各抓哪几件事", "云南今年各抓哪几件事")),
        ("四川和云南今年抓哪几件事，对比有什么异同？", ("四川今年抓哪几件事", "云南今年抓哪几件事")),
        ("四川和云南的中医馆各有多少家", ("四川和云南的中医馆各有多少家",)),
        ("广东比浙江多了哪些做法", ("广东比浙江多了哪些做法",)),
        (
            "湖南省、云南省、四川省、广东省以及贵州省抓哪几件事",
            ("湖南省、云南省、四川省、广东省以及贵州省抓哪几件事",),
        ),
    ],
)
def test_several_things_are_asked_of_each_of_a_few_joined_places(question: str, each: tuple[str, ...]) -> None:
    assert of_each(question) == each


def test_a_table_has_a_row_for_each_place_and_marks_in_its_cells() -> None:
    one, two, three = said("湖南种植485万亩。", "湖南建基地。", "云南培养2500名。")
    text, sentences, citations = table({"湖南": [one, two], "海南": [], "云南": [three]})
    assert text == (
        "| 地区 | 要点 |\n| --- | --- |\n"
        "| 湖南 | 湖南种植485万亩[1]。湖南建基地[2]。 |\n"
        "| 海南 | 库内未见 |\n"
        "| 云南 | 云南培养2500名[3]。 |"
    )
    assert [(s.text, s.citations) for s in sentences] == [
        ("湖南种植485万亩。", (1,)),
        ("湖南建基地。", (2,)),
        ("云南培养2500名。", (3,)),
    ]
    assert [c.quote for c in citations] == ["原文1。", "原文2。", "原文3。"]


def test_bars_and_line_breaks_of_a_sentence_do_not_break_the_table() -> None:
    nasty = "甲|乙\\|丙\n| 假 | 行 |\r丁\u2028戊。"
    text, sentences, _ = table({"湖南": said(nasty)})
    assert len(text.split("\n")) == 3
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert html.count("<tr>") == 2
    assert html.count("<td>") == 2
    assert "<td>甲|乙\\|丙 | 假 | 行 | 丁 戊[1]。</td>" in html
    assert sentences[0].text == nasty


def test_a_timeline_is_sorted_by_the_dates_that_are_stated_and_the_undated_come_last() -> None:
    text, sentences, _ = timeline(
        said(
            "没有日期的事。",
            "2025年1月8日：丁。",
            "2025年1月：丙。",
            "也没有。",
            "2023年：甲。",
            "2024 年 12 月：乙。",
        )
    )
    assert [s.text[-2:] for s in sentences] == ["甲。", "乙。", "丙。", "丁。", "事。", "有。"]
    assert text == (
        "2023年：甲[1]。\n2024 年 12 月：乙[2]。\n2025年1月：丙[3]。\n2025年1月8日：丁[4]。\n"
        "没有日期的事[5]。\n也没有[6]。"
    )


@pytest.mark.parametrize(
    ("question", "each"),
    [
        (
            "改革看点在哪，讲药价那篇和讲商保的那篇文章各怎么说",
            ("改革看点在哪，讲药价那篇各怎么说", "改革看点在哪，讲商保的那篇文章各怎么说"),
        ),
        ("讲药价那篇怎么说", ("讲药价那篇怎么说",)),
        ("那篇讲药价和商保的怎么说", ("那篇讲药价和商保的怎么说",)),
    ],
)
def test_a_question_on_two_articles_is_asked_of_each(question: str, each: tuple[str, ...]) -> None:
    assert of_each_article(question) == each
