"""The artifact contract: made once, never half, rebuilt when and only when its meaning changed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.artifacts import arrays
from pipeline.artifacts.locks import lock_of
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.record import RECORD
from pipeline.artifacts.store import Artifact, ArtifactStore, Node, topological
from pipeline.config import option
from pipeline.errors import ArtifactError
from tests.helpers import records


@dataclass(frozen=True)
class Config:
    number: int = option(1, "A field that counts.")
    workers: int = option(1, "A field that does not.", affects=False)


class Calls(list):
    """A stage's run that remembers what it was called for."""

    def __call__(self, config, work, **inputs):
        self.append(work.node.slug)
        (work.path / "data.txt").write_text(f"{config.number} {sorted(inputs)}")
        return {"counts": {"rows": config.number}}


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "cache")


def chain(raw, run, *, first=Config(), second=Config(), version=1):
    upstream = Node("one", "first", version, first, {"raw": raw}, run)
    return upstream, Node("two", "second", 1, second, {"first": upstream}, run)


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"picture")
    return RawData(folder)


def test_a_second_run_reuses_everything(store, raw):
    run = Calls()
    _, node = chain(raw, run)
    (made,) = store.build(node)
    (again,) = store.build(node)
    assert run == ["first", "second"]
    assert made.path == again.path
    assert made.file("data.txt").read_text() == "1 ['first']"


def test_the_record_says_how_it_was_made(store, raw):
    _, node = chain(raw, Calls(), second=Config(number=3, workers=7))
    record = store.build(node)[0].record
    assert record["stage"] == "two"
    assert record["config"] == {"number": 3, "workers": 7}
    assert record["fingerprinted"] == {"number": 3}
    assert record["inputs"] == {"first": chain(raw, Calls())[0].fingerprint}
    assert record["summary"] == {"counts": {"rows": 3}}
    assert record["files"]["data.txt"]["bytes"] == len("3 ['first']")


def test_only_what_depends_on_a_change_is_rebuilt(store, raw):
    run = Calls()
    store.build(chain(raw, run)[1])
    store.build(chain(raw, run, second=Config(number=2))[1])
    assert run == ["first", "second", "second"]
    store.build(chain(raw, run, first=Config(number=2))[1])
    assert run[3:] == ["first", "second"]
    store.build(chain(raw, run, version=2)[1])
    assert run[5:] == ["first", "second"]


def test_fields_that_cannot_change_the_result_do_not_rebuild(store, raw):
    run = Calls()
    store.build(chain(raw, run)[1])
    store.build(chain(raw, run, first=Config(workers=9), second=Config(workers=9))[1])
    assert run == ["first", "second"]


def test_a_changed_picture_rebuilds(store, raw):
    run = Calls()
    store.build(chain(raw, run)[1])
    (raw.folder / "a.jpg").write_bytes(b"another")
    store.build(chain(RawData(raw.folder), run)[1])
    assert run == ["first", "second", "first", "second"]


def test_a_fresh_artifact_needs_nothing_upstream(store, raw):
    run = Calls()
    first, second = chain(raw, run)
    store.build(second)
    (store.folder(first) / "record.json").unlink()
    (store.folder(first) / "data.txt").unlink()
    store.folder(first).rmdir()
    store.build(second)
    assert run == ["first", "second"]


def test_nothing_is_overwritten(store, raw):
    one = store.build(chain(raw, Calls())[1])[0]
    two = store.build(chain(raw, Calls(), second=Config(number=2))[1])[0]
    assert one.path != two.path
    assert one.path.exists()


def test_a_failed_run_leaves_a_partial_folder_to_resume_from(store, raw):
    def failing(config, work, **inputs):
        (work.path / "half.txt").write_text("half")
        raise KeyboardInterrupt

    def resuming(config, work, **inputs):
        return {"found": (work.path / "half.txt").read_text()}

    node = Node("one", "first", 1, Config(), {"raw": raw}, failing)
    with pytest.raises(KeyboardInterrupt):
        store.build(node)
    assert store.partial(node).is_dir()
    assert not store.folder(node).exists()
    assert store.build(replace(node, run=resuming))[0].summary == {"found": "half"}
    assert not store.partial(node).exists()


def test_killed_while_the_record_is_written_the_draft_is_no_file_of_the_artifact(store, raw):
    _, node = chain(raw, Calls())
    store.build(*node.upstream())
    store.partial(node).mkdir()
    (store.partial(node) / "record.json.draft").write_text("{")
    (artifact,) = store.build(node)
    assert set(artifact.record["files"]) == {"data.txt"}
    assert store.find(node)


