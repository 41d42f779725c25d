"""Zones: outlined on a heatmap, curves of what a move would set off, confluence by price."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.maps.arguments import check_same_source
from liqlab.maps.stacking import one_heatmap
from liqlab.market.arguments import Table, checked
from liqlab.market.clock import naive, utc
from liqlab.plot import bokeh_hooks
from liqlab.plot.style import FONT, HEIGHT, LONG, SHORT, WIDE, raw, short_number

if TYPE_CHECKING:
    import holoviews as hv
    import xarray as xr

HUES = (("long", LONG), ("short", SHORT))
APART = 0.055  # of the prices shown: closer labels would lie on each other


@checked(table=Table("lq.clusters(heat)", "side low peak high notional", "at start"))
def clusters(
    table: pd.DataFrame,
    *,
    heat: xr.Dataset | None = None,
    ylim: tuple[float, float] | None = None,
    start: Any = None,
    end: Any = None,
    top: int = 6,
) -> hv.Overlay:
    """Outline zones, and label the largest with peak, notional and leverages: to lay over a heatmap with ``*``.

    ``lq.plot.heatmap(heat, strip=False, profile=False) * lq.plot.clusters(zones)``, or
    ``heatmap(heat, zones=zones)`` with all its panels.

    Parameters
    ----------
    table : DataFrame
        From `liqlab.clusters`.
    heat : Dataset, optional
        The map that the zones were read from: each box then begins where its zone began, in the column since which at
        least half of what stands in it has stood there without a break.
    ylim : (low, high), optional
        Prices shown [quote]: only zones that reach into them are drawn. Default: all.
    start, end : time-like, optional
        Left and right edge of the boxes; default: where each zone began, if `heat` is given, else its mean age before
        the moment of the table, if that is known, else the map's first column; and the moment of the table.
    top : int
        So many labels at most; a zone too close to a larger one stays without.

    Returns
    -------
    holoviews Overlay
        Boxes of both sides, dotted ones for broad blocks that are no clusters, then labels, if any.
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    heat = None if heat is None else one_heatmap(heat)
    check_same_source(table, heat, "table")
    data, labels = outlines(table, heat=heat, ylim=ylim, start=start, end=end, top=top)
    parts: list[Any] = []
    for side, colour in HUES:
        mine = data[data["broad"] & (data["side"] == side)]
        if len(mine):
            blocks = hv.Rectangles(mine, kdims=["time", "price", "time1", "price1"], group=f"{side} broad blocks")
            parts.append(blocks.opts(fill_alpha=0.0, line_color=colour, line_width=1, line_dash="dotted", tools=[]))
        boxes = hv.Rectangles(data[~data["broad"] & (data["side"] == side)], kdims=["time", "price", "time1", "price1"],
                              vdims=["peak", "notional", "leverages"], group=f"{side} zones")  # fmt: skip
        parts.append(boxes.opts(fill_alpha=0.0, line_color=colour, line_width=2, tools=[]))
    for align in ("left", "right"):
        some = labels[labels["align"] == align]
        if some.empty:
            continue
        words = hv.Labels(some, kdims=["time", "peak"], vdims=["text"], group=f"{align} labels")
        parts.append(words.opts(text_align=align, text_color="white", text_font_size="8pt", hooks=[_backed]))
    return hv.Overlay(parts)


