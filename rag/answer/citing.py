"""Gives every sentence of an answer its citations: pure alignment, verification and numbering.

Which evidence carries a sentence is found by comparing words, never by trusting marks that a model wrote. A
sentence's numbers, dates and places must stand in the text that it cites; one that can't be carried is told so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.answer.dates import years
from rag.answer.numbers import quantities, unmatched
from rag.corpus.places import cities, places
from rag.corpus.sentences import Span, sentence_spans
from rag.corpus.words import character_pairs, fold
from rag.schema import Chunk, Citation, Sentence, Support

MAX_CITATIONS = 3
"""Citations of one sentence."""
SIMILAR = 0.75
"""Cosine from which a passage carries a sentence that says the same in other words."""
UNMATCHED = 0.3
"""What a number or region that the cited text does not state costs."""
GAIN = 0.12
"""Share that a further citation must add."""

_SQUARE_MARK = re.compile(r"\s*[\[［【]\s*(?:资料|来源)?\s*\d{1,2}(?:\s*[,，、-]\s*\d{1,2})*\s*[\]］】]")
_LEAD = re.compile(
    r"^(?:根据)?(?:所给)?(?:资料|《[^》]{2,60}》(?:（\d{4}-\d{2}-\d{2}）)?)中?(?:提到|显示|指出|介绍)?[，,：:]\s*",
    re.M,
)
"""A model's way of saying that it read: 资料中提到，"""
_COPIED_HEAD = re.compile(r"^《[^》\n]{4,60}》(?:（\d{4}-\d{2}-\d{2}）)?[^。！？；\n]{0,80}$", re.M)
"""A head of the evidence, title and section on a line of their own, that a model copied."""
_ITEM = re.compile(r"[（(]?\d{1,2}[)）.、]|[一二三四五六七八九十]{1,2}[是、]|第[一二三四五六七八九十]")
_NAMED = re.compile(r"(?P<own>[\u4e00-\u9fa5]{2})(?:医院|大学|学院|出版社|公司|研究院|研究所)")
"""An institution by the end of its name: a model adds some that it knows, with words that stand nowhere."""
_ANNOUNCING = re.compile(r"^[^：:]{2,60}(?:以下|如下|包括|下列|分别是)[^：:]{0,12}[：:]")
"""A lead-in that says only that something follows: 四川今年抓以下几件事："""
_MARKUP = re.compile(r"\*\*|__|^#{1,6}\s+|^\s*[-*•]\s+(?=\S)|`", re.M)
ENDS = "。！？!?；;：:，,、"

Tokens = Callable[[str], list[str]]
Weight = Callable[[str], float]
Similarity = Callable[[str, str], float]


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence of the evidence: where it stands, and its words."""

    chunk: Chunk
    span: Span
    words: frozenset[str]
    bigrams: frozenset[str]

    @property
    def text(self) -> str:
        """The sentence, verbatim."""
        return self.chunk.article.text[self.span[0] : self.span[1]]

    @property
    def key(self) -> tuple[str, Span]:
        """Article and place: the same sentence found twice is one."""
        return self.chunk.article.id, self.span

    def holds(self, other: Passage) -> bool:
        """Whether `other` is a part of the sentence, or all of it."""
        (start, end), (first, last) = self.span, other.span
        return self.chunk.article.id == other.chunk.article.id and start <= first and last <= end

    @property
    def is_heading(self) -> bool:
        """Whether the sentence is nothing but the heading of a section."""
        start, end = self.span
        return any(s.start == start and s.start + len(s.heading) >= end for s in self.chunk.article.sections)

    @property
    def is_byline(self) -> bool:
        """Whether it is what stands right below a heading and is no sentence: who speaks there."""
        article = self.chunk.article
        heads = (s.start + len(s.heading) for s in article.sections if s.start < self.span[0])
        below = any(not article.text[end : self.span[0]].strip() for end in heads)
        return below and not self.is_heading and not self.text.endswith(tuple(f"{ENDS}—”）)"))

    @property
    def around(self) -> str:
        """The sentence with its headings and what stands before it in its chunk: where its subject may stand."""
        start = min(self.chunk.start, self.span[0])
        return f"{self.context} {self.chunk.article.text[start : self.span[1]]}"

    @property
    def regions(self) -> frozenset[str]:
        """The regions that the sentence speaks of: its own, else its section's, else the last ones named before."""
        article = self.chunk.article
        texts = [self.text, *article.section_path(self.span[0])[::-1], *self._before()]
        texts += [article.title, article.source or ""]
        return frozenset(next((named for text in texts if (named := places(text))), ()))

    @property
    def years(self) -> frozenset[int] | None:
        """The years that the sentence speaks of: its own, else the last ones named before; None as `dates.years`."""
        texts = (self.text, *self._before())
        told = (years(text, self.chunk.article.issue.date) for text in texts)
        return next((one for one in told if one is None or one), frozenset())

    def _before(self) -> list[str]:
        """The sentences of its section that stand before it, the nearest first."""
        article = self.chunk.article
        sections = [s.start for s in article.sections if s.start <= self.span[0] < s.end]
        spans = sentence_spans(article.text, max(sections, default=0), self.span[0])
        return [article.text[a:b] for a, b in reversed(spans)]

    @property
    def context(self) -> str:
        """Title and section path: what the sentence is about, beside its own words."""
        article = self.chunk.article
        return " ".join((article.title, *article.section_path(self.span[0])))


