"""The ports: what each room promises, one small verb each.

Adapters live in the rooms and are put together in `rag.wiring`; this file imports no library but numpy's types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rag.schema import Chunk, Evidence, Message

Vector = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def name(self) -> str:
        """Model name and fingerprint: an index built with another one is refused."""
        ...

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> Vector:
        """Return shape (len(texts), dimension), float32, each row of length 1."""
        ...


class Vectors(Protocol):
    """Nearest neighbours by cosine."""

    def search(self, vector: Vector, k: int) -> list[tuple[int, float]]:
        """Return up to k (chunk ordinal, cosine similarity), best first, for one vector of shape (d,)."""
        ...


class Keywords(Protocol):
    """BM25 over words."""

    def search(self, tokens: Sequence[str], k: int) -> list[tuple[int, float]]:
        """Return up to k (chunk ordinal, BM25 score), best first."""
        ...


class Retriever(Protocol):
    """Finds passages for a question; a fused retriever is a retriever."""

    def retrieve(self, question: str, k: int) -> list[Evidence]:
        """Return up to k passages, best first."""
        ...


class Reranker(Protocol):
    """Orders passages again; "off" is `KeepOrder`."""

    def rerank(self, question: str, evidence: Sequence[Evidence]) -> list[Evidence]:
        """Return the same passages, best first, with new scores."""
        ...


class Generator(Protocol):
    """Writes an answer, a piece at a time."""

    @property
    def model(self) -> str:
        """The name of the model that writes."""
        ...

    def generate(self, messages: Sequence[Message], *, max_tokens: int) -> Iterator[str]:
        """Yield pieces of text. Raises `GenerationError`; closing the iterator stops the generation."""
        ...


class Extractor(Protocol):
    """Copies an answer out of evidence, or says that there is none."""

    def extract(
        self, messages: Sequence[Message], moved: Mapping[str, float], *, max_tokens: int
    ) -> Iterator[tuple[str, float]]:
        """Yield pieces of text, each with its probability; `moved` is added to the log-odds of its keys' tokens.

        Raises `GenerationError`; closing the iterator stops the generation.
        """
        ...


class Library(Protocol):
    """The chunks of one index version, by ordinal."""

    def __getitem__(self, ordinal: int) -> Chunk:
        """Return the chunk at `ordinal`."""
        ...

    def __len__(self) -> int:
        """Return the number of chunks."""
        ...
