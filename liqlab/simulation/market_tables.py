"""From the kernel's arrays to tables: candles, open interest, liquidations, positions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from liqlab.market.clock import nanoseconds
from liqlab.market.market import Market
from liqlab.simulation.agent_state import Lots
from liqlab.simulation.agents import BUY, FORCED, LONG, OPEN, OPENED, OWN, SELL
from liqlab.simulation.path import PER_DAY, SECONDS, Conditions

SYMBOL, EXCHANGE = "SIM/USDT:USDT", "synthetic"
# Maintenance tiers by notional, in multiples of the median position: rate, highest leverage.
TIERS = ((0.0, 0.004, 125.0), (15.0, 0.005, 100.0), (100.0, 0.01, 50.0), (400.0, 0.025, 20.0))


def tier_table(size: float) -> pd.DataFrame:
    """The venue's own maintenance tiers, joined without a jump."""
    floor, rate, most = (np.array(column) for column in zip(*TIERS, strict=True))
    floor = floor * size
    amount = np.concatenate([[0.0], np.cumsum(floor[1:] * np.diff(rate))])
    return pd.DataFrame({
        "exchange": EXCHANGE, "symbol": SYMBOL, "as_of": pd.Timestamp("2020-01-01", tz="UTC"),
        "tier": np.arange(1, len(floor) + 1), "min_notional": floor, "max_notional": np.append(floor[1:], 1e15),
        "maintenance_margin_rate": rate, "max_leverage": most, "maintenance_amount": amount,
    })  # fmt: skip


def churn(
    rng: np.random.Generator, flows: np.ndarray, conditions: Conditions, returns: np.ndarray, share: float
) -> np.ndarray:
    """Lots that market makers and arbitrageurs trade among themselves per sub-step: bought, sold by the taker."""
    standing = open_lots(flows, LONG).astype(float)
    shaken = np.abs(returns) / conditions.sigma
    pace = conditions.activity * (0.6 + 0.5 * shaken) * np.exp(0.5 * rng.standard_normal(len(flows)) - 0.125)
    traded = np.rint(standing * share / PER_DAY * pace)
    lean = np.clip(0.5 + 0.08 * returns / conditions.sigma + 0.1 * rng.standard_normal(len(flows)), 0.0, 1.0)
    bought = np.rint(traded * lean)
    return np.stack([bought, traded - bought], axis=1).astype(np.int64)


def open_lots(flows: np.ndarray, side: int) -> np.ndarray:
    """Lots outstanding on a side after every sub-step."""
    return np.cumsum(flows[:, OPENED + side] - flows[:, OWN + side] - flows[:, FORCED + side])


class Grid(NamedTuple):
    """Where the market lies in the run: its start, the smallest lot [coins], sub-steps before it and in a candle."""

    start: pd.Timestamp
    lot: float
    begin: int
    per_bar: int


def instants(start: pd.Timestamp, count: int, every: int) -> pd.DatetimeIndex:
    """The ends of every so many sub-steps, from the start on."""
    return pd.date_range(start, periods=count, freq=pd.Timedelta(seconds=SECONDS * every), name="time")


def candles(prices: np.ndarray, flows: np.ndarray, noise: np.ndarray, grid: Grid) -> pd.DataFrame:
    """Candles of all trades. A bar opens at the last price of the bar before."""
    seen = flows[grid.begin :, [BUY, SELL]] + noise[grid.begin :]
    bought, sold = seen.reshape(-1, grid.per_bar, 2).sum(axis=1).T
    last = prices[grid.begin + 1 :].reshape(-1, grid.per_bar)
    first = prices[grid.begin : -1 : grid.per_bar]
    columns = {
        "open": first,
        "high": np.maximum(first, last.max(axis=1)),
        "low": np.minimum(first, last.min(axis=1)),
        "close": last[:, -1],
        "volume": (bought + sold) * grid.lot,
        "taker_buy_volume": bought * grid.lot,
    }
    return pd.DataFrame(columns, index=instants(grid.start, len(first), grid.per_bar))


