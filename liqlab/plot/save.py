"""A heatmap written to a PNG, SVG or PDF file, without a browser: plain matplotlib."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.maps.stacking import one_heatmap
from liqlab.market.arguments import checked
from liqlab.plot.cells import bin_of, cells, column_width, middles, unit_of
from liqlab.plot.colour_bar import EMPTY, GAP, HATCH, Colours, colours, limits, matplotlib_norm
from liqlab.plot.image import gap_boxes
from liqlab.plot.observed import is_observed, observed_heading
from liqlab.plot.style import LONG, RISE, SHORT, heading, view

if TYPE_CHECKING:
    import xarray as xr

FALLEN = "#a8a8a8"  # a thin dark body would be lost on the dark background
ENDINGS = ("png", "svg", "pdf")


@checked()
def png(
    heat: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    cmap: str = "purple-yellow",
    logz: bool = True,
    cnorm: str | None = None,
    ylim: tuple[float, float] | None = None,
    title: str | None = None,
    width: float = 10.0,
    dpi: int = 110,
) -> Path:
    """Write a heatmap as PNG, SVG or PDF, without a browser (matplotlib).

    Parameters
    ----------
    heat : Dataset
        From `liqlab.heatmap` or `liqlab.observed_heatmap`.
    path : path-like
        File to write, ending in ``.png``, ``.svg`` or ``.pdf``; an existing one is replaced once the new one is whole,
        and stays if it cannot be written.
    cmap, logz, cnorm, ylim, title
        As in `heatmap`.
    width : float
        Width [inches].
    dpi : int
        Dots per inch.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        Another ending of the file's name.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    target, heat = Path(path), one_heatmap(heat)
    kind = target.suffix.lower().removeprefix(".")
    if kind not in ENDINGS:
        raise ValueError(f"a figure is written as .png, .svg or .pdf, got {target.name!r}; choose one of these endings")
    seen, scale = is_observed(heat), colours(cmap, logz=logz, cnorm=cnorm)
    edges = heat["price_edge"].to_numpy()
    low, high = ylim or ((float(edges[0]), float(edges[-1])) if seen else view(heat))
    figure = Figure(figsize=(width, 0.56 * width), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, sharey=True, width_ratios=[6, 1])
    table = cells(heat, (low, high))
    _draw_cells(figure, axes[0], table, heat, (low, high), scale)
    _draw_candles(axes[0], heat)
    _draw_profile(axes[1], table, heat)
    axes[0].set_ylim(low, high)
    words = observed_heading(heat, title) if seen else heading(heat, title)
    figure.suptitle(words, fontsize=9, x=0.01, ha="left", parse_math=False)  # a symbol may hold a $
    part = target.with_name(target.name + ".tmp")
    try:
        figure.savefig(part, format=kind)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _draw_cells(
    figure: Any, axes: Any, table: xr.Dataset, heat: xr.Dataset, ylim: tuple[float, float], scale: Colours
) -> None:
    """The cells, the hatching where there are no data, and the colour bar."""
    from matplotlib.colors import ListedColormap
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import EngFormatter, LogLocator

    total, price = table["estimated"].to_numpy(), table["price"].to_numpy()
    ends = limits(total, scale.norm)
    half, rim = pd.Timedelta(column_width(heat) / 2), (price[1] - price[0]) / 2
    times = date2num([pd.Timestamp(table["time"].to_numpy()[k]) + sign * half for k, sign in ((0, -1), (-1, 1))])
    image = axes.imshow(
        np.where(total > 0, total, np.nan).T, origin="lower", aspect="auto", interpolation="nearest",
        cmap=ListedColormap(scale.palette).with_extremes(bad=EMPTY), norm=matplotlib_norm(scale.norm, ends, total),
        extent=(*times, price[0] - rim, price[-1] + rim),
    )  # fmt: skip
    for left, bottom, right, top in gap_boxes(table, ylim):
        start, end = date2num([left, right])
        box = Rectangle((start, bottom), end - start, top - bottom, facecolor=GAP, edgecolor=HATCH, hatch="///")
        axes.add_patch(box)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_ylabel(f"price [{heat.attrs['quote']}]", parse_math=False)
    axes.set_xlabel("time [UTC]")
    label = f"{'observed' if is_observed(heat) else 'estimated'} [{unit_of(table, heat)}]"
    bar = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.03, spacing="uniform")
    bar.set_label("\n".join(filter(None, [label, ends.words()])), fontsize=8, parse_math=False)
    if scale.norm == "log":
        bar.ax.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0)))
    bar.ax.yaxis.set_major_formatter(EngFormatter(sep="", places=None))
    bar.minorticks_off()


def _draw_candles(axes: Any, heat: xr.Dataset) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.dates import date2num

    middle = date2num(middles(heat))
    if is_observed(heat):  # bodies would hide the very cells that the bars were spread over
        axes.plot(middle, heat["close"].to_numpy(), color="#bdbdbd", linewidth=1)
        return
    ohlc = {name: heat[name].to_numpy() for name in ("open", "high", "low", "close")}
    bodies = np.where(ohlc["close"] >= ohlc["open"], RISE, FALLEN)
    thick = max(1.0, 250 / heat.sizes["time"])
    for a, b, colour, wide in (("low", "high", "white", 0.6), ("open", "close", bodies, thick)):
        lines = np.stack([np.column_stack([middle, ohlc[a]]), np.column_stack([middle, ohlc[b]])], axis=1)
        axes.add_collection(LineCollection(list(lines), colors=colour, linewidths=wide))


def _draw_profile(axes: Any, table: xr.Dataset, heat: xr.Dataset) -> None:
    """The last column on the very cells of the map; of what was observed, the sum of all columns."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    amounts = table.sum("time") if is_observed(heat) else table.isel(time=-1)
    for side, colour in (("longs", LONG), ("shorts", SHORT)):
        axes.barh(table["price"], amounts[side].to_numpy(), height=bin_of(table), color=colour, label=side)
    axes.legend(fontsize=7, loc="lower right", framealpha=0.9)
    axes.xaxis.set_major_locator(MaxNLocator(2))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel(f"[{unit_of(table, heat)}]", fontsize=7, parse_math=False)
    closed = f"{pd.Timestamp(heat['close_time'].to_numpy()[-1]):%d %b %H:%M}"
    axes.set_title("observed\nby price" if is_observed(heat) else f"map at\n{closed}", fontsize=7)
