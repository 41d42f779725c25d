"""The scoreboard: estimates against what was observed, beside what a map has to beat, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.market.arguments import checked, within_0_and_1
from liqlab.market.clock import timeframe_of
from liqlab.market.market import Market
from liqlab.validation._baselines import CEILING, CEILING_WITH_MAP, PLAIN, check_names
from liqlab.validation._baselines import baselines as _baselines
from liqlab.validation._gains import gains
from liqlab.validation.align import amounts, in_coins, missing_bars, on_step, price_of
from liqlab.validation.batch_scores import batch
from liqlab.validation.resampling import Days, Drawn, check_resamples, days_of, interval
from liqlab.validation.score_functions import SCORES, calibration_curve

__all__ = ["Scores", "score"]

GROUPS = ("long", "short", "both")


@dataclass(frozen=True, eq=False)
class Scores:
    """What a comparison came to.

    Attributes
    ----------
    table : DataFrame
        One row per score, side (long, short; ``both``: all bars of both sides in one ranking) and forecast:

        - value, low, high: the score and its interval;
        - ahead, lead_low, lead_high: how far the first estimate is ahead of this forecast, *paired*: both scored on
          the same days in every resample. An interval above 0 means better.
    curve : DataFrame
        Observed by decile of each estimate: side, forecast, bin, rows, estimated, observed [coins per bar], ratio.
    gain : DataFrame
        What the first estimate adds to the best baseline, per side: see `liqlab.validation._gains`.
    forecasts : dict of name to DataFrame (time,)
        What was scored, on the bars that were scored [coins per bar].
    observed : DataFrame (time,)
        What it was scored against [coins per bar].
    kinds : dict of name to str
        ``map``, ``baseline`` or ``ceiling``.
    about : dict
        step, bars, days, dropped (observed bars that not all forecasts know), left_out (reason → bars between the first
        and the last observed one that are not scored), resamples, level, seed, symbol, exchange, block.
    """

    table: pd.DataFrame
    curve: pd.DataFrame
    gain: pd.DataFrame
    forecasts: dict[str, pd.DataFrame]
    observed: pd.DataFrame
    kinds: dict[str, str]
    about: dict[str, Any] = field(default_factory=dict)

    def of(self, score: str = "spearman", side: str = "both") -> pd.DataFrame:
        """One score of one side, a row per forecast, the best first."""
        known = self.table[["score", "side"]].drop_duplicates()
        if score not in set(known["score"]) or side not in set(known["side"]):
            scores, sides = (", ".join(known[name].unique()) for name in ("score", "side"))
            raise ValueError(f"there is no score {score!r} of side {side!r}; choose of the scores {scores} and of the "
                             f"sides {sides}")  # fmt: skip
        rows = self.table[(self.table["score"] == score) & (self.table["side"] == side)]
        rows = rows.set_index("forecast").drop(columns=["score", "side"])
        return rows.sort_values("value", ascending=False, kind="stable")

    def __repr__(self) -> str:
        a = self.about
        head = (f"Scores: {a['bars']:,} bars of {a['step']} on {a['days']} days, "
                f"{a['level']:.0%} intervals (pointwise) from {a['resamples']:,} resamples of whole days")  # fmt: skip
        rows = self.of()
        left_out = [f"{n:,} bar(s) {why}" for why, n in a.get("left_out", {}).items()]
        head += f"\n  left out: {'; '.join(left_out)}" if left_out else ""
        lines = [head, f"  {'Spearman, both sides':<26}{'value':>7}   interval          first estimate ahead by"]
        for name, r in rows.iterrows():
            lead = "" if np.isnan(r["lead_low"]) else f"{r['lead']:+.3f} [{r['lead_low']:+.3f}, {r['lead_high']:+.3f}]"
            lines.append(f"  {name:<26}{r['value']:>7.3f}   [{r['low']:.3f}, {r['high']:.3f}]    {lead}")
        return "\n".join(lines)


@checked()
def score(
    estimated: pd.DataFrame | Mapping[str, pd.DataFrame],
    observed: pd.DataFrame,
    *,
    market: Market | None = None,
    baselines: bool | Iterable[str] = True,
    unit: str | None = None,
    observed_unit: str = "coins",
    price: pd.Series | None = None,
    step: Any = None,
    resamples: int = 1_000,
    level: float = 0.95,
    seed: int = 0,
) -> Scores:
    """Score estimated against observed liquidations, bar by bar and side by side, beside baselines.

    Parameters
    ----------
    estimated : DataFrame (time,) or mapping of name to DataFrame
        long, short ≥ 0 per bar, from `liqlab.expected_liquidations`. Of several, the first is the one that is compared.
    observed : DataFrame (time,)
        long, short ≥ 0 per bar, such as ``market.liquidations``.
    market : Market, optional
        For the baselines and the ceiling, and to turn quote into coins.
    baselines : bool or iterable of str
        True: all that can be made, see `liqlab.validation._baselines`; without a market that is ``last bar`` alone.
    unit : 'coins' or 'quote', optional
        Unit of what is estimated; default: what its ``attrs["unit"]`` says. Never guessed.
    observed_unit : 'coins' or 'quote'
        Unit of what was observed.
    price : Series (time,), optional
        Price [quote] of each bar, to turn quote into coins; default: (high + low + close) / 3 of the market's candles.
    step : duration, optional
        Bars to compare, at least as coarse as both tables; default: the coarser of the two. Both are summed to it.
    resamples : int
        Number of resamples of whole days (UTC).
    level : float
        Of the intervals, each for itself (pointwise, percentile).
    seed : int
        The same seed gives the same numbers.

    Returns
    -------
    Scores

    Raises
    ------
    ValueError, TypeError
        A unit that is not told, coins against quote without a price, steps that do not add up, no bars in common.

    Assumptions
    -----------
    - Days are exchangeable blocks: what lasts longer than a day makes the intervals too narrow.
    - Only bars that every forecast knows are scored, so that all are scored on the same; the rest are counted.
    - Where the feed is throttled (Binance: at most one order per symbol and second), observed amounts are lower bounds.
      Spearman and precision ask for order and suffer little; R², skills, lift and slope speak of amounts *as
      published*, which fall short most in the largest hours.

    References
    ----------
    Spearman 1904; Efron and Tibshirani 1993 (percentile interval); Künsch 1989 (blocks).

    Examples
    --------
    >>> import liqlab as lq
    >>> market = lq.load_example("btc-2024-07")
    >>> estimated = lq.expected_liquidations(market, unit="coins")
    >>> names = ["excursion × volume"]
    >>> result = lq.score(estimated, market.liquidations, unit="coins", market=market, baselines=names, resamples=50)
    >>> round(float(result.of().loc["excursion × volume", "value"]), 3)
    0.79
    """
    maps = dict(estimated) if isinstance(estimated, Mapping) else {"estimate": estimated}
    if not maps:
        raise ValueError("nothing to score: estimated is empty; pass a table of lq.expected_liquidations")
    check_resamples(resamples)
    within_0_and_1(level=level)
    worth = price_of(market, price)
    tables = {
        name: in_coins(amounts(x, f"estimated ({name})"), f"estimated ({name})", unit, worth)
        for name, x in maps.items()
    }
    seen = in_coins(amounts(observed, "observed"), "observed", observed_unit, worth, argument="observed_unit")
    summed, width = on_step({**tables, "observed": seen}, step)
    left_out = {"without an observed row": missing_bars(seen, summed["observed"], width)}
    seen = summed.pop("observed")
    others = _others(baselines, market, seen, list(summed.values()), seed)
    doubled = set(others) & set(summed)
    if doubled:
        raise ValueError(f"an estimate bears the name of a baseline: {', '.join(sorted(doubled))}; rename it")
    forecasts = {**summed, **others}
    common = _common(forecasts, seen, left_out)
    forecasts = {name: table.loc[common] for name, table in forecasts.items()}
    bars, seen = len(seen), seen.loc[common]
    days = days_of(common, resamples=resamples, seed=seed)
    kinds = {
        name: "map" if name in maps else "ceiling" if name.startswith(CEILING) else "baseline" for name in forecasts
    }
    table = _table(forecasts, seen, days, level)
    about = {"step": timeframe_of(width), "bars": len(common), "days": len(days),
             "dropped": bars - len(common), "left_out": {why: n for why, n in left_out.items() if n},
             "resamples": resamples, "level": level, "seed": seed, "block": "1d",
             "symbol": market.symbol if market else "", "exchange": market.exchange if market else ""}  # fmt: skip
    gain = gains(forecasts, seen, kinds, table, days, level=level)
    return Scores(table, _curves(forecasts, seen, kinds), gain, forecasts, seen, kinds, about)


def _others(
    wanted: bool | Iterable[str], market: Market | None, seen: pd.DataFrame, maps: list[pd.DataFrame], seed: int
) -> dict[str, pd.DataFrame]:
    """The baselines asked for."""
    if wanted is False:
        return {}
    if wanted is True:
        names = [*PLAIN, CEILING, CEILING_WITH_MAP] if market is not None else ["last bar"]
    else:
        names = [wanted] if isinstance(wanted, str) else list(wanted)
        check_names(names, [*PLAIN, CEILING, CEILING_WITH_MAP], "baselines")
    return _baselines(market, seen, names=names, maps=maps[:1], seed=seed)


def _common(forecasts: Mapping[str, pd.DataFrame], seen: pd.DataFrame, left_out: dict[str, int]) -> pd.DatetimeIndex:
    """Bars that every forecast knows; those that one does not know are counted under its name."""
    common = seen.index
    for name, table in forecasts.items():
        left = common.intersection(table.index[np.isfinite(table[SIDES].to_numpy()).all(axis=1)])
        if left.empty:
            raise ValueError(f"no bar in common: {name} has {len(table)} bars from {table.index[0]} to "
                             f"{table.index[-1]}, observed are {seen.index[0]} to {seen.index[-1]}; pass tables of "
                             "the same time, or a finer step")  # fmt: skip
        left_out[f"not known to {name!r}"] = len(common) - len(left)
        common = left
    if len(common) < 3:
        raise ValueError(f"only {len(common)} bar(s) in common; a score needs three or more")
    return pd.DatetimeIndex(common)


def rows_of(table: pd.DataFrame, side: str) -> np.ndarray:
    """A side's amounts; both sides one below the other for ``both``."""
    return table[SIDES].to_numpy().T.ravel() if side == "both" else table[side].to_numpy()


