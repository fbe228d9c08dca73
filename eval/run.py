"""Runs a dataset through the program and keeps every question's row, so that a killed run goes on where it was.

A run is a folder: `run.json` (what was run, with what, where), `rows.jsonl` (a question a line, written as it is
answered) and `summary.json`. What a score means is in `eval.metrics`, what a folder holds in `eval.runs`; nothing
here draws or compares.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import ValidationError
from rich.table import Table

from eval.cases import Case, Split, check_library, load, select
from eval.journal import append, dumps, locked, swap
from eval.metrics import (
    ANSWER_SCORES,
    HIT_AT,
    RECALL_AT,
    Rank,
    Score,
    Scorer,
    answer_scores,
    evidence_hits,
    rank_of_article,
    rank_of_source,
)
from eval.names import LEGS as LEG_NAMES
from eval.names import METRICS, TIMES, type_label
from eval.retrieval import as_text
from eval.runs import Row, Summary, read_row, summarise
from eval.selftest import prove
from rag.errors import GenerationError, SettingsError, UsageError, WeiceError
from rag.ports import Extractor, Generator
from rag.records import Record, answer_record
from rag.schema import Message
from rag.settings import ROOT, Settings
from rag.settings import load as load_settings

if TYPE_CHECKING:
    from rag.wiring import App

Only = Literal["retrieval", "answers"]
Progress = Callable[[str, int, int], None]

LEGS: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "words": {"dense": False, "sentences": False, "boosts": False, "reranker": "off"},
        "dense": {"sentences": False, "words": False, "boosts": False, "reranker": "off"},
        "sentences": {"dense": False, "words": False, "boosts": False, "reranker": "off"},
        "fused": {"reranker": "off"},
        "reranked": {},
    }
)
"""The settings that leave a part of retrieval out: each leg alone, all but reranking, the whole as it is set."""

_DEPTH = max(*HIT_AT, *RECALL_AT)
_SERVING = (
    *("database", "root_path", "login", "session_hours", "questions_at_once"),
    *("api_per_minute", "api_body_kb", "api_timeout_s", "api_at_once"),
)
_UNTOLD = ("llm_api_key", "judge_base_url", "judge_model", "judge_api_key", *_SERVING)
"""Settings that `run.json` leaves out: they are secret or shape no run."""
_KEPT_APART = ("data_dir", "models_dir", "library", "lexicon", "embedding_model", "host", "port", *_UNTOLD)
"""Settings that a run can not change: they call for another index, are secret, or do not matter here."""
_IDENTITY = ("dataset_sha256", "split", "limit", "only", "settings", "model", "index_version", "git_commit")
"""What two runs must share for one to go on with the other's rows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: a dataset or a part of it, wholly or only retrieval or answers."""

    dataset: Path
    split: Split | None = None
    limit: int | None = None
    only: Only | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run: questions asked now, rows kept from before it was interrupted, and the ids that failed."""

    folder: Path
    summary: Summary
    asked: int
    kept: int
    errors: tuple[str, ...]


def parse_settings(pairs: Sequence[str]) -> dict[str, object]:
    """Return the settings given as KEY=VALUE. Raises `UsageError` naming the setting that is wrong."""
    changes: dict[str, object] = {}
    known = [name for name in Settings.model_fields if name not in _KEPT_APART]
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals:
            raise UsageError(f"“{pair}”不是 设置=值", "例如 reranker=off")
        if name in _KEPT_APART:
            raise UsageError(f"设置 {name} 不能用 --set 改", f"请在 weice.toml 或环境变量 WEICE_{name.upper()} 里改")
        if name not in known:
            raise UsageError(f"不认识的设置 {name}", f"可用的设置：{'、'.join(known)}")
        try:
            changes[name] = getattr(load_settings(**{name: value}), name)
        except SettingsError as error:
            meaning = Settings.model_fields[name].description
            raise UsageError(error.what, f"请改它的值；它的意思是：{meaning}") from error
    return changes


def evaluate(
    app: App,
    plan: Plan,
    *,
    folder: Path | None = None,
    once: bool = False,
    progress: Progress = lambda *_: None,
    scorers: Mapping[str, Scorer] = ANSWER_SCORES,
) -> Outcome:
    """Prove the measures, ask what has no row yet, and write the summary.

    A run of the same questions and settings that was interrupted is gone on with, with `once` also one that came to
    its end; `folder` names one. Questions that failed in it are asked again. Raises `UsageError` on a wrong dataset,
    `WeiceError` where the self-test fails.
    """
    cases = select(load(plan.dataset), plan.split, plan.limit)
    if plan.only == "retrieval" and not any(case.answerable for case in cases):
        raise UsageError("题集里没有可回答的题，无法测检索", "请换一个题集")
    prove(cases, scorers)
    check_library(plan.dataset, cases, app.index.articles)
    interview = _Interview(app, plan.only, scorers)
    about = _about(app, plan, interview.model)
    journal = _Journal(_run_folder(app.settings.data_dir / "eval", plan, about, folder, once=once))
    with locked(journal.folder / "run.lock"):
        journal.begin(about)
        rows = journal.rows()
        kept = sum(case.id in rows for case in cases)
        for n, case in enumerate(cases):
            progress(f"评测 {case.question[:16]}", n, len(cases))
            if case.id not in rows:
                rows[case.id] = journal.append(interview.row(case))
        progress("评测 完成", len(cases), len(cases))
        of_run = [rows[case.id] for case in cases]
        summary = summarise(of_run)
        journal.finish(summary)
    errors = tuple(row.id for row in of_run if row.error)
    return Outcome(journal.folder, summary, len(cases) - kept, kept, errors)


# --- asking ------------------------------------------------------------


class _Writer(Generator, Extractor, Protocol):
    """What both writes and copies."""


class _Watched:
    """A generator that remembers why it failed: the assistant would quote in its place, and nobody would know."""

    def __init__(self, generator: _Writer) -> None:
        self._generator = generator
        self.model = generator.model
        self.error: GenerationError | None = None

    def generate(self, messages: Sequence[Message], *, max_tokens: int) -> Iterator[str]:
        try:
            yield from self._generator.generate(messages, max_tokens=max_tokens)
        except GenerationError as error:
            self.error = error
            raise

    def extract(
        self, messages: Sequence[Message], moved: Mapping[str, float], *, max_tokens: int
    ) -> Iterator[tuple[str, float]]:
        try:
            yield from self._generator.extract(messages, moved, max_tokens=max_tokens)
        except GenerationError as error:
            self.error = error
            raise

    def prepare(self) -> None:
        """Warming up is done by the program itself."""


class _Interview:
    """Asks one question after another and makes their rows."""

    def __init__(self, app: App, only: Only | None, scorers: Mapping[str, Scorer]) -> None:
        self._scorers = scorers
        self._legs = {} if only == "answers" else {leg: app.with_settings(**LEGS[leg]) for leg in LEGS}
        self._writer = None if only == "retrieval" or app.generator is None else _Watched(app.generator)
        self._assistant = None
        self.model = self._writer.model if self._writer else ""
        if only != "retrieval":
            app.prepare()
            answering = app.with_settings()
            answering.generator = self._writer  # type: ignore[assignment]  # a generator, watched
            self._assistant = answering.assistant()

    def row(self, case: Case) -> Record:
        """Search and answer; what goes wrong is the row's own error, and the next question can still be asked."""
        ranks: dict[str, list[Rank]] = {leg: [] for leg in LEGS}
        article_ranks: dict[str, list[Rank]] = {leg: [] for leg in LEGS}
        answer, error, search_s = None, None, None
        try:
            for leg, app in self._legs.items() if case.sources else ():
                started = time.monotonic()
                passages = [e.chunk for e in app.search(case.question, case.history, k=_DEPTH)]
                search_s = round(time.monotonic() - started, 4)
                ranks[leg] = [rank_of_source(source, passages) for source in case.sources]
                article_ranks[leg] = [rank_of_article(source, passages) for source in case.sources]
            answer = self._answer(case)
        except WeiceError as failure:
            error = str(failure)
        except Exception as failure:  # noqa: BLE001  # a bug in one question must not cost the others
            error = f"程序内部错误（{type(failure).__name__}: {failure}）"
        scores: dict[str, Score] = {
            **answer_scores(case, answer, self._scorers),
            **evidence_hits(ranks["reranked"]),
        }
        return {
            **asdict(case),
            "ranks": ranks,
            "article_ranks": article_ranks,
            "search_s": search_s,
            "answer": answer,
            "error": error,
            "scores": scores,
        }

    def _answer(self, case: Case) -> Record | None:
        if self._assistant is None:
            return None
        if self._writer:
            self._writer.error = None
        record = answer_record(self._assistant.answer(case.question, case.history), case.id)
        if self._writer and self._writer.error:
            raise self._writer.error
        return record


