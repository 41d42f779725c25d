"""A market whose true positions are known: agents who open, hold, close and are liquidated, trade by trade.

It is the ground truth on which estimates are judged, so it is *not* written from the assumptions of the estimating
models. Where it differs from them, on purpose:

1. *Closing is not proportional to what stands.* Agents plan a life when they open (minutes, hours or weeks), have stops
   and targets near their entry, sit out losses, and close when somebody wants the other side.
2. *The law of distances is continuous and moves.* Leverage rises in calm and in trends, most of all with the trend,
   falls in times of high volatility and with size, and differs by side and by kind of agent; short lives go with high
   leverage.
3. *Half of the margin is cross*: the liquidation price lies much further away than the leverage says; and some agents
   add margin to a losing position, so that a level moves after its entry.
4. *Sizes have heavy tails*, and the maintenance tier is each position's own.
5. *Takers also close, and makers also open.* The taker-buy share is not the long share of openings: stops and
   liquidations take, and new positions rest in the order book.
6. *The share of the volume that takes positions is not constant*: market makers trade most of it, hold nothing, and
   trade more when the price moves.
7. *Entries are not spread evenly over a bar*: agents follow or fade the trend inside it.
8. *Order within a bar is real*: positions open and are reached on a path of 10-second steps.
9. *Information is partial*: positions from before the first candle stand in the open interest, and on request the
   published tables are throttled, coarse or incomplete.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from liqlab.market.arguments import checked
from liqlab.market.clock import timedelta, utc
from liqlab.simulation import market_tables
from liqlab.simulation.agent_state import Lots, Setting, desks
from liqlab.simulation.agents import CELL, REACH, run_nb
from liqlab.simulation.path import PER_DAY, SECONDS, Conditions, market_conditions
from liqlab.simulation.true_tables import Simulation

__all__ = ["Simulation", "simulate"]

MIN_PRICE, MAX_PRICE = 1e-12, 1e12  # a coin of a billionth of a cent, a coin of a trillion: numbers stay exact
MAX_TURNOVER = 100_000  # beyond it volumes are no whole numbers of lots any more
MAX_DAYS, MAX_POSITIONS = 1_000, 50_000_000  # what fits into a memory of some GB


@checked()
def simulate(
    days: float = 30,
    *,
    timeframe: str = "5m",
    seed: int = 0,
    price: float = 60_000.0,
    start: Any = "2024-01-01",
    volatility: float = 0.025,
    positions_per_day: float = 9_000.0,
    position_notional: float = 20_000.0,
    cross_share: float = 0.45,
    added_margin_share: float = 0.2,
    maker_turnover: float = 3.0,
    magnet: float = 0.0,
    throttled: bool = False,
    open_interest_every: str = "",
    open_interest_missing: float = 0.0,
    warmup: float = 20.0,
) -> Simulation:
    """Simulate a market of agents, seeded: the same arguments give the same bytes.

    Parameters
    ----------
    days : float
        Length of the market [days].
    timeframe : str
        Of the candles, a multiple of 10 s; the market underneath does not depend on it.
    seed : int
    price : float
        First price [quote], before the warm-up; 1e-12 to 1e12.
    start : time-like
        Open of the first candle, UTC.
    volatility : float
        Typical daily volatility [log return].
    positions_per_day : float
        Agents who open at the market per day; about as many again open passively against them.
    position_notional : float
        Median notional of a position [quote]; the mean is some four times as much.
    cross_share, added_margin_share : float
        Share of positions [0..1] on cross margin; share that would add margin to a loss.
    maker_turnover : float
        What market makers trade among themselves per day, in multiples of the open interest.
    magnet : float
        Planted drift towards the densest cluster of liquidation prices 0.3–4 % away [daily standard deviations per
        day]; 0: prices know nothing of positions.
    throttled : bool
        Publish at most one liquidation per second.
    open_interest_every : str
        Time frame of the published open interest; default: that of the candles.
    open_interest_missing : float
        Share [0..1] of its stamps that are lost at random; 1: the market has no open interest.
    warmup : float
        Days simulated before the start [days], so that positions of unknown entry stand when the market begins.

    Returns
    -------
    Simulation

    Raises
    ------
    ValueError
        A time frame that is no multiple of 10 s, a share outside 0..1, too short a market.

    Assumptions
    -----------
    - Price: a range, a rise, a fall or high volatility at a time; log-normal volatility on two time scales and by the
      hour of the day; Student shocks (4 degrees of freedom) and jumps every 10 s.
    - Gamblers, scalpers, swing traders and holders with planned lives of minutes to weeks; their leverage rises in calm
      and in trends. Whole positions are liquidated when the path reaches their price; no funding, no insurance fund,
      no price impact.
    - Every trade has a buyer and a seller. What takers buy beyond what they sell is met by those who wait to close,
      then by new positions; market makers end every 10 s without a position.

    How this differs from what the estimating models assume is listed at the head of `liqlab.simulation._simulate`.

    Examples
    --------
    >>> sim = simulate(2, seed=1)
    >>> len(sim.market.candles), sim.market.symbol
    (576, 'SIM/USDT:USDT')
    """
    shares = {"cross_share": cross_share, "added_margin_share": added_margin_share,
              "open_interest_missing": open_interest_missing}  # fmt: skip
    positive = {"days": days, "price": price, "volatility": volatility, "positions_per_day": positions_per_day,
                "position_notional": position_notional}  # fmt: skip
    _check(shares, positive, {"maker_turnover": maker_turnover, "warmup": warmup})
    if not MIN_PRICE <= price <= MAX_PRICE:
        raise ValueError(f"price must lie between {MIN_PRICE:g} and {MAX_PRICE:g}, got {price:g}; it is only a scale, "
                         "so leave it out for the default")  # fmt: skip
    if maker_turnover > MAX_TURNOVER:
        raise ValueError(f"maker_turnover must be at most {MAX_TURNOVER:,}, got {maker_turnover:g}; 3 is usual")
    per_bar = _sub_steps(timeframe, "timeframe")
    every = _sub_steps(open_interest_every or timeframe, "open_interest_every")
    if days + warmup > MAX_DAYS:
        raise ValueError(f"days and warmup must be at most {MAX_DAYS} together, got {days + warmup:g}; pass fewer")
    if (days + warmup) * positions_per_day > MAX_POSITIONS:
        raise ValueError(f"positions_per_day must be at most {MAX_POSITIONS / (days + warmup):.3g} for so many days, "
                         f"got {positions_per_day:g}; pass fewer")  # fmt: skip
    begin, inside = round(warmup * PER_DAY), round(days * PER_DAY) // per_bar * per_bar
    if inside < 2 * per_bar:
        raise ValueError(f"days must hold more than one candle of timeframe={timeframe}, got {days!r}; pass 1 or more")
    # streams of their own: the path is the same whatever agents do, and agents whatever is published
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4)]
    conditions = market_conditions(streams[0], begin + inside, volatility=volatility)
    tiers = market_tables.tier_table(position_notional)
    lot = float(10.0 ** np.floor(np.log10(100.0 / price)))
    columns = ("min_notional", "maintenance_margin_rate", "maintenance_amount", "max_leverage")
    floor, rate, amount, most = (tiers[name].to_numpy(float) for name in columns)
    setting = Setting(lot, position_notional, floor, rate, amount, most, cross_share, added_margin_share,
                      float(np.log(price)), float(np.median(conditions.sigma)), magnet / np.sqrt(PER_DAY))  # fmt: skip
    prices, flows, lots, used = _run(streams[1], conditions, positions_per_day, setting)
    noise = market_tables.churn(streams[2], flows, conditions, np.diff(np.log(prices)), maker_turnover)
    first = utc(start, name="start")
    grid = market_tables.Grid(first, lot, begin, per_bar)
    held = market_tables.positions(lots, used, grid)
    seen = {"candles": market_tables.candles(prices, flows, noise, grid)}
    seen["liquidations"] = market_tables.liquidations(held, seen["candles"].index, streams[3] if throttled else None)
    standing = market_tables.open_interest(flows, every, grid)
    standing = standing[streams[3].random(len(standing)) >= open_interest_missing]
    seen |= {"open_interest": standing} if len(standing) else {}
    path = pd.Series(prices[begin:], index=market_tables.instants(first, inside + 1, 1), name="price")
    return Simulation(market_tables.market(seen, timeframe, tiers, seed), held, path)


def _run(
    rng: np.random.Generator, conditions: Conditions, per_day: float, setting: Setting
) -> tuple[np.ndarray, np.ndarray, Lots, int]:
    """Let the agents act; with more room and from the beginning where there was not enough."""
    steps, state = len(conditions.shock), rng.bit_generator.state
    comers = per_day / PER_DAY * conditions.activity
    capacity = int(2.0 * comers.sum() + 1.5 * steps) + 50_000
    while True:
        rng.bit_generator.state = state
        lots, desk = desks(capacity, steps)
        prices, flows, done = run_nb(rng, conditions.shock, conditions.sigma, comers, lots, desk, setting)
        if done < 0:
            raise ValueError(f"the price leaves what can be simulated, a factor of {np.exp(CELL * REACH):,.0f} either "
                             "way from price; pass a smaller volatility or magnet, or fewer days")  # fmt: skip
        if done == steps:
            return prices, flows, lots, int(desk.used[0])
        capacity *= 2


def _sub_steps(timeframe: str, name: str) -> int:
    """Sub-steps in a time frame."""
    length = timedelta(timeframe, name)
    steps, rest = divmod(length, pd.Timedelta(seconds=SECONDS))
    if rest:
        raise ValueError(f"{name} must be a multiple of {SECONDS} s, got {timeframe!r}; pass 1m, 5m or 15m")
    return int(steps)


def _check(shares: dict[str, float], positive: dict[str, float], least: dict[str, float]) -> None:
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in [0, 1], got {value!r}; 0.5 means every second")
    for name, value in positive.items():
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be > 0, got {value!r}; leave it out for the default")
    for name, value in least.items():
        if not 0 <= value < np.inf:
            raise ValueError(f"{name} must be >= 0, got {value!r}; leave it out for the default")
