"""The general layout: takes any document as one or more articles by its headings, and never refuses one.

It knows Markdown headings, the numbering of Chinese official documents and hard-wrapped lines. It knows no
newsletter's front matter or columns, and what is not clearly printed it leaves None.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import PurePosixPath
from statistics import mode

from rag.corpus import reflow
from rag.corpus.parsed import ParsedIssue
from rag.schema import Article, Issue, PageBreak, Section

LAYOUT = "通用"

_HEAD = 12
"""Paragraphs at a document's top where its date and source may stand."""
_WHOLE_LINES = (".docx", ".html", ".htm")
"""Formats that keep a paragraph on one line: nothing to join."""

_NARROWEST, _WIDEST = 28, 160
"""Columns between which lines of like width are taken for wrapped print."""
_SENTENCE = 80
"""Columns beyond which a line that does not end a sentence was broken off by a page, blank lines or not."""

_MARKDOWN_HEADING = re.compile(r"(#{1,6}) (.*?)(?: #+)?$")
_BOLD = re.compile(r"(?<!\*)\*\*(?!\*)")
_RULE = re.compile(r"\|?(?:\s*:?-{3,}:?\s*\|)+(?:\s*:?-{3,}:?\s*)?$|(?:-{3,}|\*{3,}|_{3,})$")
_OPEN = re.compile(r"[，、（《“「【,(]$")
_ITEM = re.compile(
    r"(?:[-•·●◆■▶※*]\s*\S|\d{1,2}[.．、)）](?!\d)|[（(]\w{1,3}[）)]|[一二三四五六七八九十]+、|第\w{1,4}[章节条])"
)
_NUMERAL = "[一二三四五六七八九十百零〇]+"
_NUMBERED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"第({_NUMERAL}|\d+)(?:编|篇|部分)",
        rf"第({_NUMERAL}|\d+)章",
        rf"第({_NUMERAL}|\d+)节",
        rf"({_NUMERAL})\s*[、．.]\s*\S",
        rf"[（(]\s*({_NUMERAL})\s*[）)]\s*\S",
        r"(\d{1,2})\s*[.．、](?!\d)\s*\S",
        r"[（(]\s*(\d{1,2})\s*[）)]\s*\S",
    )
)
_NOT_IN_HEADING = re.compile(r"[。；;！!？?|]|[，,、：:]$")
_NOT_IN_SHORT = re.compile(r"[。；;！!？?|，,：:]")
_DATE = re.compile(r"(\d{4})\s*(?:年|[-./])\s*(\d{1,2})\s*(?:月|[-./])\s*(\d{1,2})(?!\d)\s*日?")
_DATE_LABEL = r"(?:发布|印发|成文|发文|更新|出版)?(?:日期|时间)\s*[:：]\s*"
_DATE_LINE = re.compile(
    rf"[（(\[【]?\s*(?:{_DATE_LABEL})?{_DATE.pattern}\s*(?:星期.|周.)?\s*(?:\d{{1,2}}:\d\d(?::\d\d)?)?"
    r"\s*(?:印发|发布)?\s*[）)\]】]?\s*(?:$|\||(?:\w{2})?来源|作者|字体|字号|浏览|阅读|发布|编辑)"
)
_LABELLED_DATE = re.compile(_DATE_LABEL + _DATE.pattern)
_SOURCE = re.compile(
    r"(?:^|[（(【\[\s|])(?:文章|信息|稿件|资料|消息|内容)?来源\s*[:：]\s*([^\s|）)】\]][^|）)】\]]*)"
)
_AFTER_SOURCE = re.compile(r"\s+(?:作者|字体|字号|浏览|阅读|发布|时间|日期|编辑|责任编辑).*|\s+\d{4}\s*[-年].*")
_DOCUMENT_NUMBER = re.compile(
    r"(?:发文字号\s*[:：]\s*)?([\u4e00-\u9fff]{2,15}\s*[〔\[（(【]\s*\d{4}\s*[〕\]）)】]\s*第?\s*\d+\s*号)$"
)
_AGENCY = re.compile(r"[委局厅府院部会心室]$")


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    page: int
    level: int = 0
    """Level of a Markdown heading, 0 for text."""
    gap: bool = False
    """A blank line stands before it, on the same page."""
    indented: bool = False


