"""The command line: pages from notebooks, markets fetched, recorded, watched and explored, and what the store holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    help="Research notebook kit for crypto liquidation heatmaps. Education, not advice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data = typer.Typer(
    help="The local store: list what it holds, verify every file.", no_args_is_help=True, add_completion=False
)
app.add_typer(data, name="data")

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
Notebooks = Annotated[Path | None, typer.Option(help="Folder of the notebooks.", show_default="those of liqlab")]
KINDS = "candles, open_interest, funding_rate, mark_candles, liquidations; repeat, or join with commas."
TimeLimit = Annotated[float, typer.Option(help="Longest that one notebook may run [s].")]
OutputLimit = Annotated[float, typer.Option(help="Most that one notebook may show and print [MB].")]
Recorded = Annotated[str, typer.Option(help="binanceusdm, binancecoinm, bybit, okx or hyperliquid.")]
Store = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of the store.", show_default="LIQLAB_STORE, else the user's data folder"),
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
    time_limit: TimeLimit = 1800,
    output_limit: OutputLimit = 50,
) -> None:
    """Run the notebooks from the first cell to the last and build a site of them that opens from the disk.

    A page is run again where its notebook, parameters, data, the package or its libraries have changed.

    A notebook that fails fails the command, is kept for reading in OUTPUT-failed, and leaves the old site untouched.
    """
    from liqlab.loaders.store.printed import lined_up
    from liqlab.report import ReportError, build_site, kernels

    kernels.without_link_grammars()
    with _told(ReportError, OSError):
        rows = build_site(output, only=only or (), parameters=parameter or (), jobs=jobs, notebooks=notebooks,
                          rerun=every, time_limit=time_limit, output_limit=output_limit)  # fmt: skip
    lines = [[row["page"], "kept" if row["seconds"] is None else f"{row['seconds']:.1f}", f"{row['bytes'] / 1000:,.0f}"]
             for row in rows]  # fmt: skip
    print(lined_up([["page", "seconds", "size [kB]"], *lines], right=(1, 2)))
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
    force: Annotated[bool, typer.Option("--force", help="Replace a file that no report has written.")] = False,
    time_limit: TimeLimit = 1800,
    output_limit: OutputLimit = 50,
) -> None:
    """Run one notebook and write it as one HTML file with everything in it, to hand on."""
    from liqlab.report import ReportError, build_page, kernels

    kernels.without_link_grammars()
    with _told(ReportError, OSError):
        path = build_page(name, output, parameters=parameter or (), notebooks=notebooks, force=force,
                          time_limit=time_limit, output_limit=output_limit)  # fmt: skip
    print(f"{path}  ({path.stat().st_size / 1e6:.1f} MB)")


@app.command()
def fetch(
    symbol: Annotated[str, typer.Argument(help="BTC/USDT:USDT, ccxt's spelling.")],
    start: Annotated[str, typer.Option(help="First moment, UTC: 2024-01-01 or '2024-01-01 07:00'.")],
    exchange: Annotated[str, typer.Option(help="binanceusdm, binancecoinm, ccxt's name of another.")] = "binanceusdm",
    timeframe: Annotated[str, typer.Option(help="Of the candles: 1m, 5m, 15m, 1h, 1d …")] = "5m",
    end: Annotated[str | None, typer.Option(help="End (not included).", show_default="all that has closed")] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kinds", metavar="KIND", help=KINDS, show_default="all that the exchange has"),
    ] = None,
    store: Store = None,
    volume_unit: Annotated[str, typer.Option(help="coins, contracts or quote, where liqlab does not know.")] = "",
    archive: Annotated[bool, typer.Option("--archive", help="Binance: past days from its public archive.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Fetch a market into the local store. Only what is missing is asked for; stop and go on as you like.

    The exit code is 3 where rows are due and the exchange did not send them; what came is kept.

    Keys are read from the environment alone, proxies and certificates from the usual variables.
    """
    import warnings

    from liqlab.loaders import filling, planning
    from liqlab.loaders.completeness import summary
    from liqlab.loaders.http import FetchError

    named = [name.strip() for one in kinds for name in one.split(",") if name.strip()] if kinds else None
    goes_on = "what was fetched is in the store, the same command goes on there"
    with _told(FetchError, ValueError, OSError, stopped=goes_on):
        if named and "leverage_tiers" in named:
            raise ValueError("leverage_tiers hold as of today and are not stored; in Python, "
                             "lq.fetch(…, kinds=['candles', 'leverage_tiers']) puts them into the market")  # fmt: skip
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            plan = planning.plan(symbol, exchange, timeframe, start, end, named, store, volume_unit, archive)
            plan = filling.fill(plan, progress=not quiet)
    for text in [*plan.missing_kinds, *(str(one.message) for one in caught)]:
        typer.echo(f"note: {text}", err=True)
    rows = summary(plan)
    for row in rows:
        print(f"{row['kind']:<15}{row['rows']:>12,} rows   {row['first']} … {row['last']}")
    if short := [row["short"] for row in rows if row["short"]]:
        for text in short:
            typer.echo(f"short: {text}", err=True)
        raise typer.Exit(3)


