"""What every table of a market must fulfil: columns, index, numbers, order. `market` says which table needs what."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from liqlab.market.clock import distances, nanoseconds, timeframe_of

PRICES = ("open", "high", "low", "close")
TIER_COLUMNS = ("exchange", "symbol", "as_of", "tier", "min_notional", "max_notional", "maintenance_margin_rate",
                "max_leverage", "maintenance_amount")  # fmt: skip
_PART = 1 << 14  # rows that a cache holds
_RUN = 10  # distances that are alike, from which they are no gaps
OPTIONAL_TIER_COLUMNS = ("whole_position", "reference_price")


def no_text(**values: Any) -> None:
    """Refuse text where a number is wanted, also text that looks like one."""
    for name, value in values.items():
        if isinstance(value, str):
            raise ValueError(f"{name} must be a number, got the text {value!r}; write it without quotation marks")


def columns_of(table: Any, name: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> pd.DataFrame:
    """The columns that a table must have, and those of the optional ones that it has."""
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"{name} must be a pandas DataFrame, got {type(table).__name__}; lq.read loads files")
    missing = [column for column in required if column not in table.columns]
    if missing:
        raise ValueError(f"{name} lacks the column(s) {', '.join(missing)}; it has {', '.join(map(str, table.columns))}"
                         f"; rename what you have to {', '.join(required)}")  # fmt: skip
    doubled = table.columns[table.columns.duplicated()]
    if len(doubled):
        raise ValueError(f"{name} has the column {doubled[0]!r} twice; drop one")
    chosen = [*required, *(column for column in optional if column in table.columns)]
    return table if list(table.columns) == chosen else table[chosen]


def clean_table(
    table: Any, name: str, *, required: tuple[str, ...], optional: tuple[str, ...] = (), may_lack: str = ""
) -> pd.DataFrame:
    """Columns, index, numbers: what every time table must fulfil. `may_lack`: prefix of columns that may hold NaN."""
    chosen = columns_of(table, name, required, optional)
    if chosen.empty:
        raise ValueError(f"{name} is empty; it needs at least one row")
    clean = _check_index(chosen, name)
    if all(kind == np.float64 for kind in clean.dtypes) and all(_finite(clean[column].to_numpy()) for column in clean):
        return _drop_duplicates(clean, name)  # nothing to convert, nothing to refuse
    for column in clean.columns:
        clean[column] = _numbers(clean[column], name)
        bad = ~np.isfinite(clean[column])
        if may_lack and str(column).startswith(may_lack):
            bad &= ~clean[column].isna()
        refuse(clean, name, column, bad, "numbers must be finite; drop the row or correct it")
    return _drop_duplicates(clean, name)


def _finite(numbers: np.ndarray) -> bool:
    """Whether no number is missing or infinite: their sum is none then, unless they are so large that each is asked."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(numbers.sum()) or np.isfinite(numbers).all())


def _check_index(table: pd.DataFrame, name: str) -> pd.DataFrame:
    index = table.index
    if not isinstance(index, pd.DatetimeIndex):
        raise TypeError(f"{name} must be indexed by time, got {type(index).__name__}; use "
                        "frame.set_index(pd.to_datetime(frame['time'], utc=True)) or lq.read")  # fmt: skip
    if index.tz is None:
        raise ValueError(f"{name}: the index has no time zone, so its hours are a guess; use "
                         "frame.tz_localize('UTC') if they are UTC")  # fmt: skip
    if not index.is_monotonic_increasing:  # nor is it with a missing time in it
        if index.hasnans:
            missing = int(np.asarray(index.isna()).sum())
            raise ValueError(f"{name}: the index holds {missing} missing time(s); drop these rows")
        row = int(np.flatnonzero(np.diff(index.as_unit("ns").asi8) < 0)[0]) + 1
        raise ValueError(f"{name}: row {row} ({index[row]}) stands before the row above it ({index[row - 1]}); "
                         "use frame.sort_index()")  # fmt: skip
    clean = table.copy(deep=False)  # pandas copies what either side writes to
    same = index.tz is not None and str(index.tz) == "UTC"  # then what is known of its order stays known
    clean.index = (index if same else index.tz_convert("UTC")).rename("time")
    clean.columns.name = None
    return clean


def _numbers(column: pd.Series, name: str) -> pd.Series:
    try:
        return column.astype("float64")
    except (ValueError, TypeError) as error:
        numbers = pd.to_numeric(column, errors="coerce")
        stamp = column.index[np.flatnonzero(numbers.isna())[0]]
        raise ValueError(f"{name}: column {column.name!r} at {stamp} is not a number: {column.loc[stamp]!r}; "
                         "correct or drop the row") from error  # fmt: skip


