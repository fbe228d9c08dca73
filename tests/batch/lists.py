"""Lists of questions, and an answerer that remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from rag.batch import Answering, BatchReport, Question, open_questions, run_batch
from rag.errors import LlmUnavailable
from rag.schema import Answer, Citation, Mode, Sentence, Support, Timings, Turn, Verdict
from tests.builders import article, whole

TEXT = "福建厦门率先落地。全市有2000余家定点医药机构接入即时结算系统。"
QUOTE = "全市有2000余家定点医药机构接入即时结算系统。"


def answered(question: str, text: str = "", verdict: Verdict = Verdict.ANSWERED, quote: str = QUOTE) -> Answer:
    """An answer with one citation, in two sentences of which one is carried in full."""
    cited = article(TEXT if quote in TEXT else quote)
    start = cited.text.index(quote)
    return Answer(
        question,
        question,
        text or f"答：{question}[1]。",
        verdict,
        citations=(Citation(1, whole(cited), start, start + len(quote), quote),),
        sentences=(Sentence("答", (1,), Support.FULL), Sentence("又", (1,), Support.PARTIAL)),
        mode=Mode.LLM,
        model="scripted",
        timings=Timings(0.1, 0.5, 1.25),
    )


class Answerer:
    """Answers with the question itself, and remembers what it was asked; fails on the given questions."""

    def __init__(self, *failing: str) -> None:
        self.asked: list[tuple[str, tuple[Turn, ...]]] = []
        self._failing = failing
        self._lock = threading.Lock()

    def __call__(self, row: Question) -> Answer:
        with self._lock:
            self.asked.append((row.question, row.history))
        if row.question in self._failing:
            raise LlmUnavailable("大模型连不上", "请检查")
        return answered(row.question)

    @property
    def questions(self) -> list[str]:
        return [question for question, _ in self.asked]


def run(source: Path, target: Path, ask: Any, settings: str = "s", **how: Any) -> BatchReport:
    """A whole run whose journal stands beside the target's folder."""
    opened = {name: how.pop(name) for name in ("sheet", "column") if name in how}
    folder = target.parent / "journals" if target.parent.is_dir() else target.parent.parent / "journals"
    return run_batch(open_questions(source, **opened), target, Answering.plain(ask, settings), folder=folder, **how)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def text_list(path: Path, *questions: str) -> Path:
    path.write_text("\n".join(questions), encoding="utf-8")
    return path


def workbook(path: Path, *rows: Sequence[object], title: str = "题") -> Path:
    book = Workbook()
    page = book.active
    page.title = title
    for row in rows:
        page.append(row)
    book.save(path)
    return path
