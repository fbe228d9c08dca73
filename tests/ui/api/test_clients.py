"""A really started server with the real models, asked by the programs that people use: openai, curl, MCP."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import openai
import pytest
from mcp import Client, StdioServerParameters

from tests.builders import ROOT
from tests.test_readme import README
from tests.ui.api.places import PASSWORD, QUESTION
from ui import serve

pytestmark = pytest.mark.model

LISTENS = re.compile(r"http://127\.0\.0\.1:(\d+)")


def _started(folder: Path, *options: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
    """Start `weice serve` on a free port and wait until it listens; return it and its address."""
    with serve.listen("127.0.0.1", 0) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "ui.cli", "serve", "--port", str(port), *options],
        cwd=ROOT,
        env={**os.environ, "WEICE_DATABASE": f"sqlite:///{folder / 'weice.db'}", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if LISTENS.search(line):
            url = f"http://127.0.0.1:{port}"
            httpx.Client(transport=httpx.HTTPTransport(retries=5)).get(f"{url}/healthz")
            return process, url
    raise AssertionError("".join(said))


def _ended(process: subprocess.Popen[str]) -> None:
    """Stop it as a service manager does: it closes what it holds, the LLM that it started too."""
    process.terminate()
    said, _ = process.communicate(timeout=60)
    assert said.endswith("已停止。\n")
    assert process.returncode == 0


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process, address = _started(tmp_path_factory.mktemp("serve"), "--api-only", "--no-llm")
    yield address
    _ended(process)


def test_the_openai_client_gets_a_cited_answer(url: str):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    got: Any = client.chat.completions.create(model="weice", messages=[{"role": "user", "content": QUESTION}])
    assert "2000余家" in got.choices[0].message.content
    assert "出处：\n[1] 《" in got.choices[0].message.content
    assert got.weice["verdict"] == "answered"
    assert got.weice["citations"][0]["quote"] in got.choices[0].message.content
    assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens
    assert [model.id for model in client.models.list()] == ["weice", "weice-extractive"]


def test_the_openai_client_reads_the_stream_to_its_end(url: str):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    chunks: list[Any] = list(
        client.chat.completions.create(
            model="weice",
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "2000余家" in text
    assert chunks[-1].usage.completion_tokens > 0
    assert chunks[-2].weice["verdict"] == "answered"
    assert chunks[0].weice["stage"] == "理解问题"


def test_the_openai_client_is_told_its_errors(url: str):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "问"}])
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="weice", messages=[])
    assert wrong.value.param == "messages"


def test_a_follow_up_is_understood(url: str):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    first = client.chat.completions.create(model="weice", messages=messages).choices[0].message
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": "那里的回款周期呢？"}]
    got: Any = client.chat.completions.create(model="weice", messages=messages)
    assert "厦门" in got.weice["standalone_question"]


def _example(start: str, url: str = "") -> str:
    """The rest of README's block from `start` on, at another address."""
    at = README.index(start)
    return README[at : README.index("```", at)].replace("http://127.0.0.1:7860", url)


def _run(lines: str) -> str:
    return subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True).stdout


def test_the_python_example_of_readme_runs(url: str):
    said = _run(_example("from openai import OpenAI", url))
    assert "2000余家" in said
    assert said.endswith("answered\n")


def test_the_python_example_of_readme_with_scenario_and_filters_runs(url: str):
    held_to = _example('answer = client.chat.completions.create(\n    model="weice-extractive"')
    said = _run(_example("from openai import OpenAI", url) + held_to)
    assert "中医" in said.splitlines()[-1]
    with pytest.raises(subprocess.CalledProcessError) as wrong:
        _run(_example("from openai import OpenAI", url) + held_to.replace("本期视点", "没有这种刊物"))
    assert "没有刊物“没有这种刊物”" in wrong.value.stderr


def test_the_curl_example_of_readme_runs(url: str):
    lines = _example("curl -s http://127.0.0.1:7860/api/ask", url)
    said = subprocess.run(["bash", "-c", lines], capture_output=True, text=True, check=True)
    got = json.loads(said.stdout)
    assert got["verdict"] == "answered"
    assert "485" in got["answer"]


