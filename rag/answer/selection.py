"""Chooses what is quoted for a question: the sentences that answer it together, verbatim and each once.

A fact gets the best sentences that add something, a comparison some of each side, a list the enumeration that it asks
for, a summary what its article or section is made of. Scores are the ranker's; nothing here searches or writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag.answer.citing import Passage, is_whole
from rag.answer.enumerations import Enumeration, enumerations
from rag.answer.expected import unstated
from rag.answer.kinds import Kind, asks_for_several, sides
from rag.answer.measures import COUNT, fitting
from rag.answer.outline import counts
from rag.answer.question import NATIONAL, asked_now
from rag.answer.ranking import RankedSentence
from rag.corpus.places import places
from rag.corpus.sentences import Span
from rag.schema import Article, Chunk

MOST = {Kind.FACT: 4, Kind.COMPARE: 7, Kind.LIST: 5, Kind.SUMMARY: 7}
"""Sentences that are quoted for a kind of answer at most; an enumeration is quoted whole."""
WEAKEST = {Kind.FACT: 0.6, Kind.COMPARE: 0.55, Kind.LIST: 0.6, Kind.SUMMARY: 0.45}
"""Score, as a share of the best sentence's, below which a sentence is not quoted."""
OTHER = 0.75
"""The same, of a sentence from another article than the best one's."""
NEW = 0.25
"""What a sentence that holds all the asked words that are still missing is worth beside its score's share."""
SIDE = 2
"""Sentences of each side of a comparison."""
LED = 0.8
"""Share of the best sentence's score that an enumeration's lead-in or one of its items must have."""
HELD = 0.5
"""What it is worth that an enumeration holds all the asked words that its article holds."""
COUNTED = 0.4
"""What it is worth, beside a score's share, that an enumeration has as many items as are asked for."""
BESIDE, CLOSE = 2, 0.8
"""Sentences that are quoted beside an enumeration at most, and the share of the best one's score that they have."""
BEFORE, AFTER = 2, 5
"""Neighbours of the best sentence that may be quoted with it where several things are asked for."""
HEADINGS, FEW = 10, 4
"""Headings of a summary's skeleton at most, and those of them by whose best sentences it is chosen."""
TOLD, HALF = 0.5, 0.5
"""What evidence under all headings is worth; share of the best score that the sentences under them must have."""
EACH = 0.6
"""Share of the best sentence's score from which the best one of another region is quoted, where regions are asked."""
NAMED = 0.4
"""Share of the most asked words that one region's best sentence holds, above which another's must be, by weight."""
PLACES = 12
"""Regions that are told where regions are asked for at most."""
RUN = 0.3
"""Share of the best sentence's score that neighbours must have, on the average, to be worth quoting."""
STATING = 0.5
"""Share of the best score that a sentence must have to be quoted for the number that is asked for."""
_NATION = re.compile(r"全国|我国|中国")
"""What one region is compared with where no other is named."""
_NATIONAL_SIDE = re.compile(r"全国(?:(?:平均|水平)?(?=[是有和与跟呢、，]|多少)|[^，。？?]{0,12}共(?:有)?(?:多少|几))")
"""The same, where several are named."""
_WHERE = re.compile(
    r"(?<!卡在)(?:哪(?:些|[两二三四五几]个)|(?:都有?|都是|[还另]有)哪个)(?:省|地方|地区|城市|市)|[还都另]有哪[儿里]"
)
"""What asks in which places something is."""
_LISTED = re.compile(r"[，。；：:;！？()（）]")

