"""Reads the folder of an evaluation run and writes it as one HTML page that opens offline.

What is broken or not there yet is named, and the rest is still shown. Nothing here asks, scores or compares.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote as url_quote

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from eval import charts
from eval.cases import CASE_TYPES, Source, file_name, letters
from eval.metrics import HIT_AT, estimates, holds, leg_scores, percentiles, said
from rag.errors import StorageError, UsageError
from rag.schema import Turn

Finite = Annotated[float, Field(allow_inf_nan=False)]
Outcome = Literal["right", "part", "wrong", "error", "none"]
_T = TypeVar("_T")


# --- a run as it lies in its folder ---------------------------------------------------------------------------


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
    ranks: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)
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
    """A mean over `n` questions with its 95 % interval; None where it applies to no question."""

    value: Finite | None
    low: Finite | None
    high: Finite | None
    n: int


Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Summary:
    """`summary.json`: the figures of a run."""

    n: int
    overall: Values
    by_type: Mapping[str, Values] = field(default_factory=dict)
    by_article: Mapping[str, Values] = field(default_factory=dict)
    legs: Mapping[str, Mapping[str, Finite | None]] = field(default_factory=dict)
    article_legs: Mapping[str, Mapping[str, Finite | None]] = field(default_factory=dict)
    latency: Mapping[str, Mapping[str, Finite | None]] = field(default_factory=dict)


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


def summarise(rows: Sequence[Row]) -> Summary:
    """The figures of the rows at hand, for a run without a usable `summary.json`; not by article."""
    ranks = {leg: [row.ranks[leg] for row in rows if row.ranks.get(leg)] for leg in LEGS}
    times = {name: _seconds(rows, name) for name in TIMES}
    return Summary(
        n=len(rows),
        overall=_means(rows),
        by_type={type_: _means([row for row in rows if row.type == type_]) for type_ in {row.type for row in rows}},
        legs={leg: leg_scores(of_cases) for leg, of_cases in ranks.items() if of_cases},
        latency={name: percentiles(seconds) for name, seconds in times.items() if seconds},
    )


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
            row = _ROW.validate_json(line)
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


def _seconds(rows: Iterable[Row], name: str) -> list[float]:
    """The seconds of every row; of retrieval also where nothing was answered. 0 stands for what did not happen."""
    seconds = []
    for row in rows:
        alone = row.search_s if name == "retrieve_s" else None
        took = row.answer.timings.get(name) if row.answer else alone
        seconds += [took] if took else []
    return seconds


# --- the words of a report ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is shown; `better` is 1 where more is better, -1 where less is, 0 where neither."""

    label: str
    better: int
    meaning: str


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "fully_correct": Metric("完全答对", 1, "要点说全，没有错话，没有误拒"),
        "key_facts": Metric("要点齐全", 1, "应有要点中说到的比例"),
        "wrong_fact": Metric("说了错话", -1, "出现不该有的说法"),
        "citation_recall": Metric("引用查全", 1, "应引文章中引到的比例"),
        "citation_precision": Metric("引用查准", 1, "引用文章中确是来源的比例"),
        "evidence_cited": Metric("证据引到", 1, "证据原句在引用内容里的比例"),
        "dead_link": Metric("失效引用", -1, "引文不在所引原文中的比例"),
        "uncited_sentence": Metric("无引用句", -1, "没有引用的句子比例"),
        "numbers_grounded": Metric("数字有据", 1, "数字在引用内容里的比例"),
        "names_grounded": Metric("地名有据", 1, "地名在引用内容里的比例"),
        "refused": Metric("拒答", 0, "回答“资料中未找到”的比例"),
        "false_answer": Metric("该拒未拒", -1, "资料中没有却作答的比例"),
        "false_refusal": Metric("误拒", -1, "资料中有却拒答的比例"),
        "evidence_hit@1": Metric("证据命中@1", 1, "第 1 段就是证据"),
        "evidence_hit@3": Metric("证据命中@3", 1, "前 3 段里有证据"),
        "evidence_hit@5": Metric("证据命中@5", 1, "前 5 段里有证据"),
        "evidence_hit@10": Metric("证据命中@10", 1, "前 10 段里有证据"),
    }
)
"""Every metric of a question in the order of a report; a rank is one of the whole retrieval."""

