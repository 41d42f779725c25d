"""What a move would set off: cumulative curves and the price of the most pain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.maps.arguments import estimated
from liqlab.maps.heatmaps import liquidation_map
from liqlab.maps.stacking import one_heatmap
from liqlab.market.arguments import checked
from liqlab.zones._clusters import WIDTH, by_side, check_positive, origin
from liqlab.zones.profile_peaks import smooth_all_nb, smoother, summit_nb

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["cumulative", "max_pain"]


@checked()
def cumulative(heat: xr.Dataset, at: Any = None) -> pd.DataFrame:
    """Estimated notional that would be liquidated on the way from the price to another, by side.

    Parameters
    ----------
    heat : Dataset or Live
        From `heatmap`; one moment of it, or a live map.
    at : time-like, optional
        UTC: the last column closed at or before it; default: the last column.

    Returns
    -------
    DataFrame (price,)
        long, short [quote], index: edges of the bins and the column's close. Below the close, long is what stands on
        longs from there up to the close; above it, short is what stands on shorts from the close up to there;
        elsewhere 0. ``attrs``: price (the close), at, quote, and what the
        map was made of.

    Assumptions
    -----------
    A bin's notional is spread evenly over its log price. Nothing is opened or closed on the way.

    Examples
    --------
    >>> import liqlab as lq
    >>> heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-05-01", end="2024-05-02")
    >>> curve = lq.cumulative(heat)
    >>> float(curve.loc[curve.attrs["price"], "long"]), bool(curve["short"].is_monotonic_increasing)
    (0.0, True)
    """
    heat = one_heatmap(estimated(heat))
    snap = liquidation_map(heat, at=at)
    amount = by_side(snap)[:, 0]
    edge, price = snap["price_edge"].to_numpy(), float(snap["close"])
    grid = np.union1d(edge, [price])
    running = np.concatenate([np.zeros((2, 1)), np.cumsum(amount, axis=1)], axis=1)
    held = np.stack([np.interp(np.log(grid), np.log(edge), running[side]) for side in (0, 1)])
    here = np.stack([np.interp(np.log(price), np.log(edge), running[side]) for side in (0, 1)])
    table = pd.DataFrame({"long": np.maximum(here[0] - held[0], 0.0), "short": np.maximum(held[1] - here[1], 0.0)},
                         index=pd.Index(grid, name="price"), columns=SIDES)  # fmt: skip
    table.attrs = {**origin(heat), "price": price, "at": pd.Timestamp(snap["close_time"].item(), tz="UTC")}
    return table


@checked()
def max_pain(heat: xr.Dataset, at: Any = None, *, width: float = WIDTH) -> pd.DataFrame:
    """The price of the most pain of each side: where the most stands within a stated distance.

    Vendors use the words for the price at which the most leverage would be liquidated, longs and shorts apart; none
    says over which range it adds up. Here: the price where the profile over log price, smoothed with a Gaussian of the
    stated width, is highest. It is no price of options, where the words mean the least payout of all strikes.

    Parameters
    ----------
    heat : Dataset or Live
        From `heatmap`; one moment of it, or a live map.
    at : time-like, optional
        UTC: the last column closed at or before it; default: the last column.
    width : float
        Scale [log price], as in `clusters`.

    Returns
    -------
    DataFrame (side,)
        price [quote], notional [quote] within two widths of it, on_the_way [quote]: what would be liquidated from the
        close up to the price (`cumulative`), distance_to_peak = price ÷ close − 1 [1]: the price is the profile's
        highest point, and lies in a row of `clusters`. NaN where a side is empty.

    Examples
    --------
    >>> import liqlab as lq
    >>> heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-05-01", end="2024-05-02")
    >>> pain = lq.max_pain(heat)
    >>> bool(pain.loc["long", "distance_to_peak"] < 0 < pain.loc["short", "distance_to_peak"])
    True
    """
    check_positive(width=width)
    heat = one_heatmap(estimated(heat))
    snap = liquidation_map(heat, at=at)
    amount = by_side(snap)[:, 0]
    edge, close = snap["price_edge"].to_numpy(), float(snap["close"])
    grid = smoother(edge, width)
    profile = smooth_all_nb(amount, grid.first, grid.weight, grid.cells)
    curve = cumulative(heat, at)
    rows = {}
    for s, side in enumerate(SIDES):
        if not amount[s].any():
            rows[side] = dict.fromkeys(("price", "notional", "on_the_way", "distance_to_peak"), np.nan)
            continue
        price = float(np.exp((grid.origin + summit_nb(profile[s], int(np.argmax(profile[s])))) * grid.step))
        running = np.append(0.0, np.cumsum(amount[s]))
        low, high = np.interp(np.log(price) + 2 * width * np.array([-1, 1]), grid.log_edge, running)
        way = float(np.interp(np.log(price), np.log(curve.index), curve[side]))
        rows[side] = {"price": price, "notional": high - low, "on_the_way": way, "distance_to_peak": price / close - 1}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("side")
