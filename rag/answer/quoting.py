"""Answers without an LLM: what was selected for the question, verbatim, each sentence its own citation.

A sentence that stands under the heading of a place, or in an article that is titled by its hospital, and does not
name it is quoted with it before where quotes of several stand together or where the hospital is asked for: nobody
could tell otherwise of whom it speaks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.answer.citing import Aligned, Passage, opens_item
from rag.answer.question import asked_now
from rag.answer.reading import Reading
from rag.answer.selection import asks_where
from rag.corpus.places import cities, places
from rag.schema import Support

LLM_FAILED = "大模型没有作答"
"""How the reason of an answer begins that is quoted because the LLM failed."""


_ASKS_WHOSE = re.compile(r"哪(?:一|几|些)?[家个所](?:的)?(?:医院|中心|单位|机构)|谁家")
_TITLED = re.compile(r"^(?P<own>[\u4e00-\u9fa5]{2,16}(?:医院|中心|大学|学院))[：:]")
"""A title that says first of whom the article speaks."""


def quote(reading: Reading, question: str = "", *, essential: bool = False) -> list[Aligned]:
    """Return the sentences that the reading selected, in the order of the text, or only the essential ones."""
    quotes = reading.essential if essential else reading.quotes
    if asks_where(question):
        return [_of_its_place(p) for p in quotes]
    homes = [_home(p) for p in quotes]
    if len(set(homes) - {None}) < 2 and not _ASKS_WHOSE.search(asked_now(question)):
        return quoted_whole(quotes)
    return [_beside_others(p, home, last) for p, home, last in zip(quotes, homes, [None, *homes[:-1]], strict=True)]


def _of_its_place(passage: Passage) -> Aligned:
    """A quote that tells of a place where something is: a paragraph of its own that says which."""
    told = places(passage.text) or cities(passage.text)
    text = passage.text if told or not passage.regions else f"{'、'.join(sorted(passage.regions))}：{passage.text}"
    return Aligned(text, (passage,), Support.FULL, (), opens=True)


def _beside_others(passage: Passage, home: str | None, last: str | None) -> Aligned:
    """A quote among those of several places: where the place changes, a paragraph of its own that says which."""
    opens = home not in {None, last}
    told = places(passage.text) if home and home in places(home) else home and home[-4:] in passage.text
    named = opens and not told and not opens_item(passage.text)
    return Aligned(f"{home}：{passage.text}" if named else passage.text, (passage,), Support.FULL, (), opens=opens)


def quoted_whole(passages: Sequence[Passage]) -> list[Aligned]:
    """Return the passages as sentences of an answer, verbatim, each its own citation."""
    return [Aligned(p.text, (p,), Support.FULL, ()) for p in passages]


def _home(passage: Passage) -> str | None:
    """The one place that a passage's headings name, else whom its title names."""
    named = set(places(passage.context))
    titled = _TITLED.match(passage.chunk.article.title)
    return named.pop() if len(named) == 1 else titled and titled.group("own")
