"""What a model says of every bar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liqlab.market.provenance import OpenInterestUse, TakerUse


@dataclass(frozen=True, eq=False)
class Flow:
    """Coins opened per bar and the open interest they must add up to.

    Attributes
    ----------
    opened : ndarray (side, bar)
        Coins opened [coins]; long first.
    open_interest : ndarray (bar,)
        One-sided open interest at the bar's close [coins]; NaN: unknown, then nothing closes but what is touched.
    open_interest_use : OpenInterestUse
        Whose open interest that is; ``OpenInterestUse("not used", reason=…)`` where the model does not look at it.
    taker_use : TakerUse
        Where the long share of the openings came from.
    closing : str
        How positions close, in words, where the model has several ways.
    late : ndarray (side, bar), optional
        The part of `opened` that a coarser open interest reports only now: opened at an unknown moment since the
        opening of the candle `since`, and therefore spread over all prices traded since.
    since : ndarray (bar,), int64, optional
        First candle of the interval that `late` covers.
    fade : ndarray (bar,), optional
        Closing that no open interest tells of: what stands at close rate p keeps ``exp(−fade·p)`` of itself.
    cohorts : tuple of (share, close_rate)
        Parts of a bar's openings that close at close rates of their own; shares add up to 1.
    by_leverage : float
        Exponent: a class of leverage L closes at its cohort's close rate × (L / 10) to this power.
    """

    opened: np.ndarray
    open_interest: np.ndarray
    open_interest_use: OpenInterestUse
    taker_use: TakerUse
    closing: str = ""
    late: np.ndarray | None = None
    since: np.ndarray | None = None
    fade: np.ndarray | None = None
    cohorts: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    by_leverage: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.open_interest_use, OpenInterestUse) or not isinstance(self.taker_use, TakerUse):
            raise TypeError("a model tells whose open interest and taker share it takes: Flow(opened, open_interest, "
                            "OpenInterestUse(…), TakerUse(…)), got "
                            f"{self.open_interest_use!r} and {self.taker_use!r}")  # fmt: skip


@dataclass(frozen=True)
class Bar:
    """One candle that has just closed, and what a model remembers of those before it.

    Attributes
    ----------
    volume : float
        [coins]
    buy_share : float
        Taker-buy share [0..1].
    passed : float
        Time since the candle before closed [ns].
    open_interest : float
        The last one known at its close, as reported [coins]; NaN where none is.
    jump : bool
        Nobody knows when the change of the open interest happened: its first stamp, or one after a hole.
    coarse : bool
        The stamp before the last one is older than this candle's open.
    level_before : float
        What the model took for the open interest after the candle before [coins].
    recent_volume, recent_bars : float, int
        Volume of the last 30 days, or of all there is [coins], and its candles.
    per_day : float
        Candles a day.
    """

    volume: float
    buy_share: float
    passed: float
    open_interest: float
    jump: bool
    coarse: bool
    level_before: float
    recent_volume: float
    recent_bars: int
    per_day: float
