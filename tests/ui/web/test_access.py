"""Who may do what on a page that asks for accounts: seen in the browser, and refused by the server itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from rag.errors import AccessError
from tests.ui.standin import NASTY, StandIn
from tests.ui.web.conftest import Seen, Site, file_store, served, watched
from ui.batches import Batches
from ui.store import LOCAL, Entry, Role, Store
from ui.store.database import now
from ui.web.asking import Desk
from ui.web.context import Web, told
from ui.web.reader import Shelf
from ui.web.view import audit as audit_view

PASSWORD = "correct horse battery"  # noqa: S105  # of accounts made for these tests
PEOPLE = {"小读": Role.READER, "小编": Role.EDITOR, "老管": Role.ADMIN}
TABS = {
    "小读": ["问答", "历史", "批量", "资料库"],
    "小编": ["问答", "历史", "批量", "资料库", "反馈", "评测"],
    "老管": ["问答", "历史", "批量", "资料库", "反馈", "评测", "审计"],
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    kept = file_store(tmp_path / "db")
    for name, role in PEOPLE.items():
        kept.accounts.add(name, PASSWORD, role)
    return kept


def asking(name: str | None) -> gr.Request:
    return gr.Request(username=name)


def surroundings(tmp_path: Path, store: Store, *, guarded: bool) -> Web:
    app = StandIn(tmp_path)
    app.batches = tmp_path / "batches"  # type: ignore[attr-defined]
    batches = Batches(app, store, use_llm=False)  # type: ignore[arg-type]
    return Web(app, store, Desk(app, store, use_llm=False), Shelf(app), batches, guarded)  # type: ignore[arg-type]


def test_every_event_learns_who_asks_and_what_they_may_do_as_of_now(tmp_path: Path, store: Store):
    web = surroundings(tmp_path, store, guarded=True)
    assert web.user(asking("小读")).role is Role.READER
    with pytest.raises(AccessError, match="编辑"):
        web.user(asking("小读"), Role.EDITOR)
    for nobody in (None, "", "谁", "本机"):
        with pytest.raises(AccessError, match="请先登录"):
            web.user(asking(nobody))
    store.accounts.set_disabled("小读", True)
    with pytest.raises(AccessError):
        web.user(asking("小读"))
    assert surroundings(tmp_path, store, guarded=False).user(asking(None)) == LOCAL


def test_errors_reach_the_reader_as_text(tmp_path: Path):
    def fails() -> None:
        raise AccessError(NASTY, "请联系管理员")

    with pytest.raises(gr.Error) as shown:
        told(fails)()
    assert "<script" not in shown.value.message
    assert "请联系管理员" in shown.value.message

    def breaks() -> None:
        raise RuntimeError("boom")

    with pytest.raises(gr.Error) as shown:
        told(breaks)()
    assert "boom" not in shown.value.message


def test_the_log_stays_text():
    page = audit_view.entries(
        [Entry(now(), NASTY, "web", "ask", NASTY, "refused"), Entry(now(), "a", "b", "c", "", "")]
    )
    assert "<script" not in page
    assert "资料中未找到" in page
    for action, shown in (
        ("index", "更新索引"),
        ("lexicon", "改词典"),
        ("batch", "批量作答"),
        ("user add", "新建账号"),
    ):
        page = audit_view.entries([Entry(now(), "小编", "cli", action, "", "")])
        assert f"<td>命令行</td><td>{shown}</td>" in page
    assert "还没有记录" in audit_view.entries([])


HARMLESS = {"_Chat._on_fresh", "_Chat._scenarios", "_blame_shut"}
"""What needs nobody's name: it reads and changes nothing of anybody's."""
FOR_EDITORS = {
    *(f"_Library.{name}" for name in ("_on_files", "_on_take", "_on_update", "_on_act", "_on_yes")),
    *(f"LexiconEditor.{name}" for name in ("_on_preview", "_on_save")),
    *(f"_Feedback.{name}" for name in ("_on_look", "_on_make", "_on_save")),
    *(f"_Evaluation.{name}" for name in ("_on_look", "_on_start", "_on_stop", "_on_choose")),
}
FOR_ADMINISTRATORS = {"add_tab.<locals>.on_look"}


def events(web: Web) -> dict[str, Callable[..., Any]]:
    """Every function that a browser can call, by name."""
    from ui.web.page import build_blocks

    found = {event.fn.__qualname__: event.fn for event in build_blocks(web).fns.values() if event.fn is not None}
    return {name: work for name, work in found.items() if "<lambda>" not in name and name not in HARMLESS}


def refusal(work: Callable[..., Any], request: gr.Request) -> str:
    """Call an event's function with whatever it takes and return why it refused; "" where it got past that."""
    given: dict[str, Any] = dict.fromkeys(inspect.signature(work).parameters, "1")
    given |= {"request": request} | ({"event": SimpleNamespace(at="1", act="up")} if "event" in given else {})
    try:
        answer = work(**given)
        if inspect.isgenerator(answer):
            next(answer, None)
    except gr.Error as error:
        return error.message
    return ""


