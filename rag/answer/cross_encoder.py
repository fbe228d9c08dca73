"""Orders passages with a cross-encoder of sentence-transformers: for machines that have the power.

It reads question and passage together, some hundred times as slowly as `FeatureReranker`. Getting the model is
`rag.models`; nothing is fetched here.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rag.errors import ModelError
from rag.schema import Evidence

DEPTH = 50
"""Passages that are read; those behind keep their order."""
_SOFTNESS = 4.0
"""Models are so sure of themselves that the runners-up would count for nothing beside the best passage."""


class CrossEncoderReranker:
    """Scores are 0 to twice `even`: a passage that the model finds as likely right as wrong has `even`.

    With the threshold of refusing as `even`, a question is never refused whose best passage the model finds right.
    """

    def __init__(self, folder: Path, *, even: float = 1.0) -> None:
        """Load the model in `folder`, asking no hub. Raises `ModelError` where it gives no single score."""
        import torch
        import transformers
        from sentence_transformers import CrossEncoder

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        try:
            model = CrossEncoder(
                str(folder), local_files_only=True, trust_remote_code=False, activation_fn=torch.nn.Identity()
            )
        except (OSError, ValueError, KeyError, AttributeError, RuntimeError, ImportError) as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ModelError(f"重排模型 {folder.name} 读不出来（{reason}）", _OTHER_MODEL) from error
        if model.num_labels != 1:
            raise ModelError(f"重排模型 {folder.name} 给出 {model.num_labels} 个得分，应为 1 个", _OTHER_MODEL)
        self._model = model
        self._even = even
        self._one_at_a_time = threading.Lock()

    def rerank(self, question: str, evidence: Sequence[Evidence]) -> list[Evidence]:
        """Return the evidence with new scores, best first."""
        read, behind = evidence[:DEPTH], evidence[DEPTH:]
        if not read:
            return []
        pairs = [(question, f"{e.chunk.context}\n{e.chunk.text}") for e in read]
        with self._one_at_a_time:  # a tokenizer is no two threads' at once, and the model takes every core
            logits = np.asarray(self._model.predict(pairs, show_progress_bar=False), np.float64).reshape(len(read))
        scores = 2 * self._even / (1 + np.exp(-logits / _SOFTNESS))
        scored = [replace(e, score=float(score)) for e, score in zip(read, scores, strict=True)]
        return sorted(scored, key=lambda e: -e.score) + [replace(e, score=0.0) for e in behind]


_OTHER_MODEL = '请换一个交叉编码器，例如 hf:BAAI/bge-reranker-base，或设 reranker = "features"'
