"""The fit behind `calibrate`: losses for throttled amounts, a smooth prior, one minimisation for both sides.

Estimated amounts are linear in the shares: ``z = scale · X w``, with ``w ∝ prior · exp(δ)``, so ``w ≥ 0`` and
``Σ w = 1``. The penalty ``½ δᵀPδ`` with ``P = rough · D₂ᵀD₂ + I/loose²`` asks for smoothness in log leverage and pulls
gently towards the prior where data are silent.

One scale and one exponent serve both sides: a venue publishes longs and shorts alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from liqlab.validation.calibration.design import Design

__all__ = ["LOSSES", "Fit", "minimise", "penalty", "prior_of", "spread_of", "targets"]

LOSSES = ("censored", "poisson", "rank")
ROUGH, LOOSE = 2.0, 1.5  # second differences of δ of about 0.7; a class's share within a factor e^±2.5 (90 %)
CENSORED = 0.95  # quantile of the observed amounts above which the throttle is taken to bind
SAME_BAR = (-1.0, 1.5)  # prior of logit(same_bar_share): about a quarter, anywhere between 2 % and 80 %
EXPONENT = (-0.4, 0.4)  # prior of log(exponent): 0.67, anywhere between 0.3 and 1.4
PARTS, MIN_SPREAD_RATIO = 8, 0.3  # bars from the least to the most expected, each part with a spread of its own
MAX_NEWTON_STEPS, MAX_NEWTON_MOVE, MIN_LOSS_GAIN = 60, 2.0, 1e-4


@dataclass(frozen=True, eq=False)
class Fit:
    """One minimum.

    Attributes
    ----------
    share : ndarray (side, class)
        The law; sums to 1 on each side.
    same_bar_share, scale, exponent : float
        Same-bar share; of the throttle link.
    rows, pushes : ndarray (time,)
        Loss of each bar, both sides; its slope in the log of the amounts.
    point : ndarray
        Raw parameters, to begin the next fit at.
    """

    share: np.ndarray
    same_bar_share: float
    scale: float
    exponent: float
    rows: np.ndarray
    pushes: np.ndarray
    point: np.ndarray

    def amounts(self, design: Design) -> np.ndarray:
        """What the model says was liquidated, × scale [quote], (side, time)."""
        table = design.stood + self.same_bar_share * design.caught
        return self.scale * np.einsum("stk,sk->st", table, self.share)


def penalty(classes: int, rough: float = ROUGH, loose: float = LOOSE) -> np.ndarray:
    """Precision of the prior on log shares (class, class)."""
    second = np.diff(np.eye(classes), 2, axis=0)
    return rough * second.T @ second + np.eye(classes) / loose**2


def targets(amount: np.ndarray, offset: float, loss: str) -> np.ndarray:
    """What the loss compares with (side, time): log(1 + y/offset), y/offset, or normal scores of the ranks."""
    if loss == "poisson":
        return amount / offset
    if loss == "censored":
        return np.log1p(amount / offset)
    from scipy.stats import norm, rankdata

    return norm.ppf((rankdata(amount, axis=1) - 0.5) / amount.shape[1])


def minimise(
    design: Design, amount: np.ndarray, prior: np.ndarray, *, loss: str, offset: float, spread: np.ndarray,
    weight: np.ndarray | None = None, centre: np.ndarray | None = None, begin: np.ndarray | None = None,
) -> Fit:  # fmt: skip
    """Minimise the penalised loss.

    Parameters
    ----------
    design, amount : Design, ndarray (side, time)
        Estimated per unit of share, and observed [quote].
    prior : ndarray (side, class)
    loss : str
        One of `LOSSES`.
    offset : float
        Amount [quote] below which differences are noise.
    spread : ndarray (side,)
        Residual standard deviation (poisson: square root of the dispersion) that scales loss against prior.
    weight : ndarray (time,), optional
        Weights of the bars (a bootstrap's counts).
    centre : ndarray (parameter,), optional
        Where the parameters are pulled to: the prior's middle by default, a draw from it in an ensemble.
    begin : ndarray, optional
        Parameters to begin at.
    """
    n = prior.shape[1]
    goal = targets(amount, offset, loss)
    high = np.quantile(goal, CENSORED, axis=1) if loss == "censored" else np.full(2, np.inf)
    count = np.ones(amount.shape[1]) if weight is None else weight
    middle, precision = prior_of(n, loss)
    middle = middle if centre is None else centre

    def look(point: np.ndarray, slopes: bool = True) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        """Loss, its slope and (Gauss-Newton) curvature, and the loss and push of every bar."""
        log_scale, log_power, odds = point[2 * n :]
        caught_share, off = 1.0 / (1.0 + np.exp(-odds)), point - middle
        total, slope, curve = 0.5 * off @ precision @ off, precision @ off, precision.copy()
        each = np.zeros((2, amount.shape[1]))
        law = _shares(point, prior)
        for s in (0, 1):
            mine = np.r_[s * n : (s + 1) * n, 2 * n : 2 * n + 3]
            mass = np.exp(log_scale) * law[s] / offset
            caught = design.caught[s] @ mass
            z = design.stood[s] @ mass + caught_share * caught
            row, push, bend, by_z, by_power = _ROWS[loss](z, np.exp(log_power), goal[s], high[s], spread[s], count)
            total, each = total + count @ row, each + np.stack([row, push * by_z * z])
            if slopes:
                table = (design.stood[s] + caught_share * design.caught[s]) * mass - np.outer(z, law[s])
                last = caught_share * (1.0 - caught_share) * caught * by_z
                jacobian = np.column_stack([table * by_z[:, None], z * by_z, by_power, last])
                if loss == "rank":  # the line takes up whatever all bars have in common
                    jacobian = jacobian - count @ jacobian / count.sum()
                slope[mine] += jacobian.T @ (count * push)
                curve[np.ix_(mine, mine)] += jacobian.T @ (jacobian * (count * bend)[:, None])
        return total, slope, curve, each

    start = _begin(design, amount, prior, middle) if begin is None else begin
    point, (losses, pushes) = _descend(look, start)
    return Fit(
        share=_shares(point, prior), same_bar_share=float(1 / (1 + np.exp(-point[-1]))),
        scale=float(np.exp(point[2 * n])), exponent=float(np.exp(point[2 * n + 1])), rows=losses, pushes=pushes,
        point=point,
    )  # fmt: skip


def _shares(point: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """The law at a point (side, class)."""
    mass = prior * np.exp(point[: prior.size].reshape(prior.shape))
    return mass / mass.sum(axis=1, keepdims=True)


def _descend(look: Callable[..., Any], point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Levenberg and Marquardt's descent; returns the point and the loss and push of every bar there."""
    damp = 1e-3
    now, slope, curve, each = look(point)
    for _ in range(MAX_NEWTON_STEPS):
        scale = damp * np.diag(np.diag(curve))
        move = -np.linalg.solve(curve + scale, slope)
        move *= min(1.0, MAX_NEWTON_MOVE / np.abs(move).max())
        then = look(point + move, slopes=False)[0]
        if not then < now:  # also where it is not a number
            damp *= 8.0
            if damp > 1e9:
                break
            continue
        gain, point, damp = now - then, point + move, max(damp / 4.0, 1e-9)
        now, slope, curve, each = look(point)
        if gain < MIN_LOSS_GAIN:
            break
    return point, each


def prior_of(n: int, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """Middle and precision of all parameters: δ of longs, shorts; log scale, log exponent, logit of same_bar_share."""
    size = 2 * n + 3
    middle, precision = np.zeros(size), np.zeros((size, size))
    for at in (0, n):
        precision[at : at + n, at : at + n] = penalty(n)
    precision[2 * n, 2 * n] = 1e-6
    bends = loss == "censored"
    middle[2 * n + 1] = EXPONENT[0] if bends else 0.0
    precision[2 * n + 1, 2 * n + 1] = 1 / EXPONENT[1] ** 2 if bends else 1e9
    middle[-1], precision[-1, -1] = SAME_BAR[0], 1 / SAME_BAR[1] ** 2
    return middle, precision


def _begin(design: Design, amount: np.ndarray, prior: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The prior, and the scale that gives the observed sum."""
    point, n = centre.copy(), prior.shape[1]
    z = np.einsum("stk,sk->s", design.stood + 0.3 * design.caught, prior)
    if not (z > 0).all():
        raise ValueError("the model expects no liquidation in the observed bars; give the market more history")
    point[2 * n] = np.log(amount.sum() / z.sum())
    return point


# What a loss says of each bar of a side: the loss, its slope and curvature in the prediction p, and the slopes of p in
# z and in the log of the exponent.
Bars = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _censored(z: np.ndarray, power: float, goal: np.ndarray, high: float, spread: float, count: np.ndarray) -> Bars:
    """Normal in log(1 + amount) around p = power · log(1 + z); the largest amounts only say that they are large."""
    from scipy.special import log_ndtr

    level = np.log1p(z)
    far = (power * level - goal) / spread
    bound, beyond = goal >= high, (power * level - high) / spread
    over = log_ndtr(beyond)
    mills = np.exp(-0.5 * beyond**2 - over) / np.sqrt(2 * np.pi)
    row = np.where(bound, -over, 0.5 * far**2)
    push = np.where(bound, -mills, far) / spread
    bend = np.where(bound, np.maximum(mills * (mills + beyond), 1e-6), 1.0) / spread**2
    return row, push, bend, power / (1 + z), power * level


def _poisson(z: np.ndarray, power: float, goal: np.ndarray, high: float, spread: float, count: np.ndarray) -> Bars:
    """Quasi-Poisson: half the deviance over the dispersion, mean p = z; the link's exponent is 1."""
    mean = z + 1e-3
    saturated = np.where(goal > 0, goal * np.log(np.maximum(goal, 1e-300)) - goal, 0.0)
    row = (mean - goal * np.log(mean) + saturated) / spread**2
    return row, (1 - goal / mean) / spread**2, 1 / mean / spread**2, np.ones_like(z), np.zeros_like(z)


def _rank(z: np.ndarray, power: float, goal: np.ndarray, high: float, spread: float, count: np.ndarray) -> Bars:
    """Normal scores of the ranks around the best straight line in p = log(1 + z): any rising link gives the same."""
    level = np.log1p(z)
    total = count.sum()
    x, t = level - count @ level / total, goal - count @ goal / total
    line = (count * x) @ t / max((count * x) @ x, 1e-12)
    far = (line * x - t) / spread
    push = far / spread * line
    bend = np.full_like(z, (line / spread) ** 2)
    return 0.5 * far**2, push - count @ push / total, bend, 1 / (1 + z), np.zeros_like(z)


_ROWS = {"censored": _censored, "poisson": _poisson, "rank": _rank}


def spread_of(design: Design, amount: np.ndarray, fit: Fit, *, loss: str, offset: float) -> np.ndarray:
    """Residual spread of a fit (side, time), in the unit of its loss.

    It goes with what is expected, since small amounts stray less in log(1 + amount) than large ones.
    """
    goal, out = targets(amount, offset, loss), np.empty(amount.shape)
    for s, z in enumerate(fit.amounts(design) / offset):
        level = np.log1p(z)
        if loss == "poisson":
            out[s] = np.sqrt(np.mean((goal[s] - z) ** 2 / (z + 1e-2)))
            continue
        if loss == "rank":
            x, t = level - level.mean(), goal[s] - goal[s].mean()
            out[s] = np.std(t - x * (x @ t) / (x @ x))
            continue
        far, order = goal[s] - fit.exponent * level, np.argsort(level, kind="stable")
        parts = np.array_split(order, PARTS)
        own = np.array([np.sqrt(np.mean(far[part] ** 2)) for part in parts])
        middle = np.array([level[part].mean() for part in parts])
        out[s] = np.maximum(np.interp(level, middle, own), MIN_SPREAD_RATIO * np.sqrt(np.mean(far**2)))
    return np.maximum(out, 1e-3)
