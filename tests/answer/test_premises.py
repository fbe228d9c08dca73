"""Numbers and places that a question takes for granted."""

from __future__ import annotations

import pytest

from rag.answer.citing import Passage
from rag.answer.premises import misplaced, without_place, wrong_premises
from rag.schema import Evidence
from tests.builders import article, whole


def told(question: str, text: str, *evidence: str) -> tuple[str, ...]:
    chunk = whole(article(text))
    found = [Evidence(whole(article(other)), 1.0) for other in evidence]
    return wrong_premises(question, [Passage(chunk, (0, len(text)), frozenset(), frozenset())], found)


@pytest.mark.parametrize(
    ("question", "text", "said", "stands"),
    [
        ("为什么要新建80所乡镇中医馆", "今年新建60所乡镇中医馆，覆盖所有旗县。", "80所", "60所"),
        ("凭什么门诊报销比例降到40%", "门诊报销比例由50%提高到65%。", "40%", "50%"),
        ("拿了3项省级科技进步一等奖的是谁", "获得省级科技进步奖二等奖3项。", "一等", "二等"),
    ],
)
def test_a_number_that_the_text_states_otherwise_is_told(question: str, text: str, said: str, stands: str) -> None:
    assert told(question, text) == (f"问题里说的“{said}”与资料不符，引文写的是“{stands}”",)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("新建60所乡镇中医馆花了多少钱", "今年新建60所乡镇中医馆，投入300万元。"),
        ("新建的五十多所乡镇中医馆在哪", "今年新建56所乡镇中医馆。"),
        ("新建一所乡镇中医馆要多少钱", "今年新建60所乡镇中医馆。"),
        ("2024年新建多少所乡镇中医馆", "2025年新建60所乡镇中医馆。"),
        ("乡镇中医馆的80名医师从哪来", "今年新建60所乡镇中医馆。"),
        ("80所卫生室何时联网", "今年新建60所乡镇中医馆。"),
    ],
)
def test_what_the_text_bears_out_or_says_nothing_of_is_no_wrong_premise(question: str, text: str) -> None:
    assert told(question, text) == ()


def test_what_other_evidence_states_is_no_wrong_premise() -> None:
    question, text = "为什么要新建80所乡镇中医馆", "今年新建60所乡镇中医馆。"
    assert told(question, text, "明年新建80所乡镇中医馆。") == ()


CAMPAIGN = "山西省开展“百名院长驻乡镇”行动，派出院长120人。"
SUBSIDY = "衢州市从2021年开始按中医处方不低于15元/张进行补助。"


@pytest.mark.parametrize(
    ("question", "place", "text", "others"),
    [
        ("“百名院长驻乡镇”派了多少人", "陕西", CAMPAIGN, ("山西",)),
        ("按中医处方一张补15块，哪年开始的", "温州", SUBSIDY, ("衢州",)),
        ("全国第一个城市中医集团在哪年建的", "温州", "2020年，衢州市建成全国首个城市中医医疗集团。", ("衢州",)),
        ("全国第一个养老院哪年建的", "温州", "2020年，衢州市建成全国首个城市中医医疗集团。", ()),
        ("“百名院长驻乡镇”派了多少人", "山西", CAMPAIGN, ()),
        ("“千名医师下基层”派了多少人", "陕西", CAMPAIGN, ()),
        ("按中医处方补多少，哪年开始的", "温州", SUBSIDY, ()),
        ("按中医处方一张补25块，哪年开始的", "温州", SUBSIDY, ()),
        ("2021年的补助是多少", "温州", SUBSIDY, ()),
        ("“百名院长驻乡镇”派了多少人", "陕西", "开展“百名院长驻乡镇”行动，派出院长120人。", ("北京",)),
    ],
)
def test_what_is_told_of_another_place_is_known_by_its_name_or_its_number(
    question: str, place: str, text: str, others: tuple[str, ...]
) -> None:
    of = article(text, title="北京的做法" if others == ("北京",) else "基层见闻", source="")
    assert misplaced(question, place, Passage(whole(of), (0, len(text)), frozenset(), frozenset()), ()) == others


def test_what_other_evidence_tells_of_the_place_too_is_not_misplaced() -> None:
    passage = Passage(whole(article(CAMPAIGN)), (0, len(CAMPAIGN)), frozenset(), frozenset())
    evidence = [Evidence(whole(article("陕西省也开展“百名院长驻乡镇”行动。")), 1.0)]
    assert misplaced("“百名院长驻乡镇”派了多少人", "陕西", passage, evidence) == ()


@pytest.mark.parametrize(
    ("question", "rest"),
    [
        ("陕西省的“百名院长驻乡镇”派了多少人", ("“百名院长驻乡镇”派了多少人", "陕西")),
        ("温州按中医处方一张补15块，哪年开始的", ("按中医处方一张补15块，哪年开始的", "温州")),
        ("陕西派了多少人", ("", "")),
        ("陕西和山西的“百名院长驻乡镇”派了多少人", ("", "")),
        ("“百名院长驻乡镇”派了多少人", ("", "")),
    ],
)
def test_only_the_one_place_of_a_thing_with_a_name_or_a_number_is_left_out(
    question: str, rest: tuple[str, str]
) -> None:
    assert without_place(question) == rest
