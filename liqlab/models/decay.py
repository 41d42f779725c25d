"""Model `decay`: everything opens, and fades with a half-life per class."""

from __future__ import annotations

from typing import Any

import numpy as np

from liqlab.market.clock import timedelta
from liqlab.market.provenance import OpenInterestUse
from liqlab.models._bars import Bars
from liqlab.models._flow import Flow
from liqlab.models.volume import check_share

UNUSED = OpenInterestUse("not used", reason="levels fade")


def decay(bars: Bars, *, share_of_volume: float = 1.0, half_life: Any = "7d", half_life_exponent: float = 1.0) -> Flow:
    """The open-only map, faded: old levels grow dim, those of high leverage soonest.

    Idea: nobody knows who closes, but few hold for ever, and high leverage is held for a short time.

    Equation: opened as in `volume`; a level of leverage L keeps ``2^(−Δt / h(L))`` of itself from bar to bar, with the
    half-life ``h(L) = half_life · (10 / L)^half_life_exponent``.

    Parameters
    ----------
    bars : Bars
    share_of_volume : float
        κ (0..1], share of the volume that takes positions: it scales the whole map.
    half_life : duration
        Half-life of a 10x position.
    half_life_exponent : float
        0: one half-life for all; 1 (default): 100x fades ten times as fast as 10x.

    Returns
    -------
    Flow

    Assumptions
    -----------
    Half-lives are chosen by eye, as vendors choose them; no measurement stands behind them. What opens in a bar fades
    for the whole of it. Open interest is not looked at, so sizes are relative: no unit of money is meant.

    References
    ----------
    Maps of vendors that let old levels fade instead of counting who closed.
    """
    kappa = check_share(share_of_volume)
    life = timedelta(half_life, "half_life")
    if not life.value > 0:
        raise ValueError(f"half_life must be a positive duration such as '7d', got {half_life!r}")
    if not np.isfinite(half_life_exponent):
        raise ValueError(f"half_life_exponent must be a number such as 0, 0.5 or 1, got {half_life_exponent!r}")
    size = kappa * bars.volume
    opened = np.stack([size * bars.taker_share, size * (1.0 - bars.taker_share)])
    passed = np.diff(bars.close_time, prepend=bars.close_time[0] - bars.step)
    fade = np.log(2.0) * passed / life.as_unit("ns").value
    unknown, words = np.full(len(bars), np.nan), f"half-life {half_life} at 10x"
    return Flow(opened, unknown, UNUSED, bars.taker_use, words, fade=fade, by_leverage=float(half_life_exponent))
