"""The map of one moment: notional by price, alone or at the side of a heatmap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.maps.stacking import one_heatmap
from liqlab.market.arguments import checked
from liqlab.plot import bokeh_hooks
from liqlab.plot.cells import bin_of, cells, unit_of
from liqlab.plot.style import FONT, HEIGHT, LONG, SHORT, SIDE_FONT, WIDE, heading, raw, view

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr


@checked()
def liquidation_map(
    heat: xr.Dataset,
    at: Any = None,
    *,
    ylim: tuple[float, float] | None = None,
    marks: Sequence[float] = (),
    width: int | None = None,
) -> hv.Overlay:
    """Draw the map of one moment: estimated notional by price, longs and shorts in their hues.

    Parameters
    ----------
    heat : Dataset
        From `liqlab.heatmap`.
    at : time-like, optional
        The last column closed at or before it; default: the last.
    ylim : (low, high), optional
        Prices shown [quote].
    marks : sequence of float
        Prices [quote] to mark with a dotted line.
    width : int, optional
        Width [px] of a panel beside a heatmap, which lends it its price axis; default: as wide as the page, with an
        axis of its own.

    Returns
    -------
    holoviews Overlay
    """
    import holoviews as hv

    from liqlab.maps.heatmaps import liquidation_map as moment_of

    bokeh_hooks.use_bokeh()
    heat = one_heatmap(heat)
    snap = moment_of(heat, at=at)
    low, high = ylim or view(heat)
    table = cells(heat.sel(time=[snap["time"].to_numpy()]), (low, high))  # as in the heatmap
    amounts = {side: table[side].isel(time=0).to_numpy() for side in ("longs", "shorts")}
    parts = profile_bars(table["price"].to_numpy(), bin_of(table) / 2, amounts, {"longs": LONG, "shorts": SHORT})
    parts += [hv.HLine(mark).opts(color="#555555", line_dash="dotted", line_width=1) for mark in marks]
    quote, closed = heat.attrs["quote"], f"{pd.Timestamp(snap['close_time'].item()):%d %b %Y %H:%M}"
    if width is None:
        words = heading(heat, f"Estimated liquidation map, {closed} UTC")
        look: dict[str, Any] = {
            "title": raw(words),
            "ylabel": f"price [{quote}]",
            "xlabel": f"estimated [{unit_of(table, heat)}]",
            "hooks": [bokeh_hooks.si_axis("x"), bokeh_hooks.prices],
            **WIDE,
            "height": 440,
        }
    else:
        look = {"title": f"\n\n\n\nmap at its close\n{closed}", "yaxis": None, "width": width, "height": HEIGHT,
                "xlabel": f"[{quote} per {bin_of(table):g}]",
                "hooks": [bokeh_hooks.si_axis("x"), bokeh_hooks.below]}  # fmt: skip
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            ylim=(low, high), legend_position="bottom_right", toolbar=None, xticks=2, show_legend=True,
            fontsize=FONT if width is None else SIDE_FONT, **look,
        )
    )  # fmt: skip


def profile_bars(price: np.ndarray, half: float, amounts: dict[str, np.ndarray], hues: dict[str, str]) -> list[Any]:
    """Bars by price, one set per name."""
    import holoviews as hv

    bars = []
    for name, amount in amounts.items():
        on = amount > 0
        data = {"zero": np.zeros(on.sum()), "price": price[on] - half, "amount": amount[on], "top": price[on] + half}
        boxes = hv.Rectangles(pd.DataFrame(data), kdims=["zero", "price", "amount", "top"], label=name)
        bars.append(boxes.opts(color=hues[name], line_width=0))
    return bars
