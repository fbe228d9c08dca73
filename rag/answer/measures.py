"""Which numbers of a text can answer 多少: those with the measure word that is asked for, or one like it."""

from __future__ import annotations

import re

from rag.answer.numbers import Quantity, all_quantities

LIFETIME = 150
"""Years below this are a time, not a date."""
SURELY = 10
"""From this on a number without a known measure word counts something: 二级 and 三甲 do not."""
COUNT = re.compile(
    r"(?P<percent>百分之(?:几|多少)|占(?:比|了|到)?(?:多少(?!钱|[万亿]*元)|几成)|(?:比例|占比|率)(?:是|为|达到?|有)?(?:多少|几|多[大高])|多[大高](?:的)?(?:比例|占比))|(?:多少|(?<![第好这那])几)(?P<unit>个?(?:工作日|小时|钟头|星期)|个月|分钟|人次|英镑|美元|欧元|日元|[万亿]*元|块钱|[个家条项亩间张人名位种所例件座台套只支次回份天年月周成倍岁钱分笔单户批起宗款篇部本册辆枚株吨场])?|(?:比例|占比|率)(?:是|为|达|有)"
)
"""What asks for a number, and the measure word that it asks by."""
PLACE = frozenset("家所个")
"""Measure words of institutions; 个 is one of much else too."""
_PERSON, _THING, _YUAN = frozenset("人名位"), frozenset("项个条种款"), frozenset("元块")
_PEOPLE = re.compile(
    r"[\u4e00-\u9fa5]{0,3}?(?:市民|病人|患者|嫌疑人|游客|学生|医生|大夫|医师|护士|村医|老人|居民|群众|人员|专家|职工|员工|孩子|儿童|人)"
)
"""People who are counted without a measure word: 多少市民."""
_GENERAL = frozenset("个家所项种条款类位名处件例座台支只批门部张人")
"""What 几个 may count, said with a better measure word."""
_COUNTED_PEOPLE = _PERSON | frozenset({"例", "人次"})
_UNITS = (
    {"个": _GENERAL}
    | dict.fromkeys("人名位", _COUNTED_PEOPLE)
    | dict.fromkeys("家所", PLACE)
    | dict.fromkeys("项条种款", _THING)
    | {unit: frozenset({unit}) for unit in ("人次", *"亩间张座台套户批场辆枚株吨倍岁")}
    | dict.fromkeys("笔单", frozenset("笔单"))
    | dict.fromkeys("起宗件", frozenset("起宗件例"))
    | dict.fromkeys("部本册篇", frozenset("部本册篇"))
    | {
        "例": _COUNTED_PEOPLE | frozenset("件起宗台"),
        "次": frozenset({*"次回场轮", "人次"}),
        "回": frozenset("次回轮"),
    }
    | dict.fromkeys(("天", "工作日", "个工作日"), frozenset("天日"))
    | dict.fromkeys(("小时", "个小时", "钟头", "个钟头"), frozenset("小个时"))
    | dict.fromkeys(("星期", "个星期"), frozenset("周星个"))
    | {"个月": frozenset("个月"), "分钟": frozenset("分")}
    | {"钱": frozenset("元英美欧日块港"), "元": frozenset("元块"), "块钱": frozenset("元块美英")}
    | {"英镑": frozenset("英"), "美元": frozenset("美"), "欧元": frozenset("欧"), "日元": frozenset("日")}
)
"""Asked measure word -> measure words of an answer; others say too little."""
TIMES = frozenset(
    {*"年月天岁周", "个月", "分钟"}
    | {f"{of}{unit}" for of in ("", "个") for unit in ("工作日", "小时", "钟头", "星期")}
)
"""Asked measure words that say themselves what is counted."""
MEASURES = frozenset(
    "届味财类批处个家条项亩间张人名位元种所例件座台套只支次份天日年月周成倍岁分页期笔单户起宗款篇部本册辆枚株吨场"
) | {"人次"}
"""What stands behind a number and is none of these (553.99万参保人) is the thing itself."""
_NUMBER_OF = re.compile(r"(?<!指)数(?:量|目)?(?:[为是约]|达到?)?$|[(（]$")
"""What stands before a number that needs no measure word: 病床数为2.42，远低于德国(7.76)."""
_AREAS = frozenset("省市县区国")
_CALENDAR = frozenset("年月日号届期页财")
_MONEY = tuple(_UNITS[unit] for unit in ("钱", "元", "英镑", "美元", "欧元", "日元", "块钱"))
"""Money is always said as such: 影响因子7.5 is no price."""
DATES = frozenset({"year", "month", "day", "ordinal"})
"""Kinds of numbers that answer no 多少 and no measure word but that of time."""


