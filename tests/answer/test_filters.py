"""Which articles a question is held to."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rag.answer.filters import EVERYTHING, FilterFields, Filters, choices, of, of_record
from rag.errors import UsageError
from tests.ui.standin import ROUND, WILD


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


def test_a_part_of_a_name_stands_for_all_that_hold_it_and_a_whole_one_for_itself():
    whole = Filters(issues=("卫生健康信息动态2025年第4期（总第341期）",), columns=("医保动态",), since="2025-01-01")
    assert of(issues=["第4期"], columns=["医保"], since="2025-01-01").among((ROUND, WILD)) == whole
    assert whole.among((ROUND, WILD)) == whole
    assert of(issues=["附", "第4期"]).among((ROUND, WILD)).issues == ("附件.md", whole.issues[0])
    assert of(issues=["动态", "第4期"]).among((ROUND, WILD)).issues == whole.issues, "each once"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (of(issues=["第9期"]), "没有期号“第9期”。可用：卫生健康信息动态2025年第4期（总第341期）、附件.md"),
        (of(sources=["健康报", "日报"]), "没有来源“日报”。可用：健康报"),
    ],
)
def test_a_name_that_is_not_there_is_told_with_those_that_are(asked: Filters, said: str):
    with pytest.raises(UsageError) as told:
        asked.among((ROUND, WILD))
    assert str(told.value).startswith(said)


def test_programs_write_the_same_in_json():
    fields = FilterFields.model_validate({"columns": ["医保"], "until": "2025/02/11"})
    assert fields.filters() == Filters(columns=("医保",), until="2025-02-11")
    assert FilterFields().filters() == EVERYTHING
    with pytest.raises(ValidationError):
        FilterFields.model_validate({"columns": "医保"})


def test_what_can_be_chosen_is_what_the_library_holds():
    assert choices((ROUND, WILD)) == (
        ["卫生健康信息动态", "附件.md"],
        ["卫生健康信息动态2025年第4期（总第341期）", "附件.md"],
        ["医保动态"],
        ["健康报"],
    )
