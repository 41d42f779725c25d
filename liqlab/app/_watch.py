"""`watch`: alerts as bars close, from exchanges' streams or from a replay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from liqlab.app._alerts import Alert, Events, check_rules, column_of
from liqlab.app.deliveries import delivered, to_stderr, to_terminal
from liqlab.app.rules import USUAL, Rule, rules_of
from liqlab.loaders import follow
from liqlab.market.arguments import checked
from liqlab.market.clock import timedelta
from liqlab.market.market import Market

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["watch"]

COLUMNS = 2  # rules look at the last column and the one before


@checked()
def watch(
    symbol: str | Sequence[str] = "",
    *,
    rules: str | Sequence[str] = USUAL,
    to: Callable[[Alert], object] | Sequence[Callable[[Alert], object]] = to_terminal,
    quiet: Any = "4h",
    exchange: str = "binanceusdm",
    timeframe: str = "5m",
    history: Any = "30d",
    replay: str | Market | None = None,
    speed: float | None = 1.0,
    start: Any = None,
    store: str | Path | None = None,
    tell: Callable[[str], object] | None = None,
    **options: Any,
) -> AsyncIterator[Alert]:
    """Watch markets: an alert when a rule is fulfilled, after the bar that fulfils it, once for each event.

    Parameters
    ----------
    symbol : str or list of str
        ``BTC/USDT:USDT``, ccxt's spelling, one or several of one exchange; with a replay it may be left out.
    rules : str or list of str
        As in `alerts`: ``price within 1% of a cluster of 50M``, ``a cluster of 50M appears``, ``a cluster of 50M is
        swept``, ``coverage falls below 50%``, ``received bars fall below 95%``.
    to : callable or list of callable
        Each takes every alert, before it is yielded: `print`, a function of yours, ``lq.app.to_log("alerts.csv")``,
        ``lq.app.to_command([...])``, ``lq.app.to_webhook("https://…")``; default: its line on the terminal, ``[]``:
        nobody. One that fails is told of, and the watch goes on.
    quiet : timedelta-like
        Quiet time: something that goes on is told once, and again only after it was not so for this long.
    exchange, timeframe, history, replay, speed, start, store, tell, **options
        As in `follow`.

    Returns
    -------
    async iterator
        For ``async for``; close it with ``aclose()`` to stop early.

    Yields
    ------
    Alert
        time, symbol, exchange, rule, side, low, peak, high, notional, price, distance, share, text: the row that
        `alerts` gives of the map with these columns. ``pd.DataFrame([...])`` makes a table of several.

    Raises
    ------
    ValueError
        A rule that is none, or what `follow` refuses.
    FetchError
        Where no market's history can be fetched; of several markets one that fails is told of, the others go on.

    Assumptions
    -----------
    Those of `alerts` and `follow`. The first column is the last of the history: what is so there is told at once. A
    rule is looked at when a bar closes, not between.

    Examples
    --------
    >>> import asyncio
    >>> import liqlab as lq
    >>> async def told():
    ...     market = lq.load_example("btc-2024-05").until("2024-05-01 12:00")
    ...     rules = "a cluster of 400M appears within 8%"
    ...     watching = lq.watch(replay=market, speed=None, start="2024-05-01", rules=rules, to=[])
    ...     return [f"{alert.side}, {alert.time:%H:%M}, price {alert.price:,.0f}" async for alert in watching]
    >>> asyncio.run(told())
    ['long, 09:30, price 57,402']
    """
    wanted, silence = rules_of(rules), timedelta(quiet, "quiet")
    receivers = [to] if callable(to) else list(to)
    symbols = list(dict.fromkeys([symbol] if isinstance(symbol, str) else symbol))
    if not symbols:
        raise ValueError("watch needs a symbol such as BTC/USDT:USDT, or replay='btc-2025-10'; the list is empty")
    if replay is not None and len(symbols) > 1:
        raise ValueError(f"a replay is of one market, got {len(symbols)} symbols; leave symbol out")
    say = tell or to_stderr
    heats = [follow(one, exchange=exchange, timeframe=timeframe, history=history, replay=replay, speed=speed,
                    start=start, columns=COLUMNS, store=store, tell=say, **options) for one in symbols]  # fmt: skip
    if len(heats) == 1:
        return _watched(heats[0], wanted, silence, receivers, say)
    return _all([_watched(heat, wanted, silence, receivers, say) for heat in heats], symbols, say)


async def _watched(
    heats: AsyncIterator[xr.Dataset], rules: Sequence[Rule], quiet: pd.Timedelta,
    to: Sequence[Callable[[Alert], object]], say: Callable[[str], object],
) -> AsyncIterator[Alert]:  # fmt: skip
    """The alerts of one market."""
    events = None
    async for heat in heats:
        rows = [-1]
        if events is None:
            check_rules(rules, heat)
            events = Events(rules, quiet, {name: str(value) for name, value in heat.attrs.items()})
            rows = list(range(-heat.sizes["time"], 0))
        for row in rows:
            for alert in events.take(column_of(heat, row)):
                await asyncio.to_thread(delivered, to, alert, say)
                yield alert


async def _all(
    each: Sequence[AsyncIterator[Alert]], symbols: Sequence[str], say: Callable[[str], object]
) -> AsyncIterator[Alert]:
    """The alerts of several markets as they come; one market's end is told, the last one's error is raised."""
    queue: asyncio.Queue[Alert | BaseException | None] = asyncio.Queue()

    async def pump(alerts: AsyncIterator[Alert], symbol: str) -> None:
        end = None
        try:
            async for alert in alerts:
                queue.put_nowait(alert)
        except Exception as error:  # whatever ends one market does not end the others
            say(f"{symbol}: no longer watched: {error}")
            end = error
        queue.put_nowait(end)

    jobs = [asyncio.ensure_future(pump(one, name)) for one, name in zip(each, symbols, strict=True)]
    try:
        running = len(jobs)
        while running:
            item = await queue.get()
            if isinstance(item, Alert):
                yield item
                continue
            running -= 1
            if item is not None and not running:
                raise item
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
