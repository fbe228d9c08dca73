"""The chat's HTML: what is shown, in which order, and that data stays text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag.answer.events import EvidenceFound, Stage, Token
from rag.records import Record, answer_record, evidence_record
from rag.schema import Answer, Sentence, Support, Verdict
from tests.ui.standin import ANSWER, EVIDENCE, NASTY, REFUSED
from ui.labels import strength
from ui.web.view import chat as view

FOUND = tuple(evidence_record(item) for item in EVIDENCE)


def shown(answer: Answer, *, last: bool = False, **more: object) -> str:
    record: Record = answer_record(answer) | more
    return view.exchange(view.Exchange("3", answer.question, record), last=last)


def test_a_script_in_a_document_stays_text_everywhere():
    state = view.Running(NASTY, evidence=FOUND, draft=NASTY, coverage=covered(NASTY))
    answer = replace(ANSWER, question=NASTY, text=NASTY, reason=NASTY, model=NASTY, unmatched_numbers=(NASTY,))
    pages = [
        view.found(state),
        view.drafted(state),
        view.exchange(view.Exchange("3", NASTY, said=NASTY, retrieved=FOUND)),
        shown(answer, last=True, suggestions=[NASTY], coverage=covered(NASTY)),
        shown(replace(answer, sentences=())),
        shown(replace(answer, verdict=Verdict.PARTIAL, reason=f"找到的原文没有写到{NASTY}")),
        view.library_line((), NASTY),
    ]
    for page in pages:
        assert "<script" not in page
        assert "<img" not in page
        assert "https://evil.example'" not in page
        assert "&lt;script&gt;" in page


def covered(label: str) -> Record:
    return {"issues": 5, "from": "2024-03-05", "to": "2025-02-11", "hits": {label: 2}}


def test_a_paragraph_of_the_answer_begins_a_line():
    one, other = (Sentence(text, (n,), Support.FULL) for n, text in enumerate(("四川抓改革。", "云南抓人才。"), 1))
    told = replace(ANSWER, sentences=(one, other))
    assert "<br><span>云南" in shown(replace(told, text="四川抓改革[1]。\n云南抓人才[2]。"))
    assert "<br>" not in shown(replace(told, text="四川抓改革[1]。云南抓人才[2]。"))


def test_evidence_is_shown_while_there_is_no_answer_yet():
    state = view.advance(view.Running("问"), EvidenceFound(EVIDENCE))
    page = view.found(state)
    assert "国家出手！2025年医疗机构回款大提速" in page
    assert "地方探索 · 第6页" in page
    assert page.index(">强<") < page.index(">弱<")


def test_three_passages_stand_open_and_the_rest_are_folded_away():
    page = view.found(view.Running("问", evidence=(FOUND[0],) * 8))
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


@pytest.mark.parametrize(
    ("event", "done", "now", "next_"),
    [
        (Stage("理解问题"), [], "理解问题", ["检索", "证据", "生成", "核对"]),
        (Stage("检索"), ["理解问题"], "检索", ["证据", "生成", "核对"]),
        (EvidenceFound(EVIDENCE), ["理解问题", "检索"], "证据", ["生成", "核对"]),
        (Stage("生成"), ["理解问题", "检索", "证据"], "生成", ["核对"]),
        (Stage("核对"), ["理解问题", "检索", "证据", "生成"], "核对", []),
    ],
)
def test_the_stages_stand_in_order_and_one_is_at_work(event: Stage, done: list[str], now: str, next_: list[str]):
    page = view.drafted(view.advance(view.Running("问"), event))
    for name in done:
        assert f'<li class="wc-done">{name}</li>' in page
    assert f'<li class="wc-now" aria-current="step">{now}</li>' in page
    for name in next_:
        assert f'<li class="wc-next">{name}</li>' in page


def test_who_waits_for_others_or_for_long_is_told():
    assert "前面还有 2 个问题" in view.drafted(view.Running("问", stage="生成", ahead=2))
    assert "前面还有" not in view.drafted(view.Running("问", stage="生成", ahead=2, draft="有"))
    assert "没有进展" not in view.drafted(view.Running("问", silent_s=59))
    assert "已有 61 秒没有进展" in view.drafted(view.Running("问", silent_s=61))


def test_each_citation_shows_quote_and_place_and_opens_the_sentence():
    page = shown(ANSWER)
    assert page.count('data-act="open" data-at="3:c1"') == 2
    assert "<blockquote>目前全市有2000余家定点医药机构接入即时结算系统。</blockquote>" in page
    assert "卫生健康信息动态2025年第4期（总第341期） · 医保动态 · 健康报 · 第7页 · 地方探索" in page
    assert page.count("[1]") == 1


def test_a_number_in_brackets_that_is_no_mark_stays():
    assert "国发[2025]3号印发。" in shown(
        replace(ANSWER, sentences=(Sentence("国发[2025]3号印发[1]。", (1,), Support.FULL),))
    )


def test_sentences_without_full_support_are_marked():
    sentences = tuple(Sentence(f"{s.value}句。", (), s) for s in Support)
    page = shown(replace(ANSWER, sentences=sentences))
    assert '<span class="wc-unsure">partial句。</span><em class="wc-mark">依据不全</em>' in page
    assert '<span class="wc-unsure">none句。</span><em class="wc-mark">无依据</em>' in page
    assert "<span>full句。</span>" in page


def test_numbers_that_no_quote_holds_are_named():
    assert "未能在引文中核对到的数字：9999、3%" in shown(replace(ANSWER, unmatched_numbers=("9999", "3%")))


def test_each_verdict_has_its_badge_and_a_refusal_shows_what_is_near():
    assert ">已回答<" in shown(ANSWER)
    assert ">部分回答<" in shown(replace(ANSWER, verdict=Verdict.PARTIAL))
    page = shown(REFUSED)
    assert ">资料中未找到<" in page
    assert '<details class="wc-evidence" open><summary>相近内容（2 段）' in page
    assert "出处" not in page


def test_a_partial_answer_says_in_its_badge_what_it_lacks():
    partial = replace(ANSWER, verdict=Verdict.PARTIAL)
    page = shown(replace(partial, reason="摘录模式：以下为资料原文；找到的原文没有写到湖南"))
    assert ">部分回答：缺 湖南<" in page
    assert "找到的原文没有写到" not in page
    page = shown(replace(partial, reason="大模型没有作答（太慢），以下为原文摘录；找到的原文没有写到湖南"))
    assert ">部分回答：缺 湖南<" in page
    assert ">大模型没有作答（太慢），以下为原文摘录<" in page
    page = shown(replace(partial, reason="资料中找不到9999的依据，相应的话已略去"))
    assert ">部分回答<" in page
    assert ">资料中找不到9999的依据，相应的话已略去<" in page


def test_an_answer_without_any_evidence_is_shown_too():
    page = shown(replace(REFUSED, evidence=()))
    assert "资料中未找到与这个问题直接对应的内容。" in page
    assert "相近内容" not in page


def test_what_was_searched_is_told():
    line = "检索了 5 份资料（有日期的：2024-03-05 至 2025-02-11）；命中：本期视点 2 段"
    assert line in shown(ANSWER, coverage=covered("本期视点"))
    undated = {"issues": 1, "from": None, "to": None, "hits": {}}
    assert "检索了 1 份资料；没有命中" in shown(REFUSED, coverage=undated)


def test_only_the_last_exchange_offers_what_to_ask_next():
    first, second = (
        view.Exchange(id_, "问", answer_record(ANSWER) | {"suggestions": [f"接着{id_}？"]}) for id_ in "12"
    )
    page = view.conversation((first, second))
    assert 'data-act="suggest" data-at="接着2？"' in page
    assert "接着1？" not in page
    assert "直接提问" in view.conversation(())


def test_what_was_given_is_seen_on_the_buttons():
    for rating, word in (("up", "赞"), ("down", "踩")):
        page = view.exchange(view.Exchange("3", "问", answer_record(ANSWER), rating=rating))
        assert page.count('aria-pressed="true"') == 1
        assert f'aria-pressed="true">{word}</button>' in page


def test_strength_is_relative_to_the_best_passage_of_the_search():
    assert [strength(score, 2.0) for score in (2.0, 1.7, 1.2, 0.2)] == ["强", "强", "中", "弱"]
    assert strength(0.0, 0.0) == "弱"


def test_what_was_searched_for_is_told_where_it_is_not_what_was_asked() -> None:
    typo = replace(ANSWER, question="射香保心丸？", standalone="麝香保心丸？")
    assert "按“麝香保心丸？”检索" in shown(typo)
    assert "按“" not in shown(replace(ANSWER, question="廈門 有多少家？", standalone="厦门有多少家？"))
    assert "&lt;b&gt;" in shown(replace(ANSWER, standalone="<b>"))


def test_quotes_are_cited_as_documents_do_it():
    first, *_ = view.cited_lines(answer_record(ANSWER)).splitlines()
    assert first == (
        "“目前全市有2000余家定点医药机构接入即时结算系统。”"
        "（《卫生健康信息动态》2025年第4期（总第341期），《国家出手！2025年医疗机构回款大提速》，健康报，第7页）"
    )
    assert 'data-act="cite"' in shown(ANSWER)
    assert 'data-act="cite"' not in shown(REFUSED)


def test_what_is_not_stored_offers_only_what_needs_no_stored_answer():
    page = view.exchange(view.Exchange("-1", "问", answer_record(ANSWER), unsaved="没有存"))
    assert "没有存" in page
    assert [act for act in ("copy", "cite", "word", "open") if f'data-act="{act}"' not in page] == []
    assert [act for act in ("retry", "edit", "up", "down") if f'data-act="{act}"' in page] == []
    assert "重试" not in view.exchange(view.Exchange("-1", "问", said="出错", unsaved="没有存"))
