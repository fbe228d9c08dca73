"""Comparing two runs written by hand: who wins, what changed, when it is significant, and what can't be compared."""

from pathlib import Path
from typing import Any

import pytest

from eval import compare
from rag.errors import UsageError
from tests.eval.run_folders import CITED, QUOTE, REFUSED, RIGHT, ROWS, SETTINGS, WRONG, answered, row, write_run
from tests.eval.test_report import hostile, read_page

GOOD = answered("有2000余家[1]。")
HALF = {**RIGHT, "fully_correct": 0.0, "key_facts": 0.5}


def scored(values: list[float], name: str = "fully_correct") -> tuple[dict[str, Any], ...]:
    return tuple(row(f"q{i:02}", GOOD, {name: value}) for i, value in enumerate(values))


def of(
    tmp_path: Path, a: tuple[dict[str, Any], ...], b: tuple[dict[str, Any], ...], **about: Any
) -> compare.Comparison:
    return compare.compare(write_run(tmp_path / "before", a), write_run(tmp_path / "after", b, **about))


def test_wins_losses_and_ties_are_counted_question_by_question(tmp_path: Path) -> None:
    before = (row("q1", GOOD, RIGHT), row("q2", GOOD, WRONG), row("q3", GOOD, RIGHT), row("q4", GOOD, RIGHT))
    after = (row("q1", GOOD, RIGHT), row("q2", GOOD, RIGHT), row("q3", GOOD, HALF), row("q9", GOOD, RIGHT))
    c = of(tmp_path, before, after)
    correct, facts = c.deltas["fully_correct"], c.deltas["key_facts"]
    assert (correct.wins, correct.losses, correct.ties, correct.n) == (("q2",), ("q3",), 1, 3)
    assert [correct.a, correct.b, correct.delta] == pytest.approx([2 / 3, 2 / 3, 0.0])
    assert (facts.wins, facts.losses, facts.ties) == (("q2",), ("q3",), 1)
    assert facts.delta == pytest.approx((0 + 1 - 0.5) / 3)
    assert (c.only_a, c.only_b) == (("q4",), ("q9",))
    assert not c.significant_loss


def test_where_less_is_better_a_fall_is_a_win(tmp_path: Path) -> None:
    c = of(tmp_path, scored([1.0, 0.0], "wrong_fact"), scored([0.0, 0.0], "wrong_fact"))
    assert (c.deltas["wrong_fact"].wins, c.deltas["wrong_fact"].losses) == (("q00",), ())


def test_scores_that_a_question_has_in_one_run_alone_are_not_compared(tmp_path: Path) -> None:
    before = (row("q1", GOOD, {"numbers_grounded": 1.0}), row("q2", GOOD, {"numbers_grounded": None}))
    after = (row("q1", GOOD, {"numbers_grounded": 0.5}), row("q2", GOOD, {"numbers_grounded": 1.0}))
    assert of(tmp_path, before, after).deltas["numbers_grounded"].n == 1


def test_a_loss_is_significant_only_where_the_whole_interval_is_below_zero(tmp_path: Path) -> None:
    twenty = [1.0] * 20
    one_worse = of(tmp_path, scored(twenty), scored([0.0, *twenty[1:]]))
    assert not one_worse.significant_loss  # a draw without that question has no difference
    assert "看不出显著差别" in compare.conclusion(one_worse)
    ten_worse = of(tmp_path, scored(twenty), scored([0.0] * 10 + [1.0] * 10))
    assert ten_worse.significant_loss
    assert "变差了：完全答对显著下降" in compare.conclusion(ten_worse)
    ten_better = of(tmp_path, scored([0.0] * 10 + [1.0] * 10), scored(twenty))
    assert not ten_better.significant_loss
    assert "变好了：完全答对显著上升" in compare.conclusion(ten_better)


@pytest.mark.parametrize(
    ("name", "is_loss"), [("key_facts", True), ("evidence_hit@5", True), ("citation_recall", False)]
)
def test_only_the_main_metrics_make_a_significant_loss(tmp_path: Path, name: str, is_loss: bool) -> None:
    c = of(tmp_path, scored([1.0] * 20, name), scored([0.0] * 20, name))
    assert c.significant_loss is is_loss
    assert (c.deltas[name].low, c.deltas[name].high) == (-1.0, -1.0)


def test_the_interval_is_that_of_paired_differences_and_the_same_every_time() -> None:
    differences = [-1.0] * 5 + [0.0] * 95  # mean -0.05; draws are binomial, 0.05 ± 1.96 * 0.0218
    low, high = compare.paired_interval(differences)
    assert low == pytest.approx(-0.093, abs=0.008)
    assert high == pytest.approx(-0.007, abs=0.008)
    assert compare.paired_interval(differences) == (low, high)


def test_a_question_that_failed_in_one_run_counts_as_lost_there(tmp_path: Path) -> None:
    nothing: dict[str, float | None] = {
        "fully_correct": None,
        "key_facts": None,
        "evidence_hit@5": None,
        "citation_recall": None,
    }
    failed = tuple(row(f"q{i:02}", None, nothing, error="接口没有响应") for i in range(20))
    both = {**RIGHT, "citation_recall": 1.0}
    good = tuple(row(f"q{i:02}", GOOD, both) for i in range(20))
    c = of(tmp_path, good, failed)
    assert c.deltas["fully_correct"].delta == -1.0
    assert "citation_recall" not in c.deltas
    assert c.significant_loss
    assert "after 有 20 题出错，答对、要点、命中按 0 计" in compare.render(c)


