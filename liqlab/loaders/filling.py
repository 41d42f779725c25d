"""Filling the store: what is asked of the venue, month by month, and how far it counts as complete."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from liqlab.loaders import store as shelf
from liqlab.loaders.exchanges._instruments import BARS, Instrument
from liqlab.loaders.paging import Pages, collect, holes
from liqlab.loaders.planning import (
    EARLY,
    FUNDING_STEP,
    LONG,
    RECENT,
    Plan,
    Span,
    by_month,
    finished,
    key_of,
    milliseconds,
    moment,
    origin_of,
    sides_of,
    span_of,
    step_ms,
)
from liqlab.loaders.store import Key
from liqlab.market.clock import nanoseconds, timedelta
from liqlab.market.resample import next_open

__all__ = ["fill", "tier_unit"]


def fill(plan: Plan, *, progress: bool = True) -> Plan:
    """Bring what is missing into the store; returns the plan with its end cut to what has closed.

    Every month is kept as soon as it is whole; on an error or Ctrl-C what has come in of the current one is kept too.
    """
    if plan.open_ended:
        end = finished("candles", plan.timeframe, plan.session.now, origin_of(plan, plan.timeframe))
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
    shelf.repair(key, first, last, store=plan.store)
    gaps = shelf.missing(key, first, last, store=plan.store)
    if plan.archive and gaps:
        gaps = _from_archive(plan, key, gaps, progress)
    if not gaps:
        return
    gaps = _reachable(plan, kind, key, gaps)
    step = timedelta(key.timeframe) if key.timeframe else pd.Timedelta(FUNDING_STEP, "ms")
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
    origin = origin_of(plan, key.timeframe) if kind in BARS else 0
    last = finished(kind, key.timeframe, now, origin)
    horizon = pd.Timestamp(0, tz="UTC")
    if offer.reach:
        horizon = now - timedelta(offer.reach) + timedelta(key.timeframe or "1h")
    if offer.rows:
        horizon = max(horizon, now - offer.rows * timedelta(key.timeframe))
    if key.timeframe and (kind in BARS or timedelta(key.timeframe) < LONG):
        horizon = moment(next_open(milliseconds(horizon), step_ms(key.timeframe), origin))
    plan.due_from[kind] = horizon
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
    origin = {"exchange": plan.exchange, "origin": plan.offers[kind].origin, **sides_of(plan, kind)}
    item, listed = plan.session.item, plan.session.item.listed
    if listed is not None and stop <= listed - EARLY:
        shelf.append(key, pd.DataFrame(), start, stop, store=plan.store, origin=origin)
        return
    origin_ms = origin_of(plan, key.timeframe) if kind in BARS else 0
    pages = _pages(plan, kind, key, item, told, origin_ms)
    begin, until = milliseconds(start), milliseconds(stop)
    if kind in BARS:
        begin = min(next_open(begin, pages.step, origin_ms), until)
    try:
        frame = collect(pages, begin, until)
    except BaseException:
        _keep_partial(plan, key, pages, begin, until, origin)
        raise
    first, last = _answered(plan, pages, frame, start, stop, moment(begin))
    if first < last:
        shelf.append(key, frame, first, last, store=plan.store, origin=origin)


def _pages(plan: Plan, kind: str, key: Key, item: Instrument, told: Callable[[int], object], origin: int) -> Pages:
    step = step_ms(key.timeframe) if key.timeframe else FUNDING_STEP

    def ask(first: int, last: int) -> pd.DataFrame:
        return plan.adapter.page(plan.session.link, item, kind, key.timeframe, first, last,
                                 volume_unit=plan.volume_unit, origin=origin)  # fmt: skip

    window = plan.adapter.window(plan.exchange, kind, step)
    return Pages(ask, step, window, not key.timeframe, told)


def _answered(
    plan: Plan, pages: Pages, frame: pd.DataFrame, start: pd.Timestamp, stop: pd.Timestamp, due: pd.Timestamp
) -> Span:
    """The range that the rows answer; its first row is due at `due`. Nothing at an end counts as an answer only for
    short, old ranges and before the listing: what is recent may still come, and a venue's memory may be shorter than
    we know."""
    if due >= stop:
        return start, stop  # no bar opens in it
    recent, listed = stop > plan.session.now - RECENT, plan.session.item.listed
    if frame.empty:
        return start, start if recent or stop - due >= RECENT else stop
    before, after = frame.index[0], frame.index[-1] + pd.Timedelta(1 if pages.loose else pages.step, unit="ms")
    known = before - due < RECENT or (listed is not None and start < listed)
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


def tier_unit(plan: Plan) -> dict[str, float]:
    """Contract size and price, where the venue's tiers become notional by them; empty elsewhere."""
    return plan.adapter.tier_unit(plan.session.link, plan.session.item)
