"""Finds where other articles state the figure that answers a question: with another value, or of another date.

Two figures are the same one where their sentences hold the same words of the question, speak of the same regions, and
state a number with the same measure word in clauses of like wording. Rules only; better none than a wrong pair.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.answer.citing import Passage, letters
from rag.answer.dates import When, as_of, written
from rag.answer.measures import COUNT, DATES, fitting, measure, with_measure
from rag.answer.numbers import Quantity
from rag.answer.question import asked_now
from rag.answer.ranking import RankedSentence
from rag.corpus.places import places
from rag.corpus.words import character_pairs

ALIKE = 0.7
"""Score, as a share of the source's, that a sentence with the same figure has at least."""
WORDED = 0.35
"""Jaccard index of the two clauses' character pairs, numbers left out, from which they state the same."""
_CLAUSE = re.compile(r"[，。；：！？,;:!?]")
_YEAR = re.compile(r"(?:19|20)\d{2}")
_NUMBER = re.compile(r"[\d.,%％]+|[余多]?[百千]?[万亿]+")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number as a sentence states it, and the date that it stands at, as far as that is known."""

    passage: Passage
    quantity: Quantity
    when: When | None

    @property
    def label(self) -> str:
        """The number, and its date or else its issue, for the user."""
        of = written(self.when) if self.when else self.passage.chunk.article.issue.label
        return f"{with_measure(self.passage.text, self.quantity)}（{of}）"


def recurring(question: str, source: Passage, rows: Sequence[RankedSentence]) -> tuple[Figure, ...]:
    """Return the figure of `source` and the same one of other articles, newest first; nothing where it is alone."""
    count = COUNT.search(asked_now(question))
    row = next((row for row in rows if row.passage.key == source.key), None)
    own = _figure(question, count, source) if count and row else None
    if count is None or row is None or own is None:
        return ()
    others = {letters(source.text): own}
    for other in rows:
        if other.passage.chunk.article.id == source.chunk.article.id or other.score < ALIKE * row.score:
            continue
        if _of_matter(row) <= other.terms and source.regions == other.passage.regions:
            figure = _figure(question, count, other.passage)
            if figure and _is_the_same(own, figure):
                others.setdefault(letters(other.passage.text), figure)
    return tuple(sorted(others.values(), key=lambda one: one.when or (), reverse=True)) if len(others) > 1 else ()


def told_apart(figures: Sequence[Figure]) -> str:
    """Return in words for the user whether the figures agree."""
    agree = len({(one.quantity.value, one.quantity.kind) for one in figures}) == 1
    if agree:
        return f"这个数资料里有{len(figures)}处，一致"
    return f"这个数资料里有{len(figures)}处，不同，新的在前：{'、'.join(one.label for one in figures)}"


def _of_matter(row: RankedSentence) -> frozenset[str]:
    """The asked words that a sentence holds, but for its region and year: they may stand elsewhere in its article."""
    return frozenset(term for term in row.terms if not places(term) and not _YEAR.match(term))


def _figure(question: str, count: re.Match[str], passage: Passage) -> Figure | None:
    """The number of a sentence that answers `question`, by the words of its clause."""
    found = [q for q in fitting(count, passage.text) if q.kind not in DATES]
    asked = character_pairs(asked_now(question))
    best = max(found, key=lambda q: len(asked & _clause(passage.text, q)), default=None)
    return Figure(passage, best, as_of(passage.text, passage.chunk.article.issue.date)) if best else None


def _is_the_same(one: Figure, other: Figure) -> bool:
    """Whether two figures are of the same thing: same measure word, like wording."""
    texts = one.passage.text, other.passage.text
    if one.quantity.kind != other.quantity.kind:
        return False
    if measure(texts[0], one.quantity) != measure(texts[1], other.quantity):
        return False
    said, held = _clause(texts[0], one.quantity), _clause(texts[1], other.quantity)
    return bool(said and held) and len(said & held) >= WORDED * len(said | held)


def _clause(text: str, quantity: Quantity) -> frozenset[str]:
    """The character pairs of the clause that a number stands in, without its numbers."""
    start = max((m.end() for m in _CLAUSE.finditer(text, 0, quantity.start)), default=0)
    behind = _CLAUSE.search(text, quantity.end)
    return character_pairs(_NUMBER.sub(" ", text[start : behind.start() if behind else len(text)]))
