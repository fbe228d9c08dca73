"""The samples of outside benchmarks, with the real embedding model: what must be found, cited and refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eval.reading import read_questions
from eval.retrieval import read_corpus, read_queries
from rag import settings
from tests.builders import ROOT

SAMPLES = ROOT / "eval" / "datasets" / "samples"
CORPUS, QUERIES = SAMPLES / "retrieval_corpus.jsonl", SAMPLES / "retrieval_queries.jsonl"
READING = SAMPLES / "reading.jsonl"

WHOLE = "融合、约束、重排（默认）"

EXPECTED: dict[str, dict[str, tuple[str, ...]]] = {
    "r1": {"p1": ("每人每月680元",)},
    "r2": {"p2": ("21.5万人次",)},
    "r3": {"p2": ("95.2%",)},
    "r4": {},
    "r5": {},
    "r6": {"p1": ("11分钟",)},
    "r7": {"p1": ("34.5%",)},
    "r8": {"p1": ("3.1人",), "p2": ("2.4人",)},
}
"""By question: the passages that must be cited, each with what its quotes say; none where it must be refused."""


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a program with the pulled models and nothing else: no index, no library, no settings."""
    (tmp_path / "weice.toml").write_text("", encoding="utf-8")
    return {
        **os.environ,
        "WEICE_CONFIG": str(tmp_path / "weice.toml"),
        "WEICE_DATA_DIR": str(tmp_path / "var"),
        "WEICE_MODELS_DIR": str(settings.load().models_dir),
        "WEICE_LEXICON": str(tmp_path / "词典.txt"),
        "WEICE_LIBRARY": json.dumps([str(tmp_path / "library")]),
    }


def weice(environment: dict[str, str], *args: object) -> str:
    command = [sys.executable, "-m", "ui.cli", *map(str, args)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_samples_are_whole() -> None:
    corpus = read_corpus(CORPUS)
    assert (len(corpus), len(read_queries(QUERIES, corpus))) == (12, 8)
    assert [question.id for question in read_questions(READING)] == list(EXPECTED)


@pytest.mark.model
def test_documents_are_found_for_every_query_of_the_sample(home: dict[str, str]) -> None:
    report = json.loads(weice(home, "eval", "retrieval", "--corpus", CORPUS, "--queries", QUERIES, "--json"))
    assert (report["documents"], report["queries"]) == (12, 8)
    assert report["legs"][WHOLE]["hit@5"] == 1.0
    assert report["legs"][WHOLE]["hit@1"] >= 0.75


@pytest.mark.model
def test_the_right_passages_are_cited_and_what_they_do_not_hold_is_refused(home: dict[str, str]) -> None:
    lines = weice(home, "eval", "reading", READING, "--no-llm").splitlines()
    records: dict[str, dict[str, Any]] = {record["id"]: record for record in map(json.loads, lines)}
    refused = [id_ for id_, record in records.items() if record["refused"]]
    assert refused == [id_ for id_, wanted in EXPECTED.items() if not wanted]
    for id_, wanted in EXPECTED.items():
        for passage, facts in wanted.items():
            quotes = " ".join(c["quote"] for c in records[id_]["citations"] if c["file"] == passage)
            assert all(fact in quotes for fact in facts), (id_, quotes)