def _drop_duplicates(table: pd.DataFrame, name: str) -> pd.DataFrame:
    if table.index.is_unique:
        return table
    again = np.asarray(table.index.duplicated(keep="first"))
    identical = table.reset_index().duplicated(keep="first").to_numpy()
    conflict = again & ~identical
    if conflict.any():
        stamp = table.index[np.flatnonzero(conflict)[0]]
        raise ValueError(f"{name}: {int(conflict.sum())} stamp(s) stand twice with different values, first {stamp}; "
                         "decide which row is true and drop the other")  # fmt: skip
    warnings.warn(f"{name}: dropped {int(again.sum())} duplicate row(s) (identical to their twin)", stacklevel=2)
    return table[~again]


def check_ohlc(table: pd.DataFrame, name: str) -> None:
    """Prices are > 0, and low and high hold open and close between them."""
    prices = [table[column].to_numpy() for column in PRICES]
    if all(_sound(*(price[first : first + _PART] for price in prices)) for first in range(0, len(table), _PART)):
        return
    for column in PRICES:
        refuse(table, name, column, table[column] <= 0, "prices are > 0; drop or correct the row")
    low_of_body, high_of_body = np.minimum(table["open"], table["close"]), np.maximum(table["open"], table["close"])
    refuse(table, name, "low", table["low"] > low_of_body, "low must be <= open and close; check the column order")
    refuse(table, name, "high", table["high"] < high_of_body, "high must be >= open and close; check the column order")


def _sound(first: np.ndarray, high: np.ndarray, low: np.ndarray, last: np.ndarray) -> bool:
    """Whether 0 < low <= open, close <= high in all bars; never where one of them is missing."""
    return bool((low > 0).all() and all((low <= body).all() and (body <= high).all() for body in (first, last)))


def refuse(table: pd.DataFrame, name: str, column: Any, bad: Any, remedy: str) -> None:
    """Raise for the first bad row of a column; the message gives the row, the value, the count and the remedy."""
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = float(table[column].iloc[row])
        raise ValueError(f"{name}: column {column!r}, row {row} ({table.index[row]}) is {value!r} "
                         f"({int(bad.sum())} such row(s)); {remedy}")  # fmt: skip


def report_gaps(table: pd.DataFrame, name: str) -> None:
    """Refuse stamps off the regular step; report gaps with their count."""
    if len(table) < 3:
        return
    shortest, longest = distances(table.index.asi8)  # type: ignore[attr-defined]
    if shortest == longest:
        return
    distance = np.diff(nanoseconds(table.index))
    step = int(distance.min())
    off = distance % step != 0
    if off.any():
        row = int(np.flatnonzero(off)[0]) + 1
        regular = timeframe_of(pd.Timedelta(step, unit="ns"))
        raise ValueError(f"{name}: row {row} ({table.index[row]}) is off the regular step of {regular}; "
                         "resample the table to one time frame")  # fmt: skip
    gaps = distance > step
    if gaps.any():
        first = table.index[int(np.flatnonzero(gaps)[0])]
        warnings.warn(
            f"{name}: {int(gaps.sum())} gap(s), {int((distance[gaps] // step - 1).sum())} row(s) missing in all, "
            f"the first after {first}; nothing was filled in{_other_length(table.index, distance, step)}",
            stacklevel=2,
        )


def _other_length(index: pd.Index, distance: np.ndarray, step: int) -> str:
    """Words for rows that lie farther apart on a step of their own: bars of another length, not gaps."""
    edges = np.flatnonzero(np.diff(distance, prepend=-1, append=-1))
    runs = np.diff(edges) * (distance[edges[:-1]] > step)
    longest = int(np.argmax(runs))
    if runs[longest] < _RUN:
        return ""
    apart = timeframe_of(pd.Timedelta(int(distance[edges[longest]]), unit="ns"))
    return (f"; but from {index[edges[longest]]} on {runs[longest] + 1} rows are {apart} apart: if these bars are "
            "longer than the others, make two tables of it")  # fmt: skip


