"""Reading: the kind of a question, and the sentences that the LLM is shown."""

from __future__ import annotations

import pytest

from rag.answer.citing import Aligner
from rag.answer.ranking import SentenceRanker
from rag.answer.reading import EvidenceReader, Kind, around, kind_of
from rag.corpus.words import Words
from rag.schema import Chunk, Evidence, Issue
from rag.settings import load as load_settings
from tests.builders import article, whole

WORDS = Words()
ALIGNER = Aligner(WORDS.tokens, lambda _: 1.0, lambda *_: 0.0)
RANKER = SentenceRanker(WORDS, lambda _: 1.0, ALIGNER, load_settings().sentence_ranker)
READER = EvidenceReader(RANKER, ALIGNER, budget=600)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("厦门有多少家定点医药机构？", Kind.FACT),
        ("宁波哪年开始补助", Kind.FACT),
        ("四川今年中医药抓哪几件事？", Kind.LIST),
        ("黑龙江的七项工程分别是啥", Kind.LIST),
        ("山西一体化改革主要做了些啥", Kind.LIST),
        ("医保自查自纠有什么要求", Kind.LIST),
        ("四川和云南的中医药工作", Kind.COMPARE),
        ("广西和南宁各查处了几家", Kind.COMPARE),
        ("广西查定点医药机构，南宁市一共查处了几家", Kind.FACT),
        ("山东一站式同步结算里头，烟台市结了多少笔", Kind.FACT),
        ("广西去年拿下试验区的是桂林市，没错吧", Kind.COMPARE),
        ("中医药素养湖南多少，全国多少", Kind.COMPARE),
        ("中医药素养全国多少", Kind.FACT),
        ("职工医保和居民医保哪个涨得快", Kind.COMPARE),
        ("十国比较研究是哪年发表的", Kind.FACT),
        ("甘肃已经落地几项指南了", Kind.FACT),
        ("还有几种药要自费", Kind.FACT),
        ("甘肃落地了哪几项指南", Kind.LIST),
        ("概括一下泛血管医学那篇文章", Kind.SUMMARY),
    ],
)
def test_the_wording_tells_the_kind(question: str, kind: Kind) -> None:
    assert kind_of(question) is kind


def test_a_fact_is_shown_few_sentences_the_right_one_among_them() -> None:
    filler = "".join(f"第{n}项工作要求各地按时完成并报送材料，确保落实到位。" for n in range(40))
    text = f"{filler}全省中药种植面积达485万亩。{filler}"
    reading = READER.read("中药种植面积多少亩", [Evidence(whole(article(text)), 1.0)])
    assert "全省中药种植面积达485万亩。" in reading.text
    assert sum(len(p.text) for p in reading.passages) <= 350


def test_an_enumeration_is_shown_whole() -> None:
    text = "工作安排\n" + "".join(f"{n}是抓好第{n}件事情的落实。" for n in "一二三四五六")
    of = article(text, "工作安排", title="四川中医药工作")
    reading = READER.read("四川中医药抓哪几件事？", [Evidence(Chunk(of, 0, 30), 1.0)])
    assert all(f"{n}是抓好" in reading.text for n in "一二三四五六")


def test_evidence_of_another_region_is_left_out() -> None:
    text = "四川：抓品牌\n建设重点专科十个。\n重庆：抓改革\n建设重点专科九个。"
    of = article(text, "四川：抓品牌", "重庆：抓改革", title="地方展望")
    evidence = [
        Evidence(Chunk(of, 0, text.index("重庆")), 1.0),
        Evidence(Chunk(of, text.index("重庆"), len(text)), 1.0),
    ]
    assert "九个" not in READER.read("四川建设多少重点专科", evidence).text


@pytest.mark.parametrize(
    ("asked", "quoted"),
    [
        ("预住院在哪家医院试点", ["该院率先试点预住院。", "甲市第二人民医院有病例。"]),
        ("床位有多少张", ["全市有床位9万张。"]),
    ],
)
def test_a_sentence_that_refers_to_the_one_before_is_quoted_with_it(asked: str, quoted: list[str]) -> None:
    text = "全市有床位9万张。今年雨水较多。甲市第二人民医院有病例。该院率先试点预住院。"
    assert [p.text for p in READER.read(asked, [Evidence(whole(article(text)), 1.0)]).quotes][:2] == quoted


