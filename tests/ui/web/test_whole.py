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
from tests.ui.web.conftest import Seen, Site, file_store, opened, served, watched
from ui.web.view import chat as view

pytestmark = [pytest.mark.model, pytest.mark.browser]

FACTS = (
    ("厦门有多少家定点医药机构接进了即时结算系统？", "2000余家", "第77页"),
    ("东阳市人民医院有几间数字化手术室", "39间", "第71页"),
)

LLM_MS = 300_000
"""How long the local LLM may take on a busy machine, its start included."""
NOTE_THE_ORDER = """() => {
  window.order = [];
  window.drafts = new Set();
  const note = (what) => { if (what && !order.includes(what)) order.push(what); };
  const look = () => {
    const stage = document.querySelector('#draft [aria-current=step]')?.innerText.trim();
    if (document.querySelector('#found .wc-card')) note('cards');
    if (stage) note(stage);
    const draft = document.querySelector('#draft .wc-draft p')?.innerText;
    if (draft) { note('draft'); drafts.add(draft); }
    if (document.querySelector('#talk .wc-answer sup a')) note('cited answer');
  };
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, Path]]:
    folder = tmp_path_factory.mktemp("whole")
    if (built := settings.load().data_dir / "index").is_dir():  # what it holds is not embedded again
        shutil.copytree(built, folder / "var" / "index")
    app = App(settings.load(data_dir=folder / "var", library=(SEEDS, folder / "own"), lexicon=folder / "词典.txt"))
    app.build_index(lambda *_: None)
    yield app, folder
    app.close(stop_llm=True)


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


def test_the_local_llm_s_answer_comes_after_its_evidence_and_its_draft_gives_way_to_checked_citations(
    place: tuple[App, Path], chromium: Any, tmp_path: Path
):
    app, _ = place
    store = file_store(tmp_path)
    with served(app, store) as root, watched(chromium, Site(app, store, root)) as seen:  # type: ignore[arg-type]
        page = seen.page
        page.wait_for_selector("#question textarea")
        page.evaluate(NOTE_THE_ORDER)
        seen.ask(FACTS[0][0])
        page.wait_for_selector("#talk .wc-answer sup a", timeout=LLM_MS)
        order, drafts = page.evaluate("order"), page.evaluate("[...drafts]")
        wanted = ["cards", "生成", "draft", "cited answer"]
        assert [step for step in order if step in wanted] == wanted
        stages = [step for step in order if step in view.STAGES]
        assert stages == [stage for stage in view.STAGES if stage in stages], "in their order"
        assert len(drafts) > 2, "it was streamed"
        assert page.locator("#draft").inner_text().strip() == ""
        turn = page.locator("#talk .wc-turn")
        assert "大模型作答" in turn.locator(".wc-head").inner_text()
        assert FACTS[0][1] in turn.locator(".wc-answer").inner_text()
        marks = turn.locator(".wc-answer sup a").all_inner_texts()
        listed = turn.locator(".wc-citations > li").count()
        assert {int(mark.strip("[]")) for mark in marks} == set(range(1, listed + 1))
        cited = turn.locator(".wc-citations > li blockquote").all_inner_texts()
        assert any(FACTS[0][1] in quote for quote in cited)
