"""Figures for lessons: levels one by one, who stands behind a band, the law of distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.maps.arguments import check_same_market
from liqlab.margin import Tiers, tiers_for
from liqlab.margin.quantities import positive
from liqlab.market.arguments import Table, at_least, checked
from liqlab.market.clock import naive
from liqlab.market.market import Market
from liqlab.models._law import leverage_name
from liqlab.plot import bokeh_hooks
from liqlab.plot.style import FONT, LONG, MIN_WIDTH_PX, SHORT, WIDE, raw

if TYPE_CHECKING:
    import holoviews as hv

MAX_POINTS = 700  # of a price line: more than a screen has pixels only makes the page heavy


@checked(table=Table("lq.levels(market)", "opened_at touched_at side leverage entry_price liquidation_price"))
def levels(table: pd.DataFrame, *, quote: str = "quote", title: str = "Estimated liquidation levels") -> hv.Overlay:
    """Draw a table of `liqlab.levels`: each level from its opening to its touch.

    Parameters
    ----------
    table : DataFrame
        From `liqlab.levels`; what is not touched reaches to the table's moment, ``table.attrs["at"]``.
    quote : str
        Unit of the price axis.
    title : str
        First line.

    Returns
    -------
    holoviews Overlay
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    seen = pd.concat([table["touched_at"].dropna(), table["opened_at"]]).max() + pd.Timedelta("1min")
    rows = table.assign(until=table["touched_at"].fillna(table.attrs.get("at", seen)))
    rows = rows.assign(
        leverages=_names(rows), opened_at=naive(pd.Index(rows["opened_at"])), until=naive(pd.Index(rows["until"]))
    )
    kdims = ["opened_at", "liquidation_price", "until", "again"]
    lines = []
    for side, colour in (("long", LONG), ("short", SHORT)):
        part = rows[rows["side"] == side].assign(again=lambda x: x["liquidation_price"])
        lines.append(
            hv.Segments(part, kdims=kdims, vdims=["leverages", "entry_price"], label=f"{side}s").opts(color=colour)
        )
    return hv.Overlay(lines).opts(
        hv.opts.Segments(tools=["hover"], line_width=1.5),
        hv.opts.Overlay(title=raw(title), xlabel="", ylabel=f"liquidation price [{quote}]", fontsize=FONT,
                        legend_position="top_left", hooks=[bokeh_hooks.prices], **WIDE),
    )  # fmt: skip


