"""A ledger entered at kept states: its columns are those of one run over all steps, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import liqlab as lq
from liqlab.engine.kept_states import KeptStates
from liqlab.engine.shared_run import ledger_run
from liqlab.maps.heatmaps import shown_by
from tests.markets import few


@pytest.fixture(scope="module")
def market() -> lq.Market:
    return lq.load_example("eth-2024-05")


@pytest.mark.parametrize("model", lq.models.names())
@pytest.mark.parametrize("by_leverage", [False, True])
def test_a_zoomed_map_is_the_heatmap_of_its_range(market: lq.Market, model: str, by_leverage: bool) -> None:
    run = ledger_run(market, lq.Assumptions(model))
    kept = KeptStates(run.inputs, max_bytes=20_000_000)
    for start, end, step in (("2024-03-20", "2024-05-29", "4h"), ("2024-05-02", "2024-05-04", "15m"),
                             ("2024-04-11", "2024-04-21", "30m")):  # fmt: skip
        look = {"start": start, "end": end, "time_step": step, "price_range": (2_700.0, 3_600.0), "price_step": 2.0,
                "by_leverage": by_leverage}  # fmt: skip
        zoomed = shown_by(kept, market, **look)
        assert zoomed.identical(lq.heatmap(market, model, **look))
        assert float(zoomed["notional"].sum()) > 0
    assert kept.nbytes > 0, "no state was kept"


@few(5)
@given(st.integers(0, 8_000), st.integers(1, 400), st.integers(1, 5))
def test_wherever_it_is_entered(market: lq.Market, first: int, count: int, every: int) -> None:
    from liqlab.engine.records import Columns

    run = ledger_run(market, lq.Assumptions())
    kept = KeptStates(run.inputs, max_bytes=10_000_000)
    last = np.minimum(first + every * np.arange(1, count + 1), len(run.inputs.steps) - 1)
    last = np.unique(last)
    wanted = Columns(last, np.zeros(len(last), np.int64), np.linspace(2_000.0, 4_500.0, 200))
    whole = run.columns(wanted)
    for _ in range(2):  # the second time from a state that the first has kept
        found = kept.columns(wanted)
        np.testing.assert_array_equal(found.notional, whole.notional)
        np.testing.assert_array_equal(found.balance, whole.balance)


def test_states_take_what_they_may(market: lq.Market) -> None:
    kept = KeptStates(ledger_run(market, lq.Assumptions()).inputs, max_bytes=25_000_000)
    shown_by(kept, market, start="2024-05-30")
    assert 10_000_000 < kept.nbytes <= 25_000_000


def test_a_lookback_is_that_of_one_run(market: lq.Market) -> None:
    kept = KeptStates(ledger_run(market, lq.Assumptions()).inputs)
    look = {"start": "2024-05-20", "end": "2024-05-22", "lookback": "24h"}
    assert shown_by(kept, market, **look).identical(lq.heatmap(market, **look))
