"""Observed liquidations over time × price, with their sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from liqlab.plot import bokeh_hooks
from liqlab.plot.cells import bin_of, cells, column_width, middles
from liqlab.plot.colour_bar import COLOUR_BAR, colours_of, limits, lowest
from liqlab.plot.profile import profile_bars
from liqlab.plot.style import FONT, HEIGHT, LONG, SHORT, SIDE, STRIP, WIDE

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr


def observed_heatmap(
    seen: xr.Dataset,
    *,
    cmap: str = "black-yellow",
    logz: bool = True,
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
    edges = seen["price_edge"].to_numpy()
    low, high = ylim or (float(edges[0]), float(edges[-1]))
    main = _cells(seen, (low, high), cmap, logz) * _closes(seen)
    main = main.opts(
        ylim=(low, high), title=observed_heading(seen, title), xlabel="", ylabel=f"price [{seen.attrs['quote']}]",
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


def short_number(x: float) -> str:
    """12.5M and the like.

    >>> short_number(12_520_000), short_number(0)
    ('12.5M', '0')
    """
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(x) >= size:
            return f"{x / size:.3g}{unit}"
    return f"{x:.3g}"


def _cells(seen: xr.Dataset, ylim: tuple[float, float], cmap: str, logz: bool) -> hv.Image:
    import hvplot.xarray  # noqa: F401  (registers .hvplot)

    table = cells(seen, ylim).rename(estimated="observed")
    low, high = limits(table["observed"].to_numpy(), 0.0)
    quote = seen.attrs["quote"]
    picture = table.where(table["observed"] > 0).hvplot.image(
        x="time", y="price", z="observed", cmap=colours_of(cmap), logz=logz, clim=(low, high) if logz else (0, high),
        clabel=f"observed [{quote} per {bin_of(table):g} {quote} of price]", **WIDE,
    )  # fmt: skip
    picture = picture.clone(table.where(table["observed"] > 0), vdims=[*picture.vdims, "longs", "shorts"])
    hover = [("time", "$x{%F %H:%M}"), ("price", "$y{0,0.[0000]}"), ("longs", "@longs{custom}"),
             ("shorts", "@shorts{custom}")]  # fmt: skip
    return picture.opts(
        bgcolor=lowest(cmap), tools=["hover", "crosshair"], hooks=[bokeh_hooks.hover(hover), bokeh_hooks.si_colorbar],
        **COLOUR_BAR,
    )  # fmt: skip


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
        title="\n\n\nobserved\nby price", ylim=ylim, yaxis=None, xlabel=f"[{seen.attrs['quote']}]", xticks=2,
        width=SIDE, height=HEIGHT, toolbar=None, fontsize=FONT, legend_position="bottom_right", show_legend=True,
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
