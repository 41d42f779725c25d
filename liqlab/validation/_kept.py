"""Results that come along as small tables, each made by a script that is kept."""

from __future__ import annotations

import pandas as pd

from liqlab.loaders._examples import folder
from liqlab.market.arguments import checked

__all__ = ["kept_results"]

TABLES = ("default", "positions", "mark_last")


@checked()
def kept_results(name: str) -> pd.DataFrame:
    """A table of results that took too long, or raw figures that do not come along, to be computed on the spot.

    Parameters
    ----------
    name : str
        ``default``: what the default map was chosen by and how it scored (``research/fit_default.py``).
        ``positions``: what no price reaches, what single forced orders paid, 10 October 2025 by ticker
        (``research/true_positions.py``). ``mark_last``: how often the last price reaches what the mark price does not
        (``research/mark_last.py``).

    Returns
    -------
    DataFrame (name,)
        value; on: which data, and what low and high are where they are no interval; low, high.

    Raises
    ------
    ValueError
        An unknown name.

    Examples
    --------
    >>> kept_results("default").loc["median", "value"]
    0.2
    """
    if name not in TABLES:
        raise ValueError(f"name must be one of {', '.join(TABLES)}, got {name!r}")
    table = pd.read_csv(folder("data") / f"{name}.csv", index_col="name")
    for column in ("value", "low", "high"):
        table[column] = table[column].map(_number)
    return table


def _number(x: object) -> object:
    """A number where it is one; some choices are words."""
    try:
        return float(str(x))
    except ValueError:
        return x
