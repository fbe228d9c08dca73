"""From a thumb down to a question of a golden set."""

from __future__ import annotations

import pytest

from eval import cases
from rag.records import answer_record
from tests.ui.standin import ANSWER, NASTY, QUOTE
from tests.ui.store.places import store
from tests.ui.web.conftest import Seen
from ui.store import LOCAL, Reason
from ui.web.view import feedback as view

RIGHT = f"2100家{NASTY}"


def test_what_readers_write_stays_text():
    kept = store()
    talk = kept.conversations.create("甲").id
    turn = kept.conversations.add(talk, "甲", NASTY, answer_record(ANSWER) | {"answer": NASTY})
    kept.feedback.give(turn.id, "甲", good=False, reason=Reason.NUMBER, right_answer=RIGHT)
    page = view.given(kept.feedback.list(LOCAL))
    assert "踩 · 数字错误" in page
    assert "<script" not in page
    assert "<img" not in page
    assert "2100家&lt;script&gt;" in page
    assert "没有符合条件的反馈" in view.given(())


@pytest.mark.browser
def test_a_thumb_down_becomes_a_golden_case_in_two_clicks(seen: Seen):
    seen.answered("厦门接入多少家？")
    seen.page.click("#talk [data-act=down]")
    seen.page.get_by_label("数字错误").check()
    seen.page.fill("#right-answer textarea", "2100家")
    seen.page.click("#blame-send")
    seen.page.wait_for_selector("#talk [data-act=down][aria-pressed=true]")
    seen.tab("反馈")
    seen.page.wait_for_selector("#feedback .wc-turn")
    assert not [box for box in seen.page.locator("textarea").all() if box.is_visible()], "nothing to fill in yet"
    seen.page.locator("#feedback .wc-turn", has_text="厦门接入多少家？").locator("[data-act=make]").first.click()
    seen.page.wait_for_selector("#case", state="visible")
    seen.page.click("#case-save")
    seen.page.wait_for_selector("#feedback-said >> text=已存入 feedback.jsonl")
    case = cases.load(seen.app.settings.data_dir / "feedback.jsonl")[-1]
    assert (case.question, case.must, case.answerable) == ("厦门接入多少家？", (("2100家",),), True)
    assert (case.sources[0].file, case.sources[0].quote) == ("动态.txt", QUOTE)
    seen.page.wait_for_selector(f"#feedback >> text=已做成考题 {case.id}")
    seen.fits(390)
