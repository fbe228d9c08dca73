"""Compares two runs over the questions they share: wins and losses, what changed, and whether it is chance.

Pairs the questions and bootstraps the differences. Runs nothing and judges no answer anew.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote as url_quote

import numpy as np
from rich.console import Console
from rich.table import Table

from eval import charts
from eval.cases import squash
from eval.names import METRICS, OUTCOMES, VERDICTS, metric
from eval.report import FOLDS, link, missed, save, table
from eval.runs import Row, Run, read_run
from rag.errors import UsageError

LOSS_METRICS = ("fully_correct", "key_facts", "evidence_hit@1", "evidence_hit@5")
"""A significant loss is one of these. A question that failed in one run alone counts 0 there, not as missing."""

FEW = 10
"""Under so many questions the bootstrap is too narrow to be believed."""

_EVEN = 1e-9
_BETTER = "变好了"


@dataclass(frozen=True, slots=True)
class Delta:
    """The difference b - a of one metric over the `n` questions that have it in both runs."""

    name: str
    n: int
    a: float
    b: float
    delta: float
    low: float
    high: float
    wins: tuple[str, ...]
    losses: tuple[str, ...]

    @property
    def ties(self) -> int:
        """Questions with the same value in both."""
        return self.n - len(self.wins) - len(self.losses)

    @property
    def effect(self) -> charts.Effect:
        """As it is drawn: too few questions make nothing good or bad."""
        shown = metric(self.name)
        better = shown.better if self.n >= FEW else 0
        return charts.Effect(shown.label, self.delta, self.low, self.high, better)


@dataclass(frozen=True, slots=True)
class Pair:
    """One question in both runs."""

    a: Row
    b: Row

    @property
    def id(self) -> str:
        """The question's id."""
        return self.a.id

    @property
    def cited_before(self) -> tuple[str, ...]:
        """What only `a` cites: 《article》 quote."""
        return _only(self.a, self.b)

    @property
    def cited_now(self) -> tuple[str, ...]:
        """What only `b` cites."""
        return _only(self.b, self.a)

    @property
    def refusal_changed(self) -> bool:
        """Whether one run refuses and the other answers."""
        if self.a.answer is None or self.b.answer is None:
            return False
        return (self.a.answer.verdict == "refused") != (self.b.answer.verdict == "refused")

    @property
    def citations_changed(self) -> bool:
        """Whether the runs cite other sentences."""
        return bool(self.cited_before or self.cited_now)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Run `b` against run `a`: positive differences are in favour of `b` where more is better."""

    a: Run
    b: Run
    pairs: tuple[Pair, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    deltas: Mapping[str, Delta]
    settings: tuple[tuple[str, str, str], ...]
    """Name, value in `a`, value in `b`, of all that differs; also model, index and code."""

    @property
    def significant_losses(self) -> tuple[Delta, ...]:
        """Those of `LOSS_METRICS` whose whole interval is below 0."""
        found = (self.deltas.get(name) for name in LOSS_METRICS)
        return tuple(delta for delta in found if delta and delta.high < 0)

    @property
    def significant_loss(self) -> bool:
        """Whether `b` is worse than chance explains."""
        return bool(self.significant_losses)

    @property
    def refusals(self) -> tuple[Pair, ...]:
        """Questions that one run refuses and the other answers."""
        return tuple(pair for pair in self.pairs if pair.refusal_changed)

    @property
    def citations(self) -> tuple[Pair, ...]:
        """Questions with other citations."""
        return tuple(pair for pair in self.pairs if pair.citations_changed)


def compare(a: Path, b: Path) -> Comparison:
    """Compare the run folders, `a` being the earlier. Raises `UsageError` where they can't be compared."""
    first, second = read_run(a), read_run(b)
    _check(first, second)
    before, now = ({row.id: row for row in run.rows} for run in (first, second))
    pairs = tuple(Pair(row, now[id_]) for id_, row in before.items() if id_ in now)
    if not pairs:
        raise UsageError(f"{a.name} 和 {b.name} 没有共同的题，无法比较", "请选同一题集、同一范围的两次评测")
    deltas = {name: delta for name in _names(pairs) if (delta := _delta(name, pairs))}
    only_a = tuple(id_ for id_ in before if id_ not in now)
    only_b = tuple(id_ for id_ in now if id_ not in before)
    return Comparison(first, second, pairs, only_a, only_b, deltas, _differences(first, second))


