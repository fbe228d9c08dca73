"""Questions on their way, each answered in a thread of its own that outlives the page that asked.

One reader's generation does not hold up another's retrieval; a stop works at once even while the LLM is still
reading; who reloads in mid-stream joins the same question again. Knows no layout and no Gradio.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rag.answer.events import Event, Finished
from rag.answer.filters import EVERYTHING, Filters
from rag.errors import IndexStateError, UsageError, WeiceError
from rag.records import Record, answer_record
from rag.schema import Answer, Article, Evidence, Turn
from ui.store import StoredTurn, history, now
from ui.web.view.chat import Exchange, Running, advance

if TYPE_CHECKING:
    from rag.answer.scenarios import Scenario
    from rag.wiring import App
    from ui.store import Store

log = logging.getLogger(__name__)

TICK_S = 0.5
"""How often a page is told that work goes on."""
HISTORY_TURNS = 6
SUGGESTIONS = 3
SHORT_TITLE = 18
UNSAVED = 100
"""Answers that could not be stored, of which the citations can be opened."""
INTERNAL = "程序内部错误。请重试；仍不行请运行 weice doctor"

STOPPED = "已停止，未给出回答。"
CUT_OFF = "程序中途停了，这个问题还没有回答。请重试。"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the reader asked for."""

    question: str
    extractive: bool = False
    scenario: Scenario | None = None
    filters: Filters = EVERYTHING

    @property
    def options(self) -> Record:
        """What is stored with the question, to ask it again the same way."""
        scenario = self.scenario.name if self.scenario else None
        return {"extractive": self.extractive, "scenario": scenario, "filters": self.filters.record}


class Job:
    """One question on its way. Any number of pages may watch it; its result is stored whoever still looks."""

    def __init__(
        self,
        asked: Asked,
        turn: StoredTurn,
        history: tuple[Turn, ...],
        user: str,
        store: Store,
        unsaved: str = "",
    ) -> None:
        """Answer the stored `turn`; nothing happens before it is told. `unsaved` says why nothing is stored."""
        self.asked, self.turn, self.history, self.user, self.unsaved = asked, turn, history, user, unsaved
        self.state = Running(asked.question)
        self.result: Exchange | None = None
        self._store = store
        self._changed = threading.Condition()
        self._started = self._heard = time.monotonic()

    @property
    def waits_for_llm(self) -> bool:
        """Whether the LLM is at work on it, or it waits for the LLM."""
        return self.result is None and self.state.stage == "生成"

    def tell(self, event: Event, coverage: Record | None = None) -> None:
        """Take one event of the assistant."""
        with self._changed:
            self._heard = time.monotonic()
            self.state = advance(self.state, event)
            if coverage is not None:
                self.state = replace(self.state, coverage=coverage)
            self._changed.notify_all()

    def finish(self, answer: Record | None, error: str = "") -> None:
        """Store and show the result; the first one counts: what comes in after a stop is dropped."""
        with self._changed:
            if self.result is not None:
                return
            try:
                if not self.unsaved:
                    self._keep(answer, error)
            except WeiceError as problem:
                log.warning("an answer could not be stored: %s", problem)
                self.unsaved = unsaved(problem)
            found = tuple(self.state.evidence or ()) if answer is None else ()
            id_, asked = str(self.turn.id), self.asked.question
            self.result = Exchange(id_, asked, answer, error, retrieved=found, unsaved=self.unsaved)
            self._changed.notify_all()

    def _keep(self, answer: Record | None, error: str) -> None:
        if answer is None:
            self._store.conversations.fail(self.turn.id, error)
        else:
            self._store.conversations.finish(self.turn.id, answer)
        verdict = "error" if answer is None else answer["verdict"]
        self._store.audit.note(self.user, "web", "ask", self.asked.question, verdict)

    def watch(self, ahead: Callable[[Job], int] = lambda _: 0) -> Iterator[Running]:
        """Yield the state whenever it changes, and at every tick, until there is a result."""
        while self.result is None:
            now, seen = time.monotonic(), self.state
            yield replace(seen, seconds=now - self._started, silent_s=now - self._heard, ahead=ahead(self))
            with self._changed:
                if self.result is None and self.state is seen:
                    self._changed.wait(TICK_S)


