"""The plain twin: the ledger as lists of lots, with no trick at all. Slow, and meant to be read.

A *lot* is one opened amount on one level. In every step, on each side:

1. touch: every standing lot whose level the step reaches is liquidated (longs: low <= level, shorts: high >= level);
2. open: the step's coins spread evenly over its entry cells, and over the leverage levels of its tier version by their
   shares; a lot whose level the very same step reaches never stands: a share `same_bar_share` is liquidated, the rest
   is closed;
3. close: lots lose a share ``min(rate · close_rate, 1)``, the unattributed part at close rate 1, at the one rate that
   leaves attributed + unattributed = open interest; where there is too little of them the unattributed part grows.
   Where the open interest is not known (NaN) nothing closes, and nothing is said of the unattributed part, which waits
   unchanged. Where a step fades, every lot keeps ``exp(−fade · close_rate)`` of itself instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from liqlab.engine.records import Ladder, Steps

SIDES = ("long", "short")
FLOWS = ("attributed_oi", "unattributed_oi", "closed", "liquidated", "liquidated_notional")


@dataclass
class Lot:
    """One amount on one level."""

    step: int
    leverage_level: int
    entry: int
    level: int
    coins: float


@dataclass
class Story:
    """What happened: per flow a list by step of (long, short); by leverage level; the lots at chosen steps."""

    flows: dict[str, list[list[float]]] = field(default_factory=lambda: {name: [] for name in FLOWS})
    opened_by_level: list[list[list[float]]] = field(default_factory=list)
    liquidated_by_level: list[list[list[float]]] = field(default_factory=list)
    closed_by_level: list[list[list[float]]] = field(default_factory=list)
    standing_by_level: list[list[list[float]]] = field(default_factory=list)
    survival: list[list[list[float]]] = field(default_factory=list)
    lots: dict[int, tuple[list[Lot], list[Lot]]] = field(default_factory=dict)


def price_at(cell: int, grid: float) -> float:
    """The centre of a cell: the price of a level that stands there."""
    return math.exp((cell + 0.5) * grid)


def play(steps: Steps, ladder: Ladder, *, grid: float, same_bar_share: float = 0.5, at: tuple[int, ...] = ()) -> Story:
    """Play all steps; keep copies of the lots after the steps `at`."""
    story = Story()
    ledgers: tuple[list[Lot], list[Lot]] = ([], [])
    unattributed = [0.0, 0.0]
    for t in range(len(steps)):
        rows: dict[str, list[float]] = {name: [0.0, 0.0] for name in FLOWS}
        by_level = [[[0.0] * len(ladder.leverage) for _ in SIDES] for _ in range(5)]
        for s in (0, 1):
            mine = [by_level[k][s] for k in range(5)]
            row = play_side(steps, ladder, t, s, ledgers[s], unattributed, mine, grid, same_bar_share)
            for name, value in row.items():
                rows[name][s] = value
        for name in FLOWS:
            story.flows[name].append(rows[name])
        story.opened_by_level.append(by_level[0])
        story.liquidated_by_level.append(by_level[1])
        story.closed_by_level.append(by_level[2])
        story.standing_by_level.append(by_level[3])
        story.survival.append(by_level[4])
        if t in at:
            story.lots[t] = tuple([Lot(**vars(lot)) for lot in ledger] for ledger in ledgers)  # type: ignore[assignment]
    return story


def play_side(
    steps: Steps, ladder: Ladder, t: int, s: int, ledger: list[Lot], unattributed_oi: list[float],
    by_level: list[list[float]], grid: float, same_bar_share: float,
) -> dict[str, float]:  # fmt: skip
    """One step of one side; `ledger` and `unattributed_oi` are changed in place."""
    opened_by_level, liquidated_by_level, closed_by_level, standing_by_level, survival = by_level
    liquidated = closed = value = 0.0
    standing = []
    for lot in ledger:
        if reached(steps, t, s, lot.level):
            liquidated += lot.coins
            value += lot.coins * price_at(lot.level, grid)
            liquidated_by_level[lot.leverage_level] += lot.coins
        else:
            standing.append(lot)
    for lot in openings(steps, ladder, t, s):
        opened_by_level[lot.leverage_level] += lot.coins
        if reached(steps, t, s, lot.level):
            liquidated += same_bar_share * lot.coins
            value += same_bar_share * lot.coins * price_at(lot.level, grid)
            closed += (1 - same_bar_share) * lot.coins
            liquidated_by_level[lot.leverage_level] += same_bar_share * lot.coins
            closed_by_level[lot.leverage_level] += (1 - same_bar_share) * lot.coins
        else:
            standing.append(lot)
    target, fade = float(steps.open_interest[t]), 0.0 if steps.fade is None else float(steps.fade[t])
    close_rate = [1.0] * len(ladder.leverage) if ladder.close_rate is None else [float(x) for x in ladder.close_rate]
    rate = 0.0
    if not math.isnan(target) and not fade:
        rate = closing_rate(
            [(lot.coins, close_rate[lot.leverage_level]) for lot in standing] + [(unattributed_oi[s], 1.0)], target
        )
    survival[:] = [math.exp(-fade * x) if fade else 1.0 - min(rate * x, 1.0) for x in close_rate]
    for lot in standing:
        closed += lot.coins * (1 - survival[lot.leverage_level])
        closed_by_level[lot.leverage_level] += lot.coins * (1 - survival[lot.leverage_level])
        lot.coins *= survival[lot.leverage_level]
    attributed_oi = math.fsum(lot.coins for lot in standing)
    if not math.isnan(target):
        unattributed_oi[s] = max(target - attributed_oi, 0.0)
    for lot in standing:
        standing_by_level[lot.leverage_level] += lot.coins
    ledger[:] = standing
    said = 0.0 if math.isnan(target) else unattributed_oi[s]
    return {"attributed_oi": attributed_oi, "unattributed_oi": said, "closed": closed, "liquidated": liquidated,
            "liquidated_notional": value}  # fmt: skip


def closing_rate(parts: list[tuple[float, float]], target: float) -> float:
    """The rate at which parts (coins, close_rate) keep `target` coins, by halving; 0 where they hold no more."""
    if math.fsum(coins for coins, _ in parts) <= target:
        return 0.0
    low, high = 0.0, 1.0 / min(close_rate for _, close_rate in parts)
    for _ in range(200):
        middle = (low + high) / 2
        kept = math.fsum(coins * (1.0 - min(middle * close_rate, 1.0)) for coins, close_rate in parts)
        low, high = (middle, high) if kept > target else (low, middle)
    return high


def reached(steps: Steps, t: int, s: int, level: int) -> bool:
    """Does the step reach the level? Closed: an equal cell counts."""
    return int(steps.touch_low[t]) <= level if s == 0 else int(steps.touch_high[t]) >= level


def openings(steps: Steps, ladder: Ladder, t: int, s: int) -> list[Lot]:
    """The step's lots: entry cells × leverage levels of its tier version."""
    low, high = int(steps.entry_low[t]), int(steps.entry_high[t])
    coins = float(steps.opened[s, t]) / (high - low + 1)
    lots = []
    for leverage_level in range(len(ladder.leverage)):
        if int(ladder.tier_version[leverage_level]) == int(steps.tier_version[t]):
            away, share = int(ladder.cells[s, leverage_level]), float(ladder.share[s, leverage_level])
            for entry in range(low, high + 1):
                level = entry - away if s == 0 else entry + away
                lots.append(Lot(t, leverage_level, entry, level, coins * share))
    return lots


def column(
    lots: list[Lot], edges: list[float], *, grid: float, alive: int = 0, leverage_level: int | None = None
) -> list[float]:
    """Notional by bin of what stands: coins × level price where ``edge[k] <= price < edge[k + 1]``.

    Lookback: only what was opened at step `alive` or later. One leverage level, or all of them.
    """
    bins = [0.0] * (len(edges) - 1)
    for lot in lots:
        price = price_at(lot.level, grid)
        if (
            lot.step >= alive
            and (leverage_level is None or leverage_level == lot.leverage_level)
            and edges[0] <= price < edges[-1]
        ):
            k = next(k for k in range(len(bins)) if price < edges[k + 1])
            bins[k] += lot.coins * price
    return bins
