"""Candles: over a heatmap, and with named price lines where there is no heatmap yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from liqlab.market.arguments import Table, checked
from liqlab.market.clock import naive, step_of
from liqlab.plot import bokeh_hooks
from liqlab.plot.cells import column_width, middles
from liqlab.plot.style import EDGE, FALL, FONT, MIN_WIDTH_PX, RISE, raw

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

# dark enough on white, and told apart by their dashes as well: colour-blind readers need not rely on the hue
LINES = (("#d55e00", "solid"), ("#0072b2", "dashed"), ("#009e73", "dotdash"), ("#cc79a7", "dotted"))


@checked(table=Table("market.candles", "open high low close", times=True))
def candles(
    table: pd.DataFrame,
    *,
    marks: Mapping[str, float] | None = None,
    quote: str = "quote",
    title: str = "Candles",
    height: int = 380,
) -> hv.Overlay:
    """Draw candles, and prices by name as lines across them.

    Parameters
    ----------
    table : DataFrame (time,)
        open, high, low, close [quote]; the index holds the bars' opens.
    marks : mapping of words to price, optional
        Lines to draw [quote], with their words in the legend; at most four.
    quote : str
        Unit of the price axis.
    title : str
        Above the picture.
    height : int
        Height [px]; the width is the page's.

    Returns
    -------
    holoviews Overlay
        Time along the axis ``time``, price along ``price``.

    Raises
    ------
    ValueError
        An empty table, or more than four marks.
    """
    import holoviews as hv

    marks = dict(marks or {})
    if table.empty:
        raise ValueError("no candles to draw, got an empty table; widen the range")
    if len(marks) > len(LINES):
        raise ValueError(f"at most {len(LINES)} marks can be told apart, got {len(marks)}; leave some out")
    bokeh_hooks.use_bokeh()
    bar = step_of(table) if len(table) > 1 else pd.Timedelta("1h")
    opens = naive(pd.DatetimeIndex(table.index))
    middle, half = opens + bar / 2, 0.36 * bar
    kdims = ["time", "price", "time1", "price1"]
    wicks = hv.Segments((middle, table["low"], middle, table["high"]), kdims=kdims)
    parts: list[Any] = [wicks.opts(color="#555555", line_width=1)]
    up = (table["close"] >= table["open"]).to_numpy()
    for mask, colour in ((up, "#ffffff"), (~up, FALL)):
        body, at = table.loc[mask, ["open", "close"]], middle[mask]
        box = (at - half, body.min(axis=1), at + half, body.max(axis=1))
        parts.append(hv.Rectangles(box, kdims=kdims).opts(color=colour, line_color="#555555", line_width=0.7))
    ends = pd.DatetimeIndex([opens[0], opens[-1] + bar])
    for (words, price), (colour, dash) in zip(marks.items(), LINES, strict=False):
        line = hv.Curve((ends, [price, price]), "time", "price", label=words)
        parts.append(line.opts(color=colour, line_dash=dash, line_width=2))
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            title=raw(title), xlabel="time [UTC]", ylabel=f"price [{quote}]", fontsize=FONT, responsive=True,
            height=height, min_width=MIN_WIDTH_PX, toolbar="above", legend_position="top", legend_cols=2,
            show_legend=bool(marks), hooks=[bokeh_hooks.prices],
        )
    )  # fmt: skip


def candles_over(heat: xr.Dataset) -> hv.Overlay:
    """Wicks and bodies over the image, in that order."""
    import holoviews as hv

    table = heat[["open", "high", "low", "close"]].to_dataframe()[["open", "high", "low", "close"]]
    middle, half = middles(heat), 0.36 * column_width(heat)
    up = (table["close"] >= table["open"]).to_numpy()
    wicks = hv.Segments((middle, table["low"], middle, table["high"]), kdims=["time", "price", "time1", "price1"])
    bodies = []
    for mask, colour in ((up, RISE), (~up, FALL)):
        body = table[["open", "close"]].to_numpy()[mask]
        at = middle[mask]
        box = (at - half, body.min(axis=1), at + half, body.max(axis=1))
        bodies.append(hv.Rectangles(box, kdims=["time", "price", "time1", "price1"]).opts(color=colour, line_color=EDGE,
                                                                                          line_width=0.5))  # fmt: skip
    return hv.Overlay([wicks.opts(color=EDGE, line_width=1), *bodies])
