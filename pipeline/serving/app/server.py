"""Listening: one port of this machine, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from pipeline.errors import ConfigError
from pipeline.serving.app import factory, readers
from pipeline.serving_config import ServeConfig

GRACE_S = 10  # that requests at work have when the server ends
IDLE_S = 15  # that a connection without a request stays open
CONNECTIONS = 512  # at once; the next is answered 503
QUEUED = 128  # connections that the system holds until they are taken

log = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Ends by Ctrl-C and SIGTERM, which is how a server ends and no failure: neither is raised again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """While the block runs, both end the server; a second Ctrl-C ends it at once."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(model: Path, device: str, config: ServeConfig) -> None:
    """Serve a model until the process is told to end; requests at work are answered first.

    Parameters
    ----------
    model : folder of a teacher or a student, or an exported ONNX file.
    device : ``cpu``, ``cuda`` or ``cuda:N``.
    config : where to listen, and all limits.

    Raises
    ------
    ArtifactError : there is no whole model.
    ConfigError : it cannot be listened at the address and port, or the model reads what no page can send.
    """
    with listening(config.host, config.port) as listener:
        app = factory.create(readers.load(model, device), config)
        port = listener.getsockname()[1]
        if not factory.is_loopback(config.host):
            log.warning(
                "HOST=%s lets other machines ask this server, without a password and unencrypted. Put it behind a "
                "server that has both; browsers give a camera to https and localhost alone",
                config.host,
            )
        log.info("serving %s at http://%s:%d; Ctrl-C ends it", model, _shown(config.host), port)
        settings = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=GRACE_S,
            limit_concurrency=CONNECTIONS,
        )
        Server(settings).run(sockets=[listener])
    log.info("stopped; nothing that was sent is kept")


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens at an address, in numbers or ``localhost``; of port 0 at any that is free.

    Raises
    ------
    ConfigError : the address is none of this machine's, or the port is taken.
    """
    try:
        numeric = 0 if host.lower() == "localhost" else socket.AI_NUMERICHOST  # no name server is asked
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric)[0]
        return socket.create_server(place[:2], family=family, backlog=QUEUED)
    except (OSError, UnicodeError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"HOST={host} PORT={port} cannot be listened at: {reason}. Choose an address of this machine in "
            "numbers, and another port, or 0 for any that is free: make serve HOST=127.0.0.1 PORT=0"
        ) from error


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
