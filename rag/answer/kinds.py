"""Tells by a question's wording what kind of answer it asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from rag.answer.question import asked_now, region_end
from rag.corpus.places import cities, place_spans, places


class Kind(StrEnum):
    """What kind of answer a question asks for; each has its prompt `answer_<kind>`."""

    FACT = "fact"
    LIST = "list"
    COMPARE = "compare"
    SUMMARY = "summary"


_COMPARE = re.compile(
    r"对比|比较(?!研究|试验|分析)|相比|比一比|区别|差异|异同|不同|不一样|各(?:是|有|到|做|占|为)多|谁更|差多少|"
    r"哪[个家省市边](?:省|市|医院|地方)?(?:更|的?.{0,3}[多少高低快慢大小])|(?<![占同环])比(?!例|重|率|如|上年|去年)[^，。]{0,12}(?:多|少|高|低|呢)"
)
_SUMMARY = re.compile(
    r"概括|总结|概述|[讲说]了(?:什么|啥)|主要[讲说講說](?:什么|啥)|主要内容|大意|简要|简单[讲说]|大概(?!是?多|是?几|有)|介绍一?下|归纳|要点|[讲说]讲|说说|[捋理]一?[下捋理]|梳理|"
    r"为什么|为啥|(?:什么|啥)(?:原因|缘故)|怎么回事|哪几方面"
)
_LIST = re.compile(
    r"哪[几些]|列(?:一下|出|举|全|个)|分别(?:是|有|叫)(?:什么|啥|哪|谁)|都有(?:谁|啥|什么)|几[件项条类大种点步批]|几个方面|(?:什么|啥|哪)样的|什么情况|[有是]啥|有什么(?:做法|举措|措施|要求|内容|特点|经验)|哪[一]?(?:三|四|五|六|七|八|九|十)|"
    r"(?:举措|措施|做法|任务|内容|原则|要求|方面|经验|步骤|工程|行动)(?:是|有)?(?:什么|哪|啥)|包括(?:什么|哪)|怎么[做干抓推管走培建]|(?:打算|准备|计划)怎么|怎么一步步|一步步怎么|咋[做干抓推管走]|[干做]了?些?(?:啥|什么)|如何"
)
_HOW_MANY = re.compile(
    r"(?<!哪)几[件项条类种](?=起步|了?$)|(?:已经?|还有|[一总]共|共有)[^，。？哪]{0,6}几[件项条类种]"
)
"""What asks for a number, not for the things that are numbered: 已经落地几项立项指南了."""
_AND_NATION = re.compile(r"全国(?:平均|水平)?(?:[是有]?(?:多少|几)|呢)")
"""What asks the same of the whole country as of the place that is named: 湖南多少，全国多少."""
_BESIDE = re.compile(r"[和与跟、]|及(?![时早])|同(?![步时期级类样一意])|还有|呢|各|分别|都")
"""What sets two places side by side."""
_ASKS = re.compile(r"多少|几|谁|什么|啥|哪|怎|如何")
_YES_OR_NO = re.compile(r"(?P<verb>[\u4e00-\u9fa5])不(?P=verb)|是否|能否|可否|会否|(?:[吗吧不没]|(?<!什)么)[？?]?$")


def sides(question: str) -> tuple[str, ...]:
    """Return the regions and cities that `question` names; a city right behind its region is one with it."""
    question = asked_now(question)
    ends = {region_end(question, end) for _, end, _ in place_spans(question)}
    own = [city for city in cities(question) if question.find(city) not in ends]
    return tuple(dict.fromkeys([*places(question), *own]))


def kind_of(question: str) -> Kind:
    """Return what kind of answer `question` asks for, by its wording and by how many regions it names."""
    named = sides(question)
    if (2 <= len(named) <= 4 and not _is_within(question, named)) or (named and _AND_NATION.search(question)):
        return Kind.COMPARE
    for kind, pattern in ((Kind.COMPARE, _COMPARE), (Kind.SUMMARY, _SUMMARY)):
        if pattern.search(question):
            return kind
    return Kind.LIST if _lists(question) else Kind.FACT


def _lists(question: str) -> bool:
    return bool(_LIST.search(_HOW_MANY.sub("", question)))


def _is_within(question: str, named: Sequence[str]) -> bool:
    """Whether of a region and a city the one may lie in the other: nothing sets them side by side."""
    question = asked_now(question)
    if len(named) != 2 or len(places(question)) != 1 or _COMPARE.search(question) or asks_yes_or_no(question):
        return False
    between = re.sub("|".join(map(re.escape, named)), "，", question)
    return not _BESIDE.search(between) and len(_ASKS.findall(between)) == 1


def asks_for_several(question: str) -> bool:
    """Whether `question` asks for several things: 哪几件事, 有什么举措."""
    return _lists(asked_now(question))


def asks_yes_or_no(question: str) -> bool:
    """Whether `question` is answered by yes or no: 要不要钱, 是否免费, 能报销吗."""
    return bool(_YES_OR_NO.search(asked_now(question)))
