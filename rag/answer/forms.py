"""The forms of an answer beside running text: a table with a row a place, and a timeline. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice

from rag.answer.citing import Aligned, marked, number
from rag.answer.kinds import asks_for_several
from rag.answer.question import COMPARED
from rag.corpus.places import cities, place_spans
from rag.schema import Citation, Sentence

Numbered = tuple[str, tuple[Sentence, ...], tuple[Citation, ...]]
"""What `citing.number` returns: an answer's text with its marks, its sentences, its citations."""

NOT_HELD = "库内未见"
FEW = 4
"""Places of which something is asked one by one at most."""

_REGION_END = re.compile(r"省|市|(?:壮族|回族|维吾尔)?自治区|特别行政区")
_JOIN = re.compile(r"[、，,和与跟同及]|以及|还有|")
_THAT_ONE = "[^，。；：？“”、和跟与]{2,14}那篇(?:文章)?"
_ARTICLES = re.compile(rf"(?P<one>{_THAT_ONE})(?:[和跟与、]|以及)(?P<other>{_THAT_ONE})")
"""Two articles side by side: 讲药价那篇和讲商保那篇."""
_DATE = re.compile(r"((?:19|20)\d{2})\s*年(?:\s*(\d{1,2})\s*月(?:\s*(\d{1,2})\s*[日号])?)?")
_UNDATED = (9999, 0, 0)


def table(rows: Mapping[str, Sequence[Aligned]]) -> Numbered:
    """Return a Markdown table of places and what stands for each; a place without anything says so, uncited."""
    _, said, citations = number([item for cell in rows.values() for item in cell])
    left = iter(said)
    lines = ["| 地区 | 要点 |", "| --- | --- |"]
    for place, cell in rows.items():
        told = "".join(marked(one.text, one.citations) for one in islice(left, len(cell)))
        lines.append(f"| {place} | {_escaped(told) or NOT_HELD} |")
    return "\n".join(lines), said, citations


def _escaped(text: str) -> str:
    """The text as it may stand in a cell: on one line, its own bars no borders."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())


def timeline(aligned: Sequence[Aligned]) -> Numbered:
    """Return the sentences as lines, oldest first by the first date that each states, those without one last."""
    _, said, citations = number(sorted(aligned, key=lambda item: _date(item.text)))
    return "\n".join(marked(one.text, one.citations) for one in said), said, citations


def _date(text: str) -> tuple[int, int, int]:
    match = _DATE.search(text)
    if not match:
        return _UNDATED
    year, month, day = (int(part or 0) for part in match.groups())
    return year, month, day


def asked_of(place: str, question: str) -> str:
    """Return `question` asked of one of the places that it names: the others are taken out with what joins them."""
    asked = question
    for names in reversed(_lists(question)):
        kept = next((question[start:end] for start, end, name in names if name == place), "")
        asked = asked[: names[0][0]] + kept + asked[names[-1][1] :]
    return asked


def of_each(question: str) -> tuple[str, ...]:
    """Return a question for several things, asked of each of the places that it joins: 四川和云南各抓哪几件事."""
    joined = _lists(question)
    if len(joined) != 1 or not 2 <= len(joined[0]) <= FEW or not asks_for_several(question):
        return (question,)
    return tuple(asked_of(place, question.removesuffix(COMPARED)) for _, _, place in joined[0])


def of_each_article(question: str) -> tuple[str, ...]:
    """Return a question on two articles that it joins, asked of each: 讲药价那篇和讲商保那篇各怎么看."""
    both = _ARTICLES.search(question)
    if not both:
        return (question,)
    return tuple(question[: both.start()] + both.group(one) + question[both.end() :] for one in ("one", "other"))


def _lists(question: str) -> list[list[tuple[int, int, str]]]:
    """The lists of places in a question, each place with where it is written; one alone is a list too."""
    found: list[list[tuple[int, int, str]]] = []
    for start, behind, name in place_spans(question):
        place = (start, _written_to(question, behind), name)
        if found and _JOIN.fullmatch(question, found[-1][-1][1], start):
            found[-1].append(place)
        else:
            found.append([place])
    return found


def _written_to(question: str, end: int) -> int:
    """The end of a place as it is written: with 省 or 自治区, and with its city (福建省厦门市)."""
    city = next((name for name in cities(question) if question.startswith(name, _past(end, question))), "")
    return _past(_past(end, question) + len(city), question)


def _past(end: int, question: str) -> int:
    """The end of a name with its 省, 市 or 自治区."""
    suffix = _REGION_END.match(question, end)
    return suffix.end() if suffix else end
