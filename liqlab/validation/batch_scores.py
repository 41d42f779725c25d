"""All scores of several forecasts in one pass over the resamples: what they share is computed once.

Each number equals that of the score's own function in `scores`; a test holds them together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from liqlab.validation.rank_sums import rank_sums
from liqlab.validation.resampling import Drawn
from liqlab.validation.score_functions import calibration_slope, gamma_skill, poisson_skill, r_squared_log

__all__ = ["batch", "partial_batch"]


def batch(forecasts: Sequence[np.ndarray], observed: np.ndarray, drawn: Drawn) -> np.ndarray:
    """Every score in the order of `scores.SCORES` (forecast, score, resample).

    Parameters
    ----------
    forecasts : sequence of ndarray (row,)
    observed : ndarray (row,)
    drawn : Drawn
        How often each row counts.
    """
    sums = rank_sums([observed, *forecasts], observed, drawn, references=1)
    n, total = drawn.sums([np.ones_like(observed), observed])
    result = np.empty((len(forecasts), 7, len(n)))
    for k, x in enumerate(forecasts):
        top = sums.top[k + 1]
        result[k, 0] = _ratio(sums.products[k + 1, 0], np.sqrt(sums.squares[k + 1] * sums.squares[0]))
        result[k, 1] = r_squared_log(x, observed, drawn)
        result[k, 2] = poisson_skill(x, observed, drawn)
        result[k, 3] = gamma_skill(x, observed, drawn)
        result[k, 4] = _ratio(sums.shared[k + 1], top)
        result[k, 5] = _ratio(sums.amount[k + 1] * n, total * top)
        result[k, 6] = calibration_slope(x, observed, drawn)
    return result


def partial_batch(maps: Sequence[np.ndarray], observed: np.ndarray, given: np.ndarray, drawn: Drawn) -> np.ndarray:
    """Rank correlation of maps and observed once `given` is accounted for (map, resample)."""
    sums = rank_sums([observed, given, *maps], observed, drawn, references=2)
    size = np.sqrt(sums.squares)
    c = _ratio(sums.products[1, 0], size[0] * size[1])
    rows = []
    for k in range(2, 2 + len(maps)):
        a, b = (_ratio(sums.products[k, m], size[k] * size[m]) for m in (0, 1))
        rows.append(_ratio(a - b * c, np.sqrt(np.maximum((1 - b**2) * (1 - c**2), 0.0))))
    return np.stack(rows)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full_like(below, np.nan), where=below > 1e-12)
