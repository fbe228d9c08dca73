"""Labelled questions: what a right answer says and the verbatim evidence for it.

Reads and checks datasets of one JSON object a line, and whether the library holds their evidence. Knows nothing of
retrieval or of answering.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar, Literal, Protocol, TypeVar, get_args

from pydantic import ConfigDict, StringConstraints, TypeAdapter, ValidationError

from rag.errors import UsageError
from rag.schema import Article, Turn

CaseType = Literal[
    "factoid", "list", "comparison", "summary", "multi", "temporal", "followup", "unanswerable", "adversarial"
]
Split = Literal["dev", "test"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

CASE_TYPES: dict[CaseType, str] = {
    "factoid": "单一事实",
    "list": "列举",
    "comparison": "比较",
    "summary": "概括",
    "multi": "跨文章",
    "temporal": "时间",
    "followup": "追问",
    "unanswerable": "资料中没有",
    "adversarial": "诱导与假前提",
}
"""Every type with its Chinese name, in the order of a report."""

_INVISIBLE = re.compile(r"\s+|\*\*")


@dataclass(frozen=True, slots=True)
class Source:
    """One piece of evidence: a quote that stands in `article` of `file` (a file name without folders)."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    file: Text
    article: Text
    quote: Text


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled question.

    `must` holds one tuple a fact, with the spellings that count for it; `must_not` what a right answer never
    says. A case that is not answerable has neither facts nor sources. `split` tells whether the case may be tuned on
    (dev) or not (test); None where the dataset is not split.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: Text
    type: CaseType
    question: Text
    history: tuple[Turn, ...]
    must: tuple[tuple[Text, ...], ...]
    must_not: tuple[Text, ...]
    sources: tuple[Source, ...]
    answerable: bool
    split: Split | None = None


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


_Line = TypeVar("_Line", bound=_Identified)
_CASE = TypeAdapter(Case)


def load(path: Path) -> tuple[Case, ...]:
    """Read a dataset. Raises `UsageError` naming the line and the field that is wrong."""
    numbered = read_lines(path, _CASE, "题集", "一道题")
    for number, case in numbered:
        _check(case, f"题集 {path.name} 第 {number} 行")
    return tuple(case for _, case in numbered)


def select(cases: Sequence[Case], split: Split | None = None, limit: int | None = None) -> tuple[Case, ...]:
    """Return the cases of a split, at most `limit`. Raises `UsageError` where none is left or no such split is."""
    if split is not None and split not in get_args(Split):
        raise UsageError(f"没有 {split} 这种划分", "可用 dev（可据以调整）或 test（只用来检验）")
    chosen = tuple(case for case in cases if split is None or case.split == split)[:limit]
    if not chosen:
        raise UsageError(f"题集里没有字段 split 为 {split} 的题", "请去掉 --split，或在题里写上 split")
    return chosen


def check_library(path: Path, cases: Sequence[Case], articles: Iterable[Article]) -> None:
    """Raise `UsageError`, naming line and field, where evidence of the dataset `path` is not in the library."""
    held: dict[str, dict[str, str]] = {}
    for article in articles:
        texts = held.setdefault(file_name(article.issue.file), {})
        texts[letters(article.title)] = texts.get(letters(article.title), "") + squash(article.text)
    for case in cases:
        for number, source in enumerate(case.sources):
            wrong = _not_held(source, held)
            if wrong is not None:
                field, what = wrong
                raise UsageError(
                    f"题集 {path.name} 第 {_line_of(path, case.id)} 行（{case.id}）的字段 sources.{number}.{field} "
                    f"不在资料库里：{what[:40]}",
                    "请对照原文改正，或先用 weice index 收进这份资料",
                )


def read_lines(path: Path, shape: TypeAdapter[_Line], what: str, one: str) -> list[tuple[int, _Line]]:
    """Read a JSONL file of `shape`, with line numbers; `what` is the file and `one` a line of it, for messages.

    Raises `UsageError` naming the line and the field that is wrong, also where an id repeats or nothing is there.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{what} {path} 读不出来：{error}", "请给出 UTF-8 编码的 JSONL 文件") from error
    seen: dict[str, int] = {}
    read = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{what} {path.name} 第 {number} 行"
        value = _parse(shape, line, where, one)
        if value.id in seen:
            raise UsageError(f"{where}的字段 id 与第 {seen[value.id]} 行重复：{value.id}", "请改成不同的 id")
        seen[value.id] = number
        read.append((number, value))
    if not read:
        raise UsageError(f"{what} {path} 是空的", f"请每行写{one}（JSON）")
    return read


def squash(text: str) -> str:
    """Return `text` without whitespace and bold marks: how a quote is compared with what was printed."""
    return _INVISIBLE.sub("", text)


def letters(title: str) -> str:
    """Return the letters and digits of a title: titles differ in spacing, width and punctuation between prints."""
    return "".join(c for c in unicodedata.normalize("NFKC", title).casefold() if c.isalnum())


def file_name(file: str) -> str:
    """Return the name of a library file without its folders."""
    return PurePosixPath(file).name


def _parse(shape: TypeAdapter[_Line], line: str, where: str, one: str) -> _Line:
    try:
        return shape.validate_json(line, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        match first["type"]:
            case "json_invalid":
                raise UsageError(f"{where}不是完整的 JSON", f"请改正这一行：每行{one}") from error
            case "missing":
                raise UsageError(f"{where}缺少字段 {field}", "请补上这个字段") from error
            case "unexpected_keyword_argument":
                raise UsageError(f"{where}有不认识的字段 {field}", "请删去或改正字段名") from error
        wrong = f"{where}的字段 {field} 的值不对" if field else f"{where}不是{one}"
        raise UsageError(f"{wrong}：{first['input']!r:.60}", "请对照别的行改正") from error


def _check(case: Case, where: str) -> None:
    """Refuse a case whose facts and sources do not fit together."""
    for field in ("must", "sources"):
        if bool(getattr(case, field)) != case.answerable:
            rule = "至少写一项" if case.answerable else "留空"
            raise UsageError(f"{where}的字段 {field} 与 answerable 不符", f"请{rule}，或改 answerable")
    if not all(case.must):
        raise UsageError(f"{where}的字段 must 里有空的一项", "请为每个事实至少写一种说法")


def _not_held(source: Source, held: dict[str, dict[str, str]]) -> tuple[str, str] | None:
    """The field of a source that the library does not hold, and its value."""
    if source.file not in held:
        return "file", source.file
    text = held[source.file].get(letters(source.article))
    if text is None:
        return "article", source.article
    return None if squash(source.quote) in text else ("quote", source.quote)


def _line_of(path: Path, id_: str) -> int:
    return next(number for number, case in read_lines(path, _CASE, "题集", "一道题") if case.id == id_)
