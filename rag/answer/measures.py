"""Which numbers of a text can answer 多少: those with the measure word that is asked for, or one like it."""

from __future__ import annotations

import re

from rag.answer.numbers import Quantity, all_quantities

SURELY = 10
"""From this on a number without a known measure word counts something: 二级 and 三甲 do not."""
COUNT = re.compile(
    r"(?P<percent>百分之(?:几|多少)|占(?:比|了|到)?(?:多少(?!钱|[万亿]*元)|几成))|(?:多少|(?<!第)几)(?P<unit>人次|英镑|美元|欧元|日元|[万亿]*元|块钱|[个家条项亩间张人名位种所例件座台套只支次份天年月周成倍岁钱分笔单户批起宗款篇部本册辆枚株吨场])?|多[大高](?:的)?(?:比例|占比)|(?:比例|占比|率)(?:是|为|达|有|多高|多大)"
)
"""What asks for a number, and the measure word that it asks by."""
_PERSON, _PLACE, _THING, _YUAN = frozenset("人名位"), frozenset("家所个"), frozenset("项个条种款"), frozenset("元块")
_UNITS = (
    dict.fromkeys("人名位", _PERSON)
    | dict.fromkeys("家所", _PLACE)
    | dict.fromkeys("项条种款", _THING)
    | {unit: frozenset({unit}) for unit in ("人次", *"亩间张座台套户批场辆枚株吨")}
    | dict.fromkeys("笔单", frozenset("笔单"))
    | dict.fromkeys("起宗件", frozenset("起宗件例"))
    | dict.fromkeys("部本册篇", frozenset("部本册篇"))
    | {"天": frozenset("天日个")}
    | {"钱": frozenset("元英美欧日块港"), "元": frozenset("元块"), "块钱": frozenset("元块美英")}
    | {"英镑": frozenset("英"), "美元": frozenset("美"), "欧元": frozenset("欧"), "日元": frozenset("日")}
)
"""Asked measure word -> measure words of an answer; others say too little."""
MEASURES = frozenset(
    "类批处个家条项亩间张人名位元种所例件座台套只支次份天日年月周成倍岁分页期笔单户起宗款篇部本册辆枚株吨场"
) | {"人次"}
"""What stands behind a number and is none of these (553.99万参保人) is the thing itself."""
_MONEY = tuple(_UNITS[unit] for unit in ("钱", "元", "英镑", "美元", "欧元", "日元", "块钱"))
"""Money is always said as such: 影响因子7.5 is no price."""
DATES = frozenset({"year", "month", "day", "ordinal"})
"""Kinds of numbers that answer no 多少 and no measure word but that of time."""


def fitting(count: re.Match[str], text: str) -> tuple[Quantity, ...]:
    """Return the numbers of `text` that answer what a question asks for by `count`, a match of `COUNT`."""
    return tuple(q for q in all_quantities(text) if _fits(count, text, q))


def _fits(count: re.Match[str], text: str, quantity: Quantity) -> bool:
    if count.group("percent"):
        return quantity.kind == "percent"
    unit = count.group("unit")
    wanted = _UNITS.get((unit or "").lstrip("万亿"))
    if wanted is None:
        return unit is not None or quantity.kind not in DATES
    if quantity.kind in DATES and (quantity.kind != "day" or wanted in _MONEY):
        return False
    behind = measure(text, quantity)
    return behind in wanted or (
        behind.isalpha() and behind not in MEASURES and wanted not in _MONEY and quantity.value >= SURELY
    )


def measure(text: str, quantity: Quantity) -> str:
    """Return the measure word behind a number: 人次 whole, else its first character; a day's is 日."""
    if quantity.kind == "day":
        return "日"
    behind = text[quantity.end : quantity.end + 3].lstrip("余多 ")
    return "人次" if behind.startswith("人次") else behind[:1]


def with_measure(text: str, quantity: Quantity) -> str:
    """Return a number as it is written, with its measure word."""
    behind = "" if quantity.kind in {"percent", "point"} else measure(text, quantity)
    return quantity.text + (behind if behind.isalpha() else "")


def same_measure(one: str, other: str) -> bool:
    """Whether two measure words may count the same things: 5个 and 3项, 5块 and 5元."""
    return one == other or any(one in alike and other in alike for alike in (_PERSON, _PLACE, _THING, _YUAN))
