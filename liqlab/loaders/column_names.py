"""The column layouts that are understood, as data, and the pure step from such a table to liqlab's own schema.

A new layout is one more entry of `LAYOUTS`; nothing here opens a file or asks a network.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders.archive_files import snapshots
from liqlab.loaders.timestamps import stamps
from liqlab.market.checks import OPTIONAL_TIER_COLUMNS, TIER_COLUMNS
from liqlab.market.market import OPTIONAL_CANDLE_COLUMNS, PRICES

__all__ = ["CANDLE_TABLES", "LAYOUTS", "POSITIONS", "Layout", "parse", "recognise"]

CANDLE_TABLES = ("candles", "path", "mark_candles")

NEEDED: dict[str, tuple[str, ...]] = {
    "candles": ("time", *PRICES, "volume"),
    "path": ("time", *PRICES),
    "mark_candles": ("time", *PRICES),
    "open_interest": ("time", "open_interest"),
    "funding_rate": ("time", "funding_rate"),
    "liquidations": ("time", "long", "short"),
    "taker": ("time", "taker_buy_share"),
    "leverage_tiers": TIER_COLUMNS,
}
_LABELS = ("exchange", "symbol", "as_of")  # the first columns of the tiers hold no numbers


@dataclass(frozen=True)
class Layout:
    """How one tool names its columns.

    Parameters
    ----------
    name : str
        What messages call it.
    tables : tuple of str
        The tables of a Market it can fill.
    columns : mapping of str to str
        Their name → ours. Names are compared without regard to case, with spaces as underscores.
    zone : str
        Time zone of its stamps where they are written without one *and* the venue documents it.
    """

    name: str
    tables: tuple[str, ...]
    columns: Mapping[str, str]
    zone: str = ""


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_OHLCV = _same(*PRICES, "volume")
_OWN_EXTRAS = _same(*OPTIONAL_CANDLE_COLUMNS)
_KLINES = {
    "open_time": "time", **_OHLCV,
    "quote_volume": "quote_volume", "quote_asset_volume": "quote_volume",
    "count": "trades", "number_of_trades": "trades", "trades": "trades",
    "taker_buy_volume": "taker_buy_volume", "taker_buy_base_asset_volume": "taker_buy_volume",
    "taker_buy_quote_volume": "taker_buy_quote_volume", "taker_buy_quote_asset_volume": "taker_buy_quote_volume",
}  # fmt: skip

_METRICS = "Binance metrics archive"
LAYOUTS: tuple[Layout, ...] = (
    Layout("liqlab, TradingView", CANDLE_TABLES, {"time": "time", **_OHLCV, **_OWN_EXTRAS}),
    Layout("Binance klines", CANDLE_TABLES, _KLINES),
    Layout("ccxt", CANDLE_TABLES, {"timestamp": "time", **_OHLCV, **_OWN_EXTRAS}),
    Layout("freqtrade", CANDLE_TABLES, {"date": "time", **_OHLCV, **_OWN_EXTRAS}),
    Layout("others", CANDLE_TABLES, {"datetime": "time", **_OHLCV, **_OWN_EXTRAS}),
    Layout("liqlab", ("open_interest",), _same("time", "open_interest")),
    Layout(_METRICS, ("open_interest",),
           {"create_time": "time", "sum_open_interest": "open_interest"}, zone="UTC"),
    Layout("Binance openInterestHist", ("open_interest",), {"timestamp": "time", "sumOpenInterest": "open_interest"}),
    Layout("ccxt", ("open_interest",), {"timestamp": "time", "openInterestAmount": "open_interest"}),
    Layout("liqlab", ("funding_rate",), _same("time", "funding_rate")),
    Layout("Binance funding archive", ("funding_rate",), {"calc_time": "time", "last_funding_rate": "funding_rate"}),
    Layout("Binance fundingRate", ("funding_rate",), {"fundingTime": "time", "fundingRate": "funding_rate"}),
    Layout("ccxt", ("funding_rate",), {"timestamp": "time", "fundingRate": "funding_rate"}),
    Layout("liqlab", ("liquidations",), _same("time", "long", "short")),
    Layout("liqlab", ("taker",), _same("time", "taker_buy_share")),
    Layout("liqlab", ("leverage_tiers",), _same(*TIER_COLUMNS)),
)  # fmt: skip

# Tables without a header are recognised by their width alone, and only candles come that way.
POSITIONS: dict[int, tuple[str, ...]] = {
    6: ("timestamp", *PRICES, "volume"),
    12: ("open_time", *PRICES, "volume", "close_time", "quote_volume", "count", "taker_buy_volume",
         "taker_buy_quote_volume", "ignore"),
}  # fmt: skip

_IN_QUOTE = ("holds open interest in quote (USD) and not in coins, so every price move would look like positions; "
             "fetch the amount in coins, or divide by the price of that very instant and name it "
             "open_interest")  # fmt: skip
_IN_CONTRACTS = ("holds open interest of a coin-margined contract, counted in contracts; multiply by the contract size "
                 "[USD], divide by the price of that very instant, and name it open_interest")  # fmt: skip
# column that gives it away, column in coins that would make it fine, reason
_REFUSED_OPEN_INTEREST = (
    ("openInterestValue", "openInterestAmount", _IN_QUOTE),
    ("sumOpenInterestValue", "sumOpenInterest", _IN_QUOTE),
    ("sum_open_interest_value", "sum_open_interest", _IN_QUOTE),
    ("open_interest_value", "open_interest", _IN_QUOTE),
    ("contractType", "", _IN_CONTRACTS),
)


def parse(
    frame: pd.DataFrame, table: str, *, file: str, now: pd.Timestamp, symbol: str = "", timezone: str | None = None
) -> pd.DataFrame:
    """Bring a table of any understood layout into liqlab's schema: our names, UTC index, ascending, float64.

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
    symbol : str
        Which rows to take where a column ``symbol`` holds several.
    timezone : str, optional
        Zone of times that carry none.

    Returns
    -------
    DataFrame (time,)
        Shuffled rows are sorted and reported with their count; duplicates are left to `liqlab.market`.

    Raises
    ------
    ValueError
        Where the columns, the unit, a time or a number is not understood; the message names it.
    """
    if frame.empty:
        raise ValueError(f"{file}: no rows under the header {_listed(frame.columns)}; is the download complete?")
    found = _fold_names(frame, file)
    if table == "open_interest":
        _refuse_unit(found, file)
    layout = recognise(found.columns, table, file)
    if table == "leverage_tiers":
        tiers = found[[*TIER_COLUMNS, *(name for name in OPTIONAL_TIER_COLUMNS if name in found)]].copy()
        for column in TIER_COLUMNS[len(_LABELS) :]:
            tiers[column] = _numbers(tiers[column], found["tier"], column, file)
        return tiers
    found = _one_symbol(found, symbol, file)
    ours = {fold(theirs): name for theirs, name in layout.columns.items() if fold(theirs) in found.columns}
    raw_time = found[next(theirs for theirs, name in ours.items() if name == "time")]
    index = stamps(raw_time, file=file, zone=layout.zone or timezone, now=now)
    del ours[str(raw_time.name)]
    columns = {name: _numbers(found[theirs], raw_time, theirs, file) for theirs, name in ours.items()}
    ordered = _sorted(pd.DataFrame(columns, index=index), file)
    return _without_holes(ordered, file) if layout.name == _METRICS else ordered


def _without_holes(table: pd.DataFrame, file: str) -> pd.DataFrame:
    """The archive's open interest without the rows that are none; what is left out is told."""
    found = snapshots(table)
    if found.left_out:
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(found.left_out.items()))
        warnings.warn(f"{file}: left out of {len(table)} row(s): {counts}; nothing was filled in", stacklevel=2)
    if found.frame.empty:
        raise ValueError(f"{file}: no row has open interest; is the archive's file complete?")
    return found.frame


