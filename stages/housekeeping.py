"""What the cache holds, said on the terminal: status, plan, removal, and where things are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from pipeline.artifacts import status as artifact_status
from pipeline.artifacts.atomic import replacing
from pipeline.artifacts.locks import hold, lock_of
from pipeline.artifacts.store import ArtifactStore, Node


def status(store: ArtifactStore, target: Node, verify: bool = False) -> None:
    """Print every artifact: its state, size and why; ``verify`` reads every file before."""
    states = artifact_status.status(store, [target], verify)
    width = max(len(state.name) for state in states)
    for state in states:
        click.echo(f"{state.state:8} {_size(state.size_bytes):>11}  {state.name:{width}}  {state.reason}".rstrip())
    ours = [state.state for state in states if state.state != "foreign"]
    click.echo(f"{ours.count('fresh')} of {len(ours)} fresh, {shown(store.root)}")


def plan(store: ArtifactStore, target: Node) -> None:
    """Print what making the target would run and why; run nothing."""
    steps = artifact_status.plan(store, target)
    width = max((len(node.folder_name) for node, _ in steps), default=0)
    for node, reason in steps:
        click.echo(f"{node.folder_name:{width}}  {reason}")
    click.echo(f"{len(steps)} to run" if steps else "Nothing to do: the report is fresh.")


def collect(store: ArtifactStore, targets: Sequence[Node], yes: bool) -> None:
    """Remove what none of the targets needs and nobody uses, after naming it and, unless ``yes``, asking."""
    users = artifact_status.unneeded(store, targets)
    reasons = {state.name: state.reason for state in artifact_status.status(store, targets)}
    paths = [path for path, user in users.items() if not user]
    for path, user in users.items():
        line = f"{_size(artifact_status.size(path)):>11}  {shown(path)}  {reasons.get(path.name, '')}".rstrip()
        click.echo(f"{line}; left, in use by {user}" if user else line)
    if not paths:
        click.echo("Nothing to remove.")
    elif yes or click.confirm(f"Remove these {len(paths)}?"):
        removed = artifact_status.remove(store, targets, paths)
        click.echo(f"Removed {len(removed)}.")
        for path in sorted(set(paths) - set(removed)):
            click.echo(f"Left {shown(path)}: it is in use by now.")


def point(link: Path, folder: Path) -> Path:
    """Make ``link`` point to ``folder`` beside it, by one rename; the path under which the folder is then found."""
    if link.is_symlink() and os.readlink(link) == folder.name:
        return link
    if os.path.lexists(link) and not link.is_symlink():  # a copy of the cache may turn links into folders
        return folder
    with hold(lock_of(link), link.name), replacing(link) as draft:
        draft.unlink(missing_ok=True)  # a killed run left it
        draft.symlink_to(folder.name)
    return link


def shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    path = path.absolute()
    return os.fspath(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
