"""`from rag import …`: the names that other programs may rely on, and what they cost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import rag
from rag.errors import SettingsError, UsageError
from tests.builders import ROOT
from tests.test_readme import README
from tests.ui.standin import StandIn


def test_the_public_names_are_these():
    assert sorted(rag.__all__) == [
        "Answer", "Article", "Assistant", "Citation", "Evidence", "Filters", "Mode", "Sentence", "Support", "Turn",
        "Verdict", "WeiceError", "answer_record", "evidence_record",
    ]  # fmt: skip
    assert dir(rag) == rag.__all__
    for name in rag.__all__:
        assert getattr(rag, name).__name__ == name
    with pytest.raises(AttributeError):
        rag.nothing  # noqa: B018


def test_importing_it_imports_nothing_else():
    script = "import sys, rag; print(sorted(m for m in sys.modules if m.startswith(('rag.', 'pydantic', 'numpy'))))"
    said = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_a_wrong_setting_is_named():
    with pytest.raises(SettingsError, match="passages"):
        rag.Assistant(passages=0)


def test_a_wrong_scenario_is_named_before_anything_is_opened(tmp_path: Path):
    with rag.Assistant(data_dir=tmp_path, models_dir=tmp_path) as assistant, pytest.raises(UsageError, match="没有"):
        assistant.answer("问", scenario="没有")


@pytest.mark.model
def test_three_lines_answer_as_readme_says():
    """The lines of README, run as they stand there, but without LLM seconds."""
    start = README.index("from rag import Assistant")
    lines = README[start : README.index("```", start)].replace("Assistant()", "Assistant(use_llm=False)")
    assert len(lines.split("\n\n")) == 2, "an import, and what is done"
    assert len([line for line in lines.splitlines() if line]) == 3
    said = subprocess.run([sys.executable, "-c", lines], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "2000余家" in said.stdout


def test_wrong_filters_are_told_before_anything_is_opened(tmp_path: Path):
    with rag.Assistant(data_dir=tmp_path, models_dir=tmp_path) as assistant:
        for ask in (assistant.answer, assistant.stream, assistant.search):
            with pytest.raises(UsageError, match="日期不对：昨天。请写成 2025-02-11 这样"):
                ask("问", filters=rag.Filters(since="昨天"))  # type: ignore[operator]  # each takes it


def test_filters_hold_every_way_of_asking_to_what_they_name(tmp_path: Path):
    program = StandIn(tmp_path)
    assistant = rag.Assistant(data_dir=tmp_path, models_dir=tmp_path)
    assistant._app = program  # type: ignore[assignment]  # a small one with two articles
    fourth = rag.Filters(issues=("第4期",), since="2025/02/01")
    assistant.answer("问", filters=fourth)
    list(assistant.stream("问", filters=fourth))
    assistant.search("问", filters=rag.Filters(issues="第4期", since="2025-02-01"))  # type: ignore[arg-type]  # a slip
    assistant.answer("问")
    whole = rag.Filters(issues=("卫生健康信息动态2025年第4期（总第341期）",), since="2025-02-01")
    assert program.within == [whole, whole, whole, None]
    with pytest.raises(UsageError, match="没有期号“第9期”。可用：卫生健康信息动态2025年第4期"):
        assistant.search("问", filters=rag.Filters(issues=("第9期",)))


@pytest.mark.model
def test_it_searches_streams_and_lists():
    with rag.Assistant(use_llm=False) as assistant:
        found = assistant.search("厦门有多少家定点医药机构接进了即时结算系统？", k=3)
        assert len(found) == 3
        events = list(assistant.stream("厦门有多少家定点医药机构接进了即时结算系统？"))
        assert "2000余家" in events[-1].answer.citations[0].quote
        assert len(assistant.articles) >= 42
        viewpoint = rag.Filters(names=("本期视点",))
        for evidence in assistant.search("医保基金即时结算", filters=viewpoint):
            assert evidence.chunk.article.issue.name == "本期视点"
        told = assistant.answer("湖南中药材种了多少亩", filters=viewpoint)
        assert {c.article.issue.name for c in told.citations} <= {"本期视点"}