@app.command()
def record(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="BTC/USDT:USDT, ccxt's spelling.")],
    exchange: Recorded = "binanceusdm",
    store: Store = None,
    depth: Annotated[bool, typer.Option(help="Order books once a minute, summed up by distance.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No status line.")] = False,
    seconds: Annotated[float | None, typer.Option(help="Stop after so long [s].", show_default="at Ctrl-C")] = None,
) -> None:
    """Record forced orders, 1m candles with taker side, mark price, open interest, funding and depth into the store.

    Ctrl-C ends it cleanly; after a crash the same command goes on. What was not seen stays a hole in the store, candles
    apart: the exchange is asked for those. In Python, lq.load(SYMBOL, exchange=…) gives the market.
    """
    from liqlab.loaders.http import Failure, FetchError
    from liqlab.loaders.recording import record as run

    with _told(FetchError, Failure, ValueError, OSError, ImportError):
        done = run(symbols, exchange, store=store, depth=depth, quiet=quiet, seconds=seconds)
    forced = sum(tape.forced for tape in done.tapes.values())
    typer.echo(f"stopped; {forced:,} forced orders of {len(done.tapes)} symbol(s) are in the store", err=True)


@app.command()
def watch(
    symbols: Annotated[list[str] | None, typer.Argument(metavar="[SYMBOL...]", help="None with --replay.")] = None,
    exchange: Recorded = "binanceusdm",
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="WORDS",
            help="'price within 1% of a cluster of 50M', 'a cluster of 50M appears within 5%', 'a cluster of 50M is "
            "swept', 'coverage falls below 50%', 'received bars fall below 95%'. Repeat for several.",
            show_default="clusters of any size, received bars below 95%",
        ),
    ] = None,
    quiet_time: Annotated[str, typer.Option(help="Told again after it was not so for this long.")] = "4h",
    timeframe: Annotated[str, typer.Option(help="Of the bars: 1m, 5m, 15m …")] = "5m",
    history: Annotated[str, typer.Option(help="How much is fetched first.")] = "30d",
    model: Annotated[str, typer.Option(help="A name of lq.models.names(), such as open_interest.")] = "open_interest",
    replay: Annotated[str | None, typer.Option(metavar="CASE", help="An embedded case instead of a stream.")] = None,
    speed: Annotated[float, typer.Option(help="Of a replay: its seconds in a second; 0 does not wait.")] = 600,
    start: Annotated[str | None, typer.Option(help="Where a replay begins, UTC.", show_default="its last day")] = None,
    log: Annotated[Path | None, typer.Option(help="CSV table to which every alert is appended.")] = None,
    command: Annotated[
        str | None, typer.Option(help="Program that gets each alert as its last argument; no shell reads it.")
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option(
            envvar="LIQLAB_WEBHOOK", metavar="URL", help="https address to which each alert is posted as JSON."
        ),
    ] = None,
    store: Store = None,
) -> None:
    """Watch markets and tell, after each bar, which rules their maps fulfil. Every cluster is estimated.

    Ctrl-C ends it. Nothing is recorded: liqlab record does that, beside it. Without symbols, --replay plays a case.
    """
    from liqlab.app.running import run
    from liqlab.loaders.http import Failure, FetchError

    with _told(FetchError, Failure, ValueError, OSError, ImportError):
        count = run(symbols or [], to=(log, command, webhook), rules=rule, quiet=quiet_time, exchange=exchange,
                    timeframe=timeframe, history=history, replay=replay, speed=speed, start=start, store=store,
                    model=model)  # fmt: skip
    typer.echo(f"ended; {count} alert(s)", err=True)


