"""The picture of the landing page: a small map on which one band is told, where it begins, fades and is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liqlab.market.clock import utc

__all__ = ["ALT", "draw_annotated_map"]

CASE, START, END = "btc-2025-12", "2025-12-17 08:00", "2025-12-17 20:00"
LAW = (25, 50, 100)  # few leverages, so that single bands can be seen
ALT = "A small estimated heatmap with three arrows at one band: where it begins, fades and is touched by the price"
_LEAST_LIFE = pd.Timedelta("2h")
_WIDTH_PX = 1100


def draw_annotated_map(path: Path) -> None:
    """Write the picture to `path` (PNG)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import DateFormatter
    from matplotlib.figure import Figure

    from liqlab.loaders import load_example
    from liqlab.maps import heatmap, levels
    from liqlab.plot.matplotlib_layers import draw_candles

    market = _small(load_example(CASE))
    options: dict[str, Any] = {"law": list(LAW), "entries": "vwap"}
    heat = heatmap(market, price_step=40, **options)
    low, high = float(heat["low"].min()), float(heat["high"].max())
    view = low - 0.45 * (high - low), high + 0.2 * (high - low)
    band = _band(levels(market, **options), view)
    figure = Figure(figsize=(_WIDTH_PX / 110, 4.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _draw_cells(axes, heat)
    draw_candles(axes, heat)
    axes.set_ylim(*view)
    _tell(axes, band)
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M"))
    axes.set_ylabel(f"price [{market.quote}]")
    axes.set_xlabel("time [UTC]")
    of = f"Estimated levels of {market.symbol} on {market.exchange}, {START[:10]}"
    axes.set_title(f"{of}\n25x, 50x, 100x; brighter: more would be closed by force", loc="left", fontsize=10)
    figure.savefig(path)


def _small(market: Any) -> Any:
    """Twelve hours alone: before them nothing stands."""
    whole = market.until(END)
    since: Any = utc(START)
    return replace(whole, candles=whole.candles.loc[since:], open_interest=whole.open_interest.loc[since:])


def _band(table: pd.DataFrame, view: tuple[float, float]) -> pd.Series:
    """The largest level in view that lived for two hours or more and was touched."""
    touched = table[table["liquidation_price"].between(*view)].dropna(subset=["touched_at"])
    lived = touched[touched["touched_at"] - touched["opened_at"] >= _LEAST_LIFE]
    largest: Any = (lived["opened"] * lived["liquidation_price"]).idxmax()
    return lived.loc[largest]


def _draw_cells(axes: Any, heat: Any) -> None:
    from matplotlib.colors import LogNorm

    amounts = heat["notional"].sum("side").transpose("price", "time").to_numpy()
    times = heat["time"].to_numpy()
    edges = np.append(times, times[-1] + (times[-1] - times[-2]))
    top = float(amounts.max())
    axes.set_facecolor("black")
    axes.pcolormesh(edges, heat["price_edge"].to_numpy(), np.where(amounts > 0, amounts, np.nan), cmap="viridis",
                    norm=LogNorm(top / 200, top))  # fmt: skip


def _tell(axes: Any, band: pd.Series) -> None:
    """Three arrows at the band; words away from it, towards the middle of the picture's height."""
    begin, end = (pd.Timestamp(band[name]).tz_localize(None) for name in ("opened_at", "touched_at"))
    price = float(band["liquidation_price"])
    bottom, top = axes.get_ylim()
    away = 0.1 * (top - bottom) * (-1 if band["side"] == "long" else 1)
    told = ((begin, "begins: positions are opened"), (begin + (end - begin) / 2, "fades: some are closed"),
            (end, "touched: the rest is liquidated"))  # fmt: skip
    arrow = {"arrowstyle": "->", "color": "white", "linewidth": 1.5}
    box = {"boxstyle": "round", "facecolor": "#222222", "edgecolor": "none", "alpha": 0.85}
    places = (("right", 1), ("center", 1), ("right", 2))  # no word over another, none behind an arrow
    for (at, words), (side, depth) in zip(told, places, strict=True):
        axes.annotate(words, xy=(at, price), xytext=(at, price + away * depth), color="white", fontsize=10, ha=side,
                      arrowprops=arrow, bbox=box)  # fmt: skip
