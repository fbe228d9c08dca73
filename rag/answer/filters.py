"""What a reader holds a question to: newsletters, issues, columns, sources, dates.

A filter is asked of each article; nothing here searches.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rag.errors import UsageError
from rag.records import Record
from rag.schema import Article


@dataclass(frozen=True, slots=True)
class Filters:
    """Each is left open where it is empty; dates are ISO dates of issues, both ends within."""

    names: tuple[str, ...] = ()
    issues: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    since: str = ""
    until: str = ""

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return any(asdict(self).values())

    def __call__(self, article: Article) -> bool:
        """Whether an article is one of those asked for; one without a date is of no span of time."""
        chosen = (
            (self.names, article.issue.name or article.issue.file),
            (self.issues, article.issue.label),
            (self.columns, article.column),
            (self.sources, article.source),
        )
        if any(wanted and value not in wanted for wanted, value in chosen):
            return False
        if not self.since and not self.until:
            return True
        date = article.issue.date.isoformat() if article.issue.date else ""
        return bool(date) and self.since <= date <= (self.until or date)

    def among(self, articles: Sequence[Article]) -> Filters:
        """Write out what is asked for as the library has it: a part of a name is enough, 第4期 of an issue.

        Raises `UsageError` where there is nothing of that name.
        """
        names, issues, columns, sources = choices(articles)
        return replace(
            self,
            names=_written_out("刊物", self.names, names),
            issues=_written_out("期号", self.issues, issues),
            columns=_written_out("栏目", self.columns, columns),
            sources=_written_out("来源", self.sources, sources),
        )

    @property
    def label(self) -> str:
        """In words, what is asked for."""
        parts = ["、".join(values) for values in (self.names, self.issues, self.columns, self.sources) if values]
        if self.since or self.until:
            parts.append(f"{self.since or '最早'} 至 {self.until or '最近'}")
        return "；".join(parts)

    @property
    def record(self) -> Record:
        """As it is stored with a question."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


EVERYTHING = Filters()
"""Nothing is left out."""

Names = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=50)]


class FilterFields(BaseModel):
    """Filters as other programs write them in JSON."""

    model_config = ConfigDict(extra="forbid")

    names: Annotated[Names, Field(description="刊物，写一部分即可，下同")] = []
    issues: Annotated[Names, Field(description="期号，如 2025年第4期")] = []
    columns: Annotated[Names, Field(description="栏目")] = []
    sources: Annotated[Names, Field(description="来源")] = []
    since: Annotated[str, Field(max_length=20, description="从哪天的期号起，如 2025-02-11")] = ""
    until: Annotated[str, Field(max_length=20, description="到哪天的期号止")] = ""

    def filters(self) -> Filters:
        """The same as it is asked of articles. Raises `UsageError` where a date is none, or the span is empty."""
        return of(**self.model_dump())


HeldTo = Annotated[FilterFields | None, Field(description="只在这些资料里找：都符合才算，同一项里写几个则任一即可")]


def written(fields: FilterFields | None) -> Filters:
    """What another program wrote, where it wrote any. Raises `UsageError` as `FilterFields.filters`."""
    return fields.filters() if fields else EVERYTHING


def of(
    names: Sequence[str] | None = None,
    issues: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    since: str | None = "",
    until: str | None = "",
) -> Filters:
    """What was chosen or written. Raises `UsageError` where a date is none, or the span is empty."""
    start, end = _date(since), _date(until)
    if start and end and start > end:
        raise UsageError(f"开始日期 {start} 晚于结束日期 {end}", "请改一下筛选的日期")
    return Filters(_several(names), _several(issues), _several(columns), _several(sources), start, end)


def of_record(stored: Record | None) -> Filters:
    """What was stored with a question."""
    known = {field.name for field in fields(Filters)}
    return of(**{name: value for name, value in (stored or {}).items() if name in known})


def choices(articles: Sequence[Article]) -> tuple[list[str], list[str], list[str], list[str]]:
    """The names, issues, columns and sources that there are, in the library's order."""
    every = (
        [a.issue.name or a.issue.file for a in articles],
        [a.issue.label for a in articles],
        [a.column for a in articles],
        [a.source for a in articles],
    )
    names, issues, columns, sources = ([v for v in dict.fromkeys(values) if v] for values in every)
    return names, issues, columns, sources


_SHOWN = 12


def _written_out(what: str, wanted: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Those of the known names that are wanted, whole or in part."""
    found: list[str] = []
    for value in wanted:
        some = [name for name in known if name == value] or [name for name in known if value in name]
        if not some:
            more = "等" if len(known) > _SHOWN else ""
            there = f"可用：{'、'.join(known[:_SHOWN])}{more}" if known else "资料库里都没有写"
            raise UsageError(f"没有{what}“{value[:40]}”", there)
        found += some
    return tuple(dict.fromkeys(found))


def _several(values: Sequence[str] | None) -> tuple[str, ...]:
    """The names, a single one too that stands in no list."""
    return (values,) if isinstance(values, str) else tuple(values or ())


def _date(text: str | None) -> str:
    if not text or not text.strip():  # a box that was never opened says None
        return ""
    try:
        return dt.date.fromisoformat(text.strip().replace("/", "-").replace(".", "-")).isoformat()
    except ValueError as error:
        raise UsageError(f"日期不对：{text[:20]}", "请写成 2025-02-11 这样") from error