def test_few_questions_are_said_to_be_few(tmp_path: Path) -> None:
    assert "只有 2 题，区间不可靠" in compare.conclusion(of(tmp_path, scored([1.0, 1.0]), scored([1.0, 0.0])))


def test_changed_citations_and_refusals_are_found(tmp_path: Path) -> None:
    other = answered("有2000余家[1]。", citations=[{**CITED, "quote": "别的一句"}])
    spaced = answered("有2000余家[1]。", citations=[{**CITED, "quote": QUOTE.replace("，", "， ")}, CITED])
    before = (row("q1", GOOD, RIGHT), row("q2", GOOD, RIGHT), row("q3", GOOD, RIGHT), row("q4", GOOD, RIGHT))
    after = (row("q1", other, RIGHT), row("q2", REFUSED, WRONG), row("q3", spaced, RIGHT), row("q4", GOOD, RIGHT))
    c = of(tmp_path, before, after)
    assert [pair.id for pair in c.citations] == ["q1", "q2"]
    assert c.citations[0].cited_before == (f"《国家出手！回款大提速》{QUOTE}",)
    assert c.citations[0].cited_now == ("《国家出手！回款大提速》别的一句",)
    assert [pair.id for pair in c.refusals] == ["q2"]


def test_settings_model_and_index_that_differ_are_named(tmp_path: Path) -> None:
    changed = {**SETTINGS, "passages": 6, "new": True}
    c = of(tmp_path, ROWS, ROWS, settings=changed, model="qwen3", index_version="v2")
    assert c.settings == (
        ("模型", "qwen", "qwen3"),
        ("索引版本", "v1", "v2"),
        ("passages", "8", "6"),
        ("new", "—", "True"),
    )
    assert of(tmp_path, ROWS, ROWS).settings == ()


def test_the_terminal_shows_differences_changes_and_a_conclusion(tmp_path: Path) -> None:
    before = (row("q1", GOOD, RIGHT), row("q2", GOOD, RIGHT))
    after = (row("q1", GOOD, RIGHT), row("q2", REFUSED, WRONG))
    text = compare.render(of(tmp_path, before, after, settings={**SETTINGS, "passages": 6}))
    for shown in (
        "完全答对",
        "-50.0",
        "完全答对 胜：无",
        "完全答对 负：q2",
        "拒答变化：q2 已回答 → 资料中未找到",
        "引用变化：q2",
        "设置不同：passages：8 → 6",
        "结论：",
    ):
        assert shown in text


def test_the_page_opens_offline_shows_both_answers_and_escapes_them(tmp_path: Path) -> None:
    before = tuple(hostile(one) for one in (row("q1", GOOD, RIGHT), row("q2", GOOD, RIGHT)))
    after = tuple(hostile(one) for one in (row("q1", REFUSED, WRONG), row("q2", GOOD, RIGHT)))
    c = of(tmp_path, before, after, model=hostile("m"))
    path = compare.write_html(c, tmp_path / "diff.html")
    page = read_page(path)
    assert path == tmp_path / "diff.html"
    assert "img" not in page.tags
    for shown in ("两次评测的比较", "有2000余家", "资料中未找到。", "没有说到", "完全答对 负", "只有这边引用"):
        assert shown in page.text
    html = path.read_text(encoding="utf-8")
    assert "https://" not in html
    assert "default-src 'none'" in html
    assert page.text.count("有2000余家[1]。") == 1  # q2 did not change and is not shown


def test_an_unfinished_run_is_compared_as_far_as_it_goes(tmp_path: Path) -> None:
    c = of(tmp_path, ROWS, ROWS[:2], finished=None)
    assert len(c.pairs) == 2
    text = compare.render(c)
    assert "注意：after：评测还没有跑完" in text
    assert "注意：2 题只在 before 里有，没有比较" in text
    assert "评测还没有跑完" in read_page(compare.write_html(c, tmp_path / "diff.html")).text


def test_runs_of_retrieval_alone_are_compared_by_evidence(tmp_path: Path) -> None:
    before = (row("q1", None, {"evidence_hit@5": 1.0}),)
    after = (row("q1", None, {"evidence_hit@5": 0.0}),)
    c = of(tmp_path, before, after, only="retrieval")
    assert c.deltas["evidence_hit@5"].losses == ("q1",)
    assert (c.citations, c.refusals) == ((), ())
    assert "前 5 段里没有证据" in read_page(compare.write_html(c, tmp_path / "diff.html")).text


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"dataset_sha256": "cd" * 32}, "题集不同或改动过"),
        ({"dataset_sha256": "", "dataset": "other.jsonl"}, "题集不同或改动过"),
        ({"split": "test"}, "范围不同（dev，test）"),
        ({"split": None}, "范围不同（dev，全部）"),
    ],
)
def test_runs_of_different_questions_are_refused(tmp_path: Path, about: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        of(tmp_path, ROWS, ROWS, **about)


def test_runs_without_a_common_question_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="before 和 after 没有共同的题"):
        of(tmp_path, ROWS[:1], ROWS[1:])


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="找不到评测结果文件夹"):
        compare.compare(write_run(tmp_path / "a"), tmp_path / "b")
