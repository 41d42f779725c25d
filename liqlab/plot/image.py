"""The cells of a map as an image: the colour of each, its hover, the colour bar below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liqlab.plot import bokeh_hooks
from liqlab.plot.cells import bin_of, cells
from liqlab.plot.colour_bar import COLOUR_BAR, colours_of, limits, lowest
from liqlab.plot.style import WIDE

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr


def image(heat: xr.Dataset, ylim: tuple[float, float], cmap: str, logz: bool, threshold: float) -> hv.Image:
    """The levels: both sides' sum as colour, each side in the hover."""
    import hvplot.xarray  # noqa: F401  (registers .hvplot)

    colours = colours_of(cmap)
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold is a share of the brightest colour in [0, 1), got {threshold!r}")
    table = cells(heat, ylim)
    low, high = limits(table["estimated"].to_numpy(), threshold)
    table["estimated"] = table["estimated"].where(table["estimated"] >= threshold * high)
    quote, sides = heat.attrs["quote"], ["longs", "shorts"]
    picture = table.hvplot.image(
        x="time", y="price", z="estimated", cmap=colours, logz=logz, clim=(low, high) if logz else (0, high),
        clabel=f"estimated, standing [{quote} per {bin_of(table):g} {quote} of price]", **WIDE,
    )  # fmt: skip
    picture = picture.clone(table, vdims=[*picture.vdims, *sides])  # hvPlot draws one variable; the hover reads all
    hover = [
        ("time", "$x{%F %H:%M}"),
        ("price", "$y{0,0.[0000]}"),
        ("longs", "@longs{custom}"),
        ("shorts", "@shorts{custom}"),
    ]
    return picture.opts(
        bgcolor=lowest(cmap), tools=["hover", "crosshair"], hooks=[bokeh_hooks.hover(hover), bokeh_hooks.si_colorbar],
        **COLOUR_BAR,
    )  # fmt: skip