MakePassage = Callable[[Chunk, Span], Passage]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is quoted, in the order of the text, a fact's best sentence first; and what an answer can't do without."""

    quotes: tuple[Passage, ...] = ()
    essential: tuple[Passage, ...] = ()
    complete: bool = False
    """Whether it is an enumeration of as many items as are asked for."""


def select(kind: Kind, question: str, ranked: Sequence[RankedSentence], passage: MakePassage) -> Selection:
    """Return what is quoted of the sentences `ranked`, best first; `passage` makes one of a span of an article."""
    if not ranked:
        return Selection()
    if asks_where(question) and (everywhere := of_each_region(ranked)):
        quotes = _ordered([*everywhere, *together(ranked, BESIDE, CLOSE)])
        return Selection(quotes, quotes, complete=True)
    selected = _selected(kind, question, ranked, passage)
    if kind is not Kind.SUMMARY:
        return selected
    chunks = [row.passage.chunk for row in ranked]
    heads = [passage(_chunk_of(article, span, chunks), span) for article, span in _skeleton(ranked)]
    return _joined(selected.quotes, heads)


def _joined(quotes: Sequence[Passage], more: Sequence[Passage]) -> Selection:
    """The quotes and, of `more`, what none of them holds; all of it is essential."""
    ordered = with_others(quotes, more)
    return Selection(ordered, ordered)


def with_others(quotes: Sequence[Passage], more: Sequence[Passage]) -> tuple[Passage, ...]:
    """Return the quotes and, of `more`, what adds to them, in the order of the text; the longer holds the shorter."""
    new = [p for p in more if _adds(p, [quote for quote in quotes if _overlaps(p, quote)])]
    old = [quote for quote in quotes if not any(p.holds(quote) for p in new)]
    return tuple(sorted({p.key: p for p in (*old, *new)}.values(), key=lambda p: p.key))


def _adds(passage: Passage, told: Sequence[Passage]) -> bool:
    """Whether a passage holds what overlaps with it, and more than that."""
    return all(passage.holds(one) for one in told) and len(passage.text) > sum(len(one.text) for one in told)


def _skeleton(ranked: Sequence[RankedSentence]) -> list[tuple[Article, Span]]:
    """Of the best sentence's article, the headings side by side under which most of the good sentences stand."""
    best, article = ranked[0].score or 1.0, ranked[0].passage.chunk.article
    rows = [row for row in ranked if row.passage.chunk.article.id == article.id]
    found: list[tuple[float, float, Enumeration]] = []
    for one in enumerations(article):
        sections = [s for s in article.sections if any(s.start == start for start, _ in one.items)]
        if len(sections) == len(one.items) <= HEADINGS:
            tops = [
                max((r.score for r in rows if s.start <= r.passage.span[0] < s.end), default=0.0) for s in sections
            ]
            counted = sorted(tops)[-FEW:]
            worth = sum(counted) / len(counted) / best
            found.append((worth + TOLD * sum(top > 0 for top in tops) / len(tops), worth, one))
    _, worth, chosen = max(found, key=lambda each: each[0], default=(0.0, 0.0, None))
    return [(article, span) for span in chosen.items] if chosen and worth >= HALF else []


def _selected(kind: Kind, question: str, ranked: Sequence[RankedSentence], passage: MakePassage) -> Selection:
    """What is quoted by the sentences' scores: an enumeration, each side, or the best sentences together."""
    whole = enumeration_for(question, ranked) if kind is not Kind.COMPARE else None
    if whole and (kind is not Kind.FACT or (len(whole.items) > 2 and len(whole.items) in counts(question))):
        chunks = [row.passage.chunk for row in ranked if row.passage.chunk.article.id == whole.article.id]
        spans = [span for span in (whole.lead, *whole.items) if span[0] < span[1]]
        items = tuple(passage(_chunk_of(whole.article, span, chunks), span) for span in spans)
        told = _joined(items, [row.passage for row in together(ranked, BESIDE, CLOSE)])
        return replace(told, complete=len(whole.items) in counts(question))
    ranked = [ranked[0], *(row for row in ranked[1:] if is_whole(row.passage.text))]
    compared = _sides(question, ranked) if kind is Kind.COMPARE else []
    if len(compared) > 1:
        if asks_for_several(question):
            lists = [_selected(Kind.LIST, question, side, passage) for side in compared]
            return _joined([p for one in lists for p in one.quotes], ())
        chosen = [row for side in compared for row in _of_side(question, side)]
        return Selection(_ordered(chosen), _ordered([side[0] for side in compared]))
    chosen = together(ranked, MOST[kind], WEAKEST[kind])
    if kind in {Kind.LIST, Kind.SUMMARY}:
        ordered = _ordered(_with_neighbours(chosen, ranked))
        return Selection(ordered, ordered)
    if kind is Kind.FACT:
        chosen += _stating(question, ranked, chosen)
    best, ordered = ranked[0].passage, _ordered(chosen)
    if kind is not Kind.FACT:
        return Selection(ordered, (best,))
    asked = asked_now(question)
    stating = [] if states(asked, best.text) else [row.passage for row in chosen if states(asked, row.passage.text)]
    essential = (best, *stating[:1])
    return Selection((*essential, *(p for p in ordered if p not in essential)), essential)


