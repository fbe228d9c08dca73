"""From passages to what the LLM is shown: the sentences that matter, in stable order, within a token budget.

Reading prompt tokens is what costs time on two cores, so evidence is cut to sentences. Its order is the
library's, whatever the question: the same evidence gives a byte-identical prompt prefix, which the server reuses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.answer.citing import Aligner, Passage
from rag.answer.dates import asked_year, relative, stretches, titled, years
from rag.answer.kinds import Kind, kind_of
from rag.answer.nearest import Nearest
from rag.answer.outline import Stretch, stretch_of, stretch_with
from rag.answer.question import SEVERALLY, Shape, asked_now, places_asked, without_premises
from rag.answer.ranking import RankedSentence, SentenceRanker
from rag.answer.selection import Selection, by_side, select, states, with_others
from rag.corpus.places import cities, places
from rag.corpus.sentences import Span
from rag.schema import Article, Chunk, Evidence

TOKENS_PER_CHARACTER = 0.6
"""Of the default LLM: 0.594 over a quarter of the seed articles, by its server's /tokenize."""


SHARE = {Kind.FACT: 0.35, Kind.LIST: 1.0, Kind.COMPARE: 0.8, Kind.SUMMARY: 1.0}
"""Share of the token budget that a kind of answer is given: a fact drowns in what stands around it."""
BESIDE = 0.8
"""Share of the best sentence's score from which a sentence is shown beside a whole section."""
WEAKEST = {Kind.FACT: 0.6, Kind.LIST: 0.0, Kind.COMPARE: 0.4, Kind.SUMMARY: 0.0}
"""Score, as a share of the best sentence's, below which a sentence is not shown."""

NEARLY = 0.75
"""Share of the best sentence's score that one of the asked year must have for the other years to be left out."""

FARTHEST = 300
"""Characters around a sentence in which the one that it refers to, or that goes on with it, is looked for."""
NEAREST = 5
"""Sentences that are quoted with a list or a summary because they are nearest in meaning."""
SEVERAL = 3
"""The same, where a number is asked of each of several things."""
FOLLOWING = 2
"""Sentences behind the best one among which the number that is asked for is looked for."""
_REFERS = re.compile(r"该[院市县省区校局药刊司台]|^(?:同年|同期|其中|此[项举])")
"""What a sentence can't be understood by alone."""
_WHO = re.compile(r"谁|哪[一几]?位|什么人|局长|主任|院长|书记|领导|负责人")
"""What a line that says who speaks may answer."""
WHOLE = 0.5
"""Share of the best passage's score from which a list is shown a passage whole."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the LLM is shown: the passages, best first, and their text in stable order."""

    kind: Kind
    passages: tuple[Passage, ...]
    text: str
    coverage: float
    """Share of the question's word weight that the best sentence and its headings hold."""
    quotes: tuple[Passage, ...] = ()
    """What answers the question verbatim, in the order of the text."""
    essential: tuple[Passage, ...] = ()
    """Those of the quotes that an answer can not do without."""
    ranked: tuple[RankedSentence, ...] = ()
    """The sentences that were chosen from, best first."""

    @property
    def shown(self) -> tuple[Passage, ...]:
        """The quotes, what is essential first: of them a small LLM copies the answer."""
        return tuple(dict.fromkeys((*self.essential, *self.quotes)))


