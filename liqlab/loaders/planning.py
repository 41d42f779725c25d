"""What to fetch, checked: the venue, the kinds, the range, the keys in the store, and up to when rows are final."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from liqlab.loaders.exchanges import Venue, venue_of
from liqlab.loaders.exchanges._instruments import (
    BARS,
    BOTH,
    KINDS,
    ONE,
    Instrument,
    Link,
    Offer,
    period_for,
)
from liqlab.loaders.store import Key
from liqlab.market.clock import nanoseconds, timedelta, utc
from liqlab.market.resample import bar_opens

__all__ = ["INSTANTS", "Plan", "VenueSession", "by_month", "finished", "key_of", "milliseconds", "moment", "origin_of",
           "plan", "sides_of", "span_of", "step_ms"]  # fmt: skip

INSTANTS = ("open_interest", "funding_rate")
SETTLING = pd.Timedelta(5, "s")  # a bar that closed this moment may still be counted by the venue
PUBLISHING = {"liquidations": pd.Timedelta(10, "min")}  # events are published late
RECENT = pd.Timedelta(1, "D")  # younger than this, what is not there may still come
EARLY = pd.Timedelta(60, "D")  # venues' listing dates are that much too late for old contracts
SKEW = pd.Timedelta(60, "s")
MONDAY = 4 * 86_400_000  # 5 January 1970 [ms]
FUNDING_STEP = 8 * 3_600_000  # the longest usual one [ms]
ARCHIVED = ("binanceusdm", "binancecoinm")
LONG = pd.Timedelta(12, "h")  # bars of this length and longer open where their venue cuts them
Span = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(eq=False)
class VenueSession:
    """A venue once asked: the link, the instrument, its clock. Made only if something is missing."""

    adapter: Venue
    exchange: str
    symbol: str

    @cached_property
    def link(self) -> Link:
        """The open link."""
        return self.adapter.connect(self.exchange)

    @cached_property
    def item(self) -> Instrument:
        """The instrument of the symbol."""
        return self.adapter.instrument(self.link, self.symbol)

    @cached_property
    def now(self) -> pd.Timestamp:
        """The earlier of the venue's clock and ours: what has closed has closed by both."""
        theirs, ours = self.adapter.clock(self.link), pd.Timestamp.now("UTC")
        self.link.learnt["ahead"] = (theirs - ours) / pd.Timedelta(1, "ms")
        return min(theirs, ours)

    @property
    def skew(self) -> str:
        """A sentence about the two clocks, where they differ by more than a minute."""
        ahead = pd.Timedelta(self.link.learnt.get("ahead", 0.0), unit="ms")
        if abs(ahead) <= SKEW:
            return ""
        way = "behind" if ahead > pd.Timedelta(0) else "ahead of"
        return (f"this computer's clock is {abs(ahead).round('s')} {way} that of {self.exchange}; only what has closed "
                "by both was taken: set the clock")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Plan:
    """What to fetch, checked."""

    adapter: Venue
    exchange: str
    symbol: str
    timeframe: str
    start: pd.Timestamp
    end: pd.Timestamp
    kinds: tuple[str, ...]
    offers: dict[str, Offer]
    session: VenueSession
    store: Any = None
    volume_unit: str = ""
    open_ended: bool = False
    missing_kinds: list[str] = field(default_factory=list)
    archive: bool = False
    due_from: dict[str, pd.Timestamp] = field(default_factory=dict)
    """Kind → moment before which the venue keeps nothing."""


def plan(symbol: str, exchange: str, timeframe: str, start: Any, end: Any, kinds: Sequence[str] | None, store: Any,
         volume_unit: str = "", archive: bool = False) -> Plan:  # fmt: skip
    """Check what was asked, without a request where the symbol is spelt in full."""
    adapter = venue_of(exchange)
    if archive and exchange not in ARCHIVED:
        raise ValueError(f"the public archive is Binance's; {exchange} has none: leave archive out")
    offers = adapter.offers(exchange)
    first, last, open_ended = _range(start, end, timeframe)
    periods = offers["candles"].periods if "candles" in offers else ()
    if timeframe not in periods:
        raise ValueError(f"{exchange} has no candles of {timeframe!r}; it has {', '.join(periods) or 'none'}")
    if volume_unit not in ("", "coins", "contracts", "quote"):
        raise ValueError(f"volume_unit must be coins, contracts or quote, got {volume_unit!r}")
    wanted, missing_kinds = _kinds(kinds, exchange, adapter, offers)
    session = VenueSession(adapter, exchange, symbol)
    if "/" not in symbol:
        symbol = session.item.symbol
    return Plan(adapter, exchange, symbol, timeframe, first, last, wanted, offers, session, store, volume_unit,
                open_ended, missing_kinds, archive)  # fmt: skip


def _range(start: Any, end: Any, timeframe: str) -> tuple[pd.Timestamp, pd.Timestamp, bool]:
    step, now = timedelta(timeframe), pd.Timestamp.now("UTC")
    first, last = utc(start), now if end is None else utc(end)
    if first >= now:
        raise ValueError(f"start lies in the future: {first} (now is {now.floor('s')}); pass an earlier one")
    if last > now + step:
        raise ValueError(
            f"end lies in the future: {last} (now is {now.floor('s')}); leave it out for all that has closed"
        )
    if first >= last:
        raise ValueError(f"start must lie before end, got {first} and {last}; ranges are half-open [start, end)")
    if step < LONG:
        first, last = first.ceil(step), last if end is None else last.ceil(step)
    if first >= last:
        raise ValueError(f"no candle of {timeframe} opens in [{start}, {end}); widen the range")
    return first, last, end is None


