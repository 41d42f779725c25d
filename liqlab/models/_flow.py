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
        The part of `opened` that a coarser open interest reports only now: opened at an unknown moment within the
        candles that it covers (`Bars.candles_covered`), and therefore spread over all prices traded in them.
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
    fade: np.ndarray | None = None
    cohorts: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    by_leverage: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.open_interest_use, OpenInterestUse) or not isinstance(self.taker_use, TakerUse):
            raise TypeError("a model tells whose open interest and taker share it takes: Flow(opened, open_interest, "
                            "OpenInterestUse(…), TakerUse(…)), got "
                            f"{self.open_interest_use!r} and {self.taker_use!r}")  # fmt: skip
