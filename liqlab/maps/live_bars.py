"""Which bar a live map is given, the next one on its step or none; and the columns that it remembers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from liqlab.engine.grid import cell_of
from liqlab.engine.inputs import open_interest_path
from liqlab.engine.intrabar import cut_candles
from liqlab.engine.records import Record, Steps
from liqlab.maps.arguments import moment_text
from liqlab.market.clock import timeframe_of, utc
from liqlab.models import Bars, Flow

__all__ = ["MAX_KEPT", "Kept", "check_reach", "columns_of", "kept_of", "opened_at_of", "steps_of"]

OHLCV = ("open", "high", "low", "close", "volume")
CHECKED_BARS = 10  # of a history, on which a model is asked whether it looks further back than a live map remembers
MAX_KEPT = 500  # columns remembered: 20 MB


class Kept(NamedTuple):
    """One column of a live map: its bar, notional (side, bin) and balance (side, 2)."""

    bar: Bars
    notional: np.ndarray
    balance: np.ndarray


def kept_of(shown: Record, bar: Bars, column: int = 0) -> Kept:
    """One column of what a run wrote down, with its bar."""
    return Kept(bar, shown.notional[:, column].copy(), shown.balance[:, :, column].copy())


def columns_of(shown: Record, kept: Sequence[Kept], n: int | None) -> tuple[Record, pd.DataFrame]:
    """The last columns that are remembered, and their bars by their opens."""
    whole = isinstance(n, int | np.integer) and not isinstance(n, bool)
    if n is not None and not (whole and 1 <= n <= len(kept)):
        raise ValueError(f"n must be a whole number of bars from 1 to the {len(kept)} that this live map remembers, "
                         f"got {n!r}; leave it out for all")  # fmt: skip
    last = list(kept)[-(n or len(kept)) :]
    record = replace(shown, notional=np.stack([x.notional for x in last], axis=1),
                     balance=np.stack([x.balance for x in last], axis=2))  # fmt: skip
    closes = np.concatenate([x.bar.close_time for x in last]).astype("datetime64[ns]")
    values = {name: np.concatenate([getattr(x.bar, name) for x in last]) for name in OHLCV}
    opens = closes - np.timedelta64(last[-1].bar.step, "ns")
    return record, pd.DataFrame({**values, "close_time": closes}, index=opens)


def opened_at_of(candle: Mapping[str, Any], time: Any, last: Bars, count: int) -> int:
    """Open of the bar after the last of `count` [ns]: as it is told, else right after; ValueError where it is none."""
    step, close = last.step, int(last.close_time[-1])
    span = close - count * step, close
    own = next((candle[name] for name in ("time", "timestamp") if name in candle), None)
    if own is None and isinstance(getattr(candle, "name", None), datetime):
        own = candle.name  # type: ignore[attr-defined]
    told = [int(utc(x, name="time", span=span).as_unit("ns").value) for x in (time, own) if x is not None]
    if len(set(told)) > 1:
        raise ValueError(f"time is {moment_text(told[0])}, and the candle's own is {moment_text(told[1])}; pass one")
    if not told:
        if candle["volume"] > 0 and all(float(candle[name]) == getattr(last, name)[-1] for name in OHLCV):
            raise ValueError("candle: it has the very numbers of the last bar, and no time; pass time= if it is "
                             "another")  # fmt: skip
        return close
    opened_at = told[0]
    if opened_at < close:
        again = "it is the last one again" if opened_at == close - step else "it is an earlier one"
        raise ValueError(f"time: the bar opens at {moment_text(opened_at)}, before the last one closed at "
                         f"{moment_text(close)}: {again}; bars come in order, each once")  # fmt: skip
    if (opened_at - close) % step:
        width = timeframe_of(pd.Timedelta(step, unit="ns"))
        raise ValueError(f"time: the bar opens at {pd.Timestamp(opened_at, tz='UTC')}, off the regular step of {width} "
                         f"from {moment_text(close)} on; pass the open of a bar")  # fmt: skip
    return opened_at


def check_reach(model: partial[Flow], bars: Bars) -> None:
    """A model says of a bar the same from two bars as from all of them."""
    whole, n = model(bars), len(bars)
    for k in range(max(n - CHECKED_BARS, 1), n):
        two = model(bars.part(k - 1, k + 1))
        for name in ("opened", "open_interest", "late", "fade"):
            seen, known = (np.nan if (x := getattr(flow, name)) is None else x[..., bar]
                           for flow, bar in ((two, -1), (whole, k)))  # fmt: skip
            if not np.array_equal(seen, known, equal_nan=True):
                closed = pd.Timestamp(int(bars.close_time[k]), tz="UTC")
                raise ValueError(f"the model {model.func.__name__!r} cannot be carried on bar by bar: its {name} of "
                                 f"the bar that closes at {closed} depends on more than that bar and the one before "
                                 "it; use what Bars carries, such as recent_volume, or lq.heatmap")  # fmt: skip


def steps_of(
    flow: Flow,
    last: Bars,
    since: Sequence[int],
    level: float,
    mark: tuple[float, float] | None,
    tier_version: int,
    *,
    ordered: bool,
) -> Steps:
    """The last bar's steps, and one more for openings that a coarser open interest reports only now; as in `inputs`.

    `since` holds the bars since the report before, and their lowest and highest cells; `level` is the open interest
    before.
    """
    opened, target = flow.opened[:, -1:], flow.open_interest[-1:]
    liquidating = None if mark is None else (np.array([mark[0]]), np.array([mark[1]]))
    bar, traded, touched, weight = cut_candles(last.open, last.low, last.high, last.close, liquidating, ordered=ordered)
    late = np.zeros_like(opened) if flow.late is None else flow.late[:, -1:]
    at_once = np.divide(opened - late, opened, out=np.ones_like(late), where=opened > 0)
    held = open_interest_path(target, np.array([level]), bar, weight)
    if late.any():
        held = np.full(len(bar), level)
    cells = [cell_of(prices) for prices in (*touched, *traded)]
    parts, fade = opened * weight * at_once, None if flow.fade is None else flow.fade[-1:] * weight
    if late.any():
        ends = cells[0][-1], cells[1][-1], since[1], since[2]
        cells = [np.append(one, end) for one, end in zip(cells, ends, strict=True)]
        parts, held = np.hstack([parts, late]), np.append(held, target)
    low, high, entry_low, entry_high = cells
    return Steps(low, high, entry_low, entry_high, parts, held, np.full(len(held), tier_version), fade)
