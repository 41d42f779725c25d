"""Pictures: tables in, HoloViews objects out. Nothing is decided here, nothing is shown here.

Colours are safe for colour-blind readers by default; longs are orange and shorts blue everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab import _hooks
from liqlab._ink import (
    EDGE,
    FALL,
    FONT,
    HEIGHT,
    LONG,
    RISE,
    SCALES,
    SHORT,
    WIDE,
    heading,
    limits,
    lowest,
    view,
)  # fmt: skip
from liqlab._lessons import explain, law, levels
from liqlab._png import png
from liqlab.clock import naive, utc
from liqlab.market import Market

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

__all__ = ["SCALES", "explain", "heatmap", "law", "levels", "liquidation_map", "png", "show"]

STRIP, SIDE = 150, 150
# More cells than a screen has pixels only make the page heavy: bins are summed, and `show` takes wider columns.
MOST_BINS, MOST_COLUMNS = 400, 700


def heatmap(
    heat: xr.Dataset,
    market: Market | None = None,
    *,
    scale: str = "purple-yellow",
    log: bool = True,
    threshold: float = 0.0,
    price_range: tuple[float, float] | None = None,
    at: Any = None,
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
        Share [0..1) of the brightest cell shown; dimmer cells are left dark.
    price_range : (low, high), optional
        Prices shown [quote]; default: the candles' range and about as much around it.
    at : time-like, optional
        Moment of the side profile; default: the last column. A line marks it when it is given.
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

    _hooks.use_bokeh()
    low, high = price_range or view(heat)
    shown = heat.sel(price=slice(low, high))
    if not shown.sizes["price"]:
        bottom, top = heat["price_edge"].to_numpy()[[0, -1]]
        raise ValueError(f"price_range ({low:g}, {high:g}) holds no bin; bins run from {bottom:g} to {top:g}")
    shown = shown.coarsen(price=-(-shown.sizes["price"] // MOST_BINS), boundary="trim").sum(keep_attrs=True)
    main = _image(shown, scale, log, threshold) * _candles(heat)
    if at is not None:
        moment = naive(pd.DatetimeIndex([utc(at)]))[0]
        main = main * hv.VLine(moment).opts(color="white", line_dash="dashed", line_width=1)
    main = main.opts(
        hv.opts.Overlay(
            title=heading(heat, title), ylim=(low, high), xlabel="", ylabel=f"price [{heat.attrs['quote']}]",
            show_grid=False, fontsize=FONT, toolbar="above", hooks=[_hooks.borders, _hooks.prices], **WIDE,
        )
    )  # fmt: skip
    if not (strip or profile):
        return main
    parts = [main]
    if profile:
        parts.append(liquidation_map(heat, at=at, price_range=(low, high), width=SIDE))
    if strip:
        parts.append(_strip(heat, market))
    if strip and profile:
        parts.append(_coverage(heat, at))
    return _hooks.sheet(parts, 2 if profile else 1)


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

    from liqlab.maps import liquidation_map as moment_of

    _hooks.use_bokeh()
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
        data = {"zero": np.zeros(on.sum()), "bottom": price[on] - half, "amount": amount[on], "top": price[on] + half}
        bars = hv.Rectangles(pd.DataFrame(data), kdims=["zero", "bottom", "amount", "top"], label=f"{side}s")
        parts.append(bars.opts(color=colour, line_width=0))
    parts += [hv.HLine(mark).opts(color="#555555", line_dash="dotted", line_width=1) for mark in marks]
    quote, closed = heat.attrs["quote"], f"{pd.Timestamp(snap['close_time'].item()):%d %b %Y %H:%M}"
    if width is None:
        look: dict[str, Any] = {"title": f"Estimated liquidation map, {closed} UTC", "ylabel": f"price [{quote}]",
                                "hooks": [_hooks.si_axis("x"), _hooks.prices], **WIDE, "height": 400}  # fmt: skip
    else:
        look = {"title": f"\n\nmap at its close\n{closed}", "yaxis": None, "width": width, "height": HEIGHT,
                "hooks": [_hooks.si_axis("x"), _hooks.below]}  # fmt: skip
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            ylim=(low, high), fontsize=FONT, xlabel=f"estimated [{quote}]", legend_position="bottom_right",
            toolbar=None, xticks=2, show_legend=True, **look,
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
    from liqlab import datasets, maps

    market = datasets.load_example(case) if isinstance(case, str) else case
    if isinstance(case, str):
        row = datasets.examples().loc[case]
        start, end = start or row["window_start"], end or row["window_end"]
    start = start or max(market.start, market.end - pd.Timedelta("3D"))
    span = pd.Timedelta(utc(end or market.end) - utc(start))
    wide = -(-span // (MOST_COLUMNS * market.step)) * market.step
    options.setdefault("column", wide if wide > market.step else None)
    mine = {name: options.pop(name) for name in list(options) if name in _DRAWING}
    heat = maps.heatmap(market, model, start=start, end=end, **options)
    return heatmap(heat, market, **mine)


_DRAWING = ("scale", "log", "threshold", "at", "strip", "profile", "title")


def _image(shown: xr.Dataset, scale: str, log: bool, threshold: float) -> hv.Image:
    import hvplot.xarray  # noqa: F401  (registers .hvplot)

    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold is a share of the brightest cell in [0, 1), got {threshold!r}")
    amount = shown["notional"].sum("leverage") if "leverage" in shown.dims else shown["notional"]
    sides = {f"{side}s": amount.sel(side=side, drop=True).astype("float32") for side in ("long", "short")}
    total = amount.sum("side").astype("float32")
    low, high = limits(total.to_numpy(), threshold)
    table = total.where(total >= (low if threshold else 0)).to_dataset(name="estimated").assign(sides)
    table = table.drop_vars([name for name in table.coords if name not in ("time", "price")])
    quote = shown.attrs["quote"]
    image = table.hvplot.image(
        x="time", y="price", z="estimated", cmap=SCALES[scale], logz=log, clim=(low, high) if log else (0, high),
        clabel=f"estimated, standing [{quote} per {_bin(shown):g} {quote} of price]", **WIDE,
    )  # fmt: skip
    image = image.clone(table, vdims=[*image.vdims, *sides])  # hvPlot draws one variable; the hover reads all three
    hover = [
        ("time", "$x{%F %H:%M}"),
        ("price", "$y{0,0.[0000]}"),
        ("longs", "@longs{0.0a}"),
        ("shorts", "@shorts{0.0a}"),
    ]
    return image.opts(
        bgcolor=lowest(scale), tools=["crosshair"], hooks=[_hooks.hover(hover), _hooks.si_colorbar],
        colorbar_position="bottom",
        colorbar_opts={"height": 9, "title_text_font_size": "8pt", "title_standoff": 3, "padding": 2},
    )  # fmt: skip


def _bin(shown: xr.Dataset) -> float:
    """Width of a bin [quote]."""
    price = shown["price"].to_numpy()
    return float(f"{price[1] - price[0]:.9g}") if len(price) > 1 else float("nan")


def _candles(heat: xr.Dataset) -> hv.Overlay:
    """Wicks and bodies over the image, in that order."""
    import holoviews as hv

    table = heat[["open", "high", "low", "close"]].to_dataframe()[["open", "high", "low", "close"]]
    wide = pd.Timedelta((heat["close_time"] - heat["time"]).to_numpy().max())
    middle, half = pd.DatetimeIndex(table.index) + 0.5 * wide, 0.36 * wide
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


def _strip(heat: xr.Dataset, market: Market | None) -> hv.Element:
    """Open interest where the market has it, else the volume, on the heatmap's time axis."""
    import hvplot.pandas  # noqa: F401  (registers .hvplot)

    shared: dict[str, Any] = {**WIDE, "height": STRIP, "xlabel": "time [UTC]", "grid": True, "title": "",
                              "hover": False, "color": "#7f7f7f"}  # fmt: skip
    coin = heat.attrs["coin"]
    if market is None or market.open_interest is None:
        volume = heat["volume"].to_dataframe()[["volume"]]
        picture = volume.hvplot.step(y="volume", ylabel=f"volume [{coin}]", **shared)
    else:
        table = market.open_interest
        first, last = heat["time"].to_numpy()[0], heat["close_time"].to_numpy()[-1]
        stamps = naive(table.index)
        on = (stamps >= first) & (stamps <= last)
        kind = market.sources.get("open_interest", {})
        whose = f" ({kind.get('exchange')})" if kind.get("kind") == "proxy" else ""
        line = pd.DataFrame(
            {"open_interest": table["open_interest"].to_numpy()[on]}, index=pd.Index(stamps[on], name="time")
        )
        picture = line.hvplot.step(y="open_interest", where="post", ylabel=f"OI{whose} [{coin}]", **shared)
    return picture.opts(fontsize=FONT, toolbar=None, yticks=3, hooks=[_hooks.si_axis("y"), _hooks.borders])


