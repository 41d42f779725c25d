"""Figures of a calibration: the law with its band beside the presets, the ridge, a map with its uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.maps.stacking import one_heatmap
from liqlab.market.arguments import checked
from liqlab.plot import bokeh_hooks
from liqlab.plot.style import FONT, LONG, MIN_WIDTH_PX, SHORT, WIDE, heading, raw, view

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

    from liqlab.validation.calibration._calibrate import Calibration

__all__ = ["calibration", "uncertainty"]

SIDES = (("long", LONG), ("short", SHORT))
HUES = {"measured": "#555555", "retail": "#cc79a7", "uniform": "#009e73"}
PANEL = {"responsive": True, "height": 290, "min_width": MIN_WIDTH_PX, "fontsize": FONT, "toolbar": None}
MOVES = np.geomspace(0.002, 0.9, 120)  # moves against a position at which the law is read
MAX_BARS = 120


@checked()
def calibration(result: Calibration, *, level: float = 0.9, kind: str = "pointwise") -> hv.Layout:
    """Draw a calibration: the fitted law with its band beside the presets, and the ridge of κ and law.

    Parameters
    ----------
    result : Calibration
        From `liqlab.calibrate`.
    level : float
        Of the band.
    kind : 'pointwise' or 'simultaneous'
        As in `Calibration.intervals`.

    Returns
    -------
    holoviews Layout
        Share of the coins that a move liquidates, longs and shorts; loss and median distance by share of the volume.
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    panels = [_law(result, row, side, colour, level, kind) for row, (side, colour) in enumerate(SIDES)]
    if len(result.profile) > 1:
        panels += [_loss(result), _ridge(result)]
    return hv.Layout(panels).cols(1).opts(shared_axes=False)


