"""`weice user` and `weice key`, as they are typed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tests.ui.standin import StandIn
from ui.cli import main
from ui.store import LOCAL, Role, open_store

TYPED = "correct horse\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command with a password piped in; return its code, its output, its errors."""

    def typed(*args: str, password: str = TYPED) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(password))
        code = main(list(args), build=lambda: StandIn(tmp_path))
        return code, *capsys.readouterr()

    return typed


def _opened(folder: Path):
    return open_store(StandIn(folder).settings)


def test_an_account_from_making_it_to_shutting_it_out(run, tmp_path: Path):
    assert run("user", "list")[1].startswith("还没有账号。")
    assert run("user", "add", "主任", "--role", "管理员") == (0, "已新建管理员 主任。\n", "")
    assert run("user", "add", "张三")[0] == 0
    store = _opened(tmp_path)
    assert store.accounts.check("主任", "correct horse").role is Role.ADMIN
    assert run("user", "passwd", "张三", password="another horse\r\n")[0] == 0
    assert store.accounts.allows("张三", "another horse")
    assert run("user", "role", "张三", "编辑")[1] == "张三 现在是编辑。\n"
    assert run("user", "disable", "张三")[1] == "张三 已停用。\n"
    assert run("user", "list")[1] == "主任　管理员\n张三　编辑　已停用\n"
    assert json.loads(run("user", "list", "--json")[1]) == {
        "users": [
            {"name": "主任", "role": "管理员", "disabled": False},
            {"name": "张三", "role": "编辑", "disabled": True},
        ]
    }
    assert run("user", "disable", "张三", "--undo")[1] == "张三 已启用。\n"
    assert [entry.action for entry in store.audit.list(LOCAL)][::-1] == [
        "user add", "user add", "user passwd", "user role", "user disable", "user enable",
    ]  # fmt: skip
    store.close()


def test_a_key_is_shown_once_and_can_be_revoked(run, tmp_path: Path):
    run("user", "add", "张三")
    code, secret, told = run("key", "create", "张三", "--label", "脚本")
    assert code == 0
    assert "不会再显示" in told
    store = _opened(tmp_path)
    assert store.accounts.key_owner(secret.strip())[0].name == "张三"
    listed = run("key", "list")[1]
    assert secret.strip() not in listed
    assert "张三" in listed
    assert "脚本" in listed
    assert run("key", "revoke", "1")[0] == 0
    assert "已作废" in run("key", "list", "张三")[1]
    assert json.loads(run("key", "list", "--json")[1])["keys"][0]["revoked"] is True
    assert run("key", "list", "李四")[1] == "没有密钥。\n"
    store.close()


@pytest.mark.parametrize(
    ("args", "password", "code", "says"),
    [
        (("user", "add", "a b"), "correct horse\n", 2, "用户名"),
        (("user", "add", "张三"), "short\n", 2, "密码"),
        (("user", "add", "张三"), "", 2, "密码"),
        (("user", "add", "张三", "--role", "总管"), "correct horse\n", 2, "使用者 或 编辑 或 管理员"),
        (("user", "role", "谁", "编辑"), "", 2, "没有用户"),
        (("user", "passwd", "谁"), "correct horse\n", 2, "没有用户"),
        (("user", "disable", "谁"), "", 2, "没有用户"),
        (("key", "create", "谁"), "", 2, "没有用户"),
        (("key", "revoke", "7"), "", 2, "key list"),
        (("key", "revoke", "七"), "", 2, "编号"),
        (("user",), "", 2, ""),
    ],
)
def test_what_is_wrong_is_one_chinese_line(run, args: tuple[str, ...], password: str, code: int, says: str):
    got, _, err = run(*args, password=password)
    assert got == code
    assert says in err
    assert "Traceback" not in err


def test_a_password_typed_twice_must_be_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    typed = iter(["correct horse", "wrong horse", "correct horse", "correct horse"])
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    monkeypatch.setattr("sys.stdin", Terminal())
    assert main(["user", "add", "张三"], build=lambda: StandIn(tmp_path)) == 2
    assert "不一样" in capsys.readouterr().err
    assert main(["user", "add", "张三"], build=lambda: StandIn(tmp_path)) == 0
