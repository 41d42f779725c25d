"""From ccxt's structures and the venues' own rows to liqlab's tables: pure; the rules are `_ccxt_units`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders.exchanges import _ccxt_units as rules
from liqlab.loaders.exchanges._ccxt_units import Forced, Interest, in_coins, row_of
from liqlab.loaders.exchanges._instruments import (
    COINS,
    CONTRACTS,
    ONE,
    Instrument,
    frame_of,
)
from liqlab.loaders.http import Failure, FetchError
from liqlab.market.clock import nanoseconds, timedelta
from liqlab.market.resample import bar_opens, next_open

_CLOSE = 0.05  # by which a proof of the unit may differ: rounding, and prices of another moment


def parse_candles(rows: Sequence[Sequence[Any]], item: Instrument, unit: str) -> pd.DataFrame:
    """ccxt's candles → open, high, low, close, volume [coins]; without a unit: prices only (mark candles)."""
    try:
        names = ["open", "high", "low", "close", *(["volume"] if unit else [])]
        table = frame_of([row[0] for row in rows], {name: [row[k + 1] for row in rows] for k, name in enumerate(names)})
    except (IndexError, TypeError):
        raise Failure("a row of the answer lacks columns") from None
    if not np.isfinite(table.to_numpy()).all():
        raise Failure("a page holds candles that cannot be")
    if unit:
        table["volume"] = in_coins(table["volume"], table["close"], unit, item, volume_sides(item))
    return table


def volume_sides(item: Instrument) -> str:
    """Sides that the venue's volumes count; a spot trade is counted once."""
    return ONE if item.spot else row_of(item.exchange).volume.sides


# --- open interest ----------------------------------------------------------------------------------------------------


def parse_open_interest(rows: Sequence[Mapping[str, Any]], item: Instrument, prices: pd.Series | None) -> pd.DataFrame:
    """ccxt's open-interest rows → open_interest [coins], one side counted.

    Parameters
    ----------
    rows : list of dict
        From ``fetch_open_interest_history`` or ``fetch_open_interest``; their ``info`` decides where it tells more.
    item : Instrument
        Its exchange decides the rule.
    prices : Series (time,), optional
        Prices at the stamps, for inverse contracts counted in quote or contracts; stamps without one are left out.

    Raises
    ------
    FetchError
        Where the venue has no rule, or a row is of another shape than the rule says.

    Examples
    --------
    Bybit's number counts both sides; newer replies have one side beside it.

    >>> coin = Instrument("bybit", "BTC/USDT:USDT", "BTCUSDT")
    >>> row = {"timestamp": 0, "openInterestAmount": 50_000.0, "info": {"openInterest": "50000"}}
    >>> parse_open_interest([row], coin, None)["open_interest"].tolist()
    [25000.0]
    """
    rule = row_of(item.exchange).open_interest
    if rule is None:
        raise FetchError(f"what the open interest of {item.exchange} counts is not known to liqlab; convert it to "
                         "coins and pass it to lq.read")  # fmt: skip
    try:
        found = [_interest(row, rule, item) for row in rows]
        table = frame_of([row["timestamp"] for row in rows], {"open_interest": [amount for amount, _ in found]})
    except (KeyError, IndexError, TypeError, ValueError):
        raise Failure("a row of open interest lacks its number or its stamp") from None
    units = {unit for _, unit in found} or {COINS}
    if len(units) > 1:
        raise Failure(f"a page of open interest counts {' and '.join(sorted(units))} at once")
    price: Any = 1.0
    if needs_price(item):
        known = pd.Series(dtype=float) if prices is None else prices
        table = table[table.index.isin(known.index)]
        price = known.loc[table.index].to_numpy()
    table["open_interest"] = in_coins(table["open_interest"], price, units.pop(), item)
    if not np.isfinite(table.to_numpy()).all():
        raise Failure("a row of open interest has no number")
    return table


