"""Which bar a live map is given: the next one on its step, or none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from liqlab.maps.arguments import moment_text
from liqlab.market.clock import timeframe_of, utc

if TYPE_CHECKING:
    from liqlab.maps._live import Memory

__all__ = ["opened_at_of"]

OHLCV = ("open", "high", "low", "close", "volume")


def opened_at_of(candle: Mapping[str, Any], time: Any, memory: Memory, last: Mapping[str, float]) -> int:
    """Open of a bar [ns]: as it is told, else right after the last one; refused where it is no next bar."""
    span = memory.close - memory.bars * memory.step, memory.close
    own = next((candle[name] for name in ("time", "timestamp") if name in candle), None)
    if own is None and isinstance(getattr(candle, "name", None), datetime):
        own = candle.name  # type: ignore[attr-defined]
    told = [int(utc(x, name="time", span=span).as_unit("ns").value) for x in (time, own) if x is not None]
    if len(set(told)) > 1:
        raise ValueError(f"time is {moment_text(told[0])}, and the candle's own is {moment_text(told[1])}; pass one")
    if not told:
        if candle["volume"] > 0 and all(float(candle[name]) == last.get(name) for name in OHLCV):
            raise ValueError("candle: it has the very numbers of the last bar, and no time; pass time= if it is "
                             "another")  # fmt: skip
        return memory.close
    opened_at = told[0]
    if opened_at < memory.close:
        again = "it is the last one again" if opened_at == memory.close - memory.step else "it is an earlier one"
        raise ValueError(f"time: the bar opens at {moment_text(opened_at)}, before the last one closed at "
                         f"{moment_text(memory.close)}: {again}; bars come in order, each once")  # fmt: skip
    if (opened_at - memory.close) % memory.step:
        step = timeframe_of(pd.Timedelta(memory.step, unit="ns"))
        raise ValueError(f"time: the bar opens at {pd.Timestamp(opened_at, tz='UTC')}, off the regular step of {step} "
                         f"from {moment_text(memory.close)} on; pass the open of a bar")  # fmt: skip
    return opened_at
