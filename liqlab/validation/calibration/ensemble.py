"""Resampling of a calibration: which κ the data allow, draws of the law, bands around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.market.arguments import within_0_and_1
from liqlab.validation.calibration.design import Design, Observed
from liqlab.validation.calibration.fit import Fit, minimise, prior_of, spread_of

__all__ = [
    "KINDS",
    "allowed",
    "band",
    "draws_of",
    "excess_of",
    "prior_draws",
    "profile_of",
    "residual_spread",
    "silent_laws",
    "worth",
]

KINDS = ("pointwise", "simultaneous")
TOLERANCE = 0.03  # nats per bar: with less than this no score tells two κ apart


def day_counts(seen: Observed, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each bar counts in each resample of days (resample, time)."""
    days = int(seen.block.max()) + 1
    return rng.multinomial(days, np.full(days, 1.0 / days), size=resamples)[:, seen.block].astype(float)


def prior_draws(count: int, classes: int, loss: str, rng: np.random.Generator) -> np.ndarray:
    """All parameters of a fit as likely as the prior says, but for the scale (draw, parameter)."""
    middle, precision = prior_of(classes, loss)
    root = np.linalg.cholesky(np.linalg.inv(precision))
    root[2 * classes] = 0.0  # a scale has no prior worth the name
    return middle + rng.standard_normal((count, len(middle))) @ root.T


def silent_laws(share: np.ndarray, loss: str, rng: np.random.Generator, count: int = 500) -> np.ndarray:
    """Laws drawn from the prior alone (draw, side, class)."""
    n = share.shape[1]
    mass = share * np.exp(prior_draws(count, n, loss, rng)[:, : 2 * n].reshape(-1, 2, n))
    return mass / mass.sum(axis=2, keepdims=True)


def excess_of(rows: np.ndarray, seen: Observed, rng: np.random.Generator, level: float) -> tuple[np.ndarray, ...]:
    """Mean loss per bar of every candidate beyond the best one's, with its day-block interval: excess, low, high."""
    excess = rows - rows[int(np.argmin(rows.sum(axis=1)))]
    drawn = excess @ day_counts(seen, 1_000, rng).T / rows.shape[1]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return excess.mean(axis=1), low, high


def allowed(excess: tuple[np.ndarray, ...]) -> np.ndarray:
    """Which candidates the data do not rule out."""
    mean, low, _ = excess
    return (low <= 0.0) | (mean <= TOLERANCE)


def worth(fit: Fit, seen: Observed) -> float:
    """How many independent bars one bar is worth (0..1]: bars of one day err together."""
    by_day = np.bincount(seen.block, fit.pushes)
    return float(np.clip((fit.pushes**2).sum() / max((by_day**2).sum(), 1e-300), 1 / 24, 1.0))


def draws_of(
    designs: list[Design], fits: list[Fit], seen: Observed, prior: np.ndarray, weight: float, resamples: int,
    rng: np.random.Generator, **how: Any,
) -> tuple[list[Fit], np.ndarray]:  # fmt: skip
    """Refit on resampled days around a resampled prior, each time under one of the designs that the data allow.

    Where data are silent a draw falls back to its own draw of the prior, so what was not learned stays wide. Returns
    the fits and which design each used.
    """
    which = rng.integers(len(designs), size=resamples)
    counts, centres = day_counts(seen, resamples, rng), prior_draws(resamples, prior.shape[1], how["loss"], rng)
    out = []
    for k, count, centre in zip(which, counts, centres, strict=True):
        how |= {"weight": weight * count, "centre": centre, "begin": fits[k].point}
        out.append(minimise(designs[k], seen.amount, prior, **how))
    return out, which


def profile_of(
    kappas: list[float], designs: list[Design], fits: list[Fit], amount: np.ndarray, excess: tuple[np.ndarray, ...],
    distance: np.ndarray,
) -> pd.DataFrame:  # fmt: skip
    """The ridge: for every share of the volume the best law, and how much worse it fits."""
    from scipy.stats import spearmanr

    table = pd.DataFrame({"share_of_volume": kappas, "loss": excess[0], "low": excess[1], "high": excess[2]})
    table["allowed"] = allowed(excess)
    table["same_bar_share"] = [fit.same_bar_share for fit in fits]
    table["scale"] = [fit.scale for fit in fits]
    for s, side in enumerate(SIDES):
        table[f"distance_{side}"] = [
            abs(np.expm1((2 * s - 1) * quantiles_of(fit.share, distance, (0.5,))[s, 0])) for fit in fits
        ]
        table[f"spearman_{side}"] = [
            float(spearmanr(f.amounts(d)[s], amount[s]).statistic) for d, f in zip(designs, fits, strict=True)
        ]
    return table.set_index("share_of_volume")


def residual_spread(design: Design, amount: np.ndarray, prior: np.ndarray, loss: str, offset: float) -> np.ndarray:
    """Scale of the loss, from two rounds of fitting."""
    spread = np.ones(amount.shape)
    for _ in range(2):
        fit = minimise(design, amount, prior, loss=loss, offset=offset, spread=spread)
        spread = spread_of(design, amount, fit, loss=loss, offset=offset)
    return spread


def band(draws: np.ndarray, level: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Low and high of positive quantities over draws (draw, …).

    pointwise: each number lies inside with the level's probability. simultaneous: all of them together do; one
    half-width, in units of each number's own spread in log, fits them all.
    """
    within_0_and_1(level=level)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}; pointwise bands are narrower and hold "
                         "for one number at a time")  # fmt: skip
    log = np.log(np.maximum(draws, 1e-12))
    if kind == "pointwise":
        # of n draws the next one lies between the extremes with (n − 1) / (n + 1): Weibull's positions count so
        low, high = np.quantile(log, [(1 - level) / 2, (1 + level) / 2], axis=0, method="weibull")
        return np.exp(low), np.exp(high)
    left, middle, right = np.quantile(log, [0.16, 0.5, 0.84], axis=0)
    below, above = np.maximum(middle - left, 1e-6), np.maximum(right - middle, 1e-6)
    off = np.where(log > middle, (log - middle) / above, (middle - log) / below)
    half = np.quantile(off.reshape(len(off), -1).max(axis=1), level, method="weibull")
    return np.exp(middle - half * below), np.exp(middle + half * above)


def quantiles_of(share: np.ndarray, distance: np.ndarray, quantiles: Sequence[float]) -> np.ndarray:
    """Log distances within which a share of the coins stands (side, quantile), joined straight in log distance.

    >>> quantiles_of(np.ones((2, 3)), np.array([[0.4, 0.2, 0.1]] * 2), [0.5]).round(3).tolist()
    [[0.2], [0.2]]
    """
    out = []
    for away, mine in zip(distance, share / share.sum(axis=1, keepdims=True), strict=True):
        order, leverage_levels = np.argsort(away), len(away) // len(mine)
        mass = np.repeat(mine / leverage_levels, leverage_levels)[order]
        out.append(np.exp(np.interp(quantiles, np.cumsum(mass) - mass / 2, np.log(away[order]))))
    return np.stack(out)
