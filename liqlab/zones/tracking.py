"""Zones through time: born, grown, faded, swept. Each column is matched with the ones before it, never with later."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.maps.arguments import estimated
from liqlab.maps.stacking import one_heatmap
from liqlab.market.arguments import checked
from liqlab.zones._clusters import FALSE_ALARMS, WIDTH, every_cluster

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["track"]

MAX_PEAK_SHIFT_WIDTHS = 2.0  # widths that a zone's peak may move from the last column in which it was seen
MIN_KEPT_STRENGTH = (
    0.5  # part of a zone's strength that one needs to live on: without it zones at the limit would come and go
)


@dataclass
class _Life:
    """One zone while it is followed."""

    side: str
    born: int
    seen: list[int] = field(default_factory=list)
    low: float = np.nan
    peak: float = np.nan
    high: float = np.nan
    notional: list[float] = field(default_factory=list)
    born_peak: float = np.nan
    died: int = -1
    status: str = "standing"

    def see(self, column: int, zone: Any) -> None:
        self.seen.append(column)
        self.notional.append(zone.notional)
        self.low, self.peak, self.high = zone.low, zone.peak, zone.high


@checked()
def track(
    heat: xr.Dataset, *, width: float = WIDTH, false_alarms: float = FALSE_ALARMS, patience: int = 4
) -> pd.DataFrame:
    """Follow the zones of a heatmap through its columns: one row per zone.

    Parameters
    ----------
    heat : Dataset
        From `heatmap`, or `Live.heatmap`.
    width, false_alarms : float
        As in `clusters`.
    patience : int
        Columns [1] that a zone may be missing and still come back as the same; after more it has faded.

    Returns
    -------
    DataFrame
        In the order of their births: side, born and last_seen (close of the first and last column in which it was
        found, UTC), died (close of the column that decided its end, NaT while it stands), status, born_peak, low,
        peak, high [quote] (the last three as last seen), notional_born, notional_max, notional_last [quote], growth =
        notional_last ÷ notional_born [1], columns (in which it was found) [1], age [days] from birth to the end or to
        the last column.

        status: *swept*, price reached the peak (the column's low for a long zone, its high for a short one); *faded*,
        it was missing for more than `patience` columns without that; *standing*, neither by the last column. Zones of
        the first column may be older than it.

    Notes
    -----
    A column first sweeps what its prices reached, then its zones are matched with those alive of the same side: pairs
    whose peaks are at most two widths of log price apart, the nearest first, each zone once. To be born a zone needs
    what `clusters` asks for, to live on half of that strength. Nothing looks ahead: with the later columns cut off,
    births are the same, and so is every end decided before.

    Examples
    --------
    >>> import liqlab as lq
    >>> heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-04-30", end="2024-05-02", price_step=25)
    >>> lives = lq.track(heat)
    >>> bool((lives["died"].isna() == (lives["status"] == "standing")).all())
    True
    """
    if patience < 0:
        raise ValueError(f"patience must be >= 0 columns, got {patience!r}; 0 lets a zone fade at once")
    heat = one_heatmap(estimated(heat))
    zones = every_cluster(heat, width=width, false_alarms=false_alarms, least=MIN_KEPT_STRENGTH)
    low, high = heat["low"].to_numpy(), heat["high"].to_numpy()
    cuts = np.searchsorted(zones["column"].to_numpy(), np.arange(len(low) + 1))
    rows = list(zones[["side", "low", "peak", "high", "notional", "strength"]].itertuples(index=False))
    lives: list[_Life] = []
    alive: list[_Life] = []
    for column in range(len(low)):
        alive = _ended(alive, column, low[column], high[column], patience)
        found = rows[cuts[column] : cuts[column + 1]]
        born = _matched(alive, found, column, MAX_PEAK_SHIFT_WIDTHS * width)
        alive += born
        lives += born
    return _table(lives, heat)


def _ended(alive: list[_Life], column: int, low: float, high: float, patience: int) -> list[_Life]:
    """Those who live on after the column's prices; the others get their end."""
    left = []
    for life in alive:
        if (low <= life.peak) if life.side == "long" else (high >= life.peak):
            life.died, life.status = column, "swept"
        elif column - life.seen[-1] > patience:
            life.died, life.status = column, "faded"
        else:
            left.append(life)
    return left


def _matched(alive: list[_Life], found: list[Any], column: int, near: float) -> list[_Life]:
    """Give the column's zones to the nearest of those alive; what is left over is born."""
    pairs = sorted(
        (abs(np.log(zone.peak / life.peak)), i, j)
        for i, life in enumerate(alive)
        for j, zone in enumerate(found)
        if zone.side == life.side and abs(zone.peak / life.peak - 1) <= 2 * near
    )
    lives, taken = set(), set()
    for distance, i, j in pairs:
        if distance <= near and i not in lives and j not in taken:
            alive[i].see(column, found[j])
            lives.add(i)
            taken.add(j)
    born = []
    for j, zone in enumerate(found):
        if j not in taken and zone.strength >= 1:
            life = _Life(zone.side, column, born_peak=zone.peak)
            life.see(column, zone)
            born.append(life)
    return born


def _table(lives: list[_Life], heat: xr.Dataset) -> pd.DataFrame:
    closes = pd.DatetimeIndex(heat["close_time"].to_numpy()).tz_localize("UTC")
    died = np.array([life.died for life in lives], np.int64)
    born = np.array([life.born for life in lives], np.int64)
    table = pd.DataFrame({
        "side": pd.array([life.side for life in lives], dtype="str"),  # text, also where there is none
        "born": closes[born],
        "last_seen": closes[np.array([life.seen[-1] for life in lives], np.int64)],
        "died": closes[np.maximum(died, 0)].where(died >= 0),
        "status": pd.array([life.status for life in lives], dtype="str"),
        **{name: np.array([getattr(life, name) for life in lives], float)
           for name in ("born_peak", "low", "peak", "high")},
        "notional_born": np.array([life.notional[0] for life in lives], float),
        "notional_max": np.array([max(life.notional) for life in lives], float),
        "notional_last": np.array([life.notional[-1] for life in lives], float),
    })  # fmt: skip
    table["growth"] = table["notional_last"] / table["notional_born"]
    table["columns"] = np.array([len(life.seen) for life in lives], np.int64)
    table["age"] = (table["died"].fillna(closes[-1]) - table["born"]).dt.total_seconds() / 86_400
    return table
