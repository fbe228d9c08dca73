"""Writes the files of a run folder: whole or not at all, or a line at a time, and one writer at a time.

A line outlives a kill as soon as it is appended. What the files say is no concern of this one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rag import whole
from rag.errors import StorageError


def dumps(record: object) -> str:
    """One line of JSON, Chinese readable, with its end."""
    return json.dumps(record, ensure_ascii=False) + "\n"


def swap(path: Path, text: str) -> None:
    """Write a file whole, in the place of what was there. Raises `StorageError`."""
    try:
        whole.write_text(path, text)
    except OSError as error:
        raise _unwritable(path, error) from error


def append(path: Path, line: str) -> None:
    """Write a line through to the disk. Raises `StorageError`."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` alone; its folder is made. Raises `StorageError` where somebody else holds it."""
    lock = FileLock(path, timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise StorageError(f"另一个评测正在写 {path.parent}", "请等它结束后再运行") from error
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield
    finally:
        lock.release()
        path.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> StorageError:
    what = f"写不进 {path.parent}（{error.strerror}）"
    return StorageError(what, "已有的结果都在，处理好磁盘后再运行同一命令即可继续")
