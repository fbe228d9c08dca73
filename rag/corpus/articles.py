"""Pages of text to one issue and its articles: the first newsletter layout that fits, else the general one.

It reads no files (`rag.corpus.readers` does) and cuts no passages (`rag.index` does).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag.corpus import general
from rag.corpus.layouts import LAYOUTS, Layout
from rag.corpus.parsed import ParsedIssue

__all__ = ["ParsedIssue", "parse"]


def parse(file: str, pages: Sequence[str], layouts: Sequence[Layout] = LAYOUTS) -> ParsedIssue:
    """Parse a document into its issue and articles; a layout that fails on it gives way to the general one.

    Args:
        file: The name of the file relative to the library: article ids start with it, less its suffix.
        pages: The text of each page; a document without pages is one.
        layouts: The layouts to try, in order.
    """
    failed: list[str] = []
    for layout in layouts:
        try:
            if not layout.fits(pages):
                continue
            parsed = layout.parse(file, pages)
        except Exception as failure:  # noqa: BLE001  an odd document must cost its layout, never the library
            failed.append(f"按“{layout.name}”版式解析失败（{failure!r}），已改用通用版式")
            continue
        if parsed.articles:
            return replace(parsed, oddities=(*parsed.oddities, *_empty(parsed)))
        failed.append(f"按“{layout.name}”版式没有找到文章，已改用通用版式")
    parsed = general.parse(file, pages)
    return replace(parsed, oddities=(*failed, *parsed.oddities))


def _empty(parsed: ParsedIssue) -> list[str]:
    return [f"《{article.title}》没有正文" for article in parsed.articles if not article.text]