def test_killed_between_the_record_and_the_rename_nothing_runs_again(store, raw):
    run = Calls()
    _, node = chain(raw, run)
    (made,) = store.build(node)
    made.path.rename(store.partial(node))
    (again,) = store.build(node)
    assert again.record == made.record
    assert run == ["first", "second"]


def test_what_was_finished_but_is_damaged_before_the_rename_is_made_anew(store, raw, caplog):
    run = Calls()
    _, node = chain(raw, run)
    for damage in (
        lambda folder: (folder / "data.txt").write_text("2 ['first']"),
        lambda folder: (folder / "data.txt").unlink(),
        lambda folder: (folder / RECORD).write_text("{"),
        lambda folder: records.write(folder, slug="second"),
        wrong_record,
    ):
        (made,) = store.build(node)
        made.path.rename(store.partial(node))
        damage(store.partial(node))
        run.clear()
        caplog.clear()
        (again,) = store.build(node)
        again.verify()
        assert run == ["second"]
        assert "what a killed run left as finished is dropped" in caplog.text
        shutil.rmtree(again.path)


def wrong_record(folder):
    (folder / RECORD).unlink()
    (folder / RECORD).mkdir()


def test_drafts_and_temporary_files_of_a_dead_run_are_no_files_of_the_artifact(store, raw):
    _, node = chain(raw, Calls())
    store.build(*node.upstream())
    for name in ("weights.safetensors.draft", "tables/a.csv.draft", ".scratch/joblib/array.pkl"):
        file = store.partial(node) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("half")
    (artifact,) = store.build(node)
    assert set(artifact.record["files"]) == {"data.txt"}
    assert {path.name for path in artifact.path.rglob("*")} == {"data.txt", RECORD, "tables"}


def test_while_a_stage_runs_temporary_files_lie_in_its_partial_folder(store, raw):
    def run(config, work, **inputs):
        seen.append((Path(tempfile.mkdtemp()).parent, work.path))
        (work.path / "data.txt").write_text("")
        return {}

    seen = []
    before = tempfile.gettempdir()
    (artifact,) = store.build(Node("one", "first", 1, Config(), {"raw": raw}, run))
    ((temporary, partial),) = seen
    assert temporary.parent == partial
    assert set(artifact.record["files"]) == {"data.txt"}
    assert {path.name for path in artifact.path.iterdir()} == {"data.txt", RECORD}
    assert tempfile.gettempdir() == before


@pytest.mark.parametrize("make", [os.mkfifo, Path.touch])
@pytest.mark.parametrize("place", ["folder", "partial", "lock", "locks"])
def test_the_wrong_kind_of_thing_in_the_store_is_one_line_that_says_what_to_remove(store, raw, place, make):
    _, node = chain(raw, Calls())
    path = {
        "folder": store.folder(node),
        "partial": store.partial(node),
        "lock": lock_of(store.folder(node)),
        "locks": store.root / ".locks",
    }[place]
    path.parent.mkdir(parents=True)
    make = os.mkdir if (place, make) == ("lock", Path.touch) else make
    make(path)
    with pytest.raises(ArtifactError, match=f"(?s){path}.*: rm ") as error:
        store.build(node)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.write_text(""), "has 0 bytes"),
        (lambda file: file.write_text("1"), "has 1 bytes"),
        (lambda file: file.unlink(), "is missing"),
    ],
)
def test_a_truncated_emptied_or_missing_file_is_named(store, raw, damage, message):
    _, node = chain(raw, Calls())
    damage(store.build(node)[0].path / "data.txt")
    with pytest.raises(ArtifactError, match=message) as error:
        store.build(node)
    assert "data.txt" in str(error.value)
    assert "rm -r" in str(error.value)


def test_other_content_of_the_same_size_is_named(store, raw):
    (artifact,) = store.build(chain(raw, Calls())[1])
    file = artifact.path / "data.txt"
    file.write_text(file.read_text().replace("1", "2"))
    with pytest.raises(ArtifactError, match="SHA-256"):
        artifact.file("data.txt")


def test_a_large_file_is_compared_too(store, raw):
    def run(config, work, **inputs):
        with (work.path / "faces.bin").open("wb") as file:
            file.truncate(70 * 2**20)
        return {}

    (artifact,) = store.build(Node("one", "first", 1, Config(), {"raw": raw}, run))
    artifact.verify()
    with (artifact.path / "faces.bin").open("r+b") as file:
        file.seek(69 * 2**20)
        file.write(b"\x01")
    with pytest.raises(ArtifactError, match=r"faces\.bin is not the file"):
        artifact.verify()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to(path)])
