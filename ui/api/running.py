"""Runs the assistant in threads for a server that waits for many: at most so many at once, never longer than allowed.

Who stops listening stops the generation: the thread closes the assistant's events as soon as the next one comes.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Awaitable, Iterator, Sequence
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import Request

from rag.answer.events import Event, Finished
from rag.answer.filters import EVERYTHING, Filters
from rag.schema import Answer, Turn
from ui.api.errors import ApiError
from ui.api.guard import Limits
from ui.api.metrics import Metrics
from ui.store import Store, User

if TYPE_CHECKING:
    from rag.wiring import App

log = logging.getLogger(__name__)

_Got = TypeVar("_Got")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as a program asks it."""

    question: str
    user: User
    via: str
    history: Sequence[Turn] = ()
    scenario: str | None = None
    no_llm: bool = False
    filters: Filters = EVERYTHING


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Answers:
    """Answers questions for many clients at once, and notes each in the audit log and the metrics."""

    def __init__(self, app: App, store: Store, metrics: Metrics, limits: Limits, *, use_llm: bool) -> None:
        """Ask through `app`; without `use_llm` every answer is made of quotes."""
        self._app = app
        self._store = store
        self._metrics = metrics
        self._limits = limits
        self.use_llm = use_llm
        self._running = 0
        self._counting = threading.Lock()

    async def events(self, asked: Asked) -> AsyncGenerator[Event, None]:
        """Yield what the assistant tells; closing it stops the assistant.

        Raises `ApiError` where too much runs already or it takes too long, and what the assistant raises.
        """
        if self._running >= self._limits.at_once:
            raise ApiError(
                f"正在回答的问题已有 {self._running} 个",
                "请稍候再试",
                status=503,
                kind="server_error",
                code="overloaded",
                retry_after_s=5,
            )
        loop = asyncio.get_running_loop()
        made: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()
        stop = threading.Event()

        def tell(event: Event | BaseException | None) -> None:
            with suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(made.put_nowait, event)

        def work() -> None:
            try:
                for event in self._noted(asked, stop):
                    tell(event)
            except BaseException as error:  # noqa: BLE001  # handed to who waits
                tell(error)
            finally:
                self._count(-1)
                tell(None)

        self._count(1)
        threading.Thread(target=work, name="weice-api", daemon=True).start()
        try:
            async for event in self._in_time(made, loop.time() + self._limits.seconds):
                yield event
        finally:
            stop.set()

    async def answer(self, asked: Asked) -> Answer:
        """Return the whole answer. Raises as `events` does."""
        async with aclosing(self.events(asked)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    return event.answer
        raise AssertionError("a stream ends with Finished")

    def _count(self, more: int) -> None:
        with self._counting:
            self._running += more
        self._metrics.running.inc(more)

    async def _in_time(
        self, made: asyncio.Queue[Event | BaseException | None], end: float
    ) -> AsyncGenerator[Event, None]:
        loop = asyncio.get_running_loop()
        while True:
            try:
                event = await asyncio.wait_for(made.get(), end - loop.time())
            except TimeoutError as error:
                what = f"{self._limits.seconds:g} 秒内没有答完"
                raise ApiError(
                    what, "请稍候再试，或用摘录模式", status=504, kind="server_error", code="timeout"
                ) from error
            if event is None:
                return
            if isinstance(event, BaseException):
                raise event
            yield event

    def _noted(self, asked: Asked, stop: threading.Event) -> Iterator[Event]:
        """The assistant's events until `stop`; how it ended is in the audit log before the last one is told."""
        verdict = "failed"
        try:
            with closing(self._told(asked)) as events:  # type: ignore[type-var]  # a generator
                for event in events:
                    if stop.is_set():
                        verdict = "stopped"
                        return
                    if isinstance(event, Finished):
                        verdict = event.answer.verdict.value
                        self._metrics.answered(asked.via, event.answer)
                        self._note(asked, verdict)
                    yield event
        finally:
            if verdict in {"failed", "stopped"}:
                self._metrics.unfinished(verdict)
                self._note(asked, verdict)

    def _told(self, asked: Asked) -> Iterator[Event]:
        from rag.answer.scenarios import chosen

        scenario = chosen(asked.scenario)
        held_to = self._app.held_to(asked.filters)
        assistant = self._app.assistant(use_llm=self.use_llm and not asked.no_llm, within=held_to)
        with closing(assistant.stream(asked.question, asked.history, scenario)) as events:  # type: ignore[type-var]
            yield from events

    def _note(self, asked: Asked, verdict: str) -> None:
        self._store.audit.note(asked.user.name, asked.via, "ask", asked.question, verdict)


async def while_there(request: Request, work: Awaitable[_Got]) -> _Got:
    """Wait for `work` as long as the client does. Raises `ClientGone`, with `work` cancelled."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return await task
        raise ClientGone
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
