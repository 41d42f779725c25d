"""What drives the price before any agent has acted: shocks, volatility and trading activity, step by step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from liqlab.engine.jit import jit

SECONDS = 10  # one sub-step of the true path
PER_DAY = 86_400 // SECONDS
PER_HOUR = 3_600 // SECONDS

# Regimes: range, rise, fall, high volatility. Rise and fall are mirror images, so that the price has no drift overall.
REGIME_HOURS = np.array([18.0, 12.0, 12.0, 4.0])  # mean length
REGIME_DRIFT = np.array([0.0, 1.0, -1.0, 0.0])  # daily standard deviations per day
REGIME_VOLATILITY = np.array([0.0, -0.15, -0.15, 0.7])  # added to the log of the volatility
REGIME_NEXT = np.array([[0.0, 0.4, 0.4, 0.2], [0.5, 0.0, 0.25, 0.25], [0.5, 0.25, 0.0, 0.25], [0.6, 0.2, 0.2, 0.0]])


class Conditions(NamedTuple):
    """Shocks, volatility and activity, per sub-step.

    Attributes
    ----------
    shock : ndarray (step,)
        Log return.
    sigma : ndarray (step,)
        Its scale [log return], known before the shock.
    activity : ndarray (step,)
        Intensity of trading, 1 on the average.
    """

    shock: np.ndarray
    sigma: np.ndarray
    activity: np.ndarray


def market_conditions(rng: np.random.Generator, steps: int, *, volatility: float) -> Conditions:
    """Regimes, stochastic volatility on two time scales, Student shocks and jumps.

    Parameters
    ----------
    rng : Generator
    steps : int
        Number of sub-steps.
    volatility : float
        Typical daily volatility [log return].
    """
    regime = _regimes(rng, steps)
    hour = np.arange(steps) % PER_DAY * (2 * np.pi / PER_DAY)
    season = 0.25 * np.sin(hour - 2.2)
    fast = 0.45 * _ornstein_uhlenbeck(rng, steps, 3 * PER_HOUR)
    slow = 0.35 * _ornstein_uhlenbeck(rng, steps, 5 * PER_DAY)
    heat = REGIME_VOLATILITY[regime] + season + fast + slow
    sigma = volatility / np.sqrt(PER_DAY) * np.exp(heat - 0.15)
    shock = sigma * rng.standard_t(4, steps) / np.sqrt(2.0)
    jump = rng.random(steps) < 2.0 / PER_DAY * np.exp(heat)
    shock += np.where(jump, 0.2 * volatility * rng.standard_normal(steps), 0.0)
    shock += REGIME_DRIFT[regime] * volatility / PER_DAY
    mood = 0.35 * _ornstein_uhlenbeck(rng, steps, PER_DAY)
    activity = np.exp(0.7 * heat + mood + 0.3 * season)
    return Conditions(shock, sigma, activity / activity.mean())


def _regimes(rng: np.random.Generator, steps: int) -> np.ndarray:
    """Regime of every sub-step: exponential lengths, a Markov chain of what follows."""
    regime, filled, now = np.empty(steps, np.int64), 0, 0
    while filled < steps:
        length = 1 + int(rng.exponential(REGIME_HOURS[now] * PER_HOUR))
        regime[filled : filled + length] = now
        filled += length
        now = int(rng.choice(4, p=REGIME_NEXT[now]))
    return regime


def _ornstein_uhlenbeck(rng: np.random.Generator, steps: int, memory: float) -> np.ndarray:
    """A stationary Ornstein–Uhlenbeck path of variance 1 and the given memory [sub-steps]."""
    return _autoregress_nb(rng.standard_normal(steps), np.exp(-1.0 / memory))


@jit
def _autoregress_nb(noise: Any, keep: Any) -> Any:
    path, scale = noise.copy(), np.sqrt(1.0 - keep * keep)
    for k in range(1, noise.size):
        path[k] = keep * path[k - 1] + scale * noise[k]
    return path
