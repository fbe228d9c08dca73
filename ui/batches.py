"""The batches that a server runs for page and API: a list of questions in, answers out, in the background.

Rows, answers and going on after a stop are `rag.batch.Batch`'s; whose batches there are is the store's. Users have
their own, administrators see those of all.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from rag.batch import Batch, Question, QuestionList, Retry, Status, open_questions
from rag.batch import output as files
from rag.errors import UsageError, WeiceError
from rag.records import Record
from ui.store import BatchEntry, Role, Store, User

if TYPE_CHECKING:
    from pathlib import Path

    from rag.wiring import App

log = logging.getLogger(__name__)

MOST = 200
"""Batches a user may have."""
MOST_ROWS = 10_000
"""Questions a batch may have."""


class NoSuchBatch(UsageError):
    """There is no such batch, or it is another's."""


class StillRunning(UsageError):
    """What is asked for has to wait for the batch's end."""


class TooManyBatches(UsageError):
    """The user has as many as they may have."""


@dataclass(slots=True)
class _Run:
    """A batch that runs or waits for its turn: since when, and how many rows were done then."""

    stop: threading.Event = field(default_factory=threading.Event)
    since: float = 0.0
    done: int = 0


class Batches:
    """Runs the batches of many users, one at a time: they would only wait for the same LLM."""

    def __init__(self, app: App, store: Store, *, use_llm: bool) -> None:
        """Answer through `app`; without `use_llm` every answer is made of quotes."""
        self._app = app
        self._store = store
        self._use_llm = use_llm
        self._turn = threading.Semaphore()
        self._running: dict[str, _Run] = {}
        self._lock = threading.Lock()

    def create(
        self,
        user: User,
        questions: Sequence[Question] | QuestionList,
        scenario: str | None,
        *,
        no_llm: bool,
        via: str = "api",
    ) -> Record:
        """Take a list and begin with it; of a list in a file a copy is kept, into which the answers are written.

        Raises `UsageError` where it is wrong, `TooManyBatches` on one too many.
        """
        if len(self._store.batches.list(user.name, limit=MOST)) >= MOST:
            raise TooManyBatches(f"批量任务最多 {MOST} 个", "请先删除旧的")
        if sum(1 for _ in islice(questions, MOST_ROWS + 1)) > MOST_ROWS:
            raise UsageError(f"一次最多 {MOST_ROWS} 个问题", "请分成几份，或用 weice batch")
        answering = self._app.answering(use_llm=self._use_llm and not no_llm, scenario=scenario)
        options: Record = {"scenario": scenario, "no_llm": no_llm}
        source = questions if isinstance(questions, QuestionList) else None
        if source is not None:
            sheet = source.sheet.name if source.sheet and source.path.suffix.lower() == ".xlsx" else None
            options |= {"name": source.path.name, "sheet": sheet, "column": source.column}
        entry = self._store.batches.add(user.name, options)
        try:
            with Batch(self._path(entry)) as batch:
                if source is not None:
                    shutil.copyfile(source.path, self._copy(entry))
                batch.create(questions, answering.settings)
                total = batch.status().counts.total
        except (WeiceError, OSError):
            self.delete(user, entry.id)
            raise
        self._store.audit.note(user.name, via, "batch", f"{entry.id}：{total} 题")
        self._start(entry)
        return self._status(entry)

    def list(self, user: User, limit: int = MOST) -> list[Record]:
        """How far each batch is that a user may see, the latest first."""
        return [self._status(entry) for entry in self._store.batches.list(_whose(user), limit=limit)]

    def status(self, user: User, id_: str) -> Record:
        """How far a batch is."""
        return self._status(self._entry(user, id_))

    def rows(self, user: User, id_: str) -> Iterator[tuple[Question, Record | None]]:
        """Yield the rows in the order of the list, each with its record, `error` where it failed, None before."""
        path = self._path(self._entry(user, id_))

        def read() -> Iterator[tuple[Question, Record | None]]:
            with Batch(path) as batch:
                yield from batch.records()

        return read()

    def results(self, user: User, id_: str) -> Iterator[Record]:
        """Yield the answers so far in the order of the list: records as of one question, `error` where one failed."""
        rows = self.rows(user, id_)
        return ({**record, "id": question.id} for question, record in rows if record is not None)

    def write(self, user: User, id_: str, folder: Path, suffix: str) -> Path:
        """Write the answers so far into `folder`, beside the columns of the list's file; return the new file."""
        entry = self._entry(user, id_)
        name = str(entry.options.get("name") or "").rpartition(".")[0] or "批量"
        target = folder / f"{name}-答案{suffix}"
        files.check_target(target)
        with Batch(self._path(entry)) as batch, closing(batch.records()) as rows:  # type: ignore[type-var]  # a generator
            files.write(target, rows, self._source(entry), batch.most_citations())
        return target

    def cancel(self, user: User, id_: str) -> Record:
        """Stop after the row that is being answered, or before the first."""
        entry = self._entry(user, id_)
        with self._lock:
            if id_ in self._running:
                self._running[id_].stop.set()
        return self._status(entry)

    def resume(self, user: User, id_: str) -> Record:
        """Go on where it was stopped; what failed is asked again."""
        entry = self._entry(user, id_)
        self._start(entry, retry=True)
        return self._status(entry)

    def delete(self, user: User, id_: str) -> None:
        """Forget a batch with its answers. Raises `StillRunning` while it runs."""
        entry = self._entry(user, id_)
        with self._lock:
            if id_ in self._running:
                raise StillRunning("批量任务还在进行", "请先停止它")
        self._store.batches.delete(id_, entry.user)
        for path in self._path(entry).parent.glob(f"{entry.id}.*"):
            path.unlink(missing_ok=True)

    def stop(self) -> None:
        """Let every batch end: the server stops; `resume` goes on with them."""
        with self._lock:
            for run in self._running.values():
                run.stop.set()

    # --- running ------------------------------------------------------------

    def _start(self, entry: BatchEntry, *, retry: bool = False) -> None:
        with self._lock:
            if entry.id in self._running:
                return
            run = self._running[entry.id] = _Run()
        work = threading.Thread(target=self._run, args=(entry, run, retry), name="weice-batch", daemon=True)
        work.start()

    def _run(self, entry: BatchEntry, run: _Run, retry: bool) -> None:
        try:
            with self._turn, Batch(self._path(entry)) as batch:
                use_llm = self._use_llm and not entry.options["no_llm"]
                answering = self._app.answering(use_llm=use_llm, scenario=entry.options["scenario"], stop=run.stop)
                workers = self._app.workers(use_llm=use_llm)

                def progress(_: str, done: int, __: int) -> None:
                    if not run.since:
                        run.since, run.done = time.monotonic(), done

                again: Retry | None = "failed" if retry else None
                batch.run(answering, workers=workers, retry=again, progress=progress, stop=run.stop)
        except WeiceError as error:
            log.warning("batch %s ended: %s", entry.id, error)
        except Exception:
            log.exception("batch %s failed", entry.id)
        finally:
            with self._lock:
                del self._running[entry.id]

    def _status(self, entry: BatchEntry) -> Record:
        with Batch(self._path(entry)) as batch:
            status = batch.status()
        with self._lock:
            run = self._running.get(entry.id)
        counts = status.counts
        done = counts.total - counts.waiting
        return {
            "id": entry.id,
            "user": entry.user,
            "name": entry.options.get("name"),
            "created": int(entry.created_at.timestamp()),
            "state": "waiting" if run is not None and status.state != "running" else status.state,
            "reason": status.reason or None,
            "total": counts.total,
            "done": done,
            "answered": counts.answered,
            "partial": counts.partial,
            "refused": counts.refused,
            "failed": counts.failed,
            "fallback": counts.fallback,
            "remaining_s": None if run is None else _remaining(run, status),
        }

    # --- where things are ------------------------------------------------------------

    def _entry(self, user: User, id_: str) -> BatchEntry:
        try:
            return self._store.batches.get(id_, _whose(user))
        except UsageError as error:
            raise NoSuchBatch(error.what, error.next_step) from error

    def _path(self, entry: BatchEntry) -> Path:
        return self._app.batches / "served" / f"{entry.id}.db"

    def _copy(self, entry: BatchEntry) -> Path:
        """The list's own file as it was taken in."""
        suffix = str(entry.options["name"]).rpartition(".")[2].lower()
        return self._path(entry).with_suffix(f".{suffix}")

    def _source(self, entry: BatchEntry) -> QuestionList | None:
        if not entry.options.get("name"):
            return None
        source = open_questions(self._copy(entry), sheet=entry.options["sheet"])
        return replace(source, column=entry.options["column"])


def _whose(user: User) -> str | None:
    """Whose batches a user may see; None for everybody's."""
    return None if user.role.covers(Role.ADMIN) else user.name


def _remaining(run: _Run, status: Status) -> int | None:
    """How many seconds the rows to come will take at the pace so far; None before there is one."""
    waiting = status.counts.waiting
    made = status.counts.total - waiting - run.done
    if not run.since or made <= 0:
        return None
    return round((time.monotonic() - run.since) / made * waiting)
