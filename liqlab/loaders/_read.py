"""Markets from files, frames and lists that the user has: CSV, TSV, JSON, parquet, feather.

Opening is done in `liqlab.loaders.formats`, understanding the columns in `liqlab.loaders.column_names`; what a table
must fulfil stands in `liqlab.market`. Here they meet, and what only a file can get wrong is refused: bars that have not
closed, volumes in contracts, open and close swapped. Nothing is guessed in silence: what is dropped or sorted is
counted in a warning, what is ambiguous is refused with the remedy.
"""

from __future__ import annotations

import hashlib
import warnings
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders.column_names import CANDLE_TABLES, parse
from liqlab.loaders.formats import load, pieces
from liqlab.market.clock import nanoseconds, step_of, timeframe_of
from liqlab.market.market import Market

__all__ = ["read"]

_BARS = (*CANDLE_TABLES, "taker", "liquidations")  # tables whose rows last; the others hold instants


def read(
    candles: Any,
    *,
    symbol: str = "",
    exchange: str = "",
    timeframe: str = "",
    open_interest: Any = None,
    funding_rate: Any = None,
    liquidations: Any = None,
    taker: Any = None,
    path: Any = None,
    mark_candles: Any = None,
    leverage_tiers: Any = None,
    timezone: str | None = None,
) -> Market:
    """Read a market from files, DataFrames or ccxt lists.

    Each table may be a path (``.csv``, ``.tsv``, ``.json``, each also ``.gz`` or alone in a ``.zip``; ``.parquet``,
    ``.feather``), several paths (a list, a folder, a pattern such as ``BTCUSDT-1m-2024-*.zip``), a DataFrame, or the
    list of rows that ccxt and the exchanges' interfaces return. Where a ``.CHECKSUM`` file lies beside an archive's
    zip, it is verified.

    Parameters
    ----------
    candles : path, DataFrame or list (time,)
        open, high, low, close [quote], volume [coins], times = opens of the bars. Understood are liqlab's own columns,
        Binance klines (public archive with and without header, and its JSON), ccxt lists, freqtrade, TradingView
        exports and the usual spellings of these; an error lists them.
    symbol, exchange, timeframe : str
        ``BTC/USDT:USDT``, ``binanceusdm``, ``15m``. Where a file has a column ``symbol``, only rows of this symbol are
        taken (``BTCUSDT`` and ``BTC/USDT:USDT`` are the same). The time frame is needed only for a single candle.
    open_interest : path, DataFrame or list (time,), optional
        [coins]. Own columns, Binance's metrics archive (its labels become instants: since 25 June 2026 they lie five
        minutes before them) and openInterestHist, ccxt's history.
    funding_rate : path, DataFrame or list (time,), optional
        [1 per interval]. Own columns, Binance's archive and fundingRate, ccxt's history.
    liquidations, taker : path or DataFrame (time,), optional
        Own columns: long, short [coins per bar]; taker_buy_share [0..1].
    path, mark_candles : path, DataFrame or list (time,), optional
        Finer candles, and candles of the mark price [quote]; layouts as for candles, the volume may be missing.
    leverage_tiers : path or DataFrame, optional
        Own columns, see `check_leverage_tiers`.
    timezone : str, optional
        Zone of times that are written without one, ``UTC`` or ``Europe/Berlin``. Epoch numbers, times with an offset
        and archives whose zone is documented do not need it and do not heed it.

    Returns
    -------
    Market
        Checked; `Market.sources` holds file name and sha256 of each table.

    Raises
    ------
    FileNotFoundError
        Where there is no such file; the message lists what the folder holds.
    TypeError
        Where a table is neither a path, a DataFrame nor a list.
    ValueError
        Where anything is ambiguous or wrong: columns, delimiter, units, times, zones, duplicates, prices. The message
        names file, row, column, value and remedy.

    Warns
    -----
    UserWarning
        With its count, for rows sorted, identical duplicates dropped, an unfinished last bar dropped, gaps (which stay
        gaps) and times without a zone read as UTC.

    Assumptions
    -----------
    - Times of candles are the opens of the bars. A file stamped by closes looks the same and is late by one bar.
    - Volume and open interest are in coins. Volume is verified where quote_volume is there; where it is not (ccxt,
      TradingView), and for open interest, a table cannot show its unit.

    Examples
    --------
    >>> rows = [[1714521600000, 60_000, 60_100, 59_900, 60_050, 12.5],
    ...         [1714521900000, 60_050, 60_200, 60_000, 60_150, 10.0]]
    >>> market = read(rows, symbol="BTC/USDT:USDT", exchange="binanceusdm")
    >>> market.timeframe, market.start
    ('5m', Timestamp('2024-05-01 00:00:00+0000', tz='UTC'))
    """
    given = {"candles": candles, "open_interest": open_interest, "funding_rate": funding_rate,
             "liquidations": liquidations, "taker": taker, "path": path, "mark_candles": mark_candles,
             "leverage_tiers": leverage_tiers}  # fmt: skip
    now = _now()
    _check_zone(timezone)
    tables: dict[str, Any] = {}
    sources: dict[str, dict[str, str]] = {}
    for table, source in given.items():
        if source is None and table != "candles":
            continue
        parsed, sources[table] = _opened(source, table, now, symbol, timezone)
        label = _label(table, sources)
        tables[table] = _finished(parsed, table, label, timeframe, now) if table in _BARS else parsed
    try:
        market = Market(**tables, symbol=symbol, exchange=exchange, timeframe=timeframe, sources=sources)
    except ValueError as error:  # its messages begin with the table's name: say which file that is
        culprit = str(error).split()[0].rstrip(":")
        raise ValueError(f"{_label(culprit if culprit in sources else 'candles', sources)}: {error}") from error
    _check_coins(market.candles, _label("candles", sources))
    _check_order(market.candles, _label("candles", sources))
    return market


