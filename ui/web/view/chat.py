"""The chat: a question on its way, and exchanges as they are kept, live or from the history alike.

An exchange is shown from its record alone (`rag.records.answer_record`, with `coverage` and `suggestions` of
`ui.web.asking`), so that an old one looks as it looked on its day.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from html import escape

from rag.answer.citing import breaks, marked
from rag.answer.events import Event, EvidenceFound, Stage, Token
from rag.export import clean, reference
from rag.records import Record, evidence_record
from rag.schema import Article, Mode, Support, Verdict
from ui.labels import MODES, SUPPORTS, VERDICTS, searched_for, strength
from ui.web.view.parts import button, error, joined, note, text

FIRST_CARDS = 3
"""Passages shown at once, so that the draft below them is in sight."""
STALLED_S = 60
"""Seconds without any news after which the reader is told so."""
STAGES = ("理解问题", "检索", "证据", "生成", "核对")
_STRENGTH_CLASS = {"强": "strong", "中": "medium", "弱": "weak"}
_SAYS_MODE = "摘录模式：以下为资料原文"


@dataclass(frozen=True, slots=True)
class Running:
    """A question that is being answered, as far as it has come."""

    question: str
    stage: str = STAGES[0]
    evidence: tuple[Record, ...] | None = None
    """The passages found; None before the search is over."""
    draft: str = ""
    seconds: float = 0.0
    silent_s: float = 0.0
    """How long nothing has happened."""
    ahead: int = 0
    """How many other questions the LLM has to write on before."""
    coverage: Record = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A finished question in a conversation: its answer's record, or what is said in place of an answer."""

    id: str
    question: str
    answer: Record | None = None
    said: str = ""
    retrieved: tuple[Record, ...] = ()
    rating: str = ""
    """`up`, `down` or nothing."""
    unsaved: str = ""
    """Why it is not stored, where it is not: what needs the stored one is not offered then."""


def advance(state: Running, event: Event) -> Running:
    """The state after one event; `Finished` changes nothing, the answer is shown by `exchange`."""
    match event:
        case Stage(name):
            return replace(state, stage=name)
        case EvidenceFound(evidence):
            return replace(state, stage="证据", evidence=tuple(evidence_record(item) for item in evidence))
        case Token(piece):
            return replace(state, draft=state.draft + piece)
        case _:
            return state


def welcome() -> str:
    """What stands in an empty conversation."""
    return (
        '<div class="wc-welcome"><p>直接提问，例如某省某项政策的数字、时间、做法；'
        "也可以接着上文追问，例如“那湖南呢？”。</p>"
        "<p>每句回答都注明出处，点 [1] 这样的标记就打开原文那一句；资料里没有的，会明说没有。</p>"
        "<p>Enter 发送 · Shift+Enter 换行 · Esc 停止</p></div>"
    )


def found(state: Running) -> str:
    """The upper part of a question on its way: what was asked and the evidence, before any answer."""
    parts = [_asked(state.question)]
    if state.evidence:
        parts.append(_evidence(state.evidence, "找到的资料", "running", open_=True))
    if state.coverage:
        parts.append(_coverage(state.coverage))
    return f'<section class="wc-turn wc-found">{"".join(parts)}</section>'


def drafted(state: Running) -> str:
    """The lower part of a question on its way: the draft as it grows and what is being done."""
    parts = []
    if state.draft:
        label = '<span class="wc-draft-label">草稿，尚未核对</span>'
        parts.append(f'<div class="wc-draft">{label}<p>{text(state.draft)}</p></div>')
    return _turn([*parts, _steps(state)])


def _steps(state: Running) -> str:
    """All stages in order, those done, the one at work with its seconds, those to come."""
    at = STAGES.index(state.stage) if state.stage in STAGES else 0
    steps = []
    for number, name in enumerate(STAGES):
        kind = "done" if number < at else "now" if number == at else "next"
        current = ' aria-current="step"' if number == at else ""
        steps.append(f'<li class="wc-{kind}"{current}>{name}</li>')
    seconds = f'<li class="wc-seconds">{state.seconds:.0f} 秒</li>' if state.seconds >= 1 else ""
    lines = [f'<ol class="wc-steps" role="status">{"".join(steps)}{seconds}</ol>']
    if state.ahead and not state.draft:
        lines.append(note(f"前面还有 {state.ahead} 个问题正由大模型作答，请稍候；证据已经可以看了。"))
    if state.silent_s >= STALLED_S:
        lines.append(note(f"已有 {state.silent_s:.0f} 秒没有进展。可以继续等，或按停止，改用摘录模式。", warn=True))
    return "".join(lines)


