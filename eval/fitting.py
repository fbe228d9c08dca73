"""Learns the weights of both rankers from labelled questions, and says by cross-validation what they are worth.

A listwise softmax over each question's candidates (ListNet's top-one loss; Cao et al. 2007, "Learning to Rank: From
Pairwise Approach to Listwise Approach"), drawn towards weights set by hand. Only questions of the development split
are ever given to it; thresholds are fitted in `eval.calibration`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from eval.cases import Case, load, select
from eval.metrics import Rank, first, hit, holds, mrr, rank_of_source
from eval.retrieval import as_text
from rag import whole
from rag.answer.assistant import Part
from rag.answer.ranking import FEATURES, SENTENCE_FEATURES, FeatureReranker, SentenceRanker
from rag.answer.retrieval import split
from rag.errors import StorageError, UsageError
from rag.ports import Vector

if TYPE_CHECKING:
    from rag.wiring import App

HAND: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "ranker": {"fused": 1.0, "sentence": 0.6, "chunk": 0.3, "context": 0.2},
        "sentence_ranker": {"found": 0.5, "own": 1.0, "held": 1.0, "nearby": 1.0, "shaped": 0.3},
    }
)
"""Weights set by hand, towards which the learned ones are drawn, by the setting that holds them."""
NAMES = MappingProxyType({"ranker": FEATURES, "sentence_ranker": SENTENCE_FEATURES})
TITLES = MappingProxyType({"ranker": "重排段落", "sentence_ranker": "挑句子"})
DRAWN = 0.03
"""How strongly: the weight of the squared distance in the loss."""
SHARPNESS = 6.0
"""What scores are multiplied by before the softmax: they differ by tenths."""
FOLDS = 8
HELD_OUT = "学得，交叉验证"

Weights = dict[str, float]


@dataclass(frozen=True, slots=True)
class Candidates:
    """What was found for one search: texts with features, shape (n, features), and which of them hold evidence."""

    features: Vector
    relevant: np.ndarray[tuple[int], np.dtype[np.bool_]]

    def rank(self, weights: Vector) -> Rank:
        """The rank of the first text that holds evidence where texts are ordered by `weights`."""
        order = np.argsort(-(self.features @ weights), kind="stable")
        return next((rank for rank, n in enumerate(order, start=1) if self.relevant[n]), None)


Asked = tuple[Candidates, ...]
"""A labelled question: the candidates of each of its searches."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Learned weights, and the figures of each way to order: hit@1, hit@5, hit@10, MRR."""

    name: str
    weights: Weights
    questions: int
    figures: dict[str, tuple[float, float, float, float]]


def development_cases(paths: Sequence[Path], *, unanswerable: bool = False) -> tuple[Case, ...]:
    """Return the questions that may be tuned on, with an answer or all: dev parts, and unsplit sets."""
    cases = [case for path in paths for case in _development(load(path)) if case.answerable or unanswerable]
    if not cases:
        raise UsageError("没有可以据以调整的题", "请给出有 dev 题或不分划分的题集")
    return tuple(cases)


def ask(app: App, cases: Sequence[Case], progress: Callable[[str, int, int], None]) -> dict[str, list[Asked]]:
    """Search for every case with the program's own legs and features; return what each ranker is given to order."""
    reranker = app.with_settings(reranker="features").reranker
    assert isinstance(reranker, FeatureReranker)  # noqa: S101  # what this setting makes
    assistant = app.assistant(use_llm=False)
    asked: dict[str, list[Asked]] = {name: [] for name in NAMES}
    for n, case in enumerate(cases):
        progress("检索", n, len(cases))
        parts = assistant.parts(case.question, case.history)
        searches = [one for part in parts for one in split(part.question)]
        asked["ranker"].append(tuple(_passages(app, reranker, one, case) for one in searches))
        asked["sentence_ranker"].append(tuple(_sentences(assistant.ranker, part, case) for part in parts))
    progress("检索", len(cases), len(cases))
    return asked


def fit(name: str, asked: Sequence[Asked]) -> Fit:
    """Learn from all questions; for the figures also from all but each of `FOLDS` parts, to order that part."""
    held_out: list[Rank] = [None] * len(asked)
    for fold in np.array_split(np.random.default_rng(0).permutation(len(asked)), FOLDS):
        others = sorted(set(range(len(asked))) - set(fold.tolist()))
        learned = _learn(name, [asked[n] for n in others])
        for n in fold.tolist():
            held_out[n] = _first(name, asked[n], learned)
    weights = _learn(name, asked)
    ways = {"第一个特征": dict.fromkeys(NAMES[name][:1], 1.0), "手定权重": HAND[name], "学得，同一批题": weights}
    figures = {way: _figures([_first(name, a, given) for a in asked]) for way, given in ways.items()}
    return Fit(name, weights, len(asked), {**figures, HELD_OUT: _figures(held_out)})


