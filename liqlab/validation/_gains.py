"""What a map adds to the best baseline: partial rank correlation, and R² gained on days that were left out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.validation.batch_scores import partial_batch
from liqlab.validation.resampling import Days, Drawn, interval

__all__ = ["gains"]

FOLDS = 5


def gains(
    forecasts: Mapping[str, pd.DataFrame],
    observed: pd.DataFrame,
    kinds: Mapping[str, str],
    table: pd.DataFrame,
    days: Days,
    *,
    level: float = 0.95,
) -> pd.DataFrame:
    """Incremental skill of every map over the best baseline, per side.

    Parameters
    ----------
    forecasts : mapping of name to DataFrame (time,)
        long, short [coins per bar].
    observed : DataFrame (time,)
        long, short [coins per bar].
    kinds : mapping of name to str
        map, baseline or ceiling.
    table : DataFrame
        The scores: the best baseline of a side is the one with the highest rank correlation there.
    days : Days
        Resamples.
    level : float
        Of the intervals (pointwise).

    Returns
    -------
    DataFrame
        side, forecast, best (name of the baseline), measure, value, low, high. Measures:

        - ``partial_spearman``: rank correlation of map and observed once the baseline is accounted for;
        - ``r_squared_gain``: R² of log(1 + observed) on both minus that on the baseline alone, each line fitted on the
          days outside the fold (five folds of whole days) and judged inside it;
        - ``r_squared_alone``, ``r_squared_both``: the two R² themselves.

        Empty where there is no baseline.
    """
    rows = []
    best_of = table[(table["score"] == "spearman") & table["forecast"].map(kinds).eq("baseline")]
    for side in table["side"].unique():
        known = best_of[best_of["side"] == side]
        if known["value"].isna().all():
            continue
        best = known.loc[known["value"].idxmax(), "forecast"]
        y, z = _rows(observed, side), _rows(forecasts[best], side)
        code = np.tile(days.code, 2) if side == "both" else days.code
        maps = {name: _rows(forecasts[name], side) for name, kind in kinds.items() if kind == "map"}
        made = list(maps.values())
        left = partial_batch(made, y, z, Drawn(days.draws, code))
        for k, (name, x) in enumerate(maps.items()):
            measures = {"partial_spearman": left[k], **_out_of_block(x, y, z, code, days)}
            rows += [(side, name, best, what, *interval(values, level)) for what, values in measures.items()]
    return pd.DataFrame(rows, columns=["side", "forecast", "best", "measure", "value", "low", "high"])


def _rows(table: pd.DataFrame, side: str) -> np.ndarray:
    return table[SIDES].to_numpy().T.ravel() if side == "both" else table[side].to_numpy()


def _out_of_block(x: np.ndarray, y: np.ndarray, z: np.ndarray, code: np.ndarray, days: Days) -> dict[str, np.ndarray]:
    """R² of two regressions on days that did not take part in fitting them; the fits stay as they are in resamples."""
    x, y, z = (np.log1p(v) for v in (x, y, z))
    fold = np.arange(len(days)) % FOLDS
    errors = {}
    for name, terms in (("r_squared_alone", [z]), ("r_squared_both", [z, x])):
        design = np.column_stack([np.ones_like(y), *terms])
        fit = np.full(len(y), np.nan)
        for k in np.unique(fold):
            out = fold[code] == k
            if (~out).sum() > 4:
                fit[out] = design[out] @ np.linalg.lstsq(design[~out], y[~out], rcond=None)[0]
        errors[name] = (y - fit) ** 2
    columns = [np.ones_like(y), y, y * y, *errors.values()]
    n, sy, syy, alone, both = Drawn(days.draws, code).sums(columns)
    total = syy - sy * sy / n
    values = {name: 1 - err / total for name, err in (("r_squared_alone", alone), ("r_squared_both", both))}
    return {"r_squared_gain": values["r_squared_both"] - values["r_squared_alone"], **values}
