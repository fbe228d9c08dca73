"""Compares a batch of N real questions with N `weice ask` against a warm server: `python -m eval.bench.batch -n 30`.

Both are the commands as a user runs them, one after the other. The local LLM is started anew before each, so that
neither finds the other's prompts in its memory, and answers one other question first. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from eval.cases import load as load_cases
from rag.batch import batch_path
from rag.records import Record
from rag.settings import ROOT, load
from rag.wiring import App

CASES = ROOT / "eval" / "datasets" / "newsletters.jsonl"
WARMING = "数字化手术室有几间"


def measure(questions: Sequence[str], folder: Path) -> dict[str, Any]:
    """Return the seconds of both ways, how many times as fast the batch was, and how many answers are the same."""
    source, target = folder / "questions.txt", folder / "answers.jsonl"
    source.write_text("\n".join(questions), encoding="utf-8")
    app = App(load())
    try:
        _warm(app)
        asked, ask_s = _timed_asks(questions)
        _warm(app)
        started = time.monotonic()
        _weice("batch", str(source), "-o", str(target))
        batch_s = time.monotonic() - started
    finally:
        app.close(stop_llm=True)
        for path in app.batches.glob(f"{batch_path(app.batches, target).stem}*"):
            path.unlink()
    answers = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    same = sum(one["answer"] == other["answer"] for one, other in zip(asked, answers, strict=True))
    written = sum(answer["mode"] == "llm" for answer in answers)
    return {
        "questions": len(questions),
        "ask_s": round(ask_s, 1),
        "batch_s": round(batch_s, 1),
        "times_as_fast": round(ask_s / batch_s, 2),
        "same_answers": same,
        "written_by_llm": written,
    }


def _timed_asks(questions: Sequence[str]) -> tuple[list[Record], float]:
    started = time.monotonic()
    answers = [json.loads(_weice("ask", "--json", question)) for question in questions]
    return answers, time.monotonic() - started


def _warm(app: App) -> None:
    """Start the local LLM anew and let it answer once; an endpoint is only asked once."""
    if app.settings.llm == "local":
        app.llm_server.stop()
        app.llm_server.ensure()
    _weice("ask", "--json", WARMING)


def _weice(*args: str) -> str:
    command = [sys.executable, "-m", "ui.cli", *args]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, encoding="utf-8").stdout  # noqa: S603  # our own program


def _spread(count: int) -> list[str]:
    """Questions from all over the development cases: those without history."""
    cases = [case for case in load_cases(CASES) if not case.history]
    step = max(1, len(cases) // count)
    return [case.question for case in cases[::step][:count]]


def main() -> None:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=30, help="how many questions")
    count = parser.parse_args().n
    with tempfile.TemporaryDirectory(prefix="weice-bench-") as folder, suppress(KeyboardInterrupt):
        print(json.dumps(measure(_spread(count), Path(folder)), ensure_ascii=False))


if __name__ == "__main__":
    main()
