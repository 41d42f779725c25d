"""Layers and panels of a picture that matplotlib draws, with the look of the figures on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.market.market import Market
from liqlab.plot.cells import bin_of, cells, column_width, middles, unit_of
from liqlab.plot.colour_bar import EMPTY, GAP, HATCH, Colours, limits, matplotlib_norm
from liqlab.plot.image import gap_boxes
from liqlab.plot.observed import is_observed
from liqlab.plot.open_interest_panel import GREY, coverage_of, strip_line
from liqlab.plot.own_positions import OWN, lines_of
from liqlab.plot.style import EDGE, FALL, LONG, RISE, SHORT, short_number
from liqlab.plot.zones import HUES, outlines

if TYPE_CHECKING:
    import xarray as xr

INK = "#444444"
LABEL: dict[str, Any] = {"fontsize": 8, "style": "italic", "color": INK, "parse_math": False}  # a symbol may hold a $


def draw_cells(
    axes: Any, bar: Any, table: xr.Dataset, heat: xr.Dataset, ylim: tuple[float, float], scale: Colours,
    threshold: float,
) -> None:  # fmt: skip
    """Fill `axes` with the cells of a map, hatched where there are no data, and `bar` with its colours."""
    from matplotlib.colors import ListedColormap
    from matplotlib.dates import date2num
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import FuncFormatter, LogLocator

    total, price = table["estimated"].to_numpy(), table["price"].to_numpy()
    ends = limits(total, scale.norm, threshold)
    half, rim = pd.Timedelta(column_width(heat) / 2), (price[1] - price[0]) / 2
    times = date2num([pd.Timestamp(table["time"].to_numpy()[k]) + sign * half for k, sign in ((0, -1), (-1, 1))])
    shown = total >= ends.low if ends.hidden else total > 0
    image = axes.imshow(
        np.where(shown, total, np.nan).T, origin="lower", aspect="auto", interpolation="nearest",
        cmap=ListedColormap(scale.palette).with_extremes(bad=EMPTY), norm=matplotlib_norm(scale.norm, ends, total),
        extent=(*times, price[0] - rim, price[-1] + rim),
    )  # fmt: skip
    for left, bottom, right, top in gap_boxes(table, ylim):
        start, end = date2num([left, right])
        box = Rectangle((start, bottom), end - start, top - bottom, facecolor=GAP, edgecolor=HATCH, hatch="///")
        axes.add_patch(box)
    axes.set(xlim=times, ylim=ylim)
    label = f"{'observed' if is_observed(heat) else 'estimated'} [{unit_of(table, heat)}]"
    drawn = axes.get_figure(root=True).colorbar(image, cax=bar, orientation="horizontal", spacing="uniform")
    bar.set_title("\n".join(filter(None, [label, ends.words()])), loc="left", pad=3, **LABEL)
    if scale.norm == "log":
        bar.xaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0)))
    bar.xaxis.set_major_formatter(FuncFormatter(lambda x, _: short_number(x)))
    bar.tick_params(labelsize=7)
    drawn.minorticks_off()


def draw_candles(axes: Any, heat: xr.Dataset) -> None:
    """Wicks and bodies over the cells, in that order; over observed liquidations the closes as a line."""
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.dates import date2num

    middle, half = date2num(middles(heat)), 0.36 * (column_width(heat) / pd.Timedelta("1D"))
    if is_observed(heat):  # bodies would hide the very cells that the bars were spread over
        axes.plot(middle, heat["close"].to_numpy(), color="#bdbdbd", linewidth=1)
        return
    first, high, low, last = (heat[name].to_numpy() for name in ("open", "high", "low", "close"))
    wicks = np.stack([np.column_stack([middle, low]), np.column_stack([middle, high])], axis=1)
    axes.add_collection(LineCollection(list(wicks), colors=EDGE, linewidths=0.7), autolim=False)
    foot, head = np.minimum(first, last), np.maximum(first, last)
    corners = ((-half, foot), (half, foot), (half, head), (-half, head))
    bodies = np.stack([np.column_stack([middle + away, price]) for away, price in corners], axis=1)
    colours = np.where(last >= first, RISE, FALL)
    boxes = PolyCollection(
        list(bodies), facecolors=list(colours), edgecolors=EDGE, linewidths=min(0.4, 40 / len(bodies))
    )
    axes.add_collection(boxes, autolim=False)


def draw_zones(axes: Any, zones: pd.DataFrame, heat: xr.Dataset, ylim: tuple[float, float]) -> None:
    """Outlines from where each zone was seen to the moment of the table, and the labels of the largest."""
    from matplotlib.dates import date2num
    from matplotlib.patches import Rectangle

    boxes, labels = outlines(zones, heat=heat, ylim=ylim)
    for side, colour in HUES:
        for box in boxes[boxes["side"] == side].to_dict("records"):
            start, end = date2num([box["time"], box["time1"]])
            axes.add_patch(Rectangle((start, box["price"]), end - start, box["price1"] - box["price"], fill=False,
                                     edgecolor=colour, linewidth=0.8 if box["broad"] else 1.5,
                                     linestyle=":" if box["broad"] else "-"))  # fmt: skip
    for row in labels.to_dict("records"):
        _words(axes, row["time"], row["peak"], row["text"], row["align"], "center")


def draw_positions(axes: Any, table: pd.DataFrame, heat: xr.Dataset, ylim: tuple[float, float]) -> None:
    """One's own liquidation prices and stops as lines with their words; `table` is of `liqlab.assess_positions`."""
    lines, labels = lines_of(table, heat, ylim)
    for price, dash in lines:
        axes.axhline(price, color=OWN, linewidth=1.5, linestyle=dash)
    for edge, foot, words, align in labels:
        _words(axes, edge, foot, words, align, "bottom")


