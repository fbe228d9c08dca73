"""What parsing one file gives: its issue, its articles, and what the parse report says of it.

No parsing happens here; the type stands apart so that the layouts and the table of layouts can share it.
"""

from __future__ import annotations

from dataclasses import dataclass

from rag.schema import Article, Issue


@dataclass(frozen=True, slots=True)
class ParsedIssue:
    """One parsed file, articles in document order.

    Attributes:
        issue: The newsletter issue, or the document, that the file holds.
        articles: Its articles; none where the file holds no text.
        layout: The name of the layout that read it.
        expected: How many articles the file's table of contents lists; None where it has none.
        oddities: One Chinese line for each thing missing or unusual, for the parse report.
    """

    issue: Issue
    articles: tuple[Article, ...]
    layout: str
    expected: int | None = None
    oddities: tuple[str, ...] = ()
