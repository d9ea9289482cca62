"""The README is true: its commands exist, its links lead somewhere, its defaults are those of the config."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from stages.cli import cli
from tests.helpers.presets import PRESETS

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
TARGETS = {*cli.commands, "setup", "test", "lint", "bench", "bench-scale", "bench-gpu", "clean"}
DOCUMENTS = [ROOT / "README.md", ROOT / "data" / "README.md", *sorted((ROOT / "data" / "demo").rglob("*.md"))]


def test_every_target_is_in_the_table():
    rows = set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`[^|]*`) \|", README, re.MULTILINE))))
    assert rows >= TARGETS


def test_every_make_command_in_the_documents_is_a_target():
    for document in DOCUMENTS:
        named = set(re.findall(r"(?:^ *|`)make ([a-z-]+)", document.read_text(), re.MULTILINE))
        assert named <= TARGETS, document


def test_every_variable_in_the_documents_is_an_option():
    known = {"PYTHON", "BASE_PYTHON", "TESTS", "DATA", "N", "OUT", "INPUT", "MODEL"}
    for command in cli.commands.values():
        known |= {option.lstrip("-").replace("-", "_").upper() for p in command.params for option in p.opts}
    for document in DOCUMENTS:
        text = document.read_text()
        assert set(re.findall(r"\b([A-Z][A-Z_]+)=", text)) <= known, document
    table = README[README.index("## Targets") : README.index("## Presets")]
    assert set(re.findall(r"`([A-Z][A-Z_]+)`", table)) <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


def test_no_placeholder_is_left():
    for document in DOCUMENTS:
        assert not re.findall(r"@[A-Z_]+@|TODO|FIXME|XXX", document.read_text()), document


def test_the_schedule_in_the_readme_and_in_make_help_is_the_presets():
    schedule = PRESETS["demo"].distill
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"demo {schedule.epochs}, paper {PRESETS['paper'].distill.epochs}" in shown
    assert f"demo {schedule.batch_size}, paper {PRESETS['paper'].distill.batch_size}" in shown
    assert f"{schedule.epochs} epochs, batch {schedule.batch_size}" in README


def test_the_demo_says_that_it_is_synthetic():
    for document in (ROOT / "README.md", ROOT / "data" / "demo" / "pain" / "README.md"):
        assert re.search(r"not clinical|nothing clinical", document.read_text().replace("*", ""))