def paired_interval(differences: Sequence[float], *, rounds: int = 5000, seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile interval of the mean difference, questions drawn in pairs.

    Paired bootstrap test (Koehn 2004, EMNLP): each draw takes a question's two scores together.
    """
    drawn = np.random.default_rng(seed).choice(np.asarray(differences, dtype=float), size=(rounds, len(differences)))
    low, high = np.percentile(drawn.mean(axis=1), [2.5, 97.5])
    return (float(low), float(high))


def _check(a: Run, b: Run) -> None:
    names = f"{a.folder.name} 和 {b.folder.name}"
    same = a.info.dataset_sha256 == b.info.dataset_sha256
    if not (a.info.dataset_sha256 and b.info.dataset_sha256):
        same = Path(a.info.dataset).name == Path(b.info.dataset).name
    if not same:
        named = f"{a.info.dataset or '不明'}，{b.info.dataset or '不明'}"
        raise UsageError(f"{names} 的题集不同或改动过（{named}），无法比较", "请用同一个题集重新评测其中一次")
    if a.info.split != b.info.split:
        raise UsageError(
            f"{names} 的范围不同（{a.info.split or '全部'}，{b.info.split or '全部'}），无法比较",
            "请用同一个 --split 重新评测其中一次",
        )


def _names(pairs: Iterable[Pair]) -> list[str]:
    """The metrics of either run in the order of a report, but those where neither more nor less is better."""
    present = dict.fromkeys(name for pair in pairs for name in (*pair.a.scores, *pair.b.scores))
    known = [name for name, shown in METRICS.items() if name in present and shown.better]
    return [*known, *(name for name in present if name not in METRICS)]


def _delta(name: str, pairs: Sequence[Pair]) -> Delta | None:
    """The difference of one metric, None where no question has it in both runs."""
    scored = [(pair.id, both) for pair in pairs if (both := _both(name, pair))]
    if not scored:
        return None
    differences = [b - a for _, (a, b) in scored]
    better = metric(name).better or 1
    low, high = paired_interval(differences)
    return Delta(
        name=name,
        n=len(scored),
        a=sum(a for _, (a, _) in scored) / len(scored),
        b=sum(b for _, (_, b) in scored) / len(scored),
        delta=sum(differences) / len(scored),
        low=low,
        high=high,
        wins=tuple(id_ for id_, (a, b) in scored if (b - a) * better > _EVEN),
        losses=tuple(id_ for id_, (a, b) in scored if (b - a) * better < -_EVEN),
    )


def _both(name: str, pair: Pair) -> tuple[float, float] | None:
    a, b = pair.a.scores.get(name), pair.b.scores.get(name)
    if name in LOSS_METRICS:
        a = 0.0 if a is None and pair.a.error else a
        b = 0.0 if b is None and pair.b.error else b
    return None if a is None or b is None else (a, b)


def _only(one: Row, other: Row) -> tuple[str, ...]:
    if one.answer is None or other.answer is None:
        return ()
    theirs = {(c.file, squash(c.title), squash(c.quote)) for c in other.answer.citations}
    cited = (c for c in one.answer.citations if (c.file, squash(c.title), squash(c.quote)) not in theirs)
    return tuple(dict.fromkeys(f"《{c.title}》{c.quote}" for c in cited))


def _differences(a: Run, b: Run) -> tuple[tuple[str, str, str], ...]:
    before, now = _facts(a), _facts(b)
    names = dict.fromkeys((*before, *now))
    return tuple(
        (name, _shown(before.get(name)), _shown(now.get(name))) for name in names if before.get(name) != now.get(name)
    )


def _facts(run: Run) -> dict[str, Any]:
    info = run.info
    return {
        "模型": info.model,
        "索引版本": info.index_version,
        "代码版本": info.git_commit,
        "最多题数": info.limit,
        "只测": info.only,
        "机器": " · ".join(str(value) for value in info.machine.values()),
        **info.settings,
    }


def _shown(value: object) -> str:
    return "—" if value is None or value == "" else str(value)


# --- shown ----------------------------------------------------------------------------------------------------


def conclusion(c: Comparison) -> str:
    """One Chinese line: better, worse, or not to be told."""
    lost = c.significant_losses
    if lost:
        text = f"变差了：{'、'.join(metric(delta.name).label for delta in lost)}显著下降（95% 区间全在 0 以下）"
    else:
        gained = [d for name in LOSS_METRICS if (d := c.deltas.get(name)) and d.low > 0]
        labels = "、".join(metric(delta.name).label for delta in gained)
        text = f"{_BETTER}：{labels}显著上升" if gained else "看不出显著差别"
    return text + (f"（只有 {len(c.pairs)} 题，区间不可靠）" if len(c.pairs) < FEW else "")


def render(c: Comparison) -> str:
    """Return the comparison as text for the terminal."""
    out = io.StringIO()
    console = Console(file=out, width=110, color_system=None, markup=False, highlight=False, emoji=False)
    grid = Table(title=f"{c.b.folder.name} 比 {c.a.folder.name}（共同 {len(c.pairs)} 题）")
    grid.add_column("指标")
    for heading in _HEADS[1:]:
        grid.add_column(heading.removeprefix("#"), justify="right")
    for delta in c.deltas.values():
        grid.add_row(*_cells(delta))
    console.print(grid)
    for line in (*_warnings(c), *_lists(c), f"结论：{conclusion(c)}"):
        console.print(line, soft_wrap=True)
    return out.getvalue()


_HEADS = ("指标", "#原来", "#现在", "#差（百分点）", "#95% 区间", "#胜", "#负", "#平", "#题数")


def _cells(delta: Delta) -> tuple[str, ...]:
    low, high = (f"{end * 100:+.1f}" for end in (delta.low, delta.high))
    counts = (len(delta.wins), len(delta.losses), delta.ties, delta.n)
    return (
        metric(delta.name).label,
        f"{delta.a:.1%}",
        f"{delta.b:.1%}",
        f"{delta.delta * 100:+.1f}",
        f"{low} – {high}",
        *(str(count) for count in counts),
    )


def _warnings(c: Comparison) -> Iterable[str]:
    for run in (c.a, c.b):
        yield from (f"注意：{run.folder.name}：{note}" for note in run.notes)
        if run.errors:
            failed = "、".join(run.errors)
            yield f"注意：{run.folder.name} 有 {len(run.errors)} 题出错，答对、要点、命中按 0 计：{failed}"
    for run, ids in ((c.a, c.only_a), (c.b, c.only_b)):
        if ids:
            yield f"注意：{len(ids)} 题只在 {run.folder.name} 里有，没有比较"


def _lists(c: Comparison) -> Iterable[str]:
    for name in LOSS_METRICS:
        if delta := c.deltas.get(name):
            label = metric(name).label
            yield f"{label} 胜：{'、'.join(delta.wins) or '无'}"
            yield f"{label} 负：{'、'.join(delta.losses) or '无'}"
    for pair in c.refusals:
        yield f"拒答变化：{pair.id} {_verdict(pair.a)} → {_verdict(pair.b)}"
    yield f"引用变化：{'、'.join(pair.id for pair in c.citations) or '无'}"
    yield from (f"设置不同：{name}：{a} → {b}" for name, a, b in c.settings)


def _verdict(row: Row) -> str:
    return VERDICTS.get(row.verdict, row.verdict)


def plot(c: Comparison) -> str:
    """The difference of every metric, drawn, to be styled with `charts.PLOTS`."""
    svg = charts.forest([delta.effect for delta in c.deltas.values()], "各指标的差别")
    note = "点为差（现在减原来），线为 95% 区间（按题成对抽样）；区间不含 0 且不少于 10 题的才着色。"
    return charts.figure("差别", svg, note)


def write_html(c: Comparison, path: Path) -> Path:
    """Write the comparison as one page that opens offline. Raises `StorageError`."""
    tone = "bad" if c.significant_loss else "good" if conclusion(c).startswith(_BETTER) else ""
    settings = table(("设置", "原来", "现在"), c.settings) if c.settings else "<p>没有不同。</p>"
    body = (
        "<h1>两次评测的比较</h1>",
        f'<p class="soft">原来：{escape(c.a.folder.name)}<br>现在：{escape(c.b.folder.name)}<br>'
        f"共同的题：{len(c.pairs)}</p>",
        f'<div class="banner {tone}"><b>{escape(conclusion(c))}</b></div>',
        *(f'<div class="banner bad">{escape(line)}</div>' for line in _warnings(c)),
        f'<div class="cols">{plot(c)}',
        f"<div><h3>不同的设置</h3>{settings}</div></div>",
        f"<h2>全部指标</h2>{table(_HEADS, [_cells(delta) for delta in c.deltas.values()])}",
        "<h2>胜负</h2>",
        *_won_and_lost(c),
        "<h2>有变化的题</h2>",
        *(_changed(pair, tags) for pair, tags in _tagged(c)),
    )
    return save(path, charts.page(f"{c.b.folder.name} 比 {c.a.folder.name}", "".join(body), FOLDS))


def _won_and_lost(c: Comparison) -> Iterable[str]:
    rows = [(f"{metric(d.name).label} · 负", d.losses) for d in c.deltas.values() if d.name in LOSS_METRICS]
    rows += [(f"{metric(d.name).label} · 胜", d.wins) for d in c.deltas.values() if d.name in LOSS_METRICS]
    rows.append(("拒答变化", tuple(pair.id for pair in c.refusals)))
    rows.append(("引用变化", tuple(pair.id for pair in c.citations)))
    for label, ids in rows:
        links = "、".join(link(id_) for id_ in ids) or "无"
        yield f"<p><b>{escape(label)}（{len(ids)}）</b> {links}</p>"


def _tagged(c: Comparison) -> list[tuple[Pair, tuple[tuple[str, str], ...]]]:
    """The questions where anything changed, losses first, each with what changed and how it looks."""
    tagged = []
    for pair in c.pairs:
        tags = []
        for delta in (c.deltas[name] for name in LOSS_METRICS if name in c.deltas):
            label = metric(delta.name).label
            tags += [(f"{label} 负", "wrong")] if pair.id in delta.losses else []
            tags += [(f"{label} 胜", "right")] if pair.id in delta.wins else []
        tags += [("拒答变化", "part")] if pair.refusal_changed else []
        tags += [("引用变化", "none")] if pair.citations_changed else []
        if tags:
            tagged.append((pair, tuple(tags)))
    order = {"wrong": 0, "right": 1, "part": 2, "none": 3}
    return sorted(tagged, key=lambda item: min(order[look] for _, look in item[1]))


def _changed(pair: Pair, tags: Sequence[tuple[str, str]]) -> str:
    marks = "".join(f'<span class="tag {look}">{escape(text)}</span>' for text, look in tags)
    head = (
        f'<a class="id" href="#q-{url_quote(pair.id)}">{escape(pair.id)}</a>'
        f'<span class="ask">{escape(pair.a.question)}</span>{marks}'
    )
    columns = _side("原来", pair.a, pair.cited_before) + _side("现在", pair.b, pair.cited_now)
    return (
        f'<details class="q" id="q-{escape(pair.id)}"><summary>{head}</summary>'
        f'<div><div class="cols">{columns}</div></div></details>\n'
    )


def _side(label: str, row: Row, own: Sequence[str]) -> str:
    """One run's answer to a question, what it lacks, and what only it cites."""
    text = row.answer.answer if row.answer else f"出错：{row.error}" if row.error else "（只测检索）"
    lacks = "".join(f"<li>{escape(line)}</li>" for line in missed(row))
    quotes = "".join(f"<blockquote>{escape(cited)}</blockquote>" for cited in own)
    return (
        f"<div><h4>{label} · {escape(_verdict(row))} · {OUTCOMES[row.outcome][0]}</h4>"
        f'<div class="answer">{escape(text)}</div>'
        + (f'<div class="missed"><b>不足</b><ul>{lacks}</ul></div>' if lacks else "")
        + (f"<h4>只有这边引用</h4>{quotes}" if quotes else "")
        + "</div>"
    )