@checked()
def uncertainty(
    heat: xr.Dataset, at: Any = None, *, ylim: tuple[float, float] | None = None, title: str | None = None
) -> hv.Overlay:
    """Draw the map of one moment with its band: what the ensemble of laws leaves open.

    Parameters
    ----------
    heat : Dataset
        From `Calibration.heatmaps`: with notional_low and notional_high.
    at : time-like, optional
        The last column closed at or before it; default: the last.
    ylim : (low, high), optional
        Prices shown [quote].
    title : str, optional
        Replaces the first line of the title.

    Returns
    -------
    holoviews Overlay
        By price: the band as pale bars, the estimate as a strong line; longs and shorts in their hues.
    """
    import holoviews as hv

    from liqlab.maps.heatmaps import liquidation_map

    bokeh_hooks.use_bokeh()
    if "notional_low" not in heat:
        raise ValueError("this heatmap carries no band; make it with lq.calibrate(market).heatmaps(market)")
    heat = one_heatmap(heat)
    snap = liquidation_map(heat, at=at)
    low, high = ylim or view(heat)
    snap = snap.sel(price=slice(low, high))
    together = max(-(-snap.sizes["price"] // MAX_BARS), 1)
    if together > 1:
        # the sum of band ends is a little too wide a band of the sum: neighbours move together under one law
        names = ["notional", "notional_low", "notional_high"]
        snap = snap[names].coarsen(price=together, boundary="trim").sum().assign_coords(close_time=snap["close_time"])
    half = float(np.diff(snap["price"].to_numpy()[:2])[0]) / 2
    parts: list[Any] = []
    for side, colour in SIDES:
        part = snap.sel(side=side)
        price = part["price"].to_numpy()
        on = part["notional_high"].to_numpy() > 0
        data = {"low": part["notional_low"].to_numpy()[on], "bottom": price[on] - half,
                "high": part["notional_high"].to_numpy()[on], "top": price[on] + half}  # fmt: skip
        bars = hv.Rectangles(pd.DataFrame(data), kdims=["low", "bottom", "high", "top"], label=f"{side}s, band")
        estimate = np.column_stack([part["notional"].to_numpy()[on], price[on]])
        dark = "#8a5a00" if side == "long" else "#0b5c8a"
        parts.append(bars.opts(color=colour, alpha=0.55, line_width=0))
        parts.append(hv.Curve(estimate, "amount", "at", label=f"{side}s, estimate").opts(color=dark, line_width=2))
    most = 1.03 * float(snap["notional_high"].max())
    quote, closed = heat.attrs["quote"], f"{pd.Timestamp(snap['close_time'].item()):%d %b %Y %H:%M}"
    first = title or f"Estimated map, {heat.attrs['band_level']:.0%} band, {closed} UTC"
    return hv.Overlay(parts).opts(
        hv.opts.Overlay(
            title=raw(heading(heat, first)), ylim=(low, high), ylabel=f"price [{quote}]", fontsize=FONT, toolbar=None,
            xlabel=f"estimated [{quote} per {2 * half:.6g} {quote} of price]", xlim=(0, most), xticks=3,
            legend_position="top", legend_cols=2, hooks=[bokeh_hooks.si_axis("x"), bokeh_hooks.prices],
            **{**WIDE, "height": 500},
        )
    )  # fmt: skip


def _law(result: Calibration, row: int, side: str, colour: str, level: float, kind: str) -> hv.Overlay:
    """Share of the coins that a move against them liquidates."""
    import holoviews as hv

    from liqlab.models._law import PRESETS
    from liqlab.validation.calibration.ensemble import band

    away = np.abs(np.log1p(MOVES if side == "short" else -MOVES))
    drawn = result.shares("opened")[:, row]
    curves = np.stack([_cumulative(np.repeat(share / result.law.spread, result.law.spread), result.distance[row], away)
                       for share in [(result.law.long, result.law.short)[row], *drawn]])  # fmt: skip
    low, high = band(np.clip(curves[1:], 1e-6, 1.0), level, kind)
    move, fitted = 100 * MOVES, 100 * curves[0]
    ends = 100 * np.clip(np.stack([np.minimum(low, curves[0]), np.maximum(high, curves[0])]), 0, 1)
    parts = [hv.Area((move, ends[0], ends[1]), "move", ["low", "high"], label=f"{level:.0%} {kind}")
             .opts(color=colour, alpha=0.3, line_width=0)]  # fmt: skip
    for name, hue in HUES.items():
        law = PRESETS[name]()
        share = _cumulative(law.level_shares[row], _away_of(result, law, row), away)
        curve = hv.Curve((move, 100 * share), "move", "share", label=name)
        parts.append(curve.opts(color=hue, line_width=1.3, line_dash="dashed"))
    parts.append(hv.Curve((move, fitted), "move", "share", label="calibrated").opts(color=colour, line_width=3))
    words = "fall" if side == "long" else "rise"
    return hv.Overlay(parts).opts(
        title=raw(f"Law of distances, {side}s (estimated)\n{result.source}\nmodel {result.model}, loss {result.loss}"),
        logx=True, xlim=(0.2, 90), xticks=[(x, f"{x:g}") for x in (0.3, 1, 3, 10, 30)],
        ylim=(0, 103), xlabel=f"{words} that liquidates [%]", ylabel="share of coins [%]", legend_position="right",
        show_legend=True, **PANEL,
    )  # fmt: skip


def _cumulative(share: np.ndarray, distance: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Share of the coins within each log distance, joined straight; `share` and `distance` by leverage level."""
    order = np.argsort(distance)
    x, below = np.log(distance[order]), np.cumsum(share[order])
    return np.interp(np.log(away), np.r_[x[0] - 0.3, x], np.r_[0.0, below])


def _away_of(result: Calibration, law: Any, row: int) -> np.ndarray:
    """Distances of another law's leverage levels, read off those of the fitted one (straight in logs)."""
    mine, order = result.law.leverage_levels, np.argsort(result.law.leverage_levels)
    return np.exp(np.interp(np.log(law.leverage_levels), np.log(mine[order]), np.log(result.distance[row][order])))


def _loss(result: Calibration) -> hv.Overlay:
    import holoviews as hv

    table = result.profile.reset_index()
    bars = hv.ErrorBars(
        (table["share_of_volume"], table["loss"], table["loss"] - table["low"], table["high"] - table["loss"]),
        vdims=["loss", "below", "above"],
    )
    line = hv.Curve((table["share_of_volume"], table["loss"])).opts(color="#7f7f7f", line_width=1)
    dots = []
    for on, colour, label in ((True, "#009e73", "allowed"), (False, "#d55e00", "not allowed")):
        part = table[table["allowed"] == on]
        if len(part):
            dots.append(hv.Points((part["share_of_volume"], part["loss"]), label=label).opts(color=colour, size=9))
    return hv.Overlay([line, bars, *dots]).opts(
        title=raw(f"How well each κ can explain\nwhat was observed (0: best)\n{result.source}"), logx=True,
        xlabel="κ, share of the volume that opens", ylabel="loss per bar beyond the best", xticks=_ticks(table),
        legend_position="right", xlim=_room(table), **PANEL,
    )  # fmt: skip


def _ridge(result: Calibration) -> hv.Overlay:
    import holoviews as hv

    table = result.profile.reset_index()
    curves = []
    for side, colour in SIDES:
        data = (table["share_of_volume"], 100 * table[f"distance_{side}"])
        curves.append(hv.Curve(data, label=f"{side}s").opts(color=colour, line_width=2))
        curves.append(hv.Points(data).opts(color=colour, size=7))
    top = 115 * max(table["distance_long"].max(), table["distance_short"].max())
    return hv.Overlay(curves).opts(
        title=raw(f"The ridge (estimated):\neach κ has a law of its own\n{result.source}"), logx=True, ylim=(0, top),
        xlabel="κ, share of the volume that opens",
        ylabel="median distance [%]", legend_position="right", xticks=_ticks(table), xlim=_room(table), **PANEL,
    )  # fmt: skip


def _ticks(table: pd.DataFrame) -> list[tuple[float, str]]:
    return [(float(k), f"{k:g}") for k in table["share_of_volume"]]


def _room(table: pd.DataFrame) -> tuple[float, float]:
    return float(table["share_of_volume"].min()) / 1.3, float(table["share_of_volume"].max()) * 1.3
