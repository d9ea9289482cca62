"""The command: one line of error before it listens, a clean end, and nothing left behind, also after a kill."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from pipeline.errors import ArtifactError, ConfigError, MissingDependencyError
from pipeline.serving.app import factory, server
from pipeline.serving_config import ServeConfig
from stages import serve
from tests.helpers import served
from tests.helpers.encoding import encoded

ROOT = Path(__file__).resolve().parents[2]
SOON_S = 60


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return served.network(tmp_path_factory.mktemp("model"))


@contextmanager
def command(model: Path, folder: Path):
    """The command as a process whose temporary files go into a folder, and its address."""
    environment = {**os.environ, "TMPDIR": os.fspath(folder), "PYTHONUNBUFFERED": "1"}
    arguments = ["serve", "--model", os.fspath(model), "--port", "0", "--device", "cpu", "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "stages", *arguments], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        address = next(filter(None, (re.search(r"http://[\d.:]+", line) for line in process.stderr)))[0]
        yield process, address
    finally:
        process.kill()
        process.wait(SOON_S)
        process.stderr.close()


def half_sent(address: str, count: int) -> socket.socket:
    """An upload of which so many bytes were sent and the rest never is."""
    host, port = address.removeprefix("http://").split(":")
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    connection = socket.create_connection((host, int(port)), SOON_S)
    start = f"POST /predict/video HTTP/1.1\r\nHost: {host}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    connection.sendall(start.encode() + f"Content-Length: {2 * count}\r\n\r\n".encode() + head + bytes(count))
    return connection


def _target(link: Path) -> str:
    """Where a link leads, or nowhere if it is gone by now."""
    with suppress(OSError):
        return os.readlink(link)
    return ""


def test_a_kill_leaves_no_temporary_file(model, tmp_path):
    with command(model, tmp_path) as (process, address), half_sent(address, 3 * 2**20):
        httpx2.get(f"{address}/health").raise_for_status()
        descriptors = Path(f"/proc/{process.pid}/fd")
        for _ in range(200):  # until the upload lies on the disk
            if on_disk := [one for one in descriptors.iterdir() if _target(one).startswith(os.fspath(tmp_path))]:
                break
            time.sleep(0.05)
        assert on_disk
        assert os.listdir(tmp_path) == []  # without a name already
        process.send_signal(signal.SIGKILL)
        process.wait(SOON_S)
    assert os.listdir(tmp_path) == []


def test_told_to_end_it_answers_what_is_at_work_and_ends_in_one_line(model, tmp_path):
    with command(model, tmp_path) as (process, address):
        content = served.file_of(encoded(served.picture()))
        assert httpx2.post(f"{address}/predict", files=content).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(SOON_S) == 0
        assert process.stderr.read().strip() == "stopped; nothing that was sent is kept"
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{address}/health")


def test_a_port_that_is_taken_is_one_error_before_the_model_is_loaded(model):
    with server.listening("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=f"PORT={port} cannot be listened at: Address already in use"):
            serve.run(model, "cpu", ServeConfig(port=port))


@pytest.mark.parametrize("host", ["203.0.113.7", "name.of.another.example", "a b"])
def test_an_address_of_another_machine_is_one_error(model, host):
    with pytest.raises(ConfigError, match="cannot be listened at"):
        serve.run(model, "cpu", ServeConfig(host=host, port=0))


def test_what_is_no_model_is_one_error(tmp_path):
    with pytest.raises(ArtifactError, match="is not there"):
        serve.run(tmp_path / "student", "cpu", ServeConfig(port=0))


def test_other_machines_are_warned_of(model, monkeypatch, caplog):
    monkeypatch.setattr(server.Server, "run", lambda *_, **__: None)
    with caplog.at_level(logging.INFO):
        serve.run(model, "cpu", ServeConfig(host="0.0.0.0", port=0))
        assert "HOST=0.0.0.0 lets other machines ask this server, without a password" in caplog.text
        caplog.clear()
        serve.run(model, "cpu", ServeConfig(port=0))
        assert "lets other machines" not in caplog.text
        assert re.search(r"at http://127\.0\.0\.1:\d+; Ctrl-C ends it", caplog.text)


def test_the_addresses_of_this_machine_are_known():
    assert [factory.is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "127.9.9.9")] == [True] * 4
    assert [factory.is_loopback(host) for host in ("0.0.0.0", "::", "192.168.0.1", "example.org")] == [False] * 4


def test_without_its_packages_it_says_what_to_install(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "pipeline.serving.app.server", None)
    monkeypatch.delattr("pipeline.serving.app.server", raising=False)
    for name in [name for name in sys.modules if name.startswith("pipeline.serving.app")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(
        MissingDependencyError, match=r"Serving needs the package uvicorn: pip install -e '.\[serve,video\]'"
    ):
        serve.run(model, "cpu", ServeConfig(port=0))
