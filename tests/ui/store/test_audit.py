"""The audit log."""

from __future__ import annotations

import pytest

from rag.errors import AccessError
from tests.ui.store.places import Clock, store
from ui.store import LOCAL, Role, User


def test_the_log_tells_who_asked_what_when_with_which_verdict():
    clock = Clock()
    log = store(clock=clock).audit
    log.note("张三", "web", "ask", "厦门多少家？", "answered")
    clock.turn(hours=1)
    log.note("李四", "api", "search", "问" * 3000)
    second, first = log.list(LOCAL)
    assert (first.user, first.via, first.action, first.question, first.verdict) == (
        "张三", "web", "ask", "厦门多少家？", "answered",
    )  # fmt: skip
    assert second.at == clock.at
    assert len(second.question) == 2000
    assert log.list(LOCAL, user="张三") == (first,)
    assert log.list(LOCAL, since=clock.at) == (second,)
    assert log.list(LOCAL, limit=1, offset=1) == (first,)


@pytest.mark.parametrize("role", [Role.READER, Role.EDITOR])
def test_only_administrators_read_it(role: Role):
    with pytest.raises(AccessError, match="管理员"):
        store().audit.list(User("张三", role))