def _coverage(heat: xr.Dataset, at: Any) -> hv.Overlay:
    """How much of the open interest the map accounts for: placed ÷ (placed + unplaced), by side."""
    import holoviews as hv

    from liqlab.maps import liquidation_map as moment_of

    snap = moment_of(heat, at=at)
    known = "unplaced" in snap and not heat.attrs["open_interest"].startswith("not used")
    placed, unplaced = snap["placed"].to_numpy(), snap["unplaced"].to_numpy()
    share = np.divide(placed, placed + unplaced, out=np.zeros(2), where=placed + unplaced > 0) if known else np.zeros(2)
    bars = [hv.Rectangles([(k - 0.35, 0.0, k + 0.35, share[k])]).opts(color=colour, line_width=0)
            for k, colour in enumerate((LONG, SHORT))]  # fmt: skip
    assumed = heat.attrs["open_interest"].startswith("none")
    title = ("coverage (OI assumed)" if assumed else "coverage [% of OI]") if known else "coverage: no OI used"
    return hv.Overlay(bars).opts(
        title=title, width=SIDE, height=STRIP, ylim=(0, 1), xlim=(-0.6, 1.6), xlabel="", ylabel="", toolbar=None,
        xticks=[(0, f"L {share[0]:.0%}"), (1, f"S {share[1]:.0%}")] if known else 0, yticks=[(0, ""), (1, "")],
        fontsize=FONT, hooks=[_hooks.unlinked],
    )  # fmt: skip
