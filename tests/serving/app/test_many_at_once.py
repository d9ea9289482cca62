"""Two hundred requests of twenty clients at once: none is lost, answers do not mix, memory stays what it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx2
import psutil
import pytest

from tests.helpers import served
from tests.helpers.encoding import encoded

CLIENTS, REQUESTS, PICTURES = 20, 200, 5
SIDE = 448  # pixels: 600 kB each, so that 200 that stay would be 120 MB
GROWTH_BYTES = 40 * 2**20


@pytest.mark.slow
def test_no_request_of_many_clients_is_lost_and_memory_is_flat(tmp_path):
    contents = [encoded(served.picture(number, SIDE, SIDE), "BMP") for number in range(PICTURES)]
    app = served.application(served.network(tmp_path), workers=2, waiting=CLIENTS)
    with served.listening(app) as address, httpx2.Client(base_url=address, timeout=60) as client:
        alone = [client.post("/predict", files=served.file_of(content)).json() for content in contents]

        def ask(number: int) -> bool:
            answer = client.post("/predict", files=served.file_of(contents[number % PICTURES]))
            cells = [one["cells"] for one in answer.json().get("answers", ())]
            return answer.status_code == 200 and cells == [one["cells"] for one in alone[number % PICTURES]["answers"]]

        resident = []
        for requests in (2 * CLIENTS, REQUESTS):
            with ThreadPoolExecutor(CLIENTS) as clients:
                assert list(clients.map(ask, range(requests))) == [True] * requests
            resident.append(psutil.Process().memory_info().rss)
        assert resident[1] - resident[0] < GROWTH_BYTES
        lines = client.get("/metrics").text.splitlines()
        assert client.get("/health").json()["waiting"] == 0
    count = float(PICTURES + 2 * CLIENTS + REQUESTS)
    assert f'paindistill_requests_total{{method="POST",path="/predict",status="200"}} {count}' in lines


def test_more_at_once_than_may_wait_are_told_to_come_again(tmp_path):
    content = encoded(served.picture(0, 640, 640), "PNG")
    app = served.application(served.network(tmp_path), waiting=1)
    with served.listening(app) as address, httpx2.Client(base_url=address, timeout=60) as client:

        def ask(_: int) -> tuple[int, str | None]:
            answer = client.post("/predict", files=served.file_of(content), params={"heat": True})
            return answer.status_code, answer.headers.get("retry-after")

        with ThreadPoolExecutor(CLIENTS) as clients:
            answers = set(clients.map(ask, range(2 * CLIENTS)))
    assert answers == {(200, None), (429, "1")}
