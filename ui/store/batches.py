"""Whose batches there are; the rows and answers of each are in its own journal (`rag.batch`), named by its id."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from rag.errors import UsageError
from ui.store.database import BatchRow, Database, Record, now


@dataclass(frozen=True, slots=True)
class BatchEntry:
    """One batch; `options` are how it was asked for."""

    id: str
    user: str
    created_at: dt.datetime
    options: Record


class BatchList:
    """The batches of one database. Whose they are not, for those they do not exist: `UsageError`.

    `user` None asks as one who may see everybody's.
    """

    def __init__(self, database: Database, *, clock: Callable[[], dt.datetime] = now) -> None:
        """Keep them in `database`."""
        self._db = database
        self._clock = clock

    def add(self, user: str, options: Record) -> BatchEntry:
        """Note a new one."""
        row = BatchRow(id=uuid.uuid4().hex, user=user, created_at=self._clock(), options=options)
        with self._db.writing() as session:
            session.add(row)
        return _entry(row)

    def list(self, user: str | None, limit: int = 100, offset: int = 0) -> tuple[BatchEntry, ...]:
        """Those of a user, the latest first."""
        wanted = select(BatchRow).order_by(BatchRow.created_at.desc(), BatchRow.id)
        if user is not None:
            wanted = wanted.where(BatchRow.user == user)
        with self._db.reading() as session:
            return tuple(_entry(row) for row in session.scalars(wanted.limit(limit).offset(offset)))

    def get(self, id_: str, user: str | None) -> BatchEntry:
        """One of a user."""
        with self._db.reading() as session:
            return _entry(_own(session, id_, user))

    def delete(self, id_: str, user: str) -> None:
        """Forget one."""
        with self._db.writing() as session:
            session.delete(_own(session, id_, user))


def _own(session: Session, id_: str, user: str | None) -> BatchRow:
    row = session.get(BatchRow, id_)
    if row is None or user not in (None, row.user):
        raise UsageError("没有这个批量任务", "它可能已被删除，请刷新列表")
    return row


def _entry(row: BatchRow) -> BatchEntry:
    return BatchEntry(row.id, row.user, row.created_at, row.options)
