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
    homes = [_home(p) for p in quotes]
    if len(set(homes) - {None}) < 2:
        return quoted_whole(quotes)
    return [_beside_others(p, home, last) for p, home, last in zip(quotes, homes, [None, *homes[:-1]], strict=True)]


def _beside_others(passage: Passage, home: str | None, last: str | None) -> Aligned:
    """A quote among those of several places: where the place changes, a paragraph of its own that says which."""
    opens = home not in {None, last}
    named = opens and not places(passage.text) and not opens_item(passage.text)
    return Aligned(f"{home}：{passage.text}" if named else passage.text, (passage,), Support.FULL, (), opens=opens)


def quoted_whole(passages: Sequence[Passage]) -> list[Aligned]:
    """Return the passages as sentences of an answer, verbatim, each its own citation."""
    return [Aligned(p.text, (p,), Support.FULL, ()) for p in passages]


def _home(passage: Passage) -> str | None:
    """The one place that a passage's headings name."""
    named = set(places(passage.context))
    return named.pop() if len(named) == 1 else None
