"""The attacks see what they look for: tracebacks, hangs, processes that live on, other bytes."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from pipeline.tasks import TASKS
from tests.attacks import campaign, damage, inputs
from tests.attacks.arena import HANG, LEFT, TRACEBACK, UNCLEAR, Arena
from tests.attacks.outcome import Outcome
from tests.attacks.world import digests, loosen


def outcome(status=0, stderr="", killed="", processes=()):
    return Outcome(("report",), status, killed, 1.0, processes, "", stderr)


@pytest.mark.parametrize(
    ("ended", "verdict"),
    [
        (outcome(), "ok"),
        (outcome(2, "samples: making\nError: no room\n"), "line"),
        (outcome(2, "Usage: paindistill\n\nError: Invalid value\n"), "line"),
        (outcome(2, "Error: a name\nwith a line break\n"), "unclear"),
        (outcome(2, "Error: a\rb\n"), "unclear"),
        (outcome(2, ""), "unclear"),
        (outcome(1, "Aborted!\n"), "unclear"),
        (outcome(1, "Traceback (most recent call last):\n  File\nKeyError: 1\n"), "traceback"),
        (outcome(0, "Traceback (most recent call last):\n  in a thread\n"), "traceback"),
        (outcome(-11), "died"),
        (outcome(-9, killed="moment"), "killed"),
        (outcome(-9, killed="hang"), "hang"),
    ],
)
def test_how_a_command_ended(ended, verdict):
    assert ended.verdict == verdict


def test_what_no_command_may_do_is_a_finding():
    arena = Arena(None, None, Path(), Random(0))
    for ended in (outcome(), outcome(2, "Error: x"), outcome(-9, killed="moment")):
        arena.judge(ended)
    assert not arena.findings
    for ended in (outcome(1, "KeyError"), outcome(-7), outcome(-9, killed="hang"), outcome(processes=("loky",))):
        arena.judge(ended)
    assert [kind for kind, _ in arena.findings] == [UNCLEAR, TRACEBACK, HANG, LEFT]


def test_a_changed_byte_changes_a_digest_and_time_does_not(tmp_path):
    folder = tmp_path / "faces" / "samples-1"
    folder.mkdir(parents=True)
    (folder / "record.json").write_text('{"made": "today", "summary": 1}')
    (folder / "runs.csv").write_text("a,seconds\n1,2\n")
    before = digests(tmp_path)
    (folder / "record.json").write_text('{"made": "tomorrow", "summary": 1}')
    (folder / "runs.csv").write_text("a,seconds\n1,3\n")
    assert digests(tmp_path) == before
    (folder / "record.json").write_text('{"made": "today", "summary": 2}')
    (folder / "runs.csv").write_text("a,seconds\n2,2\n")
    after = digests(tmp_path)
    assert not {name for name in before if before[name] == after[name]}


@pytest.mark.parametrize("kind", damage.DAMAGES)
def test_damage_is_done_to_the_copy_alone(kind, tmp_path):
    original, copy, twin = tmp_path / "original", tmp_path / "copy" / "file", tmp_path / "twin" / "file"
    for path, content in ((original, b"x" * 5000), (twin, b"y" * 5000)):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    copy.parent.mkdir()
    copy.hardlink_to(original)
    loosen(copy)
    damage.DAMAGES[kind](copy, Random(0), [twin])
    assert original.read_bytes() == b"x" * 5000
    assert not copy.is_file() or copy.read_bytes() != b"x" * 5000


def test_a_failure_says_with_what_it_is_run_again():
    results = [
        campaign.Result("kills", 7, 3, "pain", 2, ()),
        campaign.Result("kills", 7, 4, "pain", 1, ((LEFT, "a process"),)),
        campaign.Result("options", 7, 0, "pain", 10, ()),
    ]
    said = campaign.line(results, 7, 60)
    assert said.startswith("3 kills, 10 hostile options: 0 silently wrong, 0 tracebacks, 0 hangs, 1 left behind")
    assert said.endswith("again: make attack SEED=7 ONLY=kills:4:pain")
    assert "| kills | 3 | 0 | 0 | 0 | 1 | 0 |" in campaign.table(results, 7)


def test_the_long_form_is_as_long_as_it_says():
    counts = {name: campaign.part(name).COUNT for name in campaign.PARTS}
    assert counts["kills"] >= 100
    assert counts["damage"] >= 500
    assert counts["pairs"] >= 20
    assert counts["options"] * campaign.part("options").VALUES_EACH >= 1000
    chosen = campaign.chosen("kills:17:pain,pairs", 0.1)
    assert [attack[:2] for attack in chosen] == [("kills", 17), *(("pairs", n) for n in range(3))]
    assert chosen[0][2] == "pain"
    assert {task for _, _, task in campaign.chosen("", 1)} == set(TASKS)
    assert {task.prepare for task in TASKS.values()} == set(inputs.FORMS)
