"""Walk forward: fit on the past, leave an embargo, score on what follows, and refuse a model that looks ahead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from liqlab import models
from liqlab.engine.records import SIDES
from liqlab.maps.tables import expected_liquidations
from liqlab.market.arguments import checked
from liqlab.market.clock import nanoseconds, step_of, timedelta
from liqlab.market.market import Market
from liqlab.models._assumptions import Assumptions
from liqlab.validation._score import Scores
from liqlab.validation._score import score as _score
from liqlab.validation.align import amounts

__all__ = ["Walk", "walk_forward"]

Model = str | Callable[..., pd.DataFrame]
TOLERANCE = 1e-9  # relative; sums of a library may differ in their last digits
MIN_STRETCH = pd.Timedelta("2D")  # shortest stretch to fit on or to score


@dataclass(frozen=True, eq=False)
class Walk:
    """What walking forward came to.

    Attributes
    ----------
    folds : DataFrame (fold,)
        train_start, train_end, test_start, test_end [UTC, half-open], bars tested, options that the fit returned (as
        text), and the rank correlation of each side within the fold.
    scores : Scores or whatever `score` returned
        Of all test stretches together.
    estimated, observed : DataFrame (time,)
        The estimates that were scored, each made with what its fold knew [unit], and what was observed there [coins].
    checks : int
        On how many markets, cut off at some moment, the model gave the very same earlier bars.
    """

    folds: pd.DataFrame
    scores: Any
    estimated: pd.DataFrame
    observed: pd.DataFrame
    checks: int

    def __repr__(self) -> str:
        head = (f"Walk forward: {len(self.folds)} folds, {len(self.estimated):,} bars tested, "
                f"no look-ahead in {self.checks} cuts")  # fmt: skip
        return f"{head}\n{self.scores!r}"


@checked()
def walk_forward(
    market: Market,
    model: Model | None = None,
    *,
    assumptions: Assumptions | Any = None,
    fit: Callable[[Market], Any] | None = None,
    embargo: Any = "1d",
    folds: int = 3,
    score: Callable[..., Any] | None = None,
    checks: int = 12,
    seed: int = 0,
    unit: str = "coins",
    **options: Any,
) -> Walk:
    """Fit, wait, score, and walk on; a model that changes its past once the future is cut off is refused.

    Parameters
    ----------
    market : Market
        With observed liquidations.
    model : str or callable, optional
        A name from `liqlab.models`, default ``open_interest``, or a function ``market, **options → DataFrame (time ×
        long, short)``: one row per candle, made with what was known when the candle closed.
    assumptions : Assumptions or Calibration, optional
        Instead of `model` and the options: the same in every fold; what the fit returns comes on top.
    fit : callable, optional
        ``market → options``: gets the market as it was known when the training ended, and returns a mapping of options
        for the model, or the result of `liqlab.calibrate`, whose `estimate` then gives what is scored: amounts as the
        venue publishes them, longs and shorts on one scale. None: nothing is fitted.
    embargo : duration
        Time between the end of training and the start of the test, so that what lasts over the border helps nobody.
    folds : int
        Number of test stretches. The time with observed liquidations is cut into folds + 1 equal stretches: the first
        is for training only, each of the others is tested once, after training on all before it.
    score : callable, optional
        ``(estimated, observed, market=, unit=) → result``; default `liqlab.score`.
    checks : int
        How many moments the market is cut off at in each fold: half drawn at random, half right after the hours with
        the largest observed liquidations, where looking ahead would pay.
    seed : int
        Of the moments.
    unit : 'coins' or 'quote'
        Unit of what the model returns.
    **options
        For the model, the same in every fold; what the fit returns comes on top.

    Returns
    -------
    Walk

    Raises
    ------
    ValueError
        A model that looks ahead (the message names the bar, the side and the two values), no observed liquidations,
        too short a history for the folds.

    Assumptions
    -----------
    - What was observed in the test stretch is hidden from the model: it gets those up to the training's end only.
    - The comparison tolerates a relative difference of 1e-9. Cuts find a model that looks ahead at the bars before
      them; they are a sample, so a model that peeks in very few bars can slip through.
    - Baselines are made by the score, on the bars tested: a fitted baseline is fitted there, to its own advantage.

    Examples
    --------
    >>> import liqlab as lq
    >>> from functools import partial
    >>> market = lq.load_example("btc-2024-07")
    >>> quick = partial(lq.score, baselines=False, resamples=50)
    >>> walk = lq.walk_forward(market, score=quick, checks=2, law="retail")
    >>> len(walk.folds), walk.checks
    (3, 6)
    """
    if not isinstance(market, Market) or market.liquidations is None:
        raise ValueError("market: walk_forward needs observed liquidations; pass lq.load_example('btc-2024-07')")
    if assumptions is not None or not callable(model):
        made = Assumptions.given(
            assumptions, None if callable(model) else model, {} if assumptions is None else options
        )
        model, options = made.model, made.changed() if assumptions is not None else options
    name = model if isinstance(model, str) else getattr(model, "__name__", type(model).__name__)
    run = _runner(model, unit)
    rows: list[dict[str, Any]] = []
    parts = []
    for train_end, start, end in _stretches(market, _duration(embargo), folds):
        train = market.until(train_end)
        fitted: Any = _called("fit", fit, train) if fit else {}
        found = {**options, **_options(fitted)}
        known = replace(market.until(end), liquidations=train.liquidations)
        whole = _estimate(run, known, found, name)
        _refuse_look_ahead(
            run, market, known, whole, found, name, _moments(market, start, end, checks, seed + len(rows))
        )
        if hasattr(fitted, "estimate") and fitted.model == model:  # a calibration knows what the venue publishes
            whole = fitted.estimate(known, unit=unit)
        tested = whole[(whole.index >= start) & (whole.index < end)]
        parts.append(tested)
        rows.append({"train_start": market.start, "train_end": train_end, "test_start": start, "test_end": end,
                     "bars": len(tested), "options": ", ".join(f"{k}={_brief(v)}" for k, v in found.items())
                     })  # fmt: skip
    estimated = pd.concat(parts)
    estimated.attrs["unit"] = unit
    seen = market.liquidations
    seen = seen[(seen.index >= rows[0]["test_start"]) & (seen.index < rows[-1]["test_end"])]
    judged = _called("score", score or _score, estimated, seen, market=market, unit=unit)
    return Walk(_with_ranks(pd.DataFrame(rows), judged), judged, estimated, seen, len(rows) * checks)


def _duration(embargo: Any) -> pd.Timedelta:
    none = embargo is None or (isinstance(embargo, int | float) and embargo == 0)
    return pd.Timedelta(0) if none else timedelta(embargo, "embargo")


_CALLED = {"model": "market, **options → DataFrame", "fit": "market → options",
           "score": "(estimated, observed, market=, unit=) → result"}  # fmt: skip


def _called(argument: str, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What a function of the caller's returns; one that does not take these arguments is refused by its name here."""
    try:
        return function(*args, **options)
    except TypeError as error:
        if error.__traceback__ and error.__traceback__.tb_next:
            raise  # it took them, and failed within
        raise TypeError(f"{argument} must be a function {_CALLED[argument]}, and {function!r} cannot be called so "
                        f"({error}); pass one that can") from error  # fmt: skip


