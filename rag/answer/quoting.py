"""Answers without an LLM: the best sentences, verbatim, each its own citation."""

from __future__ import annotations

from rag.answer.citing import Aligned
from rag.answer.reading import Kind, Reading
from rag.schema import Support

_SENTENCES = {Kind.FACT: 2, Kind.COMPARE: 4, Kind.LIST: 8, Kind.SUMMARY: 5}
"""Quoted sentences by the kind of answer."""


def quote(reading: Reading) -> list[Aligned]:
    """Return the best sentences of the reading, in the library's order; headings alone are not quoted."""
    chosen = list(reading.passages[: _SENTENCES[reading.kind]])
    chosen.sort(key=lambda p: p.key)
    return [Aligned(p.text, (p,), Support.FULL, ()) for p in chosen]
