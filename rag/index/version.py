"""One index version on disk: writing it, opening it, refusing a damaged or foreign one.

A version is a folder: `manifest.json` (format, model, files, checksums), `files.json` (what each file parsed to),
`chunks.npy` (article ordinal, start, end), `vectors.faiss`, `sentences.npy` (chunk ordinal, start, end),
`sentences.faiss`, `words/` (tantivy) and `words.json` (document frequencies). Which version is live is decided in
`rag.index.build`, not here.
"""

from __future__ import annotations

import json
import math
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from rag.corpus.parsed import ParsedIssue
from rag.errors import IndexBroken
from rag.schema import Article, Chunk

if TYPE_CHECKING:
    from rag.index.keywords import TantivyKeywords
    from rag.index.vectors import FaissSentences, FaissVectors

FORMAT = 2
"""Raised whenever parsing, chunking, tokenising or the files of a version change."""

REBUILD = "运行 weice index --rebuild 重建（旧版本会保留到新版本建好）"


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A library file as it was indexed: its content hash and what it parsed to."""

    sha256: str
    parsed: ParsedIssue


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a version was made with, and a checksum for each of its files."""

    format: int
    model: str
    dimension: int
    lexicon: str
    chunks: int
    checksums: dict[str, int]


_FILES = TypeAdapter(dict[str, IndexedFile])
_MANIFEST = TypeAdapter(Manifest)


class IndexVersion:
    """An opened version. It is a `Library` of chunks and hands out its vector and keyword legs.

    Raises `IndexBroken` where the folder is incomplete, damaged, of another format or of another model.
    """

    def __init__(self, folder: Path, *, model: str | None = None) -> None:
        """Open `folder`; `model`, where given, is the embedding model that questions will use."""
        self.folder = folder
        self.manifest = _read_manifest(folder)
        if self.manifest.format != FORMAT:
            raise IndexBroken(f"索引格式是第 {self.manifest.format} 版，程序需要第 {FORMAT} 版", REBUILD)
        if model is not None and self.manifest.model != model:
            raise IndexBroken(f"索引由另一个向量模型（{self.manifest.model}）建成，现在用的是 {model}", REBUILD)
        for name, expected in self.manifest.checksums.items():
            if checksum(folder / name) != expected:
                raise IndexBroken(f"索引文件损坏或不完整：{folder / name}", REBUILD)

    @property
    def version(self) -> str:
        """The name of this version."""
        return self.folder.name

    @cached_property
    def files(self) -> dict[str, IndexedFile]:
        """The indexed files by name, in library order."""
        return _FILES.validate_json((self.folder / "files.json").read_bytes())

    @cached_property
    def articles(self) -> tuple[Article, ...]:
        """All articles in document order."""
        return tuple(article for file in self.files.values() for article in file.parsed.articles)

    @cached_property
    def spans(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Shape (chunks, 3): article ordinal, start, end."""
        spans: np.ndarray[Any, np.dtype[np.int64]] = np.load(self.folder / "chunks.npy")
        return spans

    def __getitem__(self, ordinal: int) -> Chunk:
        """Return the chunk at `ordinal`."""
        article, start, end = (int(n) for n in self.spans[ordinal])
        return Chunk(self.articles[article], start, end)

    def __len__(self) -> int:
        """Return the number of chunks."""
        return len(self.spans)

    @cached_property
    def vectors(self) -> FaissVectors:
        """The dense leg."""
        from rag.index.vectors import FaissVectors

        return FaissVectors(self.folder / "vectors.faiss")

    @cached_property
    def sentence_spans(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Shape (sentences, 3): chunk ordinal, start, end."""
        spans: np.ndarray[Any, np.dtype[np.int64]] = np.load(self.folder / "sentences.npy")
        return spans

    @cached_property
    def sentences(self) -> FaissSentences:
        """The dense leg over sentences."""
        from rag.index.vectors import FaissSentences

        return FaissSentences(self.folder / "sentences.faiss", self.sentence_spans[:, 0])

    @cached_property
    def keywords(self) -> TantivyKeywords:
        """The keyword leg."""
        from rag.index.keywords import TantivyKeywords

        return TantivyKeywords(self.folder / "words")

    @cached_property
    def _document_frequency(self) -> dict[str, int]:
        frequencies: dict[str, int] = json.loads((self.folder / "words.json").read_bytes())
        return frequencies

    def idf(self, token: str) -> float:
        """Inverse document frequency, ln(1 + N / (n + 0.5)); a word of no chunk weighs most."""
        return math.log(1 + len(self) / (self._document_frequency.get(token, 0) + 0.5))


def write_version(
    folder: Path,
    files: dict[str, IndexedFile],
    chunks: Sequence[tuple[int, int, int]],
    sentences: Sequence[tuple[int, int, int]],
    tokens: Sequence[Sequence[str]],
) -> None:
    """Write everything of a version but vectors, keyword index and manifest into `folder`."""
    (folder / "files.json").write_bytes(_FILES.dump_json(files))
    for name, spans in (("chunks", chunks), ("sentences", sentences)):
        np.save(folder / f"{name}.npy", np.array(spans, np.int64).reshape(-1, 3))
    frequencies = Counter(token for words in tokens for token in set(words))
    (folder / "words.json").write_text(json.dumps(frequencies, ensure_ascii=False), encoding="utf-8")


def write_manifest(folder: Path, *, model: str, dimension: int, lexicon: str, chunks: int) -> None:
    """Write the manifest of `folder` last: a folder without it is no version."""
    names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock")
    sums = {name: checksum(folder / name) for name in names}
    manifest = Manifest(FORMAT, model, dimension, lexicon, chunks, sums)
    (folder / "manifest.json").write_bytes(_MANIFEST.dump_json(manifest, indent=1))


def checksum(path: Path) -> int:
    """CRC-32 of a file, -1 where it can't be read: quick enough for every start, and damage does not pass it."""
    try:
        with path.open("rb") as file:
            value = 0
            while block := file.read(1 << 20):
                value = zlib.crc32(block, value)
            return value
    except OSError:
        return -1


def _read_manifest(folder: Path) -> Manifest:
    try:
        return _MANIFEST.validate_json((folder / "manifest.json").read_bytes())
    except (OSError, ValueError) as error:
        raise IndexBroken(f"索引不完整：{folder}", REBUILD) from error
