"""Pictures: tables in, HoloViews objects out. Nothing is decided here, nothing is shown here.

Colours are safe for colour-blind readers by default; longs are orange and shorts blue everywhere.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.market import Market, naive, utc

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

__all__ = ["SCALES", "heatmap", "levels", "liquidation_map", "png", "show"]

LONG, SHORT = "#e69f00", "#56b4e9"
RISE, FALL, EDGE = "#ffffff", "#1b1b1b", "#d9d9d9"
# The four colour scales in circulation, by name; the first two are perceptually uniform and safe for colour-blind eyes.
SCALES = {
    "purple-yellow": "viridis",
    "black-yellow": "inferno",
    "green-red": "RdYlGn_r",
    "violet-red": "turbo",
}
HEIGHT, STRIP, SIDE = 500, 150, 150
NARROWEST = 190  # a heatmap and its profile side by side still fit a phone
# More cells than a screen has pixels only make the page heavy: bins are summed, and `show` takes wider columns.
MOST_BINS, MOST_COLUMNS = 400, 700
# Limits of the colour scale, as quantiles of the positive cells: a few huge cells must not black out the rest.
QUANTILES = (0.35, 0.999)


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

    _extension()
    low, high = price_range or _view(heat)
    shown = heat.sel(price=slice(low, high))
    if not shown.sizes["price"]:
        raise ValueError(f"price_range ({low:g}, {high:g}) holds no bin; bins run from {heat['price_edge'][0].item():g} "
                         f"to {heat['price_edge'][-1].item():g}")  # fmt: skip
    shown = shown.coarsen(price=-(-shown.sizes["price"] // MOST_BINS), boundary="trim").sum(keep_attrs=True)
    main = _image(shown, scale, log, threshold) * _candles(heat)
    if at is not None:
        moment = naive(pd.DatetimeIndex([utc(at)]))[0]
        main = main * hv.VLine(moment).opts(color="white", line_dash="dashed", line_width=1)
    main = main.opts(
        hv.opts.Overlay(
            title=_title(heat, title), ylim=(low, high), xlabel="", ylabel=f"price [{heat.attrs['quote']}]",
            show_grid=False, fontsize=_FONT, toolbar="above", hooks=[_borders, _prices], **_WIDE,
        )
    )  # fmt: skip
    if not (strip or profile):
        return main
    parts = [main]
    if profile:
        parts.append(liquidation_map(heat, at=at, price_range=(low, high)))
    if strip:
        parts.append(_strip(heat, market))
    if strip and profile:
        parts.append(_coverage(heat, at))
    return _sheet(parts, 2 if profile else 1)


def liquidation_map(
    heat: xr.Dataset, *, at: Any = None, price_range: tuple[float, float] | None = None, width: int = SIDE
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
    width : int
        Width [px]; the height is the heatmap's, so that both share their price axis.
    """
    import holoviews as hv

    from liqlab.maps import liquidation_map as moment_of

    _extension()
    snap = moment_of(heat, at=at)
    low, high = price_range or _view(heat)
    snap = snap.sel(price=slice(low, high))
    half = np.diff(heat["price_edge"].to_numpy()[:2])[0] / 2
    price = snap["price"].to_numpy()
    bars = []
    for side, colour in (("long", LONG), ("short", SHORT)):
        amount = snap["notional"].sel(side=side).to_numpy()
        on = amount > 0
        data = {"zero": np.zeros(on.sum()), "bottom": price[on] - half, "amount": amount[on], "top": price[on] + half}
        bars.append(
            hv.Rectangles(pd.DataFrame(data), kdims=["zero", "bottom", "amount", "top"], label=f"{side}s").opts(
                color=colour, line_width=0
            )
        )
    closed = pd.Timestamp(snap["close_time"].item())
    return hv.Overlay(bars).opts(
        hv.opts.Overlay(
            title=f"\n\nmap at its close\n{closed:%d %b %Y %H:%M}", width=width, height=HEIGHT, ylim=(low, high),
            fontsize=_FONT, yaxis=None, xlabel=f"estimated [{heat.attrs['quote']}]", legend_position="bottom_right",
            toolbar=None, xticks=2, hooks=[_si_axis("x"), _below], show_legend=True,
        )
    )  # fmt: skip


