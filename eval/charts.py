"""What evaluation pages are drawn with: the page around them and plots as inline SVG.

Pure functions of plain values. Knows nothing of runs or metrics; what is given as text is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 360
"""Width of every plot in its own units: about a phone's, so that 12-unit letters stay readable there."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One share of 0 to 1 with its interval and the number of questions behind it."""

    label: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: a share of 0 to 1 at each cut-off."""

    label: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Dot:
    """The share `y` (0 to 1, with its interval) of the `n` questions whose confidence averages `x`."""

    x: float
    y: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Effect:
    """A difference of two shares with its interval; `better` says which sign is good: 1, -1 or 0 for neither."""

    label: str
    delta: float
    low: float
    high: float
    better: int = 1


def bars(rows: Sequence[Bar], title: str) -> str:
    """Horizontal bars with interval whiskers, one a row."""
    left, right, step = 84, 262, 26
    parts = []
    for at, share in ((left, "0"), ((left + right) / 2, "50%"), (right, "100%")):
        parts.append(_line(at, 16, at, 18 + step * len(rows), "grid"))
        parts.append(_text(at, 10, share, "soft", "middle"))
    for number, row in enumerate(rows):
        y = 31 + step * number
        width = (right - left) * row.value
        low, high = (left + (right - left) * share for share in (row.low, row.high))
        parts += [
            _text(left - 6, y + 4, row.label, "", "end"),
            f'<rect x="{left}" y="{y - 7}" width="{_n(width)}" height="14" rx="2" class="bar"/>',
            _line(low, y, high, y, "whisker"),
            _line(low, y - 4, low, y + 4, "whisker"),
            _line(high, y - 4, high, y + 4, "whisker"),
            _text(right + 8, y + 4, f"{row.value:.0%}", "strong"),
            _text(WIDTH, y + 4, f"{row.n} 题", "soft", "end"),
        ]
    return _svg(24 + step * len(rows), title, parts)


def lines(series: Sequence[Line], title: str) -> str:
    """Curves over the cut-offs, evenly spaced, with a legend below; at most five are told apart."""
    left, right, top, bottom = 40, 346, 12, 184
    ks = sorted({k for line in series for k, _ in line.points})
    lowest = min((y for line in series for _, y in line.points), default=0.0)
    floor = max(0.0, math.floor(lowest * 10 - 1) / 10)
    xs = {k: left + 14 + (right - left - 28) * i / max(1, len(ks) - 1) for i, k in enumerate(ks)}
    parts = []
    for share in _steps(floor, 1.0):
        y = _scale(share, floor, 1.0, bottom, top)
        parts += [_line(left, y, right, y, "grid"), _text(left - 6, y + 4, f"{share:.0%}", "soft", "end")]
    parts += [_text(x, bottom + 18, f"前 {k}", "soft", "middle") for k, x in xs.items()]
    for number, line in enumerate(series):
        at = [(xs[k], _scale(y, floor, 1.0, bottom, top)) for k, y in line.points]
        path = " ".join(f"{_n(x)},{_n(y)}" for x, y in at)
        parts.append(f'<polyline points="{path}" class="line s{number % 5}"/>')
        parts += [f'<circle cx="{_n(x)}" cy="{_n(y)}" r="3.5" class="dot s{number % 5}"/>' for x, y in at]
        x, y = left + 150 * (number % 2), bottom + 44 + 20 * (number // 2)
        parts.append(_line(x, y - 4, x + 26, y - 4, f"line s{number % 5}"))
        parts.append(f'<circle cx="{x + 13}" cy="{y - 4}" r="3.5" class="dot s{number % 5}"/>')
        parts.append(_text(x + 34, y, line.label, ""))
    return _svg(bottom + 36 + 20 * math.ceil(len(series) / 2), title, parts)


def histogram(values: Sequence[float], marks: Sequence[tuple[str, float]], title: str) -> str:
    """How many values (seconds, at least one) fall where; `marks` are named values drawn as upright lines."""
    left, right, top, bottom = 30, 346, 40, 146
    width = _nice(max([*values, 1e-6]) / 10)
    count = int(max(values) / width) + 1
    heights = [0] * count
    for value in values:
        heights[min(count - 1, int(value / width))] += 1
    tallest, bar = max(heights), (right - left) / count
    parts = [_line(left, bottom, right, bottom, "axis")]
    for many in sorted({tallest, math.ceil(tallest / 2)}):
        y = _scale(many, 0, tallest, bottom, top)
        parts += [_line(left, y, right, y, "grid"), _text(left - 5, y + 4, str(many), "soft", "end")]
    for number, many in enumerate(heights):
        if many:
            y = _scale(many, 0, tallest, bottom, top)
            x = left + bar * number + 1
            size = f'width="{_n(bar - 2)}" height="{_n(bottom - y)}"'
            parts.append(f'<rect x="{_n(x)}" y="{_n(y)}" {size} class="bar"/>')
    every = math.ceil(count / 6)
    for number in range(0, count + 1, every):
        parts.append(_text(left + bar * number, bottom + 16, f"{number * width:g}", "soft", "middle"))
    for number, (name, value) in enumerate(marks):
        x = _scale(value, 0, count * width, left, right)
        anchor = "start" if x < (left + right) / 2 else "end"
        parts.append(_line(x, 2 + 16 * number, x, bottom, "mark"))
        side = 4 if anchor == "start" else -4
        parts.append(_text(x + side, 12 + 16 * number, f"{name} {value:.3g} 秒", "strong", anchor))
    return _svg(bottom + 24, title, parts)


def dots(points: Sequence[Dot], title: str, x_label: str) -> str:
    """Share correct (upright) by rising confidence (across, evenly spaced), larger where more questions stand."""
    left, right, top, bottom = 40, 346, 12, 168
    most = max(p.n for p in points)
    parts = []
    for share in _steps(0.0, 1.0):
        y = _scale(share, 0, 1, bottom, top)
        parts += [_line(left, y, right, y, "grid"), _text(left - 6, y + 4, f"{share:.0%}", "soft", "end")]
    apart = (right - left) / len(points)
    at = [(left + apart * (i + 0.5), _scale(p.y, 0, 1, bottom, top)) for i, p in enumerate(points)]
    parts.append(f'<polyline points="{" ".join(f"{_n(x)},{_n(y)}" for x, y in at)}" class="line s3 thin"/>')
    for point, (x, y) in zip(points, at, strict=True):
        ends = (_scale(share, 0, 1, bottom, top) for share in (point.low, point.high))
        parts += [
            _line(x, next(ends), x, next(ends), "whisker"),
            f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(4 + 5 * math.sqrt(point.n / most))}" class="dot s3"/>',
            _text(x, bottom + 24, f"{point.x:.2f}", "soft", "middle"),
            _text(x, bottom + 40, f"{point.n} 题", "soft", "middle"),
        ]
    parts.append(_text((left + right) / 2, bottom + 58, x_label, "soft", "middle"))
    return _svg(bottom + 66, title, parts)


def forest(rows: Sequence[Effect], title: str) -> str:
    """Differences with their intervals around an upright zero; coloured where the interval leaves zero out."""
    left, right, step = 112, 296, 24
    reach = max([0.05, *(abs(end) for row in rows for end in (row.low, row.high))])
    reach = min(1.0, math.ceil(reach * 20) / 20)
    zero = (left + right) / 2
    parts = [_line(zero, 18, zero, 20 + step * len(rows), "axis")]
    for share, at in ((-reach, left), (0.0, zero), (reach, right)):
        parts.append(_text(at, 10, f"{share * 100:+.0f}" if share else "0", "soft", "middle"))
    parts.append(_text(WIDTH, 10, "百分点", "soft", "end"))
    for number, row in enumerate(rows):
        y = 32 + step * number
        low, delta, high = (_scale(v, -reach, reach, left, right) for v in (row.low, row.delta, row.high))
        tone = tone_of(row)
        parts += [
            _text(left - 8, y + 4, row.label, "", "end"),
            _line(low, y, high, y, f"whisker {tone}"),
            f'<circle cx="{_n(delta)}" cy="{y}" r="4.5" class="dot {tone}"/>',
            _text(WIDTH, y + 4, f"{row.delta * 100:+.1f}", f"strong {tone}", "end"),
        ]
    return _svg(24 + step * len(rows), title, parts)


def tone_of(row: Effect) -> str:
    """`good` or `bad` where the interval leaves zero out and a sign is good, else `same`."""
    sign = 1 if row.low > 0 else -1 if row.high < 0 else 0
    return {1: "good", -1: "bad", 0: "same"}[sign * row.better]


def page(title: str, body: str, script: str = "") -> str:
    """A whole page that needs nothing else: style and `script` stand inside, everything else is refused."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="zh-CN"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head>\n"
        f"<body><main>{body}</main>{f'<script>{script}</script>' if script else ''}</body></html>\n"
    )


