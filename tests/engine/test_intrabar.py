"""The likely way of the price through a bar: its order, its pieces, and what it decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import liqlab as lq
from liqlab.engine.intrabar import LEG, split_candles
from liqlab.market.market import Market
from tests.markets import few, market, markets

ROUND = 4 * np.finfo(float).eps


def test_a_rise_goes_to_its_low_first_and_a_fall_to_its_high() -> None:
    rows = [(100.0, 103.0, 98.0, 102.0, 10.0), (102.0, 103.0, 97.0, 99.0, 10.0)]
    pieces = split_candles(market(rows), ordered=True)
    low, high = (np.array([side[pieces.bar == k].argmin() for k in (0, 1)]) for side in (pieces.low, -pieces.high))
    assert low[0] < high[0] and high[1] < low[1]


def test_volume_is_spread_evenly_over_the_way() -> None:
    """Down 2 %, up 5 %, down 1 %, in logs: a quarter, five eighths, an eighth of the volume."""
    first, low, high, last = 100 * np.exp([0.0, -0.02, 0.03, 0.02])
    pieces = split_candles(market([(first, high, low, last, 8.0), (last, last, last, last, 1.0)]), ordered=True)
    one = pieces.bar == 0
    fall = np.flatnonzero(pieces.low[one] == low)[0] + 1
    rise = np.flatnonzero(pieces.high[one] == high)[0] + 1
    parts = np.split(pieces.weight[one], [fall, rise])
    assert [part.sum() for part in parts] == pytest.approx([2 / 8, 5 / 8, 1 / 8])


@few(20)
@given(market=markets(finer=False))
def test_pieces_are_the_candle(market: Market) -> None:
    """They follow each other without a gap, reach its extremes and nothing beyond, and share its volume."""
    pieces = split_candles(market, ordered=True)
    for k, (low, high) in enumerate(zip(market.candles["low"], market.candles["high"], strict=True)):
        on = pieces.bar == k
        lows, highs = pieces.low[on], pieces.high[on]
        assert (lows.min(), highs.max()) == (low, high) and pieces.weight[on].sum() == pytest.approx(1.0)
        assert (highs / lows <= np.exp(LEG) * (1 + ROUND)).all()
        assert (lows[1:] <= highs[:-1] * (1 + ROUND)).all() and (highs[1:] >= lows[:-1] * (1 - ROUND)).all()


def test_who_opens_after_the_low_stands_inside_the_wick() -> None:
    """100 → 98 → 104: longs of 50x opened near 100 fall with the low, those opened at 100 on the way up do not."""
    rows = [(100.0, 104.0, 98.0, 104.0, 8.0), (104.0, 104.0, 104.0, 104.0, 0.0)]
    options = {"law": {50: 1.0}, "model": "volume"}
    stands = {}
    for entries in ("ordered", "spread"):
        table = lq.levels(market(rows), entries=entries, **options)
        longs = table[(table["side"] == "long") & (table["liquidation_price"] > 98.0)]
        stands[entries] = longs["standing"].sum()
        assert (longs["opened"] > longs["standing"]).any()
    assert stands["ordered"] > 0.0 == stands["spread"]
