"""Sweeps marked on a heatmap by their class, and a reader's own positions as lines. Public through `plot`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.market.clock import naive
from liqlab.plot import bokeh_hooks, panels
from liqlab.plot.style import FONT, WIDE, heading, view

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

# Shape and hue both tell the class; the hues are apart from each other and from the scale for colour-blind eyes too.
MARKS = {
    "swing failure": ("triangle", "#ff4d6d"),
    "acceptance": ("square", "#ffffff"),
    "undecided": ("circle", "#9a9a9a"),
}
OWN = "#ff9f1c"
LINES = 0.085  # [1] of the height: two lines of a label
BACKDROP = {"background_fill_color": "#000000", "background_fill_alpha": 0.65}


def sweeps(
    table: pd.DataFrame,
    heat: xr.Dataset,
    *,
    scale: str = "purple-yellow",
    log: bool = True,
    threshold: float = 0.0,
    price_range: tuple[float, float] | None = None,
    zones: bool = True,
    title: str | None = None,
) -> hv.Overlay:
    """Draw sweeps on their heatmap, marked by class.

    Parameters
    ----------
    table : DataFrame
        From `liqlab.sweeps`.
    heat : Dataset
        The map it was made from, or a part of it.
    scale, log, threshold, price_range
        As in `heatmap`.
    zones : bool
        Draw each swept zone as a frame, from the moment at which it was seen to the decision.
    title : str, optional
        Replaces the first line of the title.

    Returns
    -------
    holoviews Overlay
        A mark stands at the extreme of its visit, in the bar of the touch; the hover tells the row.
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    low, high = price_range or view(heat)
    first, last = heat["time"].to_numpy()[0], heat["close_time"].to_numpy()[-1]
    stamps = naive(pd.DatetimeIndex(table["time"]))
    shown = table[(stamps >= first) & (stamps < last)]
    parts: list[Any] = [panels.image(heat, (low, high), scale, log, threshold), panels.candles(heat)]
    if zones and len(shown):
        parts.append(_frames(shown))
    parts += [_marks(shown, kind) for kind in MARKS]
    return hv.Overlay(parts).collate().opts(
        hv.opts.Overlay(
            title=heading(heat, title or "Sweeps of estimated zones"), ylim=(low, high), xlabel="time [UTC]",
            ylabel=f"price [{heat.attrs['quote']}]",
            show_grid=False, fontsize=FONT, toolbar="above", legend_position="top_left", show_legend=True,
            hooks=[bokeh_hooks.borders, bokeh_hooks.prices, _legend], **WIDE,
        )
    )  # fmt: skip


def _marks(table: pd.DataFrame, kind: str) -> hv.Points:
    import holoviews as hv

    shape, colour = MARKS[kind]
    mine = table[table["class"] == kind]
    data = pd.DataFrame(
        {
            "time": naive(pd.DatetimeIndex(mine["time"])),
            "price": mine["extreme"].to_numpy(),
            "swept": mine["side"].to_numpy(object),
            "penetration_atr": mine["penetration_atr"].round(2).to_numpy(),
            "bars": mine["bars_to_return"].to_numpy(),
            "reason": mine["reason"].to_numpy(object),
        }
    )
    points = hv.Points(data, ["time", "price"], list(data.columns[2:]), label=f"{kind} ({len(mine)})")
    return points.opts(marker=shape, color=colour, line_color="#000000", size=9, tools=["hover"], line_width=1)


def _frames(table: pd.DataFrame) -> hv.Rectangles:
    """Swept zones: from the column that had them to the decision."""
    import holoviews as hv

    least = 0.015 * (table["time"].max() - table["zone_seen_at"].min())  # else a frame of one bar is a line
    until = table["decided_at"].fillna(table["time"] + least)
    until = until.where(until - table["zone_seen_at"] > least, table["zone_seen_at"] + least)
    box = (naive(pd.DatetimeIndex(table["zone_seen_at"])), table["low"].to_numpy(),
           naive(pd.DatetimeIndex(until)), table["high"].to_numpy())  # fmt: skip
    return hv.Rectangles(box, kdims=["time", "price", "time1", "price1"]).opts(
        fill_alpha=0, line_color="#ffffff", line_width=1, line_alpha=0.8
    )


def _legend(plot: Any, element: Any) -> None:
    """Small, and not over the newest candles."""
    for legend in plot.state.legend:
        legend.label_text_font_size, legend.glyph_height, legend.padding, legend.spacing = "8pt", 12, 4, 1
        legend.background_fill_alpha = 0.85


def own(table: pd.DataFrame, heat: xr.Dataset, price_range: tuple[float, float]) -> hv.Overlay:
    """Lines of a table of `liqlab.assess_positions`: liquidation price, stop, distance to the nearest cluster.

    What lies outside the prices shown is named at the edge, with an arrow.
    """
    import holoviews as hv

    low, high = price_range
    lines: list[Any] = []
    labels: list[Any] = []  # over all lines
    taken: list[float] = []
    gap = LINES * (high - low)
    for row in table.to_dict("records"):
        near = "no cluster on the way" if np.isnan(row["distance"]) else f"cluster on the way {row['distance']:+.1%}"
        what = f"{row['side']} {row['leverage']:g}x"
        texts = [(row["liquidation_price"], f"{what} liquidated {row['liquidation_price']:,.6g}\n {near}", "solid")]
        if not pd.isna(row["stop"]):
            where = f"\n {row['stop_location']} the cluster" if row["stop_location"] else ""
            texts.append((row["stop"], f"{what} stop {row['stop']:,.6g}{where}", "dashed"))
        ordered = sorted(price for price, _, _ in texts)
        for price, words, dash in texts:
            inside = low <= price <= high
            if inside:
                lines.append(hv.HLine(price).opts(color=OWN, line_width=2, line_dash=dash))
            upper = price == ordered[-1]
            place = _free(float(np.clip(price, low, high)), upper, taken, gap, low, high)
            taken.append(place)
            arrow = "" if inside else "▲ " if price > high else "▼ "
            edge, align = _edge(heat, place, gap)
            label = hv.Text(edge, place, f" {arrow}{words}", halign=align, valign="bottom")
            labels.append(label.opts(color="#ffffff", text_font_size="8pt", **BACKDROP))
    return hv.Overlay([*lines, *labels])


def _free(price: float, above: bool, taken: list[float], gap: float, low: float, high: float) -> float:
    """Foot of a label that touches its line, from above or from below, where no other label stands; else the next."""
    first = [price, price - gap] if above else [price - gap, price]
    fits = [*first, *(price + k * gap for n in range(1, 20) for k in (n, -n - 1))]
    fits = [y for y in fits if low <= y <= high - gap] or [min(max(price, low), high - gap)]
    return next((y for y in fits if all(abs(y - other) >= gap * 0.999 for other in taken)), fits[0])


def _edge(heat: xr.Dataset, foot: float, gap: float) -> tuple[Any, str]:
    """The edge at which fewer candles lie behind a label, and how it is aligned there."""
    times, ends = heat["time"].to_numpy(), heat["close_time"].to_numpy()
    behind = (heat["low"].to_numpy() < foot + gap) & (heat["high"].to_numpy() > foot)
    half = len(times) // 2
    left = behind[:half].sum() <= behind[half:].sum()
    return (times[0], "left") if left else (ends[-1], "right")