LEGS = MappingProxyType({"words": "只用关键词", "dense": "只用向量", "fused": "融合", "reranked": "融合并重排"})
TIMES = MappingProxyType({"total_s": "全部完成", "first_token_s": "第一个字", "retrieve_s": "检索"})
VERDICTS = MappingProxyType(
    {"answered": "已回答", "partial": "部分回答", "refused": "资料中未找到", "error": "出错", "none": "只测检索"}
)
OUTCOMES: Mapping[Outcome, tuple[str, str]] = MappingProxyType(
    {
        "right": ("对", "right"),
        "part": ("部分对", "part"),
        "wrong": ("错", "wrong"),
        "error": ("出错", "wrong"),
        "none": ("未评", "none"),
    }
)
"""What an outcome is called and how it looks."""
_TYPES: Mapping[str, str] = MappingProxyType(dict(CASE_TYPES.items()))
_MACHINE = MappingProxyType(
    {"cpu": "处理器", "cores": "核数", "memory_gb": "内存 GB", "platform": "系统", "python": "Python"}
)
_HEADLINES = ("fully_correct", "key_facts", "evidence_hit@5", "citation_precision", "false_answer", "false_refusal")


def metric(name: str) -> Metric:
    """How `name` is shown; a name that is not known here stands for itself."""
    return METRICS.get(name, Metric(name, 0, ""))


def type_label(name: str) -> str:
    """The Chinese name of a question type."""
    return _TYPES.get(name, name)


def percent(share: float | None) -> str:
    """A share as readers see it."""
    return "—" if share is None else f"{share:.1%}"


# --- the page -------------------------------------------------------------------------------------------------


def write(run: Path) -> Path:
    """Write `report.html` into the run folder and return its path.

    Raises `UsageError` where the folder holds no run, `StorageError` where it can't be written.
    """
    loaded = read_run(run)
    return save(run / "report.html", charts.page(f"评测报告 {run.name}", _body(loaded), _SIFT + FOLDS))


def save(path: Path, html: str) -> Path:
    """Write a page whole or not at all. Raises `StorageError`."""
    beside = path.with_name(path.name + ".tmp")
    try:
        beside.write_text(html, encoding="utf-8")
        os.replace(beside, path)
    except OSError as error:
        raise StorageError(f"报告 {path} 写不进去（{error.strerror}）", "请检查文件夹权限和磁盘空间") from error
    return path


def banners(run: Run) -> str:
    """What is unfinished, broken or failed in a run, as boxes; empty where all is well."""
    parts = []
    if run.notes:
        items = "".join(f"<p>{escape(note)}。</p>" for note in run.notes)
        parts.append(
            f'<div class="banner bad"><b>这次评测不完整，以下只是已有的 {len(run.rows)} 题。</b>{items}</div>'
        )
    if run.errors:
        links = "、".join(link(id_) for id_ in run.errors)
        parts.append(f'<div class="banner bad"><b>{len(run.errors)} 题出错，没有答案：</b>{links}</div>')
    return "".join(parts)


def link(id_: str) -> str:
    """A link to the question on the same page."""
    return f'<a href="#q-{url_quote(id_)}">{escape(id_)}</a>'