def test_keys_made_on_the_command_line_open_the_server(tmp_path: Path):
    environment = {**os.environ, "WEICE_DATABASE": f"sqlite:///{tmp_path / 'weice.db'}"}

    def weice(*args: str, typed: str = "") -> str:
        command = [sys.executable, "-m", "ui.cli", *args]
        return subprocess.run(
            command, cwd=ROOT, env=environment, input=typed, capture_output=True, text=True, check=True
        ).stdout

    weice("user", "add", "主任", "--role", "管理员", typed=f"{PASSWORD}\n")
    key = weice("key", "create", "主任").strip()
    process, address = _started(tmp_path, "--api-only", "--no-llm", WEICE_LOGIN="true")
    try:
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0).models.list()
        client = openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0)
        assert client.models.list().data
        weice("key", "revoke", "1")
        with pytest.raises(openai.AuthenticationError):
            client.models.list()
    finally:
        _ended(process)


async def _asked(transport: Any) -> tuple[list[str], Any, Any, Any]:
    async with Client(transport) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        answer = await client.call_tool("ask", {"question": QUESTION})
        issues = await client.call_tool("list_issues", {})
        first = issues.structured_content["issues"][0]["articles"][0]["id"]
        article = await client.call_tool("get_article", {"id": first})
        return tools, answer, issues, article


def _check(tools: list[str], answer: Any, issues: Any, article: Any) -> None:
    assert tools == ["ask", "search", "get_article", "list_issues"]
    assert "2000余家" in answer.structured_content["answer"]
    assert len(issues.structured_content["issues"]) >= 5
    assert article.structured_content["text"]


def test_the_mcp_example_of_readme_runs(tmp_path: Path):
    made = json.loads(_example('{"mcpServers"').replace("/项目文件夹", str(ROOT)))["mcpServers"]["weice"]
    environment = {"WEICE_DATABASE": f"sqlite:///{tmp_path / 'weice.db'}", "PYTHONPATH": str(ROOT)}
    parameters = StdioServerParameters(**made, env={**os.environ, **environment}, cwd=ROOT)

    async def asked() -> tuple[Any, ...]:
        async with Client(parameters) as client:
            held_to = {"names": ["本期视点"]}
            quoted = {"question": "湖南中药材种了多少亩", "no_llm": True, "filters": held_to}
            found = await client.call_tool("search", {"question": QUESTION, "filters": {"names": ["信息动态"]}})
            wrong = await client.call_tool("search", {"question": QUESTION, "filters": {"issues": ["第99期"]}})
            issues = await client.call_tool("list_issues", {})
            return await client.call_tool("ask", quoted), found, wrong, issues

    answer, found, wrong, issues = anyio.run(asked)
    assert "485" in answer.structured_content["answer"]
    assert {c["issue"] for c in answer.structured_content["citations"]} == {"本期视点"}
    named = {one["file"] for one in issues.structured_content["issues"] if "信息动态" in one["issue"]}
    assert {one["file"] for one in found.structured_content["retrieved"]} <= named
    assert found.structured_content["retrieved"]
    assert wrong.content[0].text.startswith("没有期号“第99期”。可用：")


def test_mcp_over_http(url: str):
    _check(*anyio.run(_asked, f"{url}/mcp"))


def test_mcp_over_standard_input_and_output(tmp_path: Path):
    environment = {**os.environ, "WEICE_DATABASE": f"sqlite:///{tmp_path / 'weice.db'}"}
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "ui.cli", "mcp", "--no-llm"], env=environment, cwd=ROOT
    )
    _check(*anyio.run(_asked, parameters))


def test_the_real_llm_answers_through_the_openai_client(tmp_path: Path):
    process, address = _started(tmp_path, "--api-only")
    try:
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=300)
        chunks: list[Any] = list(
            client.chat.completions.create(
                model="weice", messages=[{"role": "user", "content": QUESTION}], stream=True
            )
        )
    finally:
        _ended(process)
    record = chunks[-1].weice
    assert record["mode"] == "llm"
    assert record["verdict"] == "answered"
    assert "2000余家" in record["answer"]
    assert any("draft" in chunk.weice for chunk in chunks if getattr(chunk, "weice", None))
