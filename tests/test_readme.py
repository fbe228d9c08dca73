"""README tells the truth about the tree and the commands."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from tests.builders import ROOT
from ui.cli import cli

README = (ROOT / "README.md").read_text(encoding="utf-8")


def _named() -> set[str]:
    """The Python files of the tree in README, by their path below the project."""
    block = next(
        b for b in re.findall(r"^```\w*\n(.*?)^```", README, re.DOTALL | re.MULTILINE) if b.startswith("prompts/")
    )
    folders: list[str] = []
    found = set()
    for line in block.splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        del folders[depth:]
        if name.endswith("/"):
            folders.append(name)
        elif name.endswith(".py"):
            found.add("".join(folders) + name)
    return found


def test_the_tree_names_every_file_of_the_packages_and_no_other() -> None:
    packages = ("rag", "eval", "ui", "prompts")
    there = {p.relative_to(ROOT).as_posix() for package in packages for p in (ROOT / package).rglob("*.py")}
    plain = {path for path in there if not path.endswith("__init__.py") or Path(path).parts[:2] == ("prompts",)}
    marked = {"prompts/__init__.py", "rag/corpus/layouts/__init__.py"}
    assert _named() == {p for p in plain if not p.endswith("__init__.py")} | marked


def test_every_command_that_readme_shows_is_there() -> None:
    shown = set(re.findall(r"`weice ([a-z]+)", README))
    commands = set(typer.main.get_command(cli).commands)  # type: ignore[attr-defined]  # a group
    assert shown == commands


def test_every_picture_that_readme_shows_is_there_and_loads_quickly() -> None:
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)|<img src=\"([^\"]+)\"", README)
    pictures = [ROOT / (one or other) for one, other in shown]
    assert len(pictures) == 2
    for picture in pictures:
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.stat().st_size < 250_000
