"""The library over a real index (with an embedder that needs no model): taking in, leaving out, going back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from pypdf import PdfWriter

from rag import settings
from rag.corpus.articles import parse
from rag.errors import StorageError, UsageError
from rag.testing import HashingEmbedder
from rag.wiring import App
from tests.builders import library
from tests.ui.standin import NASTY
from tests.ui.web.conftest import UPLOADS, Seen, file_store, opened
from ui.batches import Batches
from ui.store import Role
from ui.web.asking import Desk
from ui.web.context import Web
from ui.web.library import _Library
from ui.web.reader import Shelf
from ui.web.view import library as view

GIVEN = "# 给定的文章\n\n厦门有2000余家定点医药机构接入即时结算系统。\n"
NEW = f"# 新文章{NASTY}\n\n湖南省中药材种植面积达到485万亩，位居全国前列。\n"


@pytest.fixture
def app(tmp_path: Path) -> App:
    library(tmp_path / "given", 给定=GIVEN)
    own = tmp_path / "own"
    own.mkdir()
    app = App(
        settings.load(
            data_dir=tmp_path / "var",
            library=(tmp_path / "given", own),
            lexicon=own / "词典.txt",
            llm="none",
        )
    )
    app.__dict__["embedder"] = HashingEmbedder()
    app.build_index(lambda *_: None)
    return app


def titles(app: App) -> list[str]:
    return [article.title for article in app.index.articles]


def rebuilt(app: App) -> list[str]:
    app.build_index(lambda *_: None)
    app.reload()
    return titles(app)


def test_a_disabled_file_is_out_of_the_next_index_until_it_is_enabled(app: App):
    (app.settings.library[-1] / "新.md").write_text("# 新的\n\n正文在此。\n", encoding="utf-8")
    assert rebuilt(app) == ["给定的文章", "新的"]
    app.disable("给定.md", True)
    assert rebuilt(app) == ["新的"]
    assert app.disabled == {"给定.md"}
    app.disable("给定.md", False)
    assert rebuilt(app) == ["给定的文章", "新的"]


def test_only_what_users_put_in_can_be_deleted(app: App):
    own = app.settings.library[-1] / "新.md"
    own.write_text("# 新的\n\n正文在此。\n", encoding="utf-8")
    assert rebuilt(app) == ["给定的文章", "新的"]
    for name in ("给定.md", "../given/给定.md", "没有.md"):
        with pytest.raises(UsageError):
            app.delete_file(name)
    app.delete_file("新.md")
    assert not own.exists()
    assert rebuilt(app) == ["给定的文章"]


def test_an_older_version_can_be_used_again_and_a_foreign_one_not(app: App):
    first = app.index.version
    (app.settings.library[-1] / "新.md").write_text("# 新的\n\n正文在此。\n", encoding="utf-8")
    assert len(rebuilt(app)) == 2
    app.store.use(first, model=app.embedder.name)
    app.reload()
    assert titles(app) == ["给定的文章"]
    assert app.past_index(first).version == first
    for name in ("nothing", "..", "../versions"):
        with pytest.raises(Exception, match="已不在"):
            app.store.use(name, model=app.embedder.name)
    assert app.store.open().version == first


def test_a_broken_list_of_disabled_files_is_said(app: App):
    (app.settings.data_dir / "disabled.json").write_text("[", encoding="utf-8")
    with pytest.raises(StorageError, match="停用清单"):
        app.build_index(lambda *_: None)


def test_what_a_file_holds_stays_text_and_what_is_odd_is_marked():
    text = f"# 长的{NASTY}\n\n{'这是正文。' * 40}\n\n# 长的二\n\n{'这是正文。' * 40}\n\n# 短的\n\n一句。\n"
    parsed = parse(f"{NASTY}.md", (text,))
    assert len(parsed.articles) == 3
    page = view.previews([view.Preview(NASTY, parsed, replaces=True), view.Preview(NASTY, error=NASTY)])
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("很短，请核对") == 1
    assert "会替换它" in page
    assert "不能收进资料库：&lt;script&gt;" in page


def test_editors_see_everybody_s_citations_and_what_they_can_do_and_readers_their_own_citations_alone(
    app: App, tmp_path: Path
):
    store = file_store(tmp_path / "db")
    cited = {"file": "给定.md", "title": "给定的文章"}
    for user, times in (("小读", 1), ("小编", 2)):
        store.accounts.add(user, "correct horse", Role.EDITOR if user == "小编" else Role.READER)
        talk = store.conversations.create(user)
        for _ in range(times):
            store.conversations.add(talk.id, user, "问", {"answer": "答[1]。", "citations": [cited]})
    desk, batches = Desk(app, store, use_llm=False), Batches(app, store, use_llm=False)
    with gr.Blocks():
        tab = _Library(Web(app, store, desk, Shelf(app), batches, guarded=True))
    for user, times in (("小读", 1), ("小编", 3)):
        page, _, *boxes = tab._on_look(gr.Request(username=user))
        editing = user == "小编"
        assert ('data-act="disable"' in page) is editing
        assert [box["visible"] for box in boxes] == [editing] * 3
        assert f'<small class="wc-cited">引用 {times} 次</small>' in page
        assert f"引用 {times} 次 · 给定.md" in page
    assert "你自己存下的回答" in tab._on_look(gr.Request(username="小读"))[0]
    store.close()


@pytest.mark.browser
class TestInTheBrowser:
    """Uploading, answering from it, leaving it out, going back."""

    @pytest.fixture
    def looking(self, app: App, tmp_path: Path, chromium: Any) -> Iterator[Seen]:
        store = file_store(tmp_path / "db")
        with opened(app, store, chromium, "资料库") as seen:
            seen.expected_complaints = UPLOADS
            seen.page.wait_for_selector("#library .wc-file")
            yield seen

    def test_each_file_that_can_not_be_taken_in_is_told_why_in_chinese(self, looking: Seen, tmp_path: Path):
        page = looking.page
        locked, broken, wrong = (tmp_path / name for name in ("加密.pdf", "坏的.pdf", "程序.exe"))
        writer = PdfWriter()
        writer.add_blank_page(100, 100)
        writer.encrypt("geheim")
        writer.write(locked)
        for path in (broken, wrong):
            path.write_bytes(b"MZ" * 100)
        page.click("#adding button")
        page.set_input_files("#upload input[type=file]", [locked, broken, wrong])
        page.wait_for_selector("#preview .wc-error >> nth=2")
        said = page.locator("#preview .wc-error").all_inner_texts()
        for line, words in zip(
            said, ("加密", "文件“坏的.pdf”已损坏", "不支持的文件格式“.exe”：“程序.exe”"), strict=True
        ):
            assert line.startswith("不能收进资料库")
            assert words in line
            assert "/gradio/" not in line
        assert not page.locator("#take").is_visible()

    def test_a_new_file_is_previewed_taken_in_answered_from_disabled_and_deleted(self, looking: Seen, tmp_path: Path):
        page = looking.page
        new = tmp_path / "新一期.md"
        new.write_text(NEW, encoding="utf-8")
        page.click("#adding button")
        page.set_input_files("#upload input[type=file]", [new])
        page.wait_for_selector("#preview >> text=新文章<script>")
        assert page.locator("#library .wc-file").count() == 1
        page.click("#take")
        page.wait_for_selector("#library-state >> text=索引已更新")
        assert page.locator("#library .wc-file").count() == 2
        assert page.evaluate("window.fired") is None

        looking.tab("问答")
        looking.answered("湖南中药材种了多少亩？")
        assert "485万亩" in page.locator("#talk .wc-answer").inner_text()
        page.click("#talk .wc-answer [data-act=open]")
        page.wait_for_selector("#reader #here")
        page.keyboard.press("Escape")

        looking.tab("资料库")
        file = page.locator("#library .wc-file", has_text="新一期.md")
        page.wait_for_selector("#library >> text=引用 1 次 · 新一期.md")
        file.locator("summary").click()
        file.locator("[data-act=open]").click()
        page.wait_for_selector("#reader h2")
        page.keyboard.press("Escape")
        page.wait_for_selector("#reader .wc-reader", state="detached")
        file.locator("[data-act=delete]").click()
        page.wait_for_selector("#sure >> text=不能恢复")
        page.click("#sure-yes")
        page.wait_for_selector("#library-state >> text=已移除：新一期.md")
        assert page.locator("#library .wc-file").count() == 1
        looking.fits(390)

        page.set_viewport_size({"width": 1280, "height": 900})
        looking.tab("问答")
        page.click("#talk .wc-answer [data-act=open]")
        page.wait_for_selector("#reader >> text=这是作答时的资料")
        assert "485万亩" in page.locator("#here").inner_text()
        page.keyboard.press("Escape")
        looking.tab("资料库")
        page.click("#versions-box button")
        page.locator("#versions [data-act=use]").first.click()
        page.click("#sure-yes")
        page.wait_for_selector("#library-state >> text=已改用索引")
        page.wait_for_function("document.querySelectorAll('#library .wc-file').length === 2")
