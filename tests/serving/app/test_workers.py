"""Threads that predict: what waits is bounded, what is too late is answered, what was sent stays while it is read."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pipeline.serving.app.refusals import Refusal
from pipeline.serving.app.workers import Workers


class Idle:
    """A reader that reads nothing."""

    twins = 0

    def twin(self):
        Idle.twins += 1
        return Idle()

    def warm_up(self):
        pass


@pytest.fixture
def gate():
    """Opens what waits for it, in the end at the latest."""
    gate = threading.Event()
    yield gate
    gate.set()


def nothing():
    pass


def test_a_thread_does_what_is_asked_and_what_it_raises_comes_back():
    workers, closed = Workers(Idle(), 2, 1, 5), []

    def fails(_):
        raise ValueError("a bug")

    async def ask():
        assert await workers.ask(lambda reader: type(reader), lambda: closed.append(1)) is Idle
        with pytest.raises(ValueError, match="a bug"):
            await workers.ask(fails, lambda: closed.append(2))

    asyncio.run(ask())
    workers.stop()
    assert (closed, workers.asked) == ([1, 2], 0)


def test_every_thread_has_a_reader_of_its_own():
    before = Idle.twins
    workers, barrier = Workers(Idle(), 3, 0, 5), threading.Barrier(3)

    def work(reader):
        barrier.wait(5)  # all three are at work
        return id(reader)

    async def ask():
        return await asyncio.gather(*(workers.ask(work, nothing) for _ in range(3)))

    assert len(set(asyncio.run(ask()))) == 3
    assert Idle.twins == before + 2
    workers.stop()


def test_one_more_than_may_wait_is_refused(gate):
    workers, closed = Workers(Idle(), 1, 2, 5), []

    async def ask():
        three = [asyncio.ensure_future(workers.ask(lambda _: gate.wait(5), nothing)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await workers.ask(lambda _: None, lambda: closed.append(1))
        gate.set()
        await asyncio.gather(*three)
        return refused.value

    refused = asyncio.run(ask())
    workers.stop()
    assert (refused.status_code, refused.headers, closed) == (429, {"Retry-After": "1"}, [1])


def test_what_takes_too_long_is_refused_and_closed_only_when_it_has_ended(gate):
    workers, closed = Workers(Idle(), 1, 2, 0.1), []

    async def ask():
        with pytest.raises(Refusal) as late:
            await workers.ask(lambda _: gate.wait(5), lambda: closed.append("at work"))
        with pytest.raises(Refusal):
            await workers.ask(nothing, lambda: closed.append("waiting"))
        return late.value.status_code

    assert asyncio.run(ask()) == 503
    assert (closed, workers.asked) == (["waiting"], 1)  # what had not begun was let go at once
    gate.set()
    workers.stop()
    assert (closed, workers.asked) == (["waiting", "at work"], 0)


def test_nothing_is_done_after_the_end():
    workers, closed = Workers(Idle(), 1, 1, 5), []
    workers.stop()
    with pytest.raises(Refusal) as refused:
        asyncio.run(workers.ask(nothing, lambda: closed.append(1)))
    assert (refused.value.status_code, closed, workers.ending) == (503, [1], True)
    with pytest.raises(Refusal):
        workers.go_on(nothing)