@dataclass(frozen=True, slots=True)
class _Paragraph:
    text: str
    page: int
    level: int = 0
    breaks: tuple[PageBreak, ...] = ()
    """Page breaks inside, offsets from the paragraph's start."""

    @property
    def ended(self) -> bool:
        return reflow.is_terminal(self.text)


def parse(file: str, pages: Sequence[str]) -> ParsedIssue:
    """Take a document as articles by its headings; `file` is its name relative to the library.

    Several level-1 headings give an article each, anything else one article. Never raises on odd content:
    a document without text gives no articles and an oddity.
    """
    suffix = PurePosixPath(file).suffix.lower()
    paged = len(pages) > 1 or suffix == ".pdf"
    paragraphs = _paragraphs([line for n, page in enumerate(pages, 1) for line in _lines(page, n)], suffix)
    issue = Issue(file, date=_date(paragraphs))
    oddities = [
        f"第 {n} 页没有文字，可能是图片或扫描页" for n, page in enumerate(pages, 1) if paged and not page.strip()
    ]
    if not paragraphs:
        return ParsedIssue(issue, (), LAYOUT, oddities=("文件里没有可读的文字",))
    articles: list[Article] = []
    for part in _parts(paragraphs):
        article, titled = _article(issue, len(articles) + 1, part, paged)
        articles.append(article)
        if not titled:
            oddities.append(f"第 {len(articles)} 篇没有找到标题，以文件名“{article.title}”代替")
        elif article.text == article.title:
            oddities.append(f"《{article.title}》只有标题，没有正文")
    return ParsedIssue(issue, tuple(articles), LAYOUT, oddities=tuple(oddities))


# Lines and paragraphs


def _lines(page: str, number: int) -> Iterator[_Line]:
    """The lines of a page that hold text, Markdown marks taken off."""
    gap, first = False, True
    for raw in page.splitlines():
        stripped = " ".join(_BOLD.sub("", raw).split())
        heading = _MARKDOWN_HEADING.match(stripped)
        text = heading[2] if heading else _plain(stripped)
        if not text:
            gap = True
            continue
        indented = raw.startswith(("\u3000\u3000", "  ", "\t", " \u3000"))
        yield _Line(text, number, len(heading[1]) if heading else 0, gap and not first, indented)
        gap, first = False, False


def _plain(line: str) -> str:
    """A text line without Markdown's escapes, table frames and rules."""
    if _RULE.match(line):
        return ""
    if line.startswith("|") and line.endswith("|") and line.count("|") > 2:
        return " | ".join(cell.strip() for cell in line.strip("|").split("|"))
    return line[1:] if line.startswith("\\#") else line


def _paragraphs(lines: Sequence[_Line], suffix: str) -> list[_Paragraph]:
    """Join hard-wrapped lines to paragraphs, across page breaks too."""
    wrap = _Wrap(suffix, lines)
    groups: list[list[_Line]] = []
    for line in lines:
        if groups and wrap.continues(groups[-1][-1], line):
            groups[-1].append(line)
        else:
            groups.append([line])
    return [_paragraph(group) for group in groups]


def _paragraph(lines: Sequence[_Line]) -> _Paragraph:
    first = lines[0]
    if " | " in first.text or _is_meta(first.text):
        return _Paragraph(first.text, first.page, first.level)
    pages = [None, *(after.page if after.page != before.page else None for before, after in pairwise(lines))]
    whole = reflow.assemble([reflow.Line(line.text, page) for line, page in zip(lines, pages, strict=True)])
    breaks = tuple(PageBreak(offset, page) for offset, page in whole.breaks)
    return _Paragraph(whole.text, first.page, first.level, breaks)


