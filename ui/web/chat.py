"""The chat tab: lays out questions and answers and ties its buttons to the desk. All HTML is made in `view`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rag.answer.filters import choices, of, of_record
from rag.answer.scenarios import chosen
from rag.errors import StorageError, UsageError, WeiceError
from rag.export import exported
from ui.store import Reason
from ui.web.asking import Asked, Job
from ui.web.context import (
    ANY_SCENARIO,
    AT_ONCE,
    QUIET,
    Web,
    file_name,
    fresh_folder,
    hidden,
    panel,
    scenario_choices,
    told,
)
from ui.web.view import chat as view
from ui.web.view.parts import button, note

READERS_AT_ONCE = 64
"""Pages that are kept up to date at once; those above wait in Gradio's queue. Answering has its own threads."""

_ADDRESS = "() => [new URLSearchParams(location.search).get('c') || '']"
_TO_ADDRESS = "(id) => history.replaceState(null, '', id ? `?c=${id}` : location.pathname)"
_TO_QUESTION = "() => setTimeout(() => document.getElementById('found')?.scrollIntoView(), 200)"
_TO_ANSWER = "() => setTimeout(() => document.querySelector('#talk .wc-turn:last-child')?.scrollIntoView(), 250)"
_TO_BOX = "() => setTimeout(() => weice.question()?.focus(), 100)"
_HTML = gr.InputHTMLAttributes(lang="zh-CN", spellcheck=False, enterkeyhint="send")


@dataclass(frozen=True, slots=True)
class ChatTab:
    """The parts of the tab that others use."""

    address: gr.Textbox
    """The id of the open conversation, as it stands in the page's address; its owner is checked at every use."""
    talk: gr.HTML


def add_tab(web: Web, blocks: gr.Blocks) -> ChatTab:
    """Lay out the tab inside the current Blocks."""
    return _Chat(web).lay_out(blocks)