def _body(run: Run) -> str:
    info = run.info
    only = {"retrieval": "只测检索", "answers": "只测回答"}.get(info.only or "")
    facts = (_split(info), f"{len(run.rows)} 题", info.model, _when(info.started), only)
    parts = [
        f"<h1>评测报告 · {escape(Path(info.dataset).name or run.folder.name)}</h1>",
        f'<p class="soft">{escape(" · ".join(fact for fact in facts if fact))}</p>',
        banners(run),
    ]
    if run.rows:
        parts += [_headline(run), _plots(run), _tables(run.summary)]
    return "".join([*parts, _about(run), _questions(run.rows) if run.rows else ""])


def _split(info: Info) -> str:
    return {"dev": "dev（可用来调整）", "test": "test（只用来报告）", None: "全部题目"}.get(
        info.split, info.split or ""
    )


def _when(stamp: str | None) -> str:
    try:
        return f"{dt.datetime.fromisoformat(stamp or ''):%Y-%m-%d %H:%M}"
    except ValueError:
        return stamp or ""


def _headline(run: Run) -> str:
    overall, cards = run.summary.overall, []
    for name in _HEADLINES:
        value = overall.get(name)
        if value and value.value is not None:
            span = f"{percent(value.low)} – {percent(value.high)}"
            cards.append(_figure(metric(name).label, percent(value.value), span, f"{value.n} 题"))
    total = run.summary.latency.get("total_s", {})
    if total.get("p50") is not None:
        p95 = total.get("p95")
        cards.append(_figure("每题用时（中位）", f"{total['p50']:.1f} 秒", f"p95 {p95:.1f} 秒" if p95 else "", ""))
    note = '<p class="soft"><small>区间为 95% 置信区间（自助抽样）；不到 10 题的只供参考。</small></p>'
    return f'<div class="figures">{"".join(cards)}</div>{note}'


def _figure(label: str, value: str, *below: str) -> str:
    lines = "".join(f"<small>{escape(line)}</small>" for line in below)
    return f'<div class="figure"><small>{escape(label)}</small><b>{escape(value)}</b>{lines}</div>'


def _plots(run: Run) -> str:
    plots = [*_by_type(run.summary), *_recall(run.summary), *_calibration(run.rows), *_latency(run.rows)]
    return f'<h2>图</h2><div class="plots">{"".join(plots)}</div>' if plots else ""


def _plot(title: str, svg: str, note: str) -> str:
    return f'<figure class="plot"><h3>{escape(title)}</h3>{svg}<p>{escape(note)}</p></figure>'


def _by_type(summary: Summary) -> Iterable[str]:
    for name in ("fully_correct", "key_facts", "evidence_hit@5"):
        rows = []
        for type_, values in _ordered(summary.by_type):
            value = values.get(name)
            if value and value.value is not None:
                low, high = (value.value if end is None else end for end in (value.low, value.high))
                rows.append(charts.Bar(type_label(type_), value.value, low, high, value.n))
        if rows:
            title = f"{metric(name).label}，按题型"
            yield _plot(title, charts.bars(rows, title), f"{metric(name).meaning}。细线为 95% 区间。")


def _recall(summary: Summary) -> Iterable[str]:
    series = []
    for leg, label in LEGS.items():
        shares = summary.legs.get(leg, {})
        points = tuple((k, share) for k in HIT_AT if (share := shares.get(f"hit@{k}")) is not None)
        if points:
            series.append(charts.Line(label, points))
    if series:
        title = "前 k 段里找到证据的题，按检索方式"
        yield _plot(title, charts.lines(series, title), "任一条证据进入前 k 段即算找到。纵轴不一定从 0 开始。")


def _calibration(rows: Sequence[Row]) -> Iterable[str]:
    given = [(row.answer, row.outcome == "right") for row in rows if row.answer and row.answer.verdict != "refused"]
    support = [
        (sum(s.support == "full" for s in answer.sentences) / len(answer.sentences), right)
        for answer, right in given
        if answer.sentences
    ]
    score = [(answer.retrieved[0].score, right) for answer, right in given if answer.retrieved]
    for title, label, points in (
        ("有据句子越多，是否答得越对", "依据完整的句子占比", support),
        ("首段得分越高，是否答得越对", "首段检索得分", score),
    ):
        if points:
            note = "只看作了答的题（拒答不算），按横轴分成几组；纵轴为全对的比例，竖线为 95% 区间。"
            yield _plot(title, charts.dots(_groups(points), title, label), note)