class Desk:
    """All questions on their way, one at a time a conversation."""

    def __init__(self, app: App, store: Store, *, use_llm: bool) -> None:
        """Ask through `app` and keep in `store`; without `use_llm` every answer is made of quotes."""
        self._app = app
        self._store = store
        self.use_llm = use_llm
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._unsaved: dict[int, tuple[str, Record]] = {}
        """The last answers that could not be stored, by turn, each with who asked: their citations still open."""

    def need_room(self, asked: Asked) -> None:
        """Raise `UsageError` where too many questions are with the LLM already; nothing has happened then."""
        if not self._writes(asked):
            return
        with self._lock:
            held = sum(job.result is None and self._writes(job.asked) for job in self._jobs.values())
        if held >= self._app.settings.questions_at_once:
            step = "你的问题没有丢：请过一两分钟再按一次，或勾选“摘录模式”，马上就能看到原文"
            raise UsageError(f"排队的人太多，已有 {held} 个问题在等大模型", step)

    def _writes(self, asked: Asked) -> bool:
        """Whether the LLM is to answer."""
        return self.use_llm and not asked.extractive

    def start(self, conversation: str, user: str, asked: Asked) -> Job:
        """Begin to answer in the user's `conversation`; a question that is on its way there goes first."""
        with self._lock:
            if (running := self._jobs.get(conversation)) is not None and running.result is None:
                return running
            _, before = self._store.conversations.load(conversation, user)
            turn = self._store.conversations.ask(conversation, user, asked.question, asked.options)
            job = Job(asked, turn, history(before)[-HISTORY_TURNS:], user, self._store)
            self._jobs[conversation] = job
        threading.Thread(target=self._work, args=(conversation, job), name="weice-ask", daemon=True).start()
        return job

    def start_unsaved(self, conversation: str, user: str, asked: Asked, problem: WeiceError) -> Job:
        """Begin to answer what can't be stored; `conversation`, if any, is what it follows on."""
        before = self._store.conversations.load(conversation, user)[1] if conversation else ()
        turn = StoredTurn(-next(self._numbers), conversation, now(), asked.question, options=asked.options)
        job = Job(asked, turn, history(before)[-HISTORY_TURNS:], user, self._store, unsaved(problem))
        key = f"unsaved {turn.id}"
        with self._lock:
            self._jobs[key] = job
        threading.Thread(target=self._work, args=(key, job), name="weice-ask", daemon=True).start()
        return job

    def stop_unsaved(self, user: str) -> None:
        """End what is on its way for a user without being stored."""
        with self._lock:
            jobs = [job for job in self._jobs.values() if job.unsaved and job.user == user]
        for job in jobs:
            job.finish(None, STOPPED)

    def answer(self, turn: int, user: str) -> Record | None:
        """The answer to the user's `turn`, also one that could not be stored; None where there is none."""
        asker, answer = self._unsaved.get(turn, ("", None))
        return answer if answer and asker == user else self._store.conversations.turn(turn, user).answer

    def running(self, conversation: str) -> Job | None:
        """The question on its way in `conversation`."""
        return self._jobs.get(conversation)

    def stop(self, conversation: str) -> None:
        """End what is on its way there: what was found stays, the unchecked draft goes."""
        if (job := self._jobs.get(conversation)) is not None:
            job.finish(None, STOPPED)

    def ahead(self, job: Job) -> int:
        """How many questions the LLM has to write on before that of `job`."""
        with self._lock:
            waiting = [other for other in self._jobs.values() if other.waits_for_llm]
        return waiting.index(job) if job in waiting else 0

    def exchanges(self, conversation: str, user: str) -> tuple[Exchange, ...]:
        """What was said in the user's conversation, without what is on its way."""
        _, stored = self._store.conversations.load(conversation, user)
        job = self._jobs.get(conversation)
        on_its_way = job.turn.id if job and job.result is None else None
        return tuple(self._exchange(turn, user) for turn in stored if turn.id != on_its_way)

    def _exchange(self, turn: StoredTurn, user: str) -> Exchange:
        said = "" if turn.answer else turn.error or CUT_OFF
        given = self._store.feedback.of(turn.id, user) if turn.answer else None
        rating = "" if given is None else "up" if given.good else "down"
        return Exchange(str(turn.id), turn.question, turn.answer, said, rating=rating)

    def _work(self, conversation: str, job: Job) -> None:
        try:
            answer = self._answer(job)
            if answer is not None:
                record = record_of(answer, job.state.coverage)
                job.finish(record)
                if job.unsaved:
                    self._remember(job, record)
        except WeiceError as error:
            job.finish(None, str(error))
        except Exception:
            log.exception("a question failed")
            job.finish(None, INTERNAL)
        finally:
            with self._lock:
                if self._jobs.get(conversation) is job:
                    del self._jobs[conversation]

    def _remember(self, job: Job, record: Record) -> None:
        with self._lock:
            self._unsaved[job.turn.id] = (job.user, record)
            for turn in list(self._unsaved)[:-UNSAVED]:
                del self._unsaved[turn]

    def _answer(self, job: Job) -> Answer | None:
        asked = job.asked
        held_to = asked.filters or None
        assistant = self._app.assistant(use_llm=self._writes(asked), within=held_to)
        events = assistant.stream(asked.question, job.history, asked.scenario)
        with closing(events):  # type: ignore[type-var]  # a generator
            for event in events:
                if job.result is not None:
                    return None
                if isinstance(event, Finished):
                    return event.answer
                evidence = getattr(event, "evidence", None)
                job.tell(event, None if evidence is None else self._coverage(evidence, asked.filters))
        return None

    def _coverage(self, evidence: Sequence[Evidence], filters: Filters) -> Record:
        try:
            searched = [article for article in self._app.index.articles if filters(article)]
            return coverage(searched, evidence) | {"within": filters.label}
        except IndexStateError:
            return {}


