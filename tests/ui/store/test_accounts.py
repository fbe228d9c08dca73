"""Who is let in, with what right, and how soon after a wrong password."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from rag.errors import AccessError, UsageError
from tests.ui.store.places import Clock, store
from ui.store import LOCAL, Role, User, need

GOOD = "correct horse"


def test_the_right_password_lets_in_and_a_wrong_one_does_not():
    accounts = store().accounts
    accounts.add("张三", GOOD, Role.EDITOR)
    assert accounts.check("张三", GOOD).role is Role.EDITOR
    assert accounts.allows("张三", GOOD)
    assert not accounts.allows("张三", "wrong horse")
    with pytest.raises(AccessError) as wrong:
        accounts.check("张三", "wrong horse")
    with pytest.raises(AccessError) as unknown:
        accounts.check("李四", GOOD)
    assert str(wrong.value) == str(unknown.value), "nobody learns which names there are"


def test_passwords_and_keys_do_not_stand_in_the_file(tmp_path: Path):
    held = store(f"sqlite:///{tmp_path / 'weice.db'}")
    held.accounts.add("张三", GOOD)
    secret, _ = held.accounts.create_key("张三")
    held.close()
    bytes_ = (tmp_path / "weice.db").read_bytes()
    assert GOOD.encode() not in bytes_
    assert secret.encode() not in bytes_
    with sqlite3.connect(tmp_path / "weice.db") as link:
        assert link.execute("SELECT password FROM users").fetchone()[0].startswith("$argon2id$")


@pytest.mark.parametrize("name", ["", " ", "a b", "x" * 33, "本机", "<b>", "a/b"])
def test_odd_names_are_refused(name: str):
    with pytest.raises(UsageError, match="用户名"):
        store().accounts.add(name, GOOD)


@pytest.mark.parametrize("password", ["", "short", " " * 9, "x" * 257])
def test_weak_passwords_are_refused(password: str):
    with pytest.raises(UsageError, match="密码"):
        store().accounts.add("张三", password)


def test_a_name_is_taken_once():
    accounts = store().accounts
    accounts.add("张三", GOOD)
    with pytest.raises(UsageError, match="已有"):
        accounts.add("张三", GOOD)


def test_a_changed_password_takes_the_place_of_the_old_one():
    accounts = store().accounts
    accounts.add("张三", GOOD)
    accounts.set_password("张三", "another horse")
    assert not accounts.allows("张三", GOOD)
    assert accounts.allows("张三", "another horse")


def test_after_many_wrong_passwords_even_the_right_one_waits():
    clock = Clock()
    accounts = store(clock=clock).accounts
    accounts.add("张三", GOOD)
    accounts.add("李四", GOOD)
    for _ in range(5):
        assert not accounts.allows("张三", "wrong horse")
    with pytest.raises(AccessError, match=r"次数太多.*秒后再试"):
        accounts.check("张三", GOOD)
    assert accounts.allows("李四", GOOD), "others do not wait"
    clock.turn(seconds=2)
    assert accounts.allows("张三", GOOD)
    assert not accounts.allows("张三", "wrong horse"), "and the count begins anew"
    assert accounts.allows("张三", GOOD)


def test_the_wait_doubles_up_to_a_limit():
    clock = Clock()
    accounts = store(clock=clock).accounts
    waits = []
    for _ in range(16):
        with pytest.raises(AccessError) as refused:
            accounts.check("谁", GOOD)
        told = re.search(r"请 (\d+) 秒后再试", str(refused.value))
        waits.append(int(told[1]) if told else 0)
        if told:
            clock.turn(seconds=int(told[1]) - 0.5)
            with pytest.raises(AccessError, match="请 1 秒后再试"):
                accounts.check("谁", GOOD)
            clock.turn(seconds=0.5)
            with pytest.raises(AccessError, match="用户名或密码不对"):
                accounts.check("谁", GOOD)
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_disabled_user_is_told_so_only_with_the_right_password():
    accounts = store().accounts
    accounts.add("张三", GOOD)
    accounts.set_disabled("张三", True)
    with pytest.raises(AccessError, match="停用"):
        accounts.check("张三", GOOD)
    with pytest.raises(AccessError, match="用户名或密码"):
        accounts.check("张三", "wrong horse")
    accounts.set_disabled("张三", False)
    assert accounts.allows("张三", GOOD)


def test_the_last_administrator_stays_one():
    accounts = store().accounts
    accounts.add("主任", GOOD, Role.ADMIN)
    for change in (lambda: accounts.set_role("主任", Role.READER), lambda: accounts.set_disabled("主任", True)):
        with pytest.raises(UsageError, match="唯一的管理员"):
            change()
    accounts.add("副主任", GOOD, Role.ADMIN)
    assert accounts.set_role("主任", Role.READER).role is Role.READER


def test_there_is_somebody_only_while_one_can_log_in():
    accounts = store().accounts
    assert not accounts.any()
    accounts.add("张三", GOOD)
    assert accounts.any()
    accounts.set_disabled("张三", True)
    assert not accounts.any()
    assert [user.name for user in accounts.list()] == ["张三"]


@pytest.mark.parametrize("change", ["set_password", "set_role", "set_disabled"])
def test_nobody_can_be_changed_who_is_not_there(change: str):
    value = {"set_password": GOOD, "set_role": Role.READER, "set_disabled": True}[change]
    with pytest.raises(UsageError, match="没有用户"):
        getattr(store().accounts, change)("谁", value)


@pytest.mark.parametrize(
    ("role", "wanted", "may"),
    [
        (Role.READER, Role.READER, True),
        (Role.READER, Role.EDITOR, False),
        (Role.EDITOR, Role.READER, True),
        (Role.EDITOR, Role.ADMIN, False),
        (Role.ADMIN, Role.EDITOR, True),
    ],
)
def test_a_role_may_what_those_below_it_may(role: Role, wanted: Role, may: bool):
    user = User("张三", role)
    if may:
        assert need(user, wanted) is user
    else:
        with pytest.raises(AccessError, match=wanted):
            need(user, wanted)


def test_nobody_and_the_disabled_have_no_right_and_this_machine_has_all():
    for nobody in (None, User("张三", Role.ADMIN, disabled=True)):
        with pytest.raises(AccessError, match="登录"):
            need(nobody, Role.READER)
    assert need(LOCAL, Role.ADMIN) is LOCAL


def test_a_key_tells_whose_it_is_until_it_is_revoked():
    clock = Clock()
    accounts = store(clock=clock).accounts
    accounts.add("张三", GOOD)
    secret, key = accounts.create_key("张三", "脚本")
    assert accounts.key_owner(secret)[0].name == "张三"
    assert secret.startswith(key.start)
    assert len(key.start) < len(secret) / 2
    assert accounts.keys()[0].used_at == clock.at
    accounts.revoke_key(key.id)
    with pytest.raises(AccessError):
        accounts.key_owner(secret)
    assert accounts.keys("张三")[0].revoked_at == clock.at
    assert accounts.keys("李四") == ()


@pytest.mark.parametrize("secret", ["", "weice-", "张三", "x" * 10_000, "\ud800"])
def test_what_is_no_key_is_refused(secret: str):
    with pytest.raises(AccessError, match="密钥"):
        store().accounts.key_owner(secret)


def test_keys_go_with_their_user():
    accounts = store().accounts
    accounts.add("张三", GOOD)
    secret, _ = accounts.create_key("张三")
    accounts.set_disabled("张三", True)
    with pytest.raises(AccessError):
        accounts.key_owner(secret)
    with pytest.raises(UsageError, match="停用"):
        accounts.create_key("张三")
    with pytest.raises(UsageError, match="没有用户"):
        accounts.create_key("李四")
    with pytest.raises(UsageError, match="key list"):
        accounts.revoke_key(99)