def _of_side(question: str, side: Sequence[RankedSentence]) -> list[RankedSentence]:
    """The best sentences of one side of a comparison, with a number where one is asked for."""
    chosen = together(side, SIDE, WEAKEST[Kind.COMPARE])
    return chosen + _stating(question, side, chosen)


def _stating(
    question: str, ranked: Sequence[RankedSentence], chosen: Sequence[RankedSentence]
) -> list[RankedSentence]:
    """The best sentence with such a number, date or name as is asked for, where none of the chosen states one."""
    asked = asked_now(question)
    if any(states(asked, row.passage.text) for row in chosen):
        return []
    near = [row for row in ranked if row.score >= STATING * ranked[0].score]
    return [row for row in near if states(asked, row.passage.text)][:1]


def states(asked: str, text: str) -> bool:
    """Whether a text states such a number, date or name as a question asks for; all do where it asks for none."""
    count = COUNT.search(asked)
    return (not count or bool(fitting(count, text))) and not unstated(asked, [text])


def _ordered(rows: Sequence[RankedSentence]) -> tuple[Passage, ...]:
    """The sentences in the order of the text, each once."""
    return tuple(sorted({row.passage.key: row.passage for row in rows}.values(), key=lambda p: p.key))


def together(ranked: Sequence[RankedSentence], most: int, weakest: float) -> list[RankedSentence]:
    """The best sentences that together hold most of what is asked, greedily (maximal marginal relevance)."""
    best = ranked[0].score or 1.0
    asked = frozenset().union(*(row.terms for row in ranked))
    own = ranked[0].passage.chunk.article.id
    rest = [row for row in ranked if row.score >= weakest * best]
    rest = [row for row in rest if row.passage.chunk.article.id == own or row.score >= OTHER * best]
    chosen: list[RankedSentence] = []
    while rest and len(chosen) < most:
        told = frozenset().union(*(row.terms for row in chosen))
        missing = asked - told

        def worth(row: RankedSentence, missing: frozenset[str] = missing) -> float:
            return row.score / best + NEW * (len(row.terms & missing) / len(missing) if missing else 0.0)

        following = max(rest, key=worth)
        chosen.append(following)
        rest = [row for row in rest if row is not following]
    return chosen


def _with_neighbours(chosen: Sequence[RankedSentence], ranked: Sequence[RankedSentence]) -> list[RankedSentence]:
    """The chosen sentences and, of their section, the run around the best one that is worth the most."""
    best = ranked[0].score or 1.0
    top = chosen[0].passage
    section = _section(top)
    near = sorted((row for row in ranked if _section(row.passage) == section), key=lambda row: row.passage.span)
    at = next(n for n, row in enumerate(near) if row.passage.key == top.key)
    worth = [row.score / best - RUN for row in near]
    first = max(range(max(0, at - BEFORE), at + 1), key=lambda n: sum(worth[n : at + 1]))
    last = max(range(at, min(len(near), at + AFTER + 1)), key=lambda n: sum(worth[at : n + 1]))
    return [*chosen, *near[first : last + 1]]


def _section(passage: Passage) -> tuple[str, ...]:
    """The article and the section that a passage stands in."""
    article = passage.chunk.article
    return article.id, *article.section_path(passage.span[0])


def _overlaps(one: Passage, other: Passage) -> bool:
    return one.chunk.article.id == other.chunk.article.id and _overlap(one.span, other.span)


def _sides(question: str, ranked: Sequence[RankedSentence]) -> list[list[RankedSentence]]:
    """The sentences about each of the places that the question names, best first; places without any are left out."""
    named = sides(question)
    about = [[row for row in ranked if _is_about(row.passage, place)] for place in named]
    if named and (_NATIONAL_SIDE if len(named) > 1 else _NATION).search(question):
        about.append([row for row in ranked if _is_national(row.passage)])
    return [side for side in about if side]