def report_pauses(table: pd.DataFrame, name: str) -> None:
    """Report pauses of a table of instants: they need no grid, and one missing poll is no pause.

    On a regular step it is said as of bars, row by row; elsewhere a pause is five times the usual distance.
    """
    if len(table) < 3:
        return
    distance = np.diff(nanoseconds(table.index))
    if not (distance % int(distance.min())).any():
        report_gaps(table, name)
        return
    usual = int(np.median(distance))
    long = distance > 5 * usual
    if long.any():
        row = int(np.flatnonzero(long)[0])
        warnings.warn(f"{name}: {int(long.sum())} pause(s) of more than five times the usual "
                      f"{pd.Timedelta(usual, unit='ns')}, the first from {table.index[row]} to {table.index[row + 1]}; "
                      "nothing was filled in", stacklevel=2)  # fmt: skip


def report_quiet_bars(table: pd.DataFrame, name: str) -> None:
    """Report bars without a row: whether nothing happened or nothing was recorded, such a table does not tell."""
    if len(table) < 3:
        return
    distance = np.diff(nanoseconds(table.index))
    step = int(distance.min())
    gaps = distance > step
    if gaps.any():
        missing = int(np.rint(distance[gaps] / step - 1).sum())
        first = table.index[int(np.flatnonzero(gaps)[0])]
        warnings.warn(
            f"{name}: {missing} of {missing + len(table)} bars between its first and last have no row, the first after "
            f"{first}; they count as unknown and not as 0: lq.score leaves them out (add rows of 0 where nothing was "
            "liquidated and the recording ran)",
            stacklevel=2,
        )


def tier_columns(tiers: Any) -> pd.DataFrame:
    """The columns of maintenance tiers: dates as stamps, blanks in `whole_position` as False."""
    table = columns_of(tiers, "leverage_tiers", TIER_COLUMNS, OPTIONAL_TIER_COLUMNS).copy()
    if "whole_position" in table:
        table["whole_position"] = table["whole_position"].astype(str).str.lower().isin(["true", "1", "1.0"])
    table["as_of"] = pd.to_datetime(table["as_of"], utc=True, format="mixed")
    return table


def brackets(part: pd.DataFrame, where: str) -> None:
    """Brackets of one tier table start at 0 and join, rates are shares, the margin does not jump at an edge."""
    floor, rate = part["min_notional"].to_numpy(float), part["maintenance_margin_rate"].to_numpy(float)
    amount, ceiling = part["maintenance_amount"].to_numpy(float), part["max_notional"].to_numpy(float)
    if floor[0] != 0 or not np.array_equal(floor[1:], ceiling[:-1]):
        raise ValueError(f"{where}: brackets must start at 0 and join; got floors {floor.tolist()}")
    if not ((rate > 0) & (rate < 1)).all():
        raise ValueError(f"{where}: maintenance_margin_rate must lie in (0, 1), got {rate.tolist()}")
    highest = part["max_leverage"].to_numpy(float)
    if not (highest >= 1).all():
        raise ValueError(f"{where}: max_leverage must be >= 1, got {highest.tolist()}")
    if not np.isfinite(amount).all():
        raise ValueError(f"{where}: maintenance_amount must be finite, got {amount.tolist()}")
    if "reference_price" in part and ((price := part["reference_price"].to_numpy(float)) <= 0).any():
        raise ValueError(f"{where}: reference_price must be > 0, or NaN; got {price.tolist()}")
    if "whole_position" in part and part["whole_position"].all():
        if amount.any():
            raise ValueError(f"{where}: rates hold for the whole position, so maintenance_amount must be 0, got "
                             f"{amount.tolist()}")  # fmt: skip
        return
    jump = amount[1:] - amount[:-1] - floor[1:] * np.diff(rate)
    if (np.abs(jump) > np.maximum(0.5, 1e-3 * np.abs(amount[1:]))).any():
        raise ValueError(f"{where}: the maintenance margin jumps at a bracket's edge by {jump.tolist()} quote; "
                         "correct maintenance_amount")  # fmt: skip


def check_leverage_tiers(tiers: pd.DataFrame) -> pd.DataFrame:
    """Check dated maintenance tiers.

    Parameters
    ----------
    tiers : DataFrame
        exchange, symbol, as_of (date from which the table was seen in force), tier (1, 2, …), min_notional,
        max_notional [quote], maintenance_margin_rate [1], max_leverage, maintenance_amount [quote]. Optional,
        see `liqlab.margin.Tiers`: whole_position (the rate is charged on all of it), reference_price [quote per coin].

    Returns
    -------
    DataFrame
        A copy, sorted by exchange, symbol, as_of, tier.

    Raises
    ------
    ValueError
        Where columns are missing, brackets do not join, or the maintenance margin jumps at a bracket's edge
        (``c[i] = c[i-1] + floor[i]·(m[i] − m[i-1])`` must hold, to half a unit of quote or 0.1 %; whole: c = 0).
    """
    table = tier_columns(tiers)
    table = table.sort_values(["exchange", "symbol", "as_of", "tier"], ignore_index=True)
    for (exchange, symbol, as_of), part in table.groupby(["exchange", "symbol", "as_of"], sort=False):
        where = f"leverage_tiers of {symbol} on {exchange} as of {as_of:%Y-%m-%d}"
        brackets(part, where)
    return table


