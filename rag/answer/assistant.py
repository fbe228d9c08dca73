"""The question's way, in order: understand, retrieve, show evidence, write, check, number.

The LLM copies or writes; it does not decide what is cited or believed. Everything it says is aligned to evidence
here, and what can't be carried is dropped. Where the LLM fails, the best sentences are quoted.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Generator as Drafting
from copy import copy
from dataclasses import dataclass, field, replace
from string import Template

import prompts
from rag.answer.citing import (
    Aligned,
    Aligner,
    Passage,
    distinct,
    distinct_aligned,
    joined_leads,
    letters,
    number,
    plain,
    unmarked,
)
from rag.answer.events import Event, EvidenceFound, Finished, Stage, Token
from rag.answer.extracting import (
    AGAIN,
    AMONG,
    AT_LAST,
    CHARACTERS,
    CHECKED,
    COUNTED,
    DOUBTED,
    FARTHER,
    LISTED,
    MANY,
    NEARLY,
    SEVERAL,
    SURE,
    UNMEASURED,
    Extraction,
    but_null,
    checking,
    copying,
    is_null,
    told_by_copy,
)
from rag.answer.forms import NOT_HELD, Numbered, asked_of, of_each, of_each_article, table, timeline
from rag.answer.kinds import Kind, asks_yes_or_no
from rag.answer.measures import COUNT
from rag.answer.premises import disagrees, misplaced, without_place, wrong_premises
from rag.answer.provenance import asks_provenance, provenance
from rag.answer.question import (
    as_told,
    asked_now,
    excepted,
    leans,
    normalise,
    parts,
    standalone,
    without_claims,
    without_exceptions,
    without_orders,
)
from rag.answer.quoting import LLM_FAILED, quote, quoted_whole
from rag.answer.reading import EvidenceReader, Reading
from rag.answer.recurring import Figure, recurring
from rag.answer.relevance import Relevance, asks_one_fact, one_side_is_told
from rag.answer.remarks import remarks
from rag.answer.retrieval import interleave
from rag.answer.scenarios import Scenario
from rag.answer.selection import asks_where
from rag.corpus.places import places
from rag.corpus.sentences import sentences
from rag.corpus.words import character_pairs
from rag.errors import GenerationError
from rag.ports import Generator, Retriever
from rag.schema import Answer, Chunk, Evidence, Message, Mode, Support, Timings, Turn, Verdict

NOT_FOUND = "资料中未找到"
NO_EVIDENCE = "资料中没有找到依据"
NOT_STATED = "资料里没有直接写明所问的内容"
REFUSAL = f"{NOT_FOUND}与这个问题直接对应的内容。"
_NO_ANSWER = (
    "资料中未找到",
    "资料未找到",
    "未找到相关",
    "资料中没有",
    "资料没有提",
    "资料中未提",
    "没有提及",
    "未提及",
    "没有提供",
    "未提供",
    "无法回答",
    "无法确定",
)


EVERYWHERE = 4
"""How many times as many passages are read where a question asks in which places something is."""
SAID = 0.8
"""Share of a quote's character pairs from which what a small model wrote says the same."""
STUCK_PIECES = 40
_STUCK = re.compile(r"(.{1,6}?)\1{11}$")
"""A small model that has lost itself writes the same again and again: no more seconds are spent on it."""
_STILL_ASKING = re.compile(r"多少|(?<![这近前后去来])几[年月天](?!来)|什么时候|[?？]$")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Below both the evidence is not asked for an answer; fitted by `weice eval calibrate`.

    `coverage` is of the share of the question's word weight in the best sentence, `score` of the best passage's
    score, which separates other matters better than its cosine does (eval/NOTES.md).
    """

    coverage: float = 0.3
    score: float = 1.0


@dataclass(slots=True)
class _Clock:
    """Seconds since the question was asked."""

    started: float = field(default_factory=time.monotonic)
    timings: Timings = field(default_factory=Timings)

    def mark(self, name: str) -> None:
        self.timings = replace(self.timings, **{name: time.monotonic() - self.started})


@dataclass(frozen=True, slots=True)
class Part:
    """One of the questions that were asked at once, with what was found for it."""

    question: str
    evidence: tuple[Evidence, ...]
    reading: Reading
    scenario: Scenario | None = None
    """What the reader chose, where it was not left to the rules."""
    row: str | None = None
    """The place whose row of a table the answer fills."""
    excepted: frozenset[str] = frozenset()
    """The regions that are known already, where it is asked which others there are."""
    among: bool = False
    """Whether it was asked together with others."""

    @property
    def score(self) -> float:
        """The best passage's score."""
        return max((e.score for e in self.evidence), default=0.0)


