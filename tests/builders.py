"""Small articles and libraries that tests of several rooms share."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from rag.answer.assistant import Assistant, Thresholds
from rag.answer.citing import Aligner
from rag.answer.extracting import Extraction
from rag.answer.kinds import Kind
from rag.answer.nearest import Nearest
from rag.answer.ranking import FeatureReranker, SentenceRanker
from rag.answer.reading import EvidenceReader
from rag.answer.relevance import Relevance
from rag.answer.retrieval import HybridRetriever
from rag.corpus.words import Words
from rag.index.build import IndexStore
from rag.index.version import IndexVersion
from rag.ports import Generator
from rag.schema import Article, Chunk, Issue, PageBreak, Section
from rag.settings import load as load_settings
from rag.testing import HashingEmbedder
from rag.wiring import App

ROOT = Path(__file__).resolve().parent.parent
SEEDS = ROOT / "seeds"


def article(text: str, *headings: str, title: str = "医保基金即时结算", id_: str = "a#1", **more: object) -> Article:
    """An article whose `headings` stand in `text`, each section up to the next."""
    starts = [text.index(heading) for heading in headings]
    ends = [*starts[1:], len(text)] if starts else []
    sections = tuple(Section(h, a, b) for h, a, b in zip(headings, starts, ends, strict=True))
    issue = Issue("a.txt", "卫生健康信息动态", 4, 341, dt.date(2025, 2, 11), "广西卫生健康事业发展战略智库")
    values: dict[str, object] = {"issue": issue, "column": "各地动态", "source": "新华社", "page": 6} | more
    return Article(id_, title=title, text=text, sections=sections, **values)  # type: ignore[arg-type]


def whole(of: Article) -> Chunk:
    """The article as one passage."""
    return Chunk(of, 0, len(of.text))


def paged(text: str, *breaks: tuple[int, int]) -> Article:
    """An article with page breaks."""
    return article(text, page_breaks=tuple(PageBreak(offset, page) for offset, page in breaks))


def library(folder: Path, **files: str) -> Path:
    """A library folder with Markdown files: `a="# 标题\\n正文"` becomes a.md."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return folder


def built(folder: Path, **files: str) -> IndexVersion:
    """An index of small Markdown files, made with the hashing embedder."""
    store, embedder = IndexStore(folder / "index"), HashingEmbedder()
    store.build([library(folder / "library", **files)], embedder, Words())
    return store.open(model=embedder.name)


def program(folder: Path, files: dict[str, str], **settings: object) -> App:
    """The whole program over small Markdown files, its index built with the hashing embedder."""
    app = App(load_settings(library=(library(folder / "library", **files),), data_dir=folder / "var", **settings))
    app.__dict__["embedder"] = HashingEmbedder()
    app.build_index(lambda *_: None)
    return app


def assistant(
    index: IndexVersion,
    generator: Generator | None,
    extraction: Extraction | None = None,
    *,
    small: bool = False,
) -> Assistant:
    """An assistant over an index of `built`, put together as the program does it for a `small` LLM or a large one."""
    words, settings = Words(), load_settings()
    aligner = Aligner(words.tokens, index.idf, lambda *_: 0.0)
    ranker = SentenceRanker(words, index.idf, aligner, settings.sentence_ranker)
    return Assistant(
        HybridRetriever(index, HashingEmbedder(), words, reranker=FeatureReranker(words, index.idf, settings.ranker)),
        EvidenceReader(ranker, aligner, Nearest(HashingEmbedder()), budget=600),
        aligner,
        Relevance(words, HashingEmbedder()),
        generator,
        index_version=index.version,
        thresholds=Thresholds(coverage=0.05, score=0.5),
        quoted_kinds=frozenset({Kind.LIST, Kind.SUMMARY} if small else ()),
        extraction=extraction,
    )
