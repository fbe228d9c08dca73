"""Retrieval metrics over ranked passages: hit@k, recall@k, mean reciprocal rank, bootstrap interval.

Pure functions of ranks; nothing here searches or reads files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from eval.cases import Source, squash
from rag.schema import Chunk

SPLIT_SHARE = 0.6
"""A quote cut in two by a passage border counts where one passage holds this share of it in one piece."""

Rank = int | None
"""1 for the first passage; None where the evidence was not found."""


def rank_of_source(source: Source, passages: Sequence[Chunk]) -> Rank:
    """Return the rank of the first passage of the source's file that holds its quote, or most of it."""
    quote = squash(source.quote)
    need = math.ceil(len(quote) * SPLIT_SHARE)
    pieces = [quote[start : start + need] for start in range(len(quote) - need + 1)]
    for rank, passage in enumerate(passages, start=1):
        if passage.article.issue.file != source.file:
            continue
        text = squash(passage.text)
        if any(piece in text for piece in pieces):
            return rank
    return None


def first(ranks: Sequence[Rank]) -> Rank:
    """Return the best of several ranks, None where nothing was found."""
    return min((rank for rank in ranks if rank is not None), default=None)


def hit(ranks: Sequence[Rank], k: int) -> float:
    """Return the share of ranks that are at most `k`; 0 for no ranks.

    Over the cases' first ranks this is hit@k, over the sources of one case its recall@k.
    """
    return _mean([float(rank is not None and rank <= k) for rank in ranks])


def mrr(ranks: Sequence[Rank]) -> float:
    """Return the mean reciprocal rank (Voorhees, TREC-8 QA track, 1999); a rank of None counts 0."""
    return _mean([1 / rank if rank else 0.0 for rank in ranks])


def interval(values: Sequence[float], *, rounds: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean (Efron and Tibshirani 1993, chapter 13)."""
    if not values:
        return (0.0, 0.0)
    draws = np.random.default_rng(seed).choice(np.asarray(values, dtype=float), size=(rounds, len(values)))
    low, high = np.percentile(draws.mean(axis=1), [2.5, 97.5])
    return (float(low), float(high))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
