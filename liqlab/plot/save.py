"""A heatmap written to a PNG file, without a browser: plain matplotlib."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.maps.stacking import one_heatmap
from liqlab.plot.cells import bin_of, cells, column_width, middles
from liqlab.plot.colour_bar import colours_of, limits, lowest
from liqlab.plot.observed import is_observed, observed_heading
from liqlab.plot.style import LONG, RISE, SHORT, heading, view

if TYPE_CHECKING:
    import xarray as xr

FALLEN = "#a8a8a8"  # a thin dark body would be lost on the dark background


def png(
    heat: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    cmap: str = "purple-yellow",
    ylim: tuple[float, float] | None = None,
    title: str | None = None,
    width: float = 10.0,
    dpi: int = 110,
) -> Path:
    """Write a heatmap as PNG, without a browser (matplotlib).

    Parameters
    ----------
    heat : Dataset
        From `liqlab.heatmap` or `liqlab.observed_heatmap`.
    path : path-like
        File to write; an existing one is replaced once the new one is whole, and stays if it cannot be written.
    cmap, ylim, title
        As in `heatmap`.
    width : float
        Width [inches].
    dpi : int
        Dots per inch.

    Returns
    -------
    Path
        The file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heat = one_heatmap(heat)
    seen = is_observed(heat)
    low, high = ylim or (tuple(heat["price_edge"].to_numpy()[[0, -1]]) if seen else view(heat))
    figure = Figure(figsize=(width, 0.56 * width), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, sharey=True, width_ratios=[6, 1])
    _png_heat(figure, axes[0], heat, (low, high), cmap)
    _png_profile(axes[1], heat, (low, high))
    axes[0].set_ylim(low, high)
    figure.suptitle(observed_heading(heat, title) if seen else heading(heat, title), fontsize=9, x=0.01, ha="left")
    target = Path(path)
    part = target.with_name(target.name + ".tmp")
    try:
        figure.savefig(part, format="png")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _png_heat(figure: Any, axes: Any, heat: xr.Dataset, ylim: tuple[float, float], cmap: str) -> None:
    from matplotlib import colormaps
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LogNorm
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
    from matplotlib.ticker import EngFormatter, LogLocator

    table, quote = cells(heat, ylim), heat.attrs["quote"]
    total, price = table["estimated"].to_numpy(), table["price"].to_numpy()
    low, high = limits(total, 0.0)
    half = pd.Timedelta(column_width(heat) / 2)
    first, last = table["time"].to_numpy()[[0, -1]]
    times, rim = date2num([pd.Timestamp(first) - half, pd.Timestamp(last) + half]), (price[1] - price[0]) / 2
    colours = colormaps[colours_of(cmap)].with_extremes(bad=lowest(cmap), under=lowest(cmap))
    image = axes.imshow(
        np.where(total > 0, total, np.nan).T, origin="lower", aspect="auto", interpolation="nearest", cmap=colours,
        norm=LogNorm(low, high), extent=(*times, price[0] - rim, price[-1] + rim),
    )  # fmt: skip
    middle = date2num(middles(heat))
    ohlc = {name: heat[name].to_numpy() for name in ("open", "high", "low", "close")}
    bodies = np.where(ohlc["close"] >= ohlc["open"], RISE, FALLEN)
    for a, b, colour, wide in (
        ("low", "high", "white", 0.6),
        ("open", "close", bodies, max(1.0, 250 / table.sizes["time"])),
    ):
        lines = np.stack([np.column_stack([middle, ohlc[a]]), np.column_stack([middle, ohlc[b]])], axis=1)
        axes.add_collection(LineCollection(list(lines), colors=colour, linewidths=wide))
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_ylabel(f"price [{quote}]")
    axes.set_xlabel("time [UTC]")
    bar = figure.colorbar(
        image, ax=axes, pad=0.01, fraction=0.03, label=f"estimated [{quote} per {bin_of(table):g} {quote}]"
    )
    bar.ax.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    bar.ax.yaxis.set_major_formatter(EngFormatter(sep=""))
    bar.minorticks_off()


def _png_profile(axes: Any, heat: xr.Dataset, ylim: tuple[float, float]) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    last = heat.isel(time=-1).sel(price=slice(*ylim))
    price = last["price"].to_numpy()
    height = price[1] - price[0] if len(price) > 1 else 1.0
    amount = last["notional"].sum([d for d in last["notional"].dims if d not in ("price", "side")])
    for side, colour in (("long", LONG), ("short", SHORT)):
        axes.barh(price, amount.sel(side=side).to_numpy(), height=height, color=colour, label=f"{side}s")
    axes.legend(fontsize=7, loc="lower right", framealpha=0.9)
    axes.xaxis.set_major_locator(MaxNLocator(2))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_title(f"map at {pd.Timestamp(last['close_time'].item()):%d %b %H:%M}", fontsize=7)
