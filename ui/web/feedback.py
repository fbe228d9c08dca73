"""The feedback tab, for editors: what readers thought of answers, and how one becomes a question of a golden set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from eval.cases import CASE_TYPES
from rag.errors import UsageError
from rag.records import Record
from ui.store import Feedback, Reason, Role, drafted_case
from ui.web.context import QUIET, Web, hidden, panel, told
from ui.web.view import feedback as view
from ui.web.view.parts import note

ALL, UP, DOWN = "全部", "赞", "踩"
GOLDEN = "feedback.jsonl"
"""The golden set that feedback goes into, in the data folder."""
_SPELLINGS = "|"


def golden_set(web: Web) -> Path:
    """The golden set that is made here."""
    return web.app.settings.data_dir / GOLDEN


def add_tab(web: Web, tab: gr.Tab) -> None:
    """Lay out the tab inside the current Blocks."""
    _Feedback(web).lay_out(tab)


class _Feedback:
    """The tab's components and what their events do."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._chosen = hidden()
        with gr.Row():
            self._which = gr.Radio([ALL, UP, DOWN], value=ALL, label="评价", elem_id="which-feedback", min_width=180)
            reasons = [("不限", ""), *((str(r), str(r)) for r in Reason)]
            self._reason = gr.Dropdown(reasons, value="", label="原因", filterable=False, min_width=120)
        self._open = gr.Checkbox(False, label="只看还没做成考题的", container=False)
        self._said = gr.HTML(elem_id="feedback-said")
        with gr.Column(visible=False, elem_id="case") as self._form:
            gr.HTML("<h4>做成考题</h4>")
            self._question = gr.Textbox(label="问题", lines=1, max_lines=4, elem_id="case-question")
            self._answerable = gr.Checkbox(True, label="资料里有答案（去掉：这道题应当拒答）")
            self._type = gr.Dropdown([(name, type_) for type_, name in CASE_TYPES.items()], label="题型")
            self._must = gr.Textbox(
                label="正确回答必须说到的事实，一行一件；同一件的几种写法用 | 隔开",
                lines=2,
                max_lines=8,
                elem_id="case-must",
            )
            self._sources = gr.HTML()
            with gr.Row():
                self._save = gr.Button("存为考题", variant="primary", elem_id="case-save")
                self._drop = gr.Button("取消")
        self._list = panel(elem_id="feedback")

    def lay_out(self, tab: gr.Tab) -> None:
        """Tie the events."""
        sifted = [self._which, self._reason, self._open]
        look: dict[str, Any] = {**QUIET, "inputs": sifted, "outputs": [self._list, self._form, self._said]}
        look["trigger_mode"] = "always_last"
        changed = [self._which.change, self._reason.change, self._open.change]
        gr.on([tab.select, *changed, self._drop.click], told(self._on_look), **look)
        form = [self._form, self._chosen, self._question, self._answerable, self._type, self._must, self._sources]
        self._list.click(told(self._on_make), outputs=[*form, self._said], **QUIET)
        self._save.click(
            told(self._on_save),
            inputs=[*form[1:6], *sifted],
            outputs=[self._list, self._form, self._said],
            **QUIET,
        )

    def _on_look(self, which: str, reason: str, unmade: bool, request: gr.Request) -> tuple[Any, ...]:
        return self._listed(which, reason, unmade, request), gr.update(visible=False), ""

    def _listed(self, which: str, reason: str, unmade: bool, request: gr.Request) -> str:
        editor = self._web.user(request, Role.EDITOR)
        good = {UP: True, DOWN: False}.get(which)
        found = self._web.store.feedback.list(
            editor, good=good, reason=Reason(reason) if reason else None, made=False if unmade else None
        )
        return view.given(found)

    def _find(self, id_: str, request: gr.Request) -> Feedback:
        editor = self._web.user(request, Role.EDITOR)
        found = [one for one in self._web.store.feedback.list(editor, limit=100_000) if str(one.id) == id_]
        if not found:
            raise UsageError("没有这条反馈", "它可能已被收回，请刷新")
        return found[0]

    def _on_make(self, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        case = drafted_case(self._find(event.at, request))
        quotes = "；".join(f"《{s['article']}》“{s['quote']}”" for s in case["sources"]) or "没有"
        return (
            gr.update(visible=True),
            event.at,
            case["question"],
            case["answerable"],
            case["type"],
            "\n".join(_SPELLINGS.join(fact) for fact in case["must"]),
            note(f"出处（依当时的引用）：{quotes}"),
            "",
        )

    def _on_save(
        self,
        chosen: str,
        question: str,
        answerable: bool,
        type_: str,
        must: str,
        which: str,
        reason: str,
        unmade: bool,
        request: gr.Request,
    ) -> tuple[Any, ...]:
        editor = self._web.user(request, Role.EDITOR)
        case = drafted_case(self._find(chosen, request))
        case |= {"question": question, "type": type_, "answerable": answerable} | _facts(case, must, answerable)
        path = golden_set(self._web)
        self._web.store.feedback.make_case(editor, int(chosen), case, path)
        self._web.store.audit.note(editor.name, "web", "case", question, case["id"])
        line = f"已存入 {path.name}（{case['id']}）。评测它：weice eval run {path}，或在“评测”里选它。"
        return self._listed(which, reason, unmade, request), gr.update(visible=False), note(line)


def _facts(case: Record, must: str, answerable: bool) -> Record:
    """What a right answer says, and where it stands; a question to be refused has neither."""
    if not answerable:
        return {"must": [], "sources": []}
    facts = [[word.strip() for word in line.split(_SPELLINGS) if word.strip()] for line in must.splitlines()]
    return {"must": [fact for fact in facts if fact], "sources": case["sources"]}
