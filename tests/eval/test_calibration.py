"""Calibration: thresholds let nearly all through that is right, and stop what they can."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.calibration import Signals, calibrate, write
from eval.fitting import replace_table


def signals(**changes: tuple[object, ...]) -> Signals:
    values: dict[str, tuple[object, ...]] = {
        "answerable": ((0.6, 0.8),) * 99 + ((0.4, 0.75),),
        "unanswerable": ((0.2, 0.5), (0.3, 0.6), (0.7, 0.9)),
        "own": (0.9,) * 100,
        "foreign": (0.1, 0.2, 0.3),
    } | changes
    return Signals(**values)  # type: ignore[arg-type]


def test_questions_whose_evidence_is_far_off_are_refused_and_the_answerable_ones_are_not() -> None:
    found = calibrate(signals())
    assert found.refused_answerable == 0
    assert found.refused_unanswerable == pytest.approx(2 / 3)  # the third is near in every way
    assert 0.3 < found.thresholds.coverage <= 0.6


def test_where_both_kinds_look_alike_nobody_is_refused_beforehand() -> None:
    found = calibrate(signals(unanswerable=((0.6, 0.8), (0.7, 0.8))))
    assert (found.refused_answerable, found.refused_unanswerable) == (0, 0)


def test_right_sentences_stay_carried_and_nine_tenths_of_them_fully() -> None:
    found = calibrate(signals(own=(0.52,) * 5 + (0.72,) * 5 + (0.9,) * 90, foreign=(0.1,) * 98 + (0.62,) * 2))
    assert found.thresholds.carried == pytest.approx(0.5)
    assert found.foreign_carried == pytest.approx(0.02)
    assert found.thresholds.full == pytest.approx(0.9)
    assert (found.own_carried, found.own_full) == (1.0, pytest.approx(0.9))


def test_a_table_is_replaced_with_its_comments_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "calibration.toml"
    path.write_text("# old\n[ranker]\nfused = 1.0\n\n# older\n[thresholds]\nfull = 0.1\n", encoding="utf-8")
    replace_table(path, "ranker", "# new\n[ranker]\nfused = 2.0")
    assert path.read_text(encoding="utf-8") == "# older\n[thresholds]\nfull = 0.1\n\n# new\n[ranker]\nfused = 2.0\n"
    write(path, calibrate(signals()), "weice eval calibrate dev")
    written = path.read_text(encoding="utf-8")
    assert written.startswith("# new\n[ranker]")
    assert "full = 0.1\n" not in written
    assert "weice eval calibrate dev" in written
