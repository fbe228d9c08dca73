"""What goes wrong around a question or an upload is told in Chinese, and answers are given all the same."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from rag.errors import StorageError
from rag.wiring import App
from tests.ui.standin import StandIn
from tests.ui.web.conftest import Seen, Site, file_store, served, watched
from tests.ui.web.relay import Relay
from tests.ui.web.test_asking import USER, finished
from tests.ui.web.test_library import app
from ui.store import LOCAL, Store, database
from ui.web import library
from ui.web.asking import STOPPED, Asked, Desk
from ui.web.view import chat as view

__all__ = ["app"]

PROBLEM = StorageError("数据库只能读、不能写：weice.db", "请检查权限")


def read_only(store: Store) -> None:
    """Let the database refuse every write from now on, as one on a read-only disk does."""
    engine = store._database._engine
    engine.dispose()
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = ON"))


def test_what_can_not_be_stored_is_answered_and_says_so_and_its_citations_open(tmp_path: Path):
    program, store = StandIn(tmp_path), file_store(tmp_path / "db")
    desk = Desk(program, store, use_llm=True)  # type: ignore[arg-type]
    made = finished(desk.start_unsaved("", USER, Asked("厦门？"), PROBLEM))
    assert made.answer is not None
    assert "没有存进“历史”" in made.unsaved
    assert desk.answer(int(made.id), USER) == made.answer
    with pytest.raises(Exception, match="没有这个"):
        desk.answer(int(made.id), "别人")
    page = view.exchange(made)
    assert "数据库只能读、不能写" in page
    assert 'data-act="retry"' not in page
    assert 'data-act="copy"' in page
    other = finished(desk.start_unsaved("", USER, Asked("湖南？"), PROBLEM))
    assert other.id != made.id
    assert store.conversations.list(USER) == ()


def test_a_database_that_fails_between_question_and_answer_keeps_nobody_from_the_answer(tmp_path: Path):
    program, store = StandIn(tmp_path, delay_s=0.3), file_store(tmp_path / "db")
    desk = Desk(program, store, use_llm=True)  # type: ignore[arg-type]
    talk = store.conversations.create(USER).id
    job = desk.start(talk, USER, Asked("厦门？"))
    read_only(store)
    made = finished(job)
    assert made.answer is not None
    assert "只能读" in made.unsaved
    assert desk.answer(int(made.id), USER) == made.answer


def test_a_short_lock_between_question_and_answer_loses_nothing(tmp_path: Path):
    program, store = StandIn(tmp_path, delay_s=0.1), file_store(tmp_path / "db")
    desk = Desk(program, store, use_llm=True)  # type: ignore[arg-type]
    talk = store.conversations.create(USER).id
    job = desk.start(talk, USER, Asked("厦门？"))
    other = sqlite3.connect(tmp_path / "db" / "weice.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    free = threading.Timer(1, other.execute, ("ROLLBACK",))
    free.start()
    made = finished(job)
    free.join()
    other.close()
    assert made.answer is not None
    assert made.unsaved == ""
    assert store.conversations.turn(int(made.id), USER).answer == made.answer
    assert [entry.verdict for entry in store.audit.list(LOCAL)] == ["answered"]


def test_what_is_not_stored_can_be_stopped_by_who_asked_alone(tmp_path: Path):
    program, store = StandIn(tmp_path, delay_s=0.05), file_store(tmp_path / "db")
    desk = Desk(program, store, use_llm=True)  # type: ignore[arg-type]
    job = desk.start_unsaved("", USER, Asked("慢"), PROBLEM)
    desk.stop_unsaved("别人")
    assert job.result is None
    desk.stop_unsaved(USER)
    assert finished(job).said == STOPPED


@pytest.mark.browser
def test_a_full_queue_is_told_with_what_to_do_and_nothing_is_lost(tmp_path: Path, chromium: Any):
    program, store = StandIn(tmp_path, delay_s=0.3, questions_at_once=2), file_store(tmp_path / "db")
    with served(program, store) as root:
        site = Site(program, store, root)
        with watched(chromium, site) as first, watched(chromium, site) as second, watched(chromium, site) as third:
            third.answered("厦门？")
            first.ask("慢")
            first.page.wait_for_selector("#draft .wc-draft")
            second.ask("慢")
            second.page.wait_for_selector("#draft >> text=前面还有 1 个问题正由大模型作答")
            assert second.page.locator("#found .wc-card").count() == 2, "the evidence does not wait"

            third.ask("湖南有多少亩？")
            third.page.wait_for_selector("text=排队的人太多，已有 2 个问题在等大模型")
            assert third.page.input_value("#question textarea") == "湖南有多少亩？"
            third.page.click(".toast-close")
            third.page.wait_for_selector(".toast-body", state="detached")
            third.page.click("#talk [data-act=retry]")
            third.page.wait_for_selector("text=排队的人太多，已有 2 个问题在等大模型")
            assert third.page.locator("#talk .wc-verdict").inner_text() == "已回答"

            first.page.keyboard.press("Escape")
            first.page.wait_for_selector("#talk >> text=已停止")
            second.page.wait_for_function("!document.querySelector('#draft').innerText.includes('前面还有')")
            third.page.press("#question textarea", "Enter")
            third.page.wait_for_selector("#talk .wc-question >> text=湖南有多少亩？")
            third.page.wait_for_selector("#talk .wc-turn >> nth=1")
            second.page.click("#stop")
            second.page.wait_for_selector("#talk >> text=已停止")
    assert [len(store.conversations.load(one.id, USER)[1]) for one in store.conversations.list(USER)] == [2, 1, 1]


@pytest.mark.browser
def test_a_connection_that_is_lost_in_mid_stream_comes_back_by_itself_with_the_answer(tmp_path: Path, chromium: Any):
    program, store = StandIn(tmp_path, delay_s=0.01), file_store(tmp_path / "db")
    with served(program, store) as root:
        relay = Relay(int(root.rpartition(":")[2]))
        with watched(chromium, Site(program, store, f"http://127.0.0.1:{relay.port}")) as seen:
            seen.expected_complaints = ("Failed to load resource", "network error", "Connection errored out")
            seen.page.wait_for_selector("#question textarea")
            seen.ask("慢")
            seen.page.wait_for_selector("#draft .wc-draft")
            relay.cut()
            seen.page.wait_for_timeout(1000)
            relay.open()
            seen.page.wait_for_selector("#talk .wc-citations", timeout=60_000)
            assert [question for question, _ in program.asked] == ["慢"]
            seen.page.click("#talk .wc-answer [data-act=open] >> nth=0")
            seen.page.wait_for_selector("#reader #here")
        relay.cut()


@pytest.mark.browser
class TestInTheBrowser:
    """Each trouble as a reader meets it."""

    @pytest.fixture
    def store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
        monkeypatch.setattr(database, "BUSY_S", 0.3)
        return file_store(tmp_path / "db")

    @pytest.fixture
    def looking(self, app: App, store: Store, chromium: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
        monkeypatch.setattr(library, "MAX_UPLOAD", 20 << 10)
        dead = app.with_settings(llm="custom", llm_base_url="http://127.0.0.1:9/v1", llm_model="nobody")
        with (
            served(dead, store) as root,
            watched(chromium, Site(dead, store, root)) as seen,  # type: ignore[arg-type]
        ):
            seen.expected_complaints = ("Method not implemented.",)  # a warning of Gradio's own at every upload
            seen.page.wait_for_selector("#question textarea")
            yield seen

    def test_an_llm_that_is_down_is_told_and_the_originals_are_quoted(self, looking: Seen):
        looking.answered("厦门有多少家定点医药机构接入即时结算系统？")
        turn = looking.page.locator("#talk .wc-turn").inner_text()
        assert "2000余家" in turn
        assert "原文摘录" in turn
        assert "大模型没有作答" in turn

    def test_a_locked_database_is_told_and_the_answer_given_and_later_ones_kept(self, looking: Seen, tmp_path: Path):
        page = looking.page
        page.check("#extractive input")
        with closing(sqlite3.connect(tmp_path / "db" / "weice.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            looking.answered("厦门有多少家定点医药机构？")
            turn = page.locator("#talk .wc-turn").inner_text()
            assert "2000余家" in turn
            assert "数据库正被别的程序占用" in turn
            assert "没有存进“历史”" in turn
            page.click("#talk .wc-answer [data-act=open]")
            page.wait_for_selector("#reader #here >> text=2000余家")
            page.keyboard.press("Escape")
            other.execute("ROLLBACK")
        looking.ask("厦门现在有多少家定点医药机构？")
        page.wait_for_selector("#talk .wc-question >> text=厦门现在有多少家")
        page.wait_for_selector("#talk [data-act=retry]")
        assert "没有存进" not in page.locator("#talk").inner_text()
        assert len(looking.store.conversations.list(USER)) == 1

    def test_a_read_only_database_is_told_and_the_answer_given(self, looking: Seen):
        page = looking.page
        page.check("#extractive input")
        read_only(looking.store)
        looking.answered("厦门有多少家定点医药机构？")
        turn = page.locator("#talk .wc-turn").inner_text()
        assert "2000余家" in turn
        assert "数据库只能读、不能写" in turn

    def test_a_file_that_is_too_large_is_told_before_it_is_sent(self, looking: Seen, tmp_path: Path):
        page = looking.page
        large = tmp_path / "大的.md"
        large.write_text("# 大\n\n" + "字" * 20_000, encoding="utf-8")
        looking.tab("资料库")
        page.click("#adding button")
        page.set_input_files("#upload input[type=file]", [large])
        page.wait_for_selector("[role=alert] >> text=文件太大，没有上传：大的.md。一个文件最多 20 KB")
        assert page.locator("#preview").inner_text().strip() == ""
        assert not [url for url in looking.requests if "/upload" in url]

    def test_two_files_of_one_name_are_told_apart_before_anything_is_taken_in(self, looking: Seen, tmp_path: Path):
        page = looking.page
        paths = [tmp_path / folder / "同名.md" for folder in ("一", "二")]
        for path in paths:
            path.parent.mkdir()
            path.write_text(f"# {path.parent.name}\n\n正文在此。\n", encoding="utf-8")
        looking.tab("资料库")
        page.click("#adding button")
        page.set_input_files("#upload input[type=file]", paths)
        page.wait_for_selector("#preview >> text=一次传了两个同名的文件")
        assert not page.locator("#take").is_visible()
        page.locator("#upload button[aria-label]").last.click()
        page.wait_for_selector("#take", state="visible")  # one of them was taken away again
        page.click("#take")
        page.wait_for_selector("#library-state >> text=索引已更新")
        page.set_input_files("#upload input[type=file]", [paths[1]])
        page.wait_for_selector("#preview >> text=资料库里有同名文件，收进来会替换它")
