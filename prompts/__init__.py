"""The prompts: one Markdown file each in this folder; `load` reads one, `scenario_texts` the task templates."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from string import Template

SCENARIOS = Path(__file__).with_name("scenarios")
"""The folder of the task templates that staff add; `rag.answer.scenarios` understands them."""


@cache
def load(name: str) -> Template:
    """Return prompt `name` (a file `name.md` in this folder) as a template with `$name` placeholders."""
    return Template((Path(__file__).parent / f"{name}.md").read_text(encoding="utf-8").strip())


def scenario_texts(folder: Path = SCENARIOS) -> dict[str, str]:
    """Return the text of every `.md` file of `folder` by its name; bytes that are no UTF-8 become U+FFFD."""
    paths = sorted(folder.glob("*.md"))
    return {path.stem: path.read_text(encoding="utf-8-sig", errors="replace") for path in paths}