@dataclass(frozen=True, slots=True)
class _Told:
    """What of the answer to one part stood, and what it lacks, in words for the user."""

    part: Part
    standing: tuple[Aligned, ...]
    missing: str | None = None
    quoted: bool = False
    """Whether it is quoted, not written."""
    figures: tuple[Figure, ...] = ()
    """The figure that answers, where other articles state it too."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user is told beside the answer."""
        return remarks(self.part.question, self.standing, self.part.evidence, self.figures)


class Assistant:
    """Answers questions from one index version. Safe to use from several threads."""

    def __init__(
        self,
        retriever: Retriever,
        reader: EvidenceReader,
        aligner: Aligner,
        relevance: Relevance,
        generator: Generator | None,
        *,
        index_version: str,
        passages: int = 8,
        answer_tokens: int = 400,
        max_question_chars: int = 2000,
        thresholds: Thresholds | None = None,
        quoted_kinds: frozenset[Kind] = frozenset(),
        extraction: Extraction | None = None,
        spelling: Callable[[str], str] = str,
    ) -> None:
        """Compose the parts; without a generator every answer is made of quotes.

        `quoted_kinds` are what the generator is too small to retell: they are quoted, and what it writes on other
        kinds is followed by what it leaves out of the quotes. `spelling` puts typos right in what is searched for.
        """
        self._retriever = retriever
        self._reader = reader
        self.aligner = aligner
        """What gives sentences their citations; for measurements."""
        self.ranker = reader.ranker
        """What orders sentences; for measurements."""
        self._relevance = relevance
        self._generator = generator
        self._index_version = index_version
        self._passages = passages
        self._answer_tokens = answer_tokens
        self._max_question_chars = max_question_chars
        self._thresholds = thresholds or Thresholds()
        self._quoted_kinds = quoted_kinds
        self._extraction = extraction
        self._spelling = spelling

    def searching(self, retriever: Retriever) -> Assistant:
        """Return the same assistant with another retriever, such as one that is held to some articles."""
        other = copy(self)
        other._retriever = retriever
        return other

    def answer(self, question: str, history: Sequence[Turn] = (), scenario: Scenario | None = None) -> Answer:
        """Return the checked answer. Raises `UsageError` on an empty question."""
        for event in self.stream(question, history, scenario):
            if isinstance(event, Finished):
                return event.answer
        raise AssertionError("a stream ends with Finished")

    def stream(
        self,
        question: str,
        history: Sequence[Turn] = (),
        scenario: Scenario | None = None,
        asking: Sequence[Part] | None = None,
    ) -> Iterator[Event]:
        """Yield what happens while `question` is answered; the last event is `Finished`.

        Without a `scenario` the question's wording decides what is read and how the answer is asked for. `asking` is
        what `parts` has returned for the same, where that was done ahead.
        """
        clock = _Clock()
        yield Stage("理解问题")
        asked = self._normalised(question)
        alone = self._alone(asked, history)
        yield Stage("检索")
        asking = self._asking(asked, alone, history, scenario) if asking is None else asking
        evidence = interleave([part.evidence for part in asking], self._passages)
        clock.mark("retrieve_s")
        yield EvidenceFound(evidence)
        draft = Answer(question, alone, "", Verdict.REFUSED, evidence=evidence, index_version=self._index_version)
        if all(self._is_hopeless(part) for part in asking):
            yield Finished(self._refused(draft, clock))
            return
        if self._generator is None:
            yield Finished(self._quoted(draft, asking, clock, None))
            return
        try:
            told = []
            for part in asking:
                of_part = yield from self._told(part, self._generator, clock)
                told.append(of_part)
        except GenerationError as error:
            reason = f"{LLM_FAILED}（{error}），以下为原文摘录"
            yield Finished(self._quoted(draft, asking, clock, reason))
            return
        yield Finished(self._judged(replace(draft, model=self._generator.model), told, clock))

    def parts(
        self, question: str, history: Sequence[Turn] = (), scenario: Scenario | None = None
    ) -> tuple[Part, ...]:
        """Search and read for each of the questions that `question` asks; no LLM is needed for it.

        A scenario with a table asks a question that names several places of each place by itself.
        """
        asked = self._normalised(question)
        return self._asking(asked, self._alone(asked, history), history, scenario)

    def _asking(self, asked: str, alone: str, history: Sequence[Turn], scenario: Scenario | None) -> tuple[Part, ...]:
        """What `parts` does, of a question in its normal form, which is `alone` by itself."""
        named = places(alone) if scenario and scenario.table else ()
        if len(named) < 2:
            each = [without_exceptions(self._alone(one, history)) for one in parts(without_claims(asked))]
            among = len(each) > 1
            if scenario is None and (self._generator is None or Kind.LIST in self._quoted_kinds):
                each = [
                    of_one for one in each for of_article in of_each_article(one) for of_one in of_each(of_article)
                ]
            known = excepted(asked)
            found = (self._part(one, scenario) for one in dict.fromkeys(each))
            return tuple(replace(part, excepted=known, among=among) for part in found)
        rows = [(place, one) for place in named for one in parts(asked_of(place, alone))]
        return tuple(self._part(one, scenario, place) for place, one in rows)

    def _normalised(self, question: str) -> str:
        return self._spelling(without_orders(normalise(question, self._max_question_chars)))

    def _alone(self, question: str, history: Sequence[Turn]) -> str:
        """The question by itself, with the typos in what was asked before put right too."""
        return self._spelling(standalone(question, history)) if history else question

    def _part(self, question: str, scenario: Scenario | None, row: str | None = None) -> Part:
        """Search and read for one question."""
        wide = EVERYWHERE if asks_where(question) else 1
        evidence = tuple(self._retriever.retrieve(question, wide * self._passages))
        kind, budget = (scenario.kind, scenario.evidence_tokens) if scenario else (None, None)
        return Part(question, evidence, self._reader.read(question, evidence, kind, budget), scenario, row)

    def _is_hopeless(self, part: Part) -> bool:
        """Whether the evidence is so far from the question that no LLM seconds are spent on it."""
        if not part.reading.passages or not part.reading.coverage:
            return True
        if leans(part.question):
            return False  # the conversation is about the library already, and its words count for little
        return part.reading.coverage < self._thresholds.coverage and part.score < self._thresholds.score

    def _told(self, part: Part, generator: Generator, clock: _Clock) -> Drafting[Event, None, _Told]:
        """Have the answer to one question copied, quoted or written, as the LLM is able to."""
        if told := self._of_another_place(part):
            return told
        if self._is_hopeless(part) or asks_provenance(part.question):
            return self._from_quotes(part)
        if self._extraction and not part.scenario:
            return (yield from self._copied(part, self._extraction, clock))
        if self._is_quoted(part):
            return self._from_quotes(part)
        return (yield from self._written(part, generator, clock))

    def _copied(self, part: Part, extraction: Extraction, clock: _Clock) -> Drafting[Event, None, _Told]:
        """Have a fact copied; quote what is more than that, unless the LLM finds nothing of it in the quotes."""
        quoted = self._from_quotes(part)
        prompt = self._to_copy(part)
        if not prompt or _corrects(quoted):
            return quoted
        if asks_one_fact(part.question):
            return (yield from self._fact(part, quoted, extraction, prompt, clock))
        if not quoted.standing:
            return quoted
        yield Stage("核对")
        moved = LISTED if part.reading.kind in {Kind.LIST, Kind.SUMMARY} else SEVERAL
        said = "".join(extraction.copy(prompt, moved + AMONG * part.among, tokens=CHECKED))
        return _Told(part, (), NOT_STATED) if is_null(said) else quoted

    def _fact(
        self, part: Part, quoted: _Told, extraction: Extraction, prompt: Sequence[Message], clock: _Clock
    ) -> Drafting[Event, None, _Told]:
        """Tell what is surely copied, with its sentence; else quote what may hold it, or refuse.

        What rules doubt is told only where the LLM finds an answer and is not sure of it: sure it is of the very
        number that is another place's or another year's. Of what is counted it may know another word.
        """
        found = quoted.standing or self._quotes(part)
        if not found:
            return quoted
        yield Stage("生成")
        doubted = not quoted.standing
        count = COUNT.search(asked_now(part.question))
        measured = count and (count.group("unit") or count.group("percent"))
        moved = 0.0 if not count else COUNTED if measured else UNMEASURED
        copied = extraction.copy(prompt, DOUBTED if doubted else moved + AMONG * part.among)
        text = unmarked((yield from self._listened(but_null(copied), clock)))
        yield Stage("核对")
        sure = copied.sure >= SURE
        if is_null(text):
            return quoted if doubted else (yield from self._again(part, quoted, extraction, prompt, clock))
        if doubted and not (sure and self._relevance.is_a_word(part.question, self._answers(part, found)[1])):
            return quoted if sure else replace(quoted, standing=found, quoted=True)
        told = told_by_copy(text, found) if sure else ()
        of_it = doubted or self._answers(part, told[-1:])[0]
        return _beside_others(replace(quoted, standing=told, quoted=False)) if told and of_it else quoted

    def _again(
        self, part: Part, quoted: _Told, extraction: Extraction, prompt: Sequence[Message], clock: _Clock
    ) -> Drafting[Event, None, _Told]:
        """Look again before a fact is refused that the LLM does not find in the quotes.

        First in what is nearest in meaning; then it is asked whether what it nearly answered is right; then in what
        is best by score, where it must be surest.
        """
        near, best = self._reader.farther(part.question, part.reading, CHARACTERS, FARTHER)
        told = yield from self._sought(part, near, AGAIN, extraction, clock)
        if told.standing:
            return told
        if self._nearly(part, extraction, prompt):
            return quoted
        return (yield from self._sought(part, best, AT_LAST, extraction, clock))

    def _nearly(self, part: Part, extraction: Extraction, prompt: Sequence[Message]) -> bool:
        """Whether the LLM, made to answer where it nearly did, says of its answer that it is right."""
        text = unmarked("".join(extraction.copy(prompt, NEARLY)))
        return not is_null(text) and extraction.confirms(checking(part.question, part.reading.shown, text))

    def _sought(
        self, part: Part, farther: Sequence[Passage], moved: float, extraction: Extraction, clock: _Clock
    ) -> Drafting[Event, None, _Told]:
        """Have a fact copied from what stands farther off, the log-odds of 无 `moved`; or tell nothing."""
        refused = _Told(part, (), NOT_STATED)
        if not farther:
            return refused
        copied = extraction.copy(copying(part.question, farther, FARTHER), moved)
        text = unmarked((yield from self._listened(but_null(copied), clock)))
        if is_null(text):
            return refused
        told = told_by_copy(text, quoted_whole(farther))
        sure = copied.sure >= SURE
        standing = told if sure else told[-1:]
        answers, lacks = self._answers(part, standing)
        return _Told(part, standing, _unsaid(lacks), quoted=not sure) if answers else refused

    def _written(self, part: Part, generator: Generator, clock: _Clock) -> Drafting[Event, None, _Told]:
        """Write on one question, check, and put beside it what it leaves out; quote where nothing of it stands."""
        yield Stage("生成")
        text = yield from self._drafted(generator, part, clock)
        yield Stage("核对")
        aligned = self._aligned(text, part.reading)
        standing = self._in_its_row(part, _upheld(aligned))
        if standing:
            standing = (*standing, *self._left_out(part, standing))
        answers, lacks = self._answers(part, standing)
        if not answers:
            return self._from_quotes(part)
        return _Told(part, standing, _unsaid(lacks) or _missing(text, aligned))

    def _is_quoted(self, part: Part) -> bool:
        """Whether the answer is quoted: a small model loses items of what it retells, and says yes as it says no."""
        if part.scenario or not self._quoted_kinds:
            return False
        return part.reading.kind in self._quoted_kinds or asks_yes_or_no(part.question)

    def _from_quotes(self, part: Part) -> _Told:
        """What is quoted for a question, unless it lacks what is asked for."""
        if asks_provenance(part.question) and (told := self._of_the_article(part)):
            return _Told(part, told, quoted=True)
        found = self._quotes(part)
        answers, lacks = self._answers(part, found)
        if not answers:
            return _Told(part, (), _unsaid(lacks) or NO_EVIDENCE)
        return _beside_others(_Told(part, found, _unsaid(lacks), quoted=True))

    def _of_another_place(self, part: Part) -> _Told | None:
        """What is quoted for a question that takes for granted that a thing is of the one place that it names."""
        question, place = without_place(part.question)
        if not place or part.scenario or leans(part.question):
            return None
        told = self._from_quotes(self._part(question, None))
        wrong = ((item, misplaced(question, place, item.passages[0], part.evidence)) for item in told.standing)
        of_other, others = next(((item, "、".join(others)) for item, others in wrong if others), (None, ""))
        if not of_other:
            return None
        quotes = (of_other,) if asks_one_fact(question) else told.standing
        lead = replace(of_other, text=f"资料写的是{others}。")
        return replace(told, standing=(lead, *quotes), missing=disagrees(place, others))

    def _of_the_article(self, part: Part) -> tuple[Aligned, ...]:
        """Where the best passage's article comes from."""
        if self._is_hopeless(part):
            return ()
        article = part.evidence[0].chunk.article
        told_there = self.aligner.passages([Chunk(article, 0, len(article.text))])
        opening = next((p for p in told_there if not p.is_heading), None)
        told = provenance(opening) if opening else None
        return (told,) if told else ()

    def _quotes(self, part: Part) -> tuple[Aligned, ...]:
        """What can be quoted for a question, whether it answers or not."""
        if self._is_hopeless(part):
            return ()
        found = quote(part.reading, part.question)
        if part.excepted and asks_where(part.question):
            found = [item for item in found if not _is_of(item, part.excepted)]
        return self._in_its_row(part, found)

    def _answers(self, part: Part, aligned: Sequence[Aligned]) -> tuple[bool, tuple[str, ...]]:
        """Whether the sentences answer at all, and what they lack; one side of a comparison may be lacking."""
        lacks = self._relevance.lacks(part.question, aligned) if aligned else ()
        return bool(aligned) and (not lacks or one_side_is_told(part.question, lacks)), lacks

    def _left_out(self, part: Part, standing: Sequence[Aligned]) -> list[Aligned]:
        """The quotes that a draft leaves out: the essential ones that it does not cite.

        A small model cites a sentence and tells half of it: here all quotes that its words do not hold nearly whole.
        """
        if part.scenario:
            return []
        if self._quoted_kinds:
            said = character_pairs("".join(item.text for item in standing))
            return [item for item in quote(part.reading) if _share_said(item.text, said) < SAID]
        cited = [p for item in standing for p in item.passages]
        quotes = quote(part.reading, essential=True)
        return [item for item in quotes if not any(p.holds(item.passages[0]) for p in cited)]

    def _in_its_row(self, part: Part, aligned: Sequence[Aligned]) -> tuple[Aligned, ...]:
        """The sentences whose cited text speaks of the place whose row they fill; all of them outside a table."""
        return tuple(item for item in aligned if not part.row or not self._relevance.lacks(part.row, (item,)))

    def _drafted(self, generator: Generator, part: Part, clock: _Clock) -> Drafting[Event, None, str]:
        """Yield the tokens of one draft and return its text."""
        tokens = part.scenario.answer_tokens if part.scenario else None
        written = generator.generate(self.messages(part), max_tokens=tokens or self._answer_tokens)
        return (yield from self._listened(written, clock))

    def _listened(self, written: Iterable[str], clock: _Clock) -> Drafting[Event, None, str]:
        """Yield what the LLM says as tokens and return all of it; one that has lost itself is stopped."""
        pieces: list[str] = []
        for piece in written:
            if not pieces and not clock.timings.first_token_s:
                clock.mark("first_token_s")
            pieces.append(piece)
            yield Token(piece)
            if _STUCK.search("".join(pieces[-STUCK_PIECES:])):
                break
        return "".join(pieces)

    def prompt(self, asking: Sequence[Part]) -> str:
        """Return the evidence and questions that the LLM reads, empty where it reads none: for grouping the like."""
        return "".join(message.content for part in asking for message in self._read_for(part)[-1:])

    def _read_for(self, part: Part) -> tuple[Message, ...]:
        """What the LLM reads for one question: to copy, to write, or nothing."""
        if self._generator is None or self._is_hopeless(part):
            return ()
        if self._extraction and not part.scenario:
            return self._to_copy(part)
        return () if self._is_quoted(part) else self.messages(part)

    def _to_copy(self, part: Part) -> tuple[Message, ...]:
        """The prompt for copying; nothing for a yes or no, which the small LLM that copies can't tell apart."""
        if asks_yes_or_no(part.question):
            return ()
        return copying(part.question, part.reading.shown, CHARACTERS if asks_one_fact(part.question) else MANY)

    def messages(self, part: Part) -> tuple[Message, ...]:
        """Return the prompt: what never changes, the evidence, and only then the question."""
        prompt = Template(part.scenario.prompt) if part.scenario else prompts.load(f"answer_{part.reading.kind}")
        body = prompt.substitute(evidence=part.reading.text, question=as_told(part.question))
        return (
            Message("system", prompts.load("answer_system").template),
            Message("user", body),
        )

    def _aligned(self, text: str, reading: Reading) -> list[Aligned]:
        heads = [letters(line) for line in reading.text.splitlines() if line.startswith("《")]
        written = joined_leads(distinct(sentences(plain(text))))
        said = [s for s in written if not says_nothing(s) and not any(letters(s) in head for head in heads)]
        return [self.aligner.align(sentence, reading.passages) for sentence in said]

    def _judged(self, draft: Answer, told: Sequence[_Told], clock: _Clock) -> Answer:
        """The answer made of what stood of every part, and the verdict on it."""
        missing = _lacking(told)
        if not any(one.standing for one in told):
            return self._refused(draft, clock, missing)
        quoted = all(one.quoted for one in told if one.standing)
        body, said, citations = _laid_out(told)
        beside = [*(remark for one in told for remark in one.remarks), *([missing] if missing else [])]
        clock.mark("total_s")
        return replace(
            draft,
            text=body,
            verdict=Verdict.PARTIAL if missing else Verdict.ANSWERED,
            reason="；".join(dict.fromkeys(beside)) or None,
            sentences=said,
            citations=citations,
            mode=Mode.EXTRACTIVE if quoted else Mode.LLM,
            model="" if quoted else draft.model,
            timings=clock.timings,
        )

    def _quoted(self, draft: Answer, asking: Sequence[Part], clock: _Clock, reason: str | None) -> Answer:
        """The answer made of quotes alone, and why it is."""
        told = [self._of_another_place(part) or self._from_quotes(part) for part in asking]
        answer = self._judged(draft, told, clock)
        if answer.verdict is Verdict.REFUSED:
            return answer
        reason = reason or "摘录模式：以下为资料原文"
        return replace(answer, reason=f"{reason}；{answer.reason}" if answer.reason else reason)

    def _refused(self, draft: Answer, clock: _Clock, reason: str = NO_EVIDENCE) -> Answer:
        clock.mark("total_s")
        mode = Mode.LLM if self._generator else Mode.EXTRACTIVE
        return replace(draft, text=REFUSAL, reason=reason, mode=mode, timings=clock.timings)


