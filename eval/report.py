"""Writes an evaluation run as one HTML page that opens offline.

What is broken or not there yet is named, and the rest is still shown. Nothing here asks, scores or compares.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote as url_quote

import numpy as np

from eval import charts, judge
from eval.cases import Source, file_name, letters
from eval.metrics import HIT_AT, holds, percentiles, said, wilson
from eval.names import LEGS, METRICS, OUTCOMES, TIMES, VERDICTS, metric, type_label, type_order
from eval.runs import Given, Info, Row, Run, Summary, Value, Values, read_run, seconds_of
from rag.errors import StorageError

_MACHINE = MappingProxyType(
    {"cpu": "处理器", "cores": "核数", "memory_gb": "内存 GB", "platform": "系统", "python": "Python"}
)
_HEADLINES = ("fully_correct", "false_answer", "false_refusal", "key_facts", "evidence_hit@5", "citation_precision")

_CORRECT = (("错误", "wrong"), ("部分正确", "part"), ("正确", "right"))
_FAITHFUL = (("缺依据", "part"), ("有依据", "right"))
"""What a judge's points are called and how they look."""


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
        drawn = plots(run)
        parts += [_headline(run), f"<h2>图</h2>{drawn}" if drawn else "", _tables(run.summary), _judged(run)]
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
        if value := overall.get(name):
            span = f"{_percent(value.low)} – {_percent(value.high)}"
            cards.append(_figure(metric(name).label, _percent(value.value), span, f"{value.n} 题"))
    if total := run.summary.latency.get("total_s"):
        cards.append(_figure("每题用时（中位）", f"{total['p50']:.1f} 秒", f"p95 {total['p95']:.1f} 秒"))
    how = "区间为 95% 置信区间（自助抽样；全是 0% 或 100% 时用 Wilson 区间）；不到 10 题的只供参考。"
    return f'<div class="figures">{"".join(cards)}</div><p class="soft"><small>{how}</small></p>'


def _percent(share: float | None) -> str:
    return "—" if share is None else f"{share:.1%}"


def _figure(label: str, value: str, *below: str) -> str:
    lines = "".join(f"<small>{escape(line)}</small>" for line in below)
    return f'<div class="figure"><small>{escape(label)}</small><b>{escape(value)}</b>{lines}</div>'


def plots(run: Run) -> str:
    """Everything that is drawn of a run, to be styled with `charts.PLOTS`; "" where there is nothing to draw."""
    drawn = [*_overall(run.summary), *_by_type(run.summary), *_recall(run.summary)]
    drawn += [*_calibration(run.rows), *_latency(run.rows)]
    return f'<div class="plots">{"".join(drawn)}</div>' if drawn else ""


def _overall(summary: Summary) -> Iterable[str]:
    rows = []
    for name in METRICS:
        if name in _HEADLINES and (value := summary.overall.get(name)):
            label = metric(name).label + ("↓" if metric(name).better < 0 else "")
            rows.append(charts.Bar(label, value.value, value.low, value.high, value.n))
    if rows:
        title = "主要指标"
        yield charts.figure(title, charts.bars(rows, title), "细线为 95% 区间；带 ↓ 的越低越好。")


def _by_type(summary: Summary) -> Iterable[str]:
    for name in ("fully_correct", "key_facts", "evidence_hit@5"):
        rows = []
        for type_, values in _ordered(summary.by_type):
            if value := values.get(name):
                rows.append(charts.Bar(type_label(type_), value.value, value.low, value.high, value.n))
        if rows:
            title = f"{metric(name).label}，按题型"
            yield charts.figure(title, charts.bars(rows, title), f"{metric(name).meaning}。细线为 95% 区间。")


def _recall(summary: Summary) -> Iterable[str]:
    series = []
    for leg, label in LEGS.items():
        shares = summary.legs.get(leg, {})
        points = tuple((k, shares[f"hit@{k}"]) for k in HIT_AT if f"hit@{k}" in shares)
        if points:
            series.append(charts.Line(label, points))
    if series:
        title = "前 k 段里找到证据的题，按检索方式"
        yield charts.figure(
            title, charts.lines(series, title), "任一条证据进入前 k 段即算找到。纵轴不一定从 0 开始。"
        )


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
            yield charts.figure(title, charts.dots(_groups(points), title, label), note)


