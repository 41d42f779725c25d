"""Markets from files, frames and lists that the user has: CSV, TSV, JSON, parquet, feather.

Opening is done in `formats`, understanding the columns in `column_names`, the units in `volume_units` and
`interest_units`, and what one table says against another in `plausibility`; what a table must fulfil stands in
`liqlab.market`. Here they meet, and what only a file can get wrong is refused: bars that have not closed, open and
close swapped. Nothing is guessed in silence: what is dropped, sorted or converted is told, what is ambiguous is refused
with the remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders.assembling import Said, in_coins, open_table
from liqlab.loaders.exchanges._ccxt_units import ROWS
from liqlab.loaders.plausibility import check_between, check_exchange, check_instruments
from liqlab.loaders.stated_units import check_units
from liqlab.market.arguments import checked
from liqlab.market.clock import nanoseconds, step_of, timedelta
from liqlab.market.market import Market

__all__ = ["read"]

_LOOKED_AT = 50_000  # candles
DAY = 86_400 * 10**9  # [ns]


@checked()
def read(
    candles: Any = None,
    *,
    symbol: str = "",
    exchange: str = "",
    timeframe: str = "",
    open_interest: Any = None,
    funding_rate: Any = None,
    liquidations: Any = None,
    taker: Any = None,
    path: Any = None,
    trades: Any = None,
    mark_candles: Any = None,
    leverage_tiers: Any = None,
    timezone: str | None = None,
    units: Mapping[str, str] | None = None,
    sides: Mapping[str, str] | None = None,
    contract_size: float | None = None,
) -> Market:
    """Read a market from files, DataFrames or ccxt lists.

    Each table may be a path (``.csv``, ``.tsv``, ``.json``, each also ``.gz`` or alone in a ``.zip``; ``.parquet``,
    ``.feather``), several paths (a list, a folder, a pattern such as ``BTCUSDT-1m-2024-*.zip``), a DataFrame, the list
    of rows that ccxt and the exchanges' interfaces return, or a venue's whole reply. Where a ``.CHECKSUM`` file lies
    beside an archive's zip, it is verified.

    Parameters
    ----------
    candles : path, DataFrame, list or reply (time,)
        May be left out where `trades` and `timeframe` are given: then they are made of the trades.
        open, high, low, close [quote], volume [coins], times = opens of the bars. Understood are liqlab's own columns,
        Binance klines (archive, JSON, python-binance), ccxt lists, freqtrade, TradingView, CryptoDataDownload, Kraken
        OHLCVT, BitMEX buckets, the replies of Bybit, OKX, KuCoin, Hyperliquid and others, and the usual spellings of
        these; an error lists them.
    symbol, exchange, timeframe : str
        ``BTC/USDT:USDT``, ``binanceusdm``, ``15m``. Where a file has a column ``symbol``, only rows of this symbol are
        taken, in whatever spelling (``BTCUSDT``, ``BTC-USDT-SWAP``); spot, perpetual and dated contracts, and linear
        and inverse ones, are different. The exchange decides what numbers count, by the rules of `fetch`, and the order
        of columns without names. The time frame is needed only for a single candle.
    open_interest : path, DataFrame or list (time,), optional
        [coins]. Own columns, Binance's metrics archive (its labels become instants: since 25 June 2026 they lie five
        minutes before them) and openInterestHist, ccxt's history, OKX, Bybit, Coinalyze, Coinglass.
    funding_rate : path, DataFrame or list (time,), optional
        [1 per interval]; a column ``interval_hours`` is kept. Own columns, Binance's archive and fundingRate, ccxt's
        history, freqtrade, Kraken, Deribit and others; per cent where the sign stands behind each number. Of bars of
        the rate (Coinalyze, Coinglass) the open is taken.
    liquidations : path, DataFrame or list (time,), optional
        Per bar: long, short [coins per bar], Coinalyze, Coinglass. Single events (Binance's archive, Tardis, ccxt and
        venues with `exchange`) are summed to the bars of the candles; a bar without any is 0 only between the first and
        the last event that were recorded.
    taker : path or DataFrame (time,), optional
        Own columns: taker_buy_share [0..1].
    path, mark_candles : path, DataFrame or list (time,), optional
        Finer candles, and candles of the mark price [quote]; layouts as for candles, the volume may be missing.
    trades : path, several paths, DataFrame or list (time,), optional
        Every trade, in the order of time, instead of `path`: Binance's aggTrades and trades archives (CSV with header
        or without, alone in a .zip), Hyperliquid's (a list, .json, .jsonl), ccxt's; own columns time, price, quantity
        [coins], taker_buy. Files are read in batches; trades that follow each other in one cell of the ledger, with
        one taker side and in one candle, become one row of ``Market.trades``.
    leverage_tiers : path or DataFrame, optional
        Own columns, see `check_leverage_tiers`.
    timezone : str, optional
        Zone of times that are written without one, ``UTC`` or ``Europe/Berlin``. Epoch numbers, times with an offset
        and archives whose zone is documented do not need it and do not heed it.
    units : mapping, optional
        What the amounts of ``volume``, ``open_interest`` or ``liquidations`` count, where nothing else tells it:
        ``coins``, ``contracts`` or ``quote``; and of ``funding_rate``: ``fraction`` or ``percent``.
    sides : mapping, optional
        Sides that the numbers of ``volume`` or ``open_interest`` count, ``one`` or ``both`` (these are halved), where
        neither their columns nor the exchange tell it, or where they were converted beforehand.
    contract_size : float, optional
        Worth of one contract [coins; quote, of inverse contracts].

    Returns
    -------
    Market
        Checked; `Market.sources` holds exchange, origin (the file's name), sha256, kind and note of each table.

    Raises
    ------
    FileNotFoundError
        Where there is no such file; the message lists what the folder holds.
    TypeError
        Where a table is neither a path, a DataFrame nor a list.
    ValueError
        Where anything is ambiguous or wrong: columns, delimiter, units, times, zones, duplicates, prices, tables that
        do not belong together. The message names file, row, column, value and remedy.

    Warns
    -----
    UserWarning
        With its count, for rows sorted, identical duplicates dropped, an unfinished last bar dropped, gaps (which stay
        gaps), times without a zone read as UTC, amounts converted to coins, tables that end before the candles, and
        open interest of which nothing tells whether it counts one side or both.

    Assumptions
    -----------
    - Times of candles are the opens of the bars. Closes are recognised where they show it (…59.999, a column of closes,
      BitMEX buckets); a file stamped by full closes and nothing beside it looks the same and is late by one bar.
    - Volume and open interest are in coins where neither a turnover or value beside them, nor the venue, nor what
      exists speaks against it.
    - Volume counts a trade once, and open interest a position once, where neither columns nor exchange tell it;
      ``sources["open_interest"]["sides"]`` is then ``one, assumed``.
    - Amounts in quote become coins at the price of their instant, or at the middle price of their bar.

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
    _check_zone(timezone)
    check_units(units, sides, contract_size)
    check_exchange(exchange, {name for row in ROWS for name in row.exchanges})
    said = Said(symbol, exchange, timeframe, timezone, dict(units or {}), dict(sides or {}), contract_size, _now())
    runs = None
    if candles is None and trades is not None:
        runs = _runs(trades, said, _width(timeframe), 0)
        given["candles"] = runs.candles
    opened = {name: open_table(source, name, said)
              for name, source in given.items() if source is not None or name == "candles"}  # fmt: skip
    label = {name: table.label for name, table in opened.items()}
    check_instruments({name: (table.symbol, table.label) for name, table in opened.items()}, exchange)
    tables = in_coins(opened, said)
    sources: dict[str, dict[str, str]] = {}
    if trades is not None and runs is None:
        first = int(nanoseconds(tables["candles"].index[:1])[0])
        runs = _runs(trades, said, step_of(tables["candles"], timeframe).as_unit("ns").value, first)
    try:
        market = Market(
            **tables,
            trades=None if runs is None else runs.table,
            symbol=symbol,
            exchange=exchange,
            timeframe=timeframe,
            sources=sources,
        )
    except ValueError as error:  # its messages begin with the table's name: say which file that is
        culprit = str(error).split()[0].rstrip(":")
        raise ValueError(f"{label.get(culprit, label['candles'])}: {error}") from error
    _check_order(market.candles, label["candles"])
    for name, note in check_between(market, label).items():
        opened[name].notes.append(note)
    for name, table in opened.items():
        told = table.source()
        sources[name] = {"exchange": exchange, "origin": told.get("file", "from memory"), **told}
    if runs is not None:
        sources["trades"] = runs.origin
        if candles is None:
            sources["candles"] = {**runs.origin, "note": "made of its trades"}
    return market


def _runs(trades: Any, said: Said, width: int, start: int) -> Any:
    """Trades joined to runs; the ledger's grid, which says what joins, is imported only where there are some."""
    from liqlab.loaders.trade_files import read_trades

    return read_trades(trades, symbol=said.symbol, exchange=said.exchange, width=width, start=start, now=said.now)


def _width(timeframe: str) -> int:
    """Length of the candles that are made of trades [ns]."""
    if not timeframe:
        raise ValueError("candles are made of the trades, and nothing tells how long they are to be; pass "
                         "timeframe='1m', or candles")  # fmt: skip
    width = timedelta(timeframe, "timeframe").as_unit("ns").value
    if DAY % width:
        raise ValueError(f"timeframe={timeframe!r}: candles made of trades must divide a day; pass 1m, 5m, 1h or 1d")
    return width


def _now() -> pd.Timestamp:
    return pd.Timestamp.now("UTC")


def _check_zone(timezone: str | None) -> None:
    try:
        pd.Timestamp(0, tz=timezone)
    except (KeyError, ValueError, TypeError, IndexError) as error:  # as the spelling will have it
        raise ValueError(f"timezone {timezone!r} is not known; pass 'UTC' or a name like 'Europe/Berlin'") from error


def _check_order(candles: pd.DataFrame, file: str) -> None:
    """Open and close swapped pass every test of one bar; but a bar opens where the one before it closed."""
    part = slice(_LOOKED_AT)  # a file is swapped as a whole
    distance = np.diff(nanoseconds(candles.index[part]))
    joined = distance == distance.min(initial=2**62)
    opens, closes = candles["open"].to_numpy()[part], candles["close"].to_numpy()[part]
    jump = np.abs(opens[1:] - closes[:-1])[joined].sum()
    swapped_jump = np.abs(closes[1:] - opens[:-1])[joined].sum()
    # Two bars' moves against no move: real candles give 1 : 20 and more, so 1 : 4 over 8 bars is no accident.
    if joined.sum() >= 8 and 4 * swapped_jump < jump:
        raise ValueError(f"{file}: bars open where the bar before *opened* and not where it closed: open and close "
                         "look swapped, or time runs backwards; rename the two columns")  # fmt: skip
