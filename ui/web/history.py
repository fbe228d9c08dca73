"""The history tab: a user's conversations, to be found, opened again, renamed, exported, deleted."""

from __future__ import annotations

from typing import Any

import gradio as gr

from rag.errors import UsageError
from rag.export import exported
from ui.web.chat import ChatTab
from ui.web.context import AT_ONCE, QUIET, Web, file_name, fresh_folder, hidden, panel, told
from ui.web.view import history as view
from ui.web.view.parts import note

_OPEN = "(id) => { if (id) location.assign(`?c=${encodeURIComponent(id)}`); return []; }"


def add_tab(web: Web, tab: gr.Tab, chat: ChatTab) -> None:
    """Lay out the tab inside the current Blocks."""
    _History(web).lay_out(tab, chat)


class _History:
    """The tab's components and what their events do."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._chosen = hidden("chosen-conversation")
        self._opened = hidden()
        self._search = gr.Textbox(
            show_label=False, container=False, placeholder="查找：标题、问题或回答里的词", elem_id="history-search",
        )  # fmt: skip
        with gr.Column(visible=False, elem_id="renaming") as self._renaming, gr.Row():
            self._title = gr.Textbox(show_label=False, container=False, max_length=200, elem_id="new-title", scale=8)
            self._rename = gr.Button("改名", variant="primary", min_width=52, elem_id="rename")
            self._rename_drop = gr.Button("取消", min_width=52)
        with gr.Column(visible=False, elem_id="deleting") as self._deleting:
            self._warning = gr.HTML()
            with gr.Row():
                self._delete = gr.Button("删除", variant="stop", min_width=52, elem_id="delete")
                self._delete_drop = gr.Button("取消", min_width=52)
        self._exported = gr.File(label="导出的文件", visible=False, elem_id="exported", interactive=False)
        self._list = panel(elem_id="history")

    def lay_out(self, tab: gr.Tab, chat: ChatTab) -> None:
        """Tie the events."""
        shown = [self._list, self._chosen, self._renaming, self._title, self._deleting, self._warning, self._exported]
        look: dict[str, Any] = {**QUIET, "inputs": [self._search, chat.address], "outputs": shown}
        look["trigger_mode"] = "always_last"  # what was typed last is what is listed
        gr.on([tab.select, self._search.change], told(self._on_look), **look)
        self._list.click(told(self._on_act), inputs=[self._search], outputs=[*shown, self._opened], **QUIET)
        self._opened.change(None, inputs=[self._opened], js=_OPEN, **AT_ONCE)
        rename, change = [self._rename.click, self._title.submit], [self._chosen, self._title, self._search]
        gr.on(rename, told(self._on_rename), inputs=change, outputs=shown, **QUIET)
        self._delete.click(told(self._on_delete), inputs=[self._chosen, self._search], outputs=shown, **QUIET)
        gr.on([self._rename_drop.click, self._delete_drop.click], told(self._on_look), **look)

    def _on_look(self, search: str, open_: str, request: gr.Request) -> dict[Any, Any]:
        return self._shown(search, request, open_)

    def _shown(self, search: str, request: gr.Request, open_: str = "") -> dict[Any, Any]:
        """The list as it stands, with nothing begun."""
        found = self._web.store.conversations.list(self._web.user(request).name, search.strip())
        return {
            self._list: view.conversations(found, search.strip(), chosen=open_),
            self._chosen: "",
            self._renaming: gr.update(visible=False),
            self._deleting: gr.update(visible=False),
            self._exported: gr.update(visible=False, value=None),
        }

    def _on_act(self, search: str, event: gr.EventData, request: gr.Request) -> dict[Any, Any]:
        conversation, turns = self._web.store.conversations.load(event.at, self._web.user(request).name)
        shown = self._shown(search, request) | {self._chosen: conversation.id}
        match event.act:
            case "resume":
                return {self._opened: conversation.id}
            case "rename":
                return shown | {self._renaming: gr.update(visible=True), self._title: conversation.title}
            case "delete":
                line = f"要删除“{conversation.title}”和其中的 {len(turns)} 个问答吗？删除后不能恢复。"
                return shown | {self._deleting: gr.update(visible=True), self._warning: note(line, warn=True)}
            case "md" | "docx":
                path = fresh_folder() / f"{file_name(conversation.title)}.{event.act}"
                if event.act == "docx":
                    exported(path, view.as_records(turns), conversation.title)
                else:
                    path.write_text(view.as_markdown(conversation, turns), encoding="utf-8")
                return shown | {self._exported: gr.update(visible=True, value=str(path))}
            case _:
                raise UsageError("没有这个操作", "请刷新网页再试")

    def _on_rename(self, chosen: str, title: str, search: str, request: gr.Request) -> dict[Any, Any]:
        self._web.store.conversations.rename(chosen, self._web.user(request).name, title)
        return self._shown(search, request)

    def _on_delete(self, chosen: str, search: str, request: gr.Request) -> dict[Any, Any]:
        user = self._web.user(request).name
        self._web.store.conversations.load(chosen, user)  # whose it is not can't stop what runs in it
        self._web.desk.stop(chosen)
        self._web.store.conversations.delete(chosen, user)
        return self._shown(search, request)
