"""The document's way: library folders -> a new index version, written beside the live one and swapped in whole.

A version is built in a folder of its own and named live by one atomic replace of the file `CURRENT`: a build that
is killed leaves the live version as it was. Files whose content did not change are neither parsed nor embedded.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from rag import whole
from rag.corpus.articles import parse
from rag.corpus.readers import SUFFIXES, read
from rag.corpus.sentences import Span, sentence_spans
from rag.corpus.words import Words
from rag.errors import DocumentError, IndexMissing, IndexStateError, StorageError
from rag.index.chunking import chunk
from rag.index.keywords import write_keywords
from rag.index.vectors import write_vectors
from rag.index.version import IndexedFile, IndexVersion, write_manifest, write_version
from rag.ports import Embedder, Vector
from rag.schema import Chunk

Progress = Callable[[str, int, int], None]

KEPT_VERSIONS = 3
"""Versions kept on disk, the live one among them."""
MIN_FREE_BYTES = 100_000_000
_BATCH = 32
SHORTEST = 6
"""Characters of the shortest sentence that is embedded by itself."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """One line of the parse report. `expected` counts the articles in the file's own table of contents."""

    file: str
    layout: str
    articles: int
    expected: int | None
    oddities: tuple[str, ...]
    changed: bool
    error: str | None = None


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did; `unchanged` means that no new version was needed."""

    version: str
    files: tuple[FileReport, ...]
    removed: tuple[str, ...]
    chunks: int
    embedded: int
    reused: int
    unchanged: bool


@dataclass(frozen=True, slots=True)
class _Scan:
    """The library as it stands now, beside the version that is live."""

    files: dict[str, IndexedFile]
    errors: dict[str, str]
    changed: frozenset[str]
    removed: tuple[str, ...]


class IndexStore:
    """The index versions under one folder."""

    def __init__(self, folder: Path) -> None:
        """Take `folder`; it need not exist yet."""
        self._folder = folder
        self._versions = folder / "versions"
        self._current = folder / "CURRENT"

    def open(self, *, model: str | None = None, version: str | None = None) -> IndexVersion:
        """Open the live version, or the one named. Raises `IndexMissing` or `IndexBroken`."""
        if version is not None:
            if version not in self.versions():
                raise IndexMissing(f"索引 {version} 已不在", "请用现在的索引")
            return IndexVersion(self._versions / version, model=model)
        return IndexVersion(self._versions / self._live(), model=model)

    def versions(self) -> tuple[str, ...]:
        """The names of the versions kept on disk, the oldest first."""
        if not self._versions.is_dir():
            return ()
        return tuple(sorted(folder.name for folder in self._versions.iterdir() if folder.is_dir()))

    def _live(self) -> str:
        try:
            return self._current.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise IndexMissing("还没有索引", "请先运行 weice index") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with _storage_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._folder / "build.lock", timeout=0):
                yield
        except Timeout as error:
            raise StorageError("另一个 weice index 正在运行", "请等它结束后再试") from error

    def build(
        self,
        library: Sequence[Path],
        embedder: Embedder,
        words: Words,
        *,
        rebuild: bool = False,
        without: Collection[str] = (),
        progress: Progress = lambda *_: None,
    ) -> BuildReport:
        """Bring the index up to date with the `library` folders, less the files `without`; return what was done.

        Another lexicon makes all words be cut again, without embedding anything. `rebuild` reuses nothing. A file
        that can't be read is reported and keeps what it held in the live version.
        """
        with self._locked(), _storage_errors(self._folder):
            live = None if rebuild else self._reusable(embedder.name)
            scan = _scan(library, live, without, progress)
            if live and not scan.changed and not scan.removed and live.manifest.lexicon == words.fingerprint:
                return _report(live.version, scan, len(live), 0, unchanged=True)
            if shutil.disk_usage(self._folder).free < MIN_FREE_BYTES:
                raise StorageError(f"磁盘空间不足：{self._folder}", "请清理出至少 100 MB 后再运行 weice index")
            return self._write(scan, live, embedder, words, progress)

    def _reusable(self, model: str) -> IndexVersion | None:
        """The live version where it can be built upon, else None."""
        try:
            return self.open(model=model)
        except IndexStateError:
            return None

    def _write(
        self,
        scan: _Scan,
        live: IndexVersion | None,
        embedder: Embedder,
        words: Words,
        progress: Progress,
    ) -> BuildReport:
        building = self._folder / f"building-{os.getpid()}"
        for left_over in self._folder.glob("building-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        building.mkdir()
        chunks, embedded = write_index(building, scan.files, embedder, words, live=live, progress=progress)
        version = self._publish(building)
        progress("写入索引", 1, 1)
        return _report(version, scan, chunks, embedded, unchanged=False)

    def _publish(self, building: Path) -> str:
        """Move the finished folder among the versions and name it live in one atomic step."""
        digest = hashlib.sha256((building / "manifest.json").read_bytes()).hexdigest()[:8]
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{digest}"
        self._versions.mkdir(exist_ok=True)
        target = self._versions / name
        if target.exists():
            shutil.rmtree(target)
        building.rename(target)
        whole.write_text(self._current, name)
        old = sorted((p for p in self._versions.iterdir() if p.name != name), key=lambda p: p.stat().st_mtime)
        for folder in old[: -(KEPT_VERSIONS - 1)]:
            shutil.rmtree(folder, ignore_errors=True)
        return name

    def use(self, version: str, *, model: str) -> None:
        """Go back, or forth, to a version that is kept. Raises `IndexMissing` or `IndexBroken`, nothing changed."""
        with self._locked(), _storage_errors(self._folder):
            self.open(model=model, version=version)
            whole.write_text(self._current, version)


def library_files(folders: Sequence[Path]) -> dict[str, Path]:
    """Return the documents of the `folders` by name, in order.

    A name that repeats gets its folder's name before it.
    """
    found: dict[str, Path] = {}
    for folder in folders:
        paths = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
        for path in paths:
            name = path.relative_to(folder).as_posix()
            if any(part.startswith((".", "~$")) for part in Path(name).parts) or name == "词典.txt":
                continue
            if path.suffix.lower() in SUFFIXES:
                found[name if name not in found else f"{folder.name}/{name}"] = path
    return found


def _scan(library: Sequence[Path], live: IndexVersion | None, without: Collection[str], progress: Progress) -> _Scan:
    """Read and parse what is new or changed; take the rest from the live version."""
    known = live.files if live else {}
    files: dict[str, IndexedFile] = {}
    errors: dict[str, str] = {}
    changed: set[str] = set()
    paths = {name: path for name, path in library_files(library).items() if name not in without}
    for done, (name, path) in enumerate(paths.items()):
        progress(f"解析 {name}", done, len(paths))
        try:
            files[name], is_new = _indexed(name, path, known.get(name))
        except DocumentError as error:
            errors[name] = str(error)
            if name in known:
                files[name] = known[name]
            continue
        if is_new:
            changed.add(name)
    progress("解析", len(paths), len(paths))
    if not files:
        folders = "、".join(str(folder) for folder in library)
        bad = f"（{next(iter(errors.values()))}）" if errors else ""
        raise DocumentError(f"没有可用的资料：{folders}{bad}", "请放入 .txt .md .html .docx 或 .pdf 文件")
    removed = tuple(name for name in known if name not in files)
    return _Scan(files, errors, frozenset(changed), removed)


def _indexed(name: str, path: Path, known: IndexedFile | None) -> tuple[IndexedFile, bool]:
    """The file parsed, and whether that was needed."""
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DocumentError(f"文件读不了：{path}（{error.strerror}）", "请检查文件权限") from error
    if known is not None and known.sha256 == sha256:
        return known, False
    return IndexedFile(sha256, parse(name, read(path))), True


def write_index(
    folder: Path,
    files: dict[str, IndexedFile],
    embedder: Embedder,
    words: Words,
    *,
    live: IndexVersion | None = None,
    progress: Progress = lambda *_: None,
) -> tuple[int, int]:
    """Write a whole version of `files` into `folder`; return its number of chunks and how many were embedded.

    A text that `live`, of the same model, has embedded already is not embedded again.
    """
    articles = [article for file in files.values() for article in file.parsed.articles]
    chunked = [(ordinal, piece) for ordinal, article in enumerate(articles) for piece in chunk(article)]
    chunks = [piece for _, piece in chunked]
    texts = [_chunk_text(piece) for piece in chunks]
    known = dict(zip(_chunk_texts(live), live.vectors.all(), strict=True)) if live else {}
    vectors, embedded = _vectors(texts, known, embedder, partial(progress, "向量"))
    sentences = [(n, a, b) for n, piece in enumerate(chunks) for a, b in _sentences(piece)]
    said = [chunks[n].article.text[a:b] for n, a, b in sentences]
    known = dict(zip(_sentence_texts(live), live.sentences.all(), strict=True)) if live else {}
    sentence_vectors, _ = _vectors(said, known, embedder, partial(progress, "句向量"))
    progress("写入索引", 0, 1)
    tokens = [words.tokens(text) for text in texts]
    write_version(folder, files, [(o, c.start, c.end) for o, c in chunked], sentences, tokens)
    write_vectors(folder / "vectors.faiss", vectors)
    write_vectors(folder / "sentences.faiss", sentence_vectors)
    write_keywords(folder / "words", tokens)
    write_manifest(
        folder, model=embedder.name, dimension=embedder.dimension, lexicon=words.fingerprint, chunks=len(chunks)
    )
    return len(chunks), embedded


def _chunk_text(piece: Chunk) -> str:
    """What of a chunk is embedded and cut into words: its text under its title and headings."""
    return f"{piece.context}\n{piece.text}"


def _sentences(piece: Chunk) -> list[Span]:
    """The sentences of a chunk that are embedded by themselves."""
    spans = sentence_spans(piece.article.text, piece.start, piece.end)
    return [(a, b) for a, b in spans if b - a >= SHORTEST]


def _chunk_texts(live: IndexVersion) -> list[str]:
    return [_chunk_text(live[n]) for n in range(len(live))]


def _sentence_texts(live: IndexVersion) -> list[str]:
    return [live[chunk].article.text[a:b] for chunk, a, b in live.sentence_spans.tolist()]


def _vectors(
    texts: Sequence[str], known: Mapping[str, Vector], embedder: Embedder, progress: Callable[[int, int], None]
) -> tuple[Vector, int]:
    """Vectors of the texts, shape (n, d), those that are `known` taken from there; and how many were embedded."""
    vectors = np.zeros((len(texts), embedder.dimension), np.float32)
    kept = [n for n, text in enumerate(texts) if text in known]
    if kept:
        vectors[kept] = [known[texts[n]] for n in kept]
    fresh = sorted((n for n, text in enumerate(texts) if text not in known), key=lambda n: len(texts[n]))
    for at in range(0, len(fresh), _BATCH):  # texts of like length together: none is padded for another's sake
        progress(at, len(fresh))
        rows = fresh[at : at + _BATCH]
        vectors[rows] = embedder.embed([texts[n] for n in rows])
    progress(len(fresh), len(fresh))
    return vectors, len(fresh)


def _report(version: str, scan: _Scan, chunks: int, embedded: int, *, unchanged: bool) -> BuildReport:
    names = [*scan.files, *(name for name in scan.errors if name not in scan.files)]
    lines = []
    for name in names:
        parsed = scan.files[name].parsed if name in scan.files else None
        lines.append(
            FileReport(
                file=name,
                layout=parsed.layout if parsed else "",
                articles=len(parsed.articles) if parsed else 0,
                expected=parsed.expected if parsed else None,
                oddities=parsed.oddities if parsed else (),
                changed=name in scan.changed,
                error=scan.errors.get(name),
            )
        )
    return BuildReport(version, tuple(lines), scan.removed, chunks, embedded, chunks - embedded, unchanged)


@contextmanager
def _storage_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk or a folder that can't be written into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(f"磁盘已满：{folder}", "请清理磁盘后重试，现有索引没有受影响") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
            raise StorageError(f"文件夹不能写入：{folder}", "请检查权限，或用设置 data_dir 换一个文件夹") from error
        raise
