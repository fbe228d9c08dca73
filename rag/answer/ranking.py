"""Orders retrieved passages, and the sentences in them, with weights learned on the development questions.

Two linear models over a few features each: small enough to be read, and their weights are settings (`weice eval fit`
learns them). Nothing here searches.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from rag.answer.citing import Aligner, Passage
from rag.answer.question import Shape, asked_now
from rag.corpus.sentences import sentences
from rag.corpus.words import Words, character_pairs
from rag.ports import Vector
from rag.schema import Chunk, Evidence

FEATURES = ("fused", "sentence", "chunk", "context", "sentence_pairs", "chunk_pairs", "shaped")
"""The fused score; then shares of the question's weight: of its words in the best sentence under its headings, in the
passage and in the headings; of its character pairs in the best sentence and in the passage; and of its words in the
best sentence that has the shape of an answer (a number, a date)."""


SENTENCE_FEATURES = ("found", "own", "held", "nearby", "shaped", "own_pairs", "held_pairs")
"""Of a sentence: its passage's score as a share of the best one's; shares of the question's word weight that it holds
by itself, under its headings, and in its passage; 1 where it has the shape of an answer; and shares of the question's
character pairs, by itself and under its headings."""


EARLIER = 0.4
"""Share of its weight that a word keeps which only the earlier questions of a conversation hold."""


class KeepOrder:
    """The reranker that is off."""

    def rerank(self, question: str, evidence: Sequence[Evidence]) -> list[Evidence]:  # noqa: ARG002  # a port's shape
        """Return the evidence as it came."""
        return list(evidence)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What of a passage is compared with questions: sets of words and of character pairs, headings included."""

    context: frozenset[str]
    words: frozenset[str]
    pairs: frozenset[str]
    sentences: tuple[tuple[str, frozenset[str], frozenset[str]], ...]


class FeatureReranker:
    """Orders by weighted `FEATURES`. Keeps what it saw of a passage: it belongs to one index version."""

    def __init__(self, words: Words, idf: Callable[[str], float], weights: Mapping[str, float]) -> None:
        """Take the tokenizer and the word weights of the library, and a weight for each feature."""
        self._words = words
        self._idf = idf
        self._weights = np.array([weights.get(name, 0.0) for name in FEATURES])
        self._seen = lru_cache(maxsize=4096)(self._look)

    def rerank(self, question: str, evidence: Sequence[Evidence]) -> list[Evidence]:
        """Return the evidence with new scores, best first."""
        scores = self.features(question, evidence) @ self._weights
        scored = [replace(e, score=float(score)) for e, score in zip(evidence, scores, strict=True)]
        return sorted(scored, key=lambda e: -e.score)

    def features(self, question: str, evidence: Sequence[Evidence]) -> Vector:
        """Return shape (len(evidence), len(FEATURES)); all but the fused score are 0 to 1."""
        words = {word: self._idf(word) for word in self._words.tokens(question)}
        seen = [self._seen(e.chunk) for e in evidence]
        pairs = _pair_weights(character_pairs(question), [passage.pairs for passage in seen])
        shape = Shape.of(question)
        rows = [[e.score, *_shares(passage, words, pairs, shape)] for e, passage in zip(evidence, seen, strict=True)]
        return np.array(rows, np.float32).reshape(len(evidence), len(FEATURES))

    def _look(self, chunk: Chunk) -> _Seen:
        context = frozenset(self._words.tokens(chunk.context))
        heads = character_pairs(chunk.context)
        told = sentences(chunk.text)
        return _Seen(
            context,
            context.union(*(self._words.tokens(sentence) for sentence in told)),
            character_pairs(f"{chunk.context}{chunk.text}"),
            tuple((s, context.union(self._words.tokens(s)), heads | character_pairs(s)) for s in told),
        )


@dataclass(frozen=True, slots=True)
class RankedSentence:
    """A sentence, its score, and the share of the question's word weight that it and its headings hold."""

    passage: Passage
    score: float
    held: float
    terms: frozenset[str] = frozenset()
    """The words of the question that the sentence or its headings hold."""


