"""Tables of one market against each other and against what exists: other dates, other units, other instruments.

A table that cannot belong to the candles is refused with the numbers; one that may, but should not, is warned of. The
bounds are wide: they catch a factor of a price or of a contract's size, not an unusual market.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from liqlab.loaders.cross_checks import DAYS_OF_TURNS, warn_of_turns
from liqlab.loaders.interest_units import price_at
from liqlab.loaders.liquidated_amounts import check_liquidated
from liqlab.loaders.volume_units import MOST_PRICE, SCALED
from liqlab.market.clock import nanoseconds
from liqlab.market.instruments import contradiction, parse_symbol
from liqlab.market.market import Market

__all__ = ["check_between", "check_exchange", "check_instruments"]

# Coins that there can be at most, rounded up; a figure above is no number of coins.
_SUPPLY: Mapping[str, float] = {
    "BTC": 2.1e7, "ETH": 1.3e8, "SOL": 7e8, "BNB": 2e8, "XRP": 1e11, "ADA": 4.5e10, "DOGE": 2e11, "AVAX": 7.2e8,
    "LTC": 8.4e7, "BCH": 2.1e7, "LINK": 1e9, "DOT": 2e9, "TRX": 1.2e11, "TON": 6e9, "HYPE": 1e9, "XMR": 2.5e7,
}  # fmt: skip
_DOLLARS = ("USD", "USDT", "USDC", "FDUSD", "BUSD", "DAI", "USDE")
_MOST_INTEREST = 3e11  # quote, where that is dollars: more than all venues together have ever had
_MOST_TURNOVER = 1e12  # quote a day: all markets together have never had as much
_TURNS = (1e-3, 3e3)  # daily volume ÷ open interest
_SPIKE = 20.0  # times the rows around it
_AROUND = 5  # rows on each side
_FEWEST = 30
_JUMP = 3.0  # times a price within a bar, or from bar to bar
_PART = 1 << 15  # rows that a cache holds
_OLD_NAMES = {"huobi": "htx", "huobipro": "htx", "okex": "okx", "okex5": "okx", "gateio": "gate"}
_MOST_RATE = 2e-3  # a median funding rate above .2 % per interval is mostly one in per cent


def check_between(market: Market, label: Mapping[str, str]) -> dict[str, str]:
    """Refuse or warn of tables that do not go with the candles.

    Parameters
    ----------
    market : Market
    label : mapping of table name to str
        What to call each table in messages.

    Returns
    -------
    dict
        Table name → note for `Market.sources`, such as how long before the candles a table ends.

    Raises
    ------
    ValueError
        For a table of other dates, amounts that cannot exist, open interest that moves by more than was traded,
        liquidations above the volume, mark prices of another instrument.

    Warns
    -----
    UserWarning
        For a table that ends long before the candles or begins long after, single values far off their neighbours,
        open interest that is traded far more or less often than usual, as that of another coin is,
        open interest that moves with the price as an amount of money does, rates that look like per cent, a volume
        that is 0 in all bars.
    """
    notes = {}
    for name in ("open_interest", "funding_rate", "liquidations", "taker", "path", "mark_candles"):
        table = getattr(market, name)
        note = "" if table is None else _cover(market, table, name, label[name])
        if note:
            notes[name] = note
    _traded(market.candles, label["candles"])
    _against_existence(market, label)
    _jumps(market.candles, label["candles"])
    if market.open_interest is not None:
        _spikes(market.open_interest["open_interest"], label["open_interest"])
        _moves(market, label["open_interest"])
        _stands_still(market, label["open_interest"])
    if market.liquidations is not None:
        check_liquidated(market, label["liquidations"])
    for name in ("path", "mark_candles"):
        if getattr(market, name) is not None:
            _same_price(market, getattr(market, name), name, label[name])
    if market.funding_rate is not None:
        _per_cent(market.funding_rate["funding_rate"], label["funding_rate"])
    return notes


def _cover(market: Market, table: pd.DataFrame, name: str, file: str) -> str:
    """Whether a table's time is that of the candles."""
    first, last = table.index[0], table.index[-1]
    whole, day = market.end - market.start, pd.Timedelta(1, "D")
    if first >= market.end + day or last < market.start - day:
        raise ValueError(f"{file}: {name} runs from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}, the candles from "
                         f"{market.start:%Y-%m-%d %H:%M} to {market.end:%Y-%m-%d %H:%M}: they have no time in common; "
                         "pass a table of the same time")  # fmt: skip
    if name in ("path", "mark_candles"):
        return ""  # where they are missing, the candles stand in
    usual = pd.Timedelta(int(np.median(np.diff(nanoseconds(table.index)))), unit="ns") if len(table) > 2 else day
    slack = max(3 * usual, 2 * market.step, whole / 20)
    missing = [f"ends {market.end - last} before them" if market.end - last > slack else "",
               f"begins {first - market.start} after them" if first - market.start > slack else ""]  # fmt: skip
    words = " and ".join(word for word in missing if word)
    if words:
        warnings.warn(f"{file}: {name} covers {first:%Y-%m-%d %H:%M} … {last:%Y-%m-%d %H:%M} of candles that run from "
                      f"{market.start:%Y-%m-%d %H:%M} to {market.end:%Y-%m-%d %H:%M}: it {words}; outside nothing is "
                      "known of it", stacklevel=2)  # fmt: skip
        return f"covers a part: {words}"
    return ""


