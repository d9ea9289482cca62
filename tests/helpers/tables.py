"""Tables of samples as an index has them, without pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd

ATTRIBUTES = ["gender", "age_group", "ethnicity"]
SUMMARY = {"targets": ["pain"], "attributes": ATTRIBUTES}
CLASSES = np.array(["no_pain", "pain"])


def pairs(count: int, **extra) -> pd.DataFrame:
    """Samples of SynPAIN's form, two a subject, pain and attributes drawn at random."""
    rng = np.random.default_rng(count)
    subjects = pd.DataFrame(
        {
            "subject_id": [f"{number:05d}" for number in range(count)],
            "right": CLASSES[rng.permutation(count) % 2],
            "gender": rng.choice(["man", "woman"], count),
            "age_group": rng.choice(["young", "old"], count),
            "ethnicity": rng.choice(list("abcde"), count),
        }
    ).assign(**extra)
    left, right = subjects.assign(pain="no_pain"), subjects.assign(pain=subjects["right"])
    return pd.concat([left, right]).sort_values("subject_id", kind="stable").drop(columns="right")
