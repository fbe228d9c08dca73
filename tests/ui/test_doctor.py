"""`weice doctor`: each thing that may be wrong is a row with what to do."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.ui.standin import StandIn
from ui.cli import main
from ui.doctor import Row, check


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rows_of(app: StandIn) -> dict[str, Row]:
    return {row.name: row for row in check(app)}  # type: ignore[arg-type]


def library_in(folder: Path) -> Path:
    (folder / "一.txt").write_text("正文", encoding="utf-8")
    return folder


def test_a_whole_installation_fails_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    app = StandIn(library_in(tmp_path), port=free_port())
    assert main(["doctor"], build=lambda: app) == 0
    out = capsys.readouterr().out
    assert "✓ 索引：v1，2 篇文章" in out
    assert "×" not in out


def test_what_is_missing_is_named_with_the_command_that_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    app = StandIn(tmp_path, no_index=True, no_models=True, port=free_port())
    assert main(["doctor", "--json"], build=lambda: app) == 1
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["checks"]}
    assert rows["资料"]["state"] == "失败"
    assert (rows["向量模型"]["state"], rows["向量模型"]["next_step"]) == ("失败", "请运行 weice models pull")
    assert (rows["索引"]["state"], rows["索引"]["next_step"]) == ("失败", "请先运行 weice index")


def test_a_used_port_is_a_warning(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        row = rows_of(StandIn(tmp_path, port=taken.getsockname()[1]))["端口"]
    assert row.state == "警告"
    assert "--port" in row.next_step


def test_an_endpoint_that_nobody_answers_fails_with_its_setting(tmp_path: Path):
    app = StandIn(tmp_path)
    address = f"http://127.0.0.1:{free_port()}/v1"
    app.settings = app.settings.model_copy(update={"llm": "custom", "llm_base_url": address})
    row = rows_of(app)["大模型"]
    assert row.state == "失败"
    assert address in row.what
    assert "llm_base_url" in row.next_step


def test_an_endpoint_without_an_address_fails(tmp_path: Path):
    app = StandIn(tmp_path)
    app.settings = app.settings.model_copy(update={"llm": "custom"})
    assert rows_of(app)["大模型"].what == "没有设置接口地址"