def _traded(candles: pd.DataFrame, file: str) -> None:
    """Whether anything was traded: some tools write their volume into another column and leave this one at 0."""
    if not candles["volume"].to_numpy().any():
        warnings.warn(f"{file}: volume is 0 in all {len(candles)} bars, so a map of what was traded stays empty; if "
                      "another column holds what was traded (tickvol or the like), rename it to volume",
                      stacklevel=2)  # fmt: skip


def _against_existence(market: Market, label: Mapping[str, str]) -> None:
    """Coins per day and open interest against all the coins there are, and against the money there is."""
    candles = market.candles
    price, days = (
        float(candles["close"].iloc[:: -(-len(candles) // 10_000)].median()),
        max(len(candles) * (market.step / pd.Timedelta(1, "D")), 1e-9),
    )
    daily = float(candles["volume"].to_numpy().sum()) / days
    known = parse_symbol(market.symbol) if market.symbol else None
    supply = _SUPPLY.get(known.base, np.inf) if known else np.inf
    dollars = known is None or known.quote in _DOLLARS
    if dollars and price > MOST_PRICE and (known is not None or market.exchange == "phemex"):
        raise ValueError(f"{label['candles']}: prices of about {price:,.6g} for one coin are more than any coin has "
                         f"ever cost{SCALED}")  # fmt: skip
    interest = 0.0 if market.open_interest is None else float(market.open_interest["open_interest"].median())
    for name, file, amount, most, money in (
        ("volume a day", label["candles"], daily, 3 * supply, _MOST_TURNOVER),
        ("open interest", label.get("open_interest", ""), interest, supply, _MOST_INTEREST),
    ):
        table = "volume" if "volume" in name else "open_interest"
        remedy = (f"it is likely counted in contracts or in money: name the venue with exchange=, or pass "
                  f"units={{'{table}': 'contracts'}} with contract_size=, or 'quote'"
                  f"{SCALED if price > MOST_PRICE else ''}")  # fmt: skip
        if amount > most and known is not None:
            raise ValueError(f"{file}: {name} of {amount:,.6g} coins is more than there is of {known.base} "
                             f"({supply:,.6g}); {remedy}")  # fmt: skip
        if dollars and amount * price > money:
            raise ValueError(f"{file}: {name} of {amount:,.6g} coins at {price:,.6g} would be {amount * price:,.6g} "
                             f"quote, more than all venues together ({money:,.6g}); {remedy}")  # fmt: skip
    if interest > 0 and daily > 0 and not _TURNS[0] < daily / interest < _TURNS[1]:
        raise ValueError(f"{label['open_interest']}: {daily:,.6g} coins a day were traded where {interest:,.6g} are "
                         f"open, {daily / interest:.3g} turns a day: one of the two is not in coins; say what they "
                         "count: units={'open_interest': …, 'volume': …} with contract_size=")  # fmt: skip
    if interest > 0 and daily > 0 and days >= DAYS_OF_TURNS:
        warn_of_turns(daily, interest, price, market, label["open_interest"])


def _jumps(candles: pd.DataFrame, file: str) -> None:
    """Bars of a price that changes several times over, in the bar or since the one before."""
    opens, high, low, close = (candles[name].to_numpy() for name in ("open", "high", "low", "close"))
    odd: list[int] = []
    for first in range(0, len(opens), _PART):
        part, joined = slice(first, first + _PART), close[max(first - 1, 0) : first + _PART]
        if max(high[part].max(), joined.max()) <= _JUMP * min(low[part].min(), joined.min()):
            continue  # as of nearly all
        bars = high[part] > _JUMP * low[part]
        before = close[max(first - 1, 0) : first + len(bars) - 1]  # the first part has one fewer
        begin = opens[part][len(bars) - len(before) :]
        bars[len(bars) - len(before) :] |= (begin > _JUMP * before) | (_JUMP * begin < before)
        odd += (np.flatnonzero(bars) + first).tolist()
    if odd:
        row = odd[0]
        since = f"after a close of {close[row - 1]:,.6g}" if row else "as the first"
        warnings.warn(f"{file}: the bar at {candles.index[row]} runs from {low[row]:,.6g} to {high[row]:,.6g} {since}, "
                      f"more than a factor of {_JUMP:g} ({len(odd)} such bar(s)): a wrong price there sweeps all "
                      "levels between; compare it with another source, correct or drop the row",
                      stacklevel=2)  # fmt: skip


def _stands_still(market: Market, file: str) -> None:
    """Open interest that stays the same to the last digit while much is traded was not updated."""
    assert market.open_interest is not None
    table = market.open_interest["open_interest"]
    changed = np.flatnonzero(np.diff(table.to_numpy()) != 0)
    edges = np.concatenate([[0], changed + 1, [len(table)]])
    longest = int(np.argmax(np.diff(edges)))
    first, last = edges[longest], edges[longest + 1] - 1
    if last - first + 1 < _FEWEST:
        return
    candles = market.candles
    volume = float(candles["volume"][(candles.index >= table.index[first]) & (candles.index < table.index[last])].sum())
    if volume > 0.1 * table.iloc[first]:
        warnings.warn(f"{file}: open interest is {table.iloc[first]:,.6g} in {last - first + 1} rows from "
                      f"{table.index[first]} to {table.index[last]}, while {volume:,.6g} coins were traded: it was not "
                      "updated there; drop the rows that repeat it", stacklevel=2)  # fmt: skip


def _spikes(values: pd.Series, file: str) -> None:
    """Single values many times those before and after them."""
    if len(values) < 2 * _AROUND + 1:
        return
    numbers = values.to_numpy(float)
    change = np.flatnonzero(np.abs(np.diff(np.log(np.maximum(numbers, 1e-300)))) > np.log(_SPIKE))
    odd = []
    for row in np.unique(np.concatenate([change, change + 1])):
        before, after = numbers[max(row - _AROUND, 0) : row], numbers[row + 1 : row + 1 + _AROUND]
        sides = [float(np.median(part)) for part in (before, after) if len(part)]
        above = all(numbers[row] > _SPIKE * side for side in sides)
        if above or all(numbers[row] * _SPIKE < side for side in sides):
            odd.append((row, sides[0]))
    if odd:
        row, usual = odd[0]
        raise ValueError(f"{file}: open interest at {values.index[row]} is {numbers[row]:,.6g} between values about "
                         f"{usual:,.6g}, {numbers[row] / usual:.3g} times as much ({len(odd)} such row(s)); correct or "
                         "drop the row")  # fmt: skip


def _moves(market: Market, file: str) -> None:
    """Open interest cannot change by more than was traded (twice that where both sides are counted)."""
    assert market.open_interest is not None
    table = market.open_interest["open_interest"]
    opens = nanoseconds(market.candles.index)
    stamps = nanoseconds(table.index)
    inside = (stamps >= opens[0]) & (stamps <= opens[-1] + market.step.as_unit("ns").value)
    if inside.sum() < 3:
        return
    stamps, level = stamps[inside], table.to_numpy()[inside]
    traded = np.concatenate([[0.0], np.cumsum(market.candles["volume"].to_numpy())])
    width = market.step.as_unit("ns").value
    # every candle that an interval touches counts whole: the bound errs on the generous side
    begin = np.searchsorted(opens + width, stamps[:-1] - width, side="right")
    stop = np.searchsorted(opens, stamps[1:] + width, side="left")
    volume = traded[stop] - traded[begin]
    change = np.abs(np.diff(level))
    over = change > 2 * volume + 1e-6 * np.maximum(level[1:], level[:-1])
    if over.mean() > 0.2 and over.sum() >= 3:
        row = int(np.flatnonzero(over)[0])
        raise ValueError(f"{file}: from {table.index[inside][row]} to {table.index[inside][row + 1]} open interest "
                         f"changes by {change[row]:,.6g} where {volume[row]:,.6g} coins were traded, and so in "
                         f"{int(over.sum())} of {len(over)} intervals: it is not in coins (USD, contracts?) or of "
                         "another market; pass units={'open_interest': 'quote'} or 'contracts' with "
                         "contract_size=")  # fmt: skip
    _moves_with_price(market, table[inside], file)


def _moves_with_price(market: Market, table: pd.Series, file: str) -> None:
    """An amount of money moves one to one with the price; a number of coins does not."""
    price = price_at(market.candles, table.index, market.step)
    level = table.to_numpy()
    on = np.isfinite(price) & (level > 0)
    if on.sum() < _FEWEST:
        return
    moves, returns = np.diff(np.log(level[on])), np.diff(np.log(price[on]))
    keep = np.abs(moves) < np.log(1.5)
    moves, returns = moves[keep], returns[keep]
    if len(moves) < _FEWEST or not returns.std() > 0 or not moves.std() > 0:
        return
    slope = float(np.cov(moves, returns)[0, 1] / returns.var(ddof=1))
    agree = float(np.corrcoef(moves, returns)[0, 1]) ** 2
    if 0.75 < slope < 1.25 and agree > 0.3:
        warnings.warn(f"{file}: open interest moves {slope:.2f} % for 1 % of price (R² {agree:.2f} over {len(moves)} "
                      "changes), as an amount of money does and a number of coins does not; if it is in quote, pass "
                      "units={'open_interest': 'quote'}", stacklevel=2)  # fmt: skip


def _same_price(market: Market, table: pd.DataFrame, name: str, file: str) -> None:
    """Finer candles and mark prices are of the same instrument: their medians agree."""
    price = price_at(market.candles, table.index, market.step)
    on = np.isfinite(price)
    if not on.any():
        return
    ratio = float(np.median(table["open"].to_numpy()[on] / price[on]))
    if not 0.8 < ratio < 1.25:
        raise ValueError(f"{file}: prices of {name} are {ratio:.4g} times those of the candles of that time (median "
                         f"of {int(on.sum())} rows): another instrument, or another quote currency")  # fmt: skip


def _per_cent(rates: pd.Series, file: str) -> None:
    middle = float(rates.abs().median())
    if middle > _MOST_RATE:
        warnings.warn(f"{file}: the middle funding rate is {middle:.4g}, or {100 * middle:.3g} % per interval: if "
                      "written in per cent, pass units={'funding_rate': 'percent'} to divide it by 100 (fractions are "
                      "understood: 0.0001 is 0.01 %)", stacklevel=2)  # fmt: skip


# --- names ------------------------------------------------------------------------------------------------------------


def check_instruments(symbols: Mapping[str, tuple[str, str]], exchange: str) -> None:
    """Refuse tables whose own symbols contradict each other.

    Parameters
    ----------
    symbols : mapping of table name to (symbol, file)
        As they stand in the tables; empty where none does.
    exchange : str
    """
    told = [(name, symbol, file) for name, (symbol, file) in symbols.items() if symbol]
    for name, symbol, file in told[1:]:
        first, other, _ = told[0]
        why = contradiction(parse_symbol(other, exchange), parse_symbol(symbol, exchange))
        if why:
            raise ValueError(f"{file}: {name} is of {symbol}, but {first} of {other} ({why}); pass tables of one "
                             "instrument")  # fmt: skip


def check_exchange(exchange: str, known: Iterable[str]) -> None:
    """Refuse the name of a venue that is nearly one that is known; others are left as they are.

    >>> check_exchange("binanceusmd", ["binanceusdm", "bybit"])
    Traceback (most recent call last):
    ValueError: exchange 'binanceusmd' is not known; did you mean 'binanceusdm'?
    >>> check_exchange("okex-swap", ["bybit", "okx"])
    Traceback (most recent call last):
    ValueError: exchange 'okex-swap' is not known; did you mean 'okx'?
    """
    names = sorted(set(known))
    if not exchange or exchange in names:
        return
    name = exchange.lower()
    near = [_OLD_NAMES[name]] if name in _OLD_NAMES else difflib.get_close_matches(name, names, n=3, cutoff=0.75)
    if not near and not name.isalnum():  # binance futures: no name of ccxt's
        first = re.split(r"[\W_]", name)[0]
        near = [_OLD_NAMES[first]] if first in _OLD_NAMES else [one for one in names if name.startswith(one)]
    if near:
        raise ValueError(f"exchange {exchange!r} is not known; did you mean {' or '.join(map(repr, near))}?")
