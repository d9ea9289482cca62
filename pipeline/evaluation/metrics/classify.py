"""Metrics of a classifier of any number of classes, from confusion matrices under many weightings at once.

Of two classes, precision, recall, F1 and the ranking metrics speak of the positive one; of more, they are given for
every class against the rest (`per_output`), and their plain means over the classes stand for all. The weightings and
what is undefined: `pipeline.evaluation.metrics.weighted`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from pipeline.evaluation.metrics.weighted import Metric, asked, checked, ranked, rankings, ratio
from pipeline.evaluation.question import Question, with_article
from pipeline.tasks import Task

HEADLINE = "balanced_accuracy"
GROUPED = ""
CALIBRATED = True  # outputs are logits of one class of several
EMBEDDED = THRESHOLDED = SEQUENCED = False
ANSWERS = ""  # one for each sample


@dataclass(frozen=True)
class Outcome:
    """What a model predicted about N samples and what is true.

    Parameters
    ----------
    question : the classes, in the order of the numbers below.
    label, predicted : int, shape (N,): the true class and the one that the model chose.
    probabilities : float, shape (N, C).
    hard_negative : bool, shape (N,): samples that are easily taken for the positive class; None where nobody says.
    teacher_predicted : int, shape (N,); None for a model without a teacher.
    """

    question: Question
    label: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray
    hard_negative: np.ndarray | None = None
    teacher_predicted: np.ndarray | None = None


def label_columns(samples: pd.DataFrame, task: Task) -> pd.DataFrame:
    """``label``, the number of the class of every sample; NaN where it is no class of the task."""
    words = samples[task.target].map(task.read)
    return pd.DataFrame({"label": words.map({name: number for number, name in enumerate(task.outputs)})})


def prediction_columns(
    table: pd.DataFrame, outputs: np.ndarray, question: Question, teacher_outputs: np.ndarray | None = None
) -> pd.DataFrame:
    """The table of samples with what a model answered.

    Parameters
    ----------
    table : N rows of `pipeline.evaluation.predictions.samples_table`.
    outputs, teacher_outputs : float32 logits, shape (N, C).

    Returns
    -------
    ``table`` with logit_<class>, prob_<class> (softmax), predicted (argmax) and, with a teacher, teacher_predicted.
    """
    probabilities = softmax(np.asarray(outputs, dtype=np.float64), axis=1)
    made = {f"logit_{name}": outputs[:, c] for c, name in enumerate(question.outputs)}
    made |= {f"prob_{name}": probabilities[:, c] for c, name in enumerate(question.outputs)}
    made["predicted"] = np.argmax(outputs, axis=1)
    if teacher_outputs is not None:
        made["teacher_predicted"] = np.argmax(teacher_outputs, axis=1)
    return table.assign(**made)


def outcome(frame: pd.DataFrame, question: Question) -> Outcome:
    """What the metrics need of a predictions table."""
    return Outcome(
        question=question,
        label=frame["label"].to_numpy(),
        probabilities=frame[[f"prob_{name}" for name in question.outputs]].to_numpy(),
        predicted=frame["predicted"].to_numpy(),
        hard_negative=frame["hard_negative"].to_numpy().astype(bool) if "hard_negative" in frame else None,
        teacher_predicted=frame["teacher_predicted"].to_numpy() if "teacher_predicted" in frame else None,
    )


def truths(frame: pd.DataFrame, question: Question) -> dict[str, np.ndarray]:
    """By class, which samples are of it: bool, shape (N,)."""
    label = frame["label"].to_numpy()
    return {name: label == number for number, name in enumerate(question.outputs)}


def called(probabilities: np.ndarray, question: Question) -> dict[str, np.ndarray]:
    """The columns of a predictions table that say which class such probabilities, shape (N, C), favour."""
    return {"predicted": probabilities.argmax(axis=1)}


def spoken_of(question: Question) -> str:
    """Whose probability `spoken_probability` is, in words."""
    return question.names[question.positive_output] if question.binary else "the true class"


def spoken_probability(frame: pd.DataFrame, question: Question) -> np.ndarray:
    """Of two classes the probability of the positive one, of more that of the true one: float, shape (N,)."""
    label = frame["label"].to_numpy()
    column = np.full(len(label), question.positive_output) if question.binary else label
    return frame[[f"prob_{name}" for name in question.outputs]].to_numpy()[np.arange(len(label)), column]


def metrics(question: Question) -> dict[str, Metric]:
    """The metrics of such an outcome, in the words of its task, the most important first."""
    both = "both classes" if question.binary else "every class"
    recalls = "mean of recall and specificity" if question.binary else "mean of the classes' recalls (macro recall)"
    first = {
        "balanced_accuracy": Metric("Balanced accuracy", recalls, f"needs {question.samples} of {both}"),
        "accuracy": Metric("Accuracy", f"share of {question.samples} classified correctly", f"needs {question.one}"),
    }
    last = {
        "kappa": Metric("Cohen's kappa", "accuracy beyond chance", f"needs {question.samples} of two classes", False),
        "mcc": Metric(
            "MCC", "correlation of true and predicted class", "needs two classes, true and predicted", percent=False
        ),
        "agreement": Metric(
            "Agreement", f"{question.samples} called like the teacher calls them", "needs a teacher to agree with"
        ),
    }
    return first | (_binary(question) if question.binary else _macro(question)) | _ordered(question) | last


def per_output_metrics(question: Question) -> dict[str, Metric]:
    """The metrics of one class against the rest."""
    one, samples = question.one, question.samples
    return {
        "precision": Metric("Precision", f"{samples} of the class among those called so", f"needs {one} called so"),
        "recall": Metric("Recall", f"{samples} of the class that were called so", f"needs {one} of the class"),
        "f1": Metric("F1", "harmonic mean of precision and recall", f"needs {one} that is of the class or called so"),
        "roc_auc": Metric("ROC-AUC", "area under the ROC curve", f"needs {samples} of the class and of others"),
        "average_precision": Metric(
            "Average precision", "area under the precision–recall steps", f"needs {one} of the class"
        ),
    }


def compute(outcome: Outcome, weights: np.ndarray, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Metrics of `metrics` under every weighting; NaN where they are undefined.

    Parameters
    ----------
    weights : float, shape (R, N), not negative.
    names : of the metrics that are wanted, all by default: ranking costs most of the time.

    Returns
    -------
    dict of float64 arrays, shape (R,)
    """
    weights, question = checked(weights), outcome.question
    names = metrics(question) if names is None else names
    tables = confusions(outcome, weights)
    classes, total = _per_class(tables), tables.sum(axis=(1, 2))
    values = {
        "balanced_accuracy": classes["recall"].mean(axis=1),
        "accuracy": ratio(np.trace(tables, axis1=1, axis2=2), total),
        "kappa": _kappa(tables, 1 - np.eye(len(question.outputs))),
        "mcc": _mcc(tables),
        "agreement": _agreement(outcome, weights),
        **_levels(tables, total),
    }
    if question.binary:
        values |= {name: columns[:, question.positive_output] for name, columns in classes.items()}
        values["specificity"] = classes["recall"][:, 1 - question.positive_output]
        values["specificity_hard_negatives"] = _specificity_hard(outcome, weights)
    else:
        values |= {f"macro_{name}": classes[name].mean(axis=1) for name in ("precision", "f1")}
    if {"roc_auc", "average_precision"} & set(names):
        spoken_of = [question.positive_output] if question.binary else range(len(question.outputs))
        values |= {name: columns.mean(axis=1) for name, columns in _ranked(outcome, weights, spoken_of).items()}
    return {name: values[name] for name in names}


