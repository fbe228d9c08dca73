"""Thresholds in a file against the figures of a run written by hand: what passes, what fails, what is refused."""

from pathlib import Path

import pytest

from eval import gate
from rag.errors import UsageError
from tests.eval.run_folders import ROWS, row, write_run, write_summary

CI = Path(__file__).resolve().parents[2] / "eval" / "thresholds.toml"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_summary(write_run(tmp_path / "r"))


def limits(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "limits.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_run_that_reaches_every_threshold_passes(run: Path, tmp_path: Path) -> None:
    text = """
        [min]
        fully_correct = 0.33
        "hit@5" = 0.92
        mrr = 0.8
        [max]
        "latency.total_s.p50" = 8
        latency.total_s.p95 = 12.5
    """
    assert gate.check(run, limits(tmp_path, text)) == ()


def test_every_missed_threshold_is_named_with_its_figure(run: Path, tmp_path: Path) -> None:
    text = '[min]\n"hit@5" = 0.95\n"hit@10" = 0.95\n[max]\n"latency.total_s.p50" = 7.5\n'
    assert gate.check(run, limits(tmp_path, text)) == (
        "hit@5 为 0.92，低于门槛 0.95",
        "latency.total_s.p50 为 8，高于门槛 7.5",
    )


def test_hit_means_the_whole_retrieval_not_a_leg_of_it(run: Path, tmp_path: Path) -> None:
    assert gate.check(run, limits(tmp_path, '[min]\n"hit@5" = 0.99\n'))  # words alone has 1.0


@pytest.mark.parametrize("name", ["hit@7", "fully_corect", "latency.total_s.p99", "false_answer"])
def test_a_figure_that_the_run_does_not_have_is_refused_with_those_it_has(
    run: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match=rf"{name} 这次评测没有.*有的指标：fully_correct、"):
        gate.check(run, limits(tmp_path, f'[min]\n"{name}" = 0.5\n'))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[min", "读不出来"),
        ("", "没有门槛"),
        ("[min]\n", "没有门槛"),
        ('[least]\n"hit@5" = 0.9\n', "不认识 least"),
        ("min = 0.9\n", "不认识 min"),
        ('[min]\n"hit@5" = "0.9"\n', "hit@5 的值不是数"),
        ('[min]\n"hit@5" = true\n', "hit@5 的值不是数"),
        ('[min]\n"hit@5" = nan\n', "hit@5 的值不是数"),
    ],
)
def test_a_file_of_thresholds_that_makes_no_sense_is_refused(run: Path, tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        gate.check(run, limits(tmp_path, text))


def test_a_missing_file_of_thresholds_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere.toml 读不出来"):
        gate.check(run, tmp_path / "nowhere.toml")


def test_an_unfinished_run_never_passes_however_good(tmp_path: Path) -> None:
    folder = write_summary(write_run(tmp_path / "r", finished=None))
    (missed,) = gate.check(folder, limits(tmp_path, '[min]\n"hit@5" = 0.1\n'))
    assert missed.startswith("评测不完整：评测还没有跑完")
    empty = write_run(tmp_path / "empty", (), finished=None)
    assert gate.check(empty, limits(tmp_path, '[min]\n"hit@5" = 0.1\n'))


def test_a_run_with_failed_questions_never_passes(tmp_path: Path) -> None:
    folder = write_summary(write_run(tmp_path / "r", (*ROWS, row("q5", None, {}, error="坏了"))), n=5)
    assert gate.check(folder, limits(tmp_path, '[min]\n"hit@5" = 0.1\n')) == ("1 题出错：q5",)


def test_the_thresholds_of_ci_hold_retrieval_to_78_and_95_and_98_percent(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "r")
    good = {"reranked": {"hit@1": 0.78, "hit@5": 0.95, "hit@10": 0.98}}
    assert gate.check(write_summary(folder, legs=good), CI) == ()
    poor = {"reranked": {"hit@1": 0.77, "hit@5": 0.94, "hit@10": 0.97}}
    assert gate.check(write_summary(folder, legs=poor), CI) == (
        "hit@1 为 0.77，低于门槛 0.78",
        "hit@5 为 0.94，低于门槛 0.95",
        "hit@10 为 0.97，低于门槛 0.98",
    )