def outlines(
    table: pd.DataFrame, *, heat: xr.Dataset | None, ylim: tuple[float, float] | None, start: Any = None,
    end: Any = None, top: int = 6,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Boxes of zones (time, price, time1, price1, side, broad, …) and labels of the largest clusters among them."""
    end, first = (utc(table.attrs[told] if given is None else given, name=name,
                      span=(table.attrs["start"].value, table.attrs["at"].value))
                  for name, given, told in (("end", end, "at"), ("start", start, "start")))  # fmt: skip
    low, high = ylim or (0.0, np.inf)
    rows = table[(table["high"] > low) & (table["low"] < high)]
    begins = pd.Series(first, index=rows.index)
    if start is None and heat is not None:
        begins = _began(rows, heat, end)
    elif start is None and "age" in rows:
        begins = (end - pd.to_timedelta(rows["age"].fillna(np.inf).clip(upper=36_500), unit="D")).clip(lower=first)
    data = pd.DataFrame({
        "time": naive(pd.DatetimeIndex(begins)), "price": rows["low"].clip(lower=low),
        "time1": naive(pd.DatetimeIndex([end])).repeat(len(rows)), "price1": rows["high"].clip(upper=high),
        "side": rows["side"], "peak": rows["peak"], "notional": rows["notional"],
        "leverages": rows.get("leverages", ""),
        "broad": rows["broad"].astype(bool) if "broad" in rows else False,
    })  # fmt: skip
    written = _labelled(data[~data["broad"]], low, high, top)
    late = written["time"] > first.tz_localize(None) + (end - first) / 2  # text of late boxes runs to the left
    written = written.assign(align=np.where(late, "right", "left"), time=written["time"].where(~late, written["time1"]))
    return data, written


def _began(rows: pd.DataFrame, heat: xr.Dataset, end: pd.Timestamp) -> pd.Series:
    """Open of the first column since which at least half of each zone's notional has stood there without a break."""
    known = heat.isel(time=heat["close_time"].to_numpy() <= naive(pd.DatetimeIndex([end]))[0])
    notional = known["notional"].sum([d for d in known["notional"].dims if d not in ("time", "price", "side")])
    price, time, begins = known["price"].to_numpy(), pd.DatetimeIndex(known["time"].to_numpy(), tz="UTC"), []
    for side, low, peak, high in zip(*(rows[name] for name in ("side", "low", "peak", "high")), strict=True):
        inside = (price >= low) & (price <= high)
        inside[np.abs(price - peak).argmin()] = True  # a zone thinner than a bin
        held = notional.sel(side=side).transpose("time", "price").to_numpy()[:, inside].sum(axis=1)
        less = np.flatnonzero(held < 0.5 * held[-1])
        begins.append(time[less[-1] + 1 if less.size else 0])
    return pd.Series(begins, index=rows.index, dtype=time.dtype)


def _labelled(data: pd.DataFrame, low: float, high: float, top: int) -> pd.DataFrame:
    """The largest zones that leave room for each other's text."""
    span = (high if np.isfinite(high) else data["price1"].max()) - max(low, data["price"].min() if len(data) else low)
    ranked = data[(data["peak"] > low) & (data["peak"] < high)].sort_values("notional", ascending=False, kind="stable")
    peaks = ranked["peak"].to_numpy()
    chosen: list[int] = []
    for k in range(len(ranked)):
        if len(chosen) < top and all(abs(peaks[k] - peaks[other]) > APART * span for other in chosen):
            chosen.append(k)
    named = ranked.iloc[chosen]
    texts = [f" {_price(peak)} · {short_number(notional)}{f' · {_span(leverages)}' if leverages else ''} "
             for peak, notional, leverages in zip(named["peak"], named["notional"], named["leverages"],
                                                  strict=True)]  # fmt: skip
    return named[["time", "time1", "peak"]].assign(text=texts)


def _price(price: float) -> str:
    """Five figures, in full: 126,740 and not 1.2674e+05."""
    return f"{float(f'{price:.5g}'):,.10g}"


def _span(leverages: str) -> str:
    """``5x 10x 25x`` as ``5–25x``: a phone has no room for all of them."""
    every = re.findall(r"[\d.]+", leverages)
    return f"{every[0]}x" if len(every) == 1 else f"{every[0]}–{every[-1]}x"


def _backed(plot: Any, element: Any) -> None:
    """A dark ground behind the words: they stand on bright cells."""
    plot.handles["glyph"].update(background_fill_color="#1b1b1b", background_fill_alpha=0.65)


@checked(table=Table("lq.cumulative(heat)", "long short", "price quote at"), pain=Table("lq.max_pain(heat)", "price"))
def cumulative(
    table: pd.DataFrame, *, xlim: tuple[float, float] | None = None, pain: pd.DataFrame | None = None
) -> hv.Overlay:
    """Draw what a move from the price would liquidate on its way, longs below and shorts above.

    Parameters
    ----------
    table : DataFrame
        From `liqlab.cumulative`.
    xlim : (low, high), optional
        Prices shown [quote]; default: 15 % to each side of the price.
    pain : DataFrame, optional
        From `liqlab.max_pain`: its prices are marked.

    Returns
    -------
    holoviews Overlay
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    at, quote = table.attrs["price"], table.attrs["quote"]
    low, high = xlim or (0.85 * at, 1.15 * at)
    shown = table[(table.index >= low) & (table.index <= high)]
    parts: list[Any] = []
    for side, colour in HUES:
        part = shown[shown.index <= at] if side == "long" else shown[shown.index >= at]
        area = hv.Area((part.index.to_numpy(), part[side].to_numpy()), "price", "amount", label=f"{side}s")
        parts.append(area.opts(color=colour, fill_alpha=0.55, line_color=colour, line_width=1.5))
    parts.append(hv.VLine(at).opts(color="#333333", line_dash="dashed", line_width=1))
    prices = {} if pain is None else pain["price"].to_dict()
    for side, colour in HUES:
        if low <= prices.get(side, np.nan) <= high:
            mark = hv.VLine(prices[side], label=f"max pain of {side}s")
            parts.append(mark.opts(color=colour, line_dash="dotted", line_width=2.5))
    dotted = "\ndotted: max pain of each side, dashed: the price" if pain is not None else "\ndashed: the price"
    return hv.Overlay(parts).opts(hv.opts.Overlay(
        title=raw(_words(table, "Estimated liquidations on the way to a price") + dotted), xlim=(low, high),
        xlabel=f"price [{quote}]", ylabel=f"estimated, cumulative [{quote}]", fontsize=FONT, legend_position="top",
        legend_cols=2, toolbar=None, hooks=[bokeh_hooks.si_axis("y"), _across], **{**WIDE, "height": 440}))  # fmt: skip


def _across(plot: Any, element: Any) -> None:
    """Prices in full along the bottom."""
    from bokeh.models import NumeralTickFormatter

    for axis in plot.state.xaxis:
        axis.formatter = NumeralTickFormatter(format="0,0.[0000]")


@checked(table=Table("lq.confluence(heat)", "long short", "price quote layers at"))
def confluence(table: pd.DataFrame, *, ylim: tuple[float, float] | None = None, width: int | None = None) -> hv.Overlay:
    """Draw the score of confluence by price: longs and shorts in their hues, 0 to 1.

    Parameters
    ----------
    table : DataFrame
        From `liqlab.confluence`, by price.
    ylim : (low, high), optional
        Prices shown [quote]; default: 15 % to each side of the price.
    width : int, optional
        Width [px] of a strip beside a heatmap; default: as wide as the page.

    Returns
    -------
    holoviews Overlay
    """
    import holoviews as hv

    bokeh_hooks.use_bokeh()
    at, quote = table.attrs["price"], table.attrs["quote"]
    low, high = ylim or (0.85 * at, 1.15 * at)
    price = table.index.to_numpy()
    half = np.diff(price).min() / 2 if len(price) > 1 else 0.001 * price[0]
    parts: list[Any] = []
    for side, colour in HUES:
        score = table[side].to_numpy()
        on = (score > 0) & (price >= low) & (price <= high)
        data = {"zero": np.zeros(on.sum()), "price": price[on] - half, "score": score[on], "top": price[on] + half}
        bars = hv.Rectangles(pd.DataFrame(data), kdims=["zero", "price", "score", "top"], label=f"{side}s")
        parts.append(bars.opts(color=colour, line_width=0))
    parts.append(hv.HLine(at).opts(color="#333333", line_dash="dashed", line_width=1))
    layers = ", ".join(table.attrs["layers"])
    look: dict[str, Any] = {**WIDE, "height": 440} if width is None else {"width": width, "height": HEIGHT}
    look |= {"title": raw(f"{_words(table, 'Confluence of the estimated map')}\nlayers {layers}"),
             "ylabel": f"price [{quote}]"} if width is None else {"title": f"\n\n\n\nmeeting of\n{layers}",
                                                                  "yaxis": None}  # fmt: skip
    return hv.Overlay(parts).opts(hv.opts.Overlay(
        ylim=(low, high), xlim=(0, 1), xlabel="score [0..1]", fontsize=FONT, legend_position="bottom_right",
        toolbar=None, xticks=[0, 0.5, 1], hooks=[bokeh_hooks.prices] if width is None else [bokeh_hooks.below],
        **look))  # fmt: skip


def _words(table: pd.DataFrame, title: str) -> str:
    """Four short lines: what, of whom, when, by which model."""
    a = table.attrs
    who = f"{a['symbol'] or 'no symbol'} · {a['exchange'] or 'no exchange'} · {a['timeframe']}"
    return f"{title}\n{who}\n{a['at']:%d %b %Y %H:%M} UTC · model {a['model']}\nlaw {a['law']}"