@app.command()
def scan(
    markets: Annotated[list[str] | None, typer.Argument(help="Embedded cases, files, symbols in the store.")] = None,
    examples: Annotated[bool, typer.Option("--examples", help="All embedded cases.")] = False,
    model: Annotated[str, typer.Option(help="A name of lq.models.names(), such as open_interest.")] = "open_interest",
    at: Annotated[str | None, typer.Option(help="What was known then, UTC.", show_default="the end")] = None,
    sort: Annotated[str | None, typer.Option(help="Column, the smallest first; -COLUMN: the largest first.")] = None,
    output: Annotated[list[Path] | None, typer.Option("--output", "-o", help=".csv or .html; repeat.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes here.", show_default="one per core")] = None,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler of your own.")] = None,
    exchange: Annotated[str, typer.Option(help="Of symbols in the store.")] = "binanceusdm",
    timeframe: Annotated[str, typer.Option(help="Of symbols in the store: 1m, 5m, 15m …")] = "5m",
    store: Store = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Scan many markets: the nearest estimated clusters of each side, their distance and size. No network.

    What a market fails with is told, and stops no other; the exit code is 3 where one failed.
    """
    from liqlab.app.scan_report import printed, run
    from liqlab.loaders.store.printed import lined_up

    with _told(ValueError, TypeError, OSError, ImportError):
        found = run(markets or [], examples, output or [], sort, model=model, at=at, workers=workers, store=store,
                    scheduler=scheduler, exchange=exchange, timeframe=timeframe, progress=not quiet)  # fmt: skip
    print(lined_up(printed(found.table), right=range(2, 13)))
    for name, reason in found.failed["reason"].items():
        typer.echo(f"failed: {name}: {reason}", err=True)
    if len(found.failed):
        raise typer.Exit(3)


@app.command()
def explore(
    markets: Annotated[list[str] | None, typer.Argument(help="Embedded cases, files, stored symbols.")] = None,
    port: Annotated[int, typer.Option(help="Where it listens.")] = 5006,
    address: Annotated[str, typer.Option(help="This machine alone; elsewhere, no password asked.")] = "127.0.0.1",
    origin: Annotated[list[str] | None, typer.Option(metavar="HOST:PORT", help="Page that may open it.")] = None,
    show: Annotated[bool, typer.Option(help="Open the browser.")] = True,
    store: Store = None,
) -> None:
    """Explore maps in a browser: markets, windows, models, laws; what is zoomed to is drawn anew from the ledger.

    It asks no other host. Besides the markets named, the embedded cases and the store, nothing can be opened from it
    but a file that its reader uploads. Ctrl-C ends it. In JupyterLab, lq.explore(market) shows the same.
    """
    from liqlab.app.explorer_server import serve

    with _told(ValueError, TypeError, OSError, ImportError):
        serve(markets or [], address=address, port=port, origins=origin or [], store=store, show=show)


@data.command("list")
def list_(store: Store = None) -> None:
    """One line per series: rows, the range known as complete, holes in it, size."""
    from liqlab.loaders.store import folder, listing
    from liqlab.loaders.store.inspection import strangers
    from liqlab.loaders.store.printed import lined_up, series_rows

    with _told(ValueError):
        found = listing(store)
    if found.empty and (strange := strangers(store)):
        _fail(f"{folder(store)} holds {len(strange)} parquet file(s), none where the store keeps its own, first "
              f"{strange[0]}; liqlab data verify names the layout. Move them away, or pass --store")  # fmt: skip
    if found.empty:
        print(f"{folder(store)} holds nothing yet; liqlab fetch fills it")
        return
    print(lined_up(series_rows(found), right=(4, 7, 8)), f"\n\n{folder(store)}  ({found['bytes'].sum() / 1e6:.1f} MB)")
    if unreadable := int(found["unreadable"].sum()):
        typer.echo(f"{unreadable} file(s) cannot be read; run: liqlab data verify", err=True)
        raise typer.Exit(1)


@data.command()
def verify(store: Store = None) -> None:
    """Read every file and test it; the exit code is 1 where one is wrong."""
    from liqlab.loaders.store import folder
    from liqlab.loaders.store import verify as verified

    with _told(ValueError):
        found = verified(store)
    for file in found[found["note"] != ""].to_dict("records"):
        print(f"note   {file['file']}: {file['note']}")
    wrong = found[~found["ok"].astype(bool)]
    for file in wrong.to_dict("records"):
        typer.echo(f"WRONG  {file['file']}: {file['problem']}", err=True)
    print(f"{folder(store)}: {len(found)} file(s), {int(found['rows'].sum()):,} rows, {len(wrong)} wrong")
    if len(wrong):
        raise typer.Exit(1)


@contextmanager
def _told(*refusals: type[Exception], stopped: str = "") -> Iterator[None]:
    """These errors end a command in words; Ctrl-C ends it with those of `stopped`."""
    try:
        yield
    except KeyboardInterrupt:
        if stopped:
            typer.echo(f"stopped; {stopped}", err=True)
        raise typer.Exit(130) from None
    except refusals as error:
        _fail(error)


def _fail(error: Exception | str) -> NoReturn:
    typer.echo(f"error: {error}", err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