class SentenceRanker:
    """Orders sentences by weighted `SENTENCE_FEATURES`."""

    def __init__(
        self, words: Words, idf: Callable[[str], float], aligner: Aligner, weights: Mapping[str, float]
    ) -> None:
        """Take the tokenizer, the word weights and the sentence splitter of the library, and a weight a feature."""
        self._words = words
        self._idf = idf
        self._aligner = aligner
        self._weights = np.array([weights.get(name, 0.0) for name in SENTENCE_FEATURES])

    def rank(self, question: str, evidence: Sequence[Evidence], more: Sequence[Passage] = ()) -> list[RankedSentence]:
        """Return the sentences of the evidence and `more`, best first; headings alone are no evidence."""
        passages, features = self.features(question, evidence, more)
        held = features[:, SENTENCE_FEATURES.index("held")]
        rows = zip(passages, features @ self._weights, held, strict=True)
        asked = frozenset(self._words.tokens(asked_now(question)))
        heads = {context: frozenset(self._words.tokens(context)) for context in {p.context for p in passages}}
        ranked = [
            RankedSentence(p, float(score), float(share), asked & (p.words | heads[p.context]))
            for p, score, share in rows
        ]
        return sorted(ranked, key=lambda row: -row.score)

    def _weights_of(self, question: str) -> dict[str, float]:
        """The words of a question, each with its weight."""
        return {word: self._idf(word) for word in self._words.tokens(question)}

    def features(
        self, question: str, evidence: Sequence[Evidence], more: Sequence[Passage] = ()
    ) -> tuple[list[Passage], Vector]:
        """Return the sentences and their features, shape (n, len(SENTENCE_FEATURES)), each 0 to 1."""
        now = self._weights_of(asked_now(question))
        words = {word: EARLIER * weight for word, weight in self._weights_of(question).items()} | now
        best = max((e.score for e in evidence), default=1.0) or 1.0
        found = [(e.score / best, e.chunk, self._aligner.passages([e.chunk])) for e in evidence]
        known = {passage.key for _, _, passages in found for passage in passages}
        found += [(0.0, Chunk(p.chunk.article, *p.span), [p]) for p in more if p.key not in known]
        passages = [p for _, _, told in found for p in told if not p.is_heading]
        pairs = _pair_weights(character_pairs(question), [p.bigrams for p in passages])
        shape = Shape.of(question)
        rows = []
        for score, chunk, told in found:
            context = frozenset(self._words.tokens(chunk.context))
            nearby = context.union(self._words.tokens(chunk.text))
            heads = character_pairs(chunk.context)
            for p in told:
                if p.is_heading:
                    continue
                by_words = [_share(words, held) for held in (p.words, p.words | context, nearby)]
                by_pairs = [_share(pairs, held) for held in (p.bigrams, p.bigrams | heads)]
                rows.append([score, *by_words, float(shape.fits(p.text)), *by_pairs])
        return passages, np.array(rows, np.float32).reshape(len(passages), len(SENTENCE_FEATURES))


def _shares(passage: _Seen, words: Mapping[str, float], pairs: Mapping[str, float], shape: Shape) -> list[float]:
    """The features of a passage but the first, in order."""
    by_sentence = [
        (_share(words, held), _share(pairs, held_pairs), shape.fits(text))
        for text, held, held_pairs in passage.sentences
    ]
    return [
        max((share for share, _, _ in by_sentence), default=0.0),
        _share(words, passage.words),
        _share(words, passage.context),
        max((share for _, share, _ in by_sentence), default=0.0),
        _share(pairs, passage.pairs),
        max((share for share, _, fits in by_sentence if fits), default=0.0),
    ]


def _pair_weights(asked: Iterable[str], held: Sequence[frozenset[str]]) -> dict[str, float]:
    """Inverse document frequency of each pair among the texts at hand: no table of pairs needs to be kept."""
    found = Counter(pair for pair in asked for pairs in held if pair in pairs)
    return {pair: math.log(1 + (len(held) - found[pair] + 0.5) / (found[pair] + 0.5)) for pair in asked}


def _share(asked: Mapping[str, float], held: frozenset[str]) -> float:
    """The share of the asked weight that is held."""
    total = sum(asked.values())
    return sum(weight for item, weight in asked.items() if item in held) / total if total else 0.0
