"""Typos in questions: a wrong character of the same sound is put right, and everything doubtful stays."""

from __future__ import annotations

import pytest

from rag.answer.typos import MOST_CHARACTERS, Spelling
from rag.corpus.words import Words

TEXT = (
    "人工麝香研制成功。麝香保心丸含人工麝香。浙江推广乌梅汤，乌梅汤卖了三万帖。医保基金结余，医保基金监管。"
    "国家医保局发布。国家医保局回应。仿制药替代。仿制药价格。骗保案件。骗保案公布。处方药统一。处方药管理。"
    "宿州试点。宿州经验。章伟任职。章伟发言。权力清单。权力清单。患者的权利。公式一。公式二。最终评审。最终结果。免费用药。免费用药。"
    "医共体建设。医共体改革。只说一次的集采。和谐社会。和谐医患。步法训练。步法要领。"
)
WORDS = Words()


@pytest.fixture(scope="module")
def spelling() -> Spelling:
    return Spelling(lambda: TEXT, WORDS)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("人工射香是谁研制的？", "人工麝香是谁研制的？"),
        ("浙江的乌霉汤卖了多少", "浙江的乌梅汤卖了多少"),
        ("国家医宝局2025年说了什么，仿治药呢", "国家医保局2025年说了什么，仿制药呢"),
        ("药店片保案和医供体", "药店骗保案和医共体"),
    ],
)
def test_a_wrong_character_of_the_same_sound_is_put_right(spelling: Spelling, typed: str, meant: str) -> None:
    assert spelling.corrected(typed) == meant


@pytest.mark.parametrize(
    "question",
    [
        "麝香保心丸含什么？",
        "苏州试点了吗",  # another place, that sounds the same
        "权利清单在哪",  # a word that the library has: 权利 is not 权力
        "公示结果",  # a word of the dictionary
        "集彩怎么样",  # what is meant stands there only once
        "每种处方要统一收费吗",  # 要 is a word by itself
        "最重的一档",
        "谁和写的不同",  # 和 stands between words: not 和谐
        "有哪三种补法",  # 补 is a word by itself: not 步法
        "报完费用多少天",  # 费用 is no piece of 免费用
        "2025年第4期 NHS",
        "",
    ],
)
def test_what_may_be_meant_as_it_is_typed_stays(spelling: Spelling, question: str) -> None:
    assert spelling.corrected(question) == question


def test_what_could_be_put_right_in_two_ways_stays() -> None:
    one, two = "检测结果。检测报告。", "监测结果。监测报告。"
    assert Spelling(lambda: one, WORDS).corrected("捡测了多少") == "检测了多少"
    assert Spelling(lambda: one + two, WORDS).corrected("捡测了多少") == "捡测了多少"
    assert Spelling(lambda: one + two, WORDS).corrected("捡测报告") == "捡测报告"


def test_a_library_is_read_when_a_run_is_looked_up_and_once() -> None:
    read: list[int] = []

    def text() -> str:
        read.append(1)
        return TEXT

    spelling = Spelling(text, WORDS)
    assert spelling.corrected("NHS 2025?") == "NHS 2025?"
    assert read == []
    assert spelling.corrected("射香") == spelling.corrected("射香") == "麝香"
    assert read == [1]


def test_a_library_without_text_or_too_large_corrects_nothing() -> None:
    assert Spelling(lambda: "", WORDS).corrected("射香") == "射香"
    assert Spelling(lambda: TEXT + "。" * MOST_CHARACTERS, WORDS).corrected("射香") == "射香"
