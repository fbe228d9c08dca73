"""The provincial-level regions of China: their names as people write them, and where a text names them.

Cities and countries are read from `cities.txt`; counties are not known as places.
"""

from __future__ import annotations

import re
from pathlib import Path

_NAMES = [
    "北京",
    "天津",
    "河北",
    "山西",
    "内蒙古",
    "辽宁",
    "吉林",
    "黑龙江",
    "上海",
    "江苏",
    "浙江",
    "安徽",
    "福建",
    "江西",
    "山东",
    "河南",
    "湖北",
    "湖南",
    "广东",
    "广西",
    "海南",
    "重庆",
    "四川",
    "贵州",
    "云南",
    "西藏",
    "陕西",
    "甘肃",
    "青海",
    "宁夏",
    "新疆",
    "香港",
    "澳门",
    "台湾",
]
_ALIASES = {
    "新疆生产建设兵团": "新疆生产建设兵团",
    "新疆兵团": "新疆生产建设兵团",
    "建设兵团": "新疆生产建设兵团",
    "兵团": "新疆生产建设兵团",
    "内蒙": "内蒙古",
    "京津冀": "京津冀",
    **{name: name for name in _NAMES},
}
_CITIES = re.compile(
    "|".join(
        sorted(
            (
                name
                for line in Path(__file__).with_name("cities.txt").read_text(encoding="utf-8").splitlines()
                if not line.startswith("#")
                for name in line.split()
            ),
            key=len,
            reverse=True,
        )
    )
)
_PATTERN = re.compile("|".join(sorted(_ALIASES, key=len, reverse=True)))


def places(text: str) -> tuple[str, ...]:
    """Return the regions that `text` names, by their usual short name, in order and once each."""
    return tuple(dict.fromkeys(_ALIASES[match.group()] for match in _PATTERN.finditer(text)))


def place_spans(text: str) -> list[tuple[int, int, str]]:
    """Return (start, end, usual short name) of each region named in `text`."""
    return [(m.start(), m.end(), _ALIASES[m.group()]) for m in _PATTERN.finditer(text)]


def cities(text: str) -> tuple[str, ...]:
    """Return the cities and countries that `text` names, once each."""
    return tuple(dict.fromkeys(_CITIES.findall(text)))
