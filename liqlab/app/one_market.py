"""One market of a scan: opened, mapped and told in one row. This is what a worker does; it never raises."""

from __future__ import annotations

import gc
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.loaders import examples, load, load_example, read
from liqlab.maps.heatmaps import BIN, heatmap, round_number
from liqlab.market.clock import timedelta, timeframe_of, utc
from liqlab.market.market import Market
from liqlab.market.provenance import Provenance
from liqlab.market.technicals import per_hour
from liqlab.models._assumptions import Assumptions
from liqlab.zones import confluence, nearest

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["NUMBERS", "Answer", "Call", "look_at", "open_market"]

STORED = re.compile(r"[^\s/\\]+/[A-Z0-9]+(:[A-Z0-9-]+)?")  # ccxt's spelling of a symbol
BELOW, ABOVE = 0.5, 1.6  # × the last price: from 2x longs to 2x shorts
SHOWN, SHOWN_BINS = 0.12, 60  # of a small map: prices up to so far from the last one, in so many bins
DAYS, STALE = 7, pd.Timedelta("1D")  # of the mean volume; older open interest and funding count as unknown
PER_SIDE = ("price", "distance_percent", "distance_atr", "notional", "to_open_interest", "to_daily_volume",
            "confluence", "coverage")  # fmt: skip
NUMBERS = ["price", "atr", "open_interest", "daily_volume", "funding_8h_percent",
           *(f"{side}_{name}" for side in SIDES for name in PER_SIDE)]  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One market, and how it is to be looked at.

    Attributes
    ----------
    market : Market, str, Path or dict
        As in `scan`.
    assumptions : Assumptions
    at : Timestamp, optional
    window, time_step : str
        Durations.
    exchange, timeframe : str
        Of symbols in the store.
    store : path, optional
    """

    market: Any
    assumptions: Assumptions
    at: pd.Timestamp | None = None
    window: str = "7d"
    time_step: str = "1h"
    exchange: str = "binanceusdm"
    timeframe: str = "5m"
    store: Any = None


@dataclass(frozen=True)
class Answer:
    """A row and a small map, or the reason why there is none.

    Attributes
    ----------
    row : dict
        Columns of the table; empty where the market failed.
    small : Dataset, optional
        The small map.
    notes : list of str
        What liqlab warned of on the way.
    reason : str
        Why it failed, else empty.
    again : bool
        Whether a second try may go better: not where the data themselves were refused.
    """

    row: dict[str, Any] = field(default_factory=dict)
    small: Any = None
    notes: list[str] = field(default_factory=list)
    reason: str = ""
    again: bool = False


def look_at(call: Call) -> Answer:
    """Open a market and tell it in one row; whatever goes wrong is the answer's reason.

    Parameters
    ----------
    call : Call
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            row, small = _row(open_market(call), call)
            answer = Answer(row, small)
        except (ValueError, TypeError, FileNotFoundError) as error:  # would be refused again
            answer = Answer(reason=_reason(error))
        except Exception as error:  # a full disk, a lost connection, a lack of memory: one more try
            answer = Answer(reason=_reason(error), again=True)
    answer.notes.extend(dict.fromkeys(str(each.message) for each in caught if each.category is UserWarning))
    gc.collect()  # a market and its run go before the next one comes
    return answer


def open_market(call: Call) -> Market:
    """The market that a call names: itself, an example, a file, a symbol in the store, or arguments of `read`."""
    given = call.market
    if isinstance(given, Market):
        return given
    if isinstance(given, dict):
        return read(**given)
    if isinstance(given, str):
        if given in examples().index:
            return load_example(given)
        if STORED.fullmatch(given) and not Path(given).exists():
            return load(given, exchange=call.exchange, timeframe=call.timeframe, store=call.store)
        if not Path(given).suffix and not Path(given).exists() and not re.search(r"[*?\[/\\]", given):
            raise ValueError(f"no example, file or stored symbol is called {given!r}; lq.examples() lists the "
                             "examples, liqlab data list the store: its symbols are written BTC/USDT:USDT")  # fmt: skip
    return read(given)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}".removesuffix(": ")


