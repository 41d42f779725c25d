"""Model `volume`: everything opens, nothing closes."""

from __future__ import annotations

import numpy as np

from liqlab.market.checks import no_text
from liqlab.market.joins import taker_share
from liqlab.market.market import Market
from liqlab.market.provenance import OpenInterestUse, TakerUse
from liqlab.models._flow import Bar, Flow

UNUSED = OpenInterestUse("not used", reason="nothing closes but what price reaches")


def volume(market: Market, *, share_of_volume: float = 1.0) -> Flow:
    """Every bar's volume opens positions, and only touched prices close them: the map most vendors describe.

    Idea: takers open. Buyers' volume opens longs, sellers' volume opens shorts.

    Equation: ``longs opened = κ·V·b``, ``shorts opened = κ·V·(1 − b)`` with V the volume [coins], b the taker-buy
    share (½ where unknown) and κ = `share_of_volume`.

    Parameters
    ----------
    market : Market
    share_of_volume : float
        κ [0..1], share of the volume that takes positions.

    Returns
    -------
    Flow

    Assumptions
    -----------
    No position is ever closed by its owner. The ledger therefore grows without end wherever price does not return, and
    exceeds the open interest: sizes are relative, no unit of money is meant.

    References
    ----------
    The rule behind "opening, not closing" maps as vendors describe them; FAQ pages of heatmap vendors.
    """
    kappa = check_share(share_of_volume)
    share, taker = taker_share(market)
    size = kappa * market.candles["volume"].to_numpy()
    opened = np.stack([size * share, size * (1.0 - share)])
    return Flow(opened, np.full(len(size), np.nan), UNUSED, taker)


def one_bar(bar: Bar, *, share_of_volume: float) -> Flow:
    """The flow of one bar: equal to the last bar of `volume`, bit for bit."""
    size = share_of_volume * np.array([bar.volume])
    opened = np.stack([size * bar.buy_share, size * (1.0 - bar.buy_share)])
    return Flow(opened, np.full(1, np.nan), UNUSED, TakerUse("candle"))


def check_share(share_of_volume: float) -> float:
    """κ must lie in (0, 1]."""
    no_text(share_of_volume=share_of_volume)
    if not 0 < share_of_volume <= 1:
        raise ValueError(
            f"share_of_volume must lie in (0, 1], got {share_of_volume!r}; 0.1 means a tenth of the volume"
        )
    return float(share_of_volume)
