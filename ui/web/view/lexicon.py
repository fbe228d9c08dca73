"""The lexicon: which questions are cut into other words by a changed one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ui.web.view.parts import note, table, text


@dataclass(frozen=True, slots=True)
class Change:
    """A question and its words with the lexicon as it is used now, and with the one that is edited."""

    question: str
    before: Sequence[str]
    after: Sequence[str]


def changes(found: Sequence[Change], looked_at: int) -> str:
    """The questions that change, of those that were looked at; new words stand out."""
    if not looked_at:
        return note("还没有可以比较的问题。请在上面写几个，一行一个。")
    if not found:
        return note(f"比较了 {looked_at} 个问题，切词都不变。")
    rows = [(text(one.question), _words(one.before, one.after), _words(one.after, one.before)) for one in found]
    line = note(f"比较了 {looked_at} 个问题，{len(found)} 个的切词会变：")
    return line + table(("问题", "现在", "改后"), rows)


def _words(words: Sequence[str], others: Sequence[str]) -> str:
    known = set(others)
    return " / ".join(escape(word) if word in known else f"<b>{escape(word)}</b>" for word in words)
