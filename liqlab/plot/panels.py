"""The parts of a heatmap's picture: cells, candles, the strip below, the coverage in the corner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.market.clock import naive, timedelta
from liqlab.market.market import Market
from liqlab.plot import bokeh_hooks
from liqlab.plot.style import EDGE, FALL, FONT, LONG, RISE, SHORT, SIDE, STRIP, WIDE, colours_of, limits, lowest

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

MAX_BINS = 400  # more cells than a screen has pixels only make the page heavy: bins are summed


def image(heat: xr.Dataset, price_range: tuple[float, float], scale: str, log: bool, threshold: float) -> hv.Image:
    """The levels: both sides' sum as colour, each side in the hover."""
    import hvplot.xarray  # noqa: F401  (registers .hvplot)

    colours = colours_of(scale)
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold is a share of the brightest colour in [0, 1), got {threshold!r}")
    table = cells(heat, price_range)
    low, high = limits(table["estimated"].to_numpy(), threshold)
    table["estimated"] = table["estimated"].where(table["estimated"] >= threshold * high)
    quote, sides = heat.attrs["quote"], ["longs", "shorts"]
    picture = table.hvplot.image(
        x="time", y="price", z="estimated", cmap=colours, logz=log, clim=(low, high) if log else (0, high),
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
        bgcolor=lowest(scale), tools=["hover", "crosshair"], hooks=[bokeh_hooks.hover(hover), bokeh_hooks.si_colorbar],
        colorbar_position="bottom",
        colorbar_opts={"height": 9, "title_text_font_size": "8pt", "title_standoff": 3, "padding": 2},
    )  # fmt: skip


def cells(heat: xr.Dataset, price_range: tuple[float, float], *, most: int = MAX_BINS) -> xr.Dataset:
    """Estimated, longs and shorts on even cells, as an image needs them: bins summed, missing columns empty."""
    low, high = price_range
    first, stop = np.searchsorted(heat["price"].to_numpy(), [low, high])
    if first == stop:
        bottom, top = heat["price_edge"].to_numpy()[[0, -1]]
        raise ValueError(f"price_range ({low:g}, {high:g}) holds no bin; bins run from {bottom:g} to {top:g}")
    together = -(-(stop - first) // most)
    # whole groups of bins, rather a bin more than one less
    stop = min(stop + (first - stop) % together, heat.sizes["price"])
    first = max(first - (first - stop) % together, 0)
    amount = heat["notional"].isel(price=slice(first, stop))
    amount = amount.sum("leverage") if "leverage" in amount.dims else amount
    amount = amount.coarsen(price=together, boundary="trim").sum() if together > 1 else amount
    sides = {f"{side}s": amount.sel(side=side, drop=True) for side in ("long", "short")}
    table = sides["longs"].to_dataset(name="longs").assign(shorts=sides["shorts"], estimated=amount.sum("side"))
    table = table[["estimated", "longs", "shorts"]].astype("float32").assign_coords(time=middles(heat))
    table = table.drop_vars([name for name in table.coords if name not in ("time", "price")])
    wide = column_width(heat).to_numpy()
    n = max(round((table["time"].to_numpy()[-1] - table["time"].to_numpy()[0]) / wide) + 1, 2)
    table = table.reindex(time=table["time"].to_numpy()[0] + wide * np.arange(n))
    if table.sizes["price"] == 1:  # one bin has no width of its own
        price = table["price"].item()
        table = table.reindex(price=[price, price + float(np.diff(heat["price_edge"].to_numpy()[:2])[0])])
    return table


def middles(heat: xr.Dataset) -> pd.DatetimeIndex:
    """Middle of every column: a column is as wide as the others, even if its first bars are missing."""
    wide = column_width(heat)
    return pd.DatetimeIndex(heat["time"].to_numpy()).floor(wide) + wide / 2


def milliseconds(times: Any) -> np.ndarray:
    """Times as Bokeh draws them."""
    return np.asarray(times).astype("datetime64[us]").astype(np.int64) / 1000


def column_width(heat: xr.Dataset) -> pd.Timedelta:
    return timedelta(heat.attrs["time_step"]).as_unit("ns")


def bin_of(table: xr.Dataset) -> float:
    """Width of a bin [quote]."""
    price = table["price"].to_numpy()
    return float(f"{price[1] - price[0]:.9g}")


def candles(heat: xr.Dataset) -> hv.Overlay:
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


def strip(heat: xr.Dataset, market: Market | None) -> hv.Element:
    """Open interest where the market has it, else the volume, on the heatmap's time axis."""
    import hvplot.pandas  # noqa: F401  (registers .hvplot)

    shared: dict[str, Any] = {**WIDE, "height": STRIP, "xlabel": "time [UTC]", "grid": True, "title": "",
                              "hover": False, "color": "#7f7f7f"}  # fmt: skip
    coin = heat.attrs["coin"]
    if market is None or market.open_interest is None:
        volume = pd.DataFrame({"volume": heat["volume"].to_numpy()}, index=middles(heat).rename("time"))
        picture = volume.hvplot.step(y="volume", where="mid", ylabel=f"volume [{coin}]", **shared)
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
    return picture.opts(fontsize=FONT, toolbar=None, yticks=3, hooks=[bokeh_hooks.si_axis("y"), bokeh_hooks.borders])


def coverage(heat: xr.Dataset, at: Any) -> hv.Overlay:
    """How much of the open interest the map accounts for: attributed ÷ (attributed + unattributed), by side."""
    import holoviews as hv

    from liqlab.maps.heatmaps import liquidation_map as moment_of

    snap = moment_of(heat, at=at)
    known = "unattributed_oi" in snap and not heat.attrs["open_interest"].startswith("not used")
    attributed_oi, unattributed_oi = snap["attributed_oi"].to_numpy(), snap["unattributed_oi"].to_numpy()
    share = (
        np.divide(
            attributed_oi, attributed_oi + unattributed_oi, out=np.zeros(2), where=attributed_oi + unattributed_oi > 0
        )
        if known
        else np.zeros(2)
    )
    bars = [hv.Rectangles([(k - 0.35, 0.0, k + 0.35, share[k])]).opts(color=colour, line_width=0)
            for k, colour in enumerate((LONG, SHORT))]  # fmt: skip
    assumed = heat.attrs["open_interest"].startswith("none")
    title = ("coverage, assumed" if assumed else "coverage [% of OI]") if known else "coverage: no OI"
    return hv.Overlay(bars).opts(
        title=title, width=SIDE, height=STRIP, ylim=(0, 1), xlim=(-0.6, 1.6), xlabel="", ylabel="", toolbar=None,
        xticks=[(0, f"L {share[0]:.0%}"), (1, f"S {share[1]:.0%}")] if known else 0, yticks=[(0, ""), (1, "")],
        fontsize=FONT, hooks=[bokeh_hooks.unlinked],
    )  # fmt: skip
