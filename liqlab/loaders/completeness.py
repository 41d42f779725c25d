"""What came of filling the store: rows by kind, and those that are due and did not come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders import store as shelf
from liqlab.loaders.exchanges._instruments import BARS
from liqlab.loaders.planning import (
    FUNDING_STEP,
    RECENT,
    Plan,
    by_month,
    finished,
    key_of,
    milliseconds,
    moment,
    span_of,
    step_ms,
)
from liqlab.market.clock import nanoseconds
from liqlab.market.resample import next_open

__all__ = ["shortfall", "stored_stamps", "summary"]


def stored_stamps(plan: Plan, kind: str) -> np.ndarray:
    """Stamps [ms] that the store holds of a filled plan; one month is read at a time."""
    key = key_of(plan, kind)
    months = [shelf.load(key, start, stop, store=plan.store).index for start, stop in by_month(*span_of(plan, kind))]
    return np.concatenate([nanoseconds(stamps) // 1_000_000 for stamps in months] or [np.empty(0, np.int64)])


def shortfall(plan: Plan, kind: str, stamps: np.ndarray) -> str:
    """Rows that are due and not there, in words: how many of how many, and the first places; empty if all are there.

    Not due is what the venue no longer keeps (named in `Plan.missing_kinds`), what lies before the listing, and the
    newest snapshot of open interest or funding, which may still be to come.
    """
    step, allowed, about = _distance(plan, kind, stamps)
    first, last = _due(plan, kind, stamps, step)
    if kind != "funding_rate":
        first = next_open(first, step, int(stamps[0]) if len(stamps) else 0)
    if first >= last:
        return ""
    inside = stamps[(stamps >= first) & (stamps < last)]
    edges = np.concatenate([[first - step], inside, [last]])
    at = np.flatnonzero(np.diff(edges) > allowed)
    if not len(at):
        return ""
    holes = [(moment(int(edges[k]) + step), moment(int(edges[k + 1]))) for k in at[:3]]
    places = [f"nothing from {start:%Y-%m-%d %H:%M} to {stop:%Y-%m-%d %H:%M}" for start, stop in holes]
    more = f" and at {len(at) - 3} more place(s)" if len(at) > 3 else ""
    due = -(-(last - first) // step)
    return (f"{kind} of {plan.symbol} on {plan.exchange}: {len(inside):,} of {about}{due:,} row(s) that are due; "
            f"{'; '.join(places)}{more}: the venue gave no more")  # fmt: skip


def _distance(plan: Plan, kind: str, stamps: np.ndarray) -> tuple[int, int, str]:
    """Usual distance of rows [ms], the longest that is no hole, and *about* where the first is an estimate."""
    if kind != "funding_rate":
        step = step_ms(key_of(plan, kind).timeframe)
        return step, step, ""
    step = int(np.median(np.diff(stamps))) if len(stamps) > 2 else FUNDING_STEP
    return step, max(FUNDING_STEP, step) * 3 // 2, "about "


def _due(plan: Plan, kind: str, stamps: np.ndarray, step: int) -> tuple[int, int]:
    """From when and up to when [ms] rows are due."""
    now = plan.session.now if "now" in vars(plan.session) else pd.Timestamp.now("UTC")
    first, last = milliseconds(max(plan.start, plan.due_from.get(kind, plan.start))), milliseconds(plan.end)
    if kind in BARS:
        origin = int(stamps[0]) if len(stamps) else 0
        last = min(last, milliseconds(finished(kind, key_of(plan, kind).timeframe, now, origin)))
    elif now - plan.end < RECENT:
        last = min(last, milliseconds(now)) - step
    item = vars(plan.session).get("item")
    if item is not None and item.listed is not None:
        first = max(first, min([milliseconds(item.listed), *map(int, stamps[:1])]))
    if len(stamps) and first < stamps[0] and _is_answered(plan, kind, first, int(stamps[0])):
        first = int(stamps[0])  # listed later
    return first, last


def _is_answered(plan: Plan, kind: str, first: int, last: int) -> bool:
    """Whether the store knows that there is nothing in a range, as before the listing."""
    return not shelf.missing(key_of(plan, kind), moment(first), moment(last), store=plan.store)


def summary(plan: Plan) -> list[dict[str, Any]]:
    """What the store holds of a filled plan: kind, rows, first and last stamp; and what is short, in words."""
    table = []
    for kind in (kind for kind in plan.kinds if kind != "leverage_tiers"):
        stamps = stored_stamps(plan, kind)
        edges = [f"{moment(int(stamps[k])):%Y-%m-%d %H:%M}" if len(stamps) else "-" for k in (0, -1)]
        row = {"kind": kind, "rows": len(stamps), "first": edges[0], "last": edges[1]}
        table.append(row | {"short": shortfall(plan, kind, stamps)})
    return table
