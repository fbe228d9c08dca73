"""OpenAI's chat completions: what comes in, what goes out, piece by piece. Asks nobody; keeps nothing.

`content` holds checked text only: drafts and stages travel in the extra field `weice`, for a client that shows them.
"""

from __future__ import annotations

import math
import re
import time
import uuid
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from rag.answer.events import Event, EvidenceFound, Finished, Stage, Token
from rag.answer.filters import HeldTo
from rag.answer.reading import TOKENS_PER_CHARACTER
from rag.errors import UsageError
from rag.records import answer_record, evidence_record
from rag.schema import Answer, Turn
from ui.labels import citation_place

MODEL = "weice"
EXTRACTIVE = "weice-extractive"
MODELS = {MODEL: "大模型作答，逐句核对", EXTRACTIVE: "不用大模型，直接摘录原文"}

_REFERENCES = "\n\n出处：\n"
_PIECES = re.compile(r"[^。！？；\n]*[。！？；\n]+|[^。！？；\n]+")

Text = Annotated[str, Field(max_length=200_000)]


class Part(BaseModel):
    """A piece of a message's content."""

    type: str
    text: Text | None = None


class ChatMessage(BaseModel):
    """One message; `content` is text, or text in parts."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | Annotated[list[Part], Field(max_length=100)] | None = None

    def plain(self) -> str:
        """The text of it. Raises `UsageError` on anything that is no text."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        for part in self.content:
            if part.type != "text":
                raise UsageError(f"不支持的内容类型：{part.type[:40]!r}", "只接受文字")
        return "\n".join(part.text or "" for part in self.content)


class StreamOptions(BaseModel):
    """What a streaming client wants besides."""

    include_usage: bool = False


class Extra(BaseModel):
    """Our own options, which OpenAI's Python client sends as `extra_body={"weice": {…}}`."""

    model_config = ConfigDict(extra="forbid")

    scenario: Annotated[str | None, Field(max_length=100, description="任务场景的名称")] = None
    filters: HeldTo = None


class ChatRequest(BaseModel):
    """What OpenAI's clients send; what does not apply here (temperature, tools …) is passed over."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": MODEL,
                "messages": [{"role": "user", "content": "厦门有多少家定点医药机构接进了即时结算系统？"}],
                "stream": False,
            }
        }
    )

    model: Annotated[str, Field(max_length=100)] = MODEL
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=200)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Annotated[int | None, Field(ge=1, le=1)] = None
    weice: Extra | None = None

    @property
    def options(self) -> Extra:
        """Our own options."""
        return self.weice or Extra()

    def question(self) -> str:
        """The last message. Raises `UsageError` where it is not the user's."""
        last = self.messages[-1]
        if last.role != "user":
            raise UsageError("最后一条消息不是用户的问题", "请把问题放在最后，role 为 user")
        return last.plain()

    def history(self) -> tuple[Turn, ...]:
        """What was said before, in pairs: instructions are passed over, so is what was never answered."""
        turns, asked = [], None
        for message in self.messages[:-1]:
            if message.role == "user":
                asked = message.plain()
            elif message.role == "assistant" and asked is not None:
                turns.append(Turn(asked, without_references(message.plain())))
                asked = None
        return tuple(turns)


class Completion:
    """One answer on its way out, whole or in chunks, under one id."""

    def __init__(self, request: ChatRequest) -> None:
        """Give it an id and the moment."""
        self._request = request
        self._begun = False
        self._about = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": request.model}

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The response without streaming."""
        content = with_references(answer)
        message = {"role": "assistant", "content": content, "refusal": None}
        return {
            **self._about,
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": self.usage(content),
            "weice": answer_record(answer, self._about["id"]),  # type: ignore[arg-type]  # it is text
        }

    def chunks(self, event: Event) -> Iterator[dict[str, Any]]:
        """The chunks that tell one event; checked text comes with the last one, sentence by sentence."""
        match event:
            case Stage(name):
                role = {} if self._begun else {"role": "assistant", "content": ""}
                self._begun = True
                yield self._chunk(role, weice={"stage": name})
            case EvidenceFound(evidence):
                yield self._chunk({}, weice={"retrieved": [evidence_record(item) for item in evidence]})
            case Token(text):
                yield self._chunk({}, weice={"draft": text})
            case Finished(answer):
                content = with_references(answer)
                for piece in _PIECES.findall(content):
                    yield self._chunk({"content": piece})
                record = answer_record(answer, self._about["id"])  # type: ignore[arg-type]
                yield self._chunk({}, finish="stop", weice=record)
                if self._request.stream_options and self._request.stream_options.include_usage:
                    yield {**self._chunk({}), "choices": [], "usage": self.usage(content)}

    def usage(self, content: str) -> dict[str, int]:
        """Tokens of what came in and went out, estimated: characters times what the default model needs for one."""
        prompt = sum(_tokens(message.plain()) for message in self._request.messages)
        completion = _tokens(content)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }

    def _chunk(self, delta: dict[str, str], *, finish: str | None = None, weice: Any = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        chunk = {**self._about, "object": "chat.completion.chunk", "choices": [choice]}
        return chunk if weice is None else {**chunk, "weice": weice}


def with_references(answer: Answer) -> str:
    """The answer's text with its numbered references under it."""
    if not answer.citations:
        return answer.text
    lines = [f"[{c.number}] 《{c.article.title}》{citation_place(c)}\n“{c.quote}”" for c in answer.citations]
    return answer.text + _REFERENCES + "\n".join(lines)


def without_references(text: str) -> str:
    """An earlier answer of ours as it was said, when a client sends it back."""
    return text.partition(_REFERENCES)[0]


def models(created: int) -> dict[str, Any]:
    """What can be asked for."""
    return {
        "object": "list",
        "data": [
            {"id": id_, "object": "model", "created": created, "owned_by": "weice", "description": what}
            for id_, what in MODELS.items()
        ],
    }


def _tokens(text: str) -> int:
    return math.ceil(len(text) * TOKENS_PER_CHARACTER)
