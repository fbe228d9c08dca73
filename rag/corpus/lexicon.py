"""The user's own lexicon as entries that can be edited, and its file: read, checked, written whole.

How words are cut with it is `words.py`'s business. A line of the file is an entry: `词 = 同义的词 = … # 说明`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag import whole
from rag.corpus.words import fold, words_of
from rag.errors import StorageError, UsageError

LONGEST = 40
"""Characters a word may have."""
MOST = 5000
"""Entries a lexicon may have."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Words that mean the same, the first of them the name of all, and a remark; a remark alone is a heading."""

    words: tuple[str, ...]
    remark: str = ""

    @property
    def line(self) -> str:
        """The entry as a line of the file."""
        remark = f"# {self.remark}" if self.remark else ""
        return " ".join(part for part in (" = ".join(self.words), remark) if part)


def read_entries(path: Path) -> tuple[Entry, ...]:
    """Return the entries of a lexicon file; one that is not there has none. Raises `StorageError`."""
    entries = []
    for line in _text(path).splitlines():
        words, remark = tuple(words_of(line)), line.partition("#")[2].strip()
        if words or remark:
            entries.append(Entry(words, remark))
    return tuple(entries)


def stamp(path: Path) -> str:
    """Return what changes with the file: who saves tells with it what they began from."""
    return hashlib.sha256(_text(path).encode()).hexdigest()[:16]


def write_entries(path: Path, entries: Sequence[Entry], began_from: str) -> None:
    """Check the entries and write them in place of the file, whole or not at all.

    Raises `UsageError` where an entry is wrong, or the file is no longer what `began_from` stamps; `StorageError`.
    """
    check(entries)
    if stamp(path) != began_from:
        raise UsageError("词典刚被别人改过", "请重新打开资料库页，在新的词典上再改")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole.write_text(path, as_text(entries))
    except OSError as error:
        raise StorageError(f"词典 {path} 写不进（{error.strerror}）", "请检查权限和磁盘空间") from error


def check(entries: Sequence[Entry]) -> None:
    """Raise `UsageError` naming the first word that can't be in a lexicon."""
    if len(entries) > MOST:
        raise UsageError(f"词典最多 {MOST} 行", "请删去不用的")
    lines: dict[str, int] = {}
    for number, entry in enumerate(entries, 1):
        for word in entry.words:
            _check_word(number, word)
            first = lines.setdefault(fold(word), number)
            if first != number:
                raise UsageError(f"“{word}”在第 {first} 行和第 {number} 行都有", "同义的词请写在一行里")


def _check_word(number: int, word: str) -> None:
    wrong = ""
    if any(sign in word for sign in "=#\n\r"):
        wrong = "含有 =、# 或换行"
    elif len(word) > LONGEST:
        wrong = f"超过 {LONGEST} 个字"
    elif not any(char.isalnum() for char in word):
        wrong = "没有字"
    if wrong:
        raise UsageError(f"第 {number} 行的“{word[:LONGEST]}”{wrong}", "请改正后再保存")


def as_text(entries: Iterable[Entry]) -> str:
    """Return the entries as the text of a file."""
    return "".join(f"{entry.line}\n" for entry in entries)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise StorageError(f"词典 {path} 读不了（{error.strerror}）", "请检查权限") from error
