"""Every option of every command, from click's own introspection, and commands that are made ready but do not run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import ArtifactStore, topological
from pipeline.tasks import TASKS
from stages import explain, export, predict, serve, synthesize
from stages.cli import cli


class Ready(Exception):
    """A command has made its options, graph and selection, and would begin to work."""


@dataclass(frozen=True)
class Tried:
    """An option of a command."""

    command: str
    option: click.Option

    def __str__(self) -> str:
        return f"{self.command} {self.flag}"

    @property
    def flag(self) -> str:
        """The option as it is given."""
        return max(self.option.opts, key=len)


def every_option() -> list[Tried]:
    """Every option of every command."""
    return [Tried(name, option) for name, command in sorted(cli.commands.items()) for option in command.params]


def same_options() -> list[list[Tried]]:
    """Every option of every command, those of one name and one parser together: they are read alike."""
    same = {}
    for tried in every_option():
        kind = tried.option.type
        same.setdefault((tried.flag, tried.option.name, type(kind), repr(vars(kind))), []).append(tried)
    return list(same.values())


def chosen_options(everywhere: bool) -> list[Tried]:
    """Every option in all commands that have it, or in two, with which each command has its turn."""
    if everywhere:
        return every_option()
    pairs = [
        (same[number % len(same)], same[(number + len(same) // 2) % len(same)])
        for number, same in enumerate(same_options())
    ]
    return [tried for pair in pairs for tried in dict.fromkeys(pair)]


def stop_before_work(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let commands raise ``Ready`` where they would begin to work, after every fingerprint was computed."""

    def build(store, *targets):
        for node in topological(targets):
            assert len(f"{node.folder_name}.partial".encode()) <= 255
        raise Ready

    def ready(*_, **__):
        raise Ready

    def rendered(config, out):
        if out.name == "raw":  # pretrain goes on from there
            (folder / "raw").mkdir(exist_ok=True)
            return folder / "raw"
        raise Ready

    patch.setattr(RawData, "of", staticmethod(cache(RawData.of)))  # each dataset is walked through once
    patch.setattr(ArtifactStore, "build", build)
    patch.setattr(predict, "run", ready)
    patch.setattr(export, "run", ready)
    patch.setattr(explain, "run", ready)
    patch.setattr(serve, "run", ready)
    patch.setattr(synthesize, "run", rendered)


def attempt(command: str, given: dict[str, str], folder: Path) -> Result:
    """A command with some options, otherwise with its defaults, on the smoke preset and a cache in ``folder``."""
    names = {option.name for option in cli.commands[command].params}
    values = {"--preset": "smoke"} if "preset" in names else {}
    values |= {"--cache": str(folder / "cache")} if "cache" in names else {}
    values |= {"--out": str(folder / "out")} if "out" in names else {}
    values |= (
        {"--input": str(folder / "in")}
        if command == "predict" or (command == "explain" and "--sample" not in given)
        else {}
    )
    values |= next(({"--task": task.name} for task in TASKS.values() if task.prepare == command), {})
    values |= given
    return CliRunner().invoke(cli, ["--quiet", command, *(part for pair in values.items() for part in pair)])
