"""The fixed point behind `impact`: notional liquidated on the way, against notional needed to go that way.

Distances x are fractions of the start price, against the side. The price comes to rest at the first x, not before the
shock s, where the depth between s and x covers what was liquidated between 0 and x. Both are lines with kinks (and, for
an order book, steps), so this point is found exactly, between two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from liqlab.cascades.depth import PRICE_TOLERANCE, Depth

EXHAUSTED, LEFT, ZERO = "order book exhausted", "the price left the map", "the price would be zero"
MAX_ROUNDS = 30  # rows of steps; what comes after is in the last one
MIN_SHARE = 1e-4  # of all that is liquidated: a round that adds less is the last


@dataclass(frozen=True, eq=False)
class Path:
    """Notional liquidated on the way to x: kinks at `x`, `total` there; nothing is known beyond the last."""

    x: np.ndarray
    total: np.ndarray
    falls: bool

    def upto(self, x: Any) -> Any:
        """Liquidated between 0 and x [quote]."""
        return np.interp(x, self.x, self.total)


def path_of(snap: Any, side: str, start: float, scale: float) -> Path:
    if not (np.isfinite(scale) and scale >= 0):
        raise ValueError(f"scale is the share of the map that is liquidated, >= 0, got {scale!r}; pass 1 for all of it")
    edges, notional = bins_of(snap, side)
    if not edges[0] < start < edges[-1]:
        raise ValueError(f"the price {start:g} lies outside the map, which holds {edges[0]:g} to {edges[-1]:g}")
    if side == "long":
        x, amount = 1 - edges[::-1] / start, notional[::-1]
    else:
        x, amount = edges / start - 1, notional
    total = np.append(0.0, np.cumsum(scale * amount))
    ahead = x > 0
    behind = float(np.interp(0.0, x, total))  # of the bin that holds the price, only the part ahead
    return Path(np.append(0.0, x[ahead]), np.append(0.0, total[ahead] - behind), side == "long")


def bins_of(snap: Any, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Edges of the bins [quote] and a side's notional in each."""
    if isinstance(snap, pd.DataFrame):
        if not {"long", "short"} <= set(snap.columns):
            raise ValueError(f"a map as a table has the columns long and short, got {list(snap.columns)}")
        price, notional, edges = snap.index.to_numpy(float), snap[side].to_numpy(float), None
    else:
        amount = snap["notional"]
        if "time" in amount.dims:
            raise ValueError("a cascade starts from one moment; pass lq.liquidation_map(heat, at=...)")
        amount = amount.sel(side=side)
        amount = amount.sum("leverage") if "leverage" in amount.dims else amount
        price, notional = snap["price"].to_numpy().astype(float), amount.to_numpy().astype(float)
        edges = snap["price_edge"].to_numpy() if "price_edge" in snap.coords else None
    if edges is None:
        if len(price) < 2:
            raise ValueError("a map of one bin does not show how wide it is; add an empty bin beside it")
        middle = (price[1:] + price[:-1]) / 2
        edges = np.concatenate([[2 * price[0] - middle[0]], middle, [2 * price[-1] - middle[-1]]])
    if not ((np.diff(edges) > 0).all() and np.isfinite(notional).all() and (notional >= 0).all()):
        raise ValueError("a map has ascending prices and finite amounts >= 0; sort it, and drop or correct the others")
    return edges, notional


# --- the fixed point --------------------------------------------------------------------------------------------------


def settle(path: Path, book: Depth, shock: float) -> tuple[float, str]:
    """Where the price comes to rest after a shock, and why it does not (empty: it does)."""
    x, surplus = _surplus(path, book, shock)
    target = float(book.short_of(shock))
    scale = 0.01 * (1 + book.weight * path.total[-1]) if book.x is None else target + path.total[-1]
    slack = (
        PRICE_TOLERANCE * scale
    )  # a shock that just reaches an edge has not passed it, whatever the sums' rounding says
    hits = np.flatnonzero(surplus >= target - slack)
    if hits.size:
        end = _crossing(x, surplus, int(hits[0]), target)
    elif book.x is None:
        end = float(x[-1] + target - surplus[-1])
    else:
        return max(shock, float(book.x[-1]) if book.x.size else shock), EXHAUSTED
    if book.x is None and path.falls and end >= 1:
        return 1.0, ZERO
    return end, LEFT if end > path.x[-1] + PRICE_TOLERANCE else ""


