"""Model `open_interest`: a ledger that adds up to the open interest at every bar."""

from __future__ import annotations

import numpy as np
import pandas as pd

from liqlab.market.checks import no_text
from liqlab.market.clock import nanoseconds
from liqlab.market.joins import row_at_close, taker_share
from liqlab.market.market import Market
from liqlab.market.provenance import OpenInterestUse, TakerUse
from liqlab.models._flow import Bar, Flow
from liqlab.models.volume import check_share

DAY = 86_400 * 10**9
# Share of openings, and how fast they close.
COHORTS = {"by_age": ((0.5, 10.0), (0.5, 0.1)), "proportional": ((1.0, 1.0),)}


def open_interest(
    market: Market,
    *,
    share_of_volume: float = 0.1,
    open_interest_scale: float = 1.0,
    days_of_volume: float = 0.3,
    closing: str = "by_age",
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
    market : Market
    share_of_volume : float
        κ (0..1]: much of the volume is market making, opened and closed at low leverage.
    open_interest_scale : float
        Factor on the market's open interest (1: as it is), for a proxy of another venue. The open interest of the
        examples that is a proxy has been brought to the size of the market's venue already.
    days_of_volume : float
        Where no open interest is known: the size assumed for it, in days of the mean volume seen so far (at most the
        last 30 days).
    closing : 'by_age' or 'proportional'
        Who closes. ``by_age`` (default): half of all openings are short-lived and close a hundred times as fast as the
        other half, so what has stood for long is likely to stand on. ``proportional``: everybody alike.

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
    share, taker = taker_share(market)
    row = None if market.open_interest is None else row_at_close(market, nanoseconds(market.open_interest.index))
    level, change, use = _level(market, row, open_interest_scale, days_of_volume)
    since = None if market.open_interest is None or row is None else _since(market, market.open_interest, row)
    # before the first stamp nothing is reported late, for nothing is reported
    coarse = np.zeros(len(level), bool)
    if row is not None and since is not None:
        coarse = (row >= 0) & (since < np.arange(len(level)))
    opened, late = _openings(kappa * market.candles["volume"].to_numpy(), change, share, coarse)
    return Flow(opened, level, use, taker, closing, late=None if since is None else late, since=since,
                cohorts=COHORTS[closing])  # fmt: skip


def one_bar(
    bar: Bar, *, share_of_volume: float, open_interest_scale: float, days_of_volume: float, closing: str
) -> Flow:
    """The flow of one bar, of what has been seen so far: equal to the last bar of `open_interest`, bit for bit."""
    level = open_interest_scale * bar.open_interest
    if np.isnan(level):
        level = days_of_volume * bar.per_day * bar.recent_volume / bar.recent_bars
    change = np.zeros(1) if bar.jump else np.array([level - bar.level_before])
    coarse = np.array([bar.coarse and not np.isnan(bar.open_interest)])
    opened, late = _openings(share_of_volume * np.array([bar.volume]), change, np.array([bar.buy_share]), coarse)
    use = OpenInterestUse("own", scale=open_interest_scale)
    return Flow(opened, np.array([level]), use, TakerUse("candle"), closing, late=late, cohorts=COHORTS[closing])


def _openings(
    traded: np.ndarray, change: np.ndarray, share: np.ndarray, coarse: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Coins opened (side, bar), and the part of them that a coarser open interest reports late."""
    size = np.maximum(traded, np.abs(change))
    longs = np.clip(share * (size + change), np.maximum(0.0, change), np.minimum(size, size + change))
    opened = np.stack([longs, size + change - longs])
    beyond = np.maximum(change, opened - traded * np.stack([share, 1.0 - share]))
    return opened, np.where(coarse & (change > 0), np.minimum(beyond, opened), 0.0)


def _level(
    market: Market, row: np.ndarray | None, scale: float, days: float
) -> tuple[np.ndarray, np.ndarray, OpenInterestUse]:
    """Open interest at every bar's close, its change where the change is known, and whose it is.

    Across a hole in the table, and before its first stamp, nobody knows when positions were opened: the change counts
    as 0 there, and the ledger lets its unattributed part take up the difference.
    """
    if market.open_interest is None or row is None:
        level = _assumed(market, days)
        return level, _changes(level), OpenInterestUse("assumed", days_of_volume=float(days))
    known = scale * market.open_interest["open_interest"].to_numpy()
    before = row < 0
    level = np.where(before, _assumed(market, days), known[row]) if before.any() else known[row]
    change = _changes(level)
    change[~before & np.concatenate([[True], before[:-1]])] = 0.0
    stamps, open_ = nanoseconds(market.open_interest.index), nanoseconds(market.candles.index[:1])[0]
    if stamps[0] <= open_:  # known at the very beginning, so the first bar has a change as well
        change[0] = level[0] - known[np.searchsorted(stamps, open_, side="right") - 1]
    hole = _holes(stamps, market.step.as_unit("ns").value)
    if hole.any():
        change[hole[row] & ~before & (np.diff(row, prepend=-1) != 0)] = 0.0
    return level, change, _use(market, scale, int(before.sum()))


def _changes(level: np.ndarray) -> np.ndarray:
    return np.diff(level, prepend=level[0])


def _holes(stamps: np.ndarray, step: int) -> np.ndarray:
    """Stamps that come more than twice as late as the one before them did: judged by the past alone."""
    distance = np.diff(stamps, prepend=stamps[0])
    usual = np.maximum(np.concatenate([[0, 0], distance[1:-1]])[: len(distance)], step)
    hole = distance > 2 * usual
    hole[:2] = False
    return hole


def _since(market: Market, table: pd.DataFrame, row: np.ndarray) -> np.ndarray | None:
    """First candle after the stamp before the last one known at each close; None where no stamp spans several."""
    stamps, opens = nanoseconds(table.index), nanoseconds(market.candles.index)
    if len(stamps) < 2 or np.diff(stamps).max() <= market.step.as_unit("ns").value:
        return None
    begin = np.concatenate([[0], np.searchsorted(opens, stamps[:-1])])
    return np.minimum(begin[np.maximum(row, 0)], np.arange(len(opens)))


def _use(market: Market, scale: float, assumed: int) -> OpenInterestUse:
    origin = market.sources.get("open_interest", {})
    sides = origin.get("sides", "")
    if origin.get("kind") == "proxy":
        factor = scale * float(origin.get("scale", 1))
        spread = tuple(scale * float(origin[key]) for key in ("scale_low", "scale_high") if key in origin)
        return OpenInterestUse("proxy", origin.get("exchange", ""), factor, assumed, scale_range=spread, sides=sides)
    return OpenInterestUse("own", scale=float(scale), assumed_bars=assumed, sides=sides)


def _assumed(market: Market, days: float) -> np.ndarray:
    """A size of the ledger in days of volume, from the candles seen so far: at most the last 30 days of them."""
    volume = np.cumsum(market.candles["volume"].to_numpy())
    per_day = DAY / market.step.as_unit("ns").value
    window = round(30 * per_day)
    seen = np.minimum(np.arange(1, len(volume) + 1), window)
    past = np.concatenate([np.zeros(min(window, len(volume))), volume[:-window]])
    return days * per_day * (volume - past) / seen
