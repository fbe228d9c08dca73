"""Finds the stretch of an article that a list or a summary is about, and what of it to show where it is too long.

A question that says how many (五大高地, 六统一) is led to the stretch with as many headings or numbered items. Knows
articles and evidence; words, prompts and citations are other files' business.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.schema import Article, Chunk, Evidence, Section

HELD = 0.6
"""Share of its article's evidence that a section must hold for a summary to be of that section alone."""
NEAR = 0.35
"""Share of all the evidence that a stretch with the right number of items must hold."""

_DIGITS = "零一二三四五六七八九十"
_ASKED = re.compile(r"(?<![\d年月])([二两三四五六七八九十]|1?\d)(?![\d年月日号期%％天倍亿万千百])")
_SERIES = (
    r"[（(]?{n}[）)]?是",
    r"[（(]{n}[）)]",
    r"第{n}[，,、：:是]",
    r"(?:^|(?<=[。；;\n])){n}、",
)
_CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of an article, with the sections right below it."""

    article: Article
    start: int
    end: int
    children: tuple[Section, ...]

    @property
    def chunk(self) -> Chunk:
        """The stretch as a passage."""
        return Chunk(self.article, self.start, self.end)

    @property
    def text(self) -> str:
        """The stretch itself."""
        return self.article.text[self.start : self.end]

    def holds(self, chunk: Chunk) -> bool:
        """Whether `chunk` lies in the stretch."""
        return chunk.article.id == self.article.id and self.start <= chunk.start < self.end


def stretch_with(question: str, evidence: Sequence[Evidence], characters: int) -> Stretch | None:
    """Return the shortest stretch with just as many headings or numbered items as `question` asks for.

    It must hold `NEAR` of what was found for the question, by score: other things are numbered too. One of more than
    `characters` counts by its headings alone: its items could not be shown.
    """
    wanted = counts(question)
    total = sum(max(e.score, 0.0) for e in evidence)
    found = [s for e in evidence for s in _stretches(e.chunk)] if wanted else []
    near = [s for s in found if _held(s, evidence) >= NEAR * total]
    fitting = [s for s in near if len(s.children) in wanted or (len(s.text) <= characters and wanted & items(s))]
    return min(fitting, key=lambda s: s.end - s.start, default=None)


def stretch_of(evidence: Sequence[Evidence]) -> Stretch:
    """Return what the best passage's article is asked about: the section that holds most of the evidence, or all."""
    whole, *_ = stretches = _stretches(evidence[0].chunk)
    total = _held(whole, evidence)
    holding = [s for s in stretches if _held(s, evidence) >= HELD * total]
    return min(holding, key=lambda s: s.end - s.start)


def _held(stretch: Stretch, evidence: Sequence[Evidence]) -> float:
    """The scores of the passages that lie in the stretch."""
    return sum(max(e.score, 0.0) for e in evidence if stretch.holds(e.chunk))


def counts(question: str) -> frozenset[int]:
    """Return the numbers from 2 to 12 by which `question` may say how many things it asks for."""
    found = {_number(match.group(1)) for match in _ASKED.finditer(question)}
    return frozenset(n for n in found if 2 <= n <= 12)


def items(stretch: Stretch) -> frozenset[int]:
    """Return how many items the stretch lists: by its headings, and by each numbering that starts at one."""
    numberings = [[series.format(n=_DIGITS[n]) for n in range(1, 11)] for series in _SERIES]
    runs = (_run(marks, stretch.text) for marks in (*numberings, list(_CIRCLED)))
    return frozenset({len(stretch.children), *runs})


def _run(marks: Sequence[str], text: str) -> int:
    """How many of the `marks` (patterns) stand in the text, from the first one on."""
    return next((n for n, mark in enumerate(marks) if not re.search(mark, text, re.M)), len(marks))


def _stretches(chunk: Chunk) -> list[Stretch]:
    """The sections around a passage and its whole article, outermost first."""
    article = chunk.article
    around = [Section("", 0, len(article.text), 0)]
    around += [s for s in article.sections if s.start <= chunk.start < s.end]
    return [_stretch(article, section) for section in around]


def _stretch(article: Article, section: Section) -> Stretch:
    inside = [s for s in article.sections if section.start <= s.start < section.end and s.level > section.level]
    level = min((s.level for s in inside), default=0)
    children = tuple(s for s in inside if s.level == level)
    return Stretch(article, section.start, section.end, children)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _DIGITS.index(text.replace("两", "二"))