def _runner(model: Model, unit: str) -> Callable[..., pd.DataFrame]:
    if callable(model):
        return partial(_called, "model", model)
    models.find(model)  # an unknown name is told before anything is computed
    return lambda market, **options: expected_liquidations(market, model, unit=unit, **options)


def _options(found: Any) -> dict[str, Any]:
    """Options from a mapping or from a calibration."""
    if isinstance(found, Mapping):
        return dict(found)
    made = getattr(found, "assumptions", found)
    if isinstance(made, Assumptions):
        fitted = ("law", "same_bar_share", "share_of_volume")
        own = {name: value for name, value in made.keywords().items() if name in fitted}
        return {**{name: own[name] for name in fitted if name in own}, **made.changed()}
    raise TypeError(f"fit must return a mapping of options, Assumptions or a calibration, got {type(found).__name__}; "
                    "for example {'law': 'retail'}")  # fmt: skip


def _stretches(market: Market, embargo: pd.Timedelta, folds: int) -> list[tuple[Any, Any, Any]]:
    """(end of training, start and end of test) of every fold, on bars of the observed liquidations."""
    if folds < 1:
        raise ValueError(f"folds must be >= 1, got {folds!r}; 3 is usual")
    index = market.liquidations.index  # type: ignore[union-attr]  # checked by the caller
    first, last = index[0].ceil("1D"), min(index[-1] + step_of(market.liquidations), market.end)  # type: ignore[arg-type]
    length = ((last - first) / (folds + 1)).floor("1D")
    if length < MIN_STRETCH + embargo:
        raise ValueError(
            f"folds: {folds} of the {last - first} with observed liquidations leave {length} each, "
            f"with an embargo of {embargo}; use fewer folds, a smaller embargo or a longer market"
        )
    edges = [first + k * length for k in range(1, folds + 1)] + [last]
    return [(start - embargo, start, end) for start, end in pairwise(edges)]


