"""POST /predict, and what is said of the server: the answers of `make predict`, under headers that bind the browser."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pipeline import __version__
from pipeline.config import ResizeConfig, WindowConfig
from pipeline.errors import ConfigError
from pipeline.serving.app import readers, uploads
from pipeline.serving.app.shield import HEADERS
from pipeline.serving.predictor import Predictor
from pipeline.tasks import TASKS
from tests.helpers import served
from tests.helpers.encoding import encoded
from tests.helpers.networks import saved, saved_of_frames, saved_of_signals

LOOKED_FOR = replace(served.WHOLE, align="mtcnn")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return served.network(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def client(model):
    with served.asked(model) as client:
        yield client


@pytest.fixture(scope="module")
def pair():
    """Two pictures side by side with a white divider."""
    whole = np.full((60, 163, 3), 255, np.uint8)
    whole[:, :80], whole[:, 83:] = served.picture(1), served.picture(2)
    return whole


def test_a_picture_is_answered_as_predict_does(client, model, pair, tmp_path):
    path = tmp_path / "pair.png"
    path.write_bytes(encoded(pair, "PNG"))
    answer = client.post("/predict", files=served.file_of(path.read_bytes())).json()
    expected = Predictor(model)(path)
    assert (answer["width"], answer["height"], answer["reason"]) == (163, 60, "")
    assert [one["half"] for one in answer["answers"]] == ["left", "right"]
    for one, face in zip(answer["answers"], expected.faces, strict=True):
        assert one["box"] == list(face.box)
        assert one["cells"] == pytest.approx(face.answer.cells)
        assert one["title"]["text"] == face.answer.title.text
        assert (one["in_domain"], one["detection_probability"]) == (None, None)


def test_a_large_picture_is_read_from_the_disk_as_a_small_one_from_memory(client):
    image = served.picture(5, 640, 640)
    large, small = encoded(image, "BMP"), encoded(image, "PNG")
    assert len(small) < uploads.IN_MEMORY < len(large)
    one, other = (client.post("/predict", files=served.file_of(content)).json() for content in (large, small))
    assert one["answers"] == other["answers"] != []


def test_a_frame_of_a_camera_is_not_cut(client, pair):
    answer = client.post("/predict", files=served.file_of(encoded(pair, "PNG")), params={"frame": True}).json()
    assert [one["box"] for one in answer["answers"]] == [[0, 0, 163, 60]]


def test_a_heat_map_comes_on_request(client):
    content = served.file_of(encoded(served.picture()))
    assert client.post("/predict", files=content).json()["answers"][0]["heat"] is None
    heat = client.post("/predict", files=content, params={"heat": True}).json()["answers"][0]["heat"]
    kind, _, text = heat.partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(text))).size == (64, 64)


def test_a_picture_without_a_face_has_a_reason(tmp_path):
    with served.asked(saved(tmp_path, TASKS["pain"], LOOKED_FOR)) as client:
        answer = client.post("/predict", files=served.file_of(encoded(served.picture()))).json()
    assert (answer["answers"], answer["reason"]) == ([], "no face found")


@pytest.mark.parametrize("name", ["intensity", "landmarks", "expression"])
def test_every_kind_of_task_of_faces_is_served(name, tmp_path):
    with served.asked(saved(tmp_path, TASKS[name], served.WHOLE)) as client:
        told = client.get("/model").json()
        content = served.file_of(encoded(served.picture()))
        (one,) = client.post("/predict", files=content, params={"heat": True}).json()["answers"]
    assert told["task"] == name
    assert list(one["cells"]) == told["columns"]
    assert len(one["points"]) == (68 if name == "landmarks" else 0)
    assert (told["curve"] is None) == (name == "landmarks")
    assert one["heat"]


def test_whole_frames_are_served(tmp_path):
    with served.asked(saved_of_frames(tmp_path, TASKS["fire-smoke"], ResizeConfig(frame_size=32))) as client:
        content = served.file_of(encoded(served.picture()))
        (one,) = client.post("/predict", files=content, params={"heat": True}).json()["answers"]
    assert (one["box"], one["half"]) == (None, None)
    assert {"fire", "prob_fire", "smoke", "prob_smoke"} <= set(one["cells"])
    assert one["heat"]


def test_signals_are_refused_at_the_start(tmp_path):
    model = saved_of_signals(tmp_path, TASKS["skin-conductance"], WindowConfig(), 32, 176)
    with pytest.raises(ConfigError, match="reads windows, which `make window` prepares; the page takes pictures"):
        readers.load(model, "cpu")


def test_what_is_served_is_told(client):
    told = client.get("/model").json()
    assert told["card"]["classes"] == ["no_pain", "pain"]
    assert told["columns"] == ["class", "prob_no_pain", "prob_pain", "domain_score", "in_domain"]
    assert (told["curve"]["columns"], told["curve"]["bounds"]) == (["prob_pain"], [0, 1])
    assert (told["limits"]["picture_mb"], told["reads"]) == (20, "faces")
    assert client.get("/health").json() == {"status": "ok", "version": __version__, "waiting": 0, "jobs": 0}


def test_requests_and_answers_are_counted(model):
    with served.asked(model) as client:
        for _ in range(3):
            client.post("/predict", files=served.file_of(encoded(served.picture())))
        client.post("/predict", files=served.file_of(b"no picture"))
        client.get("/a/name/of/ones/own")
        lines = client.get("/metrics").text.splitlines()
    assert 'paindistill_requests_total{method="POST",path="/predict",status="200"} 3.0' in lines
    assert 'paindistill_requests_total{method="POST",path="/predict",status="415"} 1.0' in lines
    assert 'paindistill_requests_total{method="other",path="other",status="404"} 1.0' in lines
    assert 'paindistill_answers_total{in_domain="unknown"} 3.0' in lines
    assert "paindistill_waiting 0.0" in lines


@pytest.mark.parametrize("path", ["/", "/health", "/openapi.json", "/nothing", "/app.js"])
def test_every_answer_binds_the_browser_and_names_no_other_site(client, path):
    headers = client.get(path, headers={"origin": "https://elsewhere.example"}).headers
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert not [name for name in headers if name.startswith("access-control")]
    assert "server" not in headers


def test_pages_of_other_sites_and_other_names_are_refused(client):
    content = served.file_of(encoded(served.picture()))
    foreign = client.post("/predict", files=content, headers={"sec-fetch-site": "cross-site"})
    rebound = client.get("/model", headers={"host": "elsewhere.example"})
    assert (foreign.status_code, rebound.status_code) == (403, 421)
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200
    assert client.post("/predict", files=content, headers=link).status_code == 403
    assert client.get("/model", headers={"host": "localhost:8000"}).status_code == 200
    assert client.get("/model", headers={"host": "[::1]:8000"}).status_code == 200


def test_a_server_for_other_machines_takes_any_name(model):
    with served.asked(model, host="0.0.0.0") as client:
        assert client.get("/health", headers={"host": "elsewhere.example"}).status_code == 200


@pytest.mark.parametrize("error", [MemoryError(), OSError(24, "Too many open files")])
def test_want_of_memory_or_files_is_said_and_no_mistake(client, monkeypatch, error):
    def fails(*_):
        raise error

    monkeypatch.setattr(readers.FaceReader, "picture", fails)
    answer = client.post("/predict", files=served.file_of(encoded(served.picture())))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["detail"].startswith("The server has no memory, no disk or no file left")