def _opened(
    source: Any, table: str, now: pd.Timestamp, symbol: str, timezone: str | None
) -> tuple[pd.DataFrame, dict[str, str]]:
    """One table from one source or from several files, each understood for itself, and where it comes from."""
    parts, origins = [], []
    for piece in pieces(source, table):
        frame, origin = load(piece, table)
        file = origin.get("file", f"{table} (from memory)")
        parts.append(parse(frame, table, file=file, now=now, symbol=symbol, timezone=timezone))
        origins.append(origin)
    if len(parts) == 1:
        return parts[0], origins[0]
    columns = [list(part.columns) for part in parts]
    odd = next((number for number, names in enumerate(columns) if set(names) != set(columns[0])), None)
    if odd is not None:
        raise ValueError(f"{table}: {origins[0]['file']} gives {', '.join(columns[0])}, but {origins[odd]['file']} "
                         f"{', '.join(columns[odd])}; several files must hold one table")  # fmt: skip
    whole = pd.concat(parts)
    if isinstance(whole.index, pd.DatetimeIndex):  # files have no order of their own
        whole = whole.sort_index(kind="stable")
    seals = "".join(f"{origin['sha256']}  {origin['file']}\n" for origin in origins)
    label = f"{origins[0]['file']} … {origins[-1]['file']} ({len(parts)} files)"
    return whole, {"file": label, "sha256": hashlib.sha256(seals.encode()).hexdigest(), "kind": "own",
                   "note": "sha256 is that of the list of the files' own, as sha256sum writes it"}  # fmt: skip


def _now() -> pd.Timestamp:
    return pd.Timestamp.now("UTC")


def _label(table: str, sources: dict[str, dict[str, str]]) -> str:
    return sources[table].get("file", f"{table} (from memory)")


def _check_zone(timezone: str | None) -> None:
    try:
        pd.Timestamp(0, tz=timezone)
    except (KeyError, ValueError, TypeError, IndexError) as error:  # as the spelling will have it
        raise ValueError(f"timezone {timezone!r} is not known; pass 'UTC' or a name like 'Europe/Berlin'") from error


