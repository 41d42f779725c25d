"""The pure step from a table of any understood layout to liqlab's own names, stamps and numbers.

Which layouts there are says `liqlab.loaders.layouts`; what their amounts count is settled afterwards, by
`liqlab.loaders.volume_units` and `liqlab.loaders.interest_units`. Nothing here opens a file or asks a network.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders.archive_files import snapshots
from liqlab.loaders.found_tables import told_venue, with_stamps
from liqlab.loaders.layouts import CANDLE_TABLES, EVENTS, LAYOUTS, METRICS, NEEDED, UNTOLD, VOLUMES, Layout, fold
from liqlab.loaders.numerals import numbers_of
from liqlab.loaders.timestamps import stamps
from liqlab.market.checks import OPTIONAL_TIER_COLUMNS, TIER_COLUMNS
from liqlab.market.instruments import contradiction, parse_symbol

__all__ = ["Parsed", "parse", "recognise"]

_LABELS = ("exchange", "symbol", "as_of")  # the first columns of the tiers hold no numbers
_TEXT = ("symbol", "side", "venue")
_VOLUME_OF = re.compile(r"volume(?!(?:ma|sma|ema|base|quote|from|to|ccy|ccyquote|sum|delta|24h)$)(\w+)")


@dataclass(frozen=True)
class Parsed:
    """One table under our names, its amounts as they were found.

    Attributes
    ----------
    frame : DataFrame (time,)
        float64; ascending. Beside our columns those that tell the unit: base_volume, quote_volume, either_volume,
        vwap, value.
    layout : Layout
    symbol : str
        The symbol that stands in it, as it is written there; empty where none does.
    ends : Series (time,), optional
        Closes of the bars as they were found, where they stand beside the opens.
    found : DataFrame
        The rows as they were, in the same order.
    stored : bool
        It is a month of the store, whose units are ours.
    venue : str
        Whose reply it is, where the reply shows it.
    """

    frame: pd.DataFrame
    layout: Layout
    symbol: str
    ends: pd.Series | None
    found: pd.DataFrame
    stored: bool = False
    venue: str = ""


_IN_QUOTE = ("holds open interest in quote (USD) and not in coins, so every price move would look like positions; "
             "fetch the amount in coins, or pass units={'open_interest': 'quote'} to divide it by the price of that "
             "very instant")  # fmt: skip
_IN_CONTRACTS = ("holds open interest of a coin-margined contract, counted in contracts; multiply by the contract size "
                 "[USD], divide by the price of that very instant, and name it open_interest; or pass "
                 "units={'open_interest': 'contracts'} and contract_size=100 or what it is")  # fmt: skip
# column that gives it away, column in coins that would make it fine, reason
_REFUSED_OPEN_INTEREST = (
    ("open_interest_value", "open_interest_amount", _IN_QUOTE),
    ("sum_open_interest_value", "sum_open_interest", _IN_QUOTE),
    ("open_interest_value", "open_interest", _IN_QUOTE),
    ("open_interest_usd", "open_interest", _IN_QUOTE),
    ("contract_type", "", _IN_CONTRACTS),
)


def parse(
    frame: pd.DataFrame,
    table: str,
    *,
    file: str,
    now: pd.Timestamp,
    symbol: str = "",
    exchange: str = "",
    timezone: str | None = None,
    unit: str = "",
) -> Parsed:
    """Bring a table of any understood layout under our names: UTC index, ascending, float64.

    Parameters
    ----------
    frame : DataFrame (rows,)
        The table as it was found, times as a column or as a DatetimeIndex.
    table : str
        The table of a Market that it is to become, ``candles`` or ``open_interest`` and so on.
    file : str
        What to call it in messages.
    now : Timestamp
        No stamp may lie more than a day after it.
    symbol, exchange : str
        Which rows to take where a column ``symbol`` holds several, and whose spelling that is.
    timezone : str, optional
        Zone of times that carry none.
    unit : str
        What the caller says that amounts count: it lets open interest in quote or contracts pass, to be converted.

    Returns
    -------
    Parsed
        Shuffled rows are sorted and reported with their count; duplicates are left to `liqlab.market`.

    Raises
    ------
    ValueError
        Where the columns, the unit, a time or a number is not understood; the message names it.
    """
    if frame.empty:
        raise ValueError(f"{file}: no rows under the header {_listed(frame.columns)}; is the download complete?")
    found = with_stamps(frame, file)
    if table == "open_interest" and not unit:
        _refuse_unit(found, file)
    if table == "leverage_tiers" and {"minnotional", "maintenancemarginrate"} <= set(map(fold, found.columns)):
        _refuse_ccxt_tiers(found, file)
    layout = recognise(found.columns, table, file)
    places = _places(found, layout, file, NEEDED[table])
    if table == "leverage_tiers":
        names = [*TIER_COLUMNS, *(name for name in OPTIONAL_TIER_COLUMNS if name in map(fold_spaces, found.columns))]
        tiers = found.set_axis([fold_spaces(name) for name in found.columns], axis=1)[names].copy()
        number = tiers["tier"].copy()
        for column in TIER_COLUMNS[len(_LABELS) :]:
            tiers[column] = numbers_of(tiers[column], number, column, file)
        return Parsed(tiers, layout, "", None, tiers)
    if table in CANDLE_TABLES:
        places = _named_volumes(found, places, symbol)
    if "time" not in places or (table == "candles" and not set(VOLUMES) & set(places)):
        raise ValueError(f"{file}: the columns {_listed(found.columns)} are not understood as {table}: the "
                         f"{'volume' if 'time' in places else 'time'} cannot be told apart; rename it")  # fmt: skip
    if "symbol" in places:
        found, own = _one_symbol(found, found.columns[places["symbol"]], symbol, exchange, file)
    else:
        own = ""
    raw_time = found.iloc[:, places["time"]]
    index = stamps(raw_time, file=file, zone=layout.zone or timezone, now=now)
    columns = {
        role: found.iloc[:, k].to_numpy() if role in _TEXT else numbers_of(found.iloc[:, k], raw_time, role, file)
        for role, k in places.items() if role not in ("time", "close_time", "symbol")
    }  # fmt: skip
    if layout.name == "freqtrade" and table == "funding_rate":
        _refuse_prices(found, places, file)
    clean = pd.DataFrame(columns, index=index, copy=False)  # the market copies what it keeps
    if layout.constants:
        clean = clean.assign(**dict(layout.constants))
    venue = str(frame.attrs.get("venue", "")) or told_venue(found, exchange, file)
    ends = found.iloc[:, places["close_time"]] if "close_time" in places else None
    order = _order(index, file, newest_first=bool(frame.attrs.get("newest_first")))
    if order is not None:
        clean, found = clean.iloc[order], found.iloc[order].reset_index(drop=True)
        ends = None if ends is None else ends.iloc[order]
    if layout.name == METRICS:
        clean = _without_holes(clean, file)
    return Parsed(clean, layout, own, ends, found, bool(frame.attrs.get("liqlab")), venue)


def _refuse_ccxt_tiers(found: pd.DataFrame, file: str) -> None:
    if not set(map(fold_spaces, found.columns)) >= set(TIER_COLUMNS):
        raise ValueError(f"{file}: these are ccxt's tiers, whose unit is the venue's; make the table with "
                         "liqlab.margin.tiers_from_ccxt(rows, symbol=…, exchange=…, as_of=…), which says what else it "
                         "needs, and pass that")  # fmt: skip


def _without_holes(table: pd.DataFrame, file: str) -> pd.DataFrame:
    """The archive's open interest without the rows that are none; what is left out is told."""
    found = snapshots(table)
    if found.left_out:
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(found.left_out.items()))
        warnings.warn(f"{file}: left out of {len(table)} row(s): {counts}; nothing was filled in", stacklevel=2)
    if found.frame.empty:
        raise ValueError(f"{file}: no row has open interest; is the archive's file complete?")
    return found.frame


