"""Retrieval of the development questions, with the real models over the seeds, against the thresholds of CI."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from eval import gate
from eval.run import Plan, evaluate
from rag import settings
from rag.wiring import App

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    """The program over the seeds alone; what an index that is there has embedded is not embedded again."""
    data = tmp_path_factory.mktemp("weice")
    there = settings.load().data_dir / "index"
    if there.is_dir():
        shutil.copytree(there, data / "index")
    made = App(settings.load(data_dir=data, library=(settings.ROOT / "seeds",), lexicon=data / "none"))
    made.build_index(lambda *_: None)
    return made


def test_retrieval_of_the_development_questions_reaches_the_thresholds(app: App) -> None:
    datasets = Path(settings.ROOT / "eval" / "datasets")
    done = evaluate(app, Plan(datasets / "newsletters.jsonl", split="dev", only="retrieval"))
    assert done.summary.overall["evidence_hit@5"].n >= 100
    assert gate.check(done.folder, settings.ROOT / "eval" / "thresholds.toml") == ()
