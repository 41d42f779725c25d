"""What a map has to beat: forecasts of the same hours that know no positions, and a ceiling that knows too much.

All look at the bar that they are scored on, as a map does too: the question is not whether the bar could be foreseen,
but whether knowing *where positions stand* adds to knowing how the price moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from liqlab.engine.records import SIDES
from liqlab.market.arguments import checked
from liqlab.market.clock import step_of, timeframe_of
from liqlab.market.market import Market
from liqlab.validation.align import amounts

__all__ = ["CEILING", "CEILING_WITH_MAP", "PLAIN", "adverse_excursion", "bars", "baselines", "check_names"]

PLAIN = ("excursion × volume", "√excursion + log volume", "range", "volume", "24h breakout", "last bar")
CEILING, CEILING_WITH_MAP = "hindsight", "hindsight + map"
UNITLESS = ("range", "24h breakout")


@checked()
def baselines(
    market: Market | None,
    observed: pd.DataFrame,
    *,
    names: Iterable[str] | None = None,
    maps: Sequence[pd.DataFrame] = (),
    seed: int = 0,
) -> dict[str, pd.DataFrame]:
    """Baseline forecasts of observed liquidations, bar by bar.

    Parameters
    ----------
    market : Market, optional
        Its candles are summed up to the bars of `observed`; without it only ``last bar`` can be made.
    observed : DataFrame (time,)
        long, short [coins per bar].
    names : iterable of str, optional
        Which; default: all that can be made.
    maps : sequence of DataFrame (time,)
        Estimated liquidations, for ``hindsight + map`` alone.
    seed : int
        Of the ceiling's folds.

    Returns
    -------
    dict of name to DataFrame (time,)
        Columns long, short; NaN where a baseline cannot know.

        - ``excursion × volume``: adverse excursion [1] × volume [coins]. The excursion of a long is
          ``(open − low) / open``, that of a short ``(high − open) / open``.
        - ``√excursion + log volume``: log(1 + observed) fitted to √excursion and log(volume) by least squares, both
          sides together, on the very bars that are scored (three numbers; whatever that gains is the baseline's).
        - ``range``: ``(high − low) / open``; ``volume`` [coins]: the same for both sides.
        - ``24h breakout``: how far the bar goes beyond the extreme of the 24 hours before it [1].
        - ``last bar``: what was observed in the bar before.
        - ``hindsight``: gradient-boosted trees on some forty features of the same bar, each day foretold by trees that
          saw the other days only. A *ceiling* of what the bar itself can tell, not a rival. ``hindsight + map``: the
          same with the maps among the features; what it gains is what the map knows and the bar does not.

        What has no unit is scaled to the observed total.

    Raises
    ------
    ValueError
        An unknown name, or one that needs a market.

    Examples
    --------
    >>> import liqlab as lq
    >>> market = lq.load_example("btc-2024-07")
    >>> table = baselines(market, market.liquidations, names=["excursion × volume"])["excursion × volume"]
    >>> bar = market.candles.loc["2024-07-05 02:00+00:00"]
    >>> round(float(table.loc[bar.name, "long"] / ((1 - bar["low"] / bar["open"]) * bar["volume"])), 6)
    1.0
    """
    observed = amounts(observed, "observed")
    maps = [amounts(each, f"maps[{k}]") for k, each in enumerate(maps)]
    every = (*PLAIN, CEILING, *((CEILING_WITH_MAP,) if maps else ()))
    possible = every if market is not None else ("last bar",)
    chosen = list(possible if names is None else [names] if isinstance(names, str) else names)
    check_names(chosen, every, "names")
    for name in chosen:
        if name not in possible:
            raise ValueError(f"the baseline {name!r} is made from candles; pass market=")
    frame = None if market is None else bars(market, pd.DatetimeIndex(observed.index), step_of(observed))
    if frame is not None and not frame["open"].reindex(observed.index).notna().any():
        raise ValueError("market has no whole bar at the times of observed; pass the market that they were observed on")
    return {name: _one(name, market, frame, observed, maps, seed) for name in chosen}


def check_names(chosen: Iterable[str], every: Iterable[str], argument: str) -> None:
    """Refuse what is no baseline's name."""
    for name in chosen:
        if name not in every:
            raise ValueError(f"{argument}: no baseline is called {name!r}; there are: {', '.join(every)}")


def adverse_excursion(frame: pd.DataFrame) -> pd.DataFrame:
    """How far price went against each side within the bar, as a share of its open [1].

    >>> adverse_excursion(pd.DataFrame({"open": [100.0], "high": [101.0], "low": [98.0]})).round(6).values.tolist()
    [[0.02, 0.01]]
    """
    fall, rise = frame["open"] - frame["low"], frame["high"] - frame["open"]
    return pd.DataFrame({"long": fall / frame["open"], "short": rise / frame["open"]})


def bars(market: Market, index: pd.DatetimeIndex, step: pd.Timedelta) -> pd.DataFrame:
    """Candles of a market on coarser bars, with all that came before them: open, high, low, close, volume.

    A bar of which candles are missing is NaN; the bars are those of `index` and as many before it as the market has.
    """
    if step < market.step or step % market.step != pd.Timedelta(0):
        raise ValueError(f"observed bars of {timeframe_of(step)} are no multiple of the candles' {market.timeframe}; "
                         "pass a market with finer candles")  # fmt: skip
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    if step == market.step:
        frame = market.candles[list(how)]
    else:
        groups = market.candles.resample(step, origin=index[0])
        frame = groups.agg(how)[groups["open"].count() == step // market.step]
    first = min(frame.index[0], index[0]) if len(frame) else index[0]
    return frame.reindex(pd.date_range(first, index[-1], freq=step, name="time"))


def _one(
    name: str,
    market: Market | None,
    frame: pd.DataFrame | None,
    observed: pd.DataFrame,
    maps: Sequence[pd.DataFrame],
    seed: int,
) -> pd.DataFrame:
    if name == "last bar":
        return observed[SIDES].shift(freq=step_of(observed)).reindex(observed.index)
    assert market is not None, "checked by the caller"
    assert frame is not None
    if name in (CEILING, CEILING_WITH_MAP):
        from liqlab.validation.hindsight import hindsight

        return hindsight(market, frame, observed, maps=maps if name == CEILING_WITH_MAP else (), seed=seed)
    here = frame.reindex(observed.index)
    if name == "24h breakout":
        made = _breakout(frame, step_of(observed)).reindex(observed.index)
    elif name == "range":
        made = _both((here["high"] - here["low"]) / here["open"])
    elif name == "volume":
        made = _both(here["volume"])
    elif name == "excursion × volume":
        made = adverse_excursion(here).mul(here["volume"], axis=0)
    else:
        made = _fitted(adverse_excursion(here), here["volume"], observed)
    if name in UNITLESS:
        made = made * (observed[SIDES].to_numpy().sum() / max(np.nansum(made.to_numpy()), 1e-300))
    return made


def _both(column: pd.Series) -> pd.DataFrame:
    return pd.DataFrame(dict.fromkeys(SIDES, column))


def _breakout(frame: pd.DataFrame, step: pd.Timedelta) -> pd.DataFrame:
    """Below the lowest low, above the highest high of the day before; NaN until a day has passed."""
    window = max(round(pd.Timedelta("1D") / step), 1)
    low = frame["low"].rolling(window).min().shift()
    high = frame["high"].rolling(window).max().shift()
    return pd.DataFrame(
        {"long": (1 - frame["low"] / low).clip(lower=0), "short": (frame["high"] / high - 1).clip(lower=0)}
    )


def _fitted(excursion: pd.DataFrame, volume: pd.Series, observed: pd.DataFrame) -> pd.DataFrame:
    """Three numbers by least squares on log(1 + observed), both sides together."""
    with np.errstate(divide="ignore"):
        logs = np.log(volume.to_numpy())
    x = np.column_stack([np.ones(2 * len(volume)), np.sqrt(excursion[SIDES].to_numpy().T.ravel()), np.tile(logs, 2)])
    y = np.log1p(observed[SIDES].to_numpy().T.ravel())
    on = np.isfinite(x).all(axis=1) & np.isfinite(y)
    if on.sum() < 4:
        return pd.DataFrame(np.nan, index=observed.index, columns=SIDES)
    beta = np.linalg.lstsq(x[on], y[on], rcond=None)[0]
    fit = np.where(on, np.expm1(np.where(on[:, None], x, 0.0) @ beta), np.nan)
    return pd.DataFrame(fit.reshape(2, -1).T, index=observed.index, columns=SIDES)
