"""The profile of a map over log price, smoothed at a stated scale, and the peaks that stand out of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from liqlab.engine.jit import jit

# Cells of the log-price grid per width: a parabola through three of them finds a peak to a thousandth of a width.
CELLS = 4
# Prominence is looked for this many widths to each side of a peak: what is broader is background, not a zone.
REACH = 16
# A kernel is cut off where less than 1e-6 of it is left.
TAIL = 5
# Smoothed white noise has this many maxima per width of price: sqrt(3/2) / 2π (Rice).
RIPPLES = math.sqrt(1.5) / (2 * math.pi)
# Half width less full width of smoothed white noise: sd 0.686 of the full width's; 0.6745 makes a median of it.
ROUGH = 0.6745 * math.sqrt(3 - 2 * math.sqrt(8 / 5))
# A ridge must rise by this part of its height above the higher of its two bases; a step's mean is half bright, so
# that half of it is asked for.
CONTRAST = 0.2


# and is not dimmer than this part of its side's brightest.
MIN_PEAK_BRIGHTNESS = 0.05
# Prominence asked for, in noise: FIRST + SECOND·ln(ripples ÷ false alarms), set on noise maps (gamma of shape 0.5 to
# 4, exponential, uniform, Poisson; flat, humped and decaying backgrounds) so that none of them has more alarms.
FIRST, SECOND, MIN_RIPPLES = 1.2, 1.0, 20.0


@dataclass(frozen=True, eq=False)
class Smoother:
    """Gaussian weights from the bins of a map to a fixed grid of log prices, as a band.

    Parameters
    ----------
    log_edge : array (bins + 1,)
        Logarithm of the bins' edges.
    first : array (bins,)
        First cell that a bin reaches.
    weight : array (bins, band)
        Density [1 per log price] at the cells from the first on, for one unit in the bin.
    origin : int
        Number of the grid's first cell: cell k stands at log price (origin + k)·step.
    step : float
        Distance of two cells [log price].
    cells : int
        Number of cells.
    """

    log_edge: np.ndarray
    first: np.ndarray
    weight: np.ndarray
    origin: int
    step: float
    cells: int

    @property
    def price(self) -> np.ndarray:
        """Prices of the cells."""
        return np.exp((self.origin + np.arange(self.cells)) * self.step)


def smoother(price_edge: np.ndarray, width: float, *, finer: float = 1.0) -> Smoother:
    """Weights for one set of bins; a bin's amount is spread evenly over its log price.

    The kernel's width is `finer` times the width that makes the grid.

    The grid is absolute: it depends on the width alone, not on the bins, so other bins give the same profile.
    """
    edge = np.log(price_edge)
    widest = float(np.diff(edge).max())
    step = width / CELLS
    origin = math.floor((edge[0] - TAIL * width) / step)
    cells = math.ceil((edge[-1] + TAIL * width) / step) - origin + 1
    first = np.ceil((edge[:-1] - TAIL * width) / step).astype(np.int64) - origin
    band = math.ceil((widest + 2 * TAIL * width) / step) + 1
    at = (origin + first[:, None] + np.arange(band)) * step
    upper, lower = (_normal((at - x[:, None]) / (finer * width)) for x in (edge[:-1], edge[1:]))
    weight = (upper - lower) / np.diff(edge)[:, None]
    weight[first[:, None] + np.arange(band) >= cells] = 0.0
    return Smoother(edge, first, weight, origin, step, cells)


def _normal(z: np.ndarray) -> Any:
    """Standard normal distribution function."""
    from scipy.special import ndtr

    return ndtr(z)


@jit
def smooth_nb(amount: Any, first: Any, weight: Any, profile: Any) -> Any:
    """Profile [amount per log price] of one map, into `profile` (cells,)."""
    profile[:] = 0.0
    cells, band = len(profile), weight.shape[1]
    for i in range(len(amount)):
        a = amount[i]
        if a > 0.0:
            for j in range(min(band, cells - first[i])):
                profile[first[i] + j] += a * weight[i, j]


@jit
def smooth_all_nb(amounts: Any, first: Any, weight: Any, cells: Any) -> Any:
    """Profiles (maps, cells) of many maps (maps, bins)."""
    profiles = np.empty((len(amounts), cells))
    for row in range(len(amounts)):
        smooth_nb(amounts[row], first, weight, profiles[row])
    return profiles


@jit
def peaks_nb(profile: Any, reach: Any, peak: Any, base: Any, low: Any, high: Any) -> Any:
    """Every maximum of a profile with its base and its half-prominence limits; returns how many there are.

    The base of a side is the lowest point up to `reach` cells away or up to the next higher point; a peak's base is
    the higher of its two. Limits are where the profile has fallen half-way to it, interpolated between cells.
    """
    n, k, cells = 0, 1, len(profile)
    while k < cells - 1:
        top = k  # the last cell of a plateau
        while top < cells - 1 and profile[top + 1] == profile[k]:
            top += 1
        if profile[k] > 0.0 and profile[k - 1] < profile[k] and top < cells - 1 and profile[top + 1] < profile[k]:
            height = profile[k]
            left, right = height, height
            for j in range(k - 1, max(k - reach, 0) - 1, -1):
                if profile[j] > height:
                    break
                left = min(left, profile[j])
            for j in range(top + 1, min(top + reach, cells - 1) + 1):
                if profile[j] > height:
                    break
                right = min(right, profile[j])
            peak[n], base[n] = (k + top) // 2, max(left, right)
            half = (height + base[n]) / 2
            j = k
            while profile[j] > half:
                j -= 1
            low[n] = j + (half - profile[j]) / (profile[j + 1] - profile[j])
            j = top
            while profile[j] > half:
                j += 1
            high[n] = j - (half - profile[j]) / (profile[j - 1] - profile[j])
            n += 1
        k = top + 1
    return n


@jit
def noise_nb(profile: Any, finer: Any, around: Any, reach: Any, support: Any) -> Any:
    """Standard deviation of the noise in a profile within reach of a cell and within the support (first, last cell).

    What the half width shows and the full width does not is noise, or fine structure; the median passes over the few
    cells that belong to zones.
    """
    a, b, n = max(around - reach, support[0]), min(around + reach, support[1]), 0
    values = np.empty(reach + 1)
    for k in range(a, b + 1, 2):  # neighbours say nearly the same
        value, place = abs(finer[k] - profile[k]), n
        while place > 0 and values[place - 1] > value:  # insertion keeps them sorted
            values[place] = values[place - 1]
            place -= 1
        values[place] = value
        n += 1
    # beside a cliff one side is enough; a lone zone that is all the support there is must not be its own noise
    missing = max(reach // 2 + 1 - n, 0)
    place = (n + missing) // 2 - missing
    return values[place] / ROUGH if place >= 0 and n else 0.0


@jit
def strength_nb(
    profile: Any,
    finer: Any,
    curve: Any,
    peak: Any,
    base: Any,
    support: Any,
    contrast: Any,
    times: Any,
    least: Any,
    strength: Any,
) -> Any:
    """How far each peak is a zone: 1 and more if it is not flat, not dim, and stands out of the noise around it.

    `curve` is what the peaks are of: the profile itself, or its excess. The least of three ratios: prominence
    to `contrast` of the height, height to MIN_PEAK_BRIGHTNESS of the brightest, prominence to so many
    times the noise. What has not `least` of the first two is not measured against the noise: it gets 0.
    """
    brightest = np.max(profile)
    for i in range(len(peak)):
        height = profile[peak[i]]
        rise = curve[peak[i]] - base[i]
        strength[i] = min(rise / (contrast * height), height / (MIN_PEAK_BRIGHTNESS * brightest))
        if strength[i] >= least:
            noise = noise_nb(profile, finer, peak[i], REACH * CELLS, support)
            strength[i] = min(strength[i], rise / (times * noise)) if noise > 0.0 else strength[i]
        else:
            strength[i] = 0.0


@jit
def held_nb(running: Any, log_edge: Any, x: Any) -> Any:
    """Amount below log price x, each bin's spread evenly over its log price."""
    i = np.searchsorted(log_edge, x) - 1
    if i < 0:
        return 0.0
    if i >= len(log_edge) - 1:
        return running[-1]
    part = (x - log_edge[i]) / (log_edge[i + 1] - log_edge[i])
    return running[i] + part * (running[i + 1] - running[i])


