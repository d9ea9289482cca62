"""The whole pipeline by its commands, on a few drawn pictures and networks of the smoke preset."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from stages.cli import cli
from tests.helpers.figures import drafts

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent


COMMON = {"--preset": "smoke", "--device": "cpu", "--workers": 1, "--explained": 2}


def run(command, data, cache, *options, code=0):
    known = {option for parameter in cli.commands[command].params for option in parameter.opts}
    common = [word for pair in COMMON.items() if pair[0] in known for word in pair]
    arguments = [command, "--data", data, "--cache", cache, *common, *options]
    result = CliRunner().invoke(cli, ["--quiet", *map(str, arguments)])
    assert code or result.exit_code == 0, result.output + repr(result.exception)
    return result


@pytest.fixture(scope="module")
def data(synpain, tmp_path_factory):
    return synpain(tmp_path_factory.mktemp("whole") / "faces", 40)


@pytest.fixture(scope="module")
def cache(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    run("report", data, folder)
    return folder


def folders(cache):
    found = (path for path in (cache / "faces").iterdir() if path.is_dir() and not path.is_symlink())
    return sorted(path.name for path in found if not path.name.startswith("."))


def one(cache, slug):
    (found,) = (cache / "faces").glob(f"{slug}-*")
    return found


def test_the_report_is_one_page_with_its_tables_and_figures(cache):
    page = cache / "faces" / "report" / "index.html"
    text = page.read_text()
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert 'src="figures' not in text
    assert "facial expression of pain" in text
    assert "Heat maps of 2 test faces" in text
    for kind in ("tables/*.csv", "tables/*.tex", "figures/*.png"):
        assert list(page.parent.glob(kind)), kind


def test_a_second_run_recomputes_nothing_and_loads_nothing_heavy(data, cache):
    before = {p: p.stat().st_mtime_ns for p in (cache / "faces").rglob("*") if p.is_file() and ".locks" not in p.parts}
    code = (
        "import sys; from stages.cli import cli; cli(sys.argv[1:], standalone_mode=False); "
        "assert not {'torch', 'numpy', 'pandas'} & set(sys.modules)"
    )
    arguments = ["report", "--data", data, "--cache", cache, "--preset", "smoke", "--explained", 2]
    shown = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert "making" not in shown.stderr
    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_status_and_plan_say_that_all_is_fresh(data, cache):
    shown = run("status", data, cache).output
    assert shown.count("fresh ") == len(folders(cache))
    assert not {"stale", "missing", "partial", "damaged"} & set(shown.split())
    assert "Nothing to do" in run("plan", data, cache).output


def test_the_plan_is_what_then_runs(data, cache, tmp_path):
    copy = tmp_path / "cache"
    shutil.copytree(cache, copy, symlinks=True)
    planned = run("plan", data, copy, "--epochs", 1).output.splitlines()[:-1]
    before = set(folders(copy))
    with drafts():
        run("report", data, copy, "--epochs", 1)
    assert {line.split()[0] for line in planned} == set(folders(copy)) - before
    assert all("student" in line or line.startswith("report") for line in planned)
    removed = run("gc", data, copy, "--epochs", 1, "--yes", "true").output
    assert "Removed" in removed
    assert {line.split()[0] for line in planned} <= set(folders(copy))
    assert not {name for name in before if name.startswith("student")} & set(folders(copy))


def test_every_command_works_one_by_one(data, tmp_path):
    made = [run(name, data, tmp_path).output for name in ("index", "align", "split")]
    assert [Path(shown.strip()).name.split("-")[0] for shown in made] == ["samples", "inputs", "split"]
    run("teacher-labels", data, tmp_path, "--teacher", "swin")
    assert not list((tmp_path / "faces").glob("teacher-resnet-*"))
    assert "asked again" in run("verify-labels", data, tmp_path, "--teacher", "swin").output
    run("distill", data, tmp_path, "--teacher", "swin")
    assert [p.name.rsplit("-", 1)[0] for p in (tmp_path / "faces").glob("student-*")] == ["student-deit-swin-hard-s0"]
    run("distill", data, tmp_path)
    assert len(list((tmp_path / "faces").glob("student-*"))) == 3


def test_predict_uses_the_newest_student_that_has_a_teacher(data, cache, tmp_path, caplog):
    with caplog.at_level("INFO"):
        shown = run("predict", data, cache, "--input", data, "--out", tmp_path / "out").output
    assert "student-deit-swin-hard-s0" in caplog.text
    table = pd.read_csv(shown.strip())
    assert table.groupby("file")["half"].agg(set).map(lambda halves: halves == {"left", "right"}).all()
    assert table["file"].nunique() == 40
    assert table["prob_pain"].between(0, 1).all()
    assert len(list((tmp_path / "out" / "annotated").iterdir())) == 40


@pytest.mark.parametrize("damage", ["truncated", "emptied", "swapped"])
def test_a_damaged_cache_is_named_not_read(damage, data, cache, synpain, tmp_path):
    copy = tmp_path / "cache"
    shutil.copytree(cache, copy, symlinks=True)
    shutil.rmtree(one(copy, "teacher-swin"))
    shutil.rmtree(one(copy, "labels-swin"))
    file = one(copy, "inputs") / "inputs.h5"
    if damage == "swapped":
        other = synpain(tmp_path / "faces", 40)
        (other / sorted(p.name for p in other.iterdir())[0]).touch()
        run("align", other, tmp_path / "other", "--margin", 0.3)
        shutil.copy(one(tmp_path / "other", "inputs") / "inputs.h5", file)
    else:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"")
    result = run("teacher-labels", data, copy, "--teacher", "swin", code=2)
    assert "inputs.h5" in str(result.exception)
    assert (
        "does not belong here" in str(result.exception)
        or "its record says" in str(result.exception)
        or ("SHA-256" in str(result.exception))
    )
    assert not list((copy / "faces").glob("labels-swin-????????"))
