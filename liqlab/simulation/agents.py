"""The kernel of the agent market: who opens, who closes, who is liquidated, trade by trade.

Quantities are whole numbers of the smallest lot, so that longs and shorts add up exactly. Every lot owns four nodes
in lists by price cell (its liquidation price, stop, target, and the liquidation price after margin was added) and two
entries of a diary by sub-step (a decision to close, margin to add): nothing is searched for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from liqlab.engine.jit import jit
from liqlab.simulation.agent_state import REACH

CELL = 5e-4  # width of a price cell [log]
LONG, SHORT = 0, 1
OPEN, CLOSED, LIQUIDATED = 0, 1, 2
BUY, SELL, OPENED, OWN, FORCED = 0, 1, 2, 4, 6  # columns of the flows; the last three have one per side
GAMBLER, SCALPER, SWING, HOLDER = 0, 1, 2, 3
MAX_CLOSE_WAIT_STEPS = 360  # sub-steps that a closing order waits for somebody who wants to open the other side

# By kind: share of those who come, added up; median leverage of longs and shorts; median planned life [sub-steps] and
# its spread [log]; chance of a stop; size.
COMERS = np.array([0.2, 0.5, 0.82, 1.0])
LEVERAGE = np.array([[60.0, 70.0], [26.0, 34.0], [12.0, 19.0], [7.0, 14.0]])
LIFE = np.array([180.0, 270.0, 3_600.0, 60_000.0])
LIFE_SPREAD = np.array([1.2, 1.2, 1.3, 1.0])
STOPS = np.array([0.1, 0.6, 0.35, 0.1])
SIZE = np.array([0.3, 0.7, 1.0, 1.4])


@jit
def run_nb(rng: Any, shock: Any, sigma: Any, comers: Any, lots: Any, desk: Any, setting: Any) -> Any:
    """All sub-steps in order. Returns the prices (step + 1), the flows (step, 8) and how many sub-steps there was room
    for; −1 where the price leaves the grid, on which cells follow the price."""
    steps = shock.size
    prices, flows = np.empty(steps + 1), np.zeros((steps, 8), np.int64)
    log_price, fast, slow, pull = setting.log_first, 0.0, 0.0, 0.0
    prices[0] = np.exp(log_price)
    for k in range(steps):
        if desk.used[0] + 20_000 > lots.side.size:
            return prices, flows, k
        if setting.magnet != 0.0 and k % 30 == 0:
            pull = _pull_nb(log_price, desk, setting)
        change = shock[k] + setting.magnet * sigma[k] * pull
        log_price += change
        if not abs(log_price - setting.log_first) < CELL * REACH:
            return prices, flows, -1
        price = np.exp(log_price)
        prices[k + 1] = price
        fast = 0.99723 * fast + change / sigma[k] * 0.0744  # memory of an hour, variance about 1
        slow = 0.999884 * slow + change / sigma[k] * 0.01521  # of a day
        if change < 0:
            _touch_nb(k, 0, price, prices[k], lots, desk, setting, flows[k])
        else:
            _touch_nb(k, 1, price, prices[k], lots, desk, setting, flows[k])
        _decide_nb(rng, k, price, lots, desk, setting, flows[k])
        calm = sigma[k] / setting.usual
        for _ in range(rng.poisson(comers[k])):
            _come_nb(rng, k, price, fast, slow, calm, lots, desk, setting, flows[k])
        _match_nb(rng, k, price, slow, calm, lots, desk, setting, flows[k])
    return prices, flows, steps


# --- lists by price -------------------------------------------------------------------------------------------------


@jit
def _cell_nb(price: Any, setting: Any) -> Any:
    cell = int(np.floor((np.log(price) - setting.log_first) / CELL)) + REACH
    return min(max(cell, 0), 2 * REACH)


@jit
def _level_nb(node: Any, lots: Any) -> Any:
    """Price at which a node is touched; 0 where it means nothing (any more)."""
    lot, what = node // 4, node % 4
    if lots.reason[lot] != OPEN:
        return 0.0
    if what == 1:
        return lots.stop[lot]
    if what == 2:
        return lots.target[lot]
    if (what == 0) == (lots.moved[lot] < 0):
        return lots.level[lot] if what == 0 else lots.moved_level[lot]
    return 0.0


@jit
def _hang_nb(node: Any, lots: Any, desk: Any, setting: Any) -> Any:
    """Put a node into the list of its cell."""
    level = _level_nb(node, lots)
    if level <= 0.0:
        return
    up = (lots.side[node // 4] == SHORT) != (node % 4 == 2)
    cell = _cell_nb(level, setting)
    way = 1 if up else 0
    desk.after[node] = desk.head[way, cell]
    desk.head[way, cell] = node


@jit
def _touch_nb(k: Any, way: Any, price: Any, before: Any, lots: Any, desk: Any, setting: Any, flow: Any) -> None:
    """Whoever has a level between the last price and this one acts, the nearest cell first."""
    cell, last = _cell_nb(before, setting), _cell_nb(price, setting)
    stride = 1 if way == 1 else -1
    while True:
        node, kept = desk.head[way, cell], -1
        while node >= 0:
            following, level = desk.after[node], _level_nb(node, lots)
            if (way == 0 and level >= price) or (way == 1 and 0.0 < level <= price):
                forced = node % 4 == 0 or node % 4 == 3
                _leave_nb(k, node // 4, LIQUIDATED if forced else CLOSED, True, lots, desk, setting, flow)
            elif level > 0.0:
                desk.after[node] = kept
                kept = node
            node = following
        desk.head[way, cell] = kept
        if cell == last:
            return
        cell += stride


@jit
def _pull_nb(log_price: Any, desk: Any, setting: Any) -> Any:
    """Direction of the densest cluster (25 bp wide) that lies 0.3 to 4 % away."""
    here, best, way = int((log_price - setting.log_first) / CELL) + REACH, 0, 0.0
    for sign in (-1, 1):
        for away in range(6, 80):
            mass = 0
            for near in range(-2, 3):
                mass += desk.dense[min(max(here + sign * away + near, 0), 2 * REACH)]
            if mass > best:
                best, way = mass, float(sign)
    return way


# --- leaving --------------------------------------------------------------------------------------------------------


@jit
def _now_nb(lot: Any, lots: Any) -> Any:
    """Liquidation price in force."""
    return lots.level[lot] if lots.moved[lot] < 0 else lots.moved_level[lot]


@jit
def _weigh_nb(lot: Any, quantity: Any, lots: Any, desk: Any, setting: Any) -> None:
    level = _now_nb(lot, lots)
    if level > 0.0:
        desk.dense[_cell_nb(level, setting)] += quantity


@jit
def _leave_nb(k: Any, lot: Any, reason: Any, taker: Any, lots: Any, desk: Any, setting: Any, flow: Any) -> None:
    """A lot is closed, by its owner or by force: longs sell, shorts buy."""
    side, quantity = lots.side[lot], lots.quantity[lot]
    _weigh_nb(lot, -quantity, lots, desk, setting)
    lots.closed[lot], lots.reason[lot] = k, reason
    flow[(FORCED if reason == LIQUIDATED else OWN) + side] += quantity
    if taker:
        flow[SELL if side == LONG else BUY] += quantity


@jit
def _note_nb(entry: Any, k: Any, desk: Any) -> None:
    """Write an entry into the diary; what lies beyond the end is not kept."""
    if k < desk.due.size:
        desk.later[entry] = desk.due[k]
        desk.due[k] = entry


@jit
def _decide_nb(rng: Any, k: Any, price: Any, lots: Any, desk: Any, setting: Any, flow: Any) -> None:
    """What the diary holds for this sub-step: those who planned to close, or would add margin to a loss."""
    entry = desk.due[k]
    while entry >= 0:
        following, lot = desk.later[entry], entry // 2
        if lots.reason[lot] == OPEN:
            loses = (price < lots.entry[lot]) == (lots.side[lot] == LONG)
            if entry % 2 == 1:
                if loses:
                    _add_margin_nb(rng, k, lot, lots, desk, setting)
            elif lots.waiting[lot] == 1:
                _leave_nb(k, lot, CLOSED, True, lots, desk, setting, flow)
            elif loses and rng.random() < 0.5:  # losses are sat out
                _note_nb(entry, k + 1 + int(rng.exponential(0.5 * lots.life[lot])), desk)
            elif rng.random() < 0.5:
                _leave_nb(k, lot, CLOSED, True, lots, desk, setting, flow)
            else:
                side = lots.side[lot]
                lots.waiting[lot] = 1
                desk.queue[side, desk.ends[side, 1]] = lot
                desk.ends[side, 1] += 1
                _note_nb(entry, k + MAX_CLOSE_WAIT_STEPS, desk)
        entry = following


@jit
def _add_margin_nb(rng: Any, k: Any, lot: Any, lots: Any, desk: Any, setting: Any) -> None:
    """Margin is added once: the liquidation price moves away."""
    _weigh_nb(lot, -lots.quantity[lot], lots, desk, setting)
    further = 1.2 + rng.random()
    level = lots.entry[lot] + further * (lots.level[lot] - lots.entry[lot])
    lots.moved_level[lot], lots.moved[lot] = max(level, 0.0) if lots.level[lot] > 0 else 0.0, k
    _weigh_nb(lot, lots.quantity[lot], lots, desk, setting)
    _hang_nb(4 * lot + 3, lots, desk, setting)


# --- opening --------------------------------------------------------------------------------------------------------


@jit
def _come_nb(rng: Any, k: Any, price: Any, fast: Any, slow: Any, calm: Any, lots: Any, desk: Any, setting: Any,
             flow: Any) -> None:  # fmt: skip
    """Somebody opens at the market: with the trend more often than against it."""
    kind = np.searchsorted(COMERS, rng.random(), side="right")
    lean = 0.35 * np.tanh(fast if kind <= SCALPER else slow)
    if rng.random() < 0.3:
        lean = -lean
    side = LONG if rng.random() < 0.52 + lean else SHORT
    quantity = _size_nb(rng, price, kind, setting)
    _open_nb(rng, k, price, side, kind, quantity, slow, calm, lots, desk, setting, flow)
    flow[BUY if side == LONG else SELL] += quantity


@jit
def _size_nb(rng: Any, price: Any, kind: Any, setting: Any) -> Any:
    """Log-normal body, Pareto tail, in lots."""
    notional = setting.size * SIZE[kind] * np.exp(1.4 * rng.standard_normal())
    if rng.random() < 0.03:
        notional *= (1.0 - rng.random()) ** (-1.0 / 1.4)
    return max(int(min(notional, 300.0 * setting.size) / (price * setting.lot)), 1)


@jit
def _open_nb(rng: Any, k: Any, price: Any, side: Any, kind: Any, quantity: Any, slow: Any, calm: Any, lots: Any,
             desk: Any, setting: Any, flow: Any) -> None:  # fmt: skip
    """Write a new lot: leverage by kind, side, size and regime; margin mode; stop and target; plans."""
    lot = desk.used[0]
    desk.used[0] += 1
    coins = quantity * setting.lot
    tier = np.searchsorted(setting.floor, coins * price, side="right") - 1
    along = (slow > 0.0) == (side == LONG)
    boldness = 0.4 * np.tanh(abs(slow) / 1.5) * (1.0 if along else 0.3) - 0.5 * np.log(calm)
    boldness -= 0.1 * np.log(coins * price / setting.size)
    leverage = LEVERAGE[kind, side] * np.exp(boldness + 0.6 * rng.standard_normal())
    leverage = min(max(leverage, 1.05), setting.most[tier])
    cross = rng.random() < setting.cross
    wealth = 1.0 + np.exp(0.6 + 0.8 * rng.standard_normal()) if cross else 1.0
    sign = 1.0 if side == LONG else -1.0
    level = _liquidation_price_nb(price, coins, sign, wealth * coins * price / leverage, setting)
    lots.side[lot], lots.quantity[lot], lots.entry[lot], lots.leverage[lot] = side, quantity, price, leverage
    lots.cross[lot], lots.level[lot], lots.moved_level[lot], lots.origin[lot] = cross, level, 0.0, lot
    lots.opened[lot], lots.closed[lot], lots.moved[lot] = k, -1, -1
    lots.reason[lot], lots.waiting[lot], lots.stop[lot], lots.target[lot] = OPEN, 0, 0.0, 0.0
    if rng.random() < STOPS[kind]:
        risk = (0.1 + 0.5 * rng.random()) * (abs(price - level) if level > 0.0 else price)
        lots.stop[lot] = max(price - sign * risk, 0.0)
        lots.target[lot] = max(price + sign * risk * (1.0 + 2.0 * rng.random()), 0.0)
    lots.life[lot] = LIFE[kind] * np.exp(LIFE_SPREAD[kind] * rng.standard_normal())
    for what in range(3):
        _hang_nb(4 * lot + what, lots, desk, setting)
    _note_nb(2 * lot, k + 1 + int(lots.life[lot]), desk)
    if rng.random() < setting.adders:
        _note_nb(2 * lot + 1, k + 1 + int(rng.random() * lots.life[lot]), desk)
    _weigh_nb(lot, quantity, lots, desk, setting)
    flow[OPENED + side] += quantity


@jit
def _liquidation_price_nb(entry: Any, coins: Any, sign: Any, wallet: Any, setting: Any) -> Any:
    """The exact price, with the tier that holds the notional there; 0: never."""
    price = 0.0
    for tier in range(setting.floor.size - 1, -1, -1):
        rate = setting.rate[tier]
        price = (wallet + setting.amount[tier] - sign * coins * entry) / (coins * rate - sign * coins)
        if price * coins >= setting.floor[tier]:
            return price
    return max(price, 0.0)


@jit
def _match_nb(rng: Any, k: Any, price: Any, slow: Any, calm: Any, lots: Any, desk: Any, setting: Any,
              flow: Any) -> None:  # fmt: skip
    """Market makers keep nothing: what takers bought beyond what they sold comes from resting orders, first of those
    who wait to close, then of new positions on the other side."""
    missing = flow[BUY] - flow[SELL]
    side = SHORT if missing > 0 else LONG  # who opens passively
    missing = abs(missing)
    closer = 1 - side
    while missing > 0 and desk.ends[closer, 0] < desk.ends[closer, 1]:
        lot = desk.queue[closer, desk.ends[closer, 0]]
        if lots.reason[lot] == OPEN and lots.quantity[lot] > missing:
            _split_nb(lot, missing, lots, desk)
            lot = desk.used[0] - 1
        else:
            desk.ends[closer, 0] += 1
        if lots.reason[lot] == OPEN:
            _leave_nb(k, lot, CLOSED, False, lots, desk, setting, flow)
            missing -= lots.quantity[lot]
    while missing > 0:
        kind = SWING if rng.random() < 0.6 else HOLDER
        quantity = min(3 * _size_nb(rng, price, kind, setting), missing)
        _open_nb(rng, k, price, side, kind, quantity, slow, calm, lots, desk, setting, flow)
        missing -= quantity


@jit
def _split_nb(lot: Any, quantity: Any, lots: Any, desk: Any) -> None:
    """Cut a part off: it becomes a lot of its own, about to be closed, without nodes."""
    part = desk.used[0]
    desk.used[0] += 1
    for field in (lots.entry, lots.leverage, lots.level, lots.moved_level, lots.stop, lots.target, lots.life):
        field[part] = field[lot]
    for field in (lots.opened, lots.moved, lots.closed, lots.origin):
        field[part] = field[lot]
    for field in (lots.side, lots.cross, lots.reason, lots.waiting):
        field[part] = field[lot]
    lots.quantity[part] = quantity
    lots.quantity[lot] -= quantity
