"""Many markets in one table: where their nearest clusters are, and how much stands in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from liqlab.app.dask_pool import on_dask
from liqlab.app.local_pool import on_this_machine
from liqlab.app.one_market import NUMBERS, Answer, Call, moment_of
from liqlab.market.arguments import at_least, checked
from liqlab.market.clock import timedelta, timeframe_of
from liqlab.market.market import Market
from liqlab.models._assumptions import Assumptions

__all__ = ["Scan", "scan"]


@dataclass(frozen=True, eq=False)
class Scan:
    """What a scan found.

    Attributes
    ----------
    table : DataFrame (market,)
        A row per market that could be read, in the order given; columns as told in `scan`.
    failed : DataFrame (market,)
        reason: why the others could not.
    maps : dict of name to Dataset
        A small heatmap of each row of `table`, around its last price; `liqlab.plot.small_maps` draws them.
    """

    table: pd.DataFrame
    failed: pd.DataFrame
    maps: dict[str, Any]

    def __repr__(self) -> str:
        return f"Scan of {len(self.table)} market(s), {len(self.failed)} failed: .table, .failed, .maps"

    def _repr_html_(self) -> str:
        parts = [self.table.to_html(float_format="{:,.4g}".format)]
        parts += [f"<p>{len(self.failed)} failed:</p>", self.failed.to_html()] if len(self.failed) else []
        return "\n".join(parts)


@checked()
def scan(
    markets: Any,
    model: str | None = None,
    *,
    assumptions: Assumptions | Any = None,
    at: Any = None,
    window: Any = "7d",
    time_step: Any = "1h",
    workers: int | None = None,
    scheduler: str | None = None,
    exchange: str = "binanceusdm",
    timeframe: str = "5m",
    store: Any = None,
    progress: bool = True,
    **options: Any,
) -> Scan:
    """Scan many markets: the nearest cluster of each side, its distance, its size, and what the map rests on.

    Each market is one task of a process of its own. A task that fails for lack of memory, or whose process ends, is
    tried once more; data that are refused are not. A market that fails is a row of ``failed`` and stops no other.

    Parameters
    ----------
    markets : sequence or mapping of name to market
        Each a name of `examples`, a path as `read` takes it, a Market, a symbol of the store in ccxt's spelling, or a
        dict with the arguments of `read`. Those of a sequence are named by themselves.
    model, assumptions, **options
        As in `heatmap`, the same for all markets.
    at : time-like, optional
        UTC: what was known then; default: each market's own end, which the table names.
    window : duration
        Of the small maps, and of the columns that the average true range is made of.
    time_step : duration
        Width of those columns; at least one candle, in whole candles.
    workers : int, optional
        Processes on this machine, each on one core; default: as many as it has cores.
    scheduler : str, optional
        Address of a Dask scheduler, ``tcp://host:8786``, whose workers are used instead (extra ``scan``). They need
        liqlab, and the files where the paths say. Who can reach a scheduler can run code on it: use one of your own.
    exchange, timeframe, store : optional
        Of symbols in the store, as in `load`.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Scan
        ``table``, ``failed`` and ``maps``. Columns of the table: symbol, exchange, timeframe; at (close of the last
        candle); price [quote]; atr [quote] of columns of atr_step; open_interest [quote] and open_interest_from (own,
        ``proxy: venue``, or not used by the model); daily_volume [quote per day]; funding_8h_percent [% per 8 h]. For
        each side, such as ``long_…``: price [quote] of the nearest cluster's peak; distance_percent [%] and
        distance_atr [1] from the last price to its near edge, 0 inside, negative below; notional [quote], *estimated*;
        to_open_interest and to_daily_volume: notional ÷ these [1]; confluence [0..1]; coverage [0..1], the share of the
        open interest whose entries the map knows. notes: what liqlab warned of. NaN: there is no such cluster, or the
        number is not known.

    Raises
    ------
    ValueError, TypeError
        No market, a name twice, or assumptions that no market could be mapped with.
    ImportError, ConnectionError
        Of the scheduler: Dask is not installed; nobody answers there.

    Assumptions
    -----------
    - Nearest: the cluster of `clusters` whose edge is nearest, broad blocks left out.
    - Confluence: that of `confluence` over the classes of leverage, the largest within the cluster.
    - Daily volume: the mean over the last seven days, of volume × close of each bar; unknown for less than a day.
    - Open interest and funding are the last ones by then, unknown where they are older than a day.
    - Venues count differently and markets end at different moments: rows are comparable as far as these are.

    Examples
    --------
    >>> import liqlab as lq
    >>> found = lq.scan(["btc-2024-05", "no-such-market"], workers=1, progress=False)
    >>> found
    Scan of 1 market(s), 1 failed: .table, .failed, .maps
    >>> float(found.table["price"]["btc-2024-05"])  # the last close
    67577.9
    >>> found.failed["reason"]["no-such-market"]
    "no example, file or stored symbol is called 'no-such-market'; lq.examples() lists the examples, ..."
    """
    named = _named(markets)
    if workers is not None:
        at_least(1, workers=workers)
    assumed = Assumptions.given(assumptions, model, options)
    spans = {
        name: timeframe_of(timedelta(value, name)) for name, value in (("window", window), ("time_step", time_step))
    }
    calls = {name: Call(market, assumed, at=moment_of(at), **spans, exchange=exchange, timeframe=timeframe, store=store)
             for name, market in named.items()}  # fmt: skip
    count = workers or os.cpu_count() or 1
    answers = on_this_machine(calls, count) if scheduler is None else on_dask(calls, scheduler)
    return _gathered(dict(_counted(answers, len(calls), progress)), list(calls))


def _counted(answers: Iterator[tuple[str, Answer]], total: int, progress: bool) -> Iterator[tuple[str, Answer]]:
    from tqdm import tqdm

    return iter(tqdm(answers, total=total, desc="markets", unit="market", disable=not progress))


def _named(markets: Any) -> dict[str, Any]:
    """Markets by name."""
    if isinstance(markets, Mapping) and not hasattr(markets, "candles"):
        pairs = [(str(name), market) for name, market in markets.items()]
    elif isinstance(markets, (str, Path, Market)) or not isinstance(markets, Sequence | pd.Index | np.ndarray):
        raise TypeError(f"markets must be a list, or a mapping of name to market, got {type(markets).__name__}; put "
                        "one market into brackets, [market]")  # fmt: skip
    else:
        pairs = [(_name_of(each), each) for each in markets]
    for name, each in pairs:
        if not isinstance(each, (str, Path, Market, dict)):
            raise TypeError(f"markets[{name!r}] must be the name of an example, a path, a Market, a symbol or a dict "
                            f"with the arguments of lq.read, got {type(each).__name__}")  # fmt: skip
    if not pairs:
        raise ValueError("markets is empty; pass names such as 'btc-2024-05', paths or Markets")
    names = [name for name, _ in pairs]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ValueError(f"markets holds {twice[0]!r} more than once; give each a name of its own, "
                         "{'name': market, …}")  # fmt: skip
    return dict(pairs)


def _name_of(market: Any) -> str:
    if isinstance(market, Market):
        return " ".join(filter(None, [market.symbol, market.exchange, market.timeframe]))
    return str(market["candles"] if isinstance(market, dict) and "candles" in market else market)


def _gathered(answers: Mapping[str, Answer], names: Sequence[str]) -> Scan:
    """The tables, in the order in which the markets were named."""
    fine = [name for name in names if not answers[name].reason]
    rows = [{**answers[name].row, "notes": "; ".join(answers[name].notes)} for name in fine]
    words = ["symbol", "exchange", "timeframe", "at", "atr_step", "open_interest_from"]
    table = pd.DataFrame(rows, index=pd.Index(fine, name="market", dtype=object),
                         columns=None if rows else [*words, *NUMBERS, "notes"])  # fmt: skip
    bad = [name for name in names if answers[name].reason]
    failed = pd.DataFrame({"reason": [answers[name].reason for name in bad]},
                          index=pd.Index(bad, name="market", dtype=object))  # fmt: skip
    return Scan(table, failed, {name: answers[name].small for name in fine})
