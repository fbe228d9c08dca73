"""Cuts an article into chunks of whole sentences that never cross an outer section heading.

Chunks do not overlap; together they cover the article's text but for white space.
"""

from __future__ import annotations

from itertools import pairwise

from rag.corpus.sentences import Span, sentence_spans
from rag.schema import Article, Chunk

TARGET = 260
"""Characters at which a chunk is closed at the next sentence's end."""
LIMIT = 380
"""Characters that a chunk does not exceed, but for a single sentence that is longer."""
SMALL = 100
"""Characters below which an inner section or paragraph is kept together with the next one."""


def chunk(article: Article) -> tuple[Chunk, ...]:
    """Return the chunks of `article` in text order."""
    outer = {s.start for s in article.sections if s.level == 1}
    inner = {s.start for s in article.sections if s.level > 1}
    spans: list[Span] = []
    for start, end in _sentences(article):
        if spans and not _closes(article, spans[-1], (start, end), outer, inner):
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return tuple(Chunk(article, a, b) for a, b in spans)


def _sentences(article: Article) -> list[Span]:
    """Sentence spans, cut also where a section starts inside one."""
    starts = sorted(s.start for s in article.sections)
    spans: list[Span] = []
    for start, end in sentence_spans(article.text):
        cuts = [start, *(s for s in starts if start < s < end), end]
        spans += [(a, b) for a, b in pairwise(cuts) if article.text[a:b].strip()]
    return spans


def _closes(article: Article, current: Span, following: Span, outer: set[int], inner: set[int]) -> bool:
    """Whether the chunk `current` ends before the sentence `following`."""
    size = current[1] - current[0]
    if following[0] in outer:
        return True
    if following[1] - current[0] > LIMIT:
        return not _is_heading(article, current)
    paragraph = "\n" in article.text[current[1] : following[0]]
    if size >= SMALL and following[0] in inner:
        return True
    return size >= TARGET or (paragraph and size >= TARGET * 0.7)


def _is_heading(article: Article, span: Span) -> bool:
    """Whether the span is nothing but a section's heading, which belongs to what follows."""
    return any(s.start == span[0] and s.start + len(s.heading) >= span[1] for s in article.sections)
