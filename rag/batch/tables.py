"""A batch as a table: the columns of the list as they were, and beside them what was answered.

Small workbooks are kept as they are and added to; large ones and other lists become new workbooks, a row at a time.
Nothing that came from a list or a document is left to be read as a formula.
"""

from __future__ import annotations

import csv
import math
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.batch.questions import Question, QuestionList
from rag.errors import UsageError
from rag.export import clean, confidence, note, quotes, reference, references, verdict, written_by
from rag.records import Record

Cell = str | float | None


@dataclass(frozen=True, slots=True)
class Column:
    """One added column; `width` in characters, `shape` a number format."""

    title: str
    width: int
    value: Callable[[Record], Cell]
    shape: str = "General"


def _seconds(record: Record) -> float | None:
    return round(record["timings"]["total_s"], 1) if "timings" in record else None


COLUMNS = (
    Column("答案", 64, lambda record: record.get("answer", "")),
    Column("结论", 13, verdict),
    Column("出处", 48, references),
    Column("依据完整的句子占比", 12, confidence, "0%"),
    Column("方式", 16, written_by),
    Column("用时（秒）", 10, _seconds, "0.0"),
    Column("说明", 36, note),
)
"""What is added to a table, in order."""
QUOTES = Column("引文", 64, quotes)
"""What a table without a second sheet has beside these."""
QUOTE_SHEET = "引文"
_QUOTE_COLUMNS = (("行", 8), ("问题", 36), ("编号", 7), ("引文（原文）", 72), ("出处", 52))

KEPT_BYTES = 24 << 20
"""The size of a workbook's sheets, unpacked, up to which it is held in memory whole and kept as it is."""
LINKED = 6
"""The most citations of a row that have a column with a link each; the others stand on the second sheet too."""
_LINKS = 60_000
"""Excel takes 65,530 links a sheet, and calls a workbook with more broken."""
_LONGEST = 32_767
_LINE_PT, _HIGHEST_PT = 15.0, 405.0
_QUESTION_WIDTH = 36
_CUT = "……（单元格放不下，全文请用 .jsonl）"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[-+]?[\d.,]+%?")


@dataclass(frozen=True, slots=True)
class Joined:
    """A list as text with what was answered: the header, and each row's number, cells and answer."""

    header: tuple[str, ...]
    rows: Iterator[tuple[str, Sequence[str], Record | None]]


def joined(rows: Iterable[tuple[Question, Record | None]], source: QuestionList | None) -> Joined:
    """Return the rows of a list with their answers; `UsageError` on the way where the list has changed since."""
    if source is None or source.sheet is None:
        return Joined(("编号", "问题"), ((row.id, (row.id, row.question), record) for row, record in rows))
    return Joined(source.sheet.header, _with_answers(rows, source))


def _with_answers(
    rows: Iterable[tuple[Question, Record | None]], source: QuestionList
) -> Iterator[tuple[str, Sequence[str], Record | None]]:
    answers = iter(rows)
    following = next(answers, None)
    for number, cells in source.sheet.rows() if source.sheet else ():
        record = None
        if following is not None and following[0].id == str(number):
            _same(source, number, cells[source.column], following[0])
            record = following[1]
            following = next(answers, None)
        yield str(number), cells, record
    if following is not None:
        raise _changed(source, following[0].id)


def _same(source: QuestionList, number: int, cell: str, asked: Question) -> None:
    if cell != asked.question:
        raise _changed(source, number)


def _changed(source: QuestionList, number: int | str) -> UsageError:
    return UsageError(
        f"问题文件 {source.path.name} 在作答期间被改动（第 {number} 行）", "请再运行同一命令，已答的不会重问"
    )


# --- CSV ------------------------------------------------------------


def write_csv(path: Path, table: Joined) -> None:
    """Write UTF-8 with a BOM, as Excel and WPS read it."""
    columns = (*COLUMNS, QUOTES)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([_harmless(name) for name in (*table.header, *(column.title for column in columns))])
        for _, cells, record in table.rows:
            padded = [*cells, *[""] * (len(table.header) - len(cells))][: len(table.header)]
            told = [column.value(record) if record else None for column in columns]
            writer.writerow([_harmless(cell) for cell in (*padded, *told)])


def _harmless(cell: Cell) -> Cell:
    """A cell that no spreadsheet reads as a formula; a plain number stays one."""
    if not isinstance(cell, str):
        return cell
    text = clean(cell)
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


# --- new workbooks ------------------------------------------------------------


