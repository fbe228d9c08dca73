"""`weice serve` up to the web server: addresses, models, index."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rag.errors import ModelError, UsageError, WeiceError
from rag.settings import ROOT
from tests.ui.standin import StandIn
from ui import serve
from ui.cli import main
from ui.web.page import edited


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.com", "不是地址"])  # noqa: S104
def test_only_this_machine_can_be_listened_on(host: str):
    with pytest.raises(UsageError):
        serve.listen(host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_can_be_listened_on(host: str):
    with serve.listen(host, 0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_used_port_is_one_line_with_another_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code = main(["serve", "--port", str(port)], build=lambda: StandIn(tmp_path))
    err = capsys.readouterr().err
    assert code == 1
    assert err.startswith(f"错误：端口 {port} 已被占用。")
    assert f"--port {port + 1}" in err
    assert err.count("\n") == 1


def test_another_host_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["serve", "--host", "0.0.0.0"], build=lambda: StandIn(tmp_path)) == 2  # noqa: S104
    assert "只能在本机" in capsys.readouterr().err


def test_missing_models_are_said_before_the_server_starts(tmp_path: Path):
    with pytest.raises(ModelError, match="weice models pull"):
        serve.serve(StandIn(tmp_path, no_models=True), host="127.0.0.1", port=0, use_llm=True)  # type: ignore[arg-type]


def test_a_broken_index_is_said_before_the_server_starts(tmp_path: Path):
    class Broken(StandIn):
        @property
        def index(self):
            raise WeiceError("索引损坏", "运行 weice index --rebuild")

    with pytest.raises(WeiceError, match="--rebuild"):
        serve.serve(Broken(tmp_path), host="127.0.0.1", port=0, use_llm=True)  # type: ignore[arg-type]


def test_the_start_page_names_no_other_host_and_is_chinese():
    page = (
        b'<html\n lang="en">\n<head><meta property="og:url" content="https://gradio.app/" />'
        b'<meta\n\tname="twitter:image"\n\tcontent="https://raw.example/x.jpg"\n/><meta charset="utf-8" /></head>'
    )
    assert b"https://" not in edited(page)
    assert b'lang="zh-CN"' in edited(page)
    assert b'<meta charset="utf-8" />' in edited(page)


def test_serve_builds_a_missing_index_answers_and_ends_cleanly_on_ctrl_c(tmp_path: Path):
    script = (
        "import sys, pathlib; from ui.cli import main; from tests.ui.standin import StandIn; "
        "app = StandIn(pathlib.Path(sys.argv[1]), no_index=True); "
        "code = main(['serve', '--port', sys.argv[2]], build=lambda: app); "
        "print('CODE', code, 'CLOSED', app.closed, 'PREPARED', app.prepared)"
    )
    with serve.listen("127.0.0.1", 0) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-u", "-c", script, str(tmp_path), str(port)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "已打开" in line:
                break
        page = _get(port)
        process.send_signal(signal.SIGINT)
        said.extend(process.stdout)
    text = "".join(said)
    assert "索引已建成：v2" in text
    assert f"http://127.0.0.1:{port}" in text
    assert text.endswith("已停止。\nCODE 0 CLOSED 1 PREPARED 1\n")
    assert "Traceback" not in text
    assert "200 OK" in page
    assert "content-security-policy: default-src 'self'" in page
    assert set(re.findall(r"https?://([^/\"'<>\s]+)", page)) <= {f"127.0.0.1:{port}"}


def _get(port: int) -> str:
    for _ in range(600):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=30) as link:
                link.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
                got = b""
                while block := link.recv(65536):
                    got += block
                return got.decode("utf-8")
        except ConnectionRefusedError:
            continue
    raise AssertionError("the server did not answer")
