"""Numbers as files write them: text, per cent, hours in words → float64, or an error that names the row."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

__all__ = ["numbers_of"]


def numbers_of(column: pd.Series, raw_time: pd.Series, name: str, file: str) -> np.ndarray:
    """A column as float64, exactly as written; empty fields become NaN, which `liqlab.market` refuses by row."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy("float64", na_value=np.nan)
        return _as_hours(values) if name == "interval_hours" else values
    numbers = pd.to_numeric(column, errors="coerce")
    text = column.astype(object).where(column.notna(), "").astype(str).str.strip().str.lower()
    thousands = text.str.extract(r"^([+-]?[\d.]+)\s?([kmb])$")  # 12.5K, as some exports shorten
    if name != "interval_hours" and thousands[1].notna().any():
        factor = thousands[1].map({"k": 1e3, "m": 1e6, "b": 1e9})
        numbers = numbers.fillna(pd.to_numeric(thousands[0], errors="coerce") * factor)
    percent = text.str.endswith("%")
    if percent.any():  # 0.0100%: a hundredth of what it says
        _refuse_some_per_cent(numbers.fillna(0.0).ne(0) & ~percent, column, raw_time, file)
        numbers = numbers.where(~percent, pd.to_numeric(text.str.rstrip("% "), errors="coerce") / 100)
    bad = (numbers.isna() & ~text.isin(["", "nan", "none", "null"])).to_numpy()
    if name == "interval_hours" and bad.any():
        return _hours(text)
    if name == "interval_hours":
        return _as_hours(numbers.to_numpy("float64", na_value=np.nan))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = column.iloc[row]
        comma = re.fullmatch(r"[+-]?[\d.]*\d,\d[\d.,]*", str(value))
        remedy = "write numbers with a decimal point and no thousands separator" if comma else "correct or drop the row"
        kind = "is a number with a comma" if comma else "is not a number"
        raise ValueError(f"{file}: column {column.name!r}, row {row} (time {raw_time.iloc[row]}) {kind}: {value!r} "
                         f"({int(bad.sum())} such row(s)); {remedy}")  # fmt: skip
    return numbers.to_numpy("float64", na_value=np.nan)


def _refuse_some_per_cent(bare: pd.Series, column: pd.Series, raw_time: pd.Series, file: str) -> None:
    """Numbers without the sign that others of their column have: per cent or fractions, a hundredfold apart."""
    if bare.any():
        row = int(np.flatnonzero(bare)[0])
        raise ValueError(f"{file}: column {column.name!r}, row {row} (time {raw_time.iloc[row]}) is "
                         f"{column.iloc[row]!r} without a per-cent sign ({int(bare.sum())} such row(s)); "
                         "write all with the sign that others have, or all without")  # fmt: skip


def _as_hours(numbers: np.ndarray) -> np.ndarray:
    """Hours, minutes (from 60 on), seconds or milliseconds → hours: no venue's interval is above a day.

    >>> _as_hours(np.array([8.0, 480.0, 28_800.0, 28_800_000.0])).tolist()
    [8.0, 8.0, 8.0, 8.0]
    """
    per_hour = np.select([numbers <= 24, numbers <= 1440, numbers <= 86_400], [1.0, 60.0, 3600.0], 3_600_000.0)
    return numbers / per_hour


def _hours(text: pd.Series) -> np.ndarray:
    """``8h``, ``480m`` and BitMEX's ``2000-01-01t08:00:00.000z`` → hours; NaN where it is none of these."""
    size: pd.Series = pd.to_numeric(text.str.extract(r"^(\d+)[hm]$")[0]) / np.where(text.str.endswith("m"), 60, 1)
    clock = text.str.extract(r"t(\d\d):(\d\d)").astype(float)
    return size.fillna(clock[0] + clock[1] / 60).to_numpy("float64")
