"""A map that is carried on: bar by bar, saved, and continued, equal to one run over all bars, bit for bit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from liqlab import models
from liqlab.engine.grid import cell_of
from liqlab.engine.ledger import grow, make_workspace, run_steps
from liqlab.engine.records import Columns, Ladder, State, Steps
from liqlab.engine.shared_run import ledger_run
from liqlab.maps.heatmaps import dataset, edges_for, provenance
from liqlab.maps.live_bars import opened_at_of
from liqlab.maps.live_state import read_state, write_state
from liqlab.market import checks
from liqlab.market.arguments import checked
from liqlab.market.clock import nanoseconds
from liqlab.market.market import Market
from liqlab.models import Assumptions, Bar

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Live", "live", "load_live"]

MAX_KEPT = 500  # columns remembered: 20 MB
SPARE = 2_000  # cells of grid, 10 %, kept ready beyond the prices seen


class Kept(NamedTuple):
    """One column of a live map: close of its bar [ns], the bar, notional (side, bin) and balance (side, 2)."""

    close: int
    candle: Mapping[str, float]
    notional: np.ndarray
    balance: np.ndarray


@dataclass
class Memory:
    """What has to be remembered of the bars before, besides the ledger.

    Attributes
    ----------
    close : int
        Close of the last bar [ns].
    step : int
        Time frame [ns].
    volume : ndarray (bar,)
        Running sum of the volume after each of the last 30 days' bars, oldest first [coins].
    bars : int
        Bars seen.
    level : float
        What the model took for the open interest after the last bar [coins].
    open_interest : float
        Last one reported [coins]; NaN before the first.
    stamps : list of int
        The last three moments at which open interest was reported [ns].
    since : list of int
        Bars that opened since the last of them, and their lowest and highest entry cells; empty: none yet.
    """

    close: int
    step: int
    volume: np.ndarray
    bars: int
    level: float
    open_interest: float
    stamps: list[int]
    since: list[int]


class Live:
    """A ledger kept up to date bar by bar. Made by `live` or `load_live`; `update` alone changes it, in place."""

    def __init__(
        self, state: State, ladder: Ladder, memory: Memory, edges: np.ndarray, about: dict[str, Any],
        kept: Iterable[Kept] = (),
    ) -> None:  # fmt: skip
        self._ladder, self._memory, self._edges, self._about = ladder, memory, edges, about
        self._workspace = make_workspace(state, ladder, edges)
        self._shown = run_steps(
            self._workspace, _still(state, memory, ladder), self._column(1), same_bar_share=self._same_bar_share
        )
        self._last: dict[str, float] = about["last"]
        self._kept: deque[Kept] = deque(kept, maxlen=MAX_KEPT)
        if not self._kept:
            self._keep()

    @property
    def close_time(self) -> pd.Timestamp:
        """Close of the last bar, UTC."""
        return pd.Timestamp(self._memory.close, unit="ns", tz="UTC")

    @property
    def notional(self) -> np.ndarray:
        """Estimated notional [quote] by side and bin, after the last bar."""
        return self._shown.notional[:, 0]

    def update(
        self,
        candle: Mapping[str, float],
        *,
        time: Any = None,
        open_interest: float | None = None,
        mark: tuple[float, float] | None = None,
    ) -> None:
        """Carry the ledger on by one bar that has closed.

        Parameters
        ----------
        candle : mapping or Series
            open, high, low, close [quote], volume [coins]; taker_buy_volume [coins] where known, else half. Its own
            time, under ``time`` or as the name of a row of candles, is the open of the bar.
        time : time-like, optional
            Open of the bar, UTC; default: the candle's own time; where it has none, right after the last bar.
        open_interest : float, optional
            What the exchange reports at the bar's close [coins]; None: nothing new.
        mark : (low, high), optional
            Range of the mark price in the bar [quote]: then it says what is touched.

        Raises
        ------
        ValueError
            A bar that does not come after the last one, opens off the regular step, is the last one again, or is none;
            the ledger stays as it was.
        """
        memory, values = self._memory, checks.bar(candle, open_interest, mark)
        opened_at = opened_at_of(candle, time, memory, self._last)
        own = int(cell_of(values["low"])), int(cell_of(values["high"]))
        bars, low, high = memory.since or (0, *own)
        memory.since = [bars + 1, min(low, own[0]), max(high, own[1])]
        bar = _bar(memory, values, opened_at + memory.step, open_interest)
        flow = models.one_bar(self._about["model"])(bar, **self._about["options"])
        steps = _steps(flow, memory, own, mark, int(self._ladder.tier_version.max()))
        self._make_room(steps)
        self._shown = run_steps(self._workspace, steps, self._column(len(steps)), same_bar_share=self._same_bar_share)
        memory.level, memory.close = float(flow.open_interest[0]), opened_at + memory.step
        if open_interest is not None:
            memory.since = []
        self._last = {"time": float(opened_at)} | {k: values[k] for k in ("open", "high", "low", "close", "volume")}
        self._keep()

    def heatmap(self, n: int | None = None) -> xr.Dataset:
        """The last columns, one for each bar, as `heatmap` gives them.

        Parameters
        ----------
        n : int, optional
            So many; default: all that are remembered, the last 500 bars of the history and of updates, after
            `load_live` those since the file was written.

        Returns
        -------
        xarray.Dataset
            ``notional`` (time, price, side) [quote], estimated.

        Raises
        ------
        ValueError
            Fewer than one, or more than are remembered.
        """
        if n is not None and (
            isinstance(n, bool) or not isinstance(n, int | np.integer) or not 1 <= n <= len(self._kept)
        ):
            raise ValueError(f"n must be a whole number of bars from 1 to the {len(self._kept)} that this live map "
                             f"remembers, got {n!r}; leave it out for all")  # fmt: skip
        kept = list(self._kept)[-(n or len(self._kept)) :]
        record = replace(self._shown, notional=np.stack([x.notional for x in kept], axis=1),
                         balance=np.stack([x.balance for x in kept], axis=2))  # fmt: skip
        stamps = np.array([x.close for x in kept], "datetime64[ns]")
        columns = {name: [x.candle[name] for x in kept] for name in ("open", "high", "low", "close", "volume")}
        frame = pd.DataFrame({**columns, "close_time": stamps}, index=stamps - np.timedelta64(self._memory.step, "ns"))
        return dataset(record, frame, self._edges, None, self._about["attrs"])

    def _keep(self) -> None:
        """Remember the column of the last bar."""
        self._kept.append(Kept(self._memory.close, self._last, self._shown.notional[:, 0].copy(),
                               self._shown.balance[:, :, 0].copy()))  # fmt: skip

    def map(self) -> xr.Dataset:
        """The map after the last bar, as `liquidation_map` gives it.

        Returns
        -------
        xarray.Dataset
            ``notional`` (price, side) [quote], estimated, and the last bar's variables.
        """
        return self.heatmap(1).isel(time=-1)

    def save(self, path: str | Path) -> Path:
        """Write the ledger and what it remembers to one file (.npz); `load_live` reads it.

        Parameters
        ----------
        path : path
            Written under a temporary name first, then renamed.

        Returns
        -------
        Path
        """
        return write_state(path, self._workspace.state, self._ladder, memory=asdict(self._memory), edges=self._edges,
                           about={**self._about, "last": self._last})  # fmt: skip

    def __repr__(self) -> str:
        attrs = self._about["attrs"]
        return (f"Live {attrs['symbol']} on {attrs['exchange']}, {attrs['timeframe']}, model {attrs['model']}: "
                f"{self._memory.bars:,} bars up to {self.close_time:%Y-%m-%d %H:%M} UTC")  # fmt: skip

    @property
    def _same_bar_share(self) -> float:
        return self._about["same_bar_share"]

    def _column(self, steps: int) -> Columns:
        return Columns(np.array([steps - 1]), np.zeros(1, np.int64), self._edges)

    def _make_room(self, steps: Steps) -> None:
        """A wider stretch of the grid where a bar leaves the one at hand."""
        state = self._workspace.state
        low = min(steps.touch_low.min(), steps.entry_low.min())
        high = max(steps.touch_high.max(), steps.entry_high.max())
        if low < state.origin or high >= state.origin + state.entries.shape[2]:
            self._workspace = make_workspace(grow(state, steps, self._ladder, spare=SPARE), self._ladder, self._edges)


@checked()
def live(
    market: Market,
    model: str | None = None,
    *,
    assumptions: Assumptions | Any = None,
    price_range: tuple[float, float] | None = None,
    price_step: float | None = None,
    **options: Any,
) -> Live:
    """Start a map that is carried on bar by bar from a market's history.

    Parameters
    ----------
    market : Market
        The history so far; it warms the ledger.
    model, assumptions, price_range, price_step, **options
        As in `heatmap`; positions open evenly over a bar's range (``entries="spread"``).

    Returns
    -------
    Live
        ``update(candle, …)``, ``heatmap(n)``, ``map()``, ``save(path)``; whatever takes a heatmap takes it as well.

    Assumptions
    -----------
    Those of the model. The tier table in force at the end of the history stays in force, and a bar's own taker-buy
    volume is used, or half, where the history had a coarser one.

    Examples
    --------
    >>> import liqlab as lq
    >>> market = lq.load_example("btc-2024-05").until("2024-05-01")
    >>> ledger = lq.live(market)
    >>> ledger.update({"open": 60_600, "high": 60_700, "low": 60_500, "close": 60_550, "volume": 900.0})
    >>> str(ledger.close_time), ledger.map()["notional"].dims
    ('2024-05-01 00:15:00+00:00', ('price', 'side'))
    """
    assumed = Assumptions.given(assumptions, model, options)
    if assumed.entries != "spread":
        raise ValueError("a live map opens positions evenly over a bar's range; leave entries at 'spread'")
    if market.path is not None:
        raise ValueError("a live map takes one bar at a time and knows no finer path; make the finer candles the "
                         "market's candles, or leave path out (dataclasses.replace(market, path=None))")  # fmt: skip
    models.one_bar(assumed.model)
    inputs = ledger_run(market, assumed).inputs
    candles = market.candles
    edges = edges_for(candles, price_range, price_step)
    state = grow(None, inputs.steps, inputs.ladder, spare=SPARE)
    first = max(len(candles) - MAX_KEPT, 0)
    last_step = np.append(inputs.first[1:], len(inputs.bar))[first:] - 1
    shown = run_steps(make_workspace(state, inputs.ladder, edges), inputs.steps,
                      Columns(last_step, np.zeros(len(last_step), np.int64), edges),
                      same_bar_share=assumed.same_bar_share)  # fmt: skip
    last = {k: float(candles[k].iloc[-1]) for k in ("open", "high", "low", "close", "volume")}
    step = market.step.as_unit("ns").value
    about = {**assumed.record(), "last": last, "attrs": provenance(market, inputs, step, None).attrs()}
    rows = candles.iloc[first:][["open", "high", "low", "close", "volume"]].to_dict("records")
    kept = [Kept(int(opened) + step, {str(x): y for x, y in row.items()}, shown.notional[:, k].copy(),
                 shown.balance[:, :, k].copy())
            for k, (opened, row) in enumerate(zip(nanoseconds(candles.index[first:]), rows, strict=True))]  # fmt: skip
    return Live(state, inputs.ladder, _remember(market, float(inputs.steps.open_interest[-1])), edges, about, kept)


@checked()
def load_live(path: str | Path) -> Live:
    """Read a ledger that `Live.save` wrote, and carry it on.

    Parameters
    ----------
    path : path

    Returns
    -------
    Live

    Raises
    ------
    FileNotFoundError
    ValueError
        Where the file is not what was written, or holds what no live map can be.
    """
    state, ladder, memory, edges, about = read_state(path)
    return Live(state, ladder, Memory(**memory), edges, about)


def _remember(market: Market, level: float) -> Memory:
    """What a history leaves to be remembered; the same sums in the same order as the models take them."""
    step = market.step.as_unit("ns").value
    opens = nanoseconds(market.candles.index)
    close = int(opens[-1]) + step
    window = round(30 * 86_400 * 10**9 / step)
    sums = np.concatenate([[0.0], np.cumsum(market.candles["volume"].to_numpy())])
    known, stamps = float("nan"), np.empty(0, np.int64)
    if market.open_interest is not None:
        stamps = nanoseconds(market.open_interest.index)
        stamps = stamps[stamps <= close]
        if len(stamps):
            known = float(market.open_interest["open_interest"].iloc[len(stamps) - 1])
    cells = cell_of(market.candles[["low", "high"]].to_numpy()[opens >= (stamps[-1] if len(stamps) else opens[0])])
    since = [len(cells), int(cells[:, 0].min()), int(cells[:, 1].max())] if len(cells) else []
    return Memory(close, step, sums[-window - 1 :], len(opens), level, known, [int(x) for x in stamps[-3:]], since)


def _bar(memory: Memory, values: dict[str, float], close: int, open_interest: float | None) -> Bar:
    """The bar as models see it; the memory takes it in."""
    per_day = 86_400 * 10**9 / memory.step
    window = round(30 * per_day)
    memory.volume = np.append(memory.volume, memory.volume[-1] + values["volume"])[-window - 1 :]
    memory.bars += 1
    jump = False
    if open_interest is not None:
        first = not memory.stamps
        memory.stamps = [*memory.stamps, close][-4:]
        jump = first or _hole(memory.stamps, memory.step)
        memory.open_interest = float(open_interest)
    volume, buy = values["volume"], values.get("taker_buy_volume", float("nan"))
    share = buy / volume if volume > 0 else float("nan")
    bars = min(memory.bars, window)
    recent = memory.volume[-1] - (memory.volume[-window - 1] if memory.bars >= window else 0.0)
    return Bar(volume, 0.5 if np.isnan(share) else share, close - memory.close, memory.open_interest, jump,
               memory.since[0] > 1, memory.level, float(recent), bars, per_day)  # fmt: skip


def _hole(stamps: list[int], step: int) -> bool:
    """Did the last stamp come more than twice as late as the one before it did?"""
    if len(stamps) < 3:
        return False
    return stamps[-1] - stamps[-2] > 2 * max(stamps[-2] - stamps[-3], step)


def _steps(
    flow: models.Flow, memory: Memory, own: tuple[int, int], mark: tuple[float, float] | None, tier_version: int
) -> Steps:
    """The bar's step, and one more for openings that a coarser open interest reports only now; as in `steps`."""
    low, high = own
    touch_low, touch_high = (low, high) if mark is None else (int(cell_of(mark[0])), int(cell_of(mark[1])))
    opened, target, n = flow.opened, flow.open_interest, 1
    entry = [(low, high)]
    if flow.late is not None and flow.late.any():
        at_once = np.divide(opened - flow.late, opened, out=np.ones_like(opened), where=opened > 0)
        opened, target, n = np.hstack([opened * at_once, flow.late]), np.array([memory.level, target[0]]), 2
        entry.append((memory.since[1], memory.since[2]))
    lows, highs = np.array(entry).T.copy()
    touch = np.full(n, touch_low), np.full(n, touch_high)
    return Steps(*touch, lows, highs, opened, target, np.full(n, tier_version), flow.fade)


def _still(state: State, memory: Memory, ladder: Ladder) -> Steps:
    """A step in which nothing happens: it touches cells beyond all entries, on both sides."""
    end = state.origin + state.entries.shape[2] - 1
    far = np.array([end + int(ladder.cells.max()) + 1]), np.array([state.origin - int(ladder.cells.max()) - 1])
    return Steps(*far, np.array([end]), np.array([end]), np.zeros((2, 1)), np.array([memory.level]),
                 np.array([int(ladder.tier_version.max())]))  # fmt: skip
