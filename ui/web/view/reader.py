"""An article beside the chat, opened at the cited sentence: masthead, contents, text with marks, ways on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from rag.schema import Article, Section
from ui.web.view.parts import button, joined, note


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of the article that is marked; `number` is its citation's, 0 for a passage."""

    start: int
    end: int
    number: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """What the reader shows. `here` is where it opens; `before` and `after` are what the ways on lead to."""

    article: Article
    here: Mark | None = None
    others: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    position: str = ""
    before: str = ""
    after: str = ""
    whole: bool = True
    """Whether the article is there whole, not only a stored passage of it."""


def opened(shown: Opened) -> str:
    """The whole panel."""
    article = shown.article
    page = article.page_at(shown.here.start) if shown.here else article.page
    where = joined(
        article.issue.label,
        article.issue.date.isoformat() if article.issue.date else "",
        article.column,
        article.source,
        f"第{page}页" if page is not None else "",
    )
    notes = "".join(note(line, warn=True) for line in shown.notes)
    return (
        f'<article class="wc-reader" role="region" aria-label="原文">'
        f'<div class="wc-reader-bar">{_ways(shown)}{_tools()}</div>'
        f'<div class="wc-reader-text" tabindex="0"><header><h2>{escape(article.title)}</h2>'
        f'<p class="wc-masthead">{where}</p>{notes}</header>'
        f"{_contents(article) if shown.whole else ''}{_body(shown)}</div></article>"
    )


def _ways(shown: Opened) -> str:
    """Where in the answer's citations this one is, and the ways to the others."""
    if not shown.position:
        return "<span></span>"
    back = button("上一处", "open", shown.before) if shown.before else ""
    on = button("下一处", "open", shown.after) if shown.after else ""
    return f'<span class="wc-ways"><b>{escape(shown.position)}</b>{back}{on}</span>'


def _tools() -> str:
    """Search, print, close: the page does the first two by itself (`ui.web.script`)."""
    return (
        '<span class="wc-tools"><input type="search" class="wc-find" placeholder="在本文中查找" '
        'aria-label="在本文中查找"><small class="wc-find-count" role="status"></small>'
        f"{button('打印', 'print', '')}{button('关闭', 'close', '')}</span>"
    )


def _contents(article: Article) -> str:
    if not article.sections:
        return ""
    items = "".join(
        f'<li class="wc-level-{min(section.level, 3)}"><a href="#" role="button" data-act="jump" '
        f'data-at="section-{number}">{escape(section.heading)}</a></li>'
        for number, section in enumerate(article.sections)
    )
    summary = f"目录（{len(article.sections)} 节）"
    return f'<details class="wc-contents"><summary>{summary}</summary><ol>{items}</ol></details>'


def _body(shown: Opened) -> str:
    """The text, a paragraph a line, cut wherever a mark begins or ends, so that marks run over paragraphs."""
    text = shown.article.text
    paragraphs, at = [], 0
    for line in text.split("\n"):
        if line.strip():
            paragraphs.append(_paragraph(shown, at, at + len(line)))
        at += len(line) + 1
    return "".join(paragraphs)


def _paragraph(shown: Opened, start: int, end: int) -> str:
    article = shown.article
    sections = [(n, s) for n, s in enumerate(article.sections) if start <= s.start < end]
    anchors = "".join(f'<a id="section-{number}"></a>' for number, _ in sections)
    is_heading = any(_is_line(section, article.text[start:end]) for _, section in sections)
    pieces = "".join(_pieces(shown, start, end))
    return f'<p class="{"wc-heading" if is_heading else "wc-paragraph"}">{anchors}{pieces}</p>'


def _is_line(section: Section, line: str) -> bool:
    return line.strip().strip("*") == section.heading.strip()


def _pieces(shown: Opened, start: int, end: int) -> Iterator[str]:
    """The paragraph's text between marks, the marked stretches, and the page breaks."""
    marks = [mark for mark in (shown.here, *shown.others) if mark and mark.start < end and mark.end > start]
    breaks = {b.offset: b.page for b in shown.article.page_breaks if start <= b.offset < end}
    edges = {start, end, *breaks}
    for mark in marks:
        edges |= {max(start, mark.start), min(end, mark.end)}
    ordered = sorted(edges)
    for a, b in pairwise(ordered):
        if a in breaks:
            yield f'<span class="wc-page" data-page="第{breaks[a]}页"></span>'
        yield _marked(shown, marks, a, b)


def _marked(shown: Opened, marks: list[Mark], start: int, end: int) -> str:
    piece = escape(shown.article.text[start:end])
    holding = [mark for mark in marks if mark.start <= start and end <= mark.end]
    if not holding:
        return piece
    if shown.here in holding and shown.here is not None:
        first = ' id="here"' if start == shown.here.start else ""
        return f'<mark class="wc-here"{first}>{piece}</mark>'
    return f'<mark class="wc-other" title="[{holding[0].number}]">{piece}</mark>'