def _surplus(path: Path, book: Depth, first: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Needed less forced from a first x on, kink by kink; at an order two points, just before it and with it."""
    knots = path.x if book.x is None else np.union1d(path.x, book.x)
    x = np.append(first, knots[knots > first])
    forced = book.weight * path.upto(x)
    if book.x is None:
        return x, x - forced
    both = np.stack([book.short_of(x), book.upto(x)], axis=1) - forced[:, None]
    return np.repeat(x, 2)[1:], both.ravel()[1:]


def _crossing(x: np.ndarray, surplus: np.ndarray, k: int, level: float) -> float:
    """Where the line to point k comes up to a level; all points before it lie lower."""
    if k == 0 or surplus[k] <= surplus[k - 1]:
        return float(x[k])
    share = (level - surplus[k - 1]) / (surplus[k] - surplus[k - 1])
    return float(x[k - 1] + min(share, 1.0) * (x[k] - x[k - 1]))


def rounds(path: Path, book: Depth, shock: float, end: float) -> list[tuple[float, float]]:
    """The way to the fixed point: (x after the round, notional liquidated in it); the shock first."""
    walk, x, done = [(shock, 0.0)], shock, 0.0
    whole = float(path.upto(end))
    while len(walk) < MAX_ROUNDS:
        flow = float(path.upto(x))
        if flow - done <= MIN_SHARE * whole:
            break
        x, done, amount = min(book.reach(shock, flow), end), flow, flow - done
        walk.append((x, amount))
    if whole > done or x < end:
        walk.append((end, whole - done))
    return walk


def zones(path: Path, book: Depth) -> list[tuple[float, float, float, bool]]:
    """Stretches that the price crosses by itself: (from, to, shock beyond which it does, whether nothing stops it).

    They are where the surplus stays below its highest value so far: a shock that lifts the target just above that
    value finds no rest before the surplus has come back to it.
    """
    x, surplus = _surplus(path, book)
    # a flat line is λρ = 1, whatever the sums' rounding says; a flat book is one where nothing rests or is liquidated
    slack = PRICE_TOLERANCE * (1.0 if book.x is None else -np.abs(surplus).max())
    found, k = [], 0
    while k < len(x) - 1:
        level = float(surplus[k])
        if surplus[k + 1] > level + slack:
            k += 1
            continue
        back = np.flatnonzero(surplus[k + 1 :] > level + abs(slack))
        j = k + 1 + int(back[0]) if back.size else len(x)
        end = _crossing(x, surplus, j, level) if back.size else _far(path, x, surplus, book, level)
        if _swallows(book, float(x[k]), end, bool(back.size)):
            found.append((float(x[k]), end, _trigger(book, level, float(x[k])), not back.size))
        k = j
    return found


def _far(path: Path, x: np.ndarray, surplus: np.ndarray, book: Depth, level: float) -> float:
    """How far a zone without an end carries: to the last order, or as far as all that the map holds moves a line."""
    if book.x is not None:
        return float(book.x[-1]) if book.x.size else 0.0
    return min(float(x[-1] + level - surplus[-1]), float(path.x[-1]))  # beyond the map nothing is known


def _swallows(book: Depth, start: float, end: float, stopped: bool) -> bool:
    """Between two resting orders every liquidation is a zone of its own; one that eats no order whole is none."""
    if book.x is None:
        return True
    return bool(((book.x > start + PRICE_TOLERANCE) & ((book.x < end - PRICE_TOLERANCE) | (not stopped))).any())


def _trigger(book: Depth, level: float, start: float) -> float:
    """The shock beyond which the target is above the level: for a book, once it has eaten as much as that."""
    if book.x is None or book.needed is None:
        return level
    if level >= float(book.upto(start)) * (
        1 - PRICE_TOLERANCE
    ):  # nothing has been liquidated before: the shock goes there itself
        return start
    return float(book.x[np.searchsorted(book.needed, level)]) if level > 0 else 0.0
