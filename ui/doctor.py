"""Looks at everything an answer needs and says what to do where something is missing. It changes nothing.

The local LLM is not started: its file and the state of its process are looked at.
"""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rag.errors import WeiceError

if TYPE_CHECKING:
    from rag.wiring import App

State = Literal["ok", "警告", "失败"]

LOW_BYTES = 2_000_000_000
"""Below this a model pull or a rebuild may not fit."""
FULL_BYTES = 200_000_000
ENDPOINT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Row:
    """One check: its name, how it went, what was seen and what to do."""

    name: str
    state: State
    what: str
    next_step: str = ""

    def record(self) -> dict[str, Any]:
        """The row as `doctor --json` gives it."""
        return asdict(self)


def check(app: App) -> tuple[Row, ...]:
    """Make every check, in the order in which a question needs them."""
    checks: tuple[tuple[str, Callable[[App], Iterator[Row]]], ...] = (
        ("Python", _python),
        ("资料", _library),
        ("模型", _models),
        ("索引", _index),
        ("大模型", _llm),
        ("磁盘", _disk),
        ("端口", _port),
    )
    return tuple(row for name, make in checks for row in _rows(name, make, app))


def _rows(name: str, make: Callable[[App], Iterator[Row]], app: App) -> list[Row]:
    """The rows of one check; an error on the way is its last row."""
    rows: list[Row] = []
    try:
        rows.extend(make(app))
    except WeiceError as error:
        rows.append(Row(name, "失败", error.what, error.next_step))
    except OSError as error:
        rows.append(Row(name, "失败", f"{error.strerror or error}：{error.filename or ''}", "请检查路径和权限"))
    return rows


def show(rows: Sequence[Row]) -> None:
    """Print the rows for people."""
    from ui.terminal import console  # rich is not needed for --json

    out = console()
    signs = {"ok": ("✓", "green"), "警告": ("!", "yellow"), "失败": ("×", "red")}
    for row in rows:
        sign, style = signs[row.state]
        line = f"{sign} {row.name}：{row.what}"
        out.print(f"{line}。{row.next_step}" if row.next_step else line, style=style)
    failed = sum(row.state == "失败" for row in rows)
    out.print(f"{failed} 项失败，请按上面的提示处理。" if failed else "可以使用。", style="bold")


def _python(_: App) -> Iterator[Row]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    right = sys.version_info[:2] == (3, 11)
    yield Row("Python", "ok" if right else "失败", version, "" if right else "请用 Python 3.11，重新运行 make serve")


def _library(app: App) -> Iterator[Row]:
    from rag.index.build import library_files

    files = library_files(app.settings.library)
    folders = "、".join(str(folder) for folder in app.settings.library)
    if files:
        yield Row("资料", "ok", f"{len(files)} 个文件（{folders}）")
    else:
        yield Row("资料", "失败", f"没有文件（{folders}）", "请放入 .txt .md .html .docx 或 .pdf 文件")


def _models(app: App) -> Iterator[Row]:
    for spec, kind in app.wanted_models():
        name = {"embedding": "向量模型", "reranker": "重排模型", "llm": "大模型文件"}[kind]
        try:
            path = app.models.path(spec, kind)
        except WeiceError as error:
            yield Row(name, "失败", error.what, error.next_step)
        else:
            yield Row(name, "ok", f"{spec}（{path}，大小相符；逐字节校验用 weice models verify）")


def _index(app: App) -> Iterator[Row]:
    index = app.index
    yield Row("索引", "ok", f"{index.version}，{len(index.articles)} 篇文章，{len(index)} 段，与向量模型相符")


def _llm(app: App) -> Iterator[Row]:
    if app.settings.llm == "none":
        yield Row("大模型", "ok", "未用大模型，回答由原文摘录而成")
    elif app.settings.llm == "local":
        yield _local_llm(app)
    else:
        yield _endpoint(app)


def _local_llm(app: App) -> Row:
    if find_spec("xllamacpp") is None:
        return Row("大模型", "失败", "缺少运行本机大模型的组件 xllamacpp", "请重新运行 make serve")
    running = app.llm_server.status()
    if running is None:
        return Row("大模型", "ok", "本机大模型未启动，提问时会自动启动")
    return Row("大模型", "ok", f"本机大模型正在运行（{running.base_url}）")


def _endpoint(app: App) -> Row:
    import httpx

    from rag.llm.endpoint import PRESETS

    preset = PRESETS.get(app.settings.llm)
    base_url = (app.settings.llm_base_url or (preset.base_url if preset else "")).rstrip("/")
    if not base_url:
        return Row("大模型", "失败", "没有设置接口地址", "请设置 llm_base_url（环境变量 WEICE_LLM_BASE_URL）")
    key = app.settings.llm_api_key.get_secret_value()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        status = httpx.get(f"{base_url}/models", headers=headers, timeout=ENDPOINT_TIMEOUT_S).status_code
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        what = f"接口 {base_url} 连不上（{type(error).__name__}）"
        return Row("大模型", "失败", what, "请检查 llm_base_url 和网络；暂时可用 --no-llm")
    if status in (401, 403):
        return Row("大模型", "失败", f"接口 {base_url} 拒绝了密钥", "请检查环境变量 WEICE_LLM_API_KEY")
    if status >= 500:
        return Row("大模型", "失败", f"接口 {base_url} 出错（HTTP {status}）", "请稍后再试；暂时可用 --no-llm")
    if status >= 400:
        return Row("大模型", "警告", f"接口 {base_url} 可达，但不列出模型（HTTP {status}）", "请用 weice ask 试问")
    return Row("大模型", "ok", f"接口 {base_url} 可达")


def _disk(app: App) -> Iterator[Row]:
    for folder in dict.fromkeys((app.settings.data_dir, app.settings.models_dir)):
        free = shutil.disk_usage(_existing(folder)).free
        what = f"{folder} 剩余 {free / 1e9:.1f} GB"
        if free < FULL_BYTES:
            yield Row("磁盘", "失败", what, "请清理磁盘，或用设置 data_dir、models_dir 换一个位置")
        elif free < LOW_BYTES:
            yield Row("磁盘", "警告", what, "下载模型前请至少留出 2 GB")
        else:
            yield Row("磁盘", "ok", what)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _port(app: App) -> Iterator[Row]:
    host, port = app.settings.host, app.settings.port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            what = f"{host}:{port} 不能使用（{error.strerror}）"
            yield Row("端口", "警告", what, "可能网页已经打开；否则用 weice serve --port 换一个端口")
        else:
            yield Row("端口", "ok", f"{host}:{port} 空闲")
