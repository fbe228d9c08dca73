"""Opening the database, and what its failures are called."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from rag.errors import SettingsError, StorageError
from tests.ui.store.places import answered, store
from ui.store import Database, database, open_store
from ui.store.database import address


def test_without_a_setting_it_is_a_file_in_the_data_folder(tmp_path: Path):
    assert address("", tmp_path).database == str(tmp_path / "weice.db")


def test_what_is_no_address_is_said_without_showing_it(tmp_path: Path):
    with pytest.raises(SettingsError, match="database") as raised:
        address("postgres 密码", tmp_path)
    assert "密码'" not in str(raised.value)


def test_a_driver_that_is_not_installed_is_named_with_its_remedy():
    with pytest.raises(SettingsError, match="驱动"):
        Database(make_url("firebird://u:secret@localhost/db"))


def test_what_is_written_is_there_after_opening_again(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'deep' / 'weice.db'}"
    one = store(url)
    talk = one.conversations.create("张三")
    one.conversations.add(talk.id, "张三", "问", answered())
    one.close()
    again = store(url)
    _, turns = again.conversations.load(talk.id, "张三")
    assert turns[0].answer == answered()
    again.close()


def test_a_file_that_is_no_database_is_said(tmp_path: Path):
    path = tmp_path / "weice.db"
    path.write_text("这是一个文本文件。" * 100, encoding="utf-8")
    with pytest.raises(StorageError, match=r"不是数据库.*weice\.db"):
        store(f"sqlite:///{path}")


def test_a_read_only_database_is_said(tmp_path: Path):
    path = tmp_path / "weice.db"
    store(f"sqlite:///{path}").close()
    with pytest.raises(StorageError, match="只能读"):
        store(f"sqlite:///file:{path}?mode=ro&uri=true")


def test_a_path_where_none_can_be_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match="路径"):
        store(f"sqlite:///{tmp_path / 'file' / 'weice.db'}")


def test_a_locked_database_is_said_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database, "BUSY_S", 0.05)
    path = tmp_path / "weice.db"
    held = store(f"sqlite:///{path}")
    talk = held.conversations.create("张三", "标题")
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="占用"):
        held.conversations.rename(talk.id, "张三", "新标题")
    assert held.conversations.list("张三")[0].title == "标题", "readers do not wait for the writer"
    other.rollback()
    other.close()
    held.conversations.rename(talk.id, "张三", "新标题")
    assert held.conversations.list("张三")[0].title == "新标题"
    held.close()


def test_a_short_lock_of_another_program_is_waited_for_by_every_writer(tmp_path: Path):
    path = tmp_path / "weice.db"
    held = store(f"sqlite:///{path}")
    talk = held.conversations.create("张三", "标题")
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    begun = threading.Barrier(4)

    def add(question: str) -> None:
        begun.wait()
        held.conversations.add(talk.id, "张三", question, answered())

    writers = [threading.Thread(target=add, args=(question,)) for question in "一二三"]
    for writer in writers:
        writer.start()
    begun.wait()
    free = threading.Timer(0.5, other.execute, ("ROLLBACK",))
    free.start()
    for thread in (free, *writers):
        thread.join()
    other.close()
    assert sorted(turn.question for turn in held.conversations.load(talk.id, "张三")[1]) == sorted("一二三")
    assert all(turn.answer for turn in held.conversations.load(talk.id, "张三")[1])
    held.close()


def test_a_database_of_a_later_program_is_refused(tmp_path: Path):
    path = tmp_path / "weice.db"
    store(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as link:
        link.execute("UPDATE schema_version SET version = 999")
    with pytest.raises(StorageError, match="升级"):
        store(f"sqlite:///{path}")


def test_a_database_of_the_first_version_is_brought_up_to_this_one(tmp_path: Path):
    path = tmp_path / "weice.db"
    held = store(f"sqlite:///{path}")
    talk = held.conversations.create("张三")
    held.conversations.add(talk.id, "张三", "问", answered())
    held.conversations.ask(talk.id, "张三", "没有答的")
    counted = held.conversations.cited(None)
    held.close()
    with sqlite3.connect(path) as link:
        link.execute("DROP TABLE cited")
        link.execute("UPDATE schema_version SET version = 1")
    for _ in range(2):
        held = store(f"sqlite:///{path}")
        assert held.conversations.cited(None) == counted
        held.close()
    assert sorted(counted.values()) == [1, 1]


def test_many_threads_write_at_once(tmp_path: Path):
    held = store(f"sqlite:///{tmp_path / 'weice.db'}")
    threads = [
        threading.Thread(target=lambda: [held.audit.note("张三", "api", "ask", "问") for _ in range(10)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    from ui.store import LOCAL

    assert len(held.audit.list(LOCAL)) == 80
    held.close()


def test_only_its_owner_may_read_the_file(tmp_path: Path):
    held = store(f"sqlite:///{tmp_path / 'weice.db'}")
    held.audit.note("张三", "api", "ask", "问")
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    held.close()


def test_the_settings_open_it(tmp_path: Path):
    from rag.settings import load

    held = open_store(load(data_dir=tmp_path))
    assert (tmp_path / "weice.db").exists()
    assert not held.accounts.any()
    held.close()