def _interest(row: Mapping[str, Any], rule: Interest, item: Instrument) -> tuple[float, str]:
    """Number and unit of one row, one side counted."""
    info = row.get("info")
    if rule.width:
        _refuse_other_width(info, rule, item)
    name, unit = rule.inverse if item.inverse else rule.linear
    raw = info if isinstance(info, Mapping) else {}
    if rule.unit_field and rule.unit_field in raw:
        told = str(raw[rule.unit_field])
        if told not in rule.unit_values:
            raise FetchError(f"{item.exchange}: open interest has {rule.unit_field}={told!r}, where "
                             f"{', '.join(rule.unit_values)} are known; upgrade liqlab")  # fmt: skip
        unit = rule.unit_values[told]
    if rule.single and raw.get(rule.single) not in (None, ""):
        return _number(raw[rule.single]), unit
    value = _number(_field(row, name))
    return (value / 2 if rule.sides == rules.BOTH else value), unit


def _field(row: Mapping[str, Any], name: str) -> Any:
    """``openInterestAmount`` of ccxt's row, ``info.open_interest`` or ``info.2`` of the venue's own."""
    _, own, place = name.partition("info.")
    if not own:
        return row[name]
    return row["info"][int(place)] if place.isdigit() else row["info"][place]


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _refuse_other_width(info: Any, rule: Interest, item: Instrument) -> None:
    """A row of another number of places counts something else; linear contracts × size must be the coins beside it."""
    if not isinstance(info, list | tuple) or len(info) != rule.width:
        shape = f"{len(info)} columns" if isinstance(info, list | tuple) else type(info).__name__
        raise FetchError(f"{item.exchange}: a row of the open interest's history has {shape} where {rule.width} are "
                         f"read; {rule.other_width}, or leave open_interest out of kinds")  # fmt: skip
    if item.inverse:
        return
    contracts, coins = float(info[1]), float(info[2])
    if contracts > 0 and abs(coins / (contracts * item.contract_size) - 1) > _CLOSE:
        raise FetchError(f"{item.exchange}: an open interest of {contracts:g} contracts of {item.contract_size:g} is "
                         f"not {coins:g} coins; the reply has changed: leave open_interest out of kinds, or upgrade "
                         "liqlab")  # fmt: skip


def needs_price(item: Instrument) -> bool:
    """Whether open interest can be turned into coins at a price only."""
    rule = row_of(item.exchange).open_interest
    return item.inverse and rule is not None and rule.inverse[1] != COINS


# --- funding ----------------------------------------------------------------------------------------------------------


def parse_funding_rate(rows: Sequence[Mapping[str, Any]], item: Instrument) -> pd.DataFrame:
    """ccxt's funding history → funding_rate, and funding_interval_hours where the venue's rates are for a fixed time.

    Deribit's hourly rows hold the rate of eight hours; elsewhere a rate is for the time since the row before it.
    """
    try:
        table = frame_of([r["timestamp"] for r in rows], {"funding_rate": [r["fundingRate"] for r in rows]})
    except (KeyError, TypeError):
        raise Failure("a row of the funding history lacks its rate or its stamp") from None
    told = pd.Series([r["fundingRate"] for r in rows], dtype="float64").to_numpy()
    hours = rate_hours(told, [r.get("info") for r in rows], item.exchange)
    return table.assign(funding_interval_hours=float(hours)) if hours else table


def rate_hours(rates: np.ndarray, infos: Sequence[Any], exchange: str) -> int:
    """Hours that funding rates are for, by the venue's own rows beside them, else by its rule; 0: those between rows.

    Examples
    --------
    Of Deribit's two rates ccxt may take either.

    >>> rate_hours(np.array([8e-5]), [{"interest_8h": 8e-5, "interest_1h": 1e-5}], "")
    8
    >>> rate_hours(np.array([1e-5]), [{"interest_8h": 8e-5, "interest_1h": 1e-5}], "deribit")
    1
    """
    for name, hours in (("interest_8h", 8), ("interest_1h", 1)):
        told = [float(info[name]) for info in infos if isinstance(info, Mapping) and info.get(name) is not None]
        if told and len(told) == len(rates) and np.allclose(told, rates, rtol=1e-6, atol=0.0):
            return hours
    return row_of(exchange).rate_hours


# --- liquidations -----------------------------------------------------------------------------------------------------


