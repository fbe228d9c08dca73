"""Every measure and the retrieval report against examples counted by hand."""

from collections.abc import Mapping, Sequence
from math import log2

import pytest

from eval import metrics
from eval.cases import Case, CaseType, Source
from eval.metrics import (
    ANSWER_SCORES,
    answer_scores,
    estimates,
    evidence_hits,
    first,
    hit,
    interval,
    leg_scores,
    mrr,
    ndcg,
    percentiles,
    rank_of_article,
    rank_of_source,
    said,
    wilson,
)
from eval.retrieval import measure_retrieval, render
from rag.errors import UsageError
from rag.records import Record
from rag.schema import Article, Chunk, Evidence, Issue, Turn


def passage(text: str, file: str = "a.txt") -> Chunk:
    article = Article(id=file, issue=Issue(file=file), title="题", text=text)
    return Chunk(article, 0, len(text))


def case(id_: str, *quotes: str, type_: CaseType = "factoid", answerable: bool = True) -> Case:
    sources = tuple(Source("a.txt", "题", quote) for quote in quotes)
    return Case(id_, type_, f"问{id_}", (), (("事实",),) if answerable else (), (), sources, answerable)


def test_a_quote_is_found_whatever_its_spacing_and_bold_marks() -> None:
    found = [passage("别的话。"), passage("全省已有 2297\n个**国医堂**，实现全覆盖。")]
    assert rank_of_source(Source("a.txt", "题", "2297 个国医堂"), found) == 2


def test_the_same_words_in_another_file_are_no_evidence() -> None:
    assert rank_of_source(Source("a.txt", "题", "规模926.9亿元"), [passage("规模926.9亿元", "b.txt")]) is None


def test_a_cut_quote_counts_where_six_tenths_of_it_stand_in_one_piece() -> None:
    source = Source("a.txt", "题", "一二三四五六七八九十")
    assert rank_of_source(source, [passage("前文一二三四五"), passage("五六七八九十后文")]) == 2
    assert rank_of_source(source, [passage("前文一二三四五"), passage("六七八九十后文")]) is None
    assert rank_of_source(source, [passage("一二三四，五六，七八九十")]) is None


def test_a_case_of_several_sources_has_the_rank_of_the_first_that_is_found() -> None:
    both = case("x", "甲的数是一百", "乙的数是二百")
    found = [passage("无关"), passage("乙的数是二百"), passage("甲的数是一百")]
    assert first([rank_of_source(source, found) for source in both.sources]) == 2
    assert first([rank_of_source(source, found[:1]) for source in both.sources]) is None


def test_hit_and_reciprocal_rank_of_four_ranks() -> None:
    ranks = [1, None, 4, 2]
    assert [hit(ranks, k) for k in (1, 3, 5)] == [0.25, 0.5, 0.75]
    assert mrr(ranks) == pytest.approx((1 + 0 + 1 / 4 + 1 / 2) / 4)
    assert hit([], 5) == mrr([]) == 0.0


def test_the_interval_holds_the_mean_and_repeats_itself() -> None:
    values = [1.0] * 30 + [0.0] * 10
    low, high = interval(values)
    # Normal approximation: 0.75 ± 1.96 * sqrt(0.75 * 0.25 / 40) = 0.616 to 0.884
    assert low == pytest.approx(0.616, abs=0.04)
    assert high == pytest.approx(0.884, abs=0.04)
    assert interval(values) == (low, high)


def test_a_rate_of_none_or_all_hits_is_as_sure_as_it_has_questions() -> None:
    # Wilson for k = 0 or n is z²/(n + z²) wide, z² = 3.8415: 2 of 2 from 2/5.8415, 10 of 10 from 10/13.8415.
    assert list(interval([1.0, 1.0])) == pytest.approx([0.3424, 1.0], abs=1e-4)
    assert list(interval([1.0] * 10)) == pytest.approx([0.7225, 1.0], abs=1e-4)
    assert list(interval([0.0] * 10)) == pytest.approx([0.0, 0.2775], abs=1e-4)
    assert interval([0.5] * 10) == (0.5, 0.5)  # no rate of hits: nothing varies
    assert interval([]) == (0.0, 0.0)


def test_the_wilson_interval_is_that_of_the_textbook() -> None:
    assert list(wilson(8, 10)) == pytest.approx([0.490, 0.943], abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0)


PASSAGES = {
    "问p": ["甲乙丙丁戊"],
    "问q": ["无关", "无关", "无关", "己庚辛壬癸"],
    "问r": ["子丑寅卯辰", "无关"],
    "问s": ["无关"] * 6,
}


