"""Reads the folder of an evaluation run and sums up its questions.

What is broken or not there yet is named, and the rest can still be looked at. Nothing here asks, scores or shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from eval.cases import Source
from eval.metrics import Rank, estimates, leg_scores, percentiles
from eval.names import LEGS, TIMES, Outcome, type_order
from rag.errors import UsageError
from rag.schema import Turn

Finite = Annotated[float, Field(allow_inf_nan=False)]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Cited:
    """A citation of an answer, as far as evaluation looks at it."""

    number: int
    file: str
    title: str
    quote: str
    text: str = ""
    issue: str = ""
    page: int | None = None
    section: str | None = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved passage."""

    title: str
    text: str
    score: Finite
    section: str | None = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of an answer."""

    text: str
    citations: tuple[int, ...] = ()
    support: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """What `rag.records.answer_record` wrote of an answer."""

    answer: str
    verdict: str
    reason: str | None = None
    citations: tuple[Cited, ...] = ()
    retrieved: tuple[Passage, ...] = ()
    sentences: tuple[Said, ...] = ()
    unmatched_numbers: tuple[str, ...] = ()
    mode: str = ""
    timings: Mapping[str, Finite] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One question of a run: what was asked for, what came back, and its scores."""

    id: str
    type: str
    question: str
    scores: Mapping[str, Finite | None]
    history: tuple[Turn, ...] = ()
    answerable: bool = True
    must: tuple[tuple[str, ...], ...] = ()
    must_not: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    ranks: Mapping[str, tuple[Rank, ...]] = field(default_factory=dict)
    article_ranks: Mapping[str, tuple[Rank, ...]] = field(default_factory=dict)
    answer: Given | None = None
    error: str | None = None
    search_s: Finite | None = None

    @property
    def verdict(self) -> str:
        """The answer's verdict, `error` where asking failed, `none` where no answer was asked for."""
        return "error" if self.error else self.answer.verdict if self.answer else "none"

    @property
    def outcome(self) -> Outcome:
        """Whether the question was answered rightly; without an answer, whether its evidence was found."""
        if self.error:
            return "error"
        if self.answer is None:
            found = self.scores.get("evidence_hit@5")
            return "none" if found is None else "right" if found else "wrong"
        if not self.answerable:
            return "wrong" if self.answer.verdict != "refused" else "right"
        if self.scores.get("fully_correct"):
            return "right"
        return "part" if self.scores.get("key_facts") and not self.scores.get("wrong_fact") else "wrong"


