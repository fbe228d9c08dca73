"""What newsletter layouts share: lines of pages, keys to compare titles, and the making of an article.

It knows no layout and finds no articles.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from rag.corpus.layouts.sections import merge_couplets, sections
from rag.corpus.reflow import Paragraph
from rag.schema import Article, Issue, PageBreak

ALIKE = 0.75
"""Similarity from which a title in the body counts as a misprint of one in the table of contents."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a table of contents says of one article."""

    title: str
    page: int | None = None
    column: str | None = None
    source: str | None = None


def page_lines(pages: Sequence[str]) -> list[tuple[str, bool]]:
    """Return every line that is not blank, and whether it is the first of a page after the first one."""
    lines: list[tuple[str, bool]] = []
    for number, page in enumerate(pages):
        starts = number > 0
        for line in page.splitlines():
            if line.strip():
                lines.append((line.rstrip(), starts))
                starts = False
    return lines


def title_key(title: str) -> str:
    """Reduce a title to what table of contents and body have in common: no spacing, width or bold marks."""
    return re.sub(r"[\s*]+", "", unicodedata.normalize("NFKC", title))


def likeness(one: str, other: str) -> float:
    """Return how alike two titles are, 0 to 1."""
    return SequenceMatcher(None, title_key(one), title_key(other), autojunk=False).ratio()


def make_article(
    issue: Issue,
    ordinal: int,
    entry: Entry,
    paragraphs: Sequence[Paragraph],
) -> Article:
    """Put an article together: its text, its page breaks as offsets, and its sections."""
    paragraphs = merge_couplets(paragraphs)
    breaks: list[PageBreak] = []
    at = 0
    for paragraph in paragraphs:
        breaks.extend(PageBreak(at + offset, page) for offset, page in paragraph.breaks)
        at += len(paragraph.text) + 1
    return Article(
        id=f"{issue.file}#{ordinal}",
        issue=issue,
        title=entry.title,
        text="\n".join(paragraph.text for paragraph in paragraphs),
        column=entry.column,
        source=entry.source,
        page=entry.page,
        sections=sections(paragraphs),
        page_breaks=tuple(b for b in breaks if b.page > (entry.page or 0)),
    )
