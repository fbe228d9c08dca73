"""Writes a file whole or not at all: beside it, through to the disk, and swapped in. Raises `OSError` as it comes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def swapped_in(path: Path) -> Iterator[Path]:
    """Give a path to write to; swap what was written there in for `path`. Where that fails nothing is left of it."""
    new = beside(path)
    try:
        yield new
        with new.open("rb+") as file:
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text in the place of what was there."""
    with swapped_in(path) as new:
        new.write_text(text, encoding="utf-8")


def beside(path: Path) -> Path:
    """Where `swapped_in` lets its user write."""
    return path.with_name(f".{path.name}.new")