def write_workbook(path: Path, table: Joined, citations: int) -> None:
    """Write a new workbook a row at a time: the table, and the quoted sentences on a second sheet."""
    from openpyxl import Workbook
    from openpyxl.worksheet.properties import PageSetupProperties

    book = Workbook(write_only=True)
    page, beside = book.create_sheet("问答"), book.create_sheet(QUOTE_SHEET)
    added = _titles(citations)
    widths = [_first_width(name) for name in table.header] + [width for _, width in added]
    _laid_out(page, widths)
    _laid_out(beside, [width for _, width in _QUOTE_COLUMNS])
    for sheet_page in (page, beside):
        sheet_page.page_setup.orientation = "landscape"
        sheet_page.page_setup.fitToHeight = 0
        sheet_page.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    style = _Style()
    page.append([style.header(page, name) for name in (*table.header, *(title for title, _ in added))])
    beside.append([style.header(beside, title) for title, _ in _QUOTE_COLUMNS])
    sheet = _QuoteSheet(QUOTE_SHEET, page.title, style)
    for at, (_, cells, record) in enumerate(table.rows, 2):
        own = [style.cell(page, cell) for cell in cells] + [None] * (len(table.header) - len(cells))
        first = sheet.last + 1
        for quoted in sheet.rows(beside, at, record):
            beside.row_dimensions[sheet.last].height = _height(quoted, [width for _, width in _QUOTE_COLUMNS])
            beside.append(quoted)
        told = _told(style, page, record, citations, sheet, first) if record else []
        page.row_dimensions[at].height = _height([*own, *told], widths)
        page.append([*own, *told])
    book.save(path)


def _height(cells: Sequence[Any], widths: Sequence[float]) -> float:
    """The height of a row in points that shows all of its wrapped text, as far as a row can."""
    lines = 1
    for cell, width in zip(cells, widths, strict=False):
        text = cell.value if cell is not None and isinstance(cell.value, str) else ""
        lines = max(lines, sum(math.ceil(max(1, _width(line)) / max(1.0, width - 1)) for line in text.split("\n")))
    return min(_HIGHEST_PT, lines * _LINE_PT + 3)


def _width(text: str) -> int:
    """The width of a text in characters of a spreadsheet: a Chinese one takes two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WFA" else 1 for char in text)


def _first_width(name: str) -> int:
    return 36 if len(name) < 12 else 48


def _laid_out(page: Any, widths: Sequence[int]) -> None:
    from openpyxl.utils import get_column_letter

    page.freeze_panes = "A2"
    for at, width in enumerate(widths, 1):
        page.column_dimensions[get_column_letter(at)].width = width


def _titles(citations: int) -> list[tuple[str, int]]:
    """The titles and widths of the added columns: what was answered, and a link to each citation."""
    links = [(f"原文{n}", 11) for n in range(1, min(citations, LINKED) + 1)]
    return [*((column.title, column.width) for column in COLUMNS), *links]


def _told(style: _Style, page: Any, record: Record, citations: int, sheet: _QuoteSheet, first: int) -> list[Any]:
    """The added cells of a row; its quotes stand on the second sheet from row `first` on."""
    cells = [style.cell(page, column.value(record), column.shape) for column in COLUMNS]
    for n, citation in enumerate(record.get("citations", ())[: min(citations, LINKED)]):
        page_number = f" 第{citation['page']}页" if citation["page"] is not None else " 原文"
        cells.append(style.link(page, f"[{citation['number']}]{page_number}", sheet.place(first + n)))
    return cells


class _Style:
    """Makes cells: text that wraps and is never a formula, numbers in their shape, links within the workbook."""

    def __init__(self) -> None:
        from openpyxl.styles import Alignment, Font

        self._wrapped = Alignment(wrap_text=True, vertical="top")
        self._bold = Font(bold=True)
        self._blue = Font(color="0563C1", underline="single")
        self._linked: dict[str, int] = {}

    def header(self, page: Any, title: str) -> Any:
        made = self.cell(page, title)
        made.font = self._bold
        return made

    def cell(self, page: Any, value: Cell, shape: str = "General") -> Any:
        from openpyxl.cell import WriteOnlyCell

        return self.filled(WriteOnlyCell(page), value, shape)

    def filled(self, cell: Any, value: Cell, shape: str = "General") -> Any:
        """Put a value into a cell."""
        if isinstance(value, str):
            text = clean(value)
            cell.value = text if len(text) <= _LONGEST else text[: _LONGEST - len(_CUT)] + _CUT
            cell.data_type = "s"  # the library takes what begins with = for a formula, and #N/A for an error
            cell.quotePrefix = text.startswith(_FORMULA)  # and so does Excel as soon as the cell is edited
        else:
            cell.value = value
            cell.number_format = shape
        cell.alignment = self._wrapped
        return cell

    def link(self, page: Any, text: str, place: str) -> Any:
        return self.linked(self.cell(page, text), place)

    def linked(self, cell: Any, place: str) -> Any:
        """Make a cell a link to a place in the workbook, as long as its sheet takes links."""
        from openpyxl.worksheet.hyperlink import Hyperlink

        title = cell.parent.title
        self._linked[title] = self._linked.get(title, 0) + 1
        if self._linked[title] <= _LINKS:
            cell.hyperlink = Hyperlink(ref="", location=place)
            cell.font = self._blue
        return cell


class _QuoteSheet:
    """The second sheet: a row a citation, linked from the answer's row and back to it."""

    def __init__(self, title: str, answers: str, style: _Style) -> None:
        self._title, self._answers, self._style = title, answers, style
        self.last = 1
        """The last row written; the first is the header."""

    def place(self, row: int) -> str:
        """Where a row of this sheet is, as links name it."""
        return _named(self._title, row)

    def rows(self, page: Any, at: int, record: Record | None) -> Iterator[list[Any]]:
        """Yield the cells of each citation of the answer in row `at` of the first sheet."""
        for citation in (record or {}).get("citations", ()):
            self.last += 1
            back = self._style.link(page, f"第{at}行", _named(self._answers, at))
            texts = (record["question"], f"[{citation['number']}]", citation["quote"], reference(citation))  # type: ignore[index]  # it has citations
            yield [back, *(self._style.cell(page, text) for text in texts)]


