"""The layout 卫生健康信息动态: masthead, 要点, 目录 with dotted leaders, 【栏目】, one paragraph a line.

A page break shows only where it cuts a sentence: as two lines, the first of them without its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import zip_longest

from rag.corpus.layouts.common import ALIKE, Entry, likeness, make_article, page_lines, title_key
from rag.corpus.parsed import ParsedIssue
from rag.corpus.reflow import Line, Paragraph, assemble, glue, ink, is_terminal, tidy
from rag.schema import Article, Issue

NAME = "卫生健康信息动态"

_CONTENTS = "目录"
_COLUMN = re.compile(r"【([^】]+)】")
_ENTRY = re.compile(r"(?P<title>.+?)\s*[.．·…]{3,}\s*(?P<page>\d{1,4})")
_NUMBER = re.compile(r"第(\d+)期")
_TOTAL = re.compile(r"总第(\d+)期")
_DATE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日")
_SOURCE = re.compile(r"(?P<text>(?:.*[。！？…][”’」]?)?)（(?P<source>[^（）]{2,80})）", re.DOTALL)
_HEADING = re.compile(r"(?:[一二三四五六七八九十]{1,3}、|（[一二三四五六七八九十]{1,3}）)[^。；]{2,45}")
_SHORTEST_CUT = 28
"""Characters of one printed line: a shorter line without punctuation is a heading, not a cut paragraph."""


@dataclass(slots=True)
class _Segment:
    """The lines of one article below its title; a line that starts a page says so."""

    entry: Entry
    lines: list[tuple[str, bool]] = field(default_factory=list)


def fits(pages: Sequence[str]) -> bool:
    """Whether the pages hold a masthead, a 目录 with columns and dotted leaders, and articles after it."""
    front, entries, body = _divide(page_lines(pages))
    return bool(front and body) and any(entry.column for entry in entries)


def parse(file: str, pages: Sequence[str]) -> ParsedIssue:
    """Parse one issue with its masthead; page breaks are numbered no further than the pages are known."""
    front, entries, body = _divide(page_lines(pages))
    issue = _masthead(file, [text for text, _ in front])
    oddities: list[str] = []
    segments = list(_segments(body, entries, oddities))
    articles: list[Article] = []
    following = [segment.entry.page for segment in segments[1:]]
    for segment, last in zip_longest(segments, following):
        whole = _paragraphs(segment, last, paged=len(pages) > 1)
        whole, source = _source(whole)
        entry = replace(segment.entry, source=source)
        articles.append(make_article(issue, len(articles) + 1, entry, whole))
    return ParsedIssue(issue, tuple(articles), NAME, len(entries), tuple(oddities))


def _divide(
    lines: Sequence[tuple[str, bool]],
) -> tuple[list[tuple[str, bool]], list[Entry], list[tuple[str, bool]]]:
    """Return the masthead lines, the table of contents, and the lines of the articles."""
    at = next((at for at, (text, _) in enumerate(lines) if title_key(text) == _CONTENTS), len(lines))
    front, column = list(lines[:at]), None
    entries: list[Entry] = []
    pieces: list[str] = []
    columns: set[str] = set()
    for number, (text, _) in enumerate(lines[at + 1 :], at + 1):
        line = text.strip()
        if match := _COLUMN.fullmatch(line):
            if match[1] in columns:  # a column for the second time: the articles begin
                return front, entries, list(lines[number:])
            column = match[1]
            columns.add(column)
        elif match := _ENTRY.fullmatch(glue([*pieces, line])):
            entries.append(Entry(tidy(match["title"]), int(match["page"]), column))
            pieces = []
        elif title_key(line) in {title_key(entry.title) for entry in entries}:
            return front, entries, list(lines[number:])
        else:
            pieces.append(line)
    return front, entries, []


def _masthead(file: str, lines: Sequence[str]) -> Issue:
    """Read the masthead: name first, then number, publisher lines and date in any spacing."""
    keys = [re.sub(r"\s", "", line) for line in lines]
    until = next((at for at, key in enumerate(keys) if key == "要点"), len(keys))
    keys = keys[:until]
    number = next((match for key in keys if (match := _NUMBER.search(key.replace("总第", "")))), None)
    total = next((match for key in keys if (match := _TOTAL.search(key))), None)
    day = next((match for key in keys if (match := _DATE.fullmatch(key))), None)
    named = [key for key in keys[1:] if not (_NUMBER.search(key) or _DATE.search(key))]
    return Issue(
        file=file,
        name=keys[0] if keys else None,
        number=int(number[1]) if number else None,
        total=int(total[1]) if total else None,
        date=date(int(day[1]), int(day[2]), int(day[3])) if day else None,
        publisher="、".join(named) or None,
    )


def _segments(body: Sequence[tuple[str, bool]], entries: Sequence[Entry], oddities: list[str]) -> Iterator[_Segment]:
    """Cut the body into articles at the titles of the table of contents, in any spacing, on up to 3 lines."""
    waiting, column, segment, at = list(entries), None, None, 0
    while at < len(body):
        line = body[at][0].strip()
        match = _COLUMN.fullmatch(line)
        found = None if match else _title_at(body, at, waiting)
        if match and match[1] in {entry.column for entry in entries}:
            column = match[1]
        elif found:
            if segment:
                yield segment
            entry, length = found
            waiting.remove(entry)
            segment = _Segment(_titled(entry, column, body[at : at + length], oddities))
            at += length - 1
        elif segment:
            segment.lines.append(body[at])
        at += 1
    if segment:
        yield segment
    oddities.extend(f"目录中的《{entry.title}》在正文中没有找到" for entry in waiting)


def _title_at(body: Sequence[tuple[str, bool]], at: int, waiting: Sequence[Entry]) -> tuple[Entry, int] | None:
    """Return the entry whose title stands at `at`, and its lines; a misprint only under a column."""
    for length in (1, 2, 3):
        key = title_key(glue([text for text, _ in body[at : at + length]]))
        exact = next((entry for entry in waiting if title_key(entry.title) == key), None)
        if exact:
            return exact, length
    line = body[at][0]
    if is_terminal(line) or len(line) > 60:
        return None
    best = max(waiting, key=lambda entry: likeness(line, entry.title), default=None)
    return (best, 1) if best and likeness(line, best.title) >= ALIKE else None


def _titled(entry: Entry, column: str | None, lines: Sequence[tuple[str, bool]], oddities: list[str]) -> Entry:
    printed = tidy(glue([text.replace("**", "") for text, _ in lines]))
    if title_key(printed) != title_key(entry.title):
        oddities.append(f"正文标题“{printed}”与目录不符，已按目录更正为《{entry.title}》")
    if column and entry.column and column != entry.column:
        oddities.append(f"《{entry.title}》在目录中属“{entry.column}”，在正文中属“{column}”，以正文为准")
    return replace(entry, column=column or entry.column)


def _paragraphs(segment: _Segment, last: int | None, *, paged: bool) -> list[Paragraph]:
    """Join what page breaks cut apart, and number the breaks up to page `last`."""
    groups: list[list[Line]] = []
    page = segment.entry.page or 0
    for text, starts_page in segment.lines:
        goes_on = bool(groups) and _is_cut(glue([line.text for line in groups[-1]]), text)
        breaks = starts_page if paged else goes_on
        page += breaks
        known = breaks and segment.entry.page and (last is None or page <= last)
        if not goes_on:
            groups.append([])
        groups[-1].append(Line(text, page if known else None))
    return [_unbolded(group) for group in groups]


def _is_cut(before: str, line: str) -> bool:
    """Whether `before` is a paragraph that a page break cut, so that `line` goes on with it."""
    before, line = before.replace("**", "").strip(), line.replace("**", "").strip()
    if is_terminal(before) or _HEADING.fullmatch(before) or _HEADING.fullmatch(line):
        return False
    return len(before) >= _SHORTEST_CUT or bool(re.search(r"[，。、；：]", before))


def _unbolded(group: Sequence[Line]) -> Paragraph:
    """Take the bold marks out and keep where they stood."""
    lines: list[Line] = []
    edges: list[int] = []
    before = 0
    for line in group:
        pieces = line.text.split("**")
        for piece in pieces[:-1]:
            before += ink(piece)
            edges.append(before)
        before += ink(pieces[-1])
        lines.append(replace(line, text="".join(pieces)))
    spans = [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=False) if start < end]
    return assemble(lines, spans)


def _source(paragraphs: Sequence[Paragraph]) -> tuple[list[Paragraph], str | None]:
    """Take the source in brackets off the end of an article, where there is one."""
    match = _SOURCE.fullmatch(paragraphs[-1].text) if paragraphs else None
    if not match:
        return list(paragraphs), None
    text = match["text"]
    breaks = tuple(pair for pair in paragraphs[-1].breaks if pair[0] < len(text))
    kept = Paragraph(text, breaks, paragraphs[-1].bold)
    return [*paragraphs[:-1], *([kept] if kept.text else [])], match["source"]
