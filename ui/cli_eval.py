"""The commands `weice eval …`: read arguments, call `eval`, print. They measure nothing themselves."""
# heavy imports wait for the command that needs them: `weice --help` answers at once

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from rag.errors import UsageError, WeiceError
from ui.commands import Json, NoLlm, choice, command, dumps, emit, group, need_file, opened

evaluation = group("测量检索与回答的质量。")


@command(evaluation, "在问题集上提问、评分，可中断后接着做。", "run")
def eval_run(
    ctx: typer.Context,
    dataset: Annotated[Path, typer.Argument(metavar="问题集", help="JSONL，一行一道题")],
    split: Annotated[
        str | None, typer.Option("--split", metavar="划分", help="只用 dev（可据以调整）或 test（只用来检验）")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="题数", min=1, help="最多问几道题")] = None,
    only: Annotated[
        str | None, typer.Option("--only", metavar="部分", help="只测 retrieval（检索）或 answers（回答）")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="设置=值", help="改一项设置再测，可写多次")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--run", metavar="文件夹", help="接着做这一次评测，出错的题会重问")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", metavar="", help="同样的评测已做完就不再做，只补问出错的题（程序有改动时重做）")
    ] = False,
    with_report: Annotated[bool, typer.Option("--report", metavar="", help="做完后写网页报告")] = False,
    as_json: Json = False,
) -> None:
    """Ask every question, score it, and write a run folder; exit 1 where a question failed."""
    from dataclasses import asdict

    from eval import report, run
    from ui import terminal

    need_file(dataset, "问题集")
    parsed = run.parse_settings(changes or [])
    plan = run.Plan(
        dataset, choice("--split", split, "dev", "test"), limit, choice("--only", only, "retrieval", "answers")
    )
    with opened(ctx) as app, terminal.progress_bars() as progress:
        changed = app.with_settings(**parsed) if parsed else app
        done = run.evaluate(changed, plan, folder=folder, once=once, progress=progress)
    page = report.write(done.folder) if with_report else None
    if as_json:
        emit({"run": str(done.folder), **asdict(done.summary)})
    else:
        print(run.render(done.summary))
        print(f"本次问了 {done.asked} 题，沿用已有的 {done.kept} 题。结果在 {done.folder}")
        if page:
            print(f"报告已写好：{page}")
    if done.errors:
        raise WeiceError(
            f"{len(done.errors)} 题出错，未计入回答的各项指标：{'、'.join(done.errors[:5])}",
            f"问题消除后运行同一命令并加 --run {done.folder}，只补问这些题",
        )


@command(evaluation, "在开发题上学出排序的权重，交叉验证；--write 存为默认设置。", "fit")
def eval_fit(
    ctx: typer.Context,
    datasets: Annotated[
        list[Path] | None, typer.Argument(metavar="问题集", help="可多个；分了划分的只用其中的 dev 题")
    ] = None,
    write: Annotated[bool, typer.Option("--write", metavar="", help="写进 rag/calibration.toml")] = False,
) -> None:
    """Learn the rankers' weights from development questions and print their figures."""
    from eval import fitting
    from rag.settings import CALIBRATION, ROOT
    from ui import terminal

    paths = datasets or [ROOT / "eval" / "datasets" / name for name in ("dev.jsonl", "newsletters.jsonl")]
    for path in paths:
        need_file(path, "问题集")
    with opened(ctx) as app, terminal.progress_bars() as progress:
        asked = fitting.ask(app, fitting.development_cases(paths), progress)
    for name, of_name in asked.items():
        result = fitting.fit(name, of_name)
        print(fitting.render(result))
        if write:
            fitting.write(CALIBRATION, result, f"weice eval fit {' '.join(path.name for path in paths)}")
    if write:
        print(f"已写进 {CALIBRATION}")


@command(evaluation, "用一次 dev 评测定出拒答与依据的界线；--write 存为默认设置。", "calibrate")
def eval_calibrate(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="评测文件夹", help="weice eval run … --split dev 写的文件夹")],
    write: Annotated[bool, typer.Option("--write", metavar="", help="写进 rag/calibration.toml")] = False,
) -> None:
    """Fit the thresholds to a run on development questions and print what they do."""
    from eval import calibration, cases, runs
    from rag.settings import CALIBRATION, ROOT
    from ui import terminal

    run = runs.read_run(folder)
    foils = cases.load(ROOT / "eval" / "datasets" / "offtopic.jsonl")
    with opened(ctx) as app, terminal.progress_bars() as progress:
        result = calibration.calibrate(calibration.signals(run, foils, app.assistant(use_llm=False), progress))
    print(calibration.render(result))
    if write:
        calibration.write(CALIBRATION, result, f"weice eval calibrate {folder.name}")
        print(f"已写进 {CALIBRATION}")