def levels(table: pd.DataFrame, *, quote: str = "quote", title: str = "Estimated liquidation levels") -> hv.Overlay:
    """Draw a table of `liqlab.levels`: each level from its opening to its touch.

    Parameters
    ----------
    table : DataFrame
        From `liqlab.levels`.
    quote : str
        Unit of the price axis.
    title : str
        First line.
    """
    import holoviews as hv

    _extension()
    end = table["touched_at"].max() if table["touched_at"].notna().any() else table["opened_at"].max()
    rows = table.assign(until=table["touched_at"].fillna(max(end, table["opened_at"].max()) + pd.Timedelta("1min")))
    rows = rows.assign(opened_at=naive(rows["opened_at"]), until=naive(rows["until"]))
    kdims = ["opened_at", "liquidation_price", "until", "again"]
    lines = []
    for side, colour in (("long", LONG), ("short", SHORT)):
        part = rows[rows["side"] == side].assign(again=lambda x: x["liquidation_price"])
        lines.append(
            hv.Segments(part, kdims=kdims, vdims=["leverage", "entry_price"], label=f"{side}s").opts(color=colour)
        )
    return hv.Overlay(lines).opts(
        hv.opts.Segments(tools=["hover"], line_width=1.5),
        hv.opts.Overlay(title=title, xlabel="", ylabel=f"liquidation price [{quote}]", fontsize=_FONT,
                        legend_position="top_left", hooks=[_prices], **_WIDE),
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
    """
    from liqlab import datasets, maps

    market = datasets.load_example(case) if isinstance(case, str) else case
    if isinstance(case, str):
        row = datasets.examples().loc[case]
        start, end = start or row["window_start"], end or row["window_end"]
    start = start or max(market.start, market.end - pd.Timedelta("3d"))
    span = pd.Timedelta(utc(end or market.end) - utc(start))
    wide = -(-span // (MOST_COLUMNS * market.step)) * market.step
    options.setdefault("column", wide if wide > market.step else None)
    mine = {name: options.pop(name) for name in list(options) if name in _DRAWING}
    heat = maps.heatmap(market, model, start=start, end=end, **options)
    return heatmap(heat, market, **mine)


def png(
    heat: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    scale: str = "purple-yellow",
    price_range: tuple[float, float] | None = None,
    title: str | None = None,
    width: float = 10.0,
    dpi: int = 110,
) -> Path:
    """Write a heatmap as PNG, without a browser (matplotlib).

    Parameters
    ----------
    heat : Dataset
        From `liqlab.heatmap`.
    path : path-like
        File to write; an existing one is replaced once the new one is whole.
    scale, price_range, title
        As in `heatmap`.
    width : float
        Width [inches].
    dpi : int
        Dots per inch.

    Returns
    -------
    Path
        The file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    low, high = price_range or _view(heat)
    figure = Figure(figsize=(width, 0.56 * width), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, sharey=True, width_ratios=[6, 1])
    _png_heat(figure, axes[0], heat.sel(price=slice(low, high)), scale)
    _png_profile(axes[1], heat, (low, high))
    axes[0].set_ylim(low, high)
    figure.suptitle(_title(heat, title), fontsize=9, x=0.01, ha="left")
    target = Path(path)
    part = target.with_name(target.name + ".tmp")
    figure.savefig(part, format="png")
    part.replace(target)
    return target


def _png_heat(figure: Any, axes: Any, shown: xr.Dataset, scale: str) -> None:
    from matplotlib import colormaps
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LogNorm
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
    from matplotlib.ticker import EngFormatter, LogLocator

    total = shown["notional"].sum([d for d in shown["notional"].dims if d not in ("time", "price")]).to_numpy()
    low, high = _limits(total, 0.0)
    times = date2num(np.append(shown["time"].to_numpy(), shown["close_time"].to_numpy()[-1:]))
    price = shown["price"].to_numpy()
    half = (price[1] - price[0]) / 2 if len(price) > 1 else 0.5
    colours = colormaps[SCALES[scale]].with_extremes(bad=_lowest(scale), under=_lowest(scale))
    image = axes.imshow(
        np.where(total > 0, total, np.nan).T, origin="lower", aspect="auto", interpolation="nearest", cmap=colours,
        norm=LogNorm(low, high), extent=(times[0], times[-1], price[0] - half, price[-1] + half),
    )  # fmt: skip
    middle = (times[1:] + times[:-1]) / 2
    ohlc = {name: shown[name].to_numpy() for name in ("open", "high", "low", "close")}
    for (a, b), wide in ((("low", "high"), 0.6), (("open", "close"), max(1.0, 250 / len(middle)))):
        lines = np.stack([np.column_stack([middle, ohlc[a]]), np.column_stack([middle, ohlc[b]])], axis=1)
        axes.add_collection(LineCollection(lines, colors="white" if a == "low" else
                                           np.where(ohlc["close"] >= ohlc["open"], RISE, "#a8a8a8"), linewidths=wide))  # fmt: skip
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_ylabel(f"price [{shown.attrs['quote']}]")
    axes.set_xlabel("time [UTC]")
    bar = figure.colorbar(image, ax=axes, pad=0.01, fraction=0.03, label=f"estimated [{shown.attrs['quote']} per bin]")
    bar.ax.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0)))
    bar.ax.yaxis.set_major_formatter(EngFormatter(sep=""))
    bar.minorticks_off()


