"""The layers of the code: who may import whom, and what a light module must not pull in."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PIPELINE = sorted((ROOT / "pipeline").rglob("*.py"))
STAGES = sorted((ROOT / "stages").glob("*.py"))
JOINING = {"cli.py", "__main__.py"}
COMMON = {"stages.options"}  # shared by commands, no stage itself
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


@pytest.mark.parametrize("path", PIPELINE, ids=lambda path: path.name)
def test_the_library_imports_no_stage(path):
    assert not below(imported(path), "stages")


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.name)
def test_no_stage_imports_a_stage(path):
    if path.name not in JOINING:
        assert not below(imported(path), "stages") - {"stages"} - {n for c in COMMON for n in below(imported(path), c)}


@pytest.mark.parametrize("name", ["errors", "config", "raw", "locks", "artifacts", "objectives", "inspection", "graph"])
def test_the_base_imports_nothing_above_it(name):
    allowed = {"errors", "config", "raw", "locks", "artifacts", "objectives"}
    found = {
        module.split(".")[1]
        for module in below(imported(ROOT / "pipeline" / f"{name}.py"), "pipeline")
        if "." in module
    }
    assert found <= allowed


STATISTICS = ["statistics", "hypotheses", "calibration", "logistic", "groups", "transfer"]
LEARNING = ["objectives", "logit_losses", "feature_losses", "losses", "learners"]


@pytest.mark.parametrize("name", [*LEARNING, *STATISTICS, "metrics", "views", "splits"])
def test_computation_knows_no_task_no_path_no_command_line(name):
    assert not below(imported(ROOT / "pipeline" / f"{name}.py"), "pipeline.tasks", "pathlib", "click")


@pytest.mark.parametrize("path", [p for p in (ROOT / "pipeline" / "models").glob("*.py")], ids=lambda path: path.name)
def test_models_know_no_task_and_no_command_line(path):
    assert not below(imported(path), "pipeline.tasks", "click")


def test_the_command_line_loads_nothing_heavy():
    code = "import sys, stages.cli; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert not HEAVY & set(loaded.split())