def bar(candle: Mapping[str, float], open_interest: float | None, mark: tuple[float, float] | None) -> dict[str, float]:
    """A candle as numbers, or an error that says what is wrong with it."""
    needed = ("open", "high", "low", "close", "volume")
    if not hasattr(candle, "keys"):
        raise TypeError(f"candle must be a mapping with {', '.join(needed)}, got {type(candle).__name__}; pass a dict, "
                        "or a row of candles")  # fmt: skip
    missing = [name for name in needed if name not in candle]
    if missing:
        raise ValueError(f"the candle lacks {', '.join(missing)}; it needs {', '.join(needed)}")
    for k in (*needed, "taker_buy_volume"):
        if k in candle and (isinstance(candle[k], str | bool) or not isinstance(candle[k], int | float | np.number)):
            raise ValueError(f"candle: {k} must be a number, got {candle[k]!r}; write it without quotation marks")
    values = {k: float(candle[k]) for k in (*needed, "taker_buy_volume") if k in candle}
    prices = [values[k] for k in needed[:4]]
    sound = all(np.isfinite(prices)) and 0 < values["low"] <= min(prices) and values["high"] >= max(prices)
    if not sound or not np.isfinite(values["volume"]) or values["volume"] < 0:
        raise ValueError(f"no candle: {values}; 0 < low <= open, close <= high, and volume >= 0 coins")
    if "taker_buy_volume" in values and not (values["taker_buy_volume"] <= values["volume"] * (1 + 1e-9)):
        raise ValueError(f"taker_buy_volume {values['taker_buy_volume']!r} is more than the volume {values['volume']!r}"
                         "; both are in coins")  # fmt: skip
    if open_interest is not None and isinstance(open_interest, str | bool):
        raise ValueError(
            f"open_interest must be a number of coins, got {open_interest!r}; None where nothing is reported"
        )
    if open_interest is not None and not (np.isfinite(open_interest) and open_interest >= 0):
        raise ValueError(f"open_interest must be >= 0 coins, got {open_interest!r}; None where nothing is reported")
    if mark is not None and (isinstance(mark, str) or np.shape(mark) != (2,)):
        raise ValueError(
            f"mark must be (low, high) with 0 < low <= high, got {mark!r}; leave it out where it is not known"
        )
    if mark is not None and not 0 < mark[0] <= mark[1] < np.inf:
        raise ValueError(f"mark must be (low, high) with 0 < low <= high, got {mark!r}")
    return values


def check_liquidation_events(liquidation_events: pd.DataFrame) -> pd.DataFrame:
    """Check single *observed* liquidations.

    Parameters
    ----------
    liquidation_events : DataFrame (time,)
        One row per forced order, stamped when it happened; several may share a stamp. side (``long`` or ``short``, of
        the position), price [quote] > 0 as the venue told it (mostly the bankruptcy price), quantity [coins] >= 0 that
        was filled. Optional: average_price of the fills [quote], order_quantity [coins] that was ordered; NaN where the
        venue does not tell them.

    Returns
    -------
    DataFrame
        A copy in UTC. Equal rows are kept: two orders may be alike.

    Raises
    ------
    ValueError, TypeError
        Naming the row, the value and the remedy.
    """
    name, optional = "liquidation_events", ("average_price", "order_quantity")
    chosen = columns_of(liquidation_events, name, ("side", "price", "quantity"), optional)
    clean = _check_index(chosen, name)
    wrong = ~clean["side"].isin(["long", "short"]).to_numpy()
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"{name}: row {row} ({clean.index[row]}) has the side {clean['side'].iloc[row]!r}; it is long "
                         "or short, the side of the position that was liquidated")  # fmt: skip
    for column in clean.columns.drop("side"):
        clean[column] = _numbers(clean[column], name)
        if column not in optional:
            refuse(clean, name, column, ~np.isfinite(clean[column]), "numbers must be finite; drop the row")
    refuse(clean, name, "price", clean["price"] <= 0, "prices are > 0; drop or correct the row")
    refuse(clean, name, "quantity", clean["quantity"] < 0, "amounts are >= 0 coins; side gives the side")
    return clean