def search(question: str, history: Sequence[Turn]) -> list[Evidence]:
    return [Evidence(passage(text), 1.0) for text in PASSAGES[question]]


CASES = (
    case("p", "甲乙丙丁戊"),
    case("q", "己庚辛壬癸"),
    case("r", "子丑寅卯辰", "巳午未申酉", type_="multi"),
    case("s", "天地玄黄"),
    case("u", type_="unanswerable", answerable=False),
)


def test_a_measurement_scores_types_and_all_and_leaves_out_what_has_no_answer() -> None:
    report = measure_retrieval(search, CASES, k=3)
    overall = report.overall
    # Ranks: p 1, q 4, r 1 (one of two sources), s none.
    assert overall.n == 4
    assert overall.hit == {1: 0.5, 3: 0.5, 5: 0.75, 10: 0.75}
    assert overall.recall == {5: (1 + 1 + 0.5 + 0) / 4, 10: (1 + 1 + 0.5 + 0) / 4}
    assert overall.mrr == pytest.approx((1 + 1 / 4 + 1) / 4)
    assert overall.low <= 0.5 <= overall.high
    assert list(report.by_type) == ["factoid", "multi"]
    assert report.by_type["factoid"].hit[5] == pytest.approx(2 / 3)
    assert report.by_type["multi"].recall[5] == 0.5
    assert report.missed == ("q", "s")


def test_the_report_reads_chinese_and_names_the_missed_cases() -> None:
    text = render(measure_retrieval(search, CASES, k=5))
    for words in (
        "检索评测（4 题）",
        "题型",
        "命中@5",
        "召回@10",
        "单一事实",
        "跨文章",
        "75.0%",
        "没有证据的题：s",
    ):
        assert words in text
    assert "没有证据的题：无" in render(measure_retrieval(search, CASES[:1]))


def test_a_set_without_answerable_questions_can_not_be_measured() -> None:
    with pytest.raises(UsageError, match="没有可回答的题"):
        measure_retrieval(search, CASES[-1:])


# --- ranks ------------------------------------------------------------


def test_articles_are_ranked_once_each_however_many_of_their_passages_are_found() -> None:
    def of(title: str, file: str) -> Chunk:
        return Chunk(Article(id=title, issue=Issue(file=file), title=title, text="文"), 0, 1)

    found = [of("甲", "a.txt"), of("甲", "a.txt"), of("乙 （一）", "卷/a.txt"), of("丙", "b.txt")]
    assert rank_of_article(Source("a.txt", "乙（一）", "无"), found) == 2
    assert rank_of_article(Source("a.txt", "丙", "无"), found) is None


def test_ndcg_of_ranks_by_its_formula() -> None:
    # One relevant passage at rank 3: 1/log2(4). Two, at 1 and 3, of an ideal 1 and 2.
    assert ndcg([[3]], 10) == pytest.approx(1 / log2(4))
    assert ndcg([[1, 3]], 10) == pytest.approx((1 + 1 / log2(4)) / (1 + 1 / log2(3)))
    # One found at rank 1, one not found at all; and two sources in the one passage that is found.
    assert ndcg([[1, None]], 10) == pytest.approx(1 / (1 + 1 / log2(3)))
    assert ndcg([[1, 1]], 10) == pytest.approx(1.0)
    assert ndcg([[11]], 10) == ndcg([[None]], 10) == ndcg([], 10) == 0.0
    assert ndcg([[1], [None]], 10) == pytest.approx(0.5)


def test_the_scores_of_a_leg_over_three_cases() -> None:
    # First ranks 1, 4, none; recall@5 1, 1/2, 0; recall@10 1, 1, 0.
    scores = leg_scores([[1], [4, 8], [None]])
    assert {name: round(value, 4) for name, value in scores.items() if name != "ndcg@10"} == {
        "hit@1": round(1 / 3, 4),
        "hit@3": round(1 / 3, 4),
        "hit@5": round(2 / 3, 4),
        "hit@10": round(2 / 3, 4),
        "recall@5": round(1.5 / 3, 4),
        "recall@10": round(2 / 3, 4),
        "mrr": round((1 + 1 / 4) / 3, 4),
    }
    second = (1 / log2(5) + 1 / log2(9)) / (1 + 1 / log2(3))
    assert scores["ndcg@10"] == pytest.approx((1 + second) / 3)


