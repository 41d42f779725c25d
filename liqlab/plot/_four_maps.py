"""Four maps that people confuse: order book, estimated levels, observed liquidations, stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.maps.arguments import check_same_market, estimated
from liqlab.maps.stacking import one_heatmap
from liqlab.market.arguments import Table, checked
from liqlab.market.market import Market
from liqlab.plot import bokeh_hooks
from liqlab.plot.profile import profile_bars
from liqlab.plot.style import FONT, LONG, NEUTRAL, SHORT, raw, view

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

BID, ASK = "#009e73", "#cc79a7"
PANEL, NARROW = 250, 172  # [px] two panels of the four side by side fit a phone


@checked(
    depth=Table("lq.fetch_depth(symbol)", "side price quantity"),
    events=Table("market.liquidation_events", "side price quantity", times=True),
    stops=Table("pd.DataFrame({'side': …, 'price': …, 'quantity': …})", "side price quantity"),
)
def four_maps(
    heat: xr.Dataset,
    market: Market | None = None,
    *,
    at: Any = None,
    depth: pd.DataFrame | None = None,
    events: pd.DataFrame | None = None,
    stops: pd.DataFrame | None = None,
    ylim: tuple[float, float] | None = None,
) -> hv.Layout:
    """Four maps that people confuse, side by side: order book, estimated levels, observed liquidations, stops.

    Each panel says what it is made of. Where there are no data, the panel says so instead of showing something else.

    Parameters
    ----------
    heat : Dataset
        From `liqlab.heatmap`.
    market : Market, optional
        Its observed liquidations, from the left edge of `heat` to the moment, unless `events` are given.
    at : time-like, optional
        Moment of the levels and of the price line; default: the last column.
    depth : DataFrame, optional
        Order book: side ('bid' or 'ask'), price [quote], quantity [coins].
    events : DataFrame (time,), optional
        As in `liqlab.observed_heatmap`; needs `market`.
    stops : DataFrame, optional
        Stop orders, where somebody knows them: side of the position, price [quote], quantity [coins].
    ylim : (low, high), optional
        Prices shown [quote].

    Returns
    -------
    holoviews Layout
        Two by two, one price axis.
    """
    import holoviews as hv

    from liqlab.maps.heatmaps import liquidation_map as moment_of

    bokeh_hooks.use_bokeh()
    heat = one_heatmap(estimated(heat))
    check_same_market(market, heat)
    snap = moment_of(heat, at=at)
    price, ylim = float(snap["close"]), ylim or view(heat)
    amount = snap["notional"].sum("leverage") if "leverage" in snap.dims else snap["notional"]
    half = float(np.diff(heat["price_edge"].to_numpy()[:2])[0]) / 2
    levels = {f"{side}s": amount.sel(side=side).to_numpy() for side in ("long", "short")}
    a, first, last = heat.attrs, pd.Timestamp(heat["time"].to_numpy()[0]), pd.Timestamp(snap["close_time"].item())
    bars = {
        f"1 · Order book\nseen; orders at rest\ncan be withdrawn\n{a['symbol'] or 'no symbol'}": _orders(
            depth, ylim, ("bid", "ask"), (BID, ASK)
        ),
        f"2 · Liquidation levels\nestimated, standing at\n{last:%d %b %Y %H:%M} UTC\nmodel {a['model']}": (
            amount["price"].to_numpy(), half, levels, {"longs": LONG, "shorts": SHORT}
        ),
        f"3 · Liquidations\nobserved since\n{first:%d %b %Y %H:%M};\nnothing stands here": _seen(
            heat, market, events, snap
        ),
        "4 · Stops\nknown to who set\nthem; no venue\npublishes them": _orders(
            stops, ylim, ("long", "short"), (LONG, SHORT)
        ),
    }  # fmt: skip
    missing = ("no data: no depth given", "", "no data: no liquidations", "no data")
    panels = []
    for k, ((words, made), lack) in enumerate(zip(bars.items(), missing, strict=True)):
        panels.append(_panel(words, made, lack, price, ylim, heat.attrs["quote"], left=k % 2 == 0))
    return hv.Layout(panels).cols(2).opts(shared_axes=False, toolbar=None)


def _orders(
    table: pd.DataFrame | None, ylim: tuple[float, float], sides: tuple[str, str], hues: tuple[str, str]
) -> Any:
    """Orders summed into a hundred bins of the prices shown [quote]."""
    if table is None:
        return None
    missing = [name for name in ("side", "price", "quantity") if name not in table]
    if missing or not table["side"].isin(sides).all():
        raise ValueError(f"a table of orders has side ({sides[0]} or {sides[1]}), price, quantity; "
                         f"got {', '.join(map(str, table.columns))}")  # fmt: skip
    edges = np.linspace(*ylim, 101)
    names = {side: f"{side}s" for side in sides}
    amounts = {}
    for side, name in names.items():
        mine = table[table["side"] == side]
        amounts[name] = np.histogram(mine["price"], edges, weights=mine["price"] * mine["quantity"])[0]
    return (
        (edges[1:] + edges[:-1]) / 2,
        (edges[1] - edges[0]) / 2,
        amounts,
        dict(zip(names.values(), hues, strict=True)),
    )


def _seen(heat: xr.Dataset, market: Any, events: pd.DataFrame | None, snap: xr.Dataset) -> Any:
    """Observed liquidations by price, from the left edge of the map to the moment."""
    from liqlab.maps.observed import observed_heatmap as seen_by

    if market is None or (market.liquidations is None and events is None):
        return None
    start, end = (pd.Timestamp(x, tz="UTC") for x in (heat["time"].to_numpy()[0], snap["close_time"].item()))
    try:
        seen = seen_by(market, events=events, start=start, end=end)
    except ValueError:  # none in this range: the panel says so
        return None
    amounts = {f"{side}s": seen["notional"].sel(side=side).sum("time").to_numpy() for side in ("long", "short")}
    half = float(np.diff(seen["price_edge"].to_numpy()[:2])[0]) / 2
    return seen["price"].to_numpy(), half, amounts, {"longs": LONG, "shorts": SHORT}


def _small(plot: Any, element: Any) -> None:
    """A legend that leaves the bars to be seen on a phone."""
    for legend in plot.state.legend:
        legend.label_text_font_size, legend.glyph_height, legend.glyph_width = "8pt", 10, 10
        legend.padding, legend.spacing, legend.background_fill_alpha = 3, 0, 0.7


def _panel(
    words: str, made: Any, lack: str, price: float, ylim: tuple[float, float], quote: str, *, left: bool
) -> hv.Overlay:
    import holoviews as hv

    if made is None:
        parts = [
            hv.Text(0.5, 0.25 * ylim[0] + 0.75 * ylim[1], lack.replace(": ", ":\n")).opts(
                color=NEUTRAL, text_font_size="9pt"
            )
        ]
        look: dict[str, Any] = {"xlim": (0, 1), "xaxis": None, "hooks": [bokeh_hooks.prices]}
    else:
        parts = profile_bars(*made)
        look = {
            "xticks": 3,
            "xlabel": f"[{quote} per {2 * made[1]:.4g}]",
            "show_legend": True,
            "legend_position": "bottom_right",
            "hooks": [bokeh_hooks.si_axis("x"), bokeh_hooks.prices, _small],
        }
    line = hv.HLine(price).opts(color=NEUTRAL, line_dash="dotted", line_width=1)
    axis: dict[str, Any] = {"ylabel": f"price [{quote}]"} if left else {"yaxis": "bare", "ylabel": ""}
    return hv.Overlay([*parts, line]).opts(
        title=raw(words), ylim=ylim, fontsize=FONT, toolbar=None, responsive=True, height=PANEL + 60, min_width=NARROW,
        **axis, **look,
    )  # fmt: skip