@dataclass(frozen=True, slots=True)
class Aligned:
    """A sentence of an answer with the passages that carry it."""

    text: str
    passages: tuple[Passage, ...]
    support: Support
    unmatched: tuple[str, ...]
    """Numbers and places of the sentence that its passages do not state."""
    share: float = 1.0
    """Share of the sentence's words and character pairs that its passages and their headings hold."""
    opens: bool = False
    """Whether it opens a paragraph: another question's answer, another side of a comparison."""


def unmarked(text: str) -> str:
    """Return a model's text without the marks and the markup that it put in."""
    return _MARKUP.sub("", _SQUARE_MARK.sub("", text)).strip()


def plain(text: str) -> str:
    """Return what a model wrote without marks and markup, and without the heads of the evidence that it copied."""
    return _LEAD.sub("", _COPIED_HEAD.sub("", unmarked(text))).strip()


class Aligner:
    """Aligns sentences to evidence; `tokens` cuts words, `weight` is a word's inverse document frequency."""

    def __init__(
        self, tokens: Tokens, weight: Weight, similarity: Similarity, *, carried: float = 0.35, full: float = 0.6
    ) -> None:
        """Take the tokenizer, the word weights of the library, and the cosine of two texts' embeddings.

        A sentence of which its cited text holds less than `carried` is not supported, from `full` on it is fully.
        """
        self._tokens = tokens
        self._weight = weight
        self._similarity = similarity
        self._carried, self._full = carried, full

    def passages(self, chunks: Sequence[Chunk]) -> list[Passage]:
        """Return the sentences of the chunks, each once, in the order of the chunks."""
        found: dict[tuple[str, Span], Passage] = {}
        for chunk in chunks:
            for span in sentence_spans(chunk.article.text, chunk.start, chunk.end):
                found.setdefault((chunk.article.id, span), self.passage(chunk, span))
        return list(found.values())

    def passage(self, chunk: Chunk, span: Span) -> Passage:
        """Return the stretch `span` of the chunk's article as a passage."""
        text = chunk.article.text[span[0] : span[1]]
        return Passage(chunk, span, frozenset(self._tokens(text)), character_pairs(text))

    def align(self, sentence: str, passages: Sequence[Passage]) -> Aligned:
        """Return `sentence` with up to `MAX_CITATIONS` passages, greedily chosen by what each adds."""
        told = _ANNOUNCING.sub("", sentence) or sentence
        weights = {word: self._weight(word) for word in self._tokens(told)}
        grams = character_pairs(told)
        chosen: list[Passage] = []
        carried = 0.0
        while len(chosen) < MAX_CITATIONS:
            rest = (p for p in passages if p not in chosen)
            best = max(rest, key=lambda p: self._gain(sentence, weights, grams, [*chosen, p]), default=None)
            if best is None:
                break
            reached = _coverage(weights, grams, [*chosen, best], with_context=True)
            reached -= UNMATCHED * len(_missing(sentence, [*chosen, best]))
            if chosen and reached < carried + GAIN:
                break
            chosen, carried = [*chosen, best], reached
        missing = _missing(sentence, chosen)
        share = _coverage(weights, grams, chosen, with_context=True)
        return Aligned(sentence, tuple(chosen), self._support(sentence, chosen, share, missing), missing, share)

    def _support(self, sentence: str, chosen: Sequence[Passage], share: float, missing: tuple[str, ...]) -> Support:
        """How far the chosen passages carry the sentence; one that says the same in other words is carried."""
        if missing or not chosen:
            return Support.NONE
        if share >= self._full:
            return Support.FULL
        if share >= self._carried or self._similarity(sentence, chosen[0].text) >= SIMILAR:
            return Support.PARTIAL
        return Support.NONE

    def _gain(
        self, sentence: str, weights: dict[str, float], grams: frozenset[str], chosen: Sequence[Passage]
    ) -> float:
        """Coverage, less what the chosen passages leave unmatched."""
        own = _coverage(weights, grams, chosen)
        told = _coverage(weights, grams, chosen, with_context=True)
        return own + 0.1 * told - UNMATCHED * len(_missing(sentence, chosen))