def _estimate(run: Callable[..., Any], market: Market, options: Mapping[str, Any], name: str) -> pd.DataFrame:
    """One run of the model, checked: a row for every candle."""
    table = amounts(run(market, **options), f"what the model {name!r} returned")
    beyond = table.index[table.index >= market.end]
    if len(beyond):
        raise ValueError(f"the model {name!r} looks ahead: it returned a row for {beyond[0]}, but the market it was "
                         f"given ends at {market.end}; use nothing but the market that is passed")  # fmt: skip
    missing = market.candles.index.difference(table.index)
    if len(missing):
        raise ValueError(f"the model {name!r} returned no row for {len(missing)} of {len(market.candles)} candles, the "
                         f"first {missing[0]}; return one row per candle, 0 where nothing is expected")  # fmt: skip
    return table.loc[market.candles.index, SIDES]


def _moments(market: Market, start: Any, end: Any, checks: int, seed: int) -> pd.DatetimeIndex:
    """Closes of candles at which the market is cut: some at random, some after the largest observed hours."""
    closes = pd.DatetimeIndex(market.candles.index) + market.step
    inside = closes[(closes > start) & (closes < end)]
    seen = market.liquidations.sum(axis=1)  # type: ignore[union-attr]
    large = seen[(seen.index >= start) & (seen.index < end - market.step)].nlargest(checks - checks // 2).index
    # cut at the open of the large bar: a model that looks one bar ahead then changes the bar before it
    large = inside.intersection(large)
    drawn = np.random.default_rng(seed).permutation(len(inside))[: max(checks - len(large), 0)]
    return large.union(inside[np.sort(drawn)])[:checks] if checks else inside[:0]


def _refuse_look_ahead(
    run: Callable[..., Any],
    market: Market,
    known: Market,
    whole: pd.DataFrame,
    options: Mapping[str, Any],
    name: str,
    moments: pd.DatetimeIndex,
) -> None:
    """Cut the market at moments and compare every bar before; the first that differs is named."""
    for moment in moments:
        cut = known.until(moment)
        again = _estimate(run, cut, options, name)
        before = whole.loc[again.index].to_numpy()
        difference = np.abs(before - again.to_numpy())
        bad = difference > TOLERANCE * np.maximum(np.abs(before), np.abs(again.to_numpy()))
        if bad.any():
            row, side = np.argwhere(bad)[-1]
            told, then = float(before[row, side]), float(again.iloc[row, side])
            raise ValueError(
                f"the model {name!r} looks ahead: for the {SIDES[side]}s of the bar {again.index[row]} it says "
                f"{told:.10g} with data up to {known.end}, but {then:.10g} when the market is cut at {moment} "
                f"(difference {told - then:+.6g}, {int(bad.any(axis=1).sum())} bar(s) differ); use only what is "
                "complete at a bar's close, and fix the seed of what is drawn at random"
            )


def _brief(value: Any) -> str:
    return str(getattr(value, "name", value))


def _with_ranks(folds: pd.DataFrame, judged: Any) -> pd.DataFrame:
    """Rank correlations of every fold, where the score tells its bars."""
    if not isinstance(judged, Scores):
        return folds
    from liqlab.validation.score_functions import spearman

    estimated = next(iter(judged.forecasts.values()))
    stamps = nanoseconds(estimated.index)
    for side in SIDES:
        folds[f"spearman_{side}"] = [
            spearman(estimated[side].to_numpy()[on], judged.observed[side].to_numpy()[on]) if on.sum() > 2 else np.nan
            for on in (
                (stamps >= a.as_unit("ns").value) & (stamps < b.as_unit("ns").value)
                for a, b in zip(folds["test_start"], folds["test_end"], strict=True)
            )
        ]
    return folds