# --- the folder ------------------------------------------------------------


def _about(app: App, plan: Plan, model: str) -> Record:
    """What `run.json` says of a run that starts now."""
    return {
        "dataset": str(plan.dataset),
        "dataset_sha256": hashlib.sha256(plan.dataset.read_bytes()).hexdigest(),
        "split": plan.split,
        "limit": plan.limit,
        "only": plan.only,
        "settings": app.settings.model_dump(mode="json", exclude=set(_UNTOLD)),
        "model": model,
        "index_version": app.index.version,
        "git_commit": _git_commit(),
        "machine": _machine(),
        "started": _now(),
        "finished": None,
    }


def _run_folder(root: Path, plan: Plan, about: Record, given: Path | None, *, once: bool) -> Path:
    """The folder that is given, else that of an interrupted run of the same, else a new one.

    With `once` a finished run does as well, unless the program was changed since its commit: that may be any program.
    """
    if given is not None:
        before = _read_about(given)
        if before is None:
            raise UsageError(f"{given} 不是评测结果文件夹：没有可读的 run.json", "请检查 --run 的路径")
        if different := _differences(before, about):
            raise UsageError(f"{given.name} 是另一次评测，{different}不同", "请用当时的选项，或去掉 --run 另开一次")
        return given
    done_will_do = once and not str(about["git_commit"]).endswith("-dirty")
    for found in sorted(root.glob("*/run.json"), reverse=True):
        before = _read_about(found.parent)
        if before is None or _differences(before, about):
            continue
        if done_will_do or before.get("finished") is None:
            return found.parent
    name = f"{plan.dataset.stem}-{plan.split or 'all'}-{dt.datetime.now().astimezone():%Y%m%d-%H%M%S}"
    names = (name, *(f"{name}-{n}" for n in range(2, 1000)))
    return next(root / free for free in names if not (root / free).exists())


