"""``liqlab data``: what the local store holds, and whether every file of it is sound."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="The local store of what was fetched: list what it holds, verify every file.",
                  no_args_is_help=True, add_completion=False)  # fmt: skip

Store = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of the store.", show_default="LIQLAB_STORE, else the user's data folder"),
]


@app.command("list")
def list_(store: Store = None) -> None:
    """One line per series: rows, the range known as complete, holes in it, size."""
    from liqlab.loaders.store import folder, listing

    found = listing(store)
    if found.empty:
        print(f"{folder(store)} holds nothing yet; liqlab fetch fills it")
        return
    rows = [["exchange", "symbol", "kind", "step", "rows", "from", "until", "holes", "MB"]]
    for series in found.to_dict("records"):
        amounts = f"{series['rows']:,}", f"{series['bytes'] / 1e6:.2f}"
        name = [series["exchange"], series["symbol"], series["kind"], series["timeframe"] or "-"]
        rows.append([*name, amounts[0], _day(series["start"]), _day(series["end"]), str(series["holes"]), amounts[1]])
    _print(rows, right=(4, 7, 8))
    print(f"\n{folder(store)}  ({found['bytes'].sum() / 1e6:.1f} MB)")
    if unreadable := int(found["unreadable"].sum()):
        typer.echo(f"{unreadable} file(s) cannot be read; run: liqlab data verify", err=True)
        raise typer.Exit(1)


@app.command()
def verify(store: Store = None) -> None:
    """Read every file and test it; the exit code is 1 where one is wrong."""
    from liqlab.loaders.store import folder
    from liqlab.loaders.store import verify as verified

    found = verified(store)
    for file in found[found["note"] != ""].to_dict("records"):
        print(f"note   {file['file']}: {file['note']}")
    wrong = found[~found["ok"].astype(bool)]
    for file in wrong.to_dict("records"):
        typer.echo(f"WRONG  {file['file']}: {file['problem']}", err=True)
    print(f"{folder(store)}: {len(found)} file(s), {int(found['rows'].sum()):,} rows, {len(wrong)} wrong")
    if len(wrong):
        raise typer.Exit(1)


def _day(stamp: Any) -> str:
    """Without the hour where it is midnight."""
    return f"{stamp:%Y-%m-%d %H:%M}".removesuffix(" 00:00") if isinstance(stamp, datetime) else "-"


def _print(rows: list[list[str]], right: tuple[int, ...]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.rjust(width) if column in right else cell.ljust(width)
                 for column, (cell, width) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        print("  ".join(cells).rstrip())