def figure(title: str, svg: str, note: str) -> str:
    """A plot under its title, with a line on how to read it."""
    return f'<figure class="plot"><h3>{escape(title)}</h3>{svg}<p>{escape(note)}</p></figure>'


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {_n(height)}" role="img" aria-label="{escape(title)}">'
    return f"{head}{''.join(parts)}</svg>"


def _text(x: float, y: float, text: str, look: str, anchor: str = "start") -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" class="{look}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, look: str) -> str:
    return f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" class="{look}"/>'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _scale(value: float, low: float, high: float, start: float, end: float) -> float:
    return start + (end - start) * (value - low) / (high - low)


def _steps(low: float, high: float) -> tuple[float, ...]:
    """Grid lines: every 10 % on a short axis, every 25 % or 20 % on a long one."""
    step = 0.25 if low == 0 else 0.1 if high - low <= 0.5 else 0.2
    count = round((high - low) / step + 1e-9)
    return tuple(high - step * i for i in range(count + 1) if high - step * i >= low - 1e-9)


def _nice(width: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power: float = 10.0 ** math.floor(math.log10(width))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= width * 0.999999)


LIGHT = """--bg: #fbfcfd; --card: #fff; --ink: #1b2430; --soft: #566274; --rule: #dfe4ea;
  --teal: #0f766e; --bar: #7cbfb6; --good: #0f766e; --bad: #b91c1c; --amber: #a15c07; --grey: #5b6472;
  --tint: #e6f4f1; --badtint: #fdecec; --s0: #6b7280; --s1: #c2570c; --s2: #4f46e5; --s3: #0f766e;
  --s4: #be185d;"""