def _groups(points: Sequence[tuple[float, bool]], most: int = 5) -> tuple[charts.Dot, ...]:
    """At most `most` groups of about equal size in the order of confidence; equal ones stay together."""
    xs = np.array([x for x, _ in points])
    edges = np.unique(np.quantile(xs, np.linspace(0, 1, most + 1)[1:-1]))
    group = np.digitize(xs, edges)
    dots = []
    for number in np.unique(group):
        members = [point for point, at in zip(points, group, strict=True) if at == number]
        hits, n = sum(right for _, right in members), len(members)
        dots.append(charts.Dot(sum(x for x, _ in members) / n, hits / n, *charts.wilson(hits, n), n))
    return tuple(dots)


def _latency(rows: Sequence[Row]) -> Iterable[str]:
    for name, label in TIMES.items():
        seconds = _seconds(rows, name)
        if seconds:
            title = f"用时：{label}（秒）"
            svg = charts.histogram(seconds, tuple(percentiles(seconds).items()), title)
            yield _plot(title, svg, f"{len(seconds)} 题；纵轴为题数。")


def _tables(summary: Summary) -> str:
    known = [name for name in METRICS if name in summary.overall]
    names = [*known, *(name for name in summary.overall if name not in METRICS)]
    rows = [_metric_row(name, summary.overall[name]) for name in names]
    parts = ["<h2>全部指标</h2>", table(("指标", "#值", "#95% 区间", "#题数", "好的方向", "意思"), rows)]
    for title, legs in (("检索各部分，按段落", summary.legs), ("检索各部分，按文章", summary.article_legs)):
        parts.append(_leg_table(title, legs) if legs else "")
    for title, groups in (("按题型", summary.by_type), ("按文章", summary.by_article)):
        if groups:
            ordered = [(type_label(name), values) for name, values in _ordered(groups)]
            parts.append(_grouped(title, ordered, open_=title == "按题型"))
    return "".join(parts)


def _leg_table(title: str, legs: Mapping[str, Mapping[str, float | None]]) -> str:
    columns = list(dict.fromkeys(name for shares in legs.values() for name in shares))
    rows = [(LEGS.get(leg, leg), *(_share(name, of.get(name)) for name in columns)) for leg, of in legs.items()]
    return f"<h2>{title}</h2>{table(('检索方式', *(f'#{_head(name)}' for name in columns)), rows)}"


def _metric_row(name: str, value: Value) -> tuple[str, ...]:
    shown = metric(name)
    direction = {1: "越高越好", -1: "越低越好", 0: ""}[shown.better]
    span = f"{percent(value.low)} – {percent(value.high)}"
    return (shown.label, percent(value.value), span, str(value.n), direction, shown.meaning)


def _head(name: str) -> str:
    for english, chinese in (("hit@", "命中@"), ("recall@", "召回@"), ("ndcg@", "nDCG@"), ("mrr", "MRR")):
        if name.startswith(english):
            return chinese + name.removeprefix(english)
    return name


def _share(name: str, value: float | None) -> str:
    return percent(value) if value is None or name.startswith(("hit", "recall")) else f"{value:.3f}"


def _ordered(groups: Mapping[str, Values]) -> list[tuple[str, Values]]:
    """In the order of the question types; anything else by name, behind them."""
    order = {name: number for number, name in enumerate(_TYPES)}
    return sorted(groups.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))


