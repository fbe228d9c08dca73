"""The golden questions: enough of each kind, every quote in the seeds, every numeric fact in its quotes."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rag.corpus.articles import parse
from rag.corpus.readers import read
from rag.schema import Article
from tests.builders import ROOT, SEEDS

GOLDEN = [
    json.loads(line)
    for line in (ROOT / "eval" / "datasets" / "newsletters.jsonl").read_text(encoding="utf-8").splitlines()
]
SHARES = {
    "factoid": 0.40,
    "list": 0.10,
    "comparison": 0.10,
    "summary": 0.08,
    "multi": 0.08,
    "temporal": 0.05,
    "followup": 0.09,
    "unanswerable": 0.08,
    "adversarial": 0.02,
}


def bare(text: str) -> str:
    return re.sub(r"\s|\*\*", "", text)


@cache
def articles(path: Path) -> tuple[Article, ...]:
    return parse(path.name, read(path)).articles


@cache
def body(file: str) -> str:
    return bare("".join(article.text + (article.source or "") for article in articles(SEEDS / file)))


def digits(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:\.\d+)?", bare(text)))


def test_there_are_enough_questions_and_no_id_stands_twice() -> None:
    assert len(GOLDEN) >= 240
    assert max(Counter(case["id"] for case in GOLDEN).values()) == 1


@pytest.mark.parametrize("kind", SHARES)
def test_each_type_has_its_share(kind: str) -> None:
    share = sum(case["type"] == kind for case in GOLDEN) / len(GOLDEN)
    assert abs(share - SHARES[kind]) <= 0.015


def test_each_type_is_split_in_halves() -> None:
    for kind in SHARES:
        splits = Counter(case["split"] for case in GOLDEN if case["type"] == kind)
        assert set(splits) == {"dev", "test"}
        assert abs(splits["dev"] - splits["test"]) <= 2


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["id"])
def test_every_quote_stands_in_its_file_and_every_number_in_its_quotes(case: dict[str, Any]) -> None:
    quotes = [source["quote"] for source in case["sources"]]
    for source in case["sources"]:
        assert bare(source["quote"]) in body(source["file"])
    for spellings in case["must"]:
        numeric = [s for s in spellings if digits(s)]
        printed = any(bare(s) in bare("，".join(quotes)) for s in spellings)
        if len(numeric) * 2 > len(spellings) and not printed:
            assert any(digits(s) <= digits("，".join(quotes)) for s in numeric), spellings
    assert case["answerable"] == (case["type"] != "unanswerable") == bool(case["sources"]) == bool(case["must"])


def test_every_article_and_most_of_the_provinces_are_asked_about() -> None:
    asked = {(source["file"], bare(source["article"])) for case in GOLDEN for source in case["sources"]}
    there = {(path.name, bare(a.title)) for path in SEEDS.glob("*.txt") for a in articles(path)}
    assert there <= asked
    round_up = next(a for a in articles(next(SEEDS.glob("003*"))) if "32位地方主任局长" in a.title)
    provinces = {
        section.heading
        for section in round_up.sections
        if section.level == 1
        and any(
            bare(source["quote"]) in bare(round_up.text[section.start : section.end])
            for case in GOLDEN
            for source in case["sources"]
        )
    }
    assert len(provinces) >= 20


def test_no_question_is_also_among_the_early_development_questions() -> None:
    early = (ROOT / "eval" / "datasets" / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    assert not {json.loads(line)["question"] for line in early} & {case["question"] for case in GOLDEN}
