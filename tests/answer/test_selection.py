"""Selection and enumerations: a list comes whole and in its order, a comparison with each of its sides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.answer.citing import Aligner
from rag.answer.enumerations import enumerations
from rag.answer.kinds import Kind, sides
from rag.answer.quoting import quote
from rag.answer.ranking import RankedSentence
from rag.answer.reading import Reading
from rag.answer.selection import asks_where, by_side, select, with_others
from rag.corpus.words import Words
from tests.builders import article, whole

WORDS = Words()
ALIGNER = Aligner(WORDS.tokens, lambda _: 1.0, lambda *_: 0.0)
PLAN = (
    "2025年，我省重点做好三件事：一是加强人才培养，建立师承制度，评选一批名中医，开办师承班。成效明显。二是推进科技创新。三是壮大中药产业。\n"
    "全省医院共有床位9万张。"
)


def ranked(text: str, *best: str) -> list[RankedSentence]:
    """The sentences of `text`, those that hold one of `best` first and with twice the score."""
    passages = ALIGNER.passages([whole(article(text, title="题目"))])
    rows = [RankedSentence(p, 2.0 if any(b in p.text for b in best) else 1.0, 1.0, p.words) for p in passages]
    return sorted(rows, key=lambda row: -row.score)


def quoted(kind: Kind, question: str, rows: list[RankedSentence]) -> list[str]:
    return [passage.text for passage in select(kind, question, rows, ALIGNER.passage).quotes]


def test_the_items_of_an_enumeration_are_found_each_to_its_first_sentence() -> None:
    found = enumerations(article(PLAN, title="题目"))
    texts = [[PLAN[a:b] for a, b in one.items] for one in found]
    assert [
        "一是加强人才培养，建立师承制度，评选一批名中医，开办师承班。",
        "二是推进科技创新。",
        "三是壮大中药产业。",
    ] in texts


def test_marks_that_do_not_count_up_from_one_are_no_enumeration() -> None:
    assert enumerations(article("二是推进科技创新。三是壮大产业。", title="题目")) == ()


def test_a_list_is_quoted_whole_where_one_of_its_sentences_is_the_best() -> None:
    told = quoted(Kind.LIST, "今年重点做哪几件事", ranked(PLAN, "三件事"))
    assert [text[:2] for text in told[-3:]] == ["一是", "二是", "三是"]


def test_a_fact_is_quoted_without_the_enumeration_beside_it() -> None:
    assert quoted(Kind.FACT, "医院有多少床位", ranked(PLAN, "床位")) == ["全省医院共有床位9万张。"]


def test_a_comparison_of_several_things_has_the_list_of_each_side() -> None:
    hunan = "湖南抓两件事：一是种植药材。二是培养人才。湖南召开会议。"
    yunnan = "云南抓三件事：一是建工作室。二是办夜市。三是扩种植。云南通报情况。"
    text = f"{hunan}\n{yunnan}"
    told = quoted(Kind.COMPARE, "湖南和云南今年抓哪几件事", ranked(text, "湖南抓", "云南抓"))
    for item in ("一是种植药材。", "二是培养人才。", "一是建工作室。", "二是办夜市。", "三是扩种植。"):
        assert any(item in one for one in told), item
    assert "湖南召开会议。" not in told


def test_of_two_quotes_that_overlap_the_longer_is_told() -> None:
    of = whole(article(PLAN, title="题目"))
    item = ALIGNER.passages([of])[0]
    longer = ALIGNER.passage(of, (item.span[0], item.span[1] + 5))
    assert with_others([item], [longer]) == (longer,)
    assert with_others([longer], [item]) == (longer,)


def test_a_region_is_compared_with_the_whole_country() -> None:
    text = "湖南居民素养水平达到33.3%。湖南推进素养提升。湖南召开会议。我国公民素养水平达22.56%。云南公民素养达标。"
    rows = ranked(text, "湖南居民")
    told = quoted(Kind.COMPARE, "湖南居民素养比全国水平高多少", rows)
    assert "我国公民素养水平达22.56%。" in told
    assert "云南公民素养达标。" not in told


def test_several_regions_are_compared_with_the_whole_country_where_it_is_a_side() -> None:
    text = "湖南居民素养水平达到33.3%。云南居民素养水平达到20%。我国公民素养水平达22.56%。"
    told = quoted(Kind.COMPARE, "居民素养水平全国是多少？湖南呢，云南呢", ranked(text, "居民"))
    assert "我国公民素养水平达22.56%。" in told
    assert "我国公民素养水平达22.56%。" not in quoted(
        Kind.COMPARE, "全国先进的湖南和云南，居民素养水平哪个高", ranked(text, "居民")
    )


def test_the_whole_country_is_a_side_by_the_words_before_where_no_region_is() -> None:
    text = "国家公布了进展。中医馆增至4万个。"
    rows = [*ranked("河北中医馆2297个。陕西中医馆1786个。", "河北"), *ranked(text)]
    told = quoted(Kind.COMPARE, "全国的中医馆共有多少个？河北和陕西呢", rows)
    assert "中医馆增至4万个。" in told


def test_the_best_sentence_of_each_region_is_quoted_where_regions_are_asked_for() -> None:
    rows = ranked("河北建设高地。河北建设医院。广东建设高地。云南种植药材。", "高地")
    assert quoted(Kind.LIST, "建设高地的都是哪几个省", rows) == ["河北建设高地。", "广东建设高地。"]
    assert "河北建设医院。" in quoted(Kind.LIST, "建设高地的有哪几步", rows)


@pytest.mark.parametrize(("held", "told"), [(0.3, ["河北建设高地。"]), (0.5, ["河北建设高地。", "云南建设医院。"])])
def test_a_region_whose_sentence_holds_few_of_the_asked_words_is_not_told(held: float, told: list[str]) -> None:
    hebei, yunnan = ranked("河北建设高地。云南建设医院。", "河北", "云南")
    rows = [hebei, replace(yunnan, held=held, score=0.7 * hebei.score)]
    assert quoted(Kind.LIST, "哪些省建设高地", rows) == told


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("哪些省建设高地", True),
        ("建高地的都是哪几个省市", True),
        ("还有哪个省在建", True),
        ("除此之外还有哪儿在建", True),
        ("河北在哪些地方建设高地", False),  # it names where
        ("采集卡在哪些地方", False),  # what is hard, not where
        ("哪几家医院在建", False),
    ],
)
def test_a_question_asks_where_something_is(question: str, asks: bool) -> None:
    assert asks_where(question) is asks


def test_a_quote_says_of_which_place_it_tells_where_places_are_asked_for() -> None:
    of = article("一是建设高地。\n厦门市建设高地。", title="河北的做法", source="")
    told = Reading(Kind.LIST, (), "", 1.0, tuple(ALIGNER.passages([whole(of)])))
    quotes = quote(told, "哪些省建设高地")
    assert [a.text for a in quotes] == ["河北：一是建设高地。", "厦门市建设高地。"]
    assert all(a.opens for a in quotes)


def test_what_a_hospitals_own_article_tells_is_quoted_with_its_name_where_it_is_asked_for() -> None:
    of = article("医院建有工程中心。桂林医院获奖。", title="桂林医院：高质量发展", source="")
    passages = tuple(ALIGNER.passages([whole(of)]))
    told = Reading(Kind.FACT, (), "", 1.0, passages)
    assert [a.text for a in quote(told, "哪家医院建有工程中心")] == ["桂林医院：医院建有工程中心。", "桂林医院获奖。"]
    assert [a.text for a in quote(told, "工程中心是哪年建的")] == ["医院建有工程中心。", "桂林医院获奖。"]


def test_each_side_is_quoted_with_the_number_that_is_asked_for() -> None:
    shandong = "山东上线同步结算。山东出台规范。山东累计结算3000笔。"
    text = f"{shandong}上海上线同步结算。上海有12家医院参与。上海共有200单交易。"
    told = quoted(Kind.COMPARE, "同步结算山东和上海各结了多少笔", ranked(text, "上线", "规范", "参与"))
    assert "山东累计结算3000笔。" in told
    assert "上海共有200单交易。" in told
    assert "上海共有200单交易。" not in quoted(
        Kind.COMPARE, "同步结算山东和上海都出台了吗", ranked(text, "上线", "规范", "参与")
    )


def test_a_fact_is_quoted_with_the_sentence_that_states_such_a_number() -> None:
    rows = ranked(
        "北京支持颗粒报销。北京管理颗粒用量。北京限制颗粒比例。北京培训颗粒调剂。最贵的颗粒6.3元一克。", "北京"
    )
    told = quoted(Kind.FACT, "北京的颗粒最贵的多少钱", rows)
    assert told[1] == "最贵的颗粒6.3元一克。"
    assert "最贵的颗粒6.3元一克。" not in quoted(Kind.FACT, "北京的颗粒谁来管", rows)


def test_an_item_whose_first_sentence_is_only_its_name_is_told_with_the_next() -> None:
    text = (
        "我市抓两件事：一是打好侨牌。组团访问泰国。还访问越南。二是推进技术创新，联合多所大学设立研究中心。成效明显。"
    )
    found = enumerations(article(text, title="题目"))
    assert [text[a:b] for a, b in found[0].items] == [
        "一是打好侨牌。组团访问泰国。",
        "二是推进技术创新，联合多所大学设立研究中心。",
    ]


def test_the_best_sentence_for_a_fact_comes_first_and_the_others_as_in_the_text() -> None:
    rows = ranked("甲县有床位2张。乙县有床位3张。丙县有床位5张。", "丙县")
    rows = [RankedSentence(r.passage, 2.0 if "丙" in r.passage.text else 1.5, 1.0, r.terms) for r in rows]
    assert quoted(Kind.FACT, "丙县有多少床位", rows) == ["丙县有床位5张。", "甲县有床位2张。", "乙县有床位3张。"]


def test_a_comparison_is_quoted_from_each_side() -> None:
    text = "湖南种植中药485万亩。云南种植中药材1000万亩。湖南召开会议。全国召开会议。"
    told = quoted(Kind.COMPARE, "湖南和云南各种了多少亩中药材", ranked(text, "湖南种植", "云南种植"))
    assert told[0].startswith("湖南种植")
    assert any(one.startswith("云南种植") for one in told)


def test_the_sides_of_a_comparison_stand_as_they_are_asked_for() -> None:
    passages = ALIGNER.passages([whole(article("会议要求落实。云南建基地。四川抓改革。云南扩种植。", title="题目"))])
    told = [p.text for p in by_side("四川和云南抓什么", passages)]
    assert told == ["四川抓改革。", "云南建基地。", "云南扩种植。", "会议要求落实。"]


def test_a_city_behind_its_own_region_is_one_side_with_it() -> None:
    assert sides("福建省厦门市有多少家") == ("福建",)
    assert sides("江西跟南宁各是哪类医院在做") == ("江西", "南宁")


def test_a_summary_takes_the_sentences_beside_the_best_one_with_it() -> None:
    text = "分三批推进唯一标识。2021年开展第一批。2022年开展第二批。2024年开展第三批。" + "会议在南宁召开。" * 6
    rows = [replace(row, score=1.0 if "批" in row.passage.text else 0.1) for row in ranked(text, "分三批")]
    rows[0] = replace(rows[0], score=2.0)
    told = quoted(Kind.SUMMARY, "说说唯一标识分几批推进", rows)
    assert told[:4] == ["分三批推进唯一标识。", "2021年开展第一批。", "2022年开展第二批。", "2024年开展第三批。"]


def test_the_best_sentence_is_quoted_though_an_enumeration_beside_it_answers_too() -> None:
    told = quoted(Kind.LIST, "今年重点做哪几件事", ranked(PLAN, "三件事", "床位"))
    assert [text[:2] for text in told] == ["20", "一是", "二是", "三是", "全省"]


def test_a_line_that_only_says_who_speaks_is_no_quote() -> None:
    rows = ranked("副主任张三\n建成中医馆300个。", "中医馆")
    assert quoted(Kind.FACT, "中医馆有多少个", [rows[0], replace(rows[1], score=1.9)]) == ["建成中医馆300个。"]


PROVINCES = article(
    "湖南省\n产值超过1500亿元。\n甘肃省\n全产业链规模926.9亿元。产值连年增长。", "湖南省", "甘肃省", title="展望"
)


def reading_of(*texts: str) -> Reading:
    passages = [p for p in ALIGNER.passages([whole(PROVINCES)]) if p.text in texts]
    return Reading(Kind.COMPARE, tuple(passages), "", 1.0, tuple(passages))


def test_quotes_of_several_places_say_which_place_they_speak_of() -> None:
    told = quote(reading_of("产值超过1500亿元。", "全产业链规模926.9亿元。", "产值连年增长。"))
    assert [one.text for one in told] == [
        "湖南：产值超过1500亿元。",
        "甘肃：全产业链规模926.9亿元。",
        "产值连年增长。",
    ]
    assert told[0].passages[0].text == "产值超过1500亿元。"


def test_quotes_of_one_place_are_verbatim() -> None:
    assert [one.text for one in quote(reading_of("全产业链规模926.9亿元。"))] == ["全产业链规模926.9亿元。"]


SECTIONS = article(
    "政策落实不到位\n资金没有到位。\n人才短缺\n卫生院缺少中医人才。\n推广困难\n技术较难推广。\n会议在南宁召开。",
    "政策落实不到位",
    "人才短缺",
    "推广困难",
    title="中医科建设",
)


def test_a_summary_names_the_headings_under_which_its_sentences_stand() -> None:
    passages = [p for p in ALIGNER.passages([whole(SECTIONS)]) if not p.is_heading]
    rows = [RankedSentence(p, 2.0 if "人才" in p.text else 1.2, 1.0, p.words) for p in passages]
    rows.sort(key=lambda row: -row.score)
    told = quoted(Kind.SUMMARY, "归纳一下中医科难在哪", rows)
    assert [text for text in told if text in {"政策落实不到位", "人才短缺", "推广困难"}] == [
        "政策落实不到位",
        "人才短缺",
        "推广困难",
    ]
    assert not {"政策落实不到位", "人才短缺", "推广困难"} & set(quoted(Kind.FACT, "卫生院缺少什么人才", rows))