def _words(axes: Any, time: Any, price: float, words: str, align: str, across: str) -> None:
    from matplotlib.dates import date2num

    axes.text(date2num(time), price, words, ha=align, va=across, fontsize=7, color="white", clip_on=True,
              parse_math=False, bbox={"facecolor": "#1b1b1b", "alpha": 0.65, "pad": 1.0, "linewidth": 0})  # fmt: skip


def draw_moment(axes: Any, at: Any) -> None:
    from matplotlib.dates import date2num

    axes.axvline(date2num(at), color="white", linewidth=1, linestyle="dashed")


def draw_profile(axes: Any, heat: xr.Dataset, ylim: tuple[float, float], at: Any) -> None:
    """One column on the very cells of the map; of what was observed, the sum of all columns."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    from liqlab.maps.heatmaps import liquidation_map as moment_of

    seen = is_observed(heat)
    if seen:
        table = cells(heat, ylim)
        amounts, words = table.sum("time"), "observed\nby price"
    else:
        snap = moment_of(heat, at=at)
        table = cells(heat.sel(time=[snap["time"].to_numpy()]), ylim)
        amounts = table.isel(time=0)
        words = f"map at\nits close\n{pd.Timestamp(snap['close_time'].item()):%d %b %Y\n%H:%M}"
    for side, colour in (("longs", LONG), ("shorts", SHORT)):
        axes.barh(table["price"], amounts[side].to_numpy(), height=bin_of(table), color=colour, label=side)
    axes.set_ylim(ylim)
    axes.legend(fontsize=6, loc="lower right", framealpha=0.6, handlelength=0.8, borderpad=0.3, edgecolor="none")
    axes.xaxis.set_major_locator(MaxNLocator(2))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: short_number(x)))
    axes.set_xlabel(f"[{unit_of(table, heat)}]".replace(" per ", "\nper "), **{**LABEL, "fontsize": 7})
    axes.set_title(words, fontsize=7, weight="bold", color=INK, loc="left")
    axes.tick_params(labelsize=7, labelleft=False)
    axes.spines[["top", "right"]].set_visible(False)


def draw_strip(axes: Any, heat: xr.Dataset, market: Market | None) -> None:
    """Open interest where the market has it, else the volume, on the map's time axis."""
    from matplotlib.dates import date2num
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    line, where, label = strip_line(heat, market)
    axes.step(date2num(line.index), line.to_numpy(), where=where, color=GREY, linewidth=1.2)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda x, _: short_number(x)))
    axes.set_ylabel(label, **LABEL)
    axes.set_xlabel("time [UTC]", **LABEL)
    axes.grid(color="#e5e5e5", linewidth=0.6)
    axes.tick_params(labelsize=7)


def draw_sums(axes: Any, seen: xr.Dataset) -> None:
    """Sums of each column of observed liquidations: longs upwards, shorts downwards."""
    from matplotlib.dates import date2num
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    amount, wide = seen["notional"].sum("price"), 0.9 * (column_width(seen) / pd.Timedelta("1D"))
    for side, colour, sign in (("long", LONG, 1), ("short", SHORT, -1)):
        axes.bar(date2num(middles(seen)), sign * amount.sel(side=side).to_numpy(), width=wide, color=colour)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda x, _: short_number(x)))
    axes.set_ylabel(f"longs ▲ shorts ▼\n[{seen.attrs['quote']}]", **LABEL)
    axes.set_xlabel("time [UTC]", **LABEL)
    axes.grid(color="#e5e5e5", linewidth=0.6)
    axes.tick_params(labelsize=7)


def draw_coverage(axes: Any, heat: xr.Dataset, at: Any) -> None:
    """How much of the open interest the map accounts for, by side."""
    share, known, title = coverage_of(heat, at)
    axes.bar((0, 1), share, width=0.7, color=(LONG, SHORT))
    axes.set(ylim=(0, 1), xlim=(-0.6, 1.6), yticks=[])
    names = [f"L\n{share[0]:.0%}", f"S\n{share[1]:.0%}"] if known else []
    axes.set_xticks(range(len(names)), names, fontsize=7)
    axes.set_title(title.replace(" [", "\n[").replace(", ", ",\n"), fontsize=7, weight="bold", color=INK, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
