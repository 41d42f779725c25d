"""Observed liquidations over time × price, with their sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from liqlab.maps.stacking import one_heatmap
from liqlab.market.arguments import Table, checked
from liqlab.plot import bokeh_hooks
from liqlab.plot.cells import column_width, middles
from liqlab.plot.colour_bar import colours
from liqlab.plot.image import image
from liqlab.plot.profile import profile_bars
from liqlab.plot.style import FONT, HEIGHT, LONG, SHORT, SIDE, STRIP, WIDE, raw, short_number

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr


@checked(seen=Table("lq.observed_heatmap(market)"))
def observed_heatmap(
    seen: xr.Dataset,
    *,
    cmap: str = "black-yellow",
    logz: bool = True,
    cnorm: str | None = None,
    ylim: tuple[float, float] | None = None,
    strip: bool = True,
    profile: bool = True,
    title: str | None = None,
) -> hv.Layout | hv.Overlay:
    """Draw observed liquidations over time × price, with the closes as a line and the totals per side.

    Parameters
    ----------
    seen : Dataset
        From `liqlab.observed_heatmap`.
    cmap : str
        ``black-yellow`` (default) or ``purple-yellow``, which colour-blind eyes read too; ``green-red``, calm green to
        stressed red, as sources draw it; ``violet-red``.
    logz : bool
        Logarithmic colours (default) or linear ones.
    cnorm : str, optional
        ``linear``, ``log`` or ``eq_hist``, as in `heatmap`.
    ylim : (low, high), optional
        Prices shown [quote]; default: all that holds something.
    strip, profile : bool
        Draw the sums by time below, and by price at the side.
    title : str, optional
        Replaces the first line of the title.

    Returns
    -------
    holoviews Layout or Overlay
    """
    bokeh_hooks.use_bokeh()
    seen = one_heatmap(seen, "seen")
    if not is_observed(seen):
        raise ValueError("seen must be a map of observed liquidations; make it with lq.observed_heatmap(market), or "
                         "draw this one with lq.plot.heatmap")  # fmt: skip
    edges = seen["price_edge"].to_numpy()
    low, high = ylim or (float(edges[0]), float(edges[-1]))
    scale = colours(cmap, logz=logz, cnorm=cnorm)
    main = image(seen, (low, high), scale, what="observed") * _closes(seen)
    main = main.opts(
        ylim=(low, high), title=raw(observed_heading(seen, title)), xlabel="", ylabel=f"price [{seen.attrs['quote']}]",
        show_grid=False, fontsize=FONT, toolbar="above", hooks=[bokeh_hooks.borders, bokeh_hooks.prices], **WIDE,
    )  # fmt: skip
    if not (strip or profile):
        return main
    parts = [main]
    if profile:
        parts.append(_by_price(seen, (low, high)))
    if strip:
        parts.append(_by_time(seen))
    if strip and profile:
        parts.append(_corner())
    return bokeh_hooks.sheet(parts, 2 if profile else 1)


def is_observed(heat: xr.Dataset) -> bool:
    """Whether a map holds observed liquidations, and not estimated ones: only those were put at prices in some way."""
    return "placing" in heat.attrs


def observed_heading(seen: xr.Dataset, title: str | None) -> str:
    """Five short lines, as of an estimated map: what, of whom, how much, how it was put at prices."""
    a = seen.attrs
    sums = {side: float(seen["notional"].sel(side=side).sum()) for side in ("long", "short")}
    totals = " · ".join(f"{side}s {short_number(amount)}" for side, amount in sums.items())
    who = f"{a['symbol'] or 'no symbol'} · {a['exchange'] or 'no exchange'} · {a['time_step']}"
    return f"{title or a['title']}\n{who}\n{totals} {a['quote']}\n{a['placing']}\nat most one a second"


def _closes(seen: xr.Dataset) -> hv.Curve:
    """Closes, not candles: the bodies would hide the very cells that the bars were spread over."""
    import holoviews as hv

    line = pd.DataFrame({"time": middles(seen), "price": seen["close"].to_numpy()}).dropna()
    return hv.Curve(line, "time", "price").opts(color="#bdbdbd", line_width=1)


def _by_price(seen: xr.Dataset, ylim: tuple[float, float]) -> hv.Overlay:
    import holoviews as hv

    part = seen["notional"].sum("time")
    half = float(np.diff(seen["price_edge"].to_numpy()[:2])[0]) / 2
    amounts = {f"{side}s": part.sel(side=side).to_numpy() for side in ("long", "short")}
    bars = profile_bars(part["price"].to_numpy(), half, amounts, {"longs": LONG, "shorts": SHORT})
    return hv.Overlay(bars).opts(
        title="\n\n\nobserved\nby price", ylim=ylim, yaxis=None, xticks=2, width=SIDE, height=HEIGHT, toolbar=None,
        xlabel=f"[{seen.attrs['quote']} per {2 * half:g}]", fontsize=FONT, legend_position="bottom_right",
        show_legend=True,
        hooks=[bokeh_hooks.si_axis("x"), bokeh_hooks.below],
    )  # fmt: skip


def _by_time(seen: xr.Dataset) -> hv.Overlay:
    """Sums of each column: longs upwards, shorts downwards."""
    import holoviews as hv

    amount = seen["notional"].sum("price")
    middle, half = middles(seen), 0.45 * column_width(seen)
    bars = []
    for side, colour, sign in (("long", LONG, 1), ("short", SHORT, -1)):
        value = sign * amount.sel(side=side).to_numpy()
        on = value != 0
        box = (middle[on] - half, np.minimum(value, 0)[on], middle[on] + half, np.maximum(value, 0)[on])
        kdims = ["time", "amount", "time1", "amount1"]
        bars.append(hv.Rectangles(box, kdims=kdims).opts(color=colour, line_width=0))
    return hv.Overlay([*bars, hv.HLine(0).opts(color="#7f7f7f", line_width=1)]).opts(
        title="",
        xlabel="time [UTC]",
        ylabel=f"longs ▲ shorts ▼\n[{seen.attrs['quote']}]",
        yticks=3,
        fontsize=FONT,
        toolbar=None,
        show_grid=True,
        hooks=[bokeh_hooks.si_axis("y"), bokeh_hooks.borders],
        **{**WIDE, "height": STRIP},
    )


def _corner() -> hv.Overlay:
    """Nothing: the sheet wants a fourth part."""
    import holoviews as hv

    return hv.Overlay([hv.Text(0.5, 0.5, "")]).opts(
        width=SIDE, height=STRIP, xaxis=None, yaxis=None, toolbar=None, show_frame=False, title="",
        hooks=[bokeh_hooks.unlinked],
    )  # fmt: skip
