"""One argument for whatever shows a map: a heatmap, one moment of it, or a live map; and whose map it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.market.arguments import warn
from liqlab.market.clock import naive, nanoseconds, span_of, timedelta, utc
from liqlab.market.provenance import Provenance

if TYPE_CHECKING:
    import xarray as xr

    from liqlab.market.market import Market

__all__ = [
    "as_columns",
    "check_common_time",
    "check_same_market",
    "check_same_source",
    "column_at",
    "estimated",
    "moment_in",
    "moment_of",
]

NEEDED = ("time", "price", "side", "close_time", "price_edge")


def as_columns(heat: Any, name: str = "heat") -> xr.Dataset:
    """A heatmap of whatever shows one: itself, a moment as its only column, a live map's last column.

    Raises
    ------
    TypeError, ValueError
        What is no map, has lost its coordinates, or holds nothing.
    """
    if hasattr(heat, "heatmap") and hasattr(heat, "close_time"):
        return heat.heatmap(1)  # a live map
    if not hasattr(heat, "data_vars"):
        raise TypeError(f"{name} must be a heatmap, one moment of it or a live map, got {type(heat).__name__}; "
                        "lq.heatmap(market) makes one")  # fmt: skip
    missing = [each for each in ("notional", *NEEDED) if each not in heat.variables]
    if missing:
        raise ValueError(f"{name} lacks {', '.join(missing)}, so it is no heatmap; pass what lq.heatmap(market) gave, "
                         "or a part of it that keeps these")  # fmt: skip
    if "time" in heat["notional"].dims and not heat["close_time"].ndim:
        heat = heat.assign_coords(close_time=heat["close_time"].expand_dims(time=heat["time"]))
    if "time" not in heat["notional"].dims:
        closes = np.atleast_1d(heat["close_time"].to_numpy())
        heat = heat.drop_vars("close_time").expand_dims("time").assign_coords(close_time=("time", closes))
        heat = heat.transpose("time", "price", "side", ..., missing_dims="ignore")
    lost = [each for each in ("price", "side") if each not in heat["notional"].dims]
    if lost:
        raise ValueError(f"{name} holds one {lost[0]} only; leave the dimension in place, "
                         f".sel({lost[0]}=[value]) keeps it")  # fmt: skip
    empty = [each for each in heat["notional"].dims if heat.sizes[each] == 0]
    if empty:
        raise ValueError(f"{name} is empty: it has no {empty[0]}; choose a range that holds something")
    return heat if heat.sizes["price_edge"] == heat.sizes["price"] + 1 else _with_edges(heat, name)


def _with_edges(heat: xr.Dataset, name: str) -> xr.Dataset:
    """A part of the prices of a map, ``heat.sel(price=slice(low, high))``, with the edges that belong to them."""
    price, edge = heat["price"].to_numpy(), heat["price_edge"].to_numpy()
    first = int(np.searchsorted(edge, price[0])) - 1
    edges = edge[max(first, 0) : max(first, 0) + len(price) + 1]
    if len(edges) <= len(price) or not np.allclose((edges[1:] + edges[:-1]) / 2, price, rtol=1e-9):
        raise ValueError(f"{name} holds prices that are no neighbouring bins of its price_edge; cut it with "
                         ".sel(price=slice(low, high))")  # fmt: skip
    return heat.drop_vars("price_edge").assign_coords(price_edge=edges)


def estimated(heat: Any, name: str = "heat") -> Any:
    """Refuse a map of observed liquidations where an estimated one is wanted."""
    if "placing" in getattr(heat, "attrs", {}) and "model" not in heat.attrs:
        raise ValueError(f"{name} holds observed liquidations, and nothing in it stands; pass an estimated map, "
                         "lq.heatmap(market)")  # fmt: skip
    return heat


def column_at(heat: xr.Dataset, at: Any, name: str = "at") -> int:
    """Number of the last column closed at or before a moment; None: the last.

    Raises
    ------
    ValueError
        A moment before the first close, or more than a column after the last one.
    """
    closes = heat["close_time"].to_numpy().astype("datetime64[ns]")
    if at is None:
        return len(closes) - 1
    stamps = closes.astype(np.int64)
    moment = utc(at, name=name, span=(int(stamps[0]), int(stamps[-1]))).as_unit("ns").value
    row = int(np.searchsorted(stamps, moment, side="right")) - 1
    if row < 0:
        first = moment_text(int(stamps[0]))
        raise ValueError(f"{name}: no column had closed by {moment_text(moment)}; the first closes at {first}: choose "
                         "a later moment, or a map that begins earlier")  # fmt: skip
    wide = _width(heat, stamps)
    if row < len(closes) - 1 and moment - stamps[row] >= wide:
        warn(f"{name}={moment_text(moment)}: the map has no column between {moment_text(int(stamps[row]))} and "
             f"{moment_text(int(stamps[row + 1]) - wide)}; this is the one closed at the first of them")  # fmt: skip
    if row == len(closes) - 1 and moment - stamps[-1] >= wide:
        raise ValueError(f"{name}={moment_text(moment)} is after the end of the map, whose last column closes at "
                         f"{moment_text(int(stamps[-1]))}; leave {name} out for that column, or make the map "
                         "up to the moment")  # fmt: skip
    return row


def moment_in(heat: xr.Dataset, at: Any, name: str = "at") -> np.datetime64:
    """A moment that somebody gave, on the time axis of a map."""
    closes = heat["close_time"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    return naive(pd.DatetimeIndex([utc(at, name=name, span=span_of(closes))]))[0]


def moment_text(stamp: int) -> str:
    """A moment [ns] as messages show it."""
    return f"{pd.Timestamp(stamp, tz='UTC'):%Y-%m-%d %H:%M}"


def _width(heat: xr.Dataset, stamps: np.ndarray) -> int:
    """Width of a column [ns]; of a map that does not say it, the usual distance of two."""
    if "time_step" in heat.attrs:
        return int(timedelta(heat.attrs["time_step"]).as_unit("ns").value)
    return int(np.median(np.diff(stamps))) if len(stamps) > 1 else 2**62


def moment_of(market: Market, at: Any, name: str = "at") -> int:
    """A moment of a market [ns]; None: its end.

    Raises
    ------
    ValueError
        A candle or more after the market's end: nothing is known of it.
    """
    end = int(market.end.as_unit("ns").value)
    if at is None:
        return end
    moment = int(utc(at, name=name, span=(int(nanoseconds(market.candles.index[:1])[0]), end)).as_unit("ns").value)
    if moment >= end + market.step.as_unit("ns").value:
        raise ValueError(f"{name}={moment_text(moment)} is after the end of the market at {moment_text(end)}; leave "
                         f"{name} out for its end, or pass a market that reaches so far")  # fmt: skip
    return moment


def check_common_time(market: Market, heat: xr.Dataset, what: str = "heat") -> None:
    """Refuse a map that shares no time with the candles."""
    first, last = (pd.Timestamp(x, tz="UTC") for x in (heat["time"].to_numpy()[0], heat["close_time"].to_numpy()[-1]))
    if last <= market.start or first >= market.end:
        raise ValueError(f"{what} runs from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} and the market from "
                         f"{market.start:%Y-%m-%d %H:%M} to {market.end:%Y-%m-%d %H:%M}: no time in common; pass the "
                         "market that the map was made from")  # fmt: skip


def check_same_market(market: Market | None, made: Any, what: str = "heat", *, timeframe: bool = True) -> None:
    """Refuse a map, or a table read from one, that is of another market.

    Symbol, exchange and time frame are compared, for a sum of maps with each of its parts. What says nothing of its
    market is let pass.

    Parameters
    ----------
    market : Market, optional
    made : Dataset or DataFrame
    what : str
        What to call it in messages.
    timeframe : bool
        Compare the time frames as well.
    """
    if market is None:
        return
    attrs = getattr(made, "attrs", {})
    names = ("symbol", "exchange", "timeframe") if timeframe else ("symbol", "exchange")
    parts: list[Any] = [attrs]
    if "provenance" in attrs:
        parts = [vars(one) for one in Provenance.of(made).each]
    mine = {name: getattr(market, name) for name in names}
    theirs = [{name: part[name] for name in names if name in part} for part in parts]
    if any(all(mine[name] == value for name, value in part.items()) for part in theirs):
        return
    of = " + ".join(" ".join(str(value) for value in part.values() if value) or "a market without a name"
                    for part in theirs)  # fmt: skip
    own = " ".join(value for value in mine.values() if value) or "a market without a name"
    raise ValueError(f"{what} was made from {of}, and market is {own}; pass the market that it was made from, or make "
                     "it anew from this one")  # fmt: skip


def check_same_source(made: Any, heat: xr.Dataset | None, what: str = "zones") -> None:
    """Refuse a table or a map that is of another market than `heat`: by symbol and exchange, and by its prices.

    Parameters
    ----------
    made : DataFrame or Dataset, optional
        What says nothing of its market is judged by its columns low and high alone.
    heat : Dataset, optional
    what : str
        What to call it in messages.
    """
    if made is None or heat is None:
        return
    theirs = tuple(made.attrs.get(name, "") for name in ("symbol", "exchange"))
    mine = {tuple(heat.attrs.get(name, "") for name in ("symbol", "exchange"))}
    if "provenance" in heat.attrs:
        mine |= {(one.symbol, one.exchange) for one in Provenance.of(heat).each}
    own = " + ".join(" ".join(each).strip() or "a market without a name" for each in sorted(mine))
    if any(theirs) and theirs not in mine:
        raise ValueError(f"{what} was made from {' '.join(theirs).strip()}, and heat from {own}; pass what was made "
                         "from the same market")  # fmt: skip
    if isinstance(made, pd.DataFrame) and {"low", "high"} <= {*made.columns} and len(made):
        low, high = heat["price_edge"].to_numpy()[[0, -1]]
        if ((made["low"] > high) | (made["high"] < low)).all():
            raise ValueError(f"{what} lies from {made['low'].min():,.6g} to {made['high'].max():,.6g}, wholly outside "
                             f"of heat, which shows {low:,.6g} to {high:,.6g}; pass what was made from the same "
                             "market")  # fmt: skip
