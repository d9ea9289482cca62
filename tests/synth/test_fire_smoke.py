"""Painted frames of a drone: what burns, what smokes, what only looks like it, and the shipped set of them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

from pipeline.config import DEMO_SEEDS, DEMO_SETS, SynthesizeConfig
from pipeline.errors import DataError
from pipeline.synth import PAINTER_VERSION
from pipeline.synth.clips import BLOCK, FRAMES, PAIRS, PER_PAIR, Clip, clip, lot
from pipeline.synth.fire_smoke import BURNING, HEIGHT, Frame, Plan, paint_frame, truth_row
from pipeline.synth.forms import FORMS
from stages import synthesize

SEED = DEMO_SEEDS["fire-smoke"]
FOLDER = DEMO_SETS / "fire-smoke"
CLIPS = 120
N = CLIPS * FRAMES
MARGIN = 60  # grey levels between the hottest decoy and the coolest fire's core


def made(n: int, out, **options):
    return synthesize.run(SynthesizeConfig(form="fire-smoke", n=n, **{"seed": SEED, "workers": 1} | options), out)


@lru_cache(maxsize=BLOCK)
def scene(number: int) -> Clip:
    return clip(SEED, number)


def truth_of(number: int, frame: int, height: int = HEIGHT) -> tuple[Frame, dict]:
    painted = paint_frame(scene(number), frame, height)
    return painted, truth_row(Plan(SEED, number * FRAMES + frame), scene(number), painted)


def contents(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def clips_of(pair: tuple[int, int]) -> list[int]:
    return [number for number in range(BLOCK) if lot(SEED, number)[0] == pair]


@pytest.fixture(scope="module")
def frames() -> list:
    """A frame of each clip of a block, with its truth."""
    return [truth_of(number, 6) for number in range(BLOCK)]


def test_every_pair_has_as_many_clips_in_each_block():
    for block in range(6):
        lots = [lot(SEED, block * BLOCK + place) for place in range(BLOCK)]
        assert sorted(lots) == sorted((pair, place) for pair in PAIRS for place in range(PER_PAIR))
    assert [lot(SEED, n) for n in range(BLOCK)] != [lot(SEED + 1, n) for n in range(BLOCK)]


def test_a_set_is_the_same_bytes_however_it_was_made(tmp_path):
    grown = made(3, tmp_path / "grown")
    (grown / "ir" / "c0000_01.jpg").unlink()
    made(5, grown)
    whole = contents(made(5, tmp_path / "whole", workers=2))
    assert contents(grown) == whole
    assert sorted(name for name in whole if name.endswith(".jpg")) == sorted(
        f"{folder}/c0000_{frame:02d}.jpg" for folder in ("rgb", "ir") for frame in range(5)
    )
    with pytest.raises(DataError, match=r"seed 4 there, 5 asked.*OUT="):
        made(5, grown, seed=SEED + 1)


def test_the_table_of_frames_names_pictures_of_the_asked_size_and_their_labels(tmp_path):
    out = made(2, tmp_path / "set", height=48, quality=60)
    table, truth = (pd.read_csv(out / name) for name in ("frames.csv", "truth.csv"))
    assert list(table.columns) == ["id", "rgb_frame", "ir_frame", "fire", "smoke", "clip"]
    assert list(table["id"]) == list(truth["id"]) == ["c0000_00", "c0000_01"]
    assert set(table["clip"]) == {"c0000"}
    for rgb, infrared in zip(table.rgb_frame, table.ir_frame, strict=True):
        colour, grey = Image.open(out / rgb), Image.open(out / infrared)
        assert (colour.mode, grey.mode) == ("RGB", "L")
        assert colour.size == grey.size == (48, 48)


def test_another_seed_is_another_landscape():
    one, other = (paint_frame(setting, 0, 56) for setting in (scene(0), clip(SEED + 1, 0)))
    assert np.abs(one.rgb.astype(float) - other.rgb).mean() > 8


@pytest.mark.slow
def test_the_labels_are_those_of_the_lot_once_everything_has_begun(frames):
    assert [(row["fire"], row["smoke"]) for _, row in frames] == [lot(SEED, number)[0] for number in range(BLOCK)]


def test_what_begins_late_is_not_labelled_before():
    late = [number for number in clips_of((1, 1)) if scene(number).fire_from or scene(number).smoke_from]
    assert len(late) == 2
    for number in late:
        rows = [truth_of(number, frame, 56)[1] for frame in range(FRAMES)]
        for name, begins in (("fire", scene(number).fire_from), ("smoke", scene(number).smoke_from)):
            assert [row[name] for row in rows] == [int(frame >= begins) for frame in range(FRAMES)]


@pytest.mark.parametrize("number", clips_of((1, 1))[:2] + clips_of((0, 1))[:2])
def test_smoke_dust_and_fog_are_not_seen_in_infrared(number):
    clear = replace(scene(number), smoke=None, dust=None, veil=None)
    smoky, bare = paint_frame(scene(number), 6), paint_frame(clear, 6)
    assert np.array_equal(smoky.infrared, bare.infrared)
    assert np.abs(smoky.rgb.astype(float) - bare.rgb).mean() > 1
    assert not bare.smoke.any()


def test_fires_are_hotter_than_anything_else(frames):
    cores = [frame.infrared[frame.burning].max() for frame, row in frames if row["fire"]]
    spread = [ndimage.binary_dilation(frame.heat > 0.01, iterations=12) for frame, _ in frames]
    elsewhere = [frame.infrared[~near].max() for near, (frame, _) in zip(spread, frames, strict=True)]
    assert min(cores) > max(elsewhere) + MARGIN
    assert max(elsewhere) > 120  # there is something warm to be told apart from fire


def test_a_hidden_fire_is_hardly_seen_in_colour_and_an_open_one_is():
    hidden, seen = [], []
    for number in clips_of((1, 0)) + clips_of((1, 1)):
        frame, without = paint_frame(scene(number), 6), paint_frame(replace(scene(number), fire=None), 6)
        change = np.abs(frame.rgb.astype(float) - without.rgb).mean(-1)
        clear = (1 - frame.canopy) * (1 - frame.smoke)
        hidden += change[frame.burning & (clear < 0.05)].tolist()
        seen += change[frame.burning & (clear > 0.9)].tolist()
        assert np.abs(frame.infrared.astype(float) - without.infrared)[frame.burning].mean() > 60
    assert min(len(hidden), len(seen)) > 100
    assert np.mean(hidden) < 12
    assert np.mean(seen) > 5 * np.mean(hidden)


def test_the_truth_says_how_much_of_a_fire_is_visible(frames):
    for frame, row in frames:
        assert row["fire_share"] == pytest.approx((frame.heat > BURNING).mean(), abs=1e-5)
        assert row["fires"] == ndimage.label(frame.heat > BURNING)[1]
        assert 0 <= row["fire_visible"] <= (1 if row["fire"] else 0)
    visible = [row["fire_visible"] for _, row in frames if row["fire"]]
    assert min(visible) < 0.1
    assert max(visible) > 0.9


def test_frames_of_a_clip_resemble_each_other_more_than_those_of_others():
    small = np.stack([[paint_frame(scene(n), f, 32).rgb / 255 for f in (0, 4)] for n in range(4)])
    distances = np.abs(small[:, None, 0] - small[None, :, 1]).mean((2, 3, 4))
    assert (distances.argmin(1) == np.arange(4)).all()


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "truth.csv")


def test_the_shipped_tables_and_folders_list_the_same_pictures(truth):
    table = pd.read_csv(FOLDER / "frames.csv")
    there = {str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*")}
    assert len(table) == len(truth) == N
    assert {*table.rgb_frame, *table.ir_frame} == there
    assert set(table["clip"].value_counts()) == {FRAMES}
    assert truth[["id", "clip", "fire", "smoke"]].equals(table[["id", "clip", "fire", "smoke"]])
    assert (table.ir_frame.str.removeprefix("ir/") == table.rgb_frame.str.removeprefix("rgb/")).all()


def test_the_shipped_set_fits_its_size():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 6_000_000
    assert not list(FOLDER.rglob("*.partial*"))


def test_the_shipped_recipe_makes_these_files(truth):
    recipe = json.loads((FOLDER / "synthesize.json").read_text())
    form = FORMS["fire-smoke"]
    sizes = {"height": form.height, "quality": form.quality}
    assert recipe["renderer"] == PAINTER_VERSION
    assert recipe["config"] == {"form": "fire-smoke", "n": N, "seed": SEED} | sizes
    assert list(truth.file) == [Plan(SEED, number).file for number in range(N)]


def test_the_shipped_set_holds_every_pair_and_hides_a_part_of_its_fires(truth):
    shares = truth.groupby(["fire", "smoke"]).size() / N
    assert set(shares.index) == set(PAIRS)
    assert shares.between(0.18, 0.3).all()
    assert 5 <= (truth.groupby("clip")[["fire", "smoke"]].nunique().max(axis=1) > 1).sum() <= 20
    assert 0.2 < (truth[truth.fire == 1].fire_visible < 0.3).mean() < 0.4


@pytest.mark.parametrize("number", [0, N - 1])
def test_a_shipped_frame_can_be_made_again(truth, number):
    what = Plan(SEED, number)
    frame = paint_frame(what.clip, what.frame)
    row = truth_row(what, what.clip, frame)
    again = truth.iloc[number].to_dict()
    assert {name for name in row if row[name] != pytest.approx(again[name], abs=0.02)} == set()
    for file, picture in ((what.file, frame.rgb), (what.infrared, frame.infrared)):
        shipped = np.asarray(Image.open(FOLDER / file), float)
        assert np.abs(shipped - picture).mean() < 6, file  # what JPEG loses
