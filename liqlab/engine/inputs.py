"""From tables to the ledger's steps: what happens bar by bar, and on which leverage levels positions stand."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from liqlab import models
from liqlab.engine.grid import STEP, cell_of
from liqlab.engine.intrabar import split_candles
from liqlab.engine.jit import jit
from liqlab.engine.records import Ladder, Steps
from liqlab.engine.trade_steps import TradeSteps
from liqlab.margin import tier_history
from liqlab.market.arguments import warn
from liqlab.market.clock import nanoseconds
from liqlab.market.market import Market
from liqlab.market.provenance import OpenInterestUse, TakerUse, TierUse, TouchUse
from liqlab.models._assumptions import Assumptions
from liqlab.models._law import Law, distances

MAX_WHOLE = 4_000_000  # steps that are held at once: some 300 MB


@dataclass(frozen=True, eq=False)
class InputsHeader:
    """What the engine needs to run but for the steps, and what it was made from.

    Attributes
    ----------
    ladder : Ladder
    opened : ndarray (side, bar)
        Coins opened per candle.
    assumptions : Assumptions
    taker, open_interest, tiers, touch
        What was used of the market.
    closing : str
        How the model closes, in words; empty where it has one way.
    """

    ladder: Ladder
    opened: np.ndarray
    assumptions: Assumptions
    taker: TakerUse
    open_interest: OpenInterestUse
    tiers: TierUse
    touch: TouchUse
    closing: str

    def first_step(self, bars: np.ndarray) -> np.ndarray:
        """First step of these candles; of the candle after the last, the number of steps."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class EngineInputs(InputsHeader):
    """Everything that the engine needs to run, and what it was made from.

    Attributes
    ----------
    steps : Steps
    bar : ndarray (step,), int64
        Candle to which each step belongs.
    """

    steps: Steps
    bar: np.ndarray

    def first_step(self, bars: np.ndarray) -> np.ndarray:
        """First step of these candles; of the candle after the last, the number of steps."""
        return np.searchsorted(self.bar, bars)

    @property
    def first(self) -> np.ndarray:
        """First step of every candle (bar,)."""
        return np.flatnonzero(np.diff(self.bar, prepend=-1))

    def until(self, bars: int) -> EngineInputs:
        """Those of the first candles alone: what `build_inputs` makes of the market as it was known at their close."""
        stop = int(np.searchsorted(self.bar, bars))
        steps = Steps(**{f.name: _first(getattr(self.steps, f.name), stop) for f in fields(Steps)})
        on = self.ladder.tier_version <= steps.tier_version.max()
        ladder = Ladder(**{f.name: _chosen(getattr(self.ladder, f.name), on) for f in fields(Ladder)})
        return replace(self, steps=steps, ladder=ladder, bar=self.bar[:stop], opened=self.opened[:, :bars])


def _first(values: np.ndarray | None, stop: int) -> Any:
    return None if values is None else values[..., :stop]


def _chosen(values: np.ndarray | None, on: np.ndarray) -> Any:
    return None if values is None else values[..., on]


def build_inputs(market: Market, assumptions: Assumptions) -> EngineInputs:
    """Build the engine's inputs of a market under assumptions."""
    check_market(market)
    if market.trades is not None:
        return _of_trades(trade_inputs(market, assumptions))
    flow, candles_covered, ladder, tier_version, tiers = _prepared(market, assumptions)
    steps, bar, touch = _steps(market, flow, tier_version, assumptions.entries)
    if flow.late is not None and flow.late.any():
        steps, bar = _with_late(steps, bar, flow, candles_covered)
    return EngineInputs(**_header(flow, ladder, tiers, touch, assumptions), steps=steps, bar=bar)


@dataclass(frozen=True, eq=False)
class TradeInputs(InputsHeader):
    """What the engine needs to run over every trade; the steps are made part by part.

    Attributes
    ----------
    source : TradeSteps
    """

    source: TradeSteps

    def first_step(self, bars: np.ndarray) -> np.ndarray:
        """First step of these candles; of the candle after the last, the number of steps."""
        return self.source.first[bars]