def _groups(points: Sequence[tuple[float, bool]], most: int = 5) -> tuple[charts.Dot, ...]:
    """At most `most` groups of about equal size in the order of confidence; equal ones stay together."""
    xs = np.array([x for x, _ in points])
    edges = np.unique(np.quantile(xs, np.linspace(0, 1, most + 1)[1:-1]))
    group = np.digitize(xs, edges)
    dots = []
    for number in np.unique(group):
        members = [point for point, at in zip(points, group, strict=True) if at == number]
        hits, n = sum(right for _, right in members), len(members)
        dots.append(charts.Dot(sum(x for x, _ in members) / n, hits / n, *wilson(hits, n), n))
    return tuple(dots)


def _latency(rows: Sequence[Row]) -> Iterable[str]:
    for name, label in TIMES.items():
        seconds = seconds_of(rows, name)
        if seconds:
            title = f"用时：{label}（秒）"
            svg = charts.histogram(seconds, tuple(percentiles(seconds).items()), title)
            yield charts.figure(title, svg, f"{len(seconds)} 题；纵轴为题数。")


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


def _leg_table(title: str, legs: Mapping[str, Mapping[str, float]]) -> str:
    columns = list(dict.fromkeys(name for shares in legs.values() for name in shares))
    rows = [(LEGS.get(leg, leg), *(_share(name, of.get(name)) for name in columns)) for leg, of in legs.items()]
    return f"<h2>{title}</h2>{table(('检索方式', *(f'#{_head(name)}' for name in columns)), rows)}"


def _metric_row(name: str, value: Value) -> tuple[str, ...]:
    shown = metric(name)
    direction = {1: "越高越好", -1: "越低越好", 0: ""}[shown.better]
    span = f"{_percent(value.low)} – {_percent(value.high)}"
    return (shown.label, _percent(value.value), span, str(value.n), direction, shown.meaning)


def _head(name: str) -> str:
    for english, chinese in (("hit@", "命中@"), ("recall@", "召回@"), ("ndcg@", "nDCG@"), ("mrr", "MRR")):
        if name.startswith(english):
            return chinese + name.removeprefix(english)
    return name


def _share(name: str, value: float | None) -> str:
    return _percent(value) if value is None or name.startswith(("hit", "recall")) else f"{value:.3f}"


def _ordered(groups: Mapping[str, Values]) -> list[tuple[str, Values]]:
    return sorted(groups.items(), key=lambda item: type_order(item[0]))


def _grouped(title: str, groups: Sequence[tuple[str, Values]], *, open_: bool) -> str:
    """One line a group, with the metrics that any of them has."""
    names = [name for name in (*_HEADLINES, "wrong_fact", "citation_recall") if any(name in v for _, v in groups)]
    rows = []
    for label, values in groups:
        shares = (values[name].value if name in values else None for name in names)
        n = max((value.n for value in values.values()), default=0)
        rows.append((label, str(n), *(_percent(share) for share in shares)))
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


def _judged(run: Run) -> str:
    """What an LLM judge thinks, marked as no measure; empty where none was asked."""
    if not (run.folder / judge.FILE).exists():
        return ""
    answered = {row.id for row in run.rows if row.answer and not row.error}
    said = [one for one in judge.read(run.folder) if one.id in answered]
    failed = sum(one.error is not None for one in said)
    facts = [f"裁判：{said[0].model}"] if said else []
    facts += [f"评了 {len(said) - failed} 题，共 {len(answered)} 题有回答"]
    facts += [f"{failed} 题没有评成"] if failed else []
    cards = []
    for name, e in judge.scores(said).items():
        span = f"{_percent(e['low'])} – {_percent(e['high'])}"
        cards.append(_figure(judge.LABELS[name], _percent(e["value"]), span, f"{e['n']} 题"))
    items = "".join(f"<li>{link(one.id)} {_judgement(one)}</li>" for one in said)
    return (
        "<h2>大模型评判（仅供参考，与上面的指标分开）</h2>"
        f'<p class="soft">{escape(" · ".join(facts))}</p><div class="figures">{"".join(cards)}</div>'
        f'<details class="more"><summary>逐题评判（{len(said)} 题）</summary><ul class="plain">{items}</ul></details>'
    )


def _judgement(one: judge.Judgement) -> str:
    if one.correct is None or one.faithful is None:
        return f'<span class="no">没有评成：{escape(one.error or "")}</span>'
    tags = " ".join(
        f'<span class="tag {look}">{text}</span>' for text, look in (_CORRECT[one.correct], _FAITHFUL[one.faithful])
    )
    return f"{tags} {escape(one.reason)}"


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
