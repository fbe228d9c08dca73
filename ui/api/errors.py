"""Every error of the API in OpenAI's form: {"error": {"message", "type", "param", "code"}}, messages in Chinese."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from rag.errors import (
    AccessError,
    GenerationError,
    IndexStateError,
    ModelError,
    SettingsError,
    StorageError,
    UsageError,
    WeiceError,
)
from ui.batches import NoSuchBatch, StillRunning, TooManyBatches

log = logging.getLogger(__name__)

INTERNAL = "程序内部错误。请重试；仍不行请看服务端日志"
CLIENT_GONE = 499
"""The status, nginx's, of a request whose client went away: nobody reads it but the metrics."""


class ApiError(WeiceError):
    """A request that this server does not take, with the HTTP status that says so."""

    def __init__(
        self, what: str, next_step: str = "", *, status: int, kind: str, code: str, retry_after_s: int | None = None
    ) -> None:
        """Keep what the response needs; `kind` and `code` are OpenAI's `type` and `code`."""
        super().__init__(what, next_step)
        self.status = status
        self.kind = kind
        self.code = code
        self.retry_after_s = retry_after_s


_STATUS: tuple[tuple[type[WeiceError], int, str, str], ...] = (
    (NoSuchBatch, 404, "invalid_request_error", "not_found"),
    (StillRunning, 409, "invalid_request_error", "still_running"),
    (TooManyBatches, 429, "rate_limit_error", "too_many_batches"),
    (UsageError, 400, "invalid_request_error", "invalid_value"),
    (AccessError, 403, "permission_error", "not_allowed"),
    (IndexStateError, 503, "server_error", "no_index"),
    (ModelError, 503, "server_error", "no_model"),
    (GenerationError, 503, "server_error", "no_llm"),
    (StorageError, 503, "server_error", "storage"),
    (SettingsError, 503, "server_error", "settings"),
    (WeiceError, 500, "server_error", "internal"),
)
"""Error -> HTTP status, OpenAI's type and code; the first that fits."""

_VALIDATION = {
    "missing": "缺少这个字段",
    "extra_forbidden": "不认识的字段",
    "json_invalid": "请求体不是正确的 JSON",
    "string_too_short": "太短",
    "string_too_long": "太长",
    "too_long": "太多",
    "too_short": "太少",
    "string_unicode": "含有不成字的编码",
    "string_type": "应为文字",
    "list_type": '应为列表，如 ["…"]',
    "model_type": "应为 {…}",
    "model_attributes_type": "应为 {…}",
    "bool_type": "应为 true 或 false",
    "bool_parsing": "应为 true 或 false",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "int_from_float": "应为整数",
    "greater_than_equal": "太小",
    "less_than_equal": "太大",
    "literal_error": "不是可用的值",
}


_FIELD = re.compile(r"\w{1,50}")
"""The name of a field; pydantic also names the types that it tried, which say nothing to a caller."""


def body(message: str, kind: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """One error in OpenAI's form."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def described(error: Exception) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers of any error; what is none of ours is logged and not told."""
    if isinstance(error, ApiError):
        headers = {} if error.retry_after_s is None else {"retry-after": str(error.retry_after_s)}
        if error.status == 401:
            headers["www-authenticate"] = "Bearer"
        return error.status, body(str(error), error.kind, error.code), headers
    for known, status, kind, code in _STATUS:
        if isinstance(error, known):
            return status, body(str(error), kind, code), {}
    log.error("a request failed", exc_info=error)
    return 500, body(INTERNAL, "server_error", "internal"), {}


def install(api: FastAPI) -> None:
    """Make every error of `api` answer in OpenAI's form."""

    async def told(_: Request, error: Exception) -> JSONResponse:
        status, content, headers = described(error)
        return JSONResponse(content, status, headers)

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for it alone
        return JSONResponse(_invalid(error), 400)

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101
        what = {404: "没有这个地址", 405: "这个地址不接受这种方法"}.get(error.status_code, "请求不对")
        content = body(f"{what}。接口说明见 /docs", "invalid_request_error", f"http_{error.status_code}")
        return JSONResponse(content, error.status_code, error.headers)

    api.add_exception_handler(WeiceError, told)
    api.add_exception_handler(Exception, told)
    api.add_exception_handler(RequestValidationError, invalid)
    api.add_exception_handler(HTTPException, http)


def _invalid(error: RequestValidationError) -> dict[str, Any]:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return body(f"{_VALIDATION['json_invalid']}。接口说明见 /docs", "invalid_request_error", "invalid_json")
    told, param = wrong_field(first, first["loc"][1:])
    return body(f"{told}。接口说明见 /docs", "invalid_request_error", "invalid_value", param)


def wrong_field(wrong: Mapping[str, Any], at: Sequence[str | int]) -> tuple[str, str | None]:
    """What one of pydantic's errors says in our words, and the name of the field `at` which it stands."""
    path = [str(part) for part in at if not isinstance(part, str) or _FIELD.fullmatch(part)]
    param = ".".join(path)[:100] or None
    what = _VALIDATION.get(wrong["type"]) or f"值不对（{wrong['msg']}）"
    return f"字段 {param}：{what}" if param else what, param