def test_evidence_hits_are_those_of_the_best_source_and_none_where_nothing_was_searched() -> None:
    hits = {"evidence_hit@1": 0.0, "evidence_hit@3": 1.0, "evidence_hit@5": 1.0, "evidence_hit@10": 1.0}
    assert evidence_hits([None, 2]) == hits
    assert set(evidence_hits([]).values()) == {None}


# --- facts ------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "text"),
    [
        ("7%", "降到７％。"),
        ("39间", "建成 39\n间全数字化手术室"),
        ("2000", "有2000余家"),
        ("2000", "2025年，2000家"),
        ("12000", "共12,000人"),
        ("1,200", "1200张床"),
        ("6.7", "均值6.7。"),
        ("50%", "30%-50%"),
        ("926.9亿", "规模**926.9亿**元[1]。"),
        ("2000余家", "1. 2000余家"),
        ("2000余家", "①2000余家"),
        ("DRG", "按drg付费"),
        ("三家", "有三家医院"),
        ("39间，面积", "39间[12]，面积"),
    ],
)
def test_a_fact_is_said_whatever_its_width_spacing_commas_and_marks(spelling: str, text: str) -> None:
    assert said(spelling, text)


@pytest.mark.parametrize(
    ("spelling", "text"),
    [
        ("7%", "97%"),
        ("7%", "6.7%"),
        ("39间", "139间"),
        ("2000", "12000"),
        ("2000", "20001"),
        ("2000", "12,000"),
        ("6.7", "6.74天"),
        ("6.7", "16.7"),
        ("25", "2025年"),
        ("5", "2.5"),
        ("三家", "十三家"),
        ("二十", "二十五家"),
        ("1", "有依据[1]"),
        ("39间", "共3 9间"),
        (" ", "什么都有"),
        ("2000", ""),
    ],
)
def test_a_number_within_a_longer_number_is_another_number(spelling: str, text: str) -> None:
    assert not said(spelling, text)


# --- answers ------------------------------------------------------------


def cited(number: int, quote: str, *, file: str = "卷/a.txt", title: str = "题", text: str | None = None) -> Record:
    return {
        "number": number,
        "file": file,
        "title": title,
        "section": "福建",
        "quote": quote,
        "text": f"前文。{quote}后文。" if text is None else text,
    }


def answer(text: str, *citations: Record, refused: bool = False, sentences: Sequence[Record] | None = None) -> Record:
    whole = [{"text": text, "citations": [c["number"] for c in citations], "support": "full"}]
    return {
        "answer": text,
        "refused": refused,
        "citations": list(citations),
        "sentences": whole if sentences is None else list(sentences),
    }


ASKED = Case(
    "x",
    "factoid",
    "问",
    (),
    (("39间", "三十九间"), ("2000家",)),
    ("1500亿",),
    (Source("a.txt", "题", "建成39间手术室"), Source("b.txt", "另 题", "接入2000家机构")),
    True,
)
UNKNOWN = Case("u", "unanswerable", "问", (), (), (), (), False)
REFUSAL = answer("资料中未找到。", refused=True, sentences=())


def scores(case_: Case, record: Record) -> Mapping[str, float | None]:
    return answer_scores(case_, record)


def test_an_answer_with_all_facts_and_both_articles_is_wholly_right() -> None:
    right = answer(
        "三十九间，2000家。",
        cited(1, "建成 39 间手术室"),
        cited(2, "接入2000家", file="b.txt", title="另题"),
    )
    assert scores(ASKED, right) == {
        "key_facts": 1.0,
        "fully_correct": 1.0,
        "wrong_fact": 0.0,
        "citation_recall": 1.0,
        "citation_precision": 1.0,
        "evidence_cited": 1.0,
        "dead_link": 0.0,
        "uncited_sentence": 0.0,
        "refused": 0.0,
        "false_answer": None,
        "false_refusal": 0.0,
        "numbers_grounded": 1.0,
        "names_grounded": None,
    }