class _Wrap:
    """How a document's lines are wrapped: whether and where, and what shows a new paragraph."""

    def __init__(self, suffix: str, lines: Sequence[_Line]) -> None:
        self._whole = suffix in _WHOLE_LINES
        self._marked = suffix == ".md"
        self._width = _wrap_width(lines)
        self._indents = sum(line.indented for line in lines) > 1
        self._spaced = self._width is not None and sum(line.gap for line in lines) > 0.6 * len(lines)

    def continues(self, before: _Line, line: _Line) -> bool:
        """Whether `line` goes on with the paragraph that `before` broke off."""
        if self._whole or line.indented or (line.gap and self._marked):
            return False
        if any(one.level or " | " in one.text or _is_meta(one.text) for one in (before, line)):
            return False
        taken = reflow.columns(before.text)
        full = self._width is not None and taken >= 0.85 * self._width
        if reflow.is_terminal(before.text):
            return full and self._indents and not line.gap
        near = not line.gap or self._spaced
        broken = taken > _SENTENCE or (near and (full or _OPEN.search(before.text) is not None))
        return broken and not _ITEM.match(line.text)


def _wrap_width(lines: Sequence[_Line]) -> float | None:
    """The columns at which text is wrapped: the commonest of the widths that a quarter of the lines reach."""
    widths = sorted(round(reflow.columns(line.text)) for line in lines if not line.level)
    for at in range(len(widths) - 1, 0, -1):
        near = bisect_left(widths, 0.85 * widths[at])
        if at + 1 - near >= max(2, len(widths) / 4):
            return mode(widths[near : at + 1]) if _NARROWEST <= widths[at] <= _WIDEST else None
    return None


# Date and source


def _is_meta(text: str) -> bool:
    """Whether a line tells of the document (date, source, number) and stands for itself."""
    if len(text) > 80 or text.endswith("。"):
        return False
    return bool(_DATE_LINE.match(text) or _DOCUMENT_NUMBER.match(text) or _SOURCE.match(text))


def _date(paragraphs: Sequence[_Paragraph]) -> date | None:
    for paragraph in paragraphs[:_HEAD]:
        if len(paragraph.text) > 80:
            continue
        found = _LABELLED_DATE.search(paragraph.text) or _DATE_LINE.match(paragraph.text)
        if found:
            try:
                return date(*(int(part) for part in found.groups()[:3]))
            except ValueError:
                continue
    return None


def _source(paragraphs: Sequence[_Paragraph]) -> str | None:
    """来源： as printed at the article's top or end, else the document's number (发文字号)."""
    head = [p.text for p in paragraphs[:_HEAD] if _is_meta(p.text)]
    for text in [*head, *(p.text[-60:] for p in paragraphs[-1:])]:
        found = _SOURCE.search(text)
        source = _AFTER_SOURCE.sub("", found[1]).strip() if found else ""
        if source and len(source) <= 40 and not source.endswith("。"):
            return source
    numbers = (_DOCUMENT_NUMBER.match(text) for text in head)
    return next((number[1] for number in numbers if number), None)


# Articles


def _parts(paragraphs: list[_Paragraph]) -> list[list[_Paragraph]]:
    """One part per level-1 heading; a document whose level-1 headings are numbered chapters is one part."""
    tops = [i for i, p in enumerate(paragraphs) if p.level == 1]
    chapters = sum(_rank(paragraphs[i].text) is not None for i in tops)
    if len(tops) < 2 or chapters * 2 > len(tops):
        return [paragraphs]
    bounds = sorted({0, *tops, len(paragraphs)})
    return [paragraphs[start:end] for start, end in pairwise(bounds)]


def _article(issue: Issue, ordinal: int, part: list[_Paragraph], paged: bool) -> tuple[Article, bool]:
    """One part as an article, and whether its title is printed."""
    path = PurePosixPath(issue.file)
    places = _title(part)
    title = "".join(part[i].text for i in places) or path.stem or issue.file
    body = [p for i, p in enumerate(part) if i not in places] or part
    offsets, at = [], 0
    for paragraph in body:
        offsets.append(at)
        at += len(paragraph.text) + 1
    article = Article(
        id=f"{issue.file}#{ordinal}",
        issue=issue,
        title=title,
        text="\n".join(p.text for p in body),
        source=_source(body),
        page=part[0].page if paged else None,
        sections=_sections(body, offsets),
        page_breaks=_page_breaks(body, offsets, part[0].page) if paged else (),
    )
    return article, bool(places)


