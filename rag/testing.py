"""Small real implementations of the ports for tests and try-outs: deterministic, quick, without any model.

Nothing of the product uses this file; it knows no room, only ports and schema.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from rag.errors import GenerationError
from rag.ports import Vector
from rag.schema import Evidence, Message


class HashingEmbedder:
    """Embeds a text as its hashed character pairs: texts that share words are near, always the same way."""

    def __init__(self, dimension: int = 64, name: str = "hashing") -> None:
        """Keep `dimension` buckets; `name` lets a test pretend that it is another model."""
        self.name = f"{name}-{dimension}"
        self.dimension = dimension
        self.embedded: list[str] = []
        """Every text embedded so far, in order."""

    def embed(self, texts: Sequence[str]) -> Vector:
        """Return shape (len(texts), dimension), float32, each row of length 1."""
        self.embedded.extend(texts)
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for pair in _pairs(text):
                row[_bucket(pair, self.dimension)] += 1.0
        unit: Vector = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


class ScriptedGenerator:
    """Writes the given answers in turn, the last one again and again; may fail or be slow on the way."""

    model = "scripted"

    def __init__(
        self,
        *answers: str,
        error: GenerationError | None = None,
        sure: float = 1.0,
        fail_after: int = 0,
        delay_s: float = 0.0,
        piece: int = 4,
    ) -> None:
        """Yield `piece` characters each `delay_s`; raise `error`, where given, after `fail_after` pieces."""
        self._answers = list(answers)
        self._error = error
        self._fail_after = fail_after
        self._delay_s = delay_s
        self._piece = piece
        self.prompts: list[tuple[Message, ...]] = []
        """Every conversation that was sent, in order."""
        self.sure = sure
        """The probability of what is extracted."""
        self.moved: list[dict[str, float]] = []
        """The tokens whose log-odds were moved, for every extraction."""
        self.closed_early = 0
        """How many generations were stopped before their end."""

    def extract(
        self, messages: Sequence[Message], moved: Mapping[str, float], *, max_tokens: int
    ) -> Iterator[tuple[str, float]]:
        """Yield the next answer as `generate` does, each piece as `sure`, and keep what was `moved`."""
        self.moved.append(dict(moved))
        return ((piece, self.sure) for piece in self.generate(messages, max_tokens=max_tokens))

    def generate(self, messages: Sequence[Message], *, max_tokens: int) -> Iterator[str]:
        """Yield the next answer in pieces, at most `max_tokens` of them."""
        self.prompts.append(tuple(messages))
        at = min(len(self.prompts), len(self._answers)) - 1
        answer = self._answers[at] if self._answers else ""
        pieces = [answer[i : i + self._piece] for i in range(0, len(answer), self._piece)][:max_tokens]
        try:
            for number, piece in enumerate(pieces):
                self._fail_at(number)
                time.sleep(self._delay_s)
                yield piece
            self._fail_at(len(pieces))
        except GeneratorExit:
            self.closed_early += 1
            raise

    def _fail_at(self, number: int) -> None:
        if self._error is not None and number >= self._fail_after:
            raise self._error


class FixedRetriever:
    """Finds the given passages for any question, best first."""

    def __init__(self, *evidence: Evidence) -> None:
        """Keep the passages in the given order."""
        self._evidence = evidence
        self.questions: list[str] = []
        """Every question asked, in order."""

    def retrieve(self, question: str, k: int) -> list[Evidence]:
        """Return the first k passages."""
        self.questions.append(question)
        return list(self._evidence[:k])


def _pairs(text: str) -> list[str]:
    padded = f" {text} "
    return [padded[i : i + 2] for i in range(len(padded) - 1)]


def _bucket(pair: str, buckets: int) -> int:
    digest = hashlib.blake2b(pair.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % buckets
