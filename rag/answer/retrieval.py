"""Finds passages: dense and keyword legs, fused with weights, moved by what the question names, and reranked.

Scores of a leg are brought to 0…1 within one search and added with weights (convex combination; Bruch et al. 2023,
"An Analysis of Fusion Functions for Hybrid Retrieval"). Equal-weight reciprocal rank fusion is not offered: it was
measured to lose to the better leg on Chinese sets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from rag.answer.question import Constraints, constraints
from rag.corpus.places import places
from rag.corpus.sentences import sentences
from rag.corpus.words import Words
from rag.ports import Embedder, Keywords, Library, Reranker, Vectors
from rag.schema import Chunk, Evidence

DENSE, WORDS = "dense", "words"


class SearchableLibrary(Library, Protocol):
    """A library with its two legs and its word weights."""

    @property
    def vectors(self) -> Vectors:
        """The dense leg."""
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
    """How the legs and the question's constraints weigh; tuned on the development questions."""

    dense: float = 0.35
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
        self._dense, self._keywords, self._boosts = dense, keywords, boosts
        self._weights = weights or FusionWeights()
        self._candidates = candidates
        self._reranker = reranker
        self._columns = tuple(columns)

    def retrieve(self, question: str, k: int) -> list[Evidence]:
        """Return up to k passages, best first; a question on several regions gets passages of each."""
        lists = [self._search(part) for part in split(question)]
        return _interleave(lists, k)

    def _search(self, question: str) -> list[Evidence]:
        similarity = self._dense_leg(question) if self._dense else {}
        matches = self._word_leg(question) if self._keywords else {}
        fused = self._fuse(similarity, matches)
        wanted = constraints(question, self._columns) if self._boosts else Constraints()
        evidence = []
        for ordinal, score in fused.items():
            chunk = self._library[ordinal]
            found = tuple(leg for leg, hits in ((DENSE, similarity), (WORDS, matches)) if ordinal in hits)
            total = score + self._boost(wanted, chunk)
            evidence.append(Evidence(chunk, total, found, similarity.get(ordinal, 0.0)))
        evidence.sort(key=lambda e: -e.score)
        return self._reranker.rerank(question, evidence[: self._candidates])

    def _dense_leg(self, question: str) -> dict[int, float]:
        vector = self._embedder.embed([question])[0]
        return dict(self._library.vectors.search(vector, self._candidates))

    def _word_leg(self, question: str) -> dict[int, float]:
        tokens = self._words.tokens(question)
        for synonym in self._words.synonyms(question):
            tokens += self._words.tokens(synonym)
        return dict(self._library.keywords.search(tokens, self._candidates))

    def _fuse(self, similarity: dict[int, float], matches: dict[int, float]) -> dict[int, float]:
        dense, words = _scaled(similarity), _scaled(matches)
        share = self._weights.dense if dense and words else float(bool(dense))
        ordinals = dict.fromkeys((*dense, *words))
        return {n: share * dense.get(n, 0.0) + (1 - share) * words.get(n, 0.0) for n in ordinals}

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


class KeepOrder:
    """The reranker that is off."""

    def rerank(self, question: str, evidence: Sequence[Evidence]) -> list[Evidence]:  # noqa: ARG002  # a port's shape
        """Return the evidence as it came."""
        return list(evidence)


@dataclass(frozen=True, slots=True)
class FeatureWeights:
    """Weights of the feature reranker; tuned on the development questions."""

    fused: float = 1.0
    sentence: float = 0.6
    chunk: float = 0.3
    context: float = 0.2


class FeatureReranker:
    """Orders by what a leg does not see: how much of the question one sentence, the passage and its headings hold."""

    def __init__(self, words: Words, idf: Callable[[str], float], weights: FeatureWeights | None = None) -> None:
        """Take the tokenizer and the word weights of the library."""
        self._words = words
        self._idf = idf
        self._weights = weights or FeatureWeights()

    def rerank(self, question: str, evidence: Sequence[Evidence]) -> list[Evidence]:
        """Return the evidence with new scores, best first."""
        asked = {word: self._idf(word) for word in self._words.tokens(question)}
        total = sum(asked.values()) or 1.0
        scored = [replace(e, score=self._score(e, asked, total)) for e in evidence]
        return sorted(scored, key=lambda e: -e.score)

    def _score(self, evidence: Evidence, asked: dict[str, float], total: float) -> float:
        w, chunk = self._weights, evidence.chunk
        context = set(self._words.tokens(chunk.context))
        held = [set(self._words.tokens(s)) for s in sentences(chunk.text)]
        everything = set().union(*held, context)

        def share(words: set[str]) -> float:
            return sum(weight for word, weight in asked.items() if word in words) / total

        best = max((share(words | context) for words in held), default=0.0)
        return w.fused * evidence.score + w.sentence * best + w.chunk * share(everything) + w.context * share(context)


def split(question: str) -> tuple[str, ...]:
    """Return a question for each region that a comparison names, else the question alone."""
    named = places(question)
    if len(named) < 2 or len(named) > 4:
        return (question,)
    parts = []
    for place in named:
        part = question
        for other in named:
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


def _interleave(lists: Sequence[Sequence[Evidence]], k: int) -> list[Evidence]:
    """Take from the lists in turn, each passage once; one list is returned as it is."""
    if len(lists) == 1:
        return list(lists[0][:k])
    merged: dict[str, Evidence] = {}
    for rank in range(max(map(len, lists))):
        for ranked in lists:
            if rank < len(ranked):
                merged.setdefault(ranked[rank].chunk.id, ranked[rank])
    return list(merged.values())[:k]
