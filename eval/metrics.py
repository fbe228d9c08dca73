"""The measures of an evaluation: of ranks, of an answer's facts, citations, refusals and groundedness.

Pure functions of a case, the ranks of its evidence and the record of its answer (`rag.records.answer_record`);
nothing here searches, answers or reads files. Ranking measures are those of ir-measures, and no LLM judges.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from eval.cases import Case, Source, file_name, letters, squash
from rag.answer.numbers import quantities, unmatched
from rag.corpus.places import cities, places
from rag.records import Record
from rag.schema import Chunk

SPLIT_SHARE = 0.6
"""A quote cut in two by a passage border counts where one passage holds this share of it in one piece."""
HIT_AT = (1, 3, 5, 10)
RECALL_AT = (5, 10)

Rank = int | None
"""1 for the first passage; None where the evidence was not found."""
Score = float | None
"""0 to 1; None where a measure does not apply to a case."""
Scorer = Callable[[Case, Record], Score]
Estimate = dict[str, float]
"""`value` (the mean), `low` and `high` (its 95 % interval), `n` (how many cases it applies to)."""


# --- ranks ------------------------------------------------------------


def rank_of_source(source: Source, passages: Sequence[Chunk]) -> Rank:
    """Return the rank of the first passage of the source's file that holds its quote, or most of it."""
    for rank, passage in enumerate(passages, start=1):
        if file_name(passage.article.issue.file) == source.file and holds(passage.text, source.quote):
            return rank
    return None


def rank_of_article(source: Source, passages: Sequence[Chunk]) -> Rank:
    """Return the rank of the source's article among the articles of the passages, each counted once."""
    ranked = dict.fromkeys(_article(p.article.issue.file, p.article.title) for p in passages)
    wanted = _article(source.file, source.article)
    return next((rank for rank, article in enumerate(ranked, start=1) if article == wanted), None)


def first(ranks: Sequence[Rank]) -> Rank:
    """Return the best of several ranks, None where nothing was found."""
    return min((rank for rank in ranks if rank is not None), default=None)


def hit(ranks: Sequence[Rank], k: int) -> float:
    """Return the share of ranks that are at most `k`; 0 for no ranks.

    Over the cases' first ranks this is hit@k, over the sources of one case its recall@k.
    """
    return _mean([float(rank is not None and rank <= k) for rank in ranks])


def mrr(ranks: Sequence[Rank]) -> float:
    """Return the mean reciprocal rank (Voorhees, TREC-8 QA track, 1999); a rank of None counts 0."""
    from ir_measures import RR

    return _judged(RR, [[rank] for rank in ranks])


def ndcg(ranks: Sequence[Sequence[Rank]], k: int) -> float:
    """Return the mean nDCG@k (Järvelin and Kekäläinen 2002) of cases, each given by the ranks of its sources.

    Sources found in one passage are one relevant passage, and so is each source that was not found.
    """
    from ir_measures import nDCG

    return _judged(nDCG @ k, ranks)


def leg_scores(ranks: Sequence[Sequence[Rank]]) -> dict[str, float]:
    """Return hit@k, recall@k, MRR and nDCG@10 of cases, each given by the ranks of its sources."""
    firsts = [first(of_case) for of_case in ranks]
    return {
        **{f"hit@{k}": hit(firsts, k) for k in HIT_AT},
        **{f"recall@{k}": _mean([hit(of_case, k) for of_case in ranks]) for k in RECALL_AT},
        "mrr": mrr(firsts),
        "ndcg@10": ndcg(ranks, 10),
    }


def evidence_hits(ranks: Sequence[Rank]) -> dict[str, Score]:
    """Return evidence_hit@k of one case; None where its evidence was not searched."""
    return {f"evidence_hit@{k}": hit([first(ranks)], k) if ranks else None for k in HIT_AT}


def _judged(measure: Any, ranks: Sequence[Sequence[Rank]]) -> float:
    """The mean of an ir-measures measure; the runs are filled up with passages that are not relevant."""
    from ir_measures import Qrel, ScoredDoc, iter_calc

    relevant, run = [], []
    for query, of_case in enumerate(ranks):
        found = {rank for rank in of_case if rank is not None}
        lost = sum(rank is None for rank in of_case)
        relevant += [Qrel(str(query), f"{rank}", 1) for rank in found]
        relevant += [Qrel(str(query), f"lost-{n}", 1) for n in range(lost)]
        run += [ScoredDoc(str(query), f"{rank}", -float(rank)) for rank in range(1, max(found, default=0) + 1)]
    values = [result.value for result in iter_calc([measure], relevant, run)] if relevant else []
    return sum(values) / len(ranks) if ranks else 0.0


# --- facts ------------------------------------------------------------

