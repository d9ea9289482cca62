"""How many labels a result is worth: the place on a learning curve at which it is reached."""

from __future__ import annotations

import numpy as np


def worth(reached: np.ndarray, subjects: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """The labelled subjects with which a curve first reaches a result, in every resample.

    Between its points the curve is straight over the logarithm of the subjects, as it is drawn.

    Parameters
    ----------
    reached : float, shape (R,), the result; NaN where undefined.
    subjects : float, shape (P,), ascending, above 0: labelled subjects at the points of the curve.
    curve : float, shape (P, R), what they give.

    Returns
    -------
    float, shape (R,): 0 for less than the first point gives, infinity for more than any gives, NaN where undefined.
    """
    reached, curve, places = np.asarray(reached, float), np.asarray(curve, float), np.log(subjects)
    found = np.full(reached.shape, np.inf)
    for point in reversed(range(len(places) - 1)):
        low, high = curve[point], curve[point + 1]
        share = np.clip((reached - low) / np.where(high > low, high - low, 1), 0, 1)
        place = places[point] + share * (places[point + 1] - places[point])
        found = np.where((low <= reached) & (reached <= high), np.exp(place), found)
    found = np.where(reached == curve[0], subjects[0], np.where(reached < curve[0], 0, found))
    return np.where(np.isnan(reached) | np.isnan(curve).any(0), np.nan, found)
