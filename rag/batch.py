"""Batch answering: a list of questions in, a JSON line an answer out, journalled and resumable.

Each answer is appended to a journal beside the target as it is made; the target is swapped in whole when all are
done. Killed at any moment, the next run goes on where the journal ends. Spreadsheets are not read here.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from rag.errors import StorageError, UsageError, WeiceError
from rag.records import Record, answer_record
from rag.schema import Answer, Turn

Progress = Callable[[str, int, int], None]
Ask = Callable[[str, Sequence[Turn]], Answer]


class _Exchange(BaseModel):
    model_config = ConfigDict(extra="ignore")
    user: str
    assistant: str = ""


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)
    id: str | None = None
    question: str
    history: list[_Exchange] = []


@dataclass(frozen=True, slots=True)
class Question:
    """One row of the input."""

    id: str
    question: str
    history: tuple[Turn, ...] = ()


Row = TypeVar("Row", bound=Question)


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What a run did: answered now, failed now, and taken from the journal of an earlier run."""

    total: int
    done: int
    failed: int
    skipped: int
    target: Path


def read_questions(path: Path) -> tuple[Question, ...]:
    """Read `.jsonl` (`{"id","question","history"}` a line) or `.txt` (a question a line).

    Raises `UsageError` naming file, line and field.
    """
    if not path.is_file():
        raise UsageError(f"找不到文件：{path}", "请检查路径")
    if path.suffix.lower() not in {".jsonl", ".txt"}:
        raise UsageError(f"还不支持这种文件：{path.name}", "请另存为 .jsonl（每行一个 JSON）或 .txt（每行一个问题）")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        lines = path.read_text(encoding="gb18030", errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"文件读不了：{path}（{error.strerror}）", "请检查权限") from error
    numbered = [(n, line) for n, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise UsageError(f"文件里没有问题：{path}", "请每行写一个问题")
    as_json = path.suffix.lower() == ".jsonl"
    rows = tuple(_row(path, n, line) if as_json else Question(str(n), line.strip()) for n, line in numbered)
    seen: set[str] = set()
    for (n, _), row in zip(numbered, rows, strict=True):
        if row.id in seen:
            raise UsageError(f"{path.name} 第 {n} 行的 id 重复：{row.id}", "请改成不同的 id")
        seen.add(row.id)
    return rows


def _row(path: Path, n: int, line: str) -> Question:
    try:
        row = _Row.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "整行"
        raise UsageError(
            f"{path.name} 第 {n} 行 {field} 不对：{first['msg']}", '每行应为 {"id": "…", "question": "…"}'
        ) from error
    return Question(row.id or str(n), row.question, tuple(Turn(t.user, t.assistant) for t in row.history))


def run_batch(
    source: Path,
    target: Path,
    ask: Ask,
    *,
    settings: str,
    limit: int | None = None,
    progress: Progress = lambda *_: None,
) -> BatchReport:
    """Answer the questions of `source` into the JSON lines file `target`, in the order of the input."""
    questions = read_questions(source)[:limit]
    return answer_all(questions, target, lambda q: ask(q.question, q.history), settings=settings, progress=progress)


def answer_all(
    questions: Sequence[Row],
    target: Path,
    ask: Callable[[Row], Answer],
    *,
    settings: str,
    progress: Progress = lambda *_: None,
) -> BatchReport:
    """Answer `questions` into the JSON lines file `target`, in their order.

    `settings` is a fingerprint of what else shapes answers: another one begins the journal anew.
    A row that fails becomes a line with `error`, and is tried again by the next run.
    """
    if target.suffix.lower() != ".jsonl":
        raise UsageError(f"还不支持这种输出：{target.name}", "请用 -o 答案.jsonl")
    journal = _Journal(target, questions, settings)
    with journal.locked():
        answered = journal.answered()
        skipped = sum(q.id in answered for q in questions)
        failed = done = 0
        for n, row in enumerate(questions):
            progress(f"作答 {row.question[:16]}", n, len(questions))
            if row.id in answered:
                continue
            record = answered_row(row, ask)
            journal.append(row.id, record)
            answered[row.id] = record
            failed += "error" in record
            done += "error" not in record
        progress("作答 完成", len(questions), len(questions))
        journal.publish([answered[q.id] for q in questions], finished=not failed)
    return BatchReport(len(questions), done, failed, skipped, target)


def answered_row(row: Row, ask: Callable[[Row], Answer]) -> Record:
    """Return the answer to one row, or what went wrong with it under `error`."""
    try:
        return answer_record(ask(row), row.id)
    except WeiceError as error:
        return {"id": row.id, "question": row.question, "error": str(error)}


class _Journal:
    """The answers so far, beside the target; its first line tells which questions and settings it belongs to."""

    def __init__(self, target: Path, questions: Sequence[Question], settings: str) -> None:
        self._target = target
        self._path = target.with_name(f".{target.name}.journal")
        rows = [(q.id, q.question, [(t.user, t.assistant) for t in q.history]) for q in questions]
        whole = json.dumps([settings, rows])
        self._head = hashlib.sha256(whole.encode()).hexdigest()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the journal alone. Raises `StorageError` where another run holds it."""
        if not self._target.parent.is_dir():
            raise UsageError(f"输出文件夹不存在：{self._target.parent}", "请先建好文件夹")
        lock = FileLock(self._path.with_suffix(".lock"), timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise StorageError(f"另一个批量任务正在写 {self._target}", "请等它结束，或换一个输出文件") from error
        except OSError as error:
            raise StorageError(f"不能写入：{self._target.parent}（{error.strerror}）", "请检查权限和磁盘") from error
        try:
            yield
        finally:
            lock.release()
            self._path.with_suffix(".lock").unlink(missing_ok=True)

    def answered(self) -> dict[str, Record]:
        """The good answers of an earlier run over the same questions and settings; a torn last line is none."""
        found: dict[str, Record] = {}
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else []
        if not lines or lines[0] != self._head:
            self._write(self._head, "w")
            return found
        for line in lines[1:]:
            try:
                record: dict[str, Any] = json.loads(line)
            except ValueError:
                continue
            if "error" not in record["answer"]:
                found[record["id"]] = record["answer"]
        self._write("", "a")
        return found

    def append(self, id_: str, record: Record) -> None:
        """Write one answer so that it outlives a kill."""
        self._write(json.dumps({"id": id_, "answer": record}, ensure_ascii=False), "a")

    def _write(self, line: str, mode: str) -> None:
        try:
            with self._path.open(mode, encoding="utf-8") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(
                f"写不进 {self._path.parent}（{error.strerror}）", "已答的都在，清出空间后再运行同一命令即可继续"
            ) from error

    def publish(self, records: Sequence[Record], *, finished: bool) -> None:
        """Swap the target in whole; drop the journal when nothing is left to do."""
        beside = self._target.with_name(f".{self._target.name}.new")
        try:
            beside.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
            beside.replace(self._target)
        except OSError as error:
            raise StorageError(
                f"写不进 {self._target}（{error.strerror}）", "答案已存好，清出空间后再运行即可"
            ) from error
        if finished:
            self._path.unlink(missing_ok=True)
