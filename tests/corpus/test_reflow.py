"""Reflow: spacing and wraps change, characters never do."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.corpus.reflow import INDENT, Line, Paragraph, assemble, columns, locate, paragraphs, tidy

ANY = st.text(alphabet="医疗 a1%，。“”（）—…\t\u3000-.;?：一是\n", max_size=80)
SENTENCE = st.text(alphabet="医疗保障卫生健康中国省市", min_size=40, max_size=200)


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("2024 年 12 月，DeepSeek 发布", "2024年12月，DeepSeek发布"),
        ("健全体系 赋能发展", "健全体系 赋能发展"),
        ("IRP) ， 德 国 明 确 了 医 保 支 付 价 。 2011 年", "IRP)，德国明确了医保支付价。2011年"),
        ("号源“早预约”， 紧急情况", "号源“早预约”，紧急情况"),
        ("中医药 ( 蒙医药 ) 多元价值", "中医药(蒙医药)多元价值"),
        ("Chinese  Medical Journal", "Chinese Medical Journal"),
        ("局长 刘 勇", "局长 刘勇"),
        ("局长朱 岷", "局长朱岷"),
        ("7 款\u3000创新", "7款 创新"),
        ("01 筹资机制", "01 筹资机制"),
        ("《科技创新十八条》 《教学", "《科技创新十八条》《教学"),
        ("７款", "７款"),
    ],
)
def test_spaces_stay_only_between_two_words_of_one_script(printed: str, expected: str) -> None:
    assert tidy(printed) == expected


@given(ANY)
def test_tidy_changes_nothing_but_white_space(text: str) -> None:
    assert bare(tidy(text)) == bare(text)


@given(st.lists(ANY.filter(str.strip), max_size=60))
def test_reflow_neither_loses_nor_moves_a_character(texts: list[str]) -> None:
    lines = [Line(text, page) for page, text in enumerate(texts)]
    found = paragraphs(lines)
    assert bare("".join(p.text for p in found)) == bare("".join(texts))
    assert [page for p in found for _, page in p.breaks] == list(range(len(texts)))


@given(st.lists(ANY.filter(str.strip), min_size=1, max_size=8))
def test_a_page_starts_at_the_first_character_of_its_line(texts: list[str]) -> None:
    found = assemble([Line(text, page) for page, text in enumerate(texts)])
    for offset, page in found.breaks:
        assert bare(found.text[offset:]) == bare("".join(texts[page:]))


def wrap(text: str, width: int = 60) -> list[str]:
    lines, line, room = [], "", width - INDENT
    for character in text:
        if columns(line + character) > room:
            lines.append(line)
            line, room = "", width
        line += character
    return [*lines, line]


@given(st.lists(SENTENCE, min_size=1, max_size=12))
def test_paragraphs_come_back_from_their_wrap(texts: list[str]) -> None:
    texts = [text + "。" for text in texts]
    wrapped = [wrap(text) for text in texts]
    # a last line that fills the width hides the end of its paragraph: print has these, but nothing tells
    texts = [text for text, lines in zip(texts, wrapped, strict=True) if columns(lines[-1]) <= 50]
    lines = [Line(line) for text in texts for line in wrap(text)]
    assert [p.text for p in paragraphs(lines)] == texts


def test_numbers_and_words_join_across_lines_as_they_must() -> None:
    assert assemble([Line("生存率仅为 30%-50%。2"), Line("月 8日，北京")]).text == "生存率仅为30%-50%。2月8日，北京"
    assert assemble([Line("(Fixed Reference"), Line("Price，FRP)")]).text == "(Fixed Reference Price，FRP)"
    assert assemble([Line("共 12"), Line("34 家")]).text == "共1234家"


def test_bold_spans_follow_their_characters() -> None:
    assert assemble([Line("一是 加强 A 级")], [(2, 4)]) == Paragraph("一是 加强A级", (), ((3, 5),))


def test_locate_counts_only_what_is_printed() -> None:
    assert [locate("a b\nc", nth) for nth in range(4)] == [0, 2, 4, 5]
