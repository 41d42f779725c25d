"""A ledger that can be entered anywhere: its state is kept every so many steps, and columns are run from the nearest.

A ledger that is carried on goes on bit for bit, so columns from a kept state equal those of one run over all steps.
"""

from __future__ import annotations

from dataclasses import fields, replace
from threading import RLock
from typing import Any

import numpy as np

from liqlab.engine.inputs import EngineInputs
from liqlab.engine.ledger import grow, make_workspace, run_ledger, run_steps, threads_for
from liqlab.engine.records import Columns, Record, State, Steps

__all__ = ["MAX_BYTES", "KeptStates", "joined", "part"]

MAX_BYTES, APART = 120_000_000, 0.45  # of a ledger's states; how much of it besides, with leverage levels apart
MIN_STEPS = 256  # between two states: a run over fewer is not worth a copy


class KeptStates:
    """The ledger of some inputs, with states that are kept on the way.

    Parameters
    ----------
    inputs : EngineInputs
    max_bytes : int
        What all states together may take [bytes], and 45 % of it besides for states with leverage levels apart. One
        state of each kind, in the middle, is kept in any case.
    """

    def __init__(self, inputs: EngineInputs, max_bytes: int = MAX_BYTES) -> None:
        self.inputs, self._max_bytes = inputs, max_bytes
        self._kept: dict[bool, dict[int, State]] = {False: {}, True: {}}
        self._every: dict[bool, int] = {}
        self._lock = RLock()

    @property
    def nbytes(self) -> int:
        """What the kept states take [bytes]."""
        return sum(_nbytes(state) for kept in self._kept.values() for state in kept.values())

    def every(self, apart: bool = False) -> int:
        """Steps between two states."""
        if apart not in self._every:
            inputs = self.inputs
            size = _nbytes(grow(None, inputs.steps, inputs.ladder, apart=apart))
            n, allowed = len(inputs.steps), int(self._max_bytes * (APART if apart else 1.0))
            self._every[apart] = max(min(-(-n * size // allowed), n // 2), MIN_STEPS)
        return self._every[apart]

    def forget_apart(self) -> None:
        """Let go of the states with leverage levels apart: they are large."""
        with self._lock:
            self._kept[True].clear()

    def columns(self, columns: Columns) -> Record:
        """Columns as a run over all steps gives them; with a lookback it is one.

        Parameters
        ----------
        columns : Columns

        Returns
        -------
        Record
            ``notional``, ``balance`` and the ledger after the last column.
        """
        inputs, apart = self.inputs, columns.by_leverage
        share = inputs.assumptions.same_bar_share
        if columns.alive[-1] > 0:  # what it takes away again has to be known one by one
            return run_ledger(inputs.steps, inputs.ladder, columns=columns, same_bar_share=share)
        with self._lock:
            return self._run(columns, apart, share)

    def _run(self, columns: Columns, apart: bool, share: float) -> Record:
        inputs, kept, every = self.inputs, self._kept[apart], self.every(apart)
        last, stop = columns.last, int(columns.last[-1]) + 1
        begin = max((step for step in kept if step <= last[0]), default=0)
        steps = part(inputs.steps, begin, stop)
        state = grow(kept.get(begin), steps, inputs.ladder, apart=apart)
        workspace = make_workspace(state, inputs.ladder, columns.edges, by_leverage=apart, apart=apart)
        threads, records, first = threads_for(len(steps)), [], begin
        while first < stop:
            until = min((first // every + 1) * every, stop)
            mine = last[(last >= first) & (last < until)] - first
            wanted = replace(columns, last=mine, alive=np.zeros(len(mine), np.int64))
            records.append(run_steps(workspace, part(inputs.steps, first, until), wanted, same_bar_share=share,
                                     threads=threads))  # fmt: skip
            if until % every == 0 and until not in kept:
                kept[until] = _copy(workspace.state)
            first = until
        return joined([record for record in records if record.balance.shape[2]] or records[-1:])


def part(steps: Steps, first: int, stop: int) -> Steps:
    """Steps first … stop − 1."""
    given: dict[str, Any] = {f.name: getattr(steps, f.name) for f in fields(Steps)}
    cut: dict[str, Any] = {name: None if array is None else array[..., first:stop] for name, array in given.items()}
    return Steps(**cut)


def joined(records: list[Record]) -> Record:
    """The columns of runs that follow each other."""
    if len(records) == 1:
        return records[0]
    notional = np.concatenate([record.notional for record in records], axis=-2)
    return replace(records[-1], notional=notional, balance=np.concatenate([r.balance for r in records], axis=2))


def _arrays(state: State) -> dict[str, Any]:
    values = {f.name: getattr(state, f.name) for f in fields(State)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _nbytes(state: State) -> int:
    return sum(array.nbytes for array in _arrays(state).values())


def _copy(state: State) -> State:
    return replace(state, **{name: array.copy() for name, array in _arrays(state).items()})