def _png_profile(axes: Any, heat: xr.Dataset, price_range: tuple[float, float]) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    last = heat.isel(time=-1).sel(price=slice(*price_range))
    price = last["price"].to_numpy()
    height = price[1] - price[0] if len(price) > 1 else 1.0
    amount = last["notional"].sum([d for d in last["notional"].dims if d not in ("price", "side")])
    for side, colour in (("long", LONG), ("short", SHORT)):
        axes.barh(price, amount.sel(side=side).to_numpy(), height=height, color=colour, label=f"{side}s")
    axes.legend(fontsize=7, frameon=False, loc="lower right")
    axes.xaxis.set_major_locator(MaxNLocator(2))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_title(f"map at {pd.Timestamp(last['close_time'].item()):%d %b %H:%M}", fontsize=8)


_DRAWING = ("scale", "log", "threshold", "at", "strip", "profile", "title")
_WIDE = {"responsive": True, "height": HEIGHT, "min_width": NARROWEST}
_FONT = {"title": "9pt", "labels": "9pt", "ticks": "8pt", "legend": "8pt", "clabel": "8pt", "cticks": "8pt"}


def _extension() -> None:
    """Bokeh as the backend, without touching what a notebook has loaded already."""
    import holoviews as hv

    if "bokeh" not in hv.Store.registry or hv.Store.current_backend != "bokeh":
        hv.extension("bokeh", logo=False)


def _sheet(parts: list[Any], columns: int) -> hv.Layout:
    """A layout whose first column takes all the width that the others leave."""
    import holoviews as hv
    from holoviews.plotting.bokeh import LayoutPlot

    if "Sheet" not in _registered:

        class Sheet(hv.Layout):
            pass

        class SheetPlot(LayoutPlot):
            def initialize_plot(self, *args: Any, **kwargs: Any) -> Any:
                grid = super().initialize_plot(*args, **kwargs)
                grid.toolbar.logo = None
                grid.cols = ["1fr", *["max-content"] * (self.cols - 1)]
                return grid

        hv.Store.register({Sheet: SheetPlot}, "bokeh")
        _registered["Sheet"] = Sheet
    return (
        _registered["Sheet"](parts)
        .cols(columns)
        .opts(shared_axes=True, merge_tools=True, toolbar="above", show_title=False)
    )


_registered: dict[str, Any] = {}


def _view(heat: xr.Dataset) -> tuple[float, float]:
    """The candles' range and nearly half as much above and below, at least 4 % of the price."""
    low, high = float(heat["low"].min()), float(heat["high"].max())
    around = max(0.45 * (high - low), 0.04 * high)
    return max(low - around, float(heat["price_edge"][0])), min(high + around, float(heat["price_edge"][-1]))


def _limits(total: np.ndarray, threshold: float) -> tuple[float, float]:
    """Colour limits [quote] from quantiles of the positive cells."""
    positive = total[total > 0]
    if not positive.size:
        return 1.0, 10.0
    low, high = np.quantile(positive, QUANTILES)
    return max(float(low), threshold * float(high), 1e-3 * float(high)), float(high)


def _image(shown: xr.Dataset, scale: str, log: bool, threshold: float) -> hv.Image:
    import hvplot.xarray  # noqa: F401  (registers .hvplot)

    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold is a share of the brightest cell in [0, 1), got {threshold!r}")
    amount = shown["notional"].sum("leverage") if "leverage" in shown.dims else shown["notional"]
    sides = {f"{side}s": amount.sel(side=side, drop=True).astype("float32") for side in ("long", "short")}
    total = amount.sum("side").astype("float32")
    low, high = _limits(total.to_numpy(), threshold)
    table = total.where(total >= (low if threshold else 0)).to_dataset(name="estimated").assign(sides)
    table = table.drop_vars([name for name in table.coords if name not in ("time", "price")])
    quote = shown.attrs["quote"]
    image = table.hvplot.image(
        x="time", y="price", z="estimated", cmap=SCALES[scale], logz=log, clim=(low, high) if log else (0, high),
        clabel=f"estimated, standing [{quote} per {_bin(shown):g} {quote} of price]", **_WIDE,
    )  # fmt: skip
    image = image.clone(table, vdims=[*image.vdims, *sides])  # hvPlot draws one variable; the hover reads all three
    hover = [
        ("time", "$x{%F %H:%M}"),
        ("price", "$y{0,0.[0000]}"),
        ("longs", "@longs{0.0a}"),
        ("shorts", "@shorts{0.0a}"),
    ]
    return image.opts(
        bgcolor=_lowest(scale), tools=["crosshair"], hooks=[_hover(hover), _si_colorbar], colorbar_position="bottom",
        colorbar_opts={"height": 9, "title_text_font_size": "8pt", "title_standoff": 3, "padding": 2},
    )  # fmt: skip


