"""Alerts: which rules a map fulfils after each bar, told once for each event, from what was known by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.app.rules import USUAL, Rule, rules_of
from liqlab.engine.records import SIDES
from liqlab.maps.arguments import estimated
from liqlab.maps.stacking import one_heatmap
from liqlab.market.arguments import checked
from liqlab.market.clock import timedelta
from liqlab.market.provenance import Provenance
from liqlab.zones._clusters import WIDTH, every_cluster
from liqlab.zones.tracking import MAX_PEAK_SHIFT_WIDTHS

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Alert", "Events", "alerts", "check_rules", "column_of"]

NEAR = MAX_PEAK_SHIFT_WIDTHS * WIDTH  # log price by which a cluster may move from bar to bar and be the same
NAN = float("nan")


@dataclass(frozen=True)
class Alert:
    """One thing that a rule told.

    Attributes
    ----------
    time : Timestamp
        Close of the bar by which it was known, UTC.
    symbol, exchange : str
    rule : str
        The rule, in words.
    side : str
        Of the positions in the cluster; empty where the rule speaks of none.
    low, peak, high, notional : float
        The cluster [quote], estimated; NaN where the rule speaks of none.
    price : float
        The bar's close [quote].
    distance : float
        Near edge of the cluster ÷ price − 1 [1].
    share : float
        What coverage, or the share of received bars, has fallen to [0..1]; else NaN.
    text : str
        All of it in one line.
    """

    time: pd.Timestamp
    symbol: str
    exchange: str
    rule: str
    side: str = ""
    low: float = NAN
    peak: float = NAN
    high: float = NAN
    notional: float = NAN
    price: float = NAN
    distance: float = NAN
    share: float = NAN
    text: str = ""


COLUMNS = [field.name for field in fields(Alert)]


@dataclass(frozen=True)
class Column:
    """One column of a map, as rules look at it: its prices, its clusters, and how much of the market is known."""

    close_time: pd.Timestamp
    low: float
    high: float
    close: float
    zones: Sequence[Any]
    coverage: Mapping[str, float]
    received: float


@dataclass
class Event:
    """Something that goes on: which side, around which price, and when it was last so."""

    side: str
    peak: float
    last: pd.Timestamp


class Events:
    """What each rule has told of one market, and so needs not be told again.

    Parameters
    ----------
    rules : list of Rule
    quiet : Timedelta
        How long something must not have been so to be told anew.
    about : mapping
        symbol, exchange and quote of the market.
    """

    def __init__(self, rules: Sequence[Rule], quiet: pd.Timedelta, about: Mapping[str, str]) -> None:
        self.quiet, self.about = quiet, {name: _printable(about.get(name, "")) for name in
                                         ("symbol", "exchange", "quote")}  # fmt: skip
        self.going_on: dict[Rule, list[Event]] = {rule: [] for rule in rules}
        self.before: Column | None = None

    def take(self, column: Column) -> list[Alert]:
        """The alerts of the next column; of the first only what is so, not what has changed."""
        out = []
        for rule, events in self.going_on.items():
            begun = [zone for zone in self._found(rule, column) if self._begins(events, zone, column.close_time)]
            if rule.what != "appears" or self.before is not None:
                out += [self._alert(rule, zone, column) for zone in begun]
        self.before = column
        return out

    def _found(self, rule: Rule, column: Column) -> list[dict[str, Any]]:
        """What fulfils a rule at the close of a column, the largest cluster first."""
        if rule.what == "received":
            return [{"side": "", "share": column.received}] if column.received < rule.share else []
        sides = (rule.side,) if rule.side else SIDES
        if rule.what == "coverage":
            return [{"side": side, "share": column.coverage[side]} for side in sides
                    if column.coverage[side] < rule.share]  # fmt: skip
        shown = column if rule.what != "swept" else self.before
        found = []
        for zone in shown.zones if shown is not None else ():
            away = float(np.clip(column.close, zone.low, zone.high)) / column.close - 1
            so = {
                "near": abs(away) <= rule.share,
                "appears": not rule.share or abs(away) <= rule.share,
                "swept": column.low <= zone.peak if zone.side == "long" else column.high >= zone.peak,
            }[rule.what]
            if so and zone.side in sides and zone.notional >= rule.notional:
                found.append({name: getattr(zone, name) for name in ("side", "low", "peak", "high", "notional")}
                             | {"distance": away})  # fmt: skip
        return found

    def _begins(self, events: list[Event], zone: Mapping[str, Any], now: pd.Timestamp) -> bool:
        """Whether this is another event than those that go on; the nearest of the same side is the same one."""
        events[:] = [event for event in events if now - event.last < self.quiet]
        peak = zone.get("peak", 1.0)
        near = [(abs(np.log(peak / event.peak)), k) for k, event in enumerate(events)
                if event.side == zone["side"] and event.last < now]  # fmt: skip
        if near and min(near)[0] <= NEAR:
            event = events[min(near)[1]]
            event.peak, event.last = peak, now
            return False
        events.append(Event(zone["side"], peak, now))
        return True

    def _alert(self, rule: Rule, zone: Mapping[str, Any], column: Column) -> Alert:
        symbol, exchange, quote = self.about.values()
        said = _words(rule, zone, column.close, quote)
        text = f"liqlab: {symbol} {exchange} {column.close_time:%Y-%m-%d %H:%M} UTC: {said}"
        return Alert(column.close_time, symbol, exchange, str(rule), price=column.close, text=text, **zone)


def _words(rule: Rule, zone: Mapping[str, Any], price: float, quote: str) -> str:
    if rule.what == "received":
        return f"only {zone['share']:.1%} of the last day's bars were received"
    if rule.what == "coverage":
        return f"coverage of {zone['side']}s fell to {zone['share']:.1%} of the open interest"
    away = zone["distance"]
    where = "in" if not away else f"{abs(away):.2%} {'below' if away > 0 else 'above'}"
    cluster = (f"{zone['side']} cluster of {zone['notional'] / 1e6:,.4g} million {quote}, {zone['low']:,.6g} to "
               f"{zone['high']:,.6g}")  # fmt: skip
    if rule.what == "near":
        return f"price {price:,.6g} is {where} an estimated {cluster}"
    change = "appeared" if rule.what == "appears" else "was swept"
    return f"an estimated {cluster}, {change}; price {price:,.6g}"


@checked()
def alerts(heat: xr.Dataset, *, rules: str | Sequence[str] = USUAL, quiet: Any = "4h") -> pd.DataFrame:
    """What rules would have told of a heatmap, column by column, each event once.

    Parameters
    ----------
    heat : Dataset
        From `heatmap`, or `Live.heatmap`; every column counts as one that has just closed.
    rules : str or list of str
        ``price within 1% of a cluster of 50M``, ``a cluster of 50M appears``, ``a cluster of 50M appears within 5%``,
        ``a cluster of 50M is swept``, ``coverage falls below 50%``, ``received bars fall below 95%``. Amounts are
        estimated notional [quote], without one every cluster counts; ``long`` or ``short`` before *cluster* or
        *coverage* asks for one side. Default: clusters of any size within 1 %, appearing within 5 %, swept, and
        received bars below 95 %.
    quiet : timedelta-like
        Quiet time: something that goes on is told once, and again only after it was not so for this long.

    Returns
    -------
    DataFrame
        One row per alert, in order: time (close of the column, UTC), symbol, exchange, rule, side, low, peak, high
        [quote], notional [quote], price (the close) [quote], distance = near edge ÷ price − 1 [1], share [0..1] of
        coverage and received bars, text (one line).

    Raises
    ------
    ValueError
        A rule that is none, or speaks of coverage where the model knows no open interest.

    Assumptions
    -----------
    - Clusters are those of `clusters` at the close of each column, without the broad ones, so nothing looks ahead:
      with later columns cut off the alerts before are the same. The more prices a map shows, the more a cluster has to
      stand out: `price_range` of the map decides on those at the limit.
    - *Near*: the close lies within the share of the cluster's near edge. *Swept*: the column's low (of a long cluster;
      the high of a short one) reaches the peak of a cluster that stood at the close of the column before.
    - Clusters of a side are the same event where their peaks are at most two widths of `clusters` (0.6 %) apart; of
      several the nearest is, the largest cluster is asked first.
    - What stands in the first column has not appeared there. Coverage is attributed ÷ open interest of each side.
      Received bars are known of a map from `follow` alone; of others all bars count as received.

    Examples
    --------
    >>> import liqlab as lq
    >>> heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-04-30", end="2024-05-02", price_step=25,
    ...                   preset="measured")
    >>> told = lq.alerts(heat, rules="a long cluster of 1M is swept")
    >>> bool((told["price"] > 0).all()), told["side"].unique().tolist()
    (True, ['long'])
    """
    heat = one_heatmap(estimated(heat))
    wanted = rules_of(rules)
    check_rules(wanted, heat)
    events = Events(wanted, timedelta(quiet, "quiet"), {name: str(x) for name, x in heat.attrs.items()})
    found = every_cluster(heat)
    cuts = np.searchsorted(found["column"].to_numpy(), np.arange(heat.sizes["time"] + 1))
    told = [alert for k in range(heat.sizes["time"])
            for alert in events.take(column_of(heat, k, found.iloc[cuts[k] : cuts[k + 1]]))]  # fmt: skip
    return pd.DataFrame(told, columns=COLUMNS)


def check_rules(rules: Sequence[Rule], heat: xr.Dataset) -> None:
    """Refuse rules that this map cannot answer."""
    parts = Provenance.of(heat).each if "provenance" in heat.attrs else ()
    for rule in rules:
        if rule.what == "coverage" and any(part.open_interest.kind == "not used" for part in parts):
            raise ValueError(f"the rule {str(rule)!r} needs an open interest, and the model {heat.attrs['model']} "
                             "takes none; leave the rule out, or pass model='open_interest'")  # fmt: skip


def column_of(heat: xr.Dataset, row: int, found: pd.DataFrame | None = None) -> Column:
    """One column as rules look at it; its clusters by `every_cluster`, the largest first."""
    row %= heat.sizes["time"]
    if found is None:
        found = every_cluster(heat, columns=slice(row, row + 1))
    part = heat.isel(time=row)
    known, unknown = (part[name].sel(side=list(SIDES)).to_numpy() for name in ("attributed_oi", "unattributed_oi"))
    total = known + unknown
    share = np.divide(known, total, out=np.ones(2), where=total > 0)
    zones = list(found.sort_values("rank").itertuples(index=False))
    low, high, close = (float(part[name]) for name in ("low", "high", "close"))
    return Column(pd.Timestamp(part["close_time"].item(), tz="UTC"), low, high, close, zones,
                  dict(zip(SIDES, share.tolist(), strict=True)), float(heat.attrs.get("received", 1.0)))  # fmt: skip


def _printable(text: str) -> str:
    """Text without what a terminal or a log would take for a command."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(text))[:80]