def asks_where(question: str) -> bool:
    """Whether `question` asks in which places something is, naming none itself."""
    asked = asked_now(question)
    return bool(_WHERE.search(asked)) and not sides(asked)


def of_each_region(ranked: Sequence[RankedSentence]) -> list[RankedSentence]:
    """The best sentence of each region, or of several that it names together, best first."""
    best: dict[frozenset[str], RankedSentence] = {}
    for row in ranked:
        near = row.score >= EACH * ranked[0].score and not row.passage.is_byline
        if near and (regions := row.passage.regions):
            best.setdefault(regions, row)
    most = max((row.held for row in best.values()), default=0.0)
    return [row for row in best.values() if row.held > NAMED * most][:PLACES]


def by_side(question: str, quotes: Sequence[Passage]) -> tuple[Passage, ...]:
    """Return the quotes side by side, as the question names them; what is about none comes last."""
    named = sides(question)
    first = {p.key: next((n for n, side in enumerate(named) if _is_about(p, side)), len(named)) for p in quotes}
    return tuple(sorted(quotes, key=lambda p: first[p.key]))


def _is_about(passage: Passage, place: str) -> bool:
    return place in passage.text or place in passage.context or place in passage.regions


def _is_national(passage: Passage) -> bool:
    """Whether a sentence speaks of the whole country: by its own words, or by those before it where no region is."""
    if places(passage.text):
        return False
    return bool(_NATION.search(passage.text)) or (not passage.regions and bool(NATIONAL.search(passage.around)))


def enumeration_for(question: str, ranked: Sequence[RankedSentence]) -> Enumeration | None:
    """Return the enumeration that the best sentences lead to, else None.

    Where the best sentence lists by itself what is asked for (行政、人员、财务), no other enumeration is meant.
    """
    best = ranked[0].score or 1.0
    near = [row for row in ranked if row.score >= LED * best]
    wanted = counts(question)
    found: list[tuple[float, Enumeration]] = []
    for article in {row.passage.chunk.article.id: row.passage.chunk.article for row in near}.values():
        of_article = [row for row in ranked if row.passage.chunk.article.id == article.id]
        found += [(value, one) for one in enumerations(article) if (value := _worth(one, of_article, best, wanted))]
    _, chosen = max(found, key=lambda pair: pair[0], default=(0.0, None))
    top = ranked[0].passage
    if (
        chosen
        and _lists(top.text, wanted)
        and len(chosen.items) not in wanted
        and not _overlap(top.span, chosen.lead)
    ):
        return None
    return chosen


def _worth(one: Enumeration, rows: Sequence[RankedSentence], best: float, wanted: frozenset[int]) -> float:
    """What speaks for an enumeration: its best sentences, the asked words it holds, and the number of its items."""
    inside = [row for row in rows if _overlap(row.passage.span, one.span)]
    top = max((row.score for row in inside), default=0.0)
    fits = len(one.items) in wanted
    if top < LED * best or (one.of_headings and not fits):
        return 0.0
    asked = frozenset().union(*(row.terms for row in rows))
    told = frozenset().union(*(row.terms for row in inside))
    lead = max((row.score for row in inside if _overlap(row.passage.span, one.lead)), default=0.0)
    items = sorted(
        max((r.score for r in inside if _overlap(r.passage.span, item)), default=0.0) for item in one.items
    )
    led = max(lead, sum(items[-2:]) / 2)
    if led < LED * best and not fits:
        return 0.0
    return led / best + HELD * len(told) / max(len(asked), 1) + (COUNTED if fits else 0.0)


def _lists(sentence: str, wanted: frozenset[int]) -> bool:
    """Whether a sentence lists several things by itself, as many as are asked for where that is told."""
    listed = max((len(part.split("、")) for part in _LISTED.split(sentence)), default=0)
    return listed in wanted if wanted else listed >= 3


def _overlap(one: Span, other: Span) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


def _chunk_of(article: Article, span: Span, chunks: Sequence[Chunk]) -> Chunk:
    """The chunk that holds a span, else the span itself."""
    return next((c for c in chunks if c.start <= span[0] and span[1] <= c.end), Chunk(article, *span))
