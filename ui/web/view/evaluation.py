"""Evaluation runs: the list, one run with its questions, two compared."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from eval import report
from eval.compare import Comparison, conclusion, plot
from eval.names import METRICS, OUTCOMES, TIMES, VERDICTS, metric, type_label
from eval.runs import Passage, Row, Run, Value
from ui.web.view.parts import error, joined, note, table, text

HEADLINES = ("fully_correct", "key_facts", "evidence_hit@5", "citation_recall", "false_answer", "false_refusal")
_TONES = {"right": "answered", "part": "partial", "wrong": "wrong", "error": "wrong", "none": "refused"}


def runs(found: Sequence[Run]) -> str:
    """The runs with their headline figures, the latest first."""
    if not found:
        return note("还没有评测。在下面选一个题集开始，或运行 weice eval run。")
    heads = ("评测", "题数", *(metric(name).label for name in HEADLINES))
    return table(heads, [_run(run) for run in found])


def _run(run: Run) -> list[str]:
    state = "" if run.finished else " <small>未完成</small>"
    about = joined(Path(run.info.dataset).name, run.info.split, run.info.model, run.info.started[:16])
    figures = [_share(run.summary.overall.get(name)) for name in HEADLINES]
    return [f"{escape(run.folder.name)}{state}<br><small>{about}</small>", str(run.summary.n), *figures]


def _share(value: Value | None) -> str:
    return "—" if value is None else f"{value.value:.1%}"


def run(one: Run) -> str:
    """One run: its plots, every figure with its interval, and each question down to answer and evidence."""
    overall = one.summary.overall
    figures = [
        (metric(name).label, _share(v), f"{v.low:.1%} – {v.high:.1%}", str(v.n), escape(metric(name).meaning))
        for name in METRICS
        if (v := overall.get(name))
    ]
    times = [
        (label, f"{seconds['p50']:.1f} 秒", f"{seconds['p95']:.1f} 秒")
        for name, label in TIMES.items()
        if (seconds := one.summary.latency.get(name))
    ]
    parts = [f"<h4>{escape(one.folder.name)}</h4>", *(note(f"{line}。", warn=True) for line in one.notes)]
    parts.append(report.plots(one))
    parts.append(table(("指标", "值", "95% 区间", "题数", "意思"), figures))
    parts.append(table(("用时", "中位", "95%"), times) if times else "")
    ordered = sorted(one.rows, key=lambda row: list(_TONES).index(row.outcome) in (0, 4))
    return "".join([*parts, "<h4>逐题（答错的在前）</h4>", *map(_question, ordered)])


def _question(row: Row) -> str:
    label = OUTCOMES[row.outcome][0]
    about = joined(row.id, type_label(row.type), VERDICTS.get(row.verdict, row.verdict))
    return (
        f'<details class="wc-file wc-row"><summary><span class="wc-verdict wc-{_TONES[row.outcome]}">{label}</span> '
        f"<b>{escape(row.question)}</b><small>{about}</small></summary>{_expected(row)}{_answered(row)}</details>"
    )


def _expected(row: Row) -> str:
    if not row.answerable:
        return "<p><b>应当：</b>资料中没有，应拒答</p>"
    facts = "；".join(" 或 ".join(spellings) for spellings in row.must)
    sources = "".join(
        f"<li>《{escape(s.article)}》<blockquote>{text(s.quote)}</blockquote></li>" for s in row.sources
    )
    return f"<p><b>应当说到：</b>{escape(facts)}</p><ul>{sources}</ul>"


def _answered(row: Row) -> str:
    if row.error:
        return error(row.error)
    if row.answer is None:
        return ""
    cited = "".join(
        f"<li>《{escape(c.title)}》<blockquote>{text(c.quote)}</blockquote></li>" for c in row.answer.citations
    )
    scores = joined(*(f"{metric(name).label} {value:g}" for name, value in row.scores.items() if value is not None))
    return (
        f"<p><b>回答：</b>{text(row.answer.answer)}</p>{note(row.answer.reason or '')}"
        f'<ol class="wc-citations">{cited}</ol>{_evidence(row.answer.retrieved)}<p class="wc-coverage">{scores}</p>'
    )


def _evidence(found: Sequence[Passage]) -> str:
    """What the answer was made of, folded away."""
    if not found:
        return ""
    passages = "".join(
        f"<li><b>{escape(one.title)}</b> <small>{escape(one.section or '')}</small>"
        f'<div class="wc-passage">{text(one.text)}</div></li>'
        for one in found
    )
    title = f"检索到的资料（{len(found)} 段）"
    return f'<details class="wc-evidence"><summary>{title}</summary><ol>{passages}</ol></details>'


def comparison(found: Comparison) -> str:
    """Two runs: what can be said, each metric's difference, and the questions won and lost."""
    rows = [
        (
            escape(metric(d.name).label),
            f"{d.a:.1%}",
            f"{d.b:.1%}",
            f"{d.delta * 100:+.1f}",
            f"{d.low * 100:+.1f} – {d.high * 100:+.1f}",
            f"{len(d.wins)} / {len(d.losses)} / {d.ties}",
        )
        for d in found.deltas.values()
    ]
    names = f"{found.a.folder.name} → {found.b.folder.name}，共同 {len(found.pairs)} 题"
    heads = ("指标", "原来", "现在", "差（百分点）", "95% 区间", "胜 / 负 / 平")
    parts = [f"<h4>{escape(names)}</h4>", f"<p><b>{escape(conclusion(found))}</b></p>", plot(found)]
    parts.append(table(heads, rows))
    for name in ("fully_correct", "key_facts"):
        if delta := found.deltas.get(name):
            won, lost = ("、".join(ids) or "无" for ids in (delta.wins, delta.losses))
            parts.append(note(f"{metric(name).label}　胜：{won}　负：{lost}"))
    settings = [tuple(escape(str(cell)) for cell in row) for row in found.settings]
    return "".join([*parts, table(("不同的设置", "原来", "现在"), settings) if settings else ""])
