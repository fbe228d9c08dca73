"""The database: engine, tables, opening, and what its failures mean in Chinese. Knows no table's use.

SQLite by default, in WAL mode so that readers never wait for a writer; any other database by its SQLAlchemy URL.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    create_engine,
    event,
    select,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

from rag.errors import SettingsError, StorageError

VERSION = 2
"""Counts up with every change of the tables; a database of a later program is refused, not damaged."""
BUSY_S = 5
"""How long a writer waits for another one."""

Record = dict[str, Any]


def now() -> dt.datetime:
    """The time, with its zone."""
    return dt.datetime.now(dt.UTC)


class UtcTime(TypeDecorator[dt.datetime]):
    """A time with its zone, also where the database knows none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: object) -> dt.datetime | None:  # noqa: ARG002
        """Store in UTC."""
        return None if value is None else value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: object) -> dt.datetime | None:  # noqa: ARG002
        """Say that it is UTC."""
        return None if value is None else value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value


class Plain(TypeDecorator[str]):
    """A text that every database takes: without NUL, and without halves of letters."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> str | None:  # noqa: ARG002
        """Drop what can't be stored."""
        return None if value is None else value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


class PlainText(Plain):
    """The same, of any length."""

    impl = Text
    cache_ok = True


class Base(DeclarativeBase):
    """Root of the tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {dt.datetime: UtcTime(), Record: JSON()}  # noqa: RUF012  # SQLAlchemy's shape


class SchemaRow(Base):
    """The version of the tables: one row."""

    __tablename__ = "schema_version"
    version: Mapped[int] = mapped_column(Integer, primary_key=True)


class UserRow(Base):
    """An account."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Plain(64), unique=True)
    password: Mapped[str] = mapped_column(Plain(255))
    role: Mapped[str] = mapped_column(Plain(16))
    disabled: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[dt.datetime]


class KeyRow(Base):
    """An API key, as its hash."""

    __tablename__ = "api_keys"
    id: Mapped[int] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    label: Mapped[str] = mapped_column(Plain(100))
    start: Mapped[str] = mapped_column(Plain(16))
    digest: Mapped[str] = mapped_column(Plain(64), unique=True)
    created_at: Mapped[dt.datetime]
    used_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]


class TriesRow(Base):
    """How often in a row a name was tried with a wrong password."""

    __tablename__ = "failed_logins"
    name: Mapped[str] = mapped_column(Plain(64), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[dt.datetime]


class ConversationRow(Base):
    """A conversation of one user."""

    __tablename__ = "conversations"
    id: Mapped[str] = mapped_column(Plain(32), primary_key=True)
    user: Mapped[str] = mapped_column(Plain(64), index=True)
    title: Mapped[str] = mapped_column(Plain(200))
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime] = mapped_column(index=True)


class TurnRow(Base):
    """A question with its answer, whole, once there is one."""

    __tablename__ = "turns"
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    asked_at: Mapped[dt.datetime]
    question: Mapped[str] = mapped_column(PlainText)
    options: Mapped[Record]
    answer: Mapped[Record | None]
    text: Mapped[str] = mapped_column(PlainText, default="")
    error: Mapped[str | None] = mapped_column(PlainText)


class CitedRow(Base):
    """An article that an answer cites, once however often it does: counted without reading every answer."""

    __tablename__ = "cited"
    id: Mapped[int] = mapped_column(primary_key=True)
    turn: Mapped[int] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"), index=True)
    file: Mapped[str] = mapped_column(PlainText)
    title: Mapped[str] = mapped_column(PlainText)


