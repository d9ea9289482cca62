"""Explain the answers to some test samples by heat maps, the same samples for every model.

Writes ``maps.h5`` (the maps, and where muscles moved) and ``faces.csv`` (a row each: what is explained, whether it is
true, and, where 68 points and action units are known, how much of the map lies on the parts of the face whose muscles
moved). The record says the method, and how many maps have nothing in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.config import ExplainTestsConfig

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from pipeline.artifacts.columns import Columns
    from pipeline.artifacts.store import Artifact, Work
    from pipeline.serving.network import Network

VERSION = 1
CONFIG = ExplainTestsConfig
INPUTS = ("samples", "split", "inputs", "teachers", "students")
OUTPUT = "explanations"
BATCH = 32  # samples whose whole maps are held at once


def run(
    config: ExplainTestsConfig, work: Work, samples: Artifact, inputs: Artifact, split: Artifact, model: Artifact
) -> dict[str, Any]:
    """Draw test samples by their names, and explain what the model answers to each.

    Raises
    ------
    ArtifactError : the model is no longer what its record says.
    DataError : the dataset does not know the task's target.
    """
    import numpy as np
    import pandas as pd

    from pipeline.artifacts import arrays
    from pipeline.compute import devices
    from pipeline.evaluation import explanations, muscles
    from pipeline.serving.heat_maps import default_method
    from pipeline.serving.network import Network

    store = arrays.open_inputs(inputs)
    table = _drawn(config, samples, split, store)
    network = Network(model, devices.pick(config.device))
    method, side = default_method(network), muscles.SIDE
    outputs, true = explanations.EXPLAINED[config.task.kind](table, config.task)
    maps, where, faces = [np.empty((0, side, side))], [np.empty((0, side, side), bool)], []
    points, known = _known(table, samples, inputs)
    for first in range(0, len(table), BATCH):  # whole maps are as large as faces
        part = slice(first, first + BATCH)
        some = table.iloc[part].reset_index(drop=True)
        large = _maps(network, store, some["sample_id"], outputs[part], method)
        maps.append(side**2 * muscles.pooled(large, side))
        empty = np.ptp(large, axis=(1, 2)) == 0
        moving, shares = _on_muscles(large, None if points is None else points[part], known.iloc[part])
        where.append(moving)
        faces.append(some[["sample_id", "subject_id"]].assign(empty=empty).join(shares))
    rows = pd.concat(faces, ignore_index=True) if faces else table[["sample_id", "subject_id"]].assign(empty=False)
    arrays.write_table(work.path / explanations.FACES, rows.assign(output=outputs, true=true))
    columns = {"maps": np.concatenate(maps).astype(np.float16), "moved": np.concatenate(where).astype(np.uint8)}
    place = work.path / explanations.MAPS
    arrays.write_columns(place, "maps", work.fingerprint, columns, table["sample_id"].tolist())
    counts = {"explained": len(table), "empty": int(rows["empty"].sum())}
    return {"counts": counts, "skipped": [], "method": method}


def _drawn(config: ExplainTestsConfig, samples: Artifact, split: Artifact, store: Columns) -> pd.DataFrame:
    """Test samples in which what is asked about was found: of many the same ones for every model."""
    from pipeline.artifacts import arrays
    from pipeline.evaluation import explanations, predictions
    from pipeline.inputs import keyed_random, sample_table

    every = predictions.samples_table(
        sample_table.read(samples, config.task), arrays.read_table(split.file("split.csv")), None, config.task
    )
    test = every[every["part"] == "test"].reset_index(drop=True)
    if "detected" in store:
        test = test[store["detected"][store.rows(test["sample_id"])].astype(bool)].reset_index(drop=True)
    order = keyed_random.order(test["sample_id"])
    _, true = explanations.EXPLAINED[config.task.kind](test, config.task)
    return test.iloc[explanations.chosen(true, order, config.explained)].reset_index(drop=True)


def _maps(network: Network, store: Columns, sample_ids: pd.Series, outputs: np.ndarray, method: str) -> np.ndarray:
    """A map of each sample, float32, shape (N, S, S)."""
    from pipeline.serving.heat_maps import heat_maps

    (modality,) = network.reads
    pictures = store[modality][store.rows(sample_ids)]
    return heat_maps(network, {modality: pictures}, outputs.tolist(), method)


def _known(table: pd.DataFrame, samples: Artifact, inputs: Artifact) -> tuple[np.ndarray | None, pd.DataFrame]:
    """The 68 points of the samples on their inputs, None where they are not known, and all that is known of them."""
    from pipeline.artifacts import arrays
    from pipeline.evaluation import muscles
    from pipeline.inputs import sample_table

    points = sample_table.points_of_inputs(samples, inputs, muscles.POINTS, table["sample_id"])
    return points, arrays.read_table(samples.file("samples.csv")).set_index("sample_id").loc[table["sample_id"]]


def _on_muscles(maps: np.ndarray, points: np.ndarray | None, known: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Where muscles moved, and how much of each map lies there; nowhere and no columns where points are not known."""
    import numpy as np
    import pandas as pd

    from pipeline.evaluation import muscles

    if points is None:
        return np.zeros((len(maps), muscles.SIDE, muscles.SIDE), bool), pd.DataFrame(index=range(len(maps)))
    return muscles.measured(maps, points, known)
