"""A small program that stands in for `rag.wiring.App`: fixed articles, scripted events, no models."""

# ruff: noqa: ARG002  # it takes what the real program takes
from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from rag.answer.events import Event, EvidenceFound, Finished, Stage, Token
from rag.answer.filters import Filters
from rag.answer.scenarios import Scenario
from rag.batch import BatchReport, Plan
from rag.errors import IndexMissing, ModelError
from rag.index.build import BuildReport, FileReport
from rag.models import ModelInfo, Problem
from rag.schema import (
    Answer,
    Article,
    Chunk,
    Citation,
    Evidence,
    Issue,
    Mode,
    PageBreak,
    Section,
    Sentence,
    Support,
    Timings,
    Turn,
    Verdict,
)
from rag.settings import Settings

NASTY = "<script>window.fired=1</script><img src=x onerror='window.fired=1'>[链接](https://evil.example)${window.fired=1}{{1+1}}"

ISSUE = Issue("动态.txt", "卫生健康信息动态", 4, 341, date(2025, 2, 11))
ROUND = Article(
    id="动态-1",
    issue=ISSUE,
    title="国家出手！2025年医疗机构回款大提速",
    text="福建厦门率先落地。目前全市有2000余家定点医药机构接入即时结算系统。回款周期由30天缩短为1天。",
    column="医保动态",
    source="健康报",
    page=6,
    sections=(Section("地方探索", 0, 49),),
    page_breaks=(PageBreak(9, 7),),
)
WILD = Article(
    id="动态-2",
    issue=Issue("附件.md"),
    title=f"标题{NASTY}",
    text=f"第一句。{NASTY}另有485万亩。",
)
ROUND_CHUNK = Chunk(ROUND, 0, len(ROUND.text))
WILD_CHUNK = Chunk(WILD, 0, len(WILD.text))
EVIDENCE = (
    Evidence(ROUND_CHUNK, 1.0, ("dense", "words")),
    Evidence(WILD_CHUNK, 0.4, ("words",)),
)
QUOTE = "目前全市有2000余家定点医药机构接入即时结算系统。"


def cite(number: int, article: Article, chunk: Chunk, quote: str) -> Citation:
    """A citation of the first place where `quote` stands."""
    start = article.text.index(quote)
    return Citation(number, chunk, start, start + len(quote), quote)


ANSWER = Answer(
    question="厦门有多少家定点医药机构接进了即时结算系统？",
    standalone="厦门有多少家定点医药机构接进了即时结算系统？",
    text="厦门有2000余家定点医药机构接入即时结算系统[1]。另有485万亩[2]。",
    verdict=Verdict.ANSWERED,
    citations=(cite(1, ROUND, ROUND_CHUNK, QUOTE), cite(2, WILD, WILD_CHUNK, NASTY)),
    evidence=EVIDENCE,
    sentences=(
        Sentence("厦门有2000余家定点医药机构接入即时结算系统[1]。", (1,), Support.FULL),
        Sentence("另有485万亩[2]。", (2,), Support.PARTIAL),
    ),
    model="scripted",
    index_version="v1",
    timings=Timings(0.1, 0.5, 1.2),
)
REFUSED = replace(
    ANSWER,
    text="资料中未找到与这个问题直接对应的内容。",
    verdict=Verdict.REFUSED,
    reason="资料中没有找到依据",
    citations=(),
    sentences=(),
)


class Assistant:
    """Tells the same story for every question; 财政 is refused, 出错 fails, 慢 never gets on."""

    def __init__(
        self,
        *,
        use_llm: bool,
        delay_s: float,
        asked: list[tuple[str, tuple[Turn, ...]]],
        chosen: list[Scenario | None],
    ) -> None:
        self._use_llm = use_llm
        self._delay_s = delay_s
        self._asked = asked
        self._chosen = chosen

    def answer(self, question: str, history: Sequence[Turn] = (), scenario: Scenario | None = None) -> Answer:
        return next(e.answer for e in self.stream(question, history, scenario) if isinstance(e, Finished))

    def stream(
        self, question: str, history: Sequence[Turn] = (), scenario: Scenario | None = None
    ) -> Iterator[Event]:
        self._asked.append((question, tuple(history)))
        self._chosen.append(scenario)
        yield Stage("检索")
        if "出错" in question:
            raise ModelError("向量模型打不开", "运行 weice models verify 查看")
        if "崩溃" in question:
            raise RuntimeError("boom")
        yield EvidenceFound(EVIDENCE)
        yield Stage("生成")
        time.sleep(self._delay_s)
        for _ in range(600 if "慢" in question else 1):
            yield Token("厦门有2000余家，")
            time.sleep(self._delay_s)
        yield Stage("核对")
        answer = REFUSED if "财政" in question else ANSWER
        mode = Mode.LLM if self._use_llm else Mode.EXTRACTIVE
        yield Finished(replace(answer, question=question, standalone=question, mode=mode))


