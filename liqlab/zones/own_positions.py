"""Where a stop stands among the clusters, and a reader's own position among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.maps.arguments import estimated
from liqlab.maps.stacking import one_heatmap
from liqlab.margin import liquidation_price
from liqlab.market.arguments import Table, checked, told
from liqlab.zones._clusters import clusters, to_edge

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["assess_positions", "stop_zones"]

SIDES = ("long", "short")
DEFAULT_BUFFER = (
    0.001  # [1] of the price: two bins of a map made with default bins, so that its own coarseness cannot decide
)


@checked(zones=Table("lq.clusters(heat)", "side low peak high notional"))
def stop_zones(
    zones: xr.Dataset | pd.DataFrame,
    *,
    price: float | None = None,
    stop: float | Mapping[str, float] | None = None,
    side: str | None = None,
    at: Any = None,
    buffer: float = DEFAULT_BUFFER,
) -> pd.DataFrame:
    """On which side of each cluster a stop stands, and the nearest price outside the clusters.

    The stop of a long stands below the price, where the clusters of longs are; that of a short above, where those of
    shorts are. Seen from the price, a stop stands *before* a cluster (price comes to the stop first), *inside* it, or
    *behind* it (price has to go through the cluster first).

    Parameters
    ----------
    zones : Dataset, Live or DataFrame
        From `liqlab.heatmap`, one moment of it or a live map; or a table of `liqlab.clusters`, whose broad blocks are
        left aside.
    price : float, optional
        The price now [quote]; default: the close of the map's column.
    stop : float or mapping {side: price}, optional
        The stop [quote]: with a mapping one for each side of a position; a single number belongs to `side`, or, where
        that is not given, to the side that the stop's place beside the price tells.
    side : 'long' or 'short', optional
        The position's side; default: both.
    at : time-like, optional
        Moment of the map; default: its end.
    buffer : float
        Distance [1] kept from a cluster's edges, as a fraction of the edge. Ten basis points by default: two bins.

    Returns
    -------
    DataFrame
        One row per position's side and cluster on that side of the price, the nearest first: side, low, high, peak
        [quote], notional [quote, estimated], distance_to_edge: way from the price to the near edge, 0 where the price
        is inside [1], stop, stop_location
        ('before', 'inside', 'behind'; empty without a stop), before: the last price before the cluster, behind: the
        first price behind it [quote], both with the buffer; stop_beyond_zone: the price nearest to the stop that is
        outside *all* clusters of that side with the buffer (the stop itself where it is outside; NaN without a stop).

    Raises
    ------
    ValueError
        A stop on the wrong side of the price, an unknown side, a buffer outside [0, 0.5).

    Assumptions
    -----------
    That liquidations cluster where the map estimates them. Outside a cluster is not safe: a stop is a market order, and
    what others have resting there is not known.

    Examples
    --------
    >>> import pandas as pd
    >>> zones = pd.DataFrame({"side": ["long"], "low": [90.0], "high": [92.0], "peak": [91.0], "notional": [5e6]})
    >>> row = stop_zones(zones, price=100, stop=91.5, side="long", buffer=0.0).iloc[0]
    >>> row["stop_location"], float(row["stop_beyond_zone"])
    ('inside', 92.0)
    """
    if not 0 <= buffer < 0.5:
        raise ValueError(
            f"buffer is a fraction of the price in [0, 0.5), got {buffer!r}; pass 0.001 for ten basis points"
        )
    if side is not None and side not in SIDES:
        raise ValueError(f"side must be 'long' or 'short', the position's, got {side!r}")
    table, price = _clusters_and_price(zones, price, at)
    stops = _stops(stop, side, price)
    parts = []
    for each in SIDES if side is None else (side,):
        sign = 1 if each == "short" else -1
        mine = _on_the_way(table, each, price)
        near, far = _edges(mine, sign)
        given = stops.get(each, np.nan)
        where = np.select(
            [given * sign < near, given * sign > far, np.isfinite(given)], ["before", "behind", "inside"], ""
        )
        parts.append(
            pd.DataFrame(
                {
                    "side": each, "low": mine["low"], "high": mine["high"], "peak": mine["peak"],
                    "notional": mine["notional"], "stop": given, "stop_location": where,
                    "distance_to_edge": to_edge(mine["low"], mine["high"], price),
                    "before": sign * _with_buffer(near, -buffer),
                    "behind": sign * _with_buffer(far, buffer), "stop_beyond_zone": sign * _beyond_zones(near, far,
                    given * sign, price * sign, buffer),
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _clusters_and_price(zones: Any, price: float | None, at: Any) -> tuple[pd.DataFrame, float]:
    """A table of clusters, whatever was given, and the price it is seen from."""
    if isinstance(zones, pd.DataFrame):
        if at is not None:
            raise ValueError("at belongs to a map, and zones is a table of one moment; leave at out, or pass the map")
        price = zones.attrs.get("price") if price is None else price
        if price is None:
            raise ValueError("this table of clusters does not tell the price it is seen from; pass price=")
        return _no_blocks(zones), _positive(price, "price")
    from liqlab.maps.heatmaps import liquidation_map

    zones = one_heatmap(estimated(zones, "zones"), "zones")
    snap = liquidation_map(zones, at=at)
    return _no_blocks(clusters(zones, at=at)), _positive(float(snap["close"]) if price is None else price, "price")


def _no_blocks(zones: pd.DataFrame) -> pd.DataFrame:
    """Clusters alone: a broad block has no edge behind which a stop could stand."""
    return zones[~zones["broad"].astype(bool)] if "broad" in zones else zones


def _positive(value: float, name: str) -> float:
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be > 0 quote, got {value!r}; pass a price")
    return float(value)


def _stops(stop: Any, side: str | None, price: float) -> dict[str, float]:
    """The stop of each side; it must lie on the side of the price on which it closes that position at a loss."""
    if stop is None:
        return {}
    given = dict(stop) if isinstance(stop, Mapping) else {side or ("long" if stop < price else "short"): stop}
    for each, value in given.items():
        if each not in SIDES:
            raise ValueError(f"stop must belong to 'long' or 'short' positions, got {each!r}; pass {{'long': price}}")
        _positive(value, "stop")
        if (value >= price) == (each == "long"):
            below = "below" if each == "long" else "above"
            raise ValueError(f"the stop of a {each} lies {below} the price {price:,.10g}, got {value:,.10g}; "
                             "leave it out, or pass another")  # fmt: skip
    return {each: float(value) for each, value in given.items()}


def _on_the_way(table: pd.DataFrame, side: str, price: float) -> pd.DataFrame:
    """Clusters of a side that lie wholly or in part beyond the price, the nearest first."""
    mine = table[table["side"] == side]
    if side == "long":
        return mine[mine["low"] < price].sort_values("high", ascending=False, kind="stable")
    return mine[mine["high"] > price].sort_values("low", kind="stable")


def _edges(table: pd.DataFrame, sign: int) -> tuple[np.ndarray, np.ndarray]:
    """Near and far edges in the mirror in which the clusters lie above."""
    low, high = table["low"].to_numpy(float), table["high"].to_numpy(float)
    return (low, high) if sign > 0 else (-high, -low)


def _with_buffer(edge: np.ndarray, buffer: float) -> np.ndarray:
    return edge + buffer * np.abs(edge)


def _beyond_zones(near: np.ndarray, far: np.ndarray, stop: float, price: float, buffer: float) -> float:
    """The price nearest to a stop that lies in no cluster with its buffer; not on the other side of the price."""
    if not np.isfinite(stop):
        return float("nan")
    low, high = _with_buffer(near, -buffer), _with_buffer(far, buffer)
    best = float("nan")
    for candidate in (stop, *low[low > price], *high):
        inside = ((low < candidate) & (candidate < high)).any()
        if not inside and not abs(candidate - stop) >= abs(best - stop):
            best = float(candidate)
    return best


@checked()
def assess_positions(
    held: Mapping[str, Any] | Sequence[Mapping[str, Any]] | pd.DataFrame,
    heat: xr.Dataset,
    *,
    at: Any = None,
    leverage_tiers: Any = None,
    buffer: float = DEFAULT_BUFFER,
) -> pd.DataFrame:
    """A reader's own positions on the map: liquidation price, stop, and the nearest cluster on the way there.

    Parameters
    ----------
    held : mapping, sequence of mapping or DataFrame
        Each position: side ('long', 'short'), entry_price [quote], leverage; quantity [coins; inverse: USD] and stop
        [quote] where there are any.
    heat : Dataset or Live
        From `liqlab.heatmap`, one moment of it or a live map; its exchange and symbol choose the formula, the
        date of the moment the tier table.
    at : time-like, optional
        Moment of the map; default: its end.
    leverage_tiers : DataFrame or Tiers, optional
        As in `liqlab.liquidation_price`.
    buffer : float
        As in `stop_zones`.

    Returns
    -------
    DataFrame
        side, entry_price, leverage, quantity, stop; liquidation_price [quote], *exact* for an isolated position;
        price (close of the column) [quote]; to_liquidation: way from the price to the liquidation price [1];
        state: 'open', or 'liquidated' where the price is already beyond it; the nearest *estimated* cluster between
        price and liquidation price: low, high, peak, notional, distance_to_edge: way from the price to its near edge
        [1], NaN where none lies on the way; stop_location: where the stop stands to it; stop_beyond_zone: the nearest
        price outside all clusters for the stop, see `stop_zones`.

    Raises
    ------
    ValueError
        A position without side, entry_price or leverage, or with an unknown field; see also `liqlab.liquidation_price`.

    Examples
    --------
    A 25x long from 60,000 in the first tier: ``60000·(1 − 1/25) / (1 − 0.004)``.

    >>> import liqlab as lq
    >>> heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-04-30", end="2024-05-01")
    >>> mine = lq.assess_positions({"side": "long", "entry_price": 60_000, "leverage": 25}, heat)
    >>> round(float(mine["liquidation_price"].iloc[0]), 2)
    57831.33
    """
    from liqlab.maps.heatmaps import liquidation_map

    table = _held(held)
    heat = one_heatmap(estimated(heat))
    snap = liquidation_map(heat, at=at)
    price = float(snap["close"])
    zones = clusters(heat, at=at)
    moment = pd.Timestamp(snap["close_time"].item(), tz="UTC")
    rows = [
        _position({str(k): v for k, v in row.items()}, heat, zones, price, moment, leverage_tiers, buffer)
        for row in table.to_dict("records")
    ]
    columns = ["side", "entry_price", "leverage", "quantity", "stop", "liquidation_price", "price", "to_liquidation",
               "state", "low", "high", "peak", "notional", "distance_to_edge", "stop_location",
               "stop_beyond_zone"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


FIELDS = {"side": True, "entry_price": True, "leverage": True, "quantity": False, "stop": False}


def _held(held: Any) -> pd.DataFrame:
    rows = held.to_dict("records") if isinstance(held, pd.DataFrame) else [held] if isinstance(held, Mapping) else held
    for row in rows:
        if not isinstance(row, Mapping):
            raise TypeError(f"held must hold positions, each a mapping, got {told(row)}; write {{'side': 'long', "
                            "'entry_price': 60_000, 'leverage': 20}")  # fmt: skip
        unknown = set(row) - set(FIELDS)
        lacking = [name for name, needed in FIELDS.items() if needed and name not in row]
        if unknown or lacking:
            raise ValueError(f"a position has side, entry_price, leverage and may have quantity, stop; got "
                             f"{', '.join(map(str, row)) or 'nothing'} in held: give these and no others")  # fmt: skip
    return pd.DataFrame(list(rows), columns=list(FIELDS))


def _position(
    row: dict[str, Any], heat: xr.Dataset, zones: pd.DataFrame, price: float, moment: pd.Timestamp, tiers: Any,
    buffer: float,
) -> dict[str, Any]:  # fmt: skip
    quantity = None if pd.isna(row["quantity"]) else float(row["quantity"])
    liquidation = liquidation_price(
        float(row["entry_price"]), side=row["side"], leverage=float(row["leverage"]), quantity=quantity,
        exchange=heat.attrs["exchange"] or None, symbol=heat.attrs["symbol"] or None, as_of=moment,
        leverage_tiers=tiers,
    )  # fmt: skip
    sign = 1 if row["side"] == "short" else -1
    told = {**row, "liquidation_price": liquidation, "price": price, "to_liquidation": liquidation / price - 1}
    if sign * price >= sign * liquidation:
        return {**told, "state": "liquidated", "stop_location": ""}
    stop = None if pd.isna(row["stop"]) else {row["side"]: float(row["stop"])}
    way = stop_zones(zones, price=price, stop=stop, side=row["side"], buffer=buffer)
    near = way["low"] if sign > 0 else way["high"]
    way = way[sign * near <= sign * liquidation]
    stop_beyond_zone = float(row["stop"]) if stop and way.empty else np.nan
    first = {"stop_location": "", "stop_beyond_zone": stop_beyond_zone} if way.empty else way.iloc[0].to_dict()
    return {**told, "state": "open", **{name: first.get(name, np.nan) for name in
            ("low", "high", "peak", "notional", "distance_to_edge", "stop_location", "stop_beyond_zone")}}  # fmt: skip
