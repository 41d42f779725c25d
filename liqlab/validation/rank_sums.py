"""What rank scores of many columns need under many resamples, in one pass over the rows of each.

Rows are ranked once; a resample changes only how often each counts. So one walk along a column's order gives its mean
ranks and its top decile under a resample, and no table of rows × resamples is held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from liqlab.engine.jit import jit
from liqlab.validation.resampling import Drawn
from liqlab.validation.score_functions import TOP

__all__ = ["RankSums", "rank_sums"]


class Ranked(NamedTuple):
    """Columns by rank: rows from the least amount to the largest, and where equal amounts end (column, row)."""

    order: np.ndarray
    ends: np.ndarray


class RankSums(NamedTuple):
    """Weighted sums over rows, of ranks less their mean.

    Attributes
    ----------
    products : ndarray (column, reference, resample)
        Of a column's ranks and a reference's, where the reference does not stand behind the column.
    squares : ndarray (column, resample)
        Of a column's ranks with themselves.
    top, shared, amount : ndarray (column, resample)
        Weight of the column's top decile, that part of it which belongs to the top decile of the first reference, and
        the amount in it.
    """

    products: np.ndarray
    squares: np.ndarray
    top: np.ndarray
    shared: np.ndarray
    amount: np.ndarray


def rank_sums(columns: Sequence[np.ndarray], amount: np.ndarray, drawn: Drawn, *, references: int) -> RankSums:
    """Compare columns (row,) with the first `references` of them; `amount` (row,) is summed over top deciles."""
    order = np.stack([np.argsort(column, kind="stable") for column in columns])
    stood = np.take_along_axis(np.stack(columns), order, axis=1)
    ends = np.append(stood[:, 1:] != stood[:, :-1], np.ones((len(columns), 1), bool), axis=1)
    resamples = drawn.draws.shape[1]
    sums = RankSums(np.zeros((len(columns), references, resamples)),
                    *(np.zeros((len(columns), resamples)) for _ in range(4)))  # fmt: skip
    _sum_nb(Ranked(order, ends), sums, amount, np.ascontiguousarray(drawn.draws.T), drawn.code, TOP)
    return sums


@jit
def _sum_nb(
    ranked: Ranked, sums: RankSums, amount: np.ndarray, draws: np.ndarray, code: np.ndarray, top: float
) -> None:
    order, ends = ranked.order, ranked.ends
    products, squares, inside, shared, within = sums
    references = products.shape[1]
    weights, ranks, share = np.empty(len(code)), np.empty((references + 1, len(code))), np.empty((2, len(code)))
    for r in range(len(draws)):
        weights[:] = draws[r][code]
        for column in range(len(order)):
            mine, part = ranks[min(column, references)], share[min(column, 1)]
            _rank_nb(order[column], ends[column], weights, top, mine, part)
            for row in range(len(code)):
                weighed = weights[row] * part[row]
                squares[column, r] += weights[row] * mine[row] * mine[row]
                inside[column, r] += weighed
                shared[column, r] += weighed * share[0, row]
                within[column, r] += weighed * amount[row]
            for reference in range(min(column + 1, references)):
                for row in range(len(code)):
                    products[column, reference, r] += weights[row] * mine[row] * ranks[reference, row]


@jit
def _rank_nb(
    order: np.ndarray, ends: np.ndarray, weights: np.ndarray, top: float, ranks: np.ndarray, share: np.ndarray
) -> None:
    """Write each row's mean rank less the mean of all, and how far it belongs to the top share."""
    total, below, mass, first = weights.sum(), 0.0, 0.0, 0
    for k in range(len(order)):
        mass += weights[order[k]]
        if ends[k]:
            below += mass
            rank = below - mass / 2 - total / 2  # mean rank less (total + 1) / 2, exactly
            room = min(max(top * total - (total - below), 0.0), mass)
            for equal in order[first : k + 1]:
                ranks[equal] = rank
                share[equal] = room / mass if mass > 0 else 0.0
            mass, first = 0.0, k + 1
