"""The front door for other Python programs: an assistant over the settings of this machine, in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from rag import settings
from rag.answer.events import Event
from rag.answer.filters import EVERYTHING, Filters, of_record
from rag.answer.scenarios import chosen
from rag.schema import Answer, Article, Evidence, Turn
from rag.wiring import App

if TYPE_CHECKING:
    from rag.answer.assistant import Assistant as Answering


class Assistant:
    """Answers questions from the library, every sentence with its citations.

        with Assistant() as assistant:
            print(assistant.answer("厦门有多少家定点医药机构？").text)

    Safe to use from several threads once the first question is answered. Everything raises `WeiceError`.
    """

    def __init__(self, *, use_llm: bool = True, **changes: object) -> None:
        """Read the settings, with `changes` to them by name; models and index are opened by the first question.

        Without `use_llm` answers are made of quotes alone. Raises `SettingsError`.
        """
        self._app = App(settings.load(**changes))
        self._use_llm = use_llm

    def answer(
        self,
        question: str,
        history: Sequence[Turn] = (),
        scenario: str | None = None,
        filters: Filters = EVERYTHING,
    ) -> Answer:
        """Return the checked answer; `scenario` is the name or title of one of `weice scenarios`.

        `filters` name what alone is searched, a part of each name is enough: `Filters(issues=("第4期",))`.
        """
        how = chosen(scenario)
        return self._held_to(filters).answer(question, history, how)

    def stream(
        self,
        question: str,
        history: Sequence[Turn] = (),
        scenario: str | None = None,
        filters: Filters = EVERYTHING,
    ) -> Iterator[Event]:
        """Yield what happens while the question is answered, last a `Finished` with the answer."""
        how = chosen(scenario)
        return self._held_to(filters).stream(question, history, how)

    def search(
        self, question: str, history: Sequence[Turn] = (), k: int | None = None, filters: Filters = EVERYTHING
    ) -> tuple[Evidence, ...]:
        """Return the passages for a question, best first."""
        within = self._app.held_to(of_record(filters.record))  # checked: others have written them
        return self._app.search(question, history, k, within)

    @property
    def articles(self) -> tuple[Article, ...]:
        """What is in the library, in document order."""
        return tuple(self._app.index.articles)

    def _held_to(self, filters: Filters) -> Answering:
        within = self._app.held_to(of_record(filters.record))
        return self._app.assistant(use_llm=self._use_llm, within=within)

    def close(self) -> None:
        """Let go of models and index; a local LLM that was started for this ends."""
        self._app.close(stop_llm=True)

    def __enter__(self) -> Assistant:
        """Use it in a `with` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
