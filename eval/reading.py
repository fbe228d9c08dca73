"""Answers questions from passages that come with them: reading, citing and refusing without a library.

For outside benchmarks. Every part is the program's own, unchanged; only the library is another one for each question.
Nothing is scored here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from pydantic import TypeAdapter

from eval.cases import Text, read_lines
from rag import batch
from rag.corpus.parsed import ParsedIssue
from rag.errors import UsageError
from rag.index.build import write_index
from rag.index.version import IndexedFile, IndexVersion
from rag.schema import Answer, Article, Chunk, Issue

if TYPE_CHECKING:
    from rag.ports import Embedder, Vector
    from rag.records import Record
    from rag.wiring import App

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Passage:
    """A text to answer from; `id` is what citations name as their file."""

    id: Text
    text: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Question(batch.Question):
    """A question with the passages that it is answered from, perhaps none."""

    id: Text
    question: Text
    passages: tuple[Passage, ...] = field(kw_only=True)


_QUESTION = TypeAdapter(Question)


def read_questions(path: Path) -> tuple[Question, ...]:
    """Read `{"id","question","passages":[{"id","text","title"?}],"history"?}` a line, other fields left aside.

    Raises `UsageError` naming line and field.
    """
    numbered = read_lines(path, _QUESTION, "问题", "一个问题")
    for number, question in numbered:
        seen: set[str] = set()
        for passage in question.passages:
            if passage.id in seen:
                where = f"问题 {path.name} 第 {number} 行的字段 passages"
                raise UsageError(f"{where} 里 id 重复：{passage.id}", "请改成不同的 id")
            seen.add(passage.id)
    return tuple(question for _, question in numbered)


def answers(
    app: App,
    questions: Sequence[Question],
    *,
    use_llm: bool,
    limit: int | None = None,
    progress: Progress = lambda *_: None,
) -> Iterator[Record]:
    """Yield the answer to each question as a record; one that fails has an `error`."""
    with TemporaryDirectory(prefix="weice-reading-", ignore_cleanup_errors=True) as folder:
        reader = _Reader(app, questions, Path(folder), use_llm=use_llm)
        asked = questions[:limit]
        for done, question in enumerate(asked):
            progress(f"作答 {question.question[:16]}", done, len(asked))
            yield batch.answered_row(question, reader.answer)
        progress("作答 完成", len(asked), len(asked))


def answer_into(
    target: Path,
    app: App,
    questions: Sequence[Question],
    *,
    use_llm: bool,
    limit: int | None = None,
    progress: Progress = lambda *_: None,
) -> batch.BatchReport:
    """Answer into the JSON lines file `target`, journalled as `rag.batch` does it."""
    with TemporaryDirectory(prefix="weice-reading-", ignore_cleanup_errors=True) as folder:
        reader = _Reader(app, questions, Path(folder), use_llm=use_llm)
        settings = f"{reader.version} {app.words.fingerprint} {use_llm} {app.settings.model_dump_json()}"
        return batch.answer_all(
            questions[:limit], target, reader.answer, folder=app.batches, settings=settings, progress=progress
        )


class _Reader:
    """Answers each question from its own passages; words weigh as in all passages of the file."""

    def __init__(self, app: App, questions: Sequence[Question], folder: Path, *, use_llm: bool) -> None:
        """Take the program for its settings, models and words; `folder` is empty and stays until the last answer."""
        self._app = app
        self._questions = questions
        self._folder = folder
        self._use_llm = use_llm
        self._embedder = _Once(app.embedder)
        digest = hashlib.sha256(repr(questions).encode("utf-8", "surrogatepass")).hexdigest()
        self.version = f"passages-{digest[:12]}"

    def answer(self, question: Question) -> Answer:
        """Return the program's answer from the passages of `question`."""
        with TemporaryDirectory(dir=self._folder) as folder:
            articles = tuple(_article(p.id, p.title, p.text) for p in question.passages)
            index = self._indexed(Path(folder) / self.version, articles, self._embedder)
            ordinals = [self._ordinals[_text(index[n])] for n in range(len(index))]
            # every part of the program sees this index; what words weigh in it is told by the whole
            index.__dict__ |= {"idf": self._whole.idf, "keywords": _Keywords(self._whole, ordinals)}
            one = type(self._app)(self._app.settings)
            one.__dict__ |= {"embedder": self._app.embedder, "words": self._app.words, "index": index}
            if self._use_llm:
                one.__dict__["generator"] = self._app.generator
            return one.assistant(use_llm=self._use_llm).answer(question.question, question.history)

    @cached_property
    def _whole(self) -> IndexVersion:
        """All passages of the file, each once: asked for words alone."""
        passages = dict.fromkeys((p.title, p.text) for question in self._questions for p in question.passages)
        articles = tuple(_article(str(n), *passage) for n, passage in enumerate(passages))
        return self._indexed(self._folder / "whole", articles, _NoVectors())

    @cached_property
    def _ordinals(self) -> dict[str, int]:
        """Where a chunk stands in the whole, by its text."""
        return {_text(self._whole[n]): n for n in range(len(self._whole))}

    def _indexed(self, folder: Path, articles: tuple[Article, ...], embedder: Embedder) -> IndexVersion:
        """An index of the articles in a new `folder`."""
        folder.mkdir()
        files = {"passages": IndexedFile("", ParsedIssue(Issue("passages"), articles, "段落"))}
        write_index(folder, files, embedder, self._app.words)
        return IndexVersion(folder)


class _Once:
    """An embedder that embeds a text only once, however often it is asked to."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.dimension = embedder.name, embedder.dimension
        self._embedder = embedder
        self._known: dict[str, Vector] = {}

    def embed(self, texts: Sequence[str]) -> Vector:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known |= zip(new, self._embedder.embed(new), strict=True)
        return np.stack([self._known[text] for text in texts])


class _NoVectors:
    """Embeds nothing, for an index that is asked for words alone."""

    name, dimension = "none", 1

    def embed(self, texts: Sequence[str]) -> Vector:
        return np.zeros((len(texts), 1), np.float32)


@dataclass(frozen=True, slots=True)
class _Keywords:
    """The keyword leg over the chunks at `ordinals` of the whole, scored as in the whole."""

    whole: IndexVersion
    ordinals: Sequence[int]

    def search(self, tokens: Sequence[str], k: int) -> list[tuple[int, float]]:
        scores = dict(self.whole.keywords.search(tokens, max(1, len(self.whole))))
        found = [(n, scores[ordinal]) for n, ordinal in enumerate(self.ordinals) if ordinal in scores]
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))[:k]


def _article(id_: str, title: str, text: str) -> Article:
    """A passage as an article of a file named like it; a title without a text is the text."""
    return Article(id_, Issue(id_), title, text) if text.strip() else Article(id_, Issue(id_), "", title)


def _text(piece: Chunk) -> str:
    """A chunk under its title: where the titles and the texts of two are the same, so are their words."""
    return f"{piece.context}\n{piece.text}"