def _coverage(
    weights: dict[str, float], grams: frozenset[str], chosen: Sequence[Passage], *, with_context: bool = False
) -> float:
    """Share of a sentence's word weight and character pairs that the chosen passages hold."""
    words = frozenset().union(*(p.words for p in chosen))
    pairs = frozenset().union(*(p.bigrams for p in chosen))
    if with_context:
        context = fold(" ".join(p.context for p in chosen))
        words |= {word for word in weights if word in context}
        pairs |= character_pairs(context)
    total = sum(weights.values()) or 1.0
    by_words = sum(weight for word, weight in weights.items() if word in words) / total
    by_pairs = len(grams & pairs) / len(grams) if grams else 0.0
    return (by_words + by_pairs) / 2


def _missing(sentence: str, chosen: Sequence[Passage]) -> tuple[str, ...]:
    """The numbers and places of `sentence` that the chosen passages do not state, or state of another region."""
    dates = [f"{d.year}年{d.month}月{d.day}日 {d}" for p in chosen if (d := p.chunk.article.issue.date)]
    missing = list(unmatched(sentence, [*(part for p in chosen for part in (p.text, p.context)), *dates]))
    around = " ".join(p.around for p in chosen)
    missing += [city for city in cities(sentence) if city not in around]
    missing += [name.group() for name in _NAMED.finditer(sentence) if name.group("own") not in around]
    said = places(sentence)
    if not said:
        return tuple(dict.fromkeys(missing))
    for quantity in quantities(sentence):
        holders = [p for p in chosen if not unmatched(quantity.text, [p.text, p.context])]
        if holders and not any(_speaks_of(p, said) for p in holders):
            missing.append(quantity.text)
    known = frozenset(places(around)).union(*(p.regions for p in chosen))
    return tuple(dict.fromkeys([*missing, *(place for place in said if place not in known)]))


def _speaks_of(passage: Passage, regions: Sequence[str]) -> bool:
    """Whether a passage is about one of the regions; one that names none, where its article does."""
    named = passage.regions or frozenset(places(passage.chunk.article.text))
    return not named.isdisjoint(regions)


def number(aligned: Sequence[Aligned]) -> tuple[str, tuple[Sentence, ...], tuple[Citation, ...]]:
    """Return the answer's text with its marks, its sentences, and its citations numbered as they first occur."""
    citations: dict[tuple[str, Span], Citation] = {}
    sentences: list[Sentence] = []
    lines: list[str] = []
    for item in aligned:
        numbers = []
        for passage in item.passages:
            if passage.key not in citations:
                start, end = passage.span
                citations[passage.key] = Citation(len(citations) + 1, passage.chunk, start, end, passage.text)
            numbers.append(citations[passage.key].number)
        sentences.append(Sentence(item.text, tuple(sorted(numbers)), item.support))
        lines.append(marked(item.text, sorted(numbers)))
    broken = breaks([item.text for item in aligned])
    opened = [new or item.opens for new, item in zip(broken, aligned, strict=True)]
    text = "".join(f"\n{line}" if new else line for line, new in zip(lines, opened, strict=True)).lstrip("\n")
    return text, tuple(sentences), tuple(citations.values())


def marked(text: str, numbers: Sequence[int]) -> str:
    """Return the sentence with its marks before the closing punctuation."""
    bare = text.rstrip(ENDS)
    return bare + "".join(f"[{n}]" for n in numbers) + text[len(bare) :]


def breaks(sentences: Sequence[str]) -> list[bool]:
    """Return for each sentence whether it begins a line: an item of a list, a heading, what follows a heading."""
    before = [*sentences[:1], *sentences[:-1]]
    new = [opens_item(s) or not is_whole(s) or not is_whole(b) for s, b in zip(sentences, before, strict=True)]
    return [False, *new[1:]]


def is_whole(sentence: str) -> bool:
    """Whether a text ends as a sentence does; a line that does not is a heading or says who speaks."""
    return sentence.endswith(tuple("。！？!?；;：:”）)"))


def opens_item(sentence: str) -> bool:
    """Whether a sentence opens an item of a list and stands on a line of its own."""
    return bool(_ITEM.match(sentence))


def joined_leads(sentences: Sequence[str]) -> list[str]:
    """Return the sentences with each lead-in (…如下：) put before the sentence that it leads to."""
    joined: list[str] = []
    lead = ""
    for sentence in sentences:
        if sentence.endswith(("：", ":")):
            lead += sentence
        else:
            joined.append(lead + sentence)
            lead = ""
    return joined


def distinct(sentences: Sequence[str]) -> list[str]:
    """Return the sentences without those that say again what an earlier one said, letter for letter."""
    first: dict[str, str] = {}
    for sentence in sentences:
        if key := letters(sentence):
            first.setdefault(key, sentence)
    return list(first.values())


def distinct_aligned(aligned: Sequence[Aligned]) -> list[Aligned]:
    """Return the aligned sentences without those that an earlier one said, letter for letter."""
    first: dict[str, Aligned] = {}
    for item in aligned:
        first.setdefault(letters(item.text), item)
    return list(first.values())


def letters(text: str) -> str:
    """Return the letters and digits of `text`, folded: what sentences are compared by."""
    return "".join(c for c in fold(text) if c.isalnum())
