"""Which years a text speaks of, and the date that its figures stand at."""

from __future__ import annotations

import datetime as dt

import pytest

from rag.answer.dates import When, as_of, asked_year, meant, relative, stretches, titled, written, years

ISSUED = dt.date(2025, 2, 11)


@pytest.mark.parametrize(
    ("text", "issued", "told"),
    [
        ("2024年累计服务2.5亿人次。", None, {2024}),
        ("累计服务2.5亿人次。", None, set()),
        ("去年累计服务2.5亿人次。", ISSUED, {2024}),
        ("去年累计服务2.5亿人次。", None, None),
        ("今年服务2.5亿人次，比去年增长一成。", ISSUED, {2025}),
        ("在2018年11月至2023年4月销售假药。", None, set(range(2018, 2024))),
        ("编号2024001的文件", None, set()),
    ],
)
def test_the_years_of_a_text(text: str, issued: dt.date | None, told: set[int] | None) -> None:
    assert years(text, issued) == told


@pytest.mark.parametrize(
    ("question", "newest", "year"),
    [
        ("2023年服务多少人次", None, 2023),
        ("今年服务多少人次", ISSUED, 2025),
        ("去年服务多少人次", ISSUED, 2024),
        ("今年服务多少人次", None, None),
        ("2023年和2024年各服务多少人次", None, None),
        ("服务多少人次", ISSUED, None),
    ],
)
def test_the_year_that_is_asked_for(question: str, newest: dt.date | None, year: int | None) -> None:
    assert asked_year(question, newest) == year


@pytest.mark.parametrize(
    ("text", "issued", "when"),
    [
        ("截至2024年12月底，全市有养老机构312家。", None, (2024, 12, 0)),
        ("截至 2025 年 1 月 24 日，报告43起。", None, (2025, 1, 24)),
        ("2023年起步，截至今年1月有325家，2026年要建成400家。", ISSUED, (2025, 1, 0)),
        ("2025年1-5月，诊疗量为40亿人次。", None, (2025, 5, 0)),
        ("全市有养老机构312家。", ISSUED, (2025, 2, 11)),
        ("去年有312家。", None, None),
        ("全市有312家，比去年增长一成。", ISSUED, (2025, 2, 11)),
    ],
)
def test_the_date_of_a_figure(text: str, issued: dt.date | None, when: When | None) -> None:
    assert as_of(text, issued) == when


def test_dates_are_written_as_far_as_they_are_known() -> None:
    assert [written(when) for when in [(2025, 1, 24), (2024, 12, 0), (2024, 0, 0)]] == [
        "2025年1月24日",
        "2024年12月",
        "2024年",
    ]


def test_a_relative_year_is_that_of_the_issue() -> None:
    assert [(word, meant(word, ISSUED)) for word in relative("去年建成5家，今年再建10家")] == [
        ("去年", "2024年"),
        ("今年", "2025年"),
    ]


@pytest.mark.parametrize(
    ("title", "year"),
    [("2025年中医药工作有何新愿景？", 2025), ("中医药工作有何新愿景？", None), ("2024年回顾与2025年展望", None)],
)
def test_the_year_of_a_title(title: str, year: int | None) -> None:
    assert titled(title) == (dt.date(year, 1, 1) if year else None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2024年1-11月追回242亿元", {(1, 11)}),
        ("头11个月追回多少", {(1, 11)}),
        ("1到10月和上半年各多少", {(1, 10), (1, 6)}),
        ("前三季度", {(1, 9)}),
        ("三季度和下半年", {(7, 9), (7, 12)}),
        ("年末的11-12月按11%预付", {(11, 12)}),
        ("全年追回275亿元", set()),
        ("进修3-6个月", set()),
    ],
)
def test_a_stretch_of_months(text: str, told: set[tuple[int, int]]) -> None:
    assert stretches(text) == told
