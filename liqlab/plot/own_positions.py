"""A reader's own positions on a heatmap: liquidation price and stop as lines, with their words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

OWN = "#ff9f1c"
LINES = 0.085  # [1] of the height: two lines of a label
BACKDROP = {"background_fill_color": "#000000", "background_fill_alpha": 0.65}


def own_positions(table: pd.DataFrame, heat: xr.Dataset, ylim: tuple[float, float]) -> hv.Overlay:
    """Lines of a table of `liqlab.assess_positions`: liquidation price, stop, distance to the nearest cluster.

    What lies outside the prices shown is named at the edge, with an arrow.
    """
    import holoviews as hv

    lines, labels = lines_of(table, heat, ylim)
    drawn: list[Any] = [hv.HLine(price).opts(color=OWN, line_width=2, line_dash=dash) for price, dash in lines]
    for edge, place, words, align in labels:  # over all lines
        label = hv.Text(edge, place, words, halign=align, valign="bottom")
        drawn.append(label.opts(color="#ffffff", text_font_size="8pt", **BACKDROP))
    return hv.Overlay(drawn)


def lines_of(
    table: pd.DataFrame, heat: xr.Dataset, ylim: tuple[float, float]
) -> tuple[list[tuple[float, str]], list[tuple[Any, float, str, str]]]:
    """Prices of lines with their dashes, and labels: time and price of the foot, words, alignment."""
    low, high = ylim
    lines: list[tuple[float, str]] = []
    labels: list[tuple[Any, float, str, str]] = []
    taken: list[float] = []
    gap = LINES * (high - low)
    for row in table.to_dict("records"):
        way = row["distance_to_edge"]
        near = "no cluster on the way" if np.isnan(way) else f"cluster on the way {way:+.1%}"
        what = f"{row['side']} {row['leverage']:g}x"
        texts = [(row["liquidation_price"], f"{what} liquidated {row['liquidation_price']:,.6g}\n {near}", "solid")]
        if not pd.isna(row["stop"]):
            where = f"\n {row['stop_location']} the cluster" if row["stop_location"] else ""
            texts.append((row["stop"], f"{what} stop {row['stop']:,.6g}{where}", "dashed"))
        ordered = sorted(price for price, _, _ in texts)
        for price, words, dash in texts:
            inside = low <= price <= high
            if inside:
                lines.append((price, dash))
            upper = price == ordered[-1]
            place = _free(float(np.clip(price, low, high)), upper, taken, gap, low, high)
            taken.append(place)
            arrow = "" if inside else "▲ " if price > high else "▼ "
            edge, align = _edge(heat, place, gap)
            labels.append((edge, place, f" {arrow}{words}", align))
    return lines, labels


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
