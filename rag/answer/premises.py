"""Finds what a question takes for granted and the text states otherwise: 200所, where 100所 stand; another's place.

Rules only. What the text says nothing of is no wrong premise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from rag.answer.citing import Passage
from rag.answer.kinds import sides
from rag.answer.measures import DATES, MEASURES, measure, same_measure, with_measure
from rag.answer.numbers import Quantity, all_quantities
from rag.answer.question import asked_now, region_end
from rag.corpus.places import cities, places
from rag.corpus.words import character_pairs, fold
from rag.schema import Evidence

REACH = 16
"""Characters on either side of a number by which is told what it is of."""
SHARED = 3
"""Character pairs of what stands around both numbers that are the same, from which they are of the same thing."""
_NUMBERING = frozenset("是、")
"""What stands behind a numeral that only numbers an item: 五是."""
_GRADES = frozenset("等级")
"""Measure words of grades: 一 somewhere does not bear out 一等奖."""
_ABOUT = re.compile(r"[多余约近几上超]")
_NAME = re.compile(r"[“《]([^”》]{4,20})[”》]")
"""What a question names so that it is one thing only."""
_FIRST = re.compile(r"(?:全国|国内|我国|全球|世界)[^，。]{0,4}?(?:首[个家次批例创]|第一|头一)|(?:全国|国内)率先")
"""What there is one of only."""
ALIKE = 5
"""Character pairs of a question that the sentence of a first one holds, from which both are of the same thing."""


def wrong_premises(question: str, passages: Sequence[Passage], evidence: Sequence[Evidence] = ()) -> tuple[str, ...]:
    """Return in words for the user each number of `question` that the cited `passages` state otherwise.

    What any of the evidence states is no wrong premise, cited or not.
    """
    asked = asked_now(question)
    texts = [f"{p.context} {p.text}" for p in passages] + [e.chunk.text for e in evidence]
    stated = {_value(text, q) for text in texts for q in all_quantities(text) if measure(text, q) not in _NUMBERING}
    remarks = []
    for said in all_quantities(asked):
        if said.kind in DATES or _is_loose(asked, said) or _value(asked, said) in stated:
            continue
        near = [(_likeness(asked, said, p.text, q), q, p) for p in passages for q in all_quantities(p.text)]
        shared, quantity, passage = max(near, key=lambda one: one[0], default=(0, None, None))
        if quantity and passage and shared >= SHARED:
            remarks.append(disagrees(with_measure(asked, said), with_measure(passage.text, quantity)))
    return tuple(dict.fromkeys(remarks))


def without_place(question: str) -> tuple[str, str]:
    """Return the question without the one region or city that it names, and that place; both empty where it can't."""
    named = sides(question)
    if len(named) != 1 or not (_NAME.search(question) or _FIRST.search(question) or all_quantities(question)):
        return "", ""
    start = question.find(named[0])
    end = region_end(question, start + len(named[0]))
    return question[:start] + question[end:].lstrip("的那"), named[0]


def misplaced(question: str, place: str, passage: Passage, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """Return the other places of which the cited `passage` tells what `question` asks of `place`.

    Only where both name the same thing or state the same number of it, and no evidence has it of `place`.
    """
    said = [name for name in _NAME.findall(question) if fold(name) in fold(passage.text)]
    said += [q.text for q in all_quantities(question) if _is_stated(question, q, passage.text)]
    if _FIRST.search(question) and _FIRST.search(passage.text):
        alike = len(character_pairs(question) & character_pairs(passage.text))
        said += _FIRST.findall(question) if alike >= ALIKE else []
    others = sorted(passage.regions) if places(place) else cities(f"{passage.context} {passage.text}")
    if not said or not others or place in f"{passage.around} {' '.join(passage.regions)}":
        return ()
    if any(place in e.chunk.text and one in e.chunk.text for e in evidence for one in said):
        return ()
    return tuple(others)


def disagrees(said: str, told: str) -> str:
    """Return in words for the user that the text states otherwise what was `said`."""
    return f"问题里说的“{said}”与资料不符，引文写的是“{told}”"


def _is_stated(asked: str, said: Quantity, text: str) -> bool:
    """Whether a text states the very number that was asked with, of the same thing."""
    if said.kind in DATES:
        return False
    same = [q for q in all_quantities(text) if q.value == said.value]
    return any(_likeness(asked, said, text, q) >= SHARED for q in same)


def _value(text: str, quantity: Quantity) -> tuple[Fraction, str]:
    """What a number is compared by: its value, a grade's with its measure word."""
    behind = measure(text, quantity)
    return quantity.value, behind if behind in _GRADES else ""


def _likeness(asked: str, said: Quantity, text: str, other: Quantity) -> int:
    """How many character pairs around two numbers of like measure words are the same; 0 for other measures."""
    if said.kind != other.kind:
        return 0
    if said.kind == "plain" and not same_measure(measure(asked, said), measure(text, other)):
        return 0
    return len(_around(asked, said) & _around(text, other))


def _around(text: str, quantity: Quantity) -> frozenset[str]:
    before, behind = text[max(0, quantity.start - REACH) : quantity.start], text[quantity.end : quantity.end + REACH]
    return character_pairs(before) | character_pairs(behind)


def _is_loose(text: str, quantity: Quantity) -> bool:
    """Whether a number is not meant exactly: 三百多场, 近百家; or only names a thing, as in 一个市."""
    about = _ABOUT.search(text, max(0, quantity.start - 2), quantity.end)
    return bool(about) or (quantity.value == 1 and measure(text, quantity) in MEASURES)