@command(evaluation, "把一次评测写成一个离线可看的网页。", "report")
def eval_report(
    folder: Annotated[Path, typer.Argument(metavar="评测文件夹", help="weice eval run 写的文件夹")],
) -> None:
    """Write the HTML report of a run."""
    from eval import report

    print(f"报告已写好：{report.write(folder)}")


@command(evaluation, "另请一个大模型评判已有的回答（仅供参考，与各项指标分开），可中断后接着做。", "judge")
def eval_judge(
    ctx: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="评测文件夹", help="其中的题目、标准答案和回答会发给设置 judge_base_url 的接口")
    ],
) -> None:
    """Ask the judge that is set about every answer of a run; exit 1 where it failed at one."""
    from eval import judge
    from ui import terminal

    with opened(ctx) as app, terminal.progress_bars() as progress:
        opinion = judge.judge(app.judge(), folder, progress)
    print(judge.render(opinion))
    if opinion.errors:
        failed = "、".join(one.id for one in opinion.errors[:5])
        raise WeiceError(
            f"{len(opinion.errors)} 题没有评成：{failed}（{opinion.errors[0].error}）", "再运行同一命令，只补评这些题"
        )


@command(evaluation, "比较两次评测，逐题列出胜负；明显变差时退出码为 1。", "diff")
def eval_diff(
    before: Annotated[Path, typer.Argument(metavar="原来", help="原来一次的评测文件夹")],
    after: Annotated[Path, typer.Argument(metavar="现在", help="现在一次的评测文件夹")],
    target: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="文件", help="网页写到哪里，默认在现在一次的文件夹里")
    ] = None,
) -> None:
    """Compare two runs in the terminal and as HTML; exit 1 on a significant loss."""
    from eval import compare

    comparison = compare.compare(before, after)
    print(compare.render(comparison))
    page = compare.write_html(comparison, target or after / f"diff-{before.resolve().name}.html")
    print(f"逐题比较：{page}")
    if comparison.significant_loss:
        raise typer.Exit(1)


@command(evaluation, "检查一次评测是否达到门槛，达不到时退出码为 1。", "gate")
def eval_gate(
    folder: Annotated[Path, typer.Argument(metavar="评测文件夹", help="weice eval run 写的文件夹")],
    thresholds: Annotated[Path, typer.Argument(metavar="门槛文件", help="TOML，一项指标一个门槛")],
) -> None:
    """Hold a run against thresholds; exit 1 where one is missed."""
    from eval import gate

    failures = gate.check(folder, thresholds)
    print("\n".join(failures) if failures else "全部达到门槛。")
    if failures:
        raise typer.Exit(1)


@command(evaluation, "只测检索：在问题集上，或在 --corpus 和 --queries 给出的外部评测集上。", "retrieval")
def eval_retrieval(
    ctx: typer.Context,
    dataset: Annotated[Path | None, typer.Argument(metavar="问题集", help="默认 eval/datasets/dev.jsonl")] = None,
    as_json: Json = False,
    k: Annotated[int, typer.Option("-k", metavar="段数", min=1, max=100, help="看前几段")] = 5,
    legs: Annotated[bool, typer.Option("--legs", metavar="", help="逐一比较检索的各部分")] = False,
    corpus: Annotated[
        Path | None,
        typer.Option("--corpus", metavar="语料", help='JSONL：{"id": "…", "title": "…", "text": "…"}'),
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option(
            "--queries", metavar="问题", help='JSONL：{"id": "…", "question": "…", "relevant": ["文档 id"]}'
        ),
    ] = None,
) -> None:
    """Measure how often the evidence is among the first k passages, or a benchmark by document."""
    from dataclasses import asdict
    from functools import partial

    from eval import cases, metrics, retrieval
    from rag.settings import ROOT

    if corpus or queries:
        if not (corpus and queries) or dataset:
            raise UsageError("--corpus 和 --queries 要一起给，并且不再写问题集", "请补上或删去")
        _benchmark(ctx, corpus, queries, as_json)
        return
    path = dataset or ROOT / "eval" / "datasets" / "dev.jsonl"
    need_file(path, "问题集")
    with opened(ctx) as app:
        depth = max(k, *metrics.HIT_AT, *metrics.RECALL_AT)
        parts = retrieval.LEGS.items()
        variants = {name: app.with_settings(**changes) for name, changes in parts} if legs else {"": app}
        reports = {
            name: retrieval.measure_retrieval(partial(variant.search, k=depth), cases.load(path), k)
            for name, variant in variants.items()
        }
    if as_json:
        emit({name: asdict(report) for name, report in reports.items()} if legs else asdict(reports[""]))
    else:
        print(retrieval.render_legs(reports) if legs else retrieval.render(reports[""]))


