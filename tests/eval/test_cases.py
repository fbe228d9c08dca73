"""The development questions against the newsletters they were read from, and what `load` refuses."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from eval.cases import Case, load, squash
from rag.errors import UsageError
from rag.schema import Turn

ROOT = Path(__file__).resolve().parents[2]
DEV = ROOT / "eval" / "datasets" / "dev.jsonl"
NUMBER = re.compile(r"\d+(?:\.\d+)?")


@pytest.fixture(scope="module")
def cases() -> tuple[Case, ...]:
    return load(DEV)


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    return {path.name: squash(path.read_text(encoding="utf-8")) for path in (ROOT / "seeds").glob("*.txt")}


def test_the_development_set_has_64_questions_of_the_planned_types(cases: tuple[Case, ...]) -> None:
    assert Counter(case.type for case in cases) == {
        "factoid": 30,
        "list": 7,
        "comparison": 6,
        "summary": 4,
        "multi": 4,
        "temporal": 3,
        "followup": 6,
        "unanswerable": 4,
    }
    assert len({case.id for case in cases}) == len({case.question for case in cases}) == 64


def test_every_quote_stands_in_its_newsletter(cases: tuple[Case, ...], printed: dict[str, str]) -> None:
    sources = [source for case in cases for source in case.sources]
    assert [s.quote for s in sources if squash(s.quote) not in printed[s.file]] == []
    assert [s.article for s in sources if squash(s.article) not in printed[s.file]] == []


def test_the_questions_reach_all_five_files_and_all_42_articles(cases: tuple[Case, ...]) -> None:
    articles = {(source.file, source.article) for case in cases for source in case.sources}
    assert Counter(file[:3] for file, _ in articles) == {"000": 6, "001": 6, "002": 10, "003": 10, "004": 10}


def test_every_numeric_fact_has_a_spelling_whose_digits_stand_in_a_quote(cases: tuple[Case, ...]) -> None:
    for case in cases:
        quotes = " ".join(squash(source.quote) for source in case.sources)
        quoted = set(NUMBER.findall(quotes))
        for fact in case.must:
            numbers = [set(NUMBER.findall(spelling)) for spelling in fact]
            in_digits = any(found and found <= quoted for found in numbers)
            in_words = any(spelling in quotes for spelling in fact)
            assert in_digits or in_words or not any(numbers), (case.id, fact)


def test_every_fact_in_words_has_a_spelling_that_stands_in_its_newsletter(
    cases: tuple[Case, ...], printed: dict[str, str]
) -> None:
    for case in cases:
        files = "".join(printed[name] for name in {source.file for source in case.sources})
        for fact in case.must:
            assert any(spelling in files for spelling in fact), (case.id, fact)


def test_only_followups_have_a_history_and_only_multi_questions_need_two_articles(
    cases: tuple[Case, ...],
) -> None:
    for case in cases:
        assert bool(case.history) == (case.type == "followup"), case.id
        if case.type == "multi":
            assert len({source.article for source in case.sources}) > 1, case.id


def test_the_acceptance_questions_are_not_in_the_development_set(cases: tuple[Case, ...]) -> None:
    quotes = squash("".join(source.quote for case in cases for source in case.sources))
    for answer in ("2000余家定点医药机构", "242419", "39间全数字化手术室", "485万亩"):
        assert answer not in quotes


def test_squash_removes_whitespace_and_bold_marks_only() -> None:
    assert squash(" 全省 117 个县\n\n**实现　覆盖**。*") == "全省117个县实现覆盖。*"


def record(**changes: object) -> str:
    whole: dict[str, object] = {
        "id": "a",
        "type": "followup",
        "question": "那甘肃呢",
        "history": [{"user": "问", "assistant": "答"}],
        "must": [["926.9亿", "927亿"]],
        "must_not": ["1500亿"],
        "sources": [{"file": "003.txt", "article": "题", "quote": "规模 926.9 亿元"}],
        "answerable": True,
    }
    whole.update(changes)
    return json.dumps({key: value for key, value in whole.items() if value is not None}, ensure_ascii=False)


def test_a_line_becomes_a_case_with_tuples_and_turns(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(record() + "\n\n", encoding="utf-8")
    (case,) = load(path)
    assert case.history == (Turn("问", "答"),)
    assert case.must == (("926.9亿", "927亿"),)
    assert case.sources[0].quote == "规模 926.9 亿元"


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ('{"id": "b", ', "第 2 行不是完整的 JSON"),
        ('["b"]', "第 2 行不是一道题"),
        (record(id="b", question=None), "第 2 行缺少字段 question"),
        (record(id="b", sources=[{"file": "f", "article": "t"}]), "第 2 行缺少字段 sources.0.quote"),
        (record(id="b", type="riddle"), "第 2 行的字段 type 的值不对"),
        (record(id="b", question=" "), "第 2 行的字段 question 的值不对"),
        (record(id="b", answerable="yes"), "第 2 行的字段 answerable 的值不对"),
        (record(id="b", must=[[]]), "第 2 行的字段 must 里有空的一项"),
        (record(id="b", must=[]), "第 2 行的字段 must 与 answerable 不符"),
        (record(id="b", must=[], answerable=False), "第 2 行的字段 sources 与 answerable 不符"),
        (record(), "第 2 行的字段 id 与第 1 行重复：a"),
    ],
)
def test_a_wrong_line_is_refused_by_number_and_field(tmp_path: Path, second: str, told: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(f"{record()}\n{second}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(told)):
        load(path)


def test_an_empty_or_missing_or_foreign_file_is_refused(tmp_path: Path) -> None:
    empty, foreign = tmp_path / "empty.jsonl", tmp_path / "foreign.jsonl"
    empty.write_text("\n \n", encoding="utf-8")
    foreign.write_bytes("问题".encode("gbk"))
    with pytest.raises(UsageError, match="是空的"):
        load(empty)
    for path in (foreign, tmp_path / "none.jsonl"):
        with pytest.raises(UsageError, match="读不出来"):
            load(path)
