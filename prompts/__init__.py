"""The prompts: one Markdown file each in this folder, and `load` to read one."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template


@cache
def load(name: str) -> Template:
    """Return prompt `name` (a file `name.md` in this folder) as a template with `$name` placeholders."""
    return Template((Path(__file__).parent / f"{name}.md").read_text(encoding="utf-8").strip())
