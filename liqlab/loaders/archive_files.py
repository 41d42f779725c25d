"""The zips of Binance's public archive: their names, and from bytes to tables. `liqlab.loaders.archive` fetches them.

Columns go by their place: older files have no header, and the header of coin-margined candles says *quote* where coins
stand. Stamps may be milliseconds or microseconds, each number is read by its own magnitude.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from liqlab.loaders import bounded_streams
from liqlab.loaders.timestamps import instants, stamps
from liqlab.market.market import PRICES

__all__ = ["DATASETS", "Dataset", "Parsed", "checksum", "instrument", "parse", "snapshots", "unified",
           "unzip"]  # fmt: skip

_KLINE_NAMES = (
    "open_time", "open", "high", "low", "close", "volume", "close_time",
    "quote_volume quote_asset_volume base_asset_volume", "count number_of_trades",
    "taker_buy_volume taker_buy_base_asset_volume",
    "taker_buy_quote_volume taker_buy_quote_asset_volume taker_buy_base_asset_volume", "ignore",
)  # fmt: skip
_METRICS_NAMES = ("create_time", "symbol", "sum_open_interest", "sum_open_interest_value",
                  "count_toptrader_long_short_ratio", "sum_toptrader_long_short_ratio", "count_long_short_ratio",
                  "sum_taker_long_short_vol_ratio")  # fmt: skip
_OHLC = {name: place for place, name in enumerate(PRICES, start=1)}


@dataclass(frozen=True)
class Dataset:
    """One folder of the archive.

    Parameters
    ----------
    folder : str
        Its name there.
    names : tuple of str
        What a header may say at each place, alternatives separated by blanks.
    columns : mapping of str to int
        Our name → place.
    inverse : mapping of str to int, optional
        The same for coin-margined contracts, whose ``volume`` counts contracts; None where they are refused.
    monthly, daily : bool
        Which zips there are.
    """

    folder: str
    names: tuple[str, ...]
    columns: Mapping[str, int]
    inverse: Mapping[str, int] | None = None
    monthly: bool = True
    daily: bool = True


DATASETS: Mapping[str, Dataset] = {
    "candles": Dataset(
        "klines", _KLINE_NAMES,
        _OHLC | {"volume": 5, "quote_volume": 7, "trades": 8, "taker_buy_volume": 9, "taker_buy_quote_volume": 10},
        inverse=_OHLC | {"volume": 7, "trades": 8, "taker_buy_volume": 10},
    ),
    "mark_candles": Dataset("markPriceKlines", _KLINE_NAMES, _OHLC, inverse=_OHLC),
    "open_interest": Dataset(
        "metrics", _METRICS_NAMES,
        {"open_interest": 2, "open_interest_value": 3, "top_account_ratio": 4, "top_position_ratio": 5,
         "account_ratio": 6, "taker_ratio": 7},
        monthly=False,
    ),
    "funding_rate": Dataset(
        "fundingRate", ("calc_time", "funding_interval_hours", "last_funding_rate"),
        {"funding_rate": 2, "funding_interval_hours": 1}, inverse={"funding_rate": 2, "funding_interval_hours": 1},
        daily=False,
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Parsed:
    """A table and what was left out of it.

    Parameters
    ----------
    frame : DataFrame (time,)
        Our columns, float64, UTC, ascending, unique.
    left_out : mapping of str to int
        Reason → number of rows.
    """

    frame: pd.DataFrame
    left_out: dict[str, int] = field(default_factory=dict)


# --- names ----------------------------------------------------------------------------------------------------------


def instrument(symbol: str) -> tuple[str, str, str]:
    """Exchange, folder and name that a symbol has in the archive.

    Examples
    --------
    >>> instrument("BTC/USD:BTC")
    ('binancecoinm', 'cm', 'BTCUSD_PERP')
    >>> instrument("BTC/USDT:USDT-240628")
    ('binanceusdm', 'um', 'BTCUSDT_240628')
    """
    unified = re.fullmatch(r"(\w+)/(\w+):(\w+)(?:-(\d{6}))?", symbol.upper())
    if unified:
        base, quote, settle, expiry = unified.groups()
        if settle == base:
            return "binancecoinm", "cm", f"{base}{quote}_{expiry or 'PERP'}"
        return "binanceusdm", "um", f"{base}{quote}{'_' + expiry if expiry else ''}"
    name = symbol.upper()
    if re.fullmatch(r"\w+USD_(PERP|\d{6})", name):
        return "binancecoinm", "cm", name
    if re.fullmatch(r"\w{4,}", name) and not name.endswith("USD"):
        return "binanceusdm", "um", name
    raise ValueError(f"not a futures symbol of Binance: {symbol!r}; write 'BTC/USDT:USDT', or 'BTC/USD:BTC' for a "
                     "coin-margined one")  # fmt: skip


def unified(symbol: str) -> str:
    """ccxt's spelling of the archive's own names, so that both lead to the same place in the store."""
    if "/" in symbol:
        return symbol.upper()
    name, _, expiry = symbol.upper().partition("_")
    for quote in ("USDT", "USDC", "BUSD", "FDUSD", "USD", "BTC"):
        if name.endswith(quote) and name != quote:
            base = name[: -len(quote)]
            settle = base if quote == "USD" else quote
            return f"{base}/{quote}:{settle}{'' if expiry in ('', 'PERP') else '-' + expiry}"
    raise ValueError(f"the quote currency of {symbol!r} is not known; write it as 'BTC/USDT:USDT'")


# --- bytes ----------------------------------------------------------------------------------------------------------


def checksum(data: bytes, text: str, file: str) -> str:
    """The sha256 of a file, if it is the one that its checksum file states (``<sha256>  <name>``).

    Raises
    ------
    ValueError
        Where it is not, or the checksum file is about another file.
    """
    found = re.fullmatch(r"\s*([0-9a-fA-F]{64})\s+\*?(\S+)\s*", text)
    if found is None:
        raise ValueError(f"{file}: its checksum file is not '<sha256>  <name>' but {text[:100]!r}")
    stated, name = found[1].lower(), found[2].rpartition("/")[2]
    if name != file:
        raise ValueError(f"{file}: its checksum file is about {name!r}")
    actual = hashlib.sha256(data).hexdigest()
    if actual != stated:
        raise ValueError(f"{file}: its sha256 is {actual[:12]}…, the archive states {stated[:12]}…")
    return actual


def unzip(data: bytes, file: str) -> bytes:
    """The one file in a zip.

    Raises
    ------
    ValueError
        Where the zip is torn, unpacks to more than is read, or holds another number of files.
    """
    members = bounded_streams.members(data, file)
    if len(members) != 1:
        raise ValueError(f"{file}: the zip holds {len(members)} files where one is expected")
    return bounded_streams.unzip(data, members[0], file)


def parse(
    csv: bytes, kind: str, *, file: str, now: pd.Timestamp, instrument: str = "", inverse: bool = False
) -> Parsed:
    """The CSV of one zip in liqlab's schema.

    Parameters
    ----------
    csv : bytes
        With or without a header.
    kind : str
        One of `DATASETS`.
    file : str
        What to call it in messages.
    now : Timestamp
        No stamp may lie more than a day after it.
    instrument : str
        The archive's name, ``BTCUSDT``: rows of another one are refused.
    inverse : bool
        Coin-margined: candles' volumes are taken from the columns in coins; quote volume is not told there.

    Returns
    -------
    Parsed
        Open interest of 0 or left blank is a hole in the archive and no value: such rows are left out and counted, as
        are stamps off the 5-minute grid and stamps that stand twice with different values (neither is kept).
    """
    dataset = DATASETS[kind]
    places = dataset.inverse if inverse else dataset.columns
    if places is None:
        raise ValueError(f"{file}: open interest of coin-margined contracts is counted in contracts, and their size is "
                         "not told; convert contracts × size [USD] ÷ price and pass it to lq.read")  # fmt: skip
    found = _table(csv, dataset, file)
    if "symbol" in dataset.names and instrument:
        others = set(found[dataset.names.index("symbol")].astype(str)) - {instrument}
        if others:
            raise ValueError(f"{file}: holds rows of {', '.join(sorted(others)[:5])}, not of {instrument} alone")
    raw = found[0].rename(dataset.names[0])
    index = stamps(raw, file=file, zone="UTC", now=now)
    columns = {name: _numbers(found[place], name, file) for name, place in places.items()}
    frame = pd.DataFrame(columns, index=index)
    if kind == "open_interest":
        return snapshots(frame)
    left_out: dict[str, int] = {}
    return Parsed(_unique(frame.sort_index(kind="stable"), left_out), left_out)


def snapshots(frame: pd.DataFrame) -> Parsed:
    """Open interest of one ``metrics`` file, by the instants at which it was taken, without its holes.

    Parameters
    ----------
    frame : DataFrame (rows,)
        open_interest and other columns, indexed by the file's labels (see `liqlab.loaders.timestamps.instants`).

    Returns
    -------
    Parsed
        Left out and counted: rows whose open interest is blank or 0 (a hole in the archive, no value), off the
        5-minute grid, and stamps that stand twice with different values.
    """
    left_out: dict[str, int] = {}
    table = frame.set_axis(instants(pd.DatetimeIndex(frame.index)))
    table = _without(table, ~(table["open_interest"] > 0), "without a value", left_out)
    off = np.asarray(table.index != pd.DatetimeIndex(table.index).floor("5min"))
    table = _without(table, off, "off the 5-minute grid", left_out)
    return Parsed(_unique(table.sort_index(kind="stable"), left_out), left_out)


def _table(csv: bytes, dataset: Dataset, file: str) -> pd.DataFrame:
    """Columns numbered by place, the header checked and taken off."""
    try:
        first = csv.decode("utf-8-sig").partition("\n")[0].strip().split(",")
        headed = not re.match(r"^\d", first[0])
        found = pd.read_csv(io.BytesIO(csv), header=None, skiprows=int(headed), low_memory=False)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"{file}: is no table ({error})") from error
    names = [name.strip().lower() for name in first]
    fits = len(names) == len(dataset.names) and (
        not headed or all(name in known.split() for name, known in zip(names, dataset.names, strict=True))
    )
    if not fits or found.shape[1] != len(dataset.names):
        wanted = ", ".join(name.split()[0] for name in dataset.names)
        raise ValueError(f"{file}: its columns are {', '.join(first)}, where {dataset.folder} has {wanted}; has the "
                         "archive changed?")  # fmt: skip
    return found


def _numbers(column: pd.Series, name: str, file: str) -> np.ndarray:
    """A column as float64; what is blank becomes NaN."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy("float64")
    numbers = pd.Series(pd.to_numeric(column, errors="coerce"))
    bad = (numbers.isna() & column.notna() & (column.astype(str).str.strip() != "")).to_numpy()
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"{file}: column {name!r}, row {row} is not a number: {column.iloc[row]!r}")
    return numbers.to_numpy("float64")


def _without(frame: pd.DataFrame, bad: object, reason: str, left_out: dict[str, int]) -> pd.DataFrame:
    drop = np.asarray(bad, bool)
    if drop.any():
        left_out[reason] = left_out.get(reason, 0) + int(drop.sum())
    return frame[~drop]


def _unique(frame: pd.DataFrame, left_out: dict[str, int]) -> pd.DataFrame:
    again = frame.index.duplicated(keep=False)
    if not again.any():
        return frame
    same = frame.reset_index().duplicated(keep="first").to_numpy()  # an identical twin goes without a word
    frame = frame[~same]
    return _without(frame, frame.index.duplicated(keep=False), "twice with different values", left_out)
