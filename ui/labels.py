"""The Chinese words that terminal and page share: verdicts, support, modes, and where a quote stands.

Plain text only; the page escapes it, the terminal prints it.
"""

from __future__ import annotations

from rag.answer.question import normalise
from rag.errors import UsageError
from rag.export import MODES, VERDICTS
from rag.schema import Article, Citation, Support

__all__ = ["MODES", "STRENGTHS", "SUPPORTS", "VERDICTS", "citation_place", "place", "searched_for", "strength"]

SUPPORTS = {Support.FULL: "", Support.PARTIAL: "依据不全", Support.NONE: "无依据"}

STRENGTHS = ((0.85, "强"), (0.6, "中"), (0.0, "弱"))
"""Least score, as a share of the best passage of the same search, and what such a passage is called."""


def strength(score: float, best: float) -> str:
    """How strong a passage is beside the best one of its search: 强, 中 or 弱."""
    share = score / best if best > 0 else 0.0
    return next((name for least, name in STRENGTHS if share >= least), "弱")


def searched_for(question: str, standalone: str) -> str:
    """What was searched for in the place of what was asked, in words; "" where it is the same."""
    return "" if _same(question) == _same(standalone) else f"按“{standalone}”检索"


def _same(question: str) -> str:
    try:
        return normalise(question, len(question) + 1)
    except UsageError:  # nothing is asked
        return question


def place(article: Article, page: int | None, section: str) -> str:
    """Issue · column · source · page · section, as far as they are printed."""
    printed = f"第{page}页" if page is not None else None
    parts = (article.issue.label, article.column, article.source, printed, section)
    return " · ".join(part for part in parts if part)


def citation_place(citation: Citation) -> str:
    """Where a quote stands."""
    return place(citation.article, citation.page, citation.section)
