"""`fetch`: from a symbol to a `Market`, through the store. Only what the store lacks is asked for, month by month.

Nothing unfinished is kept: a bar counts as closed when the venue's clock *and* ours say so. What a venue lacks is
named in a warning; nothing is put in its place.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders import filling, planning
from liqlab.loaders import store as shelf
from liqlab.loaders.completeness import shortfall
from liqlab.loaders.cross_checks import check_turnover
from liqlab.loaders.exchanges import venue_of
from liqlab.loaders.planning import INSTANTS, Plan
from liqlab.loaders.store.keys import month_file
from liqlab.loaders.store.month import read_notes
from liqlab.market.arguments import checked
from liqlab.market.clock import nanoseconds
from liqlab.market.extras import require_installed
from liqlab.market.market import Market
from liqlab.market.technicals import hours_between

__all__ = ["fetch", "fetch_depth"]


@checked()
def fetch(
    symbol: str,
    *,
    exchange: str = "binanceusdm",
    timeframe: str = "5m",
    start: Any,
    end: Any = None,
    kinds: Sequence[str] | None = None,
    store: Any = None,
    progress: bool = True,
    volume_unit: str = "",
    archive: bool = False,
) -> Market:
    """Fetch a market from an exchange, by way of the local store.

    Parameters
    ----------
    symbol : str
        ``BTC/USDT:USDT``, ccxt's spelling.
    exchange : str
        ``binanceusdm``, ``binancecoinm``, or the ccxt name of any other; `capabilities` says what each has.
    timeframe : str
        Of the candles, ``1m`` … ``1d``. Open interest comes in the venue's nearest period that is not coarser.
    start, end : time-like
        Half-open range, UTC if they carry no zone. Without an end: all bars that have closed.
    kinds : sequence of str, optional
        Of candles, open_interest, funding_rate, mark_candles, liquidations, leverage_tiers. Default: all that the
        venue has, but for leverage_tiers, which hold as of today and must be named.
    store : path, optional
        Folder of the store; default LIQLAB_STORE, else the user's data folder.
    progress : bool
        Show bars with rate and remaining time.
    volume_unit : str
        ``coins``, ``contracts`` or ``quote``: what this exchange's candles count, where liqlab does not know.
    archive : bool
        Binance only: past days from its public archive (years of open interest, and fewer requests), the rest from
        the exchange.

    Returns
    -------
    Market
        As `load_example` gives it; `Market.sources` says where each table is from, with the sha256 of its values.

    Raises
    ------
    ValueError
        Symbol, exchange, time frame, kind or range that cannot be; the message says what can.
    FetchError
        The venue could not be read after all retries. What was fetched is in the store; the same call goes on.

    Warns
    -----
    UserWarning
        Naming what the venue lacks, or does not keep for as long as was asked for; rows that are due and did not come
        (how many of how many, and where); open interest that moves by more than was traded.

    Assumptions
    -----------
    - A venue's stamp of open interest is the instant of its snapshot.
    - A hole that three requests do not fill is one of the market's, not of the connection.
    - Where a venue counts both sides of a trade (`venue_units`), half is taken, as the source's note says.
    - A funding rate is for the time since the one before it (``interval_hours``) unless the venue says otherwise.
    - Contracts of inverse venues that give no coins are turned into coins at the candle's close.

    Notes
    -----
    Keys are read from the environment alone (``LIQLAB_BINANCEUSDM_KEY``, ``…_SECRET``, ``…_PASSWORD``), for
    leverage_tiers where the venue wants one. Proxies and certificates: HTTPS_PROXY, SSL_CERT_FILE, REQUESTS_CA_BUNDLE.
    """
    _require_clients()
    plan = planning.plan(symbol, exchange, timeframe, start, end, kinds, store, volume_unit, archive)
    plan = filling.fill(plan, progress=progress)
    tables: dict[str, Any] = {}
    sources: dict[str, dict[str, str]] = {}
    for kind in plan.kinds:
        table, source = _tiers(plan) if kind == "leverage_tiers" else _load(plan, kind)
        if table is not None:
            tables[kind], sources[kind] = table, source
    if "candles" not in tables:
        raise ValueError(
            f"{plan.exchange} has no candles of {plan.symbol} in [{plan.start}, {plan.end}); it may have been listed "
            "later or keep less history: pass a later start, or archive=True for Binance's public archive"
        )
    for text in [*plan.missing_kinds, *_short(plan, tables)]:
        warnings.warn(text, stacklevel=2)
    if "open_interest" in tables:
        check_turnover(tables["candles"], tables["open_interest"], where=f" of {plan.symbol} on {plan.exchange}")
    return Market(**tables, symbol=plan.symbol, exchange=exchange, timeframe=timeframe, sources=sources)


@checked()
def fetch_depth(symbol: str, *, exchange: str = "binanceusdm") -> pd.DataFrame:
    """The order book of this moment, as `cascade` and `liqlab.plot.four_maps` want it.

    Parameters
    ----------
    symbol : str
        ``BTC/USDT:USDT``.
    exchange : str
        ``binanceusdm``, or the ccxt name of another.

    Returns
    -------
    DataFrame
        side (of the resting order: ``bid`` or ``ask``), price [quote], quantity [coins]; best prices first on each
        side. ``attrs`` carry exchange, symbol and ``fetched`` (UTC).

    Raises
    ------
    ValueError, FetchError
        As `fetch`.
    """
    _require_clients()
    adapter = venue_of(exchange)
    link = adapter.connect(exchange)
    item = adapter.instrument(link, symbol)
    table = adapter.depth(link, item)
    table.attrs |= {
        "exchange": exchange,
        "symbol": item.symbol,
        "fetched": f"{pd.Timestamp.now('UTC'):%Y-%m-%dT%H:%M:%SZ}",
    }
    return table


def _require_clients() -> None:
    for library in ("requests", "tenacity", "filelock", "ccxt"):
        require_installed(library, "lq.fetch")


def _load(plan: Plan, kind: str) -> tuple[pd.DataFrame | None, dict[str, str]]:
    """A stored table of the plan's range, and where it is from; of instants the range's end belongs to it."""
    key, (first, last) = planning.key_of(plan, kind), planning.span_of(plan, kind)
    if not first < last:
        return None, {}
    table = shelf.load(key, first, last, store=plan.store)
    if kind in INSTANTS:
        table = table[table.index <= plan.end]
    if table.empty:
        return None, {}
    if kind == "funding_rate":
        table = with_intervals(table)
    notes = [f"stamps every {key.timeframe}"] if kind == "open_interest" else []
    origins, sides = _origins(plan, kind), planning.sides_of(plan, kind)
    if sides:
        notes.append(f"sides: {sides['sides']}")
        _refuse_both_sides(plan, kind, sides["sides"])
    return table, _source(plan, origins, "; ".join(notes), table)


def _refuse_both_sides(plan: Plan, kind: str, sides: str) -> None:
    """Months that were stored with both sides counted cannot stand beside those with one."""
    key = planning.key_of(plan, kind)
    for start, _ in planning.by_month(*planning.span_of(plan, kind)):
        notes = read_notes(month_file(key, f"{start:%Y-%m}", plan.store)) or {"origins": []}
        if any(entry["origin"].get("sides") != sides for entry in notes["origins"]):
            raise ValueError(f"{key}: the month {start:%Y-%m} was stored with both sides of each trade counted, twice "
                             f"what is there; delete {key.folder(plan.store)} and fetch it again")  # fmt: skip


def _tiers(plan: Plan) -> tuple[pd.DataFrame, dict[str, str]]:
    from liqlab.margin import tiers_from_ccxt

    rows = plan.adapter.tiers(plan.session.link, plan.session.item)
    table = tiers_from_ccxt(rows, symbol=plan.symbol, exchange=plan.exchange, as_of=plan.session.now.normalize(),
                            **filling.tier_unit(plan))  # fmt: skip
    return table, _source(plan, plan.offers["leverage_tiers"].origin, "as of the day of fetching", table)


def _source(plan: Plan, origin: str, note: str, table: pd.DataFrame) -> dict[str, str]:
    seal = hashlib.sha256(pd.util.hash_pandas_object(table).to_numpy().astype("<u8").tobytes()).hexdigest()
    return {"exchange": plan.exchange, "origin": origin, "kind": "own", "note": note, "sha256": seal}


def _origins(plan: Plan, kind: str) -> str:
    """Where the stored months come from, each origin once: a month may be from the archive, the next from the venue."""
    first, last = planning.span_of(plan, kind)
    found: dict[str, None] = {}
    for start, _ in planning.by_month(first, last):
        notes = read_notes(month_file(planning.key_of(plan, kind), f"{start:%Y-%m}", plan.store)) or {"origins": []}
        for entry in notes["origins"]:
            told = sorted((name, value) for name, value in entry["origin"].items() if name != "sides")
            found[" ".join(str(value) for _, value in told)] = None
    return "; ".join(found)


def _short(plan: Plan, tables: dict[str, Any]) -> list[str]:
    """Kinds of which rows are missing that are due, in words: nobody is to take a part for the whole."""
    texts = []
    for kind in (kind for kind in plan.kinds if kind != "leverage_tiers"):
        stamps = nanoseconds(tables[kind].index) // 1_000_000 if kind in tables else np.empty(0, np.int64)
        texts.append(shortfall(plan, kind, stamps))
    return [text for text in texts if text]


def with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """The time that each rate is for [h]: as the venue tells it, else since the row before it, rounded to hours.

    After a missing row it is that of the row before, and of the first that of the second; where rows are less than an
    hour apart nothing can be said.
    """
    told = table.get("funding_interval_hours", pd.Series(np.nan, table.index)).astype(float)
    told = told.fillna(hours_between(table.index)).ffill().bfill()
    return table.assign(interval_hours=told) if bool((told > 0).all()) else table
