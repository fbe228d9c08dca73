"""Turns a table that staff filled in (Excel, CSV) into a dataset of labelled questions, or names all that is wrong.

Asks nothing and measures nothing; where a quote stands is looked up in the articles of the library.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from eval.cases import CASE_TYPES, Case, CaseType, Source, Split, file_name, letters, squash
from rag import whole
from rag.errors import StorageError, UsageError
from rag.schema import Article, Turn
from rag.sheets import Sheet, open_sheet, write_table

COLUMNS: dict[str, tuple[str, ...]] = {
    "编号": ("编号", "id"),
    "类型": ("类型", "type"),
    "问题": ("问题", "提问", "题目", "question"),
    "追问前文": ("追问前文", "历史", "history"),
    "要点": ("要点", "must"),
    "不应出现": ("不应出现", "must_not"),
    "文件": ("文件", "file"),
    "文章": ("文章", "article"),
    "原文": ("原文", "quote"),
    "可回答": ("可回答", "answerable"),
    "划分": ("划分", "split"),
}
"""Every column with the names it goes by; only the question's must be there."""

EXAMPLE = "示例"
"""The id of a row that only shows how to fill in the others."""

_TYPES: dict[str, CaseType] = {
    letters(name): type_ for type_, chinese in CASE_TYPES.items() for name in (type_, chinese)
}
_SPLITS: dict[str, Split] = {"dev": "dev", "开发": "dev", "test": "test", "测试": "test"}
_YES = dict.fromkeys(("是", "yes", "y", "true", "1"), True)
_NO = dict.fromkeys(("否", "no", "n", "false", "0"), False)
_TURN = re.compile(r"\s*(.+?)\s*(?<!回)答[：:]\s*(.+?)\s*", re.DOTALL)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TEMPLATE = (
    tuple(COLUMNS),
    (
        EXAMPLE,
        CASE_TYPES["factoid"],
        "厦门有多少家定点医药机构接进了即时结算系统",
        "",
        "2000余家/2000多家/两千余家",
        "",
        "",
        "",
        "目前，福建省厦门市全市2000余家定点医药机构均已接入即时结算系统",
        "是",
        "dev",
    ),
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in one cell: the row as the spreadsheet shows it, the column, and what to do."""

    row: int
    column: str
    what: str
    next_step: str

    def __str__(self) -> str:
        """One line for the person who filled in the table."""
        return f"第 {self.row} 行“{self.column}”：{self.what}。{self.next_step}"


@dataclass(frozen=True, slots=True)
class Imported:
    """What a table holds; with `problems`, nothing was written. `unused` are columns with names unknown here."""

    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]
    unused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    cells: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def wrong(self, column: str, what: str, next_step: str) -> None:
        self.problems.append(Problem(self.number, column, what, next_step))


@dataclass(frozen=True, slots=True)
class _Held:
    """An article of the library, its text ready for comparison."""

    file: str
    title: str
    text: str


def import_table(
    path: Path, target: Path, articles: Iterable[Article], *, sheet: str | None = None, force: bool = False
) -> Imported:
    """Write the questions of a table to the dataset `target`, where every row is right.

    Raises:
        UsageError: The table can't be read or has no question column, or the target is there and not `force`d.
        StorageError: The target can't be written.
    """
    if target.suffix.lower() != ".jsonl":
        raise UsageError(f"题集的文件名要以 .jsonl 结尾：{target.name}", "请用 -o 题集.jsonl")
    if target.exists() and not force:
        raise UsageError(f"{target} 已经存在", "请用 -o 换一个文件名，或加 --force 覆盖")
    imported = _read(open_sheet(path, sheet), articles)
    if not imported.problems:
        _write(imported.cases, target)
    return imported


def render(imported: Imported, target: Path) -> str:
    """Say what is wrong, or how many questions of each type were written and what to do with them."""
    lines = [str(problem) for problem in imported.problems]
    if imported.unused:
        lines.append(f"没有用到的列：{'、'.join(imported.unused)}")
    if not imported.problems:
        types = Counter(case.type for case in imported.cases)
        counts = "、".join(f"{name} {types[type_]}" for type_, name in CASE_TYPES.items() if types[type_])
        lines.append(f"写好 {len(imported.cases)} 题（{counts}）：{target}")
        lines.append(f"下一步：weice eval run {target}")
    return "\n".join(lines)


def write_template(target: Path) -> None:
    """Write an empty table with one example row. Raises `UsageError` where the file is there or is no .xlsx."""
    if target.suffix.lower() != ".xlsx":
        raise UsageError(f"模板的文件名要以 .xlsx 结尾：{target.name}", "请写成 模板.xlsx")
    places = {name: at for at, name in enumerate(COLUMNS)}
    choices = {
        places["类型"]: tuple(CASE_TYPES.values()),
        places["可回答"]: ("是", "否"),
        places["划分"]: ("dev", "test"),
    }
    write_table(target, _TEMPLATE, choices)


def _read(sheet: Sheet, articles: Iterable[Article]) -> Imported:
    places = {name: at for name, names in COLUMNS.items() if (at := sheet.find(*names)) is not None}
    if "问题" not in places:
        sheet.column("问题")
    library = tuple(_Held(file_name(a.issue.file), a.title, squash(a.text)) for a in articles)
    rows = [_Row(number, {name: cells[at] for name, at in places.items()}) for number, cells in sheet.rows()]
    rows = [row for row in rows if row["编号"] != EXAMPLE]
    if not rows:
        raise UsageError(
            f"表格 {sheet.path.name}（{sheet.name}）里没有题", f"请在表头下面一行写一题；“{EXAMPLE}”行不算"
        )
    cases = tuple(_case(row, library) for row in rows)
    _refuse_twice(rows, cases)
    unused = tuple(name for at, name in enumerate(sheet.header) if name and at not in places.values())
    return Imported(cases, tuple(problem for row in rows for problem in row.problems), unused)


def _case(row: _Row, library: tuple[_Held, ...]) -> Case:
    if not row["问题"]:
        row.wrong("问题", "没有写问题", "请补上，或清空这一行")
    history = _history(row)
    type_, answerable = _kind(row, history)
    for column in ("要点", "原文"):
        if answerable and not row[column]:
            row.wrong(column, "可以回答的题要写这一项", "请补上；资料里没有答案的题，“可回答”写“否”")
        if not answerable and row[column]:
            row.wrong(column, "资料里没有答案的题不写这一项", "请清空，或把“可回答”写成“是”")
    return Case(
        id=row["编号"] or _made_id(row["问题"], history),
        type=type_,
        question=row["问题"],
        history=history,
        must=_facts(row, "要点"),
        must_not=tuple(spelling for fact in _facts(row, "不应出现") for spelling in fact),
        sources=_sources(row, library),
        answerable=answerable,
        split=_choice(row, "划分", _SPLITS, ("dev", "test")),
    )


def _kind(row: _Row, history: tuple[Turn, ...]) -> tuple[CaseType, bool]:
    """The type, and whether the library holds the answer; each follows from the other where it is not written."""
    type_ = _choice(row, "类型", _TYPES, tuple(CASE_TYPES.values()))
    answerable = _choice(row, "可回答", _YES | _NO, ("是", "否"))
    if answerable is None:
        answerable = type_ != "unanswerable"
    if type_ is None:
        type_ = "unanswerable" if not answerable else "followup" if history else "factoid"
    if answerable and type_ == "unanswerable":
        row.wrong("可回答", f"类型是“{CASE_TYPES[type_]}”，却写着可以回答", "请改正其中一项")
    if type_ == "followup" and not row["追问前文"]:
        row.wrong("追问前文", "追问要有前文", "请写成“问：…答：…”，或改类型")
    return type_, answerable


def _choice(row: _Row, column: str, allowed: Mapping[str, _T], shown: tuple[str, ...]) -> _T | None:
    """The value that a cell stands for; None where it is empty or, as a problem, unknown."""
    value = allowed.get(letters(row[column]))
    if value is None and row[column]:
        row.wrong(column, f"不认识“{row[column][:20]}”", f"可用：{'、'.join(shown)}")
    return value


def _history(row: _Row) -> tuple[Turn, ...]:
    if not row["追问前文"]:
        return ()
    before, *turns = re.split(r"(?m)^\s*问[：:]", row["追问前文"])
    found = [_TURN.fullmatch(turn) for turn in turns]
    if before.strip() or not all(found):
        row.wrong("追问前文", "看不出哪句是问、哪句是答", "请写成“问：…答：…”，每一问另起一行")
    return tuple(Turn(match[1], match[2]) for match in found if match)


def _facts(row: _Row, column: str) -> tuple[tuple[str, ...], ...]:
    """The facts of a cell, each with its spellings; where a fact has a |, a / belongs to the words."""
    facts = []
    for fact in re.split(r"[；;\n]", row[column]):
        pieces = re.split(r"[|｜]" if re.search(r"[|｜]", fact) else r"[/／]", fact)
        spellings = tuple(piece.strip() for piece in pieces if piece.strip())
        for spelling in spellings:
            _check_spelling(row, column, spelling)
        if spellings:
            facts.append(spellings)
    return tuple(facts)


def _check_spelling(row: _Row, column: str, spelling: str) -> None:
    """Refuse what no answer, or nearly every answer, would say."""
    if len(spelling) == 1 and not spelling.isdigit():
        row.wrong(column, f"“{spelling}”只有一个字，太容易碰上", "请写完整；若 / 是内容的一部分，改用 | 隔开各种写法")
    if _ISO_DATE.fullmatch(spelling):
        row.wrong(column, f"{spelling} 是表格软件改写过的日期", "请把这一格设为文本格式，照原文写，如 2月11日")


def _sources(row: _Row, library: tuple[_Held, ...]) -> tuple[Source, ...]:
    """The evidence; one file or article stands for all quotes, and what is not written is looked up."""
    quotes = _lines(row["原文"])
    given = {column: _lines(row[column]) for column in ("文件", "文章")}
    for column, lines in given.items():
        if len(lines) == 1:
            given[column] = lines * len(quotes)
        elif lines and len(lines) != len(quotes):
            row.wrong(column, f"有 {len(lines)} 行，而原文有 {len(quotes)} 行", "请一行对一行，或留空由程序去找")
            return ()
    together = zip_longest(quotes, given["文件"], given["文章"], fillvalue="")
    found = [_located(row, quote, file, title, library) for quote, file, title in together]
    return tuple(source for source in found if source is not None)


def _located(row: _Row, quote: str, file: str, title: str, library: tuple[_Held, ...]) -> Source | None:
    words = squash(quote)
    everywhere = dict.fromkeys((held.file, held.title) for held in library if words in held.text)
    places = [place for place in everywhere if file in ("", place[0]) and letters(title) in ("", letters(place[1]))]
    if len(places) == 1:
        return Source(*places[0], quote)
    start = quote[:30]
    if not everywhere:
        row.wrong("原文", f"资料库里没有“{start}”", "请逐字照抄（标点也要一样），或先用 weice index 收进这份资料")
    elif not places:
        column = "文章" if title and file in ("", *(place[0] for place in everywhere)) else "文件"
        row.wrong(column, f"“{start}”不在这里，而在{_told(everywhere)}", "请改正，或留空由程序填")
    else:
        row.wrong(
            "原文", f"有 {len(places)} 篇文章里有“{start}”：{_told(places)}", "请写明文件和文章，或把原文多抄几个字"
        )
    return None


def _told(places: Iterable[tuple[str, str]]) -> str:
    return "、".join(f"《{title}》（{file}）" for file, title in list(places)[:3])


def _lines(cell: str) -> list[str]:
    return [line.strip() for line in cell.split("\n") if line.strip()]


def _made_id(question: str, history: tuple[Turn, ...]) -> str:
    """An id that stays while the question does, wherever its row moves: runs are compared by id."""
    said = "\n".join((question, *(part for turn in history for part in (turn.user, turn.assistant))))
    return f"q-{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def _refuse_twice(rows: list[_Row], cases: tuple[Case, ...]) -> None:
    ids: dict[str, int] = {}
    asked: dict[tuple[str, tuple[Turn, ...]], int] = {}
    for row, case in zip(rows, cases, strict=True):
        first = asked.setdefault((case.question, case.history), row.number)
        if case.question and first != row.number:
            row.wrong("问题", f"与第 {first} 行相同", "请删去一行")
        elif (other := ids.setdefault(case.id, row.number)) != row.number and case.question:
            row.wrong("编号", f"{case.id} 与第 {other} 行相同", "请改成不同的编号")


def _write(cases: tuple[Case, ...], target: Path) -> None:
    """Write the dataset beside its place and swap it in whole."""
    records = [{name: value for name, value in asdict(case).items() if value is not None} for case in cases]
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    try:
        whole.write_text(target, lines)
    except OSError as error:
        raise StorageError(f"写不进 {target}（{error.strerror}）", "请检查文件夹、权限和磁盘空间") from error
