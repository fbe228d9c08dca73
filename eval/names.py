"""What the figures of evaluation are called in Chinese, and in which order they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from eval.cases import CASE_TYPES

Outcome = Literal["right", "part", "wrong", "error", "none"]


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is shown; `better` is 1 where more is better, -1 where less is, 0 where neither."""

    label: str
    better: int
    meaning: str


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "fully_correct": Metric("完全答对", 1, "要点说全，没有错话，没有误拒"),
        "key_facts": Metric("要点齐全", 1, "应有要点中说到的比例"),
        "wrong_fact": Metric("说了错话", -1, "出现不该有的说法"),
        "citation_recall": Metric("引用查全", 1, "应引文章中引到的比例"),
        "citation_precision": Metric("引用查准", 1, "引用文章中确是来源的比例"),
        "evidence_cited": Metric("证据引到", 1, "证据原句在引用内容里的比例"),
        "dead_link": Metric("失效引用", -1, "引文不在所引原文中的比例"),
        "uncited_sentence": Metric("无引用句", -1, "没有引用的句子比例"),
        "numbers_grounded": Metric("数字有据", 1, "数字在引用内容（含该期日期）里的比例"),
        "names_grounded": Metric("地名有据", 1, "地名在引用内容里的比例"),
        "refused": Metric("拒答", 0, "回答“资料中未找到”的比例"),
        "false_answer": Metric("该拒未拒", -1, "资料中没有却作答的比例"),
        "false_refusal": Metric("误拒", -1, "资料中有却拒答的比例"),
        "evidence_hit@1": Metric("证据命中@1", 1, "第 1 段就是证据"),
        "evidence_hit@3": Metric("证据命中@3", 1, "前 3 段里有证据"),
        "evidence_hit@5": Metric("证据命中@5", 1, "前 5 段里有证据"),
        "evidence_hit@10": Metric("证据命中@10", 1, "前 10 段里有证据"),
    }
)
"""Every metric of a question in the order of a report; a rank is one of the whole retrieval."""

LEGS = MappingProxyType(
    {
        "words": "只用关键词",
        "dense": "只用向量",
        "sentences": "只用句向量",
        "fused": "融合",
        "reranked": "融合并重排",
    }
)
TIMES = MappingProxyType({"total_s": "全部完成", "first_token_s": "第一个字", "retrieve_s": "检索"})
VERDICTS = MappingProxyType(
    {"answered": "已回答", "partial": "部分回答", "refused": "资料中未找到", "error": "出错", "none": "只测检索"}
)
OUTCOMES: Mapping[Outcome, tuple[str, str]] = MappingProxyType(
    {
        "right": ("对", "right"),
        "part": ("部分对", "part"),
        "wrong": ("错", "wrong"),
        "error": ("出错", "wrong"),
        "none": ("未评", "none"),
    }
)
"""What an outcome is called and how it looks."""
_TYPES: Mapping[str, str] = MappingProxyType(dict(CASE_TYPES.items()))


def metric(name: str) -> Metric:
    """How `name` is shown; a name that is not known here stands for itself."""
    return METRICS.get(name, Metric(name, 0, ""))


def type_label(name: str) -> str:
    """The Chinese name of a question type."""
    return _TYPES.get(name, name)


def type_order(name: str) -> tuple[int, str]:
    """A key that sorts names in the order of the question types, anything else by name behind them."""
    order = list(_TYPES)
    return (order.index(name) if name in order else len(order), name)
