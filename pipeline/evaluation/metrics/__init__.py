"""How each kind of task is measured: one module a kind, all with the same functions.

``label_columns(samples, task)`` and ``prediction_columns(table, outputs, question, teacher_outputs)`` make the
predictions table, ``outcome(frame, question)`` reads it; ``metrics(question)`` and ``per_output_metrics(question)``
describe what ``compute(outcome, weights, names)`` and ``per_output(outcome, weights, names)`` measure (without names
all of it), ``extras(outcome)`` is written beside them. ``HEADLINE`` is the metric that compares models unless the task
says otherwise, ``GROUPED`` the one that compares groups of samples where that has no value in many (empty: the
headline), ``CALIBRATED`` whether the outputs give probabilities of classes that can be right or too sure, ``EMBEDDED``
whether pooled features are kept to be drawn, ``THRESHOLDED`` whether every output is called above a threshold of its
own, ``SEQUENCED`` whether the answers about the frames of a video make one about the video.

Of kinds whose answers are right or wrong, ``truths(frame, question)`` says which samples are of each output,
``called(probabilities, question)`` what such probabilities call, ``spoken_probability(frame, question)`` the one that
seeds can agree about, in words ``spoken_of(question)``; ``ANSWERS`` names the answers where a sample has several.
"""

from __future__ import annotations

from pipeline.evaluation.metrics import classify, multilabel, points, regress

METRICS = {"classify": classify, "multilabel": multilabel, "regress": regress, "points": points}
