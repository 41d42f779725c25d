"""Model `volume`: everything opens, nothing closes."""

from __future__ import annotations

import numpy as np

from liqlab.market.checks import no_text
from liqlab.market.provenance import OpenInterestUse
from liqlab.models._bars import Bars
from liqlab.models._flow import Flow

UNUSED = OpenInterestUse("not used", reason="nothing closes but what price reaches")


def volume(bars: Bars, *, share_of_volume: float = 1.0) -> Flow:
    """Every bar's volume opens positions, and only touched prices close them: the map most vendors describe.

    Idea: takers open. Buyers' volume opens longs, sellers' volume opens shorts.

    Equation: ``longs opened = κ·V·b``, ``shorts opened = κ·V·(1 − b)`` with V the volume [coins], b the taker-buy
    share (½ where unknown) and κ = `share_of_volume`.

    Parameters
    ----------
    bars : Bars
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
    size = kappa * bars.volume
    opened = np.stack([size * bars.taker_share, size * (1.0 - bars.taker_share)])
    return Flow(opened, np.full(len(bars), np.nan), UNUSED, bars.taker_use)


def check_share(share_of_volume: float) -> float:
    """κ must lie in (0, 1]."""
    no_text(share_of_volume=share_of_volume)
    if not 0 < share_of_volume <= 1:
        raise ValueError(
            f"share_of_volume must lie in (0, 1], got {share_of_volume!r}; 0.1 means a tenth of the volume"
        )
    return float(share_of_volume)
