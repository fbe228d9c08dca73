"""What the tabs share: the program, the database, who is asking, and how an error reaches the reader."""

from __future__ import annotations

import functools
import inspect
import logging
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from rag.errors import WeiceError
from ui.batches import Batches
from ui.store import LOCAL, Role, Store, User, need
from ui.web.asking import INTERNAL, Desk
from ui.web.reader import Shelf
from ui.web.script import ON_LOAD

if TYPE_CHECKING:
    from rag.wiring import App

log = logging.getLogger(__name__)

_UNSAFE = re.compile(r'[\\/:*?"<>|\s\x00-\x1f]+')
FILE_NAME_CHARS = 40


@dataclass(frozen=True, slots=True)
class Web:
    """One page's surroundings. `guarded` means that nobody gets in without an account."""

    app: App
    store: Store
    desk: Desk
    shelf: Shelf
    batches: Batches
    guarded: bool
    root_path: str = ""
    """Where a reverse proxy puts the page."""

    def user(self, request: gr.Request, role: Role = Role.READER) -> User:
        """Who is asking, as of now. Raises `AccessError` where they may not do what `role` may."""
        if not self.guarded:
            return LOCAL
        name = request.username
        return need(self.store.accounts.get(name) if name else None, role)


def panel(value: str = "", **more: Any) -> gr.HTML:
    """An HTML component whose buttons reach the server."""
    return gr.HTML(value, js_on_load=ON_LOAD, **more)


ANY_SCENARIO = [("按问题自动", "")]
"""What a scenario chooser offers first."""


def scenario_choices() -> list[tuple[str, str]]:
    """What a scenario chooser offers, as the files stand now. Raises `SettingsError` on a broken one."""
    from rag.answer.scenarios import scenarios

    return [*ANY_SCENARIO, *((one.title, one.name) for one in scenarios())]


def hidden(id_: str | None = None) -> gr.Textbox:
    """A word that the page keeps for an event, unseen; what comes back is checked like anything from outside."""
    classes = ["wc-hidden"]  # Gradio shows what is hidden in a tab that it shows later
    return gr.Textbox(visible="hidden", elem_id=id_, elem_classes=classes, show_label=False, container=False)


def file_name(title: str) -> str:
    """A title as the name of a file, on any system."""
    return _UNSAFE.sub("_", title).strip("._")[:FILE_NAME_CHARS] or "对话"


def fresh_folder() -> Path:
    """A place for a file that is made to be taken away."""
    return Path(tempfile.mkdtemp(prefix="weice-"))


def told(work: Callable[..., Any]) -> Callable[..., Any]:
    """Make the errors of an event's function a line that the reader sees, escaped: Gradio shows it as HTML."""
    if inspect.isgeneratorfunction(work):

        @functools.wraps(work)
        def stepwise(*args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                yield from work(*args, **kwargs)
            except Exception as error:
                raise _shown(error) from error

        return stepwise

    @functools.wraps(work)
    def once(*args: Any, **kwargs: Any) -> Any:
        try:
            return work(*args, **kwargs)
        except Exception as error:
            raise _shown(error) from error

    return once


def _shown(error: Exception) -> gr.Error:
    if isinstance(error, gr.Error):
        return error
    if not isinstance(error, WeiceError):
        log.exception("an event failed")
    line = str(error) if isinstance(error, WeiceError) else INTERNAL
    return gr.Error(escape(line), title="没有成功", print_exception=False)


AT_ONCE: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
"""For events that can't fail: nothing spins, nothing is an API, nothing waits."""
QUIET: dict[str, Any] = {**AT_ONCE, "queue": True, "concurrency_limit": None}
"""For those that can: only through Gradio's queue does the reader learn why; there is room for all in it."""