def _finished(table: pd.DataFrame, name: str, file: str, timeframe: str, now: pd.Timestamp) -> pd.DataFrame:
    """The bars that have closed; an exchange's last row is mostly the bar that is still being traded."""
    distinct = table[~table.index.duplicated()]
    stated = timeframe if name == "candles" else ""
    if len(distinct) == 1 and not stated:
        if name in ("candles", "path"):
            remedy = "pass timeframe='1h' or the like" if name == "candles" else "pass a longer path"
            raise ValueError(f"{file}: only one row, so its time frame cannot be seen; {remedy}")
        return table
    step = step_of(distinct, stated)
    if stated and len(distinct) > 1 and (found := step_of(distinct)) != step and (found < step or len(distinct) > 2):
        raise ValueError(f"{file}: the rows are {timeframe_of(found)} apart, but timeframe={timeframe!r}; "
                         "correct it or leave it out")  # fmt: skip
    late = np.asarray(table.index > now - step)
    opens = table.index[late].unique()
    if len(opens) > 1:
        raise ValueError(f"{file}: {len(opens)} bars close after now ({now:%Y-%m-%d %H:%M} UTC), the last opens at "
                         f"{opens[-1]}; if the times are not UTC, pass timezone='Europe/Berlin' "
                         "or the like")  # fmt: skip
    if late.all():
        raise ValueError(f"{file}: the only bar, open at {opens[0]}, has not closed yet; read it again later")
    if late.any():
        warnings.warn(f"{file}: dropped 1 unfinished bar, open at {opens[0]}: it closes after now", stacklevel=2)
    return table[~late]


def _check_coins(candles: pd.DataFrame, file: str) -> None:
    """Quote volume over volume is the bar's mean price, so it must lie between low and high (to 1 %)."""
    if "quote_volume" not in candles:
        return
    traded = candles[candles["volume"] > 0]
    mean = traded["quote_volume"] / traded["volume"]
    outside = (mean < traded["low"] * 0.99) | (mean > traded["high"] * 1.01)
    if not outside.any():
        return
    if outside.mean() <= 0.5:
        warnings.warn(f"{file}: in {int(outside.sum())} of {len(traded)} bars quote_volume/volume lies outside "
                      f"[low, high], first {outside.idxmax()}; their volumes may be wrong", stacklevel=2)  # fmt: skip
        return
    middle, price = float(mean.median()), float(traded["close"].median())
    dollars = float((mean * traded["close"]).median())
    guess = f"contracts of {middle / price:.4g} coins each; convert to coins: contracts × size"
    if abs(middle - 1) < 0.01:
        guess = "the quote currency; convert to coins: volume ÷ price"
    elif min(abs(dollars / size - 1) for size in (1, 10, 100)) < 0.05:
        guess = f"coin-margined contracts of {dollars:.0f} USD; convert to coins: contracts × size ÷ price"
    raise ValueError(f"{file}: quote_volume/volume is {middle:.6g} where the price is {price:.6g}, in "
                     f"{int(outside.sum())} of {len(traded)} bars: volume looks like {guess}")  # fmt: skip


def _check_order(candles: pd.DataFrame, file: str) -> None:
    """Open and close swapped pass every test of one bar; but a bar opens where the one before it closed."""
    distance = np.diff(nanoseconds(pd.DatetimeIndex(candles.index)))
    joined = distance == distance.min(initial=2**62)
    opens, closes = candles["open"].to_numpy(), candles["close"].to_numpy()
    jump = np.abs(opens[1:] - closes[:-1])[joined].sum()
    swapped_jump = np.abs(closes[1:] - opens[:-1])[joined].sum()
    # Two bars' moves against no move: real candles give 1 : 20 and more, so 1 : 4 over 8 bars is no accident.
    if joined.sum() >= 8 and 4 * swapped_jump < jump:
        raise ValueError(f"{file}: bars open where the bar before *opened* and not where it closed: open and close "
                         "look swapped, or time runs backwards; rename the two columns")  # fmt: skip
