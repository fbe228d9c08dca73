"""Run folders written by hand: what is read of them, their figures counted by hand, and what a damaged one says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eval.runs import read_row, read_run, summarise
from rag.errors import UsageError
from tests.eval.run_folders import REFUSED, RIGHT, ROWS, WRONG, answered, row, write_run, write_summary


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_summary(write_run(tmp_path / "newsletters-dev-20261122-012000"))


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "right"),
        ({"scores": {**RIGHT, "fully_correct": 0.0, "key_facts": 0.5}}, "part"),
        ({"scores": {**RIGHT, "fully_correct": 0.0, "key_facts": 0.5, "wrong_fact": 1.0}}, "wrong"),
        ({"scores": WRONG}, "wrong"),
        ({"answerable": False, "answer": REFUSED}, "right"),
        ({"answerable": False}, "wrong"),
        ({"answer": None, "error": "接口没有响应"}, "error"),
        ({"answer": None, "scores": {"evidence_hit@5": 1.0}}, "right"),
        ({"answer": None, "scores": {"evidence_hit@5": 0.0}}, "wrong"),
        ({"answer": None, "scores": {}}, "none"),
    ],
)
def test_a_question_is_right_only_with_all_facts_or_a_due_refusal(
    tmp_path: Path, changes: dict[str, Any], outcome: str
) -> None:
    folder = write_run(tmp_path / "r", ({**row("q1", answered("有2000余家[1]。"), RIGHT), **changes},))
    assert read_run(folder).rows[0].outcome == outcome


def test_an_unfinished_run_is_read_as_far_as_it_goes_with_the_figures_of_what_is_there(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "r", ROWS, finished=None)
    with (folder / "rows.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "q5", "type": "fact')
    loaded = read_run(folder)
    assert not loaded.finished
    assert loaded.notes == (
        "评测还没有跑完，或中途停了；再运行一次同样的 weice eval run 会接着做完",
        "rows.jsonl 第 5 行读不出来，已略过（不是完整的 JSON）",
    )
    overall = loaded.summary.overall
    assert overall["fully_correct"].value == pytest.approx(1 / 3)
    assert overall["fully_correct"].n == 3
    assert (overall["false_answer"].value, overall["false_answer"].n) == (1.0, 1)
    assert list(loaded.summary.by_type) == ["factoid", "list", "unanswerable"]
    assert loaded.summary.by_article["国家出手！回款大提速"]["fully_correct"].n == 3
    assert loaded.summary.legs["words"]["hit@3"] == 0.0  # rank 4 everywhere
    assert loaded.summary.legs["words"]["hit@5"] == 1.0
    assert loaded.summary.latency["total_s"]["p50"] == 8.0


@pytest.mark.parametrize(
    ("damage", "note"),
    [
        (lambda folder: (folder / "run.json").unlink(), "缺少 run.json"),
        (lambda folder: (folder / "run.json").write_text("{"), "run.json 读不出来（不是完整的 JSON）"),
        (lambda folder: (folder / "run.json").write_bytes(b"\xff\xfe{"), "run.json 读不出来（不是完整的 JSON）"),
        (lambda folder: (folder / "summary.json").unlink(), "缺少 summary.json"),
        (lambda folder: (folder / "summary.json").write_text("[]"), "summary.json 读不出来（不是预期的格式）"),
        (
            lambda folder: (folder / "rows.jsonl").write_text("3\n"),
            "rows.jsonl 第 1 行读不出来，已略过（不是预期的格式）",
        ),
        (lambda folder: (folder / "rows.jsonl").write_text('{"id":"a"}\n'), "已略过（缺少 type）"),
        (lambda folder: write_summary(folder, n=9), "summary.json 记的是 9 题，rows.jsonl 有 4 题"),
    ],
)
def test_a_damaged_file_is_named_and_the_rest_is_still_read(
    run: Path, damage: Callable[[Path], object], note: str
) -> None:
    damage(run)
    assert any(note in said for said in read_run(run).notes)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"找不到评测结果文件夹.*weice eval run"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"不是评测结果：没有 run.json 和 rows.jsonl"):
        read_run(tmp_path)


# --- figures ---------------------------------------------------------------------------------------------------


def test_a_row_that_failed_counts_in_n_and_errors_alone() -> None:
    timings = {"retrieve_s": 0.2, "first_token_s": 0.0, "total_s": 2.0}
    good = row("q1", answered("有2000余家[1]。", timings=timings), {"key_facts": 0.5})
    bad = row("q2", None, {"key_facts": None}, error="坏")
    summary = summarise([read_row(json.dumps(one)) for one in (good, bad)])
    assert (summary.n, summary.errors, summary.overall["key_facts"].n) == (2, 1, 1)
    assert summary.latency == {"total_s": {"p50": 2.0, "p95": 2.0}, "retrieve_s": {"p50": 0.2, "p95": 0.2}}


def test_of_retrieval_alone_the_seconds_are_those_of_the_search() -> None:
    searched = row("q1", None, {"evidence_hit@5": 1.0}, search_s=0.25)
    assert summarise([read_row(json.dumps(searched))]).latency == {"retrieve_s": {"p50": 0.25, "p95": 0.25}}


def test_types_stand_in_the_order_of_a_report_and_unknown_ones_by_name_behind_them() -> None:
    types = ("unanswerable", "z", "list", "b", "factoid")
    rows = [read_row(json.dumps(row(name, None, {"key_facts": 1.0}, type=name))) for name in types]
    assert list(summarise(rows).by_type) == ["factoid", "list", "unanswerable", "b", "z"]


def test_a_question_of_two_articles_counts_for_both_and_ranks_of_articles_are_apart_from_those_of_passages() -> None:
    sources = [{"file": "000.txt", "article": title, "quote": "引文"} for title in ("甲", "乙")]
    both = row("q1", None, {"key_facts": 1.0}, sources=sources, article_ranks={"reranked": [2, None]})
    alone = row("q2", None, {"key_facts": 0.0}, sources=sources[:1], article_ranks={"reranked": [1]})
    summary = summarise([read_row(json.dumps(one)) for one in (both, alone)])
    assert {title: (of["key_facts"].value, of["key_facts"].n) for title, of in summary.by_article.items()} == {
        "甲": (0.5, 2),
        "乙": (1.0, 1),
    }
    assert summary.article_legs["reranked"]["hit@1"] == 0.5
    assert summary.article_legs["reranked"]["recall@5"] == 0.75
    assert summary.legs["reranked"]["hit@1"] == 1.0
