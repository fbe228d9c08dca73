"""The commands `weice user …` and `weice key …`: read arguments, call `ui.store`, print."""
# heavy imports wait for the command that needs them: `weice --help` answers at once

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from rag.errors import UsageError
from ui.commands import Json, choice, command, emit, group, opened

if TYPE_CHECKING:
    from datetime import datetime

    from ui.store import Role, Store

users = group("管理账号：新建、改密码、改角色、停用、列出。")
keys = group("管理接口密钥：新建、作废、列出。")

Name = Annotated[str, typer.Argument(metavar="用户名")]


@command(users, "新建账号；密码在终端里输入（不显示），或从标准输入读一行。", "add")
def user_add(
    ctx: typer.Context,
    name: Name,
    role: Annotated[str, typer.Option("--role", metavar="角色", help="使用者、编辑或管理员")] = "使用者",
) -> None:
    """Make an account."""
    with _store(ctx) as store:
        wanted = _role("--role", role)
        user = store.accounts.add(name, _new_password(), wanted)
        _note(store, "user add", f"{user.name} {user.role}")
    print(f"已新建{user.role} {user.name}。")


@command(users, "改密码；新密码在终端里输入（不显示），或从标准输入读一行。", "passwd")
def user_passwd(ctx: typer.Context, name: Name) -> None:
    """Change a password."""
    with _store(ctx) as store:
        store.accounts.set_password(name, _new_password())
        _note(store, "user passwd", name)
    print(f"{name} 的密码已改。")


@command(users, "改角色，下一次操作起生效。", "role")
def user_role(
    ctx: typer.Context,
    name: Name,
    role: Annotated[str, typer.Argument(metavar="角色", help="使用者、编辑或管理员")],
) -> None:
    """Change a role."""
    with _store(ctx) as store:
        user = store.accounts.set_role(name, _role("角色", role))
        _note(store, "user role", f"{user.name} {user.role}")
    print(f"{user.name} 现在是{user.role}。")


@command(users, "停用账号，连同它的密钥；--undo 重新启用。", "disable")
def user_disable(
    ctx: typer.Context,
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", metavar="", help="重新启用")] = False,
) -> None:
    """Shut an account out, or let it in again."""
    with _store(ctx) as store:
        store.accounts.set_disabled(name, not undo)
        _note(store, "user enable" if undo else "user disable", name)
    print(f"{name} 已{'启用' if undo else '停用'}。")


@command(users, "列出账号。", "list")
def user_list(ctx: typer.Context, as_json: Json = False) -> None:
    """List the accounts."""
    with _store(ctx) as store:
        found = store.accounts.list()
    if as_json:
        emit({"users": [{"name": u.name, "role": u.role, "disabled": u.disabled} for u in found]})
        return
    for user in found:
        print(f"{user.name}　{user.role}{'　已停用' if user.disabled else ''}")
    if not found:
        print("还没有账号。用 weice user add 用户名 --role 管理员 新建一个。")


@command(keys, "给用户新建一个接口密钥；它只显示这一次。", "create")
def key_create(
    ctx: typer.Context,
    name: Name,
    label: Annotated[str, typer.Option("--label", metavar="说明", help="这个密钥给谁用、用在哪里")] = "",
    as_json: Json = False,
) -> None:
    """Make a key and show it, once."""
    with _store(ctx) as store:
        secret, key = store.accounts.create_key(name, label)
        _note(store, "key create", f"{name} {key.start}")
    if as_json:
        emit({"id": key.id, "user": name, "label": key.label, "key": secret})
        return
    print(secret)
    print(f"编号 {key.id}。请现在记下，它不会再显示。", file=sys.stderr)


@command(keys, "作废一个密钥，立即生效。", "revoke")
def key_revoke(
    ctx: typer.Context,
    number: Annotated[int, typer.Argument(metavar="编号", help="weice key list 列出的编号")],
) -> None:
    """Make a key worthless."""
    with _store(ctx) as store:
        key = store.accounts.revoke_key(number)
        _note(store, "key revoke", f"{key.user} {key.start}")
    print(f"密钥 {key.id}（{key.user}，{key.start}…）已作废。")


@command(keys, "列出密钥，只显示开头几个字。", "list")
def key_list(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[用户名]", help="只列这个用户的")] = None,
    as_json: Json = False,
) -> None:
    """List the keys, without what makes them work."""
    with _store(ctx) as store:
        found = store.accounts.keys(name)
    if as_json:
        records = [
            {"id": k.id, "user": k.user, "label": k.label, "start": k.start, "revoked": k.revoked_at is not None}
            for k in found
        ]
        emit({"keys": records})
        return
    for key in found:
        state = f"已作废 {_day(key.revoked_at)}" if key.revoked_at else f"最近使用 {_day(key.used_at)}"
        print("　".join(filter(None, (str(key.id), key.user, f"{key.start}…", key.label, state))))
    if not found:
        print("没有密钥。")


@contextmanager
def _store(ctx: typer.Context) -> Iterator[Store]:
    from ui.store import open_store

    with opened(ctx) as app:
        store = open_store(app.settings)
        try:
            yield store
        finally:
            store.close()


def _note(store: Store, action: str, what: str) -> None:
    from ui.store import LOCAL

    store.audit.note(LOCAL.name, "cli", action, what)


def _role(where: str, value: str) -> Role:
    from ui.store import Role

    return Role(choice(where, value, *Role))


def _new_password() -> str:
    """A password typed twice without being shown, or the first line of what is piped in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    from getpass import getpass

    password = getpass("密码：")
    if getpass("再输入一次：") != password:
        raise UsageError("两次输入的密码不一样", "请重新运行命令")
    return password


def _day(at: datetime | None) -> str:
    return at.astimezone().strftime("%Y-%m-%d") if at else "无"
