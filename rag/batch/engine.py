"""Answers a batch: rows are prepared ahead, those with the same evidence one after another, each answer journalled.

The engine behind `weice batch`, a web tab and an API. It reads and writes no lists: see `questions.py`, `output.py`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from rag.answer.quoting import LLM_FAILED
from rag.batch.journal import Changes, Counts, Journal
from rag.batch.questions import Question, meaning
from rag.errors import StorageError, UsageError, WeiceError
from rag.records import Record, answer_record
from rag.schema import Answer, Mode

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many rows are done and how many there are."""
Retry = Literal["failed", "partial", "refused", "all"]
_GRACE_S = 1.0
"""How long another's hold is waited for: `status` holds for a moment too."""
AHEAD = 32
"""Rows whose evidence is kept ready: among so many the one most like the last is looked for."""


class Stopped(WeiceError):
    """The run was stopped while a row was being answered: that row has no answer yet."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row with its evidence found. Rows whose `group` begins alike follow each other; `answer` writes."""

    group: str
    answer: Callable[[], Answer]


@dataclass(frozen=True, slots=True)
class Answering:
    """How rows are answered. `prepare` finds the evidence of one row; what is raised is that row's failure.

    `settings` names everything else that shapes an answer: with others rows are asked anew. `stop` is set
    when an answer that is being written is no longer wanted; `answer` then raises `Stopped` as soon as it can.
    """

    prepare: Callable[[Question, threading.Event], Prepared]
    settings: Mapping[str, str]

    @classmethod
    def plain(cls, ask: Callable[[Question], Answer], settings: str) -> Answering:
        """Answer by calling `ask`, without looking ahead."""
        return cls(lambda row, _: Prepared("", lambda: ask(row)), {"设置": settings})