def recognise(columns: Iterable[Any], table: str, file: str) -> Layout:
    """The first layout of a table whose needed columns are all there.

    Raises
    ------
    ValueError
        Listing the columns found, the layouts understood, and what the nearest of them lacks.

    Examples
    --------
    >>> recognise(["date", "open", "high", "low", "close", "volume"], "candles", "x.feather").name
    'freqtrade'
    """
    columns = list(columns)
    present = {fold(column) for column in columns}
    exact = {str(column) for column in columns}  # of one letter t and T differ
    if any(_VOLUME_OF.fullmatch(name) for name in present):  # Volume BTC
        present.add("volume")
    known = [layout for layout in LAYOUTS if table in layout.tables]
    wanted = [_wanted(layout, table) for layout in known]
    lacking = []
    for layout, needs in zip(known, wanted, strict=True):
        lacks = [names[0] for names in needs if not any(name in exact if len(name) == 1 else fold(name) in present
                                                        for name in names)]  # fmt: skip
        bars = layout.unit == UNTOLD and {"volume", "vol", "v"} & present  # candles of the price
        if not lacks and not bars:
            return layout
        lacking.append(lacks)
    nearest = min(range(len(known)), key=lambda number: len(lacking[number]))
    lines = "\n".join(dict.fromkeys(f"  {layout.name}: {', '.join(names[0] for names in needs)}"
                                    for layout, needs in zip(known, wanted, strict=True)))  # fmt: skip
    why = f"it lacks {', '.join(lacking[nearest])}; rename or add the column(s)"
    if not lacking[nearest]:
        why = "but a volume beside it says that these are candles"
    raise ValueError(
        f"{file}: the columns are not understood as {table}. Found: {_listed(columns)}. Understood:\n{lines}\n"
        f"Nearest is {known[nearest].name!r}, {why}"
    )


