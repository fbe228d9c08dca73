"""The newsletter layouts as a table: a new layout is a new module and a new row here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.corpus.layouts import bulletin, viewpoint
from rag.corpus.parsed import ParsedIssue


@dataclass(frozen=True, slots=True)
class Layout:
    """One row: `fits` tells from the pages whether they are printed so, `parse` reads them."""

    name: str
    fits: Callable[[Sequence[str]], bool]
    parse: Callable[[str, Sequence[str]], ParsedIssue]


LAYOUTS = (
    Layout(bulletin.NAME, bulletin.fits, bulletin.parse),
    Layout(viewpoint.NAME, viewpoint.fits, viewpoint.parse),
)
