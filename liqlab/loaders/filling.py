"""Filling the store: what is asked of which venue, month by month, and how far it counts as complete."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import ModuleType
from typing import Any

import pandas as pd

from liqlab.loaders import store as shelf
from liqlab.loaders.exchanges import _ccxt, binance
from liqlab.loaders.exchanges._instruments import BARS, KINDS, Instrument, Link, Offer, nearest_names, period_for
from liqlab.loaders.paging import Pages, collect, holes
from liqlab.loaders.store import Key
from liqlab.market.clock import nanoseconds, timedelta, utc

__all__ = ["INSTANTS", "Plan", "adapter_of", "by_month", "fill", "key_of", "plan", "span_of", "summary", "tier_unit"]

INSTANTS = ("open_interest", "funding_rate")
SETTLING = pd.Timedelta(5, "s")  # a bar that closed this moment may still be counted by the venue
PUBLISHING = {"liquidations": pd.Timedelta(10, "min")}  # events are published late
RECENT = pd.Timedelta(1, "D")  # younger than this, what is not there may still come
EARLY = pd.Timedelta(60, "D")  # venues' listing dates are that much too late for old contracts
SKEW = pd.Timedelta(60, "s")
FUNDING_STEP = 8 * 3_600_000  # the longest usual one [ms]
Span = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(eq=False)
class VenueSession:
    """A venue once asked: the link, the instrument, its clock. Made only if something is missing."""

    adapter: ModuleType
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

    adapter: ModuleType
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


def adapter_of(exchange: str) -> ModuleType:
    """The module that knows an exchange: its own, else the one for every exchange that ccxt knows."""
    if exchange in binance.EXCHANGES:
        return binance
    import ccxt

    if exchange in ccxt.exchanges:
        return _ccxt
    hint = nearest_names(exchange, [*ccxt.exchanges, *binance.EXCHANGES])
    raise ValueError(f"no exchange is called {exchange!r}; {hint} lq.capabilities() lists them")


def plan(symbol: str, exchange: str, timeframe: str, start: Any, end: Any, kinds: Sequence[str] | None, store: Any,
         volume_unit: str = "", archive: bool = False) -> Plan:  # fmt: skip
    """Check what was asked, without a request where the symbol is spelt in full."""
    if archive and exchange not in binance.EXCHANGES:
        raise ValueError(f"the public archive is Binance's; {exchange} has none: leave archive out")
    adapter = adapter_of(exchange)
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
    if pd.Timedelta(1, "D") % step == pd.Timedelta(0):
        first, last = first.ceil(step), last if end is None else last.ceil(step)
    if first >= last:
        raise ValueError(f"no candle of {timeframe} opens in [{start}, {end}); widen the range")
    return first, last, end is None


def _kinds(
    kinds: Sequence[str] | None, exchange: str, adapter: ModuleType, offers: dict[str, Offer]
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


def finished(kind: str, timeframe: str, now: pd.Timestamp) -> pd.Timestamp:
    """Up to where (exclusive) rows of a kind are final at a moment."""
    settled = now - SETTLING - PUBLISHING.get(kind, pd.Timedelta(0))
    if kind not in BARS:
        return settled.floor("s")
    step = timedelta(timeframe)
    if pd.Timedelta(1, "D") % step == pd.Timedelta(0):
        return settled.floor(step)
    return (settled - step).floor("D")  # bars longer than a day start where the venue likes


# --- filling ----------------------------------------------------------------------------------------------------------


def fill(plan: Plan, *, progress: bool = True) -> Plan:
    """Bring what is missing into the store; returns the plan with its end cut to what has closed.

    Every month is kept as soon as it is whole; on an error or Ctrl-C what has come in of the current one is kept too.
    """
    if plan.open_ended:
        end = finished("candles", plan.timeframe, plan.session.now)
        if end <= plan.start:
            now = plan.session.now.floor("s")
            raise ValueError(f"no candle of {plan.timeframe} since {plan.start} has closed by {now}, by the venue's "
                             "clock and ours; pass an earlier start")  # fmt: skip
        plan = replace(plan, end=end)
    for kind in (kind for kind in plan.kinds if kind != "leverage_tiers"):
        _fill_kind(plan, kind, progress)
    if "now" in vars(plan.session) and (plan.open_ended or plan.end > plan.session.now) and plan.session.skew:
        warnings.warn(plan.session.skew, stacklevel=3)
    return plan


def _fill_kind(plan: Plan, kind: str, progress: bool) -> None:
    from tqdm.auto import tqdm

    key, (first, last) = key_of(plan, kind), span_of(plan, kind)
    gaps = shelf.missing(key, first, last, store=plan.store)
    if plan.archive and gaps:
        gaps = _from_archive(plan, key, gaps, progress)
    if not gaps:
        return
    gaps = _reachable(plan, kind, key, gaps)
    step = timedelta(key.timeframe) if key.timeframe else pd.Timedelta(8, "h")
    total = sum(-(-(stop - start) // step) for start, stop in gaps)
    with tqdm(total=total, desc=f"{plan.symbol} {kind}", unit=" rows", disable=not progress or not gaps) as bar:
        for start, stop in (month for gap in gaps for month in by_month(*gap)):
            _fill_month(plan, kind, key, start, stop, bar.update)


def _from_archive(plan: Plan, key: Key, gaps: list[Span], progress: bool) -> list[Span]:
    """Past days from Binance's public archive; what is then missing is left to the venue."""
    from liqlab.loaders import archive

    archive.fill(key, gaps, store=plan.store, progress=progress)
    return shelf.missing(key, gaps[0][0], gaps[-1][1], store=plan.store)