def _grouped(title: str, groups: Sequence[tuple[str, Values]], *, open_: bool) -> str:
    """One line a group, with the metrics that any of them has."""
    names = [name for name in (*_HEADLINES, "wrong_fact", "citation_recall") if any(name in v for _, v in groups)]
    rows = []
    for label, values in groups:
        shares = (values[name].value if name in values else None for name in names)
        n = max((value.n for value in values.values()), default=0)
        rows.append((label, str(n), *(percent(share) for share in shares)))
    body = table((title, "#题数", *(f"#{metric(name).label}" for name in names)), rows)
    is_open = " open" if open_ else ""
    return f'<details class="more"{is_open}><summary>{escape(title)}（{len(groups)} 行）</summary>{body}</details>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of plain text; a head that starts with # has a column of figures."""
    looks = ['class="number"' if head.startswith("#") else "" for head in heads]
    head = "".join(
        f"<th {look}>{escape(name.removeprefix('#'))}</th>" for name, look in zip(heads, looks, strict=True)
    )
    lines = (
        "".join(f"<td {look}>{escape(cell)}</td>" for cell, look in zip(row, looks, strict=True)) for row in rows
    )
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _about(run: Run) -> str:
    info = run.info
    machine = " · ".join(f"{_MACHINE.get(name, name)} {value}" for name, value in info.machine.items())
    facts = {
        "题集": info.dataset,
        "题集 sha256": info.dataset_sha256,
        "范围": _split(info) + (f"，最多 {info.limit} 题" if info.limit is not None else ""),
        "模型": info.model,
        "索引版本": info.index_version,
        "代码版本": info.git_commit or "",
        "机器": machine,
        "开始": _when(info.started),
        "结束": _when(info.finished) or "没有跑完",
    }
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value) or '—'}</dd>" for name, value in facts.items())
    settings = table(("设置", "值"), [(name, str(value)) for name, value in info.settings.items()])
    return (
        f'<h2>这次评测</h2><dl class="facts">{lines}</dl>'
        f'<details class="more"><summary>全部设置（{len(info.settings)} 项）</summary>{settings}</details>'
    )


# --- the questions --------------------------------------------------------------------------------------------


def _questions(rows: Sequence[Row]) -> str:
    wrong = [row for row in rows if row.outcome in ("part", "wrong", "error")]
    listed = "、".join(link(row.id) for row in wrong) or "无"
    return (
        f'<h2 id="questions">逐题</h2><p>没有全对的 {len(wrong)} 题：{listed}</p>'
        f"{_filters(rows)}{''.join(question(row) for row in rows)}"
    )


def _filters(rows: Sequence[Row]) -> str:
    types = {row.type: type_label(row.type) for row in rows}
    verdicts = {row.verdict: VERDICTS.get(row.verdict, row.verdict) for row in rows}
    return (
        '<form class="filters">'
        f"{_choice('type', '题型', types)}{_choice('verdict', '结论', verdicts)}"
        '<label><input type="checkbox" name="wrong"> 只看没有全对的</label>'
        '<input type="search" name="words" placeholder="找题目或答案里的字" aria-label="找题目或答案里的字">'
        f'<button type="button" name="all">全部展开</button><span class="soft" role="status">{len(rows)} 题</span>'
        "</form>"
    )


def _choice(name: str, label: str, options: Mapping[str, str]) -> str:
    items = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in options.items())
    return f'<select name="{name}" aria-label="{label}"><option value="">全部{label}</option>{items}</select>'


def question(row: Row) -> str:
    """One question, folded: answer, what was missed, citations, expected facts and sources, scores."""
    text, look = OUTCOMES[row.outcome]
    head = (
        f'<a class="id" href="#q-{url_quote(row.id)}">{escape(row.id)}</a>'
        f'<span class="ask">{escape(row.question)}</span>'
        f'<span class="tag none">{escape(type_label(row.type))}</span>'
        f'<span class="tag none">{escape(VERDICTS.get(row.verdict, row.verdict))}</span>'
        f'<span class="tag {look}">{text}</span>'
    )
    wrong = int(row.outcome in ("part", "wrong", "error"))
    data = f'data-type="{escape(row.type)}" data-verdict="{escape(row.verdict)}" data-wrong="{wrong}"'
    body = (
        _history(row),
        _answer(row),
        _missed(row),
        f'<div class="cols"><div>{_citations(row)}</div><div>{_expected(row)}</div></div>',
        _retrieved(row),
        _scores(row),
    )
    summary = f'<details class="q" id="q-{escape(row.id)}" {data}><summary>{head}</summary>'
    return f"{summary}<div>{''.join(body)}</div></details>\n"


