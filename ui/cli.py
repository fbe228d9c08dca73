"""The command `weice`: reads arguments, calls `rag.wiring.App`, prints. It does no work of its own.

Exit codes: 0 ok, 1 failed, 2 wrong usage, 130 interrupted. Every error is one Chinese line on stderr.
"""
# heavy imports wait for the command that needs them: `weice --help` answers at once

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

from rag.errors import UsageError, WeiceError
from ui.cli_eval import evaluation
from ui.cli_users import keys, users
from ui.commands import Json, NoLlm, choice, command, dumps, emit, group, need_file, opened

if TYPE_CHECKING:
    from rag.schema import Answer, Turn
    from rag.wiring import App

Build = Callable[[], "App"]
"""Puts the program together; tests give their own."""

cli = group(
    "卫策问答：只依据卫生政策资料回答问题，每句都注明出处。",
    context_settings={"help_option_names": ["-h", "--help"]},
)
library = group("查看资料库里的文章。")
models = group("下载、校验、列出模型。")
cli.add_typer(library, name="library")
cli.add_typer(models, name="models")
cli.add_typer(evaluation, name="eval")
cli.add_typer(users, name="user")
cli.add_typer(keys, name="key")

Question = Annotated[str, typer.Argument(metavar="问题", help="要问的内容")]
Name = Annotated[
    list[str] | None, typer.Option("--name", metavar="刊物", help="只在这种刊物里找，写一部分即可，可写几次，下同")
]
IssueName = Annotated[
    list[str] | None, typer.Option("--issue", metavar="期号", help="只在这一期里找，如 2025年第4期")
]
ColumnName = Annotated[list[str] | None, typer.Option("--column-name", metavar="栏目", help="只在这个栏目里找")]
Source = Annotated[list[str] | None, typer.Option("--source", metavar="来源", help="只在这个来源的文章里找")]
Since = Annotated[str | None, typer.Option("--since", metavar="日期", help="只在这天以后的各期里找，如 2025-02-11")]
Until = Annotated[str | None, typer.Option("--until", metavar="日期", help="只在这天以前的各期里找")]


@cli.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", metavar="", help="出错时显示详细信息（可写在任何位置）")] = False,
) -> None:
    """Show `--debug` in the help; `main` takes it out before the arguments come here."""


@command(cli, "回答一个问题，附出处。")
def ask(
    ctx: typer.Context,
    question: Question,
    as_json: Json = False,
    no_llm: NoLlm = False,
    history: Annotated[
        Path | None,
        typer.Option("--history", metavar="文件", help='上文，JSON：[{"user": "…", "assistant": "…"}]'),
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option("--scenario", metavar="名称", help="按场景作答，如 政策速览；weice scenarios 列出全部"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="文件", help="另存为 .docx、.md 或 .txt")
    ] = None,
    name: Name = None,
    issue: IssueName = None,
    column_name: ColumnName = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Answer one question, streamed, or as one JSON object; with `-o` into a file too."""
    from rag.answer.filters import of
    from rag.answer.scenarios import chosen
    from rag.export import check_form, exported
    from rag.records import answer_record
    from ui import terminal

    _need(question)
    if output is not None:
        check_form(output)
    turns = _read_history(history)
    task = chosen(scenario)
    wanted = of(name, issue, column_name, source, since, until)
    with opened(ctx) as app:
        assistant = app.assistant(use_llm=not no_llm, within=app.held_to(wanted))
        answer: Answer | None
        if as_json:
            answer = assistant.answer(question, turns, task)
            emit(answer_record(answer))
        else:
            answer = terminal.show_events(assistant.stream(question, turns, task))
        if output is not None and answer is not None:
            exported(output, [answer_record(answer)])
            terminal.tell(f"已存为 {output}")


@command(cli, "列出任务场景，作答时用 ask --scenario 选用。")
def scenarios(as_json: Json = False) -> None:
    """List the task templates that `ask --scenario` takes."""
    from rag.answer.scenarios import scenarios as known

    found = known()
    if as_json:
        emit({"scenarios": [{"name": s.name, "title": s.title, "description": s.description} for s in found]})
    else:
        for one in found:
            print(f"{one.title}（{one.name}）：{one.description}")


@command(cli, "只检索，列出最相关的段落。")
def search(
    ctx: typer.Context,
    question: Question,
    as_json: Json = False,
    k: Annotated[int | None, typer.Option("-k", metavar="段数", min=1, max=100, help="列出几段")] = None,
    name: Name = None,
    issue: IssueName = None,
    column_name: ColumnName = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Print the passages found for a question."""
    from rag.answer.filters import of

    _need(question)
    wanted = of(name, issue, column_name, source, since, until)
    with opened(ctx) as app:
        evidence = app.search(question, k=k, within=app.held_to(wanted))
        if as_json:
            from rag.records import evidence_record

            emit({"retrieved": [evidence_record(item) for item in evidence]})
        else:
            from ui import terminal

            out = terminal.console()
            terminal.show_evidence(out, evidence)
            if not evidence:
                out.print("没有找到相关内容。")


@command(cli, "建立或更新索引；给出文件则先收进资料库。只处理有变化的文件。")
def index(
    ctx: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(metavar="[文件]…", help="要收进资料库的文件")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", metavar="", help="全部重新解析和计算")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", metavar="", help="没有变化时不打印报告")] = False,
    as_json: Json = False,
) -> None:
    """Bring the index up to date and print the parse report."""
    from ui import terminal

    for path in files or []:
        if not path.exists():
            raise UsageError(f"找不到文件 {path}", "请检查路径")
    with opened(ctx) as app, terminal.progress_bars() as progress:
        if files:
            app.add_files(files)
        report = app.build_index(progress, rebuild=rebuild)
    if as_json:
        from dataclasses import asdict

        emit(asdict(report))
    elif not (quiet and report.unchanged):
        terminal.show_build(terminal.console(), report)
    if any(file.error for file in report.files):
        raise typer.Exit(1)


