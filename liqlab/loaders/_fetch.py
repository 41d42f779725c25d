"""`fetch`: from a symbol to a `Market`, through the store. Only what the store lacks is asked for, month by month.

Nothing unfinished is kept: a bar counts as closed when the venue's clock *and* ours say so. What a venue lacks is
named in a warning; nothing is put in its place.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from typing import Any

import pandas as pd

from liqlab.loaders import filling
from liqlab.loaders import store as shelf
from liqlab.loaders.filling import INSTANTS, Plan
from liqlab.loaders.store.keys import month_file
from liqlab.loaders.store.month import read_notes
from liqlab.market.clock import timedelta
from liqlab.market.extras import require
from liqlab.market.market import Market

__all__ = ["fetch", "fetch_depth"]


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
        The venue could not be read after patient retries. What was fetched is in the store; the same call goes on.

    Warns
    -----
    UserWarning
        Naming what the venue lacks, or does not keep for as long as was asked for.

    Assumptions
    -----------
    - A venue's stamp of open interest is the instant of its snapshot.
    - A hole that three requests do not fill is one of the market's, not of the connection.
    - Contracts of inverse venues that give no coins are turned into coins at the candle's close.

    Notes
    -----
    Keys are read from the environment alone (``LIQLAB_BINANCEUSDM_KEY``, ``…_SECRET``, ``…_PASSWORD``), for
    leverage_tiers where the venue wants one. Proxies and certificates: HTTPS_PROXY, SSL_CERT_FILE, REQUESTS_CA_BUNDLE.
    """
    _require_clients()
    plan = filling.plan(symbol, exchange, timeframe, start, end, kinds, store, volume_unit, archive)
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
    return Market(**tables, symbol=plan.symbol, exchange=exchange, timeframe=timeframe, sources=sources)


def fetch_depth(symbol: str, *, exchange: str = "binanceusdm") -> pd.DataFrame:
    """The order book of this moment, as `cascade` wants it.

    Parameters
    ----------
    symbol : str
        ``BTC/USDT:USDT``.
    exchange : str
        ``binanceusdm``, or the ccxt name of another.

    Returns
    -------
    DataFrame
        side (of the order: ``buy`` bids, ``sell`` asks), price [quote], quantity [coins]; best prices first on each
        side. ``attrs`` carry exchange, symbol and ``fetched`` (UTC).

    Raises
    ------
    ValueError, FetchError
        As `fetch`.
    """
    _require_clients()
    adapter = filling.adapter_of(exchange)
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
        require(library, "lq.fetch")


def _load(plan: Plan, kind: str) -> tuple[pd.DataFrame | None, dict[str, str]]:
    """A stored table of the plan's range, and where it is from; of instants the range's end belongs to it."""
    key, (first, last) = filling.key_of(plan, kind), filling.span_of(plan, kind)
    if not first < last:
        return None, {}
    table = shelf.load(key, first, last, store=plan.store)
    if kind in INSTANTS:
        table = table[table.index <= plan.end]
    if table.empty:
        return None, {}
    note = {"open_interest": f"stamps every {key.timeframe}"}.get(kind, "")
    return table, _source(plan, _origins(plan, kind), note, table)


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
    first, last = filling.span_of(plan, kind)
    found: dict[str, None] = {}
    for start, _ in filling.by_month(first, last):
        notes = read_notes(month_file(filling.key_of(plan, kind), f"{start:%Y-%m}", plan.store)) or {"origins": []}
        for entry in notes["origins"]:
            found[" ".join(str(value) for _, value in sorted(entry["origin"].items()))] = None
    return "; ".join(found)


def _short(plan: Plan, tables: dict[str, Any]) -> list[str]:
    """Tables that begin late or end early, in words: nobody is to take a part for the whole."""
    texts = []
    for kind, table in tables.items():
        if kind == "leverage_tiers" or any(text.startswith(kind) for text in plan.missing_kinds):
            continue
        slack = pd.Timedelta(1, "D") if kind in INSTANTS else pd.Timedelta(0)
        if table.index[0] - plan.start > slack:
            texts.append(f"{kind} of {plan.symbol} on {plan.exchange} begin at {table.index[0]:%Y-%m-%d %H:%M}, asked "
                         f"for from {plan.start:%Y-%m-%d %H:%M}: the venue gave nothing earlier")  # fmt: skip
        step = timedelta(plan.timeframe)
        last = table.index[-1]
        if plan.end - last - step > max(slack, step):
            texts.append(f"{kind} of {plan.symbol} on {plan.exchange} end at {last:%Y-%m-%d %H:%M}, asked for "
                         f"up to {plan.end:%Y-%m-%d %H:%M}: the venue gave nothing later")  # fmt: skip
    return texts