@pytest.mark.parametrize(
    ("asked", "quoted"),
    [
        ("甲市一家药店销售假药罚了多少钱", "甲市一家药店销售假药。违反药品管理法。处255万元的行政处罚。"),
        ("甲市一家药店销售了什么药", "甲市一家药店销售假药。"),
        ("甲市一家药店销售假药罚了多少人", "甲市一家药店销售假药。"),
    ],
)
def test_the_best_sentence_is_quoted_up_to_the_number_that_is_asked_for(asked: str, quoted: str) -> None:
    text = "甲市一家药店销售假药。违反药品管理法。处255万元的行政处罚。当地通报情况。"
    assert READER.read(asked, [Evidence(whole(article(text)), 1.0)]).quotes[0].text == quoted


def test_a_summary_is_of_the_best_passages_article() -> None:
    other = article("中医药局全部成立，广西打造品牌。", title="各地展望", id_="a#2")
    of = article("抓好人才。抓好人工智能。中医药要转型。", title="广西中医药加人工智能的抓手")
    read = READER.read("概括广西中医药局的抓手", [Evidence(whole(of), 2.0), Evidence(whole(other), 1.9)])
    assert read.ranked[0].passage.chunk.article.title == of.title


def test_headings_alone_are_no_evidence_but_are_named_above_their_sentences() -> None:
    text = "即时结算\n厦门市2000余家机构已接入。"
    reading = READER.read("厦门多少家接入", [Evidence(whole(article(text, "即时结算")), 1.0)])
    assert [p.text for p in reading.passages] == ["厦门市2000余家机构已接入。"]
    assert reading.text == "《医保基金即时结算》（2025-02-11）即时结算\n厦门市2000余家机构已接入。"


def test_no_evidence_is_nothing_to_read() -> None:
    reading = READER.read("随便问问", [])
    assert (reading.passages, reading.text, reading.coverage) == ((), "", 0.0)


def test_the_largest_section_that_fits_is_taken_around_a_passage() -> None:
    text = "甲\n" + "乙" * 50 + "\n丙\n" + "丁" * 50
    of = article(text, "甲", "丙")
    at = text.index("丁")
    assert around(Chunk(of, at, at + 10), 60).text == "丙\n" + "丁" * 50
    assert around(Chunk(of, at, at + 10), 200).text == text
    assert len(around(Chunk(of, at, at + 10), 20).text) == 20


def test_a_question_of_a_city_has_nothing_of_other_regions() -> None:
    text = (
        "宁夏：抓工程\n中医药工作取得成效十项。\n潮汕：抓专科\n汕头中医药工作取得成效九项。全市中医药工作有成效八项。"
    )
    of = article(text, "宁夏：抓工程", "潮汕：抓专科", title="地方展望")
    told = READER.read("汕头中医药工作有多少项成效", [Evidence(whole(of), 1.0)]).text
    assert "十项" not in told
    assert "八项" in told
    assert "十项" in READER.read("海口中医药工作有多少项成效", [Evidence(whole(of), 1.0)]).text


@pytest.mark.parametrize(("title", "left_out"), [("2025年中医药有何打算", True), ("中医药有何打算", False)])
def test_an_undated_article_is_of_the_year_in_its_title(title: str, left_out: bool) -> None:
    text = "云南：抓人才\n2024年，云南建成中医馆。名医工作有新成效。2025年，云南将推进中医药规划。重点培养名医百人。"
    undated = Issue("a.txt")
    of = article(text, "云南：抓人才", title=title, issue=undated)
    told = "".join(p.text for p in READER.read("云南今年中医药抓哪几件事？", [Evidence(whole(of), 1.0)]).quotes)
    assert "重点培养名医百人。" in told
    assert ("名医工作有新成效。" not in told) is left_out


def test_another_articles_year_is_not_that_of_an_undated_one() -> None:
    of = article("云南将推进中医药规划。2025年，云南培养名医。", title="中医药打算", id_="a#2", issue=Issue("b.txt"))
    older = article("2024年，云南中医药规划有新成效。", title="2024年中医药回顾", issue=Issue("a.txt"))
    evidence = [Evidence(whole(of), 1.0), Evidence(whole(older), 0.5)]
    told = "".join(p.text for p in READER.read("云南今年中医药规划抓什么？", evidence).quotes)
    assert "2025年，云南培养名医。" in told
