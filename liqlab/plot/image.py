"""The cells of a map as an image: the colour of each, its hover, the colour bar below, and where there are no data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from liqlab.plot import bokeh_hooks
from liqlab.plot.cells import cells, unit_of
from liqlab.plot.colour_bar import COLOUR_BAR, EMPTY, GAP, HATCH, Colours, limits
from liqlab.plot.style import WIDE

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

HOVER = [("time", "$x{%F %H:%M}"), ("price", "$y{0,0.[0000]}"), ("longs", "@longs{custom}"),
         ("shorts", "@shorts{custom}")]  # fmt: skip


def image(
    heat: xr.Dataset,
    ylim: tuple[float, float],
    colours: Colours,
    *,
    threshold: float = 0.0,
    what: str = "estimated",
    narrow: bool = False,
) -> hv.Overlay:
    """Both sides' sum as colour, each side in the hover; hatched where there are no data.

    `what` the amounts are; a `narrow` panel has the words of its colour bar in shorter lines.
    """
    import hvplot.xarray  # noqa: F401  (registers .hvplot)

    table = cells(heat, ylim).rename(estimated=what)
    ends = limits(table[what].to_numpy(), colours.norm, threshold)
    shown = table[what].where(table[what] >= max(ends.low, 0.0) if ends.hidden else table[what] > 0)
    drawn = table.assign({what: shown})
    label = "\n".join(filter(None, [f"{what} [{unit_of(table, heat)}]", ends.words()]))
    label = label.replace(" [", "\n[").replace(" of the", "\nof the") if narrow else label
    picture = drawn.hvplot.image(
        x="time", y="price", z=what, cmap=colours.palette, cnorm=colours.norm, clim=(ends.low, ends.high),
        clabel=label, **WIDE,
    )  # fmt: skip
    picture = picture.clone(drawn, vdims=[*picture.vdims, "longs", "shorts"])  # hvPlot draws one; the hover reads all
    picture = picture.opts(
        bgcolor=EMPTY, tools=["hover", "crosshair"], hooks=[bokeh_hooks.hover(HOVER), bokeh_hooks.si_colorbar],
        **COLOUR_BAR,
    )  # fmt: skip
    return _over([picture, *gaps(table, ylim)])


def _over(parts: list[Any]) -> hv.Overlay:
    import holoviews as hv

    return hv.Overlay(parts)


def gaps(table: xr.Dataset, ylim: tuple[float, float]) -> list[hv.Rectangles]:
    """Columns without data, and prices shown beyond the map's bins, as hatched boxes: none where there are none."""
    import holoviews as hv

    boxes = gap_boxes(table, ylim)
    if not boxes:
        return []
    grey = hv.Rectangles(boxes, kdims=["time", "price", "time1", "price1"], group="no data")
    return [grey.opts(fill_color=GAP, line_width=0, hooks=[_hatched])]


def gap_boxes(table: xr.Dataset, ylim: tuple[float, float]) -> list[tuple[Any, float, Any, float]]:
    """Boxes (from, low, to, high) of what a table of cells has no data of."""
    time, price = table["time"].to_numpy(), table["price"].to_numpy()
    half, rim = (time[1] - time[0]) / 2, float(price[1] - price[0]) / 2
    missing = np.isnan(table["longs"].transpose("time", "price").to_numpy()).all(axis=1)
    turns = np.flatnonzero(np.diff(missing, prepend=False, append=False)).reshape(-1, 2)
    low, high = ylim
    boxes = [(time[a] - half, low, time[b - 1] + half, high) for a, b in turns]
    left, right, bottom, top = time[0] - half, time[-1] + half, float(price[0]) - rim, float(price[-1]) + rim
    beyond = [(left, low, right, bottom), (left, top, right, high)]
    return boxes + [box for box in beyond if box[3] - box[1] > 2 * rim]  # bins that give no whole cell are left out


def _hatched(plot: Any, element: Any) -> None:
    plot.handles["glyph"].update(hatch_pattern="right_diagonal_line", hatch_color=HATCH, hatch_scale=8)
