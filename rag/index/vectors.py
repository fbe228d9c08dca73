"""The dense leg: a flat FAISS index of unit vectors, saved as llama-index's `FaissVectorStore` opens it.

The position of a vector is the ordinal of its chunk. Flat search is exact, and quick enough up to some 100,000
chunks; beyond that another `Vectors` stands in its place.
"""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np

from rag.errors import IndexBroken
from rag.index.version import REBUILD
from rag.ports import Vector


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
        scores, ordinals = self._index.search(vector.reshape(1, -1).astype(np.float32), min(k, self._index.ntotal))
        return [(int(o), float(s)) for o, s in zip(ordinals[0], scores[0], strict=True) if o >= 0]

    def all(self) -> Vector:
        """Return every vector, shape (chunks, dimension), for reuse in the next version."""
        vectors: Vector = self._index.reconstruct_n(0, self._index.ntotal)
        return vectors


def write_vectors(path: Path, vectors: Vector) -> None:
    """Save unit `vectors` of shape (n, d) as an inner-product index: with unit vectors that is the cosine."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    if len(vectors):
        index.add(np.ascontiguousarray(vectors, np.float32))
    faiss.write_index(index, str(path))
