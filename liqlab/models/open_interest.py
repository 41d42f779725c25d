"""Model `open_interest`: a ledger that adds up to the open interest at every bar."""

from __future__ import annotations

import numpy as np

from liqlab.market.checks import no_text
from liqlab.market.provenance import OpenInterestUse
from liqlab.models._bars import Bars
from liqlab.models._flow import Flow
from liqlab.models.volume import check_share

# Share of openings, and how fast they close.
COHORTS = {
    "mostly_short": ((0.8, 10.0), (0.2, 0.1)),
    "by_age": ((0.5, 10.0), (0.5, 0.1)),
    "proportional": ((1.0, 1.0),),
}


def open_interest(
    bars: Bars,
    *,
    share_of_volume: float = 0.2,
    open_interest_scale: float = 1.0,
    days_of_volume: float = 0.3,
    closing: str = "mostly_short",
) -> Flow:
    """Openings and closings from the accounting identity of volume and open interest.

    Idea: every trade has a buyer and a seller, each of whom opens or closes. With V the bar's volume and ΔOI its
    open-interest change, ``longs opened + shorts opened = V + ΔOI``, and longs standing = shorts standing = OI.

    Equation: with ``K = max(κ·V, |ΔOI|)`` and taker-buy share b,
    ``longs opened = clip(b·(K + ΔOI), max(0, ΔOI), min(K, K + ΔOI))``, ``shorts opened = K + ΔOI − longs opened``,
    closed on each side = opened − ΔOI. Liquidations use up the closings first; the rest is closed in proportion to
    what stands, attributed and unattributed alike, or by age; liquidations beyond the closings come out of the
    unattributed part.

    Parameters
    ----------
    bars : Bars
    share_of_volume : float
        κ (0..1]: much of the volume is market making, opened and closed at low leverage.
    open_interest_scale : float
        Factor on the market's open interest (1: as it is), for a proxy of another venue. The open interest of the
        examples that is a proxy has been brought to the size of the market's venue already.
    days_of_volume : float
        Where no open interest is known: the size assumed for it, in days of the mean volume seen so far (at most the
        last 30 days).
    closing : 'by_age', 'mostly_short' or 'proportional'
        Who closes. ``mostly_short`` (default): four fifths of all openings are short-lived and close a hundred times as
        fast as the rest, so what has stood for long is likely to stand on. ``by_age``: half of them. ``proportional``:
        everybody alike.

    Returns
    -------
    Flow

    Assumptions
    -----------
    Takers open (the taker-buy share is the long share of openings); those who close are drawn at random from all who
    stand at one close rate. That some hold for minutes and others for months is known, how many is not: the halves are
    round numbers, and make the map depend less on κ than any one close rate does. κ is not identified by price and
    volume: 0.1 is a round number too.

    Limits: an open interest that is coarser than the candles arrives in jumps, at the bar that closes at its stamp.
    What it then reports as newly opened is spread over all prices traded since the stamp before: later than it
    happened, and never earlier than it was known.

    References
    ----------
    Accounting identity of futures volume and open interest, see any futures text; for its use in maps see README.
    """
    kappa = check_share(share_of_volume)
    no_text(open_interest_scale=open_interest_scale, days_of_volume=days_of_volume)
    for name, value in (("open_interest_scale", open_interest_scale), ("days_of_volume", days_of_volume)):
        if not value > 0:
            raise ValueError(f"{name} must be > 0, got {value!r}")
    if closing not in COHORTS:
        raise ValueError(f"closing must be one of {', '.join(COHORTS)}, got {closing!r}")
    level = _level(bars, open_interest_scale, days_of_volume)
    change = _change(bars, level, open_interest_scale)
    opened, late = _openings(kappa * bars.volume, change, bars.taker_share, bars.candles_covered > 1)
    use = _use(bars, open_interest_scale, days_of_volume)
    return Flow(opened, level, use, bars.taker_use, closing, late=late, cohorts=COHORTS[closing])


def _level(bars: Bars, scale: float, days: float) -> np.ndarray:
    """Open interest of every bar [coins], assumed where it is not known; little is held beside it."""
    level = scale * bars.open_interest
    bare = np.flatnonzero(np.isnan(bars.open_interest))
    level[bare] = days * bars.bars_per_day * bars.recent_volume[bare] / bars.recent_bars[bare]
    return level


def _openings(
    traded: np.ndarray, change: np.ndarray, share: np.ndarray, coarse: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Coins opened (side, bar), and the part of them that a coarser open interest reports late."""
    size, opened = np.maximum(traded, np.abs(change)), np.empty((2, len(change)))
    both = size + change
    np.clip(share * both, np.maximum(0.0, change), np.minimum(size, both, out=size), out=opened[0])
    np.subtract(both, opened[0], out=opened[1])
    late, reported = np.zeros(opened.shape), np.flatnonzero(coarse & (change > 0))
    change, traded, share = change[reported], traded[reported], share[reported]
    for side, own in enumerate((share, 1.0 - share)):
        part = opened[side, reported]
        late[side, reported] = np.minimum(np.maximum(change, part - traded * own), part)
    return opened, late


def _change(bars: Bars, level: np.ndarray, scale: float) -> np.ndarray:
    """Change of the level in every bar, 0 where it is not known.

    Across a hole, and before the first stamp, nobody knows when positions were opened: the change counts as 0 there,
    and the ledger lets its unattributed part take up the difference.
    """
    before = np.concatenate([[scale * bars.open_interest_before], level[:-1]])
    return np.where(bars.after_gap | np.isnan(before), 0.0, level - before)


def _use(bars: Bars, scale: float, days: float) -> OpenInterestUse:
    assumed = int(np.isnan(bars.open_interest).sum())
    if assumed == len(bars):
        return OpenInterestUse("assumed", days_of_volume=float(days))
    source = bars.open_interest_source
    sides = source.get("sides", "")
    if source.get("kind") == "proxy":
        factor = scale * float(source.get("scale", 1))
        spread = tuple(scale * float(source[key]) for key in ("scale_low", "scale_high") if key in source)
        return OpenInterestUse("proxy", source.get("exchange", ""), factor, assumed, scale_range=spread, sides=sides)
    return OpenInterestUse("own", scale=float(scale), assumed_bars=assumed, sides=sides)