DARK = """--bg: #11161d; --card: #19202a; --ink: #e5eaf1; --soft: #a3afc0;
  --rule: #323c4a; --teal: #2dd4bf; --bar: #1f7a72; --good: #2dd4bf; --bad: #f87171; --amber: #fbbf24;
  --grey: #9ca3af; --tint: #123f3b; --badtint: #45191c; --s0: #9ca3af; --s1: #fb923c; --s2: #a5b4fc;
  --s3: #2dd4bf; --s4: #f472b6;"""
"""The colours of the page and its plots, by day and by night."""

PLOTS = """
.plots { display: grid; gap: 12px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); }
.plot { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 12px 14px; margin: 0; }
.plot h3 { font-size: .98rem; margin: 0 0 4px; }
.plot svg { display: block; width: 100%; max-width: 460px; margin: 6px auto 0; }
.plot p { font-size: .84rem; color: var(--soft); margin: 4px 0; }
.plot text { font-size: 12px; fill: var(--ink); } .plot text.soft { fill: var(--soft); }
.plot text.strong { font-weight: 600; } .plot text.good { fill: var(--good); } .plot text.bad { fill: var(--bad); }
.plot .grid { stroke: var(--rule); } .plot .axis { stroke: var(--soft); } .plot .bar { fill: var(--bar); }
.plot .whisker { stroke: var(--ink); stroke-width: 1.4; } .plot .mark { stroke: var(--bad); stroke-width: 1.4; }
.plot .line { fill: none; stroke-width: 2.2; } .plot .line.thin { stroke-width: 1; stroke-dasharray: 3 3; }
.plot .dot { stroke: var(--card); stroke-width: 1.5; }
.plot .line.s0 { stroke: var(--s0); stroke-dasharray: 9 3 2 3; } .plot .dot.s0 { fill: var(--s0); }
.plot .line.s1 { stroke: var(--s1); stroke-dasharray: 7 3; } .plot .dot.s1 { fill: var(--s1); }
.plot .line.s2 { stroke: var(--s2); stroke-dasharray: 2 3; } .plot .dot.s2 { fill: var(--s2); }
.plot .line.s3 { stroke: var(--s3); } .plot .dot.s3 { fill: var(--s3); }
.plot .line.s4 { stroke: var(--s4); } .plot .dot.s4 { fill: var(--s4); }
.plot .whisker.good { stroke: var(--good); } .plot .dot.good { fill: var(--good); }
.plot .whisker.bad { stroke: var(--bad); } .plot .dot.bad { fill: var(--bad); }
.plot .whisker.same { stroke: var(--soft); } .plot .dot.same { fill: var(--soft); }
@media (max-width: 600px) { .plot { padding: 10px 8px; } }
"""
"""How plots look, on any page that names the colours as `CSS` does."""

