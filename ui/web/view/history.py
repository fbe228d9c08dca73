"""The list of a user's conversations, and one of them as Markdown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from html import escape

from rag.records import Record
from rag.schema import Verdict
from ui.labels import VERDICTS
from ui.store import Conversation, StoredTurn
from ui.web.view.parts import button, note

NOT_ANSWERED = "（没有回答）"
_MARKED = frozenset("\\`*_{}[]<>()#+-.!|~&$")


def conversations(found: Sequence[Conversation], search: str, *, chosen: str = "") -> str:
    """The conversations, the latest first, each with what can be done with it."""
    if not found:
        line = f"没有找到含“{search}”的对话。" if search else "还没有对话。在“问答”里提问，就会记在这里。"
        return note(line)
    return "".join(_line(one, chosen=one.id == chosen) for one in found)


def _line(one: Conversation, *, chosen: bool) -> str:
    at = f"{local(one.updated_at)} · {one.turns} 问"
    title = escape(one.title or "（无标题）")
    id_ = escape(one.id)
    named = {"rename": "改名", "md": "Markdown", "docx": "Word", "delete": "删除"}
    hints = {"md": "导出为 Markdown 文件", "docx": "导出为 Word 文件，出处在脚注里"}
    acts = "".join(button(label, act, one.id, title=hints.get(act, "")) for act, label in named.items())
    return (
        f'<div class="wc-item{" wc-chosen" if chosen else ""}"><a href="#" role="button" data-act="resume" '
        f'data-at="{id_}"><b>{title}</b><small>{at}</small></a><span class="wc-item-acts">{acts}</span></div>'
    )


def local(at: dt.datetime) -> str:
    """A time on this machine's clock."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M")


def as_markdown(conversation: Conversation, turns: Sequence[StoredTurn]) -> str:
    """A conversation to be kept or passed on: every question, answer and source; text stays text."""
    lines = [f"# {plain(conversation.title)}", "", f"卫策问答 · {local(conversation.created_at)}", ""]
    for turn in turns:
        lines += [f"## {plain(turn.question)}", "", local(turn.asked_at), ""]
        lines += _answer(turn.answer) if turn.answer else [plain(turn.error or NOT_ANSWERED), ""]
    return "\n".join(lines)


def as_records(turns: Sequence[StoredTurn]) -> list[Record]:
    """What was asked and answered, as records; a question without an answer says why."""
    return [turn.answer or {"question": turn.question, "error": turn.error or NOT_ANSWERED} for turn in turns]


def _answer(answer: Record) -> list[str]:
    verdict = VERDICTS[Verdict(answer["verdict"])]
    lines = ["\n\n".join(plain(line) for line in answer["answer"].splitlines() if line.strip()), ""]
    lines += [f"结论：{verdict}" + (f"（{plain(answer['reason'])}）" if answer["reason"] else ""), ""]
    for cited in answer["citations"]:
        page = f"第{cited['page']}页" if cited["page"] is not None else ""
        parts = (cited["issue"], cited["date"], cited["column"], cited["source"], page, cited["section"])
        where = " · ".join(plain(str(part)) for part in parts if part)
        quote = plain(" ".join(cited["quote"].split()))
        lines += [rf"\[{cited['number']}\] 《{plain(cited['title'])}》 {where}", "", f"> {quote}", ""]
    return lines


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return "".join(f"\\{c}" if c in _MARKED else c for c in " ".join(text.split()))