def test_what_is_no_file_in_a_files_place_is_said_at_once(store, raw, make):
    (artifact,) = store.build(chain(raw, Calls())[1])
    (artifact.path / "data.txt").unlink()
    make(artifact.path / "data.txt")
    for read in (lambda: Artifact.load(artifact.path), artifact.verify):
        with pytest.raises(ArtifactError, match=r"data\.txt is missing"):
            read()


def test_of_a_file_with_ranges_the_ranges_are_compared(store, raw, monkeypatch):
    def run(config, work, **inputs):
        (work.path / "faces.h5").write_bytes(b"head--data--tail")
        return {}

    monkeypatch.setattr(arrays, "outside_columns", lambda path: [(0, 4), (12, 16)])
    (artifact,) = store.build(Node("one", "first", 1, Config(), {"raw": raw}, run))
    assert artifact.record["files"]["faces.h5"]["ranges"] == [[0, 4], [12, 16]]
    file = artifact.path / "faces.h5"
    file.write_bytes(b"head--DATA--tail")  # the columns carry digests of their own
    assert artifact.file("faces.h5") == file
    for content in (b"Head--data--tail", b"head--data--taiL"):
        file.write_bytes(content)
        with pytest.raises(ArtifactError, match=r"faces\.h5 is damaged in its structure"):
            artifact.file("faces.h5")


def test_files_beside_those_of_the_record_are_no_matter(store, raw):
    _, node = chain(raw, Calls())
    (artifact,) = store.build(node)
    (artifact.path / "notes.txt").write_text("mine")
    assert store.find(node).record == artifact.record


def test_an_input_swapped_with_another_is_named_before_it_is_read(store, raw):
    one, two = (chain(raw, Calls(), first=Config(number=n)) for n in (1, 2))
    store.build(one[0], two[0])
    store.folder(one[0]).rename(store.root / "aside")
    store.folder(two[0]).rename(store.folder(one[0]))
    with pytest.raises(ArtifactError, match="belongs to other inputs"):
        store.build(one[1])


def test_a_folder_swapped_with_another_is_named(store, raw):
    one, two = (chain(raw, Calls(), second=Config(number=n))[1] for n in (1, 2))
    store.build(one, two)
    store.folder(one).rename(store.root / "aside")
    store.folder(two).rename(store.folder(one))
    with pytest.raises(ArtifactError, match="belongs to other inputs"):
        store.build(one)


@pytest.mark.parametrize("content", ["{", "", "[]", '{"files": {}}', "\xe9"])
def test_an_unreadable_record_is_named(store, raw, content):
    _, node = chain(raw, Calls())
    (store.build(node)[0].path / "record.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ArtifactError, match=r"no readable record\.json"):
        store.build(node)


def test_a_file_that_is_not_there_names_those_that_are(store, raw):
    (artifact,) = store.build(chain(raw, Calls())[1])
    with pytest.raises(ArtifactError, match=r"holds data\.txt"):
        artifact.file("inputs.h5")


def test_topological_order_puts_inputs_first(raw):
    first, second = chain(raw, Calls())
    assert [node.slug for node in topological([second, first])] == ["first", "second"]


def test_load_reads_what_build_made(store, raw):
    (artifact,) = store.build(chain(raw, Calls())[1])
    assert Artifact.load(artifact.path).record == json.loads((artifact.path / "record.json").read_text())


@dataclass(frozen=True)
class Growing:
    count: int = option(1, "How much there is of it.")
    kind: str = option("a", "What it is.")


def growing(raw, seen, **config):
    def run(config, work, **inputs):
        seen.append(sorted(relative.config["count"] for relative in work.relatives))
        return {}

    config = Growing(**config)
    return Node("grow", f"grown-{config.kind}-{config.count}", 1, config, {"raw": raw}, run, grows=("count",))


def test_a_run_is_told_of_finished_artifacts_that_differ_along_which_it_grows(store, raw):
    seen = []
    for config in ({"count": 1}, {"count": 3}, {"count": 2}, {"count": 4, "kind": "b"}):
        store.build(growing(raw, seen, **config))
    assert seen == [[], [1], [1, 3], []]


def test_damaged_or_foreign_relatives_are_left_out(store, raw, tmp_path):
    seen = []
    (made,) = store.build(growing(raw, seen))
    made.path.joinpath("record.json").write_text("{")
    store.build(growing(raw, seen, count=2))
    (tmp_path / "raw" / "b.jpg").write_bytes(b"another")
    store.build(growing(RawData(tmp_path / "raw"), seen, count=5))
    assert seen == [[], [], []]


def test_what_does_not_grow_has_no_relatives(store, raw):
    seen = []
    store.build(growing(raw, seen))
    store.build(replace(growing(raw, seen, count=2), grows=()))
    assert seen == [[], []]
