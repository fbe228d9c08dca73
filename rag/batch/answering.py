"""Answers rows with the program's assistant: evidence ahead, the scenario of each row, and a stop in mid-answer."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import prompts
from rag.answer.events import Finished
from rag.answer.filters import Filters
from rag.answer.scenarios import chosen
from rag.batch.engine import Answering, Prepared, Stopped
from rag.batch.questions import Question
from rag.schema import Answer, Timings

if TYPE_CHECKING:
    from rag.answer.assistant import Assistant


def with_assistant(
    assistant: Assistant,
    settings: Mapping[str, str],
    default: str | None,
    held_to: Callable[[Filters], Assistant],
) -> Answering:
    """Answer with `assistant`, and a row with filters with the one `held_to` them.

    A row without a scenario is answered by the `default` one, where there is one.

    Raises `UsageError` where there is no such scenario.
    """
    known, narrowed = cache(chosen), cache(held_to)
    otherwise = known(default)

    def prepare(row: Question, stop: threading.Event) -> Prepared:
        scenario = known(row.scenario) or otherwise
        asked = narrowed(row.filters) if row.filters else assistant
        started = time.monotonic()
        asking = asked.parts(row.question, row.history, scenario)
        ahead_s = time.monotonic() - started

        def answer() -> Answer:
            with closing(asked.stream(row.question, row.history, scenario, asking)) as events:  # type: ignore[type-var]  # a generator
                for event in events:
                    if isinstance(event, Finished):
                        return replace(event.answer, timings=_later(event.answer.timings, ahead_s))
                    if stop.is_set():
                        raise Stopped("批量任务已停止")
            raise AssertionError("a stream ends with Finished")

        return Prepared(asked.prompt(asking), answer)

    return Answering(prepare, settings)


def _later(timings: Timings, ahead_s: float) -> Timings:
    """The timings with the seconds that were spent on the row before."""
    first_token_s = timings.first_token_s and timings.first_token_s + ahead_s
    return Timings(timings.retrieve_s + ahead_s, first_token_s, timings.total_s + ahead_s)


def fingerprint() -> str:
    """Return what changes with every word of the prompts and the scenarios."""
    texts = [path.read_bytes() for path in sorted(prompts.SCENARIOS.parent.rglob("*.md"))]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:12]