def _row(market: Market, call: Call) -> tuple[dict[str, Any], xr.Dataset]:
    """The row of a market, and its small map."""
    at = market.end if call.at is None else call.at
    last = int(market.candles.index.searchsorted(at - market.step, side="right")) - 1
    if last < 0 or at - market.end >= max(market.step, timedelta(call.time_step)):
        raise ValueError(f"at={at:%Y-%m-%d %H:%M} lies outside of the market, which runs from {market.start} to "
                         f"{market.end}; choose a moment in it, or leave at out")  # fmt: skip
    price = float(market.candles["close"].iloc[last])
    close = market.candles.index[last] + market.step
    wide, asked = market.step, timedelta(call.time_step)
    wide *= max(-(-asked // wide), 1)  # whole candles
    bins = {"price_range": (BELOW * price, ABOVE * price), "price_step": round_number(BIN * price)}
    look: dict[str, Any] = {"assumptions": call.assumptions, "end": close, "time_step": wide, **bins}
    heat = heatmap(market, start=max(close - timedelta(call.window), market.start), **look)
    zones = nearest(heat, broad=False)
    found = zones[zones["peak"].notna()].reset_index()
    classes = heatmap(market, start=heat["time"].to_numpy()[-1], by_leverage=True, **look)
    scores = confluence(classes, zones=found).set_index("side")["score"] if len(found) else pd.Series(dtype=float)
    interest = _known(market.open_interest, "open_interest", close) * price
    volume = _daily_volume(market, close)
    atr = float(zones.attrs["atr"])
    funding = market.funding_rate
    rate = np.nan if funding is None else _known(per_hour(funding).to_frame("rate"), "rate", close) * 8
    use = Provenance.of(heat).open_interest
    row: dict[str, Any] = {
        "symbol": market.symbol, "exchange": market.exchange, "timeframe": market.timeframe, "at": close,
        "price": price, "atr": atr, "atr_step": timeframe_of(wide), "open_interest": interest,
        "open_interest_from": f"proxy: {use.exchange}" if use.kind == "proxy" else use.kind,
        "daily_volume": volume, "funding_8h_percent": 100 * rate,
    }  # fmt: skip
    told = use.kind in ("own", "proxy")  # of an open interest that nobody told, no part can be known
    for side in SIDES:
        zone = zones.loc[side].to_dict()
        known, unknown = (float(heat[name].sel(side=side)[-1]) for name in ("attributed_oi", "unattributed_oi"))
        away, amount = float(zone["distance_to_edge"]), float(zone["notional"])
        values = (zone["peak"], 100 * away, away * price / atr, amount, _part(amount, interest), _part(amount, volume),
                  scores.get(side, np.nan), _part(known, known + unknown) if told else np.nan)  # fmt: skip
        row |= {f"{side}_{name}": float(value) for name, value in zip(PER_SIDE, values, strict=True)}
    return row, _small(heat, price)


def _part(amount: float, whole: float) -> float:
    return amount / whole if whole > 0 else np.nan


def _known(table: pd.DataFrame | None, column: str, moment: pd.Timestamp) -> float:
    """Last value of a table of instants at a moment; NaN where there is none or it is a day old."""
    if table is None:
        return np.nan
    row = int(table.index.searchsorted(moment, side="right")) - 1
    return float(table[column].iloc[row]) if row >= 0 and moment - table.index[row] <= STALE else np.nan


def _daily_volume(market: Market, close: pd.Timestamp) -> float:
    """Mean turnover of a day [quote] over the last seven, of as many bars as there are; NaN for less than a day."""
    rows = market.candles.loc[lambda c: (c.index >= close - pd.Timedelta(DAYS, "D")) & (c.index < close)]
    days = len(rows) * (market.step / pd.Timedelta("1D"))
    return float((rows["volume"] * rows["close"]).sum() / days) if days >= 1 - 1e-9 else np.nan


def _small(heat: xr.Dataset, price: float) -> xr.Dataset:
    """The map around the last price in few bins: it is kept for every market."""
    edge = heat["price_edge"].to_numpy()
    first, stop = (int(np.searchsorted(edge, price * (1 + sign * SHOWN))) for sign in (-1, 1))
    together = max((stop - first) // SHOWN_BINS, 1)
    stop = first + (stop - first) // together * together
    part = heat[["notional", "open", "high", "low", "close", "volume", "attributed_oi", "unattributed_oi"]]
    part = part.isel(price=slice(first, stop))
    notional = part["notional"].coarsen(price=together).sum().astype("float32")
    small = part.drop_vars(["notional", "price"]).assign(notional=notional)
    small = small.assign_coords(price_edge=edge[first : stop + 1 : together])
    small.attrs = dict(heat.attrs)
    return small.copy(deep=True)


def moment_of(at: Any) -> pd.Timestamp | None:
    """A moment that somebody gave, in UTC."""
    return None if at is None else utc(at, name="at")
