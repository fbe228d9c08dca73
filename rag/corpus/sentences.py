"""Cuts Chinese text into sentences as spans, so that every sentence can be shown where it stands.

A sentence ends at 。！？ (with the quotes and brackets that close behind it) or at a line's end; a sentence
longer than `SOFT_LIMIT` is cut at its semicolons too. What only says who said it (“……。”某某表示。) belongs to the
sentence before. Nothing here changes the text.
"""

from __future__ import annotations

import re

Span = tuple[int, int]

SOFT_LIMIT = 120
"""Characters beyond which a sentence is also cut at semicolons."""

_CLOSING = "”’」』）)】》\"'"
_HARD = re.compile(rf"(?:[。！？!?]+|…{{2,}}|(?<!\d)\.{{3,}})[{_CLOSING}]*|\n+")
_SOFT = re.compile(rf"[；;][{_CLOSING}]*")

_SPOKEN = re.compile(r"[。！？!?]”\Z")
_SPEAKER = re.compile(r"[^，。“”\n]{2,40}(?:表示|说道?|介绍|指出|认为|强调|透露|坦言|建议|解释)。")


def _cut(text: str, start: int, end: int, boundary: re.Pattern[str]) -> list[Span]:
    spans, at = [], start
    for match in boundary.finditer(text, start, end):
        spans.append((at, match.end()))
        at = match.end()
    if at < end:
        spans.append((at, end))
    return spans


def _trim(text: str, span: Span) -> Span:
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """Return the (start, end) spans of the sentences in `text[start:end]`, white space at their ends left out."""
    end = len(text) if end is None else end
    spans: list[Span] = []
    for hard in _cut(text, start, end, _HARD):
        long = hard[1] - hard[0] > SOFT_LIMIT
        spans += _cut(text, *hard, _SOFT) if long else [hard]
    told: list[Span] = []
    for a, b in (_trim(text, span) for span in spans):
        if told and _SPEAKER.fullmatch(text, a, b) and _SPOKEN.search(text[told[-1][0] : a]):
            told[-1] = (told[-1][0], b)
        elif a < b:
            told.append((a, b))
    return told


def sentences(text: str) -> list[str]:
    """Return the sentences of `text`."""
    return [text[a:b] for a, b in sentence_spans(text)]
