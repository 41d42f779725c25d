"""The page of units: what the numbers of each venue count, made from the rules that `fetch` applies."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

__all__ = ["venue_units_page"]

_HEADS = {"kind": "table", "linear": "linear", "inverse": "inverse", "sides": "sides", "stamp": "stamp"}
_MISSING = "—"


def venue_units_page() -> str:
    """The page, in MyST Markdown: one table for each venue, with source, date and tested versions under it."""
    from liqlab.loaders import venue_units

    table = venue_units()
    parts = [_venue(str(name), rows) for name, rows in table.groupby("exchange", sort=False)]
    body = "\n".join(parts)
    return f"""# What venues count

What the numbers of each venue count before liqlab touches them, by linear and by inverse contracts. A table that
`lq.fetch` returns is in coins with one side counted, whatever stands here: contracts are multiplied by their size,
quote is divided by the price, and where a venue counts both sides of a trade half is taken (`both → one`). A venue that
is not here is not guessed at: its contracts are refused until `volume_unit=` says what they count. The same as a table:
`lq.loaders.venue_units()`.

{body}"""


def _venue(name: str, rows: pd.DataFrame) -> str:
    head = "| " + " | ".join(_HEADS.values()) + " |\n|" + " --- |" * len(_HEADS)
    lines = ["| " + " | ".join(_cell(row[column]) for column in _HEADS) + " |" for row in rows.to_dict("records")]
    notes = rows.drop_duplicates(["source", "read", "tested"]).to_dict("records")
    told = "\n".join(_note(row, len(notes) > 1) for row in notes)
    return f"## {name}\n\n{head}\n" + "\n".join(lines) + f"\n\n{told}\n"


def _note(row: dict[Hashable, Any], named: bool) -> str:
    kind = f"{_cell(row['kind'])}: " if named else ""
    return f"- {kind}{_cell(row['source'])}. Read {row['read']}, tested with replies of {_cell(row['tested'])}."


def _cell(value: object) -> str:
    """Text of a cell, its signs meaning themselves."""
    text = str(value) or _MISSING
    for sign in "\\`*_|<>[]{}$":
        text = text.replace(sign, f"\\{sign}")
    return text