def test_no_event_serves_who_is_not_logged_in(tmp_path: Path, store: Store):
    for name, work in events(surroundings(tmp_path, store, guarded=True)).items():
        assert "请先登录" in refusal(work, asking(None)), name
        assert "请先登录" in refusal(work, asking("谁")), name


def test_what_is_for_editors_and_administrators_is_refused_to_others_by_the_server(tmp_path: Path, store: Store):
    found = events(surroundings(tmp_path, store, guarded=True))
    assert set(found) >= FOR_EDITORS | FOR_ADMINISTRATORS
    for name, work in found.items():
        said = refusal(work, asking("小读"))
        assert ("要有“编辑”的权限" in said) is (name in FOR_EDITORS), name
        assert ("要有“管理员”的权限" in said) is (name in FOR_ADMINISTRATORS), name
    for name in FOR_ADMINISTRATORS:
        assert "要有“管理员”的权限" in refusal(found[name], asking("小编"))


@pytest.mark.browser
class TestInTheBrowser:
    """Logging in as each role."""

    @pytest.fixture
    def site(self, tmp_path: Path, store: Store) -> Iterator[Site]:
        app = StandIn(tmp_path, delay_s=0.1)
        with served(app, store, guarded=True) as root:
            yield Site(app, store, root)

    def entered(self, chromium: Any, site: Site, name: str, password: str = PASSWORD) -> AbstractContextManager[Seen]:
        return watched(chromium, site, "", login=(name, password))

    def test_each_role_sees_its_tabs_and_the_name(self, chromium: Any, site: Site):
        for name, tabs in TABS.items():
            with self.entered(chromium, site, name) as seen:
                seen.page.wait_for_selector(f"#top >> text={name}")
                seen.page.wait_for_timeout(500)
                shown = [tab.inner_text() for tab in seen.page.get_by_role("tab").all() if tab.is_visible()]
                assert shown == tabs

    def test_a_wrong_password_does_not_get_in_and_the_page_speaks_chinese(self, chromium: Any, site: Site):
        with self.entered(chromium, site, "小读", "falsch falsch") as seen:
            seen.expected_complaints = ("400", "401")
            seen.page.wait_for_timeout(1500)
            assert seen.page.locator("#question").count() == 0
            words = seen.page.locator("body").inner_text()
            assert "请用管理员给你的账号登录" in words
            for english in ("Login", "Username", "Password", "Incorrect"):
                assert english not in words

    def test_a_reader_asks_but_may_not_change_the_library(self, chromium: Any, site: Site, tmp_path: Path):
        new = tmp_path / "新.md"
        new.write_text("# 新\n\n正文。\n", encoding="utf-8")
        with self.entered(chromium, site, "小读") as seen:
            seen.expected_complaints = ("Method not implemented.",)  # a warning of Gradio's own at every upload
            seen.answered("厦门？")
            address = seen.page.evaluate("location.search")
            seen.tab("资料库")
            seen.page.click("#adding button")
            seen.page.set_input_files("#upload input[type=file]", [new])
            seen.page.wait_for_selector("text=这里要有“编辑”的权限")
            assert not seen.page.locator("#take").is_visible()
        with self.entered(chromium, site, "小编") as seen:
            seen.page.wait_for_selector("#top >> text=小编")
            seen.page.goto(f"{site.root}/{address}")
            seen.page.wait_for_selector("#hint >> text=这个对话已不在")
