"""A market: the tables that a model may look at, each checked before anything is computed from it.

One rule of time holds for all tables: frames are indexed in UTC, ranges are half-open ``[start, end)``, and a value
may be used from the moment it is *complete*. A candle is stamped by its open and complete at its close; an
open-interest stamp is an instant, complete at once; the taker share and the liquidations of a bar are stamped by its
open and complete at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pandas as pd

from liqlab.market.checks import (
    PRICES,
    check_leverage_tiers,
    check_liquidation_events,
    check_ohlc,
    clean_table,
    refuse,
    report_gaps,
    report_pauses,
    report_quiet_bars,
)
from liqlab.market.clock import step_of, timeframe_of, utc
from liqlab.market.trades import check_trades

__all__ = [
    "Market", "check_candles", "check_open_interest", "check_funding_rate", "check_liquidations", "check_taker",
    "check_mark_candles", "check_leverage_tiers", "check_liquidation_events", "check_trades",
]  # fmt: skip

OPTIONAL_CANDLE_COLUMNS = ("quote_volume", "trades", "taker_buy_volume", "taker_buy_quote_volume")


@dataclass(frozen=True, eq=False)
class Market:
    """Everything known of one instrument, checked when it is made.

    Parameters
    ----------
    candles : DataFrame (time,)
        open, high, low, close [quote], volume [coins]; where the venue has them quote_volume, trades,
        taker_buy_volume [coins], taker_buy_quote_volume. The grid on which models step and columns are made.
    open_interest : DataFrame (time,), optional
        open_interest [coins], one-sided; a stamp is the instant of the snapshot.
    funding_rate : DataFrame (time,), optional
        funding_rate [1 per interval]; interval_hours [h] where it is known for how long each rate is.
    liquidations : DataFrame (time,), optional
        *Observed* liquidations: long, short [coins per bar], by the side of the position.
    taker : DataFrame (time,), optional
        taker_buy_share [0..1] of coarser bars, stamped by their open.
    path : DataFrame (time,), optional
        Finer candles (open, high, low, close and, if known, volume). They decide in which order prices inside a
        candle were reached; the candle itself stays the authority on its extremes.
    trades : DataFrame (time,), optional
        Instead of `path`: every trade (`check_trades`). Longs open at takers' buys and shorts at their sells.
    mark_candles : DataFrame (time,), optional
        open, high, low, close [quote] of the mark price, which triggers liquidation.
    leverage_tiers : DataFrame, optional
        Dated maintenance tiers, see `check_leverage_tiers`. Default: the tables that liqlab ships.
    liquidation_events : DataFrame (time,), optional
        *Observed* forced orders one by one: side, price, quantity; see `check_liquidation_events`.
    symbol, exchange, timeframe : str
        ``BTC/USDT:USDT``, ``binanceusdm``, ``15m`` (ccxt's spelling). The time frame defaults to the step found.
    sources : mapping of table name to mapping
        Where each table comes from: ``exchange``, ``origin``, ``sha256``, ``kind`` (``own`` or ``proxy``), ``note``.
        Of open interest also ``sides``: ``both → one`` where it was halved, ``one, assumed`` where nobody tells. Of a
        proxy ``scale``, the factor that is in it already, with ``scale_low`` and ``scale_high``.

    Raises
    ------
    ValueError, TypeError
        Where a table is not what it must be; the message names row, column, value and remedy.
    """

    candles: pd.DataFrame
    open_interest: pd.DataFrame | None = None
    funding_rate: pd.DataFrame | None = None
    liquidations: pd.DataFrame | None = None
    taker: pd.DataFrame | None = None
    path: pd.DataFrame | None = None
    mark_candles: pd.DataFrame | None = None
    leverage_tiers: pd.DataFrame | None = None
    liquidation_events: pd.DataFrame | None = None
    trades: pd.DataFrame | None = None
    symbol: str = ""
    exchange: str = ""
    timeframe: str = ""
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            table = getattr(self, name)
            if table is not None:
                object.__setattr__(self, name, check(table))
        step = step_of(self.candles, self.timeframe)
        found = step_of(self.candles) if len(self.candles) > 1 and self.timeframe else step
        # two rows may stand around a gap; of three or more, one pair shows the true step
        if found < step or (found > step and len(self.candles) > 2):
            raise ValueError(f"candles: the rows are {timeframe_of(found)} apart, but timeframe is {self.timeframe!r}; "
                             "correct it or leave it out")  # fmt: skip
        object.__setattr__(self, "timeframe", timeframe_of(step))
        if self.path is not None and not (finer := step_of(self.path)) <= step:
            raise ValueError(
                f"path must be finer than the candles, got {timeframe_of(finer)} under {self.timeframe}; "
                "swap them, or leave path out"
            )
        if self.path is not None and self.trades is not None:
            raise ValueError("path and trades both tell the order inside a candle; give one of them, trades if you can")

    @property
    def step(self) -> pd.Timedelta:
        """Length of one candle."""
        return step_of(self.candles, self.timeframe)

    @property
    def start(self) -> pd.Timestamp:
        """Open of the first candle."""
        return self.candles.index[0]

    @property
    def end(self) -> pd.Timestamp:
        """Close of the last candle (exclusive end of the range)."""
        return self.candles.index[-1] + self.step

    @property
    def quote(self) -> str:
        """The quote currency of the symbol, ``USDT`` in ``BTC/USDT:USDT``; ``quote`` where the symbol has none."""
        return self.symbol.partition("/")[2].partition(":")[0] or "quote"

    @property
    def coin(self) -> str:
        """The base coin of the symbol, ``BTC`` in ``BTC/USDT:USDT``; ``coins`` where the symbol has none."""
        return self.symbol.partition("/")[0] or "coins"

    def until(self, moment: Any) -> Market:
        """The market as it was known at a moment: every table cut to what was complete by then.

        Parameters
        ----------
        moment : time-like
            UTC if it carries no zone. Candles, path, taker and liquidation bars that close after it are left out, as
            are open-interest and funding stamps after it.
        """
        at = utc(moment)
        cut: dict[str, Any] = {}
        for name in TABLES:
            table = getattr(self, name)
            if table is None:
                continue
            if name in ("open_interest", "funding_rate"):
                cut[name] = table[table.index <= at]
            else:
                step = step_of(table, self.timeframe if name in ("candles", "mark_candles") else "")
                cut[name] = table[table.index + step <= at].copy()
                cut[name].attrs["timeframe"] = timeframe_of(step)
        if self.liquidation_events is not None:
            cut["liquidation_events"] = self.liquidation_events[self.liquidation_events.index <= at]
        if self.trades is not None and len(cut["candles"]):  # of closed candles alone, as a row may be a run of trades
            close = cut["candles"].index[-1] + self.step
            cut["trades"] = self.trades.iloc[: self.trades.index.searchsorted(close)]
        if cut["candles"].empty:
            raise ValueError(f"no candle of {self.symbol or 'this market'} closed by {at}; the first closes at "
                             f"{self.start + self.step}")  # fmt: skip
        known: dict[str, Any] = {name: None if table.empty else table for name, table in cut.items()}
        return replace(self, timeframe=self.timeframe, **known)

    def has(self) -> list[str]:
        """Names of the tables that this market has, candles first."""
        return [f.name for f in fields(self) if isinstance(getattr(self, f.name), pd.DataFrame)]

    def __repr__(self) -> str:
        lines = [f"Market {self.symbol or '(no symbol)'} on {self.exchange or '(no exchange)'}, {self.timeframe}"]
        for name in self.has():
            table = getattr(self, name)
            timed = len(table) > 0 and name != "leverage_tiers"
            span = f"{table.index[0]:%Y-%m-%d %H:%M} … {table.index[-1]:%Y-%m-%d %H:%M} UTC" if timed else ""
            proxy = self.sources.get(name, {})
            label = f" (proxy: {proxy.get('exchange')})" if proxy.get("kind") == "proxy" else ""
            lines.append(f"  {name:<15}{len(table):>8,} rows  {span}{label}")
        return "\n".join(lines)


# --- checks: one per table, each returns a clean copy ---------------------------------------------------------------


def check_candles(candles: pd.DataFrame, *, name: str = "candles") -> pd.DataFrame:
    """Check candles and return them sorted in columns, float64, UTC.

    Parameters
    ----------
    candles : DataFrame (time,)
        open, high, low, close [quote] > 0, volume [coins] ≥ 0, optional columns as in `Market`; further columns are
        dropped. The index holds the bars' opens, tz-aware, ascending, on one regular step; gaps are allowed.
    name : str
        What to call the table in messages.

    Returns
    -------
    DataFrame
        A copy. Identical duplicate rows are dropped, and gaps kept; both are reported with their count.

    Raises
    ------
    ValueError
        Naming the row, the column, the value and the remedy.
    """
    table = clean_table(candles, name, required=(*PRICES, "volume"), optional=OPTIONAL_CANDLE_COLUMNS, may_lack="taker")
    check_ohlc(table, name)
    volume = table["volume"].to_numpy()
    refuse(table, name, "volume", volume < 0, "volumes are >= 0; drop or correct the row")
    if "taker_buy_volume" in table:
        bought = table["taker_buy_volume"].to_numpy()
        refuse(table, name, "taker_buy_volume", (bought > volume * (1 + 1e-9)) | (bought < 0),
                "it must lie between 0 and the bar's volume (both in coins); check units and columns")  # fmt: skip
    report_gaps(table, name)
    return table


def check_mark_candles(candles: pd.DataFrame) -> pd.DataFrame:
    """Check mark-price candles: rules as in `check_candles`, without volume.

    Parameters
    ----------
    candles : DataFrame (time,)
        open, high, low, close [quote] > 0 of the mark price.

    Returns
    -------
    DataFrame
        A copy, as float64 and in UTC; see `check_candles` for what is dropped and what is raised.
    """
    table = clean_table(candles, "mark_candles", required=PRICES)
    check_ohlc(table, "mark_candles")
    report_gaps(table, "mark_candles")
    return table


def check_path(path: pd.DataFrame) -> pd.DataFrame:
    """Check the finer path: prices as in `check_candles`; volume, where it is there, says when trading took place."""
    table = clean_table(path, "path", required=PRICES, optional=("volume",))
    check_ohlc(table, "path")
    if "volume" in table:
        refuse(table, "path", "volume", table["volume"] < 0, "volumes are >= 0; drop or correct the row")
    report_gaps(table, "path")
    return table


def check_open_interest(open_interest: pd.DataFrame) -> pd.DataFrame:
    """Check open interest, one-sided, whose stamps are instants.

    Parameters
    ----------
    open_interest : DataFrame (time,)
        open_interest [coins] ≥ 0, polled at whatever moments. What is in contracts or in quote must be converted first
        (contracts × contract size; value ÷ price): `lq.read` does so where it can be seen.

    Returns
    -------
    DataFrame
        A copy, as float64 and in UTC; see `check_candles` for what is dropped and what is raised. Pauses are reported.
    """
    table = clean_table(open_interest, "open_interest", required=("open_interest",))
    refuse(table, "open_interest", "open_interest", table["open_interest"] < 0, "open interest is >= 0 coins")
    report_pauses(table, "open_interest")
    return table


def check_funding_rate(funding_rate: pd.DataFrame) -> pd.DataFrame:
    """Check funding rates.

    Parameters
    ----------
    funding_rate : DataFrame (time,)
        funding_rate [1 per interval], a fraction (0.0001 is 1 bp), between −0.5 and 0.5. Optional: interval_hours [h],
        for how long each rate is; without it, since the rate before.

    Returns
    -------
    DataFrame
        A copy, as float64 and in UTC; see `check_candles` for what is dropped and what is raised.
    """
    table = clean_table(funding_rate, "funding_rate", required=("funding_rate",), optional=("interval_hours",),
                        may_lack="interval")  # fmt: skip
    if "interval_hours" in table:
        impossible = ~(table["interval_hours"] > 0) & table["interval_hours"].notna()
        refuse(table, "funding_rate", "interval_hours", impossible, "hours are > 0, such as 8, 4 or 1")
    wild = table["funding_rate"].abs() > 0.5
    refuse(table, "funding_rate", "funding_rate", wild, "rates are fractions per interval (0.0001 = 0.01 %)")
    return table


def check_liquidations(liquidations: pd.DataFrame) -> pd.DataFrame:
    """Check *observed* liquidations.

    Parameters
    ----------
    liquidations : DataFrame (time,)
        long, short [coins per bar] ≥ 0, by the side of the position; stamped by the open of the bar. A bar in which
        nothing was liquidated is a row of 0.

    Returns
    -------
    DataFrame
        A copy, as float64 and in UTC; see `check_candles` for what is dropped and what is raised. Bars without a row
        are reported: nothing tells whether they were quiet or not recorded.
    """
    table = clean_table(liquidations, "liquidations", required=("long", "short"))
    for side in ("long", "short"):
        refuse(table, "liquidations", side, table[side] < 0, "amounts are >= 0 coins; the column gives the side")
    report_quiet_bars(table, "liquidations")
    return table


def check_taker(taker: pd.DataFrame) -> pd.DataFrame:
    """Check a taker-buy share that is coarser than the candles.

    Parameters
    ----------
    taker : DataFrame (time,)
        taker_buy_share [0..1], stamped by the open of its bars.

    Returns
    -------
    DataFrame
        A copy, as float64 and in UTC; see `check_candles` for what is dropped and what is raised.
    """
    table = clean_table(taker, "taker", required=("taker_buy_share",))
    share = table["taker_buy_share"]
    refuse(table, "taker", "taker_buy_share", (share < 0) | (share > 1), "a share lies between 0 and 1")
    return table


_CHECKS: dict[str, Callable[..., pd.DataFrame]] = {
    "candles": check_candles,
    "open_interest": check_open_interest,
    "funding_rate": check_funding_rate,
    "liquidations": check_liquidations,
    "taker": check_taker,
    "path": check_path,
    "mark_candles": check_mark_candles,
    "leverage_tiers": check_leverage_tiers,
    "liquidation_events": check_liquidation_events,
    "trades": check_trades,
}
TABLES = tuple(name for name in _CHECKS if name not in ("leverage_tiers", "liquidation_events", "trades"))
