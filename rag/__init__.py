"""From documents to cited answers. The parts are put together in `rag.wiring`; what programs use is named here.

    from rag import Assistant

    print(Assistant().answer("厦门有多少家定点医药机构接进了即时结算系统？").text)

Nothing is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag.answer.filters import Filters
    from rag.errors import WeiceError
    from rag.public import Assistant
    from rag.records import answer_record, evidence_record
    from rag.schema import Answer, Article, Citation, Evidence, Mode, Sentence, Support, Turn, Verdict

__all__ = [
    "Answer",
    "Article",
    "Assistant",
    "Citation",
    "Evidence",
    "Filters",
    "Mode",
    "Sentence",
    "Support",
    "Turn",
    "Verdict",
    "WeiceError",
    "answer_record",
    "evidence_record",
]

_HOMES = {
    "Assistant": "rag.public",
    "Filters": "rag.answer.filters",
    "WeiceError": "rag.errors",
    "answer_record": "rag.records",
    "evidence_record": "rag.records",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "rag.schema")), name)


def __dir__() -> list[str]:
    """Only the public names."""
    return __all__
