"""What it takes to move the price: a line fitted from candles, or the orders that rest in a book.

Both answer one question, asked by `impact`: how much forced flow carries the price how far from where it started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from liqlab.market.arguments import checked
from liqlab.market.checks import columns_of
from liqlab.market.clock import between, nanoseconds, span_of, utc
from liqlab.market.market import Market

__all__ = ["Depth", "Impact", "depth_of", "price_impact"]

MIN_BLOCK_DAYS = 10  # of which an interval is drawn: fewer blocks say nothing about their own scatter
PRICE_TOLERANCE = 1e-12  # of the price: two prices nearer than this are one


@dataclass(frozen=True, eq=False)
class Impact:
    """Linear price impact, fitted from candles.

    Attributes
    ----------
    slope : float
        Move of the price per quote notional [1 / quote]: 2e-11 is 0.2 bp of the price per million.
    low, high : float
        95 % interval of the slope, from resampled days; NaN with fewer than ten days.
    intercept : float
        Move at no flow [1].
    r2 : float
        Share of the variance that the line explains.
    bars, days : int
        Candles used, UTC days they lie on.
    signed : bool
        Fitted to the return against buys − sells of takers; else to its size against the volume.
    start, end : Timestamp
        Open of the first and close of the last candle used.
    quote : str
        Unit of the notional.
    """

    slope: float
    low: float
    high: float
    intercept: float
    r2: float
    bars: int
    days: int
    signed: bool
    start: pd.Timestamp
    end: pd.Timestamp
    quote: str

    def __repr__(self) -> str:
        kind = "return on buys − sells of takers" if self.signed else "size of the return on volume"
        interval = "no interval: fewer than ten days" if np.isnan(self.low) else (
            f"95 % interval {self.low * 1e12:.3g} to {self.high * 1e12:.3g}, from resampled days")  # fmt: skip
        return (f"Impact: {self.slope * 1e12:.3g} bp of the price per 100M {self.quote} ({interval})\n"
                f"  fitted: {kind}, {self.bars:,} candles on {self.days} days, "
                f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC\n"
                f"  explains {self.r2:.1%} of the variance; {self.intercept * 1e4:+.2g} bp at no flow")  # fmt: skip


@checked()
def price_impact(
    market: Market, *, start: Any = None, end: Any = None, signed: bool | None = None, draws: int = 1000, seed: int = 0
) -> Impact:
    """Linear impact from candles: how far a unit of notional moves the price.

    Signed, the return of a candle is regressed on what takers bought less what they sold; unsigned, its size on the
    volume: ``r = a + λ·flow`` or ``|r| = a + λ·volume``, by least squares, r = close / open − 1. The interval comes
    from UTC days drawn with replacement, so that what hangs together within a day stays together.

    Parameters
    ----------
    market : Market
        With ``taker_buy_volume`` for the signed form.
    start, end : time-like, optional
        Candles used: opened at or after `start`, closed by `end`. Pass the moment of the map as `end`: nothing later
        is then known to the fit.
    signed : bool, optional
        Default: signed where at least half of the candles carry taker-buy volume; candles without it are left out.
    draws : int
        Resampled sets of days.
    seed : int
        Of the draws.

    Returns
    -------
    Impact
        `slope` [1 / quote] with `low`, `high`, and what it was fitted on.

    Raises
    ------
    ValueError
        Fewer than three candles, no variation in the flow, or `signed` without taker-buy volume.

    Assumptions
    -----------
    - Impact is linear and immediate, and the same for forced and free orders, up and down, in calm and stress.
      Measured impact is concave (a power near 0.6 in Almgren et al.), so a line fitted to ordinary candles overstates
      the impact of very large flows; depth that vanishes in a fall works the other way.
    - Flow moves the price and not the reverse. It does both (news moves both; takers follow the price), which makes
      the slope too large; with candles there is no instrument that would tell the two apart.
    - Unsigned: only the imbalance of a candle moves its price, and the imbalance is a part of the volume; so a unit of
      *one-sided* flow moves the price further than this slope says. Take it as a floor rather than a best guess; the
      point above works against it, so it is not a strict bound.

    References
    ----------
    Kyle, *Continuous auctions and insider trading*, Econometrica 53 (1985): λ. Almgren, Thum, Hauptmann and Li,
    *Direct estimation of equity market impact*, Risk 18 (2005): the power. Amihud, *Illiquidity and stock returns*,
    Journal of Financial Markets 5 (2002): the unsigned form.

    Examples
    --------
    >>> import liqlab as lq
    >>> market = lq.load_example("btc-2024-05")
    >>> fit = lq.price_impact(market, start="2024-04-01", end="2024-05-01")
    >>> fit.low < fit.slope < fit.high, fit.days, fit.signed
    (True, 30, False)
    """
    opens = nanoseconds(market.candles.index)
    last = None if end is None else utc(end, name="end", span=span_of(opens)) - market.step + pd.Timedelta(1, "ns")
    chosen = between(opens, start, last)
    candles = market.candles[chosen]
    buys = candles.get("taker_buy_volume", pd.Series(np.nan, candles.index))
    if signed is None:
        signed = bool(len(candles)) and bool(buys.notna().mean() >= 0.5)
    if signed:
        candles = candles[buys.notna()]
    if len(candles) < 3:
        words = "that carry taker_buy_volume; pass signed=False" if signed else f"in [{start}, {end})"
        raise ValueError(f"an impact needs at least 3 candles, got {len(candles)} {words}; "
                         "choose a longer range or market")  # fmt: skip
    move = (candles["close"] / candles["open"] - 1).to_numpy()
    flow = _flow(candles, signed)
    move = move if signed else np.abs(move)
    day = pd.DatetimeIndex(candles.index).floor("D")
    slope, intercept, r2, low, high = _line(flow, move, pd.factorize(day)[0], draws, seed)
    return Impact(
        slope, low, high, intercept, r2, len(candles), day.nunique(), signed,
        candles.index[0], candles.index[-1] + market.step, market.quote,
    )  # fmt: skip


def _flow(candles: pd.DataFrame, signed: bool) -> np.ndarray:
    """Volume, or buys − sells of takers [quote]; at the typical price where the venue gives coins only."""
    typical = candles[["high", "low", "close"]].mean(axis=1)
    gross = candles.get("quote_volume", candles["volume"] * typical)
    if not signed:
        return gross.to_numpy()
    share = (candles["taker_buy_volume"] / candles["volume"].where(candles["volume"] > 0)).fillna(0.5)
    return (gross * (2 * share - 1)).to_numpy()


def _line(
    x: np.ndarray, y: np.ndarray, day: np.ndarray, draws: int, seed: int
) -> tuple[float, float, float, float, float]:
    """Slope, intercept, R², and the slope's interval over resampled days, from each day's sums."""
    unit = np.abs(x).max()
    if not (unit > 0 and np.ptp(x) > 0):
        raise ValueError("the flow of these candles does not vary; choose a longer range or another market")
    z = x / unit
    sums = np.stack([np.bincount(day, weights=w) for w in (np.ones_like(z), z, y, z * y, z * z)], axis=1)

    def slope_of(total: np.ndarray) -> np.ndarray:
        n, sx, sy, sxy, sxx = np.moveaxis(total, -1, 0)
        return (n * sxy - sx * sy) / (n * sxx - sx * sx) / unit

    slope = float(slope_of(sums.sum(axis=0)))
    intercept = float(y.mean() - slope * x.mean())
    rest = y - intercept - slope * x
    r2 = float(1 - rest @ rest / max(((y - y.mean()) ** 2).sum(), 1e-300))
    low = high = float("nan")
    if len(sums) >= MIN_BLOCK_DAYS:
        counts = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=draws)
        low, high = (float(q) for q in np.quantile(slope_of(counts @ sums), [0.025, 0.975]))
    return slope, intercept, r2, low, high


# --- one shape for both: notional needed to carry the price some way ------------------------------------------------


@dataclass(frozen=True, eq=False)
class Depth:
    """Flow needed to carry the price over a distance x from its start [fraction of the start price].

    A line needs ``x / slope``: kept as x itself, with `weight` = slope on the flow, so that a slope of 0 is no special
    case. A book needs what rests down to x: `x` and `needed` are its levels, nearest first, `weight` is 1.
    """

    weight: float
    x: np.ndarray | None = None
    needed: np.ndarray | None = None

    def upto(self, x: Any) -> np.ndarray:
        """Needed to carry the price through x, what rests at x itself included."""
        return self._at(np.asarray(x, float) + PRICE_TOLERANCE, np.asarray(x, float))

    def short_of(self, x: Any) -> np.ndarray:
        """Needed to carry the price to x, what rests at x itself left out."""
        return self._at(np.asarray(x, float) - PRICE_TOLERANCE, np.asarray(x, float))

    def _at(self, moved: np.ndarray, x: np.ndarray) -> np.ndarray:
        if self.x is None or self.needed is None:
            return x
        return np.append(0.0, self.needed)[np.searchsorted(self.x, moved)]

    def reach(self, start: float, flow: float) -> float:
        """Where a flow carries the price that stands at a distance `start`: the last level it eats from."""
        if self.x is None or self.needed is None:
            return start + self.weight * flow
        if flow <= 0 or not self.x.size:
            return start
        level = int(np.searchsorted(self.needed, self.short_of(start) + flow))
        return max(start, float(self.x[min(level, self.x.size - 1)]))


def depth_of(depth: Any, price: float, side: str) -> Depth:
    """What the user gave as depth, seen from a price, for the orders that liquidations of a side run into."""
    if isinstance(depth, pd.DataFrame):
        return _book(depth, price, "bid" if side == "long" else "ask")
    if isinstance(depth, Impact):
        depth = depth.slope
    if depth is None or isinstance(depth, bool) or not isinstance(depth, (int, float, np.number)):
        raise TypeError("depth must be an order book (DataFrame side, price, quantity), lq.price_impact(market), or a "
                        f"number [fraction of price per quote], got {type(depth).__name__}")  # fmt: skip
    if not (np.isfinite(depth) and depth >= 0):
        raise ValueError(f"depth: a linear impact must be >= 0 per quote, got {float(depth)!r}; a fit below zero found "
                         "no impact: choose a longer range")  # fmt: skip
    return Depth(float(depth))


def _book(depth: pd.DataFrame, price: float, order_side: str) -> Depth:
    table = columns_of(depth, "depth", ("side", "price", "quantity"))
    unknown = set(table["side"]) - {"bid", "ask"}
    if unknown:
        wrong = ", ".join(map(repr, sorted(unknown, key=str)))
        raise ValueError(f"depth: side is that of the resting order, 'bid' or 'ask', got {wrong}")
    numbers = table[["price", "quantity"]].astype(float)
    bad = ~(np.isfinite(numbers.to_numpy()).all(axis=1) & (numbers["price"] > 0) & (numbers["quantity"] >= 0))
    if bad.any():
        raise ValueError(f"depth: {int(bad.sum())} row(s) without a price > 0 and a quantity >= 0, the first is row "
                         f"{int(np.flatnonzero(bad)[0])}: {table[bad].iloc[0].to_dict()}; drop or correct")  # fmt: skip
    rows = numbers[(table["side"] == order_side).to_numpy() & (numbers["quantity"] > 0).to_numpy()]
    value = (rows["price"] * rows["quantity"]).groupby(rows["price"]).sum()
    x = (value.index.to_numpy() / price - 1) * (-1 if order_side == "bid" else 1)
    order = np.argsort(x, kind="stable")
    order = order[x[order] >= -PRICE_TOLERANCE]  # beyond the start there is nothing left: the price has come from there
    return Depth(1.0, np.maximum(x[order], 0.0), np.cumsum(value.to_numpy()[order]))
