"""Every trade of a market, or runs of trades that the ledger cannot tell apart: its check."""

from __future__ import annotations

import numpy as np
import pandas as pd

from liqlab.market.checks import columns_of, refuse

__all__ = ["check_trades"]

NAME = "trades"


def check_trades(trades: pd.DataFrame) -> pd.DataFrame:
    """Check trades, one by one or in runs.

    Parameters
    ----------
    trades : DataFrame (time,)
        In the order of trading; several may share a stamp. price [quote] > 0; quantity [coins] >= 0; taker_buy, True
        where the taker bought. A row may stand for a run of trades that follow each other, as `lq.read` joins them.

    Returns
    -------
    DataFrame
        The same rows, in UTC; they are shared, not copied: there may be tens of millions.

    Raises
    ------
    ValueError, TypeError
        Naming the row, the value and the remedy.
    """
    table = columns_of(trades, NAME, ("price", "quantity", "taker_buy"), ()).copy(deep=False)
    index = table.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise ValueError(f"{NAME}: the index must hold times in UTC, got {type(index).__name__}; use "
                         "frame.set_index(pd.to_datetime(frame['time'], utc=True))")  # fmt: skip
    if not len(table):
        raise ValueError(f"{NAME}: no rows; leave trades out where there are none")
    if index.hasnans or not index.is_monotonic_increasing:
        back = int(np.flatnonzero(np.diff(index.asi8) < 0)[0]) + 1 if not index.hasnans else 0
        what = "has a missing time" if index.hasnans else f"row {back} ({index[back]}) is earlier than the row above"
        raise ValueError(f"{NAME}: {what}; sort by time, frame.sort_index(kind='stable')")
    table.index = index.tz_convert("UTC").rename("time")
    if not pd.api.types.is_bool_dtype(table["taker_buy"].dtype):
        raise TypeError(f"{NAME}: taker_buy must be True or False, got {table['taker_buy'].dtype}; write "
                        "frame['side'].eq('buy') or ~frame['is_buyer_maker']")  # fmt: skip
    for column in ("price", "quantity"):
        if not pd.api.types.is_numeric_dtype(table[column].dtype):
            raise TypeError(f"{NAME}: {column} must be numbers, got {table[column].dtype}; use pd.to_numeric")
        table[column] = table[column].astype("float64")
        refuse(table, NAME, column, ~np.isfinite(table[column].to_numpy()), "numbers must be finite; drop the row")
    refuse(table, NAME, "price", table["price"].to_numpy() <= 0, "prices are > 0; drop or correct the row")
    refuse(table, NAME, "quantity", table["quantity"].to_numpy() < 0, "quantities are >= 0 coins; taker_buy tells who")
    return table