@command(library, "按原文次序列出全部文章。", "list")
def library_list(ctx: typer.Context, as_json: Json = False) -> None:
    """List the articles; with --json an array, one object an article."""
    with opened(ctx) as app:
        articles = app.index.articles
    if as_json:
        from rag.records import article_record

        print("[" + ",\n".join(dumps(article_record(article)) for article in articles) + "]")
    else:
        from ui import terminal

        terminal.show_articles(terminal.console(), articles)


@command(library, "显示一篇文章的全文。", "show")
def library_show(
    ctx: typer.Context,
    article: Annotated[str, typer.Argument(metavar="编号或标题", help="文章编号，或标题（可只写一部分）")],
    as_json: Json = False,
) -> None:
    """Show one article whole, found by id or title."""
    with opened(ctx) as app:
        articles = app.index.articles
    wanted = article.strip()
    found = (
        [a for a in articles if a.id == wanted]
        or [a for a in articles if a.title == wanted]
        or [a for a in articles if wanted and wanted in a.title]
    )
    if not found:
        raise WeiceError(f"资料库里没有“{wanted}”", "运行 weice library list 查看全部文章")
    if len(found) > 1:
        titles = "、".join(f"{a.title}〔{a.id}〕" for a in found[:5])
        raise WeiceError(f"有 {len(found)} 篇文章符合“{wanted}”：{titles}", "请写出编号")
    if as_json:
        from rag.records import article_record

        emit({**article_record(found[0]), "id": found[0].id, "text": found[0].text})
    else:
        from ui import terminal

        terminal.show_article(terminal.console(), found[0])


@command(models, "下载并校验模型，已有的不再下载。", "pull")
def models_pull(ctx: typer.Context) -> None:
    """Fetch what is missing."""
    from ui import terminal

    with opened(ctx) as app, terminal.progress_bars() as progress:
        app.pull_models(progress)
    print("模型已就绪。")


@command(models, "校验模型文件，指出缺失或被改动的文件。", "verify")
def models_verify(ctx: typer.Context) -> None:
    """Check every model file; exit 1 where one is missing or changed."""
    with opened(ctx) as app:
        problems = app.verify_models()
    for problem in problems:
        print(f"{problem.file}：{problem.what}")
    if problems:
        raise WeiceError(f"{len(problems)} 个模型文件有问题", "运行 weice models pull 补齐，完好的文件会保留")
    print("模型文件完好。")


