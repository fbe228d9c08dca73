"""The routes: what each takes and gives back. Knows neither threads nor OpenAI's form.

Every route but health and documentation begins with `Reader` or `Administrator`: who asks, and whether they may.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse

from rag import batch
from rag.answer.events import Event, EvidenceFound, Finished
from rag.answer.filters import HeldTo, written
from rag.errors import WeiceError
from rag.records import Record, answer_record, evidence_record
from rag.schema import Turn
from ui.api import errors, library, openai
from ui.api.guard import BodyLimit, Gate, Guarded, Limits
from ui.api.metrics import Measured, Metrics
from ui.api.running import Answers, Asked, ClientGone, while_there
from ui.api.tools import WebTools
from ui.batches import Batches
from ui.store import Role, Store, User

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from rag.wiring import App

PREFIXES = ("/v1", "/api", "/mcp", "/healthz", "/readyz", "/metrics", "/docs", "/redoc", "/openapi.json", "/api-docs")
"""The paths that are the API's; all others are the page's."""

Question = Annotated[str, Field(min_length=1, max_length=100_000, description="问题")]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with."""

    app: App
    store: Store
    gate: Gate
    answers: Answers
    batches: Batches
    metrics: Metrics
    started: int


class PastTurn(BaseModel):
    """One earlier exchange."""

    model_config = ConfigDict(extra="forbid")

    user: Annotated[str, Field(max_length=100_000)]
    assistant: Annotated[str, Field(max_length=100_000)]


class SearchRequest(BaseModel):
    """A search for passages."""

    model_config = ConfigDict(extra="forbid")

    question: Question
    history: Annotated[list[PastTurn], Field(max_length=100, description="上文，由先到后")] = []
    k: Annotated[int, Field(ge=1, le=100, description="列出几段")] = 8
    filters: HeldTo = None

    def turns(self) -> tuple[Turn, ...]:
        """The earlier exchanges as the assistant takes them."""
        return tuple(Turn(turn.user, turn.assistant) for turn in self.history)


class AskRequest(BaseModel):
    """A question to be answered."""

    model_config = ConfigDict(extra="forbid")

    question: Question
    history: Annotated[list[PastTurn], Field(max_length=100, description="上文，由先到后")] = []
    id: Annotated[str | None, Field(max_length=200, description="原样放进回答")] = None
    scenario: Annotated[str | None, Field(max_length=100, description="任务场景的名称")] = None
    no_llm: Annotated[bool, Field(description="不用大模型，直接摘录原文")] = False
    filters: HeldTo = None

    def turns(self) -> tuple[Turn, ...]:
        """The earlier exchanges as the assistant takes them."""
        return tuple(Turn(turn.user, turn.assistant) for turn in self.history)


class BatchQuestion(BaseModel):
    """One row of a batch."""

    model_config = ConfigDict(extra="forbid")

    question: Question
    id: Annotated[str | None, Field(max_length=200, description="原样放进回答；不写就是序号")] = None
    history: Annotated[list[PastTurn], Field(max_length=100, description="上文，由先到后")] = []
    scenario: Annotated[str | None, Field(max_length=100, description="任务场景的名称")] = None
    filters: HeldTo = None


class BatchRequest(BaseModel):
    """A list of questions."""

    model_config = ConfigDict(extra="forbid")

    questions: Annotated[list[BatchQuestion], Field(min_length=1, max_length=10_000)]
    scenario: Annotated[str | None, Field(max_length=100, description="没有写场景的题用它")] = None
    no_llm: Annotated[bool, Field(description="不用大模型，直接摘录原文")] = False

    def rows(self) -> list[batch.Question]:
        """The questions as the engine takes them."""
        return [
            batch.Question(
                str(number) if one.id is None else one.id,
                one.question,
                tuple(Turn(turn.user, turn.assistant) for turn in one.history),
                one.scenario,
                written(one.filters),
            )
            for number, one in enumerate(self.questions, start=1)
        ]


