"""Two tables of amounts on one clock and in one unit, or a refusal that says what is missing."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.market.clock import nanoseconds, step_of, timedelta, timeframe_of
from liqlab.market.market import Market, check_liquidations
from liqlab.market.resample import bar_opens, origin_of

__all__ = ["UNITS", "amounts", "in_coins", "missing_bars", "on_step"]

UNITS = ("coins", "quote")


def amounts(table: Any, name: str) -> pd.DataFrame:
    """A checked table of amounts: long, short ≥ 0, on a regular UTC index."""
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"{name} must be a DataFrame with the columns long, short, got {type(table).__name__}; "
                        "lq.expected_liquidations makes estimates, market.liquidations is observed")  # fmt: skip
    attrs = dict(table.attrs)
    try:
        with warnings.catch_warnings():  # bars without a row are counted by the caller
            warnings.filterwarnings("ignore", message=r".* have no row")
            clean = check_liquidations(table)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{name}: {error}") from error
    clean.attrs.update(attrs)
    return clean


def in_coins(
    table: pd.DataFrame, name: str, unit: str | None, price: pd.Series | None, *, argument: str = "unit"
) -> pd.DataFrame:
    """The table in coins. Its unit is `unit` or, where that is None, what ``attrs["unit"]`` says.

    Quote is divided by the bar's price, which must be given; a table that does not say its unit is refused.
    """
    told = table.attrs.get("unit")
    if unit is not None and told is not None and unit != told:
        raise ValueError(f"{name} says that it is in {told!r}, but {argument} is {unit!r}; correct one of them")
    unit = unit if unit is not None else told
    if unit is None:
        raise ValueError(f"{name} does not say its unit, and coins compared with quote would mean nothing; "
                         "pass unit='coins' or unit='quote', as lq.expected_liquidations was told")  # fmt: skip
    if unit not in UNITS:
        raise ValueError(f"{argument} must be 'coins' or 'quote', got {unit!r}")
    if unit == "coins":
        return table
    if price is None:
        raise ValueError(f"{name} is in quote, the comparison is in coins; pass market= or price= to convert, or make "
                         "it with unit='coins'")  # fmt: skip
    known = price.reindex(table.index)
    if known.isna().any():
        raise ValueError(f"{name}: no price for {int(known.isna().sum())} of its {len(known)} bars, the first "
                         f"{known.index[np.flatnonzero(known.isna())[0]]}; pass a price for every bar")  # fmt: skip
    return table.div(known, axis=0)


def price_of(market: Market | None, price: pd.Series | None) -> pd.Series | None:
    """The price that turns quote into coins: the one given, else the middle of the candle, (high + low + close) / 3."""
    if price is not None or market is None:
        return price
    return market.candles[["high", "low", "close"]].mean(axis=1)


def on_step(tables: Mapping[str, pd.DataFrame], step: Any = None) -> tuple[dict[str, pd.DataFrame], pd.Timedelta]:
    """Sum every table to the coarsest step among them (or a coarser one); a bar with a part missing is left out."""
    own = {name: step_of(table) for name, table in tables.items()}
    coarse = max(own.values()) if step is None else timedelta(step, "step")
    summed = {}
    for name, table in tables.items():
        if coarse < own[name] or coarse % own[name] != pd.Timedelta(0):
            raise ValueError(f"{name} comes in bars of {timeframe_of(own[name])}, which do not add up to "
                             f"{timeframe_of(coarse)}; choose a step that is a multiple of both")  # fmt: skip
        summed[name] = _summed(table, own[name], coarse)
        if summed[name].empty:
            raise ValueError(f"step: {name} has no whole bar of {timeframe_of(coarse)} in {len(table)} row(s) from "
                             f"{table.index[0]} on; choose a finer step, or pass a longer table")  # fmt: skip
    return summed, coarse


def _summed(table: pd.DataFrame, own: pd.Timedelta, coarse: pd.Timedelta) -> pd.DataFrame:
    if own == coarse:
        return table[SIDES]
    length = coarse.as_unit("ns").value
    stamps = nanoseconds(table.index)
    opens = bar_opens(stamps, length, origin_of(stamps[0], own.as_unit("ns").value, length))
    groups = table[SIDES].groupby(pd.to_datetime(opens, utc=True).rename("time"))
    return groups.sum()[groups.size() == coarse // own]


def missing_bars(table: pd.DataFrame, summed: pd.DataFrame, step: pd.Timedelta) -> int:
    """Bars of `step` from a table's first to its last that have no row, or not all of them, once it is summed."""
    width = step.as_unit("ns").value
    stamps = nanoseconds(table.index)
    edges = bar_opens(stamps[[0, -1]], width, origin_of(stamps[0], step_of(table).as_unit("ns").value, width))
    return int((edges[1] - edges[0]) // width) + 1 - len(summed)
