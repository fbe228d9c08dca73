"""The library: its files and articles, what a new file would bring, the index versions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from rag.corpus.parsed import ParsedIssue
from rag.index.build import BuildReport
from rag.index.version import IndexedFile
from ui.web.view.parts import button, error, joined, note

TITLES_SHOWN = 60
SHORT = 0.2
"""An article this much shorter than the file's middle one is marked as odd."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file would bring, or why it can't be taken in."""

    file: str
    parsed: ParsedIssue | None = None
    error: str = ""
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Hits:
    """How many stored answers cite each article, by file and title; `said` tells whose, or why it is not known."""

    cited: Mapping[tuple[str, str], int] = field(default_factory=dict)
    said: str = ""

    def of(self, file: str, title: str) -> int:
        """Those of one article."""
        return self.cited.get((file, title), 0)


def files(
    indexed: Mapping[str, IndexedFile],
    disabled: Collection[str],
    own: Collection[str],
    hits: Hits | None = None,
    *,
    editing: bool = True,
) -> str:
    """Every file with its articles, parse report and hits, then those that are left out; `editing` has buttons."""
    hits = hits or Hits()
    acts = {name: _acts(name, own=name in own) if editing else "" for name in indexed}
    shown = "".join(_file(name, one.parsed, hits, acts[name]) for name, one in indexed.items())
    off = "".join(_disabled(name, button("重新启用", "enable", name) if editing else "") for name in sorted(disabled))
    listed = shown + (f"<h4>已停用</h4>{off}" if off else "")
    return note(hits.said) + listed if listed else note("资料库还是空的。")


def _acts(name: str, *, own: bool) -> str:
    """What can be done with a file."""
    return button("停用", "disable", name) + (button("删除", "delete", name) if own else "")


def _file(name: str, parsed: ParsedIssue, hits: Hits, acts: str) -> str:
    issue = parsed.issue
    cited = sum(hits.of(name, title) for title in {article.title for article in parsed.articles})
    date = issue.date.isoformat() if issue.date else ""
    about = joined(date, _count(parsed), parsed.layout, _cited(cited), name)
    return (
        f'<details class="wc-file"><summary><b>{escape(issue.label)}</b><small>{about}</small></summary>'
        f"{_oddities(parsed)}{_articles(parsed, hits)}<div class='wc-actions'>{acts}</div></details>"
    )


def _disabled(name: str, acts: str) -> str:
    return f'<div class="wc-item"><span>{escape(name)}</span><span class="wc-item-acts">{acts}</span></div>'


def _count(parsed: ParsedIssue) -> str:
    found = f"{len(parsed.articles)} 篇"
    if parsed.expected is None:
        return found
    missing = parsed.expected - len(parsed.articles)
    return found + (f"，目录列出 {parsed.expected} 篇，相差 {missing} 篇" if missing else "，与目录一致")


def _oddities(parsed: ParsedIssue) -> str:
    return "".join(note(line, warn=True) for line in parsed.oddities)


def _cited(times: int) -> str:
    return f"引用 {times} 次" if times else ""


def _articles(parsed: ParsedIssue, hits: Hits) -> str:
    items = []
    for article in parsed.articles:
        page = f"第{article.page}页" if article.page is not None else ""
        cited = _cited(hits.of(article.issue.file, article.title))
        where = joined(article.column, article.source, page, f"{len(article.text)}字")
        times = f' <small class="wc-cited">{cited}</small>' if cited else ""
        items.append(
            f'<li><a href="#" role="button" data-act="open" data-at="article:{escape(article.id)}">'
            f"{escape(article.title)}</a> <small>{where}</small>{times}</li>"
        )
    return f'<ol class="wc-articles">{"".join(items)}</ol>'


def previews(found: Sequence[Preview]) -> str:
    """What the uploaded files would bring, before anything is taken in."""
    return "".join(_preview(one) for one in found)


def _preview(one: Preview) -> str:
    head = f"<h4>{escape(one.file)}</h4>"
    if one.parsed is None:
        return head + error(f"不能收进资料库：{one.error}")
    parsed = one.parsed
    replaced = note("资料库里有同名文件，收进来会替换它。", warn=True) if one.replaces else ""
    lengths = sorted(len(article.text) for article in parsed.articles)
    middle = lengths[len(lengths) // 2] if lengths else 0
    items = []
    for article in parsed.articles[:TITLES_SHOWN]:
        odd = "" if len(article.text) >= middle * SHORT else ' <em class="wc-mark">很短，请核对</em>'
        items.append(f"<li>{escape(article.title)} <small>{len(article.text)}字</small>{odd}</li>")
    more = f"<li>其余 {len(parsed.articles) - TITLES_SHOWN} 篇略</li>" if len(parsed.articles) > TITLES_SHOWN else ""
    line = joined(parsed.issue.label, _count(parsed), f"版式：{parsed.layout}")
    return f'{head}{replaced}<p>{line}</p>{_oddities(parsed)}<ol class="wc-articles">{"".join(items)}{more}</ol>'


def built(report: BuildReport) -> str:
    """What an update of the index did."""
    state = "没有变化" if report.unchanged else "已更新"
    lines = [
        note(f"索引{state}：{report.version}，{report.chunks} 段（新算 {report.embedded}，沿用 {report.reused}）")
    ]
    lines += [error(f"{file.file}：{file.error}") for file in report.files if file.error]
    lines += [note(f"已移除：{name}") for name in report.removed]
    return "".join(lines)


def versions(names: Sequence[str], live: str) -> str:
    """The index versions that are kept, the latest first, and the way back to an older one."""
    lines = []
    for name in reversed(names):
        act = "<small>正在使用</small>" if name == live else button("改用这一版", "use", name)
        lines.append(f'<div class="wc-item"><span>{escape(name)}</span><span class="wc-item-acts">{act}</span></div>')
    return "".join(lines) or note("还没有索引。")
