"""Learns the weights of the reranker from labelled questions, and says by cross-validation what they are worth.

A listwise softmax over each question's candidates (ListNet's top-one loss; Cao et al. 2007, "Learning to Rank: From
Pairwise Approach to Listwise Approach"), drawn towards weights set by hand. Only questions of the development split
are ever given to it; thresholds are fitted in `eval.calibration`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from eval.cases import Case, load, select
from eval.metrics import Rank, first, hit, mrr, rank_of_source
from eval.retrieval import as_text
from rag.answer.question import normalise, standalone
from rag.answer.ranking import FEATURES, FeatureReranker
from rag.answer.retrieval import interleave, split
from rag.errors import StorageError, UsageError
from rag.ports import Vector
from rag.schema import Evidence

if TYPE_CHECKING:
    from rag.wiring import App

HAND = {"fused": 1.0, "sentence": 0.6, "chunk": 0.3, "context": 0.2}
"""Weights set by hand, towards which the learned ones are drawn."""
DRAWN = 0.03
"""How strongly: the weight of the squared distance in the loss."""
SHARPNESS = 6.0
"""What scores are multiplied by before the softmax: they differ by tenths."""
FOLDS = 8

Weights = dict[str, float]


@dataclass(frozen=True, slots=True)
class Candidates:
    """What was found for one search: the passages, their features, shape (n, features), and which hold evidence."""

    evidence: tuple[Evidence, ...]
    features: Vector
    relevant: np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A labelled question with the candidates of each of its searches."""

    case: Case
    searches: tuple[Candidates, ...]

    def ranks(self, weights: Weights) -> list[Rank]:
        """The rank of each piece of evidence where passages are ordered by `weights`."""
        w = _as_array(weights)
        lists = [[s.evidence[n] for n in np.argsort(-(s.features @ w), kind="stable")] for s in self.searches]
        passages = [e.chunk for e in interleave(lists, 10)]
        return [rank_of_source(source, passages) for source in self.case.sources]


@dataclass(frozen=True, slots=True)
class Fit:
    """Learned weights, and the figures of each way to order: hit@1, hit@5, hit@10, MRR."""

    weights: Weights
    questions: int
    figures: dict[str, tuple[float, float, float, float]]


def development_cases(paths: Sequence[Path]) -> tuple[Case, ...]:
    """Return the answerable questions that may be tuned on: a split dataset's dev part, else all of it."""
    cases = [case for path in paths for case in _development(load(path)) if case.answerable]
    if not cases:
        raise UsageError("没有可以据以调整的题", "请给出有 dev 题或不分划分的题集")
    return tuple(cases)


def ask(app: App, cases: Sequence[Case], progress: Callable[[str, int, int], None]) -> tuple[Asked, ...]:
    """Search for every case with the program's own legs and features."""
    reranker = app.with_settings(reranker="features").reranker
    assert isinstance(reranker, FeatureReranker)  # noqa: S101  # what this setting makes
    asked = []
    for n, case in enumerate(cases):
        progress("检索", n, len(cases))
        question = standalone(normalise(case.question), case.history)
        asked.append(Asked(case, tuple(_candidates(app, reranker, part, case) for part in split(question))))
    progress("检索", len(cases), len(cases))
    return tuple(asked)


def fit(asked: Sequence[Asked]) -> Fit:
    """Learn from all questions; for the figures also from all but each of `FOLDS` parts, to order that part."""
    held_out: list[Rank] = [None] * len(asked)
    for fold in np.array_split(np.random.default_rng(0).permutation(len(asked)), FOLDS):
        others = sorted(set(range(len(asked))) - set(fold.tolist()))
        learned = _learn([asked[n] for n in others])
        for n in fold.tolist():
            held_out[n] = first(asked[n].ranks(learned))
    weights = _learn(asked)
    ways = {"融合，不重排": {"fused": 1.0}, "手定权重": HAND, "学得权重，同一批题": weights}
    figures = {name: _figures([first(a.ranks(way)) for a in asked]) for name, way in ways.items()}
    return Fit(weights, len(asked), {**figures, "学得权重，交叉验证": _figures(held_out)})


def render(result: Fit) -> str:
    """Return the figures and the weights as tables of text."""
    table = Table(title=f"重排权重（{result.questions} 题）")
    for heading in ("次序", "命中@1", "命中@5", "命中@10", "MRR"):
        table.add_column(heading)
    for name, (one, five, ten, reciprocal) in result.figures.items():
        table.add_row(name, f"{one:.1%}", f"{five:.1%}", f"{ten:.1%}", f"{reciprocal:.3f}")
    weights = "，".join(f"{name} {weight:.2f}" for name, weight in result.weights.items())
    return f"{as_text(table)}权重：{weights}\n"


def write(path: Path, result: Fit, command: str) -> None:
    """Put the weights into the calibration file with date, command and figures; its other tables stay."""
    one, five, ten, reciprocal = result.figures["学得权重，交叉验证"]
    told = (
        f"{result.questions} 题，{FOLDS} 折交叉验证 命中@1 {one:.3f} @5 {five:.3f} @10 {ten:.3f} MRR {reciprocal:.3f}"
    )
    values = "\n".join(f"{name} = {weight:.2f}" for name, weight in result.weights.items())
    replace_table(path, "ranker", f"# {dt.date.today().isoformat()} {command}\n# {told}\n[ranker]\n{values}")


def replace_table(path: Path, name: str, block: str) -> None:
    """Put `block` in the place of the TOML table `name`, whose comments stand right above it; write whole or not."""
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n") if path.exists() else []
    kept = [old for old in blocks if f"[{name}]" not in old.splitlines()]
    beside = path.with_suffix(".new")
    try:
        beside.write_text("\n\n".join([*kept, block]) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise StorageError(f"写不进 {path}（{error.strerror}）", "请检查权限") from error


def _development(cases: Sequence[Case]) -> Sequence[Case]:
    return select(cases, "dev") if any(case.split for case in cases) else cases


def _candidates(app: App, reranker: FeatureReranker, question: str, case: Case) -> Candidates:
    evidence = tuple(app.retriever.candidates(question))
    relevant = np.array([any(rank_of_source(s, [e.chunk]) for s in case.sources) for e in evidence], bool)
    return Candidates(evidence, reranker.features(question, evidence), relevant)


def _learn(asked: Sequence[Asked]) -> Weights:
    from scipy.optimize import minimize

    searches = [s for a in asked for s in a.searches if s.relevant.any()]
    start = _as_array(HAND)

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
    return {name: round(float(weight), 2) for name, weight in zip(FEATURES, found, strict=True)}


def _as_array(weights: Weights) -> Vector:
    return np.array([weights.get(name, 0.0) for name in FEATURES])


def _figures(ranks: Sequence[Rank]) -> tuple[float, float, float, float]:
    return hit(ranks, 1), hit(ranks, 5), hit(ranks, 10), mrr(ranks)
