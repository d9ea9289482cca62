"""How each kind of task is measured: one module a kind, all with the same functions.

``label_columns(samples, task)`` and ``prediction_columns(table, outputs, question, teacher_outputs)`` make the
predictions table, ``outcome(frame, question)`` reads it; ``metrics(question)`` and ``per_output_metrics(question)``
describe what ``compute(outcome, weights)`` and ``per_output(outcome, weights)`` measure, ``extras(outcome)`` is written
beside them. ``HEADLINE`` is the metric that compares models unless the task says otherwise, ``CALIBRATED`` whether the
outputs give probabilities of classes that can be right or too sure.
"""

from __future__ import annotations

from pipeline.evaluation.metrics import classify, multilabel, regress

METRICS = {"classify": classify, "multilabel": multilabel, "regress": regress}
