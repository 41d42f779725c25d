"""Estimates whose uncertainty is that of whole stretches of time: one block of days is left out at a time.

Trials that overlap share a path, and all assets of one date share one. So what is counted is not trials but blocks of
the calendar, each as long as a horizon and the age of a zone together, all markets of a date in the same block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from liqlab.market.clock import nanoseconds, timedelta

__all__ = ["Estimate", "blocks_of", "difference", "estimate", "evenly", "mean", "slope"]

MIN_EFFECTIVE_BLOCKS = 4.0  # effective blocks below which no interval is stated


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes
    ----------
    effect, low, high : float
        The estimate and its 95 % interval; NaN where nothing can be said.
    p : float
        Two-sided, of an effect of 0.
    n : int
        Rows that went in.
    blocks : float
        Blocks of the calendar that carry the estimate, as many equal ones as weigh as much.
    """

    effect: float
    low: float
    high: float
    p: float
    n: int
    blocks: float


def blocks_of(times: Any, length: Any) -> np.ndarray:
    """Block of each moment: stretches of the calendar counted from 1970, the same for all markets.

    >>> blocks_of(pd.to_datetime(["1970-01-01", "1970-01-08", "1970-01-09"], utc=True), "8d").tolist()
    [0, 0, 1]
    """
    return nanoseconds(pd.DatetimeIndex(times)) // timedelta(length).as_unit("ns").value


