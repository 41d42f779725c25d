"""What traders lay beside the map: RSI, ATR, VWAP, funding, open interest, ratios, each as it was known at the time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from liqlab.market.arguments import checked
from liqlab.market.clock import nanoseconds, step_of, timedelta, timeframe_of
from liqlab.market.extras import require
from liqlab.market.joins import at_close
from liqlab.market.market import Market
from liqlab.market.resample import bar_number, origin_of

__all__ = ["hours_between", "indicators"]

_INTERVALS = (1, 2, 4, 6, 8)  # [h] at which venues pay; at another distance a row is missing, or the rate was polled


@checked()
def indicators(
    market: Market,
    *,
    rsi: int = 14,
    atr: int = 14,
    vwap: Any = "1d",
    funding_window: Any = "30d",
    open_interest_change: Any = "24h",
    long_short_ratio: pd.DataFrame | None = None,
    stale: Any = "24h",
) -> pd.DataFrame:
    """Indicators on the candles' grid, each row as known at the **close** of its candle.

    RSI and ATR are those of TA-Lib (Python package ``talib``), which smooths as Wilder did. The rest is arithmetic:
    VWAP, the volume-weighted mean price since its anchor; the funding rate and how unusual it is; open interest and
    its change; ratios.

    Parameters
    ----------
    market : Market
        Tables that it lacks give no column.
    rsi, atr : int
        Candles in Wilder's mean.
    vwap : duration
        VWAP starts anew after every such span: ``"1d"`` at midnight UTC, ``"7d"`` on Monday, or when the venue's own
        days or weeks open (`liqlab.market.resample`).
    funding_window : duration
        Rates whose stamps lie within this span up to the rate itself make its mean and standard deviation.
    open_interest_change : duration
        Span of the change of open interest.
    long_short_ratio : DataFrame (time,), optional
        long_short_ratio [1]: longs per short as a venue publishes it (accounts or positions, see its documentation); a
        stamp is the moment at which the value was complete.
    stale : duration
        A value of a coarser table is used for this long after it was complete; then it counts as unknown.

    Returns
    -------
    DataFrame (time,)
        Index: open of the candle; a row may be used from its close on. rsi [0..100], atr, vwap [quote]; if the market
        has them funding_rate [1 per interval] and funding_z [standard deviations], open_interest [coins] and
        open_interest_change [1], taker_ratio (taker buys / sells of the last complete bar) [1]; long_short_ratio [1]
        if it was given. NaN: not known yet, not known any more, or not defined. ``attrs`` holds what was chosen.

    Raises
    ------
    ValueError
        A span of less than two candles for RSI or of less than one for ATR; a table that is not what it must be.
    ImportError
        Without TA-Lib, which comes with ``liqlab[research]``.

    Assumptions
    -----------
    - RSI and ATR count candles, not hours: across a gap the next candle follows the last one.
    - RSI of a price that has never moved is undefined: NaN.
    - VWAP uses quote volume / volume of a candle where all candles carry both, else (high + low + close) / 3.
    - funding_z: of rates per hour (rate ÷ interval_hours; without that column, ÷ the time since the rate before, in
      whole hours), so that a change from 8 to 4 hours is none of the rate: (rate − mean) / sample standard deviation
      over the window, the rate itself included; NaN until the table covers the whole window, and where the rates do not
      vary.
    - open_interest_change: last value known at the close / last known that span earlier − 1. With another venue's open
      interest (a proxy) it is that venue's change.

    References
    ----------
    Wilder, *New Concepts in Technical Trading Systems* (1978): RSI, true range. TA-Lib, https://ta-lib.org.

    Examples
    --------
    >>> import liqlab as lq
    >>> table = lq.indicators(lq.load_example("btc-2024-05"))
    >>> list(table.columns)
    ['rsi', 'atr', 'vwap', 'funding_rate', 'funding_z', 'open_interest', 'open_interest_change']
    >>> f"{table.loc['2024-05-01 08:00+00:00', 'rsi']:.1f}"
    '14.4'
    """
    talib = _talib()
    candles = market.candles
    high, low, close = (candles[name].to_numpy() for name in ("high", "low", "close"))
    columns: dict[str, np.ndarray] = {
        "rsi": _rsi(close, _candles(rsi, "rsi", 2)),
        "atr": talib.ATR(high, low, close, _candles(atr, "atr", 1)),
        "vwap": _vwap(candles, timedelta(vwap), market.step),
    }
    age = timedelta(stale)
    if market.funding_rate is not None:
        rate = market.funding_rate["funding_rate"]
        columns["funding_rate"] = _known(market, rate, age)
        columns["funding_z"] = _known(market, _z_score(per_hour(market.funding_rate), timedelta(funding_window)), age)
    if market.open_interest is not None:
        interest = market.open_interest["open_interest"]
        before = _known(market, interest, age, ago=timedelta(open_interest_change))
        columns["open_interest"] = _known(market, interest, age)
        columns["open_interest_change"] = _ratio(columns["open_interest"], before) - 1
    if market.taker is not None or "taker_buy_volume" in candles:
        columns["taker_ratio"] = _taker_ratio(market, age)
    if long_short_ratio is not None:
        columns["long_short_ratio"] = _known(market, _checked(long_short_ratio), age)
    table = pd.DataFrame(columns, index=candles.index)
    table.attrs |= _chosen(market, rsi, atr, vwap, funding_window, open_interest_change)
    return table


def _candles(count: int, name: str, fewest: int) -> int:
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < fewest:
        raise ValueError(f"{name} is a number of candles >= {fewest}, got {count!r}; pass 14, as Wilder did")
    return int(count)


def _talib() -> Any:
    return require("talib", "lq.indicators (RSI and ATR)")


def _rsi(close: np.ndarray, count: int) -> np.ndarray:
    moved = np.abs(np.diff(close, prepend=close[0])).cumsum() > 0
    return np.where(
        moved, _talib().RSI(close, count), np.nan
    )  # TA-Lib says 0 of a flat line: oversold, which it is not


def _vwap(candles: pd.DataFrame, span: pd.Timedelta, step: pd.Timedelta) -> np.ndarray:
    """Cumulative sums within each session, session by session: none carries the rounding of another."""
    volume = candles["volume"]
    value = candles.get("quote_volume", volume * candles[["high", "low", "close"]].mean(axis=1))
    stamps, width = nanoseconds(candles.index), span.as_unit("ns").value
    session = bar_number(stamps, width, origin_of(stamps[0], step.as_unit("ns").value, width))
    sums = pd.DataFrame({"value": value, "volume": volume}).groupby(session).cumsum()
    return _ratio(sums["value"].to_numpy(), sums["volume"].to_numpy())


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def _known(
    market: Market, value: pd.Series, age: pd.Timedelta, *, after: Any = 0, ago: pd.Timedelta | None = None
) -> np.ndarray:
    """Last value complete at each candle's close, or some time `ago`; NaN before the first and when it is too old.

    A stamp is complete `after` itself: at once, or a bar later.
    """
    wait, back = (pd.Timedelta(x or 0).as_unit("ns").value for x in (after, ago))
    complete = nanoseconds(value.index) + wait + back
    since = at_close(market, complete, np.arange(len(value)))
    row = np.nan_to_num(since, nan=0).astype(int)
    close = nanoseconds(market.candles.index) + market.step.as_unit("ns").value
    fresh = ~np.isnan(since) & (close - complete[row] <= age.as_unit("ns").value)
    return np.where(fresh, value.to_numpy(float)[row], np.nan)


def per_hour(funding_rate: pd.DataFrame) -> pd.Series:
    """Funding rates ÷ the hours that each is for: those of the column, else the time since the rate before.

    After a time that no venue pays for (a row is missing, or the rate was polled), the interval before holds on; that
    of the first rate is that of the second.

    >>> stamps = pd.to_datetime(["2025-09-01 00:00", "2025-09-01 08:00", "2025-09-01 12:00"], utc=True)
    >>> per_hour(pd.DataFrame({"funding_rate": [0.0008, 0.0008, 0.0004]}, stamps)).tolist()
    [0.0001, 0.0001, 0.0001]
    """
    hours = hours_between(funding_rate.index).fillna(1.0)
    if "interval_hours" in funding_rate:
        hours = funding_rate["interval_hours"].fillna(hours)
    return funding_rate["funding_rate"] / hours


def hours_between(index: pd.Index) -> pd.Series:
    """Hours from each payment of funding to the next one, where they are an interval that venues have; else as before.

    >>> hours_between(pd.to_datetime([0, 8, 16, 32, 36, 40], unit="h", utc=True)).tolist()
    [8.0, 8.0, 8.0, 8.0, 4.0, 4.0]
    """
    apart = np.rint(np.diff(nanoseconds(index)) / 3.6e12)
    seen = pd.Series(np.concatenate([[np.nan], apart]), index)
    return seen.where(seen.isin(_INTERVALS)).ffill().bfill()


def _z_score(rate: pd.Series, window: pd.Timedelta) -> pd.Series:
    """Of each rate against those of the window that ends with it, computed afresh for each: no rounding is carried."""
    stamps, values = nanoseconds(rate.index), rate.to_numpy()
    span = window.as_unit("ns").value
    first = np.searchsorted(stamps, stamps - span, side="right")
    out = np.full(len(values), np.nan)
    for k in range(len(values)):
        part = values[first[k] : k + 1]
        if stamps[0] + span <= stamps[k] and len(part) > 1 and np.ptp(part) > 0:
            out[k] = (values[k] - part.mean()) / part.std(ddof=1)
    return pd.Series(out, rate.index)


def _taker_ratio(market: Market, age: pd.Timedelta) -> np.ndarray:
    """Buys / sells of takers: the candle's own, else those of the last coarser bar that is complete."""
    if "taker_buy_volume" in market.candles:
        buys = market.candles["taker_buy_volume"].to_numpy()
        return _ratio(buys, market.candles["volume"].to_numpy() - buys)
    assert market.taker is not None
    share = _known(market, market.taker["taker_buy_share"], age, after=step_of(market.taker))
    return _ratio(share, 1 - share)


def _checked(table: pd.DataFrame) -> pd.Series:
    from liqlab.market.checks import clean_table, refuse

    clean = clean_table(table, "long_short_ratio", required=("long_short_ratio",))
    refuse(clean, "long_short_ratio", "long_short_ratio", clean["long_short_ratio"] < 0, "longs per short, >= 0")
    return clean["long_short_ratio"]


def _chosen(market: Market, rsi: int, atr: int, vwap: Any, funding_window: Any, change: Any) -> dict[str, Any]:
    spans = {"vwap": vwap, "funding_window": funding_window, "open_interest_change": change}
    proxies = {name: source.get("exchange", "") for name, source in market.sources.items()
               if name in ("open_interest", "funding_rate") and source.get("kind") == "proxy"}  # fmt: skip
    names = {"symbol": market.symbol, "exchange": market.exchange, "timeframe": market.timeframe,
             "quote": market.quote, "coin": market.coin, "talib": _talib().__version__}  # fmt: skip
    return {
        **names,
        "rsi": rsi,
        "atr": atr,
        **{n: timeframe_of(timedelta(x)) for n, x in spans.items()},
        "proxies": proxies,
    }
