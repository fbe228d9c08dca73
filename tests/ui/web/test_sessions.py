"""Logins end after their time, whatever cookie a browser still sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient

from tests.ui.standin import StandIn
from tests.ui.web.conftest import Site, file_store, served, watched
from tests.ui.web.test_access import PASSWORD
from ui.store import Role
from ui.web.sessions import Sessions


class Clock:
    at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> TestClient:
    inner = FastAPI()

    @inner.get("/login")
    def login(response: Response, token: str) -> None:
        response.set_cookie("access-token-unsecure-x", token, httponly=True)
        response.set_cookie("other", "o")

    @inner.get("/logout")
    def logout(response: Response) -> None:
        response.delete_cookie("access-token-unsecure-x")

    @inner.get("/cookies")
    def cookies(request: Request) -> dict[str, str]:
        return request.cookies

    return TestClient(Sessions(inner, 3600, clock=clock))


def test_a_login_counts_for_its_time_and_not_longer(client: TestClient, clock: Clock):
    client.get("/login", params={"token": "t1"})
    clock.at = 3599
    assert client.get("/cookies").json() == {"access-token-unsecure-x": "t1", "other": "o"}
    clock.at = 3600
    assert client.get("/cookies").json() == {"other": "o"}
    client.get("/login", params={"token": "t2"})
    assert client.get("/cookies").json() == {"access-token-unsecure-x": "t2", "other": "o"}


def test_a_token_that_was_not_given_here_counts_for_nothing(client: TestClient):
    client.cookies.set("access-token-unsecure-x", "made up")
    assert client.get("/cookies").json() == {}


def test_to_give_a_token_anew_makes_it_no_younger(client: TestClient, clock: Clock):
    client.get("/login", params={"token": "t1"})
    clock.at = 3000
    client.get("/login", params={"token": "t1"})
    clock.at = 3700
    assert client.get("/cookies").json() == {"other": "o"}


def test_a_logout_passes(client: TestClient):
    client.get("/login", params={"token": "t1"})
    client.get("/logout")
    assert client.get("/cookies").json() == {"other": "o"}


@pytest.mark.browser
def test_the_page_asks_for_the_login_again_when_its_time_is_over(tmp_path: Path, chromium: Any):
    store = file_store(tmp_path / "db")
    store.accounts.add("小读", PASSWORD, Role.READER)
    app = StandIn(tmp_path, session_hours=8 / 3600)
    with (
        served(app, store, guarded=True) as root,
        watched(chromium, Site(app, store, root), login=("小读", PASSWORD)) as seen,
    ):
        seen.expected_complaints = ("401",)
        seen.page.wait_for_selector("#top >> text=小读")
        seen.answered("厦门？")
        seen.page.wait_for_timeout(8500)
        seen.ask("湖南？")
        seen.page.wait_for_selector("input[type=password]")
        assert seen.page.locator("#question").count() == 0
        assert [question for question, _ in app.asked] == ["厦门？"]
