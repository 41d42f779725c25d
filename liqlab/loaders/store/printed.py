"""Tables as a terminal shows them, and what the store holds as such a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

__all__ = ["lined_up", "series_rows"]


def lined_up(rows: Sequence[Sequence[str]], right: Iterable[int]) -> str:
    """Lines of a table; the columns numbered in `right` stand at the right.

    >>> print(lined_up([["name", "rows"], ["a", "12"]], right=[1]))
    name  rows
    a       12
    """
    widths, right = [max(map(len, column)) for column in zip(*rows, strict=True)], set(right)
    lines = ("  ".join(cell.rjust(width) if k in right else cell.ljust(width)
                       for k, (cell, width) in enumerate(zip(row, widths, strict=True))) for row in rows)  # fmt: skip
    return "\n".join(line.rstrip() for line in lines)


def series_rows(found: pd.DataFrame) -> list[list[str]]:
    """Rows of `listing`, below their heading: exchange, symbol, kind, step, rows, from, until, holes, MB."""
    rows = [["exchange", "symbol", "kind", "step", "rows", "from", "until", "holes", "MB"]]
    for series in found.to_dict("records"):
        amounts = f"{series['rows']:,}", f"{series['bytes'] / 1e6:.2f}"
        name = [series["exchange"], series["symbol"], series["kind"], series["timeframe"] or "-"]
        rows.append([*name, amounts[0], _day(series["start"]), _day(series["end"]), str(series["holes"]), amounts[1]])
    return rows


def _day(stamp: Any) -> str:
    """Without the hour where it is midnight."""
    return f"{stamp:%Y-%m-%d %H:%M}".removesuffix(" 00:00") if isinstance(stamp, datetime) else "-"
