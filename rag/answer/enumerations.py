"""Finds the enumerations of an article: 一是…二是…, （一）…（二）…, ①…②…, headings in a row, each with its items.

A reader who asks for five measures wants all five, in the order and the words in which they were printed. Knows
articles only; which enumeration a question is about is `selection`'s business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from rag.corpus.sentences import Span, sentence_spans
from rag.schema import Article, Section

MOST = 20
"""Items that an enumeration may have."""
ITEM = 220
"""Characters of an item that are shown at most; it ends with a sentence or clause."""
LABEL = 20
"""Characters below which an item's first sentence only names it (二是打好“侨”牌。): the next one is shown too."""

_NUMERALS = ["零", *"一二三四五六七八九十", "十一", "十二", "十三", "十四", "十五"]
_CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩"
_ORDINALS = ("首先", "其次", "再次", "最后")
_PAIRS = (("(?<!另)一方面", "另一方面"), ("(?<!另)一类是", "另一类是"), ("(?<!另)一种是", "另一种是"))
_SERIES = (
    r"(?<![十第之万]){n}(?:是|要)(?=[^否不])",
    r"[（(]{n}[）)]",
    r"第{n}(?:[，,、：:是]|(?=[\u4e00-\u9fa5]{{2,12}}[。，：]))",
    r"(?:^|(?<=[。；;：:])){n}、",
    r"(?:^|(?<=[。；;：:”])){d}[.．、](?!\d)",
    r"[（(]{d}[）)]",
)
_MARKS = (
    *([one.format(n=_NUMERALS[n], d=n) for n in range(1, len(_NUMERALS))] for one in _SERIES),
    [*_CIRCLED],
    [f"{word}[，,、]" for word in _ORDINALS],
    *map(list, _PAIRS),
)
"""The marks of each way to count, from one on."""
_STOP = re.compile(r"[。！？!?；;]")


@dataclass(frozen=True, slots=True)
class Enumeration:
    """Spans of the article: what leads in (may be empty), and each item from its mark to its first sentence's end."""

    article: Article
    lead: Span
    items: tuple[Span, ...]
    of_headings: bool = False
    """Whether the items are nothing but headings in a row, without numbers."""

    @property
    def span(self) -> Span:
        """From the lead-in's start to the last item's end."""
        return min(self.lead[0], self.items[0][0]), self.items[-1][1]


@lru_cache(maxsize=256)
def enumerations(article: Article) -> tuple[Enumeration, ...]:
    """Return the article's enumerations of two items or more, shortest first."""
    found = [_numbered(article, run) for run in _runs(article.text)]
    known = {one.items[0][0] for one in found}
    found += [_of_headings(article, group) for group in _groups(article) if group[0].start not in known]
    return tuple(sorted(found, key=lambda e: e.span[1] - e.span[0]))


def _runs(text: str) -> list[list[int]]:
    """The offsets of marks that count up from one, a list a run."""
    runs: list[list[int]] = []
    for marks in _MARKS:
        current: list[int] = []
        for at, number in sorted(_found(text, marks)):
            if number == len(current) + 1:
                current.append(at)
            elif number == 1:
                runs.append(current)
                current = [at]
        runs.append(current)
    return [run for run in runs if 2 <= len(run) <= MOST]


def _found(text: str, marks: list[str]) -> list[tuple[int, int]]:
    return [(m.start(), number) for number, mark in enumerate(marks, 1) for m in re.finditer(mark, text, re.M)]


def _numbered(article: Article, run: list[int]) -> Enumeration:
    ends = [*run[1:], len(article.text)]
    items = tuple((at, _item_end(article, at, following)) for at, following in zip(run, ends, strict=True))
    return Enumeration(article, _lead(article.text, run[0]), items)


def _item_end(article: Article, at: int, following: int) -> int:
    """The end of an item's first sentence; a heading's item takes its next sentence too."""
    text = article.text
    heading = next((s for s in article.sections if s.start == at), None)
    start = at + len(heading.heading) if heading else at
    line = text.find("\n", at)
    limit = min(following, at + ITEM, len(text) if line < 0 or heading else line)
    stop = _STOP.search(text, start + 4, limit)
    if stop and stop.end() - start < LABEL:
        stop = _STOP.search(text, stop.end(), limit) or stop
    end = stop.end() if stop else limit
    return at + len(text[at:end].rstrip())


def _lead(text: str, first: int) -> Span:
    """The sentence that leads in to the first item: what stands before it in its sentence, else the one before."""
    before = sentence_spans(text, max(0, first - 400), first)
    return before[-1] if before else (first, first)


def _groups(article: Article) -> list[list[Section]]:
    """The sections in a row that lie side by side in the same section."""
    groups: dict[tuple[int, int], list[Section]] = {}
    for section in article.sections:
        parents = [s.start for s in article.sections if s.level < section.level and s.start <= section.start < s.end]
        groups.setdefault((max(parents, default=-1), section.level), []).append(section)
    return [group for group in groups.values() if 2 <= len(group) <= MOST]


def _of_headings(article: Article, group: list[Section]) -> Enumeration:
    items = tuple((section.start, section.start + len(section.heading)) for section in group)
    return Enumeration(article, _lead(article.text, group[0].start), items, of_headings=True)
