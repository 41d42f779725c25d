"""``liqlab fetch``: fill the store from the command line."""

from pathlib import Path
from typing import Annotated

import typer


def fetch(
    symbol: Annotated[str, typer.Argument(help="BTC/USDT:USDT, ccxt's spelling.")],
    start: Annotated[str, typer.Option(help="First moment, UTC: 2024-01-01 or '2024-01-01 07:00'.")],
    exchange: Annotated[
        str, typer.Option(help="binanceusdm, binancecoinm or the ccxt name of another.")
    ] = "binanceusdm",
    timeframe: Annotated[str, typer.Option(help="Of the candles: 1m, 5m, 15m, 1h, 1d …")] = "5m",
    end: Annotated[str | None, typer.Option(help="End (not included).", show_default="all that has closed")] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kinds",
            metavar="KIND",
            help="candles, open_interest, funding_rate, mark_candles, liquidations; repeat, or join with commas.",
            show_default="all that the exchange has",
        ),
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder of the store.", show_default="the user's data folder")
    ] = None,
    volume_unit: Annotated[str, typer.Option(help="coins, contracts or quote, where liqlab does not know.")] = "",
    archive: Annotated[bool, typer.Option("--archive", help="Binance: past days from its public archive.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Fetch a market into the local store. Only what is missing is asked for; stop and go on as you like.

    Keys are read from the environment alone, proxies and certificates from the usual variables.
    """
    import warnings

    from liqlab.loaders import filling
    from liqlab.loaders.http import FetchError

    named = [name.strip() for one in kinds for name in one.split(",") if name.strip()] if kinds else None
    try:
        if named and "leverage_tiers" in named:
            raise ValueError("leverage_tiers hold as of today and are not stored; in Python, "
                             "lq.fetch(…, kinds=['candles', 'leverage_tiers']) puts them into the market")  # fmt: skip
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            plan = filling.plan(symbol, exchange, timeframe, start, end, named, store, volume_unit, archive)
            plan = filling.fill(plan, progress=not quiet)
    except KeyboardInterrupt:
        typer.echo("stopped; what was fetched is in the store, the same command goes on there", err=True)
        raise typer.Exit(130) from None
    except (FetchError, ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    for text in [*plan.lacks, *(str(one.message) for one in caught)]:
        typer.echo(f"note: {text}", err=True)
    for row in filling.summary(plan):
        print(f"{row['kind']:<15}{row['rows']:>12,} rows   {row['first']} … {row['last']}")
