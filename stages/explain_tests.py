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
    for first in range(0, len(table), BATCH):  # whole maps are as large as faces
        some = table.iloc[first : first + BATCH]
        large = _maps(network, store, some["sample_id"], outputs[first : first + BATCH], method)
        maps.append(side**2 * muscles.pooled(large, side))
        empty = np.ptp(large, axis=(1, 2)) == 0
        moving, shares = _on_muscles(large, some, samples, inputs)
        where.append(moving)
        faces.append(some[["sample_id", "subject_id"]].assign(empty=empty).join(shares))
    rows = pd.concat(faces, ignore_index=True) if faces else table[["sample_id", "subject_id"]].assign(empty=False)
    arrays.write_table(work.path / explanations.FACES, rows.assign(output=outputs, true=true))
    _write_maps(work, np.concatenate(maps), np.concatenate(where), table["sample_id"].tolist())
    counts = {"explained": len(table), "empty": int(rows["empty"].sum())}
    return {"counts": counts, "skipped": [], "method": method}


def _drawn(config: ExplainTestsConfig, samples: Artifact, split: Artifact, store: Columns) -> pd.DataFrame:
    """Test samples in which what is asked about was found: of many the same ones for every model."""
    import numpy as np

    from pipeline.artifacts import arrays
    from pipeline.evaluation import explanations, predictions
    from pipeline.inputs import keyed_random, sample_table

    every = predictions.samples_table(
        sample_table.read(samples, config.task), arrays.read_table(split.file("split.csv")), None, config.task
    )
    test = every[every["part"] == "test"].reset_index(drop=True)
    if "detected" in store:
        test = test[store["detected"][store.rows(test["sample_id"])].astype(bool)].reset_index(drop=True)
    order = np.argsort(keyed_random.hashed(keyed_random.keys(test["sample_id"])), kind="stable")
    _, true = explanations.EXPLAINED[config.task.kind](test, config.task)
    return test.iloc[explanations.chosen(true, order, config.explained)].reset_index(drop=True)


def _maps(network: Network, store: Columns, sample_ids: pd.Series, outputs: np.ndarray, method: str) -> np.ndarray:
    """A map of each sample, float32, shape (N, S, S)."""
    from pipeline.serving.heat_maps import heat_maps

    (modality,) = network.reads
    pictures = store[modality][store.rows(sample_ids)]
    return heat_maps(network, {modality: pictures}, outputs.tolist(), method)


def _on_muscles(
    maps: np.ndarray, table: pd.DataFrame, samples: Artifact, inputs: Artifact
) -> tuple[np.ndarray, pd.DataFrame]:
    """Where muscles moved, and how much of each map lies there; nowhere and no columns where points are not known."""
    import numpy as np
    import pandas as pd

    from pipeline.artifacts import arrays
    from pipeline.evaluation import muscles
    from pipeline.inputs import sample_table

    points = sample_table.points_of_inputs(samples, inputs, muscles.POINTS, table["sample_id"])
    if points is None:
        return np.zeros((len(table), muscles.SIDE, muscles.SIDE), bool), pd.DataFrame(index=table.index)
    known = arrays.read_table(samples.file("samples.csv")).set_index("sample_id").loc[table["sample_id"]]
    moving = muscles.moving(muscles.parts(points), known)
    return moving, muscles.shares(maps, points, known).set_index(table.index)


def _write_maps(work: Work, maps: np.ndarray, moved: np.ndarray, sample_ids: list[str]) -> None:
    import numpy as np

    from pipeline.artifacts import arrays
    from pipeline.evaluation import explanations

    columns = {"maps": maps.astype(np.float16), "moved": moved.astype(np.uint8)}
    columns["sample_id"] = arrays.sample_id_column(sample_ids)
    layout = {name: (column.shape, column.dtype) for name, column in columns.items()}
    writer = arrays.open_writer(work.path / explanations.MAPS, "maps", work.fingerprint, layout, {})
    for rows in writer.pending():
        writer.write(rows, **{name: column[rows] for name, column in columns.items()})
    writer.finish()