_BEARER = HTTPBearer(auto_error=False, description="weice key create 得到的密钥；本机使用且没有要求登录时可以不给")
_ERROR = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
_ERRORS: dict[int | str, Record] = {
    400: {"description": "请求不对", **_ERROR},
    401: {"description": "没有密钥，或密钥不对", **_ERROR},
    403: {"description": "没有权限", **_ERROR},
    413: {"description": "请求太大", **_ERROR},
    429: {"description": "请求太多", **_ERROR},
    503: {"description": "现在答不了：忙、没有索引或模型", **_ERROR},
    504: {"description": "时间用完", **_ERROR},
}


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


def _reader(request: Request) -> User:
    return _parts(request).gate.enter(request)


def _administrator(request: Request) -> User:
    return _parts(request).gate.enter(request, Role.ADMIN)


Reader = Annotated[User, Depends(_reader)]
Administrator = Annotated[User, Depends(_administrator)]

keyed = APIRouter(dependencies=[Depends(_BEARER)], responses=_ERRORS)
open_to_all = APIRouter()


@keyed.post(
    "/v1/chat/completions",
    summary="OpenAI 兼容的对话",
    response_description="与 OpenAI 相同，另有字段 weice：完整的回答记录；stream 时逐块给出",
    tags=["OpenAI 兼容"],
)
async def chat_completions(body: openai.ChatRequest, request: Request, user: Reader) -> Response:
    """Answer the last message; those before it are the history.

    `content` 是核对过的回答，后附编号的出处；`stream` 时先在 `weice` 里给出阶段、证据、草稿，核对后给出正文。
    """
    if body.model not in openai.MODELS:
        what = f"没有模型 {body.model[:100]!r}"
        raise errors.ApiError(
            what,
            "可用：" + "、".join(openai.MODELS),
            status=404,
            kind="invalid_request_error",
            code="model_not_found",
        )
    asked = Asked(
        body.question(),
        user,
        "api",
        body.history(),
        body.options.scenario,
        body.model == openai.EXTRACTIVE,
        written(body.options.filters),
    )
    answers, completion = _parts(request).answers, openai.Completion(body)
    if not body.stream:
        return JSONResponse(completion.whole(await while_there(request, answers.answer(asked))))
    events = answers.events(asked)
    first = await while_there(request, _until_found(events))
    return EventSourceResponse(_streamed(completion, first, events), sep="\n")


@keyed.get("/v1/models", summary="可用的模型", tags=["OpenAI 兼容"])
def list_models(request: Request, _: Reader) -> Record:
    """List what `model` may be."""
    return openai.models(_parts(request).started)


@keyed.post("/api/ask", summary="回答一个问题", response_description="一条完整的回答记录", tags=["问答"])
async def ask(body: AskRequest, request: Request, user: Reader) -> Record:
    """Answer one question; the same record as `weice ask --json`."""
    asked = Asked(body.question, user, "api", body.turns(), body.scenario, body.no_llm, written(body.filters))
    return answer_record(await while_there(request, _parts(request).answers.answer(asked)), body.id)


@keyed.post("/api/search", summary="只检索", response_description="最相关的段落", tags=["问答"])
def search(body: SearchRequest, request: Request, user: Reader) -> Record:
    """Find passages; the same record as `weice search --json`."""
    parts = _parts(request)
    within = parts.app.held_to(written(body.filters))
    found = parts.app.search(body.question, body.turns(), body.k, within=within)
    parts.store.audit.note(user.name, "api", "search", body.question)
    return {"retrieved": [evidence_record(item) for item in found]}


_NO_BATCH: dict[int | str, Record] = {404: {"description": "没有这个批量任务", **_ERROR}}
_STILL: dict[int | str, Record] = {409: {"description": "还在进行", **_ERROR}}
BatchId = Annotated[str, Path(max_length=64)]


@keyed.post("/api/batch", summary="新建批量任务", status_code=202, tags=["批量"])
def create_batch(body: BatchRequest, request: Request, user: Reader) -> Record:
    """Take a list of questions and begin to answer it in the background; rows that mean the same are asked once."""
    return _parts(request).batches.create(user, body.rows(), body.scenario, no_llm=body.no_llm)


