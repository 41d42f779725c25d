"""Sweeps marked on a heatmap by their class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from liqlab.maps.arguments import check_same_source, estimated
from liqlab.maps.stacking import one_heatmap
from liqlab.market.arguments import Table, checked
from liqlab.market.clock import naive
from liqlab.plot import bokeh_hooks
from liqlab.plot._candles import candles_over
from liqlab.plot.colour_bar import colours
from liqlab.plot.image import image
from liqlab.plot.style import FONT, WIDE, heading, raw, view

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

# Shape and hue both tell the class; the hues are apart from each other and from the scale for colour-blind eyes too.
MARKS = {
    "swing failure": ("triangle", "#ff4d6d"),
    "acceptance": ("square", "#ffffff"),
    "undecided": ("circle", "#9a9a9a"),
}


@checked(table=Table("lq.sweeps(market, heat)", "time side low high extreme class"))
def sweeps(
    table: pd.DataFrame,
    heat: xr.Dataset,
    *,
    cmap: str = "purple-yellow",
    logz: bool = False,
    cnorm: str | None = None,
    threshold: float = 0.0,
    ylim: tuple[float, float] | None = None,
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
    cmap, logz, cnorm, threshold, ylim
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
    heat = one_heatmap(estimated(heat))
    check_same_source(table, heat, "table")
    low, high = ylim or view(heat)
    first, last = heat["time"].to_numpy()[0], heat["close_time"].to_numpy()[-1]
    stamps = naive(pd.DatetimeIndex(table["time"]))
    shown = table[(stamps >= first) & (stamps < last)]
    scale = colours(cmap, logz=logz, cnorm=cnorm)
    parts: list[Any] = [image(heat, (low, high), scale, threshold=threshold), candles_over(heat)]
    if zones and len(shown):
        parts.append(_frames(shown))
    parts += [_marks(shown, kind) for kind in MARKS]
    return hv.Overlay(parts).collate().opts(
        hv.opts.Overlay(
            title=raw(heading(heat, title or "Sweeps of estimated zones")), ylim=(low, high), xlabel="time [UTC]",
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
