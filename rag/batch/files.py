"""A whole run from a list to a file: checks the target first, tells what has changed, asks, and writes the file."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from rag.batch import output, tables
from rag.batch.engine import Answering, Batch, Progress, Retry
from rag.batch.journal import Changes
from rag.batch.questions import Question, QuestionList, meaning
from rag.errors import WeiceError
from rag.records import Record, answer_record
from rag.schema import Answer

Say = Callable[[str], None]
"""Called with what the user should know, a line each."""
Row = TypeVar("Row", bound=Question)
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What a run did, in rows: answered now, failed, and answered by an earlier run; `target` is the file.

    `same` are rows that share the answer of another row, `fallback` were quoted as the LLM did not answer; where the
    run was stopped, there is no new file.
    """

    total: int
    done: int
    failed: int
    skipped: int
    target: Path
    same: int = 0
    fallback: int = 0
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do: rows, how many meanings they have, how many of those are answered, the first questions."""

    total: int
    distinct: int
    answered: int
    first: tuple[str, ...]


def batch_path(folder: Path, target: Path) -> Path:
    """Return where in `folder` the journal of the batch stands that writes `target`."""
    name = hashlib.sha256(str(target.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return folder / f"{name}.db"


def run_batch(
    questions: QuestionList,
    target: Path,
    answering: Answering,
    *,
    folder: Path,
    workers: int = 1,
    limit: int | None = None,
    retry: Retry | None = None,
    progress: Progress = lambda *_: None,
    say: Say = lambda _: None,
    stop: threading.Event | None = None,
) -> BatchReport:
    """Answer `questions` into `target`; the journal stands in `folder` and outlives the run.

    Raises `UsageError` where list or target are wrong, `StorageError` where journal or target can't be written.
    """
    for warning in (output.check_target(target, questions.path), _lost(questions, target)):
        if warning:
            say(warning)
    with Batch(batch_path(folder, target)) as batch, batch.alone():
        for line in _told(batch.create(questions, answering.settings)):
            say(line)
        output.check_rows(target, min(batch.status().counts.total, limit or sys.maxsize))
        outcome = batch.run(answering, workers=workers, limit=limit, retry=retry, progress=progress, stop=stop)
        if not outcome.stopped:
            output.write(target, batch.records(), questions, batch.most_citations())
    return BatchReport(
        total=outcome.total,
        done=outcome.done,
        failed=outcome.failed,
        skipped=outcome.skipped,
        target=target,
        same=outcome.same,
        fallback=outcome.fallback,
        stopped=outcome.stopped,
    )


def plan_batch(
    questions: QuestionList, target: Path, answering: Answering, *, folder: Path, limit: int | None = None
) -> Plan:
    """Tell what `run_batch` would do; nothing is asked or written."""
    output.check_target(target, questions.path)
    rows = 0
    keys: set[str] = set()
    first: list[str] = []
    for row in islice(questions, limit):
        rows += 1
        keys.add(meaning(row))
        if len(first) < _SHOWN:
            first.append(row.question)
    output.check_rows(target, rows)
    path = batch_path(folder, target)
    answered = 0
    if path.is_file():
        with Batch(path) as batch:
            answered = batch.answered(keys, answering.settings)
    return Plan(rows, len(keys), answered, tuple(first))


def answer_all(
    questions: Sequence[Row],
    target: Path,
    ask: Callable[[Row], Answer],
    *,
    folder: Path,
    settings: str,
    progress: Progress = lambda *_: None,
) -> BatchReport:
    """Answer `questions`, of whatever kind, into the JSON lines file `target`, in their order; none are the same.

    `settings` is a fingerprint of what else shapes answers. A row that fails becomes a line with `error`.
    """
    output.check_target(target)
    rows = {row.id: row for row in questions}
    answering = Answering.plain(lambda row: ask(rows[row.id]), settings)
    with Batch(batch_path(folder, target)) as batch, batch.alone():
        batch.create(questions, answering.settings, key=lambda row: repr(rows[row.id]))
        outcome = batch.run(answering, progress=progress)
        output.write(target, batch.records(), None)
    return BatchReport(outcome.total, outcome.done, outcome.failed, outcome.skipped, target)


def answered_row(row: Row, ask: Callable[[Row], Answer]) -> Record:
    """Return the answer to one row, or what went wrong with it under `error`."""
    try:
        return answer_record(ask(row), row.id)
    except WeiceError as error:
        return {"id": row.id, "question": row.question, "error": str(error)}


def _lost(questions: QuestionList, target: Path) -> str:
    """What of a workbook is not kept, where the target is one too."""
    if questions.path.suffix.lower() == target.suffix.lower() == ".xlsx":
        return tables.lost_parts(questions.path)
    return ""


def _told(changes: Changes) -> list[str]:
    """What has changed since the run before, in words for the user."""
    told = []
    if changes.settings:
        named = "；".join(changes.settings[:3]) + ("等" if len(changes.settings) > 3 else "")
        told.append(f"设置与上次不同（{named}），上次的回答不再沿用")
    parts = [f"{what} {count} 个问题" for what, count in (("新增", changes.added), ("去掉", changes.gone)) if count]
    if parts:
        kept = "" if changes.settings else "，其余沿用已有的回答"
        told.append(f"问题文件与上次不同：{'，'.join(parts)}{kept}")
    return told
