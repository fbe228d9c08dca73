"""From passages to what the LLM is shown: the sentences that matter, in stable order, within a token budget.

Reading prompt tokens is what costs time on two cores, so evidence is cut to sentences. Its order is the
library's, whatever the question: the same evidence gives a byte-identical prompt prefix, which the server reuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rag.answer.citing import Aligner, Passage
from rag.corpus.places import places
from rag.corpus.words import Words
from rag.schema import Chunk, Evidence

TOKENS_PER_CHARACTER = 0.72
"""Measured on the newsletters with the tokenizer of the default LLM."""


WANTS_NUMBER = re.compile(r"多少|几(?!个方面|点建议)|比例|占比|多大|多久|多长|多高|[率数额值量]是|第几")
WANTS_TIME = re.compile(r"哪[一]?年|何时|什么时候|啥时候|几月|几号|哪天|时间")


class Kind(StrEnum):
    """What kind of answer a question asks for; each has its prompt `answer_<kind>`."""

    FACT = "fact"
    LIST = "list"
    COMPARE = "compare"
    SUMMARY = "summary"


SHARE = {Kind.FACT: 0.4, Kind.LIST: 1.0, Kind.COMPARE: 0.8, Kind.SUMMARY: 1.0}
"""Share of the token budget that a kind of answer is given: a fact drowns in what stands around it."""
BESIDE = 0.8
"""Share of the best sentence's score from which a sentence is shown beside a whole section."""
WEAKEST = {Kind.FACT: 0.5, Kind.LIST: 0.0, Kind.COMPARE: 0.4, Kind.SUMMARY: 0.0}
"""Score, as a share of the best sentence's, below which a sentence is not shown."""

_COMPARE = re.compile(
    r"对比|比较|相比|比一比|区别|差异|异同|不同|不一样|各(?:是|有|到|做|占|为)多|谁更|差多少|"
    r"哪[个家省市边](?:省|市|医院|地方)?(?:更|的?.{0,3}[多少高低快慢大小])|比(?!例|重|率|如|上年|去年)[^，。]{0,12}(?:多|少|高|低|呢)"
)
_SUMMARY = re.compile(r"概括|总结|概述|讲了什么|说了什么|主要内容|大意|简要|介绍一下|归纳|要点")
_LIST = re.compile(
    r"哪[几些]|几[件项个条类大种点步]|[有是]啥|有什么(?:做法|举措|措施|要求|内容|特点|经验)|哪[一]?(?:三|四|五|六|七|八|九|十)|"
    r"(?:举措|措施|做法|任务|内容|原则|要求|方面|经验|步骤|工程|行动)(?:是|有)?(?:什么|哪|啥)|包括(?:什么|哪)|怎么[做干抓推]|如何"
)


def kind_of(question: str) -> Kind:
    """Return what kind of answer `question` asks for, by its wording and by how many regions it names."""
    if 2 <= len(places(question)) <= 4:
        return Kind.COMPARE
    for kind, pattern in ((Kind.COMPARE, _COMPARE), (Kind.SUMMARY, _SUMMARY), (Kind.LIST, _LIST)):
        if pattern.search(question):
            return kind
    return Kind.FACT


@dataclass(frozen=True, slots=True)
class Reading:
    """What the LLM is shown: the passages, best first, and their text in stable order."""

    kind: Kind
    passages: tuple[Passage, ...]
    text: str
    coverage: float
    """Share of the question's word weight that the best sentence and its headings hold."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What an answer must look like."""

    number: bool
    time: bool

    def fits(self, text: str) -> bool:
        """Whether `text` could hold such an answer."""
        if self.time:
            return bool(re.search(r"\d\s*[年月日]", text))
        return self.number and any(c.isdigit() for c in text)


