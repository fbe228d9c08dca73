"""The layout 本期视点: no masthead, a front part with ▶ titles and 【提要】, then hard-wrapped articles.

A page starts with a line that is led by one space, or after a mark such as `44 / 61`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from rag.corpus.layouts.common import ALIKE, Entry, likeness, make_article, page_lines, title_key
from rag.corpus.parsed import ParsedIssue
from rag.corpus.reflow import Line, glue, paragraphs, tidy
from rag.schema import Article, Issue

NAME = "本期视点"

_MARKER = re.compile(r"-{2,}\s*本期内容\s*-{2,}")
_BACK = "返回目录"
_COLUMN = re.compile(r"·([^·]+)·")
_SOURCE = re.compile(r"来源\s*[：:]\s*(.+)")
_PAGE_MARK = re.compile(r"(\d{1,4}) / \d{1,4}")
_ENTRY = re.compile(r"▶\s*(?P<title>.+?)\s*[（(]来源\s*[：:](?P<source>.+?)[）)]\s*—+\s*第\s*(?P<page>\d[\d\s]*)页")
_LONGEST_HEAD = 4
"""Lines in which the source must follow an article's first line."""

PageLine = tuple[str, bool]


@dataclass(slots=True)
class _Segment:
    """The printed lines of one article, title and source included."""

    column: str | None
    page: int
    lines: list[Line] = field(default_factory=list)


def fits(pages: Sequence[str]) -> bool:
    """Whether the pages hold the line that divides front part and articles, and ▶ titles before it."""
    lines = page_lines(pages)
    return _divide(lines) is not None and any(text.lstrip().startswith("▶") for text, _ in lines)


def parse(file: str, pages: Sequence[str]) -> ParsedIssue:
    """Parse one issue; what is not printed (number, date, publisher) stays None."""
    lines = page_lines(pages)
    at = _divide(lines) or 0
    entries = list(_contents(lines[:at]))
    first_page = entries[0].page if entries and entries[0].page else 1
    issue = Issue(file=file, name=NAME)
    articles: list[Article] = []
    oddities: list[str] = []
    waiting = list(entries)
    printed = _segments(lines[at + 1 :], first_page)
    for segment in chain.from_iterable(_split(whole, entries) for whole in printed):
        entry, body = _identify(segment, waiting, oddities)
        last = waiting[0].page if waiting else None
        body = _numbered(body, segment, entry, last, oddities)
        articles.append(make_article(issue, len(articles) + 1, entry, paragraphs(body)))
    oddities.extend(f"目录中的《{entry.title}》在正文中没有找到" for entry in waiting)
    return ParsedIssue(issue, tuple(articles), NAME, len(entries) or None, tuple(oddities))


def _divide(lines: Sequence[PageLine]) -> int | None:
    return next((at for at, (text, _) in enumerate(lines) if _MARKER.fullmatch(text.strip())), None)


def _contents(front: Sequence[PageLine]) -> Iterator[Entry]:
    """Yield the entries of the front part; they wrap anywhere, down to inside the page number."""
    column, pieces = None, [""]
    for text, _ in front:
        line = text.strip()
        if match := _COLUMN.fullmatch(line):
            column = tidy(match[1])
        elif line.startswith("▶") or pieces[0]:
            pieces = [line] if line.startswith("▶") else [*pieces, line]
            if match := _ENTRY.match(glue(pieces)):
                page = int(re.sub(r"\s", "", match["page"]))
                yield Entry(tidy(match["title"]), page, column, tidy(match["source"]))
                pieces = [""]


def _segments(lines: Sequence[PageLine], page: int) -> Iterator[_Segment]:
    """Cut the body into articles, counting pages from `page` on."""
    column, segment, pending = None, None, None
    for text, starts_page in lines:
        line = text.strip()
        if match := _PAGE_MARK.fullmatch(line):
            page = pending = int(match[1])
            continue
        if starts_page or re.match(r" \S", text):
            page = pending = page + 1
        if line == _BACK or (match := _COLUMN.fullmatch(line)):
            if segment:
                yield segment
            column, segment = (column if line == _BACK else tidy(line.strip("·"))), None
            continue
        segment = segment or _Segment(column, page)
        segment.lines.append(Line(line, pending))
        pending = None
    if segment:
        yield segment


def _split(segment: _Segment, entries: Sequence[Entry]) -> Iterator[_Segment]:
    """Cut a segment where another title of the contents stands over its source (返回目录 is not always printed)."""
    keys = {title_key(entry.title) for entry in entries}
    lines, page, start = segment.lines, segment.page, 0
    for at, line in enumerate(lines):
        if at > start + _LONGEST_HEAD and _SOURCE.fullmatch(line.text):
            for head in range(at - 1, at - _LONGEST_HEAD, -1):
                if title_key(glue([piece.text for piece in lines[head:at]])) in keys:
                    yield _Segment(segment.column, page, lines[start:head])
                    page = next((piece.page for piece in reversed(lines[: head + 1]) if piece.page), page)
                    start = head
                    break
    yield _Segment(segment.column, page, lines[start:])


def _identify(segment: _Segment, waiting: list[Entry], oddities: list[str]) -> tuple[Entry, list[Line]]:
    """Tell an article's title, source and body lines; take its entry out of those that wait."""
    length, source = _head(segment, waiting)
    printed = tidy(glue([line.text for line in segment.lines[:length]]))
    body = segment.lines[length + (source is not None) :]
    entry = _matching(printed, waiting)
    if entry is None:
        oddities.append(f"正文中的《{printed}》不在目录里")
        return Entry(printed, segment.page, segment.column, source), body
    waiting.remove(entry)
    title = printed
    if title_key(printed) != title_key(entry.title):
        oddities.append(f"正文标题“{printed}”有误，已按目录更正为《{entry.title}》")
        title = entry.title
    column, source = segment.column or entry.column, source or entry.source
    return replace(entry, title=title, column=column, source=source), body


def _head(segment: _Segment, waiting: Sequence[Entry]) -> tuple[int, str | None]:
    """Return how many lines the title takes, and the source that is printed below it."""
    texts = [line.text for line in segment.lines]
    for length, text in enumerate(texts[: _LONGEST_HEAD + 1]):
        if length and (match := _SOURCE.fullmatch(text)):
            return length, tidy(match[1])
    keys = {title_key(entry.title) for entry in waiting}
    for length in range(1, _LONGEST_HEAD):
        if title_key(glue(texts[:length])) in keys:
            return length, None
    return 1, None


def _matching(printed: str, waiting: Sequence[Entry]) -> Entry | None:
    best = max(waiting, key=lambda entry: likeness(printed, entry.title), default=None)
    return best if best and likeness(printed, best.title) >= ALIKE else None


def _numbered(
    body: Sequence[Line], segment: _Segment, entry: Entry, last: int | None, oddities: list[str]
) -> list[Line]:
    """Number the page breaks of an article from its page in the table of contents, not beyond page `last`."""
    shift = (entry.page or segment.page) - segment.page
    if shift:
        oddities.append(f"《{entry.title}》目录页码为第{entry.page}页，按分页推算为第{segment.page}页，以目录为准")
    return [
        replace(line, page=line.page + shift)
        if line.page is not None and (last is None or line.page + shift <= last)
        else replace(line, page=None)
        for line in body
    ]