def _wanted(layout: Layout, table: str) -> list[tuple[str, ...]]:
    """The names, each with its other spellings, that a table of this layout needs."""
    roles = ("time", "side", "quantity") if layout.name in EVENTS else NEEDED[table]
    volumes = VOLUMES if table == "candles" else ("volume",)
    needs = []
    for role in roles:
        accepted = volumes if role == "volume" else (role,)
        names = [name for name, ours in layout.columns.items() if ours in accepted]
        if role == "volume" and "volume" in names:
            names = list(dict.fromkeys(["volume", *names]))
        needs.append(tuple(names))
    return [*needs, *((mark,) for mark in layout.marks)]


def _listed(columns: Iterable[Any]) -> str:
    return ", ".join(str(column) for column in columns) or "(none)"


def fold_spaces(name: Any) -> str:
    """Names of our own tables: ``As of`` → ``as_of``."""
    return str(name).strip().lower().replace(" ", "_")


def _places(found: pd.DataFrame, layout: Layout, file: str, needed: tuple[str, ...]) -> dict[str, int]:
    """Where each of our columns stands; doubled columns matter only where they are needed and differ."""
    folded: dict[str, list[int]] = {}
    for place, name in enumerate(found.columns):
        folded.setdefault(fold(name), []).append(place)
    places: dict[str, int] = {}
    for theirs, role in layout.columns.items():
        at = folded.get(fold(theirs), [])
        if role in places or not at:
            continue
        exact = [place for place in at if str(found.columns[place]) == theirs] if len(theirs) == 1 else at
        if len(exact) > 1 and role in needed:
            raise ValueError(f"{file}: the column {str(found.columns[exact[0]]).lower()!r} stands twice (case is "
                             "ignored); drop or rename one")  # fmt: skip
        if len(exact) == 1:
            places[role] = exact[0]
    return places


def _named_volumes(found: pd.DataFrame, places: dict[str, int], symbol: str) -> dict[str, int]:
    """``Volume BTC`` and ``Volume USDT``, whose names hold the coin, by the symbol or by which is no currency."""
    money = {"usdt", "usd", "usdc", "busd", "eur", "fdusd", "tusd", "dai", "gbp", "jpy", "krw", "try"}
    if "symbol" in places:
        symbol = str(found.iloc[0, places["symbol"]])
    known = parse_symbol(symbol)
    named = {found_name[1]: place for place, name in enumerate(found.columns)
             if (found_name := _VOLUME_OF.fullmatch(fold(name)))}  # fmt: skip
    for coin, place in named.items():
        quote = coin == known.quote.lower() if known.quote else coin in money
        if quote or coin == known.base.lower() or not known.base:
            places.setdefault("quote_volume" if quote else "volume", place)
    return places


