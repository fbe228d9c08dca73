"""Embeds texts with a model converted to OpenVINO: no torch, no transformers on the question's way.

The conversion itself, and everything about getting models, is `rag.models`.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rag.errors import ModelError
from rag.ports import Vector

MAX_TOKENS = 512
BATCH = 16


class OpenVinoEmbedder:
    """A folder with `tokenizer.json` and `openvino/model.xml` (ids, mask -> unit vectors) as an `Embedder`.

    The model is read at the first `embed`, so that building the object costs nothing.
    """

    def __init__(self, folder: Path, name: str) -> None:
        """Take the converted model in `folder`; `name` identifies model and weights."""
        self._folder = folder
        self._name = name
        self._one_at_a_time = threading.Lock()

    @property
    def name(self) -> str:
        """Model name and fingerprint."""
        return self._name

    @cached_property
    def dimension(self) -> int:
        """Length of a vector, from the model's own config."""
        config = json.loads((self._folder / "config.json").read_text(encoding="utf-8"))
        return int(config["hidden_size"])

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.enable_padding()
        return tokenizer

    @cached_property
    def _model(self) -> Any:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # none of it leaves this machine
        import openvino

        path = self._folder / "openvino" / "model.xml"
        try:
            return openvino.Core().compile_model(str(path), "CPU", {"PERFORMANCE_HINT": "LATENCY"})
        except RuntimeError as error:
            raise ModelError(
                f"向量模型打不开：{path}", "运行 weice models verify 查看，再 weice models pull"
            ) from error

    def embed(self, texts: Sequence[str]) -> Vector:
        """Return shape (len(texts), dimension), float32, each row of length 1."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for at in range(0, len(texts), BATCH):
            rows = by_length[at : at + BATCH]
            vectors[rows] = self._embed_batch([texts[i] for i in rows])
        return vectors

    def _embed_batch(self, texts: list[str]) -> Vector:
        encoded = self._tokenizer.encode_batch(texts)
        ids = np.array([e.ids for e in encoded], np.int64)
        mask = np.array([e.attention_mask for e in encoded], np.int64)
        with self._one_at_a_time:  # a compiled model has one request, and takes every core for it
            result: Vector = self._model({"input_ids": ids, "attention_mask": mask})[0].copy()
        length = np.linalg.norm(result, axis=1, keepdims=True)
        return np.asarray(result / np.maximum(length, 1e-12), np.float32)
