"""The explorer's markets and their maps: what it may open, and what is kept so that the next picture comes soon."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from liqlab.app.one_market import Call, open_market
from liqlab.engine.kept_states import KeptStates
from liqlab.engine.shared_run import ledger_run
from liqlab.loaders import examples
from liqlab.loaders.store import listing
from liqlab.maps.heatmaps import FACTORS, MAX_BINS, round_number, shown_by
from liqlab.market.clock import nanoseconds, timeframe_of
from liqlab.market.market import Market
from liqlab.market.resample import bar_opens, next_open, origin_of
from liqlab.models._assumptions import Assumptions

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Catalogue", "Seen", "step_for"]

MAX_LEDGERS, MAX_MAPS, MAX_MARKETS = 2, 12, 6


class Seen(NamedTuple):
    """What a screen shows of a market: a range of time and of prices, and how many pixels there are for it."""

    start: pd.Timestamp
    end: pd.Timestamp
    low: float
    high: float
    wide: int = 900
    tall: int = 400


class Catalogue:
    """What may be opened by name, and the maps that were made of it; shared by all sessions, which only read.

    Parameters
    ----------
    given : mapping of name to market, optional
        Markets, or paths and dicts as `liqlab.scan` takes them; nothing else on the disk is opened.
    store : path, optional
        Folder of the store.
    every_example : bool
        Offer the embedded examples and what the store holds as well.
    """

    def __init__(
        self, given: Mapping[str, Any] | None = None, store: Any = None, *, every_example: bool = True
    ) -> None:
        self._given, self._store = dict(given or {}), store
        self._examples = [str(name) for name in examples().index] if every_example else []
        self._stored = _stored(store) if every_example else {}
        self._markets: OrderedDict[str, Market] = OrderedDict()
        self._ledgers: OrderedDict[tuple[str, Assumptions], KeptStates] = OrderedDict()
        self._maps: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._lock = RLock()

    def names(self) -> dict[str, list[str]]:
        """Names by where they are from."""
        found = {"given": list(self._given), "embedded": self._examples, "stored": list(self._stored)}
        return {group: names for group, names in found.items() if names}

    def market(self, name: str) -> Market:
        """The market of a name.

        Raises
        ------
        ValueError
            A name that was not offered, or what `liqlab.read` and `liqlab.load` refuse.
        """
        every = [each for names in self.names().values() for each in names]
        if name not in every:
            raise ValueError(f"no market is called {name[:80]!r} here; there are {', '.join(every[:6])} …, or name it "
                             "when the explorer is started")  # fmt: skip
        with self._lock:
            if name not in self._markets:
                self._markets[name] = self._opened(name)
            self._markets.move_to_end(name)
            while len(self._markets) > MAX_MARKETS:
                self._markets.popitem(last=False)
            return self._markets[name]

    def with_market(self, name: str, market: Market) -> Catalogue:
        """A catalogue that offers one market more, for one session alone."""
        other = Catalogue({**self._given, name: market}, self._store, every_example=False)
        other._examples, other._stored = self._examples, self._stored
        return other

    def _opened(self, name: str) -> Market:
        nothing = Assumptions()
        if name in self._stored:
            symbol, exchange, timeframe = self._stored[name]
            return open_market(Call(symbol, nothing, exchange=exchange, timeframe=timeframe, store=self._store))
        return open_market(Call(self._given.get(name, name), nothing))

    def ledger(self, name: str, assumptions: Assumptions) -> KeptStates:
        """The ledger of a market under assumptions, with the states that were kept of it."""
        market, key = self.market(name), (name, assumptions)
        with self._lock:
            if key not in self._ledgers:
                while len(self._ledgers) >= MAX_LEDGERS:
                    self._ledgers.popitem(last=False)
                self._ledgers[key] = KeptStates(ledger_run(market, assumptions).inputs)
            self._ledgers.move_to_end(key)
            return self._ledgers[key]

    def heatmap(
        self, name: str, assumptions: Assumptions, seen: Seen, *, lookback: str | None = None, by_leverage: bool = False
    ) -> xr.Dataset:
        """The map of what is seen, at the resolution of its screen: that of `liqlab.heatmap` with the same range and
        steps, bit for bit."""
        look = steps_of(self.market(name), seen)
        key = (name, assumptions, lookback, by_leverage, *look.values())
        with self._lock:
            if key in self._maps:
                self._maps.move_to_end(key)
                return self._maps[key]
        ledger = self.ledger(name, assumptions)
        for other in list(self._ledgers.values()) if by_leverage else []:
            if other is not ledger:
                other.forget_apart()
        heat = shown_by(ledger, self.market(name), lookback=lookback, by_leverage=by_leverage, **look)
        with self._lock:
            if by_leverage:  # ten times as large
                for old in [each for each in self._maps if each[3]]:
                    del self._maps[old]
            self._maps[key] = heat
            while len(self._maps) > MAX_MAPS:
                self._maps.popitem(last=False)
        return heat

    def profile(self, name: str, assumptions: Assumptions, at: pd.Timestamp, lookback: str | None = None) -> xr.Dataset:
        """One column that closes at a moment, over prices far enough for clusters of every leverage."""
        market = self.market(name)
        start = max(at - market.step, market.start)
        last = int(market.candles.index.searchsorted(start, side="right")) - 1
        price = float(market.candles["close"].iloc[max(last, 0)])
        look: dict[str, Any] = {"price_range": (0.5 * price, 1.6 * price), "price_step": round_number(5e-4 * price)}
        return shown_by(self.ledger(name, assumptions), market, start, start + market.step, lookback, market.step,
                        **look)  # fmt: skip


def _stored(store: Any) -> dict[str, tuple[str, ...]]:
    """Symbol, exchange and time frame of the candles in the store, by a name."""
    table = listing(store)
    if table.empty:
        return {}
    rows = table.loc[table["kind"] == "candles", ["symbol", "exchange", "timeframe"]].astype(str).to_numpy().tolist()
    return {" ".join(row): tuple(row) for row in rows}


def steps_of(market: Market, seen: Seen) -> dict[str, Any]:
    """Whole columns and bins of what is seen: arguments of `liqlab.heatmap`."""
    step = market.step.as_unit("ns").value
    most = max(seen.wide, 50)
    start, end = max(seen.start, market.start), min(seen.end, market.end)
    if not start < end:
        raise ValueError(f"nothing of this market lies between {seen.start:%Y-%m-%d %H:%M} and "
                         f"{seen.end:%Y-%m-%d %H:%M}; it runs from {market.start:%Y-%m-%d %H:%M} to "
                         f"{market.end:%Y-%m-%d %H:%M}")  # fmt: skip
    span = end - start
    width = step * next((factor for factor in FACTORS if span.as_unit("ns").value <= factor * step * most), FACTORS[-1])
    origin = origin_of(int(nanoseconds(market.candles.index[:1])[0]), step, width)
    first, stop = bar_opens(start.as_unit("ns").value, width, origin), next_open(end.as_unit("ns").value, width, origin)
    low, high = max(seen.low, 1e-12), seen.high
    if not low < high:
        raise ValueError(f"price_range must be (low, high) with 0 < low < high, got ({low:g}, {high:g})")
    return {
        "start": pd.Timestamp(first, unit="ns", tz="UTC"), "end": pd.Timestamp(stop, unit="ns", tz="UTC"),
        "time_step": timeframe_of(pd.Timedelta(width, unit="ns")), "price_range": (low, high),
        "price_step": step_for(high - low, seen.tall),
    }  # fmt: skip


def step_for(span: float, tall: int) -> float:
    """The smallest round step that gives at most `tall` bins.

    >>> step_for(1_000.0, 450), step_for(0.03, 300)
    (2.5, 0.0001)
    """
    least = span / min(max(tall, 50), MAX_BINS)
    power = 10.0 ** np.floor(np.log10(least))
    return float(f"{next(n for n in (1.0, 2.0, 2.5, 5.0, 10.0) if n * power >= least * (1 - 1e-9)) * power:.12g}")
