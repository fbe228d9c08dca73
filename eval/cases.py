"""Labelled questions: what a right answer says and the verbatim evidence for it.

Reads and checks datasets of one JSON object a line. Knows nothing of retrieval or of answering.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import StringConstraints, TypeAdapter, ValidationError

from rag.errors import UsageError
from rag.schema import Turn

CaseType = Literal["factoid", "list", "comparison", "summary", "multi", "temporal", "followup", "unanswerable"]
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
}
"""Every type with its Chinese name, in the order of a report."""

_INVISIBLE = re.compile(r"\s+|\*\*")


@dataclass(frozen=True, slots=True)
class Source:
    """One piece of evidence: a quote that stands in `article` of `file` (a file name without folders)."""

    file: Text
    article: Text
    quote: Text


@dataclass(frozen=True, slots=True)
class Case:
    """One labelled question.

    `must` holds one tuple a fact, with the spellings that count for it; `must_not` what a right answer never
    says. A case that is not answerable has neither facts nor sources.
    """

    id: Text
    type: CaseType
    question: Text
    history: tuple[Turn, ...]
    must: tuple[tuple[Text, ...], ...]
    must_not: tuple[Text, ...]
    sources: tuple[Source, ...]
    answerable: bool


_CASE = TypeAdapter(Case)


def load(path: Path) -> tuple[Case, ...]:
    """Read a dataset. Raises `UsageError` naming the line and the field that is wrong."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"题集 {path} 读不出来：{error}", "请给出 UTF-8 编码的 JSONL 文件") from error
    seen: dict[str, int] = {}
    cases = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"题集 {path.name} 第 {number} 行"
        case = _parse(line, where)
        if case.id in seen:
            raise UsageError(f"{where}的字段 id 与第 {seen[case.id]} 行重复：{case.id}", "请为每道题起不同的 id")
        seen[case.id] = number
        cases.append(case)
    if not cases:
        raise UsageError(f"题集 {path} 是空的", "请每行写一道题（JSON）")
    return tuple(cases)


def squash(text: str) -> str:
    """Return `text` without whitespace and bold marks: how a quote is compared with what was printed."""
    return _INVISIBLE.sub("", text)


def _parse(line: str, where: str) -> Case:
    try:
        case = _CASE.validate_json(line, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        if first["type"] == "json_invalid":
            raise UsageError(f"{where}不是完整的 JSON", "请改正这一行：每行一道题") from error
        if first["type"] == "missing":
            raise UsageError(f"{where}缺少字段 {field}", "请补上这个字段") from error
        wrong = f"{where}的字段 {field} 的值不对" if field else f"{where}不是一道题"
        raise UsageError(f"{wrong}：{first['input']!r:.60}", "请对照题集里别的题改正") from error
    for field in ("must", "sources"):
        if bool(getattr(case, field)) != case.answerable:
            rule = "至少写一项" if case.answerable else "留空"
            raise UsageError(f"{where}的字段 {field} 与 answerable 不符", f"请{rule}，或改 answerable")
    if not all(case.must):
        raise UsageError(f"{where}的字段 must 里有空的一项", "请为每个事实至少写一种说法")
    return case
