"""Any table of two cameras and yes-or-no labels, all the way: faces in RGB and in thermal, and a student of RGB."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image, ImageOps

from pipeline.artifacts.arrays import open_inputs
from pipeline.artifacts.store import RECORD, Artifact
from pipeline.config import DEMO_SETS
from stages.cli import cli

PEOPLE = 14
OPTIONS = ("--task", "fire-smoke", "--labels", "pain,shown", "--preset", "smoke", "--replicates", "20")


def thermal_faces(folder: Path) -> Path:
    """Both halves of rendered pairs as RGB, their inverted grey as thermal; a table in words of its own."""
    rows, truth = [], pd.read_csv(DEMO_SETS / "pain" / "truth.csv")
    shown = truth[truth["region"] == "right"].groupby("label").head(PEOPLE // 2)
    for number, row in enumerate(shown.itertuples()):
        with Image.open(DEMO_SETS / "pain" / row.file) as pair:
            middle = pair.width // 2
            for half, box in enumerate(((0, 0, middle, pair.height), (middle, 0, 2 * middle, pair.height))):
                face, name = pair.crop(box).convert("RGB"), f"{number:02}-{half}.png"
                for kind, picture in (("colour", face), ("thermal", ImageOps.invert(face.convert("L")))):
                    (folder / kind).mkdir(parents=True, exist_ok=True)
                    picture.resize((96, 96)).save(folder / kind / name)
                painful = half == 1 and row.label == 1
                rows.append((f"colour/{name}", f"thermal/{name}", painful, half, f"p{number}"))
    table = folder / "faces.csv"
    pd.DataFrame(rows, columns=["photo", "heat", "pain", "shown", "person"]).to_csv(table, index=False)
    return table


def run(*options: object):
    return CliRunner().invoke(cli, ["--quiet", *map(str, options)], catch_exceptions=False)


@pytest.mark.slow
def test_faces_in_rgb_and_thermal_are_asked_what_their_table_knows(tmp_path):
    table = thermal_faces(tmp_path / "faces")
    options = (*OPTIONS, "--cache", tmp_path / "cache", "--data", table, "--workers", 1)
    columns = ("--columns", "rgb_frame=photo,ir_frame=heat,clip=person")
    made = run("report", *options, *columns)
    assert made.exit_code == 0, made.output
    root = tmp_path / "cache" / "faces"
    page = (root / "report" / "index.html").read_text()
    assert "infrared" in page
    assert "Privileged" in page
    inputs = open_inputs(Artifact.load(next(root.glob(f"inputs-*/{RECORD}")).parent))
    assert inputs["rgb"].shape == (2 * PEOPLE, 64, 64, 3)
    assert inputs["ir"].shape == (2 * PEOPLE, 64, 64, 1)
    student = next(root.glob("fire-smoke-student-cnn4-resnet-*"))
    card = json.loads((student / "model.json").read_text())
    assert card["classes"] == ["pain", "shown"]
    assert list(card["inputs"]) == ["rgb"]
    assert card["task"]["teacher_inputs"] == ["rgb", "ir"]
    source = table.parent / "colour"
    predicted = run("predict", "--input", source, "--model", student, "--out", tmp_path / "out", "--force", "true")
    assert predicted.exit_code == 0, predicted.output
    answers = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert len(answers) == 2 * PEOPLE
    assert set(answers["pain"]) | set(answers["shown"]) <= {0, 1}


def test_labels_that_the_table_does_not_have_are_named(tmp_path):
    table = thermal_faces(tmp_path / "faces")
    options = ["report", *OPTIONS[:2], "--labels", "pain,yawn", "--preset", "smoke", "--data", table]
    options += ["--columns", "rgb_frame=photo,ir_frame=heat,clip=person", "--cache", tmp_path / "cache"]
    refused = CliRunner().invoke(cli, list(map(str, options)))
    assert "says nothing of yawn" in str(refused.exception)
    assert "pain, shown" in str(refused.exception)


def test_labels_are_of_tasks_that_have_some(tmp_path):
    refused = CliRunner().invoke(cli, ["plan", "--task", "pain", "--labels", "pain", "--cache", str(tmp_path)])
    assert "TASK=pain has no labels" in str(refused.exception)
