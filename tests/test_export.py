"""Answers as Markdown and plain text: bracketed references, tables, and nothing of others' text as markup."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from rag.errors import StorageError, UsageError
from rag.export import Paragraph, Table, as_markdown, as_text, blocks, confidence, exported, marks, note
from rag.records import Record, answer_record
from rag.schema import Verdict
from tests.batch.lists import QUOTE, answered

REFERENCE = "《卫生健康信息动态》2025年第4期（总第341期），《医保基金即时结算》，新华社，第6页"
NASTY = "<img src=x onerror=alert(1)> **粗** [点](http://evil.example) `码` # 题 $x$ | & \\"


def record(text: str = "", question: str = "厦门有多少家？", **more: object) -> Record:
    return answer_record(replace(answered(question, text), **more))  # type: ignore[arg-type]


def html(markdown: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)


def test_plain_text_has_the_question_the_answer_and_its_references() -> None:
    assert as_text([record("2000余家[1]。")]) == (
        "问：厦门有多少家？\n\n2000余家[1]。\n\n出处：\n"
        f"[1] {REFERENCE}\n    “{QUOTE}”\n\n结论：已回答 · 方式：大模型作答（scripted）\n"
    )


def test_markdown_reads_as_headings_text_and_bracketed_references() -> None:
    rendered = html(as_markdown([record("2000余家[1]。")], "问答"))
    assert rendered.startswith("<h1>问答</h1>\n<h2>厦门有多少家？</h2>\n<p>2000余家[1]。</p>")
    assert f"<p>[1] {REFERENCE}</p>\n<blockquote>\n<p>{QUOTE}</p>" in rendered


def test_nothing_of_a_question_an_answer_or_a_document_becomes_markup() -> None:
    for question in (NASTY, f"1. {NASTY}", f"- {NASTY}", f"=== {NASTY}"):
        rendered = html(as_markdown([record(f"{question}[1]。", question)], question))
        for tag in ("<img", "<strong>粗", "<a ", "<code", "<ol", "<ul", "<table"):
            assert tag not in rendered
        assert rendered.count("<h1>") == rendered.count("<h2>") == 1
        assert rendered.count("&lt;img src=x onerror=alert(1)&gt; **粗** [点](http://evil.example) `码`") == 3


def test_tables_of_an_answer_stay_tables() -> None:
    text = "| 地区 | 要点 |\n| --- | --- |\n| 广东 | 基层\\|医疗[1]。 |\n| 四川 | 库内未见 |\n另有一句。"
    assert list(blocks(text)) == [
        Table((("地区", "要点"), ("广东", "基层|医疗[1]。"), ("四川", "库内未见"))),
        Paragraph("另有一句。"),
    ]
    rendered = html(as_markdown([record(text)]))
    assert "<td>基层|医疗[1]。</td>" in rendered
    assert "广东\t基层|医疗[1]。\n四川\t库内未见\n另有一句。" in as_text([record(text)])


def test_only_marks_of_known_citations_are_marks() -> None:
    assert list(marks("甲[1][3]乙[12]。", [1, 12])) == ["甲", 1, "[3]", "乙", 12, "。"]


def test_confidence_is_the_share_of_sentences_that_cited_text_carries_in_full() -> None:
    assert confidence(record()) == 0.5
    assert confidence(record(sentences=())) is None
    assert confidence({"error": "x"}) is None


def test_a_note_tells_reasons_errors_and_numbers_that_were_not_found() -> None:
    assert note({"error": "连不上。请检查"}) == "连不上。请检查"
    assert note(record(reason="缺一半", unmatched_numbers=("5万",))) == "缺一半；未能核对的数字：5万"
    assert "结论：未能作答。连不上" in as_text([{"question": "问", "error": "连不上"}])
    assert "结论：资料中未找到" in as_markdown([record(verdict=Verdict.REFUSED)])


def test_a_file_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.md").mkdir()
    with pytest.raises(StorageError, match="写不进"):
        exported(tmp_path / "a.md", [record()])
    with pytest.raises(UsageError, match="不支持这种文件"):
        exported(tmp_path / "a.pdf", [record()])
