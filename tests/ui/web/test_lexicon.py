"""The lexicon on the page: what it holds, which questions a change changes, and the index cut anew with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from rag.wiring import App
from tests.ui.standin import NASTY
from tests.ui.web.conftest import Seen, file_store, opened
from tests.ui.web.test_access import asking
from tests.ui.web.test_library import app
from ui.batches import Batches
from ui.store import LOCAL
from ui.web.asking import Desk
from ui.web.context import Web
from ui.web.lexicon import LexiconEditor, entries
from ui.web.reader import Shelf
from ui.web.view import lexicon as view

__all__ = ["app"]

QUESTION = "厦门的双通道药店有多少家？"


@pytest.fixture
def editor(app: App, tmp_path: Path) -> LexiconEditor:
    store = file_store(tmp_path / "db")
    talk = store.conversations.create(LOCAL.name)
    store.conversations.ask(talk.id, LOCAL.name, QUESTION)
    desk, batches = Desk(app, store, use_llm=False), Batches(app, store, use_llm=False)
    with gr.Blocks():
        return LexiconEditor(Web(app, store, desk, Shelf(app), batches, guarded=False))


def test_rows_are_entries_whatever_stands_between_the_words():
    rows = [
        ["长护险", "长期护理保险、长护保险，  长护", "试点"],
        ["", "", ""],
        [None, None, "只有说明"],
        ["甲乙", "甲乙", ""],
    ]
    found = entries(rows)
    assert [entry.line for entry in found] == [
        "长护险 = 长期护理保险 = 长护保险 = 长护 # 试点",
        "# 只有说明",
        "甲乙",
    ]


def test_the_questions_that_change_are_shown_with_their_words(editor: LexiconEditor):
    page = editor._on_preview([["双通道药店", "", ""]], "", asking(None))
    assert "1 个的切词会变" in page
    assert "<b>双通道药店</b>" in page
    assert QUESTION in page
    assert "都不变" in editor._on_preview([["双通道药店", "", ""]], "湖南呢？", asking(None))
    assert "还没有可以比较的问题" in view.changes([], 0)
    page = view.changes([view.Change(NASTY, [NASTY], ["甲"])], 1)
    assert "<script" not in page
    assert "<img" not in page


def test_a_saved_lexicon_is_used_once_the_index_is_cut_anew(editor: LexiconEditor, app: App):
    shown = editor._shown()
    began = shown[editor._stamp]
    before = app.words.tokens(QUESTION)
    assert "双通道药店" not in before
    editor._on_save([["双通道药店", "双通道定点药店", "说明"]], began, asking(None))
    assert app.settings.lexicon.read_text(encoding="utf-8") == "双通道药店 = 双通道定点药店 # 说明\n"
    assert app.words.tokens(QUESTION) == before, "what is asked is cut as the index is"
    with pytest.raises(Exception, match="被别人改过"):
        editor._on_save([["别的词", "", ""]], began, asking(None))
    first = app.index.version
    assert not app.build_index(lambda *_: None).unchanged
    app.reload()
    assert app.index.version != first
    assert "双通道药店" in app.words.tokens("双通道定点药店有多少？")


EDITED = "document.activeElement.matches('#lexicon :is(input, textarea)')"
"""In the page: whether a cell of the table takes what is typed."""


@pytest.mark.browser
class TestInTheBrowser:
    """An editor at the table."""

    @pytest.fixture
    def looking(self, app: App, tmp_path: Path, chromium: Any) -> Iterator[Seen]:
        app.settings.lexicon.write_text("长护险 = 长期护理保险\n", encoding="utf-8")
        store = file_store(tmp_path / "db")
        with opened(app, store, chromium, "资料库") as seen:
            seen.page.wait_for_selector("#library .wc-file")
            yield seen

    def test_a_word_is_added_previewed_saved_and_the_index_cut_anew(self, looking: Seen, app: App):
        page = looking.page
        page.click("#lexicon-box > button")
        page.locator("#lexicon [data-row='0'][data-col='1']").last.get_by_text("长期护理保险").wait_for()
        cell = page.locator("#lexicon [data-row='1'][data-col='0']").last
        cell.dblclick()
        page.wait_for_function(EDITED)  # a cell that is still opening loses what is typed
        page.keyboard.type("即时结算系统")
        page.keyboard.press("Enter")
        cell.get_by_text("即时结算系统", exact=True).wait_for()
        page.fill("#lexicon-questions textarea", f"厦门接入即时结算系统了吗？{NASTY}")
        page.click("#lexicon-look")
        page.wait_for_selector("#lexicon-said >> text=1 个的切词会变")
        page.click("#lexicon-save")
        page.wait_for_selector("#lexicon-said >> text=词典已保存")
        assert app.settings.lexicon.read_text(encoding="utf-8") == "长护险 = 长期护理保险\n即时结算系统\n"
        page.click("#lexicon-update")
        page.wait_for_selector("#library-state >> text=索引已更新")
        assert "即时结算系统" in app.words.tokens("厦门接入即时结算系统了吗？")
        assert page.evaluate("window.fired") is None
        looking.fits(390)
