"""The front door for other Python programs: an assistant over the settings of this machine, in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType

from rag import settings
from rag.answer.events import Event
from rag.answer.scenarios import scenario as named
from rag.schema import Answer, Article, Evidence, Turn
from rag.wiring import App


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

    def answer(self, question: str, history: Sequence[Turn] = (), scenario: str | None = None) -> Answer:
        """Return the checked answer; `scenario` is the name or title of one of `weice scenarios`."""
        chosen = named(scenario) if scenario else None
        return self._app.assistant(use_llm=self._use_llm).answer(question, history, chosen)

    def stream(self, question: str, history: Sequence[Turn] = (), scenario: str | None = None) -> Iterator[Event]:
        """Yield what happens while the question is answered, last a `Finished` with the answer."""
        chosen = named(scenario) if scenario else None
        return self._app.assistant(use_llm=self._use_llm).stream(question, history, chosen)

    def search(self, question: str, history: Sequence[Turn] = (), k: int | None = None) -> tuple[Evidence, ...]:
        """Return the passages for a question, best first."""
        return self._app.search(question, history, k)

    @property
    def articles(self) -> tuple[Article, ...]:
        """What is in the library, in document order."""
        return tuple(self._app.index.articles)

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
