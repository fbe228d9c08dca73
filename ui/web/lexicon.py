"""The lexicon in the library tab, for editors: words that mean the same, and which questions a change changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr

from rag.corpus.lexicon import Entry, as_text, check, read_entries, stamp, write_entries
from rag.corpus.words import Words
from ui.store import Role
from ui.web.context import QUIET, Web, hidden, told
from ui.web.view import lexicon as view
from ui.web.view.parts import note

HEADERS = ["词", "同义的词（用、隔开）", "说明"]
CONVERSATIONS = 50
"""How many of the editor's last conversations are looked through for questions."""
EMPTY_ROWS = 3
_BETWEEN = re.compile(r"[、，,；;=\n]")


class LexiconEditor:
    """The editor's components and what their events do; the tab that holds it updates the index."""

    def __init__(self, web: Web) -> None:
        """Lay it out inside the current Blocks."""
        self._web = web
        self._stamp = hidden()
        with gr.Accordion("词典", open=False, elem_id="lexicon-box") as self.box:
            gr.HTML(
                note("一行是意思相同的几个词，检索时当作同一个词；只写一个词，就不会被切开。程序自带的词典不在这里。")
            )
            self._table = gr.Dataframe(
                headers=HEADERS, column_count=3, type="array", datatype="str", wrap=True,
                interactive=True, show_label=False, elem_id="lexicon", max_height=360, buttons=[],
            )  # fmt: skip
            self._typed = gr.Textbox(
                label="用这些问题比较（一行一个；不写就用自己问过的）", lines=2, max_lines=6, max_length=4000,
                elem_id="lexicon-questions",
            )  # fmt: skip
            with gr.Row():
                self._look = gr.Button("看哪些问题会变", elem_id="lexicon-look")
                self._save = gr.Button("保存词典", variant="primary", elem_id="lexicon-save")
                self.update = gr.Button("更新索引", elem_id="lexicon-update")
            self._said = gr.HTML(elem_id="lexicon-said")

    def lay_out(self, tab: gr.Tab) -> None:
        """Tie the events."""
        tab.select(told(self._on_open), outputs=[self._table, self._stamp, self._said], **QUIET)
        self._look.click(told(self._on_preview), inputs=[self._table, self._typed], outputs=[self._said], **QUIET)
        self._save.click(
            told(self._on_save),
            inputs=[self._table, self._stamp],
            outputs=[self._table, self._stamp, self._said],
            **QUIET,
        )

    @property
    def _path(self) -> Path:
        return self._web.app.settings.lexicon

    def _on_open(self, request: gr.Request) -> dict[Any, Any]:
        if not self._web.user(request).role.covers(Role.EDITOR):
            return {self._said: note("词典要有“编辑”的权限才能看和改。")}
        return self._shown() | {self._said: ""}

    def _shown(self) -> dict[Any, Any]:
        rows = [
            ["".join(entry.words[:1]), "、".join(entry.words[1:]), entry.remark] for entry in read_entries(self._path)
        ]
        return {self._table: [*rows, *(["", "", ""] for _ in range(EMPTY_ROWS))], self._stamp: stamp(self._path)}

    def _on_preview(self, rows: list[list[Any]], typed: str, request: gr.Request) -> str:
        user = self._web.user(request, Role.EDITOR)
        changed = entries(rows)
        check(changed)
        asked = [line.strip() for line in typed.splitlines() if line.strip()] or self._asked(user.name)
        return view.changes(self._changes(changed, asked), len(asked))

    def _asked(self, user: str) -> list[str]:
        """What the editor asked before, each question once."""
        store = self._web.store.conversations
        talks = (store.load(one.id, user)[1] for one in store.list(user, limit=CONVERSATIONS))
        return list(dict.fromkeys(turn.question for turns in talks for turn in turns))

    def _changes(self, changed: Sequence[Entry], asked: Sequence[str]) -> list[view.Change]:
        with TemporaryDirectory(prefix="weice-") as folder:
            path = Path(folder) / "词典.txt"
            path.write_text(as_text(changed), encoding="utf-8")
            now, then = self._web.app.words, Words(path)
            both = [view.Change(question, now.tokens(question), then.tokens(question)) for question in asked]
        return [one for one in both if one.before != one.after]

    def _on_save(self, rows: list[list[Any]], began_from: str, request: gr.Request) -> dict[Any, Any]:
        editor = self._web.user(request, Role.EDITOR)
        changed = entries(rows)
        self._web.app.words.tokens("")  # what is asked until the index is cut anew, is cut as the index is
        write_entries(self._path, changed, began_from)
        self._web.store.audit.note(editor.name, "web", "lexicon", f"{len(changed)} 行")
        line = "词典已保存。到下次更新索引时重新切词，在那之前照旧检索；现在就可以按“更新索引”。"
        return self._shown() | {self._said: note(line)}


def entries(rows: Sequence[Sequence[Any]]) -> tuple[Entry, ...]:
    """The rows of the table as entries, without the empty ones."""
    return tuple(_entries(rows))


def _entries(rows: Sequence[Sequence[Any]]) -> Iterator[Entry]:
    for row in rows:
        first, others, remark = (" ".join(str(cell or "").split()) for cell in [*row, "", "", ""][:3])
        words = [word.strip() for word in (first, *_BETWEEN.split(others)) if word.strip()]
        if words or remark:
            yield Entry(tuple(dict.fromkeys(words)), remark)
