"""The batch tab: a list of questions is uploaded, looked at, answered in the background, and taken away as a file.

A batch goes on when the page is left; whose batches there are and what may be done is checked at every event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag.batch.questions import SUFFIXES, QuestionList, open_questions
from rag.errors import UsageError
from rag.sheets import sheet_names
from ui.batches import NoSuchBatch
from ui.store import Role
from ui.web.context import ANY_SCENARIO, QUIET, Web, fresh_folder, hidden, panel, scenario_choices, told
from ui.web.view import batch as view
from ui.web.view.parts import error, note

if TYPE_CHECKING:
    from rag.records import Record
    from ui.store import User

TICK_S = 1.0
"""How often the page looks how far a running batch is."""
ROWS_SHOWN = 100
LISTED = 30
PREVIEWED = 5


def add_tab(web: Web, tab: gr.Tab) -> None:
    """Lay out the tab inside the current Blocks."""
    _BatchTab(web).lay_out(tab)


class _BatchTab:
    """The tab's components and what their events do."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._chosen = hidden("chosen-batch")
        self._seen = hidden()
        with gr.Accordion("新的批量任务", open=True, elem_id="new-batch"):
            self._file = gr.File(
                label=f"把问题清单拖到这里（{' '.join(SUFFIXES)}）",
                elem_id="batch-file",
                height=160,
            )
            with gr.Row():
                many: dict[str, Any] = {"filterable": False, "visible": False, "min_width": 160}
                self._sheet = gr.Dropdown(label="工作表", elem_id="batch-sheet", **many)
                self._column = gr.Dropdown(label="问题在哪一列", elem_id="batch-column", **many)
            self._preview = gr.HTML(elem_id="batch-preview")
            with gr.Row():
                self._scenario = gr.Dropdown(
                    ANY_SCENARIO, value="", label="场景", filterable=False, elem_id="batch-scenario"
                )
                self._quotes = gr.Checkbox(
                    not web.desk.use_llm,
                    label="摘录模式（不用大模型）",
                    interactive=web.desk.use_llm,
                    elem_id="batch-quotes",
                )
            self._start = gr.Button("开始", variant="primary", visible=False, elem_id="batch-start")
        with gr.Column(visible=False, elem_id="batch-deleting") as self._deleting:
            self._warning = gr.HTML()
            with gr.Row():
                self._delete = gr.Button("删除", variant="stop", min_width=52, elem_id="batch-delete")
                self._keep = gr.Button("取消", min_width=52)
        self._made = gr.File(label="做好的文件", visible=False, elem_id="batch-made", interactive=False)
        self._progress = gr.HTML(elem_id="batch-progress")
        self._one = panel(elem_id="batch")
        self._list = panel(elem_id="batches")
        self._timer = gr.Timer(TICK_S, active=False)

    def lay_out(self, tab: gr.Tab) -> None:
        """Tie the events."""
        shown = [self._list, self._progress, self._one, self._timer, self._chosen, self._seen]
        shown += [self._deleting, self._warning, self._made]
        look: dict[str, Any] = {**QUIET, "inputs": [self._chosen], "outputs": shown}
        tab.select(told(self._on_look), **look)
        tab.select(told(self._scenarios), outputs=[self._scenario], **QUIET)
        self._timer.tick(told(self._on_tick), **look | {"inputs": [self._chosen, self._seen]})
        self._keep.click(told(self._on_look), **look)
        self._delete.click(told(self._on_delete), **look)
        gr.on([self._list.click, self._one.click], told(self._on_act), outputs=shown, **QUIET)

        listed = [self._sheet, self._column, self._preview, self._start]
        self._file.change(told(self._on_file), inputs=[self._file], outputs=listed, **QUIET)
        chosen = [self._file, self._sheet, self._column]
        self._sheet.input(told(self._on_sheet), inputs=chosen[:2], outputs=listed, **QUIET)
        self._column.input(told(self._on_column), inputs=chosen, outputs=listed, **QUIET)
        begin = [*chosen, self._scenario, self._quotes]
        self._start.click(told(self._on_start), inputs=begin, outputs=[*shown, self._file], **QUIET)

    # --- a new one ------------------------------------------------------------

    def _on_file(self, path: str | None, request: gr.Request) -> dict[Any, Any]:
        return self._previewed(path, None, None, request)

    def _on_sheet(self, path: str | None, sheet: str | None, request: gr.Request) -> dict[Any, Any]:
        return self._previewed(path, sheet, None, request)

    def _on_column(
        self, path: str | None, sheet: str | None, column: int | None, request: gr.Request
    ) -> dict[Any, Any]:
        return self._previewed(path, sheet, column, request)

    def _previewed(
        self, path: str | None, sheet: str | None, column: int | None, request: gr.Request
    ) -> dict[Any, Any]:
        """What the list holds, or why it can't be taken."""
        self._web.user(request)
        shut = gr.update(visible=False)
        if not path:
            return {self._sheet: shut, self._column: shut, self._preview: "", self._start: shut}
        names: tuple[str, ...] = ()
        try:
            names = sheet_names(Path(path))
            asked = _opened(path, sheet, column)
            found = _listed(asked)
        except UsageError as problem:
            line = f"不能用这份清单：{problem}"
            other = gr.update(choices=names, value=sheet, visible=len(names) > 1)
            return {self._sheet: other, self._column: shut, self._preview: error(line), self._start: shut}
        columns = [(name or f"第{at + 1}列（无列名）", at) for at, name in enumerate(found.header)]
        own = asked.sheet.name if asked.sheet is not None and names else None
        many = asked.sheet is not None and len(columns) > 1
        return {
            self._sheet: gr.update(choices=names, value=own, visible=len(names) > 1),
            self._column: gr.update(choices=columns, value=found.column, visible=many),
            self._preview: view.preview(found),
            self._start: gr.update(visible=found.total > 0),
        }

    def _scenarios(self, request: gr.Request) -> Any:
        self._web.user(request)
        return gr.update(choices=scenario_choices())

    def _on_start(
        self,
        path: str | None,
        sheet: str | None,
        column: int | None,
        scenario: str | None,
        quotes: bool,
        request: gr.Request,
    ) -> dict[Any, Any]:
        user = self._web.user(request)
        if not path:
            raise UsageError("还没有问题清单", "请先上传")
        asked = _opened(path, sheet, column)
        made = self._web.batches.create(user, asked, scenario or None, no_llm=quotes, via="web")
        return self._shown(user, made["id"]) | {self._file: None}

    # --- those that are there ------------------------------------------------------------

    def _on_look(self, chosen: str, request: gr.Request) -> dict[Any, Any]:
        return self._shown(self._web.user(request), chosen)

    def _on_tick(self, chosen: str, seen: str, request: gr.Request) -> dict[Any, Any]:
        """How far it is. What was begun with it stays, and so do buttons while nothing is new: they are clicked."""
        user = self._web.user(request)
        one = self._status(user, chosen, self._web.batches.list(user, LISTED))
        if one is not None and _seen(one) == seen:
            return {self._progress: view.progress(one)}
        shown = self._shown(user, chosen)
        parts = (self._list, self._progress, self._one, self._timer, self._seen)
        return {part: shown[part] for part in parts}

    def _shown(self, user: User, chosen: str) -> dict[Any, Any]:
        """The list and the chosen one as they stand, with nothing begun."""
        found = self._web.batches.list(user, LISTED)
        one = self._status(user, chosen, found)
        active = one is not None and one["state"] in {"running", "waiting"}
        everybodys = self._web.guarded and user.role.covers(Role.ADMIN)
        return {
            self._list: view.batches(found, chosen=chosen, names=everybodys),
            self._progress: "" if one is None else view.progress(one),
            self._seen: "" if one is None else _seen(one),
            self._one: "" if one is None else view.batch(one, self._rows(user, chosen)),
            self._timer: gr.Timer(active=active),
            self._chosen: chosen if one is not None else "",
            self._deleting: gr.update(visible=False),
            self._made: gr.update(visible=False, value=None),
        }

    def _status(self, user: User, chosen: str, found: list[Record]) -> Record | None:
        if not chosen:
            return None
        known = next((one for one in found if one["id"] == chosen), None)
        try:
            return known or self._web.batches.status(user, chosen)
        except NoSuchBatch:
            return None

    def _rows(self, user: User, chosen: str) -> list[tuple[str, str, Record | None]]:
        rows = islice(self._web.batches.rows(user, chosen), ROWS_SHOWN)
        return [(question.id, question.question, record) for question, record in rows]

    def _on_act(self, event: gr.EventData, request: gr.Request) -> dict[Any, Any]:
        user, id_ = self._web.user(request), str(event.at)
        acts: dict[str, Callable[[User, str], object]] = {
            "look": self._web.batches.status,
            "stop": self._web.batches.cancel,
            "resume": self._web.batches.resume,
        }
        if event.act in acts:
            acts[event.act](user, id_)
            return self._shown(user, id_)
        shown = self._shown(user, id_)
        if event.act == "delete":
            called = view.called(self._web.batches.status(user, id_))
            line = f"要删除“{called}”和它的回答吗？删除后不能恢复。"
            return shown | {self._deleting: gr.update(visible=True), self._warning: note(line, warn=True)}
        if event.act not in view.FORMS:
            raise UsageError("没有这个操作", "请刷新网页再试")
        path = self._web.batches.write(user, id_, fresh_folder(), event.act)
        return shown | {self._made: gr.update(visible=True, value=str(path))}

    def _on_delete(self, chosen: str, request: gr.Request) -> dict[Any, Any]:
        user = self._web.user(request)
        self._web.batches.delete(user, chosen)
        return self._shown(user, "")