def open_interest(flows: np.ndarray, every: int, grid: Grid) -> pd.DataFrame:
    """Open interest at the start and after every so many sub-steps."""
    standing = np.concatenate([[0], open_lots(flows, LONG)])[grid.begin :: every]
    return pd.DataFrame({"open_interest": standing * grid.lot}, index=instants(grid.start, len(standing), every))


def positions(lots: Lots, used: int, grid: Grid) -> pd.DataFrame:
    """All lots that stood at the start or were opened after it."""
    kept = np.flatnonzero((lots.reason[:used] == OPEN) | (lots.closed[:used] >= grid.begin))
    take = {name: getattr(lots, name)[:used][kept] for name in Lots._fields}
    moved, first = take["moved"] >= 0, take["level"]
    level = np.where(moved, take["moved_level"], first)
    table = pd.DataFrame(
        {
            "position": take["origin"],
            "opened_at": _middle(take["opened"], grid),
            "side": _words(take["side"], "long", "short"),
            "quantity": take["quantity"] * grid.lot,
            "entry_price": take["entry"],
            "leverage": take["leverage"],
            "margin_mode": _words(take["cross"], "isolated", "cross"),
            "liquidation_price": np.where(level > 0, level, np.nan),
            "liquidation_price_at_entry": np.where(first > 0, first, np.nan),
            "margin_added_at": _middle(take["moved"], grid).where(moved),
            "closed_at": _middle(take["closed"], grid).where(take["reason"] != OPEN),
            "reason": _words(take["reason"], "open", "closed", "liquidated"),
        }
    )
    return table.sort_values(["opened_at", "position"], kind="stable", ignore_index=True)


def _words(codes: Any, *words: str) -> Any:
    return pd.Categorical.from_codes(codes, pd.Index(words))


def _middle(steps: np.ndarray, grid: Grid) -> pd.DatetimeIndex:
    """The middle of a sub-step, so that no event falls on the edge of a bar."""
    half = SECONDS * 10**9 // 2
    return pd.DatetimeIndex(grid.start.as_unit("ns").value + (2 * (steps - grid.begin) + 1) * half).tz_localize("UTC")


def liquidations(held: pd.DataFrame, bars: pd.Index, throttle: np.random.Generator | None) -> pd.DataFrame:
    """Coins liquidated per bar and side; with a throttle only the last order of each second is told."""
    forced = held[held["reason"] == "liquidated"].sort_values("closed_at", kind="stable")
    if throttle is not None:
        second = throttle.integers(SECONDS, size=len(forced)) * 10**9 - SECONDS * 10**9 // 2
        told = nanoseconds(pd.DatetimeIndex(forced["closed_at"])) + second
        forced = forced[~pd.Series(told).duplicated(keep="last").to_numpy()]
    bar = np.searchsorted(nanoseconds(bars), nanoseconds(pd.DatetimeIndex(forced["closed_at"])), side="right") - 1
    coins = forced["quantity"].to_numpy()
    sides = ("long", "short")
    amounts = (np.bincount(bar, coins * (forced["side"] == side).to_numpy(), minlength=len(bars)) for side in sides)
    return pd.DataFrame(dict(zip(sides, amounts, strict=True)), index=bars)


def market(tables: dict[str, pd.DataFrame], timeframe: str, tiers: pd.DataFrame, seed: Any) -> Market:
    """The checked market with its provenance."""
    origin = f"liqlab.simulate, seed {seed}"
    sources = {name: {"exchange": EXCHANGE, "origin": origin, "kind": "own"} for name in tables}
    return Market(**tables, leverage_tiers=tiers, symbol=SYMBOL, exchange=EXCHANGE, timeframe=timeframe,
                  sources=sources)  # fmt: skip
