"""One run for all who ask: it is shared, noticed to be stale, let go with its market, and cut without looking ahead."""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab import models
from liqlab.engine import shared_run
from liqlab.engine.inputs import build_inputs
from liqlab.engine.ledger import run_ledger, survival_to_end
from liqlab.engine.shared_run import MAX_RUNS, ledger_run
from liqlab.models import Assumptions
from tests.markets import market, oi, tiers

ROWS = [(100 + k, 102 + k % 3, 97 - k % 5, 100 + k % 2, 10.0 + k) for k in range(12)]
ROWS = [(o, max(o, h, c), min(o, low, c), c, v) for o, h, low, c, v in ROWS]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A list that grows with every run of the ledger and every building of its inputs."""
    done: list[Any] = []
    for name in ("run_ledger", "build_inputs"):
        function = getattr(shared_run, name)
        monkeypatch.setattr(shared_run, name, lambda *a, _f=function, _n=name, **k: done.append(_n) or _f(*a, **k))
    return done


def test_the_ledger_runs_once_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    here, done = market(ROWS, open_interest=oi([50, 60, 70, 80])), counted(monkeypatch)
    heat = lq.heatmap(here, price_step=0.05)
    assert done == ["build_inputs", "run_ledger"]  # the columns of the map
    middle = here.candles.index[6]
    lq.levels(here, start=here.candles.index[9]), lq.levels(here, end=here.candles.index[3], at=middle)
    lq.balance(here)
    lq.expected_liquidations(here)
    lq.explain(here, 90.0), lq.explain(here, 110.0, at=middle)
    assert done == ["build_inputs", "run_ledger", "run_ledger"]  # the flows, once
    assert len(lq.clusters(heat, market=here, width=0.01)) >= 2
    assert done == ["build_inputs", "run_ledger", "run_ledger"]
    lq.balance(here, law="retail")
    assert done[3:] == ["build_inputs", "run_ledger"]


def change(here: lq.Market, what: str) -> None:
    """Write into a table of the market, or into what it says of it."""
    candles, interest = here.candles, here.open_interest
    assert interest is not None and here.leverage_tiers is not None
    if what == "column":
        candles["volume"] = candles["volume"] * 2
    elif what == "cell":
        candles.iloc[3, list(candles).index("volume")] = 1e3
    elif what == "open interest":
        interest.loc[interest.index[2:], "open_interest"] = 99.0
    elif what == "index":
        interest.index = interest.index + pd.Timedelta("15min")
    elif what == "tiers":
        here.leverage_tiers["maintenance_margin_rate"] = 0.02
    else:
        here.sources["open_interest"] = {"kind": "proxy", "exchange": "bybit"}  # type: ignore[index]


@pytest.mark.parametrize("what", ["column", "cell", "open interest", "index", "tiers", "sources"])
def test_a_table_changed_in_place_is_noticed(what: str) -> None:
    here = market(ROWS, open_interest=oi([50, 60, 70, 80, 75, 90]), sources={})
    before, run = lq.balance(here), ledger_run(here, Assumptions())
    assert ledger_run(here, Assumptions()) is run
    change(here, what)
    now = ledger_run(here, Assumptions())
    assert now is not run and ledger_run(here, Assumptions()) is now
    fresh = lq.balance(replace(here))
    pd.testing.assert_frame_equal(lq.balance(here), fresh, check_exact=True)
    assert what == "sources" or not before.equals(fresh)
    assert lq.heatmap(here).attrs == lq.heatmap(replace(here)).attrs


def test_runs_are_few_and_go_with_their_market() -> None:
    here = market(ROWS)
    for k in range(MAX_RUNS + 3):
        ledger_run(here, Assumptions(same_bar_share=k / 10))
    assert len(shared_run._RUNS) == MAX_RUNS
    assert (
        ledger_run(here, Assumptions(same_bar_share=(MAX_RUNS + 2) / 10))
        is next(reversed(shared_run._RUNS.values()))[1]
    )
    del here
    gc.collect()
    assert not [key for key in shared_run._RUNS if key[0]() is None]
    assert len(shared_run._RUNS) < MAX_RUNS


def test_a_run_too_long_to_be_kept_is_made_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_run, "MAX_STEPS", 5)
    here = market(ROWS)
    assert ledger_run(here, Assumptions()) is not ledger_run(here, Assumptions())
    assert not [key for key in shared_run._RUNS if key[0]() is here]


@pytest.mark.parametrize("model", models.names())
@pytest.mark.parametrize("entries", models.ENTRIES)
def test_a_run_cut_at_a_moment_is_that_of_the_market_as_it_was_known(model: str, entries: str) -> None:
    """Every array bit for bit, with hourly open interest and a tier table that changes on the way."""
    two = pd.concat([tiers(as_of="2024-01-01"), tiers((0.0, 1e12, 0.05, 0.0, 125.0), as_of="2024-05-01T01:30")])
    here = market(ROWS, open_interest=oi([50, 60, 40, 80], every="1h"), leverage_tiers=two)
    check_cuts(here, Assumptions(model, entries=entries), range(1, len(ROWS) + 1))


@pytest.mark.parametrize("model", models.names())
def test_a_real_run_cut_at_a_moment(model: str) -> None:
    here = lq.load_example("btc-2024-07").until("2024-07-05")
    check_cuts(here, Assumptions(model), [1, 77, len(here.candles) // 2, len(here.candles) - 1])


def check_cuts(here: lq.Market, assumptions: Assumptions, bars: Any) -> None:
    run = ledger_run(here, assumptions)
    for n in bars:
        known = here.until(here.candles.index[n - 1] + here.step)
        theirs = build_inputs(known, assumptions)
        alone = survival_to_end(run_ledger(theirs.steps, theirs.ladder, flows=True).survival)
        mine, survival = run.until(n)
        for part in ("steps", "ladder"):
            for name, value in vars(getattr(theirs, part)).items():
                if isinstance(value, np.ndarray):
                    np.testing.assert_array_equal(getattr(getattr(mine, part), name), value, err_msg=f"{n} {name}")
        np.testing.assert_array_equal(mine.bar, theirs.bar)
        np.testing.assert_array_equal(mine.opened, theirs.opened)
        np.testing.assert_array_equal(survival[:, :, : alone.shape[2]], alone)


@pytest.mark.parametrize("model", models.names())
def test_what_stood_at_a_moment_is_told_the_same_by_the_market_cut_there(model: str) -> None:
    here = lq.load_example("btc-2024-07").until("2024-07-05")
    at = here.candles.index[len(here.candles) // 2] + pd.Timedelta("20min")
    price = float(here.until(at).candles["close"].iloc[-1]) * 0.97
    who = lq.explain(here, price, model=model, at=at, lookback="3d")
    pd.testing.assert_frame_equal(who, lq.explain(here.until(at), price, model=model, lookback="3d"), check_exact=True)
    span: dict[str, Any] = {"start": here.until(at).end - pd.Timedelta("3h"), "law": {10: 1, 50: 1}}
    rows = lq.levels(here, model, at=at, **span)
    pd.testing.assert_frame_equal(rows, lq.levels(here.until(at), model, **span), check_exact=True)
    assert rows.attrs == {"at": here.until(at).end}
    with pytest.raises(ValueError, match="no candle of BTC/USDT:USDT had closed by 2020-01-01"):
        lq.levels(here, model, at="2020-01-01")
