"""Forced flow through depth: from a liquidation map and an impact to the cascade that a shock would set off.

A shock carries the price through estimated levels; what stood there is sold (longs) or bought back (shorts) by force;
that moves the price further, through more levels. Everything here is arithmetic on an *estimated* map.

Distances are measured as x, the fraction of the start price that the price has gone *against* the side: the price is
``start·(1 − x)`` for longs, ``start·(1 + x)`` for shorts. Within a bin the notional is spread evenly, so what has been
liquidated up to x is a line with kinks at the bins' edges, and nothing below is a sum over whole bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from liqlab.cascades.depth import Depth, Impact, depth_of
from liqlab.cascades.fixed_point import EXHAUSTED, LEFT, Path, path_of, rounds, settle, zones
from liqlab.cascades.start import check_within, known_of, moment_of, side_of, start_of
from liqlab.market.arguments import checked
from liqlab.market.clock import utc

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Cascade", "amplification", "cascade", "critical_zones"]


@dataclass(frozen=True, eq=False)
class Cascade:
    """What a shock would set off, if the map and the depth were true.

    Attributes
    ----------
    steps : DataFrame (step,)
        price_before, price_after [quote], liquidated (in the step), cumulative [quote], impact (fraction of the start
        price). Step 0 is the shock. Each further step sells what stood on the way of the step before; the last one
        holds all that would come after it.
    side : str
        Whose positions are liquidated: ``long`` (price falls), ``short``.
    start_price, shocked_price, final_price : float
        Before the shock, after it alone, at the end [quote]; the end is NaN where the price left the map.
    shock : float
        Signed fraction of the start price.
    liquidated : float
        Estimated notional between start and end [quote].
    amplification : float
        Whole move / shock [1]: 1 is a shock that sets off nothing; NaN where the price left the map.
    runaway : bool
        Not stopped within what is known; `reason` says of what: the map's prices, the order book, or zero.
    reason : str
        Empty where the cascade stopped.
    unfilled : float
        Forced notional that the order book could not take [quote].
    price_range : (float, float)
        Final price at the low and the high end of a fitted impact's interval; NaN where none was fitted.
    notes : dict
        quote, depth (in words), scale [1], and of the map: symbol, exchange, model, at.
    """

    steps: pd.DataFrame
    side: str
    start_price: float
    shocked_price: float
    final_price: float
    shock: float
    liquidated: float
    amplification: float
    runaway: bool
    reason: str
    unfilled: float
    price_range: tuple[float, float]
    notes: dict[str, Any]

    def __repr__(self) -> str:
        a, quote = self.notes, self.notes["quote"]
        of = " ".join(str(a[name]) for name in ("symbol", "exchange") if a[name]) or "a map"
        at = f", map of {a['at']} UTC" if a["at"] else ""
        end = f"not stopped: {self.reason}" if self.runaway else f"stopped, {self.amplification:.3g} × the shock"
        if np.isfinite(self.final_price):
            end = f"{self.final_price:,.6g}, {end}"
        scale = "" if a["scale"] == 1 else f", {a['scale']:.3g} of the map"
        lines = [f"Cascade of {self.side}s, estimated: {of}{at}",
                 f"  shock {self.shock:+.2%}: {self.start_price:,.6g} → {self.shocked_price:,.6g} [{quote}]",
                 f"  end {end}",
                 f"  liquidated {self.liquidated:,.4g} {quote} in {len(self.steps)} step(s), the shock's the first",
                 f"  impact {a['depth']}{scale}"]  # fmt: skip
        if np.isfinite(self.price_range[0]):
            low, high = sorted(self.price_range)
            lines.append(f"  end by the impact's 95 % interval: {low:,.6g} to {high:,.6g}")
        return "\n".join(lines)


@checked()
def cascade(
    heat: xr.Dataset | pd.DataFrame,
    at: Any = None,
    *,
    depth: Any = None,
    shock: float = -0.03,
    price: float | None = None,
    scale: float = 1.0,
) -> Cascade:
    """The cascade after a shock: the fixed point of price ← impact(liquidated notional), step by step.

    With L(x) the notional liquidated on the way to x and s the shock, linear impact λ ends at the smallest x ≥ s with
    ``x = s + λ·L(x)``; an order book where what rests from the shocked price down to x covers L(x). For a uniform map,
    ρ of notional per unit of x, linear impact gives ``x = s / (1 − λρ)``: the amplification is 1 / (1 − λρ), in the
    linear (not the logarithmic) price.

    Parameters
    ----------
    heat : Dataset, Live or DataFrame
        From `heatmap`, one moment of it or a live map; or a table indexed by price (centres of even bins) with columns
        long, short [quote], whose ``attrs`` may say quote, symbol, exchange, model, law and at.
    at : time-like, optional
        Moment of a heatmap: the last column closed at or before it; default: the last column.
    depth : DataFrame, Impact or float
        An order book (side ``bid``/``ask`` of the resting orders, price [quote], quantity [coins]); a fit from
        `price_impact`; or λ [fraction of the start price per quote].
    shock : float
        What moves the price first, as a fraction of it: below 0 longs are liquidated, above 0 shorts.
    price : float, optional
        Where the price starts [quote]; default: the map's close. Levels behind it play no part.
    scale : float
        Share of the map that is really liquidated. A map's sum may be ten to fifty times the amounts observed, so a
        cascade at scale 1 is one of a map taken at its word; show 0.1 and 0.02 beside it.

    Returns
    -------
    Cascade
        Steps, end, amplification, and whether it stops at all.

    Raises
    ------
    ValueError, TypeError
        A shock of 0 or beyond −1, a shock or a price outside the map, a depth that is none of the three.

    Assumptions
    -----------
    - Sizes are the map's, times `scale`; within a bin they are spread evenly. A position is closed whole, at once, at
      market, for its notional at its liquidation price.
    - No new orders: nobody buys the dip, no market maker leaves, nobody else sells. The order book is the one of the
      snapshot; the shock has eaten what rests on its way, forced orders eat on from there.
    - The insurance fund, partial liquidation and auto-deleveraging, which all soften cascades, are left out; so is the
      liquidation of positions opened on the way.

    References
    ----------
    Brunnermeier and Pedersen, *Market liquidity and funding liquidity*, Review of Financial Studies 22 (2009): the
    loss spiral. Kyle, Econometrica 53 (1985): linear impact. Almgren et al., Risk 18 (2005): impact measured. Cont and
    Wagalath, *Fire sales forensics*, Mathematical Finance 26 (2016): forced sales in linear impact.

    Examples
    --------
    One bin, 900 to 1000, with 100 on longs (ρ = 1000 per unit of x); λ = 0.0005: amplification 1 / (1 − 0.5).

    >>> import pandas as pd
    >>> snap = pd.DataFrame({"long": [100.0, 0.0], "short": 0.0}, index=[950.0, 1050.0])
    >>> end = cascade(snap, depth=0.0005, shock=-0.04, price=1000.0)
    >>> round(end.final_price, 9), round(end.amplification, 9), round(end.liquidated, 9), end.runaway
    (920.0, 2.0, 80.0, False)
    """
    snap = moment_of(heat, at)
    start, side = start_of(snap, price), side_of(shock)
    check_within(snap, start, [shock], "shock")
    path, book = path_of(snap, side, start, scale), depth_of(depth, start, side)
    x, reason = settle(path, book, abs(shock))
    gone = reason == LEFT
    x = min(x, float(path.x[-1])) if gone else x  # the steps end where the map does
    total = float(path.upto(x))
    steps = _steps(path, book, abs(shock), x, start, side)
    rests = float(book.upto(x) - book.short_of(abs(shock))) if book.x is not None else np.inf
    spread = (float("nan"), float("nan"))
    if isinstance(depth, Impact) and np.isfinite(depth.low):
        ends = [settle(path, Depth(max(end, 0.0)), abs(shock)) for end in (depth.low, depth.high)]
        low, high = (np.nan if why == LEFT else _price(start, end, side) for end, why in ends)
        spread = (low, high)
    return Cascade(
        steps, side, start, _price(start, abs(shock), side), np.nan if gone else _price(start, x, side), float(shock),
        total, np.nan if gone else x / abs(shock), bool(reason), reason,
        max(total - rests, 0.0) if reason == EXHAUSTED else 0.0, spread,
        _notes(snap, depth, scale),
    )  # fmt: skip


@checked()
def amplification(
    heat: xr.Dataset | pd.DataFrame,
    at: Any = None,
    *,
    depth: Any = None,
    shocks: Sequence[float] | None = None,
    price: float | None = None,
    scale: float = 1.0,
) -> pd.DataFrame:
    """How much further the price goes than the shock alone would carry it, shock by shock.

    Parameters
    ----------
    heat, at, depth, price, scale
        As in `cascade`.
    shocks : sequence of float, optional
        Signed fractions of the price; default: −10 % to +10 % in steps of a quarter percent, without 0, as
        far as the map reaches.

    Returns
    -------
    DataFrame (shock,)
        side, shocked_price (where a cascade starts), final_price [quote], move, extra (move − shock, both signed) [1],
        amplification (move / shock) [1], liquidated [quote], runaway; NaN where the price left the map. A jump of
        `move` from one shock to the next is a
        critical zone. ``attrs``: the notes of a `Cascade`, and start_price.

    Examples
    --------
    >>> import pandas as pd
    >>> snap = pd.DataFrame({"long": [100.0, 0.0], "short": 0.0}, index=[950.0, 1050.0])
    >>> amplification(snap, depth=0.0005, shocks=[-0.04, 0.01], price=1000.0)["amplification"].round(9).tolist()
    [2.0, 1.0]
    """
    snap = moment_of(heat, at)
    start = start_of(snap, price)
    if shocks is None:
        low, high = known_of(snap)
        shocks = [k / 400 for k in range(-40, 41) if k and low < start * (1 + k / 400) < high]
    check_within(snap, start, shocks, "shocks")
    sides = {side_of(shock) for shock in shocks}
    paths = {side: path_of(snap, side, start, scale) for side in sides}
    books = {side: depth_of(depth, start, side) for side in sides}
    rows = []
    for shock in shocks:
        side, size = side_of(shock), abs(shock)
        x, reason = settle(paths[side], books[side], size)
        sign = -1 if side == "long" else 1
        known = min(x, float(paths[side].x[-1]))
        x = np.nan if reason == LEFT else x
        ends = (_price(start, size, side), _price(start, x, side))
        rows.append((side, *ends, sign * x, sign * (x - size), x / size, float(paths[side].upto(known)), bool(reason)))
    names = ["side", "shocked_price", "final_price", "move", "extra", "amplification", "liquidated", "runaway"]
    table = pd.DataFrame(rows, columns=names, index=pd.Index(list(shocks), name="shock", dtype=float))
    table.attrs |= {**_notes(snap, depth, scale), "start_price": start}
    return table


@checked()
def critical_zones(
    heat: xr.Dataset | pd.DataFrame,
    at: Any = None,
    *,
    depth: Any = None,
    price: float | None = None,
    scale: float = 1.0,
) -> pd.DataFrame:
    """Zones through which the price would fall (or rise) by itself: each step's forced flow covers the next step.

    With linear impact, where the map holds 1/λ or more per unit of x (λρ ≥ 1); with an order book, where what is
    liquidated between resting levels eats at least one of them whole. A zone is followed until the flow that it sets
    off is absorbed, so thin levels within it belong to it. These are the jumps of `amplification`.

    Parameters
    ----------
    heat, at, depth, price, scale
        As in `cascade`.

    Returns
    -------
    DataFrame
        One row per zone, longs first, nearest first: side, from_price (where it catches), to_price (where it ends)
        [quote], width (fraction of the start price) [1], liquidated (within it) [quote], shock (the smallest, signed,
        beyond which the price goes through it) [1], runaway (nothing known stops it; to_price is then as far as the
        known carries).

    Examples
    --------
    Two bins below 1000, the nearer one empty: 200 in 800 to 900 is ρ = 2000 per unit of x, and λρ = 2.

    >>> import pandas as pd
    >>> snap = pd.DataFrame({"long": [0.0, 0.0, 200.0, 0.0, 0.0], "short": 0.0}, index=range(650, 1051, 100))
    >>> zone = critical_zones(snap, depth=0.001, price=1000.0).iloc[0]
    >>> [round(float(zone[name]), 9) for name in ("from_price", "to_price", "width", "liquidated", "shock")]
    [900.0, 700.0, 0.2, 200.0, -0.1]
    """
    snap = moment_of(heat, at)
    start = start_of(snap, price)
    rows = []
    for side, sign in (("long", -1), ("short", 1)):
        path, book = path_of(snap, side, start, scale), depth_of(depth, start, side)
        for a, b, shock, open_ended in zones(path, book):
            flow = float(path.upto(b) - path.upto(a))
            rows.append((side, _price(start, a, side), _price(start, b, side), b - a, flow, sign * shock, open_ended))
    names = ["side", "from_price", "to_price", "width", "liquidated", "shock", "runaway"]
    return pd.DataFrame(rows, columns=names).astype({"runaway": bool})


# --- what a user gave, and what comes back ----------------------------------------------------------------------------


def _price(start: float, x: float, side: str) -> float:
    return float(start * (1 - x if side == "long" else 1 + x))


def _steps(path: Path, book: Depth, shock: float, end: float, start: float, side: str) -> pd.DataFrame:
    walk = rounds(path, book, shock, end)
    x = np.array([0.0, *(after for after, _ in walk)])
    price = np.array([_price(start, at, side) for at in x])
    liquidated = np.array([amount for _, amount in walk])
    columns = {"price_before": price[:-1], "price_after": price[1:], "liquidated": liquidated,
               "cumulative": np.cumsum(liquidated), "impact": np.diff(x)}  # fmt: skip
    return pd.DataFrame(columns, index=pd.RangeIndex(len(walk), name="step"))


def _notes(snap: Any, depth: Any, scale: float) -> dict[str, Any]:
    attrs = snap.attrs
    closed = None if isinstance(snap, pd.DataFrame) else snap.coords.get("close_time")
    at = attrs.get("at", "") if closed is None else pd.Timestamp(closed.item())
    quote = attrs.get("quote", "quote")
    words = "of an order book" if isinstance(depth, pd.DataFrame) else f"{_slope(depth) * 1e12:.3g} bp per 100M {quote}"
    fitted = f" ({'signed' if depth.signed else 'unsigned'} fit)" if isinstance(depth, Impact) else ""
    kept = {name: attrs.get(name, "") for name in ("symbol", "exchange", "model", "law", "lookback")}
    return {**kept, "quote": quote, "at": f"{utc(at):%Y-%m-%d %H:%M}" if at else "", "depth": words + fitted,
            "scale": float(scale)}  # fmt: skip


def _slope(depth: Any) -> float:
    return depth.slope if isinstance(depth, Impact) else float(depth)