def _corrects(told: _Told) -> bool:
    """Whether what is quoted states otherwise what the question takes for granted: an LLM would find nothing."""
    passages = [p for item in told.standing for p in item.passages]
    return bool(wrong_premises(told.part.question, passages, told.part.evidence))


def _beside_others(told: _Told) -> _Told:
    """Put the same figure of other articles beside it, newest first, before what else is told."""
    if not told.standing or told.part.scenario or not asks_one_fact(told.part.question):
        return told
    source = told.standing[0].passages[0]
    figures = recurring(told.part.question, source, told.part.reading.ranked)
    if not figures:
        return told
    quotes = quoted_whole([f.passage for f in figures])
    copied = [item for item in told.standing[:1] if not told.quoted and source.key == figures[0].passage.key]
    rest = [item for item in told.standing if not {p.key for p in item.passages} & {f.passage.key for f in figures}]
    standing = distinct_aligned([*copied, *quotes, *rest])
    return replace(told, standing=tuple(standing), quoted=not copied, figures=figures)


def _share_said(text: str, said: frozenset[str]) -> float:
    """The share of a text's character pairs that are among those `said`."""
    pairs = character_pairs(text)
    return len(pairs & said) / len(pairs) if pairs else 1.0


def _is_of(item: Aligned, regions: frozenset[str]) -> bool:
    """Whether all cited sentences speak of the `regions` and of no others."""
    return all(p.regions and p.regions <= regions for p in item.passages)


