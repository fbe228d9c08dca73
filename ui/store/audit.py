"""The audit log: who asked what, when, over which way, with which verdict. Only administrators read it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from ui.store.accounts import Role, User, need
from ui.store.database import AuditRow, Database, now

QUESTION_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log; `via` is web, api, mcp or cli, `action` ask, search, login and so on."""

    at: dt.datetime
    user: str
    via: str
    action: str
    question: str
    verdict: str


class Audit:
    """The log of one database: written and read, never changed."""

    def __init__(self, database: Database, *, clock: Callable[[], dt.datetime] = now) -> None:
        """Keep it in `database`."""
        self._db = database
        self._clock = clock

    def note(self, user: str, via: str, action: str, question: str = "", verdict: str = "") -> None:
        """Write a line; `verdict` is that of an answer, or how an action ended."""
        row = AuditRow(
            at=self._clock(),
            user=user[:64],
            via=via,
            action=action,
            question=question[:QUESTION_CHARS],
            verdict=verdict,
        )
        with self._db.writing() as session:
            session.add(row)

    def list(
        self,
        by: User,
        *,
        user: str | None = None,
        since: dt.datetime | None = None,
        limit: int = 200,
        offset: int = 0,
    ) -> tuple[Entry, ...]:
        """The log, the latest first. Raises `AccessError`: administrators only."""
        need(by, Role.ADMIN)
        wanted = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit).offset(offset)
        if user is not None:
            wanted = wanted.where(AuditRow.user == user)
        if since is not None:
            wanted = wanted.where(AuditRow.at >= since)
        with self._db.reading() as session:
            return tuple(
                Entry(row.at, row.user, row.via, row.action, row.question, row.verdict)
                for row in session.scalars(wanted)
            )
