"""What a reader is told beside an answer that stands, in words for the user: nothing here changes the answer.

A premise that the text does not bear out, which year 今年 is, and whether the same figure stands elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.answer.citing import Aligned, Passage
from rag.answer.dates import meant, relative
from rag.answer.premises import wrong_premises
from rag.answer.recurring import Figure, told_apart
from rag.schema import Evidence


def remarks(
    question: str, standing: Sequence[Aligned], evidence: Sequence[Evidence], figures: Sequence[Figure]
) -> tuple[str, ...]:
    """Return the remarks on the answer to one question; `figures` are those that recur."""
    passages = [p for item in standing for p in item.passages]
    recurs = (told_apart(figures),) if figures else ()
    return (*wrong_premises(question, passages, evidence), *recurs, *_years_meant(standing))


def _years_meant(standing: Sequence[Aligned]) -> tuple[str, ...]:
    """Which years the relative ones of an answer are, where the issue tells its date."""
    pairs = [(item.text, p) for item in standing for p in item.passages]
    return tuple(dict.fromkeys(one for text, p in pairs for one in _meant(text, p)))


def _meant(text: str, passage: Passage) -> tuple[str, ...]:
    issued = passage.chunk.article.issue.date
    if issued is None:
        return ()
    return tuple(f"“{word}”指{meant(word, issued)}（{issued.isoformat()}刊）" for word in relative(text))
