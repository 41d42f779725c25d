"""Indicators: Wilder's own example, plain twins, hand-computed rows, and nothing known before its time."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import liqlab as lq
from liqlab.market.market import Market
from tests.markets import START, few, frame, market, oi

# Wilder (1978): closes of his worked example, and the RSI of fourteen days from the fifteenth close on as his table has
# it; only its first eleven rows could be had, the others are held to his rule by the plain twin
CLOSES = [54.8, 56.8, 57.85, 59.85, 60.57, 61.1, 62.17, 60.6, 62.35, 62.15, 62.35, 61.45, 62.8, 61.37, 62.5, 62.57,
          60.8, 59.37, 60.35, 62.35, 62.17, 62.55, 64.55, 64.37, 65.3, 64.42, 62.9, 61.6, 62.05, 60.05, 59.7, 60.9,
          60.25, 58.27, 58.7, 57.72, 58.1, 58.2]  # fmt: skip
WILDER = [74.21, 74.34, 65.87, 59.93, 62.43, 66.96, 66.18, 67.05, 71.22, 70.36, 72.14]


def line(closes: Any, **tables: Any) -> Market:
    """Candles that go from close to close."""
    opens = [closes[0], *closes[:-1]]
    return market([(o, max(o, c), min(o, c), c, 1.0) for o, c in zip(opens, closes, strict=True)], **tables)


def plain_rsi(closes: Any, n: int) -> list[float]:
    """Wilder's smoothing, written out."""
    gains = [max(b - a, 0.0) for a, b in pairwise(closes)]
    losses = [max(a - b, 0.0) for a, b in pairwise(closes)]
    out = [float("nan")] * len(closes)
    if len(closes) <= n:
        return out
    up, down = sum(gains[:n]) / n, sum(losses[:n]) / n
    for k in range(n, len(closes)):
        if k > n:
            up, down = (up * (n - 1) + gains[k - 1]) / n, (down * (n - 1) + losses[k - 1]) / n
        out[k] = 100 * up / (up + down) if up + down > 0 else float("nan")
    return out


def plain_atr(table: pd.DataFrame, n: int) -> list[float]:
    high, low, close = (table[name].tolist() for name in ("high", "low", "close"))
    ranges = [max(h, before) - min(x, before) for h, x, before in zip(high[1:], low[1:], close, strict=False)]
    out = [float("nan")] * len(high)
    if len(ranges) < n:
        return out
    mean = sum(ranges[:n]) / n
    out[n] = mean
    for k in range(n, len(ranges)):
        mean = (mean * (n - 1) + ranges[k]) / n
        out[k + 1] = mean
    return out


# --- RSI and ATR ------------------------------------------------------------------------------------------------------


def test_rsi_is_the_table_of_1978() -> None:
    """To a tenth of a point of what Wilder reckoned by hand, and exactly his rule."""
    found = lq.indicators(line(CLOSES))["rsi"].to_numpy()
    assert np.isnan(found[:14]).all()
    np.testing.assert_allclose(found[14:25], WILDER, atol=0.1)
    np.testing.assert_allclose(found, plain_rsi(CLOSES, 14), rtol=1e-9)


walks = st.lists(st.sampled_from([-0.02, -0.003, 0.0, 0.001, 0.004, 0.03]), min_size=3, max_size=60)


