"""Measures a retriever on labelled questions and prints the figures in Chinese.

It is given a search function; which index or models stand behind it is the caller's business.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from rich.console import Console
from rich.table import Table

from eval.cases import CASE_TYPES, Case, CaseType
from eval.metrics import Rank, first, hit, interval, mrr, rank_of_source
from rag.errors import UsageError
from rag.schema import Evidence, Turn

HIT_AT = (1, 3, 5, 10)
RECALL_AT = (5, 10)

Search = Callable[[str, Sequence[Turn]], Sequence[Evidence]]
"""Question and history to ranked passages, best first; give at least ten."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures of `n` cases, `hit` and `recall` by cut-off; hit@k lies in `low` to `high` (95 %)."""

    n: int
    hit: Mapping[int, float]
    recall: Mapping[int, float]
    mrr: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """What a measurement found. `missed` names the cases without evidence among the first `k` passages."""

    k: int
    overall: Scores
    by_type: Mapping[CaseType, Scores]
    missed: tuple[str, ...]


def measure_retrieval(search: Search, cases: Sequence[Case], k: int = 5) -> RetrievalReport:
    """Search for every answerable case and score the ranks of its sources.

    A case with several sources is hit where any is found; recall is the share of them that is found.
    Raises `UsageError` where no case is answerable.
    """
    answerable = [case for case in cases if case.answerable]
    if not answerable:
        raise UsageError("题集里没有可回答的题，无法测检索", "请换一个题集")
    ranks = {case.id: _ranks(search, case) for case in answerable}
    by_type = {
        name: _scores([ranks[case.id] for case in answerable if case.type == name], k)
        for name in CASE_TYPES
        if any(case.type == name for case in answerable)
    }
    missed = tuple(case.id for case in answerable if not hit([first(ranks[case.id])], k))
    return RetrievalReport(k, _scores(list(ranks.values()), k), by_type, missed)


LEGS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "只用关键词": {"dense": False, "boosts": False, "reranker": "off"},
        "只用向量": {"words": False, "boosts": False, "reranker": "off"},
        "加权融合": {"boosts": False, "reranker": "off"},
        "融合、约束": {"reranker": "off"},
        "融合、约束、重排（默认）": {},
    }
)
"""The settings that leave a part of retrieval out, from each leg alone to the whole."""


def render_legs(reports: Mapping[str, RetrievalReport]) -> str:
    """Return one line a leg."""
    table = Table(title="检索各部分")
    table.add_column("检索方式")
    for heading in (*(f"命中@{k}" for k in HIT_AT), *(f"召回@{k}" for k in RECALL_AT), "MRR"):
        table.add_column(heading, justify="right")
    for name, report in reports.items():
        table.add_row(name, *_cells(report.overall)[1:-1])
    return _text(table)


def render(report: RetrievalReport) -> str:
    """Return the report as a table of text, with the missed cases below."""
    table = Table(title=f"检索评测（{report.overall.n} 题）")
    table.add_column("题型")
    for heading in (
        "题数",
        *(f"命中@{k}" for k in HIT_AT),
        *(f"召回@{k}" for k in RECALL_AT),
        "MRR",
        f"命中@{report.k} 的 95% 区间",
    ):
        table.add_column(heading, justify="right")
    for name, scores in report.by_type.items():
        table.add_row(CASE_TYPES[name], *_cells(scores))
    table.add_section()
    table.add_row("全部", *_cells(report.overall))
    return _text(table) + f"前 {report.k} 段中没有证据的题：{'、'.join(report.missed) or '无'}\n"


def _text(table: Table) -> str:
    out = io.StringIO()
    Console(file=out, width=120, color_system=None).print(table)
    return out.getvalue()


def _ranks(search: Search, case: Case) -> tuple[Rank, ...]:
    passages = [evidence.chunk for evidence in search(case.question, case.history)]
    return tuple(rank_of_source(source, passages) for source in case.sources)


def _scores(ranks: Sequence[Sequence[Rank]], k: int) -> Scores:
    """Score the cases whose sources have `ranks`, one sequence a case."""
    firsts = [first(of_case) for of_case in ranks]
    low, high = interval([hit([rank], k) for rank in firsts])
    return Scores(
        n=len(ranks),
        hit={at: hit(firsts, at) for at in HIT_AT},
        recall={at: sum(hit(of_case, at) for of_case in ranks) / len(ranks) for at in RECALL_AT},
        mrr=mrr(firsts),
        low=low,
        high=high,
    )


def _cells(scores: Scores) -> tuple[str, ...]:
    return (
        str(scores.n),
        *(f"{scores.hit[k]:.1%}" for k in HIT_AT),
        *(f"{scores.recall[k]:.1%}" for k in RECALL_AT),
        f"{scores.mrr:.3f}",
        f"{scores.low:.1%}–{scores.high:.1%}",
    )