def _title(part: Sequence[_Paragraph]) -> tuple[int, ...]:
    """Where the title stands in the part: its one level-1 heading, else the first short line."""
    tops = [i for i, p in enumerate(part) if p.level == 1]
    if len(tops) == 1 and _rank(part[tops[0]].text) is None:
        return (tops[0],)
    for i, paragraph in enumerate(part[:_HEAD]):
        text = paragraph.text
        if paragraph.level or _rank(text) is not None or len(text) > 60 or paragraph.ended:
            return ()
        if not _is_meta(text) and " | " not in text:
            below = part[i + 1].text if i + 1 < len(part) else ""
            is_agency = _AGENCY.search(text) and below.startswith("关于") and len(below) <= 60
            return (i, i + 1) if is_agency else (i,)
    return ()


def _page_breaks(body: Sequence[_Paragraph], offsets: Sequence[int], page: int) -> tuple[PageBreak, ...]:
    breaks = []
    for paragraph, offset in zip(body, offsets, strict=True):
        for one in (PageBreak(0, paragraph.page), *paragraph.breaks):
            if one.page > page:
                breaks.append(PageBreak(offset + one.offset, one.page))
                page = one.page
    return tuple(breaks)


# Sections

_SHORT = 99
"""Rank of an unnumbered short line: it may hold numbered headings, or stand below them."""


def _rank(text: str) -> int | None:
    """How deep the numbering of a standalone numbered line is; None for any other text."""
    if len(text) > 40 or _NOT_IN_HEADING.search(text):
        return None
    return next((10 + depth for depth, pattern in enumerate(_NUMBERED) if pattern.match(text)), None)


def _heading_rank(body: Sequence[_Paragraph], at: int, marked: bool) -> int | None:
    """The rank of the heading at `at`, None for text: what heads nothing is no heading."""
    paragraph = body[at]
    if paragraph.level:
        return paragraph.level
    if at + 1 == len(body):
        return None
    after = body[at + 1]
    rank = _rank(paragraph.text)
    if rank is not None:
        below = after.level or _rank(after.text)
        listed = at > 0 and _rank(body[at - 1].text) == rank
        return rank if not listed and (not below or below > rank) else None
    short = 2 <= len(paragraph.text) <= 30 and not _NOT_IN_SHORT.search(paragraph.text)
    if marked or not short or _is_meta(paragraph.text) or not any(c.isalpha() for c in paragraph.text):
        return None
    if not after.ended and _rank(after.text) is None:
        return None
    fresh = at == 0 or body[at - 1].ended or _heading_rank(body, at - 1, marked) is not None
    return _SHORT if fresh else None


def _sections(body: Sequence[_Paragraph], offsets: Sequence[int]) -> tuple[Section, ...]:
    """The sections, nested as their headings first appear: a province may hold 一、, or 一、 a province."""
    marked = any(p.level for p in body)
    done: list[Section] = []
    open_: list[tuple[int, Section]] = []

    def close(depth: int, end: int) -> None:
        while len(open_) > depth:
            done.append(replace(open_.pop()[1], end=end))

    for i, (paragraph, offset) in enumerate(zip(body, offsets, strict=True)):
        rank = _heading_rank(body, i, marked)
        if rank is not None:
            close(_depth([r for r, _ in open_], rank, paragraph.text), offset)
            open_.append((rank, Section(paragraph.text, offset, offset, len(open_) + 1)))
    close(0, offsets[-1] + len(body[-1].text))
    return tuple(sorted(done, key=lambda section: section.start))


def _depth(ranks: list[int], rank: int, text: str) -> int:
    """How many of the open headings stay open above a new one of `rank`."""
    if rank in ranks:
        return ranks.index(rank)
    numbers = (pattern.match(text) for pattern in _NUMBERED)
    first = rank == _SHORT or any(number[1] in ("一", "1", "１") for number in numbers if number)
    depth = len(ranks)
    while depth and (
        (ranks[depth - 1] > rank and ranks[depth - 1] != _SHORT) or (ranks[depth - 1] == _SHORT and not first)
    ):
        depth -= 1
    return depth
