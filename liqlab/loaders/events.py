"""Single liquidations → coins per bar of the candles, by the side of the position."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from liqlab.loaders.column_names import Parsed
from liqlab.loaders.exchanges import _ccxt_parse
from liqlab.loaders.exchanges._ccxt_units import row_of
from liqlab.loaders.http import Failure, FetchError
from liqlab.loaders.layouts import EVENTS
from liqlab.loaders.stated_units import TARDIS, venue_item
from liqlab.loaders.unit_readings import CONTRACTS
from liqlab.loaders.volume_units import Claim
from liqlab.market.clock import nanoseconds, timeframe_of
from liqlab.market.instruments import Instrument, parse_symbol
from liqlab.market.resample import bar_opens

__all__ = ["archive_events", "per_bar", "told_venue", "venue_events"]

COINS, QUOTE = "coins", "quote"
_DAY_OF = re.compile(r"(20\d\d)-?(\d\d)-?(\d\d)")


def archive_events(parsed: Parsed, file: str, claim: Claim) -> pd.DataFrame:
    """Events of an archive's file → time, side (of the position), quantity [coins].

    The side that stands in the archives is that of the order: ``sell`` closes a long; in our own it is the position's.
    """
    frame = parsed.frame
    side = pd.Series(frame["side"].to_numpy()).astype(str).str.lower().to_numpy()
    own = parsed.layout.name == EVENTS[2]
    odd = ~np.isin(side, ["long", "short"] if own else ["buy", "sell"])
    if odd.any():
        row = int(np.flatnonzero(odd)[0])
        words = ("long or short is understood, the side of the position; a buy or sell is the order's on one venue and "
                 "the position's on another" if own else "buy or sell is understood, the side of the order that "
                 "liquidates")  # fmt: skip
        raise ValueError(f"{file}: row {row} has the side {side[row]!r} ({int(odd.sum())} such row(s)); {words}")
    quantity = frame["quantity"].to_numpy(float)
    unit, size = claim.unit, claim.size
    if own and not unit:
        unit = COINS
    elif not unit and parsed.layout.name == EVENTS[0]:
        unit = CONTRACTS if parse_symbol(parsed.symbol).inverse else COINS
    elif not unit:
        venue = str(frame["venue"].iloc[0]).lower() if "venue" in frame else ""
        unit = TARDIS.get(venue, ("", ""))[bool(parse_symbol(parsed.symbol, venue).inverse) or claim.inverse]
        if not unit:
            raise ValueError(f"{file}: nobody says what the amounts of {venue or 'this venue'} count; pass "
                             "units={'liquidations': 'coins'}, 'contracts' (with contract_size=), 'quote'")  # fmt: skip
    inverse = claim.inverse or bool(parse_symbol(parsed.symbol).inverse)
    if unit == CONTRACTS:
        if size is None:
            raise ValueError(f"{file}: its amounts count contracts, and nothing tells their size; pass "
                             "contract_size=0.01 or what it is")  # fmt: skip
        quantity = quantity * size
    if unit == QUOTE or (unit == CONTRACTS and inverse):
        if "price" not in frame:
            raise ValueError(f"{file}: amounts in {unit} need a column price to become coins; add it")
        quantity = quantity / frame["price"].to_numpy(float)
    if not np.isfinite(quantity).all() or (quantity < 0).any():
        row = int(np.flatnonzero(~(quantity >= 0))[0])
        raise ValueError(f"{file}: row {row} ({frame.index[row]}) has no quantity >= 0; drop or correct the row")
    sides = side if own else np.where(side == "sell", "long", "short")
    return pd.DataFrame({"time": frame.index, "side": sides, "quantity": quantity})


def venue_events(
    found: pd.DataFrame, exchange: str, known: Instrument | None, size: float | None, file: str
) -> pd.DataFrame:
    """Rows of a venue, or of ccxt with their ``info``, by the rule of `lq.fetch` → time, side, quantity [coins]."""
    rules = row_of(exchange).liquidations
    if size is None and any(rule.unit == CONTRACTS for rule in rules) and exchange not in _CONTRACT_IS_COIN:
        raise ValueError(f"{file}: liquidations of {exchange} count contracts, and nothing tells their size; pass "
                         "contract_size=0.01 or what it is")  # fmt: skip
    rows = [{name: value for name, value in row.items() if not (isinstance(value, float) and np.isnan(value))}
            for row in found.to_dict("records")]  # fmt: skip
    try:
        return _ccxt_parse.parse_liquidations(rows, venue_item(exchange, known, size))
    except (Failure, FetchError) as failure:
        raise ValueError(f"{file}: {failure}, as {exchange} writes them; is it from that venue?") from None


_CONTRACT_IS_COIN = ("binanceusdm", "bybit", "bitfinex")  # one contract of these is one coin, where it is linear


def told_venue(found: pd.DataFrame) -> str:
    """Binance, where rows are its messages of forced orders; else empty."""
    if not {"e", "o"} <= set(map(str, found.columns)) or not (found["e"] == "forceOrder").all():
        return ""
    first = found["o"].iloc[0]
    inverse = isinstance(first, dict) and "USD_" in str(first.get("s", ""))
    return "binancecoinm" if inverse else "binanceusdm"


def is_of_venue(columns: Sequence[str], exchange: str) -> bool:
    """Whether rows look like liquidations of the venue."""
    names = set(map(str, columns))
    return any(
        {rule.side, rule.size} <= names or {"info", "o", "details", "data"} & names
        for rule in row_of(exchange).liquidations
    )


def per_bar(parts: Sequence[tuple[pd.DataFrame, str]], candles: pd.DataFrame, step: pd.Timedelta) -> pd.DataFrame:
    """Events summed to the bars of the candles: long, short [coins per bar].

    Parameters
    ----------
    parts : list of (DataFrame, str)
        time, side, quantity of each file, and the file's name.
    candles : DataFrame (time,)
        Where bars begin.
    step : Timedelta
        Their length.

    Returns
    -------
    DataFrame (time,)
        A bar without events is 0 from the first to the last event of a file, and between two files whose names hold
        days that follow each other. Elsewhere nothing was recorded, and there is no row.
    """
    width, origin = step.as_unit("ns").value, int(nanoseconds(candles.index)[0])
    parts = sorted((part for part in parts if len(part[0])), key=lambda part: part[0]["time"].min())
    spans: list[list[int]] = []
    day_before = None
    for events, file in parts:
        opens = bar_opens(nanoseconds(pd.DatetimeIndex(events["time"])), width, origin)
        day = _day_of(file)
        follows = day is not None and day_before is not None and day - day_before <= pd.Timedelta(1, "D")
        if spans and (follows or opens.min() <= spans[-1][1] + width):
            spans[-1][1] = max(spans[-1][1], int(opens.max()))
        else:
            spans.append([int(opens.min()), int(opens.max())])
        day_before = day
    every = pd.concat([events for events, _ in parts])
    million, bar = 1_000_000, timeframe_of(step)
    return pd.concat([_ccxt_parse.per_bar(every, first // million, (last + width) // million, bar, origin // million)
                      for first, last in spans])  # fmt: skip


def _day_of(file: str) -> pd.Timestamp | None:
    found = _DAY_OF.search(file)
    day = pd.to_datetime("-".join(found.groups()), errors="coerce") if found else pd.NaT
    return day if isinstance(day, pd.Timestamp) else None
