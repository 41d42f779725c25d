"""Prices before and after events, each against its price at the event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.market.arguments import checked
from liqlab.market.clock import nanoseconds, span_of, timedelta, utc
from liqlab.market.market import Market

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["event_windows"]


@checked()
def event_windows(
    market: Market, times: Sequence[Any] | pd.Index | pd.Series, *, before: Any = "24h", after: Any = "24h",
    sign: ArrayLike = 1,
) -> pd.DataFrame:  # fmt: skip
    """Price before and after events, each against its price at the event.

    Parameters
    ----------
    market : Market
    times : sequence of time-like
        Moments [UTC], such as ``decided_at`` of `sweeps`. The price of a moment is the close of the candle that closes
        at it; moments at which no candle closes are left out, as are missing ones (NaT), and both are counted.
    before, after : duration
        How far is looked back and on; whole candles.
    sign : number or sequence of number
        +1 or −1 for each event: the change is multiplied by it, so that rises and falls can be put into one figure.

    Returns
    -------
    DataFrame (offset, event)
        Change [1] since the event, 0 at offset 0; NaN where there is no candle. Columns: the moments.
        ``attrs``: symbol; dropped: number of moments left out; step: length of a candle [s].

    Raises
    ------
    ValueError
        Where no moment is left, or a sign is neither 1 nor −1.

    Examples
    --------
    >>> import liqlab as lq
    >>> market = lq.load_example("btc-2024-05")
    >>> path = lq.event_windows(market, ["2024-05-01 08:30"], before="1h", after="1h")
    >>> len(path), float(path.loc[pd.Timedelta(0)].iloc[0])
    (9, 0.0)
    """
    moments = _moments(market, times)
    if not np.isin(np.asarray(sign), (-1, 1)).all() or np.size(sign) not in (1, len(moments)):
        raise ValueError(f"sign must be 1 or -1, one for all or one for each of the {len(moments)} events, got "
                         f"{sign!r}; leave it out for 1")  # fmt: skip
    signs = np.broadcast_to(np.asarray(sign, float).ravel(), len(moments))
    closes = nanoseconds(market.candles.index) + market.step.as_unit("ns").value
    given = np.asarray(moments.notna())
    stamps = nanoseconds(moments[given])
    at = np.minimum(np.searchsorted(closes, stamps), len(closes) - 1)
    there = closes[at] == stamps
    if not there.any():
        raise ValueError(f"times: no candle of {market.timeframe} closes at any of the {len(moments)} moments; pass "
                         "closes of candles, such as decided_at")  # fmt: skip
    step = int(market.step.as_unit("ns").value)
    offset = np.arange(
        -(timedelta(before).as_unit("ns").value // step), timedelta(after).as_unit("ns").value // step + 1
    )
    wanted = stamps[there] + offset[:, None] * step
    place = np.minimum(np.searchsorted(closes, wanted), len(closes) - 1)
    close = market.candles["close"].to_numpy()
    price = np.where(closes[place] == wanted, close[place], np.nan)
    change = (price / close[at[there]] - 1) * signs[given][there]
    index = pd.TimedeltaIndex((offset * step).astype("timedelta64[ns]"), name="offset")
    table = pd.DataFrame(change, index=index, columns=pd.Index(moments[given][there], name="event"))
    table.attrs.update(symbol=market.symbol, dropped=len(moments) - int(there.sum()), step=step / 1e9)
    return table


def _moments(market: Market, times: Any) -> pd.DatetimeIndex:
    """Moments in UTC, missing ones as NaT."""
    span = span_of(nanoseconds(market.candles.index))
    found = [pd.NaT if x is None or x is pd.NaT else utc(x, name=f"times[{k}]", span=span)
             for k, x in enumerate(times)]  # fmt: skip
    return pd.DatetimeIndex(found, dtype="datetime64[ns, UTC]")
