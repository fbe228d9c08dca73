"""Any OpenAI-compatible LLM, through llama-index `OpenAILike`; its errors become ours here.

The local LLM (`local.py`) is such an endpoint too, started when it is needed.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from rag.errors import LlmNonsense, LlmTimeout, LlmUnavailable, WeiceError
from rag.llm.local import LocalServer, Running
from rag.schema import Message

if TYPE_CHECKING:
    from rag.llm.transport import Gate

Pieces = Generator[str, None, None]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Preset:
    """A well-known endpoint."""

    base_url: str
    model: str
    needs_key: bool


PRESETS = MappingProxyType(
    {
        "deepseek": Preset("https://api.deepseek.com/v1", "deepseek-chat", needs_key=True),
        "dashscope": Preset("https://dashscope.aliyuncs.com/compatible-mode/v1", "qwen-plus", needs_key=True),
        "ollama": Preset("http://127.0.0.1:11434/v1", "qwen2.5:7b", needs_key=False),
        "vllm": Preset("http://127.0.0.1:8000/v1", "Qwen/Qwen2.5-7B-Instruct", needs_key=False),
    }
)
"""By the value of the setting `llm`."""

_KEY = "请检查密钥（环境变量 WEICE_LLM_API_KEY）"
_ADDRESS = "请检查设置 llm_base_url（通常以 /v1 结尾）和 llm_model"
_LATER = '请稍后再试，或改用本机大模型（设置 llm = "local"）'
_REFUSALS = {
    400: ("拒绝了请求", _ADDRESS),
    401: ("不认这个密钥", _KEY),
    402: ("提示余额不足", '请给账户充值，或改用本机大模型（设置 llm = "local"）'),
    403: ("不允许访问", _KEY),
    404: ("没有这个地址或模型", _ADDRESS),
    429: ("提示请求太多或额度用完", _LATER),
}
"""HTTP status -> what it says, what to do."""


class EndpointGenerator:
    """Writes through one endpoint. One object serves any number of answers at once."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        model: str,
        timeout_s: float,
        *,
        max_retries: int = 1,
        gate: Gate | None = None,
    ) -> None:
        """Remember the endpoint; nothing is sent or imported. `timeout_s` is the longest wait for a piece."""
        self._base_url = base_url.strip().rstrip("/").removesuffix("/chat/completions")
        self._api_key = api_key.strip() or "none"  # empty would make the library look for a key of OpenAI's
        self._model = model
        self._timeout_s = timeout_s
        self._max_retries = max_retries
        self._gate = gate

    def patient(self, patience_s: float, stop: threading.Event | None = None) -> EndpointGenerator:
        """Return one that waits where the endpoint takes no more for now, all its answers together.

        An answer waits up to `patience_s` altogether, and no longer once `stop` is set.
        """
        from rag.llm.transport import Gate

        gate = Gate(patience_s, stop)
        return EndpointGenerator(
            self._base_url, self._api_key, self._model, self._timeout_s, max_retries=self._max_retries, gate=gate
        )

    @property
    def base_url(self) -> str:
        """The address of the endpoint."""
        return self._base_url

    @property
    def model(self) -> str:
        """The name of the model that writes."""
        return self._model

    def prepare(self) -> None:
        """Import the client library in the background: it takes seconds."""
        threading.Thread(target=_import_client, daemon=True).start()

    def generate(self, messages: Sequence[Message], *, max_tokens: int) -> Pieces:
        """Yield pieces of text as they come. Raises `GenerationError`; closing it stops the request."""
        with closing(self._responses(messages, max_tokens)) as responses:
            for response in responses:
                yield response.delta

    def extract(
        self, messages: Sequence[Message], moved: Mapping[str, float], *, max_tokens: int
    ) -> Generator[tuple[str, float], None, None]:
        """Yield pieces with their probabilities, the log-odds of some tokens `moved`. Raises as `generate` does."""
        more = {"additional_kwargs": {"logit_bias": dict(moved), "logprobs": True}}
        with self._our_errors(), closing(self._responses(messages, max_tokens, **more)) as responses:
            for response in responses:
                told = response.raw.choices[0].logprobs
                yield response.delta, math.exp(told.content[0].logprob if told and told.content else -math.inf)

    def _responses(self, messages: Sequence[Message], max_tokens: int, **more: Any) -> Generator[Any, None, None]:
        """What the endpoint streams, as far as it says something."""
        with self._our_errors():
            from rag.llm.transport import Clock, ClockedClient

            said, clock = False, Clock(self._timeout_s)
            with ClockedClient(self._base_url, clock, self._gate) as client:
                for response in self._llm(client, **more).stream_chat(_chat(messages), max_tokens=max_tokens):
                    clock.reset()
                    if response.delta:
                        said = said or not response.delta.isspace()
                        yield response
                        clock.reset()  # the reader's own time does not count
        if not said:
            raise LlmNonsense(f"大模型接口 {self._base_url} 没有给出任何回答", _ADDRESS)

    def _llm(self, client: Any, **more: Any) -> Any:
        """The client library's object for this endpoint; imported here, since it takes seconds."""
        from llama_index.llms.openai_like import OpenAILike

        return OpenAILike(
            model=self._model,
            api_base=self._base_url,
            api_key=self._api_key,
            is_chat_model=True,
            temperature=0.0,
            timeout=self._timeout_s,
            max_retries=self._max_retries,
            http_client=client,
            **more,
        )

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        """Turn what the client libraries raise into `GenerationError`."""
        import httpx
        import openai

        where = f"大模型接口 {self._base_url}"
        try:
            yield
        except (openai.APITimeoutError, httpx.TimeoutException) as error:
            if isinstance(error.__cause__ or error, httpx.ConnectTimeout):
                raise LlmUnavailable(f"{where} 连接不上（超时）", f"请检查网络、代理和地址；{_ADDRESS}") from error
            raise LlmTimeout(f"{where} {self._timeout_s:g} 秒没有回应", _LATER) from error
        except openai.APIStatusError as error:
            raise self._refusal(error) from error
        except (openai.APIConnectionError, httpx.TransportError, httpx.InvalidURL) as error:
            reason = str(error.__cause__ or error).strip() or type(error).__name__
            raise LlmUnavailable(
                f"{where} 连接不上或中途断开（{reason}）", f"请检查服务是否已启动、网络和地址；{_ADDRESS}"
            ) from error
        except UnicodeEncodeError as error:
            raise LlmUnavailable(f"{where} 的密钥含有不能发送的字符", _KEY) from error
        except openai.APIError as error:  # an error inside the stream
            raise LlmUnavailable(f"{where} 中途报错（{_line(error.message)}）", _LATER) from error
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise LlmNonsense(f"{where} 返回的不是回答", _ADDRESS) from error

    def _refusal(self, error: Any) -> LlmUnavailable:
        status = error.status_code
        other = ("内部出错", _LATER) if status >= 500 else ("拒绝了请求", _ADDRESS)
        what, next_step = _REFUSALS.get(status, other)
        body = error.body if isinstance(error.body, dict) else {}
        facts = (f"HTTP {status}", f"模型 {self._model}", _line(str(body.get("message") or "")))
        return LlmUnavailable(f"大模型接口 {self._base_url} {what}（{'，'.join(filter(None, facts))}）", next_step)


