"""Batches: the list before it is taken, how far each batch is, and what became of its rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from rag.export import FAILED, verdict
from rag.export import note as remark
from rag.records import Record
from ui.web.view.history import local
from ui.web.view.parts import button, doing, error, joined, note, table, text

STATES = {"waiting": "排队中", "running": "进行中", "stopped": "已停止", "done": "已完成"}
FORMS = {".xlsx": "Excel", ".docx": "Word", ".csv": "CSV", ".jsonl": "JSONL"}
"""What a batch can be taken away as, by the suffix that the button asks for."""
ANSWER_CHARS = 160
CELL_CHARS = 60


@dataclass(frozen=True, slots=True)
class Listed:
    """An uploaded list: its first rows under their header, and how many rows ask."""

    about: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    column: int
    total: int


def preview(found: Listed) -> str:
    """The first rows of a list, the questions' column marked."""
    heads = [
        f"{name or '（无列名）'}{'（问题）' if at == found.column else ''}" for at, name in enumerate(found.header)
    ]
    cells = [
        [f"<b>{shown}</b>" if at == found.column else shown for at, shown in enumerate(map(_cell, row))]
        for row in found.rows
    ]
    return note(f"{found.about}，共 {found.total} 个问题。") + table(heads, cells)


def _cell(plain: str) -> str:
    return escape(plain if len(plain) <= CELL_CHARS else f"{plain[:CELL_CHARS]}…")


def batches(found: Sequence[Record], *, chosen: str = "", names: bool = False) -> str:
    """The batches, the latest first; with the `names` of their owners for who sees those of all."""
    if not found:
        return note("还没有批量任务。上传一份问题清单，选好问题列，就能开始。")
    return "".join(_line(one, chosen=one["id"] == chosen, names=names) for one in found)


def _line(one: Record, *, chosen: bool, names: bool) -> str:
    at = local(dt.datetime.fromtimestamp(one["created"], dt.UTC))
    about = joined(STATES[one["state"]], f"{one['done']}/{one['total']}", at, one["user"] if names else "")
    return (
        f'<div class="wc-item{" wc-chosen" if chosen else ""}"><a href="#" role="button" data-act="look" '
        f'data-at="{escape(one["id"])}"><b>{escape(called(one))}</b><small>{about}</small></a>'
        f'<span class="wc-item-acts">{button("查看", "look", one["id"])}</span></div>'
    )


def called(one: Record) -> str:
    """What a batch is called: as its file, or that it came over the API."""
    return str(one["name"] or "接口提交的问题")


def batch(one: Record, rows: Sequence[tuple[str, str, Record | None]]) -> str:
    """What became of one batch, what can be done with it, and its first rows: number, question, record."""
    parts = [_counts(one)]
    if one["reason"]:
        parts.append(error(one["reason"]))
    if one["fallback"]:
        parts.append(note(f"{one['fallback']} 题大模型没有回答，先摘录了原文；按“重答”可再问一次。", warn=True))
    parts.append(_actions(one))
    lines = [_row(number, question, record, one["state"]) for number, question, record in rows]
    parts.append(table(("行", "问题", "状态", "回答"), lines))
    if one["total"] > len(rows):
        parts.append(note(f"只列出前 {len(rows)} 行，其余 {one['total'] - len(rows)} 行请下载后看。"))
    return "".join(parts)


def progress(one: Record) -> str:
    """How far one batch is."""
    return f"<h4>{escape(called(one))}</h4>{_bar(one)}"


def _bar(one: Record) -> str:
    line = f"{STATES[one['state']]} {one['done']}/{one['total']}"
    if one["state"] == "waiting":
        return doing(f"{line}，前面的批量任务完成后开始")
    if one["state"] != "running":
        return note(line)
    left = one["remaining_s"]
    return doing(line if left is None else f"{line}，约剩 {duration(left)}", one["done"], one["total"])


def duration(seconds: int) -> str:
    """A span of time as people say it."""
    if seconds < 60:
        return f"{seconds} 秒"
    minutes = round(seconds / 60)
    return f"{minutes} 分钟" if minutes < 60 else f"{minutes // 60} 小时 {minutes % 60} 分钟"


def _counts(one: Record) -> str:
    named = {
        "answered": "已回答",
        "partial": "部分回答",
        "refused": "资料中未找到",
        "failed": FAILED,
        "fallback": "改为摘录",
    }
    return note("，".join(f"{label} {one[name]}" for name, label in named.items() if one[name]))


def _actions(one: Record) -> str:
    acts = []
    if one["state"] in {"running", "waiting"}:
        acts.append(button("停止", "stop", one["id"]))
    elif one["done"] < one["total"]:
        acts.append(button("继续", "resume", one["id"]))
    elif one["failed"] or one["fallback"]:
        acts.append(button("重答没有答成的", "resume", one["id"]))
    if one["done"]:
        acts += [button(f"下载 {label}", suffix, one["id"]) for suffix, label in FORMS.items()]
    if one["state"] not in {"running", "waiting"}:
        acts.append(button("删除", "delete", one["id"]))
    return f'<div class="wc-actions">{"".join(acts)}</div>'


def _row(number: str, question: str, record: Record | None, state: str) -> tuple[str, ...]:
    if record is None:
        waits = "等待" if state in {"running", "waiting"} else "未答"
        return escape(number), text(question), f"<small>{waits}</small>", ""
    kind = "wrong" if "error" in record else record["verdict"]
    said = remark(record) if "error" in record else record["answer"]
    shown = said if len(said) <= ANSWER_CHARS else f"{said[:ANSWER_CHARS]}…"
    badge = f'<span class="wc-verdict wc-{escape(kind)}">{verdict(record)}</span>'
    return escape(number), text(question), badge, text(shown)
