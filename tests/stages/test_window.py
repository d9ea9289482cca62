"""Prepared windows: once, in order, resumable, the same bytes whatever the processes; and what was done is counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import signal as scipy_signal

from pipeline.artifacts import arrays
from pipeline.artifacts.store import ArtifactStore, Node, Work
from pipeline.config import WindowConfig, option
from pipeline.errors import ConfigError, DataError
from pipeline.inputs.signals import clean
from pipeline.inputs.signals.card import Preparation
from stages import window
from tests.fakes import recordings

SUBJECTS, TURNS = 4, 5  # 100 windows: two blocks
NAN = float("nan")


@dataclass(frozen=True)
class Listed:
    """The config of a stage that writes a sample table as it is given."""

    rows: tuple[tuple[str, str, str, float, int], ...] = option((), "File, region, subject, rate and steps.")


def listed(config: Listed, work: Work) -> dict:
    table = pd.DataFrame(config.rows, columns=["file", "region", "subject_id", "rate_hz", "steps"])
    table.insert(0, "sample_id", table["file"] + "#" + table["region"])
    arrays.write_table(work.path / "samples.csv", table)
    return {}


def row(file: str, rate_hz: float = recordings.RATE_HZ, steps: int = 352) -> tuple:
    return file, "full", Path(file).name.partition("-")[0], rate_hz, steps


def node(data: Path, rows=None, **options) -> Node:
    """The windows of a dataset, or of some files of it."""
    files = sorted(str(path.relative_to(data)) for path in data.rglob("*.csv"))
    rows = tuple(map(row, files)) if rows is None else tuple(rows)
    samples = Node("listed", "samples", 1, Listed(rows), {}, listed)
    config = WindowConfig(data=str(data), **{"workers": 1} | options)
    return Node("window", "inputs", window.VERSION, config, {"samples": samples}, window.run)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return recordings.dataset(tmp_path_factory.mktemp("raw"), SUBJECTS, TURNS)


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    return ArtifactStore(tmp_path_factory.mktemp("cache")).build(node(data))[0]


def recorded(path: Path, channel: str = "gsr") -> np.ndarray:
    return pd.read_csv(path, sep="\t")[channel].to_numpy(np.float64)


def by_hand(values: np.ndarray) -> np.ndarray:
    """A window without gaps before it is scaled."""
    smooth = scipy_signal.savgol_filter(values, 5, 2)
    return np.clip(smooth, smooth.mean() - 3 * smooth.std(), smooth.mean() + 3 * smooth.std()).astype(np.float32)


def test_every_sample_has_a_window_in_the_same_order_scaled_by_all_of_its_subject(made, data):
    columns = arrays.open_inputs(made)
    assert columns["signal"].shape == (100, 352, 1)
    assert columns["signal"].dtype == np.float32
    assert (columns.attrs["rate_hz"], columns.json("channels")) == (64.0, ["gsr"])
    assert (columns["length"][:] == 352).all()
    for subject in range(SUBJECTS):
        files = sorted((data / recordings.name(subject, 0, 0)).parent.iterdir())
        every = np.stack([by_hand(recorded(path)) for path in files]).astype(np.float64)
        expected = (every - every.mean()) / every.std()
        rows = columns.rows([f"{path.relative_to(data)}#full" for path in files])
        np.testing.assert_allclose(columns["signal"][rows][:, :, 0], expected, atol=1e-4)


def test_several_channels_in_the_order_in_which_they_were_asked_for(data, tmp_path):
    columns = arrays.open_inputs(ArtifactStore(tmp_path).build(node(data, channel="ecg,gsr", scaling="none"))[0])
    assert columns.json("channels") == ["ecg", "gsr"]
    path = data / columns.sample_ids[7].removesuffix("#full")
    both = [by_hand(recorded(path, name)) for name in ("ecg", "gsr")]
    np.testing.assert_allclose(columns["signal"][7], np.stack(both, axis=1), rtol=1e-5)


def test_another_rate_makes_other_steps_of_the_same_seconds(data, tmp_path):
    made = ArtifactStore(tmp_path).build(node(data, rate_hz=16, scaling="none"))[0]
    columns = arrays.open_inputs(made)
    assert columns["signal"].shape == (100, 88, 1)
    assert columns.attrs["rate_hz"] == 16.0
    assert made.summary["counts"]["resampled"] == 100
    path = data / columns.sample_ids[99].removesuffix("#full")
    slow = clean.resampled(by_hand(recorded(path)).astype(np.float64)[:, None], 64, 16)
    np.testing.assert_allclose(columns["signal"][99], slow, atol=1e-5)


@pytest.fixture
def damaged(tmp_path):
    """One subject's files with what may be wrong with them, each by its name."""
    whole = recordings.recording(0, 4, 0)
    gap, spike, constant, empty = (whole.copy() for _ in range(4))
    gap[100:120, 0] = NAN
    spike[200, 0] += 100
    constant[:, 0] = 3.3
    empty[:, 0] = NAN
    files = {"whole": whole, "gap": gap, "spike": spike, "constant": constant, "empty": empty, "short": whole[:300]}
    for name, values in files.items():
        recordings.write(tmp_path / f"p-{name}.csv", values)
    recordings.write(tmp_path / "p-fast.csv", recordings.recording(0, 4, 0, 704), 128)
    recordings.write(tmp_path / "p-long.csv", recordings.recording(0, 4, 0, 2000))
    lengths = {"short": 300, "long": 2000}
    rows = [row(f"p-{name}.csv", steps=lengths.get(name, 352)) for name in (*files, "long")]
    return tmp_path, [*rows, row("p-fast.csv", 128, 704)]


