"""What users think of answers, and how an editor makes a case of a golden set of it.

A feedback keeps question, history and answer itself: it outlives the conversation that it was given in.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from eval import cases, journal
from rag.errors import UsageError
from ui.store.accounts import Role, User, need
from ui.store.database import ConversationRow, Database, FeedbackRow, Record, TurnRow, now

_MARKS = re.compile(r"\[\d+\]")


class Reason(StrEnum):
    """What is wrong with an answer."""

    CITATION = "引用错误"
    NUMBER = "数字错误"
    OUTDATED = "信息过时"
    BESIDE = "答非所问"
    SHOULD_REFUSE = "应当拒答"
    OTHER = "其他"


@dataclass(frozen=True, slots=True)
class Feedback:
    """One user's 赞 (`good`) or 踩 on an answer; `history` is what was said before, `case_id` what was made of it."""

    id: int
    turn: int
    user: str
    given_at: dt.datetime
    good: bool
    reason: Reason | None
    right_answer: str
    question: str
    history: tuple[Record, ...]
    answer: Record
    case_id: str | None = None


class FeedbackBook:
    """The feedback of one database."""

    def __init__(self, database: Database, *, clock: Callable[[], dt.datetime] = now) -> None:
        """Keep it in `database`."""
        self._db = database
        self._clock = clock

    def give(
        self, turn: int, user: str, *, good: bool, reason: Reason | None = None, right_answer: str = ""
    ) -> Feedback:
        """Judge an answer of one's own conversation; a second judgement takes the place of the first.

        Raises `UsageError` where there is no such answer, or a 踩 comes without a reason.
        """
        if not good and reason is None:
            raise UsageError("没有选原因", f"请选一个：{'、'.join(Reason)}")
        with self._db.writing() as session:
            asked = _answered(session, turn, user)
            row = session.scalar(select(FeedbackRow).where(FeedbackRow.turn == turn, FeedbackRow.user == user))
            row = row or FeedbackRow(turn=turn, user=user)
            row.given_at, row.good = self._clock(), good
            row.reason = None if good or reason is None else str(reason)
            row.right_answer = right_answer.strip()
            row.question, row.answer, row.history = asked.question, asked.answer or {}, _before(session, asked)
            session.add(row)
        return _feedback(row)

    def take_back(self, turn: int, user: str) -> None:
        """Forget one's judgement of an answer."""
        with self._db.writing() as session:
            row = session.scalar(select(FeedbackRow).where(FeedbackRow.turn == turn, FeedbackRow.user == user))
            if row is not None:
                session.delete(row)

    def of(self, turn: int, user: str) -> Feedback | None:
        """One's own judgement of an answer."""
        with self._db.reading() as session:
            row = session.scalar(select(FeedbackRow).where(FeedbackRow.turn == turn, FeedbackRow.user == user))
            return _feedback(row) if row else None

    def list(
        self,
        by: User,
        *,
        good: bool | None = None,
        reason: Reason | None = None,
        made: bool | None = None,
        limit: int = 200,
        offset: int = 0,
    ) -> tuple[Feedback, ...]:
        """Everybody's feedback, the latest first; `made`: a case or not. Raises `AccessError`: editors only."""
        need(by, Role.EDITOR)
        wanted = select(FeedbackRow).order_by(FeedbackRow.given_at.desc(), FeedbackRow.id.desc())
        if good is not None:
            wanted = wanted.where(FeedbackRow.good == good)
        if reason is not None:
            wanted = wanted.where(FeedbackRow.reason == str(reason))
        if made is not None:
            wanted = wanted.where(FeedbackRow.case_id.is_not(None) == made)
        with self._db.reading() as session:
            return tuple(_feedback(row) for row in session.scalars(wanted.limit(limit).offset(offset)))

    def make_case(self, by: User, id_: int, case: Record, path: Path) -> None:
        """Append a case to the golden set `path`, and note it with the feedback.

        Raises `AccessError`: editors only; `UsageError` where another editor was quicker, or where the case or what
        is in the set already is none that `weice eval` takes: then the set stays as it was; `StorageError`.
        """
        need(by, Role.EDITOR)
        with self._db.reading() as session:
            held = session.get(FeedbackRow, id_)
            if held is not None and held.case_id:
                raise UsageError(f"这条反馈已做成考题 {held.case_id}", "可能另一位编辑刚做过，请刷新列表")
        append_case(path, case)
        with self._db.writing() as session:
            row = session.get(FeedbackRow, id_)
            if row is not None:
                row.case_id = str(case["id"])


def drafted_case(feedback: Feedback) -> Record:
    """A golden case with what the feedback tells filled in; the editor writes what it lacks, often `must`.

    An answer that was praised counts as right; of one that was not, only its question, history and sources are taken.
    """
    answerable = feedback.reason is not Reason.SHOULD_REFUSE and not (feedback.good and feedback.answer["refused"])
    of_answerable = "followup" if feedback.history else "factoid"
    return {
        "id": f"fb-{feedback.id}",
        "type": of_answerable if answerable else "unanswerable",
        "question": feedback.question,
        "history": list(feedback.history),
        "must": [[feedback.right_answer]] if answerable and feedback.right_answer else [],
        "must_not": [],
        "sources": [_source(citation) for citation in feedback.answer["citations"]] if answerable else [],
        "answerable": answerable,
    }


def append_case(path: Path, case: Record) -> None:
    """Append a line to a golden set, made where it is missing. Raises `UsageError` and leaves the set as it was."""
    with journal.locked(path.with_name(f"{path.name}.lock")):
        held = path.read_text(encoding="utf-8-sig") if path.exists() else ""
        text = held + ("" if not held or held.endswith("\n") else "\n") + journal.dumps(case)
        trial = path.with_name(f"{path.stem}.trial{path.suffix}")
        try:
            journal.swap(trial, text)
            cases.load(trial)
        finally:
            trial.unlink(missing_ok=True)
        journal.swap(path, text)


def _source(citation: Record) -> Record:
    return {"file": cases.file_name(citation["file"]), "article": citation["title"], "quote": citation["quote"]}


def _answered(session: Session, turn: int, user: str) -> TurnRow:
    row = session.get(TurnRow, turn)
    held = session.get(ConversationRow, row.conversation) if row else None
    if row is None or held is None or held.user != user or row.answer is None:
        raise UsageError("没有这个回答", "它可能已被删除，请刷新")
    return row


def _before(session: Session, turn: TurnRow) -> list[Record]:
    """What was said before, without the marks of citations, as golden cases write it."""
    earlier = session.scalars(
        select(TurnRow).where(TurnRow.conversation == turn.conversation, TurnRow.id < turn.id).order_by(TurnRow.id)
    )
    return [
        {"user": row.question, "assistant": _MARKS.sub("", row.text)} for row in earlier if row.answer is not None
    ]


def _feedback(row: FeedbackRow) -> Feedback:
    return Feedback(
        row.id,
        row.turn,
        row.user,
        row.given_at,
        row.good,
        Reason(row.reason) if row.reason else None,
        row.right_answer,
        row.question,
        tuple(row.history),
        row.answer,
        row.case_id,
    )
