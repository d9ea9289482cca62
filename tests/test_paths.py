"""Nothing of an artifact is read past its record: its files are asked for by ``Artifact.file``, which verifies them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(
    path
    for room in ("pipeline", "stages")
    for path in (ROOT / room).rglob("*.py")
    if ROOT / "pipeline" / "artifacts" not in path.parents
)
NO_ARTIFACT = {"work", "self", "source", "os"}  # the folder of work, and that of raw data
READERS = ("load", "open", "read", "Columns")


def read_by_path(source: str) -> list[str]:
    """Where a path of something is joined with a name, or handed to what reads."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            found += [node.left]
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name == "joinpath":
                found += [node.func.value]
            elif name.startswith(READERS):
                found += [inner for argument in node.args for inner in ast.walk(argument)]
    return [ast.unparse(node) for node in found if _is_path(node)]


def _is_path(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "path" and ast.unparse(node.value) not in NO_ARTIFACT


def test_what_the_rule_catches():
    caught = ["a.path / 'x'", "a.path.joinpath('x')", "load(a.path)", "m.read_table(b[0].path / 'x')"]
    caught += ["[load(a.path) for a in b]", "T.load([t.path for t in ts])"]
    assert all(read_by_path(source) for source in caught)
    free = ["work.path / 'x'", "a.file('x')", "f'{a.path}: gone'", "log.info('%s', a.path)", "os.path.join('a', 'b')"]
    assert not any(read_by_path(source) for source in free)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_of_an_artifact_is_read_past_its_record(path):
    assert read_by_path(path.read_text("utf-8")) == []