def _refuse_prices(found: pd.DataFrame, places: dict[str, int], file: str) -> None:
    """Candles of a cheap coin given as funding: freqtrade leaves all but ``open`` empty or repeats it."""
    others = [place for place, name in enumerate(found.columns) if fold(name) in ("high", "low", "close")]
    rate = found.iloc[:, places["funding_rate"]]
    moving = [found.iloc[:, at] for at in others if found.iloc[:, at].any() and not found.iloc[:, at].equals(rate)]
    if moving:
        raise ValueError(f"{file}: high, low and close move on their own: these are candles and not the rates that "
                         "freqtrade writes into 'open'; name the rate funding_rate, if it is one")  # fmt: skip


def _refuse_unit(found: pd.DataFrame, file: str) -> None:
    names = {fold(name): name for name in found.columns}
    for mark, coins, reason in _REFUSED_OPEN_INTEREST:
        usable = fold(coins) in names and not found[names[fold(coins)]].isna().all() if coins else False
        others = {"oiccy", "sumopeninterest", "openinterest", "openinterestamount"} & set(names) if coins else set()
        others = {name for name in others if not found[names[name]].isna().all()}
        if fold(mark) in names and not usable and not others:
            raise ValueError(f"{file}: {reason}")
    if "symbol" in names:
        for name in found[names["symbol"]].astype(str).unique():
            if parse_symbol(name).inverse and re.search(r"USD_(?:PERP|\d{6})$", name):
                raise ValueError(f"{file}: {name} {_IN_CONTRACTS}")


def _one_symbol(found: pd.DataFrame, column: Any, symbol: str, exchange: str, file: str) -> tuple[pd.DataFrame, str]:
    """The rows of the symbol asked for, or of the only one there is, and its name as it stands there."""
    names = found[column]
    different = [str(name) for name in pd.unique(names) if not pd.isna(name)]
    if not different:
        return found, ""
    if not symbol:
        if len(different) > 1:
            raise ValueError(f"{file}: {len(different)} symbols in one table: {_listed(different[:20])}; "
                             "pass symbol= to choose one")  # fmt: skip
        return found, different[0]
    wanted = parse_symbol(symbol, exchange)
    mine = [name for name in different if not contradiction(wanted, parse_symbol(name, exchange))]
    if not mine:
        why = contradiction(wanted, parse_symbol(different[0], exchange)) if len(different) == 1 else ""
        told = f" ({why})" if why and wanted.base == parse_symbol(different[0], exchange).base else ""
        raise ValueError(f"{file}: no row is of {symbol}; the symbol column holds {_listed(different[:20])}{told}")
    exact = [name for name in mine if name.upper() == symbol.upper()]
    mine = exact or mine
    if len(mine) > 1 and len({str(parse_symbol(name, exchange)) for name in mine}) > 1:
        raise ValueError(f"{file}: {_listed(mine)} can all be {symbol}; pass symbol= as it stands in the file")
    if len(different) == 1:
        return found, mine[0]
    return found[names.astype(str).isin(mine).to_numpy()].reset_index(drop=True), mine[0]


def _order(index: pd.DatetimeIndex, file: str, *, newest_first: bool) -> np.ndarray | None:
    """Rows in the order of time, None where they are; what was out of order is told."""
    if index.is_monotonic_increasing:
        return None
    if newest_first and index.is_monotonic_decreasing:  # as the venue documents it
        return np.arange(len(index))[::-1]
    micros = index.as_unit("us").asi8
    back = int((np.diff(micros) < 0).sum())
    warnings.warn(f"{file}: {back} of {len(index)} row(s) carry an earlier time than the row above; sorted by time",
                  stacklevel=2)  # fmt: skip
    return np.argsort(micros, kind="stable")
