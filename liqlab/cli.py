"""The command line: ``liqlab report`` runs the notebooks and builds the site, ``liqlab page`` makes one file."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from liqlab.cli_data import app as data
from liqlab.cli_fetch import fetch

app = typer.Typer(
    help="Research notebook kit for crypto liquidation heatmaps. Education, not advice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data, name="data")
app.command()(fetch)

Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        "-p",
        metavar="NAME=VALUE",
        help="Set a notebook's parameter; the value is read as YAML. Repeat for several. With several pages, each "
        "parameter goes to those pages that have it; at least one must.",
    ),
]
Notebooks = Annotated[
    Path | None, typer.Option(help="Folder of the notebooks.", show_default="those that come with liqlab")
]


def _version(asked: bool) -> None:
    if asked:
        from liqlab import __version__

        print(__version__)
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")]


@app.callback()
def main(version: Version = False) -> None:
    """Research notebook kit for crypto liquidation heatmaps. Education, not advice."""


@app.command()
def report(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="NAME",
            help="Run only this page (a notebook's or a case's name). Repeat for several. The other pages stay as the "
            "last report made them: it keeps its executed notebooks in OUTPUT/_notebooks.",
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder of the site; replaced when all went well.")] = Path("site"),
    parameter: Parameters = None,
    jobs: Annotated[int | None, typer.Option(help="Notebooks run at once.", show_default="one per core")] = None,
    notebooks: Notebooks = None,
    every: Annotated[bool, typer.Option("--all", help="Run unchanged pages as well.")] = False,
) -> None:
    """Run the notebooks from the first cell to the last and build a site of them that opens from the disk.

    A page is run again where its notebook, parameters, data, the package or its libraries have changed.

    A notebook that fails fails the command, is kept for reading in OUTPUT-failed, and leaves the old site untouched.
    """
    from liqlab.report import ReportError, build_site

    try:
        rows = build_site(output, only=only or (), parameters=parameter or (), jobs=jobs, notebooks=notebooks,
                          rerun=every)  # fmt: skip
    except ReportError as error:
        _fail(error)
    width = max(len(row["page"]) for row in rows)
    print(f"{'page':<{width}}  seconds  size [kB]")
    for row in rows:
        seconds = "kept" if row["seconds"] is None else f"{row['seconds']:.1f}"
        print(f"{row['page']:<{width}}  {seconds:>7}  {row['bytes'] / 1000:>9,.0f}")
    site = output.expanduser().resolve()
    whole = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    ran = [row["seconds"] for row in rows if row["seconds"] is not None]
    print(f"\n{len(rows)} pages, {len(ran)} run in {sum(ran):.0f} s of work, the site {whole / 1e6:.1f} MB")
    print(site / "index.html")


@app.command()
def page(
    name: Annotated[str, typer.Argument(metavar="NOTEBOOK|CASE", help="A page's name, or a path to .ipynb or .yml.")],
    output: Annotated[Path | None, typer.Option(help="File to write.", show_default="NAME.html")] = None,
    parameter: Parameters = None,
    notebooks: Notebooks = None,
) -> None:
    """Run one notebook and write it as one HTML file with everything in it, to hand on."""
    from liqlab.report import ReportError, build_page

    try:
        path = build_page(name, output, parameters=parameter or (), notebooks=notebooks)
    except ReportError as error:
        _fail(error)
    print(f"{path}  ({path.stat().st_size / 1e6:.1f} MB)")


def _fail(error: Exception) -> NoReturn:
    typer.echo(f"error: {error}", err=True)
    raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