@dataclass(frozen=True, slots=True)
class Status:
    """How far a batch is. `reason` tells why a run ended early."""

    state: Literal["waiting", "running", "stopped", "done"]
    counts: Counts
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did, in rows: answered now, failed, answered by an earlier run; stopped means not all were asked.

    `same` are rows that share the answer of another row, `fallback` were quoted as the LLM did not answer.
    """

    total: int
    done: int
    failed: int
    skipped: int
    same: int = 0
    fallback: int = 0
    stopped: bool = False


class Batch:
    """One list of questions with its answers so far, in one SQLite file that outlives the program.

    From any program, and any thread of it::

        batch = Batch(folder / f"{id}.db")
        batch.create(questions, answering.settings)            # reads the list; nothing is asked yet
        batch.run(answering, progress=..., stop=event)         # blocks; run it in a thread
        batch.status()                                         # from elsewhere, in another process too
        batch.cancel()                                         # likewise; `stop` does the same from within
        for question, record in batch.records(): ...           # finished or not; `output.write` makes files of it
        batch.close()

    After a kill `run` goes on where the last answer was kept. `create` again with another list keeps the answers of
    the questions that stay. Only one run at a time may hold a batch; `StorageError` tells of another.
    """

    def __init__(self, path: Path) -> None:
        """Open the batch at `path`, or make an empty one. Raises `StorageError`."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"文件夹 {path.parent} 建不了（{error.strerror}）", "请检查权限和磁盘") from error
        self._journal = Journal(path)
        self._lock = FileLock(path.with_suffix(".lock"), timeout=0)

    def __enter__(self) -> Batch:
        """Let `with` close it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the file."""
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the batch against other runs, `create` and `run` of this object excepted."""
        try:
            self._lock.acquire(timeout=_GRACE_S)
        except Timeout as error:
            raise StorageError("另一个批量任务正在写同一个结果", "请等它结束，或换一个输出文件") from error
        except OSError as error:
            raise StorageError(f"不能写入 {self._lock.lock_file}（{error.strerror}）", "请检查权限和磁盘") from error
        try:
            yield
        finally:
            self._lock.release()

    def create(
        self,
        questions: Iterable[Question],
        settings: Mapping[str, str],
        key: Callable[[Question], str] | None = None,
    ) -> Changes:
        """Take the list, a row at a time, and the settings of the answers; return what differs from the run before.

        `key` tells what a row means: rows of one key are asked once. Raises `UsageError` where the list is wrong.
        """
        key = key or meaning
        with self.alone():
            changes = self._journal.fill(((row, key(row)) for row in questions), settings)
            self._journal.note("state", "waiting")
            if not self._journal.counts().total:
                raise UsageError("文件里没有问题", "请检查问题列（--column），或每行写一个问题")
            return changes

    def run(
        self,
        answering: Answering,
        *,
        workers: int = 1,
        limit: int | None = None,
        retry: Retry | None = None,
        progress: Progress = lambda *_: None,
        stop: threading.Event | None = None,
    ) -> Outcome:
        """Ask what has no answer yet, `workers` rows at once, of the first `limit` rows; `retry` asks more anew.

        Raises `StorageError` where an answer can't be kept; a row that fails stops nothing.
        """
        stop = stop or threading.Event()
        with self.alone():
            self._journal.note("cancel", "")
            due = self._journal.due(retry, limit)
            before = self._journal.counts(limit)
            self._journal.note("state", "running")
            state, reason = "stopped", ""
            tally = _Tally(progress, before.total - sum(same for _, same in due), before.total)
            try:
                self._answer(due, answering, workers, tally, stop)
                state = "stopped" if stop.is_set() else "done"
                if state == "done":
                    self._journal.finished_retry()
            except WeiceError as error:
                reason = str(error)
                raise
            finally:
                self._end(state, reason)
        after = self._journal.counts(limit)
        skipped = before.total - before.waiting - before.failed - before.due
        return Outcome(
            total=after.total,
            done=max(0, after.total - after.waiting - after.failed - after.due - skipped),
            failed=after.failed + (0 if stop.is_set() else after.due),
            skipped=skipped,
            same=after.total - after.distinct,
            fallback=after.fallback,
            stopped=stop.is_set(),
        )

    def status(self) -> Status:
        """Tell how far it is. Raises `StorageError`."""
        state = self._journal.fact("state") or "waiting"
        if state == "running" and not self._is_held():
            state = "stopped"  # killed
        return Status(state, self._journal.counts(), self._journal.fact("reason"))  # type: ignore[arg-type]

    def cancel(self) -> None:
        """Ask the run that goes on, in whichever process, to stop after the row that it is at."""
        self._journal.note("cancel", "yes")

    def records(self) -> Iterator[tuple[Question, Record | None]]:
        """Yield each row in order with its answer: an `error` where it failed, None where it was not asked."""
        return self._journal.records()

    def most_citations(self) -> int:
        """Return the most citations that any answer has."""
        return self._journal.most_citations()

    def answered(self, keys: Iterable[str], settings: Mapping[str, str]) -> int:
        """Return how many of the keys have an answer under the settings."""
        return sum(self._journal.has_answer(key, settings) for key in keys)

    # --- the run ------------------------------------------------------------

    def _answer(
        self, due: Sequence[tuple[int, int]], answering: Answering, workers: int, tell: _Tally, stop: threading.Event
    ) -> None:
        """Ask the rows that are due and keep each answer."""
        rows = (_Row(*self._journal.row(n), same) for n, same in due)
        ahead = _Ahead(rows, lambda row: _prepared(answering, row, stop), stop)
        running: dict[Future[Record], _Row] = {}
        with closing(ahead), ThreadPoolExecutor(workers) as pool, _stopping(stop):
            tell.add(0)
            for row, prepared in ahead:
                running[pool.submit(_record, prepared)] = row
                if len(running) >= workers:
                    self._keep(running, tell, stop)
            while running:
                self._keep(running, tell, stop)

    def _keep(self, running: dict[Future[Record], _Row], tell: _Tally, stop: threading.Event) -> None:
        """Keep the answers that are there, waiting for the first."""
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            row = running.pop(future)
            with suppress(Stopped):
                record = future.result()
                verdict = _verdict(record)
                if verdict == "fallback" and stop.is_set():
                    continue  # the LLM was not waited for: the row is asked by the next run
                self._journal.keep(row.key, record, verdict)
                tell.add(row.same)
        if self._journal.fact("cancel"):
            stop.set()

    def _end(self, state: str, reason: str) -> None:
        """Write down how the run ended; where even that can't be written, the error under way tells more."""
        try:
            self._journal.note("state", state)
            self._journal.note("reason", reason)
        except StorageError:
            if not reason:
                raise

    def _is_held(self) -> bool:
        if self._lock.is_locked:
            return True
        try:
            with FileLock(self._lock.lock_file, timeout=0):
                return False
        except Timeout:
            return True


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that is due, the key of its meaning, and how many rows share it."""

    question: Question
    key: str
    same: int


@dataclass(slots=True)
class _Tally:
    """Counts the rows that are done and tells of them."""

    progress: Progress
    done: int
    total: int

    def add(self, rows: int) -> None:
        self.done += rows
        self.progress("作答", self.done, self.total)


@contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    """Where something breaks the run off, Ctrl-C too, let the rows that are being answered end at once."""
    try:
        yield
    except BaseException:
        stop.set()
        raise


class _Ahead:
    """Prepares rows in a thread while others are answered; gives next the one most like the last."""

    def __init__(
        self,
        rows: Iterator[_Row],
        prepare: Callable[[Question], Prepared],
        stop: threading.Event,
    ) -> None:
        self._rows = rows
        self._prepare = prepare
        self._stop = stop
        self._ready: deque[tuple[_Row, Prepared]] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="weice-batch-ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[tuple[_Row, Prepared]]:
        last = ""
        while (found := self._next(last)) is not None:
            last = found[1].group
            yield found

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join()

    def _next(self, last: str) -> tuple[_Row, Prepared] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._ended)
            if self._error is not None:
                raise self._error
            if not self._ready or self._stop.is_set():
                return None
            found = max(self._ready, key=lambda one: _alike(one[1].group, last))
            self._ready.remove(found)
            self._changed.notify_all()
            return found

    def _work(self) -> None:
        try:
            for row in self._rows:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._ready) < AHEAD or self._ended)
                if self._ended or self._stop.is_set():
                    return
                prepared = self._prepare(row.question)
                with self._changed:
                    self._ready.append((row, prepared))
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001  # raised where the rows are taken
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()


def _alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _prepared(answering: Answering, row: Question, stop: threading.Event) -> Prepared:
    """The row with its evidence; one whose preparing fails, fails when it is answered."""
    try:
        return answering.prepare(row, stop)
    except Exception as error:  # noqa: BLE001  # the row's own failure, whatever it is
        broken = error

    def fail() -> Answer:
        raise broken

    return Prepared("", fail)


def _record(prepared: Prepared) -> Record:
    """The answer as a record without id, or what went wrong under `error`. Raises `Stopped`."""
    try:
        return answer_record(prepared.answer())
    except Stopped:
        raise
    except WeiceError as error:
        return {"id": None, "question": "", "error": str(error)}
    except Exception as error:  # noqa: BLE001  # a bug of ours in one row must not take the others
        return {"id": None, "question": "", "error": f"程序内部错误（{type(error).__name__}: {error}）"}


def _verdict(record: Record) -> str:
    """What became of a row, for counting: its verdict, failed, or fallback where the LLM did not answer."""
    if "error" in record:
        return "failed"
    quoted = record["mode"] == Mode.EXTRACTIVE and str(record["reason"] or "").startswith(LLM_FAILED)
    return "fallback" if quoted else str(record["verdict"])
