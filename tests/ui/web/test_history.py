"""The list of conversations and what can be done with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import docx
import pytest
from markdown_it import MarkdownIt

from rag.export import exported
from rag.records import answer_record
from tests.ui.standin import ANSWER, NASTY
from tests.ui.store.places import store
from tests.ui.web.conftest import Seen
from ui.web.view import history as view


def test_a_conversation_as_markdown_has_every_question_answer_and_source():
    conversations = store().conversations
    talk = conversations.create("甲")
    conversations.add(talk.id, "甲", ANSWER.question, answer_record(ANSWER))
    conversations.fail(conversations.ask(talk.id, "甲", "后来呢？").id, "大模型没有启动")
    page = view.as_markdown(*conversations.load(talk.id, "甲"))
    for part in (ANSWER.question, "2000余家", "结论：已回答", "健康报 · 第7页", "后来呢？", "大模型没有启动"):
        assert part in page
    assert r"\[1\] 《国家出手！2025年医疗机构回款大提速》" in page


def test_markdown_of_nasty_text_is_only_text():
    conversations = store().conversations
    talk = conversations.create("甲")
    nasty = f"# 标题 {NASTY} ![图](https://evil.example/x.png) <b>"
    answer = replace(ANSWER, question=nasty, text=f"{nasty}\n- {nasty}\n1. 一", reason=nasty)
    conversations.add(talk.id, "甲", nasty, answer_record(answer))
    conversations.rename(talk.id, "甲", nasty)
    html = MarkdownIt("commonmark", {"html": True}).render(view.as_markdown(*conversations.load(talk.id, "甲")))
    for tag in ("<script", "<img", "<a ", "<b>", "<ul", "<ol", "<h3"):
        assert tag not in html
    assert html.count("<h1>") == 1
    assert html.count("<h2>") == 1
    assert "![图](https://evil.example/x.png)" in html


def test_the_list_stays_text_and_says_when_it_is_empty():
    conversations = store().conversations
    conversations.create("甲", NASTY)
    page = view.conversations(conversations.list("甲"), "")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "还没有对话" in view.conversations((), "")
    assert "&lt;script&gt;" in view.conversations((), NASTY)


def words(path: Path) -> str:
    return "\n".join(paragraph.text for paragraph in docx.Document(str(path)).paragraphs)


def test_a_conversation_as_word_has_every_question_the_failed_ones_too(tmp_path: Path):
    conversations = store().conversations
    talk = conversations.create("甲")
    conversations.add(talk.id, "甲", ANSWER.question, answer_record(ANSWER) | {"coverage": {}, "suggestions": []})
    conversations.fail(conversations.ask(talk.id, "甲", "后来呢？").id, "大模型没有启动")
    _, turns = conversations.load(talk.id, "甲")
    exported(tmp_path / "对话.docx", view.as_records(turns), "对话")
    for part in ("对话", ANSWER.question, "2000余家", "后来呢？", "大模型没有启动"):
        assert part in words(tmp_path / "对话.docx")


@pytest.mark.browser
def test_a_conversation_is_found_opened_renamed_exported_and_deleted(seen: Seen):
    for question in ("厦门的<i>历史</i>？", "湖南的历史？"):
        seen.page.click("#fresh")
        seen.page.wait_for_selector(".wc-welcome")
        seen.answered(question)
    seen.tab("历史")
    seen.page.wait_for_selector("#history .wc-item >> text=厦门的<i>历史</i>？")
    seen.page.fill("#history-search input, #history-search textarea", "厦门的")
    seen.page.wait_for_function("document.querySelectorAll('#history .wc-item').length === 1")
    seen.page.click("#history [data-act=rename]")
    seen.page.wait_for_selector("#renaming", state="visible")
    seen.page.fill("#new-title input, #new-title textarea", "厦门的新名字")
    seen.page.click("#rename")
    seen.page.wait_for_selector("#history .wc-item >> text=厦门的新名字")
    seen.page.click("#history [data-act=md]")
    with seen.page.expect_download() as download:
        seen.page.locator("#exported a[download]").first.click()
    assert download.value.suggested_filename == "厦门的新名字.md"
    assert "2000余家" in download.value.path().read_text(encoding="utf-8")
    seen.page.click("#history [data-act=docx]")
    seen.page.wait_for_selector("#exported >> text=.docx")
    with seen.page.expect_download() as download:
        seen.page.locator("#exported a[download]").first.click()
    assert download.value.suggested_filename == "厦门的新名字.docx"
    assert "2000余家" in words(download.value.path())
    seen.page.click("#history [data-act=resume]")
    seen.page.wait_for_selector("#talk .wc-citations", state="visible")
    assert seen.page.locator("#talk .wc-question").inner_text() == "厦门的<i>历史</i>？"
    seen.page.click("#talk .wc-answer [data-at$=':c1']")
    seen.page.wait_for_selector("#reader #here")
    seen.page.keyboard.press("Escape")
    seen.tab("历史")
    seen.page.fill("#history-search input, #history-search textarea", "新名字")
    seen.page.wait_for_function("document.querySelectorAll('#history .wc-item').length === 1")
    seen.page.click("#history [data-act=delete]")
    seen.page.wait_for_selector("#deleting >> text=删除后不能恢复")
    seen.page.click("#delete")
    seen.page.wait_for_selector("#history >> text=没有找到含“新名字”的对话")
    seen.fits(390)
