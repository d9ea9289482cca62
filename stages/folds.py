"""The graphs of a study: one split, or one for each outer fold of cross-validation.

Folds share the index and the inputs. All else, teachers, labels, students and evaluations, is there once for each fold,
as artifacts like any other. The report brings the folds together.
"""

from __future__ import annotations

from pipeline.artifacts.store import ArtifactStore, Node
from pipeline.config import EACH_SUBJECT
from pipeline.errors import ConfigError, DataError
from pipeline.fields import LEAST_OUTER_FOLDS, MOST_FOLDS
from stages.graph import Graph, Selection

MOST_LEFT_OUT = 500  # subjects of which each is left out once: beyond, folds of several say as much in less time


class Folds:
    """The graphs of all outer folds; of one split there is one.

    Parameters
    ----------
    first : of fold 0, or of the one split.
    count : how many folds there are.
    """

    def __init__(self, first: Graph, count: int = 1):
        self.graphs = [first, *map(first.of_fold, range(1, count))]

    @property
    def samples(self) -> Node:
        """The index, which all folds share."""
        return self.graphs[0].samples

    @property
    def inputs(self) -> Node:
        """The prepared inputs, which all folds share."""
        return self.graphs[0].inputs

    @property
    def splits(self) -> list[Node]:
        """The split of each fold."""
        return [graph.split for graph in self.graphs]

    def pooled_runs(self, selection: Selection) -> list[list[Node]]:
        """Every selected student in all folds; seed by seed, as `stages.graph.Graph.runs` has them."""
        return [list(folds) for folds in zip(*(graph.runs(selection) for graph in self.graphs), strict=True)]

    def runs(self, selection: Selection) -> list[Node]:
        """Every selected student of every fold, the folds of one beside each other."""
        return [model for folds in self.pooled_runs(selection) for model in folds]

    def caches(self, selection: Selection) -> list[Node]:
        """The label caches that the selected models need, fold by fold."""
        return [node for graph in self.graphs for node in graph.caches(selection)]

    def evaluations(self, selection: Selection) -> list[Node]:
        """The evaluation of every selected model, fold by fold."""
        return [node for graph in self.graphs for node in graph.evaluations(selection)]

    def evaluation(self, model: Node) -> Node:
        """The evaluation of a model, on the test part of its own fold."""
        return next(graph for graph in self.graphs if graph.split is model.inputs["split"]).evaluation(model)

    def report(self, selection: Selection) -> Node:
        """The report over every selected model, the folds brought together."""
        first, *others = self.graphs
        return first.report(selection, others)


def count_of(cv: str, samples: Node, store: ArtifactStore) -> int:
    """How many folds there are; where each subject is one, the index says how many.

    Raises
    ------
    DataError : the index is not there, or has too few subjects or too many to leave each out.
    """
    if cv != EACH_SUBJECT:
        return max(1, int(cv))
    index = store.find(samples)
    if index is None:
        raise DataError(
            f"CV={EACH_SUBJECT} has a fold for each subject, and the index, which knows them, is not there yet. "
            "Make it first: make index, with the same TASK= DATA= DATASET= CACHE="
        )
    subjects = index.summary["counts"]["subjects"]
    if not LEAST_OUTER_FOLDS <= subjects <= MOST_LEFT_OUT:
        most = min(subjects, MOST_FOLDS)
        instead = f"CV={min(10, most)}" if most >= LEAST_OUTER_FOLDS else "CV=0"
        raise ConfigError(
            f"CV={EACH_SUBJECT} needs {LEAST_OUTER_FOLDS} to {MOST_LEFT_OUT} subjects, there are {subjects:,}. "
            f"Give a number of folds: {instead}"
        )
    return subjects
