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
_SHARE = re.compile(r"[%％‰]|\d/\d|百分之|[一二三四五六七八九]成|分之|百分点|全部|全覆盖|一半|半数")
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
_SURNAMES = (
    "赵钱孙李周吴郑王冯陈卫蒋沈韩杨朱秦许何吕张孔曹严华金魏陶姜谢邹窦章苏潘葛范彭鲁马方俞任袁柳唐罗薛贺倪汤殷毕郝安常傅齐康伍余顾孟黄穆萧尹姚邵汪毛"
    "狄米戴宋庞熊纪舒项祝董梁杜阮蓝闵席季贾江童颜郭梅盛林钟徐邱骆高夏蔡田樊胡凌霍虞万柯管卢莫房缪解应丁邓郁单洪包左石崔吉龚程邢裴陆翁段侯刘龙叶黎白赖乔"
    "闻党翟谭申冉边尚温庄瞿阎连习容向古易廖欧聂曾关查简付肖闫岳覃韦"
)
_ROLES = (
    "院长|主任|局长|厅长|处长|市长|书记|委员|代表|校长|会长|所长|主席|负责人"
    "|主编|作者|研究员|教授|院士|医师|医生|大师|专家"
)
_PERSON = re.compile(
    rf"(?:{_ROLES})\s*[{_SURNAMES}][\u4e00-\u9fa5]{{1,2}}"
    r"(?=表示|介绍|认为|指出|说|提|主编|率|就|关注|到|对|在|等|及|和|领衔|[，。、；：:,;\s]|$)"
    rf"|[{_SURNAMES}][\u4e00-\u9fa5]{{1,2}}(?:院士|教授|研究员|主编)|[\u4e00-\u9fa5]·[\u4e00-\u9fa5]|某某"
)
"""A person's name: a surname behind or before what the person is, or a foreign one; 熊某某 is as much as is told."""
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
            r"(?:产值|收入|支出|投入|资金|基金|经费|费用|营收|销售额|规模)[^，。？]{0,6}多少[万亿]|多少(?:钱|经费|资金|费用?|预算|保费|医保钱)|多少(?![条个家项种笔起次件])[\u4e00-\u9fa5]{1,4}(?:费用|金额|资金|经费)(?!项|监|管|类)|几(?:块|元)钱|花了?多少|罚了?多少(?!家|人)|(?:经费|预算|保费|年薪|造价|成本|花销)(?:是|有)?多少|赔了?多少$"
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
    Expected(
        "姓名",
        re.compile(
            r"(?:院长|主任|局长|厅长|书记|校长|会长|所长|主席|负责人|主编|作者|领导|一把手)[^，。？]{0,4}(?:是谁|是哪[一]?位|叫(?:什么|啥)|姓(?:什么|啥))|"
            r"谁(?:主编|写|签|牵头编)|(?:主编|发言|签字)的[^，。？]{0,2}是谁"
        ),
        _pattern(_PERSON),
    ),
    Expected("期号", re.compile(r"第几期|哪[一]?期"), _pattern(re.compile(r"\d\s*期|第[一二三四五六七八九十]+期"))),
    Expected("页码", re.compile(r"第几页|哪[一]?页"), _pattern(re.compile(r"第\s*\d+\s*页"))),
    Expected("单位", re.compile(r"(?:哪[家个]|什么|哪)单位|在哪(?:里|儿)?(?:任职|工作|上班)"), _new(_UNIT)),
    Expected(
        "名称",
        re.compile(r"(?:叫|是)(?:什么|啥)名|全[名称]|名(?:字|称)?(?:是|叫)|哪家(?!单位)"),
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