def per_output(outcome: Outcome, weights: np.ndarray, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Metrics of `per_output_metrics`, all by default, for every class: float64 arrays, shape (R, C)."""
    weights = checked(weights)
    values = _per_class(confusions(outcome, weights))
    if ranked(names):
        values |= _ranked(outcome, weights, range(len(outcome.question.outputs)))
    return asked(values, names)


def confusions(outcome: Outcome, weights: np.ndarray) -> np.ndarray:
    """Weighted confusion matrices, float64, shape (R, C, C): row the true class, column the predicted one."""
    classes = len(outcome.question.outputs)
    cells = outcome.label.astype(int) * classes + outcome.predicted
    return (weights @ np.eye(classes**2)[cells]).reshape(-1, classes, classes)


def extras(outcome: Outcome) -> dict[str, Any]:
    """What stands beside the metrics: the counts of `confusion`, for JSON."""
    return {"confusion": confusion(outcome.label, outcome.predicted, len(outcome.question.outputs)).tolist()}


def confusion(label: np.ndarray, predicted: np.ndarray, classes: int = 2) -> np.ndarray:
    """Counts of samples, int64, shape (classes, classes): row the true class, column the predicted one."""
    table = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(table, (label, predicted), 1)
    return table


def _binary(question: Question) -> dict[str, Metric]:
    """Metrics of the positive one of two classes."""
    name, other = question.names[question.positive_output], question.names[1 - question.positive_output]
    one, samples = question.one, question.samples
    values = {
        "precision": Metric("Precision", f"{name} among {samples} called {name}", f"needs {one} called {name}"),
        "recall": Metric("Recall", f"{samples} of {name} that were called so", f"needs {one} of {name}"),
        "f1": Metric("F1", "harmonic mean of precision and recall", f"needs {one} that is {name} or called so"),
        "specificity": Metric("Specificity", f"{samples} of {other} that were called so", f"needs {one} of {other}"),
    }
    if question.hard_negatives:
        hard = question.hard_negatives.replace("_", " ")
        values["specificity_hard_negatives"] = Metric(
            f"Specificity, {hard}",
            f"the same among {hard} {samples}",
            f"needs {with_article(hard)} {question.sample} of {other}",
        )
    return values | {
        "roc_auc": Metric("ROC-AUC", "area under the ROC curve", f"needs {samples} of both classes"),
        "average_precision": Metric(
            "Average precision", "area under the precision–recall steps", f"needs {one} of {name}"
        ),
    }


def _macro(question: Question) -> dict[str, Metric]:
    """Means over more than two classes."""
    samples = question.samples
    return {
        "macro_f1": Metric("Macro F1", "mean of the classes' F1", "needs every class, true or predicted"),
        "macro_precision": Metric("Macro precision", "mean of the classes' precisions", "needs every class predicted"),
        "roc_auc": Metric("ROC-AUC", "mean over the classes, one against the rest", f"needs {samples} of every class"),
        "average_precision": Metric(
            "Average precision", "mean over the classes, one against the rest", f"needs {samples} of every class"
        ),
    }


def _ordered(question: Question) -> dict[str, Metric]:
    """Metrics of classes that are levels."""
    if not question.ordered:
        return {}
    needs = f"needs {question.one}"
    return {
        "mae": Metric("MAE", "mean distance in levels", needs, percent=False, lower_is_better=True),
        "rmse": Metric("RMSE", "root of the mean squared distance in levels", needs, False, True),
        "quadratic_kappa": Metric(
            "Quadratic kappa", "agreement beyond chance, errors weighed by their squared distance in levels",
            f"needs {question.samples} of two classes", percent=False,
        ),
    }  # fmt: skip


def _per_class(tables: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall and F1 of every class, (R, C) each."""
    right, true, called = np.diagonal(tables, axis1=1, axis2=2), tables.sum(axis=2), tables.sum(axis=1)
    return {"precision": ratio(right, called), "recall": ratio(right, true), "f1": ratio(2 * right, true + called)}


def _ranked(outcome: Outcome, weights: np.ndarray, classes: Sequence[int]) -> dict[str, np.ndarray]:
    """ROC-AUC and average precision of some classes, each against the rest, (R, classes) each."""
    return rankings(outcome.label[:, None] == np.asarray(classes), outcome.probabilities[:, classes], weights)


def _kappa(tables: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Cohen's kappa with a cost of every pair of classes (Cohen 1968, Psychological Bulletin 70:213), shape (R,)."""
    total = tables.sum(axis=(1, 2))
    chance = np.einsum("ri,rj->rij", tables.sum(axis=2), tables.sum(axis=1))
    observed = (tables * cost).sum(axis=(1, 2)) * total
    return 1 - ratio(observed, (chance * cost).sum(axis=(1, 2)))


def _mcc(tables: np.ndarray) -> np.ndarray:
    """Matthews' correlation for any number of classes (Gorodkin 2004, Comput. Biol. Chem. 28:367), shape (R,)."""
    true, called, total = tables.sum(axis=2), tables.sum(axis=1), tables.sum(axis=(1, 2))
    together = np.trace(tables, axis1=1, axis2=2) * total - (true * called).sum(axis=1)
    spread = (total**2 - (true**2).sum(axis=1)) * (total**2 - (called**2).sum(axis=1))
    return ratio(together, np.sqrt(np.maximum(spread, 0)))


def _levels(tables: np.ndarray, total: np.ndarray) -> dict[str, np.ndarray]:
    """MAE, RMSE and quadratic kappa of classes that are levels."""
    level = np.arange(tables.shape[1])
    distance = np.abs(level[:, None] - level)
    return {
        "mae": ratio((tables * distance).sum(axis=(1, 2)), total),
        "rmse": np.sqrt(ratio((tables * distance**2).sum(axis=(1, 2)), total)),
        "quadratic_kappa": _kappa(tables, distance**2),
    }


def _specificity_hard(outcome: Outcome, weights: np.ndarray) -> np.ndarray:
    """Specificity among hard negatives, shape (R,)."""
    if outcome.hard_negative is None:
        return np.full(len(weights), np.nan)
    positive = outcome.question.positive_output
    hard = outcome.hard_negative & (outcome.label != positive)
    return ratio(weights @ (hard & (outcome.predicted != positive)).astype(float), weights @ hard.astype(float))


def _agreement(outcome: Outcome, weights: np.ndarray) -> np.ndarray:
    """Share called as the teacher does, shape (R,)."""
    if outcome.teacher_predicted is None:
        return np.full(len(weights), np.nan)
    return ratio(weights @ (outcome.predicted == outcome.teacher_predicted).astype(float), weights.sum(axis=1))
