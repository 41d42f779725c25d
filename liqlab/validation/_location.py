"""Where liquidations fell: the map is frozen, the path goes on, and forecasts of the price compete.

At the close of every column the map is frozen. In the next column price reaches some way down and some way up: the
*reached range*. Given that range (which says how far price went, so nobody is judged on that), each forecast is a
density over it, and each liquidation inside it is an event with a probability. Everything a forecast uses was known
at the freeze.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.maps.arguments import check_same_market, estimated
from liqlab.maps.stacking import one_heatmap
from liqlab.market.arguments import checked, within_0_and_1
from liqlab.market.clock import nanoseconds
from liqlab.market.market import Market
from liqlab.validation.align import amounts
from liqlab.validation.densities import DENSITIES, History, densities
from liqlab.validation.resampling import Drawn, days_of, interval

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Location", "bar_events", "location"]

FLOOR = 0.05  # share of every forecast that is spread evenly: no event is impossible


@dataclass(frozen=True, eq=False)
class Location:
    """How well forecasts of the price of liquidations did.

    Attributes
    ----------
    table : DataFrame
        One row per side (long, short, both) and forecast: gain, low, high: information gain over ``uniform`` [bits per
        event] with its interval; ahead, lead_low, lead_high: how far the map is ahead, paired; pit_mean (½ if the
        distance is right on average, less: events fell nearer than told), pit_distance (largest distance of the PIT's
        distribution from the even one, Kolmogorov's; 0: perfect); weight of the events.
    events : DataFrame
        The events that were judged: frozen (column), side, weight, gain and PIT of every forecast.
    about : dict
        columns, events, outside (events before every forecast is known, or off the reached range), level, resamples,
        bin (width of a bin [quote]).
    """

    table: pd.DataFrame
    events: pd.DataFrame
    about: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        a = self.about
        lines = [f"Location: {a['events']:,} events after {a['columns']:,} frozen maps ({a['outside']:,} left "
                 "out); information gain over uniform [bits per event]"]  # fmt: skip
        rows = self.table[self.table["side"] == "both"].set_index("forecast")
        for name, r in rows.iterrows():
            lead = f"map ahead by {r['lead']:+.3f} [{r['lead_low']:+.3f}, {r['lead_high']:+.3f}]"
            line = f"  {name!s:<18}{r['gain']:+7.3f} [{r['low']:+.3f}, {r['high']:+.3f}]   "
            lines.append(line + (lead if name != "map" else ""))
        return "\n".join(lines)


@checked()
def location(
    heat: xr.Dataset,
    events: pd.DataFrame | Market,
    *,
    by: str = "events",
    floor: float = FLOOR,
    lag: int | None = None,
    resamples: int = 1_000,
    level: float = 0.95,
    seed: int = 0,
) -> Location:
    """Score where liquidations fell within the range that price reached after the map was frozen.

    Parameters
    ----------
    heat : Dataset
        From `liqlab.heatmap`; its columns are the moments of freezing, ``time_step="4h"`` is a sensible width.
    events : DataFrame (time,) or Market
        One row per liquidation, stamped when it happened: side, price [quote], quantity [coins]. Or a market with
        ``liquidation_events``, as `liqlab.load` gives it of what was recorded. Or, where prices are not known, side,
        low, high [quote], quantity from `bar_events`: then the event is the stretch low … high.
    by : 'events' or 'quantity'
        Every event counts alike, or as much as its share of the quantity liquidated after the same freeze.
    floor : float
        Share (0..1) of every forecast that is spread evenly over the reached range.
    lag : int, optional
        Columns by which the placebo ``lagged`` is late; default: those of a day.
    resamples, level, seed
        Of the day-block bootstrap, as in `liqlab.score`.

    Returns
    -------
    Location

    Raises
    ------
    ValueError
        No event inside any reached range, columns that are missing, an unknown `by`, a market without single events.

    Assumptions
    -----------
    - Longs can fall between the close at the freeze and the low of the next column, shorts between it and the high.
      Positions opened after the freeze are liquidated there too; no frozen map knows them.
    - The heatmap's bins are the resolution; within a bin nothing is told apart.
    - What forecasts share is how far price went and how far levels usually stand: ``map`` ahead of ``distance law`` is
      what the map knows at the same distance.
    - Forecasts: ``map``; ``uniform``; ``distance law`` (mean of the map's own profile by distance, over the freezes
      before: what is left of a map when all it knows of *this* price is taken away); ``volatility`` (half a normal
      distribution, width from the columns' last day); ``volume profile`` (volume by price of the last seven days);
      ``swing points`` (extremes of the last thirty days); ``round numbers``; ``persistence`` (the map one column
      earlier); placebos: ``lagged`` (a day earlier), ``mirrored`` (the other side's profile, reflected at the price),
      ``shuffled`` (the profile of another day by distance).

    References
    ----------
    Information gain per event: Daley and Vere-Jones 2004, *Scoring probability forecasts for point processes*. PIT:
    Dawid 1984.
    """
    if by not in ("events", "quantity"):
        raise ValueError(f"by must be 'events' or 'quantity', got {by!r}")
    within_0_and_1(floor=floor, level=level)
    heat = one_heatmap(estimated(heat))
    if isinstance(events, Market):
        events = _events_of(events, heat)
    history = History.of(heat, lag=lag, seed=seed)
    table, outside = _judged(history, _checked(events), floor)
    if by == "quantity":
        table["weight"] = table["quantity"] / table.groupby(["column", "side"])["quantity"].transform("sum")
    about = {"columns": int(table["column"].nunique()), "events": len(table), "outside": outside, "level": level,
             "resamples": resamples, "by": by, "floor": floor, "bin": history.width}  # fmt: skip
    return Location(_summary(table, resamples, level, seed), table.drop(columns="quantity"), about)


@checked()
def bar_events(observed: pd.DataFrame, market: Market) -> pd.DataFrame:
    """Events from liquidations per bar: of their price it is known that it lay between the bar's open and its extreme.

    A weak test: wide bars tell little apart, and positions opened after the freeze are liquidated in them as well.

    Parameters
    ----------
    observed : DataFrame (time,)
        long, short [coins per bar], on the market's candles.
    market : Market

    Returns
    -------
    DataFrame (time,)
        One row per bar and side with liquidations: side, low, high [quote], quantity [coins]; stamped by
        the bar's open.
    """
    observed = amounts(observed, "observed")
    frame = market.candles.reindex(observed.index)
    parts = []
    for side, low, high in (("long", frame["low"], frame["open"]), ("short", frame["open"], frame["high"])):
        part = pd.DataFrame({"side": side, "low": low, "high": high, "quantity": observed[side]})
        parts.append(part[(part["quantity"] > 0) & part["low"].notna()])
    return pd.concat(parts).sort_index(kind="stable")


def _events_of(market: Market, heat: xr.Dataset) -> pd.DataFrame:
    """The forced orders of the market that the map was made from."""
    check_same_market(market, heat)
    if market.liquidation_events is None:
        raise ValueError("the market has no liquidation_events; liqlab record brings them and lq.load gives them. For "
                         "liquidations per bar pass bar_events(market.liquidations, market)")  # fmt: skip
    return market.liquidation_events


def _checked(events: pd.DataFrame) -> pd.DataFrame:
    """Events with low, high and quantity, in the order of time."""
    if (
        not isinstance(events, pd.DataFrame)
        or not isinstance(events.index, pd.DatetimeIndex)
        or events.index.tz is None
    ):
        raise TypeError("events must be a DataFrame indexed by time in UTC, with side and price (or low and high)")
    if "price" in events:
        events = events.assign(low=events["price"], high=events["price"])
    lacking = [c for c in ("side", "low", "high") if c not in events]
    if lacking:
        raise ValueError(f"events lack {', '.join(lacking)}; they have {', '.join(map(str, events.columns[:9]))}; pass "
                         "market.liquidation_events, or bar_events(market.liquidations, market)")  # fmt: skip
    wrong = set(events["side"]) - set(SIDES)
    if wrong:
        raise ValueError(f"side must be long or short, got {sorted(map(str, wrong))[0]!r}; it is the position's side")
    return (events if "quantity" in events else events.assign(quantity=1.0)).sort_index(kind="stable")


def _judged(history: History, events: pd.DataFrame, floor: float) -> tuple[pd.DataFrame, int]:
    """Gain [bits] and PIT of every event under every forecast, and how many events lay outside the reached range."""
    stamps, closes = nanoseconds(events.index), history.close_time
    column = np.searchsorted(closes, stamps, side="right") - 1  # the last map frozen by then
    side = (events["side"] == "short").to_numpy().astype(int)
    prices = events[["low", "high"]].to_numpy(float)
    known = (column >= max(history.lag, 1)) & (column + 1 < len(closes))  # from where on every forecast is known
    rows, gains, pits = [], [], []
    for c, s in sorted(set(zip(column[known].tolist(), side[known].tolist(), strict=True))):
        mine = np.flatnonzero(known & (column == c) & (side == s))
        bins, share = history.reached(c, s)
        if bins.stop - bins.start < 2:
            continue  # one bin: nothing to tell apart
        even = share / share.sum()
        made = densities(history, c, s, bins) * share
        made = (1 - floor) * made / np.maximum(made.sum(axis=1, keepdims=True), 1e-300) + floor * even
        cover = _cover(history.edges[bins.start : bins.stop + 1], prices[mine])
        inside = cover.sum(axis=1) > 0
        gain, pit = _gain_and_pit(made / made.sum(axis=1, keepdims=True), even, cover[inside], s)
        rows.append(mine[inside])
        gains.append(gain)
        pits.append(pit)
    chosen = np.concatenate([np.empty(0, int), *rows])
    if not len(chosen):
        raise ValueError(
            "no event lies in a range that price reached after a frozen map with a day before it; pass a heat of two "
            "days or more, and events of its times, prices and sides"
        )
    table = pd.DataFrame({"frozen": pd.to_datetime(closes[column[chosen]], utc=True), "column": column[chosen],
                          "side": events["side"].to_numpy()[chosen], "weight": 1.0,
                          "quantity": events["quantity"].to_numpy(float)[chosen]})  # fmt: skip
    gain, pit = np.concatenate(gains), np.concatenate(pits)
    scored = {
        f"{what} {name}": x[:, k] for k, name in enumerate(DENSITIES) for what, x in (("gain", gain), ("pit", pit))
    }
    return table.assign(**scored), len(events) - len(chosen)


def _gain_and_pit(made: np.ndarray, even: np.ndarray, cover: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Bits over the even forecast, and the share told to lie nearer to the frozen price (event, forecast)."""
    gain = np.log2((cover @ made.T) / (cover @ even)[:, None])
    out = made[:, ::-1] if side == 0 else made  # longs are met on the way down
    nearer = np.cumsum(out, axis=1) - out / 2
    nearer = nearer[:, ::-1] if side == 0 else nearer
    part = cover * even
    return gain, (part / part.sum(axis=1, keepdims=True)) @ nearer.T


def _cover(edges: np.ndarray, prices: np.ndarray) -> np.ndarray:
    """Share of every bin (event, bin) that an event's stretch low … high covers; a single price covers its bin."""
    low, high = prices[:, :1], prices[:, 1:]
    share = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None) / np.diff(edges)
    point = (high <= low) & (low >= edges[:-1]) & (low < edges[1:])
    return np.where(point, 1.0, share)


def _summary(table: pd.DataFrame, resamples: int, level: float, seed: int) -> pd.DataFrame:
    """Means, intervals and paired differences per side and forecast."""
    rows = []
    days = days_of(pd.DatetimeIndex(table["frozen"]), resamples=resamples, seed=seed)
    for side in (*SIDES, "both"):
        on = np.ones(len(table), bool) if side == "both" else (table["side"] == side).to_numpy()
        if not on.any():
            continue
        weight = table["weight"].to_numpy()[on]
        gains = [table[f"gain {name}"].to_numpy()[on] * weight for name in DENSITIES]
        total, *sums = Drawn(days.draws, days.code[on]).sums([weight, *gains])
        means = [np.divide(x, total, out=np.full_like(x, np.nan), where=total > 0) for x in sums]
        for k, name in enumerate(DENSITIES):
            lead = interval(means[0] - means[k], level) if k else (np.nan,) * 3
            pit = table[f"pit {name}"].to_numpy()[on]
            rows.append((side, name, *interval(means[k], level), *lead, np.average(pit, weights=weight),
                         _distance(pit, weight), weight.sum()))  # fmt: skip
    return pd.DataFrame(rows, columns=["side", "forecast", "gain", "low", "high", "lead", "lead_low", "lead_high",
                                       "pit_mean", "pit_distance", "weight"])  # fmt: skip


def _distance(pit: np.ndarray, weight: np.ndarray) -> float:
    """Largest distance of a weighted sample in [0, 1] from the even distribution."""
    order = np.argsort(pit, kind="stable")
    after = np.cumsum(weight[order]) / weight.sum()
    before = after - weight[order] / weight.sum()
    return float(np.maximum(np.abs(after - pit[order]), np.abs(before - pit[order])).max())
