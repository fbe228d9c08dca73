"""Tells what each way to choose quotes is worth: `python -m eval.bench.quoting`, on the development questions.

Every question is answered in quotes with all ways on, then with one of them off after the other, in one run and
without an LLM; `--only` names some of them. Nothing is asserted; questions of a test split are never asked.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from eval.cases import Case
from eval.fitting import development_cases
from eval.metrics import answer_scores
from rag.answer import (
    assistant,
    expected,
    kinds,
    measures,
    nearest,
    question,
    quoting,
    reading,
    relevance,
    selection,
    typos,
)
from rag.answer.citing import Passage
from rag.answer.kinds import Kind
from rag.answer.selection import Selection
from rag.corpus.places import places
from rag.records import answer_record
from rag.settings import ROOT
from rag.settings import load as load_settings
from rag.wiring import App

DATASETS = ROOT / "eval" / "datasets"
NAMES = tuple(
    f"{name}.jsonl"
    for name in (
        "dev",
        "newsletters",
        "more",
        "fresh",
        "third",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
        "eleventh",
        "twelfth",
    )
)
"""Those with development questions."""
SCORES = {
    "fully_correct": "完全答对",
    "key_facts": "要点",
    "citation_recall": "引用查全",
    "citation_precision": "引用查准",
    "evidence_cited": "证据引到",
    "false_refusal": "误拒",
    "false_answer": "没有而答",
}
NEVER = 99.0
"""A threshold that nothing reaches."""


def _only_the_best(_: Kind, __: str, ranked: Sequence[Any], ___: Any) -> Selection:
    return Selection((ranked[0].passage,), (ranked[0].passage,)) if ranked else Selection()


def _is_headed_elsewhere(named: set[str], passage: Passage) -> bool:
    home = set(places(passage.context))
    return bool(named and home) and named.isdisjoint(home)


def _any_firm(kind: str, text: str, named: Any = relevance._names_one) -> bool:
    return kind[-2:] in relevance._FIRMS or named(kind, text)


_NEW_UNITS = frozenset("个例次回倍岁")
_NEWLY_EXPECTED = frozenset({"姓名", "期号", "页码"})

OFF: Sequence[tuple[str, Any, str, Any]] = (
    ("只有最好的一句", reading, "select", _only_the_best),
    ("不整段列举", selection, "enumeration_for", lambda *_: None),
    ("列举之外不再摘句", selection, "CLOSE", NEVER),
    ("比较不分各方", selection, "sides", lambda _: ()),
    ("不带相邻的句子", selection, "RUN", NEVER),
    ("概括不列小标题", selection, "HALF", NEVER),
    ("别的文章同样放宽", selection, "OTHER", 0.0),
    ("只按得分，不看补全", selection, "NEW", 0.0),
    ("列举、概括不加意思最近的几句", reading, "NEAREST", 0),
    ("不加第二近的一段", nearest, "SECOND", -1),
    ("比较、逐项问数不加最近的几句", reading, "SEVERAL", 0),
    ("不找写着所问之数的一句", selection, "_stating", lambda *_: []),
    ("不往后找所问的数", reading, "FOLLOWING", 0),
    ("不带所指的前一句", reading, "_REFERS", re.compile(r"(?!)")),
    ("不注明地方", quoting, "_home", lambda _: None),
    ("一项里的小列举不展开", nearest, "_unfolded", lambda spans, _: spans),
    ("也照录谁在讲的一行", reading, "_WHO", re.compile("")),
    ("几个地方的不逐个问", assistant, "of_each", lambda asked: (asked,)),
    ("命令也当问题", assistant, "without_orders", str),
    ("以为的也要写到", relevance, "without_premises", str),
    ("张冠李戴的不指出", assistant, "misplaced", lambda *_: ()),
    ("说定的年份、名称不改问", assistant, "without_claims", str),
    ("除了某地仍只看某地", assistant, "without_exceptions", str),
    ("问哪些地方照列举的办法摘", selection, "asks_where", lambda _: False),
    ("问哪些地方少说所问的也录", selection, "NAMED", -1.0),
    ("问哪些地方只读八段", assistant, "EVERYWHERE", 1),
    ("两篇文章不分开问", assistant, "of_each_article", lambda asked: (asked,)),
    ("新增的也算总数", measures, "_ASKS_ALL", re.compile(r"(?!)")),
    ("更大范围的数也算", relevance, "_of_wider", lambda *_: []),
    ("时段不必写到", relevance, "_stretches", lambda *_: []),
    ("名次不必写到", relevance, "_rank", lambda *_: []),
    ("哪些地方不必写着地方", relevance, "_where", lambda *_: []),
    ("力争的也算实际", measures, "_ASKS_DONE", re.compile(r"(?!)")),
    ("已经落地几项算列举", kinds, "_HOW_MANY", re.compile(r"(?!)")),
    ("除了的地方也录", assistant, "excepted", lambda _: frozenset()),
    ("前几个月的不先看", reading, "stretches", lambda _: frozenset()),
    ("湖南多少、全国多少不算比较", kinds, "_AND_NATION", re.compile(r"(?!)")),
    ("城市不换掉前一问的省", question, "cities", lambda _: ()),
    ("外文名开头的仍接着前一问", question, "_LATIN", re.compile(r"(?!)")),
    ("虚词旁边也改错字", typos, "_APART", frozenset()),
    ("不注明医院", quoting, "_TITLED", re.compile(r"(?!)")),
    ("没写全国的不算全国一方", selection, "NATIONAL", re.compile(r"(?!)")),
    ("题目里的年份不算", reading, "titled", lambda _: None),
    ("列举里别的年份也录", reading, "_told_of", lambda _, quotes: tuple(quotes)),
    ("别的地区只看标题", reading, "_is_elsewhere", _is_headed_elsewhere),
    ("只问城市的不去掉别的地区", reading, "_speaks_of", lambda *_: False),
    ("几个地方之外全国不算一方", selection, "_NATIONAL_SIDE", re.compile(r"(?!)")),
    (
        "几个、几例、几次什么数都算",
        measures,
        "_UNITS",
        {u: w for u, w in measures._UNITS.items() if u not in _NEW_UNITS},
    ),
    ("多少市民什么数都算", measures, "_PEOPLE", re.compile(r"(?!)")),
    ("别的年份后面的数也算", relevance, "_of_another_year", lambda *_: []),
    ("开头是别的城市的也算", relevance, "OPENING", 0),
    ("不必写公司名", relevance, "_names_one", _any_firm),
    ("不必写姓名、期号", expected, "EXPECTED", tuple(e for e in expected.EXPECTED if e.name not in _NEWLY_EXPECTED)),
    ("最便宜的不必写到", relevance, "_untold_least", lambda *_: []),
    ("省里的一个市也算比较", kinds, "_is_within", lambda *_: False),
    ("拒：不看地方", relevance.Relevance, "_places", lambda *_: []),
    ("拒：不看同类的词", relevance.Relevance, "_terms", lambda *_: []),
    ("拒：不看合不合问的数", relevance.Relevance, "_count", lambda *_: []),
    ("拒：不看数的是什么", relevance.Relevance, "_speaks_of", lambda *_: True),
    ("拒：不看数的是哪类机构", relevance, "_is_counted", lambda *_: None),
    ("拒：不看年份", relevance, "_years", lambda *_: []),
    ("拒：不看单位", relevance, "_institutions", lambda *_: []),
    ("拒：不看名称", relevance, "_named", lambda *_: []),
    ("拒：不看引号里的", relevance, "_quoted", lambda *_: []),
    ("拒：不看第几批", relevance, "_ordinals", lambda *_: ()),
    ("拒：不看日期、金额、人名", relevance, "unstated", lambda *_: ()),
    ("拒：比较不必有数", relevance, "_uncounted", lambda *_: []),
)
"""What is switched off: its name, where it is, and what stands there instead."""


@contextmanager
def switched(where: Any, name: str, value: Any) -> Iterator[None]:
    """Put `value` in the place of a module's `name` for a while."""
    before = getattr(where, name)
    setattr(where, name, value)
    try:
        yield
    finally:
        setattr(where, name, before)


