"""One run of the ledger for all who ask about the same market under the same assumptions."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from dataclasses import dataclass, fields, replace
from functools import cached_property
from threading import RLock
from typing import Any

import numpy as np
import pandas as pd

from liqlab.engine.inputs import EngineInputs, build_inputs, check_market
from liqlab.engine.ledger import run_ledger, survival_to_end
from liqlab.engine.records import Columns, Record
from liqlab.market.market import Market
from liqlab.models._assumptions import Assumptions

__all__ = ["LedgerRun", "ledger_run"]

MAX_RUNS, MAX_STEPS = 4, 1_000_000  # kept at once, all together; a year of 1m candles takes some 150 MB


@dataclass(frozen=True, eq=False)
class LedgerRun:
    """A market's ledger under assumptions: its inputs, its flows, and columns of it.

    Attributes
    ----------
    inputs : EngineInputs
    """

    inputs: EngineInputs

    @cached_property
    def flows(self) -> Record:
        """What stood, closed and was liquidated in every step; run once, when it is first asked for."""
        record = self._run(flows=True)
        return replace(record, state=_emptied(record.state))

    def columns(self, columns: Columns) -> Record:
        """Columns of the ledger, onto price bins."""
        return self._run(columns=columns)

    def by_level(self) -> Record:
        """The flows of every leverage level apart: large, and therefore not kept."""
        return self._run(flows=True, by_level=True)

    def until(self, bars: int) -> tuple[EngineInputs, np.ndarray]:
        """Inputs of the first candles alone, and what closing has left of a coin opened in each step when they closed.

        Nothing looks ahead, so this is what a run over the market as it was known then gives, bit for bit.

        Returns
        -------
        EngineInputs
        ndarray (step, side, rate_group)
        """
        inputs = self.inputs if bars >= self.inputs.opened.shape[1] else self.inputs.until(bars)
        return inputs, survival_to_end(self.flows.survival[: len(inputs.bar)])

    def _run(self, **what: Any) -> Record:
        inputs = self.inputs
        return run_ledger(inputs.steps, inputs.ladder, same_bar_share=inputs.assumptions.same_bar_share, **what)


def ledger_run(market: Market, assumptions: Assumptions) -> LedgerRun:
    """The run of a market under assumptions: the one at hand, or a new one.

    The last few runs are kept for as long as their market lives. A table of the market that was changed in place is
    noticed, and the run made anew.
    """
    check_market(market)
    key = weakref.ref(market), assumptions
    with _LOCK:
        seen, run = _RUNS.get(key, (None, None))
        if run is not None and seen is not None and seen.is_still(market):
            _RUNS.move_to_end(key)
            return run
    seen, run = _Seen.at(market), LedgerRun(build_inputs(market, assumptions))
    with _LOCK:
        _RUNS.pop(key, None)
        _RUNS[weakref.ref(market, _forget), assumptions] = seen, run
        while len(_RUNS) > MAX_RUNS or sum(len(kept.inputs.bar) for _, kept in _RUNS.values()) > MAX_STEPS:
            _RUNS.popitem(last=False)
    return run


@dataclass(frozen=True, eq=False)
class _Seen:
    """The tables of a market as they were: shallow copies, which pandas copies on write."""

    tables: dict[str, pd.DataFrame]
    sources: dict[str, dict[str, str]]

    @classmethod
    def at(cls, market: Market) -> _Seen:
        tables = {name: getattr(market, name).copy(deep=False) for name in market.has()}
        return cls(tables, {name: dict(source) for name, source in market.sources.items()})

    def is_still(self, market: Market) -> bool:
        """Whether no table was changed since; what is written in place moves to a new place."""
        if market.has() != list(self.tables) or self.sources != market.sources:
            return False
        return all(_same(getattr(market, name), table) for name, table in self.tables.items())


def _same(table: pd.DataFrame, before: pd.DataFrame) -> bool:
    if not table.columns.equals(before.columns) or not table.index.equals(before.index):
        return False
    return all(_place(table[name]) == _place(before[name]) or table[name].equals(before[name]) for name in table)


def _place(column: pd.Series) -> tuple[Any, ...]:
    """Where a column lies in memory."""
    values = column.to_numpy()
    return values.__array_interface__["data"][0], values.shape, values.strides


def _emptied(state: Any) -> Any:
    """The state of a run that nobody carries on: it would be the largest part of what is kept."""
    arrays = {f.name: getattr(state, f.name) for f in fields(state)}
    return replace(state, **{name: x[..., :0].copy() for name, x in arrays.items() if isinstance(x, np.ndarray)})


def _forget(gone: weakref.ref[Market]) -> None:
    """Runs of a market that is no more."""
    with _LOCK:
        for key in [key for key in _RUNS if key[0] is gone]:
            del _RUNS[key]


_RUNS: OrderedDict[tuple[weakref.ref[Market], Assumptions], tuple[_Seen, LedgerRun]] = OrderedDict()
_LOCK = RLock()  # may be taken again: a market can vanish while the table of runs is read
