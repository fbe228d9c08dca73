"""What the files of commands share: Chinese help pages, common options, opening the program, printing JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from rag.errors import UsageError

if TYPE_CHECKING:
    from rag.wiring import App

Json = Annotated[bool, typer.Option("--json", metavar="", help="输出 JSON，供程序读取")]
NoLlm = Annotated[bool, typer.Option("--no-llm", metavar="", help="不用大模型，直接摘录原文作答")]


class _ChineseHelp:
    """Gives typer's help pages Chinese titles; mixed into commands and groups."""

    def get_usage(self, ctx: Any) -> str:
        usage: str = super().get_usage(ctx)  # type: ignore[misc]
        return usage.replace("Usage: ", "用法：", 1)

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.help, option.metavar = "显示本帮助", ""
        return option

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from typer import rich_utils

        rich_utils.ARGUMENTS_PANEL_TITLE = "参数"
        rich_utils.OPTIONS_PANEL_TITLE = "选项"
        rich_utils.COMMANDS_PANEL_TITLE = "命令"
        rich_utils.DEFAULT_STRING = "〔默认：{}〕"
        rich_utils.REQUIRED_LONG_STRING = "〔必填〕"
        super().format_help(ctx, formatter)  # type: ignore[misc]


class _Command(_ChineseHelp, TyperCommand):
    """A command with Chinese help."""


class _Group(_ChineseHelp, TyperGroup):
    """A group of commands with Chinese help."""


def group(help_: str, **settings: Any) -> typer.Typer:
    """A group of commands with Chinese help."""
    return typer.Typer(
        cls=_Group,
        help=help_,
        options_metavar="[选项]",
        subcommand_metavar="命令 [参数]…",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        **settings,
    )


def command(of: typer.Typer, help_: str, name: str | None = None) -> Callable[[Any], Any]:
    """Make the function under it a command of a group, named as the function unless told."""
    return of.command(name, cls=_Command, options_metavar="[选项]", help=help_)


@contextmanager
def opened(ctx: typer.Context, *, stop_llm: bool = False) -> Iterator[App]:
    """Put the program together, and close it whatever happens."""
    app: App = ctx.obj()
    try:
        yield app
    finally:
        app.close(stop_llm=stop_llm)


def dumps(record: object) -> str:
    """One line of JSON, Chinese readable."""
    return json.dumps(record, ensure_ascii=False)


def emit(record: object) -> None:
    """Print a record as one line of JSON."""
    print(dumps(record))


def choice(option: str, value: str | None, *allowed: str) -> Any:
    """The value of an option, given or not. Raises `UsageError` where it is none of the allowed."""
    if value not in (None, *allowed):
        raise UsageError(f"{option} 的值不对：{value}", f"可用 {' 或 '.join(allowed)}")
    return value


def need_file(path: Path, what: str) -> None:
    """Raise `UsageError` where there is no such file."""
    if not path.is_file():
        raise UsageError(f"找不到{what} {path}", "请检查路径")
