"""Reads which years a text speaks of, and which date its figures stand at; 今年 by the date of the issue.

Rules only. What an undated issue calls 今年 is not known, and never guessed; the year in an article's title is read.
"""

from __future__ import annotations

import datetime as dt
import re

When = tuple[int, int, int]
"""Year, month, day; 0 where it is not told."""

_EXPLICIT = re.compile(r"(?<!\d)((?:19|20)\d{2})(?=\s*财?年|\s*[-—~～至到]\s*(?:19|20)\d{2})")
_RANGE = re.compile(r"((?:19|20)\d{2})年?(?:\d{1,2}月)?(?:\d{1,2}日)?\s*[-—~～至到]\s*((?:19|20)\d{2})年")
_SHIFT = {"今年": 0, "本年度": 0, "去年": -1, "上年度": -1, "前年": -2, "明年": 1}
_WORD = rf"(?<![比较同与和跟])(?P<word>{'|'.join(_SHIFT)})"
"""A relative year that a text speaks of; what it is only compared with (比去年增长) is not it."""
_RELATIVE = re.compile(_WORD)
_DATE = re.compile(
    rf"(?P<standing>截至|截止到?|到)?\s*(?:(?P<year>(?:19|20)\d{{2}})\s*年|{_WORD})"
    r"(?:\s*(?:\d{1,2}\s*[-—~～至到]\s*)?(?P<month>\d{1,2})\s*月(?:\s*(?P<day>\d{1,2})\s*[日号])?)?"
)

_STRETCH = re.compile(
    r"(?<!\d)(?P<first>\d{1,2})\s*月?\s*[-—~～至到]\s*(?P<last>\d{1,2})\s*月"
    r"|[前头](?P<count>\d{1,2})个月|(?P<half>[上下])半年|(?P<of>前)?第?(?P<quarter>[一二三四])季度"
)
"""A stretch of months: 1-11月, 头11个月, 上半年, 前三季度."""
_QUARTERS = "一二三四"


def stretches(text: str) -> frozenset[tuple[int, int]]:
    """Return the stretches of months within a year that `text` names, first and last: 1 and 11 of 前11个月."""
    return frozenset(_stretch(m.groupdict()) for m in _STRETCH.finditer(text))


def _stretch(named: dict[str, str | None]) -> tuple[int, int]:
    if half := named["half"]:
        return (1, 6) if half == "上" else (7, 12)
    if quarter := named["quarter"]:
        last = 3 * (_QUARTERS.index(quarter) + 1)
        return (1 if named["of"] else last - 2, last)
    return (int(named["first"] or 1), int(named["last"] or named["count"] or 0))


def years(text: str, issued: dt.date | None) -> frozenset[int] | None:
    """Return the years that `text` speaks of, empty where it names none; None where only its undated issue knows."""
    told = {int(year) for year in _EXPLICIT.findall(text)}
    for first, last in _RANGE.findall(text):
        told |= set(range(int(first), int(last) + 1))
    for match in _RELATIVE.finditer(text):
        if issued is None:
            return None
        told.add(issued.year + _SHIFT[match.group("word")])
    return frozenset(told)


def asked_year(question: str, newest: dt.date | None) -> int | None:
    """Return the year that a question names, 今年 by the `newest` issue; None where it names no one year."""
    named = years(question, newest)
    return next(iter(named)) if named and len(named) == 1 else None


def titled(title: str) -> dt.date | None:
    """Return the first day of the year that an article's title names, where it names one: 2025年有何打算."""
    named = {int(year) for year in _EXPLICIT.findall(title)}
    return dt.date(named.pop(), 1, 1) if len(named) == 1 else None


def as_of(text: str, issued: dt.date | None) -> When | None:
    """Return the date that a sentence's figures stand at: what follows 截至, else its latest, else the issue's."""
    found: list[tuple[bool, When]] = []
    for match in _DATE.finditer(text):
        word = match.group("word")
        if word and issued is None:
            continue
        year = issued.year + _SHIFT[word] if word and issued else int(match.group("year"))
        when = (year, int(match.group("month") or 0), int(match.group("day") or 0))
        found.append((bool(match.group("standing")), when))
    if found:
        return max(found)[1]
    return (issued.year, issued.month, issued.day) if issued else None


def written(when: When) -> str:
    """Return a date as it is written: 2025年2月11日, 2024年."""
    year, month, day = when
    return f"{year}年" + (f"{month}月" if month else "") + (f"{day}日" if month and day else "")


def relative(text: str) -> tuple[str, ...]:
    """Return the relative years that a text names, as they are written."""
    return tuple(dict.fromkeys(match.group("word") for match in _RELATIVE.finditer(text)))


def meant(word: str, issued: dt.date) -> str:
    """Return the year that a relative one (去年) means in an issue of that date."""
    return f"{issued.year + _SHIFT[word]}年"