@dataclass(frozen=True)
class Index:
    version: str = "v1"
    articles: tuple[Article, ...] = (ROUND, WILD)

    def __len__(self) -> int:
        return 2


class Models:
    def __init__(self, missing: bool) -> None:
        self._missing = missing

    def path(self, spec: str, kind: str) -> Path:
        if self._missing:
            raise ModelError(f"向量模型 {spec} 还没有下载", "请运行 weice models pull")
        return Path("/models") / spec

    def list(self) -> tuple[ModelInfo, ...]:
        return (ModelInfo("m3e-small", "embedding", "句向量", not self._missing, 96_000_000, Path("/models/m3e")),)


class StandIn:
    """What the commands and the page see of the program."""

    def __init__(
        self,
        folder: Path,
        *,
        delay_s: float = 0.0,
        no_index: bool = False,
        no_models: bool = False,
        error: BaseException | None = None,
        **settings: object,
    ) -> None:
        self.settings = Settings(
            data_dir=folder / "var", models_dir=folder / "models", library=(folder,), llm="none", **settings
        )
        self.delay_s = delay_s
        self.no_index = no_index
        self.no_models = no_models
        self.error = error
        self.asked: list[tuple[str, tuple[Turn, ...]]] = []
        self.chosen: list[Scenario | None] = []
        self.added: list[Path] = []
        self.within: list[Callable[[Article], bool] | None] = []
        self.past: dict[str, tuple[Article, ...]] = {}
        self.live = Index()
        self.closed = 0
        self.how: dict[str, Any] = {}
        """What the last batch was asked for with."""
        self.prepared = 0
        self.report = BuildReport(
            version="v2",
            files=(
                FileReport("动态.txt", "动态", 14, 15, ("目录中的《某文》没有找到",), True),
                FileReport("坏.pdf", "", 0, None, (), False, "文件已加密"),
            ),
            removed=("旧.txt",),
            chunks=12,
            embedded=5,
            reused=7,
            unchanged=False,
        )

    @property
    def index(self) -> Index:
        if self.no_index:
            raise IndexMissing("还没有索引", "请先运行 weice index")
        return self.live

    def past_index(self, version: str) -> Index:
        if version in self.past:
            return Index(version, self.past[version])
        raise IndexMissing(f"索引 {version} 已不在", "请用现在的索引")

    @property
    def models(self) -> Models:
        return Models(self.no_models)

    def wanted_models(self) -> tuple[tuple[str, str], ...]:
        return (("m3e-small", "embedding"),)

    def verify_models(self) -> tuple[Problem, ...]:
        return (Problem("/models/m3e/model.bin", "缺失"),) if self.no_models else ()

    def pull_models(self, progress: Callable[[str, int, int], None]) -> None:
        progress("下载 m3e-small", 1, 2)
        self.no_models = False

    def build_index(self, progress: Callable[[str, int, int], None], *, rebuild: bool = False) -> BuildReport:
        progress("向量", 0, 5)
        progress("向量", 5, 5)
        self.no_index = False
        return self.report

    def add_files(self, paths: Sequence[Path]) -> None:
        self.added.extend(paths)

    def held_to(self, wanted: Filters) -> Filters | None:
        return wanted.among(self.index.articles) if wanted else None

    def search(
        self,
        question: str,
        history: Sequence[Turn] = (),
        k: int | None = None,
        within: Callable[[Article], bool] | None = None,
    ) -> tuple[Evidence, ...]:
        self.within.append(within)
        if self.error is not None:
            raise self.error
        return EVIDENCE[:k]

    def assistant(self, *, use_llm: bool = True, within: Callable[[Article], bool] | None = None) -> Assistant:
        self.within.append(within)
        return Assistant(use_llm=use_llm, delay_s=self.delay_s, asked=self.asked, chosen=self.chosen)

    def run_batch(self, source: Path, target: Path, **how: Any) -> BatchReport:
        if self.error is not None:
            raise self.error
        self.how = how
        how["say"]("问题在这一列")
        how["progress"]("作答", 3, 3)
        return BatchReport(total=3, done=1, failed=1, skipped=1, target=target)

    def plan_batch(self, source: Path, target: Path, **how: object) -> Plan:
        return Plan(total=3, distinct=2, answered=1, first=("甲？",))

    def prepare(self) -> None:
        self.prepared += 1

    def close(self, *, stop_llm: bool = False) -> None:
        self.closed += 1
