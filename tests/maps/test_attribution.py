"""Who stands behind a band: the parts of a cell add up to the cell, and say what can be checked by hand."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab import models
from tests.markets import market

CASES = [("btc-2024-07", "2024-07-03", "2024-07-05"), ("tia-2023", "2023-11-12", "2023-11-15"),
         ("sol-2025-10", "2025-10-10 12:00", "2025-10-11")]  # fmt: skip


@pytest.mark.parametrize("model", models.names())
@pytest.mark.parametrize(("case", "start", "end"), CASES)
@pytest.mark.parametrize("lookback", [None, "24h"])
def test_the_parts_add_up_to_the_cell(case: str, start: str, end: str, model: str, lookback: str | None) -> None:
    """For bright, middling and dim cells of real markets, finer path and late open interest included."""
    example = lq.load_example(case)
    heat = lq.heatmap(example, model, start=start, end=end, lookback=lookback)
    snap = lq.liquidation_map(heat)
    amount = snap["notional"].sum("side").to_numpy()
    step = float(heat["price_edge"][1] - heat["price_edge"][0])
    order = np.argsort(amount)
    for row in (order[-1], order[-len(order) // 3], np.flatnonzero(amount > 0)[2]):
        who = lq.explain(example, float(heat["price"][row]), model=model, at=snap["close_time"].item(),
                         price_step=step, lookback=lookback)  # fmt: skip
        assert who["notional"].sum() == pytest.approx(amount[row], rel=1e-9)
        if amount[row] > 0:
            assert who["share"].sum() == pytest.approx(1)
            assert who["notional"].is_monotonic_decreasing
            assert (who["age"] >= pd.Timedelta(0)).all()


def flat(prices: list[float], volume: float = 10.0) -> Any:
    return market([(p, p, p, p, volume) for p in prices])


def test_two_bars_and_one_leverage_by_hand() -> None:
    """Longs of 10x from 100 and twice as many from 100: 1 % maintenance puts them at 100·0.9/0.99 = 90.91."""
    two = market([(100, 100, 100, 100, 10), (100, 100, 100, 100, 20)])
    who = lq.explain(two, 90.91, model="volume", law={10: 1}, price_step=0.1)
    longs = who[who["side"] == "long"]
    assert longs["standing"].tolist() == pytest.approx([10.0, 5.0])
    assert longs["share"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert longs["leverage"].tolist() == [10.0, 10.0]
    assert longs["entry_price"].tolist() == pytest.approx([100, 100], rel=1e-4)
    assert longs["liquidation_price"].tolist() == pytest.approx([90 / 0.99] * 2, rel=1e-4)
    assert longs["distance_from_entry"].tolist() == pytest.approx([0.9 / 0.99 - 1] * 2, rel=1e-3)
    assert longs["age"].tolist() == [pd.Timedelta(0), pd.Timedelta("15min")]


def test_what_was_touched_is_not_behind_the_band() -> None:
    """The first bar's longs are gone after a visit at 90; only what opened later stands there."""
    visited = flat([100, 90, 100])
    who = lq.explain(visited, 90.91, model="volume", law={10: 1}, price_step=0.1)
    assert who["opened_at"].tolist() == [visited.candles.index[2]]


def test_later_bars_change_nothing() -> None:
    """What is explained at a moment does not depend on what came after it."""
    whole = flat([100, 101, 99, 90, 120])
    at = whole.candles.index[2] + whole.step
    now = lq.explain(whole, 90.91, model="volume", at=at, law={10: 1}, price_step=5)
    then = lq.explain(whole.until(at), 90.91, model="volume", law={10: 1}, price_step=5)
    pd.testing.assert_frame_equal(now, then)


def test_an_empty_cell_has_no_rows_and_a_price_must_be_one() -> None:
    assert lq.explain(flat([100, 100]), 300, model="volume", law={10: 1}).empty
    with pytest.raises(ValueError, match="price must be > 0"):
        lq.explain(flat([100, 100]), 0)


@pytest.mark.parametrize(
    ("price", "words"),
    [(5_000.0, r"no estimated position stands between 5,000 and .*this market traded between .* near that"),
     (57_000.0, r"between 57,000 and 57,025.*the nearest stand at about [\d,.]+ below and [\d,.]+ above it")],
)  # fmt: skip
def test_an_empty_answer_says_so(price: float, words: str) -> None:
    """And the prices that it names are not empty."""
    example, moment = lq.load_example("btc-2024-05"), "2024-05-01 15:30"
    with pytest.warns(UserWarning, match=words) as caught:
        assert lq.explain(example, price, at=moment).empty
    text = str(caught[0].message)
    if "nearest" in text:
        for found in re.findall(r"([\d,.]+) (?:below|above)", text):
            assert len(lq.explain(example, float(found.replace(",", "")), at=moment))


def test_a_cell_that_would_begin_at_no_price_is_refused() -> None:
    with pytest.raises(ValueError, match="price_step must be at most price, 25 quote, got 57,000"):
        lq.explain(flat([100, 100]), 25, price_step=57_000)
