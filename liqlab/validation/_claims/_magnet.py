"""Do prices seek bright zones? First passage to the zone, to its mirror price, and on blocks of other times."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.maps.arguments import check_same_market, estimated
from liqlab.maps.stacking import one_heatmap
from liqlab.market.arguments import at_least, checked
from liqlab.market.clock import timedelta
from liqlab.market.market import Market
from liqlab.validation._claims.block_estimates import Estimate, blocks_of, mean
from liqlab.validation._claims.frozen_zones import EVERY, HORIZON, MAX_ZONE_AGE, frozen_map, grid, trials

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Magnet", "magnet"]

COMPARED = {"mirror": "the mirror price, untraded since as well", "paths": "matched blocks of other times"}


@dataclass(frozen=True, eq=False)
class Magnet:
    """What `magnet` found.

    Attributes
    ----------
    table : DataFrame (comparison,)
        ``mirror``, ``paths``, ``first``: zone and other (touched within the horizon [%]; for ``first`` touched before
        the other), effect (their difference [points]), low, high (95 %), p, n (trials), blocks.
    assets : DataFrame
        The same for each market: columns market, comparison, ….
    curves : DataFrame
        comparison, which (``zone`` or ``other``), hours, share [%] touched by then, low, high (95 %, pointwise).
    trials : DataFrame
        As from `liqlab.validation._claims.frozen_zones.trials`, and market.
    about : dict
        model, law, lookback, horizon, block, markets, days.
    """

    table: pd.DataFrame
    assets: pd.DataFrame
    curves: pd.DataFrame
    trials: pd.DataFrame
    about: dict[str, Any]

    def __repr__(self) -> str:
        rows = (f"{name} {x.zone:.1f} % against {x.other:.1f} %, {x.effect:+.1f} points [{x.low:+.1f}, {x.high:+.1f}], "
                f"n {x.n}" for name, x in self.table.iterrows())  # fmt: skip
        return f"Magnet of {', '.join(self.about['markets'])}, {self.about['horizon']}: {'; '.join(rows)}"


@checked()
def magnet(
    market: Market | Mapping[str, Market],
    heat: xr.Dataset | None = None,
    *,
    model: str | None = None,
    horizon: Any = HORIZON,
    most_age: Any = MAX_ZONE_AGE,
    every: Any = EVERY,
    start: Any = None,
    paths: int = 48,
    seed: int = 0,
    **options: Any,
) -> Magnet:
    """Is a bright zone touched sooner than a price that differs in nothing but its brightness?

    Parameters
    ----------
    market : Market or mapping of name to Market
        Several markets are pooled; those of one date count as one path.
    heat : Dataset, optional
        A heatmap of the one market, its columns the moments at which zones are frozen; default: made with `model`.
    model : str, optional
        As in `liqlab.heatmap`.
    horizon : duration
        How long is looked on.
    most_age : duration
        Zones first seen longer ago are left out.
    every : duration
        Width of the columns: how often zones are frozen.
    start : time-like or mapping of name to time-like, optional
        Only moments from here on; what lies before warms the ledger up.
    paths : int
        Blocks of other times per trial; 0: none.
    seed : int
        Of these blocks.
    **options
        Those of `liqlab.heatmap`, assumptions among them: ``law="retail", lookback="7d"`` is nearer to what vendors
        publish.

    Returns
    -------
    Magnet

    Raises
    ------
    ValueError
        Where no zone was within reach: the market is too short, or its map has no zones.

    Notes
    -----
    Of every moment and side the zone of the largest notional whose peak is ¼ to 2 standard deviations of the horizon's
    return away (volatility of the last three days). Each zone counts once, when it first is: one that price does not
    touch would otherwise be counted again and again, and look as if it repelled.

    *Mirror*: peak and mirror price have the same log distance on either side of the price; only trials whose mirror
    price has not been traded since the zone was first seen either, and is at most half as bright. Standing zones are
    survivors; so the other must be one too. *Paths*: at 48 other moments of the same market and about the same
    volatility, the share of times that a price at the same distance in units of the volatility known then, untraded
    for as long as the zone is old, was reached within the horizon: blocks of age and horizon in one piece, every second
    one turned upside down. *First*: zone before mirror less mirror before zone.

    Without a magnet a driftless path reaches both alike. Intervals: delete-one-block jackknife over blocks of the
    calendar as long as horizon and most_age together; Student's t with the effective number of blocks less one. Fewer
    than four effective blocks give no interval.

    Assumptions
    -----------
    Zones are *estimated*. A market that drifts to the side on which its zones stand looks like one with a magnet,
    unless other markets and times, with zones on the other side, average it out. Prices touch as the extremes of the
    candles say.

    References
    ----------
    First passage of driftless paths: any text on Brownian motion, P(touched) = 2·(1 − Φ(z)).

    Examples
    --------
    >>> import liqlab as lq
    >>> found = lq.magnet(lq.load_example("ena-2025-02"), paths=0)
    >>> bool(found.table.loc["mirror", "low"] < 0 < found.table.loc["mirror", "high"])
    True
    """
    named = dict(market) if isinstance(market, Mapping) else {market.symbol or "market": market}
    if not named:
        raise ValueError("magnet needs one market or more, got none; pass a market or {name: market}")
    at_least(0, paths=paths)
    if heat is not None and len(named) > 1:
        raise ValueError(f"one heatmap belongs to one market, got {len(named)} markets; leave heat out")
    if heat is not None:
        heat = one_heatmap(estimated(heat))
        check_same_market(next(iter(named.values())), heat)
    parts, maps = [], []
    for name, one in named.items():
        drawn = heat if heat is not None else frozen_map(one, model, every=every, **options)
        begin = start.get(name) if isinstance(start, Mapping) else start
        with warnings.catch_warnings():
            if heat is None:  # wicks to a part of the price, see frozen_map
                warnings.filterwarnings("ignore", message=".*columns have bins wider")
            table = trials(one, drawn, horizon=horizon, most_age=most_age, start=begin, paths=paths, seed=seed)
        table.attrs = {}
        parts.append(table.assign(market=name))
        maps.append(drawn.attrs)
    every_trial = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    if every_trial.empty:
        raise ValueError(f"market: no bright zone was within reach in {', '.join(named)}; pass a longer market (a "
                         "week or more), an earlier start, a shorter every or horizon, or another map: heat made with "
                         "law='retail', lookback='7d'")  # fmt: skip
    length = timedelta(horizon) + timedelta(most_age)
    block = blocks_of(every_trial["time"], length)
    table = _table(every_trial, block, paths > 0)
    assets = [_table(part, blocks_of(part["time"], length), paths > 0).assign(market=name).reset_index()
              for name, part in every_trial.groupby("market", sort=False)]  # fmt: skip
    about = {"model": maps[0]["model"], "law": maps[0]["law"], "lookback": maps[0]["lookback"] or "all",
             "horizon": str(horizon), "every": str(every), "block": f"{length.days} days", "markets": list(named),
             "days": int(every_trial["time"].dt.normalize().nunique())}  # fmt: skip
    hours = grid(timedelta(horizon).as_unit("ns").value)
    curves = _curves(every_trial, block, hours, paths > 0)
    return Magnet(table, pd.concat(assets, ignore_index=True), curves, every_trial, about)


def _table(t: pd.DataFrame, block: np.ndarray, with_paths: bool) -> pd.DataFrame:
    """Rows mirror, paths and first."""
    zone, mirror = t["hours"].to_numpy(float), t["mirror_hours"].to_numpy(float)
    fair, first = t["first_fair"].to_numpy(bool), t["first"].to_numpy(bool)
    before, later = 100.0 * (zone < mirror), 100.0 * (mirror < zone)
    rows = {"mirror": (100.0 * np.isfinite(zone), 100.0 * np.isfinite(mirror), fair)}
    if with_paths:
        share = 100.0 * t["path_touched"].to_numpy(float)
        rows["paths"] = (rows["mirror"][0], share, first & np.isfinite(share))
    rows["first"] = (before, later, fair)
    found = {name: _row(*values, block) for name, values in rows.items()}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("comparison")


def _row(zone: np.ndarray, other: np.ndarray, on: np.ndarray, block: np.ndarray) -> dict[str, Any]:
    found: Estimate = mean(block[on], (zone - other)[on])
    means = {"zone": float(zone[on].mean()), "other": float(other[on].mean())} if on.any() else {}
    return {"zone": np.nan, "other": np.nan, **means, **vars(found)}


def _curves(t: pd.DataFrame, block: np.ndarray, hours: np.ndarray, with_paths: bool) -> pd.DataFrame:
    """Share touched by the hours, each curve with its own interval."""
    rows, fair = [], t["first_fair"].to_numpy(bool)
    for comparison in ("mirror", "paths") if with_paths else ("mirror",):
        on = fair if comparison == "mirror" else (t["first"] & t["path_touched"].notna()).to_numpy()
        for which in ("zone", "other"):
            rows.append({"comparison": comparison, "which": which, "hours": 0.0, "share": 0.0, "low": 0.0, "high": 0.0})
            for h in hours:
                if which == "zone":
                    value = 100.0 * (t["hours"].to_numpy(float) <= h + 1e-9)
                elif comparison == "mirror":
                    value = 100.0 * (t["mirror_hours"].to_numpy(float) <= h + 1e-9)
                else:
                    value = 100.0 * t[f"paths_{h:g}h"].to_numpy(float)
                found = mean(block[on], value[on])
                rows.append({"comparison": comparison, "which": which, "hours": float(h), "share": found.effect,
                             "low": max(found.low, 0.0), "high": found.high})  # fmt: skip
    return pd.DataFrame(rows)
