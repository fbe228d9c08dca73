"""Asks the LLM whether a sentence answers a question at all, by the letter that it leans to, not by what it writes.

Words can not tell a near miss (the right hospital, another year) from an answer; how much a small model leans to
"can" rather than "can not" tells it in part (eval/NOTES.md). One short prompt, one token.
"""

from __future__ import annotations

from typing import Protocol

import prompts
from rag.answer.citing import Passage
from rag.answer.question import as_told
from rag.errors import GenerationError
from rag.ports import Judge
from rag.schema import Message

HEADINGS = 40
"""Characters of the headings, from their end, that are shown with a sentence."""


class Answerability(Protocol):
    """Tells whether a sentence answers a question."""

    def answers(self, question: str, passage: Passage) -> bool:
        """Whether `passage` answers `question`."""
        ...


class Trusting:
    """The check that is off."""

    def answers(self, question: str, passage: Passage) -> bool:  # noqa: ARG002  # a port's shape
        """Every sentence answers."""
        return True


class LeaningCheck:
    """Takes a sentence for an answer where the LLM leans to it by `least` (log-odds) or more."""

    def __init__(self, judge: Judge, least: float) -> None:
        """Ask `judge`."""
        self._judge = judge
        self._least = least

    def answers(self, question: str, passage: Passage) -> bool:
        """Whether `passage` answers `question`; a judge that fails has said nothing against it."""
        try:
            return self.leaning(question, passage) >= self._least
        except GenerationError:
            return True

    def leaning(self, question: str, passage: Passage) -> float:
        """The log-odds of "can be answered". Raises `GenerationError`."""
        evidence = f"{passage.context[-HEADINGS:]}：{passage.text}"
        prompt = prompts.load("answerable").substitute(evidence=evidence, question=as_told(question))
        return self._judge.leaning((Message("user", prompt),), "A", "B")
