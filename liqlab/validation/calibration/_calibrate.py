"""Calibration: fit the law of distances, the share of volume and the same-bar share to observed liquidations."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from liqlab import models
from liqlab.margin import tier_history
from liqlab.market.arguments import checked, within_0_and_1
from liqlab.market.clock import step_of
from liqlab.market.market import Market
from liqlab.models._assumptions import Assumptions
from liqlab.models._law import Law, distances
from liqlab.models._law import law as _named
from liqlab.validation.calibration.design import SPREAD, Observed, classes_of, design_of, observed_of, spread_law
from liqlab.validation.calibration.ensemble import (
    allowed,
    draws_of,
    excess_of,
    profile_of,
    residual_spread,
    silent_laws,
    worth,
)
from liqlab.validation.calibration.fit import LOSSES, Fit, minimise
from liqlab.validation.calibration.result import Calibration

__all__ = ["Calibration", "calibrate"]

KAPPAS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8)
TILT = (0.0, 1.0)  # of what is opened against what is effective: lives independent of leverage, or as 1 / leverage
MAX_DRAWS = 10_000  # each is a fit
BEYOND = (0.0, 0.25)  # of what is opened, out of reach: large wallets on cross margin


@checked()
def calibrate(
    market: Market,
    model: str | None = None,
    *,
    assumptions: Assumptions | Any = None,
    loss: str = "censored",
    prior: str | Law | Mapping[float, float] | None = None,
    share_of_volume: float | Sequence[float] = KAPPAS,
    resamples: int = 100,
    level: float = 0.9,
    seed: int = 0,
    **options: Any,
) -> Calibration:
    """Fit the law of distances, long and short apart, to observed liquidations.

    Estimated liquidations are nearly linear in the law's shares, ``z = Σ_k w_k · x_k``, with x_k what the ledger
    liquidates per unit of share k. For each κ on a grid, shares, same-bar share, scale and throttle exponent minimise

        ``loss(y, z) + ½ Σ_sides δᵀ P δ``,  ``w = prior · exp(δ)``,

    where P asks for smoothness in log leverage and pulls gently to the prior law.

    Parameters
    ----------
    market : Market
        With `liquidations`; only what is in it is used, so ``calibrate(market.until(t))`` knows nothing after t.
    model : str, optional
        As in `liqlab.heatmap`.
    assumptions : Assumptions or Calibration, optional
        Instead of `model` and the options: its law is the prior, its κ and same-bar share are fitted anew, and the rest
        is held fixed.
    loss : 'censored', 'poisson' or 'rank'
        ``censored`` (default): normal in log(1 + amount) with a power link and a spread that goes with what is
        expected; of the largest 5 % of the amounts only is used that they are at least as large as the smallest of
        them. Public feeds tell at most one order per second: amounts are lower bounds, and fall behind most when most
        is liquidated. ``poisson``: quasi-Poisson on the amounts themselves; for complete feeds only, since a few hours
        decide it. ``rank``: normal scores of the ranks; asks nothing of the amounts, and leaves scale and throttle
        undetermined.
    prior : str, Law or mapping {leverage: share}, optional
        ``measured`` by default: where the law stays if the data are silent, as about distances that no price travelled.
    share_of_volume : float or sequence of float
        κ, or the grid on which it is profiled. Ignored where the model has no such option.
    resamples : int
        Draws of the ensemble; at least 2.
    level : float
        Of the day-block interval that decides which κ are allowed.
    seed : int
        The same seed gives the same ensemble.
    **options
        Further assumptions, held fixed, and carried along in the result: ``position_notional``, ``entries``, options of
        the model.

    Returns
    -------
    Calibration

    Raises
    ------
    ValueError
        No observed liquidations, fewer than 7 days of them, an unknown loss or model.

    Assumptions
    -----------
    - One law for the whole span, and it is *effective*: where positions at high leverage are closed sooner, a model
      that closes in proportion gives them a smaller share than is opened; intervals allow for it
      (`Calibration.shares`).
    - κ and the law trade off: a larger κ opens more and closes sooner. A κ is allowed if its loss is not worse than the
      best one's (day-block interval), or worse by less than 0.03 per bar, which no score can tell. Of these the
      smallest is taken: the least turnover that explains the observations. The ensemble mixes all of them.
    - Bars of one day err together: data count against the prior with as many bars as they are worth.
    - Observed amounts are published ones; ``throttle`` holds the link, not a law of nature. Longs and shorts are
      published alike, so one link serves both, and a map drawn with ``assumptions=result`` has both on one scale.

    References
    ----------
    Wedderburn, R. W. M. (1974). Quasi-likelihood functions, generalized linear models, and the Gauss-Newton method.
    *Biometrika* 61. Tobin, J. (1958). Estimation of relationships for limited dependent variables. *Econometrica* 26.
    Bardsley, J. M., Solonen, A., Haario, H., Laine, M. (2014). Randomize-then-optimize. *SIAM J. Sci. Comput.* 36.

    Examples
    --------
    >>> import liqlab as lq
    >>> result = lq.calibrate(lq.load_example("btc-2024-07"), share_of_volume=0.3, resamples=2)
    >>> result.share_of_volume, len(result.ensemble)
    (0.3, 2)
    """
    _check(loss, resamples, level)
    base = _base(assumptions, model, options)
    position_notional = base.position_notional
    kappas = _kappas(base.model, share_of_volume)
    seen, leverage = observed_of(market), classes_of(market, position_notional)
    share = spread_law(_prior(prior or (base.law if assumptions is not None else "measured")), leverage)
    first = Law("prior", leverage, share[0], share[1], spread=SPREAD)
    own: list[dict[str, Any]] = [{} if np.isnan(k) else {"share_of_volume": k} for k in kappas]
    rng, offset = np.random.default_rng(seed), float(np.median(seen.amount[seen.amount > 0]))
    designs = [design_of(market, seen, base.replace(law=first, **k)) for k in own]
    how: dict[str, Any] = {"loss": loss, "offset": offset}
    how["spread"] = residual_spread(designs[len(designs) // 2], seen.amount, share, **how)
    fits = [minimise(design, seen.amount, share, **how) for design in designs]
    excess = excess_of(np.stack([fit.rows for fit in fits]), seen, rng, level)
    away = _distance(market, first, position_notional)
    kept = np.flatnonzero(allowed(excess))
    # what a class loses depends a little on the law, through the closings: once more at the law that was found
    closer = [design_of(market, seen, base.replace(law=_law(fits[k], leverage), **own[k])) for k in kept]
    weight = worth(fits[kept[0]], seen)
    tempered = {"weight": np.full(seen.amount.shape[1], weight), **how}
    again = [minimise(d, seen.amount, share, begin=fits[k].point, **tempered)
             for d, k in zip(closer, kept, strict=True)]  # fmt: skip
    draws, which = draws_of(closer, again, seen, share, weight, resamples, rng, **how)
    for k, design, fit in zip(kept, closer, again, strict=True):
        designs[k], fits[k] = design, fit
    profile = profile_of(kappas, designs, fits, seen.amount, excess, away)
    reached = (closer[0].stood + closer[0].caught > 0).sum(axis=1)
    whose = f"{market.symbol or 'a market'} on {market.exchange or 'a venue'}"
    members = {
        "share_of_volume": np.array(kappas)[kept[which]],
        "same_bar_share": [fit.same_bar_share for fit in draws],
    }
    return Calibration(
        law=_law(again[0], leverage, whose, loss), share_of_volume=kappas[kept[0]],
        same_bar_share=again[0].same_bar_share, model=base.model, loss=loss, source=whose, throttle=_throttle(again[0],
        offset), step=_step(market), profile=profile, ensemble=tuple(_law(fit, leverage) for fit in draws),
        members=pd.DataFrame(members), tilt=rng.uniform(*TILT, (resamples, 2)), beyond=rng.uniform(*BEYOND, (resamples,
        2)), silent=silent_laws(share, loss, rng), reached=reached, distance=away, span=_span(market, seen), base=base,
    )  # fmt: skip


def _prior(law: Any) -> Law:
    try:
        return _named(law)
    except (ValueError, TypeError) as error:
        raise type(error)(f"prior: {error}") from error


def _base(assumptions: Any, model: str | None, options: Mapping[str, Any]) -> Assumptions:
    """What is held fixed, and the law that is the prior."""
    fitted = [name for name in ("law", "same_bar_share") if name in options]
    if fitted:
        raise TypeError(f"{fitted[0]} is what calibrate fits; pass prior= for a law to begin with")
    return Assumptions.given(assumptions, model, options)


def _check(loss: str, resamples: int, level: float) -> None:
    within_0_and_1(level=level)
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {loss!r}; censored suits public feeds")
    if not 2 <= resamples <= MAX_DRAWS:
        raise ValueError(f"resamples must be from 2 to {MAX_DRAWS:,}, got {resamples!r}; 100 is usual")


def _kappas(model: str, share_of_volume: float | Sequence[float]) -> list[float]:
    """The grid of κ, ascending; one NaN where the model has no such option."""
    if "share_of_volume" not in inspect.signature(models.find(model)).parameters:
        return [np.nan]
    kappas = sorted(float(k) for k in np.atleast_1d(np.asarray(share_of_volume, float)))
    if not kappas:
        raise ValueError("share_of_volume is empty; pass one number, or several for a grid, such as (0.05, 0.1, 0.2)")
    return kappas


def _law(fit: Fit, leverage: np.ndarray, whose: str = "", loss: str = "") -> Law:
    if not whose:
        return Law("draw", leverage, fit.share[0], fit.share[1], "a member of an ensemble", SPREAD)
    reason = f"fitted to observed liquidations of {whose}, loss {loss}: the model's effective law, with intervals"
    return Law("calibrated", leverage, fit.share[0], fit.share[1], reason, SPREAD)


def _distance(market: Market, law: Law, position_notional: float) -> np.ndarray:
    """Log distances under the tiers in force at the end (side, leverage_level)."""
    _, tiers = tier_history(market.exchange, market.symbol, market.start, market.end,
                            leverage_tiers=market.leverage_tiers)[-1]  # fmt: skip
    return distances(law, tiers, position_notional=position_notional)[0]


def _throttle(fit: Fit, offset: float) -> pd.Series:
    return pd.Series({"scale": fit.scale, "exponent": fit.exponent, "offset": offset}, name="throttle")


def _step(market: Market) -> pd.Timedelta:
    assert market.liquidations is not None
    return max(step_of(market.liquidations), market.step)


def _span(market: Market, seen: Observed) -> tuple[pd.Timestamp, pd.Timestamp]:
    index = market.candles.index
    return index[seen.bar[0]], index[seen.bar[-1]] + market.step
