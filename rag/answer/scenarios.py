"""Task templates that staff add without code: a Markdown file each in `prompts/scenarios`, read whenever asked for.

A file opens with `field: value` lines between two lines of `---`; what follows is the prompt. A broken file is told
of when it is listed or chosen, and is in nobody's way before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from string import Template
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

import prompts
from rag.answer.kinds import Kind
from rag.errors import SettingsError, UsageError

_FILE = re.compile(r"\s*---[ \t]*\n(?P<front>.*?)^---[ \t]*\n(?P<prompt>.*)", re.DOTALL | re.MULTILINE)
_FIELD = re.compile("[:：]")
_PLACEHOLDERS = {"evidence", "question"}


@dataclass(frozen=True, slots=True)
class Scenario:
    """How one kind of task is answered: what evidence is read, the prompt, and the form of the answer.

    A limit that is None is the one that the program has anyway.
    """

    name: str
    """The file's name without `.md`."""
    title: Annotated[str, Field(min_length=1)]
    description: Annotated[str, Field(min_length=1)]
    kind: Kind
    prompt: str
    """A `string.Template` with `$evidence` and `$question`."""
    evidence_tokens: Annotated[int | None, Field(ge=100)] = None
    answer_tokens: Annotated[int | None, Field(ge=16)] = None
    table: bool = False
    """Whether a question that names several places is answered in a table, a row a place."""
    timeline: bool = False
    """Whether the answer's sentences are lines in the order of their dates."""


_SCENARIO = TypeAdapter(Scenario)
_FIELDS = tuple(field.name for field in fields(Scenario) if field.name not in {"name", "prompt"})
_WANTED = {
    "kind": f"应为 {'、'.join(Kind)} 之一",
    "evidence_tokens": "应为不小于 100 的整数",
    "answer_tokens": "应为不小于 16 的整数",
    "table": "应为 true 或 false",
    "timeline": "应为 true 或 false",
}


def scenarios(folder: Path = prompts.SCENARIOS) -> tuple[Scenario, ...]:
    """Return all scenarios, in the order of their file names. Raises `SettingsError` on a broken file."""
    found = tuple(_checked(name, text) for name, text in prompts.scenario_texts(folder).items())
    titles: dict[str, str] = {}
    for one in found:
        if (first := titles.setdefault(one.title, one.name)) != one.name:
            raise _broken(one.name, f"的 title 与 {first}.md 相同：{one.title}", "请改成不同的名称")
    return found


def scenario(wanted: str, folder: Path = prompts.SCENARIOS) -> Scenario:
    """Return the scenario of that file name or title.

    Raises `UsageError` where there is none, and `SettingsError` where its file is broken.
    """
    texts = prompts.scenario_texts(folder)
    titles = {name: _parsed(text)[0].get("title", name) for name, text in texts.items()}
    for name, text in texts.items():
        if wanted.strip() in {name, titles[name]}:
            return _checked(name, text)
    raise UsageError(f"没有场景“{wanted}”", f"可用的场景：{'、'.join(titles.values())}")


def chosen(wanted: str | None, folder: Path = prompts.SCENARIOS) -> Scenario | None:
    """Return the scenario that is asked for, None where nobody asks for one. Raises as `scenario` does."""
    return scenario(wanted, folder) if wanted and not wanted.isspace() else None


def _parsed(text: str) -> tuple[dict[str, str], str]:
    """The fields between the two lines of `---`, and the prompt behind them."""
    match = _FILE.match(text)
    if not match:
        return {}, text
    lines = [line for line in match.group("front").splitlines() if line.strip() and not line.startswith("#")]
    pairs = (_FIELD.split(line, maxsplit=1) for line in lines)
    return {pair[0].strip(): pair[-1].strip() for pair in pairs}, match.group("prompt").strip()


def _checked(name: str, text: str) -> Scenario:
    """The scenario that a file describes. Raises `SettingsError` naming file and field."""
    if "\ufffd" in text:
        raise _broken(name, "不是 UTF-8 编码", "请用 UTF-8 编码另存")
    front, prompt = _parsed(text)
    if unknown := [key for key in front if key not in _FIELDS]:
        raise _broken(name, f"有不认识的字段 {unknown[0]}", f"可用的字段：{'、'.join(_FIELDS)}")
    placeholders = set(Template(prompt).get_identifiers())
    try:
        found = _SCENARIO.validate_python({**front, "name": name, "prompt": prompt})
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        if not front.get(field):
            raise _broken(name, f"缺少字段 {field}", f"请在开头两行 --- 之间写上 {field}: …") from error
        raise _broken(name, f"字段 {field} 的值不对：{front[field]}", _WANTED[field]) from error
    if absent := sorted(_PLACEHOLDERS - placeholders):
        raise _broken(name, f"的提示词缺少 ${absent[0]}", "请在 --- 之后的提示词里写上")
    if unknown := sorted(placeholders - _PLACEHOLDERS):
        raise _broken(name, f"的提示词里有不认识的 ${unknown[0]}", "只能用 $evidence 和 $question")
    if not Template(prompt).is_valid():
        raise _broken(name, "的提示词里有单独的 $", "要写 $ 本身请写成 $$")
    return found


def _broken(name: str, what: str, next_step: str) -> SettingsError:
    return SettingsError(f"场景文件 {name}.md {what}", next_step)
