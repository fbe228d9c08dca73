"""`weice serve` up to the web server: addresses, models, index."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from rag.errors import ModelError, UsageError, WeiceError
from rag.settings import ROOT
from tests.ui.api.places import served
from tests.ui.standin import StandIn
from tests.ui.store.places import store
from ui import serve
from ui.cli import main
from ui.store import Role
from ui.web.page import edited


@pytest.mark.parametrize("host", ["example.com", "不是地址", "1.2.3"])
def test_what_is_no_address_can_not_be_listened_on(host: str):
    with pytest.raises(UsageError, match="监听地址不对"):
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


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
def test_others_are_let_in_only_where_there_are_accounts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str
):
    with serve.listen("127.0.0.1", 0) as probe:
        free = probe.getsockname()[1]
    assert main(["serve", "--host", host, "--port", str(free)], build=lambda: StandIn(tmp_path)) == 2
    err = capsys.readouterr().err
    assert "要先有账号" in err
    assert "weice user add" in err


def test_login_is_required_beyond_this_machine_and_where_it_is_set(tmp_path: Path):
    held = store()
    here, asking = StandIn(tmp_path).settings, StandIn(tmp_path, login=True).settings
    assert serve.needs_login(here, held, "127.0.0.1") is False
    with pytest.raises(UsageError, match="login"):
        serve.needs_login(asking, held, "127.0.0.1")
    held.accounts.add("主任", "correct horse", Role.ADMIN)
    assert serve.needs_login(here, held, "127.0.0.1") is False
    assert serve.needs_login(asking, held, "::1") is True
    assert serve.needs_login(here, held, "0.0.0.0") is True  # noqa: S104


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/v1/models", True),
        ("/api/ask", True),
        ("/mcp", True),
        ("/healthz", True),
        ("/", False),
        ("/gradio_api/call", False),
        ("/apiary", False),
        ("/login", False),
        ("/v1", True),
    ],
)
def test_the_api_has_its_own_paths(path: str, api: bool):
    assert serve.is_api(path) is api


def test_both_are_served_each_with_its_own_guard(tmp_path: Path):
    app, held = StandIn(tmp_path), store()
    for login in (False, True):
        whole = serve.build(app, held, use_llm=False, login=login)  # type: ignore[arg-type]
        with served(whole) as url:
            assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
            assert httpx.get(f"{url}/v1/models").status_code == (401 if login else 200)
            assert httpx.get(url).status_code == 200
            asked = httpx.post(f"{url}/gradio_api/queue/join", json={"fn_index": 0, "data": [], "session_hash": "x"})
            assert (asked.status_code == 401) is login, "the page answers nobody who has not logged in"
            assert httpx.get(url, headers={"host": "evil.example"}).status_code == (200 if login else 403)


def test_the_api_alone_serves_no_page(tmp_path: Path):
    whole = serve.build(StandIn(tmp_path), store(), use_llm=False, login=False, api_only=True)  # type: ignore[arg-type]
    with TestClient(whole, base_url="http://127.0.0.1", client=("127.0.0.1", 1)) as client:
        assert client.get("/v1/models").status_code == 200
        assert client.get("/").status_code == 404


def test_behind_a_proxy_the_documentation_is_found_under_its_path(tmp_path: Path):
    whole = serve.build(
        StandIn(tmp_path),
        store(),
        use_llm=False,
        login=False,
        api_only=True,
        root_path="/weice",  # type: ignore[arg-type]
    )
    with TestClient(whole, base_url="http://127.0.0.1", client=("127.0.0.1", 1)) as client:
        assert "'/weice/openapi.json'" in client.get("/docs").text
        assert client.get("/openapi.json").json()["servers"] == [{"url": "/weice"}]
        assert client.get("/v1/models").status_code == 200


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
        try:
            page = _get(port)
        finally:
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
            time.sleep(0.1)
    raise AssertionError("the server did not answer")