def parse_liquidations(rows: Sequence[Any], item: Instrument) -> pd.DataFrame:
    """Liquidations, as ccxt's structures or as the venue's own rows and messages → one row each.

    Parameters
    ----------
    rows : list
        ccxt's liquidations (their ``info`` is read: ccxt's ``side`` means the order on some venues, the position on
        others, and of a message of several it keeps the first), raw rows of the venue, or its messages (``data`` with
        ``details``). Rows of other instruments are left out.
    item : Instrument
        Its exchange decides the rule.

    Returns
    -------
    DataFrame (event,)
        time, side (of the position that was liquidated: ``long``, ``short``), quantity [coins].

    Examples
    --------
    Bybit's ``Buy`` is a long, Gate's −165 contracts of 0.0001 BTC are a short; an OKX message holds two.

    >>> coin = Instrument("bybit", "BTC/USDT:USDT", "BTCUSDT")
    >>> parse_liquidations([{"T": 0, "S": "Buy", "v": "0.5", "p": "60000"}], coin)["side"].tolist()
    ['long']
    >>> gate = Instrument("gate", "BTC/USDT:USDT", "BTC_USDT", contract_size=0.0001)
    >>> row = {"time": 1696736132, "size": -165, "left": 0, "fill_price": "28070"}
    >>> parse_liquidations([row], gate)[["side", "quantity"]].values.tolist()
    [['short', 0.0165]]
    >>> okx = Instrument("okx", "BTC/USDT:USDT", "BTC-USDT-SWAP", contract_size=0.01)
    >>> one = {"bkPx": "60000", "posSide": "long", "side": "sell", "sz": "100", "ts": "0"}
    >>> message = {"details": [one, one | {"ts": "1"}], "instId": "BTC-USDT-SWAP"}
    >>> parse_liquidations([message], okx)["quantity"].tolist()
    [1.0, 1.0]
    """
    cells = [one for one in _own_rows(rows) if _is_of(one, item)]
    events = [_event(one, item) for one in cells]
    _tell_of_no_size(cells, item)
    table = pd.DataFrame(events, columns=["time", "side", "quantity"])
    table["time"] = pd.to_datetime(table["time"].astype("int64"), unit="ms", utc=True)
    table["quantity"] = table["quantity"].astype("float64")
    return table