def _benchmark(ctx: typer.Context, corpus: Path, queries: Path, as_json: bool) -> None:
    """Measure retrieval on an outside corpus and print each leg."""
    from dataclasses import asdict

    from eval import retrieval
    from ui import terminal

    need_file(corpus, "语料")
    need_file(queries, "问题文件")
    documents = retrieval.read_corpus(corpus)
    asked = retrieval.read_queries(queries, documents)
    with opened(ctx) as app, terminal.progress_bars() as progress:
        report = retrieval.measure_benchmark(app, documents, asked, progress)
    if as_json:
        emit(asdict(report))
    else:
        print(retrieval.render_benchmark(report))


@command(evaluation, "每题只凭自带的段落作答，不查资料库：用于外部评测集。", "reading")
def eval_reading(
    ctx: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="问题", help='JSONL：{"id": "…", "question": "…", "passages": [{"id": "…", "text": "…"}]}'
        ),
    ],
    target: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="文件", help="结果文件，可中断后接着做；不写则逐行打印"),
    ] = None,
    no_llm: NoLlm = False,
    limit: Annotated[int | None, typer.Option("--limit", metavar="题数", min=1, help="最多回答几题")] = None,
) -> None:
    """Answer each question from its own passages, one JSON line an answer; exit 1 where a question failed."""
    from eval import reading
    from ui import terminal

    need_file(source, "问题文件")
    questions = reading.read_questions(source)
    results = None if sys.stdout.isatty() else sys.stdout  # else the bars would draw what is printed on stderr
    with opened(ctx) as app, terminal.progress_bars() as progress:
        if target:
            report = reading.answer_into(target, app, questions, use_llm=not no_llm, limit=limit, progress=progress)
            failed = report.failed
        else:
            failed = 0
            for record in reading.answers(app, questions, use_llm=not no_llm, limit=limit, progress=progress):
                print(dumps(record), file=results, flush=True)
                failed += "error" in record
    if target:
        counts = f"完成 {report.done}，失败 {report.failed}，已有 {report.skipped}"
        print(f"共 {report.total} 题：{counts}。结果在 {target}")
    if failed:
        raise typer.Exit(1)


@command(evaluation, "把 Excel（或 CSV）里写的题变成问题集；有一处不对就不写，逐一指出。", "import")
def eval_import(
    ctx: typer.Context,
    table: Annotated[
        Path, typer.Argument(metavar="表格", help="一行一题；空表用 weice eval template 模板.xlsx 得到")
    ],
    target: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="文件", help="问题集写到哪里，默认与表格同名的 .jsonl")
    ] = None,
    sheet: Annotated[str | None, typer.Option("--sheet", metavar="工作表", help="默认第一张")] = None,
    force: Annotated[bool, typer.Option("--force", metavar="", help="覆盖已有的问题集")] = False,
) -> None:
    """Make a dataset of a table, or name everything that is wrong in it."""
    from eval import importing

    need_file(table, "表格")
    made = target or table.with_suffix(".jsonl")
    with opened(ctx) as app:
        imported = importing.import_table(table, made, app.index.articles, sheet=sheet, force=force)
    print(importing.render(imported, made))
    if imported.problems:
        raise UsageError(f"{len(imported.problems)} 处不对，没有写任何文件", "请在表格里改好、保存，再运行同一命令")


@command(evaluation, "写一份空的出题表（.xlsx），填好后用 weice eval import 导入。", "template")
def eval_template(
    target: Annotated[Path, typer.Argument(metavar="模板.xlsx", help="写到哪里")],
) -> None:
    """Write the table that staff fill in."""
    from eval import importing

    importing.write_template(target)
    print(f"出题表已写好：{target}。填好后运行 weice eval import {target}")
