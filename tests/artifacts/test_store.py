"""The artifact contract: made once, never half, rebuilt when and only when its meaning changed."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import Artifact, ArtifactStore, Node, topological
from pipeline.config import option
from pipeline.errors import ArtifactError


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
