"""Resampling by whole days, the same draws for everything that is compared.

Hours of one day share one path and one mood, so days are drawn, not hours. A resample is kept as the number of times
that each day was drawn: weights instead of copies, so that a thousand resamples are one matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from liqlab.market.arguments import within_0_and_1
from liqlab.market.clock import nanoseconds

__all__ = ["Days", "Drawn", "check_resamples", "days_of", "interval"]

DAY = 86_400 * 10**9
MAX_RESAMPLES = 100_000  # as many columns of weights are held at once


@dataclass(frozen=True, eq=False)
class Days:
    """Days drawn with replacement.

    Attributes
    ----------
    code : ndarray (row,), int64
        Day of each row, counted from 0.
    draws : ndarray (day, resample + 1)
        How often each day was drawn. The first column is the sample itself: every day once.
    """

    code: np.ndarray
    draws: np.ndarray

    def __len__(self) -> int:
        return len(self.draws)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Weights of rows, kept as the draws of their days: what can be summed by day first is summed by day first.

    Attributes
    ----------
    draws : ndarray (day, resample)
    code : ndarray (row,), int64
    """

    draws: np.ndarray
    code: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """Weights (row, resample)."""
        return self.draws[self.code]

    def sums(self, columns: list[np.ndarray]) -> np.ndarray:
        """Weighted sums of columns (row,): (column, resample)."""
        days = len(self.draws)
        return np.stack([np.bincount(self.code, column, days) for column in columns]) @ self.draws

    def only(self, on: np.ndarray) -> Drawn:
        """The same draws for some of the rows."""
        return Drawn(self.draws, self.code[on])


def days_of(index: pd.Index, *, resamples: int = 1_000, seed: int = 0) -> Days:
    """Draw the days of an index.

    Parameters
    ----------
    index : DatetimeIndex (row,)
        UTC; a day is a calendar day.
    resamples : int
        How many; 0 gives the sample alone.
    seed : int
        The same seed gives the same draws.

    Returns
    -------
    Days

    Examples
    --------
    >>> days = days_of(pd.date_range("2024-01-01", periods=48, freq="h", tz="UTC"), resamples=3)
    >>> len(days), days.draws.sum(axis=0).tolist()
    (2, [2.0, 2.0, 2.0, 2.0])
    """
    check_resamples(resamples)
    _, code = np.unique(nanoseconds(index) // DAY, return_inverse=True)
    count = int(code.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples).T
    return Days(code.astype(np.int64), np.column_stack([np.ones(count), drawn]))


def check_resamples(resamples: int) -> None:
    """Refuse a number of resamples that cannot be; asked before anything is computed for them."""
    if not 0 <= resamples <= MAX_RESAMPLES:
        raise ValueError(f"resamples must be from 0 to {MAX_RESAMPLES:,}, got {resamples!r}; 1000 is usual")


def interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """Value of the sample, and the percentile interval of its resamples: pointwise, for one number at a time.

    Where a score is not defined in a resample (NaN), that resample does not count.

    >>> interval(np.array([2.0, 1.0, 2.0, 3.0]), 0.5)
    (2.0, 1.5, 2.5)
    """
    within_0_and_1(level=level)
    known = values[1:][np.isfinite(values[1:])]
    if not len(known):
        return float(values[0]), np.nan, np.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(values[0]), float(low), float(high)
