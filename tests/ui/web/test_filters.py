"""Which articles a question is held to."""

from __future__ import annotations

import pytest

from rag.errors import UsageError
from tests.ui.standin import ROUND, WILD
from ui.web.filters import Filters, choices, of, of_record


@pytest.mark.parametrize(
    ("filters", "dated", "undated"),
    [
        (of(), True, True),
        (of(names=["卫生健康信息动态"]), True, False),
        (of(names=["附件.md"]), False, True),
        (of(issues=["卫生健康信息动态2025年第4期（总第341期）"]), True, False),
        (of(columns=["医保动态"], sources=["健康报"]), True, False),
        (of(columns=["医保动态"], sources=["别的报"]), False, False),
        (of(since="2025-02-11", until="2025-02-11"), True, False),
        (of(since="2025.02.12".replace(".", "-")), False, False),
        (of(until="2025/02/10"), False, False),
        (of(until="2025-02-11"), True, False),
    ],
)
def test_an_article_is_in_or_out(filters: Filters, dated: bool, undated: bool):
    assert (filters(ROUND), filters(WILD)) == (dated, undated)


def test_it_is_stored_told_and_empty_when_nothing_is_asked_for():
    asked = of(columns=["医保动态"], since="2025-01-01")
    assert of_record(asked.record) == asked
    assert asked.label == "医保动态；2025-01-01 至 最近"
    assert not of()
    assert not of_record(None)
    assert not of(None, None, None, None, None, None)
    assert of_record({"unknown": 1}) == of()


@pytest.mark.parametrize(("since", "until"), [("2025-02-30", ""), ("昨天", ""), ("2025-02-12", "2025-02-11")])
def test_a_wrong_date_is_told(since: str, until: str):
    with pytest.raises(UsageError):
        of(since=since, until=until)


def test_what_can_be_chosen_is_what_the_library_holds():
    assert choices((ROUND, WILD)) == (
        ["卫生健康信息动态", "附件.md"],
        ["卫生健康信息动态2025年第4期（总第341期）", "附件.md"],
        ["医保动态"],
        ["健康报"],
    )
