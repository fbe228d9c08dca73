"""What is kept between questions: accounts, conversations, feedback, batches, the audit log, in one database.

    store = open_store(settings)
    store.conversations.list(user.name)

Nothing of the database leaves this package: small frozen values come out, errors of `rag.errors` are raised.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from argon2 import PasswordHasher

from rag.settings import Settings
from ui.store.accounts import LOCAL, Accounts, Key, Role, User, need
from ui.store.audit import Audit, Entry
from ui.store.batches import BatchEntry, BatchList
from ui.store.conversations import Conversation, Conversations, StoredTurn, history
from ui.store.database import Database, address, now
from ui.store.feedback import Feedback, FeedbackBook, Reason, drafted_case

__all__ = [
    "LOCAL",
    "Accounts",
    "Audit",
    "BatchEntry",
    "BatchList",
    "Conversation",
    "Conversations",
    "Database",
    "Entry",
    "Feedback",
    "FeedbackBook",
    "Key",
    "Reason",
    "Role",
    "Store",
    "StoredTurn",
    "User",
    "drafted_case",
    "history",
    "need",
    "now",
    "open_store",
]


class Store:
    """One opened database with all that is kept in it."""

    def __init__(
        self, database: Database, *, clock: Callable[[], dt.datetime] = now, hasher: PasswordHasher | None = None
    ) -> None:
        """Hand the database to each part."""
        self._database = database
        self.accounts = Accounts(database, clock=clock, hasher=hasher)
        self.conversations = Conversations(database, clock=clock)
        self.feedback = FeedbackBook(database, clock=clock)
        self.audit = Audit(database, clock=clock)
        self.batches = BatchList(database, clock=clock)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()


def open_store(settings: Settings) -> Store:
    """Open the database that the settings name. Raises `StorageError`, `SettingsError`."""
    return Store(Database(address(settings.database.get_secret_value(), settings.data_dir)))
