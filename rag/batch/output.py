"""Writes a batch as a file: `.jsonl`, `.csv`, `.xlsx` or `.docx`, by the target's suffix.

A file is written beside the target and swapped in whole. What a row's columns are is told in `tables.py`.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from rag.batch import tables
from rag.batch.questions import Question, QuestionList
from rag.errors import StorageError, UsageError
from rag.records import Record
from rag.whole import beside, swapped_in

Rows = Iterable[tuple[Question, Record | None]]
"""The rows of a batch in order, each with its answer, an `error`, or None where it was not asked."""

WORD_ROWS = 2000
"""A Word file of more answers would open in no program."""
_OPEN = ("~$", ".~lock.", ".~")
"""How the files begin by which Excel, LibreOffice and WPS tell that a document is open."""


def check_target(target: Path, source: Path | None = None) -> str:
    """Return a warning for the user, mostly empty, before anything is asked for `target`.

    Raises `UsageError` where nothing can be written there by its name, `StorageError` where it is not allowed.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise UsageError(f"不支持这种结果文件：{target.name}", f"可用：{' '.join(SUFFIXES)}")
    if target.is_dir():
        raise UsageError(f"结果文件 {target} 是一个文件夹", "请写出文件名，如 -o 答案.xlsx")
    if not target.parent.is_dir():
        raise UsageError(f"输出文件夹不存在：{target.parent}", "请先建好文件夹")
    if source is not None and target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"结果文件与问题文件是同一个：{target}", "请换一个文件名，以免盖掉问题")
    with _our_errors(target):
        if target.exists():
            target.open("r+b").close()
        new = beside(target)
        new.open("wb").close()
        new.unlink()
    if any(target.with_name(sign + target.name + end).exists() for sign in _OPEN for end in ("", "#")):
        return f"{target.name} 好像正在别的程序里打开，请先关闭，以免保存时盖掉新结果"
    return ""


def check_rows(target: Path, rows: int) -> None:
    """Raise `UsageError` where so many rows have no room in such a file: to be told before they are asked."""
    if target.suffix.lower() == ".docx":
        _fit_for_word(rows)


def _fit_for_word(rows: int) -> None:
    if rows > WORD_ROWS:
        raise UsageError(
            f"Word 文件放不下 {WORD_ROWS} 条以上的回答", "请改存为 .xlsx，或把问题分成几份，每份一个 Word 文件"
        )


def write(target: Path, rows: Rows, source: QuestionList | None, citations: int = 0) -> None:
    """Write `rows` to `target`, beside the columns of the list that they come from.

    `citations` is the most that any row has: a workbook links so many, up to a limit, each in a column of its own.
    Raises `StorageError` where the file can't be written, `UsageError` where the list has changed meanwhile.
    """
    with _our_errors(target), swapped_in(target) as new:
        SUFFIXES[target.suffix.lower()](new, rows, source, citations)


@contextmanager
def _our_errors(target: Path) -> Iterator[None]:
    again = "再运行同一命令即可，已答的不会重问"
    try:
        yield
    except PermissionError as error:
        raise StorageError(f"结果文件 {target} 正被别的程序打开，或没有写权限", f"请关闭它，{again}") from error
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        reason = "磁盘满了" if full else error.strerror or str(error)
        raise StorageError(f"写不进 {target}（{reason}）", f"请处理好后{again}") from error


def _as_lines(new: Path, rows: Rows, _source: QuestionList | None, _citations: int) -> None:
    with new.open("w", encoding="utf-8") as file:
        for _, record in rows:
            if record is not None:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _as_csv(new: Path, rows: Rows, source: QuestionList | None, _citations: int) -> None:
    tables.write_csv(new, tables.joined(rows, source))


def _as_workbook(new: Path, rows: Rows, source: QuestionList | None, citations: int) -> None:
    if source is not None and source.sheet is not None and tables.can_be_kept(source.path):
        tables.write_into(new, rows, source, citations)
    else:
        tables.write_workbook(new, tables.joined(rows, source), citations)


def _as_word(new: Path, rows: Rows, _source: QuestionList | None, _citations: int) -> None:
    from rag import word

    records = [record for _, record in islice(rows, WORD_ROWS + 1) if record is not None]
    _fit_for_word(len(records))
    word.write(new, records, title="问答结果")


SUFFIXES: dict[str, Callable[[Path, Rows, QuestionList | None, int], None]] = {
    ".xlsx": _as_workbook,
    ".csv": _as_csv,
    ".jsonl": _as_lines,
    ".docx": _as_word,
}
"""The suffix of a target (lower case) to what writes it."""
