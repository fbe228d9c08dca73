"""Finding the cited sentence again, in the live index, in an old one, or in what was stored; and the panel itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rag.errors import UsageError
from rag.records import answer_record
from rag.schema import Article, PageBreak
from tests.builders import article
from tests.ui.standin import ANSWER, NASTY, QUOTE, ROUND, WILD, Index, StandIn
from tests.ui.web.conftest import Seen
from ui.web.reader import Shelf
from ui.web.view.reader import Mark, Opened, opened

RECORD = answer_record(ANSWER)
LONGER = replace(ROUND, text=f"新加的一段。\n{ROUND.text}", page_breaks=())


@pytest.fixture
def app(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path)


def quoted(shown: Opened) -> str:
    assert shown.here is not None
    return shown.article.text[shown.here.start : shown.here.end]


def test_a_citation_opens_its_article_at_its_sentence(app: StandIn):
    shown = Shelf(app).open(RECORD, "7", "c1")  # type: ignore[arg-type]
    assert shown.article is ROUND
    assert quoted(shown) == QUOTE
    assert (shown.position, shown.before, shown.after, shown.notes) == ("第 1/2 处", "", "7:c2", ())


def test_a_passage_opens_too(app: StandIn):
    shown = Shelf(app).open(RECORD, "7", "e1")  # type: ignore[arg-type]
    assert quoted(shown) == WILD.text
    assert (shown.position, shown.before, shown.after) == ("第 2/2 段", "7:e0", "")


@pytest.mark.parametrize("place", ["c3", "c0", "e2", "x1", "", "c", "e-1", "c1 "])
def test_what_the_answer_does_not_hold_is_refused(app: StandIn, place: str):
    with pytest.raises(UsageError):
        Shelf(app).open(RECORD, "7", place)  # type: ignore[arg-type]


def test_an_old_answer_is_shown_in_the_version_it_was_made_from(app: StandIn):
    app.live = Index("v2", (LONGER,))
    app.past["v1"] = (ROUND, WILD)
    shown = Shelf(app).open(RECORD, "7", "c1")  # type: ignore[arg-type]
    assert shown.article is ROUND
    assert "作答时的资料（索引 v1）" in shown.notes[0]


def test_where_that_version_is_gone_the_sentence_is_looked_for_in_the_live_one(app: StandIn):
    app.live = Index("v2", (LONGER,))
    shown = Shelf(app).open(RECORD, "7", "c1")  # type: ignore[arg-type]
    assert shown.article is LONGER
    assert quoted(shown) == QUOTE
    assert "引文仍在其中" in shown.notes[0]


@pytest.mark.parametrize("left", [(), (replace(ROUND, text="全改了。", page_breaks=(), sections=()),)])
def test_where_the_sentence_is_gone_what_was_stored_is_shown(app: StandIn, left: tuple[Article, ...]):
    app.live = Index("v2", left)
    shown = Shelf(app).open(RECORD, "7", "c1")  # type: ignore[arg-type]
    assert (shown.article.text, quoted(shown), shown.whole) == (ROUND.text, QUOTE, False)
    assert "作答时保存的段落" in shown.notes[0]
    page = opened(shown)
    assert "卫生健康信息动态2025年第4期（总第341期） · 2025-02-11 · 医保动态 · 健康报 · 第7页" in page


def test_without_any_index_what_was_stored_is_shown(tmp_path: Path):
    shown = Shelf(StandIn(tmp_path, no_index=True)).open(RECORD, "7", "c1")  # type: ignore[arg-type]
    assert quoted(shown) == QUOTE


def test_the_panel_shows_masthead_contents_and_the_marked_sentence(app: StandIn):
    page = opened(Shelf(app).open(RECORD, "7", "c1"))  # type: ignore[arg-type]
    assert "<h2>国家出手！2025年医疗机构回款大提速</h2>" in page
    assert "卫生健康信息动态2025年第4期（总第341期） · 2025-02-11 · 医保动态 · 健康报 · 第7页" in page
    assert 'data-act="jump" data-at="section-0">地方探索</a>' in page
    assert f'<mark class="wc-here" id="here">{QUOTE}</mark>' in page
    assert 'data-act="open" data-at="7:c2">下一处' in page
    assert "上一处" not in page


def test_a_quote_over_paragraphs_and_a_page_break_is_marked_in_every_piece():
    of = replace(article("甲乙丙。\n丁戊己。庚。"), page_breaks=(PageBreak(6, 9),))
    page = opened(Opened(of, Mark(2, 9, 1)))
    assert '<p class="wc-paragraph">甲乙<mark class="wc-here" id="here">丙。</mark></p>' in page
    assert (
        '<p class="wc-paragraph"><mark class="wc-here">丁</mark><span class="wc-page" data-page="第9页"></span>'
        '<mark class="wc-here">戊己。</mark>庚。</p>' in page
    )


def test_other_citations_of_the_article_are_marked_otherwise():
    page = opened(Opened(article("甲。乙。丙。"), Mark(0, 2, 1), (Mark(4, 6, 2),)))
    assert '<mark class="wc-here" id="here">甲。</mark>乙。<mark class="wc-other" title="[2]">丙。</mark>' in page


def test_all_text_of_the_article_is_shown_once_and_stays_text():
    text = f"引言{NASTY}\n一、做法\n具体{NASTY}"
    page = opened(Opened(article(text, "一、做法", title=NASTY, source=NASTY, column=NASTY), Mark(1, len(text) - 1)))
    assert "<script" not in page
    assert "<img" not in page
    shown = re.sub(r"<[^>]+>", "", page[page.index('<p class="wc-paragraph">') :])
    from html import unescape

    assert unescape(shown) == text.replace("\n", "")
    assert '<p class="wc-heading"><a id="section-0"></a>' in page


@pytest.mark.browser
class TestInTheBrowser:
    """The panel beside the chat."""

    @pytest.fixture
    def reading(self, seen: Seen) -> Callable[[str], None]:
        def open_(place: str) -> None:
            seen.answered("厦门？")
            seen.page.click(f"#talk .wc-answer [data-at$='{place}']")
            seen.page.wait_for_selector("#reader #here")

        return open_

    def test_a_click_on_a_mark_opens_the_sentence_beside_the_chat(self, seen: Seen, reading: Callable[[str], None]):
        long = replace(ROUND, text="前文。\n" * 400 + ROUND.text + "\n后文。" * 400, sections=(), page_breaks=())
        seen.app.live = Index("v1", (long, WILD))
        try:
            reading(":c1")
        finally:
            seen.app.live = Index()
        assert seen.page.locator("#here").inner_text() == QUOTE
        seen.page.wait_for_function(
            "(r => r.top > 60 && r.bottom < innerHeight)(document.querySelector('#here').getBoundingClientRect())"
        )
        chat = seen.page.locator("#talk").bounding_box()
        panel = seen.page.locator("#reader").bounding_box()
        assert chat["x"] + chat["width"] <= panel["x"]

    def test_the_next_citation_and_closing(self, seen: Seen, reading: Callable[[str], None]):
        reading(":c1")
        assert "第 1/2 处" in seen.page.locator("#reader").inner_text()
        seen.page.click("#reader >> text=下一处")
        seen.page.wait_for_selector("#reader >> text=第 2/2 处")
        seen.page.click("#reader >> text=上一处")
        seen.page.wait_for_selector("#reader >> text=第 1/2 处")
        seen.page.keyboard.press("Escape")
        seen.page.wait_for_selector("#reader .wc-reader", state="detached")
        seen.page.click("#talk .wc-answer [data-at$=':c1']")
        seen.page.wait_for_selector("#reader #here")

    def test_searching_in_the_article_counts_and_steps(self, seen: Seen, reading: Callable[[str], None]):
        reading(":c1")
        seen.page.fill("#reader .wc-find", "。")
        assert seen.page.locator(".wc-find-count").inner_text() == "1/3"
        seen.page.press("#reader .wc-find", "Enter")
        assert seen.page.locator(".wc-find-count").inner_text() == "2/3"
        seen.page.press("#reader .wc-find", "Shift+Enter")
        assert seen.page.locator(".wc-find-count").inner_text() == "1/3"
        assert seen.page.evaluate("CSS.highlights.get('wc-hits').size") == 3
        seen.page.fill("#reader .wc-find", "没有这个")
        assert seen.page.locator(".wc-find-count").inner_text() == "没有"

    def test_it_opens_after_a_reload_and_for_an_old_index(self, seen: Seen, reading: Callable[[str], None]):
        reading(":c1")
        seen.app.live = Index("v2", ())
        try:
            seen.page.reload()
            seen.page.click("#talk .wc-answer [data-at$=':c1']")
            seen.page.wait_for_selector("#reader >> text=作答时保存的段落")
            assert seen.page.locator("#here").inner_text() == QUOTE
        finally:
            seen.app.live = Index()

    def test_on_a_narrow_screen_it_covers_the_page_and_fits(self, seen: Seen, reading: Callable[[str], None]):
        seen.page.set_viewport_size({"width": 390, "height": 844})
        reading(":c1")
        box = seen.page.locator("#reader").bounding_box()
        assert (box["x"], box["width"]) == (0, 390)
        rights = "[...document.querySelectorAll('#reader *')].map(e => e.getBoundingClientRect().right)"
        assert max(seen.page.evaluate(rights)) <= 390

    def test_only_the_article_is_printed(self, seen: Seen, reading: Callable[[str], None]):
        reading(":c1")
        seen.page.emulate_media(media="print")
        assert seen.page.locator("#reader .wc-reader-text").is_visible()
        assert not seen.page.locator("#talk").is_visible()
        assert not seen.page.locator("#ask-bar").is_visible()


@pytest.mark.browser
def test_the_article_stands_beside_the_answer_and_covers_nothing_of_it(seen: Seen):
    seen.answered("厦门？")
    seen.page.click("#talk .wc-answer [data-at$=':c1']")
    seen.page.wait_for_selector("#reader #here")
    edges = "[...document.querySelectorAll('#talk .wc-turn *, #ask-bar')].map((e) => e.getBoundingClientRect().right)"
    assert max(seen.page.evaluate(edges)) <= seen.page.locator("#reader").bounding_box()["x"] + 1
