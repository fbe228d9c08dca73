"""Retrieval metrics and the report against examples counted by hand."""

from collections.abc import Sequence

import pytest

from eval.cases import Case, CaseType, Source
from eval.metrics import first, hit, interval, mrr, rank_of_source
from eval.run import measure_retrieval, render
from rag.errors import UsageError
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


def test_the_interval_holds_the_mean_repeats_itself_and_closes_where_nothing_varies() -> None:
    values = [1.0] * 30 + [0.0] * 10
    low, high = interval(values)
    # Normal approximation: 0.75 ± 1.96 * sqrt(0.75 * 0.25 / 40) = 0.616 to 0.884
    assert low == pytest.approx(0.616, abs=0.04)
    assert high == pytest.approx(0.884, abs=0.04)
    assert interval(values) == (low, high)
    assert interval([1.0, 1.0]) == (1.0, 1.0)


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
