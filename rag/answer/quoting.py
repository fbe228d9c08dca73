"""Answers without an LLM: what was selected for the question, verbatim, each sentence its own citation.

A sentence that stands under the heading of a place and does not name it is quoted with the place before it where
quotes of several places stand together: nobody could tell them apart otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.answer.citing import Aligned, Passage, opens_item
from rag.answer.reading import Reading
from rag.corpus.places import places
from rag.schema import Support

LLM_FAILED = "大模型没有作答"
"""How the reason of an answer begins that is quoted because the LLM failed."""


def quote(reading: Reading, *, essential: bool = False) -> list[Aligned]:
    """Return the sentences that the reading selected, in the order of the text, or only the essential ones."""
    quotes = reading.essential if essential else reading.quotes
    texts = [f"{place}：{p.text}" if place else p.text for p, place in zip(quotes, _to_be_named(quotes), strict=True)]
    return [Aligned(text, (p,), Support.FULL, ()) for text, p in zip(texts, quotes, strict=True)]


def quoted_whole(passages: Sequence[Passage]) -> list[Aligned]:
    """Return the passages as sentences of an answer, verbatim, each its own citation."""
    return [Aligned(p.text, (p,), Support.FULL, ()) for p in passages]


def _to_be_named(quotes: Sequence[Passage]) -> list[str | None]:
    """For each quote the place that must be said before it: where it changes and the quote itself names none."""
    homes = [_home(p) for p in quotes]
    if len(set(homes) - {None}) < 2:
        return [None] * len(quotes)
    before = [None, *homes[:-1]]
    return [
        home if home != last and not places(p.text) and not opens_item(p.text) else None
        for p, home, last in zip(quotes, homes, before, strict=True)
    ]


def _home(passage: Passage) -> str | None:
    """The one place that a passage's headings name."""
    named = set(places(passage.context))
    return named.pop() if len(named) == 1 else None
