"""Conversations, each of one user, with every answer whole: what 历史 lists and opens again.

A turn is there as soon as it is asked; its answer comes later, also where nobody looks any more.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Select, delete, exists, func, or_, select
from sqlalchemy.orm import Session

from rag.errors import UsageError
from rag.schema import Turn
from ui.store.database import CitedRow, ConversationRow, Database, Record, TurnRow, cited, now

TITLE_CHARS = 40
_GONE = ("没有这个对话", "它可能已被删除，请刷新列表")


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A question; `answer` is the whole record of `rag.records.answer_record`, None before there is one.

    `options` is what the page wants to keep with it (scenario, filters, mode); `error` says why there is no answer.
    """

    id: int
    conversation: str
    asked_at: dt.datetime
    question: str
    answer: Record | None = None
    error: str | None = None
    options: Record = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A line of the list."""

    id: str
    user: str
    title: str
    created_at: dt.datetime
    updated_at: dt.datetime
    turns: int = 0


def history(turns: tuple[StoredTurn, ...]) -> tuple[Turn, ...]:
    """The answered turns as the assistant takes them."""
    return tuple(Turn(turn.question, str(turn.answer["answer"])) for turn in turns if turn.answer is not None)


class Conversations:
    """The conversations of one database. Whose they are not, for those they do not exist: `UsageError`."""

    def __init__(self, database: Database, *, clock: Callable[[], dt.datetime] = now) -> None:
        """Keep them in `database`."""
        self._db = database
        self._clock = clock

    def create(self, user: str, title: str = "") -> Conversation:
        """Begin one; without a title the first question becomes it."""
        at = self._clock()
        row = ConversationRow(id=uuid.uuid4().hex, user=user, title=_title(title), created_at=at, updated_at=at)
        with self._db.writing() as session:
            session.add(row)
        return _conversation(row, 0)

    def ask(self, conversation: str, user: str, question: str, options: Record | None = None) -> StoredTurn:
        """Put a question down, before there is an answer to it."""
        at = self._clock()
        row = TurnRow(
            conversation=conversation, asked_at=at, question=question, options=options or {}, answer=None, text=""
        )
        with self._db.writing() as session:
            held = _own(session, conversation, user)
            held.updated_at = at
            held.title = held.title or _title(question)
            session.add(row)
        return _turn(row)

    def finish(self, turn: int, answer: Record) -> None:
        """Put the answer to a question; nothing happens where the turn was deleted meanwhile."""
        with self._db.writing() as session:
            row = session.get(TurnRow, turn)
            if row is not None:
                row.answer, row.text, row.error = answer, str(answer["answer"]), None
                session.execute(delete(CitedRow).where(CitedRow.turn == turn))
                session.add_all(cited(turn, answer))

    def fail(self, turn: int, error: str) -> None:
        """Say why there is no answer."""
        with self._db.writing() as session:
            row = session.get(TurnRow, turn)
            if row is not None:
                row.error = error

    def add(self, conversation: str, user: str, question: str, answer: Record) -> StoredTurn:
        """Put a question down together with its answer."""
        turn = self.ask(conversation, user, question)
        self.finish(turn.id, answer)
        return self.turn(turn.id, user)

    def list(self, user: str, search: str = "", limit: int = 100, offset: int = 0) -> tuple[Conversation, ...]:
        """The conversations of a user, the latest first; `search` looks into titles, questions and answers."""
        count = select(func.count()).where(TurnRow.conversation == ConversationRow.id).scalar_subquery()
        wanted = (
            select(ConversationRow, count)
            .where(ConversationRow.user == user)
            .order_by(ConversationRow.updated_at.desc(), ConversationRow.id)
            .limit(limit)
            .offset(offset)
        )
        for word in search.split():
            wanted = _holding(wanted, word)
        with self._db.reading() as session:
            return tuple(_conversation(row, turns) for row, turns in session.execute(wanted))

    def load(self, conversation: str, user: str) -> tuple[Conversation, tuple[StoredTurn, ...]]:
        """A conversation with its turns, the first one first."""
        with self._db.reading() as session:
            row = _own(session, conversation, user)
            turns = session.scalars(select(TurnRow).where(TurnRow.conversation == conversation).order_by(TurnRow.id))
            stored = tuple(_turn(turn) for turn in turns)
        return _conversation(row, len(stored)), stored

    def turn(self, turn: int, user: str) -> StoredTurn:
        """One turn."""
        with self._db.reading() as session:
            return _turn(_own_turn(session, turn, user))

    def cited(self, user: str | None) -> Mapping[tuple[str, str], int]:
        """How many answers cite each article, by file and title; `user` None counts everybody's."""
        wanted = select(CitedRow.file, CitedRow.title, func.count()).group_by(CitedRow.file, CitedRow.title)
        if user is not None:
            wanted = wanted.join(TurnRow, TurnRow.id == CitedRow.turn)
            wanted = wanted.join(ConversationRow, ConversationRow.id == TurnRow.conversation)
            wanted = wanted.where(ConversationRow.user == user)
        with self._db.reading() as session:
            return {(file, title): count for file, title, count in session.execute(wanted)}

    def rename(self, conversation: str, user: str, title: str) -> None:
        """Give another title. Raises `UsageError` on an empty one."""
        if not title.strip():
            raise UsageError("标题是空的", "请写一个标题")
        with self._db.writing() as session:
            _own(session, conversation, user).title = " ".join(title.split())[:200]

    def delete(self, conversation: str, user: str) -> None:
        """Delete a conversation with its turns; feedback on them stays."""
        with self._db.writing() as session:
            row = _own(session, conversation, user)
            session.execute(delete(TurnRow).where(TurnRow.conversation == conversation))
            session.delete(row)

    def cut(self, turn: int, user: str) -> None:
        """Delete a turn and those after it: the question is asked anew, or otherwise."""
        with self._db.writing() as session:
            row = _own_turn(session, turn, user)
            after = delete(TurnRow).where(TurnRow.conversation == row.conversation, TurnRow.id >= turn)
            session.execute(after)


def _holding(wanted: Select[tuple[ConversationRow, int]], word: str) -> Select[tuple[ConversationRow, int]]:
    said = or_(TurnRow.question.icontains(word, autoescape=True), TurnRow.text.icontains(word, autoescape=True))
    in_turns = exists().where(TurnRow.conversation == ConversationRow.id, said)
    return wanted.where(or_(ConversationRow.title.icontains(word, autoescape=True), in_turns))


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARS else line[: TITLE_CHARS - 1] + "…"


def _own(session: Session, conversation: str, user: str) -> ConversationRow:
    row = session.get(ConversationRow, conversation)
    if row is None or row.user != user:
        raise UsageError(*_GONE)
    return row


def _own_turn(session: Session, turn: int, user: str) -> TurnRow:
    row = session.get(TurnRow, turn)
    if row is None:
        raise UsageError(*_GONE)
    _own(session, row.conversation, user)
    return row


def _turn(row: TurnRow) -> StoredTurn:
    return StoredTurn(row.id, row.conversation, row.asked_at, row.question, row.answer, row.error, row.options)


def _conversation(row: ConversationRow, turns: int) -> Conversation:
    return Conversation(row.id, row.user, row.title, row.created_at, row.updated_at, turns)
