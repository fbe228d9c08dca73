"""Tells how well the LLM's 无 parts questions with an answer from those without: `python -m eval.bench.refusing`.

Every development question is taken as far as its questions to the LLM, which is asked for the log-odds of an answer
against 无 and says no more than whether it is 无; what it is made to answer after that is asked about in earnest.
Minutes for each hundred questions. Nothing is asserted; questions of a test split are never asked.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from eval.bench.quoting import DATASETS, NAMES
from eval.cases import Case
from eval.fitting import development_cases
from rag.answer.extracting import (
    AGAIN,
    AT_LAST,
    COUNTED,
    DOUBTED,
    LISTED,
    NEARLY,
    NULL,
    RIGHT,
    SEVERAL,
    SURELY_RIGHT,
    UNMEASURED,
    WRONG,
)
from rag.errors import UsageError
from rag.ports import Extractor
from rag.schema import Message
from rag.settings import load as load_settings
from rag.wiring import App

SURELY = 100.0
"""What log-odds are moved by to have 无 said, or not said, whatever the evidence."""
OTHER = {NULL: "有", WRONG: RIGHT}
"""What is said where it is not 无, and of an answer that is not 错."""
STEPS = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Thresholds that are shown, beside the one that is in use."""


@dataclass
class Probe:
    """An LLM that says only whether it is 无, and keeps how far the real one is from saying so."""

    extractor: Extractor
    nearly: float
    """The threshold at which the real one is to answer."""
    model: str = "probe"
    asked: dict[tuple[str, float], float] = field(default_factory=dict)
    """By 无 or 错 and the threshold that was set, the log-odds against it: of several questions the likeliest."""

    def prepare(self) -> None:
        """Warm nothing up: the first question waits."""

    def generate(self, messages: Sequence[Message], *, max_tokens: int) -> Iterator[str]:  # noqa: ARG002  # a port
        """Write nothing."""
        return iter(())

    def extract(
        self, messages: Sequence[Message], moved: Mapping[str, float], *, max_tokens: int
    ) -> Iterator[tuple[str, float]]:
        """Say 无 or 错 where the real one does, and keep how far it is from it."""
        ((token, threshold),) = moved.items()
        if (token, threshold) == (NULL, self.nearly):
            yield from self.extractor.extract(messages, moved, max_tokens=max_tokens)
            return
        said, other = (self._first(messages, token, by, max_tokens) for by in (SURELY, -SURELY))
        odds_ = math.log(other) - math.log(said)
        self.asked[token, threshold] = max(odds_, self.asked.get((token, threshold), -math.inf))
        yield (token, said) if odds_ < threshold else (OTHER[token], other)

    def _first(self, messages: Sequence[Message], token: str, by: float, max_tokens: int) -> float:
        """The probability of the first piece, which is `token` or what is likeliest beside it."""
        with closing(self.extractor.extract(messages, {token: by}, max_tokens=max_tokens)) as pieces:  # type: ignore[type-var]
            return max(next(pieces)[1], 1e-12)


def odds(app: App, cases: Sequence[Case], console: Console) -> dict[tuple[str, float], dict[bool, list[float]]]:
    """Return the log-odds by what they are against, their threshold, and whether the question has an answer.

    Questions that ask several things are asked of each: the likeliest counts, since one answer is an answer.
    """
    extractor = app.generator
    if extractor is None:
        raise UsageError("没有大模型", "请把设置 llm 改回 local")
    probe = Probe(extractor, app.settings.null_bias + NEARLY)
    app.__dict__["generator"] = probe
    assistant = app.assistant()
    found: dict[tuple[str, float], dict[bool, list[float]]] = {}
    for case in track(cases, "问大模型 …", console=console):
        probe.asked.clear()
        assistant.answer(case.question, case.history)
        for threshold, by in probe.asked.items():
            found.setdefault(threshold, {True: [], False: []})[case.answerable].append(by)
    return found


def auc(answerable: Sequence[float], others: Sequence[float]) -> float:
    """Return the area under the ROC curve: how often an answerable question is above one that is not."""
    if not answerable or not others:
        return math.nan
    above = np.subtract.outer(np.array(answerable), np.array(others))
    return float(np.mean((above > 0) + 0.5 * (above == 0)))


def main() -> None:
    """Ask, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*", type=Path, default=[DATASETS / name for name in NAMES])
    cases = development_cases(parser.parse_args().datasets, unanswerable=True)
    console = Console(width=110)
    app = App(load_settings())
    own = app.settings.null_bias
    kinds = {
        0.0: "一件事",
        COUNTED: "一件事，问数的",
        UNMEASURED: "一件事，问数而没有量词",
        DOUBTED: "一件事，规则有疑",
    }
    kinds |= {AGAIN: "说“无”的再找一次", AT_LAST: "最后一次", LISTED: "列举、概括", SEVERAL: "其余"}
    names = {(NULL, own + moved): name for moved, name in kinds.items()}
    names[WRONG, SURELY_RIGHT] = "说“无”的逼它答，再问对错"
    found = odds(app, cases, console)
    table = Table(title=f"大模型的“无”（{len(cases)} 题；有答案的几题、没有的几题低于界线而被拒）")
    shown = [f"{step:+g}" for step in STEPS]
    for heading in ("问法", "有答案", "没有", "AUC", "现用界线", "现在拒", *shown):
        table.add_column(heading, no_wrap=True)
    for (token, threshold), by in sorted(found.items()):
        counts = [f"{_below(by[True], at)}、{_below(by[False], at)}" for at in (threshold, *STEPS)]
        area = f"{auc(by[True], by[False]):.2f}"
        sizes = (str(len(by[True])), str(len(by[False])))
        table.add_row(names.get((token, threshold), "?"), *sizes, area, f"{threshold:+g}", *counts)
    console.print(table)


def _below(odds_: Sequence[float], threshold: float) -> int:
    return sum(one < threshold for one in odds_)


if __name__ == "__main__":
    main()
