"""What every picture shares, whoever draws it: colours of things, the part of the price axis, the title."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liqlab.market.provenance import OpenInterestUse, Provenance

if TYPE_CHECKING:
    import xarray as xr

LONG, SHORT = "#e69f00", "#56b4e9"
RISE, FALL, EDGE = "#ffffff", "#1b1b1b", "#d9d9d9"
NEUTRAL = "#4d4d4d"
HEIGHT, STRIP, SIDE, MIN_WIDTH_PX = 500, 150, 120, 236  # [px]; a heatmap and its profile side by side fit a phone
WIDE = {"responsive": True, "height": HEIGHT, "min_width": MIN_WIDTH_PX}
FONT = {"title": "8pt", "labels": "9pt", "ticks": "8pt", "legend": "8pt", "clabel": "8pt", "cticks": "8pt"}
SIDE_FONT = {**FONT, "title": "7pt"}  # a moment in the title fits the width of a side panel


def view(heat: xr.Dataset) -> tuple[float, float]:
    """The candles' range and nearly half as much above and below, at least 4 % of the price."""
    low, high = with_room(float(heat["low"].min()), float(heat["high"].max()))
    return max(low, float(heat["price_edge"][0])), min(high, float(heat["price_edge"][-1]))


def with_room(low: float, high: float) -> tuple[float, float]:
    """A range of prices and nearly half as much above and below, at least 4 % of the price."""
    room = max(0.45 * (high - low), 0.04 * high)
    return low - room, high + room


def interest(heat: xr.Dataset, *, narrow: bool = False) -> str:
    """Whose open interest the map rests on, short enough for a title; `narrow`: without the factor of a proxy."""
    return " + ".join(dict.fromkeys(_interest(one.open_interest, narrow) for one in Provenance.of(heat).each))


def _interest(use: OpenInterestUse, narrow: bool) -> str:
    if use.kind == "proxy":
        whose = use.exchange or "another venue"
        return f"proxy: {whose}" if narrow else f"proxy {whose} × {use.scale:g}"
    if use.kind == "not used" and narrow:
        return str(use)
    if use.kind != "own" or (narrow and use.scale != 1):
        return use.kind
    scale = f" × {use.scale:g}" if use.scale != 1 else ""
    return f"own{scale}" + (", assumed before its first stamp" if use.assumed_bars else "")


def heading(heat: xr.Dataset, title: str | None) -> str:
    """Six short lines, so that a phone shows them whole."""
    a = heat.attrs
    window = f"opened within {a['lookback']}" if a["lookback"] else "all positions"
    window += " (history is shorter)" if "lookback_held" in a else ""
    first = title or "Estimated liquidation heatmap"
    who = f"{a['symbol'] or 'no symbol'} · {a['exchange'] or 'no exchange'} · {a['timeframe']}"
    return f"{first}\n{who}\nmodel {a['model']}\nlaw {a['law']}\n{window}\nOI {interest(heat)}"


def raw(text: str) -> str:
    """A title that HoloViews, which takes braces for fields to fill in, shows as it is.

    >>> raw("{label}").format(label="other")
    '{label}'
    """
    return text.replace("{", "{{").replace("}", "}}")


def short_number(x: float) -> str:
    """12.5M and the like.

    >>> short_number(12_520_000), short_number(0)
    ('12.5M', '0')
    """
    for size, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(x) >= size:
            return f"{x / size:.3g}{unit}"
    return f"{x:.3g}"
