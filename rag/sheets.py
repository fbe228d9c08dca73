"""Reads a table row by row: a sheet of an .xlsx workbook, a .csv file, or a .txt file of one cell a line.

Every cell comes as text. No more than one row is held, beside what a workbook itself shares among its cells. The
only meaning known here is which column holds the questions.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from rag.errors import StorageError, UsageError

Row = tuple[int, tuple[str, ...]]
"""The row number as a spreadsheet shows it (from 1), and the cells, without spaces around them."""

_QUESTION_NAMES = (
    "问题",
    "提问",
    "题目",
    "问句",
    "问题内容",
    "咨询问题",
    "咨询内容",
    "question",
    "questions",
    "query",
    "q",
)
_ASKING = re.compile(r"[?？]|什么|多少|怎|如何|哪|几|谁|吗|呢|是否|为何")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BLOCK = 1 << 20
_SEPARATORS = ",\t;"
_SAMPLE = 20
"""Rows that are looked at to find the header of a list."""
_LONG = 10
"""Characters from which a cell that asks is a question, and not the name of a column."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One opened table. `header` is its first row that is not empty; that of a .txt file is made up."""

    path: Path
    name: str
    header: tuple[str, ...]
    _read: Callable[[], Iterator[Row]]
    header_row: int = 0
    """The row of the header as a spreadsheet counts, 0 where it is made up."""
    _above: int = 1
    """How many rows that are not empty stand above the first row of data."""

    def rows(self) -> Iterator[Row]:
        """Read the rows below the header from the file, without empty ones, each at least as long as the header.

        Raises `UsageError` on the way where the file is damaged.
        """
        for number, cells in islice(self._read(), self._above, None):
            yield number, cells + ("",) * (len(self.header) - len(cells))

    def find(self, *names: str) -> int | None:
        """Return the place of the column called by the first of `names` that is there, by letters and digits alone.

        Raises `UsageError` where two columns are called so.
        """
        for name in names:
            places = [at for at, own in enumerate(self.header) if _letters(own) == _letters(name)]
            if len(places) > 1:
                raise UsageError(f"表格 {self.path.name} 有 {len(places)} 列都叫“{name}”", "请改名或删去多余的一列")
            if places:
                return places[0]
        return None

    def column(self, name: str) -> int:
        """Return the place of a column. Raises `UsageError` that names the columns where it is not there."""
        place = self.find(name)
        if place is None:
            names = "、".join(filter(None, self.header))
            raise UsageError(
                f"表格 {self.path.name} 里没有“{name}”这一列，只有：{names}", "请改正列名；列名要在第一个有字的行里"
            )
        return place


def open_sheet(path: Path, sheet: str | None = None) -> Sheet:
    """Open a table; of a workbook the sheet of that name, or the first that is not hidden.

    Raises:
        UsageError: The file is missing, protected, damaged, empty or of another kind, or has no such sheet.
    """
    table, first = _opened(path, sheet, 2)
    if len(first) < 2:
        raise _empty(table)
    return table


def open_list(path: Path, sheet: str | None = None) -> Sheet:
    """Open a list as people write it: title rows above the header are passed over, a missing header is made up.

    Raises `UsageError` as `open_sheet` does.
    """
    table, first = _opened(path, sheet, _SAMPLE)
    titles = 0
    while titles + 1 < len(first) and _is_title(first[titles][1], [cells for _, cells in first[titles + 1 :]]):
        titles += 1
    if not first:
        raise _empty(table)
    number, header = first[titles]
    if _asks(header):
        widest = max(len(cells) for _, cells in first[titles:])
        made_up = tuple(f"第{n}列" for n in range(1, widest + 1)) if widest > 1 else ("问题",)
        return replace(table, header=made_up, header_row=0, _above=titles)
    if titles + 1 >= len(first):
        raise _empty(table)
    return replace(table, header=header, header_row=number, _above=titles + 1)


def sheet_names(path: Path) -> tuple[str, ...]:
    """Return the names of a workbook's sheets, those that can be seen first; other tables have none."""
    if path.suffix.lower() != ".xlsx":
        return ()
    with _workbook(path) as book:
        pages = sorted(book.worksheets, key=lambda page: page.sheet_state != "visible")
        return tuple(page.title for page in pages)


