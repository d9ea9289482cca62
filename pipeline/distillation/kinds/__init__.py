"""What training does differently for each kind of task: one module a kind, one table."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pipeline.distillation.kinds import classify, multilabel, points, regress


class Kind(NamedTuple):
    """The training half of a kind.

    Parameters
    ----------
    read : rows of the sample table and the task → truth of the samples, NaN-free, and which of the rows it is of.
    hide : truth and which samples' is kept → truth in which that of the others is not known.
    known : truth → bool, of which samples it is known.
    check : refuses training samples that nothing can be learned from.
    targets : truth, which samples and their views, the task → the batch's ``label`` (mixed where views are), -1 or NaN
        where it is not known.
    strata : truth → int64 groups of samples that balanced sampling draws alike, below 0 where truth is not known.
    weights : option CLASS_WEIGHTS, known truth and the task → weights of the outputs in the loss; None for equal ones.
    harden : raw outputs → the hard labels that are kept beside them; None where a kind has none.
    validate : raw outputs, truth, weights and the task → a row of the history.
    agreement : raw outputs, truth and the task → how far they are apart, under a name that says in what.
    """

    read: Callable
    hide: Callable
    known: Callable
    check: Callable
    targets: Callable
    strata: Callable
    weights: Callable
    harden: Callable | None
    validate: Callable
    agreement: Callable


MODULES = {"classify": classify, "multilabel": multilabel, "regress": regress, "points": points}
KINDS = {name: Kind(*(getattr(module, function) for function in Kind._fields)) for name, module in MODULES.items()}
