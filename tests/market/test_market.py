"""Market tables: every fault is refused with row, column, value and remedy; what is dropped is counted; time is UTC."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab.market import market as rooms
from liqlab.market.clock import between, naive, nanoseconds, step_of, timedelta, timeframe_of, utc
from liqlab.market.market import Market
from tests.markets import START, candles, frame, market, oi, tiers

NAN, INF = math.nan, math.inf
BAR = pd.Timedelta("15min")
ROWS = [(10.0, 12.0, 9.0, 11.0, 5.0, 2.0), (11.0, 13.0, 10.0, 12.0, 6.0, 6.0), (12.0, 12.0, 8.0, 9.0, 0.0, 0.0)]
OHLC = [row[:4] for row in ROWS]

CHECKS: dict[str, tuple[Callable[..., pd.DataFrame], Callable[[], pd.DataFrame]]] = {
    "candles": (lq.market.check_candles, lambda: candles(ROWS)),
    "mark_candles": (lq.market.check_mark_candles, lambda: frame(OHLC, "open high low close")),
    "path": (rooms.check_path, lambda: frame([row[:5] for row in ROWS], "open high low close volume")),
    "open_interest": (lq.market.check_open_interest, lambda: oi([5, 6, 7])),
    "funding_rate": (lq.market.check_funding_rate, lambda: frame([1e-4, -2e-4, 3e-4], "funding_rate", every="8h")),
    "liquidations": (lq.market.check_liquidations, lambda: frame([(0, 1), (2, 3), (4, 5)], "long short", every="1h")),
    "taker": (lq.market.check_taker, lambda: frame([0.0, 0.5, 1.0], "taker_buy_share", every="1h")),
}
NAMES = list(CHECKS)


def said(error: pytest.ExceptionInfo[Exception], *words: str) -> None:
    """The message holds all of these."""
    for word in words:
        assert word in str(error.value), f"{word!r} is not in {error.value}"


# --- what is right passes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_right_table_passes_in_silence_as_a_copy(name: str) -> None:
    """Floats, UTC, an index called time; the table that was given is not changed."""
    check, make = CHECKS[name]
    given = make().tz_convert("Asia/Tokyo")
    before = given.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = check(given)
    assert str(found.index.tz) == "UTC" and found.index.name == "time" and (found.dtypes == "float64").all()
    found.iloc[:, :] = -1.0
    pd.testing.assert_frame_equal(given, before)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_resolution_of_the_index_does_not_matter(name: str, unit: str) -> None:
    check, make = CHECKS[name]
    table = make()
    table.index = table.index.as_unit(unit)
    assert nanoseconds(check(table).index).tolist() == nanoseconds(make().index).tolist()


def test_integers_and_text_that_are_numbers_pass_and_other_columns_are_dropped() -> None:
    table = candles(ROWS).astype({"volume": int}).assign(note="x", open=["10", "11", "12"])
    found = lq.market.check_candles(table)
    assert found["open"].tolist() == [10, 11, 12] and "note" not in found


def test_taker_buys_of_a_candle_may_be_missing() -> None:
    rows = [(*ROWS[0][:5], NAN), *ROWS[1:]]
    assert math.isnan(lq.market.check_candles(candles(rows))["taker_buy_volume"].iloc[0])


# --- faults of every table ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_table_of_times_is_refused(name: str) -> None:
    check, make = CHECKS[name]
    table = make()
    with pytest.raises(TypeError) as error:
        check(table.to_dict())
    said(error, name, "DataFrame", "dict", "lq.read")
    with pytest.raises(TypeError) as error:
        check(table.reset_index(drop=True))
    said(error, name, "indexed by time", "RangeIndex", "set_index")
    with pytest.raises(ValueError, match=f"{name}: the index has no time zone.*tz_localize"):
        check(table.tz_localize(None))
    with pytest.raises(ValueError, match=f"{name} is empty; it needs at least one row"):
        check(table.iloc[:0])
    lost = table.copy()
    lost.index = pd.DatetimeIndex([table.index[0], pd.NaT, table.index[2]])
    with pytest.raises(ValueError, match=rf"{name}: the index holds 1 missing time\(s\); drop"):
        check(lost)


@pytest.mark.parametrize("name", NAMES)
def test_missing_and_doubled_columns_are_named(name: str) -> None:
    check, make = CHECKS[name]
    column = str(make().columns[0])
    with pytest.raises(ValueError, match=name) as error:
        check(make().rename(columns={column: "other"}))
    said(error, name, "lacks the column(s) " + column, "other", "rename")
    with pytest.raises(ValueError, match=f"{name} has the column '{column}' twice; drop one"):
        check(pd.concat([make(), make()[[column]]], axis=1))


@pytest.mark.parametrize("name", NAMES)
def test_rows_out_of_order_are_named(name: str) -> None:
    check, make = CHECKS[name]
    table = make().iloc[[0, 2, 1]]
    with pytest.raises(ValueError, match=name) as error:
        check(table)
    said(error, f"{name}: row 2 ({table.index[2]})", f"({table.index[1]})", "sort_index")


@pytest.mark.parametrize("name", NAMES)
def test_identical_rows_are_dropped_and_counted_contradictions_refused(name: str) -> None:
    check, make = CHECKS[name]
    table = make()
    twice = table.iloc[[0, 0, 0, 1, 2]]
    with pytest.warns(UserWarning, match=rf"{name}: dropped 2 duplicate row\(s\)"):
        found = check(twice)
    assert found.index.tolist() == table.index.tolist()
    twice = twice.copy()
    twice.iloc[1] = table.iloc[1].to_numpy()
    with pytest.raises(ValueError, match=name) as error:
        check(twice)
    said(error, name, "stand twice with different values", str(table.index[0]), "drop the other")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_numbers_that_are_none_are_refused_with_their_place(name: str, value: float) -> None:
    check, make = CHECKS[name]
    table = make()
    table.iloc[1, 0] = value
    with pytest.raises(ValueError, match=name) as error:
        check(table)
    said(error, f"{name}: column '{table.columns[0]}', row 1 ({table.index[1]}) is {value!r}", "1 such row(s)", "drop")


@pytest.mark.parametrize("name", NAMES)
def test_words_among_numbers_are_shown(name: str) -> None:
    check, make = CHECKS[name]
    table = make().astype(object)
    table.iloc[2, 0] = "n/a"
    with pytest.raises(ValueError, match=name) as error:
        check(table)
    said(error, name, str(table.columns[0]), str(table.index[2]), "'n/a'", "drop")


@pytest.mark.parametrize("name", ["candles", "mark_candles", "path", "open_interest"])
def test_gaps_are_counted_and_not_filled(name: str) -> None:
    check, make = CHECKS[name]
    table = pd.concat([make(), make().shift(freq=pd.Timedelta("2h")), make().shift(freq=pd.Timedelta("5h"))])
    # 3 rows to 00:30, then 02:00 (5 missing) to 02:30, then 05:00 (9 missing)
    with pytest.warns(UserWarning, match=rf"{name}: 2 gap\(s\), 14 row\(s\) missing in all, the first after .*00:30"):
        assert len(check(table)) == 9
    odd = table.copy()
    odd.index = odd.index[:-1].append(odd.index[-1:] + pd.Timedelta("1min"))
    if name == "open_interest":  # snapshots need no grid
        with pytest.warns(UserWarning, match=r"open_interest: 2 pause\(s\).* from .*00:30.* to .*02:00"):
            assert len(check(odd)) == 9
        return
    with pytest.raises(ValueError, match=name) as error:
        check(odd)
    said(error, f"{name}: row 8 ({odd.index[8]}) is off the regular step", "resample")


def test_polls_with_jitter_and_a_missing_one_pass_in_silence() -> None:
    rng = np.random.default_rng(3)
    stamps = pd.date_range("2024-05-01", periods=60, freq="1min", tz="UTC") + pd.to_timedelta(rng.random(60), unit="s")
    table = pd.DataFrame({"open_interest": 5.0}, index=stamps.delete([7, 20, 21]))
    assert len(lq.market.check_open_interest(table)) == 57


def test_quiet_bars_without_a_row_are_counted_and_stay_unknown() -> None:
    table = pd.DataFrame({"long": 1.0, "short": 0.0}, pd.date_range("2024-05-01", periods=10, freq="1h", tz="UTC"))
    assert len(lq.market.check_liquidations(table)) == 10
    with pytest.warns(
        UserWarning, match=r"liquidations: 3 of 10 bars .* have no row, the first after .*02:00.*not as 0"
    ):
        assert len(lq.market.check_liquidations(table.drop(table.index[[3, 4, 7]]))) == 7


def test_the_interval_of_a_rate_is_kept_and_checked() -> None:
    stamps = pd.date_range("2024-05-01", periods=3, freq="8h", tz="UTC")
    rates = pd.DataFrame({"funding_rate": 1e-4, "interval_hours": [8.0, np.nan, 4.0]}, stamps)
    assert list(lq.market.check_funding_rate(rates).columns) == ["funding_rate", "interval_hours"]
    with pytest.raises(ValueError, match=r"interval_hours.*row 2 .*hours are > 0"):
        lq.market.check_funding_rate(rates.assign(interval_hours=[8.0, 8.0, 0.0]))


# --- faults of one table --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "column", "value", "remedy"),
    [
        *((name, x, 0.0, "prices are > 0") for name in ("candles", "mark_candles", "path") for x in ("open", "low")),
        *((name, "close", -1.0, "prices are > 0") for name in ("candles", "mark_candles", "path")),
        *((name, "low", 11.5, "low must be <= open and close") for name in ("candles", "mark_candles", "path")),
        *((name, "high", 11.5, "high must be >= open and close") for name in ("candles", "mark_candles", "path")),
        *((name, "volume", -0.1, "volumes are >= 0") for name in ("candles", "path")),
        ("candles", "taker_buy_volume", 6.01, "between 0 and the bar's volume"),
        ("candles", "taker_buy_volume", -0.01, "between 0 and the bar's volume"),
        ("open_interest", "open_interest", -1.0, "open interest is >= 0"),
        ("funding_rate", "funding_rate", 1.0, "0.0001 = 0.01 %"),
        ("funding_rate", "funding_rate", -0.6, "fractions"),
        ("liquidations", "long", -2.0, "amounts are >= 0 coins"),
        ("liquidations", "short", -2.0, "amounts are >= 0 coins"),
        ("taker", "taker_buy_share", 1.01, "between 0 and 1"),
        ("taker", "taker_buy_share", -0.01, "between 0 and 1"),
    ],
)
def test_an_impossible_value_is_refused_with_its_place(name: str, column: str, value: float, remedy: str) -> None:
    check, make = CHECKS[name]
    table = make()
    table.loc[table.index[1], column] = value
    with pytest.raises(ValueError, match=name) as error:
        check(table)
    said(error, f"{name}: column '{column}', row 1 ({table.index[1]}) is {value!r} (1 such row(s))", remedy)


def test_values_at_their_bounds_pass() -> None:
    """A flat bar, no volume, all of it bought, no open interest, shares of 0 and 1."""
    lq.market.check_candles(candles([(1.0, 1.0, 1.0, 1.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0, 3.0, 3.0)]))
    assert lq.market.check_open_interest(oi([0.0, 0.0])).sum().item() == 0
    assert lq.market.check_taker(frame([0.0, 1.0], "taker_buy_share")).sum().item() == 1


TWO = ((0.0, 1000.0, 0.01, 0.0, 50.0), (1000.0, 5000.0, 0.02, 10.0, 20.0))


@pytest.mark.parametrize(
    ("column", "row", "value", "words"),
    [
        ("min_notional", 0, 1.0, "brackets must start at 0 and join"),
        ("min_notional", 1, 1001.0, "brackets must start at 0 and join"),
        ("maintenance_margin_rate", 0, 0.0, r"maintenance_margin_rate must lie in \(0, 1\)"),
        ("maintenance_margin_rate", 1, 2.0, r"maintenance_margin_rate must lie in \(0, 1\)"),
        ("maintenance_margin_rate", 1, NAN, "maintenance_margin_rate"),
        (
            "maintenance_amount",
            1,
            12.0,
            "the maintenance margin jumps at a bracket's edge by .*correct maintenance_amount",
        ),
        ("maintenance_amount", 1, NAN, "maintenance_amount"),
        ("max_leverage", 0, NAN, "max_leverage"),
        ("max_leverage", 0, 0.0, "max_leverage"),
    ],
)
def test_impossible_tiers_are_refused_with_symbol_and_date(column: str, row: int, value: float, words: str) -> None:
    table = tiers(*TWO)
    table.loc[row, column] = value
    with pytest.raises(ValueError, match=words) as error:
        lq.market.check_leverage_tiers(table)
    said(error, "X/USDT:USDT", "venue", "2024-01-01")


def test_tiers_are_sorted_and_dated() -> None:
    """Dates may be text, of one form or of several."""
    later = tiers(*TWO, as_of="2024-06-01").iloc[::-1].assign(as_of="2024-06-01 12:00")
    both = pd.concat([later, tiers(*TWO).assign(as_of="2024-01-01")], ignore_index=True)
    found = lq.market.check_leverage_tiers(both)
    assert found["tier"].tolist() == [1, 2, 1, 2] and str(found["as_of"].dt.tz) == "UTC"
    assert found["as_of"].iloc[[0, 2]].tolist() == [utc("2024-01-01"), utc("2024-06-01 12:00")]
    with pytest.raises(ValueError, match=r"leverage_tiers lacks the column.*max_leverage"):
        lq.market.check_leverage_tiers(both.drop(columns="max_leverage"))
    with pytest.raises(TypeError, match="leverage_tiers must be a pandas DataFrame, got list"):
        lq.market.check_leverage_tiers([])


# --- the market -----------------------------------------------------------------------------------------------------


def full() -> Market:
    """Two hours with every table."""
    flat = [(10.0, 10.0, 10.0, 10.0, 1.0)] * 24
    return market(
        [(10.0, 11.0, 9.0, 10.0, 1.0)] * 8,
        open_interest=oi(range(1, 10)),
        funding_rate=frame([1e-4, 2e-4], "funding_rate", every="1h"),
        liquidations=frame([(0, 1), (2, 3)], "long short", every="1h"),
        taker=frame([0.2, 0.8], "taker_buy_share", every="1h"),
        path=frame(flat, "open high low close volume", every="5min"),
        mark_candles=frame([row[:4] for row in flat[:8]], "open high low close"),
        liquidation_events=frame([(10.0, 1.0), (9.0, 2.0)], "price quantity", every="1h").assign(side="long"),
    )


@pytest.mark.parametrize(
    ("minutes", "kept"),
    [
        # candles, open_interest, funding_rate, liquidations, taker, path, mark_candles, liquidation_events
        (15, (1, 2, 1, 0, 0, 3, 1, 1)),
        (29, (1, 2, 1, 0, 0, 5, 1, 1)),
        (30, (2, 3, 1, 0, 0, 6, 2, 1)),
        (59, (3, 4, 1, 0, 0, 11, 3, 1)),
        (60, (4, 5, 2, 1, 1, 12, 4, 2)),
        (120, (8, 9, 2, 2, 2, 24, 8, 2)),
        (500, (8, 9, 2, 2, 2, 24, 8, 2)),
    ],
)
def test_until_keeps_what_was_complete(minutes: int, kept: tuple[int, ...]) -> None:
    """Bars that have closed and stamps that have passed: one rule, table by table."""
    whole = full()
    known = whole.until(START + pd.Timedelta(minutes=minutes))
    names = [name for name in whole.has() if name != "leverage_tiers"]
    found = tuple(0 if getattr(known, name) is None else len(getattr(known, name)) for name in names)
    assert found == kept
    assert known.timeframe == "15m" and known.symbol == whole.symbol and known.leverage_tiers is not None
    assert len(whole.candles) == 8, "the market itself is not changed"


def test_before_the_first_close_nothing_is_known() -> None:
    with pytest.raises(ValueError, match=r"no candle of X/USDT:USDT closed by .*00:14.*; the first closes at .*00:15"):
        full().until(START + pd.Timedelta("14min"))


def test_a_market_is_frozen_and_says_what_it_has() -> None:
    whole = full()
    with pytest.raises(FrozenInstanceError):
        whole.symbol = "Y"  # type: ignore[misc]
    assert whole.has()[0] == "candles" and set(whole.has()) == {f.name for f in fields(Market)} - {
        "symbol", "exchange", "timeframe", "sources", "trades"}  # fmt: skip
    assert whole.start == START and whole.end == START + pd.Timedelta("2h") and whole.step == BAR
    assert whole.coin == "X" and whole.quote == "USDT"
    for word in ("X/USDT:USDT", "venue", "15m", "open_interest", "24 rows", "2024-05-01 00:00"):
        assert word in repr(whole)
    proxy = market(
        ROWS, open_interest=oi([1.0, 2.0]), sources={"open_interest": {"kind": "proxy", "exchange": "bybit"}}
    )
    assert "proxy: bybit" in repr(proxy)


def test_the_time_frame_is_found_or_checked() -> None:
    assert Market(candles(ROWS)).timeframe == "15m"
    assert Market(candles(ROWS[:1]), timeframe="15m").end == START + BAR
    with pytest.raises(ValueError, match="one row cannot be seen; pass timeframe"):
        Market(candles(ROWS[:1]))
    for wrong in ("5m", "1h"):
        with pytest.raises(ValueError, match=f"rows are 15m apart, but timeframe is '{wrong}'; correct it"):
            Market(candles(ROWS), timeframe=wrong)


def test_a_path_coarser_than_the_candles_is_refused() -> None:
    coarse = frame(OHLC, "open high low close", every="1h")
    with pytest.raises(ValueError, match="path must be finer than the candles, got 1h under 15m; swap them"):
        market(ROWS, path=coarse)


def test_every_table_of_a_market_is_checked() -> None:
    """A fault in any of them stops the market from being made."""
    whole = full()
    for name in whole.has()[1:-1]:
        with pytest.raises(ValueError, match=name):
            market(ROWS, **{name: getattr(whole, name).rename(columns=lambda column: "x")})


# --- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "moment",
    ["2024-05-01 07:00", "2024-05-01T07:00Z", "2024-05-01 09:00+02:00", pd.Timestamp("2024-05-01 07:00"),
     pd.Timestamp("2024-05-01 16:00", tz="Asia/Tokyo"), np.datetime64("2024-05-01T07:00")],
)  # fmt: skip
def test_moments_are_utc_unless_they_say_otherwise(moment: Any) -> None:
    assert utc(moment) == pd.Timestamp("2024-05-01 07:00", tz="UTC") and str(utc(moment).tz) == "UTC"


@pytest.mark.parametrize("moment", ["yesterday-ish", None, float("nan"), "2024-13-01", [1]])
def test_what_is_no_moment_is_refused(moment: Any) -> None:
    with pytest.raises(ValueError, match=r"not a moment in time: .*; write it as '2024-05-01 07:00' \(UTC\)"):
        utc(moment)


@pytest.mark.parametrize("moment", ["03.07.2024", "13.07.2024", "3/7/24", "03-07-2024 12:00"])
def test_a_date_that_can_be_read_both_ways_is_refused(moment: str) -> None:
    with pytest.raises(ValueError, match=rf"day or month first\? '{moment}' can be read both ways; write"):
        utc(moment)


@pytest.mark.parametrize(
    ("text", "length"),
    [("1m", "1min"), ("15m", "15min"), ("4h", "4h"), ("1d", "1D"), ("7d", "7D"), ("30s", "30s"), ("1w", "7D")],
)
def test_time_frames_are_spelt_as_ccxt_does(text: str, length: str) -> None:
    assert timedelta(text) == pd.Timedelta(length)
    assert timeframe_of(pd.Timedelta(length)) == ("7d" if text == "1w" else text)


@pytest.mark.parametrize("text", ["", "m", "0m", "-5m", "1M", "5 minutes", "1.5h", "h1"])
def test_what_is_no_time_frame_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a time frame: .*; write 1m, 5m, 15m, 1h, 4h, 1d or 7d"):
        timedelta(text)


def test_a_duration_must_be_positive() -> None:
    assert timedelta(pd.Timedelta("90min")) == pd.Timedelta("90min")
    for length in (pd.Timedelta(0), pd.Timedelta("-1h")):
        with pytest.raises(ValueError, match="a duration must be positive"):
            timedelta(length)


def test_ranges_are_half_open_and_zones_are_dropped_in_utc() -> None:
    index = pd.date_range(START, periods=4, freq=BAR)
    assert between(nanoseconds(index), START + BAR, START + 3 * BAR).tolist() == [False, True, True, False]
    assert between(nanoseconds(index), None, None).all()
    assert naive(index.tz_convert("Asia/Tokyo"))[0] == np.datetime64("2024-05-01T00:00")
    assert step_of(frame([1, 2], "x", every="5min")) == pd.Timedelta("5min")
