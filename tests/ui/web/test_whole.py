"""The page over the real models and the real newsletters: asked, cited, opened, found again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rag import settings
from rag.wiring import App
from tests.builders import SEEDS
from tests.ui.web.conftest import UPLOADS, Seen, Site, file_store, opened, served, watched
from ui.web.view import chat as view

pytestmark = [pytest.mark.model, pytest.mark.browser]

FACTS = (
    ("厦门有多少家定点医药机构接进了即时结算系统？", "2000余家", "第77页"),
    ("东阳市人民医院有几间数字化手术室", "39间", "第71页"),
)

SLOW_MS = 120_000
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


def test_a_thumb_down_becomes_a_golden_case_and_an_evaluation_runs_it(looking: Seen):
    page, (question, fact, _) = looking.page, FACTS[0]
    looking.answered(question)
    page.click("#talk [data-act=down]")
    page.get_by_label("其他").check()
    page.fill("#right-answer textarea", fact)
    page.click("#blame-send")
    page.wait_for_selector("#talk [data-act=down][aria-pressed=true]")
    looking.tab("反馈")
    page.locator("#feedback .wc-turn", has_text=question).locator("[data-act=make]").first.click()
    page.wait_for_selector("#case", state="visible")
    page.click("#case-save")
    page.wait_for_selector("#feedback-said >> text=已存入 feedback.jsonl")
    looking.tab("评测")
    page.click("#starting button")
    page.click("#dataset input")
    page.get_by_role("option", name="feedback.jsonl").click()
    page.click("#eval-start")
    page.wait_for_selector("#eval-state >> text=评测完成", timeout=SLOW_MS)
    page.click("#one-run input")
    page.get_by_role("option").nth(1).click()
    row = page.locator("#run .wc-row", has_text=question)
    row.locator("summary").first.click()
    assert row.locator(".wc-verdict").first.inner_text() == "对"
    assert any(fact in quote for quote in row.locator("blockquote").all_inner_texts())
    assert page.locator("#run .plot").first.locator("rect.bar").count() > 2


def test_a_batch_is_answered_and_taken_away(looking: Seen, tmp_path: Path):
    page, asked = looking.page, tmp_path / "清单.csv"
    asked.write_text("\n".join(["序号,问题", *(f"{n},{one[0]}" for n, one in enumerate(FACTS))]), encoding="utf-8")
    looking.expected_complaints = UPLOADS
    looking.tab("批量")
    page.set_input_files("#batch-file input[type=file]", [asked])
    page.wait_for_selector("#batch-preview >> text=共 2 个问题")
    page.click("#batch-start")
    page.wait_for_selector("#batch-progress >> text=已完成 2/2", timeout=SLOW_MS)
    page.click("#batch [data-act='.jsonl']")
    with page.expect_download() as download:
        page.locator("#batch-made a[download]").first.click()
    lines = [json.loads(line) for line in download.value.path().read_text(encoding="utf-8").splitlines()]
    assert [fact in line["answer"] for (_, fact, _), line in zip(FACTS, lines, strict=True)] == [True, True]


def test_history_brings_an_answer_back_with_its_evidence_and_the_log_tells_who_asked(looking: Seen):
    page, (question, fact, _) = looking.page, FACTS[1]
    looking.answered(question)
    page.click("#fresh")
    page.wait_for_selector(".wc-welcome")
    looking.tab("历史")
    page.fill("#history-search input, #history-search textarea", fact)
    page.locator("#history [data-act=resume]", has_text=question).first.click()
    page.wait_for_selector("#talk .wc-evidence")
    page.locator("#talk .wc-citations li", has_text=fact).first.locator(".wc-title").click()
    page.wait_for_selector(f"#reader #here >> text={fact}")
    page.keyboard.press("Escape")
    looking.tab("审计")
    row = page.locator("#audit tbody tr", has_text=question).first
    assert "提问" in row.inner_text()
    assert "已回答" in row.inner_text()


def test_a_new_issue_is_taken_in_and_answered_from_and_counted_in_the_library(looking: Seen, tmp_path: Path):
    page, new = looking.page, tmp_path / "新一期.md"
    new.write_text("# 丽水的云诊室\n\n丽水市已在山区建成云诊室136个，覆盖全部乡镇卫生院。\n", encoding="utf-8")
    looking.expected_complaints = UPLOADS
    looking.tab("资料库")
    page.wait_for_selector("#library .wc-file >> nth=4")
    page.click("#adding button")
    page.set_input_files("#upload input[type=file]", [new])
    page.wait_for_selector("#preview >> text=丽水的云诊室")
    page.click("#take")
    page.wait_for_selector("#library-state >> text=索引已更新", timeout=SLOW_MS)
    looking.tab("问答")
    looking.answered("丽水市在山区建成了多少个云诊室？")
    assert "136个" in page.locator("#talk .wc-answer").inner_text()
    page.click("#talk .wc-answer [data-act=open] >> nth=0")
    page.wait_for_selector("#reader #here >> text=136个")
    page.keyboard.press("Escape")
    looking.tab("资料库")
    page.wait_for_selector("#library >> text=引用 1 次 · 新一期.md")
    looking.fits(390)
