"""The endpoint adapter against small real HTTP servers that behave badly in every way, and one that is good."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from typing import Any

import pytest

from rag.errors import GenerationError, LlmNonsense, LlmTimeout, LlmUnavailable
from rag.llm.endpoint import PRESETS, EndpointGenerator
from rag.llm.transport import is_loopback, retry_after
from rag.schema import Message
from tests.llm.standin import Endpoint, begin, event, refuse, say

ASK = (Message("system", "只答一句"), Message("user", "厦门？"))


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.over.set()
    made.server.shutdown()
    made.server.server_close()


def ask(url: str, timeout_s: float = 20.0, key: str = "k") -> list[str]:
    return list(EndpointGenerator(url, key, "m", timeout_s).generate(ASK, max_tokens=50))


def test_pieces_come_as_the_server_sends_them(endpoint: Endpoint) -> None:
    endpoint.behave = say("厦门有", "2000余家", "。")
    assert ask(endpoint.url) == ["厦门有", "2000余家", "。"]
    (request,) = endpoint.requests
    assert request["path"] == "/v1/chat/completions"
    assert [message["content"] for message in request["messages"]] == ["只答一句", "厦门？"]
    assert (request["temperature"], request["max_tokens"], request["stream"]) == (0.0, 50, True)
    assert endpoint.keys == ["Bearer k"]


def test_tokens_whose_log_odds_are_moved_are_named_in_the_request(endpoint: Endpoint) -> None:
    endpoint.behave = say("无")
    pieces = EndpointGenerator(endpoint.url, "k", "m", 20.0).extract(ASK, {"无": -2.0}, max_tokens=8)
    assert list(pieces) == [("无", 0.0)], "an endpoint that tells no probability is not sure"
    (request,) = endpoint.requests
    assert (request["logit_bias"], request["logprobs"], request["max_tokens"]) == ({"无": -2.0}, True, 8)


def test_an_address_with_the_whole_path_means_the_same(endpoint: Endpoint) -> None:
    endpoint.behave = say("好")
    assert ask(f"{endpoint.url}/chat/completions") == ask(f"{endpoint.url}/ ") == ["好"]


def test_without_a_key_no_key_of_another_service_is_sent(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    endpoint.behave = say("好")
    ask(endpoint.url, key="")
    assert endpoint.keys == ["Bearer none"]


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    endpoint.behave = say("好")
    assert ask(endpoint.url) == ["好"]


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://localhost/v1", True),
        ("http://[::1]:80", True),
        ("https://api.deepseek.com/v1", False),
        ("http://10.0.0.1", False),
    ],
)
def test_loopback_is_known_by_its_address(url: str, here: bool) -> None:
    assert is_loopback(url) is here


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "拒绝了请求"),
        (401, "WEICE_LLM_API_KEY"),
        (402, "余额不足"),
        (403, "WEICE_LLM_API_KEY"),
        (404, "llm_base_url"),
        (418, "HTTP 418"),
        (429, "请求太多"),
        (500, "内部出错"),
        (503, "内部出错"),
    ],
)
def test_a_refusal_names_the_address_the_status_and_what_to_check(
    endpoint: Endpoint, status: int, words: str
) -> None:
    endpoint.behave = refuse(status, "因为\n不行")
    with pytest.raises(LlmUnavailable) as caught:
        ask(endpoint.url)
    message = str(caught.value)
    assert words in message
    assert endpoint.url in message
    assert f"HTTP {status}，模型 m，因为 不行" in message
    assert "\n" not in message


def test_a_server_that_is_busy_for_a_moment_is_asked_once_more(endpoint: Endpoint) -> None:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        (refuse(503) if len(endpoint.requests) == 1 else say("好"))(handler)

    endpoint.behave = behave
    assert ask(endpoint.url) == ["好"]


def test_nobody_there_is_unavailable() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(LlmUnavailable, match=f"{url} 连接不上"):
        ask(url)


@pytest.mark.parametrize("url", ["127.0.0.1:8000/v1", "", "http://", "http://[bad", "ftp://127.0.0.1/v1", "不是地址"])
def test_something_that_is_no_address_is_unavailable(url: str) -> None:
    with pytest.raises(LlmUnavailable, match="llm_base_url"):
        ask(url)


def test_a_key_that_cannot_be_sent_is_named(endpoint: Endpoint) -> None:
    with pytest.raises(LlmUnavailable, match="密钥"):
        ask(endpoint.url, key="密钥粘错了")


def silent(endpoint: Endpoint) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda _: endpoint.over.wait() and None


def stalls(endpoint: Endpoint) -> Callable[[BaseHTTPRequestHandler], None]:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        event(handler, "厦门有")
        endpoint.over.wait()

    return behave


def only_comments(endpoint: Endpoint) -> Callable[[BaseHTTPRequestHandler], None]:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        while not endpoint.over.wait(0.05):
            handler.wfile.write(b": keep-alive\n\n")
            handler.wfile.flush()

    return behave


def headers_by_the_byte(endpoint: Endpoint) -> Callable[[BaseHTTPRequestHandler], None]:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        for byte in b'data: {"choices": [' + b" " * 10_000:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            if endpoint.over.wait(0.05):
                return

    return behave


@pytest.mark.parametrize("behaviour", [silent, stalls, only_comments, headers_by_the_byte])
def test_whoever_says_nothing_in_time_is_left(
    endpoint: Endpoint, behaviour: Callable[[Endpoint], Callable[[BaseHTTPRequestHandler], None]]
) -> None:
    endpoint.behave = behaviour(endpoint)
    with pytest.raises(LlmTimeout, match=r"0\.5 秒没有回应"):
        ask(endpoint.url, timeout_s=0.5)


def test_a_slow_reader_does_not_count_as_a_slow_server(endpoint: Endpoint) -> None:
    endpoint.behave = say("一", "二")
    pause = threading.Event()
    with closing(EndpointGenerator(endpoint.url, "k", "m", 0.3).generate(ASK, max_tokens=5)) as pieces:
        assert next(pieces) == "一"
        pause.wait(0.6)
        assert list(pieces) == ["二"]


def html(handler: BaseHTTPRequestHandler) -> None:
    begin(handler, "text/html")
    handler.wfile.write("<html><body>请先登录\n<p>a: b</p></body></html>".encode())


def raw(body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        handler.wfile.write(body)

    return behave


@pytest.mark.parametrize(
    "behaviour",
    [
        html,
        raw(b""),
        raw(b"data: [DONE]\n\n"),
        raw(b"data: {not json\n\n"),
        raw(b"data: []\n\n"),
        raw(b"data: 7\n\n"),
        raw(b'data: {"choices": 7}\n\n'),
        raw(b'data: {"choices": [{"delta": null}]}\n\ndata: [DONE]\n\n'),
        raw(b'data: {"hello": "world"}\n\n'),
        raw(b"data: \xff\xfe\n\n"),
        raw(b'{"object": "chat.completion", "choices": [{"message": {"content": "no stream"}}]}'),
        say(" ", "\n"),
    ],
)
def test_whatever_is_no_answer_is_nonsense(
    endpoint: Endpoint, behaviour: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    endpoint.behave = behaviour
    with pytest.raises(LlmNonsense, match="llm_base_url"):
        ask(endpoint.url)


def test_an_error_inside_the_stream_is_told(endpoint: Endpoint) -> None:
    endpoint.behave = raw(b'data: {"error": {"message": "out of memory"}}\n\n')
    with pytest.raises(LlmUnavailable, match="out of memory"):
        ask(endpoint.url)


def test_a_connection_that_breaks_in_the_middle_is_no_whole_answer(endpoint: Endpoint) -> None:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Content-Length", "10000")
        handler.end_headers()
        event(handler, "厦门有")

    endpoint.behave = behave
    pieces = EndpointGenerator(endpoint.url, "k", "m", 20).generate(ASK, max_tokens=5)
    assert next(pieces) == "厦门有"
    with pytest.raises(LlmUnavailable, match="中途断开"):
        next(pieces)


def test_a_server_that_does_not_speak_http_is_unavailable() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def babble() -> None:
            for _ in range(2):
                peer, _address = server.accept()
                peer.recv(65536)
                peer.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
                peer.close()

        threading.Thread(target=babble, daemon=True).start()
        with pytest.raises(LlmUnavailable, match="llm_base_url"):
            ask(f"http://127.0.0.1:{server.getsockname()[1]}/v1")


def test_closing_the_answer_stops_the_request(endpoint: Endpoint) -> None:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        while not endpoint.over.is_set():
            event(handler, "又" * 1000)

    endpoint.behave = behave
    pieces = EndpointGenerator(endpoint.url, "k", "m", 20).generate(ASK, max_tokens=5)
    assert next(pieces) == "又" * 1000
    assert not endpoint.cut.is_set()
    pieces.close()
    assert endpoint.cut.wait(20)


def test_every_error_is_one_line_for_the_user(endpoint: Endpoint) -> None:
    for behave in (html, refuse(500, "a\nb"), raw(b"data: x\n\n")):
        endpoint.behave = behave
        with pytest.raises(GenerationError) as caught:
            ask(endpoint.url)
        assert "\n" not in str(caught.value)
        assert caught.value.next_step


def test_presets_need_a_key_only_off_this_machine() -> None:
    assert set(PRESETS) == {"deepseek", "dashscope", "ollama", "vllm"}
    assert {name for name, preset in PRESETS.items() if preset.needs_key} == {"deepseek", "dashscope"}
    assert all(is_loopback(preset.base_url) is not preset.needs_key for preset in PRESETS.values())


def busy(until: int, retry_after: str | None, then: Callable[[BaseHTTPRequestHandler], None]) -> Any:
    """Refuse the first `until` requests as too many, then behave; with the time of each request."""
    times: list[float] = []

    def behave(handler: BaseHTTPRequestHandler) -> None:
        times.append(time.monotonic())
        if len(times) > until:
            then(handler)
            return
        handler.send_response(429)
        if retry_after is not None:
            handler.send_header("Retry-After", retry_after)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return behave, times


def test_a_patient_one_asks_again_when_the_endpoint_says_so_and_the_wait_is_not_counted(endpoint: Endpoint) -> None:
    endpoint.behave, times = busy(2, "0.6", say("好"))
    patient = EndpointGenerator(endpoint.url, "k", "m", timeout_s=1.0).patient(20.0)
    assert list(patient.generate(ASK, max_tokens=50)) == ["好"]
    assert [later - sooner >= 0.6 for sooner, later in pairwise(times)] == [True, True]


def test_all_answers_of_a_patient_one_wait_together(endpoint: Endpoint) -> None:
    endpoint.behave, times = busy(1, "1.5", say("好"))
    patient = EndpointGenerator(endpoint.url, "k", "m", timeout_s=20.0).patient(20.0)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(lambda: list(patient.generate(ASK, max_tokens=50)))
        while not times:
            time.sleep(0.01)
        time.sleep(0.3)
        others = [pool.submit(lambda: list(patient.generate(ASK, max_tokens=50))) for _ in range(2)]
        assert [one.result() for one in (first, *others)] == [["好"]] * 3
    assert all(later - times[0] >= 1.5 for later in times[1:])
    assert len(times) == 4


def test_where_no_time_is_named_the_wait_doubles(endpoint: Endpoint) -> None:
    endpoint.behave, times = busy(2, None, say("好"))
    assert list(EndpointGenerator(endpoint.url, "k", "m", 20.0).patient(20.0).generate(ASK, max_tokens=50)) == ["好"]
    assert [later - sooner >= least for (sooner, later), least in zip(pairwise(times), (1, 2), strict=True)] == [
        True
    ] * 2


def test_patience_ends_and_so_it_does_when_it_is_stopped(endpoint: Endpoint) -> None:
    endpoint.behave, times = busy(99, "30", say("好"))
    generator = EndpointGenerator(endpoint.url, "k", "m", 20.0, max_retries=0)
    with pytest.raises(LlmUnavailable, match="请求太多"):
        list(generator.patient(10.0).generate(ASK, max_tokens=50))
    assert len(times) == 1
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: list(generator.patient(60.0, stop).generate(ASK, max_tokens=50)))
        while len(times) < 2:
            time.sleep(0.01)
        stop.set()
        with pytest.raises(LlmUnavailable, match="请求太多"):
            waiting.result(timeout=20)


def test_a_date_to_try_again_is_understood_and_nonsense_is_not() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 20 < (retry_after(soon) or 0) <= 30
    assert [retry_after(value) for value in ("2", "-1", "", "bald", "nan")] == [2.0, 0.0, None, None, None]