def _kinds(
    kinds: Sequence[str] | None, exchange: str, adapter: Venue, offers: dict[str, Offer]
) -> tuple[tuple[str, ...], list[str]]:
    """The kinds to fetch, candles among them, and what the venue lacks, in words."""
    if isinstance(kinds, str):
        raise TypeError(f"kinds must be a list of names, got {kinds!r}; pass [{kinds!r}]")
    unknown = [kind for kind in kinds or () if kind not in KINDS]
    if unknown:
        raise ValueError(f"no kind is called {unknown[0]!r}; there are {', '.join(KINDS)}")
    has = ", ".join(kind for kind in KINDS if kind in offers)
    for kind in kinds or ():
        if kind not in offers:
            why = adapter.why_missing(exchange, kind)
            raise ValueError(f"{exchange} has no {kind}{': ' if why else ''}{why}; it has {has}; leave {kind} out of "
                             "kinds, or bring it from a file with lq.read")  # fmt: skip
    wanted = [kind for kind in KINDS if (kind in kinds if kinds is not None else kind != "leverage_tiers")]
    lacking = [kind for kind in wanted if kind not in offers]
    texts = [f"{exchange} has no {', '.join(lacking)}: not fetched; lq.capabilities({exchange!r}) says more"]
    chosen = dict.fromkeys(["candles", *(kind for kind in wanted if kind in offers)])
    return tuple(chosen), texts if lacking else []


# --- keys and spans ---------------------------------------------------------------------------------------------------


def key_of(plan: Plan, kind: str) -> Key:
    """The store's key of a kind: bars in the candles' time frame, open interest in its own, funding in none."""
    periods = plan.offers[kind].periods
    timeframe = {"open_interest": period_for(plan.timeframe, periods) if periods else "", "funding_rate": ""}
    if plan.archive:
        timeframe["open_interest"] = "5m"  # the only period that the archive has
    return Key(plan.exchange, plan.symbol, kind, timeframe.get(kind, plan.timeframe))


def span_of(plan: Plan, kind: str) -> Span:
    """The stored range of a kind; where stamps are instants, the one at the range's end closes the last bar."""
    if kind in INSTANTS:
        return plan.start, plan.end + pd.Timedelta(1, "ms")
    return plan.start, plan.end


def by_month(start: pd.Timestamp, end: pd.Timestamp) -> Iterator[Span]:
    """A range cut at the months' edges."""
    at = start
    while at < end:
        following = (at.normalize().replace(day=1) + pd.Timedelta(32, "D")).replace(day=1)
        yield at, min(following, end)
        at = following


def finished(kind: str, timeframe: str, now: pd.Timestamp, origin: int = 0) -> pd.Timestamp:
    """Up to where (exclusive) rows of a kind are final at a moment; `origin` [ms] is the open of any bar."""
    settled = now - SETTLING - PUBLISHING.get(kind, pd.Timedelta(0))
    return (
        moment(bar_opens(milliseconds(settled.floor("s")), step_ms(timeframe), origin))
        if kind in BARS
        else settled.floor("s")
    )


def origin_of(plan: Plan, timeframe: str) -> int:
    """The open [ms] of some bar of the venue's candles: weeks begin on Monday on most venues, on Thursday on some, and
    days at 16:00 UTC on others. Bars shorter than 12 h are counted from midnight, without a request."""
    if timedelta(timeframe) < LONG:
        return 0
    known = plan.session.link.learnt.setdefault("origins", {})
    if timeframe not in known:
        known[timeframe] = _origin(plan, timeframe)
    return int(known[timeframe])


def _origin(plan: Plan, timeframe: str) -> int:
    """As the newest candles are cut, else (no longer listed) those from the start on, else from a Monday."""
    step, now, session = step_ms(timeframe), milliseconds(plan.session.now), plan.session
    unit = plan.volume_unit
    for start, stop in ((now - 4 * step, now), (milliseconds(plan.start), milliseconds(plan.start) + 4 * step)):
        page = session.adapter.page(session.link, session.item, "candles", timeframe, start, stop, volume_unit=unit)
        if len(page):
            return int(nanoseconds(page.index)[0]) // 1_000_000
    return MONDAY


def milliseconds(stamp: pd.Timestamp) -> int:
    """Milliseconds since 1970, rounded up: a half-open range of microseconds keeps its rows."""
    return -(-int(stamp.as_unit("ns").value) // 1_000_000)


def moment(ms: int) -> pd.Timestamp:
    return pd.Timestamp(ms, unit="ms", tz="UTC")


def step_ms(timeframe: str) -> int:
    return int(timedelta(timeframe) / pd.Timedelta(1, "ms"))


def sides_of(plan: Plan, kind: str) -> dict[str, str]:
    """What is written beside rows whose venue counts both sides of a trade: they are kept with one side counted."""
    spot = ":" not in plan.symbol
    both = any(unit.kind == kind and unit.sides == BOTH for unit in plan.adapter.units(plan.exchange))
    return {"sides": f"{BOTH} → {ONE}"} if both and not spot else {}
