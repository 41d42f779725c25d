"""A map that is carried on: bar by bar, saved, and continued, equal to one run over all bars, bit for bit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab import models
from liqlab.engine.grid import cell_of
from liqlab.engine.ledger import grow, make_workspace, run_steps
from liqlab.engine.records import Columns, Ladder, State, Steps
from liqlab.engine.shared_run import ledger_run
from liqlab.maps.datasets import dataset, provenance
from liqlab.maps.heatmaps import edges_for
from liqlab.maps.live_bars import MAX_KEPT, Kept, check_reach, columns_of, kept_of, opened_at_of, steps_of
from liqlab.maps.live_state import LIVE_ENTRIES, read_state, write_state
from liqlab.market import checks
from liqlab.market.arguments import checked
from liqlab.market.clock import nanoseconds
from liqlab.market.market import Market
from liqlab.models import Assumptions, Bars
from liqlab.models._bars import is_hole, window_of

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Live", "live", "load_live"]

SPARE = 2_000  # cells of grid, 10 %, kept ready beyond the prices seen


@dataclass(frozen=True)
class Memory:
    """What has to be remembered of the bars before, besides the ledger.

    Attributes
    ----------
    last : Bars
        The last bar, as models see it.
    volume : ndarray (bar,)
        Running sum of the volume after each of the last 30 days' bars, oldest first [coins].
    count : int
        Bars seen.
    level : float
        What the model took for the open interest after the last bar [coins].
    stamps : list of int
        The last moments, at most four, at which open interest was reported [ns].
    since : list of int
        Bars that opened since the last report before this bar's, and their lowest and highest entry cells.
    """

    last: Bars
    volume: np.ndarray
    count: int
    level: float
    stamps: list[int]
    since: list[int]

    @property
    def close(self) -> int:
        """Close of the last bar [ns]."""
        return int(self.last.close_time[-1])


class Live:
    """A ledger kept up to date bar by bar. Made by `live` or `load_live`; `update` alone changes it, in place."""

    def __init__(
        self, state: State, ladder: Ladder, memory: Memory, edges: np.ndarray, about: dict[str, Any],
        kept: Iterable[Kept] = (),
    ) -> None:  # fmt: skip
        self._ladder, self._memory, self._edges, self._about = ladder, memory, edges, about
        self._model = partial(models.find(about["model"]), **about["options"])
        self._workspace = make_workspace(state, ladder, edges)
        self._shown = run_steps(
            self._workspace, _still(state, ladder), self._column(1), same_bar_share=self._same_bar_share
        )
        self._kept: deque[Kept] = deque(kept, maxlen=MAX_KEPT)
        if not self._kept:
            self._kept.append(kept_of(self._shown, memory.last))

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
        opened_at = opened_at_of(candle, time, memory.last, memory.count)
        grown, bars = _next(memory, values, opened_at + memory.last.step, open_interest)
        flow = self._model(bars)
        steps = steps_of(flow, grown.last, grown.since, memory.level, mark, int(self._ladder.tier_version.max()),
                         ordered=self._about["entries"] == "ordered")  # fmt: skip
        self._make_room(steps)
        self._shown = run_steps(self._workspace, steps, self._column(len(steps)), same_bar_share=self._same_bar_share)
        self._memory = replace(grown, level=float(flow.open_interest[-1]))
        self._kept.append(kept_of(self._shown, grown.last))

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
        record, frame = columns_of(self._shown, self._kept, n)
        return dataset(record, frame, self._edges, None, self._about["attrs"])

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
        return write_state(path, self._workspace.state, self._ladder, memory=vars(self._memory), edges=self._edges,
                           about=self._about)  # fmt: skip

    def __repr__(self) -> str:
        attrs = self._about["attrs"]
        return (f"Live {attrs['symbol']} on {attrs['exchange']}, {attrs['timeframe']}, model {attrs['model']}: "
                f"{self._memory.count:,} bars up to {self.close_time:%Y-%m-%d %H:%M} UTC")  # fmt: skip

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
        As in `heatmap`; of `entries` only ``spread`` and ``ordered``.

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
    if assumed.entries not in LIVE_ENTRIES:
        raise ValueError(f"a live map takes entries {' or '.join(map(repr, LIVE_ENTRIES))}, got {assumed.entries!r}; "
                         "leave it out for the first")  # fmt: skip
    if market.path is not None or market.trades is not None:
        raise ValueError("a live map takes one bar at a time and knows no finer path; make the finer "
                         "candles its own, or leave path and trades out (dataclasses.replace)")  # fmt: skip
    inputs, bars = ledger_run(market, assumed).inputs, Bars.of(market)
    check_reach(partial(models.find(assumed.model), **assumed.options), bars)
    edges = edges_for(market.candles, price_range, price_step)
    state = grow(None, inputs.steps, inputs.ladder, spare=SPARE)
    first = max(len(bars) - MAX_KEPT, 0)
    last_step = np.append(inputs.first[1:], len(inputs.bar))[first:] - 1
    shown = run_steps(make_workspace(state, inputs.ladder, edges), inputs.steps,
                      Columns(last_step, np.zeros(len(last_step), np.int64), edges),
                      same_bar_share=assumed.same_bar_share)  # fmt: skip
    kept = [kept_of(shown, bars.part(k, k + 1), k - first) for k in range(first, len(bars))]
    about = {**assumed.record(), "attrs": provenance(market, inputs, bars.step, None).attrs()}
    memory = _remember(market, bars, float(inputs.steps.open_interest[-1]))
    return Live(state, inputs.ladder, memory, edges, about, kept)


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


def _remember(market: Market, bars: Bars, level: float) -> Memory:
    """What a history leaves to be remembered; the same sums in the same order as `Bars.of` takes them."""
    opens, last = nanoseconds(market.candles.index), bars.part(len(bars) - 1, len(bars))
    sums = np.concatenate([[0.0], np.cumsum(bars.volume)])[-window_of(bars.step) - 1 :]
    stamps = np.empty(0, np.int64)
    if market.open_interest is not None:
        stamps = nanoseconds(market.open_interest.index)
        stamps = stamps[stamps <= last.close_time]
    since = opens >= (stamps[-1] if len(stamps) else opens[0])
    since[-1] = True
    cells = cell_of(market.candles[["low", "high"]].to_numpy()[since])
    return Memory(last, sums, len(bars), level, [int(x) for x in stamps[-4:]],
                  [len(cells), int(cells[:, 0].min()), int(cells[:, 1].max())])  # fmt: skip


def _next(memory: Memory, values: dict[str, float], close: int, open_interest: float | None) -> tuple[Memory, Bars]:
    """The memory after one more bar, but for the level; and the last two bars, as models see them."""
    last, window = memory.last, window_of(memory.last.step)
    volume = np.append(memory.volume, memory.volume[-1] + values["volume"])[-window - 1 :]
    own = int(cell_of(values["low"])), int(cell_of(values["high"]))
    count, low, high = (0, *own) if last.candles_covered[-1] else memory.since
    since, stamps, covered, after_gap = [count + 1, min(low, own[0]), max(high, own[1])], memory.stamps, 0, False
    if open_interest is not None:
        stamps, covered = [*stamps, close][-4:], since[0]
        after_gap = len(stamps) == 1 or (
            len(stamps) > 2 and bool(is_hole(stamps[-1] - stamps[-2], stamps[-2] - stamps[-3], last.step))
        )
    buy = values.get("taker_buy_volume", np.nan)
    share = buy / values["volume"] if values["volume"] > 0 else np.nan
    seen = memory.count + 1
    bars = last.following({
        **values,
        "close_time": close,
        "taker_share": 0.5 if np.isnan(share) else share,
        "recent_volume": volume[-1] - (volume[-window - 1] if seen >= window else 0.0),
        "recent_bars": min(seen, window),
        "open_interest": last.open_interest[-1] if open_interest is None else open_interest,
        "candles_covered": covered,
        "after_gap": after_gap,
    })  # fmt: skip
    return Memory(bars.part(1, 2), volume, seen, memory.level, stamps, since), bars


def _still(state: State, ladder: Ladder) -> Steps:
    """A step in which nothing happens: it touches cells beyond all entries, and no open interest is known in it.

    With the last known one the rounding of the step before could be closed, and the next bar would find other digits.
    """
    end = state.origin + state.entries.shape[2] - 1
    far = np.array([end + int(ladder.cells.max()) + 1]), np.array([state.origin - int(ladder.cells.max()) - 1])
    return Steps(*far, np.array([end]), np.array([end]), np.zeros((2, 1)), np.array([np.nan]),
                 np.array([int(ladder.tier_version.max())]))  # fmt: skip
