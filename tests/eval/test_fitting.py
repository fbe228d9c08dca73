"""Fitting: only development questions are learned from, and what is learned puts evidence first."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from eval.fitting import HELD_OUT, Candidates, development_cases, fit, render
from rag.answer.ranking import FEATURES
from rag.errors import UsageError


def asked() -> tuple[Candidates, ...]:
    """A question whose evidence the fused score puts last, and the chunk feature first."""
    features = np.zeros((2, len(FEATURES)), np.float32)
    features[:, FEATURES.index("fused")] = (1.0, 0.5)
    features[:, FEATURES.index("chunk")] = (0.0, 0.6)
    return (Candidates(features, np.array([False, True])),)


def dataset(folder: Path, *splits: str | None) -> Path:
    rows = [
        {"id": f"q{n}", "type": "factoid", "question": "厦门多少家", "history": [],
         "must": [["2000"]], "must_not": [],
         "sources": [{"file": "a.txt", "article": "甲", "quote": "厦门2000余家机构接入。"}], "answerable": True}
        | ({"split": split} if split else {})
        for n, split in enumerate(splits)
    ]  # fmt: skip
    path = folder / "set.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def test_what_tells_evidence_apart_gains_weight_and_unseen_questions_profit() -> None:
    result = fit("ranker", [asked()] * 16)
    assert result.figures["第一个特征"][0] == 0.0
    assert result.figures[HELD_OUT][0] == 1.0
    assert result.weights["chunk"] > 0.3
    assert "重排段落（16 题）" in render(result)


def test_of_a_split_dataset_only_the_development_questions_are_learned_from(tmp_path: Path) -> None:
    assert [case.id for case in development_cases([dataset(tmp_path, "dev", "test", "dev")])] == ["q0", "q2"]
    assert len(development_cases([dataset(tmp_path, None, None)])) == 2


def test_a_dataset_of_test_questions_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="dev"):
        development_cases([dataset(tmp_path, "test")])
