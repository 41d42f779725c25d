"""Where bars begin: on Monday, at the venue's own hour, and never on the grid of 1970 where that is another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import liqlab as lq
from liqlab.market.resample import bar_opens, origin_of

HOUR = 3_600 * 10**9
DAY = 24 * HOUR


def ns(moment: str) -> int:
    return int(pd.Timestamp(moment, tz="UTC").as_unit("ns").value)


@pytest.mark.parametrize(
    ("first", "step", "width", "moment", "opens"),
    [
        ("2024-05-01 05:00", HOUR, DAY, "2024-05-03 07:00", "2024-05-03 00:00"),
        ("2024-05-01 05:00", HOUR, 7 * DAY, "2024-05-05 23:00", "2024-04-29 00:00"),  # Sunday is of Monday's week
        ("2024-05-01 05:00", HOUR, 7 * DAY, "2024-05-06 00:00", "2024-05-06 00:00"),
        ("2024-05-01 16:00", DAY, DAY, "2024-05-03 07:00", "2024-05-02 16:00"),  # days of 16:00
        ("2024-05-01 16:00", DAY, 7 * DAY, "2024-05-06 15:59", "2024-04-29 16:00"),
        ("2024-05-05 00:00", 7 * DAY, 7 * DAY, "2024-05-11 00:00", "2024-05-05 00:00"),  # the venue's weeks: Sunday
        ("2024-05-02 00:00", 7 * DAY, 7 * DAY, "2024-05-08 00:00", "2024-05-02 00:00"),  # or Thursday
        ("2024-05-02 00:00", 3 * DAY, 3 * DAY, "2024-05-07 00:00", "2024-05-05 00:00"),  # three days of its own
    ],
)
def test_where_a_bar_opens(first: str, step: int, width: int, moment: str, opens: str) -> None:
    assert bar_opens(np.array([ns(moment)]), width, origin_of(ns(first), step, width)).tolist() == [ns(opens)]


@settings(deadline=None, max_examples=100)
@given(first=st.integers(0, 10**6), step=st.sampled_from([1, 5, 60, 1440, 10080]), times=st.integers(1, 40),
       more=st.integers(0, 1000))  # fmt: skip
def test_edges_lie_on_the_tables_own_and_do_not_depend_on_which_row_is_first(
    first: int, step: int, times: int, more: int
) -> None:
    minute = 60 * 10**9
    a, b = first * minute, (first + more * step) * minute
    width = step * times * minute
    edge = bar_opens(np.array([b]), width, origin_of(a, step * minute, width))[0]
    assert edge == bar_opens(np.array([b]), width, origin_of(b, step * minute, width))[0]
    assert 0 <= b - edge < width
    assert (b - edge) % (step * minute) == 0


def market(step: str, n: int, start: str) -> lq.Market:
    index = pd.date_range(start, periods=n, freq=step, tz="UTC", name="time")
    price = 100 * np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.01, n)))
    opens = np.concatenate([[100.0], price[:-1]])
    table = pd.DataFrame({"open": opens, "high": np.maximum(opens, price) * 1.01,
                          "low": np.minimum(opens, price) * 0.99, "close": price, "volume": 1.0}, index)  # fmt: skip
    seen = pd.DataFrame({"long": 1.0, "short": 2.0}, index)
    return lq.Market(table, liquidations=seen, symbol="BTC/USDT:USDT", exchange="binanceusdm")


@pytest.mark.parametrize(
    ("step", "start", "time_step", "opens"),
    [
        ("1D", "2024-05-01 16:00", None, "2024-05-01 16:00"),
        ("7D", "2024-05-05 00:00", None, "2024-05-05 00:00"),
        ("3D", "2024-05-01 00:00", None, "2024-05-01 00:00"),
        ("4h", "2024-05-06 00:00", "7d", "2024-05-06 00:00"),
    ],
)
def test_columns_and_pictures_begin_with_the_bars(step: str, start: str, time_step: Any, opens: str) -> None:
    """Maps, observed maps and the middles of what is drawn: none is early."""
    from liqlab.plot.cells import column_width, middles

    whole = market(step, 90, start)
    heat = lq.heatmap(whole, model="volume", time_step=time_step)
    seen = lq.observed_heatmap(whole, time_step=time_step)
    for data in (heat, seen):
        assert pd.Timestamp(data["time"].to_numpy()[0]) == pd.Timestamp(opens)
        assert middles(data)[0] - column_width(data) / 2 == pd.Timestamp(opens)
        assert (np.diff(data["time"].to_numpy()) == column_width(data)).all()
    coins = (seen["notional"].sum() / 1.0).item()
    assert coins == pytest.approx(
        float((whole.liquidations.sum(axis=1) * whole.candles[["high", "low"]].mean(axis=1)).sum()), rel=0.02
    )
