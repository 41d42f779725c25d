"""The zones that the price would come to first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.market.arguments import checked
from liqlab.zones._clusters import FALSE_ALARMS, WIDTH, clusters

if TYPE_CHECKING:
    import xarray as xr

    from liqlab.market.market import Market

__all__ = ["nearest"]


@checked()
def nearest(
    heat: xr.Dataset,
    at: Any = None,
    *,
    width: float = WIDTH,
    false_alarms: float = FALSE_ALARMS,
    market: Market | None = None,
    broad: bool = True,
) -> pd.DataFrame:
    """The zone of each side whose edge is nearest to the price.

    Parameters
    ----------
    heat, at, width, false_alarms, market
        As in `clusters`.
    broad : bool
        Also the broad blocks, which are no clusters; False: clusters alone.

    Returns
    -------
    DataFrame (side,)
        One row for longs and one for shorts, columns as in `clusters`: low, peak, high, notional,
        distance_to_edge, distance_to_peak and the others; NaN where a side has no zone. ``attrs`` as there.

    Raises
    ------
    ValueError, TypeError
        As in `clusters`.

    Examples
    --------
    >>> import liqlab as lq
    >>> heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-04-30", end="2024-05-02", price_step=25)
    >>> near = lq.nearest(heat)
    >>> bool((near["distance_to_edge"].abs() <= near["distance_to_peak"].abs()).all())
    True
    """
    zones = clusters(heat, at, width=width, false_alarms=false_alarms, market=market)
    table = zones if broad else zones[~zones["broad"]]
    way = table["distance_to_edge"].abs()
    order = np.lexsort((table["distance_to_peak"].abs(), table["broad"], way))  # of equals the cluster, then the peak
    first = table.iloc[order].drop_duplicates("side").set_index("side").reindex(list(SIDES))
    first["broad"] = first["broad"].eq(True)
    first["reason"] = first["reason"].fillna("")
    first.index.name = "side"
    first.attrs = dict(zones.attrs)
    return first
