"""The local LLM as a service of this machine: one child process, started when needed, shared by all commands.

The parent loads no model; see `child.py` for the process itself. What is known of it stands in a state file
that only the user may read.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rag.errors import LlmUnavailable, StorageError

CHILD = Path(__file__).with_name("child.py")
_MEND = "请运行 weice models verify 检查模型文件；内存不足时请关掉别的程序，也可以先用 --no-llm"
_WAITING = {"OMP_WAIT_POLICY": "passive"}
"""llama.cpp's threads sleep while they wait for each other: spinning ones starve where another program takes a core
(eval/NOTES.md)."""
_STOP_S = 10.0
_HEALTH_S = 10.0


@dataclass(frozen=True, slots=True)
class Running:
    """A local LLM that answers. `base_url` is that of its OpenAI-compatible interface."""

    base_url: str
    api_key: str = field(repr=False)
    pid: int


class LocalServer:
    """The child process of one GGUF file; any number of these objects, in any processes, share one child."""

    def __init__(
        self, model: Path, run_dir: Path, *, threads: int, context: int, idle_s: float, start_timeout_s: float
    ) -> None:
        """Remember what to run; nothing is started. `threads` 0 takes every physical core."""
        self._model = model
        self._run_dir = run_dir
        self._threads = threads or physical_cores()
        self._context = context
        self._idle_s = idle_s
        self._start_timeout_s = start_timeout_s
        self._state = run_dir / "llm.json"
        self._heartbeat = run_dir / "llm.alive"
        self._log = run_dir / "llm.log"
        self.started_here = False
        """Whether it was this object that started the running child."""

    def ensure(self) -> Running:
        """Return the running LLM, starting it where there is none. Raises `LlmUnavailable`."""
        self.touch()
        if running := self.status():
            return running
        with self._lock():
            if running := self.status():  # another command has started it meanwhile
                return running
            self._discard()
            return self._start()

    def status(self) -> Running | None:
        """The running LLM, or None where none of this model and these settings answers."""
        state = self._read_state()
        if state.get("identity") != self._identity() or not _healthy(str(state["address"])):
            return None
        return Running(f"{state['address']}/v1", str(state["api_key"]), int(state["pid"]))

    def touch(self) -> None:
        """Tell the child that it is needed."""
        try:
            self._run_dir.mkdir(parents=True, exist_ok=True)
            self._heartbeat.touch()
        except OSError as error:
            raise StorageError(f"文件夹 {self._run_dir} 不可写", "请检查权限和磁盘，或改设置 data_dir") from error

    def stop(self) -> None:
        """End the child, whichever command started it; nothing happens where there is none."""
        if self._run_dir.is_dir():
            with self._lock():
                self._discard()

    def _identity(self) -> str:
        """What a running child must have been started with to serve us."""
        try:
            stat = self._model.stat()
        except OSError as error:
            raise LlmUnavailable(f"没有模型文件 {self._model}", "请运行 weice models pull") from error
        return f"{self._model.resolve()} {stat.st_size} {stat.st_mtime_ns} {self._context} {self._threads}"

    def _read_state(self) -> dict[str, Any]:
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        known = {"pid", "address", "api_key", "identity"}
        return state if isinstance(state, dict) and known <= state.keys() else {}

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One process at a time starts or ends the child."""
        from filelock import FileLock, Timeout

        lock = FileLock(self._run_dir / "llm.lock")
        try:
            lock.acquire(timeout=self._start_timeout_s + _STOP_S)
        except Timeout as error:
            raise LlmUnavailable("另一个命令一直在启动本机大模型", "请稍后再试，或运行 weice doctor") from error
        try:
            yield
        finally:
            lock.release()

    def _start(self) -> Running:
        """Start the child and wait until it answers."""
        self._log.write_bytes(b"")
        orders = {
            "model": str(self._model.resolve()),
            "identity": self._identity(),
            "context": self._context,
            "threads": self._threads,
            "idle_s": self._idle_s,
            "state": str(self._state.resolve()),
            "heartbeat": str(self._heartbeat.resolve()),
            "log": str(self._log.resolve()),
        }
        with self._log.open("ab") as log:  # appending, so that the child can cut it short
            process = subprocess.Popen(  # noqa: S603  # our own interpreter and file
                [sys.executable, "-P", str(CHILD)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=os.environ | _WAITING,
                start_new_session=True,  # Ctrl-C here must not end what others use
            )
        try:
            with suppress(BrokenPipeError), process.stdin as pipe:  # type: ignore[union-attr]  # PIPE above
                pipe.write(json.dumps(orders).encode())
            running = self._await(process)
        except BaseException:
            process.kill()
            process.wait()
            raise
        threading.Thread(target=process.wait, daemon=True).start()  # reaps it when it ends
        self.started_here = True
        return running

    def _await(self, process: subprocess.Popen[bytes]) -> Running:
        end = time.monotonic() + self._start_timeout_s
        while time.monotonic() < end:
            if self._read_state().get("pid") == process.pid and (running := self.status()):
                self.touch()
                return running
            if process.poll() is not None:
                raise LlmUnavailable(f"本机大模型启动不了（{self._reason(process.returncode)}）", _MEND)
            time.sleep(0.1)
        raise LlmUnavailable(
            f"本机大模型 {self._start_timeout_s:.0f} 秒内没有启动好（{self._reason(0)}）",
            "请关掉别的程序后再试，或调大设置 llm_start_timeout_s，也可以先用 --no-llm",
        )

    def _reason(self, code: int) -> str:
        """The first error in the child's log (what follows are its consequences), else its last line."""
        if code == -signal.SIGKILL:
            return "进程被系统终止，多半是内存不足"
        lines = [ln for ln in self._log.read_text(encoding="utf-8", errors="replace").splitlines() if ln.strip()]
        errors = [line.split(" E ", 1)[1] for line in lines if " E " in line] or lines[-1:] or ["日志为空"]
        return errors[0].strip()[:200]

    def _discard(self) -> None:
        """End whatever child the state file names: without that file it leaves by itself."""
        pid = self._read_state().get("pid")
        self._state.unlink(missing_ok=True)
        if not isinstance(pid, int):
            return
        end = time.monotonic() + _STOP_S
        while _is_child(pid) and time.monotonic() < end:
            time.sleep(0.05)
        if _is_child(pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def physical_cores() -> int:
    """Physical cores that this process may use; hyper-threads slow llama.cpp down."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = set()
    for cpu in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        cores.add(siblings.read_text().strip() if siblings.is_file() else str(cpu))
    return len(cores)


def _is_child(pid: int) -> bool:
    """Whether `pid` is one of our children, and not a stranger who got a number that became free."""
    try:
        return os.fsencode(CHILD) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _healthy(address: str) -> bool:
    """Whether a server answers there and has its model loaded."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=_HEALTH_S)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
