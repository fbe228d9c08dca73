"""The dense legs: flat FAISS indexes of unit vectors, saved as llama-index's `FaissVectorStore` opens them.

The position of a vector is the ordinal of its chunk, or of its sentence. Flat search is exact, and quick enough up
to some 100,000 chunks; beyond that another `Vectors` stands in its place.
"""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from rag.errors import IndexBroken
from rag.index.version import REBUILD
from rag.ports import Vector

Ordinals = NDArray[np.int64]
SENTENCES_A_CHUNK = 4
"""Sentences looked at for each chunk wanted: the library's chunks hold some four."""


class FaissVectors:
    """A saved FAISS index as `Vectors`."""

    def __init__(self, path: Path) -> None:
        """Read the index at `path`."""
        try:
            self._index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise IndexBroken(f"向量索引打不开：{path}", REBUILD) from error

    def search(self, vector: Vector, k: int) -> list[tuple[int, float]]:
        """Return up to k (chunk ordinal, cosine similarity), best first."""
        wanted = max(1, min(k, self._index.ntotal))  # an empty index is asked, too
        scores, ordinals = self._index.search(vector.reshape(1, -1).astype(np.float32), wanted)
        return [(int(o), float(s)) for o, s in zip(ordinals[0], scores[0], strict=True) if o >= 0]

    def all(self) -> Vector:
        """Return every vector, shape (chunks, dimension), for reuse in the next version."""
        vectors: Vector = self._index.reconstruct_n(0, self._index.ntotal)
        return vectors


class FaissSentences:
    """A saved FAISS index of sentences as `Vectors` of chunks: a chunk is as near as its nearest sentence."""

    def __init__(self, path: Path, owners: Ordinals) -> None:
        """Read the index at `path`; `owners`, shape (sentences,), holds the chunk ordinal of each."""
        self._sentences = FaissVectors(path)
        self._owners = owners

    def search(self, vector: Vector, k: int) -> list[tuple[int, float]]:
        """Return up to k (chunk ordinal, cosine similarity of its nearest sentence), best first."""
        nearest: dict[int, float] = {}
        for sentence, similarity in self._sentences.search(vector, k * SENTENCES_A_CHUNK):
            nearest.setdefault(int(self._owners[sentence]), similarity)
        return list(nearest.items())[:k]

    def all(self) -> Vector:
        """Return every vector, shape (sentences, dimension), for reuse in the next version."""
        return self._sentences.all()


def write_vectors(path: Path, vectors: Vector) -> None:
    """Save unit `vectors` of shape (n, d) as an inner-product index: with unit vectors that is the cosine."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    if len(vectors):
        index.add(np.ascontiguousarray(vectors, np.float32))
    faiss.write_index(index, str(path))
