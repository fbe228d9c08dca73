"""Which kind of institution a number counts: 127家医院 is no number of 中医馆.

Words of the corpus are alike by their meaning, and 医院 and 中医馆 are; what is counted must be the thing itself.
Institutions that no word here names are left to the likeness of words.
"""

from __future__ import annotations

import re
from itertools import permutations

from rag.answer.numbers import Quantity

_KINDS = (
    ("医院", "三甲", "二甲"),
    ("卫生院", "乡镇医院", "镇医院", "乡医院"),
    ("卫生室", "卫生所", "卫生站", "村诊所", "村医务室"),
    ("社区卫生服务中心", "社区卫生服务站", "社区卫生中心", "社区医院", "卫生服务中心", "卫生服务站"),
    ("中医馆", "中医药馆", "国医馆", "国医堂"),
    ("中医阁",),
    ("诊所", "门诊部"),
    ("药店", "药房"),
    ("养老机构", "养老院", "敬老院", "福利院"),
    ("企业", "公司", "药企", "厂家", "药厂", "工厂"),
    ("学校", "院校", "高校", "大学", "中学", "小学"),
    ("幼儿园",),
)
"""Institutions, those of a line of one kind; of two words that stand in a text at one place the longer counts."""
_MEDICAL = frozenset({_KINDS[0], _KINDS[1], _KINDS[3]})
"""What 医疗机构 may be said for."""
_GENERAL = ("机构", "基层医院")
"""What is said for institutions of several kinds."""
_KIND_OF = {word: kind for kind in (*_KINDS, _GENERAL) for word in kind}
_WORD = re.compile("|".join(sorted(_KIND_OF, key=len, reverse=True)))
_OWNERS = tuple(permutations((re.compile("公立"), re.compile("民营|私立|社会办"))))
_GRADES = ("三甲", "二甲", "三级", "二级")
_CLAUSE = re.compile(r"[，。；：！？,;:!?\d]")
_ENDS = re.compile(r"[余多]?[家所个]?(?:左右|以上)?、")
"""What stands behind a number that what it counts stands before: 中医医院7家、."""
_REACH = 24
"""Characters behind a number within which stands what it counts."""


def through(text: str, end: int) -> int:
    """Return where the institution ends that begins at `end` of `text`, `end` itself where none does: 中医|诊所."""
    match = _WORD.match(text, end)
    return match.end() if match else end


def speaks_of(thing: str, text: str) -> bool | None:
    """Whether `text` names institutions of the kind that `thing`, a noun, names; None where that is of no kind."""
    asked = _kinds(thing) - {_GENERAL}
    return _agree(asked, _kinds(text)) if asked else None


def counts(thing: str, text: str, quantity: Quantity) -> bool | None:
    """Whether a number of `text` counts institutions of the kind that `thing`, a noun, names.

    What is counted stands behind the number, else before it: 护理机构超过8000家. None where either is of no kind.
    """
    asked = _kinds(thing) - {_GENERAL}
    behind = _CLAUSE.split(text[quantity.end : quantity.end + _REACH])[0]
    counted = (
        behind if _WORD.search(behind) and not _ENDS.match(behind) else _CLAUSE.split(text[: quantity.start])[-1]
    )
    told = _kinds(counted)
    if not asked or not told:
        return None
    owned = any(one.search(thing) and not one.search(counted) and other.search(counted) for one, other in _OWNERS)
    graded = any(grade in thing and grade not in counted for grade in _GRADES)
    return not owned and not graded and _agree(asked, told)


def _agree(asked: frozenset[tuple[str, ...]], told: frozenset[tuple[str, ...]]) -> bool:
    return not asked.isdisjoint(told) or (_GENERAL in told and not asked.isdisjoint(_MEDICAL))


def _kinds(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(_KIND_OF[word] for word in _WORD.findall(text))
