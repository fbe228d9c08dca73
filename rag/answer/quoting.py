"""Answers without an LLM: what was selected for the question, verbatim, each sentence its own citation."""

from __future__ import annotations

from rag.answer.citing import Aligned
from rag.answer.reading import Reading
from rag.schema import Support


def quote(reading: Reading, *, essential: bool = False) -> list[Aligned]:
    """Return the sentences that the reading selected, in the order of the text, or only the essential ones."""
    quotes = reading.essential if essential else reading.quotes
    return [Aligned(p.text, (p,), Support.FULL, ()) for p in quotes]
