"""The chat tab: asks the assistant and shows what it tells, as it tells it. All HTML is made in `view`.

Each question is answered in a thread of its own, so that one reader's generation does not hold up another's
retrieval, and 停止 works at once even while the LLM is still reading.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag.answer.events import Event, Finished
from rag.errors import WeiceError
from rag.schema import Answer, Turn
from ui.web import view

if TYPE_CHECKING:
    from rag.wiring import App

log = logging.getLogger(__name__)

TICK_S = 0.5
"""How often the page is told that work goes on, and how soon 停止 is noticed."""
HISTORY_TURNS = 6
READERS_AT_ONCE = 16

_TO_QUESTION = "() => setTimeout(() => document.getElementById('found')?.scrollIntoView(), 200)"
_TO_ANSWER = "() => setTimeout(() => document.querySelector('#talk .wc-turn:last-child')?.scrollIntoView(), 250)"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A finished question in a conversation: what was said, and how it is shown."""

    turn: Turn | None
    html: str


Conversation = tuple[Exchange, ...]


class Chat:
    """What the buttons of the tab do; knows no layout."""

    def __init__(self, app: App, *, use_llm: bool) -> None:
        """Ask through `app`; without `use_llm` every answer is made of quotes."""
        self._app = app
        self._use_llm = use_llm
        self._stops: dict[str, threading.Event] = {}

    def ask(
        self, question: str, extractive: bool, past: Conversation, session: str
    ) -> Iterator[view.Running | Conversation]:
        """Yield the state as it grows, then the conversation with the finished exchange."""
        stop = self._stops[session] = threading.Event()
        state = view.Running(question.strip())
        started = time.monotonic()
        history = tuple(e.turn for e in past if e.turn is not None)[-HISTORY_TURNS:]
        finished: Answer | None = None
        try:
            yield state
            assistant = self._app.assistant(use_llm=self._use_llm and not extractive)
            for event in _in_thread(assistant.stream(state.question, history), stop):
                if isinstance(event, Finished):
                    finished = event.answer
                elif event is not None:
                    state = view.advance(state, event)
                state = replace(state, seconds=time.monotonic() - started)
                if finished is None:
                    yield state
            exchange = _exchange(state, finished, len(past) + 1)
        except WeiceError as error:
            exchange = Exchange(None, view.failed(state.question, str(error)))
        except Exception:
            log.exception("a question failed")
            exchange = Exchange(None, view.failed(state.question, "程序内部错误。请重试；仍不行请运行 weice doctor"))
        finally:
            stop.set()
            self._stops.pop(session, None)
        yield (*past, exchange)

    def stop(self, session: str) -> None:
        """End the question that runs in `session`, if any."""
        if session in self._stops:
            self._stops[session].set()


def _exchange(state: view.Running, answer: Answer | None, number: int) -> Exchange:
    if answer is None:
        return Exchange(None, view.stopped(state))
    return Exchange(Turn(state.question, answer.text), view.answered(answer, number))


def _in_thread(events: Iterator[Event], stop: threading.Event) -> Iterator[Event | None]:
    """Yield `events` made in a thread, and None at every tick without one; end when `stop` is set.

    Raises what the events raise. The thread closes the events as soon as it can after a stop.
    """
    made: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            with closing(events):  # type: ignore[type-var]  # a generator
                for event in events:
                    made.put(event)
                    if stop.is_set():
                        return
        except BaseException as error:  # noqa: BLE001  # handed to the reader's thread
            made.put(error)
        finally:
            made.put(None)

    threading.Thread(target=work, name="weice-ask", daemon=True).start()
    while not stop.is_set():
        try:
            event = made.get(timeout=TICK_S)
        except queue.Empty:
            yield None
            continue
        if event is None:
            return
        if isinstance(event, BaseException):
            raise event
        yield event


def add_tab(app: App, *, use_llm: bool) -> None:
    """Lay out the tab inside the current Blocks."""
    chat = Chat(app, use_llm=use_llm)
    past = gr.State(())
    talk = gr.HTML(view.welcome(), elem_id="talk")
    found = gr.HTML("", elem_id="found")
    draft = gr.HTML("", elem_id="draft")
    with gr.Column(elem_id="ask-bar"):
        with gr.Row():
            box = gr.Textbox(
                show_label=False,
                container=False,
                placeholder="请输入问题，按 Enter 发送",
                lines=1,
                max_lines=6,
                scale=8,
                autofocus=True,
                max_length=app.settings.max_question_chars,
                elem_id="question",
                html_attributes=gr.InputHTMLAttributes(lang="zh-CN", spellcheck=False, enterkeyhint="send"),
            )
            send = gr.Button("发送", variant="primary", scale=1, min_width=52, elem_id="send")
            stop = gr.Button("停止", variant="stop", scale=1, min_width=52, visible=False, elem_id="stop")
            clear = gr.Button("清空", scale=1, min_width=52, elem_id="clear")
        extractive = gr.Checkbox(
            not use_llm,
            label="摘录模式：不用大模型，直接摘录原文",
            interactive=use_llm,
            container=False,
            elem_id="extractive",
        )

    def busy(working: bool) -> dict[Any, Any]:
        return {
            send: gr.update(visible=not working),
            stop: gr.update(visible=working),
            clear: gr.update(interactive=not working),
        }

    def on_ask(
        question: str, quotes_only: bool, conversation: Conversation, request: gr.Request
    ) -> Iterator[dict[Any, Any]]:
        if not question.strip():
            yield {box: ""}
            return
        shown: view.Running | None = None
        for update in chat.ask(question, quotes_only, conversation, request.session_hash or ""):
            if isinstance(update, tuple):
                yield {past: update, talk: _joined(update), found: "", draft: "", **busy(False)}
                return
            changed: dict[Any, Any] = {draft: view.drafted(update)}
            if shown is None:
                changed |= {box: "", talk: _joined(conversation), **busy(True)}
            if shown is None or shown.evidence != update.evidence:
                changed[found] = view.found(update)
            shown = update
            yield changed

    def on_stop(request: gr.Request) -> None:
        chat.stop(request.session_hash or "")

    asked = [send.click, box.submit]
    answered = gr.on(
        asked,
        on_ask,
        inputs=[box, extractive, past],
        outputs=[past, talk, found, draft, box, send, stop, clear],
        show_progress="hidden",
        concurrency_limit=READERS_AT_ONCE,
        api_visibility="private",
    )
    gr.on(asked, None, js=_TO_QUESTION, api_visibility="private")
    answered.then(None, js=_TO_ANSWER, api_visibility="private")
    stop.click(on_stop, queue=False, show_progress="hidden", api_visibility="private")
    clear.click(
        lambda: ((), view.welcome()),
        outputs=[past, talk],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def _joined(conversation: Sequence[Exchange]) -> str:
    return "".join(exchange.html for exchange in conversation)