_PAGE = """
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink); line-height: 1.7; overflow-wrap: anywhere;
  font-family: system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 20px 20px 80px; }
h1 { font-size: 1.5rem; margin: 0; line-height: 1.35; }
h2 { font-size: 1.15rem; margin: 36px 0 10px; }
h3 { font-size: .98rem; margin: 0 0 4px; }
h4 { font-size: .9rem; color: var(--soft); margin: 14px 0 2px; font-weight: 600; }
p { margin: 4px 0; }
small, .soft { color: var(--soft); }
a { color: var(--teal); }
.banner { border-left: 4px solid var(--amber); background: var(--card); padding: 8px 14px; margin: 12px 0; }
.banner.bad { border-color: var(--bad); }
.banner.good { border-color: var(--good); }
.figures { display: grid; gap: 10px; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); margin-top: 16px; }
.figure, .q { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; }
.figure { padding: 10px 14px; }
.figure b { display: block; font-size: 1.75rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.figure small { display: block; font-size: .8rem; line-height: 1.45; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: 5px 12px 5px 0; text-align: left; border-bottom: 1px solid var(--rule); vertical-align: top; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
.wide td:first-child { min-width: 7.4em; }
.wide td:last-child:not(.number) { min-width: 16em; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.good, .ok { color: var(--good); } td.bad, .no { color: var(--bad); }
.filters { position: sticky; top: 0; z-index: 2; background: var(--bg); display: flex; flex-wrap: wrap; gap: 8px 14px;
  align-items: center; padding: 10px 0; border-bottom: 1px solid var(--rule); margin-bottom: 12px; }
.filters select, .filters input[type=search] { font: inherit; font-size: .92rem; padding: 4px 8px; max-width: 100%;
  border: 1px solid var(--rule); border-radius: 6px; background: var(--card); color: var(--ink); }
.filters button { font: inherit; font-size: .92rem; padding: 4px 12px; border: 1px solid var(--rule);
  border-radius: 6px; background: var(--card); color: var(--teal); cursor: pointer; }
.filters input[type=search] { flex: 1 1 140px; min-width: 0; }
.q { margin: 8px 0; scroll-margin-top: 64px; }
.q[hidden] { display: none; }
.q > summary { cursor: pointer; padding: 9px 14px; display: flex; flex-wrap: wrap; gap: 2px 10px;
  align-items: baseline; list-style: none; }
.q > summary::-webkit-details-marker { display: none; }
.q > summary .ask { flex: 1 1 300px; font-weight: 600; }
.q > div { padding: 0 14px 14px; border-top: 1px solid var(--rule); }
.q:target { border-color: var(--teal); box-shadow: 0 0 0 1px var(--teal); }
.tag { font-size: .78rem; border: 1px solid currentColor; border-radius: 999px; padding: 0 9px; white-space: nowrap; }
.tag.right { color: var(--good); } .tag.wrong { color: #fff; background: #b91c1c; border-color: #b91c1c; }
.tag.part { color: var(--amber); } .tag.none { color: var(--grey); }
.id { font-family: ui-monospace, monospace; font-size: .8rem; color: var(--soft); text-decoration: none; }
.answer { white-space: pre-wrap; font-size: 1.02rem; }
.answer a { text-decoration: none; font-size: .82em; vertical-align: super; line-height: 0; }
.missed { background: var(--badtint); border-radius: 8px; padding: 6px 12px; margin: 10px 0; }
.missed ul { margin: 2px 0; padding-left: 1.3em; }
ol.plain, ul.plain { list-style: none; margin: 0; padding: 0; }
ul.plain li, ol.plain li { padding: 4px 0; scroll-margin-top: 64px; }
ol.plain li:target { background: var(--tint); }
blockquote { margin: 2px 0; padding: 0 12px; border-left: 3px solid var(--teal); }
blockquote.no { border-color: var(--bad); color: inherit; }
.cols { display: grid; gap: 0 24px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
.cols > * { min-width: 0; }
details.more { margin-top: 10px; } details.more > summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; font-size: .9rem; margin: 8px 0; }
.facts dt { color: var(--soft); } .facts dd { margin: 0; }
@media (max-width: 600px) { main { padding: 14px 12px 60px; } h1 { font-size: 1.25rem; }
  .figures { grid-template-columns: 1fr 1fr; } .figure { padding: 8px 10px; } .figure b { font-size: 1.4rem; }
  .filters { position: static; } .q > summary, .q > div { padding-left: 10px;
  padding-right: 10px; } th, td { padding-right: 9px; } }
@media print { .filters { display: none; } }
"""
CSS = f"""
:root {{ color-scheme: light dark; {LIGHT} }}
@media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
{PLOTS}{_PAGE}"""
