"""What a calibration hands back: the law, what goes with it, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.maps.tables import expected_liquidations
from liqlab.market.arguments import within_0_and_1
from liqlab.market.clock import nanoseconds
from liqlab.market.market import Market
from liqlab.market.resample import bar_opens, origin_of
from liqlab.models._assumptions import Assumptions
from liqlab.models._law import Law
from liqlab.validation.calibration.ensemble import band, quantiles_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Calibration"]

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
SIGN = np.array([[-1.0], [1.0]])  # prices fall for longs and rise for shorts


@dataclass(frozen=True, eq=False)
class Calibration:
    """A fitted law, what goes with it, and how sure it is.

    Attributes
    ----------
    law : Law
        Plugs into every model: ``law=result.law``.
    share_of_volume : float
        κ: the smallest that the data allow (NaN where the model has none).
    same_bar_share : float
        Share of the positions reached in the step of their opening that counts as liquidated.
    model, loss, source : str
        The model, the loss, and whose liquidations it was fitted to.
    throttle : Series
        The link from estimated to observed amounts of either side, ``log(1 + y/u) ≈ exponent · log(1 + scale · z/u)``:
        scale [1], exponent [1], offset u [quote].
    step : Timedelta
        Length of the bars that the link holds for.
    profile : DataFrame (share_of_volume,)
        The ridge: mean loss per bar beyond the best, with its day-block interval low … high; allowed; same_bar_share;
        scale [1]; by side the median distance [1] and the rank correlation with what was observed (in sample).
    ensemble : tuple of Law
        Laws as likely as the fitted one, on resampled days around resampled priors.
    members : DataFrame (draw,)
        share_of_volume, same_bar_share of each law in the ensemble.
    tilt : ndarray (draw, side)
        Exponent of leverage by which the law of what is *opened* may lean away from the effective one, see
        `shares`.
    beyond : ndarray (draw, side)
        Share of what is opened that may stand out of reach besides, see `shares`.
    silent : ndarray (draw, side, class)
        Shares drawn from the prior alone: what would be believed without observations.
    reached : ndarray (side, class), int64
        In how many observed bars price reached estimated positions of the class.
    distance : ndarray (side, leverage_level)
        Log distances of the law's leverage levels under the tiers in force at the end.
    span : tuple of Timestamp
        First and last moment of the observations used.
    base : Assumptions
        What was held fixed: the model and its other options, where positions open, how large they are.
    """

    law: Law
    share_of_volume: float
    same_bar_share: float
    model: str
    loss: str
    source: str
    throttle: pd.Series
    step: pd.Timedelta
    profile: pd.DataFrame
    ensemble: tuple[Law, ...]
    members: pd.DataFrame
    tilt: np.ndarray
    beyond: np.ndarray
    silent: np.ndarray
    reached: np.ndarray
    distance: np.ndarray
    span: tuple[pd.Timestamp, pd.Timestamp]
    base: Assumptions

    @property
    def assumptions(self) -> Assumptions:
        """What was fitted, as every function takes it: ``lq.heatmap(market, assumptions=result)``."""
        return self._assumptions(self.law, self.share_of_volume, self.same_bar_share)

    def member(self, draw: int) -> Assumptions:
        """Assumptions of one member of the ensemble."""
        row = self.members.iloc[draw]
        return self._assumptions(self.ensemble[draw], float(row["share_of_volume"]), float(row["same_bar_share"]))

    def _assumptions(self, law: Law, kappa: float, same_bar_share: float) -> Assumptions:
        own = {} if np.isnan(kappa) else {"share_of_volume": kappa}
        return self.base.replace(law=law, same_bar_share=same_bar_share, **own)

    def shares(self, of: str = "opened") -> np.ndarray:
        """Shares of every member of the ensemble (draw, side, class).

        Parameters
        ----------
        of : 'opened' or 'effective'
            ``effective``: the law that the model, which closes alike at every leverage, needs in order to liquidate
            what was observed. ``opened``: the law of what traders open. High leverages are closed sooner, so of what
            is opened they are more than of what is effective: shares × leverage^γ, with γ drawn evenly between 0
            (lives do not depend on leverage) and 1 (they go as 1 / leverage). Simulated markets whose agents live
            shorter at high leverage needed 0.55 ± 0.13 for longs and 0.07 ± 0.11 for shorts (mean and deviation of 60
            seeds); what real ones need is not known. Up to a quarter of what is opened goes to the farthest class
            besides: a large wallet on cross margin is next to never liquidated, so no liquidation tells of it.

        Returns
        -------
        ndarray (draw, side, class)
        """
        if of not in ("opened", "effective"):
            raise ValueError(f"of must be 'opened' or 'effective', got {of!r}; opened is wider: closing is not known")
        found = np.stack([[law.long, law.short] for law in self.ensemble])
        if of == "opened":
            found = found * self.law.leverage ** self.tilt[:, :, None]
        found = found / found.sum(axis=2, keepdims=True)
        if of == "opened":
            found = (1 - self.beyond[:, :, None]) * found
            found[:, :, 0] += self.beyond
        return found

    def intervals(self, *, level: float = 0.9, kind: str = "pointwise", of: str = "opened") -> pd.DataFrame:
        """Share of every class with its interval.

        Parameters
        ----------
        level : float
            Probability [0..1].
        kind : 'pointwise' or 'simultaneous'
            For one class at a time, or for all classes of both sides together.
        of : 'opened' or 'effective'
            Interval of which law, see `shares`; the middle is the effective one.

        Returns
        -------
        DataFrame (side, leverage)
            distance_from_entry [1], share, low, high [1]; learned [0..1]: how much of the prior's uncertainty about the
            effective law the data removed. 0: the share is the prior's, or price never reached the class, which then
            holds its part of what the reached ones leave.
        """
        low, high = band(self.shares(of), level, kind)
        learned = 1 - np.log(self.shares("effective")).var(axis=0) / np.log(self.silent).var(axis=0)
        rows = pd.MultiIndex.from_product([SIDES, self.law.leverage], names=["side", "leverage"])
        middle = self.distance.reshape(2, len(self.law.leverage), -1).mean(axis=2)
        table = {"distance_from_entry": np.abs(np.expm1(SIGN * middle)),
                 "share": np.stack([self.law.long, self.law.short]), "low": low, "high": high,
                 "learned": np.where(self.reached > 0, np.clip(learned, 0.0, 1.0), 0.0)}  # fmt: skip
        return pd.DataFrame({name: x.ravel() for name, x in table.items()}, index=rows)

    def distances(
        self, quantiles: Sequence[float] = QUANTILES, *, level: float = 0.9, kind: str = "pointwise", of: str = "opened"
    ) -> pd.DataFrame:
        """Quantiles of the distance entry → liquidation with their intervals.

        On 140 simulated markets of 30 days, other than those by which the allowances in `shares` were chosen, the 90 %
        intervals of the quantiles .05 to .75 of what was opened held the truth in 98 to 100 % of the cases: they are
        cautious.

        Parameters
        ----------
        quantiles : sequence of float
            In (0, 1).
        level, kind, of : float, str, str
            As in `intervals`.

        Returns
        -------
        DataFrame (side, quantile)
            distance_from_entry, low, high, as shares of the entry price [1].
        """
        fitted = quantiles_of(np.stack([self.law.long, self.law.short]), self.distance, quantiles)
        low, high = band(np.stack([quantiles_of(x, self.distance, quantiles) for x in self.shares(of)]), level, kind)
        rows = pd.MultiIndex.from_product([SIDES, list(quantiles)], names=["side", "quantile"])
        table = {"distance_from_entry": fitted, "low": low, "high": high}
        return pd.DataFrame({name: np.abs(np.expm1(SIGN * x)).ravel() for name, x in table.items()}, index=rows)

    def estimate(self, market: Market, *, unit: str = "coins", throttled: bool = True) -> pd.DataFrame:
        """Estimated liquidations per bar and side under the calibration.

        Parameters
        ----------
        market : Market
            Any: the one of the fit, a later one, another asset.
        unit : 'coins' or 'quote'
            Coins, or coins × close.
        throttled : bool
            Through the link: what the venue would *publish*. False: what the model says was liquidated.

        Returns
        -------
        DataFrame (time,)
            long, short [unit] per bar of `step`, or of the candles where these are longer.
        """
        if unit not in ("coins", "quote"):
            raise ValueError(f"unit must be 'coins' or 'quote', got {unit!r}")
        coins = expected_liquidations(market, unit="coins", assumptions=self.assumptions)
        close = market.candles["close"]
        step, width = (x.as_unit("ns").value for x in (market.step, max(self.step, market.step)))
        stamps = nanoseconds(coins.index)
        opens = bar_opens(stamps, width, origin_of(stamps[0], step, width))
        group = pd.DatetimeIndex(pd.to_datetime(opens, utc=True).as_unit(pd.DatetimeIndex(coins.index).unit))
        value, price = coins.mul(close, axis=0).groupby(group).sum(), close.groupby(group).last()
        if throttled:
            t = self.throttle
            value = t["offset"] * np.expm1(t["exponent"] * np.log1p(value * t["scale"] / t["offset"]))
        return value[SIDES] if unit == "quote" else value[SIDES].div(price, axis=0)

    def heatmaps(self, market: Market, *, members: int = 12, level: float = 0.9, **options: Any) -> xr.Dataset:
        """A heatmap that carries its uncertainty.

        Parameters
        ----------
        market : Market
        members : int
            So many laws of the ensemble, evenly chosen; each costs one heatmap.
        level : float
            Pointwise level of the band, cell by cell.
        **options
            Of `liqlab.heatmap`: start, end, column, price_range, …

        Returns
        -------
        Dataset
            As `liqlab.heatmap`, with notional_low and notional_high [quote] beside notional.
        """
        from liqlab.maps.heatmaps import heatmap

        within_0_and_1(level=level)
        if not 2 <= members <= len(self.ensemble):
            raise ValueError(f"members must lie in 2..{len(self.ensemble)}, got {members!r}; calibrate with more "
                             "resamples for more")  # fmt: skip
        heat = heatmap(market, assumptions=self.assumptions, **options)
        chosen = np.linspace(0, len(self.ensemble) - 1, members).astype(int)
        amounts = np.stack(
            [heatmap(market, assumptions=self.member(k), **options)["notional"].to_numpy() for k in chosen]
        )
        low, high = np.quantile(amounts, [(1 - level) / 2, (1 + level) / 2], axis=0, method="weibull")
        dims = heat["notional"].dims
        told = {"band_level": level, "band_members": members}
        return heat.assign(notional_low=(dims, low), notional_high=(dims, high)).assign_attrs(told)

    def __repr__(self) -> str:
        d = self.distances((0.1, 0.5))
        lines = [f"Calibration of {self.model!r}, loss {self.loss!r}, to {self.source}, {self.span[0]:%Y-%m-%d} … "
                 f"{self.span[1]:%Y-%m-%d}; {len(self.ensemble)} draws"]  # fmt: skip
        kept = self.profile.index[self.profile["allowed"]]
        lines.append(f"  share_of_volume {self.share_of_volume:g} (allowed: {', '.join(f'{k:g}' for k in kept)}), "
                     f"same_bar_share {self.same_bar_share:.2f}")  # fmt: skip
        t = self.throttle
        lines[-1] += f", scale {t['scale']:.2g}, exponent {t['exponent']:.2f}"
        for side in SIDES:
            spans = (f"{q:.0%} within {r.distance_from_entry:.1%} [{r.low:.1%}, {r.high:.1%}]"
                     for q, r in d.loc[side].iterrows())  # fmt: skip
            lines.append(f"  {side:<5} {'; '.join(spans)}")
        return "\n".join(lines)
