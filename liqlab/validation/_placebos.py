"""Placebos: the map itself with its timing or its side destroyed. Whatever they score, the map has to score more."""

from __future__ import annotations

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.market.arguments import checked
from liqlab.market.clock import nanoseconds, step_of
from liqlab.validation.align import amounts

__all__ = ["placebos"]

DAY = 86_400 * 10**9


@checked()
def placebos(estimated: pd.DataFrame, *, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Three placebos of estimated liquidations per bar.

    Parameters
    ----------
    estimated : DataFrame (time,)
        long, short per bar.
    seed : int
        Of the shuffle.

    Returns
    -------
    dict of name to DataFrame (time,)
        ``lagged a day``: the estimate of the same hour of the day before (the first day is left out); ``sides
        swapped``: longs for shorts; ``days shuffled``: every day gets the hours of another day, so that the hour of
        the day and the law of amounts stay, and the timing goes. Days with hours missing are left out of the shuffle.

    Examples
    --------
    >>> index = pd.date_range("2024-01-01", periods=2, freq="1D", tz="UTC")
    >>> made = placebos(pd.DataFrame({"long": [1.0, 2.0], "short": [3.0, 4.0]}, index=index))
    >>> made["sides swapped"]["long"].tolist(), made["lagged a day"]["long"].tolist()
    ([3.0, 4.0], [1.0])
    >>> made["days shuffled"]["long"].tolist()
    [2.0, 1.0]
    """
    table = amounts(estimated, "estimated")
    day = pd.Timedelta("1D")
    lagged = table.set_axis(table.index + day)
    made = {
        "lagged a day": lagged.loc[lagged.index.intersection(table.index)],
        "sides swapped": table[SIDES[::-1]].set_axis(SIDES, axis=1),
        "days shuffled": _shuffled(table, seed),
    }
    for placebo in made.values():
        placebo.attrs.update(estimated.attrs)
    return made


def _shuffled(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Whole days change places, none stays: a random cycle through all of them."""
    per_day = round(pd.Timedelta("1D") / step_of(table))
    code = nanoseconds(table.index) // DAY
    days, count = np.unique(code, return_counts=True)
    full = days[count == per_day]
    if len(full) < 2:
        raise ValueError(f"estimated holds {len(full)} full day(s), and two full days are the least to shuffle; pass "
                         "a longer table")  # fmt: skip
    order = np.random.default_rng(seed).permutation(len(full))
    donor = np.empty(len(full), int)
    donor[order] = np.roll(order, 1)
    kept = table[np.isin(code, full)]
    hours = kept.to_numpy().reshape(len(full), per_day, len(SIDES))
    return pd.DataFrame(hours[donor].reshape(-1, len(SIDES)), index=kept.index, columns=SIDES)