def _upheld(aligned: Sequence[Aligned]) -> list[Aligned]:
    """The sentences of a draft that cited text carries."""
    return [a for a in aligned if a.support is not Support.NONE]


def _rows(told: Sequence[_Told]) -> dict[str, list[Aligned]]:
    """What stood for each place of a table, in order; empty where the answer is no table."""
    rows: dict[str, list[Aligned]] = {}
    for one in told:
        if one.part.row:
            rows[one.part.row] = distinct_aligned([*rows.get(one.part.row, ()), *one.standing])
    return rows


def _laid_out(told: Sequence[_Told]) -> Numbered:
    """What stood of every part in the form of its scenario, running text unless told otherwise."""
    if rows := _rows(told):
        return table(rows)
    parts_told = [[replace(one.standing[0], opens=True), *one.standing[1:]] for one in told if one.standing]
    standing = distinct_aligned([item for part in parts_told for item in part])
    scenario = told[0].part.scenario
    return timeline(standing) if scenario and scenario.timeline else number(standing)


def _lacking(told: Sequence[_Told]) -> str:
    """What an answer lacks, in words for the user: of several questions with each, of a row with its place."""
    empty = [place for place, cell in _rows(told).items() if not cell]
    lacks = [f"{NOT_HELD}：{'、'.join(empty)}"] if empty else []
    for one in told:
        if one.missing and one.part.row not in empty:
            of = one.part.row or (f"“{one.part.question}”" if len(told) > 1 else "")
            lacks.append(f"{of}：{one.missing}" if of else one.missing)
    return "；".join(dict.fromkeys(lacks))


def _unsaid(lacks: Sequence[str]) -> str | None:
    """In words for the user, what the cited text does not speak of."""
    return f"找到的原文没有写到{'、'.join(lacks)}" if lacks else None


def _missing(text: str, aligned: Sequence[Aligned]) -> str | None:
    """What a partial answer lacks, in words for the user; None where it lacks nothing."""
    dropped = [a for a in aligned if a.support is Support.NONE]
    if dropped:
        named = "、".join(dict.fromkeys(w for a in dropped for w in a.unmatched)) or f"“{dropped[0].text[:40]}”"
        return f"资料中找不到{named}的依据，相应的话已略去"
    unanswered = next((s for s in sentences(plain(text)) if says_nothing(s)), None)
    return f"大模型认为资料不全：{unanswered}" if unanswered else None


def says_nothing(text: str) -> bool:
    """Whether a sentence only says that the evidence holds no answer, or gives the question back."""
    return any(phrase in text for phrase in _NO_ANSWER) or bool(_STILL_ASKING.search(text))
