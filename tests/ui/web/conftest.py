"""A served page and a real Chromium looking at it; every page must keep to itself and complain of nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from rag.wiring import App
from tests.ui.standin import StandIn
from tests.ui.store.places import QUICK
from ui import serve
from ui.store import Database, Store
from ui.store.database import address

TIMEOUT_MS = 20_000


@dataclass
class Site:
    """A served page and what stands behind it."""

    app: StandIn
    store: Store
    root: str


@dataclass
class Seen:
    """A page and what it did behind the reader's back."""

    page: Any
    site: Site
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    expected_complaints: tuple[str, ...] = ()

    @property
    def app(self) -> StandIn:
        return self.site.app

    @property
    def store(self) -> Store:
        return self.site.store

    def ask(self, question: str) -> None:
        self.page.fill("#question textarea", question)
        self.page.press("#question textarea", "Enter")

    def answered(self, question: str) -> None:
        """Ask and wait for the answer."""
        before = self.page.locator("#talk .wc-turn").count()
        self.ask(question)
        self.page.wait_for_selector(f"#talk .wc-turn >> nth={before}")

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name, exact=True).click()

    def fits(self, width: int) -> None:
        """Nothing that can be seen runs off the side of the screen."""
        self.page.set_viewport_size({"width": width, "height": 844})
        self.page.wait_for_timeout(300)
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width


@contextmanager
def served(
    app: StandIn | App,
    store: Store,
    *,
    guarded: bool = False,
    use_llm: bool = True,
    around: Callable[[ASGIApp], ASGIApp] = lambda web: web,
) -> Iterator[str]:
    """Serve the page, with what is put `around` it, from a thread and give its address."""
    import uvicorn

    from ui.web.page import build_web

    listener = serve.listen("127.0.0.1", 0)
    web = build_web(app, store, use_llm=use_llm, guarded=guarded)  # type: ignore[arg-type]
    config = uvicorn.Config(around(web), log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


def file_store(folder: Path) -> Store:
    """A store in a file, as the program has it, with a quick hasher."""
    return Store(Database(address("", folder)), hasher=QUICK)


@contextmanager
def watched(chromium: Any, site: Site, path: str = "", login: tuple[str, str] | None = None) -> Iterator[Seen]:
    """A page of its own browser context that must ask no other host and complain of nothing."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    result = Seen(page, site)
    page.on("request", lambda request: result.requests.append(request.url))
    page.on("console", lambda m: result.complaints.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: result.complaints.append(str(error)))
    page.goto(site.root + path)
    if login is not None:
        page.wait_for_selector("input[type=password]")
        page.locator("input:not([type=password])").first.fill(login[0])
        page.locator("input[type=password]").fill(login[1])
        page.locator("input[type=password]").press("Enter")
    yield result
    foreign = [url for url in result.requests if not url.startswith((site.root, "data:", "blob:"))]
    allowed = result.expected_complaints
    complaints = [c for c in result.complaints if not any(words in c for words in allowed)]
    context.close()
    assert foreign == []
    assert complaints == []


@contextmanager
def opened(app: App, store: Store, chromium: Any, tab: str = "") -> Iterator[Seen]:
    """A page of its own over `app`, in quoting mode, on `tab` where one is named."""
    with served(app, store, use_llm=False) as root, watched(chromium, Site(app, store, root)) as seen:  # type: ignore[arg-type]
        seen.page.wait_for_selector("#question textarea")
        if tab:
            seen.tab(tab)
        yield seen


UPLOADS = ("Method not implemented.",)
"""What Gradio itself complains of at every upload."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    app, store = StandIn(tmp_path_factory.mktemp("site"), delay_s=0.3), file_store(tmp_path_factory.mktemp("store"))
    with served(app, store) as root:
        yield Site(app, store, root)


@pytest.fixture
def seen(chromium: Any, site: Site) -> Iterator[Seen]:
    site.app.asked.clear()
    site.app.chosen.clear()
    with watched(chromium, site) as result:
        result.page.wait_for_selector("#question textarea")
        yield result
