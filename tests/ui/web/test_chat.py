"""The chat in a real Chromium: what a reader sees and can do. `seen` asserts that no other host is asked."""

from __future__ import annotations

import threading

import docx
import pytest

from tests.ui.web.conftest import Seen
from ui.web.context import scenario_choices

pytestmark = pytest.mark.browser

QUESTION = "厦门有多少家定点医药机构接进了即时结算系统？<script>window.fired=1</script>"


def test_evidence_and_stages_are_there_before_the_answer(seen: Seen):
    seen.ask("慢")
    seen.page.wait_for_selector("#draft .wc-draft")
    assert seen.page.locator(".wc-answer").count() == 0
    card = seen.page.locator("#found .wc-card").first.inner_text()
    assert card.startswith("强")
    assert "第6页" in card
    assert "检索了 2 份资料" in seen.page.locator("#found .wc-coverage").inner_text()
    assert "生成" in seen.page.locator("#draft [aria-current=step]").inner_text()
    seen.page.click("#stop")
    seen.page.wait_for_selector("#talk >> text=已停止")


def test_the_checked_answer_takes_the_place_of_the_draft_with_its_citations(seen: Seen):
    seen.answered(QUESTION)
    assert seen.page.locator("#talk .wc-verdict").inner_text() == "已回答"
    first = seen.page.locator("#talk .wc-citations li").first.inner_text()
    assert "《国家出手！2025年医疗机构回款大提速》" in first
    assert "目前全市有2000余家定点医药机构接入即时结算系统。" in first
    assert "医保动态 · 健康报 · 第7页" in first
    assert seen.page.locator(".wc-mark").inner_text() == "依据不全"
    assert seen.page.locator("#draft").inner_text().strip() == ""


def test_scripts_links_and_templates_of_questions_and_documents_do_nothing(seen: Seen):
    seen.answered(QUESTION)
    seen.page.locator("#talk .wc-citations .wc-title").nth(1).click()
    seen.page.wait_for_selector("#reader .wc-reader")
    seen.page.wait_for_timeout(500)
    assert seen.page.evaluate("window.fired") is None
    assert "<script>window.fired=1</script>" in seen.page.locator("#talk").inner_text()
    for panel in ("#talk", "#reader"):
        assert "${window.fired=1}{{1+1}}" in seen.page.locator(panel).inner_text()
        assert seen.page.locator(f"{panel} a[href^=http], {panel} img, {panel} script").count() == 0


def test_a_policy_keeps_the_page_from_asking_other_hosts_at_all(seen: Seen):
    seen.expected_complaints = ("example.com",)
    blocked = "fetch('https://example.com/').then(() => 'reached', () => 'refused')"
    assert seen.page.evaluate(blocked) == "refused"
    assert any("Content Security Policy" in line for line in seen.complaints)
    seen.requests[:] = [url for url in seen.requests if "example.com" not in url]


def test_a_refusal_shows_near_passages_and_no_citations(seen: Seen):
    seen.answered("广西2024年财政收入是多少")
    assert seen.page.locator("#talk .wc-verdict").inner_text() == "资料中未找到"
    assert seen.page.locator("#talk .wc-citations").count() == 0
    assert seen.page.locator("#talk .wc-evidence[open] > summary").inner_text() == "相近内容（2 段）"


@pytest.mark.parametrize("by", ["button", "key"])
def test_stop_ends_a_long_answer_and_the_next_question_works(seen: Seen, by: str):
    seen.ask("慢")
    seen.page.wait_for_selector("#draft .wc-draft")
    if by == "key":
        seen.page.keyboard.press("Escape")
    else:
        seen.page.click("#stop")
    seen.page.wait_for_selector("#talk >> text=已停止")
    assert seen.page.locator("#talk .wc-evidence").count() == 1
    seen.page.wait_for_selector("#send", state="visible")
    seen.answered(QUESTION)
    assert seen.page.locator("#talk .wc-turn").count() == 2


def test_shift_enter_breaks_the_line_and_enter_sends(seen: Seen):
    seen.page.fill("#question textarea", "厦门？")
    seen.page.press("#question textarea", "Shift+Enter")
    seen.page.keyboard.type("湖南？")
    assert seen.page.input_value("#question textarea") == "厦门？\n湖南？"
    seen.page.press("#question textarea", "Enter")
    seen.page.wait_for_selector("#talk .wc-citations")
    assert seen.app.asked[0][0] == "厦门？\n湖南？"


