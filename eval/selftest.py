"""Proves the measures on the very questions of a run before it starts: known answers must get known scores.

An oracle says each question's own facts and cites its own quotes; an empty answer says and cites nothing; a shuffled
one is the oracle's answer to another question. A measure that is always zero, that is always one, or that looks at
the reference in place of the answer does not pass. Whether the questions themselves are right is not seen here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from eval.cases import Case, Source, letters
from eval.metrics import ANSWER_SCORES, Score, Scorer, leg_scores, rank_of_source
from rag.errors import WeiceError
from rag.records import Record
from rag.schema import Article, Chunk, Issue

PROVEN = ("key_facts", "fully_correct", "citation_recall", "citation_precision", "evidence_cited")
"""The measures that the oracle must fill and that nothing else may."""
NEAR_ZERO = 0.1
"""What shuffled answers may reach by chance."""
_SPOTLESS = ("wrong_fact", "dead_link", "uncited_sentence", "false_answer", "false_refusal")

_FOREIGN = Case(
    "foreign",
    "factoid",
    "南极企鹅夏天吃什么？",
    (),
    (("南极磷虾",),),
    (),
    (Source("南极.txt", "企鹅的夏天", "南极企鹅在夏天主要吃南极磷虾。"),),
    True,
)
"""What no library of health policy holds: the shuffled answer where no other question is foreign enough."""


def prove(cases: Sequence[Case], scorers: Mapping[str, Scorer] = ANSWER_SCORES) -> None:
    """Raise `WeiceError`, naming measure and question, where a known answer does not get its known score."""
    answerable = [case for case in cases if case.answerable]
    for name in PROVEN:
        scorer = scorers[name]
        for case in answerable:
            _expect(name, case, "标准答案", scorer(case, oracle(case)), 1.0)
            _expect(name, case, "空答案", scorer(case, empty(case)), 0.0)
        shuffled = [scorer(case, oracle(other)) for case, other in zip(answerable, _others(answerable), strict=True)]
        mean = sum(score or 0.0 for score in shuffled) / len(shuffled) if shuffled else 0.0
        if mean > NEAR_ZERO:
            _fail(f"指标 {name} 给答非所问的答案打了 {mean:.2f} 分，应接近 0")
    for case in cases:
        for name in _SPOTLESS:
            _expect(name, case, "标准答案", scorers[name](case, oracle(case)), 0.0, None)
        if not case.answerable:
            _expect("false_answer", case, "空答案", scorers["false_answer"](case, empty(case)), 1.0)
    _prove_ranks(answerable)


def oracle(case: Case) -> Record:
    """The answer that says the first spelling of every fact and cites every quote; a refusal where none is."""
    if not case.answerable:
        return {**_record("资料中未找到与这个问题直接对应的内容。", ()), "verdict": "refused", "refused": True}
    return _record("；".join(fact[0] for fact in case.must) + "。", case.sources)


def empty(case: Case) -> Record:  # noqa: ARG001  # an answerer's shape
    """An answer, not a refusal, that says nothing."""
    return _record("", ())


def _record(text: str, sources: Iterable[Source]) -> Record:
    citations = [
        {"number": n, "file": s.file, "title": s.article, "section": "", "quote": s.quote, "text": s.quote}
        for n, s in enumerate(sources, start=1)
    ]
    sentences = [{"text": text, "citations": [c["number"] for c in citations], "support": "full"}] if text else []
    return {
        "answer": text,
        "verdict": "answered",
        "refused": False,
        "citations": citations,
        "sentences": sentences,
    }


def _others(cases: Sequence[Case]) -> list[Case]:
    """For each case another one that shares neither article nor fact with it."""
    return [
        next((o for o in (*cases[n + 1 :], *cases[:n]) if _is_foreign(case, o)), _FOREIGN)
        for n, case in enumerate(cases)
    ]


def _is_foreign(case: Case, other: Case) -> bool:
    articles = {letters(source.article) for source in case.sources}
    if any(letters(source.article) in articles for source in other.sources):
        return False
    said = oracle(other)["answer"]
    return not any(spelling in said for fact in case.must for spelling in fact)


def _prove_ranks(cases: Sequence[Case]) -> None:
    """A passage that is the evidence itself must count as found first of all, a foreign one never."""
    for who, foreign, due in (("标准段落", None, 1.0), ("无关段落", _FOREIGN.sources[0], 0.0)):
        ranks = [[rank_of_source(s, [_passage(foreign or s)]) for s in case.sources] for case in cases]
        for name, score in leg_scores(ranks).items():
            if cases and abs(score - due) > 1e-9:
                _fail(f"检索指标 {name} 给{who}打了 {score:.2f} 分，应为 {due:g}")


def _passage(source: Source) -> Chunk:
    return Chunk(Article(source.article, Issue(source.file), source.article, source.quote), 0, len(source.quote))


def _expect(name: str, case: Case, who: str, score: Score, *due: Score) -> None:
    if score not in due:
        _fail(f"题 {case.id} 的{who}在指标 {name} 上得 {_shown(score)}，应为 {_shown(due[0])}")


def _shown(score: Score) -> str:
    return "无值" if score is None else f"{score:g}"


def _fail(what: str) -> NoReturn:
    raise WeiceError(
        f"评测自检没有通过：{what}", "没有提问；请检查这道题的 must、must_not 和 sources，再检查 eval/metrics.py"
    )