def test_what_was_done_is_counted_and_nothing_shifts_time(damaged, tmp_path):
    data, rows = damaged
    made = ArtifactStore(tmp_path / "cache").build(node(data, rows, seconds=5.5, scaling="none"))[0]
    assert made.summary["counts"] == {
        "windows": 8,
        "interpolated": 2,
        "clipped": made.summary["counts"]["clipped"],
        "resampled": 1,
        "shorter": 1,
        "cut": 1,
        "constant": 1,
    }
    assert made.summary["skipped"] == [
        {"sample_id": "p-empty.csv#full", "reason": "no value: nothing was measured of gsr, it is 0 throughout"}
    ]
    columns = arrays.open_inputs(made)
    kinds = {name[2:].partition(".")[0]: number for number, name in enumerate(columns.sample_ids)}
    signal, whole = columns["signal"][:, :, 0], columns["signal"][kinds["whole"]][:, 0]
    assert signal.shape == (8, 352)
    np.testing.assert_array_equal(signal[kinds["gap"]][130:], whole[130:])
    assert np.abs(signal[kinds["gap"]] - whole).max() < 0.2
    spike = signal[kinds["spike"]]
    assert spike.argmax() in range(198, 203)
    assert spike.max() < recorded(data / "p-spike.csv").max() / 2
    assert np.ptp(signal[kinds["constant"]]) == 0
    assert not signal[kinds["empty"]].any()
    short = signal[kinds["short"]]
    assert columns["length"][kinds["short"]] == 300
    assert np.isnan(short).tolist() == [False] * 300 + [True] * 52
    np.testing.assert_array_equal(short[:290], whole[:290])
    assert columns["repaired"][kinds["gap"]] == pytest.approx(20 / 352)
    assert columns["repaired"][kinds["empty"]] == 1
    np.testing.assert_allclose(signal[kinds["long"]][20:-20], whole[20:-20], atol=0.2)  # the first seconds of it


@pytest.mark.parametrize("scaling", clean.SCALINGS)
def test_no_scaling_makes_anything_but_numbers_before_the_end(damaged, tmp_path, scaling):
    data, rows = damaged
    columns = arrays.open_inputs(ArtifactStore(tmp_path / "cache").build(node(data, rows, scaling=scaling))[0])
    signal, after = columns["signal"][:], np.arange(2000) >= columns["length"][:].astype(int)[:, None]
    assert np.array_equal(np.isnan(signal[:, :, 0]), after)
    if scaling == "window":
        assert np.nanmin(signal) == 0
        assert np.nanmax(signal) == 1


