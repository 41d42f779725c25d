"""A scan from the command line: what is printed, and the files that are written."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liqlab.app._scan import Scan, scan
from liqlab.app.explorer_state import ExplorerState
from liqlab.loaders import examples
from liqlab.loaders.whole_file import checked_place, whole_file
from liqlab.plot import small_maps
from liqlab.plot.style import short_number
from liqlab.report import save

__all__ = ["printed", "run"]

ENDINGS = (".csv", ".html")
SHOWN = {"distance_percent": "%", "distance_atr": "ATR", "notional": "notional", "to_open_interest": "of OI",
         "confluence": "confl."}  # fmt: skip
EXPLAINED = (
    "Nearest estimated cluster of each side: price of its peak, distance from the last price to its near edge, "
    "estimated notional, what part that is of the open interest and of a mean day's volume, confluence of leverages, "
    "coverage of the open interest. Education, not advice."
)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Scan of {count} markets</title>
<style>body {{ font: 14px/1.4 sans-serif; margin: 1em }}
div {{ overflow-x: auto }} table {{ border-collapse: collapse }}
th, td {{ padding: .2em .5em; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap }}
th button {{ font: inherit; border: 0; background: none; cursor: pointer; padding: 0 }}
.failed td {{ text-align: left; white-space: normal }}
iframe {{ width: 100%; height: {height}px; border: 0 }}</style></head>
<body><h1>Scan of {count} markets</h1><p>{words}</p>
<div tabindex="0" role="region" aria-label="table of markets">{table}</div>
<p>A heading sorts by its column, distances by their size, and once more the other way round. Names open the explorer on
this machine, where it runs: <code>{command}</code></p>{failed}
<h2>Small maps</h2><iframe title="small maps, estimated" srcdoc="{maps}"></iframe>{script}</body></html>
"""
EXPLORER = "http://127.0.0.1:5006/"  # where `liqlab explore` listens if nothing else is said
SORT = """<script>
const table = document.querySelector("table.markets"), heads = [...table.tHead.rows[0].cells];
const key = (text, sized) => {
  const number = Number(text.replaceAll(",", ""));
  return text === "-" || text === "" ? null : Number.isNaN(number) ? text : sized ? Math.abs(number) : number;
};
heads.forEach((head, place) => {
  const name = head.textContent, button = document.createElement("button");
  button.textContent = name || "market";
  head.replaceChildren(button);
  button.onclick = () => {
    const down = head.ariaSort === "ascending", rows = [...table.tBodies[0].rows];
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.ariaSort = down ? "descending" : "ascending";
    const keyed = rows.map((row) => [key(row.cells[place].textContent.trim(), name.includes("distance")), row]);
    keyed.sort(([a], [b]) => a === null || b === null ? (a === null) - (b === null)
      : (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1));
    table.tBodies[0].append(...keyed.map(([, row]) => row));
  };
});
</script>"""


def run(markets: Sequence[str], every_example: bool, files: Sequence[Path], sort: str | None, **options: Any) -> Scan:
    """Scan, sort, and write the files.

    Parameters
    ----------
    markets : list of str
    every_example : bool
        All embedded cases as well.
    files : list of Path
        Each ending in .csv or .html.
    sort : str, optional
        Column, with a minus for the largest first.
    **options
        Of `scan`.
    """
    if not markets and not every_example:
        raise ValueError("nothing to scan; name markets, or pass --examples for all embedded cases")
    for file in files:
        if file.suffix.lower() not in ENDINGS:
            raise ValueError(f"a scan is written as .csv or .html, got {file.name!r}; choose one of these")
        checked_place(file)
    names = dict.fromkeys([*markets, *(examples().index if every_example else [])])
    found = scan(list(names), **options)
    found = replace(found, table=in_order(found.table, sort))
    for file in files:
        text = _csv(found) if file.suffix.lower() == ".csv" else _page(found)
        with whole_file(file) as part:
            part.write_text(text, encoding="utf-8")
    return found


def in_order(table: pd.DataFrame, sort: str | None) -> pd.DataFrame:
    """By one column; of distances, which have a sign, the nearest first."""
    if sort is None:
        return table
    name = sort.removeprefix("-")
    if name not in table:
        raise ValueError(f"sort: no column is called {name!r}; there are: {', '.join(table.columns)}")
    key = (lambda column: column.abs()) if "distance" in name else None
    return table.sort_values(name, ascending=not sort.startswith("-"), key=key, kind="stable")


def printed(table: pd.DataFrame) -> list[list[str]]:
    """A table in lines that a terminal holds: both sides, and how much of the open interest the map knows."""
    head = ["market", "at", "price"]
    head += [f"{side} {words}" for side in ("long", "short") for words in SHOWN.values()]
    rows = [head]
    for name, row in table.iterrows():
        cells = [_number(row[f"{side}_{column}"], column) for side in ("long", "short") for column in SHOWN]
        rows.append([str(name), f"{row['at']:%Y-%m-%d %H:%M}", f"{row['price']:.6g}", *cells])
    return rows


def _number(value: float, column: str) -> str:
    if np.isnan(value):
        return "-"
    if column == "notional":
        return short_number(value)
    return f"{100 * value:.1f} %" if column == "to_open_interest" else f"{value:.2f}"


def _csv(found: Scan) -> str:
    """All rows, those that failed with their reason."""
    return pd.concat([found.table.assign(reason=""), found.failed]).to_csv(index_label="market", lineterminator="\n")


def _page(found: Scan) -> str:
    """One HTML file with the table and the small maps, which asks nobody for anything."""
    import tempfile
    from html import escape

    failed = (
        f"<h2>Failed</h2><div>{found.failed.rename_axis(None).to_html(classes='failed')}</div>"
        if len(found.failed)
        else ""
    )
    maps, height = "", 0
    if found.maps:
        shown = {name: found.maps[name] for name in found.table.index}
        with tempfile.TemporaryDirectory() as folder:
            maps = save(small_maps(shown), Path(folder, "maps.html")).read_text(encoding="utf-8")
        height = 230 * -(-len(shown) // 3) + 40
    count = len(found.table) + len(found.failed)
    return PAGE.format(
        count=count,
        words=EXPLAINED,
        failed=failed,
        height=height,
        maps=escape(maps),
        table=_linked(found.table),
        command=escape(_command(found.table)),
        script=SORT,
    )


def _linked(table: pd.DataFrame) -> str:
    """The table, whose names open the explorer; what they and the notes quote stands as text."""
    from html import escape

    def link(name: str) -> str:
        query = ExplorerState(market=_offered(name)).query()
        return f'<a href="{escape(EXPLORER)}?{escape(query)}">{escape(name)}</a>'

    shown = table.rename_axis(None).map(lambda value: escape(value) if isinstance(value, str) else value)
    shown.index = pd.Index([link(str(name)) for name in table.index])
    return shown.to_html(float_format="{:,.4g}".format, na_rep="-", escape=False, classes="markets")


def _offered(name: str) -> str:
    """What the explorer calls a market: files by their name."""
    return Path(name).name if Path(name).suffix and Path(name).exists() else name


def _command(table: pd.DataFrame) -> str:
    """The command that offers these markets; the embedded ones are there in any case."""
    embedded = set(examples().index)
    return shlex.join(["liqlab", "explore", *(str(name) for name in table.index if name not in embedded)])
