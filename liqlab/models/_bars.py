"""What a model may look at: the bars of a market, every value as it was known at its bar's close."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from liqlab.market.checks import PRICES
from liqlab.market.clock import nanoseconds
from liqlab.market.joins import row_at_close, taker_share
from liqlab.market.market import Market
from liqlab.market.provenance import TakerUse

DAY = 86_400 * 10**9  # [ns]
RECENT_DAYS = 30


@dataclass(frozen=True, eq=False)
class Bars:
    """The bars of a market, as models see them.

    A live map passes the last two only. So what a model says of a bar may depend on that bar, on the one before it, and
    on what these arrays carry of the bars before: `live` refuses a model that looks further back.

    Attributes
    ----------
    step : int
        Time frame [ns].
    close_time : ndarray (bar,), int64
        Close of the bar, UTC [ns since 1970].
    open, high, low, close : ndarray (bar,)
        Prices [quote].
    volume : ndarray (bar,)
        [coins]
    taker_share : ndarray (bar,)
        Taker-buy share of the volume [0..1], half where it is not known.
    recent_volume : ndarray (bar,)
        Volume of the last 30 days' bars, this one included, or of all there are [coins].
    recent_bars : ndarray (bar,), int64
        How many bars that is.
    open_interest : ndarray (bar,)
        The last one reported by the close, one-sided [coins]; NaN before the first.
    candles_covered : ndarray (bar,), int64
        Candles that an open interest reported in this bar covers: those opened since the stamp before it, this one
        included; 0 where none is reported. More than 1: its change happened at an unknown moment within them.
    after_gap : ndarray (bar,), bool
        Where the reported open interest is the first one, or follows a hole: when its change happened is not known.
    open_interest_before : float
        The one known at the open of the first bar [coins]; NaN where none is.
    taker_use : TakerUse
        Where `taker_share` is from.
    open_interest_source : mapping
        Where the open interest is from, as `Market.sources` has it.

    Examples
    --------
    >>> import pandas as pd, liqlab as lq
    >>> rows = {"open": [9, 10], "high": [11, 12], "low": [8, 9], "close": [10, 11], "volume": [5, 7]}
    >>> candles = pd.DataFrame(rows, index=pd.date_range("2024-05-01", periods=2, freq="h", tz="UTC"))
    >>> bars = lq.models.Bars.of(lq.Market(candles))
    >>> bars.recent_volume.tolist(), bars.taker_share.tolist(), bars.bars_per_day
    ([5.0, 12.0], [0.5, 0.5], 24.0)
    """

    step: int
    close_time: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    taker_share: np.ndarray
    recent_volume: np.ndarray
    recent_bars: np.ndarray
    open_interest: np.ndarray
    candles_covered: np.ndarray
    after_gap: np.ndarray
    open_interest_before: float
    taker_use: TakerUse
    open_interest_source: Mapping[str, str]

    @classmethod
    def of(cls, market: Market) -> Bars:
        """Those of a market.

        Parameters
        ----------
        market : Market

        Returns
        -------
        Bars
        """
        candles, step = market.candles, market.step.as_unit("ns").value
        prices: dict[str, Any] = {name: candles[name].to_numpy() for name in PRICES}
        volume = candles["volume"].to_numpy()
        share, use = taker_share(market)
        return cls(
            step=step,
            close_time=nanoseconds(candles.index) + step,
            **prices,
            volume=volume,
            taker_share=share,
            **_recent(volume, step),
            **_open_interest(market, step),
            taker_use=use,
            open_interest_source=market.sources.get("open_interest", {}),
        )

    def __len__(self) -> int:
        return len(self.volume)

    @property
    def bars_per_day(self) -> float:
        """Bars a day."""
        return DAY / self.step

    def part(self, first: int, stop: int) -> Bars:
        """The bars `first` to `stop − 1`, as they are known within the whole.

        Parameters
        ----------
        first, stop : int

        Returns
        -------
        Bars
        """
        arrays: dict[str, Any] = {name: getattr(self, name)[first:stop] for name in PER_BAR}
        before = self.open_interest_before if first == 0 else float(self.open_interest[first - 1])
        return replace(self, **arrays, open_interest_before=before)

    def following(self, values: Mapping[str, Any]) -> Bars:
        """Two bars: the last of these, and one that follows it.

        Parameters
        ----------
        values : mapping
            Every array's value for that bar, by name.

        Returns
        -------
        Bars
        """
        arrays: dict[str, Any] = {name: np.array([getattr(self, name)[-1], values[name]]) for name in PER_BAR}
        return replace(self, **arrays, open_interest_before=np.nan)


PER_BAR = ("close_time", *PRICES, "volume", "taker_share", "recent_volume", "recent_bars", "open_interest",
           "candles_covered", "after_gap")  # fmt: skip


def window_of(step: int) -> int:
    """Bars of the days over which recent volume is summed."""
    return round(RECENT_DAYS * DAY / step)


def is_hole(distance: Any, before: Any, step: int) -> Any:
    """Whether a stamp comes more than twice as late as the one before it did: judged by the past alone."""
    return distance > 2 * np.maximum(before, step)


def _recent(volume: np.ndarray, step: int) -> dict[str, Any]:
    """Volume of the last days' bars, and how many they are."""
    sums, window = np.cumsum(volume), window_of(step)
    past = np.concatenate([np.zeros(min(window, len(sums))), sums[:-window]])
    return {"recent_volume": sums - past, "recent_bars": np.minimum(np.arange(1, len(sums) + 1), window)}


def _open_interest(market: Market, step: int) -> dict[str, Any]:
    """The open interest known at every close, and what is known of when it changed."""
    table, n = market.open_interest, len(market.candles)
    if table is None:
        unknown = {"open_interest": np.full(n, np.nan), "open_interest_before": np.nan}
        return {**unknown, "candles_covered": np.zeros(n, np.int64), "after_gap": np.zeros(n, bool)}
    stamps, value = nanoseconds(table.index), table["open_interest"].to_numpy()
    opens = nanoseconds(market.candles.index)
    row = row_at_close(market, stamps)
    at_open = int(np.searchsorted(stamps, opens[0], side="right")) - 1
    known, new = row >= 0, np.diff(row, prepend=at_open) > 0
    first = known & ~np.concatenate([[at_open >= 0], known[:-1]])
    begin = np.concatenate([[0], np.searchsorted(opens, stamps[:-1])])[row]
    return {
        "open_interest": np.where(known, value[row], np.nan),
        "candles_covered": np.where(new, np.maximum(np.arange(n) - begin + 1, 1), 0),
        "after_gap": first | (new & _holes(stamps, step)[row]),
        "open_interest_before": float(value[at_open]) if at_open >= 0 else np.nan,
    }


def _holes(stamps: np.ndarray, step: int) -> np.ndarray:
    """Stamps that follow a hole."""
    distance = np.diff(stamps)
    return np.concatenate([np.zeros(min(len(stamps), 2), bool), is_hole(distance[1:], distance[:-1], step)])
