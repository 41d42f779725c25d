"""Bright blocks that are no clusters: too broad, or no more than noise. Each is listed, and it is said why.

A block is a stretch of the smoothed profile at least half as high as its side's highest point. The highest point
itself, the price of `max_pain`, lies in one; so a table that lists clusters and blocks never passes over it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from liqlab.zones.profile_peaks import (
    CELLS,
    CONTRAST,
    FIRST,
    MIN_RIPPLES,
    REACH,
    RIPPLES,
    SECOND,
    Smoother,
    noise_nb,
    peaks_nb,
    smooth_nb,
    smoother,
    summit_nb,
)

__all__ = ["Block", "blocks"]

MIN_SHARE = 0.05  # of the side's notional: what holds less, and not its highest point, is not worth a row
HALF = 0.5  # of the side's highest point: a block is what is brighter; and of a block, that clusters must hold


class Block(NamedTuple):
    """A bright block. Prices are logs [log quote], `height` and `rise` [amount per log price]."""

    low: float
    peak: float
    high: float
    height: float
    rise: float
    amount: float
    reason: str


def blocks(
    amount: np.ndarray, edges: np.ndarray, width: float, false_alarms: float, clusters: Sequence[tuple[float, float]]
) -> list[Block]:
    """Blocks of one side whose highest point lies in no cluster, or of which clusters hold less than half.

    One that holds less than a twentieth of the side is left out, unless it has the side's highest point.

    Parameters
    ----------
    amount : ndarray (bin,)
        Notional of one side [quote].
    edges : ndarray (bin + 1,)
        Of the bins [quote].
    width, false_alarms : float
        As in `liqlab.clusters`.
    clusters : sequence of (low, high)
        Clusters of the side [quote].
    """
    if not (amount > 0).any():
        return []
    full, half = smoother(edges, width), smoother(edges, width, finer=0.5)
    profile, finer = np.empty(full.cells), np.empty(full.cells)
    smooth_nb(amount, full.first, full.weight, profile)
    smooth_nb(amount, half.first, half.weight, finer)
    running = np.append(0.0, np.cumsum(amount))

    def held(low: float, high: float) -> float:
        return float(np.diff(np.interp([low, high], full.log_edge, running))[0])

    level, found = HALF * profile.max(), []
    ends = np.flatnonzero(np.diff(np.concatenate([[0], profile >= level, [0]])))
    for first, stop in ends.reshape(-1, 2):
        top = first + int(np.argmax(profile[first:stop]))
        low, high = ((full.origin + x) * full.step for x in _limits(profile, first, stop - 1, level))
        peak = float((full.origin + summit_nb(profile, top)) * full.step)
        inside = [(max(a, low), min(b, high)) for a, b in np.log(np.reshape(clusters, (-1, 2))) if b > low and a < high]
        whole, taken = held(low, high), sum(held(a, b) for a, b in inside)
        covered = any(a <= peak <= b for a, b in inside)
        small = whole < MIN_SHARE * running[-1] and profile[top] < profile.max()
        if small or (covered and taken >= HALF * whole):
            continue
        rise, why = _why(profile, finer, full, amount, top, false_alarms)
        reason = f"clusters hold {taken / whole:.0%} of it" if covered else why
        found.append(Block(low, peak, high, float(profile[top]), rise, whole, reason))
    return found


def _limits(profile: np.ndarray, first: int, last: int, level: float) -> tuple[float, float]:
    """Where a profile passes a level before its cell `first` and after its cell `last`, between cells."""
    low, high = float(first), float(last)
    if first > 0:
        low -= (profile[first] - level) / (profile[first] - profile[first - 1])
    if last < len(profile) - 1:
        high += (profile[last] - level) / (profile[last] - profile[last + 1])
    return low, high


def _why(
    profile: np.ndarray, finer: np.ndarray, grid: Smoother, amount: np.ndarray, top: int, false_alarms: float
) -> tuple[float, str]:
    """How far a block's highest point rises over its bases, and what it lacks of a cluster."""
    places: list[Any] = [np.empty(grid.cells, np.int64), *(np.empty(grid.cells) for _ in range(3))]
    n = peaks_nb(profile, REACH * CELLS, *places)
    mine = int(np.argmin(np.abs(places[0][:n] - top)))
    height, rise = float(profile[top]), float(profile[top] - places[1][mine])
    some = np.flatnonzero(amount > 0)
    bottom, end = grid.log_edge[some[0]], grid.log_edge[some[-1] + 1]
    support = np.array([math.ceil(bottom / grid.step), math.floor(end / grid.step)]) - grid.origin
    times = FIRST + SECOND * math.log(max(RIPPLES * (end - bottom) / (CELLS * grid.step), MIN_RIPPLES) / false_alarms)
    noise = float(noise_nb(profile, finer, top, REACH * CELLS, support))
    reach = math.expm1(REACH * CELLS * grid.step)
    if rise < CONTRAST * height:
        falls = f"it falls by {rise / height:.0%} within {reach:.1%} to its sides"
        return rise, f"broad: {falls}, a cluster by {CONTRAST:.0%}"
    if noise > 0 and rise < times * noise:
        return rise, f"noise: it stands out by {rise / noise:.1f} standard deviations, a cluster by {times:.1f}"
    return rise, "its highest point lies beside the clusters"
