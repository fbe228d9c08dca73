"""Finds passages: dense, sentence and keyword legs, fused with weights, moved by what the question names, reranked.

Scores of a leg are brought to 0…1 within one search and added with weights (convex combination; Bruch et al. 2023,
"An Analysis of Fusion Functions for Hybrid Retrieval"). Equal-weight reciprocal rank fusion is not offered: it was
measured to lose to the better leg on Chinese sets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from rag.answer.question import Constraints, asked_now, constraints
from rag.corpus.places import places
from rag.corpus.words import Words
from rag.ports import Embedder, Keywords, Library, Reranker, Vectors
from rag.schema import Article, Chunk, Evidence

DENSE, SENTENCES, WORDS = "dense", "sentences", "words"


class SearchableLibrary(Library, Protocol):
    """A library with its three legs and its word weights."""

    @property
    def vectors(self) -> Vectors:
        """The dense leg over passages."""
        ...

    @property
    def sentences(self) -> Vectors:
        """The dense leg over sentences: a passage is as near as its nearest sentence."""
        ...

    @property
    def keywords(self) -> Keywords:
        """The keyword leg."""
        ...

    def idf(self, token: str) -> float:
        """Inverse document frequency of a word."""
        ...


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """How the legs and the question's constraints weigh; keywords have what the dense legs leave of 1.

    Tuned on the development questions (eval/NOTES.md).
    """

    dense: float = 0.32
    sentences: float = 0.38
    place: float = 0.25
    other_place: float = 0.15
    year: float = 0.05
    issue: float = 0.3
    column: float = 0.1


class HybridRetriever:
    """Both legs as one `Retriever`; a leg that is off is simply not asked."""

    def __init__(
        self,
        library: SearchableLibrary,
        embedder: Embedder,
        words: Words,
        *,
        dense: bool = True,
        sentences: bool = True,
        keywords: bool = True,
        boosts: bool = True,
        weights: FusionWeights | None = None,
        candidates: int = 50,
        reranker: Reranker,
        columns: Sequence[str] = (),
    ) -> None:
        """Compose the legs; `columns` are the library's columns, `candidates` is per leg."""
        self._library = library
        self._embedder = embedder
        self._words = words
        self._dense, self._sentences, self._keywords, self._boosts = dense, sentences, keywords, boosts
        self._weights = weights or FusionWeights()
        self._candidates = candidates
        self._reranker = reranker
        self._columns = tuple(columns)
        self._holds: Callable[[Article], bool] | None = None

    def within(self, holds: Callable[[Article], bool]) -> HybridRetriever:
        """Return the same retriever over those articles alone for which `holds` is true."""
        narrowed = copy(self)
        narrowed._holds = holds
        return narrowed

    def retrieve(self, question: str, k: int) -> list[Evidence]:
        """Return up to k passages, best first; a question on several regions gets passages of each."""
        lists = [self._search(part) for part in split(question)]
        return list(interleave(lists, k))

    def candidates(self, question: str) -> list[Evidence]:
        """Return what the legs found for a question that is searched as one, fused and in order."""
        legs = self._legs(question)
        wanted = constraints(question, self._columns) if self._boosts else Constraints()
        evidence = []
        for ordinal, score in self._fuse(legs).items():
            chunk = self._library[ordinal]
            found = tuple(leg for leg, hits in legs.items() if ordinal in hits)
            evidence.append(Evidence(chunk, score + self._boost(wanted, chunk), found))
        return sorted(evidence, key=lambda e: -e.score)

    def _search(self, question: str) -> list[Evidence]:
        return self._reranker.rerank(question, self.candidates(question))

    def _legs(self, question: str) -> dict[str, dict[int, float]]:
        """The chunks that each leg found, with its scores."""
        legs: dict[str, dict[int, float]] = {}
        if self._dense or self._sentences:
            vector = self._embedder.embed([question])[0]
            if self._dense:
                legs[DENSE] = self._narrowed(partial(self._library.vectors.search, vector))
            if self._sentences:
                legs[SENTENCES] = self._narrowed(partial(self._library.sentences.search, vector))
        if self._keywords:
            legs[WORDS] = self._word_leg(question)
        return legs

    def _word_leg(self, question: str) -> dict[int, float]:
        return self._narrowed(partial(self._library.keywords.search, self._words.tokens(question)))

    def _narrowed(self, leg: Callable[[int], list[tuple[int, float]]]) -> dict[int, float]:
        """The best candidates of a leg: of the whole library, or of the articles that the search is held to."""
        if self._holds is None:
            return dict(leg(self._candidates))
        found = [(n, score) for n, score in leg(len(self._library)) if self._holds(self._library[n].article)]
        return dict(found[: self._candidates])

    def _fuse(self, legs: dict[str, dict[int, float]]) -> dict[int, float]:
        """The weighted sum of the legs' scaled scores; a leg that found nothing leaves its weight to the others."""
        w = self._weights
        weights = {DENSE: w.dense, SENTENCES: w.sentences, WORDS: 1 - w.dense - w.sentences}
        total = sum(weights[leg] for leg, hits in legs.items() if hits) or 1.0
        fused: dict[int, float] = {}
        for leg, hits in legs.items():
            for ordinal, score in _scaled(hits).items():
                fused[ordinal] = fused.get(ordinal, 0.0) + weights[leg] / total * score
        return fused

    def _boost(self, wanted: Constraints, chunk: Chunk) -> float:
        """What the chunk gains or loses by the regions, years, issues and columns that the question names."""
        w, article, boost = self._weights, chunk.article, 0.0
        if wanted.places:
            home = places(chunk.context)
            if set(wanted.places) & set(home):
                boost += w.place
            elif set(wanted.places) & set(places(chunk.text)):
                boost += w.place / 2
            elif home:
                boost -= w.other_place
        if wanted.years and any(f"{year}年" in chunk.text for year in wanted.years):
            boost += w.year
        if wanted.columns and article.column in wanted.columns:
            boost += w.column
        if (wanted.numbers and article.issue.number in wanted.numbers) or (
            wanted.totals and article.issue.total in wanted.totals
        ):
            boost += w.issue
        return boost


def split(question: str) -> tuple[str, ...]:
    """Return a question for each region that a comparison names, else the question alone."""
    named = places(asked_now(question))
    if len(named) < 2 or len(named) > 4:
        return (question,)
    parts = []
    for place in named:
        part = question
        for other in places(question):
            if other != place:
                part = part.replace(other, "")
        parts.append(part)
    return tuple(parts)


def _scaled(hits: dict[int, float]) -> dict[int, float]:
    """Scores brought to 0…1: the best is 1, the worst of the candidates 0."""
    if not hits:
        return {}
    scores = np.fromiter(hits.values(), float)
    low, high = scores.min(), scores.max()
    if high - low < 1e-9:
        return dict.fromkeys(hits, 1.0)
    return {n: float((score - low) / (high - low)) for n, score in hits.items()}


def interleave(lists: Sequence[Sequence[Evidence]], k: int) -> tuple[Evidence, ...]:
    """Take from the lists in turn, each passage once; one list is returned as it is."""
    if len(lists) == 1:
        return tuple(lists[0][:k])
    merged: dict[str, Evidence] = {}
    for rank in range(max(map(len, lists))):
        for ranked in lists:
            if rank < len(ranked):
                merged.setdefault(ranked[rank].chunk.id, ranked[rank])
    return tuple(merged.values())[:k]