def trade_inputs(market: Market, assumptions: Assumptions) -> TradeInputs:
    """Those of a market that has its trades, under assumptions."""
    check_market(market)
    flow, covered, ladder, tier_version, tiers = _prepared(market, assumptions)
    source = TradeSteps.of(market, flow, covered, tier_version, assumptions.entries)
    return TradeInputs(**_header(flow, ladder, tiers, source.touch_use, assumptions), source=source)


def _of_trades(inputs: TradeInputs) -> EngineInputs:
    """All steps at once, for those who need them so."""
    n = int(inputs.source.first[-1])
    if n > MAX_WHOLE:
        raise ValueError(f"trades: this needs every step at once, and the trades make {n:,} of them, at most "
                         f"{MAX_WHOLE:,} are held; ask lq.heatmap without lookback, cut the market (market.until), or "
                         "leave the trades out (dataclasses.replace(market, trades=None))")  # fmt: skip
    header = {f.name: getattr(inputs, f.name) for f in fields(InputsHeader)}
    return EngineInputs(**header, steps=inputs.source.steps(0, inputs.opened.shape[1]), bar=inputs.source.bar)


def _prepared(market: Market, assumptions: Assumptions) -> tuple[models.Flow, np.ndarray, Ladder, np.ndarray, TierUse]:
    """What the model says of the bars, candles that each open interest covers, leverage levels and tier tables."""
    bars = models.Bars.of(market)
    flow, candles_covered = models.find(assumptions.model)(bars, **assumptions.options), bars.candles_covered
    del bars  # its arrays are as large as all that follows
    ladder, tier_version, tiers = _ladder(market, assumptions.law, assumptions.position_notional)
    return flow, candles_covered, _with_close_rates(ladder, flow), tier_version, tiers


def _header(
    flow: models.Flow, ladder: Ladder, tiers: TierUse, touch: TouchUse, assumptions: Assumptions
) -> dict[str, Any]:
    return {"ladder": ladder, "opened": flow.opened, "assumptions": assumptions, "taker": flow.taker_use,
            "open_interest": flow.open_interest_use, "tiers": tiers, "touch": touch,
            "closing": flow.closing}  # fmt: skip


def check_market(market: Any) -> None:
    """A market, not its name."""
    if not isinstance(market, Market):
        raise TypeError(f"market must be a Market, got {type(market).__name__}; lq.load_example(name) and "
                        "lq.read(file) make one, lq.show takes a name")  # fmt: skip


def _ladder(market: Market, law: Law, position_notional: float) -> tuple[Ladder, np.ndarray, TierUse]:
    """Leverage levels of every tier table in force; tables that give the same leverage levels share a tier version."""
    history = tier_history(market.exchange, market.symbol, market.start, market.end,
                           leverage_tiers=market.leverage_tiers)  # fmt: skip
    if history[0][1].proxy and market.leverage_tiers is None and "BTC/USDT:USDT" in history[0][1].proxy:
        warn(f"{history[0][1].proxy}; pass leverage_tiers= to Market or read")
    leverage_levels: list[tuple[np.ndarray, np.ndarray]] = []
    tier_version = np.zeros(len(market.candles), np.int64)
    opens, first = nanoseconds(market.candles.index), float(market.candles["open"].iloc[0])
    for moment, tiers in history:
        distance, share = distances(law, tiers, position_notional=position_notional, price=first)
        leverage_level = np.maximum(np.rint(distance / STEP).astype(np.int64), 1), share
        same = [k for k, known in enumerate(leverage_levels) if all(map(np.array_equal, known, leverage_level))]
        leverage_levels += [] if same else [leverage_level]
        tier_version[opens >= moment.as_unit("ns").value] = same[0] if same else len(leverage_levels) - 1
    taken = [share.sum(axis=0) > 0 for _, share in leverage_levels]
    ladder = Ladder(
        leverage=np.concatenate([law.labels[on] for on in taken]),
        cells=np.concatenate([cells[:, on] for (cells, _), on in zip(leverage_levels, taken, strict=True)], axis=1),
        share=np.concatenate([share[:, on] for (_, share), on in zip(leverage_levels, taken, strict=True)], axis=1),
        tier_version=np.repeat(np.arange(len(leverage_levels)), [int(on.sum()) for on in taken]),
    )
    days = tuple(f"{tiers.as_of:%Y-%m-%d}" for _, tiers in history)
    flags = sorted({flag for _, tiers in history for flag in tiers.flags})
    return ladder, tier_version, TierUse(history[-1][1].exchange, days, tuple(flags))


