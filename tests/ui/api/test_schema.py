"""Schemathesis makes up requests from the OpenAPI document: none may end in an error of the server."""

from __future__ import annotations

import tempfile
from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error

from tests.ui.api.places import Answerer, Api
from ui.api.guard import Limits

FOLDER = tempfile.TemporaryDirectory()  # deleted with it, when the tests end
API = Api(Path(FOLDER.name), limits=Limits(per_minute=1_000_000, at_once=1_000))
Answerer(API)
schema = schemathesis.openapi.from_asgi("/openapi.json", API.web)


@schema.parametrize()
@settings(max_examples=8, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_no_made_up_request_ends_in_an_error_of_the_server(case: schemathesis.Case):
    response = case.call()
    case.validate_response(response, checks=[not_a_server_error])
    assert response.status_code in {200, 202, 400, 401, 403, 404, 405, 409, 413, 429}
    if response.status_code >= 400:
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}


def test_and_some_of_them_were_answered():
    assert API.app.asked, "otherwise the requests above were too wrong to show anything"
