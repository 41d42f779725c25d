"""Told stories against data: levels that somebody named, stretches of time, and how often a pattern came to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.maps.arguments import check_same_market, column_at, estimated
from liqlab.maps.stacking import one_heatmap
from liqlab.maps.tables import expected_liquidations
from liqlab.market.arguments import Table, checked
from liqlab.market.clock import between, nanoseconds, span_of, timedelta, utc
from liqlab.market.market import Market
from liqlab.market.provenance import Provenance
from liqlab.models import Assumptions
from liqlab.zones._clusters import clusters

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["compare_levels", "frozen_maps", "summarise_periods", "swing_sweeps"]


@checked(path=Table("market.candles", "low high", times=True))
def compare_levels(
    heat: xr.Dataset, path: pd.DataFrame, expected: Sequence[Sequence[float]], *, moments: Sequence[Any], width: float
) -> pd.DataFrame:
    """Levels that somebody named, against our map at some moments and against the price that came after.

    Parameters
    ----------
    heat : Dataset
        From `liqlab.heatmap`; its bins should be narrower than `width`.
    path : DataFrame (time,)
        Candles (low, high) to look for touches; it may run on after the heatmap.
    expected : sequence of (price, size)
        The named levels [quote] and the sizes expected there, in whatever unit they came.
    moments : sequence of time-like
        When our map is frozen; the last one is when the levels were read.
    width : float
        Width of a named level [quote]: a level is a bucket centred on its price.

    Returns
    -------
    DataFrame (price,)
        expected; one column ``map HH:MM`` per moment (with its day where two are of the same time of day): our
        notional in the bucket [quote]; in_bucket: first candle between the first and the last moment that traded in the
        bucket (NaT: none); traded: first candle after the last moment that traded at the exact price (NaT: none in the
        data). No level, no row.

    Raises
    ------
    ValueError
        Where no moment is given, or levels are and their width is not > 0.

    Examples
    --------
    >>> import liqlab as lq
    >>> market = lq.load_example("btc-2024-05")
    >>> heat = lq.heatmap(market, start="2024-05-01", end="2024-05-02")
    >>> moments = ["2024-05-01 07:00", "2024-05-01 15:30"]
    >>> lq.zones.compare_levels(heat, market.candles, [(56_620, 19.22)], moments=moments, width=130)["traded"].iloc[0]
    Timestamp('2024-05-01 17:15:00+0000', tz='UTC')
    """
    heat = one_heatmap(estimated(heat))
    closes = heat["close_time"].to_numpy().astype("datetime64[ns]").astype(np.int64)
    span = int(closes[0]), int(closes[-1])
    times = [utc(moment, name=f"moments[{k}]", span=span) for k, moment in enumerate(moments)]
    if not times:
        raise ValueError("moments is empty; give at least one at which our map is frozen, such as ['2024-05-01 07:00']")
    if len(expected) and not width > 0:
        raise ValueError(f"width must be > 0 quote, the width of the bucket around a named level, got {width!r}")
    form = "%H:%M" if len({f"{moment:%H:%M}" for moment in times}) == len(times) else "%d %b %H:%M"
    shown = [column_at(heat, moment, f"moments[{k}]") for k, moment in enumerate(times)]
    maps = {f"map {moment:{form}}": heat["notional"].isel(time=k) for moment, k in zip(times, shown, strict=True)}
    rows = {}
    for k, row in enumerate(expected):
        if isinstance(row, str | float | int) or len(row) != 2:
            raise ValueError(f"expected[{k}] must be (price, size), got {row!r}; put each level into parentheses")
        price, size = row
        low, high = price - width / 2, price + width / 2
        told: dict[str, Any] = {"expected": size}
        told |= {name: float(notional.sel(price=slice(low, high)).sum()) for name, notional in maps.items()}
        told["in_bucket"] = _first_trade(path[times[0] : times[-1]].iloc[:-1], low, high)
        told["traded"] = _first_trade(path[path.index >= times[-1]], price, price)
        rows[price] = told
    table = _table(rows, ["expected", *maps, "in_bucket", "traded"], times=["in_bucket", "traded"])
    return table.set_axis(pd.Index(list(rows), dtype=float, name="price"))


@checked()
def frozen_maps(market: Market, heat: xr.Dataset, *, moments: Sequence[Any], side: str) -> pd.DataFrame:
    """A map frozen at some moments, each held against the furthest price that came after it.

    Parameters
    ----------
    market : Market
        That of the map.
    heat : Dataset
        From `liqlab.heatmap`; what comes after is looked for up to its last column.
    moments : sequence of time-like
        When the map is frozen: nothing later is in ``price``, ``stood``, ``coverage`` and ``clusters``.
    side : 'long' or 'short'
        Whose liquidations are asked for: those of longs lie below the price, those of shorts above.

    Returns
    -------
    DataFrame (moment,)
        price [quote]; stood: notional of the side on the map [quote]; coverage: share of the side's open interest with
        a known entry [1], NaN where the model takes none; clusters: how many zones of the side stand out, broad blocks
        left out; turn: lowest (long) or highest (short) price after the moment [quote]; turned_at: its column;
        reached: notional between price and turn on the frozen map [quote]; passed: clusters that the price went into;
        liquidated: notional that the model liquidates on the side from the moment to ``turned_at`` [quote], with
        positions opened after the map was frozen.

    Raises
    ------
    ValueError
        Where no moment is given, one lies outside the map, or the map is that of another market.

    Examples
    --------
    >>> import liqlab as lq
    >>> market = lq.load_example("btc-2024-05")
    >>> heat = lq.heatmap(market, start="2024-05-01", end="2024-05-02")
    >>> lq.zones.frozen_maps(market, heat, moments=["2024-05-01 07:00"], side="long")["passed"].tolist()
    [1]
    """
    if side not in ("long", "short"):
        raise ValueError(f"side must be 'long' (below the price) or 'short' (above it), got {side!r}")
    heat = one_heatmap(estimated(heat))
    check_same_market(market, heat)
    if not len(moments):
        raise ValueError("moments is empty; give at least one at which the map is frozen, such as ['2024-05-01 07:00']")
    flow = expected_liquidations(
        market,
        assumptions=Assumptions.of(heat),
        start=heat["time"].to_numpy()[0],
        lookback=Provenance.of(heat).lookback or None,
    )
    columns = [column_at(heat, moment, f"moments[{k}]") for k, moment in enumerate(moments)]
    rows = [_frozen(heat, column, side, flow[side]) for column in columns]
    return pd.DataFrame(rows, index=pd.Index([str(moment) for moment in moments], name="moment"))


def _frozen(heat: xr.Dataset, column: int, side: str, flow: pd.Series) -> dict[str, Any]:
    snap, rest = heat.isel(time=column).sel(side=side), heat.isel(time=slice(column + 1, None))
    price, stood = float(snap["close"]), snap["notional"]
    extreme = rest["low"] if side == "long" else -rest["high"]
    closed = pd.Timestamp(snap["close_time"].item(), tz="UTC")
    turn, turned_at = price, closed
    if rest.sizes["time"]:
        turn = abs(float(extreme.min()))
        turned_at = pd.Timestamp(rest["time"].to_numpy()[int(np.argmin(extreme.to_numpy()))], tz="UTC")
    zones = clusters(heat, at=closed).query("side == @side and not broad")
    into = zones["high"] >= turn if side == "long" else zones["low"] <= turn
    gone = float(flow[(flow.index >= closed) & (flow.index <= turned_at)].sum()) if rest.sizes["time"] else 0.0
    known = float(snap["attributed_oi"] + snap["unattributed_oi"])
    bounded = Provenance.of(heat).open_interest.kind != "not used" and known > 0
    way = slice(turn, None) if side == "long" else slice(None, turn)
    return {
        "price": price, "stood": float(stood.sum()),
        "coverage": float(snap["attributed_oi"]) / known if bounded else float("nan"), "clusters": len(zones),
        "turn": turn, "turned_at": turned_at, "reached": float(stood.sel(price=way).sum()), "passed": int(into.sum()),
        "liquidated": gone,
    }  # fmt: skip


def bars_in(market: Market, span: Any, name: str) -> int:
    """A duration in whole candles, one at least."""
    bars = round(timedelta(span, name) / market.step)
    if bars < 1:
        raise ValueError(f"{name} must be a candle of {market.timeframe} or longer, got {span!r}; pass a longer one")
    return bars


def _table(rows: dict[Any, dict[str, Any]], columns: list[str], *, times: list[str]) -> pd.DataFrame:
    """Rows by their name: numbers, and times in UTC, also where there is no row."""
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    when = {name: pd.to_datetime(table[name], utc=True).dt.as_unit("ns") for name in times}
    return table.assign(**when).astype(dict.fromkeys([name for name in columns if name not in times], float))


def _first_trade(candles: pd.DataFrame, low: float, high: float) -> Any:
    """Open of the first candle whose range meets [low, high], NaT if there is none."""
    meets = candles.index[(candles["low"] <= high) & (candles["high"] >= low)]
    return meets[0] if len(meets) else pd.NaT


@checked()
def summarise_periods(market: Market, spans: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """What price and open interest did in named stretches of time.

    Parameters
    ----------
    market : Market
    spans : sequence of (words, start, end)
        Half-open ranges [UTC].

    Returns
    -------
    DataFrame (words,)
        start, end, open, low, low_at, high, high_at, close [quote]; open_interest: its change over the span [1], from
        the last value known at the start to the last known at the end, NaN where there is none. ``low_at``,
        ``high_at`` are the opens of the candles. No span, no row.

    Raises
    ------
    ValueError
        Where no candle lies in a span.
    """
    rows = {}
    stamps = nanoseconds(market.candles.index)
    for k, row in enumerate(spans):
        if isinstance(row, str) or len(row) != 3:
            raise ValueError(f"spans[{k}] must be (words, start, end), got {row!r}; put each span into parentheses")
        words, start, end = row
        first, last = (utc(x, name=f"spans[{k}]", span=span_of(stamps)) for x in (start, end))
        part = market.candles[between(stamps, first, last)]
        if part.empty:
            raise ValueError(f"spans[{k}]: no candle lies in [{start}, {end}); the market runs from {market.start} to "
                             f"{market.end}: choose a span in it")  # fmt: skip
        rows[words] = {
            "start": first, "end": last, "open": part["open"].iloc[0],
            "low": part["low"].min(), "low_at": part["low"].idxmin(),
            "high": part["high"].max(), "high_at": part["high"].idxmax(),
            "close": part["close"].iloc[-1], "open_interest": _change(market.open_interest, first, last),
        }  # fmt: skip
    columns = ["start", "end", "open", "low", "low_at", "high", "high_at", "close", "open_interest"]
    return _table(rows, columns, times=["start", "end", "low_at", "high_at"])


def _change(open_interest: pd.DataFrame | None, start: pd.Timestamp, end: pd.Timestamp) -> float:
    if open_interest is None or open_interest.index[0] > start:
        return float("nan")
    known = open_interest["open_interest"]
    return float(known[:end].iloc[-1] / known[:start].iloc[-1] - 1)


@checked()
def swing_sweeps(market: Market, *, side: str, window: Any = "7d", horizon: Any = "24h") -> pd.DataFrame:
    """Every sweep of a swing extreme that closed back inside, and what followed: the base rate of *sweep and reverse*.

    Parameters
    ----------
    market : Market
    side : 'short' or 'long'
        Whose liquidations such a sweep is told to be about: ``short``, a new high; ``long``, a new low.
    window : duration
        The extreme is that of this span before the candle.
    horizon : duration
        How long is looked on.

    Returns
    -------
    DataFrame (time,)
        One row per candle whose extreme went beyond that of the window before and whose close came back inside:
        swept (the old extreme), extreme (the new one) [quote]; held: nothing beyond the new extreme within the horizon;
        reversal: from the new extreme to the furthest price the other way within the horizon [1]; after: close at the
        horizon against the candle's close [1]. Rows whose horizon is not over are left out. Everything but the first
        two columns was unknown at the time.

    Examples
    --------
    >>> import liqlab as lq
    >>> len(lq.zones.swing_sweeps(lq.load_example("tia-2023"), side="short"))
    76
    """
    if side not in ("long", "short"):
        raise ValueError(f"side must be 'long' (a swept low) or 'short' (a swept high), got {side!r}")
    candles, sign = market.candles, 1 if side == "short" else -1
    beyond, back = ("high", "low") if sign > 0 else ("low", "high")
    before, ahead = (bars_in(market, x, name) for x, name in ((window, "window"), (horizon, "horizon")))
    edge, far = sign * candles[beyond], sign * candles[back]
    old = edge.rolling(before).max().shift()
    held = edge[::-1].rolling(ahead).max()[::-1].shift(-1) <= edge
    furthest = far[::-1].rolling(ahead).min()[::-1].shift(-1)
    table = pd.DataFrame(
        {
            "swept": old * sign,
            "extreme": candles[beyond],
            "held": held,
            "reversal": sign * furthest / candles[beyond] - 1,
            "after": candles["close"].shift(-ahead) / candles["close"] - 1,
        }
    )
    inside = (edge > old) & (sign * candles["close"] < old) & np.isfinite(table["after"])
    return table[inside]
