"""The same figure in several articles, side by side, from question to answer over a real index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rag.answer.extracting import Extraction
from rag.schema import Answer
from rag.testing import ScriptedGenerator
from tests.builders import assistant, built

OLD = "# 养老服务简报（冬）\n\n2024年12月20日\n\n截至2024年11月底，全市共有养老机构312家，床位4.1万张。"
NEW = "# 养老服务简报（夏）\n\n2025年6月10日\n\n到今年5月底，全市共有养老机构325家，床位4.3万张。"
ASKED = "全市共有多少家养老机构？"


@pytest.fixture
def answered(tmp_path: Path) -> Callable[..., Answer]:
    def ask(question: str = ASKED, copied: str = "", **files: str) -> Answer:
        index = built(tmp_path, **files)
        llm = ScriptedGenerator(copied) if copied else None
        return assistant(index, llm, Extraction(llm, 0.0) if llm else None).answer(question)

    return ask


def test_figures_that_differ_are_told_newest_first_with_their_dates(answered) -> None:
    answer = answered(old=OLD, new=NEW)
    assert answer.text.index("325家") < answer.text.index("312家")
    assert len({c.article.id for c in answer.citations}) == 2
    assert "不同，新的在前：325家（2025年5月）、312家（2024年11月）" in answer.reason


@pytest.mark.parametrize("copied", ["312家", "325家"])
def test_a_copied_figure_does_not_hide_the_other(answered, copied: str) -> None:
    answer = answered(copied=copied, old=OLD, new=NEW)
    assert answer.text.index("325家") < answer.text.index("312家")
    assert "不同" in answer.reason


def test_figures_that_agree_are_said_to(answered) -> None:
    answer = answered(old=OLD, new=NEW.replace("325", "312"))
    assert "这个数资料里有2处，一致" in answer.reason


@pytest.mark.parametrize(
    "other",
    [
        NEW.replace("全市共有养老机构", "全市共有托育机构"),
        NEW.replace("325家", "325名"),
        "# 海南养老\n\n到2025年5月底，海南省共有养老机构325家，床位4.3万张。",
    ],
)
def test_another_thing_another_measure_and_another_region_are_other_figures(answered, other: str) -> None:
    assert "这个数" not in answered(old=OLD, new=other).reason


def test_the_year_that_is_asked_for_leaves_the_other_one_out(answered) -> None:
    answer = answered("2024年全市共有多少家养老机构？", old=OLD, new=NEW)
    assert "312家" in answer.text
    assert "325家" not in answer.text


def test_this_year_is_that_of_the_newest_issue_and_is_told(answered) -> None:
    answer = answered("今年全市共有多少家养老机构？", old=OLD, new=NEW)
    assert "325家" in answer.text
    assert "312家" not in answer.text
    assert "“今年”指2025年（2025-06-10刊）" in answer.reason


def test_a_wrong_number_in_the_question_is_told_with_the_answer(answered) -> None:
    answer = answered("全市为什么有500家养老机构？", old=OLD)
    assert "312家" in answer.text
    assert "问题里说的“500家”与资料不符，引文写的是“312家”" in answer.reason