def test_ten_recordings_are_kept_for_the_report_as_they_were(made, data):
    table = arrays.read_table(made.file("examples.csv"))
    names = table["sample_id"].drop_duplicates()
    assert len(names) == 10
    people = {name.partition("/")[0] for name in names}
    assert len(people) == SUBJECTS  # of each one before there are two of any
    for name, rows in table.groupby("sample_id"):
        np.testing.assert_allclose(rows["gsr"], recorded(data / name.removesuffix("#full")), rtol=1e-8)
        np.testing.assert_allclose(rows["time_s"], np.arange(352) / 64, rtol=1e-8)
    assert set(made.record["files"]) == {"inputs.h5", "examples.csv"}


def test_one_process_gives_the_same_bytes_as_two(made, data, tmp_path, monkeypatch):
    from pipeline.inputs.signals import windows

    monkeypatch.setattr(windows, "FEW", 10)
    spread = ArtifactStore(tmp_path).build(node(data, workers=2))[0]
    assert spread.file("inputs.h5").read_bytes() == made.file("inputs.h5").read_bytes()


@pytest.mark.parametrize("where", ["_cleaned", "_scaled"])
def test_a_killed_run_is_resumed_without_doing_finished_blocks_again(made, data, tmp_path, monkeypatch, where):
    store, wanted = ArtifactStore(tmp_path), node(data)
    (samples,) = store.build(wanted.inputs["samples"])
    partial = store.partial(wanted)
    partial.mkdir()
    original, left = getattr(window, where), []

    def killed(pending, *rest):
        yield next(original(pending, *rest))
        raise KeyboardInterrupt

    def watched(pending, *rest):
        left.append(len(pending))
        yield from original(pending, *rest)

    monkeypatch.setattr(window, where, killed)
    with pytest.raises(KeyboardInterrupt):
        window.run(wanted.config, Work(partial, wanted), samples=samples)
    monkeypatch.setattr(window, where, watched)
    (artifact,) = store.build(wanted)
    assert left == [1]
    assert artifact.file("inputs.h5").read_bytes() == made.file("inputs.h5").read_bytes()
    assert artifact.summary == made.summary


def test_what_changes_a_window_makes_another_artifact_and_workers_do_not(data):
    same = node(data).fingerprint
    assert node(data, workers=2).fingerprint == same
    others = {"channel": "ecg", "rate_hz": 16, "seconds": 3.0, "smooth_window": 7, "smooth_order": 3, "outliers": 0.0}
    changed = [node(data, **{name: value}).fingerprint for name, value in (others | {"scaling": "window"}).items()]
    assert len({same, *changed}) == len(changed) + 1


def test_a_file_that_went_bad_is_named(data, tmp_path):
    folder = recordings.dataset(tmp_path / "raw", 1, 1)
    store, wanted = ArtifactStore(tmp_path / "cache"), node(folder)
    store.build(wanted.inputs["samples"])
    victim = folder / recordings.name(0, 2, 0)
    victim.write_bytes(b"\x00gone bad")
    with pytest.raises(DataError, match=f"{victim.name} could be read when it was indexed and cannot now: [a-z ]+:"):
        store.build(wanted)


def test_a_channel_that_is_not_there_is_named_with_those_that_are(data, tmp_path):
    with pytest.raises(DataError, match=r"eda.*gsr"):
        ArtifactStore(tmp_path).build(node(data, channel="gsr,eda"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channel": " , "}, r"names 0 channels.*CHANNEL=gsr,ecg"),
        ({"channel": "gsr,gsr"}, "names one channel twice"),
        ({"smooth_window": 4}, "SMOOTH_WINDOW=4 has no step in its middle"),
        ({"smooth_order": 5}, "SMOOTH_ORDER=5 needs a neighbourhood of more steps than SMOOTH_WINDOW=5"),
    ],
)
def test_what_is_no_preparation_is_said_before_anything_is_read(data, tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        ArtifactStore(tmp_path).build(node(data, **options))


def test_windows_that_no_network_could_read_are_refused_with_what_makes_them_shorter(tmp_path):
    recordings.write(tmp_path / "p-long.csv", recordings.recording(0, 4, 0, 352))
    rows = [row("p-long.csv", steps=2**21)]
    with pytest.raises(ConfigError, match=r"2,097,152 steps at 64 Hz, .*SECONDS=3600,"):
        ArtifactStore(tmp_path / "cache").build(node(tmp_path, rows))


def test_the_card_says_what_was_settled_by_the_recordings(made):
    assert Preparation.of_inputs(made) == Preparation(("gsr",), 64.0, 352, 5, 2, 3.0, "subject")
