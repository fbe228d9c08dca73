"""Reads a list of questions, one at a time: `.xlsx`, `.csv`, `.txt` (a question a line) or `.jsonl`.

Which column holds what is found here; how a table is read is `rag.sheets`'s business.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from rag.answer.filters import EVERYTHING, FilterFields, Filters, of, written
from rag.answer.question import normalise
from rag.errors import UsageError
from rag.schema import Turn
from rag.sheets import Sheet, guess_column, open_list, text_encoding

SUFFIXES = (".xlsx", ".csv", ".txt", ".jsonl")
"""The kinds of lists that can be read."""

_SCENARIO_NAMES = ("场景", "任务场景", "scenario")
_HISTORY_NAMES = ("上文", "历史", "对话历史", "history")
_FILTER_NAMES = {
    "names": ("筛选刊物",),
    "issues": ("筛选期号", "筛选刊期"),
    "columns": ("筛选栏目",),
    "sources": ("筛选来源",),
    "since": ("筛选开始日期",),
    "until": ("筛选结束日期",),
}
"""Names that nobody gives to a column of another meaning: 来源 alone may tell where a question came from."""
_SEVERAL = re.compile(r"[、；;\n]")
_SPEAKER = re.compile(r"^[ \t]*(?P<who>问|用户|user|答|助手|assistant)[ \t]*[:：]", re.MULTILINE | re.IGNORECASE)
_ASKING = {"问", "用户", "user"}
_SAMPLE = 50
_LETTERS = re.compile(r"[A-Za-z]{1,2}")
_ENDS = "?？。.!！ "


class _Exchange(BaseModel):
    model_config = ConfigDict(extra="ignore")
    user: str
    assistant: str = ""


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)
    id: str | None = None
    question: str
    history: list[_Exchange] = []
    scenario: str | None = None
    filters: FilterFields | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One row that asks. Of a table `id` is the row's number; `scenario` names a task template.

    `filters` are as they were written: parts of names, until an assistant is held to them.
    """

    id: str
    question: str
    history: tuple[Turn, ...] = ()
    scenario: str | None = None
    filters: Filters = EVERYTHING


@dataclass(frozen=True, slots=True)
class QuestionList:
    """An opened list. Iterating reads the file anew, a row at a time; rows without a question are passed over.

    Raises `UsageError` on the way where a row is wrong, naming file, line and field.
    """

    path: Path
    sheet: Sheet | None = None
    column: int = 0
    scenario: int | None = None
    history: int | None = None
    filters: tuple[tuple[str, int], ...] = ()
    """Each kind of filter that has a column, and the place of that."""

    def __iter__(self) -> Iterator[Question]:
        """Yield the questions in the order of the file."""
        return self._of_lines() if self.sheet is None else self._of_rows(self.sheet)

    @property
    def about(self) -> str:
        """Where the questions stand, in words for the user."""
        if self.sheet is None or self.path.suffix.lower() == ".txt":
            return f"{self.path.name}，每行一个问题"
        filters = {_FILTER_NAMES[kind][0]: at for kind, at in self.filters}
        others = {"场景": self.scenario, "上文": self.history, **filters}
        used = "".join(f"，{what}在“{self.sheet.header[at]}”列" for what, at in others.items() if at is not None)
        return f"{self.path.name}（{self.sheet.name}），问题在“{self.sheet.header[self.column]}”列{used}"

    def _of_rows(self, sheet: Sheet) -> Iterator[Question]:
        for number, cells in sheet.rows():
            if cells[self.column]:
                history = _turns(cells[self.history]) if self.history is not None else ()
                scenario = cells[self.scenario] if self.scenario is not None else ""
                filters = self._filters(number, {kind: cells[at] for kind, at in self.filters if cells[at]})
                yield Question(str(number), cells[self.column], history, scenario or None, filters)

    def _filters(self, number: int, written: dict[str, str]) -> Filters:
        """What the filter cells of a row say; several names stand with 、 between them."""
        several: dict[str, list[str]] = {
            kind: [name.strip() for name in _SEVERAL.split(cell) if name.strip()]
            for kind, cell in written.items()
            if kind not in {"since", "until"}
        }
        days = {kind: cell.strip()[:10] for kind, cell in written.items() if kind in {"since", "until"}}
        with self._of_line_number(number):
            return of(**several, **days)  # type: ignore[arg-type]  # by the names of `_FILTER_NAMES`

    @contextmanager
    def _of_line_number(self, number: int) -> Iterator[None]:
        """What is wrong is told with the place where it stands."""
        try:
            yield
        except UsageError as error:
            raise UsageError(f"{self.path.name} 第 {number} 行：{error.what}", error.next_step) from error

    def _of_lines(self) -> Iterator[Question]:
        try:
            with self.path.open(encoding=text_encoding(self.path)) as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield self._of_line(number, line)
        except OSError as error:
            raise UsageError(f"文件读不了：{self.path}（{error.strerror}）", "请检查权限") from error

    def _of_line(self, number: int, line: str) -> Question:
        try:
            row = _Line.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "整行"
            raise UsageError(
                f"{self.path.name} 第 {number} 行 {field} 不对：{first['msg']}",
                '每行应为 {"id": "…", "question": "…"}',
            ) from error
        history = tuple(Turn(turn.user, turn.assistant) for turn in row.history)
        with self._of_line_number(number):
            filters = written(row.filters)
        return Question(row.id or str(number), row.question, history, row.scenario, filters)


