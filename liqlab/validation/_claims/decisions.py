"""A claim, its test, and what may be said after it, in words that a trader understands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from liqlab.validation._claims.block_estimates import Estimate

__all__ = ["ALPHA", "KINDS", "Claim", "holm", "decide_claims", "verdict"]

ALPHA = 0.05
KINDS = ("supported", "true but too small to matter", "the opposite was found", "no effect found",
         "cannot be told from these data")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Claim:
    """One claim that is made about heatmaps, and how it is tested.

    Attributes
    ----------
    name : str
        Short, unique.
    group : str
        Section of the table.
    wording : str
        What sources say, in our words.
    test : str
        What is compared with what.
    unit : str
        Of the effect.
    sign : int
        Sign of the effect under the claim.
    margin : float
        Smallest effect that would matter to a trader, chosen before the data were looked at.
    measure : callable
        From the tables of `claim_samples` to an `Estimate`.
    against : tuple of str
        Claims of other sources that say the opposite.
    """

    name: str
    group: str
    wording: str
    test: str
    unit: str
    sign: int
    margin: float
    measure: Callable[[Mapping[str, pd.DataFrame]], Estimate]
    against: tuple[str, ...] = ()


def holm(p: Sequence[float]) -> np.ndarray:
    """Holm's correction of several p values: the chance of *any* false finding stays below the level.

    The smallest is multiplied by their number m, the next by m − 1, and so on; none may fall below the one before.
    What is not known (NaN) was not tested and does not count.

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, float)
    out = np.full(values.shape, np.nan)
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    m = len(order)
    out[order] = np.minimum(np.maximum.accumulate(values[order] * (m - np.arange(m))), 1.0)
    return out


def decide_claims(claims: Sequence[Claim], estimates: Sequence[Estimate]) -> pd.DataFrame:
    """The table of claims: one row per claim, its p values corrected together."""
    corrected = holm([e.p for e in estimates])
    looks = int(np.isfinite(corrected).sum())
    rows = []
    for claim, e, p in zip(claims, estimates, corrected, strict=True):
        kind, words = verdict(e, float(p), sign=claim.sign, margin=claim.margin, unit=claim.unit, looks=looks)
        rows.append({
            "group": claim.group, "claim": claim.name, "wording": claim.wording, "test": claim.test, "n": e.n,
            "blocks": round(e.blocks, 1), "effect": e.effect, "unit": claim.unit, "low": e.low, "high": e.high,
            "p": e.p, "p_corrected": p, "margin": claim.margin, "sign": claim.sign, "kind": kind, "verdict": words,
            "against": " · ".join(claim.against),
        })  # fmt: skip
    return pd.DataFrame(rows)


def verdict(
    estimate: Estimate, p_corrected: float, *, sign: int, margin: float, unit: str, looks: int
) -> tuple[str, str]:
    """What may be said: one of `KINDS`, and a sentence.

    Parameters
    ----------
    estimate : Estimate
    p_corrected : float
        Of all claims together.
    sign : int
        Sign of the effect under the claim.
    margin : float
        Smallest effect that would matter.
    unit : str
    looks : int
        Number of claims tested.

    Examples
    --------
    >>> verdict(Estimate(2.0, 1.0, 3.0, 0.001, 900, 40.0), 0.02, sign=1, margin=1.5, unit="points", looks=20)
    ('supported', 'supported: +1 to +3 points')
    """
    span = f"{estimate.low:+.2g} to {estimate.high:+.2g} {unit}"
    if not np.isfinite(estimate.low):
        why = f"only {estimate.blocks:.0f} independent stretches of time" if estimate.n else "no data on it here"
        return KINDS[4], f"{KINDS[4]}: {why}"
    if p_corrected < ALPHA:
        if estimate.effect * sign < 0:
            return KINDS[2], f"{KINDS[2]}: {span}"
        kind = KINDS[0] if abs(estimate.effect) >= margin else KINDS[1]
        return kind, f"{kind}: {span}"
    if -margin < estimate.low and estimate.high < margin:
        between = f"between {estimate.low:+.2g} and {estimate.high:+.2g} {unit}"
        return KINDS[3], f"{KINDS[3]}: whatever there is lies {between}, less than the {margin:g} that would matter"
    if estimate.p < ALPHA:
        way = "for" if estimate.effect * sign > 0 else "against"
        return KINDS[4], f"{KINDS[4]}: a hint {way} the claim ({span}) that {looks} looks together produce by chance"
    return KINDS[4], f"{KINDS[4]}: anything from {span} fits them"