def _seen(one: Record) -> str:
    """What changes with what is shown of a batch, save for the time that it takes."""
    return f"{one['id']} {one['state']} {one['done']} {one['failed']} {one['fallback']}"


def _opened(path: str, sheet: str | None, column: int | None) -> QuestionList:
    """The list with what was chosen for it. Raises `UsageError` where it has no such sheet or column."""
    try:
        found = open_questions(Path(path), sheet=sheet or None)
    except UsageError as problem:
        raise UsageError(_as_page(problem.what), _as_page(problem.next_step)) from problem
    if column is None or found.sheet is None:
        return found
    if not 0 <= column < len(found.sheet.header):
        names = "、".join(filter(None, found.sheet.header))
        raise UsageError(f"{found.path.name} 里没有第 {column + 1} 列，只有：{names}", "请重新选问题列")
    return replace(found, column=column)


def _listed(found: QuestionList) -> view.Listed:
    if found.sheet is None:
        first = list(islice(found, PREVIEWED))
        rows = [(question.id, question.question) for question in first]
        return view.Listed(found.about, ("编号", "问题"), rows, 1, sum(1 for _ in found))
    header = found.sheet.header
    first_rows = [cells[: len(header)] for _, cells in islice(found.sheet.rows(), PREVIEWED)]
    return view.Listed(found.about, header, first_rows, found.column, sum(1 for _ in found))


def _as_page(line: str) -> str:
    """What the engine says for its command line, as it is done here."""
    return line.replace("--sheet", "所选的工作表").replace("--column", "所选的列")
