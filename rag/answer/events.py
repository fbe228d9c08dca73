"""What `Assistant.stream` tells while it works, in the order in which it happens.

A stream is: Stage…, EvidenceFound, Stage, Token…, Stage, Finished. The last event is always Finished.
"""

from __future__ import annotations

from dataclasses import dataclass

from rag.schema import Answer, Evidence


@dataclass(frozen=True, slots=True)
class Stage:
    """A step begins; `name` is Chinese and fit to be shown: 理解问题, 检索, 生成, 核对."""

    name: str


@dataclass(frozen=True, slots=True)
class EvidenceFound:
    """Retrieval is done: show these before the answer."""

    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the draft, not yet checked."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The checked answer."""

    answer: Answer


Event = Stage | EvidenceFound | Token | Finished
