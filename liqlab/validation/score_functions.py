"""The scores, one function each: how well one list of amounts orders, and foretells, another.

Every score takes a forecast, what was observed, and optionally weights: how often each row counts in each resample,
as an array (row, resample) or as `Drawn` days. Without weights it is one number; with them one per resample, exactly
what it would be on the rows drawn. *Observed amounts of a throttled feed are lower bounds*: ranks survive that as long
as busy hours stay busy, amounts do not, and most is missing from the largest hours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from liqlab.validation.resampling import Drawn

Weights = np.ndarray | Drawn | None

__all__ = ["SCORES", "calibration_curve", "calibration_slope", "gamma_skill", "lift", "partial_spearman",
           "poisson_skill", "precision", "r_squared_log", "ranks", "spearman", "top_share"]  # fmt: skip

TOP = 0.1  # the top decile


def ranks(x: Any, weights: Weights = None) -> np.ndarray:
    """Mean ranks, ties shared, as if every row stood there as often as its weight says.

    Parameters
    ----------
    x : array (row,)
    weights : ndarray (row, resample), optional

    Returns
    -------
    ndarray (row,) or (row, resample)

    Examples
    --------
    >>> ranks([3.0, 1.0, 3.0]).tolist()
    [2.5, 1.0, 2.5]
    """
    group, count = _groups(np.asarray(x, float))
    w, single = _rows(weights, len(group))
    mass = _sums(w, group, count)
    middle = np.cumsum(mass, axis=0) - mass / 2 + 0.5
    return middle[group, 0] if single else middle[group]


def top_share(x: Any, weights: Weights = None, *, share: float = TOP) -> np.ndarray:
    """How far each row belongs to the largest `share` of rows: 1, 0, and in between where ties or the edge divide it.

    >>> top_share([1.0, 5.0, 5.0, 2.0], share=0.25).tolist()
    [0.0, 0.5, 0.5, 0.0]
    """
    group, count = _groups(np.asarray(x, float))
    w, single = _rows(weights, len(group))
    mass = _sums(w, group, count)
    above = mass.sum(axis=0) - np.cumsum(mass, axis=0)
    room = share * mass.sum(axis=0) - above
    part = np.clip(np.divide(room, mass, out=np.zeros_like(mass), where=mass > 0), 0.0, 1.0)
    return part[group, 0] if single else part[group]


def spearman(estimated: Any, observed: Any, weights: Weights = None) -> Any:
    """Spearman's rank correlation: Pearson's correlation of the mean ranks.

    Robust to throttling: it asks for the order of hours, not for amounts.

    >>> round(spearman([1, 2, 3, 4], [1, 3, 2, 4]), 6)
    0.8
    """
    return _correlation(ranks(estimated, weights), ranks(observed, weights), weights)


def partial_spearman(estimated: Any, observed: Any, given: Any, weights: Weights = None) -> Any:
    """Rank correlation of two once a third is accounted for: ``(a − b·c) / √((1 − b²)(1 − c²))``.

    a, b, c are the rank correlations of estimated with observed, estimated with given, observed with given.

    >>> round(partial_spearman([1, 2, 3, 4], [1, 3, 2, 4], [2, 1, 4, 3]), 6)
    1.0
    """
    e, o, g = (ranks(x, weights) for x in (estimated, observed, given))
    a, b, c = _correlation(e, o, weights), _correlation(e, g, weights), _correlation(o, g, weights)
    a, b, c = (np.atleast_1d(x) for x in (a, b, c))
    rest = np.sqrt(np.maximum((1 - b**2) * (1 - c**2), 0.0))
    return _plain(np.divide(a - b * c, rest, out=np.full_like(rest, np.nan), where=rest > 1e-12))


def r_squared_log(estimated: Any, observed: Any, weights: Weights = None) -> Any:
    """R² of the straight line of log(1 + observed) on log(1 + estimated): slope and intercept are free.

    It is the squared correlation of the two, so a factor that stretches the logarithms costs nothing. It depends on
    the unit through the 1: amounts far below one unit count as zero. Throttling compresses the largest amounts.

    >>> round(r_squared_log([0.0, 1.0, 3.0], [0.0, 3.0, 15.0]), 6)
    1.0
    """
    return _correlation(np.log1p(_floats(estimated)), np.log1p(_floats(observed)), weights) ** 2


def calibration_slope(estimated: Any, observed: Any, weights: Weights = None) -> Any:
    """Slope of the straight line of log(1 + observed) on log(1 + estimated): 1 means that twice is twice.

    Below 1 the forecast exaggerates differences, above 1 it flattens them. Throttling lowers it.

    >>> round(calibration_slope([0.0, 1.0, 3.0], [0.0, 3.0, 15.0]), 6)
    2.0
    """
    x, y = np.log1p(_floats(estimated)), np.log1p(_floats(observed))
    w = _drawn(weights, len(x))
    n, sx, sy, sxx, sxy = w.sums([np.ones_like(x), x, y, x * x, x * y])
    below = sxx - sx * sx / n
    return _plain(np.divide(sxy - sx * sy / n, below, out=np.full_like(n, np.nan), where=below > 1e-12 * n))


def poisson_skill(estimated: Any, observed: Any, weights: Weights = None) -> Any:
    """Share of the Poisson deviance of the mean that a forecast removes: 1 − D(forecast) / D(mean).

    The forecast is first put on the observed scale, ``log μ = a + b·log(1 + estimated)`` by Poisson regression on all
    rows: two numbers that every forecast gets, held fixed in resamples. D = 2 Σ [y·log(y/μ) − (y − μ)]. Large hours
    weigh most, and they are those that throttling cuts: read it beside the ranks.

    >>> round(poisson_skill([1.0, 3.0, 7.0], [2.0, 4.0, 8.0]), 6)
    1.0
    """
    y = _floats(observed)
    mean = _log_linear(np.log1p(_floats(estimated)), y, np.ones_like)
    log_y = np.log(np.where(y > 0, y, 1.0))
    w = _drawn(weights, len(y))
    n, sy, own, of = w.sums([np.ones_like(y), y, y * log_y, y * (log_y - np.log(mean)) - (y - mean)])
    null = own - sy * np.log(np.maximum(sy, 1e-300) / n)
    return _plain(1 - np.divide(of, null, out=np.full_like(null, np.nan), where=null > 1e-12))


def gamma_skill(estimated: Any, observed: Any, weights: Weights = None) -> Any:
    """As `poisson_skill` with the gamma deviance 2 Σ [(y − μ)/μ − log(y/μ)], over rows with observed > 0.

    Relative errors count alike in large and small hours. Hours without liquidations say nothing here.

    >>> round(gamma_skill([1.0, 3.0, 7.0], [2.0, 4.0, 8.0]), 6)
    1.0
    """
    y = _floats(observed)
    on = y > 0
    w = _drawn(weights, len(y))
    if on.sum() < 2:
        return _plain(np.full(w.draws.shape[1], np.nan))
    y, w = y[on], w.only(on)
    mean = _log_linear(np.log1p(_floats(estimated)[on]), y, lambda mu: 1 / mu)
    n, sy, logs, of = w.sums([np.ones_like(y), y, np.log(y), (y - mean) / mean - np.log(y / mean)])
    null = n * np.log(np.divide(sy, n, out=np.ones_like(n), where=n > 0)) - logs
    return _plain(1 - np.divide(of, null, out=np.full_like(null, np.nan), where=null > 1e-12))


def precision(estimated: Any, observed: Any, weights: Weights = None) -> Any:
    """Share of the forecast's top decile of rows that belongs to the observed top decile; chance gives 0.1.

    As robust to throttling as the order of the busiest hours is.

    >>> precision([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [9, 1, 2, 3, 4, 5, 6, 7, 0, 10])
    1.0
    """
    return _overlap(top_share(estimated, weights), top_share(observed, weights), weights)


def lift(estimated: Any, observed: Any, weights: Weights = None) -> Any:
    """Mean observed amount in the forecast's top decile ÷ mean of all rows; chance gives 1.

    A lower bound where the feed is throttled: the largest hours lose most.

    >>> lift([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 1, 1, 1, 1, 1, 1, 1, 11])
    5.5
    """
    y = _floats(observed)
    w, single = _rows(weights, len(y))
    inside = top_share(estimated, w) * w
    n, sy, chosen = w.sum(axis=0), y @ w, inside.sum(axis=0)
    mean_inside = np.divide(y @ inside, chosen, out=np.full_like(n, np.nan), where=chosen > 0)
    result = np.divide(mean_inside * n, sy, out=np.full_like(n, np.nan), where=sy > 0)
    return float(result[0]) if single else result


def calibration_curve(estimated: Any, observed: Any, *, bins: int = 10) -> pd.DataFrame:
    """Observed against estimated amount by quantile of the estimate.

    Parameters
    ----------
    estimated, observed : array (row,)
        Amounts in one unit.
    bins : int
        How many equally filled bins; equal estimates stay in one bin.

    Returns
    -------
    DataFrame (bin,)
        rows; estimated, observed: means [unit]; ratio: observed ÷ estimated.

    Examples
    --------
    >>> calibration_curve([1, 2, 3, 4], [2, 2, 8, 8], bins=2)["observed"].tolist()
    [2.0, 8.0]
    """
    e, o = _floats(estimated), _floats(observed)
    place = np.ceil(ranks(e) * bins / (len(e) + 1e-9) - 1e-9).clip(1, bins).astype(int)
    place = np.unique(place, return_inverse=True)[1] + 1
    table = pd.DataFrame({"bin": place, "rows": 1, "estimated": e, "observed": o}).groupby("bin")
    curve = table.agg(rows=("rows", "sum"), estimated=("estimated", "mean"), observed=("observed", "mean"))
    return curve.assign(ratio=curve["observed"] / curve["estimated"].where(curve["estimated"] != 0))


SCORES: dict[str, Callable[..., Any]] = {
    "spearman": spearman,
    "r_squared_log": r_squared_log,
    "poisson_skill": poisson_skill,
    "gamma_skill": gamma_skill,
    "precision": precision,
    "lift": lift,
    "calibration_slope": calibration_slope,
}


# --- sums over resamples --------------------------------------------------------------------------------------------


def _floats(x: Any) -> np.ndarray:
    return np.asarray(x, float)


def _plain(values: np.ndarray) -> Any:
    """One number for one resample."""
    return float(values[0]) if values.shape == (1,) else values


def _rows(weights: Weights, rows: int) -> tuple[np.ndarray, bool]:
    """Weights (row, resample), and whether there is only the sample."""
    if weights is None:
        return np.ones((rows, 1)), True
    return (weights.rows if isinstance(weights, Drawn) else weights), False


def _drawn(weights: Weights, rows: int) -> Drawn:
    """Weights as draws; rows that are drawn each for itself are days of their own."""
    if isinstance(weights, Drawn):
        return weights
    return Drawn(np.ones((rows, 1)) if weights is None else weights, np.arange(rows))


def _groups(x: np.ndarray) -> tuple[np.ndarray, int]:
    """Which distinct value, ascending, each row has."""
    values, group = np.unique(x, return_inverse=True)
    return group, len(values)


def _sums(w: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """Weights added up by group (group, resample)."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(count))
    return np.add.reduceat(w[order], starts, axis=0)


def _correlation(a: np.ndarray, b: np.ndarray, weights: Weights) -> Any:
    """Pearson's correlation of two columns, or of the ranks (row, resample) of two; NaN where one does not vary."""
    if a.ndim == 1:
        a, b = a - a.mean(), b - b.mean()  # against cancellation
        n, sa, sb, ab, aa, bb = _drawn(weights, len(a)).sums([np.ones_like(a), a, b, a * b, a * a, b * b])
    else:
        w, _ = _rows(weights, len(a))
        n = w.sum(axis=0)
        a, b = a - (n + 1) / 2, b - (n + 1) / 2  # the mean of ranks is known
        ab, aa, bb = (np.einsum("ij,ij,ij->j", w, x, y) for x, y in ((a, b), (a, a), (b, b)))
        sa = sb = np.zeros_like(n)
    size = np.sqrt(np.maximum(aa - sa * sa / n, 0.0) * np.maximum(bb - sb * sb / n, 0.0))
    return _plain(np.divide(ab - sa * sb / n, size, out=np.full_like(size, np.nan), where=size > 1e-12))


def _overlap(a: np.ndarray, b: np.ndarray, weights: Weights) -> Any:
    w, single = _rows(weights, len(a))
    a, b = (x[:, None] if single else x for x in (a, b))
    shared = (a * b * w).sum(axis=0) / (a * w).sum(axis=0)
    return float(shared[0]) if single else shared


def _log_linear(x: np.ndarray, y: np.ndarray, weight: Callable[[np.ndarray], Any]) -> np.ndarray:
    """Means μ = exp(a + b·x) of a log-linear regression by Newton's method; `weight`: 1 for Poisson, 1/μ for gamma."""
    centre, spread = x.mean(), x.std() or 1.0
    z = np.column_stack([np.ones_like(x), (x - centre) / spread])
    beta = np.array([np.log(max(y.mean(), 1e-300)), 0.0])
    for _ in range(100):
        mean = np.exp(np.clip(z @ beta, -700, 700))
        v = weight(mean)
        curve = (z * (np.maximum(v * mean, 1e-300))[:, None]).T @ z
        step = np.linalg.lstsq(curve, z.T @ (v * (y - mean)), rcond=None)[0]
        beta = beta + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-10:
            break
    return np.exp(np.clip(z @ beta, -700, 700))