@given(moves=walks, n=st.integers(2, 20), price=st.sampled_from([1e-4, 1.0, 60_000.0]))
def test_rsi_and_atr_equal_their_plain_twins(moves: list[float], n: int, price: float) -> None:
    closes = price * np.cumprod(1 + np.array(moves))
    given_ = line(closes.tolist())
    table = lq.indicators(given_, rsi=n, atr=n)
    twin = plain_rsi(closes.tolist(), n)
    if np.ptp(closes) > 0:
        np.testing.assert_allclose(table["rsi"], twin, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(table["atr"], plain_atr(given_.candles, n), rtol=1e-9)


def test_a_price_that_never_moved_has_no_rsi() -> None:
    """TA-Lib says 0, which a reader would take for oversold."""
    assert lq.indicators(line([5.0] * 40))["rsi"].isna().all()
    first_move = lq.indicators(line([5.0] * 20 + [6.0] + [6.0] * 5))["rsi"]
    assert first_move.iloc[:20].isna().all()
    assert (first_move.iloc[20:] == 100).all()


def test_ten_candles_by_hand() -> None:
    """ATR of two, VWAP anew at midnight: every number can be reckoned on paper.

    True ranges from the second candle on: 2, 3, 4, 3, 2, 2, 5, 3, 1. First mean (2 + 3) / 2, then half old, half new.
    Typical price = close ± 0 here, as every candle is symmetric about its close.
    """
    closes = [10, 11, 12, 10, 11, 12, 11, 14, 13, 13.5]
    halves = [1.0, 1, 2, 2, 1.5, 1, 1, 2, 1.5, 0.5]
    rows = [(c, c + h, c - h, c, v) for c, h, v in zip(closes, halves, [1, 1, 2, 0, 4, 1, 1, 2, 0, 2], strict=True)]
    table = lq.indicators(market(rows, every="6h"), rsi=2, atr=2)  # four candles a day
    ranges = [max(h + c, b) - min(c - h, b) for c, h, b in zip(closes[1:], halves[1:], closes, strict=False)]
    assert ranges == [2, 4, 4, 3, 2, 2, 5, 3, 1]
    expected = [np.nan, np.nan, 3, 3.5, 3.25, 2.625, 2.3125, 3.65625, 3.328125, 2.1640625]
    np.testing.assert_allclose(table["atr"], expected)
    vwap = [10, 10.5, 45 / 4, 45 / 4, 11, 56 / 5, 67 / 6, 95 / 8, np.nan, 13.5]
    np.testing.assert_allclose(table["vwap"], vwap)
    # changes +1 +1 −2 +1 +1 −1 +3 −1 +.5; means of two: up 1, down 0; up .5, down 1; up .75, down .5; …
    np.testing.assert_allclose(table["rsi"].to_numpy()[2:6], [100, 100 / 3, 60, 100 * 0.875 / (0.875 + 0.25)])


def test_vwap_takes_the_quote_volume_where_there_is_one() -> None:
    rows = market([(10.0, 12.0, 8.0, 10.0, 2.0), (10.0, 12.0, 8.0, 10.0, 2.0)])
    candles = rows.candles.assign(quote_volume=[18.0, 22.0])
    found = lq.indicators(Market(candles, timeframe="15m"))["vwap"]
    assert found.tolist() == [9.0, 10.0]


# --- coarser tables ---------------------------------------------------------------------------------------------------


def test_coarser_tables_by_hand() -> None:
    """Candles of 15m; interest stamped at full hours, rates every two hours, the ratio of the hour when it is over."""
    given_ = line(
        [100.0] * 12,
        open_interest=oi([50, 60, 45], every="1h"),
        funding_rate=frame([1e-4, 3e-4], "funding_rate", every="2h"),
        taker=frame([0.5, 0.75], "taker_buy_share", every="1h"),
    )
    table = lq.indicators(given_, open_interest_change="1h", funding_window="2h")
    # a candle closes 15 minutes after its stamp: row 3 closes at 01:00 and knows the snapshot of 01:00
    assert table["open_interest"].tolist() == [50, 50, 50, 60, 60, 60, 60, 45, 45, 45, 45, 45]
    change = [np.nan] * 3 + [0.2] * 4 + [-0.25] * 4 + [0.0]
    np.testing.assert_allclose(table["open_interest_change"], change)
    assert table["funding_rate"].tolist() == [1e-4] * 7 + [3e-4] * 5
    ratio = table["taker_ratio"].to_numpy()
    np.testing.assert_allclose(ratio, [np.nan] * 3 + [1.0] * 4 + [3.0] * 5)


def test_the_score_of_a_rate_by_hand() -> None:
    """Window of a day, rates every eight hours: three rates each, the first full window with the fourth.

    1, 2, 3, 6 bp: of (2, 3, 6) the mean is 11/3, the sample deviation √(13/3): z = (6 − 11/3) / 2.0817 = 1.1209.
    """
    rates = frame([1e-4, 2e-4, 3e-4, 6e-4, 6e-4, 6e-4], "funding_rate", every="8h")
    table = lq.indicators(line([100.0] * 6, every="8h", funding_rate=rates), funding_window="24h")
    # the candle that opens at 16:00 closes with the fourth stamp
    z = table["funding_z"].to_numpy()
    assert np.isnan(z[:2]).all()
    assert z[2] == pytest.approx((7 / 3) / np.sqrt(13 / 3))
    assert z[3] == pytest.approx(1 / np.sqrt(3))  # of (3, 6, 6)
    assert np.isnan(z[4])  # of (6, 6, 6): no variation, no score


@pytest.mark.parametrize("told", [True, False])
def test_rates_of_different_intervals_are_compared_per_hour(told: bool) -> None:
    """8 h, then 4 h, then 1 h, the same rate per hour but for the last, which is twice that.

    The window holds the last ten: nine times r and once 2r, mean 1.1r, sample deviation r√.1, z = .9 / √.1 = 2.846.
    """
    hours = [8] * 4 + [4] * 4 + [1] * 3
    stamps = pd.DatetimeIndex([START + pd.Timedelta(hours=int(sum(hours[1 : k + 1]))) for k in range(11)])
    rate = np.array(hours) * 1e-5
    rate[-1] *= 2
    rates = pd.DataFrame({"funding_rate": rate} | ({"interval_hours": np.array(hours, float)} if told else {}), stamps)
    z = lq.indicators(line([100.0] * 60, every="1h", funding_rate=rates), funding_window="43h")["funding_z"]
    assert z.loc[stamps[-1] - pd.Timedelta("1h")] == pytest.approx(0.9 / np.sqrt(0.1))


def test_sessions_begin_with_the_venues_own_days_and_on_monday() -> None:
    closes = [float(k) for k in range(1, 15)]
    start = pd.Timestamp("2024-05-01 16:00", tz="UTC")  # a Wednesday; days open at 16:00
    index = pd.date_range(start, periods=14, freq="1D", name="time")
    rows = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), closes), index).assign(volume=1.0)
    days = lq.indicators(Market(rows), vwap="1d")["vwap"]
    np.testing.assert_allclose(days, closes)  # each day is a session of its own
    weeks = lq.indicators(Market(rows), vwap="7d")["vwap"]
    assert weeks.iloc[4] == pytest.approx(3.0)  # Wednesday to Sunday: 1 … 5
    assert weeks.iloc[5] == pytest.approx(6.0)  # Monday starts anew