class EvidenceReader:
    """Picks sentences from retrieved passages. `budget` is in prompt tokens."""

    def __init__(self, words: Words, idf: Callable[[str], float], aligner: Aligner, *, budget: int) -> None:
        """Take the tokenizer, the word weights and the sentence splitter of the library."""
        self._words = words
        self._idf = idf
        self._aligner = aligner
        self._budget = budget

    def read(self, question: str, evidence: Sequence[Evidence]) -> Reading:
        """Return the sentences that answer `question`, within the budget of its kind."""
        kind = kind_of(question)
        asked = {word: self._idf(word) for word in self._words.tokens(question)}
        asked |= {w: self._idf(w) for s in self._words.synonyms(question) for w in self._words.tokens(s)}
        scored = _of_the_regions(question, self._scored(question, asked, evidence))
        scored = [row for row in scored if row[1] >= WEAKEST[kind] * scored[0][1]]
        characters = int(self._budget / TOKENS_PER_CHARACTER * SHARE[kind])
        if kind in {Kind.LIST, Kind.SUMMARY}:
            scored = self._whole_section(scored, characters)
        chosen = _within(scored, characters)
        coverage = max((share for share, _, _ in scored), default=0.0)
        return Reading(kind, tuple(chosen), layout(chosen), coverage)

    def _scored(
        self, question: str, asked: dict[str, float], evidence: Sequence[Evidence]
    ) -> list[tuple[float, float, Passage]]:
        """(share of the question held, score, sentence), best first; headings alone are no evidence."""
        total = sum(asked.values()) or 1.0
        best = max((e.score for e in evidence), default=1.0) or 1.0
        shape = _Shape(bool(WANTS_NUMBER.search(question)), bool(WANTS_TIME.search(question)))
        found: dict[tuple[str, int], tuple[float, float, Passage]] = {}
        for item in evidence:
            context = frozenset(self._words.tokens(item.chunk.context))
            around = frozenset(self._words.tokens(item.chunk.text)) | context
            for passage in self._aligner.passages([item.chunk]):
                if passage.is_heading:
                    continue
                share = [
                    sum(w for word, w in asked.items() if word in words) / total
                    for words in (passage.words, passage.words | context, around)
                ]
                score = 0.5 * item.score / best + sum(share) + 0.3 * shape.fits(passage.text)
                found.setdefault((item.chunk.article.id, passage.span[0]), (share[1], score, passage))
        return sorted(found.values(), key=lambda row: -row[1])

    def _whole_section(
        self, scored: list[tuple[float, float, Passage]], characters: int
    ) -> list[tuple[float, float, Passage]]:
        """Put the section around the best passage first: an enumeration is shown whole."""
        if not scored:
            return scored
        section = self._aligner.passages([around(scored[0][2].chunk, characters)])
        section = [passage for passage in section if not passage.is_heading]
        spans = {(p.chunk.article.id, p.span[0]) for p in section}
        share = {(p.chunk.article.id, p.span[0]): held for held, _, p in scored}
        first = [(share.get((p.chunk.article.id, p.span[0]), 0.0), 9.0, p) for p in section]
        strong = [row for row in scored if row[1] >= BESIDE * scored[0][1]]
        return first + [row for row in strong if (row[2].chunk.article.id, row[2].span[0]) not in spans]


def _of_the_regions(question: str, scored: list[tuple[float, float, Passage]]) -> list[tuple[float, float, Passage]]:
    """Leave out what stands under another region's heading than the question names, where anything else is left."""
    named = set(places(question))
    if not named:
        return scored
    kept = [row for row in scored if not (home := set(places(row[2].context))) or home & named]
    return kept or scored


def around(chunk: Chunk, characters: int) -> Chunk:
    """Return the innermost section around `chunk` that fits into `characters`, or what fits from the chunk on."""
    article = chunk.article
    fitting = [
        (s.start, s.end)
        for s in (*article.sections,)
        if s.start <= chunk.start < s.end and s.end - s.start <= characters
    ]
    if len(article.text) <= characters:
        fitting.append((0, len(article.text)))
    if fitting:
        start, end = max(fitting, key=lambda span: span[1] - span[0])
        return Chunk(article, min(start, chunk.start), max(end, chunk.end))
    outer = [s for s in article.sections if s.start <= chunk.start < s.end]
    limit = outer[-1].end if outer else len(article.text)
    return Chunk(article, chunk.start, max(chunk.end, min(limit, chunk.start + characters)))


def _within(scored: Sequence[tuple[float, float, Passage]], characters: int) -> list[Passage]:
    """The best sentences that fit, best first; the first one always, cut by nobody."""
    chosen: list[Passage] = []
    used = 0
    for _, _, passage in scored:
        size = len(passage.text)
        if chosen and used + size > characters:
            continue
        chosen.append(passage)
        used += size
    return chosen


def layout(passages: Sequence[Passage]) -> str:
    """Return the evidence as text, in the library's order, each article and section named once."""
    ordered = sorted(passages, key=lambda p: (p.chunk.article.id, p.span))
    blocks: list[str] = []
    head: tuple[str, ...] = ()
    end = 0
    for passage in ordered:
        article = passage.chunk.article
        path = article.section_path(passage.span[0])
        here = (article.id, *path)
        text = passage.text
        if here != head:
            date = f"（{article.issue.date.isoformat()}）" if article.issue.date else ""
            named = " > ".join(h for h in path if not text.startswith(h))
            blocks.append(f"《{article.title}》{date}{named}\n{text}")
        elif article.text[end : passage.span[0]].strip():
            blocks[-1] += f"……{text}"
        else:
            blocks[-1] += text
        head, end = here, passage.span[1]
    return "\n".join(blocks)
