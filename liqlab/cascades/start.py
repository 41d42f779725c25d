"""Where a cascade starts: one moment of a map, a price in it, and shocks that do not leave it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from liqlab.cascades.fixed_point import bins_of
from liqlab.maps.arguments import estimated
from liqlab.maps.heatmaps import liquidation_map
from liqlab.maps.stacking import one_heatmap

__all__ = ["check_within", "known_of", "moment_of", "side_of", "start_of"]


def moment_of(heat: Any, at: Any) -> Any:
    """One moment of whatever shows a map; a table is one already."""
    if isinstance(heat, pd.DataFrame):
        if at is not None:
            raise ValueError("at belongs to a heatmap, and heat is a table of one moment; leave at out")
        if not {"long", "short"} <= set(heat.columns) or not len(heat):
            raise ValueError(f"heat: a map as a table has rows and the columns long and short, got {len(heat)} rows "
                             f"and {list(heat.columns)}; pass lq.heatmap(market), or name the columns so")  # fmt: skip
        return heat
    return liquidation_map(one_heatmap(estimated(heat)), at)


def known_of(snap: Any) -> tuple[float, float]:
    """Lowest and highest price of a map [quote]."""
    edges, _ = bins_of(snap, "long")
    return float(edges[0]), float(edges[-1])


def check_within(snap: Any, start: float, shocks: Sequence[float], name: str) -> None:
    """Refuse shocks that alone carry the price out of the map: nothing is known of what stands there."""
    low, high = known_of(snap)
    if not len(shocks):
        raise ValueError(f"{name} is empty; pass fractions of the price such as [-0.05, 0.05], or leave it out")
    for shock in shocks:
        side_of(shock)
        if not low <= start * (1 + shock) <= high:
            raise ValueError(f"{name}: {shock!r} carries the price from {start:,.6g} to {start * (1 + shock):,.6g}, "
                             f"out of the map, which holds {low:,.6g} to {high:,.6g}; pass a smaller shock, or a "
                             "heatmap with a wider price_range")  # fmt: skip


def start_of(snap: Any, price: float | None) -> float:
    if price is None:
        if isinstance(snap, pd.DataFrame) or "close" not in snap:
            raise ValueError("this map does not carry the price; pass price=")
        price = float(snap["close"])
    low, high = known_of(snap)
    if not low < price < high:
        raise ValueError(f"price {price:g} lies outside the map, which holds {low:g} to {high:g}; pass one inside, or "
                         "a heatmap with a wider price_range")  # fmt: skip
    return float(price)


def side_of(shock: float) -> str:
    if not (np.isfinite(shock) and shock != 0 and shock > -1):
        raise ValueError(
            f"shock: it is a fraction of the price, > -1 and not 0, got {shock!r}; pass -0.03 for 3 % down"
        )
    return "long" if shock < 0 else "short"