def _history(row: Row) -> str:
    turns = (f"<li>问：{escape(t.user)}<br><small>答：{escape(t.assistant)}</small></li>" for t in row.history)
    return f'<h4>前面的对话</h4><ul class="plain">{"".join(turns)}</ul>' if row.history else ""


def _answer(row: Row) -> str:
    """The answer with links to its citations, or why there is none."""
    if row.error:
        return f'<p class="no">出错：{escape(row.error)}</p>'
    if row.answer is None:
        return ""
    numbers = {cited.number for cited in row.answer.citations}

    def linked(match: re.Match[str]) -> str:
        number = int(match[1])
        return f'<a href="#{_anchor(row, number)}">{match[0]}</a>' if number in numbers else match[0]

    text = re.sub(r"\[(\d{1,4})\]", linked, escape(row.answer.answer)) or '<span class="soft">（空）</span>'
    reason = f'<p class="soft">原因：{escape(row.answer.reason)}</p>' if row.answer.reason else ""
    return f'<h4>回答</h4><div class="answer">{text}</div>{reason}'


def _anchor(row: Row, number: int) -> str:
    return f"q-{url_quote(row.id)}-c{number}"


def missed(row: Row) -> tuple[str, ...]:
    """What the answer lacks or has wrong, a Chinese line each; empty where nothing is."""
    if row.answer is None:
        at5 = row.scores.get("evidence_hit@5")
        return ("前 5 段里没有证据",) if at5 is not None and not at5 else ()
    answer, lines = row.answer, []
    if row.answerable and answer.verdict == "refused":
        lines.append("资料中有答案，却拒答")
    if not row.answerable and answer.verdict != "refused":
        lines.append("资料中没有答案，应当拒答")
    lines += [f"没有说到：{'／'.join(fact)}" for fact in row.must if not _says(answer, fact)]
    lines += [f"说了不该说的：{wrong}" for wrong in row.must_not if _says(answer, (wrong,))]
    lines += [f"证据没有引到：《{s.article}》{s.quote}" for s in row.sources if not _cites(answer, s)]
    lines += [f"引文不在原文中：[{c.number}] {c.quote}" for c in answer.citations if c.quote not in c.text]
    lines += [f"数字没有依据：{number}" for number in answer.unmatched_numbers]
    uncited = [s.text for s in answer.sentences if not s.citations and answer.verdict != "refused"]
    return (*lines, *(f"没有引用的句子：{text}" for text in uncited))


def _says(answer: Given, fact: Iterable[str]) -> bool:
    return any(said(spelling, answer.answer) for spelling in fact)


def _cites(answer: Given, source: Source) -> bool:
    of_file = [c for c in answer.citations if file_name(c.file) == source.file]
    return any(holds(text, source.quote) for c in of_file for text in (c.quote, c.text))


def _missed(row: Row) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in missed(row))
    return f'<div class="missed"><b>不足</b><ul>{lines}</ul></div>' if lines else ""


