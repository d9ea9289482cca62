from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation import bootstrap, videos
from pipeline.evaluation.metrics import regress
from pipeline.evaluation.question import Question
from pipeline.tasks import TASKS

PSPI = Question.of(TASKS["intensity"])


def frames(subjects: int = 8, seed: int = 0) -> pd.DataFrame:
    """Videos of 3 to 29 frames, two of each subject, whose names repeat from subject to subject."""
    rng, tables = np.random.default_rng(seed), []
    for subject in range(subjects):
        for sequence in ("001", "002"):
            label = np.clip(rng.normal(rng.uniform(0, 6), 2, rng.integers(3, 30)), 0, 16)
            value = np.clip(0.7 * label + rng.normal(0, 1.5, len(label)), 0, 16)
            tables.append(
                pd.DataFrame(
                    {"subject_id": f"s{subject}", "sequence": sequence, "label_pspi": label, "value_pspi": value}
                )
            )
    return pd.concat(tables, ignore_index=True).sample(frac=1, random_state=seed)


def test_a_video_by_hand():
    label = np.r_[np.zeros(20), 8.0]  # 21 frames: the highest tenth of them is three
    value = np.r_[np.arange(20) / 10, 0.0]
    frame = pd.DataFrame({"subject_id": "a", "sequence": "one", "label_pspi": label, "value_pspi": value})
    frame.loc[21] = ["a", "two", 5.0, 4.0]
    expected = {"mean": (8 / 21, 19 / 21), "max": (8, 1.9), "top_decile": (8 / 3, 1.8)}
    for name, of_video in expected.items():
        table = videos.scored(frame, PSPI, name)
        assert table["frames"].tolist() == [21, 1]
        assert table.loc[0, ["label_pspi", "value_pspi"]].tolist() == pytest.approx(list(of_video))
        assert table.loc[1, ["label_pspi", "value_pspi"]].tolist() == [5, 4]
    assert set(expected) == set(videos.AGGREGATIONS) == set(videos.TITLES)


def test_videos_of_two_subjects_stay_apart_and_metrics_are_those_of_their_scores():
    frame = frames()
    found = json.loads(json.dumps(videos.measured(frame, PSPI, 200, 0.9, seed=3), allow_nan=False))
    assert (found["sequences"], found["subjects"], found["frames"]) == (16, 8, len(frame))
    summaries = {
        "mean": np.mean,
        "max": np.max,
        "top_decile": lambda v: np.sort(v)[-math.ceil(len(v) / 10) :].mean(),
    }
    groups = list(frame.groupby(["subject_id", "sequence"]))
    weights = bootstrap.resamples(np.array([subject for (subject, _), _ in groups]), 200, 3)
    for name, summary in summaries.items():
        label, value = (np.array([[summary(g[c])] for _, g in groups]) for c in ("label_pspi", "value_pspi"))
        expected = regress.compute(regress.Outcome(PSPI, label, value), weights)
        figures = found["aggregations"][name]
        assert set(figures) == {"ccc", "mae", "pearson"}
        for metric, figure in figures.items():
            interval = bootstrap.interval(expected[metric], 0.9)
            assert (figure["value"], figure["low"], figure["high"]) == pytest.approx(
                (interval.value, interval.low, interval.high)
            )


def test_frames_of_no_video_are_left_out():
    frame = frames()
    loose = frame.head(5).assign(subject_id="alone", label_pspi=16.0, value_pspi=0.0)
    both = pd.concat([frame, loose.assign(sequence=np.nan), loose.assign(sequence="")])
    assert videos.measured(both, PSPI, 20, 0.95, 0) == videos.measured(frame, PSPI, 20, 0.95, 0)
    assert videos.measured(loose.assign(sequence=np.nan), PSPI, 20, 0.95, 0) is None
    assert videos.measured(frame.drop(columns="sequence"), PSPI, 20, 0.95, 0) is None
    assert videos.measured(frame, Question.of(TASKS["pain"]), 20, 0.95, 0) is None


def test_numbers_as_names_of_videos_with_some_missing():
    numbered = frames().assign(sequence=lambda f: f["sequence"].astype(float))
    with_missing = pd.concat([numbered, numbered.head(1).assign(sequence=np.nan)])
    assert videos.measured(with_missing, PSPI, 20, 0.95, 0) == videos.measured(frames(), PSPI, 20, 0.95, 0)
