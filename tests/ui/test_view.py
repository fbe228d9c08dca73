"""The page's HTML: what is shown, in which order, and that data stays text."""

from __future__ import annotations

from dataclasses import replace

from rag.answer.events import EvidenceFound, Stage, Token
from rag.schema import Evidence, Sentence, Support, Verdict
from tests.ui.standin import ANSWER, EVIDENCE, NASTY, REFUSED
from ui.labels import strength
from ui.web import view


def test_a_script_in_a_document_stays_text_everywhere():
    state = view.Running(NASTY, evidence=EVIDENCE, draft=NASTY, stage=NASTY)
    answer = replace(ANSWER, question=NASTY, text=NASTY, reason=NASTY, model=NASTY, unmatched_numbers=(NASTY,))
    pages = [
        view.found(state),
        view.drafted(state),
        view.stopped(state),
        view.failed(NASTY, NASTY),
        view.answered(answer, 1),
        view.answered(replace(answer, sentences=()), 1),
        view.library_line((), NASTY),
    ]
    for page in pages:
        assert "<script" not in page
        assert "<img" not in page
        assert "https://evil.example'" not in page
        assert "&lt;script&gt;" in page


def test_evidence_is_shown_while_there_is_no_answer_yet():
    state = view.advance(view.Running("问"), EvidenceFound(EVIDENCE))
    page = view.found(state)
    assert "国家出手！2025年医疗机构回款大提速" in page
    assert "地方探索 · 第6页" in page
    assert page.index(">强<") < page.index(">弱<")


def test_three_passages_stand_open_and_the_rest_are_folded_away():
    page = view.found(view.Running("问", evidence=(EVIDENCE[0],) * 8))
    assert "找到的资料（8 段）" in page
    assert page.count('class="wc-card"') == 8
    assert page.index("<summary>其余 5 段</summary>") < page.rindex('class="wc-card"')
    assert page[: page.index("其余 5 段")].count('class="wc-card"') == 3


def test_the_draft_grows_and_is_called_a_draft():
    state = view.Running("问")
    for event in (Stage("生成"), Token("一千"), Token("家")):
        state = view.advance(state, event)
    assert "一千家" in view.drafted(state)
    assert "草稿，尚未核对" in view.drafted(state)


def test_each_citation_shows_quote_and_place_and_the_quote_is_marked_in_its_passage():
    page = view.answered(ANSWER, 3)
    assert 'href="#c-3-1"' in page
    assert 'id="c-3-1"' in page
    assert "<blockquote>目前全市有2000余家定点医药机构接入即时结算系统。</blockquote>" in page
    assert "卫生健康信息动态2025年第4期（总第341期） · 医保动态 · 健康报 · 第7页 · 地方探索" in page
    assert "<mark>目前全市有2000余家定点医药机构接入即时结算系统。</mark>回款周期" in page
    assert page.count("[1]") == 1


def test_a_number_in_brackets_that_is_no_mark_stays():
    answer = replace(ANSWER, sentences=(Sentence("国发[2025]3号印发[1]。", (1,), Support.FULL),))
    assert "国发[2025]3号印发。" in view.answered(answer, 1)


def test_sentences_without_full_support_are_marked():
    sentences = tuple(Sentence(f"{s.value}句。", (), s) for s in Support)
    page = view.answered(replace(ANSWER, sentences=sentences), 1)
    assert '<span class="wc-unsure">partial句。</span><em class="wc-mark">依据不全</em>' in page
    assert '<span class="wc-unsure">none句。</span><em class="wc-mark">无依据</em>' in page
    assert "<span>full句。</span>" in page


def test_each_verdict_has_its_badge_and_a_refusal_shows_what_is_near():
    assert ">已回答<" in view.answered(ANSWER, 1)
    assert ">部分回答<" in view.answered(replace(ANSWER, verdict=Verdict.PARTIAL), 1)
    page = view.answered(REFUSED, 1)
    assert ">资料中未找到<" in page
    assert '<details class="wc-evidence" open><summary>相近内容（2 段）' in page
    assert "出处" not in page


def test_an_answer_without_any_evidence_is_shown_too():
    page = view.answered(replace(REFUSED, evidence=()), 1)
    assert "资料中未找到与这个问题直接对应的内容。" in page
    assert "相近内容" not in page


def test_strength_is_relative_to_the_best_passage_of_the_search():
    scores = [Evidence(EVIDENCE[0].chunk, score) for score in (2.0, 1.7, 1.2, 0.2)]
    assert [strength(item, 2.0) for item in scores] == ["强", "强", "中", "弱"]
    assert strength(Evidence(EVIDENCE[0].chunk, 0.0), 0.0) == "弱"