@dataclass(frozen=True, slots=True)
class Info:
    """`run.json`: what was run, with what, where and when."""

    dataset: str = ""
    dataset_sha256: str = ""
    split: str | None = None
    limit: int | None = None
    only: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    index_version: str = ""
    git_commit: str | None = None
    machine: Mapping[str, Any] = field(default_factory=dict)
    started: str = ""
    finished: str | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """A mean over the `n` questions that it applies to, with its 95 % interval."""

    value: Finite
    low: Finite
    high: Finite
    n: int


Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Summary:
    """`summary.json`: the figures of a run."""

    n: int
    errors: int
    overall: Values
    by_type: Mapping[str, Values] = field(default_factory=dict)
    by_article: Mapping[str, Values] = field(default_factory=dict)
    legs: Mapping[str, Mapping[str, Finite]] = field(default_factory=dict)
    article_legs: Mapping[str, Mapping[str, Finite]] = field(default_factory=dict)
    latency: Mapping[str, Mapping[str, Finite]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder as far as it can be read; `notes` says in Chinese what is broken or unfinished."""

    folder: Path
    info: Info
    rows: tuple[Row, ...]
    summary: Summary
    notes: tuple[str, ...]

    @property
    def finished(self) -> bool:
        """Whether the run came to its end and all of it can be read."""
        return not self.notes

    @property
    def errors(self) -> tuple[str, ...]:
        """The questions that failed."""
        return tuple(row.id for row in self.rows if row.error)


_INFO, _ROW, _SUMMARY = TypeAdapter(Info), TypeAdapter(Row), TypeAdapter(Summary)


def read_run(folder: Path) -> Run:
    """Read a run folder; what is damaged becomes a note. Raises `UsageError` where there is no run at all."""
    if not folder.is_dir():
        raise UsageError(f"找不到评测结果文件夹 {folder}", "请先运行 weice eval run，或检查路径")
    if not any((folder / name).exists() for name in ("run.json", "rows.jsonl")):
        raise UsageError(f"{folder} 不是评测结果：没有 run.json 和 rows.jsonl", "请给出 weice eval run 写的文件夹")
    notes: list[str] = []
    info = _read(folder / "run.json", _INFO, notes)
    if info and not info.finished:
        notes.append("评测还没有跑完，或中途停了；再运行一次同样的 weice eval run 会接着做完")
    rows = _read_rows(folder / "rows.jsonl", notes)
    summary = _read(folder / "summary.json", _SUMMARY, notes)
    if summary and summary.n != len(rows):
        notes.append(f"summary.json 记的是 {summary.n} 题，rows.jsonl 有 {len(rows)} 题；总体数字改由后者算出")
        summary = None
    return Run(folder, info or Info(), rows, summary or summarise(rows), tuple(notes))


def read_row(line: bytes | str) -> Row:
    """Read one line of `rows.jsonl`. Raises pydantic's `ValidationError` where it is no row."""
    return _ROW.validate_json(line)


def summarise(rows: Sequence[Row]) -> Summary:
    """The figures of the rows; one that failed counts in `n`, in `errors` and where its evidence was searched."""
    types = sorted({row.type for row in rows}, key=type_order)
    articles = dict.fromkeys(source.article for row in rows for source in row.sources)
    times = {name: seconds_of(rows, name) for name in TIMES}
    return Summary(
        n=len(rows),
        errors=sum(bool(row.error) for row in rows),
        overall=_means(rows),
        by_type={name: _means([row for row in rows if row.type == name]) for name in types},
        by_article={
            title: _means([row for row in rows if any(s.article == title for s in row.sources)]) for title in articles
        },
        legs=_legs([row.ranks for row in rows]),
        article_legs=_legs([row.article_ranks for row in rows]),
        latency={name: percentiles(seconds) for name, seconds in times.items() if seconds},
    )


def seconds_of(rows: Iterable[Row], name: str) -> list[float]:
    """The seconds of every row; of retrieval also where nothing was answered. 0 stands for what did not happen."""
    seconds = []
    for row in rows:
        alone = row.search_s if name == "retrieve_s" else None
        took = row.answer.timings.get(name) if row.answer else alone
        seconds += [took] if took else []
    return seconds


def _read(path: Path, shape: TypeAdapter[_T], notes: list[str]) -> _T | None:
    if not path.exists():
        if path.name != "summary.json" or not notes:  # an unfinished run has none, and says so already
            notes.append(f"缺少 {path.name}")
        return None
    try:
        return shape.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        notes.append(f"{path.name} 读不出来（{_why(error)}）")
        return None


def _read_rows(path: Path, notes: list[str]) -> tuple[Row, ...]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        notes.append(f"rows.jsonl 读不出来（{_why(error)}）")
        return ()
    rows: dict[str, Row] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = read_row(line)
        except ValidationError as error:
            notes.append(f"rows.jsonl 第 {number} 行读不出来，已略过（{_why(error)}）")
        else:
            rows[row.id] = row
    return tuple(rows.values())


def _why(error: OSError | ValidationError) -> str:
    if isinstance(error, OSError):
        return error.strerror or "读取失败"
    first_error = error.errors()[0]
    if first_error["type"] == "json_invalid":
        return "不是完整的 JSON"
    where = ".".join(str(part) for part in first_error["loc"])
    if not where:
        return "不是预期的格式"
    return f"缺少 {where}" if first_error["type"] == "missing" else f"{where} 的值不对"


def _means(rows: Sequence[Row]) -> Values:
    means = estimates([row.scores for row in rows])
    return {
        name: Value(found["value"], found["low"], found["high"], int(found["n"])) for name, found in means.items()
    }


def _legs(ranks: Sequence[Mapping[str, tuple[Rank, ...]]]) -> dict[str, dict[str, float]]:
    measured = {leg: [of_case[leg] for of_case in ranks if of_case.get(leg)] for leg in LEGS}
    return {leg: leg_scores(of_cases) for leg, of_cases in measured.items() if of_cases}