@keyed.get("/api/batch", summary="我的批量任务", tags=["批量"])
def list_batches(request: Request, user: Reader) -> Record:
    """List one's own batches, the latest first; an administrator's list is everybody's."""
    return {"batches": _parts(request).batches.list(user)}


@keyed.get("/api/batch/{id}", summary="批量任务的进度", tags=["批量"], responses=_NO_BATCH)
def batch_status(request: Request, user: Reader, id: BatchId) -> Record:  # noqa: A002
    """Tell how far a batch is: `state` is waiting, running, stopped or done."""
    return _parts(request).batches.status(user, id)


@keyed.get(
    "/api/batch/{id}/result",
    summary="批量任务的回答",
    tags=["批量"],
    response_class=StreamingResponse,
    responses={**_NO_BATCH, 200: {"content": {"application/x-ndjson": {}}, "description": "一行一条回答记录"}},
)
def batch_result(request: Request, user: Reader, id: BatchId) -> StreamingResponse:  # noqa: A002
    """Give the answers so far, a line each, as `weice batch -o out.jsonl` writes them."""
    records = _parts(request).batches.results(user, id)
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    return StreamingResponse(lines, media_type="application/x-ndjson")


@keyed.post("/api/batch/{id}/cancel", summary="停止批量任务", tags=["批量"], responses=_NO_BATCH)
def cancel_batch(request: Request, user: Reader, id: BatchId) -> Record:  # noqa: A002
    """Stop a batch; what is answered stays."""
    return _parts(request).batches.cancel(user, id)


@keyed.post("/api/batch/{id}/resume", summary="接着做批量任务", tags=["批量"], responses=_NO_BATCH)
def resume_batch(request: Request, user: Reader, id: BatchId) -> Record:  # noqa: A002
    """Go on with a batch that was stopped; what failed is asked again."""
    return _parts(request).batches.resume(user, id)


@keyed.delete("/api/batch/{id}", summary="删除批量任务", tags=["批量"], responses={**_NO_BATCH, **_STILL})
def delete_batch(request: Request, user: Reader, id: BatchId) -> Record:  # noqa: A002
    """Delete a batch with its answers."""
    _parts(request).batches.delete(user, id)
    return {"id": id, "deleted": True}


@keyed.get("/api/library", summary="资料库里的文章", tags=["资料库"])
def list_articles(request: Request, _: Reader) -> Record:
    """List the articles in document order."""
    return library.articles(_parts(request).app)


@keyed.get("/api/issues", summary="资料库里的各期", tags=["资料库"])
def list_issues(request: Request, _: Reader) -> Record:
    """List the issues with the titles in them."""
    return library.issues(_parts(request).app)


@keyed.get(
    "/api/library/article",
    summary="一篇文章的全文",
    tags=["资料库"],
    responses={404: {"description": "没有这篇文章", **_ERROR}},
)
def get_article(request: Request, _: Reader, id: Annotated[str, Query(max_length=500)]) -> Record:  # noqa: A002
    """Give one article whole, by the id that the list gives."""
    found = library.article(_parts(request).app, id)
    if found is not None:
        return found
    raise errors.ApiError(
        "没有这篇文章", "编号见 /api/library", status=404, kind="invalid_request_error", code="not_found"
    )


