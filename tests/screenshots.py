"""`python -m tests.screenshots`: takes the pictures in README of the real page over the real library, without an LLM.

It needs the embedding model (`weice models pull`) and a Chromium (`python -m tests.browser`).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from rag import settings
from rag.errors import IndexStateError
from rag.wiring import App
from tests.browser import CHROMIUM
from tests.builders import ROOT
from tests.conftest import ARGS
from tests.ui.web.conftest import TIMEOUT_MS, file_store, served

FOLDER = ROOT / "ui" / "web" / "screenshots"
QUESTION = "厦门有多少家定点医药机构接进了即时结算系统？"
SIZES = {"desktop": (1280, 860), "phone": (390, 844)}
COLOURS = 128
"""The colours of a picture: text needs few, and README loads quickly."""


def main() -> int:
    """Take every picture anew."""
    from playwright.sync_api import sync_playwright

    app = App(settings.load())
    try:
        app.index  # noqa: B018  # opened here, or built
    except IndexStateError:
        app.build_index(lambda *_: None)
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        with served(app, file_store(Path(folder)), use_llm=False) as root:
            for name, (width, height) in SIZES.items():
                page = browser.new_page(viewport={"width": width, "height": height})
                page.set_default_timeout(TIMEOUT_MS)
                page.goto(root)
                _take(page, FOLDER / f"{name}.png", reader=name == "desktop")
            browser.close()
    return 0


def _take(page: Any, path: Path, *, reader: bool) -> None:
    from PIL import Image

    page.wait_for_selector("#question textarea")
    page.fill("#question textarea", QUESTION)
    page.press("#question textarea", "Enter")
    page.wait_for_selector("#talk .wc-citations")
    page.wait_for_timeout(1000)
    if reader:
        page.click("#talk .wc-evidence > summary")
        page.click("#talk .wc-answer [data-act=open]")
        page.wait_for_selector("#reader #here")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(1000)
    page.screenshot(path=path)
    with Image.open(path) as taken:
        small = taken.convert("RGB").quantize(COLOURS)
    small.save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
