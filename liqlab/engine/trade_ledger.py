"""Columns of the ledger over every trade: run part by part, so that memory does not grow with the trades."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from liqlab.engine.inputs import InputsHeader, TradeInputs, trade_inputs
from liqlab.engine.kept_states import joined
from liqlab.engine.ledger import grow, make_workspace, run_steps
from liqlab.engine.records import Columns, Record
from liqlab.engine.shared_run import LedgerRun, ledger_run
from liqlab.market.market import Market
from liqlab.models._assumptions import Assumptions

__all__ = ["TradeLedger", "ledger_for"]


@dataclass(frozen=True, eq=False)
class TradeLedger:
    """The ledger of a market with its trades.

    A ledger that is carried on goes on bit for bit, so the columns are those of one run over all steps.

    Attributes
    ----------
    trade_inputs : TradeInputs
    market : Market
    """

    trade_inputs: TradeInputs
    market: Market

    @property
    def inputs(self) -> InputsHeader:
        """What the ledger runs on."""
        return self.trade_inputs

    def columns(self, columns: Columns) -> Record:
        """Columns of the ledger, onto price bins; a lookback needs all steps at once."""
        inputs = self.trade_inputs
        if columns.alive[-1] > 0:
            return ledger_run(self.market, inputs.assumptions).columns(columns)
        apart, last, records = columns.by_leverage, columns.last, []
        state = grow(None, inputs.source.reach, inputs.ladder, apart=apart)
        workspace = make_workspace(state, inputs.ladder, columns.edges, by_leverage=apart, apart=apart)
        stop = int(np.searchsorted(inputs.source.first, last[-1], side="right"))
        for first, steps in inputs.source.parts(stop):
            mine = last[(last >= first) & (last < first + len(steps))] - first
            wanted = replace(columns, last=mine, alive=np.zeros(len(mine), np.int64))
            records.append(run_steps(workspace, steps, wanted, same_bar_share=inputs.assumptions.same_bar_share))
        return joined([record for record in records if record.balance.shape[2]])


def ledger_for(market: Market, assumptions: Assumptions) -> LedgerRun | TradeLedger:
    """What writes the columns of a market: the shared run, or one over its trades."""
    if isinstance(market, Market) and market.trades is not None:
        return TradeLedger(trade_inputs(market, assumptions), market)
    return ledger_run(market, assumptions)
