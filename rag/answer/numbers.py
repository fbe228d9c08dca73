"""Reads the numbers of Chinese text as values, so that 1.2亿 is 12000万, 八成 is 80% and full-width digits count.

Pure functions. Numbers that are part of a name (DeepSeek-R1, 4+7, 12345X) or of a list's numbering are no values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

Kind = Literal["plain", "ordinal", "percent", "point", "year", "month", "day"]

_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_SMALL = {"十": 10, "百": 100, "千": 1000}
_BIG = {"万": 10**4, "亿": 10**8}
_WIDE = str.maketrans("０１２３４５６７８９％．，＋－", "0123456789%.,+-")
_MAGNITUDES = _SMALL | _BIG

_ARABIC = re.compile(
    r"(?<![A-Za-z\d.])(?<![A-Za-z]-)(?<![^\u4e00-\u9fa5]\+)"
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?![\dA-Za-z+])"
    r"\s*(?:余|多|几)?(?P<magnitude>[百千]?[万亿]{0,2}|[百千])(?:余|多)?"
    r"\s*(?P<unit>%|％|‰|个?百分点|成(?![都立为员果绩熟效功长型本])|年(?![龄度均级轻老纪])|月(?=\s*(?:\d|底|初|中|末|份|上|下|起|，|。|、|至|-|$))|日)?"
)
_CHINESE = re.compile(
    r"(?P<percent>百分之)(?P<of>[零〇一二两三四五六七八九十百]+(?:点[零〇一二三四五六七八九]+)?)"
    r"|(?P<tenths>[一二三四五六七八九])成(?P<half>[一二三四五六七八九半])?(?![都立为员果绩熟效功长型本])"
    r"|(?P<number>[零〇一二两三四五六七八九十百千][零〇一二两三四五六七八九十百千万亿]*)"
    r"(?:余|多)?(?P<more>[万亿]*)(?P<unit>个?百分点|年(?![龄度均级轻老纪])|月(?=[初中底末份，。、至]|$)|日)?"
)
_NUMBERING = re.compile(r"(?m)^\s*[(（]?\d{1,2}(?:[)）、]|\.(?!\d))")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a text: its value, what kind it is, and how it is written."""

    value: Fraction
    kind: Kind
    text: str
    end: int = field(default=0, compare=False)
    """Offset behind the number in its text: there its measure word stands."""

    @property
    def start(self) -> int:
        """Offset of the number in its text."""
        return self.end - len(self.text)


def quantities(text: str) -> tuple[Quantity, ...]:
    """Return the numbers that a text states and that can be checked, in order.

    Chinese numerals below ten stand for so much else (一是, 三医) that only those with 成 or 百分之 are taken.
    """
    plain = _NUMBERING.sub(lambda m: " " * len(m.group()), text.translate(_WIDE))
    found = [(m.start(), _arabic(m)) for m in _ARABIC.finditer(plain)]
    for match in _CHINESE.finditer(plain):
        chinese = _chinese(match)
        if chinese and _checkable(match):
            found.append((match.start(), chinese))
    return tuple(q for _, q in sorted(found, key=lambda pair: pair[0]))


def all_quantities(text: str) -> tuple[Quantity, ...]:
    """Return every number of a text, single Chinese numerals and list numbering included."""
    plain = text.translate(_WIDE)
    read = [*map(_arabic, _ARABIC.finditer(plain)), *map(_chinese, _CHINESE.finditer(plain))]
    return tuple(quantity for quantity in read if quantity)


def stated(texts: Iterable[str]) -> frozenset[tuple[Fraction, Kind]]:
    """Return every value that the texts state, single Chinese numerals and list numbering included."""
    return frozenset((q.value, q.kind) for text in texts for q in all_quantities(text))


def unmatched(sentence: str, cited: Iterable[str]) -> tuple[str, ...]:
    """Return the numbers of `sentence`, as written, that none of the `cited` texts states."""
    known = stated(cited)
    plain_values = {value for value, kind in known if kind not in {"percent", "point", "ordinal"}}
    missing = []
    for quantity in quantities(sentence):
        if quantity.kind == "plain":
            matched = quantity.value in plain_values
        elif quantity.kind in {"year", "month", "day"}:
            matched = (quantity.value, quantity.kind) in known or (quantity.value, "plain") in known
        else:
            matched = (quantity.value, quantity.kind) in known
        if not matched:
            missing.append(quantity.text)
    return tuple(dict.fromkeys(missing))


def _checkable(match: re.Match[str]) -> bool:
    """Whether a Chinese numeral in an answer is surely a number: 成, 百分之, or at least ten."""
    if match.group("percent") or match.group("tenths"):
        return True
    number = match.group("number") or ""
    if len(number) == 4 and match.group("unit") == "年":
        return True
    return len(number) >= 2 and any(c in _MAGNITUDES for c in number) and not _is_phrase(match)


def _is_phrase(match: re.Match[str]) -> bool:
    """Words that look like numerals: 十分, 千万要, 百千万工程, 万千."""
    text = match.string
    number = match.group("number")
    return (
        number in {"百千万", "千万", "百万", "万千", "千百", "百十"} or text[match.end() : match.end() + 1] in "五分"
    )


_KINDS: dict[str, Kind] = {"%": "percent", "年": "year", "月": "month", "日": "day"}


def _kind(unit: str | None, match: re.Match[str]) -> Kind:
    if match.string[: match.start()].rstrip().endswith("第"):
        return "ordinal"
    if unit and "百分点" in unit:
        return "point"
    return _KINDS.get(unit or "", "plain")


def _arabic(match: re.Match[str]) -> Quantity:
    value = Fraction(match.group("number").replace(",", ""))
    for magnitude in match.group("magnitude"):
        value *= _MAGNITUDES[magnitude]
    unit = match.group("unit")
    if unit == "‰":
        value, unit = value / 10, "%"
    elif unit == "成":
        value, unit = value * 10, "%"
    return Quantity(value, _kind(unit, match), match.group().strip(), match.start() + len(match.group().rstrip()))


def _chinese(match: re.Match[str]) -> Quantity | None:
    if match.group("percent"):
        return Quantity(_numeral(match.group("of")), "percent", match.group(), match.end())
    if match.group("tenths"):
        half = match.group("half")
        tail = 5 if half == "半" else _DIGITS.get(half or "零", 0)
        return Quantity(Fraction(_DIGITS[match.group("tenths")] * 10 + tail), "percent", match.group(), match.end())
    number = match.group("number")
    if all(c in _MAGNITUDES for c in number) and number != "十":
        return None
    return Quantity(
        _numeral(number + match.group("more")), _kind(match.group("unit"), match), match.group(), match.end()
    )


def _numeral(text: str) -> Fraction:
    """The value of a Chinese numeral; digits in a row (二〇二五) are read one by one."""
    whole, _, decimals = text.partition("点")
    if not any(c in _MAGNITUDES for c in whole):
        value = Fraction(int("".join(str(_DIGITS[c]) for c in whole)))
    else:
        value = Fraction(_grouped(whole))
    if decimals:
        value += Fraction(int("".join(str(_DIGITS[c]) for c in decimals)), 10 ** len(decimals))
    return value


def _grouped(text: str) -> int:
    """The value of a numeral with 十百千万亿."""
    total = section = digit = 0
    for char in text:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in _SMALL:
            section += (digit or 1) * _SMALL[char]
            digit = 0
        else:
            total = (total + section + digit) * _BIG[char] if char == "亿" else total + (section + digit) * _BIG[char]
            section = digit = 0
    return total + section + digit
