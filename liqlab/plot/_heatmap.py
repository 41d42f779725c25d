"""A heatmap and the map of one moment, drawn; and all of it in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.market.clock import naive, utc
from liqlab.market.market import Market
from liqlab.plot import bokeh_hooks, panels
from liqlab.plot._sweeps import own
from liqlab.plot.style import FONT, HEIGHT, LONG, SHORT, SIDE, WIDE, heading, view
from liqlab.plot.zones import clusters

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

__all__ = ["heatmap", "liquidation_map", "show"]

MAX_COLUMNS = 700  # more than a screen has pixels only make the page heavy


def heatmap(
    heat: xr.Dataset,
    market: Market | None = None,
    *,
    scale: str = "purple-yellow",
    log: bool = True,
    threshold: float = 0.0,
    price_range: tuple[float, float] | None = None,
    at: Any = None,
    positions: Any = None,
    zones: pd.DataFrame | None = None,
    strip: bool = True,
    profile: bool = True,
    title: str | None = None,
) -> hv.Layout | hv.Overlay:
    """Draw a heatmap: estimated levels, candles on top, the map of one moment at the side, a strip below.

    Parameters
    ----------
    heat : Dataset
        From `liqlab.heatmap`.
    market : Market, optional
        For the strip: open interest where the market has it, else volume. The candles come from `heat`.
    scale : str
        One of the four colour scales in circulation: ``purple-yellow``, ``black-yellow``, ``green-red``,
        ``violet-red``. The last two are neither perceptually uniform nor safe for colour-blind eyes.
    log : bool
        Logarithmic colours (default) or linear ones.
    threshold : float
        Share [0..1) of the brightest colour; dimmer cells are left dark.
    price_range : (low, high), optional
        Prices shown [quote]; default: the candles' range and about as much around it.
    at : time-like, optional
        Moment of the side profile; default: the last column. A line marks it when it is given.
    positions : mapping, sequence or DataFrame, optional
        Your own, as in `liqlab.assess_positions`: liquidation price and stop are drawn against the zones at that
        moment.
    zones : DataFrame, optional
        From `liqlab.clusters`: outlined, the largest labelled with peak, notional and leverages.
    strip, profile : bool
        Draw the strip below and the map at the side.
    title : str, optional
        Replaces the first line of the title; the legend line stays.

    Returns
    -------
    holoviews Layout or Overlay
        Composes with ``*`` and ``+``; rendered by Bokeh, as wide as its page.
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    low, high = price_range or view(heat)
    main = panels.image(heat, (low, high), scale, log, threshold) * panels.candles(heat)
    if at is not None:
        moment = naive(pd.DatetimeIndex([utc(at)]))[0]
        main = main * hv.VLine(moment).opts(color="white", line_dash="dashed", line_width=1)
    if zones is not None:
        main = main * clusters(zones, price_range=(low, high))
    if positions is not None:
        from liqlab.zones.stops import assess_positions as assessed

        main = main * own(assessed(positions, heat, at=at), heat, (low, high))
    main = main.opts(
        hv.opts.Overlay(
            title=heading(heat, title), ylim=(low, high), xlabel="", ylabel=f"price [{heat.attrs['quote']}]",
            show_grid=False, fontsize=FONT, toolbar="above", hooks=[bokeh_hooks.borders, bokeh_hooks.prices], **WIDE,
        )
    )  # fmt: skip
    if not (strip or profile):
        return main
    parts = [main]
    if profile:
        parts.append(liquidation_map(heat, at=at, price_range=(low, high), width=SIDE))
    if strip:
        parts.append(panels.strip(heat, market))
    if strip and profile:
        parts.append(panels.coverage(heat, at))
    return bokeh_hooks.sheet(parts, 2 if profile else 1)


def liquidation_map(
    heat: xr.Dataset,
    *,
    at: Any = None,
    price_range: tuple[float, float] | None = None,
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
    price_range : (low, high), optional
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
    snap = moment_of(heat, at=at)
    low, high = price_range or view(heat)
    snap = snap.sel(price=slice(low, high))
    amounts = snap["notional"].sum("leverage") if "leverage" in snap.dims else snap["notional"]
    half = np.diff(heat["price_edge"].to_numpy()[:2])[0] / 2
    price = snap["price"].to_numpy()
    parts: list[Any] = []
    for side, colour in (("long", LONG), ("short", SHORT)):
        amount = amounts.sel(side=side).to_numpy()
        on = amount > 0
        data = {"zero": np.zeros(on.sum()), "price": price[on] - half, "amount": amount[on], "top": price[on] + half}
        bars = hv.Rectangles(pd.DataFrame(data), kdims=["zero", "price", "amount", "top"], label=f"{side}s")
        parts.append(bars.opts(color=colour, line_width=0))
    parts += [hv.HLine(mark).opts(color="#555555", line_dash="dotted", line_width=1) for mark in marks]
    quote, closed = heat.attrs["quote"], f"{pd.Timestamp(snap['close_time'].item()):%d %b %Y %H:%M}"
    unit = f"{quote} per {2 * half:.6g}"
    if width is None:
        words = heading(heat, f"Estimated liquidation map, {closed} UTC")
        look: dict[str, Any] = {
            "title": words,
            "ylabel": f"price [{quote}]",
            "xlabel": f"estimated [{unit}]",
            "hooks": [bokeh_hooks.si_axis("x"), bokeh_hooks.prices],
            **WIDE,
            "height": 440,
        }
    else:
        look = {"title": f"\n\n\nmap at its close\n{closed}", "yaxis": None, "xlabel": f"[{unit}]",
                "width": width, "height": HEIGHT,
                "hooks": [bokeh_hooks.si_axis("x"), bokeh_hooks.below]}  # fmt: skip
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            ylim=(low, high), fontsize=FONT, legend_position="bottom_right", toolbar=None, xticks=2, show_legend=True,
            **look,
        )
    )  # fmt: skip


def show(
    case: str | Market, model: str = "open_interest", *, start: Any = None, end: Any = None, **options: Any
) -> hv.Layout:
    """A case in one line: load it, build its heatmap over the part worth looking at first, draw it.

    Parameters
    ----------
    case : str or Market
        A name from `liqlab.examples`, or a market of your own.
    model : str
        As in `liqlab.heatmap`.
    start, end : time-like, optional
        What is shown; default: the case's window, or a market's last three days.
    **options
        Those of `heatmap` here (``scale=``, ``threshold=``, …) and of `liqlab.heatmap` (``lookback=``, ``law=``, …).

    Returns
    -------
    holoviews Layout or Overlay
        As `heatmap` here.
    """
    from liqlab.loaders import _examples
    from liqlab.maps import heatmaps

    market = _examples.load_example(case) if isinstance(case, str) else case
    if isinstance(case, str):
        row = _examples.examples().loc[case]
        start, end = start or row["window_start"], end or row["window_end"]
    start = start or max(market.start, market.end - pd.Timedelta("3D"))
    span = pd.Timedelta(utc(end or market.end) - utc(start))
    wide = -(-span // (MAX_COLUMNS * market.step)) * market.step
    options.setdefault("time_step", wide if wide > market.step else None)
    mine = {name: options.pop(name) for name in list(options) if name in _DRAWING}
    heat = heatmaps.heatmap(market, model, start=start, end=end, **options)
    return heatmap(heat, market, **mine)


_DRAWING = ("scale", "log", "threshold", "at", "positions", "zones", "strip", "profile", "title")
