"""The evaluation tab, for editors: runs, their questions, two compared, and one started in the background.

A run goes on when the page is left; it is journalled, so that one that was stopped is gone on with.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from eval.runs import Run, read_run
from rag.errors import UsageError, WeiceError
from rag.settings import ROOT
from ui.store import Role
from ui.web.asking import INTERNAL
from ui.web.context import QUIET, Web, panel, told
from ui.web.feedback import golden_set
from ui.web.view import evaluation as view
from ui.web.view.parts import doing, error, note

if TYPE_CHECKING:
    from eval.run import Plan
    from rag.wiring import App

log = logging.getLogger(__name__)

TICK_S = 0.5
EVERYTHING = "全部"
TRIED = (
    *("passages", "candidates", "evidence_tokens", "answer_tokens", "null_bias", "llm_writes"),
    *("dense", "sentences", "words", "dense_weight", "sentence_weight", "boosts", "typos"),
)
"""The settings that can be tried on the page: none of them names a file or a host."""


def add_tab(web: Web, tab: gr.Tab) -> None:
    """Lay out the tab inside the current Blocks."""
    _Evaluation(web).lay_out(tab)


class _Stopped(Exception):
    """Somebody stopped the run."""


class Background:
    """One evaluation at a time, in a thread of its own."""

    def __init__(self, app: App) -> None:
        """Evaluate `app`."""
        self._app = app
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.at: tuple[str, int, int] = ("", 0, 0)
        self.said = ""
        """How the last one ended, as HTML."""

    @property
    def running(self) -> bool:
        """Whether one is at work."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, plan: Plan, *, use_llm: bool, changes: Mapping[str, object] | None = None) -> None:
        """Begin, with some settings changed. Raises `UsageError` while another one runs."""
        if self.running:
            raise UsageError("已有一次评测在进行", "请等它完成，或先停止它")
        self._stop.clear()
        self.at, self.said = ("准备", 0, 0), ""
        changed = {**(changes or {}), **({} if use_llm else {"llm": "none"})}
        self._thread = threading.Thread(target=self._run, args=(plan, changed), name="weice-eval", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it after the question that is being asked; what was asked is kept."""
        self._stop.set()

    def watch(self) -> Iterator[tuple[str, int, int]]:
        """Yield how far it is, until it ends."""
        while self.running:
            yield self.at
            if self._thread is not None:
                self._thread.join(TICK_S)

    def _run(self, plan: Plan, changes: Mapping[str, object]) -> None:
        from eval.run import evaluate

        try:
            app = self._app.with_settings(**changes) if changes else self._app
            done = evaluate(app, plan, progress=self._progress)
            self.said = note(f"评测完成：{done.folder.name}，新问 {done.asked} 题，沿用 {done.kept} 题")
        except _Stopped:
            self.said = note("评测已停止；再用同样的选择开始，会接着做完。")
        except WeiceError as problem:
            self.said = error(str(problem))
        except Exception:
            log.exception("an evaluation failed")
            self.said = error(INTERNAL)

    def _progress(self, what: str, done: int, total: int) -> None:
        self.at = (what, done, total)
        if self._stop.is_set() and done < total:
            raise _Stopped


def tried(lines: str) -> dict[str, object]:
    """The settings that are written a line each. Raises `UsageError` on one that can't be tried here."""
    from eval.run import parse_settings

    pairs = [line.strip() for line in lines.splitlines() if line.strip()]
    for name in (pair.partition("=")[0].strip() for pair in pairs):
        if name not in TRIED:
            raise UsageError(f"这里不能改“{name}”", f"可以改：{'、'.join(TRIED)}")
    return parse_settings(pairs)


class _Evaluation:
    """The tab's components and what their events do."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._background = Background(web.app)
        self._list = gr.HTML(elem_id="runs")
        with gr.Accordion("开始一次评测", open=False, elem_id="starting"):
            with gr.Row():
                self._dataset = gr.Dropdown(label="题集", filterable=False, elem_id="dataset")
                self._split = gr.Dropdown(
                    [EVERYTHING, "dev", "test"], value=EVERYTHING, label="划分", filterable=False
                )
                self._limit = gr.Number(0, label="最多几题（0 为全部）", precision=0, minimum=0, elem_id="limit")
            self._quotes = gr.Checkbox(True, label="摘录模式（不用大模型，几秒一题以内）", elem_id="eval-quotes")
            self._changes = gr.Textbox(
                label="改哪些设置再测（可不填；一行一项）", placeholder="passages=6", lines=1, max_lines=6,
                info=f"可以改：{'、'.join(TRIED)}", elem_id="eval-settings",
            )  # fmt: skip
            with gr.Row():
                self._start = gr.Button("开始", variant="primary", elem_id="eval-start")
                self._stop = gr.Button("停止", elem_id="eval-stop")
        self._state = gr.HTML(elem_id="eval-state")
        with gr.Row():
            self._one = gr.Dropdown(label="看一次评测", filterable=False, elem_id="one-run")
            self._other = gr.Dropdown(label="与它相比（更早的一次）", filterable=False, elem_id="other-run")
        self._report = gr.DownloadButton("下载完整报告（带图的网页）", visible=False, elem_id="full-report")
        self._shown = panel(elem_id="run")

    def lay_out(self, tab: gr.Tab) -> None:
        """Tie the events."""
        lists = [self._list, self._dataset, self._one, self._other]
        told_of = [self._state, *lists]
        tab.select(told(self._on_look), outputs=told_of, **QUIET)
        plan = [self._dataset, self._split, self._limit, self._quotes, self._changes]
        self._start.click(told(self._on_start), inputs=plan, outputs=told_of, **QUIET)
        self._stop.click(told(self._on_stop), **QUIET)
        chosen = [self._one, self._other]
        looked = [part.change for part in chosen]
        gr.on(looked, told(self._on_choose), inputs=chosen, outputs=[self._shown, self._report], **QUIET)

    # --- lists ------------------------------------------------------------

    def _folder(self) -> Path:
        return self._web.app.settings.data_dir / "eval"

    def _runs(self) -> list[Run]:
        folders = sorted(self._folder().glob("*/run.json"), key=lambda p: p.stat().st_mtime, reverse=True)
        return [read_run(path.parent) for path in folders]

    def _datasets(self) -> dict[str, Path]:
        paths = sorted((ROOT / "eval" / "datasets").glob("*.jsonl"))
        own = golden_set(self._web)
        return {path.name: path for path in [*paths, *([own] if own.exists() else [])]}

    def _listed(self) -> dict[Any, Any]:
        runs = self._runs()
        names = ["", *(run.folder.name for run in runs)]
        sets = list(self._datasets())
        return {
            self._list: view.runs(runs),
            self._dataset: gr.update(choices=sets),
            self._one: gr.update(choices=names),
            self._other: gr.update(choices=names),
        }

    def _on_look(self, request: gr.Request) -> Iterator[dict[Any, Any]]:
        self._web.user(request, Role.EDITOR)
        yield {**self._listed(), self._state: self._background.said}
        yield from self._watched()

    # --- running ------------------------------------------------------------

    def _on_start(
        self, dataset: str | None, split: str, limit: int, quotes: bool, changes: str, request: gr.Request
    ) -> Iterator[dict[Any, Any]]:
        from eval.run import Plan

        editor = self._web.user(request, Role.EDITOR)
        if dataset not in (known := self._datasets()):
            raise UsageError("没有选题集", "请在“题集”里选一个")
        plan = Plan(
            known[dataset],
            split if split in ("dev", "test") else None,  # type: ignore[arg-type]  # narrowed by the line itself
            int(limit) if limit else None,
        )
        use_llm = self._web.desk.use_llm and not quotes
        self._background.start(plan, use_llm=use_llm, changes=tried(changes))
        self._web.store.audit.note(editor.name, "web", "eval", dataset)
        yield from self._watched()

    def _watched(self) -> Iterator[dict[Any, Any]]:
        was_running = False
        for what, done, total in self._background.watch():
            was_running = True
            yield {self._state: doing(f"{what} {done}/{total}", done, total)}
        if was_running:
            yield {**self._listed(), self._state: self._background.said}

    def _on_stop(self, request: gr.Request) -> None:
        self._web.user(request, Role.EDITOR)
        self._background.stop()

    # --- looking at runs ------------------------------------------------------------

    def _on_choose(self, one: str | None, other: str | None, request: gr.Request) -> tuple[str, Any]:
        from eval import compare, report

        self._web.user(request, Role.EDITOR)
        hidden = gr.update(visible=False)
        if not one:
            return "", hidden
        path = self._known(one)
        if other and other != one:
            return view.comparison(compare.compare(self._known(other), path)), hidden
        return view.run(read_run(path)), gr.update(visible=True, value=str(report.write(path)))

    def _known(self, name: str) -> Path:
        """The folder of a run in the list, and of no other."""
        if name not in {path.parent.name for path in self._folder().glob("*/run.json")}:
            raise UsageError("没有这次评测", "请刷新列表")
        return self._folder() / name