def fold(name: Any) -> str:
    """A column name as it is compared: ``Taker buy volume`` → ``taker_buy_volume``."""
    return str(name).strip().lower().replace(" ", "_")


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
    found = {fold(column) for column in columns}
    known = [layout for layout in LAYOUTS if table in layout.tables]
    wanted = [[theirs for theirs, name in layout.columns.items() if name in NEEDED[table]] for layout in known]
    lacking = [[name for name in names if fold(name) not in found] for names in wanted]
    nearest = min(range(len(known)), key=lambda number: len(lacking[number]))
    if not lacking[nearest]:
        return known[nearest]
    lines = "\n".join(f"  {layout.name}: {', '.join(names)}" for layout, names in zip(known, wanted, strict=True))
    raise ValueError(
        f"{file}: the columns are not understood as {table}. Found: {_listed(columns)}. Understood:\n{lines}\n"
        f"Nearest is {known[nearest].name!r}, it lacks {', '.join(lacking[nearest])}; rename or add the column(s)"
    )


def _listed(columns: Iterable[Any]) -> str:
    return ", ".join(str(column) for column in columns) or "(none)"


def _fold_names(frame: pd.DataFrame, file: str) -> pd.DataFrame:
    """Folded names; an index of times becomes the column ``time``, a named one a column of its name."""
    found = frame.set_axis([fold(column) for column in frame.columns], axis=1)
    index = frame.index
    name = "time" if isinstance(index, pd.DatetimeIndex) else fold(index.name) if index.name is not None else ""
    if name and name not in found.columns:
        found.insert(0, name, index)
    doubled = found.columns[found.columns.duplicated()]
    if len(doubled):
        raise ValueError(f"{file}: the column {doubled[0]!r} stands twice (case is ignored); drop or rename one")
    return found.reset_index(drop=True)