def _opened(path: Path, sheet: str | None, rows: int) -> tuple[Sheet, list[Row]]:
    """The table, its first row taken for the header, and its first rows that are not empty."""
    if not path.is_file():
        raise UsageError(f"找不到表格 {path}", "请检查路径")
    opened = _KINDS.get(path.suffix.lower())
    if opened is None:
        raise UsageError(f"不支持这种表格：{path.name}", "请用 Excel 或 WPS 打开，另存为 .xlsx（.csv、.txt 也可以）")
    try:
        name, read = opened(path, sheet)
        first = list(islice(read(), rows))
    except OSError as error:
        raise UsageError(
            f"表格 {path} 读不了（{error.strerror or error}）", "请检查权限，或先关闭打开它的程序"
        ) from error
    number, header = first[0] if first else (0, ())
    return Sheet(path, name, header, read, number), first


def _empty(table: Sheet) -> UsageError:
    where = f"表格 {table.path.name}（{table.name}）"
    return UsageError(f"{where}里没有内容", "请在第一行写列名、下面写内容，保存后再试")


def _is_title(cells: Sequence[str], below: Iterable[Sequence[str]]) -> bool:
    """Whether a row is a heading over the whole table: one cell, where rows below have several."""
    filled = [cell for cell in cells if cell]
    return (
        len(filled) == 1 and _letters(filled[0]) not in _QUESTION_NAMES and any(sum(map(bool, r)) > 1 for r in below)
    )


def _asks(header: Sequence[str]) -> bool:
    """Whether the row that should name the columns asks a question itself."""
    if any(_letters(name) in _QUESTION_NAMES for name in header):
        return False
    return any(cell.endswith(("?", "？")) or (len(cell) >= _LONG and _ASKING.search(cell)) for cell in header)


def guess_column(header: Sequence[str], sample_rows: Iterable[Sequence[str]]) -> int:
    """Return the place of the question column: by its name, else the one that asks most often, then the longest."""
    names = [_letters(name) for name in header]
    known = [names.index(name) for name in _QUESTION_NAMES if name in names]
    if known:
        return known[0]
    asked, length = [0] * len(header), [0] * len(header)
    for row in sample_rows:
        for at, cell in enumerate(row[: len(header)]):
            asked[at] += bool(_ASKING.search(cell))
            length[at] += len(cell)
    return max(range(len(header)), key=lambda at: (asked[at], length[at]))


def write_table(path: Path, rows: Sequence[Sequence[str]], choices: Mapping[int, Sequence[str]]) -> None:
    """Write a small new workbook for people to fill in: a fixed header row, wrapped cells of text.

    `choices` are the values that a column (from 0) offers in a list. Raises `UsageError` where the file is there.
    """
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = Workbook()
    page: Any = book.active
    for row in rows:
        page.append(row)
    page.freeze_panes = "A2"
    for at in range(len(rows[0])):
        letter = get_column_letter(at + 1)
        column = page.column_dimensions[letter]
        column.width = 12 if at in choices else 28
        for styled in (column, *page[letter]):
            styled.alignment = Alignment(wrap_text=True, vertical="top")
            styled.number_format = "@"  # or 2月11日 and 1/2 become dates as they are typed
        page[f"{letter}1"].font = Font(bold=True)
        if at in choices:
            offered = DataValidation("list", formula1=f'"{",".join(choices[at])}"', allow_blank=True)
            offered.add(f"{letter}2:{letter}2000")
            page.add_data_validation(offered)
    try:
        with path.open("xb") as file:
            book.save(file)
    except FileExistsError as error:
        raise UsageError(f"{path} 已经存在", "请换一个文件名，以免盖掉已填的内容") from error
    except OSError as error:
        raise StorageError(f"写不进 {path}（{error.strerror}）", "请检查文件夹、权限和磁盘空间") from error


# .xlsx


def _open_workbook(path: Path, sheet: str | None) -> tuple[str, Callable[[], Iterator[Row]]]:
    with _workbook(path) as book:
        states = {page.title: page.sheet_state for page in book.worksheets}
    name = sheet or next((title for title, state in states.items() if state == "visible"), "")
    if name not in states:
        raise UsageError(f"{path.name} 里没有工作表“{name}”，只有：{'、'.join(states)}", "请改正 --sheet")
    return name, partial(_workbook_rows, path, name)


