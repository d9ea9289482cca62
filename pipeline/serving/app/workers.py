"""Threads that predict, one a core: a bounded number of requests waits for them, and each for a bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Lock
from typing import Any

from pipeline.serving.app.readers import Reader
from pipeline.serving.app.refusals import Refusal

ENDING = "The server is ending; ask it again once it runs"


class Workers:
    """A pool of threads, each with a reader of its own that shares the network with the others.

    Parameters
    ----------
    reader : what predicts.
    threads : how many work at once.
    most_waiting : requests beside those at work.
    timeout_s : how long one may take, waiting included.

    Attributes
    ----------
    asked : requests at work or waiting.
    """

    def __init__(self, reader: Reader, threads: int, most_waiting: int, timeout_s: float):
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        self._idle: SimpleQueue[Reader] = SimpleQueue()
        self._most, self._timeout_s = threads + most_waiting, timeout_s
        self._lock, self.asked, self._ending = Lock(), 0, False
        for one in (reader, *(reader.twin() for _ in range(threads - 1))):
            one.warm_up()
            self._idle.put(one)

    async def ask(self, work: Callable[[Reader], Any], close: Callable[[], None]) -> Any:
        """Let a thread do some work with its reader.

        Parameters
        ----------
        work : what it does.
        close : called once that has ended, or will not begin: after the answer, where that came too late.

        Raises
        ------
        Refusal : 429, too many wait; 503, it took too long or the server is ending.
        """
        self._enter(close)
        try:
            future = self._submit(self._with_reader, work)
        except Refusal:
            self._leave(close)
            raise
        future.add_done_callback(lambda _: self._leave(close))
        waited = asyncio.wrap_future(future)
        done, _ = await asyncio.wait({waited}, timeout=self._timeout_s)
        if done:
            return waited.result()
        future.cancel()
        waited.add_done_callback(_looked_at)
        raise Refusal(503, f"It took longer than {self._timeout_s:g} s; try a smaller one, or later", retry_s=5)

    def go_on(self, step: Callable[[], None]) -> None:
        """Let a thread do one step of a longer work, after the requests that wait now.

        Raises
        ------
        Refusal : 503, the server is ending.
        """
        self._submit(step)

    def stop(self) -> None:
        """Refuse what comes, forget what waits, and wait for what is at work."""
        self._ending = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def ending(self) -> bool:
        """Whether nothing is answered any more."""
        return self._ending

    def _submit(self, work: Callable, *values: object) -> Future:
        try:
            return self._pool.submit(work, *values)
        except RuntimeError as error:  # it was shut down
            raise Refusal(503, ENDING, retry_s=5) from error

    def _with_reader(self, work: Callable[[Reader], Any]) -> Any:
        reader = self._idle.get()
        try:
            return work(reader)
        finally:
            self._idle.put(reader)

    def _enter(self, close: Callable[[], None]) -> None:
        with self._lock:
            busy = self.asked >= self._most
            if not busy and not self._ending:
                self.asked += 1
                return
        close()
        if self._ending:
            raise Refusal(503, ENDING, retry_s=5)
        raise Refusal(429, f"{self.asked} requests are at work or wait already; try again", retry_s=1)

    def _leave(self, close: Callable[[], None]) -> None:
        with self._lock:
            self.asked -= 1
        close()


def _looked_at(waited: asyncio.Future) -> None:
    """Take an error that comes too late for its request."""
    if not waited.cancelled():
        waited.exception()