def test_old_values_count_as_unknown() -> None:
    given_ = line([100.0] * 12, every="6h", open_interest=oi([50.0, 51.0], every="6h"))
    table = lq.indicators(given_, open_interest_change="6h")
    # last stamp 06:00, used to the close at 06:00 next day
    assert table["open_interest"].notna().tolist() == [True] * 5 + [False] * 7


def test_the_ratio_that_a_venue_publishes() -> None:
    ratio = frame([1.5, 0.8], "long_short_ratio", every="30min")
    table = lq.indicators(line([100.0] * 4), long_short_ratio=ratio)
    assert table["long_short_ratio"].tolist() == [1.5, 0.8, 0.8, 0.8]
    with pytest.raises(ValueError, match=r"long_short_ratio.*>= 0"):
        lq.indicators(line([100.0] * 4), long_short_ratio=-ratio)


def test_what_a_market_lacks_gives_no_column() -> None:
    assert list(lq.indicators(line([1.0, 2.0]))) == ["rsi", "atr", "vwap"]
    own = market([(10.0, 11.0, 9.0, 10.0, 4.0, 3.0), (10.0, 11.0, 9.0, 10.0, 4.0, 4.0)])
    found = lq.indicators(own)["taker_ratio"].to_numpy()
    assert found[0] == 3.0
    assert np.isnan(found[1])  # nobody sold: no ratio


# --- no look-ahead ----------------------------------------------------------------------------------------------------


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_freq=False)