def measure(app: App, cases: Sequence[Case]) -> list[float]:
    """Return the mean of each of `SCORES` over the questions, answered in quotes."""
    quotes = app.assistant(use_llm=False)
    rows = []
    for case in cases:
        scores = answer_scores(case, answer_record(quotes.answer(case.question, case.history), case.id))
        rows.append([np.nan if scores[name] is None else float(scores[name] or 0.0) for name in SCORES])
    return [float(mean) for mean in np.nanmean(np.array(rows), axis=0)]


def main() -> None:
    """Answer, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="*", type=Path, default=[DATASETS / name for name in NAMES])
    parser.add_argument("--only", action="append", help="只关掉名称里有这几个字的办法，可以写几次")
    args = parser.parse_args()
    cases = development_cases(args.datasets, unanswerable=True)
    app = App(load_settings())
    table = Table(title=f"摘录的各种办法（{len(cases)} 题，不用大模型）")
    for heading in ("关掉的办法", *SCORES.values()):
        table.add_column(heading)
    table.add_row("都开着", *(f"{value:.1%}" for value in measure(app, cases)))
    for label, where, name, value in OFF:
        if args.only and not any(part in label for part in args.only):
            continue
        with switched(where, name, value):
            table.add_row(label, *(f"{mean:.1%}" for mean in measure(app, cases)))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