def _own_rows(rows: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """The venue's own rows: out of ccxt's structures, messages cut into their details, one message once."""
    seen: set[int] = set()
    for row in rows:
        raw = row["info"] if isinstance(row, Mapping) and "info" in row else row
        if isinstance(raw, list | tuple):
            yield {str(place): value for place, value in enumerate(raw)}
            continue
        parts = raw["data"] if isinstance(raw.get("data"), list) else [raw]
        for part in parts:
            details = part.get("details")
            if not isinstance(details, list):
                inner = part.get("o")  # of a flattened row it is the order's type
                yield dict(inner if isinstance(inner, Mapping) else part)
            elif id(part) not in seen:  # ccxt may hand on one message once for each of its details
                seen.add(id(part))
                about = {name: value for name, value in part.items() if name != "details"}
                yield from (about | dict(one) for one in details)


def _is_of(cells: Mapping[str, Any], item: Instrument) -> bool:
    """Whether a row is of the instrument; a row that names none is."""
    return "instId" not in cells or not item.id or cells["instId"] == item.id


def _tell_of_no_size(rows: Sequence[Mapping[str, Any]], item: Instrument) -> None:
    """A size of 0 is no liquidation of nothing: the amount is not told, or stands in another field."""
    empty = [rule.size for cells in rows for rule in [_rule(cells, item)] if float(cells[rule.size]) == 0]
    if not empty:
        return
    told = f"{len(empty)} of {len(rows)} liquidations of {item.exchange} have {empty[0]} 0"
    if len(empty) == len(rows):
        raise Failure(f"{told}, so nothing tells how much was liquidated")
    warnings.warn(f"{told}; they count nothing, and the amounts of these bars are lower bounds", stacklevel=2)


def _rule(cells: Mapping[str, Any], item: Instrument) -> Forced:
    """The first rule of the venue whose fields a row has."""
    for rule in row_of(item.exchange).liquidations:
        if str(cells.get(rule.side, "")).lower() not in ("", "net", "both", "none") and rule.size in cells:
            return rule
    raise Failure("a liquidation tells no side")


def _event(cells: Mapping[str, Any], item: Instrument) -> tuple[int, str, float]:
    rule = _rule(cells, item)
    said = str(cells[rule.side]).lower()
    try:
        size = abs(float(cells[rule.size])) - abs(float(cells.get(rule.left) or 0.0) if rule.left else 0.0)
        long = float(said) > 0 if rule.means == "sign" else (said in ("buy", "long")) == (rule.means == "position")
        price = float(cells[rule.price]) if item.inverse or cells.get(rule.turnover) else 1.0
        moment = int(cells[rule.stamp]) * 1000 // rule.per_second
    except (KeyError, TypeError, ValueError):
        raise Failure("a liquidation lacks its size, price or stamp") from None
    if not 0 <= size < float("inf"):
        raise Failure(f"a liquidation of {cells[rule.size]}, of which {cells.get(rule.left)} was left, is no amount")
    coins = float(in_coins(size, price, rule.unit, item))
    _refuse_other_unit(cells, rule, item, coins, price)
    return moment, "long" if long else "short", coins


def _refuse_other_unit(cells: Mapping[str, Any], rule: Forced, item: Instrument, coins: float, price: float) -> None:
    """Turnover ÷ price is the amount in coins: a size that is not counts something else than the rule says."""
    if not cells.get(rule.turnover) or coins <= 0:
        return
    proof = float(cells[rule.turnover]) / price
    if abs(proof / coins - 1) > _CLOSE:
        unit = f"{rule.unit} of {item.contract_size:g}" if rule.unit == CONTRACTS else rule.unit
        raise FetchError(f"{item.exchange}: a liquidation of {cells[rule.size]} {unit} is {coins:g} coins, by its "
                         f"turnover and price {proof:g}; the reply has changed: leave liquidations out of kinds, or "
                         "upgrade liqlab")  # fmt: skip


def opens_between(start: int, stop: int, timeframe: str, origin: int = 0) -> np.ndarray:
    """Opens of the bars in ``[start, stop)`` [ms], counted from the open of any bar."""
    step = int(timedelta(timeframe) / pd.Timedelta(1, "ms"))
    return np.arange(next_open(start, step, origin), stop, step, dtype=np.int64)


def per_bar(events: pd.DataFrame, start: int, stop: int, timeframe: str, origin: int = 0) -> pd.DataFrame:
    """Events → long, short [coins per bar] on the bars that open in ``[start, stop)`` [ms].

    A bar without any is 0, observed: the events must reach to the end of the last bar. `origin` [ms] is the open of
    any bar of the venue's candles; weeks begin on Monday on most venues, on Thursday on Gate.

    Examples
    --------
    A liquidation on Wednesday, 10 January 1970, in weeks from Monday: it is of the week of the 5th.

    >>> events = pd.DataFrame({"time": pd.to_datetime(["1970-01-07"], utc=True), "side": ["long"], "quantity": [2.0]})
    >>> week = 7 * 86_400_000
    >>> per_bar(events, 0, 2 * week, "1w", origin=4 * 86_400_000)["long"].tolist()
    [2.0, 0.0]
    """
    step = int(timedelta(timeframe) / pd.Timedelta(1, "ms"))
    opens = opens_between(start, stop, timeframe, origin)
    bars = pd.DatetimeIndex(opens.astype("datetime64[ms]")).as_unit("us").tz_localize("UTC").rename("time")
    table = pd.DataFrame(0.0, index=bars, columns=["long", "short"])
    if not len(opens):
        return table
    moments = nanoseconds(pd.DatetimeIndex(events["time"])) // 1_000_000
    inside = events[(moments >= opens[0]) & (moments < opens[-1] + step)]
    place = (bar_opens(nanoseconds(pd.DatetimeIndex(inside["time"])) // 1_000_000, step, origin) - opens[0]) // step
    for side in ("long", "short"):
        chosen = (inside["side"] == side).to_numpy()
        table[side] = np.bincount(place[chosen], inside["quantity"].to_numpy()[chosen], minlength=len(opens))
    return table
