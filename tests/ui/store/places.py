"""A quick store in memory with a clock that the test turns, and an answer to put into it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from argon2 import PasswordHasher
from sqlalchemy.engine import make_url

from rag.records import Record, answer_record
from tests.ui.standin import ANSWER, REFUSED
from ui.store import Database, Store

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""A hasher that takes no time: tests log in often."""


class Clock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.at = dt.datetime(2026, 3, 1, 9, 0, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.at

    def turn(self, **by: float) -> None:
        self.at += dt.timedelta(**by)


def store(url: str = "sqlite://", clock: Clock | None = None) -> Store:
    return Store(Database(make_url(url)), clock=clock or Clock(), hasher=QUICK)


def answered(question: str = "厦门接入多少家？", *, refused: bool = False) -> Record:
    return answer_record(replace(REFUSED if refused else ANSWER, question=question))