class EvidenceReader:
    """Picks sentences from retrieved passages. `budget` is in prompt tokens."""

    def __init__(
        self, ranker: SentenceRanker, aligner: Aligner, nearest: Nearest | None = None, *, budget: int
    ) -> None:
        """Take what orders sentences, what splits passages into them, and what knows meanings."""
        self.ranker = ranker
        """What orders sentences."""
        self._aligner = aligner
        self._nearest = nearest
        self._budget = budget

    def read(
        self, question: str, evidence: Sequence[Evidence], kind: Kind | None = None, budget: int | None = None
    ) -> Reading:
        """Return the sentences that answer `question`, within the budget of its kind; a scenario sets its own."""
        kind = kind or kind_of(question)
        tokens = budget or self._budget * SHARE[kind]
        ranked = _of_the_regions(question, self.ranker.rank(question, evidence))
        year = _year_asked(question, ranked)
        ranked = _of_the_stretch(question, _of_the_year(question, year, ranked))
        ranked = [row for row in ranked if row.score >= WEAKEST[kind] * ranked[0].score]
        if kind is Kind.SUMMARY:
            ranked.sort(key=lambda row: row.passage.chunk.article.id != evidence[0].chunk.article.id)
        characters = int(tokens / TOKENS_PER_CHARACTER)
        passages = [row.passage for row in ranked]
        if ranked and kind in {Kind.LIST, Kind.SUMMARY}:
            beside = [row.passage for row in ranked if row.score >= BESIDE * ranked[0].score]
            passages = self._whole(kind, question, evidence, characters) + beside
        chosen = within(passages, characters)
        coverage = max((row.held for row in ranked), default=0.0)
        selected = select(kind, question, ranked, self._aligner.passage)
        if kind is Kind.FACT:
            selected = self._with_following(question, selected)
        quotes = selected.quotes
        if quotes and kind in {Kind.LIST, Kind.SUMMARY} and not selected.complete:
            quotes = with_others(quotes, self._stretches(question, ranked[0].passage.chunk.article))
            quotes = with_others(quotes, self._near(question, ranked, quotes))
        elif kind is Kind.COMPARE or SEVERALLY.search(asked_now(question)):
            quotes = (*quotes, *self._stating(question, ranked, quotes))
        quotes = self._with_antecedents(quotes)
        if kind is not Kind.FACT:
            quotes = with_others(quotes, ())
            quotes = quotes if _WHO.search(question) else tuple(p for p in quotes if not p.is_byline)
            quotes = _told_of(year, quotes)
        if kind is Kind.COMPARE:
            quotes = by_side(question, quotes)
        return Reading(kind, tuple(chosen), as_text(chosen), coverage, quotes, selected.essential, tuple(ranked))

    def farther(self, question: str, reading: Reading, seen: int, characters: int) -> tuple[list[Passage], ...]:
        """Return what of the evidence lies outside the first `seen` characters of the quotes, as two looks.

        The first `characters` nearest in meaning, and then the best of the others by score; either may be empty.
        """
        told = {p.key for p in within(reading.shown, seen)}
        rest = [row.passage for row in reading.ranked if row.passage.key not in told]
        near = within(self._nearest.sentences(asked_now(question), rest) if self._nearest else [], characters)
        told |= {p.key for p in near}
        best = within([p for p in rest if p.key not in told], characters)
        return near, best

    def _with_following(self, question: str, selected: Selection) -> Selection:
        """What is quoted for a fact, the best sentence up to the one that states the number or time asked for.

        Only where none of the quotes states any.
        """
        asked = asked_now(question)
        shape = Shape.of(asked)
        if (
            not selected.quotes
            or not (shape.number or shape.time)
            or any(states(asked, quote.text) for quote in selected.quotes)
        ):
            return selected
        best, *others = selected.quotes
        article, end = best.chunk.article, best.span[1]
        paragraph = article.text.find("\n", end)
        until = min(end + FARTHEST, len(article.text) if paragraph < 0 else paragraph)
        following = self._aligner.passages([Chunk(article, end, until)]) if end < until else []
        stating = next((p for p in following[:FOLLOWING] if states(asked, p.text)), None)
        if not stating:
            return selected
        chunk = Chunk(article, best.chunk.start, max(best.chunk.end, stating.span[1]))
        told = self._aligner.passage(chunk, (best.span[0], stating.span[1]))
        return Selection((told, *(p for p in others if not told.holds(p))), (told,))

    def _with_antecedents(self, quotes: Sequence[Passage]) -> tuple[Passage, ...]:
        """The quotes, each that says 该院 or 其中 with the sentence before it: what it refers to stands there."""
        found: dict[tuple[str, Span], Passage] = {}
        for quote in quotes:
            found.setdefault(quote.key, quote)
            article, start = quote.chunk.article, quote.span[0]
            if start and _REFERS.search(quote.text):
                before = self._aligner.passages([Chunk(article, max(0, start - FARTHEST), start)])[-1:]
                found |= {p.key: p for p in before if not p.is_heading and not any(q.holds(p) for q in quotes)}
        return tuple(found.values())

    def _near(self, question: str, ranked: Sequence[RankedSentence], quotes: Sequence[Passage]) -> list[Passage]:
        """The sentences of the best one's article that are nearest in meaning and not among the quotes."""
        return self._beside(question, ranked, quotes)[:NEAREST]

    def _stating(self, question: str, ranked: Sequence[RankedSentence], quotes: Sequence[Passage]) -> list[Passage]:
        """Of them those that state such a number, date or name as is asked for of several things."""
        asked = asked_now(question)
        return [p for p in self._beside(question, ranked, quotes) if states(asked, p.text)][:SEVERAL]

    def _beside(self, question: str, ranked: Sequence[RankedSentence], quotes: Sequence[Passage]) -> list[Passage]:
        """What of the best sentence's article the quotes don't hold, the nearest in meaning first."""
        own = [r.passage for r in ranked if r.passage.chunk.article.id == ranked[0].passage.chunk.article.id]
        return self._nearest.sentences(asked_now(question), _apart(own, quotes)) if self._nearest else []

    def _stretches(self, question: str, article: Article) -> list[Passage]:
        """The stretches of `article` that are nearest to what is asked: their items, or a section's sentences."""
        stretches = self._nearest.stretches(asked_now(question), article) if self._nearest else []
        passages = [passage for spans in stretches for passage in self._passages(article, spans)]
        named = set(places(question))
        return [p for p in passages if not _is_elsewhere(named, p)]

    def _passages(self, article: Article, spans: Sequence[Span]) -> list[Passage]:
        """The items that the spans are, or the sentences of the only one."""
        chunks = [Chunk(article, *span) for span in spans]
        if len(chunks) == 1:
            return self._aligner.passages(chunks)
        return [self._aligner.passage(chunk, (chunk.start, chunk.end)) for chunk in chunks]

    def _whole(self, kind: Kind, question: str, evidence: Sequence[Evidence], characters: int) -> list[Passage]:
        """What a list or a summary is made of: the stretch that it is about, whole or as its skeleton."""
        stretch = stretch_with(question, evidence, characters)
        if stretch is None and kind is Kind.SUMMARY:
            stretch = stretch_of(evidence)
        if stretch is None:
            near = [e.chunk for e in evidence if e.score >= WHOLE * evidence[0].score]
            section = self._aligner.passages([around(evidence[0].chunk, characters // 2), *near])
            return [passage for passage in section if not passage.is_heading]
        passages = self._aligner.passages([stretch.chunk])
        if len(stretch.text) <= characters:
            return passages
        return self._skeleton(question, stretch, passages, evidence)

    def _skeleton(
        self, question: str, stretch: Stretch, passages: Sequence[Passage], evidence: Sequence[Evidence]
    ) -> list[Passage]:
        """The headings of a stretch that is too long, and then its sentences in the order of their worth."""
        heads = {child.start for child in stretch.children}
        scores = {row.passage.key: row.score for row in self.ranker.rank(question, evidence, passages)}
        ordered = sorted(passages, key=lambda p: -scores.get(p.key, 0.0))
        return [p for p in passages if p.span[0] in heads] + [p for p in ordered if not p.is_heading]


def _apart(passages: Sequence[Passage], quotes: Sequence[Passage]) -> list[Passage]:
    """The passages that hold no quote and that none holds."""
    return [p for p in passages if not any(q.holds(p) or p.holds(q) for q in quotes)]


def _of_the_regions(question: str, ranked: list[RankedSentence]) -> list[RankedSentence]:
    """Leave out what stands under another region's heading than the question names, where anything else is left.

    Which region a city lies in is not known: a question that names one alone has what speaks of it, and what stands
    under no region's heading.
    """
    named = set(places_asked(question))
    if named:
        return [row for row in ranked if not _is_elsewhere(named, row.passage)] or ranked
    towns = cities(asked_now(question))
    if not any(_speaks_of(row.passage, towns) for row in ranked):
        return ranked
    return [row for row in ranked if _speaks_of(row.passage, towns) or not places(row.passage.context)]


def _speaks_of(passage: Passage, towns: Sequence[str]) -> bool:
    """Whether a sentence or its headings name one of the cities."""
    return any(town in passage.text or town in passage.context for town in towns)


def _is_elsewhere(named: set[str], passage: Passage) -> bool:
    """Whether a sentence's headings name regions but none of those that are `named`, nor does it speak of one."""
    home = set(places(passage.context))
    return bool(named and home) and named.isdisjoint(home) and named.isdisjoint(passage.regions)


def _year_asked(question: str, ranked: Sequence[RankedSentence]) -> int | None:
    """The year that a question asks about; 今年 is of the newest article, not known where the best is undated."""
    dates = [(row.passage.chunk.article.issue.date or titled(row.passage.chunk.article.title)) for row in ranked]
    newest = max(date for date in dates if date) if dates and dates[0] else None
    return asked_year(without_premises(asked_now(question)), newest)


def _of_the_year(question: str, year: int | None, ranked: list[RankedSentence]) -> list[RankedSentence]:
    """Leave out what speaks of other years than the one that is asked for, where sentences nearly as good are left.

    A sentence that names no year is of its issue's, where the question says 今年.
    """
    if year is None:
        return ranked
    by_issue = bool(relative(asked_now(question)))
    kept = [row for row in ranked if year in _years_of(row.passage, by_issue=by_issue, else_=year)]
    return kept if kept and kept[0].score >= NEARLY * ranked[0].score else ranked


def _of_the_stretch(question: str, ranked: list[RankedSentence]) -> list[RankedSentence]:
    """Put the best sentence on the same months first, where a question names one such stretch: 前11个月, 下半年."""
    asked = stretches(asked_now(question))
    if len(asked) != 1:
        return ranked
    near = (row for row in ranked if row.score >= NEARLY * ranked[0].score)
    told = next((row for row in near if asked <= stretches(row.passage.text)), None)
    return [replace(told, score=ranked[0].score), *(row for row in ranked if row is not told)] if told else ranked


def _told_of(year: int | None, quotes: Sequence[Passage]) -> tuple[Passage, ...]:
    """The quotes without those of other years, where one of the same article names the `year` that is asked for."""
    named = {p.chunk.article.id for p in quotes if year in (years(p.text, None) or ())}
    return tuple(p for p in quotes if p.chunk.article.id not in named or not (told := p.years) or year in told)


def _years_of(passage: Passage, *, by_issue: bool, else_: int) -> frozenset[int]:
    """The years that a sentence speaks of; without any, `else_`, or the year of its issue where that is asked for."""
    issued = passage.chunk.article.issue.date
    told = years(passage.text, issued)
    if told:
        return told
    return frozenset({issued.year if by_issue and issued and told is not None else else_})


def around(chunk: Chunk, characters: int) -> Chunk:
    """Return the largest section around `chunk` that fits into `characters`, else what fits from the chunk on."""
    article = chunk.article
    holding = [(s.start, s.end) for s in article.sections if s.start <= chunk.start < s.end]
    fitting = [(a, b) for a, b in ((0, len(article.text)), *holding) if b - a <= characters]
    if fitting:
        start, end = max(fitting, key=lambda span: span[1] - span[0])
        return Chunk(article, min(start, chunk.start), max(end, chunk.end))
    limit = holding[-1][1] if holding else len(article.text)
    return Chunk(article, chunk.start, max(chunk.end, min(limit, chunk.start + characters)))


def within(passages: Sequence[Passage], characters: int) -> list[Passage]:
    """Return the first sentences that fit, each once; the very first one always, cut by nobody."""
    chosen: dict[tuple[str, Span], Passage] = {}
    used = 0
    for passage in passages:
        size = len(passage.text)
        if passage.key in chosen or (chosen and used + size > characters):
            continue
        chosen[passage.key] = passage
        used += size
    return list(chosen.values())


def as_text(passages: Sequence[Passage]) -> str:
    """Return the evidence as text, in the library's order, each article and section named once."""
    blocks: list[str] = []
    head: tuple[str, ...] = ()
    end = 0
    for passage in sorted(passages, key=lambda p: p.key):
        article, text = passage.chunk.article, passage.text
        path = article.section_path(passage.span[0])
        if (article.id, *path) != head:
            date = f"（{article.issue.date.isoformat()}）" if article.issue.date else ""
            named = " > ".join(h for h in path if not text.startswith(h))
            blocks.append(f"《{article.title}》{date}{named}\n{text}")
        else:
            gap = "……" if article.text[end : passage.span[0]].strip() else ""
            blocks[-1] += gap + text
        head, end = (article.id, *path), passage.span[1]
    return "\n".join(blocks)
