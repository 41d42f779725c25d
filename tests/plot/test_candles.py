"""Candles for lessons: what is drawn is what the table says."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from tests.markets import candles

ROWS = [(100, 103, 99, 102, 1), (102, 104, 100, 101, 1), (101, 101, 97, 97, 1)]


def test_wicks_bodies_and_marks_are_those_of_the_table() -> None:
    picture = lq.plot.candles(candles(ROWS), marks={"entry": 100.0, "out": 98.0}, quote="USDT")
    wicks = next(iter(picture.traverse(lambda x: x, [hv.Segments])))
    assert wicks.dimension_values("price").tolist() == [99, 100, 97]
    assert wicks.dimension_values("price1").tolist() == [103, 104, 101]
    rising, falling = picture.traverse(lambda x: x, [hv.Rectangles])
    assert rising.dimension_values("price").tolist() == [100]
    assert falling.dimension_values("price").tolist() == [101, 97]
    lines = {line.label: np.unique(line["price"]).tolist() for line in picture.traverse(lambda x: x, [hv.Curve])}
    assert lines == {"entry": [100.0], "out": [98.0]}


def test_a_candle_stands_in_the_middle_of_its_bar() -> None:
    picture = lq.plot.candles(candles(ROWS))
    wicks = next(iter(picture.traverse(lambda x: x, [hv.Segments])))
    assert pd.Timestamp(wicks.dimension_values("time")[0]) == pd.Timestamp("2024-05-01 00:07:30")


def test_it_refuses_what_it_cannot_draw() -> None:
    with pytest.raises(ValueError, match="empty table"):
        lq.plot.candles(candles(ROWS).iloc[:0])
    with pytest.raises(ValueError, match="at most 4 marks"):
        lq.plot.candles(candles(ROWS), marks=dict.fromkeys("abcde", 100.0))