def _table(forecasts: dict[str, pd.DataFrame], seen: pd.DataFrame, days: Days, level: float) -> pd.DataFrame:
    """Every score of every forecast and side, and the paired differences to the first forecast."""
    rows = []
    first = next(iter(forecasts))
    for side in GROUPS:
        y = rows_of(seen, side)
        code = np.tile(days.code, 2) if side == "both" else days.code
        made = [rows_of(x, side) for x in forecasts.values()]
        values = dict(zip(forecasts, batch(made, y, Drawn(days.draws, code)), strict=True))
        for name, scores in values.items():
            for k, what in enumerate(SCORES):
                lead = interval(values[first][k] - scores[k], level) if name != first else (np.nan,) * 3
                rows.append((what, side, name, *interval(scores[k], level), *lead))
    columns = ["score", "side", "forecast", "value", "low", "high", "lead", "lead_low", "lead_high"]
    return pd.DataFrame(rows, columns=columns)


def _curves(forecasts: dict[str, pd.DataFrame], seen: pd.DataFrame, kinds: dict[str, str]) -> pd.DataFrame:
    parts = {
        (name, side): calibration_curve(rows_of(table, side), rows_of(seen, side))
        for name, table in forecasts.items() if kinds[name] == "map"
        for side in GROUPS
    }  # fmt: skip
    return pd.concat(parts, names=["forecast", "side"]).reset_index()