@few(12)
@given(data=st.data())
def test_cutting_the_future_off_changes_no_bit(data: Any) -> None:
    """Every table, tables that end early or start late included."""
    moves = data.draw(st.lists(st.sampled_from([-0.02, 0.0, 0.001, 0.03]), min_size=20, max_size=60))
    closes = (100 * np.cumprod(1 + np.array(moves))).tolist()
    late = START + pd.Timedelta(minutes=data.draw(st.sampled_from([0, 30, 60])))
    given_ = line(
        closes,
        open_interest=oi(data.draw(st.lists(st.sampled_from([9.0, 10.0, 12.0]), min_size=2, max_size=12)), start=late),
        funding_rate=frame(data.draw(st.lists(st.sampled_from([1e-4, 0.0, -2e-4]), min_size=2, max_size=12)),
                           "funding_rate", every="1h"),
        taker=frame(data.draw(st.lists(st.sampled_from([0.2, 0.5]), min_size=3, max_size=9)), "taker_buy_share",
                    every="30min"),
    )  # fmt: skip
    options: dict[str, Any] = {"rsi": 3, "atr": 3, "vwap": "2h", "funding_window": "4h", "open_interest_change": "1h"}
    whole = lq.indicators(given_, **options)
    for bar in (1, 4, len(closes) // 2, len(closes) - 1):
        now = given_.candles.index[bar] + given_.step
        cut = lq.indicators(given_.until(now), **options)
        for name in cut:
            same(cut[[name]], whole[[name]].iloc[: bar + 1])


def test_no_look_ahead_on_a_real_market() -> None:
    given_ = lq.load_example("btc-2024-07")
    whole = lq.indicators(given_)
    for now in ("2024-03-20 07:00", "2024-06-25 13:00", "2024-07-05 05:00"):
        cut = lq.indicators(given_.until(now))
        same(cut, whole.loc[cut.index, list(cut)])


# --- refusals, pictures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [({"rsi": 1}, "rsi is a number of candles >= 2"), ({"atr": 0}, "atr is"), ({"vwap": "1M"}, "not a time frame"),
     ({"rsi": 14.5}, "got 14.5")],
)  # fmt: skip
def test_errors_teach(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lq.indicators(line([1.0, 2.0]), **options)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "talib", None)
    with pytest.raises(ImportError, match=r"pip install 'liqlab\[research\]'"):
        lq.indicators(line([1.0, 2.0]))


@pytest.fixture(scope="module")
def btc() -> Market:
    return lq.load_example("btc-2024-05")


def test_panels_show_the_table_at_the_close(btc: Market) -> None:
    """One panel per column, on the heatmap's time axis; a value stands where it became known."""
    table = lq.indicators(btc)
    picture = lq.plot.indicators(table, start="2024-05-01", end="2024-05-02")
    curves: list[hv.Curve] = []
    picture.traverse(lambda element: curves.append(element), [hv.Curve])
    assert [curve.vdims[0].name for curve in curves] == list(table)
    shown = table["2024-05-01":"2024-05-01"]
    for curve in curves:
        name = curve.vdims[0].name
        assert curve.kdims[0].name == "time"
        np.testing.assert_array_equal(curve.dimension_values(name), shown[name].to_numpy())
        first = pd.Timestamp(curve.dimension_values("time")[0])
        assert first == pd.Timestamp("2024-05-01 00:15")
    titles = [hv.Store.lookup_options("bokeh", part, "plot").kwargs["title"] for part in picture]
    assert titles[0] == "RSI 14"
    assert titles[5] == "open interest, proxy bybit [BTC]"


def test_panels_go_under_a_heatmap_and_move_with_it(btc: Market) -> None:
    from bokeh.models import Plot

    table = lq.indicators(btc)
    heat = lq.heatmap(btc, start="2024-05-01", end="2024-05-01 06:00", price_step=50.0)
    days: dict[str, Any] = {"start": "2024-05-01", "end": "2024-05-01 06:00", "columns": ["rsi", "funding_z"]}
    under = lq.plot.indicators(table, under=lq.plot.heatmap(heat, btc), **days)
    added = (lq.plot.heatmap(heat, strip=False, profile=False) + lq.plot.indicators(table, **days)).cols(1)
    for picture in (under, added):
        root = hv.render(picture, backend="bokeh")
        times = [p.x_range for p in root.select({"type": Plot}) if "datetime" in type(p.x_scale).__name__.lower()
                 or any(type(axis).__name__ == "DatetimeAxis" for axis in p.xaxis)]  # fmt: skip
        assert len(times) >= 3
        assert len({id(each) for each in times}) == 1
    with pytest.raises(ValueError, match="no panel is called price; table has rsi"):
        lq.plot.indicators(table, columns=["price"])
    with pytest.raises(ValueError, match="no row lies in"):
        lq.plot.indicators(table, start="2030-01-01")