def _named(sheet: str, row: int) -> str:
    quoted = sheet.replace("'", "''")
    return f"'{quoted}'!A{row}"


# --- the same workbook ------------------------------------------------------------


def can_be_kept(path: Path) -> bool:
    """Whether a list is a workbook small enough to be held in memory whole."""
    if path.suffix.lower() != ".xlsx":
        return False
    try:
        with zipfile.ZipFile(path) as parts:
            return sum(part.file_size for part in parts.infolist() if part.filename.endswith(".xml")) <= KEPT_BYTES
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"问题文件 {path.name} 在作答期间被改动", "请再运行同一命令，已答的不会重问") from error


def lost_parts(path: Path) -> str:
    """Return, in words for the user, what of a workbook will not be in the result; mostly empty."""
    if not can_be_kept(path):
        return f"{path.name} 很大，结果是新的工作簿：只有这张表的文字，没有原来的格式和别的工作表"
    with zipfile.ZipFile(path) as parts:
        drawn = any(name.startswith(("xl/charts/", "xl/drawings/")) for name in parts.namelist())
    return f"{path.name} 里的图表和图形不会带到结果里" if drawn else ""


def write_into(
    path: Path, rows: Iterable[tuple[Question, Record | None]], source: QuestionList, citations: int
) -> None:
    """Write the workbook of the list again with the answers in new columns and the quotes on a new sheet."""
    from openpyxl import load_workbook

    sheet = source.sheet
    if sheet is None:
        raise AssertionError("a workbook has a sheet")
    book = load_workbook(source.path, rich_text=True)
    page = book[sheet.name]
    top = sheet.header_row
    shift = 0 if top else _made_room(page)
    top = top or 1
    style = _Style()
    title = QUOTE_SHEET if QUOTE_SHEET not in book.sheetnames else f"{QUOTE_SHEET}（{len(book.sheetnames)}）"
    beside = book.create_sheet(title)
    _laid_out(beside, [width for _, width in _QUOTE_COLUMNS])
    for at, (name, _) in enumerate(_QUOTE_COLUMNS, 1):
        style.filled(beside.cell(1, at), name).font = copy(style.header(beside, name).font)
    quoted = _QuoteSheet(title, page.title, style)
    places = _places(page, top, [name for name, _ in _titles(citations)])
    _split_widths(page, max(places))
    if shift or sheet.header_row:
        _headed(style, page, page.cell(top, source.column + 1), places, citations)
    width, wide = _question_width(page, source.column + 1)
    for number, _, record in _with_answers(rows, source):
        if record is None:
            continue
        at = int(number) + shift
        asked = page.cell(at, source.column + 1)
        if asked.data_type == "f":
            style.filled(asked, record["question"])
        first = quoted.last + 1
        for cells in quoted.rows(beside, at, record):
            _moved(cells, beside, quoted.last)
        told = _told(style, page, record, citations, quoted, first)
        for cell, column in zip(told, places, strict=False):
            _placed(cell, page.cell(at, column), asked)
        if wide:
            asked.alignment = copy(told[0].alignment)
        _at_the_top(page[at])
        needed = _height([asked, *told], [width, *(width for _, width in _titles(citations))])
        page.row_dimensions[at].height = max(needed, page.row_dimensions[at].height or 0)
    _neutralised(style, page, source.column + 1)
    book.save(path)
    book.close()


