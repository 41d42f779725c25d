"""Even cells of time × price, as an image needs them: bins summed, missing columns empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.market.clock import timedelta
from liqlab.market.resample import bar_opens

if TYPE_CHECKING:
    import xarray as xr

MAX_BINS = 400  # more cells than a screen has pixels only make the page heavy: bins are summed


def cells(heat: xr.Dataset, ylim: tuple[float, float], *, most: int = MAX_BINS) -> xr.Dataset:
    """Estimated, longs and shorts on even cells, as an image needs them: bins summed, missing columns empty."""
    low, high = ylim
    first, stop = np.searchsorted(heat["price"].to_numpy(), [low, high])
    if first == stop:
        bottom, top = heat["price_edge"].to_numpy()[[0, -1]]
        raise ValueError(f"ylim ({low:g}, {high:g}) holds no bin; bins run from {bottom:g} to {top:g}")
    together = -(-(stop - first) // most)
    # whole groups of bins, rather a bin more than one less
    stop = min(stop + (first - stop) % together, heat.sizes["price"])
    first = max(first - (first - stop) % together, 0)
    amount = heat["notional"].isel(price=slice(first, stop))
    amount = amount.sum("leverage") if "leverage" in amount.dims else amount
    amount = amount.coarsen(price=together, boundary="trim").sum() if together > 1 else amount
    sides = {f"{side}s": amount.sel(side=side, drop=True) for side in ("long", "short")}
    table = sides["longs"].to_dataset(name="longs").assign(shorts=sides["shorts"], estimated=amount.sum("side"))
    table = table[["estimated", "longs", "shorts"]].astype("float32").assign_coords(time=middles(heat))
    table = table.drop_vars([name for name in table.coords if name not in ("time", "price")])
    wide = column_width(heat).to_numpy()
    n = max(round((table["time"].to_numpy()[-1] - table["time"].to_numpy()[0]) / wide) + 1, 2)
    table = table.reindex(time=table["time"].to_numpy()[0] + wide * np.arange(n))
    if table.sizes["price"] == 1:  # one bin has no width of its own
        price = table["price"].item()
        table = table.reindex(price=[price, price + float(np.diff(heat["price_edge"].to_numpy()[:2])[0])])
    return table


def middles(heat: xr.Dataset) -> pd.DatetimeIndex:
    """Middle of every column: a column is as wide as the others, even if its first bars are missing."""
    wide = column_width(heat)
    times = heat["time"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    phase, last, count = np.unique(times[::-1] % wide.value, return_index=True, return_counts=True)
    begin = phase[np.lexsort((last, -count))[0]]  # that of most columns; of equally many, the latest
    return pd.DatetimeIndex(bar_opens(times, wide.value, int(begin)).astype("datetime64[ns]")) + wide / 2


def milliseconds(times: Any) -> np.ndarray:
    """Times as Bokeh draws them."""
    return np.asarray(times).astype("datetime64[us]").astype(np.int64) / 1000


def column_width(heat: xr.Dataset) -> pd.Timedelta:
    return timedelta(heat.attrs["time_step"]).as_unit("ns")


def unit_of(table: xr.Dataset, heat: xr.Dataset) -> str:
    """Unit of an amount in a cell of this table."""
    quote = heat.attrs["quote"]
    return f"{quote} per {bin_of(table):g} {quote}"


def bin_of(table: xr.Dataset) -> float:
    """Width of a bin [quote]."""
    price = table["price"].to_numpy()
    return float(f"{price[1] - price[0]:.9g}")