def test_enter_and_esc_of_an_input_method_neither_send_nor_stop(seen: Seen):
    page = seen.page
    keyboard = page.context.new_cdp_session(page)
    page.click("#question textarea")
    keyboard.send("Input.imeSetComposition", {"text": "xia'men", "selectionStart": 7, "selectionEnd": 7})
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    assert seen.app.asked == []
    keyboard.send("Input.insertText", {"text": "厦门慢"})
    assert page.input_value("#question textarea") == "厦门慢"
    page.keyboard.press("Enter")
    page.wait_for_selector("#draft .wc-draft")
    assert [question for question, _ in seen.app.asked] == ["厦门慢"]
    page.click("#question textarea")
    keyboard.send("Input.imeSetComposition", {"text": "hu'nan", "selectionStart": 6, "selectionEnd": 6})
    page.keyboard.press("Escape")
    page.wait_for_timeout(500)
    assert page.locator("#draft .wc-draft").is_visible()
    keyboard.send("Input.insertText", {"text": ""})
    page.keyboard.press("Escape")
    page.wait_for_selector("#talk >> text=已停止")


def test_a_follow_up_carries_the_history_and_a_new_conversation_has_none(seen: Seen):
    seen.answered("厦门？")
    seen.answered("那湖南呢？")
    seen.page.click("#fresh")
    seen.page.wait_for_selector(".wc-welcome")
    seen.answered("厦门？")
    assert [(q, len(history)) for q, history in seen.app.asked] == [("厦门？", 0), ("那湖南呢？", 1), ("厦门？", 0)]


def test_quotes_only_can_be_chosen_on_the_page(seen: Seen):
    seen.page.check("#extractive input")
    seen.answered("厦门？")
    assert "原文摘录" in seen.page.locator("#talk .wc-head").inner_text()


def test_a_scenario_can_be_chosen_and_is_used_again_on_retry(seen: Seen):
    seen.page.click("#scenario input")
    seen.page.get_by_role("option", name="时间线").click()
    seen.answered("厦门？")
    seen.page.click("#talk [data-act=retry]")
    seen.page.wait_for_function("document.querySelectorAll('#talk .wc-citations').length === 0")
    seen.page.wait_for_selector("#talk .wc-citations")
    assert [one and one.title for one in seen.app.chosen] == ["时间线", "时间线"]
    assert seen.page.locator("#talk .wc-turn").count() == 1


def test_a_question_can_be_held_to_a_column_and_dates(seen: Seen):
    seen.page.click("#sift")
    seen.page.get_by_label("栏目").click()
    seen.page.get_by_role("option", name="医保动态").click()
    seen.page.keyboard.press("Escape")
    seen.page.get_by_label("刊期不早于").fill("2025/02/30")
    seen.ask("厦门？")
    seen.page.wait_for_selector("text=日期不对")
    assert seen.page.evaluate("getComputedStyle(document.querySelector('.toast-title')).fontSize") == "0px"
    seen.page.get_by_label("刊期不早于").fill("2025-01-01")
    seen.answered("厦门？")
    line = seen.page.locator("#talk .wc-coverage").inner_text()
    assert "按条件筛选（医保动态；2025-01-01 至 最近）后检索了 1 份资料" in line
    assert seen.app.within[-1] is not None
    seen.page.click("#sieve-clear")
    seen.page.click("#sift")
    seen.fits(390)


def test_a_question_can_be_edited_and_takes_the_place_of_the_old_one(seen: Seen):
    seen.answered("厦门？")
    seen.answered("那湖南呢？")
    seen.page.click("#talk .wc-turn:first-child [data-act=edit]")
    seen.page.wait_for_function("document.querySelector('#question textarea').value === '厦门？'")
    assert "正在修改" in seen.page.locator("#hint").inner_text()
    seen.ask("福州？")
    seen.page.wait_for_selector("#talk >> text=福州？")
    seen.page.wait_for_selector("#talk .wc-citations")
    assert seen.page.locator("#talk .wc-question").all_inner_texts() == ["福州？"]
    assert seen.page.locator("#hint").inner_text().strip() == ""


def test_a_suggestion_is_asked_with_one_click(seen: Seen):
    seen.answered("财政？")
    seen.page.locator("#talk [data-act=suggest]").first.click()
    seen.page.wait_for_selector("#talk .wc-turn >> nth=1")
    assert seen.app.asked[1][0] == "《国家出手！2025年医疗机构回款大提…》里“地方探索”主要讲了什么？"


def test_an_answer_is_copied_as_text_with_its_sources(seen: Seen):
    seen.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    seen.answered("厦门？")
    seen.page.click("#talk [data-act=copy]")
    seen.page.wait_for_selector("#talk >> text=已复制")
    copied = seen.page.evaluate("navigator.clipboard.readText()")
    assert "厦门有2000余家定点医药机构接入即时结算系统。" in copied
    assert "卫生健康信息动态2025年第4期（总第341期）" in copied


