"""What the store holds, and whether every file of it is sound."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders.store import month as months
from liqlab.loaders.store.keys import COLUMNS, Key, folder, key_of
from liqlab.loaders.store.locked_writes import ASIDE, LEFTOVER
from liqlab.loaders.store.month import Month, Range
from liqlab.loaders.store.series import _AHEAD, _months, fit
from liqlab.market.clock import timedelta, utc

__all__ = ["listing", "strangers", "verify"]

_NOT_READ = {
    LEFTOVER: "leftover of an interrupted write; harmless, the next write of this month removes it",
    ASIDE: "a damaged file, set aside and read no more; a note beside it says why. Delete both when the month is whole",
}
_KEY = ["exchange", "symbol", "kind", "timeframe"]


def listing(store: Any = None) -> pd.DataFrame:
    """What the store holds, one row per series, from the files' notes alone (no rows are read).

    Parameters
    ----------
    store : path, optional
        Folder of the store, see `folder`.

    Returns
    -------
    DataFrame
        exchange, symbol, kind, timeframe, months [count], rows [count], first, last (stamps of rows), start, end
        (of what is known as complete), holes (count of ranges between start and end that are not), bytes, unreadable
        (count of files that `verify` will explain). Empty where there is no store yet.
    """
    columns = [*_KEY, "months", "rows", "first", "last", "start", "end", "holes", "bytes", "unreadable"]
    series: dict[Key, list[Path]] = {}
    root = folder(store)
    for file in _files(root):
        try:
            series.setdefault(key_of(file, root)[0], []).append(file)
        except ValueError:
            continue  # leftovers and strangers are the matter of `verify`
    rows = [_summary(key, files) for key, files in sorted(series.items(), key=lambda entry: str(entry[0]))]
    return pd.DataFrame(rows, columns=columns).sort_values(_KEY, ignore_index=True)


def _summary(key: Key, files: list[Path]) -> dict[str, Any]:
    notes, unreadable = [], 0
    for file in files:
        try:
            notes.append(months.read_notes(file) or {})
        except ValueError:
            unreadable += 1
    known = months.joined(span for note in notes if note for span in months.covered(note))
    stamps = [note[edge] for note in notes if note for edge in ("first", "last") if note[edge] is not pd.NaT]
    return {**vars(key), "months": len(files), "rows": sum(note.get("rows", 0) for note in notes),
            "first": min(stamps, default=pd.NaT), "last": max(stamps, default=pd.NaT),
            "start": known[0][0] if known else pd.NaT, "end": known[-1][1] if known else pd.NaT,
            "holes": max(0, len(known) - 1), "bytes": sum(file.stat().st_size for file in files),
            "unreadable": unreadable}  # fmt: skip


def strangers(store: Any = None) -> list[str]:
    """Parquet files under the store's folder that lie outside its layout, such as those of another program."""
    root = folder(store)
    found = []
    for file in (file for file in _files(root) if file.suffix not in _NOT_READ):
        try:
            key_of(file, root)
        except ValueError:
            found.append(file.relative_to(root).as_posix())
    return found


def _files(root: Path) -> list[Path]:
    return sorted(file for file in root.rglob("*") if file.suffix in (".parquet", ASIDE, LEFTOVER) and file.is_file())


def verify(store: Any = None) -> pd.DataFrame:
    """Read every file of the store and test it.

    Each month must be readable, carry its own sha256, hold the columns of its kind, rows that ascend strictly, lie in
    their month, in the covered ranges and on their time frame, and pass the check of their kind in `liqlab.market`.

    Parameters
    ----------
    store : path, optional
        Folder of the store, see `folder`.

    Returns
    -------
    DataFrame
        file (relative), rows, ok, problem (what is wrong and what to do), note (harmless: bars that the venue does not
        have, leftovers of interrupted writes). One row per file.
    """
    root = folder(store)
    found = [{"file": file.relative_to(root).as_posix(), **_verified(file, root)} for file in _files(root)]
    return pd.DataFrame(found, columns=["file", "rows", "ok", "problem", "note"])


def _verified(file: Path, root: Path) -> dict[str, Any]:
    if file.suffix in _NOT_READ:
        return {"rows": 0, "ok": True, "problem": "", "note": _NOT_READ[file.suffix]}
    try:
        key, name = key_of(file, root)
        found = months.read(file)
        if found is None:
            raise ValueError("it vanished while it was read; verify again")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _sound(*found, key, name)
    except (ValueError, TypeError, OSError) as error:
        return {"rows": 0, "ok": False, "problem": str(error), "note": ""}
    return {"rows": len(found[0].rows), "ok": True, "problem": "", "note": _absent(found[0], key)}


def _sound(month: Month, notes: dict[str, Any], key: Key, name: str) -> None:
    remedy = "delete the file and fetch this month again"
    rows = month.rows
    if notes["key"] != vars(key):
        raise ValueError(f"it was written as {Key(**notes['key'])}, but lies where {key} belongs; move it or {remedy}")
    columns = COLUMNS[key.kind]
    if not set(columns.required) <= set(rows.columns) <= set(columns.all):
        raise ValueError(f"its columns are {', '.join(rows.columns)}, not {', '.join(columns.required)}; {remedy}")
    [(_, since, until)] = list(_months(utc(f"{name}-01"), utc(f"{name}-02")))
    _sane(months.covered(notes), since, until, remedy)
    if months.covered(notes) != month.covered:
        raise ValueError(f"its covered ranges are not those of its origins; {remedy}")
    if rows.empty:
        return
    if not rows.index.is_monotonic_increasing or not rows.index.is_unique:
        raise ValueError(f"its rows do not ascend strictly in time; {remedy}")
    inside = np.zeros(len(rows), bool)
    for first, last in month.covered:
        inside |= (rows.index >= first) & (rows.index < last)
    if not inside.all():
        raise ValueError(f"{int((~inside).sum())} row(s) lie outside the covered ranges, first "
                         f"{rows.index[~inside][0]}; {remedy}")  # fmt: skip
    fit(rows, key)


def _sane(covered: list[Range], since: pd.Timestamp, until: pd.Timestamp, remedy: str) -> None:
    if not covered:
        raise ValueError(f"it knows no range as complete; {remedy}")
    for first, last in covered:
        if not since <= first < last <= until:
            raise ValueError(f"its covered range [{first}, {last}) is not inside [{since}, {until}); {remedy}")
    if covered != months.joined(covered):
        raise ValueError(f"its covered ranges overlap or are not in order; {remedy}")
    if covered[-1][1] > pd.Timestamp.now("UTC") + _AHEAD:
        raise ValueError(f"it claims to be complete until {covered[-1][1]}, which is in the future; {remedy}")


def _absent(month: Month, key: Key) -> str:
    """How many bars the covered ranges lack: maintenance, halts, the time before a listing."""
    if key.kind not in ("candles", "mark_candles") or not key.timeframe:
        return ""
    step = timedelta(key.timeframe)
    if pd.Timedelta(1, "D") % step:
        return ""
    opens = sum(
        len(pd.date_range(first.ceil(step), last, freq=step, inclusive="left")) for first, last in month.covered
    )
    lacking = opens - len(month.rows)
    return f"{lacking} of {opens} bar(s) are not there; the source has none" if lacking else ""