def estimate(
    block: np.ndarray, columns: np.ndarray, function: Callable[[np.ndarray], np.ndarray], counts: np.ndarray, n: int
) -> Estimate:
    """A function of sums, with the interval of the delete-one-block jackknife.

    Parameters
    ----------
    block : ndarray (row,)
        Block of each row.
    columns : ndarray (row, column)
        What is summed.
    function : callable
        From sums (…, column) to the estimate (…,).
    counts : ndarray (row, group)
        How much each row weighs in each of the groups that are compared; the group with the fewest effective blocks
        decides the degrees of freedom.
    n : int
        Rows to be told.

    Notes
    -----
    With b blocks and θ_(−g) the estimate without block g, variance = (b − 1)/b · Σ (θ_(−g) − mean)²; the interval is
    Student's with b* − 1 degrees of freedom, b* = (Σ n_g)² / Σ n_g² the effective number of blocks. It is wider than a
    percentile bootstrap where blocks are few or uneven, which is where that one is too narrow.

    References
    ----------
    B. Efron, C. Stein, "The jackknife estimate of variance", Annals of Statistics 9 (1981).
    A. V. Carter, K. T. Schnepel, D. G. Steigerwald, Review of Economics and Statistics 99 (2017): effective clusters.
    """
    from scipy.stats import t as student

    if not len(block):
        return Estimate(np.nan, np.nan, np.nan, np.nan, n, 0.0)
    kinds, code = np.unique(block, return_inverse=True)
    sums = np.stack([np.bincount(code, c, len(kinds)) for c in np.asarray(columns, float).T], axis=-1)
    sizes = np.stack([np.bincount(code, c, len(kinds)) for c in np.asarray(counts, float).T], axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = float(np.nan_to_num(sizes.sum(0) ** 2 / (sizes**2).sum(0)).min())
        whole, left = float(function(sums.sum(0))), function(sums.sum(0) - sums)
    if effective < MIN_EFFECTIVE_BLOCKS or not np.isfinite(whole) or not np.isfinite(left).all():
        return Estimate(whole, np.nan, np.nan, np.nan, n, effective)
    b = len(kinds)
    error = float(np.sqrt((b - 1) / b * ((left - left.mean()) ** 2).sum()))
    reach = float(student.ppf(0.975, effective - 1)) * error
    p = float(2 * student.sf(abs(whole) / error, effective - 1)) if error > 0 else (1.0 if whole == 0 else 0.0)
    return Estimate(whole, whole - reach, whole + reach, p, n, effective)


def mean(block: np.ndarray, value: np.ndarray) -> Estimate:
    """Mean of what is known.

    >>> mean(np.arange(5), np.array([1.0, 2.0, 3.0, 4.0, 5.0])).effect
    3.0
    """
    known = np.isfinite(value)
    x, one = value[known], np.ones(known.sum())
    return estimate(block[known], np.column_stack([x, one]), lambda s: s[..., 0] / s[..., 1], one[:, None], len(x))


def difference(block: np.ndarray, value: np.ndarray, chosen: np.ndarray) -> Estimate:
    """Mean where `chosen`, less the mean elsewhere."""
    return evenly(block, value, chosen, np.zeros(len(value), int))


def evenly(block: np.ndarray, value: np.ndarray, chosen: np.ndarray, cell: np.ndarray) -> Estimate:
    """Mean difference between chosen and other rows *within* cells, weighted by how many of both a cell has.

    A cell with a chosen and b others has the weight a·b / (a + b): cells that hold only one kind say nothing.

    >>> value, chosen = np.array([1.0, 0.0, 5.0, 4.0]), np.array([True, False, True, False])
    >>> evenly(np.arange(4), value, chosen, np.array([0, 0, 1, 1])).effect  # 1 in both cells
    1.0
    """
    known = np.isfinite(value)
    block, value, chosen, cell = block[known], value[known], chosen[known], cell[known]
    if not len(value):
        return Estimate(np.nan, np.nan, np.nan, np.nan, 0, 0.0)
    kinds, code = np.unique(cell, return_inverse=True)
    here = code[:, None] == np.arange(len(kinds))
    a, b = here & chosen[:, None], here & ~chosen[:, None]
    k = len(kinds)

    def within(s: np.ndarray) -> np.ndarray:
        xa, na, xb, nb = (s[..., j * k : (j + 1) * k] for j in range(4))
        both = (na > 0) & (nb > 0)
        weight = np.where(both, na * nb / np.where(both, na + nb, 1), 0.0)
        gap = np.where(both, xa / np.where(both, na, 1) - xb / np.where(both, nb, 1), 0.0)
        total = weight.sum(-1)
        return np.where(total > 0, (weight * gap).sum(-1) / np.where(total > 0, total, 1), np.nan)

    columns = np.column_stack([a * value[:, None], a, b * value[:, None], b])
    return estimate(block, columns, within, np.column_stack([chosen, ~chosen]), int(chosen.sum()))


def slope(block: np.ndarray, value: np.ndarray, regressors: Sequence[np.ndarray], group: np.ndarray) -> Estimate:
    """Coefficient of the first regressor in least squares with a constant for each group.

    >>> x = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    >>> round(slope(np.arange(6), 1 + 2 * x, [x], np.zeros(6)).effect, 6)
    2.0
    """
    table = np.column_stack([*regressors, value]).astype(float)
    known = np.isfinite(table).all(axis=1)
    block, table, group = block[known], table[known], group[known]
    k = table.shape[1]
    if len(table) <= k:
        return Estimate(np.nan, np.nan, np.nan, np.nan, len(table), 0.0)
    table = table - pd.DataFrame(table).groupby(group).transform("mean").to_numpy()
    scale = np.where(table.std(0) > 0, table.std(0), 1.0)
    table = table / scale
    products = (table[:, :, None] * table[:, None, :]).reshape(len(table), -1)

    def coefficient(s: np.ndarray) -> np.ndarray:
        m = s.reshape(*s.shape[:-1], k, k)
        ridge = 1e-9 * np.eye(k - 1) * np.trace(m, axis1=-2, axis2=-1)[..., None, None]
        return np.linalg.solve(m[..., :-1, :-1] + ridge, m[..., :-1, -1:])[..., 0, 0] * scale[-1] / scale[0]

    counts = table[:, :1] ** 2  # what varies is what informs
    return estimate(block, products, coefficient, counts, len(table))