def test_the_quotes_are_copied_as_documents_cite_them_and_the_answer_taken_away_as_word(seen: Seen):
    seen.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    seen.answered("厦门？")
    seen.page.click("#talk [data-act=cite]")
    seen.page.wait_for_selector("#talk >> text=已复制")
    first = seen.page.evaluate("navigator.clipboard.readText()").splitlines()[0]
    assert first.startswith("“目前全市有2000余家定点医药机构接入即时结算系统。”（《卫生健康信息动态》2025年第4期")
    assert first.endswith("，《国家出手！2025年医疗机构回款大提速》，健康报，第7页）")
    seen.page.click("#talk [data-act=word]")
    with seen.page.expect_download() as download:
        seen.page.locator("#answer-file a[download]").first.click()
    assert download.value.suggested_filename == "厦门？.docx"
    told = "".join(paragraph.text for paragraph in docx.Document(str(download.value.path())).paragraphs)
    assert "2000余家" in told
    seen.answered("湖南？")
    assert not seen.page.locator("#answer-file").is_visible()


def test_an_empty_question_is_not_asked(seen: Seen):
    seen.ask("   ")
    seen.page.wait_for_function("document.querySelector('#question textarea').value === ''")
    seen.page.wait_for_timeout(1000)  # the page takes one question at a time, a blank one too
    seen.answered("厦门？")
    assert [q for q, _ in seen.app.asked] == ["厦门？"]


def test_a_reload_brings_the_conversation_back(seen: Seen):
    seen.answered("厦门？")
    seen.page.reload()
    seen.page.wait_for_selector("#talk .wc-citations")
    assert seen.page.locator("#talk .wc-verdict").inner_text() == "已回答"
    seen.answered("那湖南呢？")
    assert len(seen.app.asked[1][1]) == 1


def test_a_reload_in_mid_stream_joins_the_question_on_its_way(seen: Seen):
    seen.expected_complaints = ("AbortError", "errored out")  # of the page that is left
    seen.ask("慢")
    seen.page.wait_for_selector("#draft .wc-draft")
    seen.page.wait_for_function("location.search.includes('c=')")
    seen.page.reload()
    seen.page.wait_for_selector("#draft .wc-draft")
    assert seen.page.locator("#found .wc-card").count() == 2
    seen.page.click("#stop")
    seen.page.wait_for_selector("#talk >> text=已停止")
    assert [q for q, _ in seen.app.asked] == ["慢"]


def test_an_address_of_nothing_starts_afresh(seen: Seen):
    seen.page.goto(f"{seen.site.root}/?c=nothing")
    seen.page.wait_for_selector("#hint >> text=这个对话已不在")
    seen.answered("厦门？")


def test_what_else_is_loaded_leaves_the_hint(seen: Seen, monkeypatch: pytest.MonkeyPatch):
    told, loaded = threading.Event(), threading.Event()

    def late() -> list[tuple[str, str]]:
        told.wait(20)
        loaded.set()
        return scenario_choices()

    monkeypatch.setattr("ui.web.chat.scenario_choices", late)
    seen.page.goto(f"{seen.site.root}/?c=nothing")
    seen.page.wait_for_selector("#hint >> text=这个对话已不在")
    told.set()
    assert loaded.wait(20)
    seen.page.wait_for_timeout(1500)
    assert seen.page.locator("#hint >> text=这个对话已不在").is_visible()


def test_a_thumb_up_and_a_thumb_down_with_a_reason_are_kept(seen: Seen):
    from ui.store import LOCAL

    seen.answered("厦门？")
    seen.page.click("#talk [data-act=up]")
    seen.page.wait_for_selector("#talk [data-act=up][aria-pressed=true]")
    seen.page.click("#talk [data-act=down]")
    seen.page.wait_for_selector("#complaint", state="visible")
    seen.page.click("#blame-send")
    seen.page.wait_for_selector("text=没有选原因")
    seen.page.get_by_label("数字错误").check()
    seen.page.fill("#right-answer textarea", "2100家")
    seen.page.click("#blame-send")
    seen.page.wait_for_selector("#talk [data-act=down][aria-pressed=true]")
    given = seen.store.feedback.list(LOCAL)[0]
    assert (given.good, given.reason, given.right_answer, given.question) == (False, "数字错误", "2100家", "厦门？")
    seen.page.click("#talk [data-act=down]")
    seen.page.wait_for_selector("#talk [data-act=down]:not([aria-pressed])")


def test_the_page_speaks_chinese_to_an_english_browser(seen: Seen):
    assert seen.page.evaluate("document.documentElement.lang") == "zh-CN"
    words = seen.page.locator("body").inner_text()
    for english in ("Submit", "Stop", "Clear", "Gradio", "API", "Settings", "Loading"):
        assert english not in words


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_runs_off_the_side_of_the_screen(seen: Seen, width: int):
    seen.page.set_viewport_size({"width": width, "height": 844})
    seen.answered(QUESTION)
    seen.page.locator("#talk .wc-evidence > summary").click()
    seen.fits(width)
    boxes = "[...document.querySelectorAll('.wc-turn *, #ask-bar *')].map(e => e.getBoundingClientRect().right)"
    assert max(seen.page.evaluate(boxes)) <= width