def _split_widths(page: Any, last: int) -> None:
    """Give every column up to `last` a width of its own, where one is told of several: WPS tells it of all."""
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.dimensions import ColumnDimension

    for whole in list(page.column_dimensions.values()):
        if not whole.min or whole.max <= whole.min:
            continue
        del page.column_dimensions[whole.index]
        singles = [(n, n) for n in range(whole.min, min(whole.max, last) + 1)]
        rest = [(max(whole.min, last + 1), whole.max)] if whole.max > last else []
        for first, end in (*singles, *rest):
            letter = get_column_letter(first)
            one = ColumnDimension(page, letter, width=whole.width, hidden=whole.hidden, min=first, max=end)
            one._style = copy(whole._style)
            page.column_dimensions[letter] = one


def _question_width(page: Any, column: int) -> tuple[float, bool]:
    """The width of the questions' column, made readable where nobody has set one, and whether it was."""
    from openpyxl.utils import get_column_letter

    letter = get_column_letter(column)
    if letter in page.column_dimensions:
        return float(page.column_dimensions[letter].width), False
    page.column_dimensions[letter].width = _QUESTION_WIDTH
    return _QUESTION_WIDTH, True


def _made_room(page: Any) -> int:
    """Put a row for a header above a list without one; not where that would break formulas or merged cells."""
    formulas = any(cell.data_type == "f" for row in page.iter_rows() for cell in row)
    if formulas or page.merged_cells.ranges:
        return 0
    page.insert_rows(1)
    return 1


def _places(page: Any, top: int, titles: Sequence[str]) -> list[int]:
    """The columns for the titles: one of that name, empty and not merged below, else new ones behind all there is."""
    used: dict[int, int] = {}
    empty: dict[str, int] = {}
    for row in page.iter_rows():
        for cell in row:
            if cell.value is not None:
                used[cell.column] = cell.row
                if cell.row == top:
                    empty[str(cell.value).strip()] = cell.column
    merged = {column for area in page.merged_cells.ranges for column in range(area.min_col, area.max_col + 1)}
    free = max([*used, *merged], default=0) + 1
    places = []
    for title in titles:
        own = empty.get(title)
        if own is not None and used[own] <= top and own not in merged:
            places.append(own)
        else:
            places.append(free)
            free += 1
    return places


def _headed(style: _Style, page: Any, model: Any, places: Sequence[int], citations: int) -> None:
    """Write the titles of the added columns, looking like that of the questions."""
    from openpyxl.utils import get_column_letter

    for (title, width), column in zip(_titles(citations), places, strict=True):
        cell = page.cell(model.row, column)
        _placed(style.header(page, title), cell, model if cell.value is None else cell)
        if model.value is None:
            cell.font = copy(style.header(page, title).font)
        page.column_dimensions[get_column_letter(column)].width = width
    if page.row_dimensions[model.row].height is None:
        page.row_dimensions[model.row].height = 2 * _LINE_PT + 3


def _placed(made: Any, cell: Any, model: Any) -> None:
    """Put a made cell in its place, looking like `model` (borders, font) but for what it needs itself."""
    cell._style = copy(model._style)
    cell.value = made.value
    cell.data_type = made.data_type
    cell.alignment = copy(made.alignment)
    cell.number_format = made.number_format
    cell.quotePrefix = made.quotePrefix
    if made.hyperlink is not None:
        cell.hyperlink = made.hyperlink
        cell.font = copy(made.font)


def _at_the_top(cells: Iterable[Any]) -> None:
    """Let the cells of a row that has become high begin where the answer begins, unless someone wanted otherwise."""
    for cell in cells:
        if cell.alignment.vertical is None:
            alignment = copy(cell.alignment)
            alignment.vertical = "top"
            cell.alignment = alignment


def _moved(cells: Sequence[Any], page: Any, row: int) -> None:
    for column, made in enumerate(cells, 1):
        place = page.cell(row, column)
        _placed(made, place, made)
    page.row_dimensions[row].height = _height(cells, [width for _, width in _QUOTE_COLUMNS])


def _neutralised(style: _Style, page: Any, column: int) -> None:
    """Leave no formula in the column of the questions: what others wrote there is text."""
    for row in page.iter_rows(min_col=column, max_col=column):
        for cell in row:
            if cell.data_type == "f":
                style.filled(cell, str(cell.value))
