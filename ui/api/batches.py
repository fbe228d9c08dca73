"""Batches for other programs: a list of questions in, answers out, one batch after another in the background.

Rows, answers and going on after a stop are `rag.batch.Batch`'s; whose batches there are is the store's.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rag.batch import Batch, Question
from rag.errors import UsageError, WeiceError
from rag.records import Record
from ui.api.errors import ApiError
from ui.store import BatchEntry, Store, User

if TYPE_CHECKING:
    from pathlib import Path

    from rag.wiring import App

log = logging.getLogger(__name__)

MOST = 200
"""Batches a user may have."""


class Batches:
    """Runs the batches of many users, one at a time: they would only wait for the same LLM."""

    def __init__(self, app: App, store: Store, *, use_llm: bool) -> None:
        """Answer through `app`; without `use_llm` every answer is made of quotes."""
        self._app = app
        self._store = store
        self._use_llm = use_llm
        self._turn = threading.Semaphore()
        self._running: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def create(self, user: User, questions: Sequence[Question], scenario: str | None, *, no_llm: bool) -> Record:
        """Take a list and begin with it. Raises `UsageError` where it is wrong, `ApiError` on one batch too many."""
        if len(self._store.batches.list(user.name, limit=MOST)) >= MOST:
            what = f"批量任务最多 {MOST} 个"
            raise ApiError(what, "请先删除旧的", status=429, kind="rate_limit_error", code="too_many_batches")
        answering = self._app.answering(use_llm=self._use_llm and not no_llm, scenario=scenario)
        entry = self._store.batches.add(user.name, {"scenario": scenario, "no_llm": no_llm})
        try:
            with Batch(self._path(entry)) as batch:
                batch.create(questions, answering.settings)
        except WeiceError:
            self.delete(user, entry.id)
            raise
        self._store.audit.note(user.name, "api", "batch", f"{entry.id}：{len(questions)} 题")
        self._start(entry)
        return self._status(entry)

    def list(self, user: User) -> list[Record]:
        """How far each batch of a user is, the latest first."""
        return [self._status(entry) for entry in self._store.batches.list(user.name, limit=MOST)]

    def status(self, user: User, id_: str) -> Record:
        """How far a batch is."""
        return self._status(self._entry(user, id_))

    def results(self, user: User, id_: str) -> Iterator[Record]:
        """Yield the answers so far in the order of the list: records as of one question, `error` where one failed."""
        path = self._path(self._entry(user, id_))

        def read() -> Iterator[Record]:
            with Batch(path) as batch:
                for question, record in batch.records():
                    if record is not None:
                        yield {**record, "id": question.id}

        return read()

    def cancel(self, user: User, id_: str) -> Record:
        """Stop after the row that is being answered, or before the first."""
        entry = self._entry(user, id_)
        with self._lock:
            if id_ in self._running:
                self._running[id_].set()
        return self._status(entry)

    def resume(self, user: User, id_: str) -> Record:
        """Go on where it was stopped; what failed is asked again."""
        entry = self._entry(user, id_)
        self._start(entry, retry=True)
        return self._status(entry)

    def delete(self, user: User, id_: str) -> None:
        """Forget a batch with its answers. Raises `ApiError` while it runs."""
        entry = self._entry(user, id_)
        with self._lock:
            if id_ in self._running:
                raise ApiError(
                    "批量任务还在进行", "请先取消", status=409, kind="invalid_request_error", code="still_running"
                )
        self._store.batches.delete(id_, user.name)
        for path in self._path(entry).parent.glob(f"{id_}.*"):
            path.unlink(missing_ok=True)

    def stop(self) -> None:
        """Let every batch end: the server stops; `resume` goes on with them."""
        with self._lock:
            for stop in self._running.values():
                stop.set()

    def _start(self, entry: BatchEntry, *, retry: bool = False) -> None:
        with self._lock:
            if entry.id in self._running:
                return
            stop = self._running[entry.id] = threading.Event()
        work = threading.Thread(target=self._run, args=(entry, stop, retry), name="weice-batch", daemon=True)
        work.start()

    def _run(self, entry: BatchEntry, stop: threading.Event, retry: bool) -> None:
        try:
            with self._turn, Batch(self._path(entry)) as batch:
                use_llm = self._use_llm and not entry.options["no_llm"]
                answering = self._app.answering(use_llm=use_llm, scenario=entry.options["scenario"], stop=stop)
                workers = self._app.workers(use_llm=use_llm)
                batch.run(answering, workers=workers, retry="failed" if retry else None, stop=stop)
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
            queued = entry.id in self._running and status.state != "running"
        counts = status.counts
        done = counts.total - counts.waiting
        return {
            "id": entry.id,
            "created": int(entry.created_at.timestamp()),
            "state": "waiting" if queued else status.state,
            "reason": status.reason or None,
            "total": counts.total,
            "done": done,
            "answered": counts.answered,
            "partial": counts.partial,
            "refused": counts.refused,
            "failed": counts.failed,
            "fallback": counts.fallback,
        }

    def _entry(self, user: User, id_: str) -> BatchEntry:
        try:
            return self._store.batches.get(id_, user.name)
        except UsageError as error:
            kind = "invalid_request_error"
            raise ApiError(error.what, "编号见 /api/batch", status=404, kind=kind, code="not_found") from error

    def _path(self, entry: BatchEntry) -> Path:
        return self._app.batches / "api" / f"{entry.id}.db"