@contextmanager
def _workbook(path: Path) -> Iterator[Any]:
    from openpyxl import load_workbook

    warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")  # on styles that nobody sees here
    with path.open("rb") as file:
        if file.read(len(_OLE)) == _OLE:
            raise UsageError(
                f"工作簿 {path.name} 有密码保护，或其实是旧的 .xls 格式", "请打开它，取消密码，另存为 .xlsx 后再试"
            )
        try:
            book = load_workbook(file, read_only=True, data_only=True)
            yield book
        except Exception as error:  # the library raises anything at all on a damaged file
            raise UsageError(
                f"{path.name} 不是 Excel 工作簿，或已损坏", "请用 Excel 或 WPS 打开，另存为 .xlsx 后再试"
            ) from error


def _workbook_rows(path: Path, name: str) -> Iterator[Row]:
    with _workbook(path) as book:
        page = book[name]
        page.reset_dimensions()  # some programs store a wrong size
        for number, cells in enumerate(page.iter_rows(), 1):
            texts = _trimmed(_shown(cell) for cell in cells)
            if texts:
                yield number, texts


def _shown(cell: Any) -> str:
    """The value of a cell as text: dates in ISO form, percentages as such, numbers without the noise of floats."""
    value = cell.value
    match value:
        case None:
            return ""
        case bool():
            return str(value).upper()
        case int() | float():
            return _number(value, cell.number_format)
        case dt.datetime():
            return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "seconds")
    return str(value).replace("_x000D_", "").replace("\r\n", "\n")


def _number(value: float, shape: str) -> str:
    if shape.endswith("%"):
        return f"{value * 100:.15g}%"
    return str(int(value)) if value == int(value) else f"{value:.15g}"


# .csv, .txt


def _open_csv(path: Path, sheet: str | None) -> tuple[str, Callable[[], Iterator[Row]]]:
    _refuse_sheet(path, sheet)
    encoding = text_encoding(path)
    with path.open(encoding=encoding, newline="") as file:
        head = file.read(_BLOCK)
    separator = max(_SEPARATORS, key=lambda one: _width(head, one))
    return path.stem, partial(_csv_rows, path, encoding, separator)


def _width(head: str, separator: str) -> int:
    """The number of cells that the first row would have."""
    return next((len(cells) for cells in csv.reader(io.StringIO(head), delimiter=separator) if any(cells)), 0)


def _csv_rows(path: Path, encoding: str, separator: str) -> Iterator[Row]:
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=separator, strict=True)
        try:
            for number, cells in enumerate(reader, 1):
                if texts := _trimmed(cells):
                    yield number, texts
        except csv.Error as error:
            raise UsageError(
                f"{path.name} 读到第 {reader.line_num} 行时出错：双引号不成对", "请改正，或用 Excel 另存为 .xlsx"
            ) from error


def _open_text(path: Path, sheet: str | None) -> tuple[str, Callable[[], Iterator[Row]]]:
    _refuse_sheet(path, sheet)
    return path.stem, partial(_text_rows, path, text_encoding(path))


def _text_rows(path: Path, encoding: str) -> Iterator[Row]:
    yield 0, ("问题",)
    with path.open(encoding=encoding) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, (line.strip(),)


def _refuse_sheet(path: Path, sheet: str | None) -> None:
    if sheet is not None:
        raise UsageError(f"{path.name} 不是工作簿，没有工作表“{sheet}”", "请去掉 --sheet")


def text_encoding(path: Path) -> str:
    """Return the encoding of a text file, tried on the whole of it: nothing of what is read later is guessed."""
    with path.open("rb") as raw:
        encodings = ("utf-16",) if raw.read(2) in _UTF16 else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            with path.open(encoding=encoding) as file:
                while file.read(_BLOCK):
                    pass
        except UnicodeError:
            continue
        return encoding
    raise UsageError(
        f"{path.name} 不是文本，或编码认不出来", "请用 Excel 或 WPS 打开，另存为 .xlsx，或 UTF-8 编码的 .csv"
    )


def _trimmed(cells: Iterable[str]) -> tuple[str, ...]:
    """The cells without spaces around them, up to the last that is not empty."""
    texts = [cell.strip() for cell in cells]
    while texts and not texts[-1]:
        texts.pop()
    return tuple(texts)


def _letters(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())


_KINDS: Mapping[str, Callable[[Path, str | None], tuple[str, Callable[[], Iterator[Row]]]]] = {
    ".xlsx": _open_workbook,
    ".csv": _open_csv,
    ".txt": _open_text,
}
"""Suffix (lower case) to what opens it: the name of the table, and a reading of its rows that are not empty."""
