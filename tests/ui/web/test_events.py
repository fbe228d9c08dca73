"""What is clicked at any moment reaches the server, and its result the page, even while the results' stream ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.ui.standin import StandIn
from tests.ui.web.conftest import Site, file_store, served, watched

pytestmark = pytest.mark.browser

LATE_S = 1.0


def late_end(web: ASGIApp) -> ASGIApp:
    """Have the end of a stream of results reach the page `LATE_S` after the server has thought of it."""

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if b"close_stream" in message.get("body", b""):
                await asyncio.sleep(LATE_S)
            await send(message)

        await web(scope, receive, told)

    return late


def test_a_click_while_the_stream_ends_is_not_lost(chromium: Any, tmp_path: Path):
    app, store = StandIn(tmp_path), file_store(tmp_path / "db")
    with served(app, store, around=late_end) as root, watched(chromium, Site(app, store, root)) as seen:
        seen.answered("厦门有多少家定点医药机构接入？")
        for _ in range(3):
            seen.page.click("#talk [data-act=open] >> nth=0")
            seen.page.wait_for_selector("#reader .wc-reader")
            seen.page.click("#reader [data-act=close]")
            seen.page.wait_for_selector("#reader .wc-reader", state="detached")
        seen.answered("火星上有几家医院？")