@checked(table=Table("lq.explain(market, price=…)", "opened_at side share entry_price leverage", "low high"))
def explain(table: pd.DataFrame, market: Market, *, top: int = 12) -> hv.Overlay:
    """Mark on the candles the bars that stand behind a band.

    Parameters
    ----------
    table : DataFrame
        From `liqlab.explain`.
    market : Market
        The one explained.
    top : int
        So many bars, those with the largest share, are marked: the larger the share, the larger the dot.

    Returns
    -------
    holoviews Overlay
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    check_same_market(market, table, "table", timeframe=False)
    at_least(1, top=top)
    if table.empty:
        raise ValueError("no bar to mark, got an empty table; explain a price that the map has something at")
    low, high = table.attrs["low"], table.attrs["high"]
    bars = (
        table.assign(name=_names(table))
        .sort_values("leverage")
        .groupby(["opened_at", "side"], as_index=False)
        .agg(
            share=("share", "sum"),
            entry_price=("entry_price", "mean"),
            leverages=("name", lambda x: ", ".join(dict.fromkeys(x))),
        )
    )
    bars = bars.nlargest(top, "share").assign(time=lambda x: naive(pd.DatetimeIndex(x["opened_at"])))
    first = bars["opened_at"].min() - 12 * market.step
    candles = market.candles[market.candles.index >= first][["open", "high", "low", "close"]]
    every = -(-len(candles) // MAX_POINTS)
    line = pd.DataFrame({"price": candles["close"].to_numpy()[::every]}, index=naive(candles.index[::every]))
    path = hv.Curve(line.rename_axis("time").reset_index(), "time", "price").opts(color="#7f7f7f", line_width=1)
    band = hv.HSpan(low, high).opts(color="#009e73", alpha=0.35)
    dots = []
    for side, colour in (("long", LONG), ("short", SHORT)):
        part = bars[bars["side"] == side].assign(size=lambda x: 6 + 40 * np.sqrt(x["share"]))
        points = hv.Points(part, ["time", "entry_price"], ["share", "leverages", "size"], label=f"{side}s opened")
        if len(part):
            dots.append(points.opts(color=colour, size="size", tools=["hover"], line_color="#333333", alpha=0.8))
    shown = bars["share"].sum()
    title = f"Behind the band {low:,.6g} to {high:,.6g}: {len(bars)} bars with {shown:.0%} of its estimate"
    prices = [low, high, *candles[["low", "high"]].agg({"low": "min", "high": "max"})]
    room = 0.04 * (max(prices) - min(prices))
    look = {
        "ylim": (min(prices) - room, max(prices) + room),
        "xlabel": "time [UTC]",
        "fontsize": FONT,
        "ylabel": f"price [{market.quote}]",
        "legend_position": "top_left",
        "hooks": [bokeh_hooks.prices],
    }
    return hv.Overlay([path, band, *dots]).opts(hv.opts.Overlay(title=raw(title), **look, **WIDE))


def _names(table: pd.DataFrame) -> list[str]:
    """The class of every row by the leverages that it stands for, where the table tells them."""
    ends = (table.get(f"leverage_{end}", table["leverage"]) for end in ("low", "high"))
    return [leverage_name(low, high) for low, high in zip(*ends, strict=True)]


@checked()
def law(law: Any = "fitted", *, tiers: Tiers | None = None, position_notional: float = 10_000.0) -> hv.Layout:
    """Draw a law beside the presets: the share of coins that a move of some size against them liquidates.

    Parameters
    ----------
    law : str, Law, mapping or sequence
        As in `liqlab.law`; drawn strong, the presets thin.
    tiers : Tiers, optional
        Maintenance tiers for the exact distances; default: the newest of BTC/USDT:USDT on Binance.
    position_notional : float
        Notional [quote] of one typical position.

    Returns
    -------
    holoviews Layout
        Longs and shorts side by side.
    """
    import holoviews as hv

    from liqlab.models._law import PRESETS, distances
    from liqlab.models._law import law as named

    bokeh_hooks.use_bokeh()
    positive(position_notional, "position_notional", "a notional in quote")
    tiers = tiers or tiers_for("binanceusdm", "BTC/USDT:USDT")
    chosen = named(law)
    others = [each for each in map(named, PRESETS) if each.name != chosen.name]
    hues = ("#999999", "#cc79a7", "#009e73", "#56b4e9")
    panels = []
    for row, (side, colour) in enumerate((("long", LONG), ("short", SHORT))):
        curves = []
        for k, each in enumerate([*others, chosen]):
            distance, share = distances(each, tiers, position_notional=position_notional)
            order = np.argsort(distance[row])
            move = 100 * (1 - np.exp(-distance[row][order]) if side == "long" else np.exp(distance[row][order]) - 1)
            data = {"move": move, "share": 100 * np.cumsum(share[row][order])}
            strong = each is chosen
            curve = hv.Curve(data, "move", "share", label=each.name)
            look = {"color": colour, "line_width": 3} if strong else {"color": hues[k], "line_width": 1.5}
            curves.append(curve.opts(interpolation="steps-post", **look))
        words = "fall" if side == "long" else "rise"
        panels.append(hv.Overlay(curves).opts(
            title=f"Law of distances, {side}s (assumed)", logx=True, xlim=(0.2, 100), ylim=(0, 103), fontsize=FONT,
            xlabel=f"{words} that liquidates [%]", ylabel="share of coins [%]", legend_position="top_left",
            toolbar=None, responsive=True, height=320, min_width=MIN_WIDTH_PX))  # fmt: skip
    return hv.Layout(panels).cols(2).opts(shared_axes=False)
