"""Turns questions, events and answers into HTML, purely: no Gradio, no state, no I/O.

Everything that comes from users, documents and models is data: it is escaped here and stays text, whatever
tags, links or Markdown it holds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape

from rag.answer.citing import opens_item
from rag.answer.events import Event, EvidenceFound, Stage, Token
from rag.schema import Answer, Article, Citation, Evidence, Sentence, Support, Verdict
from ui.labels import MODES, SUPPORTS, VERDICTS, citation_place, strength

FIRST_CARDS = 3
"""Passages shown at once, so that the draft below them is in sight."""
_STRENGTH_CLASS = {"强": "strong", "中": "medium", "弱": "weak"}


@dataclass(frozen=True, slots=True)
class Running:
    """A question that is being answered, as far as it has come."""

    question: str
    stage: str = "准备"
    evidence: tuple[Evidence, ...] = ()
    draft: str = ""
    seconds: float = 0.0


def advance(state: Running, event: Event) -> Running:
    """The state after one event; `Finished` changes nothing, the answer is shown by `answered`."""
    match event:
        case Stage(name):
            return replace(state, stage=name)
        case EvidenceFound(evidence):
            return replace(state, evidence=evidence)
        case Token(text):
            return replace(state, draft=state.draft + text)
        case _:
            return state


def welcome() -> str:
    """What stands in an empty conversation."""
    return (
        '<div class="wc-welcome"><p>直接提问，例如某省某项政策的数字、时间、做法；'
        "也可以接着上文追问，例如“那湖南呢？”。</p>"
        "<p>每句回答都注明出处，可以展开核对原文；资料里没有的，会明说没有。</p></div>"
    )


def found(state: Running) -> str:
    """The upper part of a question on its way: what was asked and the evidence, before any answer."""
    parts = [_asked(state.question)]
    if state.evidence:
        parts.append(_evidence(state.evidence, "找到的资料", open_=True))
    return f'<section class="wc-turn wc-found">{"".join(parts)}</section>'


def drafted(state: Running) -> str:
    """The lower part of a question on its way: the draft as it grows and what is being done."""
    seconds = f" {state.seconds:.0f} 秒" if state.seconds >= 1 else ""
    parts = []
    if state.draft:
        label = '<span class="wc-draft-label">草稿，尚未核对</span>'
        parts.append(f'<div class="wc-draft">{label}<p>{_text(state.draft)}</p></div>')
    parts.append(f'<p class="wc-stage" role="status"><i></i>{escape(state.stage)}…{seconds}</p>')
    return _turn(parts)


def answered(answer: Answer, turn: int) -> str:
    """A checked answer with its citations; `turn` keeps the anchors of several answers apart."""
    refused = answer.verdict is Verdict.REFUSED
    parts = [_asked(answer.question), _head(answer), f'<div class="wc-answer">{_body(answer, turn)}</div>']
    if answer.reason:
        parts.append(f'<p class="wc-note">{escape(answer.reason)}</p>')
    if answer.unmatched_numbers:
        numbers = escape("、".join(answer.unmatched_numbers))
        parts.append(f'<p class="wc-note wc-warn">未能在引文中核对到的数字：{numbers}</p>')
    if answer.citations:
        cited = "".join(_citation(citation, turn) for citation in answer.citations)
        parts.append(f'<h4>出处</h4><ol class="wc-citations">{cited}</ol>')
    if answer.evidence:
        parts.append(_evidence(answer.evidence, "相近内容" if refused else "检索到的资料", open_=refused))
    return _turn(parts)


def failed(question: str, line: str) -> str:
    """A question that could not be answered, with the line that says why and what to do."""
    return _turn([_asked(question), f'<p class="wc-error" role="alert">{escape(line)}</p>'])


def stopped(state: Running) -> str:
    """A question that the user stopped: what was found stays, the unchecked draft goes."""
    parts = [_asked(state.question)]
    if state.evidence:
        parts.append(_evidence(state.evidence, "检索到的资料", open_=False))
    parts.append('<p class="wc-note">已停止，未给出回答。</p>')
    return _turn(parts)


def library_line(articles: tuple[Article, ...], version: str) -> str:
    """One line on what is in the library."""
    files = len({article.issue.file for article in articles})
    return f"资料 {files} 份 · 文章 {len(articles)} 篇 · 索引 {escape(version)}"


def _turn(parts: list[str]) -> str:
    return '<section class="wc-turn">' + "".join(parts) + "</section>"


def _asked(question: str) -> str:
    return f'<div class="wc-question"><p>{_text(question)}</p></div>'


def _head(answer: Answer) -> str:
    writer = MODES[answer.mode] + (f" {answer.model}" if answer.model else "")
    badge = f'<span class="wc-verdict wc-{answer.verdict.value}">{VERDICTS[answer.verdict]}</span>'
    seconds = f"{answer.timings.total_s:.1f} 秒"
    return f'<div class="wc-head">{badge}<small>{escape(writer)} · {seconds}</small></div>'


def _body(answer: Answer, turn: int) -> str:
    if not answer.sentences:
        return f"<p>{_text(answer.text)}</p>"
    lines = [("<br>" if opens_item(s.text) else "") + _sentence(s, turn) for s in answer.sentences]
    return "<p>" + "".join(lines).removeprefix("<br>") + "</p>"


def _sentence(sentence: Sentence, turn: int) -> str:
    links = "".join(f'<sup><a href="#c-{turn}-{n}">[{n}]</a></sup>' for n in sentence.citations)
    plain = sentence.text
    for number in sentence.citations:
        plain = plain.replace(f"[{number}]", "")
    text = _text(plain)
    if sentence.support is Support.FULL:
        return f"<span>{text}</span>{links}"
    mark = f'<em class="wc-mark">{SUPPORTS[sentence.support]}</em>'
    return f'<span class="wc-unsure">{text}</span>{links}{mark}'


def _citation(citation: Citation, turn: int) -> str:
    chunk = citation.chunk
    passage = escape(chunk.text)
    if chunk.start <= citation.start and citation.end <= chunk.end:
        at, to = citation.start - chunk.start, citation.end - chunk.start
        before, quoted, after = chunk.text[:at], chunk.text[at:to], chunk.text[to:]
        passage = f"{escape(before)}<mark>{escape(quoted)}</mark>{escape(after)}"
    return (
        f'<li id="c-{turn}-{citation.number}" value="{citation.number}">'
        f'<div class="wc-title">《{escape(citation.article.title)}》</div>'
        f"<blockquote>{_text(citation.quote)}</blockquote>"
        f'<div class="wc-place">{escape(citation_place(citation))}</div>'
        f'<details><summary>看原文段落</summary><div class="wc-passage">{passage}</div></details></li>'
    )


def _evidence(evidence: tuple[Evidence, ...], title: str, *, open_: bool) -> str:
    best = max(item.score for item in evidence)
    cards = "".join(_card(item, best) for item in evidence[:FIRST_CARDS])
    if rest := evidence[FIRST_CARDS:]:
        more = "".join(_card(item, best) for item in rest)
        cards += f'<details class="wc-more"><summary>其余 {len(rest)} 段</summary>{more}</details>'
    is_open = " open" if open_ else ""
    return (
        f'<details class="wc-evidence"{is_open}><summary>{title}（{len(evidence)} 段）</summary>'
        f'<div class="wc-cards">{cards}</div></details>'
    )


def _card(item: Evidence, best: float) -> str:
    chunk = item.chunk
    name = strength(item, best)
    page = f"第{chunk.page}页" if chunk.page is not None else ""
    where = " · ".join(part for part in (chunk.section, page) if part)
    badge = f'<span class="wc-strength wc-{_STRENGTH_CLASS[name]}">{name}</span>'
    return (
        f'<details class="wc-card"><summary>{badge}'
        f'<b>{escape(chunk.article.title)}</b> <small>{escape(where)}</small><span class="wc-snippet">'
        f'{escape(chunk.text)}</span></summary><div class="wc-passage">{escape(chunk.text)}</div></details>'
    )


def _text(text: str) -> str:
    return escape(text.strip()).replace("\n", "<br>")