@keyed.get(
    "/metrics",
    summary="运行数字（Prometheus 格式）",
    tags=["运行"],
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
def metrics(request: Request, _: Administrator) -> Response:
    """Give the figures that Prometheus collects."""
    return Response(_parts(request).metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@open_to_all.get("/healthz", summary="服务是否活着", tags=["运行"])
def healthz() -> Record:
    """Say that the server runs."""
    return {"status": "ok"}


@open_to_all.get(
    "/readyz",
    summary="服务是否能回答",
    tags=["运行"],
    responses={503: {"description": "还不能：checks 里说明缺什么"}},
)
def readyz(request: Request, response: Response) -> Record:
    """Look for index and database; the LLM may be away, then answers are quoted."""
    parts = _parts(request)
    checks: dict[str, str] = {}
    for name, look in (("index", lambda: parts.app.index.version), ("database", parts.store.accounts.any)):
        try:
            look()
        except WeiceError as error:
            checks[name] = type(error).__name__  # what exactly is wrong names paths: not for everybody
        else:
            checks[name] = "ok"
    ready = all(state == "ok" for state in checks.values())
    if not ready:
        response.status_code = 503
    return {"ready": ready, "checks": checks}


async def _until_found(events: AsyncGenerator[Event, None]) -> list[Event]:
    """What happens before anything is written: what goes wrong here still gets a status of its own."""
    first: list[Event] = []
    async for event in events:
        first.append(event)
        if isinstance(event, EvidenceFound | Finished):
            break
    return first


async def _streamed(
    completion: openai.Completion, first: list[Event], events: AsyncGenerator[Event, None]
) -> AsyncGenerator[dict[str, str], None]:
    async with aclosing(events):
        try:
            for event in first:
                for chunk in completion.chunks(event):
                    yield _data(chunk)
            async for event in events:
                for chunk in completion.chunks(event):
                    yield _data(chunk)
        except Exception as error:  # noqa: BLE001  # the status is sent already: the error goes in the stream
            yield _data(errors.described(error)[1])
        yield {"data": "[DONE]"}


def _data(record: Record) -> dict[str, str]:
    return {"data": json.dumps(record, ensure_ascii=False)}


def build_api(
    app: App,
    store: Store,
    *,
    use_llm: bool,
    login: bool,
    limits: Limits | None = None,
    batches: Batches | None = None,
) -> FastAPI:
    """Put the API together. With `login`, every route but health and documentation needs a key.

    `batches` are those that a page beside it runs too.
    """
    limits = limits or Limits()
    gate, figures = Gate(store, limits, login=login), Metrics()
    answers = Answers(app, store, figures, limits, use_llm=use_llm)
    batches = batches or Batches(app, store, use_llm=use_llm)
    tools = WebTools(app, store, answers)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with tools.running():
            yield
        batches.stop()

    api = FastAPIOffline(
        title="卫策问答",
        description="只依据卫生政策资料回答问题，每句都注明出处。错误一律为 OpenAI 的格式。",
        static_url="/api-docs",
        lifespan=lifespan,
        version="1",
    )
    api.state.parts = Parts(app, store, gate, answers, batches, figures, int(time.time()))
    api.include_router(keyed)
    api.include_router(open_to_all)
    api.router.routes.append(_route("/mcp", Guarded(tools, gate)))
    errors.install(api)
    api.add_exception_handler(ClientGone, _nobody)
    api.add_middleware(BodyLimit, limit=limits.body_bytes)
    api.add_middleware(Measured, metrics=figures)
    _describe_errors(api)
    return api


async def _nobody(_: Request, __: Exception) -> Response:
    return Response(status_code=errors.CLIENT_GONE)


def _route(path: str, endpoint: ASGIApp) -> Any:
    from starlette.routing import Route

    return Route(path, endpoint=endpoint, include_in_schema=False)


def _describe_errors(api: FastAPI) -> None:
    """Put the form of errors into the OpenAPI document, in the place of FastAPI's own."""
    made = api.openapi

    def described() -> Record:
        schema = made()
        held = schema["components"]["schemas"]
        held.pop("HTTPValidationError", None)
        held.pop("ValidationError", None)
        texts = {name: {"type": ["string", "null"]} for name in ("param", "code")}
        fields = {"message": {"type": "string"}, "type": {"type": "string"}, **texts}
        error = {"type": "object", "properties": fields, "required": [*fields]}
        held["Error"] = {"type": "object", "properties": {"error": error}, "required": ["error"]}
        for path in schema["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
        return schema

    api.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to extend the document