_ASKS_ALL = re.compile(
    r"^(?!.*(?:新[增建设]|增加|提高|上升|[涨多添]了)[^，。]{0,8}(?:多少|几)).*(?:现在|目前|[总一]共|共有|[涨加调]完)"
)
_ADDED = re.compile(r"(?:新[增建设]|增加|提高|增长|上[涨升])(?![^，。；]*[到至为])[^，。；]{0,24}$")
"""What asks how many there are at all, and what a number of new ones stands behind: 提高30元 is not all of it."""
_ASKS_DONE = re.compile(r"实际|真正|最[后终][^，。？]{0,6}了")
_PLANNED = re.compile(r"(?:力争|争取|计划|目标|预计|[拟将]|打算|确保)[^。；]{0,24}$")
"""What asks for what has come of it, and what a number stands behind that is only aimed at: 力争80%以上."""


def fitting(count: re.Match[str], text: str) -> tuple[Quantity, ...]:
    """Return the numbers of `text` that answer what a question asks for by `count`, a match of `COUNT`."""
    asks_all, asks_done = _ASKS_ALL.search(count.string), _ASKS_DONE.search(count.string)
    found = (q for q in all_quantities(text) if not text[: q.start].endswith("每") and _fits(count, text, q))
    other = [pattern for asks, pattern in ((asks_all, _ADDED), (asks_done, _PLANNED)) if asks]
    return tuple(q for q in found if not any(pattern.search(text[: q.start]) for pattern in other))


def _fits(count: re.Match[str], text: str, quantity: Quantity) -> bool:
    unit, behind = count.group("unit"), measure(text, quantity)
    if count.group("percent") or unit == "成":
        return quantity.kind == "percent" or behind == "/"
    if unit == "年":
        return quantity.kind == "year" and quantity.value < LIFETIME
    wanted = _wanted(count)
    if wanted is None:
        surely = (
            quantity.text[0].isdigit() or quantity.kind == "percent" or (behind in MEASURES and quantity.value > 1)
        )
        return quantity.kind not in DATES and behind not in _CALENDAR and surely
    if quantity.kind not in {"plain", "day"} or (quantity.kind == "day" and wanted in _MONEY):
        return False
    named = bool(behind) and count.string.startswith(behind, count.end())
    return behind in wanted or named or (wanted not in _MONEY and _counts_by_itself(text, quantity))


def _wanted(count: re.Match[str]) -> frozenset[str] | None:
    """The measure words that answer a question for a number; None where any may."""
    unit = count.group("unit")
    wanted = _UNITS.get((unit or "").lstrip("万亿"))
    if unit == "个" and count.string[count.end() : count.end() + 1] in _AREAS:
        return frozenset({"个"})
    if unit in {None, "个"} and _PEOPLE.match(count.string, count.end()):
        return _COUNTED_PEOPLE | (wanted or frozenset())
    return wanted


def _counts_by_itself(text: str, quantity: Quantity) -> bool:
    """Whether a number in figures has what it counts right behind it, or nothing: 553.99万参保人, 病床数为2.42."""
    behind = measure(text, quantity)
    if not quantity.text[0].isdigit():
        return False
    if not behind.isalpha():
        return bool(_NUMBER_OF.search(text[: quantity.start]))
    return behind not in MEASURES and quantity.value >= SURELY


def measure(text: str, quantity: Quantity) -> str:
    """Return the measure word behind a number: 人次 whole, else its first character; 日 of a day, of 个工作日 too."""
    behind = text[quantity.end : quantity.end + 4].lstrip("余多 ")
    if quantity.kind == "day" or behind.startswith("个工作"):
        return "日"
    return "人次" if behind.startswith("人次") else behind[:1]


def with_measure(text: str, quantity: Quantity) -> str:
    """Return a number as it is written, with its measure word."""
    behind = "" if quantity.kind in {"percent", "point"} else measure(text, quantity)
    return quantity.text + (behind if behind.isalpha() else "")


def same_measure(one: str, other: str) -> bool:
    """Whether two measure words may count the same things: 5个 and 3项, 5块 and 5元."""
    return one == other or any(one in alike and other in alike for alike in (_PERSON, PLACE, _THING, _YUAN))