def open_questions(path: Path, *, sheet: str | None = None, column: str | None = None) -> QuestionList:
    """Open a list; of a workbook the sheet that is named, or the first that is not hidden.

    `column` names that of the questions by its header or letter; without it it is guessed.
    Raises `UsageError` where there is no such list, sheet or column.
    """
    if not path.is_file():
        raise UsageError(f"找不到问题文件 {path}", "请检查路径")
    suffix = path.suffix.lower()
    if suffix == ".xls":
        raise UsageError(f"不支持旧的 .xls 格式：{path.name}", "请用 Excel 或 WPS 打开，另存为 .xlsx 后再试")
    if suffix not in SUFFIXES:
        raise UsageError(f"不支持这种问题文件：{path.name}", f"可用：{' '.join(SUFFIXES)}")
    if suffix == ".jsonl":
        if sheet is not None or column is not None:
            raise UsageError(f"{path.name} 不是表格", "请去掉 --sheet 和 --column")
        return QuestionList(path)
    table = open_list(path, sheet)
    if column is not None:
        place = _place(table, column)
    else:
        place = guess_column(table.header, [cells for _, cells in islice(table.rows(), _SAMPLE)])
    places = {kind: table.find(*names) for kind, names in _FILTER_NAMES.items()}
    filters = tuple((kind, at) for kind, at in places.items() if at is not None)
    return QuestionList(path, table, place, table.find(*_SCENARIO_NAMES), table.find(*_HISTORY_NAMES), filters)


def _place(table: Sheet, column: str) -> int:
    """The place of a column called by its header, or else by its letter."""
    if table.find(column) is None and _LETTERS.fullmatch(column):
        from openpyxl.utils import column_index_from_string

        place: int = column_index_from_string(column.upper()) - 1
        if place < len(table.header):
            return place
    return table.column(column)


def _turns(cell: str) -> tuple[Turn, ...]:
    """The earlier exchanges that a cell tells: JSON, lines that begin with 问： and 答：, or only what was asked."""
    try:
        return tuple(Turn(str(turn["user"]), str(turn.get("assistant", ""))) for turn in json.loads(cell))
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    spoken = list(_SPEAKER.finditer(cell))
    if not spoken:
        return (Turn(cell, ""),) if cell else ()
    turns: list[Turn] = []
    for match, following in zip(spoken, [*spoken[1:], None], strict=True):
        said = cell[match.end() : following.start() if following else len(cell)].strip()
        if match["who"].casefold() in _ASKING:
            turns.append(Turn(said, ""))
        elif turns:
            turns[-1] = Turn(turns[-1].user, f"{turns[-1].assistant}\n{said}".strip())
    return tuple(turns)


def meaning(row: Question) -> str:
    """Return what tells rows apart: those mean the same that ask the same after normalising, history and all."""
    try:
        asked = normalise(row.question, len(row.question) + 1).rstrip(_ENDS)
    except UsageError:  # nothing is asked: the row will say so
        asked = row.question
    told: list[object] = [asked, row.scenario, [(turn.user, turn.assistant) for turn in row.history]]
    if row.filters:
        told.append(row.filters.record)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]
