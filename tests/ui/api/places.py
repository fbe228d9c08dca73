"""An API over the stand-in program: called in this process, or really served on a port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from rag.batch import Answering, Question
from rag.errors import ModelError
from rag.schema import Answer
from tests.ui.standin import ANSWER, StandIn
from tests.ui.store.places import store
from ui.api.app import build_api
from ui.api.guard import Limits
from ui.store import Role, Store

PASSWORD = "correct horse"  # noqa: S105  # of accounts in memory
QUESTION = "厦门有多少家定点医药机构接进了即时结算系统？"
ASK = {"question": QUESTION}


def chat(*said: str, **more: object) -> dict[str, Any]:
    """A request for a chat completion: what was said in turns, the user first."""
    messages = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said or (QUESTION,))]
    return {"model": "weice", "messages": messages, **more}


class Api:
    """An API with everything behind it, and a client that it trusts."""

    def __init__(self, folder: Path, *, login: bool = False, limits: Limits | None = None, **standin: object) -> None:
        self.app: Any = StandIn(folder, **standin)  # type: ignore[arg-type]
        self.store: Store = store()
        self.web = build_api(self.app, self.store, use_llm=True, login=login, limits=limits)
        self.client = TestClient(self.web, raise_server_exceptions=False)

    def key(self, name: str = "张三", role: Role = Role.READER) -> dict[str, str]:
        """The header of a new key, of a new user."""
        self.store.accounts.add(name, PASSWORD, role)
        return {"authorization": f"Bearer {self.store.accounts.create_key(name)[0]}"}


class Answerer:
    """Answers the rows of an API's batches at once, or each only when it is let."""

    def __init__(self, api: Api) -> None:
        self.asked: list[Question] = []
        self.how: list[dict[str, Any]] = []
        self.let = threading.Semaphore(0)
        self.waits = False
        self.broken: set[str] = set()
        api.app.batches = api.app.settings.data_dir / "batches"
        api.app.answering = self.answering
        api.app.workers = lambda **_: 1

    def answering(self, **how: Any) -> Answering:
        self.how.append(how)
        return Answering.plain(self._ask, "一样")

    def _ask(self, row: Question) -> Answer:
        if self.waits:
            self.let.acquire()
        self.asked.append(row)
        if row.question in self.broken:
            raise ModelError("向量模型打不开", "运行 weice models verify 查看")
        return replace(ANSWER, question=row.question)


@contextmanager
def served(web: Any) -> Iterator[str]:
    """Serve an ASGI application on a free port; yield its address."""
    import uvicorn

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # who connects before it serves waits
        server = uvicorn.Server(uvicorn.Config(web, log_level="error", timeout_graceful_shutdown=3))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
