"""One map of several venues: notional adds up, shares say whose it is, and nothing is added that does not fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import liqlab as lq
from liqlab import models
from tests.markets import market

HERE = market([(100, 101, 99, 100, 10), (100, 102, 100, 101, 20), (101, 103, 95, 99, 30)])
THERE = replace(
    market([(100, 101, 99, 100, 30), (100, 102, 99, 101, 60), (101, 102, 97, 98, 90)]), exchange="elsewhere"
)


@pytest.mark.parametrize("model", models.names())
def test_the_combined_map_is_the_sum_of_the_venues(model: str) -> None:
    both = lq.combine([HERE, THERE], model, law={5: 1, 20: 1})
    edges = both["price_edge"].to_numpy()
    bins = {"price_range": (edges[0], edges[-1]), "price_step": edges[1] - edges[0]}
    each = [lq.heatmap(m, model, law={5: 1, 20: 1}, **bins)["notional"].to_numpy() for m in (HERE, THERE)]
    np.testing.assert_allclose(both["notional"].to_numpy(), each[0] + each[1], rtol=1e-12)
    whole = [x.sum(axis=(1, 2)) for x in each]
    np.testing.assert_allclose(both["venue_share"].sel(venue="elsewhere"), whole[1] / (whole[0] + whole[1]), rtol=1e-12)
    assert both.attrs["exchange"] == "venue + elsewhere"


def test_a_venue_is_swept_by_its_own_prices() -> None:
    """A fall on one venue takes nothing from the other's ledger."""
    calm = market([(100, 100, 100, 100, 10), (100, 100, 100, 100, 0)])
    fallen = replace(market([(100, 100, 100, 100, 10), (100, 100, 80, 100, 0)]), exchange="elsewhere")
    both = lq.combine([calm, fallen], "volume", law={10: 1})
    longs = both["notional"].sel(side="long").sum("price").to_numpy()
    assert longs[1] == pytest.approx(longs[0] / 2)


def test_what_does_not_fit_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="combine needs two or more, got 1"):
        lq.combine([HERE])
    with pytest.raises(ValueError, match=r"one coin, got X, Y"):
        lq.combine([HERE, replace(THERE, symbol="Y/USDT:USDT")])
    with pytest.raises(ValueError, match="positions would count twice"):
        lq.combine([HERE, HERE])
    later = HERE.candles.set_axis(HERE.candles.index + 10 * HERE.step)
    with pytest.raises(ValueError, match="no time in common"):
        lq.combine([HERE, replace(THERE, candles=later)])