def render(result: Fit) -> str:
    """Return the figures and the weights as tables of text."""
    table = Table(title=f"{TITLES[result.name]}（{result.questions} 题）")
    for heading in ("次序", "命中@1", "命中@5", "命中@10", "MRR"):
        table.add_column(heading)
    for name, (one, five, ten, reciprocal) in result.figures.items():
        table.add_row(name, f"{one:.1%}", f"{five:.1%}", f"{ten:.1%}", f"{reciprocal:.3f}")
    weights = "，".join(f"{name} {weight:.2f}" for name, weight in result.weights.items())
    return f"{as_text(table)}权重：{weights}\n"


def write(path: Path, result: Fit, command: str) -> None:
    """Put the weights into the calibration file with date, command and figures; its other tables stay."""
    one, five, ten, reciprocal = result.figures[HELD_OUT]
    told = (
        f"{result.questions} 题，{FOLDS} 折交叉验证 命中@1 {one:.3f} @5 {five:.3f} @10 {ten:.3f} MRR {reciprocal:.3f}"
    )
    values = "\n".join(f"{name} = {weight:.2f}" for name, weight in result.weights.items())
    head = f"# {dt.date.today().isoformat()} {command}\n# {told}\n[{result.name}]"
    replace_table(path, result.name, f"{head}\n{values}")


def replace_table(path: Path, name: str, block: str) -> None:
    """Put `block` in the place of the TOML table `name`, whose comments stand right above it; write whole or not."""
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n") if path.exists() else []
    kept = [old for old in blocks if f"[{name}]" not in old.splitlines()]
    try:
        whole.write_text(path, "\n\n".join([*kept, block]) + "\n")
    except OSError as error:
        raise StorageError(f"写不进 {path}（{error.strerror}）", "请检查权限") from error


def _development(cases: Sequence[Case]) -> Sequence[Case]:
    return select(cases, "dev") if any(case.split for case in cases) else cases


def _passages(app: App, reranker: FeatureReranker, question: str, case: Case) -> Candidates:
    evidence = app.retriever.candidates(question)
    relevant = [any(rank_of_source(s, [e.chunk]) for s in case.sources) for e in evidence]
    return Candidates(reranker.features(question, evidence), np.array(relevant, bool))


def _sentences(ranker: SentenceRanker, part: Part, case: Case) -> Candidates:
    passages, features = ranker.features(part.question, part.evidence)
    relevant = [any(holds(s.quote, p.text) or holds(p.text, s.quote) for s in case.sources) for p in passages]
    return Candidates(features, np.array(relevant, bool))


def _first(name: str, asked: Asked, weights: Mapping[str, float]) -> Rank:
    """The best rank of evidence among a question's searches."""
    return first([search.rank(_as_array(name, weights)) for search in asked])


def _learn(name: str, asked: Sequence[Asked]) -> Weights:
    from scipy.optimize import minimize

    searches = [s for of_question in asked for s in of_question if s.relevant.any()]
    start = _as_array(name, HAND[name])

    def loss(w: Vector) -> tuple[float, Vector]:
        value, gradient = DRAWN * float(((w - start) ** 2).sum()), 2 * DRAWN * (w - start)
        for s in searches:
            scores = SHARPNESS * (s.features @ w)
            share = np.exp(scores - scores.max())
            share /= share.sum()
            right = share[s.relevant].sum() + 1e-12
            value -= float(np.log(right)) / len(searches)
            wanted = np.where(s.relevant, share / right, 0.0)
            gradient = gradient - SHARPNESS * ((wanted - share) @ s.features) / len(searches)
        return value, gradient

    found = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return {feature: round(float(weight), 2) for feature, weight in zip(NAMES[name], found, strict=True)}


def _as_array(name: str, weights: Mapping[str, float]) -> Vector:
    return np.array([weights.get(feature, 0.0) for feature in NAMES[name]])


def _figures(ranks: Sequence[Rank]) -> tuple[float, float, float, float]:
    return hit(ranks, 1), hit(ranks, 5), hit(ranks, 10), mrr(ranks)
