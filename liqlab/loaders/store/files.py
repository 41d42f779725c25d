"""The files of a series: read under their own key, and set aside where they are damaged."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from liqlab.loaders.store import month as months
from liqlab.loaders.store.keys import Key, month_file
from liqlab.loaders.store.locked_writes import set_aside
from liqlab.loaders.store.month import DamagedError, Month

__all__ = ["check_key", "read", "rows_of", "sound"]


def rows_of(key: Key, files: list[Path]) -> Iterator[pd.DataFrame]:
    """The rows of every file that is there; while one is decoded, the next is read and its seals are checked."""
    with ThreadPoolExecutor(1) as beside:
        ahead = beside.submit(months.checked, files[0])
        for file, following in zip(files, [*files[1:], None], strict=True):
            ready = ahead.result()
            if following is not None:
                ahead = beside.submit(months.checked, following)
            found = months.decoded(file, ready)
            if found is not None:
                check_key(found[1], key, file)
                yield found[0].rows


def read(key: Key, name: str, store: Any) -> Month | None:
    """A month of this key; None where there is none."""
    file = month_file(key, name, store)
    found = months.read(file)
    if found is None:
        return None
    check_key(found[1], key, file)
    return found[0]


def check_key(notes: dict[str, Any] | None, key: Key, file: Path) -> None:
    if notes is not None and notes["key"] != vars(key):
        raise ValueError(f"{file} was written as {Key(**notes['key'])}, but lies where {key} belongs; move it or "
                         "delete it and fetch this month again")  # fmt: skip


def sound(key: Key, name: str, store: Any) -> Month | None:
    """A month; one that is damaged is set aside. Whoever calls holds the lock, so that no writer is at it."""
    try:
        return read(key, name, store)
    except DamagedError as error:
        aside = set_aside(month_file(key, name, store), str(error.__cause__))
        told = f"{key}, {name}: the stored file is damaged ({error.__cause__}) and was set aside as {aside}"
        warnings.warn(f"{told}; the month counts as missing and is fetched again where its source still has it",
                      stacklevel=4)  # fmt: skip
        return None