def exchange(one: Exchange, *, last: bool = False) -> str:
    """A finished exchange; only the `last` one offers what to ask next."""
    if one.answer is None:
        return _without_answer(one)
    answer = one.answer
    refused = answer["verdict"] == Verdict.REFUSED
    parts = [_asked(answer["question"]), _head(answer), f'<div class="wc-answer">{_body(one.id, answer)}</div>']
    parts += [note(searched_for(answer["question"], answer["standalone_question"])), note(_remark(answer))]
    if answer["unmatched_numbers"]:
        parts.append(note(f"未能在引文中核对到的数字：{'、'.join(answer['unmatched_numbers'])}", warn=True))
    if answer["citations"]:
        cited = "".join(_citation(one.id, citation) for citation in answer["citations"])
        parts.append(f'<h4>出处</h4><ol class="wc-citations">{cited}</ol>')
    if answer["retrieved"]:
        title = "相近内容" if refused else "检索到的资料"
        parts.append(_evidence(answer["retrieved"], title, one.id, open_=refused))
    parts.append(_coverage(answer.get("coverage") or {}))
    parts.append(note(one.unsaved, warn=True))
    parts.append(_actions(one))
    if last:
        parts.append(_suggestions(answer.get("suggestions") or ()))
    return _turn(parts)


def conversation(exchanges: tuple[Exchange, ...]) -> str:
    """All exchanges of a conversation, or the welcome where there is none."""
    shown = [exchange(one, last=number == len(exchanges)) for number, one in enumerate(exchanges, 1)]
    return "".join(shown) or welcome()


def library_line(articles: tuple[Article, ...], version: str) -> str:
    """One line on what is in the library."""
    files = len({article.issue.file for article in articles})
    return f"资料 {files} 份 · 文章 {len(articles)} 篇 · 索引 {escape(version)}"


def _turn(parts: list[str]) -> str:
    return '<section class="wc-turn">' + "".join(parts) + "</section>"


def _asked(question: str) -> str:
    return f'<div class="wc-question"><p>{text(question)}</p></div>'


def _without_answer(one: Exchange) -> str:
    """A question that failed or was stopped: what was found stays, the unchecked draft is gone."""
    parts = [_asked(one.question)]
    if one.retrieved:
        parts.append(_evidence(one.retrieved, "检索到的资料", one.id, open_=False))
    parts.append(note(one.said) if one.said.startswith("已停止") else error(one.said))
    if one.unsaved:
        return _turn([*parts, note(one.unsaved, warn=True)])
    edits = [button("重试", "retry", one.id), button("修改问题", "edit", one.id)]
    return _turn([*parts, f'<div class="wc-actions">{"".join(edits)}</div>'])


def _head(answer: Record) -> str:
    verdict = Verdict(answer["verdict"])
    lacks = _lacks(answer) if verdict is Verdict.PARTIAL else ""
    badge = VERDICTS[verdict] + (f"：缺 {lacks}" if lacks else "")
    writer = MODES[Mode(answer["mode"])] + (f" {answer['model']}" if answer["model"] else "")
    about = joined(writer, f"{answer['timings']['total_s']:.1f} 秒")
    shown = f'<span class="wc-verdict wc-{verdict}">{escape(badge)}</span>'
    return f'<div class="wc-head">{shown}<small>{about}</small></div>'


def _lacks(answer: Record) -> str:
    """What a partial answer lacks, short enough for its badge; "" where it must be said in a sentence."""
    said = (answer["reason"] or "").rpartition("；")[2]
    _, told, what = said.partition("找到的原文没有写到")
    return what if told else ""


def _remark(answer: Record) -> str:
    """What is said under the answer: why it is as it is, without what its badge says already."""
    reason = answer["reason"] or ""
    if answer["verdict"] == Verdict.PARTIAL and _lacks(answer):
        reason = reason.rpartition("；")[0]
    return "" if reason == _SAYS_MODE else reason


def _body(id_: str, answer: Record) -> str:
    if not answer["sentences"]:
        return f"<p>{text(answer['answer'])}</p>"
    said = answer["sentences"]
    later = answer["answer"].split("\n")[1:]
    opened = [any(line.startswith(marked(s["text"], s["citations"])) for line in later) for s in said]
    broken = breaks([s["text"] for s in said])  # of a table's cells too, which are one line of the answer
    begin = [new or old for new, old in zip(opened, broken, strict=True)]
    lines = [("<br>" if new else "") + _sentence(id_, s) for s, new in zip(said, begin, strict=True)]
    return f"<p>{''.join(lines)}</p>"


