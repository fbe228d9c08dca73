"""The frozen values that travel between rooms: issues, articles, chunks, evidence, citations, answers.

Offsets are Python string offsets (code points) into `Article.text`; `start` is inclusive, `end` exclusive.
This file holds no behaviour beyond what is derived from the values themselves: no I/O, no parsing.
"""

from __future__ import annotations

import bisect
import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum

from rag.errors import QuoteError


@dataclass(frozen=True, slots=True)
class Issue:
    """One newsletter issue, or any other document; what is not printed is None, never guessed."""

    file: str
    name: str | None = None
    number: int | None = None
    total: int | None = None
    date: dt.date | None = None
    publisher: str | None = None

    @property
    def label(self) -> str:
        """The issue as a person cites it: 卫生健康信息动态2025年第4期（总第341期）."""
        label = self.name or self.file
        if self.number is not None:
            year = f"{self.date.year}年" if self.date else ""
            label += f"{year}第{self.number}期"
        if self.total is not None:
            label += f"（总第{self.total}期）"
        return label


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of an article under one heading; `level` 1 is the outermost."""

    heading: str
    start: int
    end: int
    level: int = 1


@dataclass(frozen=True, slots=True)
class PageBreak:
    """From `offset` on, the text stands on printed page `page`."""

    offset: int
    page: int


@dataclass(frozen=True, slots=True)
class Article:
    """One article: where it was printed, and its reflowed text (a paragraph a line)."""

    id: str
    issue: Issue
    title: str
    text: str
    column: str | None = None
    source: str | None = None
    page: int | None = None
    sections: tuple[Section, ...] = ()
    page_breaks: tuple[PageBreak, ...] = ()

    def page_at(self, offset: int) -> int | None:
        """The printed page of `offset`, as far as page breaks show; the start page before any break."""
        at = bisect.bisect_right([b.offset for b in self.page_breaks], offset)
        return self.page_breaks[at - 1].page if at else self.page

    def section_path(self, offset: int) -> tuple[str, ...]:
        """The headings above `offset`, outermost first."""
        return tuple(s.heading for s in self.sections if s.start <= offset < s.end)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of an article, kept as offsets so that it can always be shown in place."""

    article: Article
    start: int
    end: int

    @property
    def id(self) -> str:
        """Stable within an index version: article id and offsets."""
        return f"{self.article.id}:{self.start}-{self.end}"

    @property
    def text(self) -> str:
        """The passage itself."""
        return self.article.text[self.start : self.end]

    @property
    def section_path(self) -> tuple[str, ...]:
        """The headings above the first character of the passage."""
        return self.article.section_path(self.start)

    @property
    def section(self) -> str:
        """The section path as one line, empty where the article has no headings."""
        return " > ".join(self.section_path)

    @property
    def page(self) -> int | None:
        """The printed page on which the passage starts."""
        return self.article.page_at(self.start)

    @property
    def context(self) -> str:
        """Title and section path: what a passage loses when it is cut out of its article."""
        return "\n".join((self.article.title, *self.section_path))


@dataclass(frozen=True, slots=True)
class Evidence:
    """A retrieved passage. `score` orders within one search; `found_by` names the legs that found it."""

    chunk: Chunk
    score: float
    found_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """A numbered, verbatim quote. Raises `QuoteError` where the quote is not what stands at its offsets."""

    number: int
    chunk: Chunk
    start: int
    end: int
    quote: str

    def __post_init__(self) -> None:
        """Refuse a quote that the article does not hold at `start:end`."""
        if not self.quote or self.article.text[self.start : self.end] != self.quote:
            raise QuoteError(self.article.title, self.quote)

    @property
    def article(self) -> Article:
        """The cited article."""
        return self.chunk.article

    @property
    def page(self) -> int | None:
        """The printed page on which the quote starts."""
        return self.article.page_at(self.start)

    @property
    def section(self) -> str:
        """The section path of the quote as one line."""
        return " > ".join(self.article.section_path(self.start))


class Verdict(StrEnum):
    """How an answer stands to the question."""

    ANSWERED = "answered"
    PARTIAL = "partial"
    REFUSED = "refused"


class Support(StrEnum):
    """How far the cited text carries a sentence."""

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


class Mode(StrEnum):
    """Who wrote the answer: an LLM, or quotes of the library put together."""

    LLM = "llm"
    EXTRACTIVE = "extractive"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer with the numbers of the citations that carry it."""

    text: str
    citations: tuple[int, ...]
    support: Support


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds on the wall clock, each from the start of the question."""

    retrieve_s: float = 0.0
    first_token_s: float = 0.0
    total_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier exchange of a conversation."""

    user: str
    assistant: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message to an LLM; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. A refused one has no citations, and its evidence is 相近内容."""

    question: str
    standalone: str
    text: str
    verdict: Verdict
    reason: str | None = None
    citations: tuple[Citation, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    sentences: tuple[Sentence, ...] = ()
    unmatched_numbers: tuple[str, ...] = ()
    mode: Mode = Mode.LLM
    model: str = ""
    index_version: str = ""
    timings: Timings = field(default_factory=Timings)
