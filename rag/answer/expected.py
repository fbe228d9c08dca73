"""Tells by a question's wording what kind of thing its answer must state: money, a share, a date, a district, a name.

A cited text that states nothing of the kind does not answer, however near it is. Rules only; what no row knows is
expected of nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rag.corpus.places import places

_MONEY = re.compile(
    r"\d[\d,.]*\s*[余多几]?[百千]?[万亿]*[余多]?\s*(?:元|英镑|美元|欧元|日元|人民币|块钱)|\d[万亿](?![\u4e00-\u9fa5])|(?:自付|花了?|报销了?|垫付)[\d.]+[万亿]|[一二三四五六七八九十百千万亿]+元"
)
_SHARE = re.compile(r"[%％‰]|百分之|[一二三四五六七八九]成|分之|百分点|全部|全覆盖|一半|半数")
_PHONE = re.compile(r"\d{5,}|\d{3,4}-\d{4,}|\b1[12]\d\b")
_RANK = re.compile(r"第\s*[一二三四五六七八九十\d]+(?![期版条批次页季])|[首末]位|榜首|之首|倒数|领跑|居首|仅次于")
_DAY = re.compile(r"\d\s*[日号](?!常|均)|当[天日]|次日|月底|年底|月初")
_MONTH = re.compile(r"\d\s*月|季度|年底|[上下]半年")
_YEAR = re.compile(r"(?:19|20)\d{2}|去年|今年|前年|明年|年[初末底]|[“十]四五")
_WHEN = re.compile(r"\d\s*[年月日天]|去年|今年|前年|明年|年[初末底]|季度|当[天日]|次日|日前|近日|世纪|期间|目前")
_DURATION = re.compile(
    r"\d\s*(?:个半?月|周|星期|天|小时|分钟|秒|个?工作日|个季度)|(?<!\d)\d{1,2}\s*[余多]?年|\d\s*日(?:之?内|以内)|"
    r"[一二两三四五六七八九十半几]+(?:年|个半?月|周|星期|天|日|小时|分钟|个工作日)|终身|永久|长期|每[年月周日天季]|季度|[至到][^，。]{0,8}[年月日底]|[年月日底]前"
)
_DISTRICT = re.compile(
    r"[\u4e00-\u9fa5]{2}(?<![个各全每地山社牧片辖治试化老园新郊该本外内城农矿库校院病厂市州属强级多大疫灾景])(?:区|县)(?![域级内医里直])"
)
_UNIT = re.compile(
    r"[\u4e00-\u9fa5]{2,}(?:医院|大学|学院|公司|研究院|研究所|委员会|局|协会|学会|集团|出版社|基金会|卫生健康委|办公室|党校)"
)
_SEVERAL_NAMES = re.compile(r"[“《][^”》]+[”》]|、")
_ANONYMOUS = re.compile(r"某[大零一家个公市省县医药]|某某(?=[医药公省市县])")


@dataclass(frozen=True, slots=True)
class Expected:
    """One kind of answer: how it is asked for, and whether a text states one that the question does not name."""

    name: str
    asked: re.Pattern[str]
    states: Callable[[str, str], bool]
    """Of the text and the question."""


def _pattern(pattern: re.Pattern[str]) -> Callable[[str, str], bool]:
    return lambda text, _: bool(pattern.search(text))


def _new(pattern: re.Pattern[str]) -> Callable[[str, str], bool]:
    return lambda text, question: any(match.group() not in question for match in pattern.finditer(text))


EXPECTED = (
    Expected(
        "金额",
        re.compile(
            r"(?:产值|收入|支出|投入|资金|基金|经费|费用|营收|销售额|规模)[^，。？]{0,6}多少[万亿]|多少(?:钱|经费|资金|费用)|几(?:块|元)钱|花了?多少|罚了?多少(?!家|人)|(?:经费|年薪|造价|成本|花销)(?:是|有)?多少"
        ),
        _pattern(_MONEY),
    ),
    Expected(
        "比例",
        re.compile(
            r"百分之(?:几|多少)|几成|多[大高](?:的)?(?:比例|占比|比重)|(?:占比|比例|比重)(?:是|为|有|达到?)?多"
        ),
        _pattern(_SHARE),
    ),
    Expected(
        "电话",
        re.compile(
            r"(?:电话|热线|号码)[^，。？]{0,4}多少|打(?:多少号?|哪个号?)(?:$|[？?])|打(?:哪个|什么|啥)(?:电话|热线|号)"
        ),
        _pattern(_PHONE),
    ),
    Expected("名次", re.compile(r"第几[名位]|排(?:名|在|到|列)?第几(?![项条件个])|排名(?:多少|几)"), _pattern(_RANK)),
    Expected("日期", re.compile(r"哪[一]?天|几[号日](?!线)|几月几"), _pattern(_DAY)),
    Expected("月份", re.compile(r"几月|哪个月"), _pattern(_MONTH)),
    Expected("年份", re.compile(r"哪[一]?年"), _pattern(_YEAR)),
    Expected("时间", re.compile(r"什么时候|何时|啥时候|多会儿|时间是"), _pattern(_WHEN)),
    Expected(
        "时长",
        re.compile(r"多久|多长(?:时间)?(?=[^，。？]{0,8}$|[^，。？]{0,8}[，。？])"),
        _pattern(_DURATION),
    ),
    Expected(
        "区县", re.compile(r"哪(?:些|几|[二两三四五六七八九十])?个?(?:区|县|区县|县区)(?![域级])"), _new(_DISTRICT)
    ),
    Expected(
        "省份",
        re.compile(r"哪(?:些|几|[二两三四五六七八九十])?个?省"),
        lambda text, question: len(places(question)) > 1 or bool(set(places(text)) - set(places(question))),
    ),
    Expected("单位", re.compile(r"(?:哪[家个]|什么|哪)单位|在哪(?:里|儿)?(?:任职|工作|上班)"), _new(_UNIT)),
    Expected(
        "名称",
        re.compile(r"(?:叫|是)(?:什么|啥)名|全[名称]|(?:名字|名称)(?:是|叫)|哪家(?!单位)"),
        lambda text, _: not _ANONYMOUS.search(text),
    ),
    Expected(
        "名称",
        re.compile(r"[那这哪][二两三四五六几\d][个家款种项][^，。？]{0,12}(?:叫|是)(?:什么|啥)"),
        _pattern(_SEVERAL_NAMES),
    ),
)


def unstated(question: str, texts: list[str]) -> tuple[str, ...]:
    """Return what `question` expects to be stated and none of the `texts` states."""
    wanted = [kind for kind in EXPECTED if kind.asked.search(question)]
    return tuple(kind.name for kind in wanted if not any(kind.states(text, question) for text in texts))
