"""The local LLM's child process: a broken file without a model, everything else with the real one."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag import settings
from rag.answer.extracting import NULL, is_null
from rag.errors import LlmUnavailable, StorageError
from rag.llm.endpoint import LocalGenerator
from rag.llm.local import LocalServer, Running, physical_cores
from rag.models import ModelStore
from rag.schema import Message

ROOT = Path(__file__).parents[2]
ASK = (Message("system", "你是助手，用中文简短回答。"), Message("user", "中国的首都是哪座城市？"))


def server_for(
    model: Path, run_dir: Path, *, context: int = 1024, idle_s: float = 300, start_timeout_s: float = 180
) -> LocalServer:
    return LocalServer(model, run_dir, threads=0, context=context, idle_s=idle_s, start_timeout_s=start_timeout_s)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait for something that must happen soon; False where it does not."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def read(path: Path) -> str:
    """A file of a process, empty where it has gone meanwhile."""
    try:
        return path.read_text()
    except OSError:
        return ""


# Without a model


def test_a_broken_file_says_why_and_what_to_do(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 100)
    server = server_for(broken, tmp_path / "run")
    with pytest.raises(LlmUnavailable, match=r"启动不了（.*gguf.*）。请运行 weice models verify") as caught:
        server.ensure()
    assert "\n" not in str(caught.value)
    assert server.status() is None
    assert not (tmp_path / "run" / "llm.json").exists()


def test_a_broken_local_llm_is_not_tried_twice(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"not a model")
    with pytest.raises(LlmUnavailable, match="weice models verify"):
        next(LocalGenerator(server_for(broken, tmp_path / "run"), "m", 20).generate(ASK, max_tokens=5))


def test_a_missing_model_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(LlmUnavailable, match="weice models pull"):
        server_for(tmp_path / "no.gguf", tmp_path / "run").ensure()


def test_a_start_that_takes_too_long_leaves_no_process(tmp_path: Path) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"GGUF")
    with pytest.raises(LlmUnavailable, match=r"没有启动好.*llm_start_timeout_s"):
        server_for(model, tmp_path / "run", start_timeout_s=0.01).ensure()
    mine = [
        status.parent for status in Path("/proc").glob("[0-9]*/status") if f"PPid:\t{os.getpid()}\n" in read(status)
    ]
    assert not [process for process in mine if "child.py" in read(process / "cmdline")]


def test_a_state_file_that_is_damaged_or_of_a_dead_process_counts_for_nothing(tmp_path: Path) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"GGUF")
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    server = server_for(model, run_dir)
    for text in (
        "",
        "{",
        "[]",
        '{"pid": 1}',
        '{"pid": 1, "address": "http://127.0.0.1:9", "api_key": "", "identity": ""}',
    ):
        (run_dir / "llm.json").write_text(text)
        assert server.status() is None
    server.stop()
    assert not (run_dir / "llm.json").exists()


def test_a_run_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="data_dir"):
        server_for(tmp_path / "m.gguf", tmp_path / "file" / "run").ensure()


def test_stopping_what_never_ran_does_nothing(tmp_path: Path) -> None:
    server_for(tmp_path / "m.gguf", tmp_path / "run").stop()
    assert not (tmp_path / "run").exists()


def test_threads_are_at_most_the_processors_we_may_use() -> None:
    assert 1 <= physical_cores() <= len(os.sched_getaffinity(0))


def test_the_parent_imports_nothing_heavy() -> None:
    heavy = "{'xllamacpp', 'openai', 'httpx', 'torch', 'numpy', 'llama_index'}"
    code = f"import sys, rag.llm.local, rag.llm.endpoint; print(sorted({heavy} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# With the real model


@pytest.fixture(scope="module")
def gguf() -> Path:
    return ModelStore(settings.load().models_dir).pull("qwen2.5-coder-1.5b", "llm")


@pytest.fixture
def server(gguf: Path, tmp_path: Path) -> Iterator[LocalServer]:
    made = server_for(gguf, tmp_path / "run")
    yield made
    made.stop()


def busy(running: Running) -> bool:
    request = urllib.request.Request(running.base_url.removesuffix("/v1") + "/slots")  # noqa: S310
    request.add_header("Authorization", f"Bearer {running.api_key}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        return any(slot["is_processing"] for slot in json.load(answer))


@pytest.mark.model
def test_it_answers_in_chinese_and_is_gone_after_stop(server: LocalServer, tmp_path: Path) -> None:
    generator = LocalGenerator(server, "qwen", 90)
    generator.prepare()
    pieces = list(generator.generate(ASK, max_tokens=40))
    assert "北京" in "".join(pieces)
    assert len(pieces) > 1, "streamed"
    running = server.status()
    assert running
    assert stat.S_IMODE((tmp_path / "run" / "llm.json").stat().st_mode) == 0o600
    assert running.api_key not in repr(running)
    assert running.api_key not in Path(f"/proc/{running.pid}/cmdline").read_text()
    assert "首都" not in (tmp_path / "run" / "llm.log").read_text(), "questions stay out of the log"
    server.stop()
    assert server.status() is None
    assert until(lambda: not alive(running.pid))


@pytest.mark.model
def test_it_copies_what_the_text_states_and_moved_log_odds_decide(server: LocalServer) -> None:
    generator = LocalGenerator(server, "qwen", 90)
    asked = Message(
        "user",
        "资料：湖南全省中药种植面积达485万亩。\n问题：湖南全省中药种植面积有多少万亩？只写答案，没有就写“无”。",
    )

    def copied(moved: float) -> list[tuple[str, float]]:
        return list(generator.extract([asked], {NULL: moved}, max_tokens=12))

    pieces = copied(-30.0)
    assert "485" in "".join(piece for piece, _ in pieces)
    assert 0.0 < pieces[0][1] <= 1.0
    assert is_null("".join(piece for piece, _ in copied(30.0)[:1]))


@pytest.mark.model
def test_two_commands_at_once_share_one_child_that_a_killed_parent_leaves_running(
    server: LocalServer, gguf: Path, tmp_path: Path
) -> None:
    code = (
        "import signal, sys, time\nfrom pathlib import Path\nfrom rag.llm.local import LocalServer\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a test run in the background ignores it
        "s = LocalServer(Path(sys.argv[1]), Path(sys.argv[2]), threads=0, context=1024, idle_s=300,"
        " start_timeout_s=180)\nprint(s.ensure().pid, flush=True)\ntime.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(gguf), str(tmp_path / "run")]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True) for _ in range(2)]
    pids = {int(process.stdout.readline()) for process in both if process.stdout}
    assert len(pids) == 1
    for process in both:
        os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C in its terminal does
        process.wait()
    assert {server.ensure().pid} == pids


@pytest.mark.model
def test_a_child_that_died_is_started_again(server: LocalServer) -> None:
    first = server.ensure()
    os.kill(first.pid, signal.SIGKILL)
    assert until(lambda: not alive(first.pid))
    assert "北京" in "".join(LocalGenerator(server, "qwen", 90).generate(ASK, max_tokens=40))
    assert server.ensure().pid != first.pid


@pytest.mark.model
def test_a_child_that_dies_in_the_middle_of_an_answer_is_told(server: LocalServer) -> None:
    pieces = LocalGenerator(server, "qwen", 90).generate((Message("user", "从一数到一百，用汉字。"),), max_tokens=600)
    next(pieces)
    os.kill(server.ensure().pid, signal.SIGKILL)
    with pytest.raises(LlmUnavailable, match="weice doctor"):
        list(pieces)


@pytest.mark.model
def test_closing_the_answer_frees_the_model(server: LocalServer) -> None:
    pieces = LocalGenerator(server, "qwen", 90).generate((Message("user", "从一数到一千，用汉字。"),), max_tokens=900)
    next(pieces)
    running = server.ensure()
    assert busy(running)
    pieces.close()
    assert until(lambda: not busy(running), seconds=10), "900 tokens take longer than this"


@pytest.mark.model
def test_an_idle_child_leaves_and_takes_its_state_with_it(gguf: Path, tmp_path: Path) -> None:
    server = server_for(gguf, tmp_path / "run", idle_s=1)
    running = server.ensure()
    assert until(lambda: not alive(running.pid))
    assert not (tmp_path / "run" / "llm.json").exists()


@pytest.mark.model
def test_a_child_at_work_is_not_idle(gguf: Path, tmp_path: Path) -> None:
    import llama_index.llms.openai_like  # noqa: F401  # its import must not count as idleness

    server = server_for(gguf, tmp_path / "run", idle_s=1, context=2048)
    long = Message("user", "医保改革。" * 300 + "上文讲什么？一句话。")
    try:
        assert list(LocalGenerator(server, "qwen", 90).generate((long,), max_tokens=8))
    finally:
        server.stop()


@pytest.mark.model
def test_other_settings_or_a_lost_state_file_replace_the_child(
    server: LocalServer, gguf: Path, tmp_path: Path
) -> None:
    first = server.ensure()
    second = server_for(gguf, tmp_path / "run", context=2048).ensure()
    assert second.pid != first.pid
    assert not alive(first.pid)
    (tmp_path / "run" / "llm.json").unlink()
    assert until(lambda: not alive(second.pid))


@pytest.mark.model
def test_a_prompt_beyond_the_context_is_refused_in_words(server: LocalServer) -> None:
    long = Message("user", "医保改革。" * 1000)
    with pytest.raises(LlmUnavailable, match="HTTP 400"):
        list(LocalGenerator(server, "qwen", 90).generate((long,), max_tokens=8))
