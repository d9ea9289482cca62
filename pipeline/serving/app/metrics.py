"""What the server counts, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.serving.app.schemas import AnswerOut

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
disable_created_metrics()  # the time at which each counter began would double the text
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ELSEWHERE = "other"  # whatever was asked for and is not there: names of visitors' own would be without number


class Metrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        names = ("method", "path")
        self.requests = self._made(Counter, "requests", "Requests answered.", (*names, "status"))
        self.seconds = self._made(Histogram, "request_seconds", "From a request to its answer.", names, buckets=SECONDS)
        self._answers = self._made(Counter, "answers", "Faces, or whole frames, of pictures.", ("in_domain",))

    def watch(self, name: str, help: str, value: Callable[[], float]) -> None:
        """Tell a number that is looked at when somebody asks."""
        self._made(Gauge, name, help).set_function(value)

    def count(self, answers: list[AnswerOut]) -> None:
        """Count the answers of one picture, by whether they are like the training inputs."""
        words = {True: "yes", False: "no", None: "unknown"}
        for one in answers:
            self._answers.labels(words[one.in_domain]).inc()

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)

    def _made(self, kind: type, name: str, help: str, labels: tuple[str, ...] = (), **more: object):
        return kind(f"paindistill_{name}", help, labels, registry=self._registry, **more)


class Counted:
    """ASGI middleware: counts every answer and how long it took, by the route's own path."""

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, statuses = perf_counter(), []

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            path = getattr(scope.get("route"), "path", ELSEWHERE)
            method = scope["method"] if path != ELSEWHERE else ELSEWHERE
            self._metrics.requests.labels(method, path, str(statuses[0] if statuses else 500)).inc()
            self._metrics.seconds.labels(method, path).observe(perf_counter() - began)