def _citations(row: Row) -> str:
    if not row.answer or not row.answer.citations:
        return ""
    expected = {(source.file, letters(source.article)) for source in row.sources}
    items = []
    for cited in row.answer.citations:
        right = (file_name(cited.file), letters(cited.title)) in expected
        mark = '<span class="ok">✓ 应引文章</span>' if right else '<span class="soft">其他文章</span>'
        page = f"第{cited.page}页" if cited.page is not None else ""
        where = " · ".join(part for part in (cited.issue, page, cited.section) if part)
        items.append(
            f'<li id="{escape(_anchor(row, cited.number))}">[{cited.number}] 《{escape(cited.title)}》 {mark}'
            f"<br><small>{escape(where)}</small><blockquote>{escape(cited.quote)}</blockquote></li>"
        )
    return f'<h4>引用</h4><ol class="plain">{"".join(items)}</ol>'


def _expected(row: Row) -> str:
    if not row.answerable:
        return "<h4>应有的回答</h4><p>资料中没有，应当拒答。</p>"
    answer = row.answer
    facts = [f"<li>{_mark(_says(answer, fact)) if answer else ''}{escape('／'.join(fact))}</li>" for fact in row.must]
    sources = []
    for number, source in enumerate(row.sources):
        at = {LEGS.get(leg, leg): ranks[number] for leg, ranks in row.ranks.items() if number < len(ranks)}
        ranks = "，".join(f"{label} {rank or '未进'}" for label, rank in at.items())
        sources.append(
            f"<li>{_mark(_cites(answer, source)) if answer else ''}《{escape(source.article)}》"
            f"<blockquote>{escape(source.quote)}</blockquote>"
            f"{f'<small>名次：{escape(ranks)}</small>' if ranks else ''}</li>"
        )
    return (
        f'<h4>应有的要点</h4><ul class="plain">{"".join(facts)}</ul>'
        f'<h4>证据</h4><ul class="plain">{"".join(sources)}</ul>'
    )


def _mark(good: bool) -> str:
    return '<span class="ok">✓</span> ' if good else '<span class="no">✗</span> '


def _retrieved(row: Row) -> str:
    if not row.answer or not row.answer.retrieved:
        return ""
    items = "".join(
        f"<li>{number}. 《{escape(p.title)}》<small> {escape(p.section or '')} 得分 {p.score:.3f}</small>"
        f"<br>{escape(p.text)}</li>"
        for number, p in enumerate(row.answer.retrieved, start=1)
    )
    count = len(row.answer.retrieved)
    return f'<details class="more"><summary>检索到的 {count} 段</summary><ol class="plain">{items}</ol></details>'


def _scores(row: Row) -> str:
    scores = [f"{metric(name).label} {value:.2g}" for name, value in row.scores.items() if value is not None]
    times = row.answer.timings if row.answer else {}
    scores += [f"{label} {times[name]:.1f} 秒" for name, label in TIMES.items() if name in times]
    return f"<p><small>{escape(' · '.join(scores))}</small></p>"


FOLDS = """
const show = () => {
  const at = document.getElementById(decodeURIComponent(location.hash.slice(1))), q = at && at.closest('.q');
  if (q) { q.hidden = false; q.open = true; at.scrollIntoView(); }
};
addEventListener('hashchange', show);
show();
"""
"""Unfolds the question that a link leads to."""

_SIFT = """
const form = document.querySelector('.filters'), all = [...document.querySelectorAll('.q')];
const sift = () => {
  const f = form.elements, words = f.words.value.trim();
  let shown = 0;
  for (const q of all) {
    q.hidden = (f.type.value && q.dataset.type !== f.type.value)
      || (f.verdict.value && q.dataset.verdict !== f.verdict.value)
      || (f.wrong.checked && q.dataset.wrong !== '1') || (words && !q.textContent.includes(words));
    shown += !q.hidden;
  }
  form.querySelector('[role=status]').textContent = shown + ' 题';
};
if (form) {
  form.addEventListener('input', sift);
  form.addEventListener('submit', event => event.preventDefault());
  form.elements.all.addEventListener('click', event => {
    const open = event.target.textContent === '全部展开';
    for (const q of all) q.open = open;
    event.target.textContent = open ? '全部收起' : '全部展开';
  });
  sift();
}
"""