def unsaved(problem: WeiceError) -> str:
    """What is said beside an answer that could not be stored."""
    return f"{problem.what}，所以这个回答没有存进“历史”，要用请先复制。{problem.next_step}"


def record_of(answer: Answer, covered: Record) -> Record:
    """What is kept of an answer: its record, what was searched, and what could be asked next."""
    return answer_record(answer) | {"coverage": covered, "suggestions": suggestions(answer)}


def coverage(articles: Sequence[Article], evidence: Sequence[Evidence]) -> Record:
    """How many files were searched, of which dates, and how many passages of each issue were found."""
    issues = {article.issue.file: article.issue for article in articles}
    dates = sorted(issue.date for issue in issues.values() if issue.date)
    hits = Counter(item.chunk.article.issue.label for item in evidence)
    return {
        "issues": len(issues),
        "from": dates[0].isoformat() if dates else None,
        "to": dates[-1].isoformat() if dates else None,
        "hits": dict(hits.most_common()),
    }


def suggestions(answer: Answer) -> list[str]:
    """Questions that the evidence answers: headings that were found or stand beside a cited one, not yet cited."""
    cited = {(c.article.id, c.section) for c in answer.citations}
    ids = {c.article.id for c in answer.citations}
    found = [(e.chunk.article, e.chunk.section_path) for e in answer.evidence if not ids or e.chunk.article.id in ids]
    beside = [(c.article, c.article.section_path(s.start)) for c in answer.citations for s in c.article.sections]
    others = [(e.chunk.article, e.chunk.section_path) for e in answer.evidence]
    asked = []
    for article, path in (*found, *beside, *others):
        if (article.id, " > ".join(path)) not in cited:
            asked.append(_ask_of(article, path[-1] if path else ""))
    return [q for q in dict.fromkeys(asked) if q != answer.question][:SUGGESTIONS]


def _ask_of(article: Article, heading: str) -> str:
    title = article.title if len(article.title) <= SHORT_TITLE else f"{article.title[:SHORT_TITLE]}…"
    return f"《{title}》里“{heading}”主要讲了什么？" if heading else f"《{title}》主要讲了什么？"