@jit
def parted_nb(profile: Any, peak: Any, chosen: Any, low: Any, high: Any) -> Any:
    """Limits of neighbouring zones meet at the lowest point between them, where they would overlap."""
    for j in range(1, len(chosen)):
        a, b = chosen[j - 1], chosen[j]
        valley = peak[a] + np.argmin(profile[peak[a] : peak[b] + 1])
        high[a], low[b] = min(high[a], valley), max(low[b], valley)


@jit
def summit_nb(profile: Any, k: Any) -> Any:
    """Cell of a maximum, to a fraction: the top of the parabola through three cells."""
    bend = profile[k - 1] - 2.0 * profile[k] + profile[k + 1]
    return k + 0.5 * (profile[k - 1] - profile[k + 1]) / bend if bend < 0.0 else k + 0.0


@jit
def excess_nb(profile: Any, reach: Any, support: Any, excess: Any) -> Any:
    """By how much a profile exceeds its mean within `reach` cells to each side, into `excess`; 0 where it does not.

    The mean is over the support (first, last cell) alone: where a side begins or ends there is nothing to compare with.
    """
    running = np.zeros(len(profile) + 1)
    for k in range(len(profile)):
        running[k + 1] = running[k] + profile[k]
    first, last = max(support[0], 0), min(support[1], len(profile) - 1)
    excess[:] = 0.0
    for k in range(first, last + 1):
        a, b = max(k - reach, first), min(k + reach, last)
        excess[k] = max(profile[k] - (running[b + 1] - running[a]) / (b + 1 - a), 0.0)


