"""The whole OpenAPI document, asked at random by schemathesis: no 5xx, and nothing that the document does not say."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.helpers import served

EXAMPLES = 8  # of each operation, and as many that break the document
PLAIN = ("GET /health", "GET /metrics", "GET /model")  # without anything that could be wrong
ASKED = (
    "POST /predict",
    "POST /predict/video",
    "GET /predict/video/{id}",
    "DELETE /predict/video/{id}",
    "GET /predict/video/{id}/result",
)
CASES = [*((label, "POSITIVE") for label in (*PLAIN, *ASKED)), *((label, "NEGATIVE") for label in ASKED)]


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    schemathesis = pytest.importorskip("schemathesis")
    app = served.application(served.network(tmp_path_factory.mktemp("model")))
    loaded = schemathesis.openapi.from_asgi("/openapi.json", app, headers={"host": "localhost"})
    loaded.config.base_url = served.HERE
    return loaded


def test_every_operation_is_in_the_document(schema):
    assert {operation.ok().label for operation in schema.get_all_operations()} == {*PLAIN, *ASKED}


@pytest.mark.parametrize(("label", "mode"), CASES)
def test_no_request_is_answered_5xx(schema, label, mode):
    from schemathesis import GenerationMode
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    operation = next(one.ok() for one in schema.get_all_operations() if one.ok().label == label)
    statuses = []

    @given(case=operation.as_strategy(generation_mode=GenerationMode[mode]))
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def asked(case):
        response = case.call(headers={"host": "localhost"})
        statuses.append(response.status_code)
        # No document can say that bytes are a picture.
        case.validate_response(response, excluded_checks=[positive_data_acceptance])

    asked()
    assert statuses
    assert max(statuses) < 500
