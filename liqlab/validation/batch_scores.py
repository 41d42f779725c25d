"""All scores of several forecasts in one pass over the resamples: what they share is computed once.

Each number equals that of the score's own function in `scores`; a test holds them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liqlab.validation.resampling import Drawn
from liqlab.validation.score_functions import (
    TOP,
    _groups,
    _sums,
    calibration_slope,
    gamma_skill,
    poisson_skill,
    r_squared_log,
)

__all__ = ["batch", "partial_batch"]


@dataclass(frozen=True, eq=False)
class Standing:
    """Ranks less their mean, their sum of squares, and how far rows belong to the top decile, under weights."""

    centred: np.ndarray
    squares: np.ndarray
    top: np.ndarray


def batch(forecasts: Sequence[np.ndarray], observed: np.ndarray, drawn: Drawn) -> np.ndarray:
    """Every score in the order of `scores.SCORES` (forecast, score, resample).

    Parameters
    ----------
    forecasts : sequence of ndarray (row,)
    observed : ndarray (row,)
    drawn : Drawn
        How often each row counts.
    """
    w = drawn.rows
    seen = _standing(observed, w)
    weighed, chosen, n = w * seen.centred, w * seen.top, w.sum(axis=0)
    amount, (total,) = w * observed[:, None], drawn.sums([observed])
    result = np.empty((len(forecasts), 7, w.shape[1]))
    for k, x in enumerate(forecasts):
        mine = _standing(x, w)
        size = np.sqrt(mine.squares * seen.squares)
        inside = np.einsum("ij,ij->j", w, mine.top)
        result[k, 0] = _ratio(np.einsum("ij,ij->j", mine.centred, weighed), size)
        result[k, 1] = r_squared_log(x, observed, drawn)
        result[k, 2] = poisson_skill(x, observed, drawn)
        result[k, 3] = gamma_skill(x, observed, drawn)
        result[k, 4] = _ratio(np.einsum("ij,ij->j", mine.top, chosen), inside)
        result[k, 5] = _ratio(np.einsum("ij,ij->j", mine.top, amount) * n, total * inside)
        result[k, 6] = calibration_slope(x, observed, drawn)
    return result


def partial_batch(maps: Sequence[np.ndarray], observed: np.ndarray, given: np.ndarray, drawn: Drawn) -> np.ndarray:
    """Rank correlation of maps and observed once `given` is accounted for (map, resample)."""
    w = drawn.rows
    o, g = _standing(observed, w), _standing(given, w)
    wo, wg = w * o.centred, w * g.centred
    c = _ratio(np.einsum("ij,ij->j", o.centred, wg), np.sqrt(o.squares * g.squares))
    rows = []
    for x in maps:
        e = _standing(x, w)
        a = _ratio(np.einsum("ij,ij->j", e.centred, wo), np.sqrt(e.squares * o.squares))
        b = _ratio(np.einsum("ij,ij->j", e.centred, wg), np.sqrt(e.squares * g.squares))
        rows.append(_ratio(a - b * c, np.sqrt(np.maximum((1 - b**2) * (1 - c**2), 0.0))))
    return np.stack(rows)


def _standing(x: np.ndarray, w: np.ndarray) -> Standing:
    group, count = _groups(x)
    mass = _sums(w, group, count)
    below = np.cumsum(mass, axis=0)
    n = below[-1]
    centred = below - mass / 2 - n / 2  # mean rank less (n + 1) / 2, exactly
    room = np.clip(TOP * n - (n - below), 0.0, mass)
    top = np.divide(room, mass, out=np.zeros_like(mass), where=mass > 0)
    return Standing(centred[group], np.einsum("ij,ij,ij->j", mass, centred, centred), top[group])


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full_like(below, np.nan), where=below > 1e-12)
