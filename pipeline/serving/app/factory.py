"""The whole application: page, API, and what stands around them."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import torch
from fastapi import FastAPI

from pipeline import __version__
from pipeline.serving.app import page, refusals
from pipeline.serving.app.jobs import Jobs
from pipeline.serving.app.metrics import Counted, Metrics
from pipeline.serving.app.readers import Reader
from pipeline.serving.app.routes import Served, most_bytes, router
from pipeline.serving.app.shield import Shield
from pipeline.serving.app.workers import Workers
from pipeline.serving_config import ServeConfig

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def create(reader: Reader, config: ServeConfig) -> FastAPI:
    """An application that serves one model.

    Parameters
    ----------
    reader : the model, loaded.
    config : where it will be listened at, and all limits.
    """
    torch.set_num_threads(1)  # one thread a core: those of requests are enough
    workers = Workers(reader, config.workers or _cores(), config.waiting, config.timeout)
    jobs, metrics = Jobs(workers, config), Metrics()
    metrics.watch("waiting", "Requests at work or waiting for a thread.", lambda: workers.asked)
    metrics.watch("video_jobs", "Videos at work.", lambda: jobs.at_work)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        jobs.stop()
        workers.stop()

    app = FastAPI(
        title="paindistill",
        version=__version__,
        description=f"Recognises {reader.network.task['subject']}. It is no medical device, and no decision about a "
        "person should rest on it. Nothing that is sent is kept; answers of a video wait ten minutes to be asked for.",
        docs_url=None,  # they load scripts of other sites
        redoc_url=None,
        lifespan=lifespan,
    )
    refusals.install(app)
    app.include_router(router(Served(reader, workers, jobs, metrics, config)))
    app.include_router(page.router())
    hosts = (*LOOPBACK, config.host.lower()) if is_loopback(config.host) else ()
    app.add_middleware(Shield, hosts=hosts, uploads=most_bytes(config), timeout_s=config.timeout)
    app.add_middleware(Counted, metrics=metrics)
    return app


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _cores() -> int:
    return len(os.sched_getaffinity(0))
