"""Fits the thresholds of refusing and of support to a finished run on development questions.

Refusing before an LLM is asked: the evidence of answerable and of unanswerable questions is compared. Support: the
sentences of right answers are held against the evidence of their own question and, as a foil, of another one. Runs on
test questions are not accepted. Weights of the reranker are learned in `eval.fitting`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from eval.cases import Case
from eval.fitting import replace_table
from eval.retrieval import as_text
from eval.runs import Row, Run
from rag.answer.assistant import Part
from rag.errors import UsageError
from rag.settings import Thresholds

if TYPE_CHECKING:
    from rag.answer.assistant import Assistant

KEPT = 0.99
"""Share of the answerable questions and of the right sentences that a threshold must let through."""
FULL = 0.9
"""Share of the right sentences that are shown as fully supported."""
_GRID = np.round(np.arange(0.05, 0.95, 0.05), 2)
_SCORES = np.round(np.arange(0.05, 3.0, 0.05), 2)


@dataclass(frozen=True, slots=True)
class Signals:
    """What thresholds are fitted to: (coverage, score) of questions, and shares of right sentences."""

    answerable: tuple[tuple[float, float], ...]
    unanswerable: tuple[tuple[float, float], ...]
    own: tuple[float, ...]
    foreign: tuple[float, ...]
    """The same sentences held against the evidence of another article."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Fitted thresholds and what they do to the questions and sentences that they were fitted to."""

    thresholds: Thresholds
    refused_answerable: float
    refused_unanswerable: float
    own_carried: float
    foreign_carried: float
    own_full: float
    questions: int
    sentences: int


def signals(
    run: Run, foils: Sequence[Case], assistant: Assistant, progress: Callable[[str, int, int], None]
) -> Signals:
    """Search for the questions of a run again and align the sentences of its right answers; no LLM is asked.

    `foils` are questions on other matters: the unanswerable ones of a run are near misses, which no threshold sees.

    Raises `UsageError` where the run is not one of answered development questions.
    """
    if run.info.split == "test":
        raise UsageError("这是 test 题的评测，不能用来定界线", "请用 --split dev 的评测结果")
    rows = [row for row in run.rows if row.answer]
    parts = []
    for n, row in enumerate(rows):
        progress("检索", n, len(rows))
        parts.append(assistant.parts(row.question, row.history))
    progress("检索", len(rows), len(rows))
    right = [n for n, row in enumerate(rows) if row.scores.get("fully_correct")]
    if not right or all(row.answerable for row in rows):
        raise UsageError("这次评测里没有答对的题，或没有资料中没有答案的题", "请用完整的 --split dev 评测结果")
    own, foreign = [], []
    for n in right:
        other = next(m % len(rows) for m in range(n + 1, n + len(rows)) if _apart(rows[n], rows[m % len(rows)]))
        own += _shares(assistant, rows[n], parts[n])
        foreign += _shares(assistant, rows[n], parts[other])
    others = [assistant.parts(case.question) for case in foils]
    by_kind = ([(p.reading.coverage, p.score) for p in ps] for ps in parts)
    kinds = [(row.answerable, max(pairs)) for row, pairs in zip(rows, by_kind, strict=True)]
    return Signals(
        tuple(pair for answerable, pair in kinds if answerable),
        tuple(pair for answerable, pair in kinds if not answerable)
        + tuple(max((p.reading.coverage, p.score) for p in ps) for ps in others),
        tuple(own),
        tuple(foreign),
    )


def calibrate(found: Signals) -> Calibration:
    """Choose the thresholds that refuse and reject most of what they should, and lose at most 1 % of the rest.

    From `full` on a sentence stands as the better nine tenths of the right ones do; below it, it is shown as partly
    supported.
    """
    pairs = [(c, s) for c in _GRID for s in _SCORES if _refused(found.answerable, c, s) <= 1 - KEPT]
    coverage, score = max(pairs, key=lambda pair: (_refused(found.unanswerable, *pair), -pair[0], -pair[1]))
    own, foreign = np.array(found.own), np.array(found.foreign)
    carried, full = (max((g for g in _GRID if np.mean(own >= g) >= kept), default=_GRID[0]) for kept in (KEPT, FULL))
    limits = Thresholds(coverage=coverage, score=score, carried=carried, full=full)
    return Calibration(
        limits,
        _refused(found.answerable, coverage, score),
        _refused(found.unanswerable, coverage, score),
        float(np.mean(own >= limits.carried)),
        float(np.mean(foreign >= limits.carried)),
        float(np.mean(own >= limits.full)),
        len(found.answerable) + len(found.unanswerable),
        len(found.own),
    )


def render(result: Calibration) -> str:
    """Return the thresholds and what they do, as a table of text."""
    t = result.thresholds
    table = Table(title=f"界线（{result.questions} 题，{result.sentences} 句）")
    for heading in ("界线", "值", "效果"):
        table.add_column(heading)
    refused = f"可答的题误拒 {result.refused_answerable:.1%}，资料中没有的题先拒 {result.refused_unanswerable:.1%}"
    table.add_row("coverage，score", f"{t.coverage:.2f}，{t.score:.2f}", refused)
    kept = f"答对的句子 {result.own_carried:.1%} 有依据；换成别题的资料 {result.foreign_carried:.1%}"
    table.add_row("carried", f"{t.carried:.2f}", kept)
    table.add_row("full", f"{t.full:.2f}", f"答对的句子 {result.own_full:.1%} 依据完整")
    return as_text(table)


def write(path: Path, result: Calibration, command: str) -> None:
    """Put the thresholds into the calibration file with date, command and figures; its other tables stay."""
    told = (
        f"可答误拒 {result.refused_answerable:.3f}，应拒先拒 {result.refused_unanswerable:.3f}，"
        f"对句有据 {result.own_carried:.3f}，外来资料有据 {result.foreign_carried:.3f}"
    )
    values = "\n".join(f"{name} = {value:.2f}" for name, value in result.thresholds)
    replace_table(path, "thresholds", f"# {dt.date.today().isoformat()} {command}\n# {told}\n[thresholds]\n{values}")


def _apart(one: Row, other: Row) -> bool:
    """Whether two questions have no source article in common."""
    return not {s.article for s in one.sources} & {s.article for s in other.sources}


def _shares(assistant: Assistant, row: Row, parts: Sequence[Part]) -> list[float]:
    """Of each sentence of the answer, the share that the evidence of the parts holds."""
    passages = [p for part in parts for p in part.reading.passages]
    return [assistant.aligner.align(s.text, passages).share for s in row.answer.sentences] if row.answer else []


def _refused(pairs: Sequence[tuple[float, float]], coverage: float, score: float) -> float:
    """The share of the questions of which both signals lie below the thresholds."""
    return sum(c < coverage and s < score for c, s in pairs) / len(pairs) if pairs else 0.0