def _bin(shown: xr.Dataset) -> float:
    """Width of a bin [quote]."""
    price = shown["price"].to_numpy()
    return float(f"{price[1] - price[0]:.9g}") if len(price) > 1 else float("nan")


def _lowest(scale: str) -> str:
    """Background = low end of the colour map: an empty cell is a dark cell."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return to_hex(colormaps[SCALES[scale]](0.0))


def _candles(heat: xr.Dataset) -> hv.Overlay:
    """Wicks and bodies over the image, in that order."""
    import holoviews as hv

    table = heat[["open", "high", "low", "close"]].to_dataframe()[["open", "high", "low", "close"]]
    half = pd.Timedelta(np.diff(heat["time"].to_numpy()).min() if len(table) > 1 else np.timedelta64(1, "h")) * 0.36
    middle = table.index + half / 0.72
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

    shared: dict[str, Any] = {**_WIDE, "height": STRIP, "xlabel": "time [UTC]", "grid": True, "title": "", "hover": False,
                              "color": "#7f7f7f"}  # fmt: skip
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
    return picture.opts(fontsize=_FONT, toolbar=None, yticks=3, hooks=[_si_axis("y"), _borders])


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
    title = "coverage [% of OI]" if known else "coverage: no OI used"
    return hv.Overlay(bars).opts(
        title=title, width=SIDE, height=STRIP, ylim=(0, 1), xlim=(-0.6, 1.6), xlabel="", ylabel="", toolbar=None,
        xticks=[(0, f"L {share[0]:.0%}"), (1, f"S {share[1]:.0%}")] if known else 0, yticks=[(0, ""), (1, "")],
        fontsize=_FONT, hooks=[_unlinked],
    )  # fmt: skip


def _title(heat: xr.Dataset, title: str | None) -> str:
    """Four short lines, so that a phone shows them whole."""
    a = heat.attrs
    window = f"opened within {a['lookback']}" if a["lookback"] else "all positions"
    first = title or "Estimated liquidation heatmap"
    who = f"{a['symbol'] or 'no symbol'} · {a['exchange'] or 'no exchange'} · {a['timeframe']}"
    whose = a["open_interest"].partition(":")[0].partition("(")[0].strip()
    origin = f" {a['open_interest'].partition(': ')[2].partition(',')[0]}" if whose == "proxy" else ""
    return f"{first}\n{who}\nmodel {a['model']} · law {a['law']}\n{window} · OI {whose}{origin}"


# --- hooks: what HoloViews has no option for --------------------------------------------------------------------------


def _hover(tooltips: list[tuple[str, str]]) -> Any:
    def hook(plot: Any, element: Any) -> None:
        hover = plot.handles.get("hover")
        if hover is not None:
            hover.tooltips = tooltips
            hover.formatters = {"$x": "datetime"}

    return hook


# 12.5M and not bokeh's 12.5m, which a trader reads as thousandths
_SI = """
const size = Math.abs(tick);
for (const [unit, name] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
  if (size >= unit) return +(tick / unit).toPrecision(3) + name;
}
return "" + +tick.toPrecision(3);
"""


def _si_colorbar(plot: Any, element: Any) -> None:
    from bokeh.models import CustomJSTickFormatter

    if "colorbar" in plot.handles:
        plot.handles["colorbar"].formatter = CustomJSTickFormatter(code=_SI)


def _si_axis(which: str) -> Any:
    def hook(plot: Any, element: Any) -> None:
        from bokeh.models import CustomJSTickFormatter

        for axis in getattr(plot.state, f"{which}axis"):
            axis.formatter = CustomJSTickFormatter(code=_SI)

    return hook


def _borders(plot: Any, element: Any) -> None:
    """The same margins above and below, so that the strip's hours stand under the heatmap's."""
    plot.state.min_border_left, plot.state.min_border_right = 72, 12


def _prices(plot: Any, element: Any) -> None:
    """Prices in full: 125,000 and not 1.250e+5."""
    from bokeh.models import NumeralTickFormatter

    for axis in plot.state.yaxis:
        axis.formatter = NumeralTickFormatter(format="0,0.[000000]")


def _unlinked(plot: Any, element: Any) -> None:
    """Coverage shares no axis with its neighbours."""
    plot.state.min_border_bottom = 40


def _below(plot: Any, element: Any) -> None:
    """Room for the heatmap's colour bar, so that both price axes end at the same height."""
    plot.state.min_border_bottom = 92
