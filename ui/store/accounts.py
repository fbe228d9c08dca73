"""Accounts: users with argon2 hashes and roles, API keys, and patience with wrong passwords.

Passwords and keys are never kept, only their hashes: slow ones of passwords, quick ones of the long random keys.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rag.errors import AccessError, UsageError
from ui.store.database import Database, KeyRow, TriesRow, UserRow, now

MIN_PASSWORD = 8
MAX_PASSWORD = 256
"""Longer ones are refused before any work is done on them."""
FREE_TRIES = 5
MAX_WAIT_S = 300
"""Wrong passwords in a row that cost nothing, and the longest wait after more: it doubles from a second on."""
KEY_MARK = "weice-"
_NAME = re.compile(r"[\w.@-]{1,32}")
_SHOWN = len(KEY_MARK) + 6


class Role(StrEnum):
    """What a user may do; each may also do what those before it may."""

    READER = "使用者"
    EDITOR = "编辑"
    ADMIN = "管理员"

    def covers(self, other: Role) -> bool:
        """Whether this role may do what `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who is known."""

    name: str
    role: Role
    disabled: bool = False
    created_at: dt.datetime | None = None


LOCAL = User("本机", Role.ADMIN)
"""Who sits at this machine, where nobody has to log in."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as it is shown: `start` is its first letters, to know it again by."""

    id: int
    user: str
    label: str
    start: str
    created_at: dt.datetime
    used_at: dt.datetime | None
    revoked_at: dt.datetime | None


def need(user: User | None, role: Role) -> User:
    """Return the user. Raises `AccessError` where there is none, or one who may not do what `role` may."""
    if user is None or user.disabled:
        raise AccessError("请先登录", "没有账号请联系管理员")
    if not user.role.covers(role):
        raise AccessError(f"这里要有“{role}”的权限，你是“{user.role}”", "需要时请联系管理员")
    return user


class Accounts:
    """The accounts of one database."""

    def __init__(
        self, database: Database, *, clock: Callable[[], dt.datetime] = now, hasher: PasswordHasher | None = None
    ) -> None:
        """Use argon2id as its library recommends; tests give a quick hasher and a clock of their own."""
        self._db = database
        self._clock = clock
        self._hasher = hasher or PasswordHasher()
        self._nobody = ""

    # --- users ------------------------------------------------------------

    def any(self) -> bool:
        """Whether there is somebody who can log in."""
        with self._db.reading() as session:
            return session.scalar(select(UserRow.id).where(~UserRow.disabled).limit(1)) is not None

    def list(self) -> tuple[User, ...]:
        """Everybody, by name."""
        with self._db.reading() as session:
            return tuple(_user(row) for row in session.scalars(select(UserRow).order_by(UserRow.name)))

    def get(self, name: str) -> User | None:
        """The user of that name as of now, disabled or not."""
        with self._db.reading() as session:
            row = session.scalar(select(UserRow).where(UserRow.name == name))
            return _user(row) if row else None

    def add(self, name: str, password: str, role: Role = Role.READER) -> User:
        """Make an account. Raises `UsageError` on a name that is taken or no name, or a weak password."""
        name = name.strip()
        if not _NAME.fullmatch(name) or name == LOCAL.name:
            raise UsageError(f"用户名不能用：{name[:40]!r}", "可用汉字、字母、数字和 . _ - @，最多 32 个字")
        _check_password(password)
        row = UserRow(name=name, password=self._hasher.hash(password), role=str(role), created_at=self._clock())
        with self._db.writing() as session:
            if session.scalar(select(UserRow.id).where(UserRow.name == name)):
                raise UsageError(f"已有用户 {name}", "改密码用 weice user passwd，改角色用 weice user role")
            row.disabled = False
            session.add(row)
        return _user(row)

    def set_password(self, name: str, password: str) -> None:
        """Change a password. Raises `UsageError` on a weak one or where there is no such user."""
        _check_password(password)
        hashed = self._hasher.hash(password)
        with self._db.writing() as session:
            _found(session, name).password = hashed
            session.execute(delete(TriesRow).where(TriesRow.name == name))

    def set_role(self, name: str, role: Role) -> User:
        """Change a role, from the next request on. Raises `UsageError` for the last administrator."""
        with self._db.writing() as session:
            row = _found(session, name)
            if role is not Role.ADMIN:
                _keep_an_admin(session, row)
            row.role = str(role)
        return _user(row)

    def set_disabled(self, name: str, disabled: bool) -> User:
        """Shut an account out, with its keys, or let it in again. Raises `UsageError` for the last administrator."""
        with self._db.writing() as session:
            row = _found(session, name)
            if disabled:
                _keep_an_admin(session, row)
            row.disabled = disabled
        return _user(row)

    # --- logging in ------------------------------------------------------------

    def check(self, name: str, password: str) -> User:
        """Return the user whose password it is.

        Raises `AccessError`: the same for an unknown name as for a wrong password, and at once, without looking,
        while the name has to wait for its many wrong ones.
        """
        name = name.strip()[:64]
        self._need_patience(name)
        with self._db.reading() as session:
            row = session.scalar(select(UserRow).where(UserRow.name == name))
        if not self._fits(row.password if row else None, password):
            raise AccessError("用户名或密码不对", "忘了密码请联系管理员")
        assert row is not None  # noqa: S101  # an unknown name never fits
        with self._db.writing() as session:
            session.execute(delete(TriesRow).where(TriesRow.name == name))
            if self._hasher.check_needs_rehash(row.password):
                _found(session, name).password = self._hasher.hash(password)
        if row.disabled:
            raise AccessError("账号已停用", "请联系管理员")
        return _user(row)

    def allows(self, name: str, password: str) -> bool:
        """Whether they may log in: `auth` of a Gradio application."""
        try:
            self.check(name, password)
        except AccessError:
            return False
        return True

    def _need_patience(self, name: str) -> None:
        """Count the try as a wrong one, to be forgotten once it proves right; refuse it where it comes too soon."""
        at = self._clock()
        with self._db.writing() as session:
            session.execute(delete(TriesRow).where(TriesRow.last_at < at - dt.timedelta(days=1)))
            row = _tries(session, name, at)
            if row is None:
                return
            left = _wait_s(row.failures) - (at - row.last_at).total_seconds()
            if left > 0:
                raise AccessError("登录失败的次数太多", f"请 {math.ceil(left)} 秒后再试")
            row.failures += 1
            row.last_at = at

    def _fits(self, hashed: str | None, password: str) -> bool:
        """Whether it is the password; it takes as long where there is none."""
        if len(password) > MAX_PASSWORD:
            return False
        if not hashed:
            self._nobody = self._nobody or self._hasher.hash(secrets.token_hex())
        try:
            return self._hasher.verify(hashed or self._nobody, password) and hashed is not None
        except (VerificationError, InvalidHashError):
            return False

    # --- API keys ------------------------------------------------------------

    def create_key(self, user: str, label: str = "") -> tuple[str, Key]:
        """Make a key and return it: the only time that it can be seen. Raises `UsageError`."""
        secret = KEY_MARK + secrets.token_urlsafe(32)
        row = KeyRow(
            user=user,
            label=label.strip()[:100],
            start=secret[:_SHOWN],
            digest=_digest(secret),
            created_at=self._clock(),
        )
        with self._db.writing() as session:
            if _found(session, user).disabled:
                raise UsageError(f"用户 {user} 已停用", f"先运行 weice user disable {user} --undo")
            session.add(row)
        return secret, _key(row)

    def keys(self, user: str | None = None) -> tuple[Key, ...]:
        """The keys of a user or of everybody, oldest first, those revoked too."""
        wanted = select(KeyRow).order_by(KeyRow.id)
        with self._db.reading() as session:
            rows = session.scalars(wanted.where(KeyRow.user == user) if user else wanted)
            return tuple(_key(row) for row in rows)

    def revoke_key(self, id_: int) -> Key:
        """Make a key worthless at once. Raises `UsageError` where there is no such key."""
        with self._db.writing() as session:
            row = session.get(KeyRow, id_)
            if row is None:
                raise UsageError(f"没有编号为 {id_} 的密钥", "运行 weice key list 查看编号")
            row.revoked_at = row.revoked_at or self._clock()
        return _key(row)

    def key_owner(self, secret: str) -> tuple[User, Key]:
        """Return whose key it is. Raises `AccessError` on one that is unknown, revoked, or of a disabled user."""
        with self._db.reading() as session:
            found = session.execute(
                select(KeyRow, UserRow)
                .join(UserRow, UserRow.name == KeyRow.user)
                .where(KeyRow.digest == _digest(secret), KeyRow.revoked_at.is_(None), ~UserRow.disabled)
            ).first()
        if found is None:
            raise AccessError("密钥不对或已作废", "请用 weice key create 新建一个")
        key, user = found
        self._mark_used(key)
        return _user(user), _key(key)

    def _mark_used(self, key: KeyRow) -> None:
        """Note the use of a key, to the minute: not every request is worth a write."""
        at = self._clock()
        if key.used_at is None or at - key.used_at > dt.timedelta(minutes=1):
            with self._db.writing() as session:
                row = session.get(KeyRow, key.id)
                if row is not None:
                    row.used_at = at


def _tries(session: Session, name: str, at: dt.datetime) -> TriesRow | None:
    """The count of a name, held against others who try it now; None where this is its first try, now counted."""
    row = session.get(TriesRow, name, with_for_update=True)
    if row is not None:
        return row
    try:
        with session.begin_nested():
            session.add(TriesRow(name=name, failures=1, last_at=at))
    except IntegrityError:  # somebody else's first try was quicker
        return session.get(TriesRow, name, with_for_update=True)
    return None


def _wait_s(failures: int) -> float:
    return 0 if failures < FREE_TRIES else min(2 ** min(failures - FREE_TRIES, 20), MAX_WAIT_S)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _check_password(password: str) -> None:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD or not password.strip():
        raise UsageError("密码不能用", f"请用 {MIN_PASSWORD} 到 {MAX_PASSWORD} 个字")


def _found(session: Session, name: str) -> UserRow:
    row = session.scalar(select(UserRow).where(UserRow.name == name))
    if row is None:
        raise UsageError(f"没有用户 {name}", "运行 weice user list 查看，或 weice user add 新建")
    return row


def _keep_an_admin(session: Session, row: UserRow) -> None:
    admins = select(func.count()).where(UserRow.role == Role.ADMIN.value, ~UserRow.disabled, UserRow.id != row.id)
    if row.role == Role.ADMIN.value and not row.disabled and not session.scalar(admins):
        raise UsageError(f"{row.name} 是唯一的管理员", "请先让另一个人当管理员：weice user role 用户名 管理员")


def _user(row: UserRow) -> User:
    return User(row.name, Role(row.role), row.disabled, row.created_at)


def _key(row: KeyRow) -> Key:
    return Key(row.id, row.user, row.label, row.start, row.created_at, row.used_at, row.revoked_at)
