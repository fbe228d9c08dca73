"""Batches on the page: looked at, answered row by row, stopped, gone on with, taken away, and nobody else's."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from openpyxl import Workbook, load_workbook

from rag.batch import Answering, Prepared, Question, Stopped
from rag.records import answer_record
from rag.schema import Answer
from rag.wiring import App
from tests.ui.standin import ANSWER, NASTY
from tests.ui.web.conftest import UPLOADS, Seen, Site, file_store, opened, served, watched
from tests.ui.web.test_access import PASSWORD, asking, events, surroundings
from tests.ui.web.test_library import app
from ui.store import Role
from ui.web.view import batch as view

__all__ = ["app"]

ASKED = "厦门有多少家定点医药机构接入即时结算系统？"


def workbook(path: Path, *, empty: bool = False) -> Path:
    book = Workbook()
    page: Any = book.active
    page.title = "空的" if empty else "清单"
    if not empty:
        page.append(["序号", f"想问的{NASTY}", "来源"])
        page.append([1, ASKED, "甲处"])
        page.append([2, f"火星上有几家医院？{NASTY}", "乙处"])
    second = book.create_sheet("第二张")
    second.append(["问题"])
    second.append([ASKED])
    book.save(path)
    return path


def held(app: App, let: threading.Semaphore) -> None:
    """Let the program answer a row only when it is let."""
    made = app.answering

    def answering(**how: Any) -> Answering:
        inner = made(**how)

        def prepare(row: Question, stop: threading.Event) -> Prepared:
            ready = inner.prepare(row, stop)

            def answer() -> Answer:
                while not let.acquire(timeout=0.05):
                    if stop.is_set():
                        raise Stopped("停了")
                return ready.answer()

            return Prepared(ready.group, answer)

        return Answering(prepare, inner.settings)

    app.answering = answering  # type: ignore[method-assign]


class Tab:
    """The tab's events, called as the browser calls them; what comes back by the component's id."""

    def __init__(self, folder: Path) -> None:
        self._events = events(surroundings(folder, file_store(folder / "db"), guarded=False))

    def __call__(self, name: str, *given: object) -> dict[str, Any]:
        told = self._events[f"_BatchTab.{name}"](*given, request=asking(None))
        return {part.elem_id: value for part, value in told.items()}


@pytest.fixture
def tab(tmp_path: Path) -> Tab:
    return Tab(tmp_path)


def test_the_column_is_guessed_and_another_sheet_or_column_can_be_chosen(tab: Tab, tmp_path: Path):
    path = str(workbook(tmp_path / "清单.xlsx"))
    shown = tab("_on_file", path)
    assert shown["batch-sheet"]["choices"] == ("清单", "第二张")
    assert shown["batch-column"]["value"] == 1
    assert "共 2 个问题" in shown["batch-preview"]
    assert "<script" not in shown["batch-preview"]
    assert "<b>火星上有几家医院？" in shown["batch-preview"]
    assert "<b>甲处</b>" in tab("_on_column", path, "清单", 2)["batch-preview"]
    assert "共 1 个问题" in tab("_on_sheet", path, "第二张")["batch-preview"]


def test_what_is_no_list_is_told_in_chinese_and_can_not_be_started(tab: Tab, tmp_path: Path):
    wrong = {
        "文档.pdf": ("%PDF-1.4", "不支持这种问题文件：文档.pdf"),
        "旧.xls": ("x", "另存为 .xlsx"),
        "坏.xlsx": ("不是工作簿", "不是 Excel 工作簿，或已损坏"),
        "空.csv": ("", "里没有内容"),
        "空.txt": ("", "里没有内容"),
        "坏.jsonl": ("{}\n", "第 1 行 question 不对"),
    }
    for name, (content, said) in wrong.items():
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        shown = tab("_on_file", str(path))
        assert said in shown["batch-preview"], name
        assert shown["batch-start"]["visible"] is False
        with pytest.raises(gr.Error, match=said.replace("{", "")[:6]):
            tab("_on_start", str(path), None, None, "", True)
    empty = tab("_on_file", str(workbook(tmp_path / "空.xlsx", empty=True)))
    assert "空的" in empty["batch-preview"]
    assert empty["batch-sheet"]["visible"] is True
    path = str(workbook(tmp_path / "清单.xlsx"))
    with pytest.raises(gr.Error, match="没有第 10 列，只有：序号"):
        tab("_on_start", path, "清单", 9, "", True)
    with pytest.raises(gr.Error, match="里没有工作表“别的”"):
        tab("_on_start", path, "别的", None, "", True)
    with pytest.raises(gr.Error, match="还没有问题清单"):
        tab("_on_start", None, None, None, "", True)


def test_rows_stay_text_and_tell_what_became_of_them():
    one = {
        "id": "a", "user": NASTY, "name": f"{NASTY}.xlsx", "created": 0, "state": "running", "reason": NASTY,
        "total": 9, "done": 2, "answered": 1, "partial": 0, "refused": 0, "failed": 1, "fallback": 0,
        "remaining_s": 150,
    }  # fmt: skip
    rows = [
        ("2", NASTY, answer_record(ANSWER)),
        ("3", "坏的？", {"id": "3", "question": "坏的？", "error": NASTY}),
        ("4", "后来的？", None),
    ]
    page = view.progress(one) + view.batch(one, rows) + view.batches([one], names=True)
    assert "<script" not in page
    assert "<img" not in page
    for part in ("进行中 2/9，约剩 2 分钟", "已回答", "未能作答", "等待", "其余 6 行", "停止"):
        assert part in page
    stopped = view.batch({**one, "state": "stopped", "remaining_s": None}, rows)
    for part in ("继续", "下载 Excel", "下载 Word", "未答", "删除"):
        assert part in stopped
    assert "还没有批量任务" in view.batches([])
    assert view.duration(59) == "59 秒"
    assert view.duration(3 * 3600 + 120) == "3 小时 2 分钟"


@pytest.mark.browser
class TestInTheBrowser:
    """A list through the page."""

    @pytest.fixture
    def let(self) -> threading.Semaphore:
        return threading.Semaphore(0)

    @pytest.fixture
    def looking(self, app: App, let: threading.Semaphore, tmp_path: Path, chromium: Any) -> Iterator[Seen]:
        held(app, let)
        store = file_store(tmp_path / "db")
        with opened(app, store, chromium, "批量") as seen:
            seen.expected_complaints = UPLOADS
            yield seen

    def test_a_list_is_previewed_run_stopped_left_gone_on_with_and_taken_away(
        self, looking: Seen, let: threading.Semaphore, tmp_path: Path
    ):
        page = looking.page
        page.wait_for_selector("#batches >> text=还没有批量任务")
        wrong = tmp_path / "文档.pdf"
        wrong.write_text("%PDF-1.4", encoding="utf-8")
        page.set_input_files("#batch-file input[type=file]", [wrong])
        page.wait_for_selector("#batch-preview >> text=不支持这种问题文件：文档.pdf")
        assert not page.locator("#batch-start").is_visible()
        page.click("#batch-file button[aria-label]")
        page.set_input_files("#batch-file input[type=file]", [workbook(tmp_path / "清单.xlsx")])
        page.wait_for_selector("#batch-preview >> text=共 2 个问题")
        page.click("#batch-start")
        page.wait_for_selector("#batch-progress >> text=进行中 0/2")
        let.release()
        page.wait_for_selector("#batch-progress >> text=进行中 1/2，约剩")
        page.wait_for_selector("#batch tbody .wc-verdict")
        assert page.locator("#batch tbody tr").count() == 2
        page.click("#batch [data-act=stop]")
        page.wait_for_selector("#batch-progress >> text=已停止 1/2")

        page.reload()
        page.wait_for_selector("#question textarea")
        looking.tab("批量")
        page.click("#batches [data-act=look] >> nth=0")
        page.wait_for_selector("#batch-progress >> text=已停止 1/2")
        let.release(9)
        page.click("#batch [data-act=resume]")
        page.wait_for_selector("#batch-progress >> text=已完成 2/2")
        assert "2000余家" in page.locator("#batch").inner_text()
        assert page.evaluate("window.fired") is None
        for suffix in (".xlsx", ".docx", ".csv", ".jsonl"):
            page.click(f"#batch [data-act='{suffix}']")
            page.wait_for_selector(f"#batch-made >> text={suffix}")
            with page.expect_download() as download:
                page.locator("#batch-made a[download]").first.click()
            assert download.value.suggested_filename == f"清单-答案{suffix}"
            if suffix == ".xlsx":
                sheet = load_workbook(io.BytesIO(download.value.path().read_bytes())).worksheets[0]
                assert sheet["C2"].value == "甲处"
                assert "2000余家" in str([cell.value for cell in sheet[2]])
            if suffix == ".jsonl":
                line = download.value.path().read_text(encoding="utf-8").splitlines()[0]
                assert json.loads(line)["citations"]
        looking.fits(390)
        page.click("#batch [data-act=delete]")
        page.wait_for_selector("#batch-deleting >> text=删除后不能恢复")
        page.click("#batch-delete")
        page.wait_for_selector("#batches >> text=还没有批量任务")

    def test_others_do_not_see_it_and_administrators_do(
        self, app: App, let: threading.Semaphore, tmp_path: Path, chromium: Any
    ):
        let.release(9)
        store = file_store(tmp_path / "db")
        for name, role in {"小读": Role.READER, "小编": Role.EDITOR, "老管": Role.ADMIN}.items():
            store.accounts.add(name, PASSWORD, role)
        path = tmp_path / "清单.txt"
        path.write_text(f"{ASKED}\n", encoding="utf-8")
        with served(app, store, guarded=True, use_llm=False) as root:
            site = Site(app, store, root)  # type: ignore[arg-type]
            for name, finds in (("小读", True), ("小编", False), ("老管", True)):
                with watched(chromium, site, "", login=(name, PASSWORD)) as seen:
                    seen.expected_complaints = ("Method not implemented.",)
                    seen.page.wait_for_selector(f"#top >> text={name}")
                    seen.tab("批量")
                    if name == "小读":
                        seen.page.set_input_files("#batch-file input[type=file]", [path])
                        seen.page.wait_for_selector("#batch-preview >> text=共 1 个问题")
                        seen.page.click("#batch-start")
                        seen.page.wait_for_selector("#batch-progress >> text=已完成 1/1")
                    wanted = "清单.txt" if finds else "还没有批量任务"
                    seen.page.wait_for_selector(f"#batches >> text={wanted}")
                    assert ("小读" in seen.page.locator("#batches").inner_text()) is (name == "老管")