def _with_close_rates(ladder: Ladder, flow: models.Flow) -> Ladder:
    """Every leverage level once per cohort, with its close rate; the unattributed part closes at the mean rate."""
    n, cohorts = len(ladder.tier_version), np.array(flow.cohorts)
    order = np.argsort(np.tile(ladder.tier_version, len(cohorts)), kind="stable")
    share = np.concatenate([ladder.share * part for part in cohorts[:, 0]], axis=1)[:, order]
    leverage_level = np.tile(np.arange(n), len(cohorts))[order]
    close_rate = np.repeat(cohorts[:, 1], n)[order] * (ladder.leverage[leverage_level] / 10.0) ** flow.by_leverage
    if (
        flow.fade is None
    ):  # in balance a leverage level holds its openings ÷ its close rate, so that the mean close rate is 1
        close_rate *= np.mean(np.sum((share / close_rate)[:, ladder.tier_version[leverage_level] == 0], axis=1))
    return Ladder(
        ladder.leverage[leverage_level],
        ladder.cells[:, leverage_level],
        share,
        ladder.tier_version[leverage_level],
        close_rate,
    )


def _steps(
    market: Market, flow: models.Flow, tier_version: np.ndarray, entries: str
) -> tuple[Steps, np.ndarray, TouchUse]:
    """One step per candle, or where a finer path or its likely order cuts it, one per piece."""
    segments = split_candles(market, typical=entries == "vwap", ordered=entries == "ordered")
    bar = segments.bar
    low, high = cell_of(segments.low), cell_of(segments.high)
    same = segments.touch_low is segments.low
    touch = (low, high) if same else (cell_of(segments.touch_low), cell_of(segments.touch_high))
    opened, target = flow.opened, flow.open_interest
    fade = flow.fade
    if len(bar) != len(market.candles):
        before = np.concatenate([target[:1], target[:-1]])
        opened, target = opened[:, bar] * segments.weight, open_interest_path(target, before, bar, segments.weight)
        fade = None if fade is None else fade[bar] * segments.weight
    steps = Steps(*touch, low, high, opened, target, tier_version[bar], fade)
    if segments.typical is not None:
        middle = cell_of(segments.typical)
        steps = replace(steps, entry_low=middle, entry_high=middle)
    elif entries == "extremes":
        steps, bar = _split_at_extremes(steps), np.repeat(bar, 2)
    return steps, bar, segments.touch_use


