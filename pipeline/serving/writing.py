"""A network written in another form, which is run at once and compared: a file that answers otherwise is no result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import ArtifactError
from pipeline.serving import parity
from pipeline.serving.formats import Format, Inputs, Trained
from pipeline.serving.parity import Parity

Answers = tuple[np.ndarray, np.ndarray | None]


def written(
    trained: Trained, form: Format, path: Path, asked: Sequence[Inputs], expected: Sequence[Answers], remedy: str
) -> Parity:
    """Write a network, run what was written, and compare.

    Parameters
    ----------
    path : of the file or folder.
    asked : batches, as the network reads them.
    expected : its answers to each, and how strange the inputs are, as ``Trained.run`` gives both.
    remedy : what is to be done where it fails, for the message.

    Raises
    ------
    ArtifactError : it does not answer as the network does, or cannot be written or run at all.
    """
    try:
        form.write(trained, path)
        ask = form.load(path)
        answers = [ask(inputs) for inputs in asked]
    except (OSError, MemoryError):
        raise
    except Exception as error:  # exporters raise whatever a network leads them to
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ArtifactError(f"{form.file} cannot be made of this network: {reason}. {remedy}") from error
    (logits, scores), (given, judged) = (zip(*both, strict=True) for both in (expected, answers))
    pair = None if judged[0] is None else (np.concatenate(scores), np.concatenate(judged))
    alike = parity.compared(np.concatenate(logits), np.concatenate(given), trained.card, pair)
    if not alike.holds:
        raise ArtifactError(f"{form.file} does not answer as the network does: {alike.fault}. {remedy}")
    return alike