@jit
def one_of_both_nb(low: Any, high: Any, strength: Any, ridges: Any) -> Any:
    """Where a ridge and a step overlap only one is kept, the ridge unless it alone is no zone; strength 0: dropped.

    The first `ridges` are ridges, the others steps.
    """
    for j in range(ridges, len(strength)):
        for i in range(ridges):
            if strength[i] > 0.0 and strength[j] > 0.0 and low[i] < high[j] and high[i] > low[j]:
                if strength[i] >= min(strength[j], 1.0):
                    strength[j] = 0.0
                else:
                    strength[i] = 0.0


@jit
def zones_nb(
    amounts: Any, full: Any, half: Any, log_edge: Any, origin: Any, step: Any, cells: Any, false_alarms: Any, least: Any
) -> Any:
    """Zones of many maps (maps, bins), and what has `least` of a zone's strength.

    Returns rows (map, low, peak, high [log price], height, prominence [amount per log price], amount, strength, 1 for a
    step and 0 for a ridge), and each map's greatest height. `full` and `half` are (first cell, weights) of both
    kernels. The zones of a map do not overlap.
    """
    found, n, reach = np.empty((1024, 9)), 0, REACH * CELLS
    brightest = np.zeros(len(amounts))
    profile, finer, running = np.empty(cells), np.empty(cells), np.zeros(len(log_edge))
    excess = np.empty(cells)
    peak, base, strength = np.empty(2 * cells, np.int64), np.empty(2 * cells), np.empty(2 * cells)
    low, high = np.empty(2 * cells), np.empty(2 * cells)
    support = np.empty(2, np.int64)
    for row in range(len(amounts)):
        amount = amounts[row]
        some = np.flatnonzero(amount > 0.0)
        if len(some) == 0:
            continue
        smooth_nb(amount, full[0], full[1], profile)
        smooth_nb(amount, half[0], half[1], finer)
        brightest[row] = np.max(profile)
        for i in range(len(amount)):
            running[i + 1] = running[i] + max(amount[i], 0.0)
        bottom, top = log_edge[some[0]], log_edge[some[-1] + 1]
        support[0], support[1] = int(np.ceil(bottom / step)) - origin, int(np.floor(top / step)) - origin
        ripples = max(RIPPLES * (top - bottom) / (CELLS * step), MIN_RIPPLES)
        times = FIRST + SECOND * np.log(ripples / false_alarms)
        excess_nb(profile, reach, support, excess)
        ridges, m = 0, 0
        for curve, contrast in ((profile, CONTRAST), (excess, CONTRAST / 2)):  # of a step, half its mean is bright
            ridges, first = m, m
            m += peaks_nb(curve, reach, peak[first:], base[first:], low[first:], high[first:])
            strength_nb(
                profile, finer, curve, peak[first:m], base[first:m], support, contrast, times, least, strength[first:m]
            )
            parted_nb(curve, peak[first:m], np.flatnonzero(strength[first:m] >= 1.0), low[first:m], high[first:m])
        one_of_both_nb(low[:m], high[:m], strength[:m], ridges)
        for i in range(m):
            if strength[i] < least:
                continue
            if n == len(found):
                more = np.empty((2 * n, 9))
                more[:n] = found
                found = more
            curve = profile if i < ridges else excess
            a, b = (origin + low[i]) * step, (origin + high[i]) * step
            found[n, 0], found[n, 1], found[n, 3] = row, a, b
            found[n, 2] = (origin + summit_nb(curve, peak[i])) * step
            found[n, 4], found[n, 5] = profile[peak[i]], curve[peak[i]] - base[i]
            found[n, 6] = held_nb(running, log_edge, b) - held_nb(running, log_edge, a)
            found[n, 7], found[n, 8] = strength[i], 1.0 if i >= ridges else 0.0
            n += 1
    return found[:n], brightest
