"""The same store on PostgreSQL, where a PostgreSQL is installed: a server of its own, for this test alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag.errors import AccessError, StorageError
from tests.ui.store.places import answered, store
from ui import serve
from ui.store import LOCAL, Reason, Role

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not PROGRAMS:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    pytest.importorskip("psycopg")
    programs, folder = PROGRAMS[-1].parent, Path("/tmp") / f"weice-pg-{os.getpid()}"  # noqa: S108  # short: a socket
    folder.mkdir()
    asroot = os.geteuid() == 0
    if asroot:  # which PostgreSQL refuses to run as
        shutil.chown(folder, "postgres")
    su = ["runuser", "-u", "postgres", "--"] if asroot else []
    with serve.listen("127.0.0.1", 0) as probe:
        port = probe.getsockname()[1]

    def run(program: str, *args: str) -> None:
        with (folder.parent / f"{folder.name}.log").open("ab") as log:
            subprocess.run([*su, programs / program, *args], check=True, cwd="/", stdout=log, stderr=log)

    try:
        run("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "weice", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
        run("pg_ctl", "-D", f"{folder}/data", "-o", options, "-l", f"{folder}/log", "-w", "start")
        try:
            yield f"postgresql+psycopg://weice@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


def test_everything_is_kept_there_too(url: str):
    held = store(url)
    accounts, talks = held.accounts, held.conversations
    accounts.add("张三", "correct horse", Role.ADMIN)
    assert accounts.check("张三", "correct horse").role is Role.ADMIN
    secret, key = accounts.create_key("张三")
    assert accounts.key_owner(secret)[0].name == "张三"
    accounts.revoke_key(key.id)
    with pytest.raises(AccessError):
        accounts.key_owner(secret)
    talk = talks.create("张三")
    turn = talks.add(talk.id, "张三", "浙江多少台\0AED", answered())
    assert [found.id for found in talks.list("张三", "aed")] == [talk.id]
    again = store(url)
    assert again.conversations.load(talk.id, "张三")[1] == (turn,)
    held.feedback.give(turn.id, "张三", good=False, reason=Reason.NUMBER)
    held.feedback.give(turn.id, "张三", good=True)
    assert [one.good for one in again.feedback.list(LOCAL)] == [True]
    held.audit.note("张三", "api", "ask", "问\0", "answered")
    assert [entry.question for entry in again.audit.list(LOCAL)] == ["问"]
    assert sorted(again.conversations.cited(None).values()) == sorted(talks.cited("张三").values()) == [1, 1]
    talks.delete(talk.id, "张三")
    assert again.conversations.list("张三") == ()
    assert again.conversations.cited(None) == {}
    again.close()
    held.close()


def test_wrong_passwords_from_many_sides_are_all_counted(url: str):
    held = store(url)
    held.accounts.add("李四", "correct horse")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(held.accounts.allows, ["李四"] * 8, ["wrong horse"] * 8)) == [False] * 8
    with pytest.raises(AccessError, match="太多"):
        held.accounts.check("李四", "correct horse")
    held.close()


def test_a_server_that_is_not_there_is_said_without_the_password(url: str):
    with serve.listen("127.0.0.1", 0) as probe:
        nobody = url.replace("weice@", "weice:secret@").rpartition(":")[0] + f":{probe.getsockname()[1]}/postgres"
        with pytest.raises(StorageError, match="连不上数据库") as raised:
            store(nobody)
    assert "secret" not in str(raised.value)
