"""Numbers as values: what states the same matches, what looks alike does not."""

from __future__ import annotations

import pytest

from rag.answer.numbers import quantities, unmatched


@pytest.mark.parametrize(
    ("said", "cited"),
    [
        ("共12000万人", "共1.2亿人"),
        ("约80%", "八成以上"),
        ("八成五", "占85%"),
        ("２０２５年", "2025 年"),
        ("百分之三十", "30%"),
        ("2000余家", "全市 2000 余家"),
        ("3万余名", "30000名"),
        ("二十四个", "24个"),
        ("二〇二五年", "2025年"),
        ("12,000元", "1.2万元"),
        ("五千多万元", "5000万元"),
        ("2月8日", "2 月 8 日"),
        ("17大类440小类242419条", "17 大类 440 小类 242419 条"),
        ("2.37万亿元", "2.37 万亿元"),
        ("总第341期", "（总第 341 期）"),
        ("提高9—10个百分点", "高出了 9—10 个百分点"),
    ],
)
def test_the_same_value_written_otherwise_matches(said: str, cited: str) -> None:
    assert unmatched(said, [cited]) == ()


@pytest.mark.parametrize(
    ("said", "cited", "missing"),
    [
        ("达到7%", "达到97%", ("7%",)),
        ("共485亩", "485万亩", ("485",)),
        ("下降5.63个百分点", "下降5.63%", ("5.63个百分点",)),
        ("39间", "390间", ("39",)),
        ("2024年", "2025年", ("2024年",)),
        ("八成", "八个", ("八成",)),
        ("3018.4万笔", "3018万笔", ("3018.4万",)),
        ("少住2天", "南宁市第二人民医院", ("2",)),
        ("第341期", "共341期", ("341",)),
    ],
)
def test_another_value_does_not_match(said: str, cited: str, missing: tuple[str, ...]) -> None:
    assert unmatched(said, [cited]) == missing


@pytest.mark.parametrize(
    "text",
    [
        "DeepSeek-R1",
        "12345X平台",
        "1. 第一\n2. 第二",
        "（1）加强领导",
        "十分重要",
        "百千万工程",
        "一是抓落实",
        "三医联动",
        "CAR-T与PD-1",
    ],
)
def test_what_is_no_number_is_not_read_as_one(text: str) -> None:
    assert quantities(text) == ()


def test_a_number_in_any_of_the_cited_texts_matches() -> None:
    assert unmatched("2023年37家，2024年40家", ["2023年有37家", "2024年有40家"]) == ()
