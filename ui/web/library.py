"""The library tab: what is in it; for editors, taking files in, leaving them out, going back to an older index."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag.corpus.articles import parse
from rag.corpus.readers import SUFFIXES, read
from rag.errors import IndexStateError, StorageError, UsageError, WeiceError
from ui.store import Role, User
from ui.web.context import AT_ONCE, QUIET, Web, hidden, panel, told
from ui.web.lexicon import LexiconEditor
from ui.web.view import library as view
from ui.web.view.parts import doing, note

if TYPE_CHECKING:
    from rag.index.build import BuildReport

TICK_S = 0.3
MAX_UPLOAD = 50 << 20
"""The largest file that the page takes, in bytes."""


def add_tab(web: Web, tab: gr.Tab) -> gr.HTML:
    """Lay out the tab inside the current Blocks and return the panel that can open articles."""
    return _Library(web).lay_out(tab)


class _Library:
    """The tab's components and what their events do."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._chosen = hidden()
        self._act = hidden()
        self._state = gr.HTML(elem_id="library-state")
        with gr.Column(visible=False, elem_id="sure") as self._sure:
            self._warning = gr.HTML()
            with gr.Row():
                self._yes = gr.Button("确定", variant="stop", min_width=52, elem_id="sure-yes")
                self._no = gr.Button("取消", min_width=52)
        with gr.Accordion("添加或替换资料", open=False, elem_id="adding") as self._adding:
            self._files = gr.File(
                label=f"把文件拖到这里（{' '.join(sorted(SUFFIXES))}）",
                file_count="multiple",  # of any type: what Gradio says of a wrong one is English
                elem_id="upload",
                height=160,
            )
            self._preview = gr.HTML(elem_id="preview")
            self._take = gr.Button("收进资料库", variant="primary", visible=False, elem_id="take")
        self._list = panel(elem_id="library")
        self._lexicon = LexiconEditor(web)
        with gr.Accordion("索引版本", open=False, elem_id="versions-box") as self._versions_box:
            self._versions = panel(elem_id="versions")

    def lay_out(self, tab: gr.Tab) -> gr.HTML:
        """Tie the events."""
        listed = [self._list, self._versions]
        asking = [self._sure, self._warning, self._chosen, self._act]
        editing = [self._adding, self._lexicon.box, self._versions_box]
        tab.select(told(self._on_look), outputs=[*listed, *editing], **QUIET)
        self._files.change(
            told(self._on_files), inputs=[self._files], outputs=[self._preview, self._take, self._state], **QUIET
        )
        done = [self._state, *listed, self._sure]
        one = {**QUIET, "concurrency_limit": 1, "concurrency_id": "library"}
        self._take.click(
            told(self._on_take), inputs=[self._files], outputs=[*done, self._preview, self._take, self._files], **one
        )
        for one_list in listed:
            one_list.click(told(self._on_act), outputs=asking, **QUIET)
        self._yes.click(told(self._on_yes), inputs=[self._chosen, self._act], outputs=done, **one)
        self._lexicon.lay_out(tab)
        self._lexicon.update.click(told(self._on_update), outputs=done, **one)
        self._no.click(lambda: gr.update(visible=False), outputs=[self._sure], **AT_ONCE)
        return self._list

    # --- looking ------------------------------------------------------------

    def _on_look(self, request: gr.Request) -> tuple[Any, ...]:
        user = self._web.user(request)
        editing = gr.update(visible=user.role.covers(Role.EDITOR))
        return *self._listed(user), editing, editing, editing

    def _listed(self, user: User) -> tuple[str, str]:
        app = self._web.app
        disabled = app.disabled
        try:
            index = app.index
        except IndexStateError as error:
            return note(str(error), warn=True), view.versions(app.store.versions(), "")
        own = {name for name in index.files if app.own_file(name) is not None}
        files = view.files(index.files, disabled, own, self._hits(user), editing=user.role.covers(Role.EDITOR))
        return files, view.versions(app.store.versions(), index.version)

    def _hits(self, user: User) -> view.Hits:
        """How often each article is cited: in everybody's answers for editors, in their own for readers."""
        everybody = user.role.covers(Role.EDITOR)
        try:
            cited = self._web.store.conversations.cited(None if everybody else user.name)
        except StorageError as error:  # the library is there all the same
            return view.Hits(said=str(error))
        whose = "所有人" if everybody else "你自己"
        return view.Hits(cited, f"引用次数：{whose}存下的回答里，有几个引用了这篇文章。" if cited else "")

    # --- taking in ------------------------------------------------------------

    def _on_files(self, paths: list[str] | None, request: gr.Request) -> tuple[Any, ...]:
        self._web.user(request, Role.EDITOR)
        if not paths:
            return "", gr.update(visible=False), gr.update()
        found = self._previews([Path(path) for path in paths])
        good = any(one.parsed is not None for one in found)
        return view.previews(found), gr.update(visible=good), ""

    def _previews(self, paths: list[Path]) -> list[view.Preview]:
        names = Counter(path.name for path in paths)
        own = self._web.app.settings.library[-1]
        found = []
        for path in paths:
            replaces = (own / path.name).exists()
            if names[path.name] > 1:
                found.append(view.Preview(path.name, error="一次传了两个同名的文件。请改名，或分两次收"))
                continue
            try:
                found.append(view.Preview(path.name, parse(path.name, read(path)), replaces=replaces))
            except WeiceError as error:
                said = str(error).replace(str(path), path.name)  # where the page keeps it means nothing to anybody
                found.append(view.Preview(path.name, error=said))
        return found

    def _on_take(self, paths: list[str] | None, request: gr.Request) -> Iterator[dict[Any, Any]]:
        editor = self._web.user(request, Role.EDITOR)
        files = [Path(path) for path in paths or []]
        good = {one.file for one in self._previews(files) if one.parsed is not None}
        wanted = [path for path in files if path.name in good]
        if not wanted:
            raise UsageError("没有能收进资料库的文件", "请看预览里的说明")
        self._web.app.add_files(wanted)
        for path in wanted:
            self._web.app.disable(path.name, False)
        self._web.store.audit.note(editor.name, "web", "upload", "、".join(sorted(good)))
        empty = {self._take: gr.update(visible=False), self._preview: "", self._files: None}
        yield {**empty, self._state: doing("更新索引…")}  # at once: later it would empty what is put in next
        yield from self._updated(editor)

    def _on_update(self, request: gr.Request) -> Iterator[dict[Any, Any]]:
        editor = self._web.user(request, Role.EDITOR)
        self._web.store.audit.note(editor.name, "web", "index")
        yield {self._state: doing("更新索引…")}
        yield from self._updated(editor)

    def _updated(self, user: User) -> Iterator[dict[Any, Any]]:
        """Bring the index up to date, telling what is done, and answer from it."""
        work = _Work(self._web.app.build_index)
        for what, done, total in work.watch():
            yield {self._state: doing(f"{what}…", done, total)}
        report = work.result()
        self._web.app.reload()
        listed, versions = self._listed(user)
        yield {
            self._state: view.built(report),
            self._list: listed,
            self._versions: versions,
            self._sure: gr.update(visible=False),
        }

    # --- changing ------------------------------------------------------------

    def _on_act(self, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        self._web.user(request, Role.EDITOR)
        name = event.at
        lines = {
            "disable": f"要停用“{name}”吗？文件留着，但不再用来回答，直到重新启用。",
            "enable": f"要重新启用“{name}”吗？",
            "delete": f"要删除“{name}”吗？文件会从资料库里删掉，不能恢复；旧的回答仍能看到当时的原文。",
            "use": f"要改用索引 {name} 吗？之后运行“更新索引”会回到现有的文件。",
        }
        if event.act not in lines:
            raise UsageError("没有这个操作", "请刷新网页再试")
        return gr.update(visible=True), note(lines[event.act], warn=True), name, event.act

    def _on_yes(self, name: str, act: str, request: gr.Request) -> Iterator[dict[Any, Any]]:
        editor = self._web.user(request, Role.EDITOR)
        app = self._web.app
        match act:
            case "disable" | "enable":
                app.disable(name, act == "disable")
            case "delete":
                app.delete_file(name)
            case "use":
                app.store.use(name, model=app.embedder.name)
            case _:
                raise UsageError("没有这个操作", "请刷新网页再试")
        self._web.store.audit.note(editor.name, "web", act, name)
        yield {self._sure: gr.update(visible=False), self._state: doing("请稍候…")}
        if act != "use":
            yield from self._updated(editor)
            return
        app.reload()
        listed, versions = self._listed(editor)
        yield {self._state: note(f"已改用索引 {name}"), self._list: listed, self._versions: versions}


class _Work:
    """A build in a thread of its own that tells how far it is."""

    def __init__(self, build: Callable[[Callable[[str, int, int], None]], BuildReport]) -> None:
        self._build = build
        self._at: tuple[str, int, int] = ("准备", 0, 0)
        self._report: BuildReport | None = None
        self._error: BaseException | None = None
        self._done = threading.Event()

    def watch(self) -> Iterator[tuple[str, int, int]]:
        """Start, and yield what is done, how much of it and of how much, until the end."""
        threading.Thread(target=self._run, name="weice-index", daemon=True).start()
        while not self._done.wait(TICK_S):
            yield self._at

    def result(self) -> BuildReport:
        """The report. Raises what the build raised."""
        if self._error is not None:
            raise self._error
        assert self._report is not None  # noqa: S101  # without an error there is one
        return self._report

    def _run(self) -> None:
        try:
            self._report = self._build(self._progress)
        except BaseException as error:  # noqa: BLE001  # raised again where it is waited for
            self._error = error
        finally:
            self._done.set()

    def _progress(self, what: str, done: int, total: int) -> None:
        self._at = (what, done, total)
