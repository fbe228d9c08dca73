"""The page over the real models and the real newsletters: asked, cited, opened, found again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag import settings
from rag.wiring import App
from tests.builders import SEEDS
from tests.ui.web.conftest import Seen, file_store, opened

pytestmark = [pytest.mark.model, pytest.mark.browser]

FACTS = (
    ("厦门有多少家定点医药机构接进了即时结算系统？", "2000余家", "第77页"),
    ("东阳市人民医院有几间数字化手术室", "39间", "第71页"),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[App, Path]:
    folder = tmp_path_factory.mktemp("whole")
    if (built := settings.load().data_dir / "index").is_dir():  # what it holds is not embedded again
        shutil.copytree(built, folder / "var" / "index")
    app = App(settings.load(data_dir=folder / "var", library=(SEEDS, folder / "own"), lexicon=folder / "词典.txt"))
    app.build_index(lambda *_: None)
    return app, folder


@pytest.fixture
def looking(place: tuple[App, Path], chromium: Any) -> Iterator[Seen]:
    app, folder = place
    store = file_store(folder)
    with opened(app, store, chromium) as seen:
        yield seen


def test_each_fact_is_cited_and_a_click_shows_its_sentence_in_view_also_after_a_reload(looking: Seen):
    page = looking.page
    for number, (question, fact, _) in enumerate(FACTS):
        looking.answered(question)
        turn = page.locator("#talk .wc-turn").nth(number)
        assert fact in turn.locator(".wc-answer").inner_text()
        assert "检索了 5 份资料（有日期的：2024-03-05 至 2025-02-11）" in turn.locator(".wc-coverage").inner_text()
    page.reload()
    page.wait_for_selector("#talk .wc-turn >> nth=1")
    for number, (_, fact, printed) in enumerate(FACTS):
        cited = page.locator("#talk .wc-turn").nth(number).locator(".wc-citations li", has_text=fact).first
        cited.locator(".wc-title").click()
        page.wait_for_selector(f"#reader #here >> text={fact}")
        page.wait_for_function(
            "(r => r.top > 60 && r.bottom < innerHeight)(document.querySelector('#here').getBoundingClientRect())"
        )
        assert printed in page.locator(".wc-masthead").inner_text()
        assert page.locator(".wc-contents li").count() > 0


def test_a_suggestion_made_from_the_evidence_is_answered_from_the_library(looking: Seen):
    looking.answered(FACTS[0][0])
    looking.page.locator("#talk [data-act=suggest]").first.click()
    looking.page.wait_for_selector("#talk .wc-turn >> nth=1")
    assert looking.page.locator("#talk .wc-verdict").nth(1).inner_text() != "资料中未找到"


def test_what_the_library_does_not_hold_is_refused_with_what_is_near(looking: Seen):
    looking.answered("广西2024年财政收入是多少")
    assert looking.page.locator("#talk .wc-verdict").inner_text() == "资料中未找到"
    looking.page.locator("#talk .wc-card").first.locator("summary").click()
    looking.page.locator("#talk .wc-card [data-act=open]").first.click()
    looking.page.wait_for_selector("#reader #here")