def _reachable(plan: Plan, kind: str, key: Key, gaps: list[Span]) -> list[Span]:
    """The missing ranges that the venue can answer; what it no longer keeps is added to what is lacking."""
    offer, now = plan.offers[kind], plan.session.now
    last = finished(kind, key.timeframe, now)
    horizon = pd.Timestamp(0, tz="UTC")
    if offer.reach:
        horizon = now - timedelta(offer.reach) + timedelta(key.timeframe or "1h")
    if offer.rows:
        horizon = max(horizon, now - offer.rows * timedelta(key.timeframe))
    horizon = horizon.ceil(timedelta(key.timeframe)) if key.timeframe and kind != "funding_rate" else horizon
    lost = [gap for gap in gaps if gap[0] < min(horizon, last)]
    if lost:
        kept = offer.reach or f"{offer.rows} rows"
        note = f"; {offer.note}" if offer.note else ""
        since, until = lost[0][0], min(lost[-1][1], horizon)
        plan.missing_kinds.append(f"{kind}: {plan.exchange} keeps {kept} only, so nothing was asked for from "
                          f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}{note}")  # fmt: skip
    cut = [(max(start, horizon), min(stop, last)) for start, stop in gaps]
    return [(start, stop) for start, stop in cut if start < stop]


def _fill_month(
    plan: Plan, kind: str, key: Key, start: pd.Timestamp, stop: pd.Timestamp, told: Callable[[int], object]
) -> None:
    """One month, or what is missing of it: fetched, then kept with the range that it answers."""
    origin = {"exchange": plan.exchange, "origin": plan.offers[kind].origin}
    item, listed = plan.session.item, plan.session.item.listed
    if listed is not None and stop <= listed - EARLY:
        shelf.append(key, pd.DataFrame(), start, stop, store=plan.store, origin=origin)
        return
    pages = _pages(plan, kind, key, item, told)
    begin, until = _ms(start), _ms(stop)
    try:
        frame = collect(pages, begin, until)
    except BaseException:
        _keep_partial(plan, key, pages, begin, until, origin)
        raise
    first, last = _answered(plan, pages, frame, start, stop)
    if first < last:
        shelf.append(key, frame, first, last, store=plan.store, origin=origin)


def _pages(plan: Plan, kind: str, key: Key, item: Instrument, told: Callable[[int], object]) -> Pages:
    step = int(timedelta(key.timeframe) / pd.Timedelta(1, "ms")) if key.timeframe else FUNDING_STEP
    options = {"volume_unit": plan.volume_unit} if plan.volume_unit and plan.adapter is not binance else {}

    def ask(first: int, last: int) -> pd.DataFrame:
        return plan.adapter.page(plan.session.link, item, kind, key.timeframe, first, last, **options)

    window = plan.adapter.window(plan.exchange, kind, step)
    return Pages(ask, step, window, not key.timeframe, told)


def _answered(plan: Plan, pages: Pages, frame: pd.DataFrame, start: pd.Timestamp, stop: pd.Timestamp) -> Span:
    """The range that the rows answer. Nothing at an end counts as an answer only for short, old ranges and before the
    listing: what is recent may still come, and a venue's memory may be shorter than we know."""
    recent, listed = stop > plan.session.now - RECENT, plan.session.item.listed
    if frame.empty:
        return start, start if recent or stop - start >= RECENT else stop
    before, after = frame.index[0], frame.index[-1] + pd.Timedelta(1 if pages.loose else pages.step, unit="ms")
    known = before - start < RECENT or (listed is not None and start < listed)
    return start if known else before, min(after, stop) if recent or stop - after >= RECENT else stop


def _keep_partial(plan: Plan, key: Key, pages: Pages, begin: int, until: int, origin: dict[str, str]) -> None:
    """Keep what came in before an interruption, up to its first hole."""
    frame = pages.frame
    if frame.empty:
        return
    after = 1 if pages.loose else pages.step
    end = min(int(nanoseconds(frame.index)[-1]) // 1_000_000 + after, until)
    end = min([first for first, _ in holes(frame, begin, end, pages.step, pages.loose)] or [end])
    if end > begin:
        stop = pd.Timestamp(end, unit="ms", tz="UTC")
        rows = frame[frame.index < stop]
        shelf.append(key, rows, pd.Timestamp(begin, unit="ms", tz="UTC"), stop, store=plan.store, origin=origin)


def _ms(moment: pd.Timestamp) -> int:
    """Milliseconds since 1970, rounded up: a half-open range of microseconds keeps its rows."""
    return -(-int(moment.as_unit("ns").value) // 1_000_000)


def tier_unit(plan: Plan) -> dict[str, float]:
    """Contract size and price, where the venue's tiers become notional by them; empty elsewhere."""
    asked: Any = getattr(plan.adapter, "tier_unit", None)
    return asked(plan.session.link, plan.session.item) if asked else {}


def summary(plan: Plan) -> list[dict[str, Any]]:
    """What the store holds of a filled plan: kind, rows, first and last stamp. One month is read at a time."""
    table = []
    for kind in (kind for kind in plan.kinds if kind != "leverage_tiers"):
        key, count, edges = key_of(plan, kind), 0, ["-", "-"]
        for start, stop in by_month(*span_of(plan, kind)):
            stamps = shelf.load(key, start, stop, store=plan.store).index
            if len(stamps):
                edges = [edges[0] if count else f"{stamps[0]:%Y-%m-%d %H:%M}", f"{stamps[-1]:%Y-%m-%d %H:%M}"]
                count += len(stamps)
        table.append({"kind": kind, "rows": count, "first": edges[0], "last": edges[1]})
    return table