def _sentence(id_: str, sentence: Record) -> str:
    links = "".join(f"<sup>{_mark(id_, n)}</sup>" for n in sentence["citations"])
    plain = sentence["text"]
    for number in sentence["citations"]:
        plain = plain.replace(f"[{number}]", "")
    support = Support(sentence["support"])
    if support is Support.FULL:
        return f"<span>{text(plain)}</span>{links}"
    return f'<span class="wc-unsure">{text(plain)}</span>{links}<em class="wc-mark">{SUPPORTS[support]}</em>'


def _mark(id_: str, number: int) -> str:
    """The mark in an answer that opens the cited sentence."""
    at = escape(f"{id_}:c{number}")
    return f'<a href="#" role="button" data-act="open" data-at="{at}" title="打开原文">[{number}]</a>'


def _citation(id_: str, citation: Record) -> str:
    page = f"第{citation['page']}页" if citation["page"] is not None else ""
    where = joined(citation["issue"], citation["column"], citation["source"], page, citation["section"])
    number = int(citation["number"])
    return (
        f'<li value="{number}"><a class="wc-title" href="#" role="button" data-act="open" '
        f'data-at="{escape(id_)}:c{number}">《{escape(citation["title"])}》</a>'
        f"<blockquote>{text(citation['quote'])}</blockquote>"
        f'<div class="wc-place">{where}</div></li>'
    )


def _evidence(evidence: tuple[Record, ...] | list[Record], title: str, id_: str, *, open_: bool) -> str:
    best = max(item["score"] for item in evidence)
    cards = [_card(item, best, f"{id_}:e{number}") for number, item in enumerate(evidence)]
    shown = "".join(cards[:FIRST_CARDS])
    if rest := cards[FIRST_CARDS:]:
        shown += f'<details class="wc-more"><summary>其余 {len(rest)} 段</summary>{"".join(rest)}</details>'
    is_open = " open" if open_ else ""
    return (
        f'<details class="wc-evidence"{is_open}><summary>{title}（{len(evidence)} 段）</summary>'
        f'<div class="wc-cards">{shown}</div></details>'
    )


def _card(item: Record, best: float, at: str) -> str:
    name = strength(item["score"], best)
    where = joined(item["section"], f"第{item['page']}页" if item["page"] is not None else "")
    badge = f'<span class="wc-strength wc-{_STRENGTH_CLASS[name]}">{name}</span>'
    open_ = "" if at.startswith("running:") else f"<p>{button('打开原文', 'open', at)}</p>"
    return (
        f'<details class="wc-card"><summary>{badge}<b>{escape(item["title"])}</b> <small>{where}</small>'
        f'<span class="wc-snippet">{escape(item["text"])}</span></summary>'
        f'<div class="wc-passage">{escape(item["text"])}</div>{open_}</details>'
    )


def _coverage(coverage: Record) -> str:
    """What was searched and where something was found."""
    if not coverage:
        return ""
    dates = f"（有日期的：{coverage['from']} 至 {coverage['to']}）" if coverage["from"] else ""
    hits = "、".join(f"{label} {n} 段" for label, n in coverage["hits"].items())
    found_in = f"；命中：{hits}" if hits else "；没有命中"
    within = f"按条件筛选（{coverage['within']}）后" if coverage.get("within") else ""
    line = f"{within}检索了 {coverage['issues']} 份资料{dates}{found_in}"
    return f'<p class="wc-coverage">{escape(line)}</p>'


def _actions(one: Exchange) -> str:
    answer = one.answer or {}
    cited = [button("复制引用", "cite", cited_lines(answer), title="引文和出处，如公文里的写法")]
    stored = (
        button("重试", "retry", one.id),
        button("修改问题", "edit", one.id),
        button("赞", "up", one.id, chosen=one.rating == "up"),
        button("踩", "down", one.id, chosen=one.rating == "down"),
    )
    buttons = (
        button("复制", "copy", one.id),
        *(cited if answer.get("citations") else ()),
        button("Word", "word", one.id, title="导出这个回答为 Word 文件"),
        *(() if one.unsaved else stored),
    )
    return f'<div class="wc-actions">{"".join(buttons)}</div>'


def cited_lines(answer: Record) -> str:
    """The quotes of an answer as they are cited in a document, a line each."""
    return "\n".join(f"“{clean(c['quote'])}”（{reference(c)}）" for c in answer.get("citations", ()))


def _suggestions(questions: tuple[str, ...] | list[str]) -> str:
    if not questions:
        return ""
    return f'<div class="wc-next"><span>接着问</span>{"".join(button(q, "suggest", q) for q in questions)}</div>'
