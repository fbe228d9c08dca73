"""What the commands print for people: answers, passages, reports, progress. No decisions, no JSON.

Progress and drafts go to stderr, results to stdout, so that a redirected result is clean.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from rag.answer.events import Event, EvidenceFound, Finished, Stage, Token
from rag.schema import Answer, Article, Evidence, Support, Verdict
from ui.labels import MODES, SUPPORTS, VERDICTS, citation_place, place, searched_for, strength

if TYPE_CHECKING:
    from rag.batch import BatchReport, Plan
    from rag.index.build import BuildReport, FileReport
    from rag.models import ModelInfo

ProgressLine = Callable[[str, int, int], None]
"""Called with what is being done, how much is done and how much there is."""


def console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: no markup, no highlighting, no cutting."""
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)


@contextmanager
def progress_bars() -> Iterator[ProgressLine]:
    """A bar for each step (the first word of what is done) on stderr; a line each where that is a file."""
    err = console(stderr=True)
    columns = (
        *(TextColumn("{task.description}"), BarColumn(30), MofNCompleteColumn(), TextColumn("用时")),
        *(TimeElapsedColumn(), TextColumn("剩余"), TimeRemainingColumn()),
    )
    with Progress(*columns, console=err, disable=not err.is_terminal, speed_estimate_period=600) as bars:
        tasks: dict[str, TaskID] = {}

        def advance(what: str, done: int, total: int) -> None:
            step = what.split(" ", maxsplit=1)[0]
            if step not in tasks:
                tasks[step] = bars.add_task(what, total=total or None)
                if not err.is_terminal:
                    err.print(f"{step} …")
            bars.update(tasks[step], description=what, completed=done, total=total or None)

        yield advance


def tell(line: str) -> None:
    """Say something on stderr, above the bars where there are any."""
    print(line, file=sys.stderr)


def show_batch(report: BatchReport) -> None:
    """Print what a batch has done."""
    counts = f"完成 {report.done}，失败 {report.failed}，已有 {report.skipped}"
    same = f"（其中 {report.same} 条与别的问题意思相同，合用一个回答）" if report.same else ""
    print(f"共 {report.total} 条：{counts}。{same}结果在 {report.target}")
    if report.failed:
        print("失败的原因写在结果里，原来已有回答的保留原回答；再运行同一命令只重问失败的。")
    if report.fallback:
        print(f"{report.fallback} 条因大模型没有作答而摘录了原文；恢复后加 --retry failed 重问这些。")


def show_plan(plan: Plan) -> None:
    """Print what a batch would do."""
    print(
        f"共 {plan.total} 条，意思不同的 {plan.distinct} 条：已答 {plan.answered}，"
        f"要问 {plan.distinct - plan.answered}。"
    )
    for question in plan.first:
        print(f"  {question}")
    print("这是试运行，没有提问，也没有写文件。")


def show_events(events: Iterable[Event]) -> Answer | None:
    """Print a question's way as it happens: evidence titles, the draft, then the checked answer; return that."""
    out, err = console(), console(stderr=True)
    drafting, told = False, None
    for event in events:
        match event:
            case Stage(name) if err.is_terminal and not drafting:
                err.print(f"{name} …", style="dim")
            case EvidenceFound(evidence):
                _show_titles(err, evidence)
            case Token(text):
                if not drafting:
                    err.print("草稿（尚未核对）：", style="dim", end="")
                err.print(text, style="dim", end="")
                drafting = True
            case Finished(answer):
                if drafting:
                    err.print()
                show_answer(out, answer)
                told = answer
            case _:
                pass
    return told


def _show_titles(err: Console, evidence: tuple[Evidence, ...]) -> None:
    if evidence:
        err.print("找到的资料：", style="dim")
    for item in evidence:
        chunk = item.chunk
        where = f"第{chunk.page}页" if chunk.page is not None else ""
        parts = (f"《{chunk.article.title}》", chunk.section, where)
        err.print("  " + " ".join(part for part in parts if part), style="dim")