def _differences(before: Record, about: Record) -> str:
    """The names of what two runs do not share, settings by their own names."""
    names = [name for name in _IDENTITY if name != "settings" and before.get(name) != about[name]]
    old = before.get("settings") or {}
    names += [f"设置 {name}" for name, value in about["settings"].items() if old.get(name) != value]
    return "、".join(names)


def _read_about(folder: Path) -> Record | None:
    try:
        about: Any = json.loads((folder / "run.json").read_bytes())
    except (OSError, ValueError):
        return None
    return about if isinstance(about, dict) else None


class _Journal:
    """The folder of one run; a row outlives a kill as soon as it is appended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows = folder / "rows.jsonl"
        self._about: Record = {}

    def begin(self, about: Record) -> None:
        """Write `run.json`; a run that is gone on with keeps its start."""
        before = _read_about(self.folder) or {}
        self._about = {**about, "started": before.get("started") or about["started"]}
        swap(self.folder / "run.json", dumps(self._about))

    def rows(self) -> dict[str, Row]:
        """The good rows so far by id. A torn line and rows with an error are taken out, to be asked again."""
        lines = self._rows.read_bytes().split(b"\n") if self._rows.exists() else []
        good = {row.id: (row, line) for line in lines if (row := _good(line)) is not None}
        if len(good) != len([line for line in lines if line]) or (lines and lines[-1]):
            swap(self._rows, "".join(f"{line.decode()}\n" for _, line in good.values()))
        return {id_: row for id_, (row, _) in good.items()}

    def append(self, record: Record) -> Row:
        """Write one row through to the disk, and return it as it will be read."""
        line = dumps(record)
        append(self._rows, line)
        return read_row(line)

    def finish(self, summary: Summary) -> None:
        """Write the summary and call the run finished."""
        swap(self.folder / "summary.json", dumps(asdict(summary)))
        swap(self.folder / "run.json", dumps({**self._about, "finished": _now()}))


def _good(line: bytes) -> Row | None:
    try:
        row = read_row(line)
    except ValidationError:
        return None
    return None if row.error else row


def _now() -> str:
    return dt.datetime.now().astimezone().isoformat(timespec="seconds")


def _git_commit() -> str | None:
    """The commit of the program, with -dirty where files were changed since; None where it is no git checkout."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return None
    command = [git, "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=20, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _machine() -> Record:
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        cpu = next(line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name"))
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (OSError, StopIteration, ValueError, AttributeError):  # not Linux
        cpu, memory = platform.processor(), None
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gb": memory,
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


# --- figures ------------------------------------------------------------


def render(summary: Summary) -> str:
    """Return the figures as tables of text: all measures, the main ones by type, the legs, the seconds."""
    table = Table(title=f"评测结果（{summary.n} 题）")
    for heading in ("指标", "值", "95% 区间", "题数"):
        table.add_column(heading, justify="left" if heading == "指标" else "right")
    for name, metric in METRICS.items():
        if e := summary.overall.get(name):
            table.add_row(metric.label, f"{e.value:.1%}", f"{e.low:.1%}–{e.high:.1%}", str(e.n))
    parts = [as_text(table), _by_type(summary)]
    if summary.legs:
        parts.append(_leg_table(summary.legs))
    parts += [
        f"{TIMES[name]}：中位 {seconds['p50']:.2f} 秒，95% 在 {seconds['p95']:.2f} 秒内\n"
        for name, seconds in summary.latency.items()
    ]
    return "".join(parts)


def _by_type(summary: Summary) -> str:
    shown = [name for name in _BY_TYPE if name in summary.overall]
    table = Table(title="按题型")
    table.add_column("题型")
    for name in shown:
        table.add_column(METRICS[name].label, justify="right")
    for type_, values in summary.by_type.items():
        cells = [f"{values[name].value:.1%}" if name in values else "—" for name in shown]
        table.add_row(type_label(type_), *cells)
    return as_text(table)


_BY_TYPE = ("evidence_hit@5", "key_facts", "fully_correct", "citation_recall", "evidence_cited", "refused")


def _leg_table(legs: Mapping[str, Mapping[str, float]]) -> str:
    table = Table(title="检索各部分（按段落）")
    table.add_column("检索方式")
    for heading in (*(f"命中@{k}" for k in HIT_AT), *(f"召回@{k}" for k in RECALL_AT), "MRR", "nDCG@10"):
        table.add_column(heading, justify="right")
    for leg, scores in legs.items():
        shares = [f"{value:.1%}" for name, value in scores.items() if "@" in name and name != "ndcg@10"]
        table.add_row(LEG_NAMES[leg], *shares, f"{scores['mrr']:.3f}", f"{scores['ndcg@10']:.3f}")
    return as_text(table)
