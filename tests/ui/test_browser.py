"""The real page in a real Chromium: what a reader sees, and that the browser asks nobody else for anything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.ui.standin import StandIn
from tests.ui.store.places import store
from ui import serve

pytestmark = pytest.mark.browser

QUESTION = "厦门有多少家定点医药机构接进了即时结算系统？<script>window.fired=1</script>"
TIMEOUT_MS = 60_000


@dataclass
class Seen:
    """A page and what it did behind the reader's back."""

    page: Any
    app: StandIn
    root: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def ask(self, question: str) -> None:
        self.page.fill("#question textarea", question)
        self.page.press("#question textarea", "Enter")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StandIn, str]]:
    import uvicorn

    from ui.web.page import build_web

    app = StandIn(tmp_path_factory.mktemp("site"), delay_s=0.3)
    listener = serve.listen("127.0.0.1", 0)
    config = uvicorn.Config(build_web(app, store(), use_llm=True), log_level="error", timeout_graceful_shutdown=1)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield app, f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture
def seen(chromium: Any, site: tuple[StandIn, str]) -> Iterator[Seen]:
    app, root = site
    app.asked.clear()
    page = chromium.new_page(viewport={"width": 1280, "height": 900}, locale="en-US")
    page.set_default_timeout(TIMEOUT_MS)
    result = Seen(page, app, root)
    page.on("request", lambda request: result.requests.append(request.url))
    page.on("console", lambda m: result.complaints.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: result.complaints.append(str(error)))
    page.goto(root)
    page.wait_for_selector("#question textarea")
    yield result
    page.close()


def test_evidence_is_there_before_the_answer_and_then_the_citations(seen: Seen):
    seen.ask(QUESTION)
    seen.page.wait_for_selector("#found .wc-card")
    assert seen.page.locator(".wc-answer").count() == 0
    assert "第6页" in seen.page.locator("#found .wc-card").first.inner_text()
    seen.page.wait_for_selector("#draft .wc-draft")
    seen.page.wait_for_selector("#talk .wc-citations")
    assert seen.page.locator("#talk .wc-verdict").inner_text() == "已回答"
    first = seen.page.locator("#talk .wc-citations li").first.inner_text()
    assert "《国家出手！2025年医疗机构回款大提速》" in first
    assert "目前全市有2000余家定点医药机构接入即时结算系统。" in first
    assert "医保动态 · 健康报 · 第7页" in first
    assert seen.page.locator(".wc-mark").inner_text() == "依据不全"
    assert seen.page.locator("#draft").inner_text().strip() == ""


def test_scripts_links_and_templates_of_questions_and_documents_do_nothing(seen: Seen):
    seen.ask(QUESTION)
    seen.page.wait_for_selector("#talk .wc-citations")
    seen.page.locator("#talk .wc-citations summary").nth(1).click()
    assert seen.page.evaluate("window.fired") is None
    text = seen.page.locator("#talk").inner_text()
    assert "<script>window.fired=1</script>" in text
    assert "${window.fired=1}{{1+1}}" in text
    assert seen.page.locator("#talk a[href^=http], #talk img, #talk script").count() == 0


def test_the_browser_asks_no_other_host_and_complains_of_nothing(seen: Seen):
    seen.ask(QUESTION)
    seen.page.wait_for_selector("#talk .wc-citations")
    foreign = [url for url in seen.requests if not url.startswith((seen.root, "data:", "blob:"))]
    assert foreign == []
    assert seen.complaints == []


def test_a_policy_keeps_the_page_from_asking_other_hosts_at_all(seen: Seen):
    blocked = "fetch('https://example.com/').then(() => 'reached', () => 'refused')"
    assert seen.page.evaluate(blocked) == "refused"
    assert any("Content Security Policy" in line for line in seen.complaints)


def test_a_mark_in_the_answer_leads_to_its_citation(seen: Seen):
    seen.ask(QUESTION)
    seen.page.locator("#talk .wc-answer sup a").first.click()
    assert seen.page.locator("#talk li:target .wc-title").inner_text() == "《国家出手！2025年医疗机构回款大提速》"


def test_a_refusal_shows_near_passages_and_no_citations(seen: Seen):
    seen.ask("广西2024年财政收入是多少")
    assert seen.page.locator("#talk .wc-verdict").inner_text() == "资料中未找到"
    assert seen.page.locator("#talk .wc-citations").count() == 0
    assert seen.page.locator("#talk .wc-evidence[open] > summary").inner_text() == "相近内容（2 段）"


def test_stop_ends_a_long_answer_and_the_next_question_works(seen: Seen):
    seen.ask("慢")
    seen.page.wait_for_selector("#draft .wc-draft")
    seen.page.click("#stop")
    seen.page.wait_for_selector("#talk >> text=已停止")
    seen.page.wait_for_selector("#send", state="visible")
    seen.ask(QUESTION)
    seen.page.wait_for_selector("#talk .wc-citations")
    assert seen.page.locator("#talk .wc-turn").count() == 2


def test_a_follow_up_carries_the_history_and_clearing_forgets_it(seen: Seen):
    seen.ask("厦门？")
    seen.page.wait_for_selector("#talk .wc-citations")
    seen.ask("那湖南呢？")
    seen.page.wait_for_selector("#talk .wc-turn:nth-child(2)")
    seen.page.click("#clear")
    seen.page.wait_for_selector(".wc-welcome")
    seen.ask("厦门？")
    seen.page.wait_for_selector("#talk .wc-citations")
    assert [(q, len(history)) for q, history in seen.app.asked] == [("厦门？", 0), ("那湖南呢？", 1), ("厦门？", 0)]


def test_quotes_only_can_be_chosen_on_the_page(seen: Seen):
    seen.page.check("#extractive input")
    seen.ask("厦门？")
    seen.page.wait_for_selector("#talk .wc-citations")
    assert "原文摘录" in seen.page.locator("#talk .wc-head").inner_text()


def test_an_empty_question_is_not_asked(seen: Seen):
    seen.ask("   ")
    seen.page.wait_for_function("document.querySelector('#question textarea').value === ''")
    seen.page.wait_for_timeout(1000)  # the page takes one question at a time, a blank one too
    seen.ask("厦门？")
    seen.page.wait_for_selector("#talk .wc-citations")
    assert [q for q, _ in seen.app.asked] == ["厦门？"]


def test_the_page_speaks_chinese_to_an_english_browser(seen: Seen):
    assert seen.page.evaluate("document.documentElement.lang") == "zh-CN"
    words = seen.page.locator("body").inner_text()
    for english in ("Submit", "Stop", "Clear", "Gradio", "API", "Settings", "Loading"):
        assert english not in words


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_runs_off_the_side_of_the_screen(seen: Seen, width: int):
    seen.page.set_viewport_size({"width": width, "height": 844})
    seen.ask(QUESTION)
    seen.page.wait_for_selector("#talk .wc-citations")
    seen.page.locator("#talk .wc-evidence > summary").click()
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = "[...document.querySelectorAll('.wc-turn *, #ask-bar *')].map(e => e.getBoundingClientRect().right)"
    assert max(seen.page.evaluate(boxes)) <= width