class _Chat:
    """The tab's components and what their events do."""

    def __init__(self, web: Web) -> None:
        self._web = web
        limit = web.app.settings.max_question_chars
        self._address = hidden("address")
        self._editing = hidden("editing")
        self._blamed = hidden()
        self._talk = panel(view.welcome(), elem_id="talk")
        self._found = panel(elem_id="found")
        self._draft = panel(elem_id="draft")
        with gr.Column(elem_id="ask-bar"):
            self._complaint()
            self._hint = panel(elem_id="hint")
            self._word = gr.File(label="导出的文件", visible=False, elem_id="answer-file", interactive=False)
            with gr.Row():
                self._box = gr.Textbox(
                    show_label=False, container=False, placeholder="请输入问题，按 Enter 发送", lines=1, max_lines=6,
                    scale=8, autofocus=True, max_length=limit, elem_id="question", html_attributes=_HTML,
                )  # fmt: skip
                self._send = _button("发送", "send", variant="primary")
                self._stop = _button("停止", "stop", variant="stop", visible=False)
                self._fresh = _button("新对话", "fresh")
            self._filters = self._sieve()
            with gr.Row(elem_id="ways"):
                self._scenario = gr.Dropdown(
                    ANY_SCENARIO, value="", label="场景", container=False, elem_id="scenario", min_width=120,
                    filterable=False,
                )  # fmt: skip
                self._extractive = gr.Checkbox(
                    not web.desk.use_llm,
                    label="摘录模式（不用大模型）",
                    interactive=web.desk.use_llm,
                    container=False,
                    elem_id="extractive",
                )
                self._sift = gr.Button("筛选资料", size="sm", min_width=80, scale=0, elem_id="sift")

    def _sieve(self) -> list[Any]:
        """What a question can be held to; opens above the box, and holds while it is shut."""
        many: dict[str, Any] = {"multiselect": True, "min_width": 160}
        with gr.Column(visible=False, elem_id="sieve") as self._sieve_box:
            with gr.Row():
                kinds = [gr.Dropdown(label=label, **many) for label in ("刊物", "期号", "栏目", "来源")]
            with gr.Row():
                dates = [
                    gr.Textbox(label=label, value="", placeholder="2025-02-11", max_length=20, min_width=120)
                    for label in ("刊期不早于", "刊期不晚于")
                ]
                self._sieve_clear = gr.Button("清除筛选", size="sm", min_width=80, elem_id="sieve-clear")
        return [*kinds, *dates]

    def _complaint(self) -> None:
        """What opens above the question's box after 踩."""
        with gr.Column(visible=False, elem_id="complaint") as self._blame:
            gr.HTML('<h4 class="wc-blame">这个回答哪里不对？</h4>')
            self._reason = gr.Radio([str(r) for r in Reason], show_label=False, container=False, elem_id="reason")
            self._right = gr.Textbox(
                show_label=False, container=False, placeholder="正确答案（知道的话）", lines=1, max_lines=4,
                max_length=2000, elem_id="right-answer",
            )  # fmt: skip
            with gr.Row():
                self._blame_send = _button("提交", "blame-send", variant="primary")
                self._blame_drop = _button("取消", "blame-drop")

    def lay_out(self, blocks: gr.Blocks) -> ChatTab:
        """Tie the events."""
        shown = [self._talk, self._found, self._draft, self._box, self._send, self._stop, self._fresh]
        shown += [self._address, self._editing, self._hint, self._word]
        how = [self._extractive, self._scenario, self._address, self._editing, *self._filters]
        stream: dict[str, Any] = {**QUIET, "outputs": shown, "concurrency_limit": READERS_AT_ONCE}

        asked = [self._send.click, self._box.submit]
        answered = gr.on(asked, told(self._on_ask), inputs=[self._box, *how], **stream)
        gr.on([*asked, self._talk.retry, self._talk.example_select], None, js=_TO_QUESTION, **AT_ONCE)
        again = self._talk.retry(told(self._on_retry), inputs=[self._address], **stream)
        next_ = self._talk.example_select(told(self._on_suggested), inputs=how, **stream)
        for done in (answered, again, next_):
            done.then(None, js=_TO_ANSWER, **AT_ONCE)
        blocks.load(told(self._on_load), inputs=[self._address], js=_ADDRESS, **stream)
        blocks.load(told(self._scenarios), outputs=[self._scenario, self._hint], **QUIET)
        sieve_open = gr.State(False)
        self._sift.click(
            told(self._on_sift),
            inputs=[sieve_open],
            outputs=[sieve_open, self._sieve_box, *self._filters[:4]],
            **QUIET,
        )
        self._sieve_clear.click(lambda: ([], [], [], [], "", ""), outputs=self._filters, **AT_ONCE)

        self._stop.click(told(self._on_stop), inputs=[self._address], **QUIET)
        self._fresh.click(self._on_fresh, outputs=shown, **AT_ONCE).then(None, js=_TO_BOX, **AT_ONCE)
        self._address.change(None, inputs=[self._address], js=_TO_ADDRESS, **AT_ONCE)
        edits = [self._box, self._editing, self._hint]
        self._talk.edit(told(self._on_edit), outputs=edits, **QUIET).then(None, js=_TO_BOX, **AT_ONCE)
        self._hint.click(lambda: ("", "", ""), outputs=edits, **AT_ONCE)
        self._talk.click(told(self._on_word), outputs=[self._word], **QUIET)
        self._judging()
        return ChatTab(self._address, self._talk)

    def _judging(self) -> None:
        blame = [self._blame, self._blamed, self._reason, self._right]
        self._talk.like(told(self._on_like), inputs=[self._address], outputs=[self._talk, *blame], **QUIET)
        self._blame_send.click(
            told(self._on_blame),
            inputs=[self._address, *blame[1:]],
            outputs=[self._talk, *blame],
            **QUIET,
        )
        self._blame_drop.click(_blame_shut, outputs=blame, **AT_ONCE)

    # --- asking ------------------------------------------------------------

    def _on_ask(
        self,
        question: str,
        extractive: bool,
        scenario: str,
        address: str,
        editing: str,
        names: list[str] | None,
        issues: list[str] | None,
        columns: list[str] | None,
        sources: list[str] | None,
        since: str | None,
        until: str | None,
        request: gr.Request,
    ) -> Iterator[dict[Any, Any]]:
        if not question.strip():
            yield {self._box: ""}
            return
        user = self._web.user(request).name
        filters = of(names, issues, columns, sources, since, until)
        asked = Asked(question.strip(), extractive, chosen(scenario), filters)
        self._web.desk.need_room(asked)
        try:
            if editing:
                self._web.store.conversations.cut(turn_of(editing), user)
            begun = address or self._web.store.conversations.create(user).id
            job = self._web.desk.start(begun, user, asked)
        except StorageError as problem:
            job, begun = self._web.desk.start_unsaved(address, user, asked, problem), address
        yield from self._watched(job, begun, user)

    def _on_retry(self, address: str, event: gr.EventData, request: gr.Request) -> Iterator[dict[Any, Any]]:
        user = self._web.user(request).name
        turn = self._web.store.conversations.turn(turn_of(event.at), user)
        how = turn.options
        filters = of_record(how.get("filters"))
        asked = Asked(turn.question, bool(how.get("extractive")), chosen(how.get("scenario")), filters)
        self._web.desk.need_room(asked)
        self._web.store.conversations.cut(turn.id, user)
        yield from self._watched(self._web.desk.start(address, user, asked), address, user)

    def _on_suggested(
        self,
        extractive: bool,
        scenario: str,
        address: str,
        editing: str,  # noqa: ARG002  # a suggestion is a new question
        names: list[str] | None,
        issues: list[str] | None,
        columns: list[str] | None,
        sources: list[str] | None,
        since: str | None,
        until: str | None,
        event: gr.EventData,
        request: gr.Request,
    ) -> Iterator[dict[Any, Any]]:
        sieve = (names, issues, columns, sources, since, until)
        yield from self._on_ask(event.at, extractive, scenario, address, "", *sieve, request)

    def _on_sift(self, is_open: bool, request: gr.Request) -> tuple[Any, ...]:
        """Open or shut the filters, with what the library holds now to choose from."""
        self._web.user(request)
        held = choices(self._web.app.index.articles)
        return not is_open, gr.update(visible=not is_open), *(gr.update(choices=values) for values in held)

    def _on_load(self, address: str, request: gr.Request) -> Iterator[dict[Any, Any]]:
        """Show the conversation of the page's address again, and join what is on its way there."""
        user = self._web.user(request).name
        if not address:
            yield {self._address: ""}
            return
        try:
            yield self._finished(address, user)
        except UsageError:
            yield {self._address: "", self._talk: view.welcome(), self._hint: note("这个对话已不在，请另起一个。")}
            return
        if (job := self._web.desk.running(address)) is not None and job.result is None:
            yield from self._watched(job, address, user)

    def _watched(self, job: Job, address: str, user: str) -> Iterator[dict[Any, Any]]:
        """Show a question on its way until it is answered, then the whole conversation."""
        shown: view.Running | None = None
        for state in job.watch(self._web.desk.ahead):
            changed: dict[Any, Any] = {self._draft: view.drafted(state), **self._buttons(busy=True)}
            if shown is None:
                past = self._past(address, user)
                changed |= {self._talk: view.conversation(past) if past else "", **self._begun(address)}
            if shown is None or shown.evidence != state.evidence:
                changed[self._found] = view.found(state)
            shown = state
            yield changed
        yield self._finished(address, user, job)

    def _past(self, address: str, user: str) -> tuple[view.Exchange, ...]:
        """What was said before; nothing in a conversation that could not be stored."""
        return self._web.desk.exchanges(address, user) if address else ()

    def _begun(self, address: str) -> dict[Any, Any]:
        return {self._box: "", self._editing: "", self._hint: "", self._word: _no_file(), self._address: address}

    def _buttons(self, *, busy: bool) -> dict[Any, Any]:
        """Told with every step: a page that is still being built loses what it is told once."""
        return {
            self._send: gr.update(visible=not busy),
            self._stop: gr.update(visible=busy),
            self._fresh: gr.update(interactive=not busy),
        }

    def _finished(self, address: str, user: str, job: Job | None = None) -> dict[Any, Any]:
        exchanges = self._past(address, user)
        if job is not None and (made := job.result) is not None:  # a stopped one still has its evidence
            exchanges = tuple(made if one.id == made.id else one for one in exchanges)
            exchanges += (made,) if job.turn.id < 0 else ()
        return {
            self._talk: view.conversation(exchanges),
            self._found: "",
            self._draft: "",
            self._address: address,
            **self._buttons(busy=False),
        }

    def _on_stop(self, address: str, request: gr.Request) -> None:
        user = self._web.user(request).name
        self._web.desk.stop_unsaved(user)
        if address:
            self._web.store.conversations.load(address, user)  # whose it is not can't
            self._web.desk.stop(address)

    def _on_fresh(self) -> dict[Any, Any]:
        return {
            self._talk: view.welcome(),
            self._found: "",
            self._draft: "",
            self._address: "",
            self._editing: "",
            self._hint: "",
            self._word: _no_file(),
        }

    def _on_edit(self, event: gr.EventData, request: gr.Request) -> tuple[str, str, str]:
        turn = self._web.store.conversations.turn(turn_of(event.at), self._web.user(request).name)
        line = "正在修改问题：发送后，原来的问答和它之后的都会被替换。"
        return turn.question, str(turn.id), note(line) + button("不改了", "cancel", "")

    def _on_word(self, event: gr.EventData, request: gr.Request) -> Any:
        """Make a Word file of one answer."""
        answer = self._web.desk.answer(turn_of(event.at), self._web.user(request).name)
        if answer is None:
            raise UsageError("这个问题没有回答", "请刷新网页再试")
        path = fresh_folder() / f"{file_name(answer['question'])}.docx"
        exported(path, [answer])
        return gr.update(visible=True, value=str(path))

    def _scenarios(self) -> dict[Any, Any]:
        """The scenarios as their files stand now; a broken one is told of, and no other hint is taken away."""
        try:
            return {self._scenario: gr.update(choices=scenario_choices())}
        except WeiceError as error:
            return {self._hint: note(str(error), warn=True)}

    # --- judging ------------------------------------------------------------

    def _on_like(self, address: str, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        user, turn = self._web.user(request).name, turn_of(event.at)
        given = self._web.store.feedback.of(turn, user)
        if given is not None and given.good == (event.act == "up"):
            self._web.store.feedback.take_back(turn, user)
        elif event.act == "up":
            self._web.store.feedback.give(turn, user, good=True)
        else:
            return (gr.update(), gr.update(visible=True), str(turn), None, "")
        return (view.conversation(self._web.desk.exchanges(address, user)), *_blame_shut())

    def _on_blame(
        self, address: str, turn: str, reason: str | None, right: str, request: gr.Request
    ) -> tuple[Any, ...]:
        user = self._web.user(request).name
        chosen = Reason(reason) if reason else None
        self._web.store.feedback.give(turn_of(turn), user, good=False, reason=chosen, right_answer=right)
        return (view.conversation(self._web.desk.exchanges(address, user)), *_blame_shut())


def _no_file() -> Any:
    return gr.update(visible=False, value=None)


def _button(label: str, id_: str, **more: Any) -> gr.Button:
    return gr.Button(label, scale=1, min_width=52, elem_id=id_, **more)


def _blame_shut() -> tuple[Any, ...]:
    return (gr.update(visible=False), "", None, "")


def turn_of(id_: str) -> int:
    """The turn that the page names; one that is not stored is below 0. Raises `UsageError` where that is no turn."""
    if not id_.removeprefix("-").isdecimal() or len(id_) > 18:
        raise UsageError("没有这个回答", "请刷新网页再试")
    return int(id_)