@command(models, "列出已有的模型。", "list")
def models_list(ctx: typer.Context) -> None:
    """List the models that are there."""
    with opened(ctx) as app:
        from ui import terminal

        terminal.show_models(terminal.console(), app.models.list())


@command(cli, "成批回答问题清单，可中断后接着做。")
def batch(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="问题文件", help=".xlsx、.csv、.txt（一行一个问题）或 .jsonl")],
    target: Annotated[
        Path, typer.Option("-o", "--output", metavar="文件", help="结果文件：.xlsx、.csv、.jsonl 或 .docx")
    ],
    sheet: Annotated[str | None, typer.Option("--sheet", metavar="名称", help="工作簿里的哪张表，默认第一张")] = None,
    column: Annotated[
        str | None, typer.Option("--column", metavar="列名", help="问题在哪一列（列名或字母），默认自己找")
    ] = None,
    scenario: Annotated[
        str | None, typer.Option("--scenario", metavar="名称", help="按场景作答；“场景”列另写了的行除外")
    ] = None,
    no_llm: NoLlm = False,
    limit: Annotated[int | None, typer.Option("--limit", metavar="条数", min=1, help="只回答前几条")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="个数", min=1, max=64, help="同时问大模型接口几条，默认 4")
    ] = None,
    retry: Annotated[
        str | None,
        typer.Option(
            "--retry", metavar="哪些", help="重问：failed 失败的，另加 partial 部分回答、refused 未找到，或 all"
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", metavar="", help="只看会问什么，不提问也不写文件")] = False,
) -> None:
    """Answer a list of questions, skipping those already answered."""
    from ui import terminal

    need_file(source, "问题文件")
    chosen: Any = choice("--retry", retry, "failed", "partial", "refused", "all")
    how: dict[str, Any] = {"use_llm": not no_llm, "limit": limit, "sheet": sheet, "column": column}
    how |= {"scenario": scenario, "say": terminal.tell}
    with opened(ctx) as app:
        if dry_run:
            terminal.show_plan(app.plan_batch(source, target, **how))
            return
        try:
            with terminal.progress_bars() as progress:
                report = app.run_batch(source, target, workers=workers, retry=chosen, progress=progress, **how)
        except KeyboardInterrupt:
            terminal.tell("已答的都已存好，再运行同一命令就从断处继续")
            raise
    terminal.show_batch(report)
    if report.failed:
        raise typer.Exit(1)


@command(cli, "打开问答网页和接口（默认只在本机可见）。")
def serve(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option("--host", metavar="地址", help="默认 127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option("--port", metavar="端口", min=1, max=65535, help="默认 7860")] = None,
    no_llm: NoLlm = False,
    api_only: Annotated[bool, typer.Option("--api-only", metavar="", help="只开接口，不开网页")] = False,
    root_path: Annotated[
        str | None, typer.Option("--root-path", metavar="路径", help="反向代理把它放在哪个路径下，如 /weice")
    ] = None,
) -> None:
    """Serve page and API until Ctrl-C."""
    with opened(ctx, stop_llm=True) as app:
        from ui.serve import serve as run

        run(
            app,
            host=host or app.settings.host,
            port=port or app.settings.port,
            use_llm=not no_llm,
            api_only=api_only,
            root_path=root_path,
        )


@command(cli, "MCP 服务（标准输入输出），供别的智能助手提问、检索、读文章。")
def mcp(ctx: typer.Context, no_llm: NoLlm = False) -> None:
    """Serve the MCP tools over standard input and output until the other side hangs up."""
    with opened(ctx, stop_llm=True) as app:
        from ui.serve import serve_tools

        serve_tools(app, use_llm=not no_llm)


@command(cli, "检查模型、索引、大模型、磁盘和端口，说明怎么处理。")
def doctor(ctx: typer.Context, as_json: Json = False) -> None:
    """Check everything; exit 1 where something fails."""
    from ui.doctor import check, show

    with opened(ctx) as app:
        rows = check(app)
    if as_json:
        emit({"checks": [row.record() for row in rows]})
    else:
        show(rows)
    if any(row.state == "失败" for row in rows):
        raise typer.Exit(1)


def main(argv: Sequence[str] | None = None, build: Build | None = None) -> int:
    """Run the command line and return its exit code; `build` puts the program together."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]  # TextIO in general
    args, debug = _take_debug(list(sys.argv[1:] if argv is None else argv))
    try:
        program = typer.main.get_command(cli)
        code = program.main(args=args, prog_name="weice", standalone_mode=False, obj=build or _build)
    except Exception as error:  # noqa: BLE001  # the outermost line: whatever it is becomes one line and a code
        if debug:
            import traceback

            traceback.print_exc()
        line, code = _told(error)
        _complain(line)
        return code
    if code == _INTERRUPTED:
        print("\n已中断。", file=sys.stderr)
    return int(code or 0)


_INTERRUPTED = 130


def _build() -> App:
    from rag import settings, wiring

    return wiring.App(settings.load())


def _take_debug(args: list[str]) -> tuple[list[str], bool]:
    """Take `--debug` out of the arguments, wherever it stands before a lone `--`."""
    end = args.index("--") if "--" in args else len(args)
    return [arg for arg in args[:end] if arg != "--debug"] + args[end:], "--debug" in args[:end]


def _told(error: Exception) -> tuple[str, int]:
    """One Chinese line for any error, and its exit code."""
    match error:
        case UsageError():
            return str(error), 2
        case WeiceError():
            return str(error), 1
        case TyperException():
            return _wrong_usage(error), 2
        case OSError():
            where = f"：{error.filename}" if error.filename else ""
            return f"系统错误（{error.strerror or error}）{where}。请检查路径、权限和磁盘空间", 1
        case _:
            return f"程序内部错误（{type(error).__name__}: {error}）。请加 --debug 重试并报告", 1


def _wrong_usage(error: TyperException) -> str:
    """What was wrong with the arguments, in Chinese; the classes are typer's own, known by name."""
    option, parameter = getattr(error, "option_name", ""), getattr(error, "param", None)
    name = ""
    if parameter is not None:
        name = "/".join(parameter.opts) if parameter.param_type_name == "option" else parameter.metavar
    what = {
        "NoArgsIsHelpError": "请写出要用的命令",
        "NoSuchOption": f"没有选项 {option}",
        "MissingParameter": f"缺少 {name}",
        "BadParameter": f"{name} 的值不对{_allowed(parameter)}",
        "BadOptionUsage": f"选项 {option} 的用法不对，可能缺少值",
    }.get(type(error).__name__)
    if what is None:
        unknown = re.search(r"'(.+?)'|\((?!s\))(.+)\)", error.message)
        what = f"不认识的命令或多余的参数：{unknown[1] or unknown[2]}" if unknown else error.message
    ctx = getattr(error, "ctx", None)
    return f"{what}。运行 {ctx.command_path if ctx is not None else 'weice'} --help 查看用法"


def _allowed(parameter: Any) -> str:
    least, most = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if least is None:
        return ""
    return f"，应为 {least} 到 {most} 的整数" if most is not None else f"，应为不小于 {least} 的整数"


def _complain(line: str) -> None:
    print("错误：" + " ".join(line.split()), file=sys.stderr)


def _need(question: str) -> None:
    if not question.strip():
        raise UsageError("问题是空的", '请写出要问的内容，例如 weice ask "厦门有多少家定点医药机构？"')


def _read_history(path: Path | None) -> tuple[Turn, ...]:
    """Read earlier turns. Raises `UsageError` where the file is no list of user/assistant pairs."""
    if path is None:
        return ()
    from rag.schema import Turn

    try:
        turns = json.loads(path.read_text(encoding="utf-8-sig"))
        return tuple(Turn(str(turn["user"]), str(turn["assistant"])) for turn in turns)
    except OSError as error:
        raise UsageError(f"上文文件读不了：{path}（{error.strerror}）", "请检查路径") from error
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"上文文件格式不对：{path}", '应为 JSON：[{"user": "…", "assistant": "…"}]') from error


if __name__ == "__main__":
    sys.exit(main())
