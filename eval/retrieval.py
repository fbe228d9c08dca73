"""Measures retrieval alone: on labelled questions by passage, on outside benchmarks by document.

The retriever is the program's own, unchanged; a benchmark's corpus gets a temporary index of its own.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from eval.cases import CASE_TYPES, Case, CaseType, Text, read_lines
from eval.metrics import HIT_AT, RECALL_AT, Rank, first, hit, interval, leg_scores, mrr, rank_of_source
from rag.corpus.parsed import ParsedIssue
from rag.errors import UsageError
from rag.index.build import write_index
from rag.index.version import IndexedFile, IndexVersion
from rag.schema import Article, Evidence, Issue, Turn

if TYPE_CHECKING:
    from rag.corpus.words import Words
    from rag.ports import Embedder
    from rag.wiring import App

Progress = Callable[[str, int, int], None]
Search = Callable[[str, Sequence[Turn]], Sequence[Evidence]]
"""Question and history to ranked passages, best first; give at least ten."""

LEGS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "只用关键词": {"dense": False, "sentences": False, "boosts": False, "reranker": "off"},
        "只用向量": {"words": False, "sentences": False, "boosts": False, "reranker": "off"},
        "只用句向量": {"words": False, "dense": False, "boosts": False, "reranker": "off"},
        "加权融合": {"boosts": False, "reranker": "off"},
        "融合、约束": {"reranker": "off"},
        "融合、约束、重排（默认）": {},
    }
)
"""The settings that leave a part of retrieval out, from each leg alone to the whole."""


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


def render_legs(reports: Mapping[str, RetrievalReport]) -> str:
    """Return one line a leg."""
    table = Table(title="检索各部分")
    table.add_column("检索方式")
    for heading in (*(f"命中@{k}" for k in HIT_AT), *(f"召回@{k}" for k in RECALL_AT), "MRR"):
        table.add_column(heading, justify="right")
    for name, report in reports.items():
        table.add_row(name, *_cells(report.overall)[1:-1])
    return as_text(table)


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
    return as_text(table) + f"前 {report.k} 段中没有证据的题：{'、'.join(report.missed) or '无'}\n"


def as_text(table: Table) -> str:
    """Return a table as text, the same on every terminal."""
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


# --- outside benchmarks ------------------------------------------------------------

_DEPTH = 100
"""Passages retrieved a query, so that ten documents are among them."""
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Document:
    """A line of a corpus."""

    id: Text
    text: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A question with the ids of the documents that are relevant to it."""

    id: Text
    question: Text
    relevant: tuple[Text, ...]
    history: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class BenchmarkReport:
    """What a benchmark found: hit, recall, MRR and nDCG of documents by leg."""

    documents: int
    passages: int
    queries: int
    legs: Mapping[str, Mapping[str, float]]


_DOCUMENT, _QUERY = TypeAdapter(Document), TypeAdapter(Query)


def read_corpus(path: Path) -> tuple[Document, ...]:
    """Read `{"id","title","text"}` a line. Raises `UsageError` naming line and field."""
    numbered = read_lines(path, _DOCUMENT, "语料", "一篇文档")
    for number, document in numbered:
        if not (document.text.strip() or document.title.strip()):
            raise UsageError(f"语料 {path.name} 第 {number} 行的字段 text 是空的", "请补上正文，或删去这一行")
    return tuple(document for _, document in numbered)


def read_queries(path: Path, corpus: Sequence[Document]) -> tuple[Query, ...]:
    """Read `{"id","question","relevant":[ids],"history"?}` a line. Raises `UsageError` naming line and field."""
    known = {document.id for document in corpus}
    numbered = read_lines(path, _QUERY, "问题", "一个问题")
    for number, query in numbered:
        where = f"问题 {path.name} 第 {number} 行的字段 relevant"
        if not query.relevant:
            raise UsageError(f"{where} 是空的", "请写上相关文档的 id")
        if unknown := next((id_ for id_ in query.relevant if id_ not in known), None):
            raise UsageError(f"{where} 不在语料里：{unknown}", "请改成语料里有的 id")
    return tuple(query for _, query in numbered)


def measure_benchmark(
    app: App, corpus: Sequence[Document], queries: Sequence[Query], progress: Progress = lambda *_: None
) -> BenchmarkReport:
    """Index the corpus in a temporary folder and retrieve for every query, with each part of retrieval in turn."""
    with TemporaryDirectory(prefix="weice-benchmark-", ignore_cleanup_errors=True) as folder:
        write_corpus(Path(folder), corpus, app.embedder, app.words, progress)
        bench = type(app)(app.settings)
        bench.embedder, bench.words = app.embedder, app.words
        bench.index = IndexVersion(Path(folder), model=app.embedder.name)
        legs = {}
        for name, changes in LEGS.items():
            search = partial(bench.with_settings(**changes).search, k=_DEPTH)
            ranks = []
            for done, query in enumerate(queries):
                progress(f"检索（{name}）", done, len(queries))
                ranks.append(document_ranks(search, query))
            progress(f"检索（{name}）", len(queries), len(queries))
            legs[name] = leg_scores(ranks)
        return BenchmarkReport(len(corpus), len(bench.index), len(queries), legs)


def write_corpus(
    folder: Path, corpus: Sequence[Document], embedder: Embedder, words: Words, progress: Progress
) -> None:
    """Write an index version of the corpus into `folder`, each document an article, cut as the library is."""
    issue = Issue("corpus")
    articles = tuple(Article(d.id, issue, d.title.strip(), d.text.strip() or d.title.strip()) for d in corpus)
    digest = hashlib.sha256(repr(articles).encode("utf-8", "surrogatepass")).hexdigest()
    files = {"corpus": IndexedFile(digest, ParsedIssue(issue, articles, "语料"))}
    write_index(folder, files, embedder, words, progress=progress)


def render_benchmark(report: BenchmarkReport) -> str:
    """Return one line a leg."""
    table = Table(title=f"检索评测：{report.documents} 篇文档（{report.passages} 段），{report.queries} 个问题")
    table.add_column("检索方式")
    headings = (*(f"命中@{k}" for k in HIT_AT), *(f"召回@{k}" for k in RECALL_AT), "MRR", "nDCG@10")
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, scores in report.legs.items():
        shares = [f"{value:.1%}" for key, value in scores.items() if key not in {"mrr", "ndcg@10"}]
        table.add_row(name, *shares, f"{scores['mrr']:.3f}", f"{scores['ndcg@10']:.3f}")
    return as_text(table)


def document_ranks(search: Search, query: Query) -> tuple[Rank, ...]:
    """The ranks of the relevant documents among the documents of the passages, each counted once."""
    ranked = list(dict.fromkeys(e.chunk.article.id for e in search(query.question, query.history)))
    return tuple(ranked.index(id_) + 1 if id_ in ranked else None for id_ in dict.fromkeys(query.relevant))
