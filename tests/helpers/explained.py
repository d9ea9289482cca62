"""A small cache of faces whose points and action units are known, with networks that nobody trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline import models
from pipeline.artifacts import arrays
from pipeline.artifacts.store import Node
from pipeline.config import AlignConfig, Architecture, ExplainTestsConfig, as_dict
from pipeline.inputs import prepared
from pipeline.inputs.faces import card
from pipeline.tasks import TASKS
from stages import explain_tests
from tests.fakes.points import PointFakes
from tests.helpers.networks import TINY

EXPRESSION = TASKS["expression"]


class Explained(PointFakes):
    """Faces with seven expressions and 68 points, of which some frown and some smile.

    Parameters
    ----------
    root : where the artifacts go.
    """

    def __init__(self, root: Path):
        super().__init__(root, subjects=40, size=64)
        faces = np.arange(len(self.table))
        self.table["au04"], self.table["au12"] = 3.0 * (faces % 3 == 0), 2.0 * (faces % 2 == 0)
        self.inputs = replace(self.inputs, version=card.VERSION, config=AlignConfig(face_size=64))

    def network(self, seed: int = 0, architecture: Architecture = TINY) -> Node:
        """A network of expressions with random weights, and the fingerprints of what it would have learned from."""

        def run(config, work, inputs, split, **_) -> dict:
            network = models.build(architecture, EXPRESSION.numbers, seed)
            entries = models.describe(network, architecture, EXPRESSION.numbers)
            entries |= {"task": as_dict(EXPRESSION), "prepare": prepared.entry(inputs)}
            entries |= {"inputs_fingerprint": inputs.fingerprint, "split_fingerprint": split.fingerprint}
            models.save_model(work.path, network, entries, work.fingerprint)
            return {"counts": {}, "skipped": []}

        slug = f"student-{architecture.name.partition('_')[0]}-{seed}"
        return Node("distill", slug, 1, replace(ExplainTestsConfig(), explained=seed), self.data, run)

    def explanation(self, model: Node, explained: int = 8) -> Node:
        """Heat maps of a network."""
        config = ExplainTestsConfig(EXPRESSION, explained, "cpu")
        inputs = self.data | {"model": model}
        return Node(
            "explain_tests", f"explanation-{model.slug}", explain_tests.VERSION, config, inputs, explain_tests.run
        )

    @property
    def tested(self) -> list[str]:
        """The sample_ids of the test part in which a face was found."""
        split = arrays.read_table(self.store.build(self.split)[0].file("split.csv"))
        found = set(self.table.loc[self.detected, "sample_id"])
        return [name for name in split.loc[split["part"] == "test", "sample_id"] if name in found]