class FeedbackRow(Base):
    """What a user thinks of an answer; it keeps its own copy, for it outlives the conversation."""

    __tablename__ = "feedback"
    __table_args__ = (UniqueConstraint("turn", "user"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    turn: Mapped[int] = mapped_column(Integer)
    user: Mapped[str] = mapped_column(Plain(64))
    given_at: Mapped[dt.datetime] = mapped_column(index=True)
    good: Mapped[bool]
    reason: Mapped[str | None] = mapped_column(Plain(16))
    right_answer: Mapped[str] = mapped_column(PlainText)
    question: Mapped[str] = mapped_column(PlainText)
    history: Mapped[list[Record]] = mapped_column(JSON)
    answer: Mapped[Record]
    case_id: Mapped[str | None] = mapped_column(Plain(64))


class BatchRow(Base):
    """A batch of one user."""

    __tablename__ = "batches"
    id: Mapped[str] = mapped_column(Plain(32), primary_key=True)
    user: Mapped[str] = mapped_column(Plain(64), index=True)
    created_at: Mapped[dt.datetime]
    options: Mapped[Record]


class AuditRow(Base):
    """Who did what when."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(index=True)
    user: Mapped[str] = mapped_column(Plain(64), index=True)
    via: Mapped[str] = mapped_column(Plain(16))
    action: Mapped[str] = mapped_column(Plain(32))
    question: Mapped[str] = mapped_column(PlainText)
    verdict: Mapped[str] = mapped_column(Plain(32))


def address(url: str, data_dir: Path) -> URL:
    """The database's URL; without one a file in `data_dir`. Raises `SettingsError` where it is no URL."""
    if not url:
        return URL.create("sqlite", database=str(data_dir / "weice.db"))
    try:
        return make_url(url)
    except ArgumentError as error:
        raise SettingsError(
            "设置 database 不是数据库地址",
            "例如 sqlite:////路径/weice.db 或 postgresql+psycopg://用户:密码@主机/库名",
        ) from error


class Database:
    """An opened database. Safe to use from several threads; several programs may share one."""

    def __init__(self, url: URL) -> None:
        """Open, and make what tables are missing. Raises `StorageError`, or `SettingsError` without its driver."""
        self._shown = url.database if url.get_backend_name() == "sqlite" else url.render_as_string()
        self._engine = self._opened(url)
        self._writer = self._engine.execution_options(weice_writes=True)
        self._make_tables()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads. Raises `StorageError`."""
        with self._told(), Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes come in together, or not at all. Raises `StorageError`."""
        with self._told(), Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    def _opened(self, url: URL) -> Engine:
        try:
            if url.get_backend_name() != "sqlite":
                return create_engine(url, pool_pre_ping=True)
            return self._sqlite(url)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise SettingsError(
                f"没有装数据库 {url.drivername} 的驱动",
                '请运行 .venv/bin/pip install "psycopg[binary]"（PostgreSQL），或改设置 database',
            ) from error
        except OSError as error:
            step = "请检查路径和权限，或用设置 database 另指一个"
            raise StorageError(f"数据库打不开：{self._shown}（{error.strerror}）", step) from error

    def _sqlite(self, url: URL) -> Engine:
        settings: dict[str, Any] = {"connect_args": {"timeout": BUSY_S, "check_same_thread": False}}
        if url.database in (None, "", ":memory:"):
            settings["poolclass"] = StaticPool
        elif not url.database.startswith("file:"):
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
            Path(url.database).touch(mode=0o600)  # what people asked is nobody else's to read
        engine = create_engine(url, **settings)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _make_tables(self) -> None:
        with self._told():
            try:
                Base.metadata.create_all(self._writer)
            except OperationalError as error:
                if "already exists" not in str(error):
                    raise
                Base.metadata.create_all(self._writer)  # another program made them at the same moment
        with self.writing() as session:
            version = session.scalar(select(SchemaRow.version))
            if version is None:
                session.add(SchemaRow(version=VERSION))
            elif version > VERSION:
                raise StorageError(
                    f"数据库 {self._shown} 属于更新的程序版本", "请升级程序，或用设置 database 另指一个"
                )
            else:
                _upgrade(session, version)
                session.execute(update(SchemaRow).values(version=VERSION))  # a read-only one is said now

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Give what goes wrong inside in our words."""
        try:
            yield
        except DBAPIError as error:
            raise _meaning(str(error.orig), self._shown or "") from error
        except SQLAlchemyError as error:
            raise StorageError(f"数据库出错：{self._shown}（{type(error).__name__}）", "请加 --debug 重试") from error


def cited(turn: int, answer: Record | None) -> list[CitedRow]:
    """The articles that the answer to `turn` cites, to be stored."""
    named = {(str(c["file"]), str(c["title"])): None for c in (answer or {}).get("citations", ())}
    return [CitedRow(turn=turn, file=file, title=title) for file, title in named]


def _upgrade(session: Session, version: int) -> None:
    """Fill what a database of an earlier version lacks."""
    if version < 2:
        answers = session.execute(select(TurnRow.id, TurnRow.answer).execution_options(yield_per=100))
        session.add_all([row for turn, answer in answers for row in cited(turn, answer)])


def _prepare_sqlite(connection: Any, record: object) -> None:  # noqa: ARG001  # SQLAlchemy's shape
    connection.isolation_level = None  # the driver begins nothing by itself: `_begin_sqlite` does
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Any) -> None:
    """Take the writer's place at the start, so that a transaction never fails half-way for being late."""
    writes = connection.get_execution_options().get("weice_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


_MEANINGS = (
    ("locked", "数据库正被别的程序占用：{0}", "请稍候再试；若一直如此，请关掉打开它的程序"),
    ("readonly", "数据库只能读、不能写：{0}", "请检查文件和文件夹的权限，或用设置 database 另指一个"),
    ("unable to open", "数据库打不开：{0}", "请检查路径和权限，或用设置 database 另指一个"),
    ("not a database", "这个文件不是数据库：{0}", "请移开它，或用设置 database 另指一个"),
    ("malformed", "数据库已损坏：{0}", "请用备份替换它"),
    ("disk is full", "磁盘已满，写不进数据库：{0}", "请腾出空间再试"),
    ("disk I/O", "数据库读写出错：{0}", "请检查磁盘"),
    ("connect", "连不上数据库：{0}", "请检查设置 database 和数据库服务"),
)


def _meaning(said: str, shown: str) -> StorageError:
    for mark, what, step in _MEANINGS:
        if mark in said:
            return StorageError(what.format(shown), step)
    return StorageError(f"数据库出错：{shown}（{' '.join(said.split())[:200]}）", "请检查设置 database")
