"""A server for the attacks of all files, and a small world for those of one."""

from __future__ import annotations

import pytest

from tests.attacks import campaign
from tests.attacks.outcome import Server
from tests.attacks.world import World

SEED = 0


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server for the attacks of all files."""
    with Server(tmp_path_factory.mktemp("server") / "server") as server:
        yield server


@pytest.fixture(scope="module")
def attacked(request, server, tmp_path_factory):
    """Runs the attack of a part and a number on the task that the file names, and asserts that it found nothing."""
    root = tmp_path_factory.mktemp("attacked")
    world = World(root / "world", server, (request.module.TASK,))

    def attack(part: str, number: int) -> None:
        result = campaign.run(world, server, root, SEED, part, number, request.module.TASK)
        assert not result.findings, result.again

    yield attack
    assert not world.check()