class LocalGenerator:
    """Writes through the local LLM, which is started when it is needed and restarted when it has died."""

    def __init__(self, server: LocalServer, name: str, timeout_s: float) -> None:
        """Remember the server; nothing is started."""
        self._server = server
        self._name = name
        self._timeout_s = timeout_s

    @property
    def model(self) -> str:
        """The name of the model that writes."""
        return self._name

    def prepare(self) -> None:
        """Start the server and import the client library in the background; errors come with `generate`."""

        def work() -> None:
            with suppress(WeiceError):
                self._server.ensure()

        threading.Thread(target=work, daemon=True).start()
        threading.Thread(target=_import_client, daemon=True).start()

    def generate(self, messages: Sequence[Message], *, max_tokens: int) -> Pieces:
        """Yield pieces of text as they come. Raises `GenerationError`; closing it stops the generation."""
        return self._kept_up(lambda endpoint: endpoint.generate(messages, max_tokens=max_tokens))

    def extract(
        self, messages: Sequence[Message], moved: Mapping[str, float], *, max_tokens: int
    ) -> Generator[tuple[str, float], None, None]:
        """Yield pieces with their probabilities, the log-odds of some tokens `moved`. Raises as `generate` does."""
        return self._kept_up(lambda endpoint: endpoint.extract(messages, moved, max_tokens=max_tokens))

    def _kept_up(self, ask: Callable[[EndpointGenerator], Generator[_T, None, None]]) -> Generator[_T, None, None]:
        """Yield what the server answers; one that has died is started again, once."""
        for last in (False, True):
            running, said = self._server.ensure(), False
            try:
                with closing(ask(self._endpoint(running))) as pieces:
                    for piece in pieces:
                        said = True
                        self._server.touch()
                        yield piece
                return
            except LlmUnavailable as error:
                if last or said or self._server.status():
                    raise LlmUnavailable(error.what, "请运行 weice doctor，也可以先用 --no-llm") from error

    def _endpoint(self, running: Running) -> EndpointGenerator:
        return EndpointGenerator(running.base_url, running.api_key, self._name, self._timeout_s, max_retries=0)


def _chat(messages: Sequence[Message]) -> list[Any]:
    from llama_index.core.llms import ChatMessage

    return [ChatMessage(role=message.role, content=message.content) for message in messages]


def _import_client() -> None:
    import llama_index.llms.openai_like  # noqa: F401  # the import itself is the work


def _line(text: str) -> str:
    return " ".join(text.split())[:120]