def test_an_answer_with_half_the_facts_another_article_and_a_wrong_fact_loses_each_of_them() -> None:
    half = answer(
        "共139间，北京和福建有2000家，投入1500亿。",
        cited(1, "建成手术室39间"),
        cited(2, "接入2000家", file="c.txt", text="别处的话"),
        sentences=(
            {"text": "共139间，北京和福建有2000家，投入1500亿[1]。", "citations": [1, 2], "support": "partial"},
            {"text": "没有出处。", "citations": [], "support": "none"},
        ),
    )
    found = scores(ASKED, half)
    assert found["key_facts"] == 0.5
    assert found["fully_correct"] == 0.0
    assert found["wrong_fact"] == 1.0
    assert found["citation_recall"] == 0.5
    assert found["citation_precision"] == 0.5
    assert found["evidence_cited"] == 0.0
    assert found["dead_link"] == 0.5
    assert found["uncited_sentence"] == 0.5
    # 139 and 1500亿 are in no cited text, 2000 is; 福建 is the cited section, 北京 is nowhere.
    assert found["numbers_grounded"] == pytest.approx(1 / 3)
    assert found["names_grounded"] == 0.5


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("2025年2月11日有39间。", 1.0),
        ("截至2025-02-11有39间。", 1.0),
        ("2025 年 02 月 11 日报道39间。", 1.0),
        ("2025年2月发布的动态说有39间。", 1.0),
        ("2025年3月有39间。", 2 / 3),  # the month is another one
        ("11家有39间。", 0.5),  # the day of a date is no count
        ("2024年2月有39间。", 2 / 3),
        ("12月有39间。", 0.5),
        ("2025-02-112有39间。", 0.25),  # 2025, 02 and 112 stand nowhere
    ],
)
def test_numbers_of_the_cited_issues_date_are_grounded_where_they_are_said_as_a_date(text: str, share: float) -> None:
    dated = {**cited(1, "建成39间手术室"), "date": "2025-02-11"}
    assert metrics.numbers_grounded(ASKED, answer(text, dated)) == pytest.approx(share)


def test_an_issue_without_a_date_grounds_no_date() -> None:
    undated = {**cited(1, "建成39间手术室"), "date": None}
    assert metrics.numbers_grounded(ASKED, answer("2025年有39间。", undated)) == 0.5


def test_all_facts_with_a_wrong_one_beside_them_are_not_fully_correct() -> None:
    assert metrics.fully_correct(ASKED, answer("39间，2000家")) == 1.0
    assert metrics.fully_correct(ASKED, answer("39间，2000家，1500亿")) == 0.0
    assert metrics.fully_correct(ASKED, answer("39间，2000家", refused=True)) == 0.0


def test_a_cut_quote_is_cited_where_six_tenths_of_it_stand_in_the_cited_passage_of_the_same_file() -> None:
    one = case("y", "一二三四五六七八九十")
    assert metrics.evidence_cited(one, answer("答", cited(1, "甲", text="一二三四五六"))) == 1.0
    assert metrics.evidence_cited(one, answer("答", cited(1, "甲", text="一二三四五"))) == 0.0
    assert metrics.evidence_cited(one, answer("答", cited(1, "甲", text="一二三四五六", file="z.txt"))) == 0.0


def test_a_refusal_of_an_answerable_question_is_false_and_has_no_precision() -> None:
    found = scores(ASKED, REFUSAL)
    assert (found["refused"], found["false_refusal"], found["false_answer"]) == (1.0, 1.0, None)
    assert (found["key_facts"], found["fully_correct"], found["citation_recall"]) == (0.0, 0.0, 0.0)
    assert found["citation_precision"] is found["dead_link"] is found["uncited_sentence"] is None
    assert found["numbers_grounded"] is found["names_grounded"] is None


def test_an_unanswerable_question_is_judged_by_refusal_alone() -> None:
    assert {name: value for name, value in scores(UNKNOWN, REFUSAL).items() if value is not None} == {
        "refused": 1.0,
        "false_answer": 0.0,
    }
    invented = scores(UNKNOWN, answer("有8家。", cited(1, "有8家")))
    assert (invented["false_answer"], invented["refused"]) == (1.0, 0.0)
    assert invented["citation_precision"] is invented["fully_correct"] is None


def test_an_answer_without_citations_has_precision_zero_and_a_failed_question_no_score() -> None:
    assert metrics.citation_precision(ASKED, answer("39间")) == 0.0
    assert answer_scores(ASKED, None) == dict.fromkeys(ANSWER_SCORES)


def test_estimates_leave_out_cases_to_which_a_score_does_not_apply() -> None:
    found = estimates([{"a": 1.0, "b": None}, {"a": 0.0, "b": None}, {"a": None, "b": None}])
    assert set(found) == {"a"}
    assert (found["a"]["value"], found["a"]["n"]) == (0.5, 2)
    assert found["a"]["low"] <= 0.5 <= found["a"]["high"]


def test_percentiles_of_one_to_a_hundred_seconds() -> None:
    # Linear between neighbours: 1 + 0.5 * 99 and 1 + 0.95 * 99.
    assert percentiles(range(1, 101)) == {"p50": pytest.approx(50.5), "p95": pytest.approx(95.05)}