def open_interest_path(
    open_interest: np.ndarray, before: np.ndarray, bar: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Open interest after each piece: inside a candle it passes from the old to the new in step with the volume.

    Parameters
    ----------
    open_interest, before : ndarray (candle,)
        At its close, and at that of the candle before [coins].
    bar, weight : ndarray (piece,)
        Candle of the piece, and its share of the candle's volume.
    """
    final, old, new = np.append(bar[1:] != bar[:-1], True), before[bar], open_interest[bar]
    return np.where(final | np.isnan(old), new, old + _so_far_nb(bar, weight) * (new - old))


@jit
def _so_far_nb(bar: Any, weight: Any) -> Any:
    """Sum of the weights of a candle's pieces up to each; candle by candle, so that it depends on nothing before."""
    done, total = np.empty(weight.size), 0.0
    for k in range(weight.size):
        total = total + weight[k] if k > 0 and bar[k] == bar[k - 1] else weight[k]
        done[k] = total
    return done


def _split_at_extremes(steps: Steps) -> Steps:
    """Two steps for one: half of the openings at its low, half at its high."""

    def twice(array: np.ndarray) -> np.ndarray:
        return np.repeat(array, 2, axis=-1)

    low, high = twice(steps.entry_low), twice(steps.entry_high)
    edge = np.where(np.arange(len(low)) % 2, high, low)
    before = np.concatenate([steps.open_interest[:1], steps.open_interest[:-1]])
    half = np.where(np.isnan(before), steps.open_interest, (before + steps.open_interest) / 2)
    return Steps(
        twice(steps.touch_low), twice(steps.touch_high), edge, edge, twice(steps.opened) / 2,
        np.column_stack([half, steps.open_interest]).ravel(), twice(steps.tier_version),
        None if steps.fade is None else twice(steps.fade) / 2,
    )  # fmt: skip


def _with_late(
    steps: Steps, bar: np.ndarray, flow: models.Flow, candles_covered: np.ndarray
) -> tuple[Steps, np.ndarray]:
    """Add a step after each bar in which a coarser open interest reports openings of the bars before it.

    The candle's own steps keep the open interest that was known before; the added one opens what is reported, over the
    range since the stamp before, touches nothing that stood (its own extremes are the bar's), and carries the jump. So
    late positions count as opened in the bar that reports them: whether price had reached them before is not known.
    """
    late = np.asarray(flow.late)
    bars = np.flatnonzero(late.any(axis=0))
    final = np.searchsorted(bar, bars, side="right") - 1
    begin = np.searchsorted(bar, bars + 1 - np.maximum(candles_covered[bars], 1))
    reports = np.isin(bar, bars)
    place, moment = np.flatnonzero(reports), np.searchsorted(bars, bar[reports])
    own = np.divide(flow.opened[:, bars] - late[:, bars], flow.opened[:, bars], out=np.ones((2, len(bars))),
                    where=flow.opened[:, bars] > 0)  # fmt: skip
    old = np.ones(len(bar) + len(bars), bool)
    old[final + 1 + np.arange(len(bars))] = False

    def insert(own_steps: np.ndarray, added: np.ndarray) -> np.ndarray:
        longer = np.empty((*own_steps.shape[:-1], len(old)), own_steps.dtype)
        longer[..., old], longer[..., ~old] = own_steps, added
        return longer

    opened, target = insert(steps.opened, late[:, bars]), insert(steps.open_interest, flow.open_interest[bars])
    moved = place + np.searchsorted(final, place)  # where these steps stand now
    opened[:, moved] *= own[:, moment]
    target[moved] = flow.open_interest[np.maximum(bar[place] - 1, 0)]
    low = _extremes(np.minimum, steps.entry_low, begin, final)
    high = _extremes(np.maximum, steps.entry_high, begin, final)
    return Steps(
        touch_low=insert(steps.touch_low, steps.touch_low[final]),
        touch_high=insert(steps.touch_high, steps.touch_high[final]),
        entry_low=insert(steps.entry_low, low),
        entry_high=insert(steps.entry_high, high),
        opened=opened,
        open_interest=target,
        tier_version=insert(steps.tier_version, steps.tier_version[final]),
    ), insert(bar, bars)


def _extremes(of: np.ufunc, values: np.ndarray, first: np.ndarray, final: np.ndarray) -> np.ndarray:
    """Minimum or maximum of each range first … final."""
    ranges = np.column_stack([first, final + 1]).ravel()
    return of.reduceat(np.append(values, values[-1]), ranges)[::2]
