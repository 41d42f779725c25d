"""Answers of the pages that score the map, in Markdown: each says what was found, with one interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from liqlab.report.words import counted

if TYPE_CHECKING:
    from liqlab.validation import Scores

__all__ = ["agreement_answer", "default_answer", "law_answer", "lead_words", "positions_answer", "scores_answer"]

_LEARNED = 0.3  # share of the prior's uncertainty that the data removed, from which a class counts as learned


def lead_words(lead: float, low: float, high: float) -> str:
    """A paired difference in words: who is ahead, where its interval says so.

    >>> lead_words(0.08, 0.064, 0.097)
    'ahead by **0.080** (0.064 to 0.097)'
    >>> lead_words(-0.08, -0.1, -0.064), lead_words(0.01, -0.02, 0.04)
    ('behind by **0.080** (0.064 to 0.100)', 'not told apart (**+0.010**, -0.020 to +0.040)')
    """
    if pd.isna([lead, low, high]).any():
        return "not compared: too few days"
    if low <= 0 <= high:
        return f"not told apart (**{lead:+.3f}**, {low:+.3f} to {high:+.3f})"
    near, far = sorted((abs(low), abs(high)))
    return f"{'ahead' if low > 0 else 'behind'} by **{abs(lead):.3f}** ({near:.3f} to {far:.3f})"


def scores_answer(scores: Mapping[str, Scores], rival: str, side: str = "both") -> str:
    """Whether the first map of each case orders the hours better than `rival`, a baseline.

    Parameters
    ----------
    scores : dict of case -> Scores
        From `lq.score`, with `rival` among the baselines.
    rival, side : str
    """
    rows: dict[str, Any] = {case: result.of("spearman", side).loc[rival] for case, result in scores.items()}
    level = next(iter(scores.values())).about["level"]
    told = "; ".join(f"on {case} {lead_words(row['lead'], row['lead_low'], row['lead_high'])}"
                     for case, row in rows.items())  # fmt: skip
    return (
        f"Given how far price went, the default map is held against the best simple forecast by rank correlation with "
        f"what was liquidated ({level:.0%} intervals): {told}. It does not say how far price will go, and its amounts "
        "are not money."
    )


def law_answer(distances: pd.DataFrame, classes: pd.DataFrame, leads: pd.DataFrame) -> str:
    """What a calibration learned of the law, and whether it holds where it was not made.

    Parameters
    ----------
    distances : DataFrame (side, quantile)
        From `Calibration.distances`, with the median.
    classes : DataFrame
        From `Calibration.intervals`.
    leads : DataFrame
        Rows of `Scores.of` out of sample: ``lead``, ``lead_low``, ``lead_high``.
    """
    half = distances.xs("long").loc[0.5]
    learned = int((classes["learned"] > _LEARNED).sum())
    ahead = int((leads["lead_low"] > 0).sum())
    return (
        f"Little for certain: {learned} of {len(classes)} classes of leverage were learned, the rest is what was "
        f"believed before; half of the longs stand within **{half['distance_from_entry']:.1%}** of their entry (90 % "
        f"interval {half['low']:.1%} to {half['high']:.1%}). On another asset and on later weeks the fit is ahead of "
        f"the best simple forecast in {ahead} of {counted(len(leads), 'comparison')}, by {leads['lead'].min():+.3f} to "
        f"{leads['lead'].max():+.3f} in rank correlation."
    )


def agreement_answer(left: Mapping[Any, float], totals: Mapping[Any, float]) -> str:
    """How much two maps of one market have in common.

    Parameters
    ----------
    left : dict of pair -> float
        Rank correlation of two maps once distance is taken out.
    totals : dict of map -> float
        What each map holds at one moment [quote].
    """
    pairs = pd.Series(dict(left), dtype=float)
    if pairs.empty:
        return "One map has nothing to be compared with: give two or more models or laws."
    amounts = pd.Series(dict(totals), dtype=float)
    return (
        f"Once their common shape is taken out, two of the {len(amounts)} maps of the same candles agree at "
        f"**{pairs.mean():.2f}** in rank correlation (from pair to pair {pairs.min():.2f} to {pairs.max():.2f}). The "
        f"totals that they show differ by a factor of {amounts.max() / amounts.min():.0f}: one zone and one number "
        "from one map is an assumption quoted."
    )


def positions_answer(scores: pd.DataFrame, band: str, level: float = 0.9) -> str:
    """Whether a map ranks true positions better than a rule that knows distances alone, and than its own placebo.

    Parameters
    ----------
    scores : DataFrame (…, side, band, forecast)
        From `liqlab.validation.score_positions`, of one or more coins.
    band : str
    level : float
        Of the intervals in it.
    """
    on = scores.xs(band, level="band")
    rule = on.xs("nearer is more", level="forecast")
    beats = int((rule["lead_low"] > 0).sum())
    clearest: Any = rule["lead_low"].idxmax()
    best, (coin, side) = rule.loc[clearest], clearest
    mean = on["value"].groupby("forecast").mean()
    said = "Hardly" if beats < len(rule) / 2 else "In part" if beats < len(rule) else "Yes"
    return (
        f"{said}: {band} away it ranks the distances better than the rule *nearer is more* in {beats} of "
        f"{len(rule)} coins and sides, most clearly by **{best['lead']:+.2f}** ({coin} {side}s; {level:.0%} interval "
        f"{best['lead_low']:+.2f} to {best['lead_high']:+.2f}). Its mean rank correlation is {mean['map']:.2f}, that "
        f"of another day's map {mean['placebo: another day']:.2f}."
    )


def default_answer(factors: pd.DataFrame, ranks: pd.DataFrame) -> str:
    """What the default map was found to be good for.

    Parameters
    ----------
    factors : DataFrame (side,)
        From `liqlab.validation.dollar_factors`, of one truth.
    ranks : DataFrame
        Columns ``default`` and ``move``: rank correlations of the map and of *move × volume* on the same hours.
    """
    one, other = factors.loc["long"], factors.loc["short"]
    return (
        f"**The order of hours**: rank correlation {ranks['default'].min():.2f} to {ranks['default'].max():.2f}, where "
        f"*move × volume* has {ranks['move'].min():.2f} to {ranks['move'].max():.2f}. **Dollars within a factor**: one "
        f"on the map is **{one['factor']:.2f} published ones for longs** (90 % interval {one['low']:.2f} to "
        f"{one['high']:.2f}), {other['factor']:.2f} for shorts ({other['low']:.2f} to {other['high']:.2f}); not where "
        "single accounts stand (chapter 16), and not that price goes there "
        "(chapter 15)."
    )