def show_answer(out: Console, answer: Answer) -> None:
    """Print the answer, its citations, its verdict and who wrote it."""
    out.print(answer.text)
    for sentence in answer.sentences:
        if sentence.support is not Support.FULL:
            out.print(f"  注意：{SUPPORTS[sentence.support]}——{sentence.text}", style="yellow")
    if answer.citations:
        out.print("\n出处：")
    for citation in answer.citations:
        out.print(f"[{citation.number}] 《{citation.article.title}》 {citation_place(citation)}")
        out.print(f"    “{citation.quote}”", style="green")
    if answer.verdict is Verdict.REFUSED and answer.evidence:
        out.print("\n相近内容：")
        show_evidence(out, answer.evidence[:3])
    out.print()
    if searched := searched_for(answer.question, answer.standalone):
        out.print(searched, style="dim")
    out.print(_verdict_line(answer), style="bold")


def _verdict_line(answer: Answer) -> str:
    parts = [f"结论：{VERDICTS[answer.verdict]}"]
    if answer.reason:
        parts.append(answer.reason)
    if answer.unmatched_numbers:
        parts.append(f"未能核对的数字：{'、'.join(answer.unmatched_numbers)}")
    writer = MODES[answer.mode] + (f"（{answer.model}）" if answer.model else "")
    return " · ".join([*parts, f"方式：{writer}", f"用时 {answer.timings.total_s:.1f} 秒"])


def show_evidence(out: Console, evidence: Iterable[Evidence]) -> None:
    """Print passages with where they stand."""
    items = tuple(evidence)
    best = max((item.score for item in items), default=0.0)
    for number, item in enumerate(items, 1):
        chunk = item.chunk
        where = f"第{chunk.page}页" if chunk.page is not None else ""
        parts = (f"{number}. 《{chunk.article.title}》", chunk.section, where, f"〔{strength(item.score, best)}〕")
        out.print(" ".join(part for part in parts if part), style="bold")
        out.print("   " + chunk.text.replace("\n", "\n   "))


def show_articles(out: Console, articles: Iterable[Article]) -> None:
    """Print the library, an article a line under its file."""
    file = None
    for number, article in enumerate(articles, 1):
        if article.issue.file != file:
            file = article.issue.file
            out.print(f"\n{article.issue.label}（{file}）", style="bold")
        page = f"第{article.page}页" if article.page is not None else ""
        parts = (article.column, article.source, page, f"{len(article.text)}字")
        rest = " · ".join(part for part in parts if part)
        out.print(f"  {number:>3}. {article.title}  {rest}  〔{article.id}〕")


def show_article(out: Console, article: Article) -> None:
    """Print one article whole, its section headings marked."""
    out.print(article.title, style="bold")
    out.print(place(article, article.page, ""))
    out.print(f"编号：{article.id}　文件：{article.issue.file}　{len(article.text)}字")
    if article.sections:
        out.print("小节：" + "、".join(section.heading for section in article.sections))
    out.print()
    out.print(Text(article.text))


def show_models(out: Console, models: Iterable[ModelInfo]) -> None:
    """Print the models, a line each."""
    for model in models:
        state = f"已就绪，{model.size / 1e6:.0f} MB，{model.path}" if model.ready else "未下载"
        out.print(f"{model.spec}（{model.title}）：{state}")


def show_build(out: Console, report: BuildReport) -> None:
    """Print the parse report of an index run."""
    for file in report.files:
        _show_file(out, file)
    for name in report.removed:
        out.print(f"已移除：{name}")
    state = "没有变化，沿用" if report.unchanged else "已建成"
    vectors = f"新算向量 {report.embedded} 段，沿用 {report.reused} 段"
    out.print(f"索引{state}：{report.version}，{report.chunks} 段（{vectors}）", style="bold")


def _show_file(out: Console, file: FileReport) -> None:
    if file.error is not None:
        out.print(f"× {file.file}：{file.error}", style="red")
        return
    found = f"{file.articles} 篇"
    if file.expected is not None:
        missing = file.expected - file.articles
        found += f"，目录列出 {file.expected} 篇" + (f"，相差 {missing} 篇" if missing else "，一致")
    change = "" if file.changed else "（未变）"
    out.print(f"✓ {file.file}{change}：{found}，版式：{file.layout}")
    for oddity in file.oddities:
        out.print(f"    - {oddity}", style="yellow")
