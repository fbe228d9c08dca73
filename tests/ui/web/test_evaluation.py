"""Runs on the page: listed, looked into, compared, started."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eval.compare import compare
from eval.run import Plan
from eval.runs import read_run
from rag.errors import UsageError
from rag.settings import Settings
from rag.wiring import App
from tests.ui.standin import NASTY
from tests.ui.web.conftest import Seen, file_store, opened
from tests.ui.web.test_library import GIVEN, app
from ui.web.evaluation import TRIED, Background, tried
from ui.web.view import evaluation as view

__all__ = ["app"]

CASES = [
    {
        "id": "a", "type": "factoid", "question": "厦门有多少家定点医药机构接入即时结算系统？", "history": [],
        "must": [["2000余家"]], "must_not": [], "answerable": True, "split": "dev",
        "sources": [{"file": "给定.md", "article": "给定的文章", "quote": GIVEN.splitlines()[2]}],
    },
    {
        "id": f"b{NASTY}", "type": "unanswerable", "question": f"火星上有几家医院？{NASTY}", "history": [],
        "must": [], "must_not": [], "answerable": False, "split": "dev", "sources": [],
    },
]  # fmt: skip


@pytest.fixture
def dataset(app: App) -> Path:
    path = app.settings.data_dir / "feedback.jsonl"
    path.write_text("".join(json.dumps(case, ensure_ascii=False) + "\n" for case in CASES), encoding="utf-8")
    return path


def ran(app: App, dataset: Path, limit: int | None = None) -> Path:
    background = Background(app)
    background.start(Plan(dataset, None, limit), use_llm=False)
    for _ in background.watch():
        pass
    assert "评测完成" in background.said, background.said
    return max((app.settings.data_dir / "eval").iterdir(), key=lambda p: (p / "run.json").stat().st_mtime_ns)


def test_a_run_in_the_background_is_listed_and_looked_into_and_compared(app: App, dataset: Path):
    first, second = ran(app, dataset), ran(app, dataset)
    assert first != second
    one = read_run(first)
    assert len(one.rows) == 2
    pages = [view.runs([one]), view.run(one), view.comparison(compare(first, second))]
    assert first.name in pages[0]
    assert "2000余家" in pages[1]
    assert "应拒答" in pages[1]
    assert "看不出显著差别" in pages[2]
    for title in ("主要指标", "完全答对，按题型", "用时：全部完成（秒）"):
        assert f'aria-label="{title}"' in pages[1]
    assert "该拒未拒↓" in pages[1]
    assert 'aria-label="各指标的差别"' in pages[2]
    for page in pages:
        assert "<script" not in page
        assert "<img" not in page
    assert "还没有评测" in view.runs([])


def test_one_run_at_a_time_and_a_stopped_one_is_gone_on_with(app: App, dataset: Path):
    gate, background = threading.Event(), Background(app)
    quoting = app.with_settings(llm="none")

    def held(**_: object) -> App:
        gate.wait()
        return quoting

    app.with_settings = held  # type: ignore[method-assign]
    background.start(Plan(dataset), use_llm=False)
    with pytest.raises(UsageError, match="已有一次评测"):
        background.start(Plan(dataset), use_llm=False)
    background.stop()
    gate.set()
    for _ in background.watch():
        pass
    assert "已停止" in background.said
    folder = ran(app, dataset)
    assert len(list(folder.parent.iterdir())) == 1


def test_a_wrong_dataset_is_told(app: App, dataset: Path):
    dataset.write_text("{}\n", encoding="utf-8")
    background = Background(app)
    background.start(Plan(dataset), use_llm=False)
    for _ in background.watch():
        pass
    assert "题集" in background.said


def test_settings_are_tried_a_line_each_and_none_that_names_a_file_or_a_host(app: App, dataset: Path):
    assert tried("") == {}
    assert tried(" passages = 3 \n\nsentences=false\n") == {"passages": 3, "sentences": False}
    assert set(TRIED) <= Settings.model_fields.keys()
    for line, said in (
        ("llm_base_url=http://evil.example", "不能改“llm_base_url”"),
        ("data_dir=/tmp", "可以改：passages"),
        ("passages", "不是 设置=值"),
        ("passages=很多", "保留的段落数"),
    ):
        with pytest.raises(UsageError, match=said):
            tried(line)
    background = Background(app)
    background.start(Plan(dataset, None, 1), use_llm=False, changes=tried("passages=3"))
    for _ in background.watch():
        pass
    folder = next((app.settings.data_dir / "eval").iterdir())
    assert read_run(folder).info.settings["passages"] == 3
    assert app.settings.passages != 3


@pytest.fixture
def looking(app: App, dataset: Path, tmp_path: Path, chromium: Any) -> Iterator[Seen]:
    ran(app, dataset, 1)
    store = file_store(tmp_path / "db")
    with opened(app, store, chromium, "评测") as seen:
        yield seen


def choose(seen: Seen, box: str, nth: int) -> None:
    seen.page.click(f"{box} input")
    seen.page.get_by_role("option").nth(nth).click()


@pytest.mark.browser
def test_a_run_is_started_watched_opened_and_compared_on_the_page(looking: Seen, dataset: Path):
    page = looking.page
    page.wait_for_selector("#runs tbody tr")
    page.click("#starting button")
    page.click("#eval-start")
    page.wait_for_selector("text=没有选题集")
    page.click("#dataset input")
    page.get_by_role("option", name=dataset.name).click()
    page.fill("#eval-settings textarea", f"llm_base_url=http://127.0.0.1:9/{NASTY}")
    page.click("#eval-start")
    page.wait_for_selector("text=这里不能改“llm_base_url”")
    page.fill("#eval-settings textarea", "passages=6")
    page.click("#eval-start")
    page.wait_for_selector("#eval-state >> text=评测完成")
    assert page.locator("#runs tbody tr").count() == 2
    choose(looking, "#one-run", 1)
    page.wait_for_selector("#run .wc-row")
    headline = page.locator("#run .plot").first
    assert "完全答对" in headline.inner_text()
    assert headline.locator("rect.bar").count() == headline.locator("text.strong").count() > 2
    assert headline.locator(".bar").first.evaluate("bar => getComputedStyle(bar).fill") != "rgb(0, 0, 0)"
    row = page.locator("#run .wc-row", has_text="厦门有多少家")
    row.locator("summary").first.click()
    assert "2000余家" in row.inner_text()
    row.locator(".wc-evidence summary").click()
    assert "给定的文章" in row.locator(".wc-evidence").inner_text()
    with page.expect_download() as download:
        page.click("#full-report")
    assert "评测报告" in download.value.path().read_text(encoding="utf-8")
    choose(looking, "#other-run", 2)
    page.wait_for_selector("#run >> text=共同 1 题")
    assert "passages" in page.locator("#run .wc-table").last.inner_text()
    assert page.locator("#run .plot circle.dot").count() > 2
    assert page.evaluate("window.fired") is None
    looking.fits(390)
