"""The plain twin: the book as lists of lots, with no trick at all. Slow, and meant to be read.

A *lot* is one opened amount on one level. In every step, on each side:

1. touch: every standing lot whose level the step reaches is liquidated (longs: low <= level, shorts: high >= level);
2. open: the step's coins spread evenly over its entry cells, and over the rungs of its epoch by their shares; a lot
   whose level the very same step reaches never stands: a share `same_bar` is liquidated, the rest is closed;
3. close: lots lose a share ``min(rate · pace, 1)``, the unplaced part at pace 1, at the one rate that leaves
   placed + unplaced = open interest; where there is too little of them the unplaced part grows. Where the open interest
   is not known (NaN) nothing closes, and nothing is said of the unplaced part, which waits unchanged. Where a step
   fades, every lot keeps ``exp(−fade · pace)`` of itself instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from liqlab.engine.ledger import Ladder, Steps

SIDES = ("long", "short")
FLOWS = ("placed", "unplaced", "closed", "liquidated", "liquidated_notional")


@dataclass
class Lot:
    """One amount on one level."""

    step: int
    rung: int
    entry: int
    level: int
    coins: float


@dataclass
class Story:
    """What happened: per flow a list by step of (long, short); by rung; and copies of the lots at chosen steps."""

    flows: dict[str, list[list[float]]] = field(default_factory=lambda: {name: [] for name in FLOWS})
    opened_rung: list[list[list[float]]] = field(default_factory=list)
    liquidated_rung: list[list[list[float]]] = field(default_factory=list)
    closed_rung: list[list[list[float]]] = field(default_factory=list)
    standing_rung: list[list[list[float]]] = field(default_factory=list)
    survival: list[list[list[float]]] = field(default_factory=list)
    lots: dict[int, tuple[list[Lot], list[Lot]]] = field(default_factory=dict)


def price_at(cell: int, grid: float) -> float:
    """The centre of a cell: the price of a level that stands there."""
    return math.exp((cell + 0.5) * grid)


def play(steps: Steps, ladder: Ladder, *, grid: float, same_bar: float = 0.5, at: tuple[int, ...] = ()) -> Story:
    """Play all steps; keep copies of the lots after the steps `at`."""
    story = Story()
    books: tuple[list[Lot], list[Lot]] = ([], [])
    unplaced = [0.0, 0.0]
    for t in range(len(steps)):
        rows: dict[str, list[float]] = {name: [0.0, 0.0] for name in FLOWS}
        by_rung = [[[0.0] * len(ladder.leverage) for _ in SIDES] for _ in range(5)]
        for s in (0, 1):
            mine = [by_rung[k][s] for k in range(5)]
            row = play_side(steps, ladder, t, s, books[s], unplaced, mine, grid, same_bar)
            for name, value in row.items():
                rows[name][s] = value
        for name in FLOWS:
            story.flows[name].append(rows[name])
        story.opened_rung.append(by_rung[0])
        story.liquidated_rung.append(by_rung[1])
        story.closed_rung.append(by_rung[2])
        story.standing_rung.append(by_rung[3])
        story.survival.append(by_rung[4])
        if t in at:
            story.lots[t] = tuple([Lot(**vars(lot)) for lot in book] for book in books)  # type: ignore[assignment]
    return story


def play_side(
    steps: Steps, ladder: Ladder, t: int, s: int, book: list[Lot], unplaced: list[float], by_rung: list[list[float]],
    grid: float, same_bar: float,
) -> dict[str, float]:  # fmt: skip
    """One step of one side; `book` and `unplaced` are changed in place."""
    opened_rung, liquidated_rung, closed_rung, standing_rung, survival = by_rung
    liquidated = closed = value = 0.0
    standing = []
    for lot in book:
        if reached(steps, t, s, lot.level):
            liquidated += lot.coins
            value += lot.coins * price_at(lot.level, grid)
            liquidated_rung[lot.rung] += lot.coins
        else:
            standing.append(lot)
    for lot in openings(steps, ladder, t, s):
        opened_rung[lot.rung] += lot.coins
        if reached(steps, t, s, lot.level):
            liquidated += same_bar * lot.coins
            value += same_bar * lot.coins * price_at(lot.level, grid)
            closed += (1 - same_bar) * lot.coins
            liquidated_rung[lot.rung] += same_bar * lot.coins
            closed_rung[lot.rung] += (1 - same_bar) * lot.coins
        else:
            standing.append(lot)
    target, fade = float(steps.open_interest[t]), 0.0 if steps.fade is None else float(steps.fade[t])
    pace = [1.0] * len(ladder.leverage) if ladder.pace is None else [float(x) for x in ladder.pace]
    rate = 0.0
    if not math.isnan(target) and not fade:
        rate = closing_rate([(lot.coins, pace[lot.rung]) for lot in standing] + [(unplaced[s], 1.0)], target)
    survival[:] = [math.exp(-fade * x) if fade else 1.0 - min(rate * x, 1.0) for x in pace]
    for lot in standing:
        closed += lot.coins * (1 - survival[lot.rung])
        closed_rung[lot.rung] += lot.coins * (1 - survival[lot.rung])
        lot.coins *= survival[lot.rung]
    placed = math.fsum(lot.coins for lot in standing)
    if not math.isnan(target):
        unplaced[s] = max(target - placed, 0.0)
    for lot in standing:
        standing_rung[lot.rung] += lot.coins
    book[:] = standing
    said = 0.0 if math.isnan(target) else unplaced[s]
    return {"placed": placed, "unplaced": said, "closed": closed, "liquidated": liquidated,
            "liquidated_notional": value}  # fmt: skip


def closing_rate(parts: list[tuple[float, float]], target: float) -> float:
    """The rate at which parts (coins, pace) keep `target` coins, by halving; 0 where they hold no more than that."""
    if math.fsum(coins for coins, _ in parts) <= target:
        return 0.0
    low, high = 0.0, 1.0 / min(pace for _, pace in parts)
    for _ in range(200):
        middle = (low + high) / 2
        kept = math.fsum(coins * (1.0 - min(middle * pace, 1.0)) for coins, pace in parts)
        low, high = (middle, high) if kept > target else (low, middle)
    return high


def reached(steps: Steps, t: int, s: int, level: int) -> bool:
    """Does the step reach the level? Closed: an equal cell counts."""
    return int(steps.touch_low[t]) <= level if s == 0 else int(steps.touch_high[t]) >= level


def openings(steps: Steps, ladder: Ladder, t: int, s: int) -> list[Lot]:
    """The step's lots: entry cells × rungs of its epoch."""
    low, high = int(steps.entry_low[t]), int(steps.entry_high[t])
    coins = float(steps.opened[s, t]) / (high - low + 1)
    lots = []
    for rung in range(len(ladder.leverage)):
        if int(ladder.epoch[rung]) == int(steps.epoch[t]):
            away, share = int(ladder.cells[s, rung]), float(ladder.share[s, rung])
            for entry in range(low, high + 1):
                level = entry - away if s == 0 else entry + away
                lots.append(Lot(t, rung, entry, level, coins * share))
    return lots


def column(lots: list[Lot], edges: list[float], *, grid: float, alive: int = 0, rung: int | None = None) -> list[float]:
    """Notional by bin of what stands: coins × level price where ``edge[k] <= price < edge[k + 1]``.

    Lookback: only what was opened at step `alive` or later. One rung, or all of them.
    """
    bins = [0.0] * (len(edges) - 1)
    for lot in lots:
        price = price_at(lot.level, grid)
        if lot.step >= alive and (rung is None or rung == lot.rung) and edges[0] <= price < edges[-1]:
            k = next(k for k in range(len(bins)) if price < edges[k + 1])
            bins[k] += lot.coins * price
    return bins
