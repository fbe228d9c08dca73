"""Finds what is nearest in meaning to a question that shares few words with its answer: 动了哪几刀, 登在哪本杂志.

For several things the stretch of an article, an enumeration or a short section; for one the sentences. Which articles
are meant is decided before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.answer.citing import Passage
from rag.answer.enumerations import enumerations
from rag.corpus.sentences import Span
from rag.ports import Embedder, Vector
from rag.schema import Article

LONGEST = 900
"""Characters of a section that may be quoted whole."""
SECOND = 300
"""Characters of the second nearest stretch at most: what else was meant by the question."""
UNFOLDED = 300
"""Characters of an enumeration at most that is quoted with the item that leads to it."""
SEEN = 400
"""Characters of a stretch that are embedded."""
KEPT = 64
"""Articles of which the vectors are kept."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What would be quoted, and the two texts by which it is compared: how it is introduced, and how it begins."""

    spans: tuple[Span, ...]
    introduced: str
    begins: str


class Nearest:
    """Compares questions with sentences and with stretches of articles. Safe to use from several threads."""

    def __init__(self, embedder: Embedder) -> None:
        """Take the embedding model of the library."""
        self._embedder = embedder
        self._vectors = lru_cache(maxsize=KEPT)(self._embedded)

    def sentences(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        """Return the passages, the nearest first."""
        if not passages:
            return []
        asked, *told = self._embedder.embed([question, *(p.text for p in passages)])
        nearness = [float(vector @ asked) for vector in told]
        return [p for _, p in sorted(zip(nearness, passages, strict=True), key=lambda pair: -pair[0])]

    def stretches(self, question: str, article: Article) -> list[tuple[Span, ...]]:
        """Return the spans to quote of the nearest stretch, and of the second where it is short and another one."""
        found, introduced, begun = self._vectors(article)
        if not found:
            return []
        asked = self._embedder.embed([question])[0]
        first, *rest = [found[n].spans for n in (-(introduced @ asked + begun @ asked)).argsort()]
        first = _unfolded(first, article)
        second = next((spans for spans in rest if not _overlap(first, spans)), ())
        return [first, second] if second and sum(b - a for a, b in second) <= SECOND else [first]

    def _embedded(self, article: Article) -> tuple[Sequence[_Candidate], Vector, Vector]:
        found = _stretches(article)
        vectors = self._embedder.embed([*(s.introduced for s in found), *(s.begins for s in found)])
        return found, vectors[: len(found)], vectors[len(found) :]


def _unfolded(spans: tuple[Span, ...], article: Article) -> tuple[Span, ...]:
    """The spans of an enumeration, with the items of those short ones that its own items lead to (二、…：（一）…)."""
    for one in enumerations(article):
        inside = len(spans) > 1 and spans[0][0] < one.items[0][0] and _overlap(spans[1:], (one.lead,))
        short = sum(end - start for start, end in one.items) <= UNFOLDED
        if inside and short and not _overlap(spans, one.items[1:]):
            spans = (*spans, *(item for item in one.items if not _overlap(spans, (item,))))
    return tuple(sorted(spans))


def _overlap(some: Sequence[Span], others: Sequence[Span]) -> bool:
    """Whether any of the spans overlap."""
    return any(max(a, c) < min(b, d) for a, b in some for c, d in others)


def _stretches(article: Article) -> list[_Candidate]:
    """The enumerations of an article, and its sections that are short enough."""
    found = [
        (tuple(s for s in (e.lead, *e.items) if s[0] < s[1]), e.lead, e.items[0][0]) for e in enumerations(article)
    ]
    short = [s for s in article.sections if s.end - s.start <= LONGEST]
    found += [(((s.start, s.end),), (s.start, s.start + len(s.heading)), s.start) for s in short]
    return [
        _Candidate(
            spans,
            " ".join((*article.section_path(at), article.text[slice(*lead)])).strip() or article.title,
            "".join(article.text[slice(*span)] for span in spans)[:SEEN],
        )
        for spans, lead, at in found
    ]