def _refuse_unit(found: pd.DataFrame, file: str) -> None:
    for mark, coins, reason in _REFUSED_OPEN_INTEREST:
        usable = fold(coins) in found.columns and not found[fold(coins)].isna().all()
        if fold(mark) in found.columns and not usable:
            raise ValueError(f"{file}: {reason}")
    if "symbol" in found.columns:
        inverse = found["symbol"].astype(str).str.contains(r"USD_(?:PERP|\d{6})$")
        if inverse.any():
            raise ValueError(f"{file}: {found['symbol'][inverse].iloc[0]} {_IN_CONTRACTS}")


def _plain(symbol: str) -> str:
    """``BTC/USDT:USDT``, ``BTC-USDT-SWAP`` and ``BTCUSDT`` are one instrument: letters and digits only."""
    return re.sub(r"[^A-Z0-9]", "", re.sub(r"[-_](SWAP|PERP)$", "", symbol.upper().partition(":")[0]))


def _one_symbol(found: pd.DataFrame, symbol: str, file: str) -> pd.DataFrame:
    if "symbol" not in found.columns:
        return found
    names = found["symbol"].astype(str)
    if symbol:
        mine = names.map(_plain) == _plain(symbol)
        if not mine.any():
            raise ValueError(f"{file}: no row is of {symbol}; the symbol column holds {_listed(names.unique()[:20])}")
        return found[mine].reset_index(drop=True)
    different = names.unique()
    if len(different) > 1:
        raise ValueError(f"{file}: {len(different)} symbols in one table: {_listed(different[:20])}; "
                         "pass symbol= to choose one")  # fmt: skip
    return found


def _sorted(table: pd.DataFrame, file: str) -> pd.DataFrame:
    back = int((np.diff(table.index.asi8) < 0).sum())  # type: ignore[attr-defined]
    if not back:
        return table
    warnings.warn(f"{file}: {back} of {len(table)} row(s) carry an earlier time than the row above; sorted by time",
                  stacklevel=2)  # fmt: skip
    return table.sort_index(kind="stable")


def _numbers(column: pd.Series, raw_time: pd.Series, name: str, file: str) -> np.ndarray:
    """A column as float64, exactly as written; empty fields become NaN, which `liqlab.market` refuses by row."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy("float64", na_value=np.nan)
    numbers = pd.to_numeric(column, errors="coerce")
    text = column.astype(object).where(column.notna(), "").astype(str).str.strip().str.lower()
    bad = (numbers.isna() & ~text.isin(["", "nan"])).to_numpy()
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = column.iloc[row]
        comma = re.fullmatch(r"[+-]?[\d.]*\d,\d[\d.,]*", str(value))
        remedy = "write numbers with a decimal point and no thousands separator" if comma else "correct or drop the row"
        kind = "is a number with a comma" if comma else "is not a number"
        raise ValueError(f"{file}: column {name!r}, row {row} (time {raw_time.iloc[row]}) {kind}: {value!r} "
                         f"({int(bad.sum())} such row(s)); {remedy}")  # fmt: skip
    return numbers.to_numpy("float64", na_value=np.nan)