_MARK = re.compile(r"\[\d{1,3}\]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_ENCLOSED = re.compile("[\u2460-\u24ff]")
_APART = re.compile(r"(?<=[\d.])\s+(?=\d)")
_BREAK = "\x00"
_NUMERALS = "零〇一二两三四五六七八九十百千"


def said(spelling: str, text: str) -> bool:
    """Whether `text` says the fact as spelled, whatever its width, spacing, thousands commas and citation marks.

    Numbers are matched whole: 7% is not said by 97%, 39间 not by 139间, 三家 not by 十三家, 6.7 not by 6.74.
    """
    wanted = _fold(spelling)
    if not wanted:
        return False
    before = after = ""
    if wanted[0].isdigit():
        before = r"(?<!\d)(?<!\d\.)"
    elif wanted[0] in _NUMERALS:
        before = f"(?<![{_NUMERALS}])"
    if wanted[-1].isdigit():
        after = r"(?!\d|\.\d)"
    elif wanted[-1] in _NUMERALS:
        after = f"(?![{_NUMERALS}])"
    return re.search(before + re.escape(wanted) + after, _fold(text)) is not None


def key_facts(case: Case, answer: Record) -> Score:
    """Share of the facts that the answer says, each in any of its spellings."""
    return _share([any(said(spelling, answer["answer"]) for spelling in fact) for fact in case.must])


def fully_correct(case: Case, answer: Record) -> Score:
    """1 where an answerable question is answered with all facts and nothing that must not be said."""
    if not case.answerable:
        return None
    return float(not answer["refused"] and key_facts(case, answer) == 1 and not wrong_fact(case, answer))


def wrong_fact(case: Case, answer: Record) -> Score:
    """1 where the answer says what it must not say."""
    if not case.must_not:
        return None
    return float(any(said(spelling, answer["answer"]) for spelling in case.must_not))


# --- citations ------------------------------------------------------------


def citation_recall(case: Case, answer: Record) -> Score:
    """Share of the source articles that are cited."""
    cited = _cited_articles(answer)
    return _share([article in cited for article in _source_articles(case)])


def citation_precision(case: Case, answer: Record) -> Score:
    """Share of the cited articles that are sources; 0 for an answer that cites nothing, None for a refusal."""
    if not case.answerable or answer["refused"]:
        return None
    cited, sources = _cited_articles(answer), _source_articles(case)
    return _share([article in sources for article in cited]) or 0.0


def evidence_cited(case: Case, answer: Record) -> Score:
    """Share of the source quotes, or most of each, that stand in a cited quote or passage of their file."""
    cited = [(file_name(c["file"]), text) for c in answer["citations"] for text in (c["quote"], c["text"])]
    return _share([any(f == s.file and holds(text, s.quote) for f, text in cited) for s in case.sources])


def dead_link(case: Case, answer: Record) -> Score:  # noqa: ARG001  # a scorer's shape
    """Share of the citations whose quote is not in the passage that they open."""
    return _share([c["quote"] not in c["text"] for c in answer["citations"]])


def uncited_sentence(case: Case, answer: Record) -> Score:  # noqa: ARG001
    """Share of the answer's sentences without a citation."""
    return None if answer["refused"] else _share([not s["citations"] for s in answer["sentences"]])


# --- refusals ------------------------------------------------------------


def refused(case: Case, answer: Record) -> Score:  # noqa: ARG001
    """1 where the question was not answered."""
    return float(answer["refused"])


def false_answer(case: Case, answer: Record) -> Score:
    """1 where a question that the library does not answer was answered."""
    return None if case.answerable else float(not answer["refused"])


def false_refusal(case: Case, answer: Record) -> Score:
    """1 where a question that the library answers was refused."""
    return float(answer["refused"]) if case.answerable else None


# --- groundedness ------------------------------------------------------------


def numbers_grounded(case: Case, answer: Record) -> Score:  # noqa: ARG001
    """Share of the answer's numbers that stand in the text that their sentence cites, or in its issue's date."""
    grounded: list[bool] = []
    for sentence, cited in _sentences(answer):
        lost = unmatched(_undated(sentence, cited), _texts(cited))
        grounded += [number not in lost for number in dict.fromkeys(q.text for q in quantities(sentence))]
    return _share(grounded)


def names_grounded(case: Case, answer: Record) -> Score:  # noqa: ARG001
    """Share of the answer's provinces, cities and countries that stand in the text that their sentence cites."""
    grounded: list[bool] = []
    for sentence, cited in _sentences(answer):
        text = "\n".join(_texts(cited))
        grounded += [place in places(text) for place in places(sentence)]
        grounded += [city in text for city in cities(sentence)]
    return _share(grounded)


ANSWER_SCORES: Mapping[str, Scorer] = MappingProxyType(
    {
        scorer.__name__: scorer
        for scorer in (
            key_facts,
            fully_correct,
            wrong_fact,
            citation_recall,
            citation_precision,
            evidence_cited,
            dead_link,
            uncited_sentence,
            refused,
            false_answer,
            false_refusal,
            numbers_grounded,
            names_grounded,
        )
    }
)
"""Every measure of an answer by its name in a run's rows."""


def answer_scores(
    case: Case, answer: Record | None, scorers: Mapping[str, Scorer] = ANSWER_SCORES
) -> dict[str, Score]:
    """Return every score of an answer, all None where there is none."""
    return {name: None if answer is None else scorer(case, answer) for name, scorer in scorers.items()}


# --- many cases ------------------------------------------------------------


def interval(values: Sequence[float], *, rounds: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean (Efron and Tibshirani 1993, chapter 13).

    Where all values are 0 or all are 1 every draw is the same, however few there are: there it is Wilson's interval.
    """
    if not values:
        return (0.0, 0.0)
    if set(values) in ({0.0}, {1.0}):
        return wilson(int(sum(values)), len(values))
    draws = np.random.default_rng(seed).choice(np.asarray(values, dtype=float), size=(rounds, len(values)))
    low, high = np.percentile(draws.mean(axis=1), [2.5, 97.5])
    return (float(low), float(high))


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of `n` (Wilson 1927, JASA 22): honest for few questions; 0 to 1 for none."""
    if not n:
        return (0.0, 1.0)
    z = 1.959964
    share, spread = hits / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / n / 4)
    return (max(0.0, middle - half), min(1.0, middle + half))


def estimates(scores: Sequence[Mapping[str, Score]]) -> dict[str, Estimate]:
    """Return mean, interval and number of cases of each score; a score that applies nowhere is left out."""
    found: dict[str, Estimate] = {}
    for name in dict.fromkeys(name for of_case in scores for name in of_case):
        values = [value for of_case in scores if (value := of_case.get(name)) is not None]
        if values:
            low, high = interval(values)
            found[name] = {"value": _mean(values), "low": low, "high": high, "n": len(values)}
    return found


def percentiles(seconds: Iterable[float]) -> dict[str, float]:
    """Return p50 and p95 (linear between the two nearest)."""
    p50, p95 = np.percentile(list(seconds), [50, 95])
    return {"p50": float(p50), "p95": float(p95)}


def _fold(text: str) -> str:
    """Text as facts are compared in it. White space between numbers keeps them apart, as in 1. 2000家."""
    plain = _ENCLOSED.sub(_BREAK, _THOUSANDS.sub("", _MARK.sub("", text)))
    return squash(_APART.sub(_BREAK, unicodedata.normalize("NFKC", plain).casefold()))


def _plain(text: str) -> str:
    return squash(unicodedata.normalize("NFKC", text))


def holds(text: str, quote: str) -> bool:
    """Whether `text` holds `SPLIT_SHARE` of the quote in one piece."""
    wanted, held = _plain(quote), _plain(text)
    need = math.ceil(len(wanted) * SPLIT_SHARE)
    return any(wanted[start : start + need] in held for start in range(len(wanted) - need + 1))


def _article(file: str, title: str) -> tuple[str, str]:
    return file_name(file), letters(title)


def _cited_articles(answer: Record) -> set[tuple[str, str]]:
    return {_article(c["file"], c["title"]) for c in answer["citations"]}


def _source_articles(case: Case) -> set[tuple[str, str]]:
    return {_article(source.file, source.article) for source in case.sources}


def _sentences(answer: Record) -> list[tuple[str, list[Record]]]:
    """The sentences of an answer that is no refusal, without their marks, each with its citations."""
    if answer["refused"]:
        return []
    numbered = {c["number"]: c for c in answer["citations"]}
    return [
        (_MARK.sub("", s["text"]), [numbered[number] for number in s["citations"] if number in numbered])
        for s in answer["sentences"]
    ]


def _texts(cited: Iterable[Record]) -> list[str]:
    return [c[part] for c in cited for part in ("quote", "text", "title", "section")]


def _undated(sentence: str, cited: Iterable[Record]) -> str:
    """The sentence without what it says of the dates of the issues that it cites: 2025年, 2月, 11日, 2025-02-11."""
    for date in dict.fromkeys(c["date"] for c in cited if c.get("date")):
        year, month, day = (int(part) for part in date.split("-"))
        parts = rf"(?<![\d.])(?:{date}(?!\d)|{year}\s*年|0?{month}\s*月|0?{day}\s*日)"
        sentence = re.sub(parts, "，", sentence)
    return sentence


def _share(truths: Sequence[bool]) -> Score:
    return _mean([float(truth) for truth in truths]) if truths else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
