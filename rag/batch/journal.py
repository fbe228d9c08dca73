"""The journal of a batch: the questions and the answers so far in one SQLite file, one transaction an answer.

An answer is kept under the settings that shaped it and the meaning of its question. So a kill at any moment loses
only what was being written, rows that mean the same share an answer, and a changed list keeps what still holds.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rag.answer.filters import EVERYTHING, of_record
from rag.batch.questions import Question
from rag.errors import StorageError, UsageError
from rag.records import Record
from rag.schema import Turn

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rows (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, question TEXT NOT NULL,
    history TEXT NOT NULL, scenario TEXT, key TEXT NOT NULL, filters TEXT);
CREATE TABLE IF NOT EXISTS incoming (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, question TEXT NOT NULL,
    history TEXT NOT NULL, scenario TEXT, key TEXT NOT NULL, filters TEXT);
CREATE INDEX IF NOT EXISTS rows_by_key ON rows (key);
CREATE TABLE IF NOT EXISTS answers (settings TEXT NOT NULL, key TEXT NOT NULL, record TEXT NOT NULL,
    verdict TEXT NOT NULL, due INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (settings, key));
"""
_ANSWERS = "answers ON answers.key = rows.key AND answers.settings = :settings"
_ROW = "id, question, history, scenario, filters"
_RETRIED = {
    "failed": "verdict IN ('failed', 'fallback')",
    "partial": "verdict IN ('failed', 'fallback', 'partial')",
    "refused": "verdict IN ('failed', 'fallback', 'refused')",
    "all": "1",
}
_WORST = ("failed", "fallback")
"""The verdicts that all others are better than, the worst first."""
RETRIES = tuple(_RETRIED)
"""What can be asked anew: what failed (or fell back to quotes, as the LLM was gone), and beside it …, or all."""
_REASONS = {
    sqlite3.SQLITE_FULL: "磁盘满了",
    sqlite3.SQLITE_IOERR: "读写出错，磁盘可能满了",
    sqlite3.SQLITE_READONLY: "没有写权限",
    sqlite3.SQLITE_CANTOPEN: "打不开",
    sqlite3.SQLITE_BUSY: "被别的程序占用",
    sqlite3.SQLITE_LOCKED: "被别的程序占用",
}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@dataclass(frozen=True, slots=True)
class Changes:
    """How a list and the settings differ from those of the run before; a first run has no changes."""

    added: int = 0
    gone: int = 0
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows by what became of them; `fallback` were quoted as the LLM did not answer, well or in part."""

    total: int = 0
    distinct: int = 0
    answered: int = 0
    partial: int = 0
    refused: int = 0
    failed: int = 0
    fallback: int = 0
    due: int = 0
    """Rows whose answer stands until they have been asked anew."""

    @property
    def waiting(self) -> int:
        """Rows without any answer."""
        return self.total - self.answered - self.partial - self.refused - self.failed - self.fallback


class Journal:
    """One SQLite file; safe to use from several threads. Raises `StorageError` where it can't be read or written."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it."""
        self._path = path
        self._lock = threading.RLock()
        with self._guarded():
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_TABLES)
            for table in ("rows", "incoming"):  # of a batch that was begun before rows had filters
                if not any(name == "filters" for _, name, *_ in self._db.execute(f"PRAGMA table_info({table})")):
                    self._db.execute(f"ALTER TABLE {table} ADD COLUMN filters TEXT")

    def close(self) -> None:
        """Let go of the file."""
        with self._guarded():
            self._db.close()

    def fill(self, rows: Iterable[tuple[Question, str]], settings: Mapping[str, str]) -> Changes:
        """Take these rows, each with the key of its meaning, in place of those of the run before, and the settings.

        A kill on the way leaves the rows of before. Raises `UsageError` where two rows have one id.
        """
        with self._transaction():
            self._db.execute("DELETE FROM incoming")
            for n, (row, key) in enumerate(rows):
                history = json.dumps([asdict(turn) for turn in row.history])
                filters = json.dumps(row.filters.record) if row.filters else None
                values = (n, _whole(row.id), _whole(row.question), history, row.scenario, key, filters)
                try:
                    self._db.execute("INSERT INTO incoming VALUES (?, ?, ?, ?, ?, ?, ?)", values)
                except sqlite3.IntegrityError as error:
                    raise UsageError(f"第 {n + 1} 个问题的 id 重复：{row.id}", "请改成不同的 id") from error
            absent = "SELECT count(*) FROM {} WHERE key NOT IN (SELECT key FROM {})"
            had = self._number("SELECT count(*) FROM rows")
            added = self._number(absent.format("incoming", "rows")) if had else 0
            gone = self._number(absent.format("rows", "incoming"))
            self._db.execute("DELETE FROM rows")
            self._db.execute("INSERT INTO rows SELECT * FROM incoming")
            self._db.execute("DELETE FROM incoming")
            before = self._fact("settings")
            self._note("settings", json.dumps(dict(settings), ensure_ascii=False, sort_keys=True))
            self._note("digest", digest(settings))
        return Changes(added, gone, _differing(json.loads(before), settings) if before else ())

    def due(self, retry: str | None, limit: int | None) -> list[tuple[int, int]]:
        """Return the first row of each meaning that is to be asked, in order, with how many rows share the meaning.

        Those are the ones without an answer or with an error, and what `retry` asks for anew. A retry that was
        broken off goes on where it stopped; `finished_retry` ends it.
        """
        with self._transaction():
            wanted = f"{retry} {limit} {self._settings()}"
            if retry is not None and self._fact("retry") != wanted:
                keys = "key IN (SELECT key FROM rows WHERE n < :limit)"
                found = f"UPDATE answers SET due = 1 WHERE settings = :settings AND {_RETRIED[retry]} AND {keys}"  # noqa: S608  # from the table above
                self._db.execute(found, self._named(limit))
                self._note("retry", wanted)
            asked = "verdict IS NULL OR verdict = 'failed' OR due"
            query = f"SELECT min(n), count(*) FROM rows LEFT JOIN {_ANSWERS} WHERE n < :limit AND ({asked}) GROUP BY rows.key ORDER BY 1"  # noqa: S608, E501  # constants above
            return self._db.execute(query, self._named(limit)).fetchall()

    def finished_retry(self) -> None:
        """Forget what was retried: the next `due` may ask for it again."""
        with self._transaction():
            self._note("retry", "")

    def row(self, n: int) -> tuple[Question, str]:
        """Return row `n` and the key of its meaning."""
        with self._guarded():
            key, *row = self._db.execute(f"SELECT key, {_ROW} FROM rows WHERE n = ?", (n,)).fetchone()  # noqa: S608  # constants above
        return _question(*row), key

    def keep(self, key: str, record: Record, verdict: str) -> None:
        """Write one answer so that it outlives a kill.

        An error does not take the place of an answer, nor do quotes for want of an LLM that of what one wrote.
        """
        text = _whole(json.dumps(record, ensure_ascii=False))
        with self._transaction():
            if verdict in _WORST and self._has_answer(key, self._settings(), beyond=verdict):
                return
            values = (self._settings(), key, text, verdict)
            self._db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, 0)", values)

    def counts(self, limit: int | None = None) -> Counts:
        """Count the rows by what became of them."""
        by_verdict = f"SELECT verdict, count(*), sum(due) FROM rows LEFT JOIN {_ANSWERS} WHERE n < :limit GROUP BY 1"  # noqa: S608  # constants above
        with self._guarded():
            found = self._db.execute(by_verdict, self._named(limit)).fetchall()
            distinct = self._number("SELECT count(DISTINCT key) FROM rows WHERE n < :limit", limit)
        numbers = {verdict: count for verdict, count, _ in found if verdict}
        total, due = sum(count for _, count, _ in found), sum(due or 0 for *_, due in found)
        return Counts(total=total, distinct=distinct, due=due, **numbers)

    def records(self) -> Iterator[tuple[Question, Record | None]]:
        """Yield every row in order with its answer (an `error` where it failed), None where there is none yet.

        Reads on a connection of its own: what is written meanwhile may be seen or not.
        """
        query = f"SELECT record, {_ROW} FROM rows LEFT JOIN {_ANSWERS} ORDER BY n"  # noqa: S608  # constants above
        with self._guarded():
            named = self._named(None)
        with self._our_errors(), closing(sqlite3.connect(self._path, timeout=30)) as db:
            for record, *values in db.execute(query, named):
                row = _question(*values)
                told = json.loads(record) | {"id": row.id, "question": row.question} if record else None
                yield row, told

    def has_answer(self, key: str, settings: Mapping[str, str]) -> bool:
        """Whether a meaning has an answer under these settings."""
        with self._guarded():
            return self._has_answer(key, digest(settings))

    def most_citations(self) -> int:
        """Return the most citations that the answer of any row has."""
        query = f"SELECT max(json_array_length(record, '$.citations')) FROM rows JOIN {_ANSWERS}"  # noqa: S608  # constants above
        with self._guarded():
            return int(self._db.execute(query, self._named(None)).fetchone()[0] or 0)

    def note(self, name: str, value: str) -> None:
        """Write down a fact about the batch."""
        with self._transaction():
            self._note(name, value)

    def fact(self, name: str) -> str:
        """Return a fact about the batch, empty where there is none."""
        with self._guarded():
            return self._fact(name)

    # --- inside a guard ------------------------------------------------------------

    def _has_answer(self, key: str, settings: str, beyond: str = _WORST[0]) -> bool:
        """Whether there is one that is better than the verdict `beyond`."""
        found = self._db.execute("SELECT verdict FROM answers WHERE settings = ? AND key = ?", (settings, key))
        return any(verdict not in _WORST[: _WORST.index(beyond) + 1] for (verdict,) in found)

    def _number(self, query: str, limit: int | None = None) -> int:
        return int(self._db.execute(query, self._named(limit) if ":" in query else {}).fetchone()[0])

    def _named(self, limit: int | None) -> dict[str, object]:
        return {"settings": self._settings(), "limit": limit if limit is not None else 1 << 60}

    def _settings(self) -> str:
        return self._fact("digest")

    def _note(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def _fact(self, name: str) -> str:
        found = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._guarded():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """One thread at a time."""
        with self._lock, self._our_errors():
            yield

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        """What SQLite says becomes ours."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _DAMAGED:
                raise StorageError(f"批量任务的记录 {self._path} 已损坏", "请删除它，再运行同一命令") from error
            raise StorageError(
                f"批量任务的记录 {self._path} {_REASONS.get(code, f'写不进（{error}）')}",
                "已答的都在，处理好后再运行同一命令即可继续",
            ) from error


def digest(settings: Mapping[str, str]) -> str:
    """Return a short name for settings: the same settings have the same."""
    text = json.dumps(dict(settings), sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _question(id_: str, question: str, history: str, scenario: str | None, filters: str | None) -> Question:
    """A row as `_ROW` reads it."""
    turns = tuple(Turn(**turn) for turn in json.loads(history))
    return Question(id_, question, turns, scenario, of_record(json.loads(filters)) if filters else EVERYTHING)


def _whole(text: str) -> str:
    """The text with halves of characters replaced: no file takes them."""
    return text.encode("utf-8", "replace").decode()


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the settings that differ, each with its old and new value where those are short."""
    told = []
    for name in dict.fromkeys([*now, *before]):
        old, new = before.get(name, ""), now.get(name, "")
        if old != new:
            told.append(f"{name}：{old} → {new}" if len(old) + len(new) <= 60 else name)
    return tuple(told)
