"""The rooms of the code: which may import which, and what a light module must not pull in."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import stages

ROOT = Path(__file__).resolve().parent.parent
PIPELINE = sorted((ROOT / "pipeline").rglob("*.py"))
STAGES = sorted((ROOT / "stages").glob("*.py"))
BESIDE_STAGES = set(stages.BESIDE)  # no stages themselves
# Room → rooms that it may import; every room may import itself, and all may import errors, fields and config.
ROOMS = {
    "errors": "",
    "fields": "",
    "config": "tasks",
    "serving_config": "tasks",
    "presets": "tasks serving_config",
    "tasks": "",
    "artifacts": "",
    "compute": "",
    "inputs": "tasks artifacts compute",
    "models": "tasks artifacts compute inputs",
    "distillation": "tasks artifacts compute inputs models",
    "training": "tasks artifacts compute inputs models distillation",
    "evaluation": "tasks artifacts",
    "reporting": "presets tasks artifacts evaluation",
    "serving": "serving_config tasks artifacts compute inputs models evaluation",
    "synth": "artifacts",
    "pretraining": "tasks artifacts compute inputs models distillation training",
}
COMMON = {"errors", "fields", "config", "__version__"}
TORCH_FREE = {
    "errors",
    "fields",
    "config",
    "serving_config",
    "presets",
    "tasks",
    "artifacts",
    "evaluation",
    "reporting",
}
HEAVY = {
    "torch",
    "timm",
    "torchvision",
    "pandas",
    "numpy",
    "h5py",
    "sklearn",
    "matplotlib",
    "joblib",
    "PIL",
    "jinja2",
    "scipy",
}


def imported(path: Path) -> set[str]:
    """Every module that a file names in an import, at any depth; `from a import b` counts as a and a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def below(names: set[str], *packages: str) -> set[str]:
    return {name for name in names if any(name == p or name.startswith(f"{p}.") for p in packages)}


def room(path: Path) -> str:
    return path.relative_to(ROOT / "pipeline").parts[0].removesuffix(".py")


def test_every_room_is_in_the_table():
    assert {room(path) for path in PIPELINE} - {"__init__"} == set(ROOMS)


@pytest.mark.parametrize("path", PIPELINE, ids=lambda path: str(path.relative_to(ROOT / "pipeline")))
def test_a_room_imports_only_rooms_that_its_row_names(path):
    names = imported(path)
    assert not below(names, "stages")
    if path.parent != ROOT / "pipeline" or path.name != "__init__.py":
        others = {name.split(".")[1] for name in below(names, "pipeline") if "." in name} - {room(path)}
        assert others <= set(ROOMS[room(path)].split()) | COMMON


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.name)
def test_no_stage_imports_a_stage(path):
    if path.stem not in BESIDE_STAGES:
        beside = {f"stages.{name}" for name in BESIDE_STAGES}
        assert not below(imported(path), "stages") - {"stages"} - below(imported(path), *beside)


@pytest.mark.parametrize("path", PIPELINE, ids=lambda path: str(path.relative_to(ROOT / "pipeline")))
def test_what_needs_no_network_imports_no_torch(path):
    if path.parent != ROOT / "pipeline" and room(path) in TORCH_FREE:
        assert not below(imported(path), "torch", "timm", "torchvision")


def test_the_command_line_loads_nothing_heavy():
    code = "import sys, stages.cli; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert not HEAVY & set(loaded.split())


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_imports_a_test(path):
    named = {name for name in below(imported(path), "tests") if name.rpartition(".")[2].startswith("test_")}
    assert not named
