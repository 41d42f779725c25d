"""Sweeps against planted visits of known class, a table computed by hand, and a future that is cut off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import liqlab as lq
from tests.markets import START, few, market

Q = pd.Timedelta("15min")
FLAT = (100, 101, 99, 100, 1)  # a true range of 2: ATR = 2


def stamp(k: float) -> pd.Timestamp:
    return START + k * Q


def empty_map(table: lq.Market, columns: Any, *, step: float = 1.0) -> xr.Dataset:
    """A map of 10 per bin of both sides at every price; `columns`: number of the last bar of each."""
    last = np.asarray(columns)
    first = np.append(0, last[:-1] + 1)
    opens = table.candles.index.tz_localize(None).as_unit("ns").to_numpy()
    edges = np.arange(80, 121, step)
    shape = (len(last), len(edges) - 1, 2)
    frame = {name: ("time", table.candles[name].to_numpy()[last]) for name in ("open", "high", "low", "close")}
    closes = opens[last] + Q.to_timedelta64()
    coords = {"time": opens[first], "price": (edges[1:] + edges[:-1]) / 2, "side": ["long", "short"],
              "price_edge": ("price_edge", edges), "close_time": ("time", closes)}  # fmt: skip
    attrs = {"symbol": table.symbol, "exchange": table.exchange, "quote": "USDT", "time_step": "15m"}
    return xr.Dataset(
        {"notional": (("time", "price", "side"), np.full(shape, 10.0)), **frame}, coords=coords, attrs=attrs
    )


def zone(heat: xr.Dataset, column: int, side: str, low: float, high: float, **more: Any) -> pd.DataFrame:
    peak = (low + high) / 2
    row = {
        "column": column,
        "side": side,
        "rank": 1,
        "low": float(low),
        "high": float(high),
        "peak": peak,
        "notional": 40.0,
        "share": 0.1,
    }
    return pd.DataFrame([{**row, **more}])


def swept(rows: Any, *bands: tuple[int, str, float, float], columns: Any = None, **rules: Any) -> pd.DataFrame:
    """Sweeps of planted bands (column, side, low, high) on hand-made bars; one column per bar unless told otherwise."""
    table = market(rows)
    heat = empty_map(table, range(len(rows)) if columns is None else columns)
    zones = pd.concat([zone(heat, *band) for band in bands], ignore_index=True)
    return lq.sweeps(table, heat, zones=zones, **rules)


# --- by hand ----------------------------------------------------------------------------------------------------------

TEN = [FLAT, FLAT, FLAT, FLAT, (100, 106, 100, 103, 1), (103, 104, 101, 101.5, 1), (101.5, 102, 98, 99, 1),
       (99, 100, 97, 98, 1), (98, 99, 97, 98.5, 1), (98.5, 99, 96, 97, 1)]  # fmt: skip


def test_a_swing_failure_by_hand() -> None:
    """Shorts at 102 … 105 seen at the close of bar 3; bar 4 runs 6 = 3 ATR to 106 and bar 5 closes at 101.5, inside."""
    table = swept(TEN, (3, "short", 102, 105), horizons=("15m", "1h", "2h"))
    (row,) = table.to_dict("records")
    assert row["time"] == stamp(4) and row["zone_seen_at"] == stamp(4) and row["side"] == row["trade"] == "short"
    assert (row["atr"], row["extreme"], row["max_bar_move_atr"], row["bars_to_return"]) == (2, 106, 3, 1)
    assert (
        row["penetration"] == pytest.approx(4 / 102) and row["penetration_atr"] == row["first_bar_penetration_atr"] == 2
    )
    assert (row["class"], row["decided_at"]) == ("swing failure", stamp(6))
    assert (row["entry"], row["invalidation"]) == (101.5, 106) and row["stop"] == pytest.approx(106.2)
    assert row["swept"] == 30 and row["swept_share"] == 0.75
    assert row["after_15m"] == pytest.approx(1 - 99 / 101.5)
    assert row["after_1h"] == pytest.approx(1 - 97 / 101.5)  # closes at stamp(10): bar 9
    assert np.isnan(row["after_2h"]) and row["stopped_at"] is pd.NaT


def test_its_mirror_is_a_sweep_of_longs() -> None:
    """Prices mirrored at 100: the same numbers, the other side."""
    mirrored = [(200 - o, 200 - low, 200 - high, 200 - c, v) for o, high, low, c, v in TEN]
    up = swept(TEN, (3, "short", 102, 105)).iloc[0]
    down = swept(mirrored, (3, "long", 95, 98)).iloc[0]
    for name in (
        "time",
        "class",
        "bars_to_return",
        "penetration_atr",
        "first_bar_penetration_atr",
        "max_bar_move_atr",
        "swept",
        "decided_at",
    ):
        assert up[name] == down[name], name
    for name in ("extreme", "entry", "stop", "invalidation"):
        assert up[name] == pytest.approx(200 - down[name]), name
    assert down["trade"] == "long" and down["after_1h"] == pytest.approx(103 / 98.5 - 1)
    assert down["penetration"] == pytest.approx(4 / 98)


LONG_WAY = [FLAT] * 4 + [(100, 107, 100, 106, 1)] + [(106, 108, 105.5, 107, 1)] * 3
CLASSES = {
    "acceptance": (LONG_WAY, {}, "acceptance", "went on", stamp(8)),
    "went on inside a wide zone": ([FLAT] * 4 + [(100, 106, 100, 104, 1)] + [(104, 105, 103, 104.1, 1)] * 3, {},
                                   "acceptance", "went on", stamp(8)),
    "the same, asked for more": ([FLAT] * 4 + [(100, 106, 100, 104, 1)] + [(104, 105, 103, 104.1, 1)] * 3,
                                 {"beyond": 1.5}, "undecided", "stayed at the edge", stamp(8)),
    "still inside": ([FLAT] * 4 + [(100, 106, 100, 104, 1)] + [(104, 105, 103, 104, 1)] * 3, {}, "undecided",
                     "stayed at the edge", stamp(8)),
    "no impulse": ([FLAT] * 3 + [(100, 101, 99, 101, 1), (101, 102.5, 100, 101, 1)], {}, "undecided",
                   "came back without an impulsive break", stamp(5)),
    "same, milder rule": ([FLAT] * 3 + [(100, 101, 99, 101, 1), (101, 102.5, 100, 101, 1)], {"impulse": 0.5},
                          "swing failure", "came back after an impulsive break", stamp(5)),
    "too late": ([FLAT] * 4 + [(100, 106, 100, 104, 1)] + [(104, 105, 103, 104, 1)] * 3 + [(104, 104, 100, 100, 1)], {},
                 "undecided", "stayed at the edge", stamp(8)),
    "in time with more bars": ([FLAT] * 4 + [(100, 106, 100, 104, 1)] + [(104, 105, 103, 104, 1)] * 3
                               + [(104, 104, 100, 100, 1)], {"within": 4}, "swing failure",
                               "came back after an impulsive break", stamp(9)),
    "close on the edge is not inside": ([FLAT] * 4 + [(100, 106, 100, 102, 1)], {"within": 0}, "undecided",
                                        "stayed at the edge", stamp(5)),
    "impulse of a later bar": ([FLAT] * 4 + [(100, 102, 100, 102, 1), (102, 106, 100, 100, 1)], {}, "swing failure",
                               "came back after an impulsive break", stamp(6)),
}  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_planted_classes(name: str) -> None:
    rows, rules, kind, reason, when = CLASSES[name]
    table = swept(rows, (3, "short", 102, 105), **rules)
    assert table[["class", "reason", "decided_at"]].to_numpy().tolist() == [[kind, reason, when]]


def test_a_sweep_in_the_last_bar_is_open_or_decided_by_that_bar() -> None:
    """A wick that closed inside is known at once; one that did not is not decided, and has no entry."""
    at_once = swept([FLAT] * 4 + [(100, 106, 100, 101, 1)], (3, "short", 102, 105)).iloc[0]
    assert (at_once["class"], at_once["decided_at"], at_once["entry"]) == ("swing failure", stamp(5), 101)
    going = swept([FLAT] * 4 + [(100, 106, 100, 103, 1)], (3, "short", 102, 105)).iloc[0]
    assert (going["class"], going["reason"]) == ("undecided", "the data end")
    assert going["decided_at"] is pd.NaT and going[["entry", "stop", "after_1h"]].isna().all()


def test_a_zone_touched_in_the_bar_that_made_it_was_not_bright_before() -> None:
    """The column of bar 4 has the zone that bar 4 itself went through: nobody could have seen it."""
    assert swept(TEN[:5], (4, "short", 102, 105)).empty
    rest = swept(TEN[:7], (4, "short", 104, 105))  # bar 5 reaches what was left of it
    assert rest["time"].tolist() == [stamp(5)]


def test_one_row_per_visit_and_a_new_one_after_price_has_left() -> None:
    """The rest of a zone, seen again at each close, is no new zone while the visit goes on."""
    rows = [FLAT] * 4 + [(100, 103, 100, 102.5, 1), (102.5, 104, 102, 103.5, 1), (103.5, 104.5, 99, 100, 1), FLAT,
                         (100, 104.7, 100, 101, 1)]  # fmt: skip
    again = [(3, "short", 102, 105), (4, "short", 103, 105), (5, "short", 104, 105), (7, "short", 104.5, 105)]
    table = swept(rows, *again)
    assert table["time"].tolist() == [stamp(4), stamp(8)]
    assert table["extreme"].tolist() == [104.5, 104.7] and table["bars_to_return"].tolist() == [2, 0]


def test_a_visit_that_stays_inside_goes_on() -> None:
    """Undecided after `within` bars and still inside: touching what is left of the zone is the same visit."""
    rows = [FLAT] * 4 + [(100, 103, 100, 103, 1)] + [(103, 103, 102.5, 103, 1)] * 4 + [(103, 104, 103, 103, 1)]
    assert len(swept(rows, (3, "short", 102, 105), (8, "short", 103.5, 105))) == 1


def test_zones_in_one_bar_are_visits_of_their_own() -> None:
    table = swept(TEN, (3, "short", 102, 103), (3, "short", 104, 105), (5, "long", 97.5, 98.5))
    assert table["low"].tolist() == [102, 104, 97.5]
    assert table["side"].tolist() == ["short", "short", "long"]
    assert table["bars_to_return"].tolist() == [1, 0, 0]


def test_wide_columns_count_only_the_first_touch() -> None:
    """Bars 4 … 7 share a column: the zone of the column before is reached once, by the first of them."""
    rows = [FLAT] * 4 + [(100, 103, 100, 101, 1)] * 4 + [FLAT]
    table = swept(rows, (0, "short", 102, 105), columns=[3, 7, 8])
    assert table["time"].tolist() == [stamp(4)] and table["zone_seen_at"].tolist() == [stamp(4)]


def test_no_sweep_no_row_but_the_same_columns() -> None:
    """An empty table, and one of a single side, have the types of a full one."""
    full = swept(TEN, (3, "short", 102, 105))
    empty = swept(TEN, (3, "short", 118, 119))
    assert empty.empty and (empty.dtypes == full.dtypes).all()
    assert (lq.zones.swing_controls(market(TEN)).dtypes == full.dtypes).all()


def test_a_map_that_has_ended_says_nothing_of_what_came_later() -> None:
    """The last column serves as long as any other: one column, not for ever."""
    rows = [FLAT] * 6 + [(100, 103, 100, 101, 1), FLAT]
    table = market(rows)
    heat = empty_map(table, [4, 5])
    assert len(lq.sweeps(table, heat, zones=zone(heat, 1, "short", 102, 105))) == 1
    heat = empty_map(table, [3, 4])
    assert lq.sweeps(table, heat, zones=zone(heat, 1, "short", 102, 105)).empty


def test_only_the_brightest_zones_count_where_asked() -> None:
    table = market(TEN)
    heat = empty_map(table, range(10))
    zones = pd.concat([zone(heat, 3, "short", 102, 103), zone(heat, 3, "short", 104, 105, notional=30.0)])
    assert lq.sweeps(table, heat, zones=zones, top_n=1)["low"].tolist() == [102]
    assert len(lq.sweeps(table, heat, zones=zones, top_n=None)) == 2


def test_a_jump_over_the_zone_and_gaps_in_time() -> None:
    """Opening beyond the zone is a touch; behind a gap the first bar that shows that time has passed decides."""
    jumped = swept([FLAT] * 4 + [(107, 108, 106, 107, 1)] * 4, (3, "short", 102, 105)).iloc[0]
    assert (jumped["class"], jumped["max_bar_move_atr"]) == ("acceptance", 4)
    rows = [FLAT] * 4 + [(100, 106, 100, 104, 1), *[FLAT] * 20, FLAT]
    whole = market(rows)
    holed = whole.candles.drop(whole.candles.index[5:25])
    with pytest.warns(UserWarning, match="1 gap"):
        table = lq.Market(holed, symbol=whole.symbol, exchange=whole.exchange, timeframe="15m")
    heat = empty_map(table, range(6))
    late = lq.sweeps(table, heat, zones=zone(heat, 3, "short", 102, 105)).iloc[0]
    assert (late["reason"], late["decided_at"]) == ("came back too late", stamp(26))
    assert np.isnan(late["bars_to_return"])


def test_stops_are_hit_by_later_bars_only() -> None:
    """The wick itself is no stop; 106.2 is reached by the second bar after the decision."""
    rows = [*TEN[:6], (101.5, 102, 101, 101, 1), (101, 106.5, 101, 106, 1), FLAT]
    row = swept(rows, (3, "short", 102, 105)).iloc[0]
    assert row["stopped_at"] == stamp(7)
    assert swept(rows, (3, "short", 102, 105), horizons=("15m",)).iloc[0]["stopped_at"] is pd.NaT


@pytest.mark.parametrize(("rules", "message"), [({"within": -1}, "within must be"), ({"within": 1.5}, "whole number"),
                                                ({"impulse": -1}, "impulse must be"), ({"atr_bars": 0}, "atr_bars"),
                                                ({"top_n": 0}, "top_n"), ({"horizons": ()}, "at least one"),
                                                ({"buffer_atr": float("nan")}, "buffer_atr")])  # fmt: skip
def test_rules_out_of_range_are_refused(rules: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        swept(TEN, (3, "short", 102, 105), **rules)


# --- no look-ahead ----------------------------------------------------------------------------------------------------

LATER = ["stopped_at", "after_1h", "after_4h", "after_24h"]


def check_cut(table: lq.Market, cut: pd.Timestamp, **options: Any) -> int:
    """What was decided by the cut is the same, bit for bit, for who does not know what came after; how many rows."""
    whole = lq.sweeps(table, lq.heatmap(table, **options))
    part = lq.sweeps(table.until(cut), lq.heatmap(table.until(cut), **options))
    known, decided = whole[whole["decided_at"] <= cut], part[part["decided_at"].notna()]
    pd.testing.assert_frame_equal(
        known.drop(columns=LATER).reset_index(drop=True), decided.drop(columns=LATER).reset_index(drop=True),
        check_exact=True,
    )  # fmt: skip
    for name in LATER[1:]:
        there = decided[name].notna().to_numpy()
        assert (known[name].to_numpy()[there] == decided[name].to_numpy()[there]).all()
    begun = whole[(whole["time"] + table.step <= cut) & ~(whole["decided_at"] <= cut)]
    assert begun["time"].tolist() == part.loc[part["decided_at"].isna(), "time"].tolist()
    return len(known)


@pytest.mark.parametrize("cut", ["2024-05-01 08:30", "2024-05-01 17:15", "2024-05-02 03:45"])
def test_the_future_changes_no_decided_sweep(cut: str) -> None:
    example = lq.load_example("btc-2024-05").until("2024-05-03")
    options = {"start": "2024-04-29", "price_range": (40_000.0, 90_000.0), "price_step": 25.0}
    assert check_cut(example, pd.Timestamp(cut, tz="UTC"), **options) > 0


@few(4)
@given(seed=st.integers(0, 10**6), share=st.floats(0.5, 0.98))
def test_the_future_changes_no_decided_sweep_of_a_random_market(seed: int, share: float) -> None:
    table = lq.simulate(3, seed=seed, timeframe="15m", warmup=2).market
    low, high = 0.6 * table.candles["low"].min(), 1.5 * table.candles["high"].max()
    cut = table.start + round(share * len(table.candles)) * table.step
    check_cut(table, cut, price_range=(low, high), price_step=50.0)


def test_a_planted_zone_of_a_real_map_is_swept_with_its_size() -> None:
    """A burst of volume at one price makes one level of shorts at 10x; price comes back and takes all of it."""
    quiet, burst = (100, 100.2, 99.8, 100, 1), (100, 100.1, 99.9, 100, 10_000)
    rise = [(p, p + 2.5, p, p + 2, 1) for p in (100, 102, 104, 106)]
    rows = [quiet] * 30 + [burst] + [quiet] * 10 + rise + [(108, 111, 100, 100.5, 1), quiet]
    table = market(rows)
    heat = lq.heatmap(table, "volume", law={10: 1.0}, price_step=0.1)
    found = lq.sweeps(table, heat)
    (row,) = found[(found["side"] == "short") & (found["rank"] == 1)].tail(1).to_dict("records")
    level = 100 * 1.1 / 1.01
    assert row["time"] == stamp(45) and row["low"] <= level <= row["high"]
    assert row["class"] == "swing failure" and row["swept_share"] == pytest.approx(1.0)
    assert row["swept"] == pytest.approx(5_000 * level, rel=0.02)


# --- controls ---------------------------------------------------------------------------------------------------------


def test_a_swing_by_hand_in_the_form_of_a_sweep() -> None:
    """A high of 105 with two lower bars on either side, known after them, first traded again three bars later."""
    rows = [FLAT] * 14 + [(100, 105, 100, 101, 1), FLAT, FLAT, FLAT, (100, 105.5, 100, 101, 1), FLAT, FLAT, FLAT]
    controls = lq.zones.swing_controls(market(rows), swing_bars=2, width=0.5)
    (row,) = controls[controls["side"] == "short"].to_dict("records")
    assert (row["time"], row["zone_seen_at"]) == (stamp(18), stamp(17))
    assert row["low"] == row["peak"] == 105 and row["high"] == pytest.approx(105 + 0.5 * row["atr"])
    assert row["class"] == "swing failure" and row["penetration"] == pytest.approx(0.5 / 105)
    assert np.isnan(row["notional"])
    assert list(controls.columns) == list(swept(TEN, (3, "short", 102, 105)).columns)
    assert lq.zones.swing_controls(market(rows), swing_bars=2, window="45m").empty
    assert lq.zones.swing_controls(market(rows[:16]), swing_bars=2).empty


def test_a_swing_touched_during_a_visit_of_a_bright_zone_is_no_control() -> None:
    rows = [FLAT] * 14 + [(100, 105, 100, 101, 1), FLAT, FLAT, FLAT, (100, 105.5, 100, 101, 1), FLAT, FLAT, FLAT]
    visits = swept(rows, (17, "short", 102, 104))
    assert visits["time"].tolist() == [stamp(18)]
    assert (lq.zones.swing_controls(market(rows), visits, swing_bars=2)["side"] == "long").all()


def test_the_future_changes_no_decided_control() -> None:
    example = lq.load_example("tia-2023")
    whole = lq.zones.swing_controls(example)
    for cut in (pd.Timestamp("2023-12-16 18:00", tz="UTC"), pd.Timestamp("2024-02-01", tz="UTC")):
        part = lq.zones.swing_controls(example.until(cut))
        known, decided = whole[whole["decided_at"] <= cut], part[part["decided_at"].notna()]
        pd.testing.assert_frame_equal(
            known.drop(columns=LATER).reset_index(drop=True), decided.drop(columns=LATER).reset_index(drop=True),
            check_exact=True,
        )  # fmt: skip


def test_matching_takes_the_nearest_of_the_same_kind_once() -> None:
    """Same side, volatility, first penetration and hour within limits; no control serves twice; the rest is counted."""
    base = {"time": stamp(0), "side": "short", "low": 100.0, "high": 101.0, "atr": 1.0,
            "first_bar_penetration_atr": 1.0, "decided_at": stamp(1)}  # fmt: skip
    sweeps = pd.DataFrame(
        [base, {**base, "time": stamp(1)}, {**base, "time": stamp(2), "side": "long"}], index=[7, 8, 9]
    )
    controls = pd.DataFrame([
        {**base, "first_bar_penetration_atr": 1.2}, {**base, "first_bar_penetration_atr": 1.1}, {**base, "atr": 1.6},
        {**base, "first_bar_penetration_atr": 1.6}, {**base, "time": stamp(32)}, {**base, "decided_at": pd.NaT},
    ])  # fmt: skip
    found = lq.zones.match_controls(sweeps, controls)
    assert found.index.tolist() == [7, 8] and found["first_bar_penetration_atr"].tolist() == [1.1, 1.2]
    assert found.attrs["unmatched"] == 1
    midnight = controls.iloc[[0]].assign(
        time=stamp(-4), first_bar_penetration_atr=1.0
    )  # an hour apart, on both sides of midnight
    assert len(lq.zones.match_controls(sweeps.iloc[[0]], midnight)) == 1
    with pytest.raises(ValueError, match="volatility must be > 1"):
        lq.zones.match_controls(sweeps, controls, volatility=1.0)


# --- stops and positions ----------------------------------------------------------------------------------------------

ZONES = pd.DataFrame({"side": ["long", "long", "short"], "low": [90.0, 80.0, 110.0], "high": [92.0, 85.0, 114.0],
                      "peak": [91.0, 82.0, 112.0], "notional": [5.0, 9.0, 7.0]})  # fmt: skip


@pytest.mark.parametrize(("side", "stop", "stop_location", "stop_beyond_zone"), [
    ("long", 95, ["before", "before"], 95), ("long", 91.5, ["inside", "before"], 92),
    ("long", 90.4, ["inside", "before"], 90), ("long", 87, ["behind", "before"], 87),
    ("long", 81, ["behind", "inside"], 80), ("long", 70, ["behind", "behind"], 70),
    ("long", 92, ["inside", "before"], 92), ("short", 105, ["before"], 105), ("short", 113, ["inside"], 114),
    ("short", 111, ["inside"], 110), ("short", 120, ["behind"], 120),
])  # fmt: skip
def test_where_a_stop_stands(side: str, stop: float, stop_location: list[str], stop_beyond_zone: float) -> None:
    table = lq.stop_zones(ZONES, price=100, stop=stop, side=side, buffer=0.0)
    assert table["stop_location"].tolist() == stop_location
    assert (table["stop_beyond_zone"] == stop_beyond_zone).all()


def test_the_buffer_is_kept_from_every_cluster() -> None:
    """1 % of the edge: 92 → 92.92 and 90 → 89.1; where that reaches into the next cluster's buffer, further on."""
    table = lq.stop_zones(ZONES, price=100, stop={"long": 91.5, "short": 112.5}, buffer=0.01)
    assert table["side"].tolist() == ["long", "long", "short"]
    assert table["before"].to_numpy() == pytest.approx([92.92, 85.85, 108.9])
    assert table["behind"].to_numpy() == pytest.approx([89.1, 79.2, 115.14])
    assert table["stop_beyond_zone"].to_numpy() == pytest.approx([92.92, 92.92, 115.14])
    assert table["distance_to_edge"].to_numpy() == pytest.approx([-0.08, -0.15, 0.1])
    close_ones = ZONES.assign(high=[92.0, 89.5, 114.0])
    assert (
        lq.stop_zones(close_ones, price=93, stop=90.5, side="long", buffer=0.02)["stop_beyond_zone"].iloc[0]
        == 80 * 0.98
    )


def test_stops_without_a_stop_and_on_the_wrong_side() -> None:
    table = lq.stop_zones(ZONES, price=100)
    assert (table["stop_location"] == "").all() and table["stop_beyond_zone"].isna().all()
    assert lq.stop_zones(ZONES, price=100, stop=113)["stop_location"].tolist() == ["", "", "inside"]
    for bad, message in (({"stop": 101, "side": "long"}, "lies below the price 100, got 101"),
                         ({"stop": {"buy": 1.0}}, "got 'buy'"), ({"stop": -1.0}, "must be > 0"),
                         ({"side": "buy"}, "side must be"), ({"buffer": 0.7}, "buffer is a fraction")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            lq.stop_zones(ZONES, price=100, **bad)
    with pytest.raises(ValueError, match="pass price="):
        lq.stop_zones(ZONES)


@pytest.fixture(scope="module")
def may() -> xr.Dataset:
    """By a law that leaves a cluster below the price at 07:00, where the default leaves none."""
    return lq.heatmap(lq.load_example("btc-2024-05"), preset="measured", start="2024-04-30", end="2024-05-02")


def test_positions_have_their_exact_price_and_the_nearest_cluster(may: xr.Dataset) -> None:
    """Liquidation prices of FIELD's table: 20x from 60,000 in the tier of one bitcoin, 57,236.18 and 62,736.32."""
    at = "2024-05-01 07:00"
    held = [{"side": side, "entry_price": 60_000, "leverage": 20, "quantity": 1} for side in ("long", "short")]
    table = lq.assess_positions([{**held[0], "stop": 58_000}, held[1]], may, at=at)
    assert table["liquidation_price"].to_numpy() == pytest.approx([57_236.1809, 62_736.3184], abs=1e-3)
    zones = lq.clusters(may, at=at).query("not broad")
    longs = zones[(zones["side"] == "long") & (zones["high"] > 57_236.2)].sort_values("high")
    row = table.iloc[0]
    assert (row["low"], row["high"]) == (longs["low"].iloc[-1], longs["high"].iloc[-1])
    price = zones.attrs["price"]
    assert row["distance_to_edge"] == pytest.approx(row["high"] / price - 1)
    assert row["stop_location"] == "inside" and row["stop_beyond_zone"] == pytest.approx(row["high"] * 1.001)
    assert row["to_liquidation"] == pytest.approx(row["liquidation_price"] / price - 1)
    assert row["state"] == "open" and table.iloc[1]["stop_location"] == ""


def test_positions_that_are_gone_or_have_nothing_on_the_way(may: xr.Dataset) -> None:
    gone = lq.assess_positions(
        {"side": "long", "entry_price": 64_000, "leverage": 50}, may, at="2024-05-01 12:00"
    ).iloc[0]
    assert gone["state"] == "liquidated" and np.isnan(gone["distance_to_edge"])
    near = {
        "side": "long",
        "entry_price": float(may["close"][-1]),
        "leverage": 125,
        "stop": 0.999 * float(may["close"][-1]),
    }
    row = lq.assess_positions(pd.DataFrame([near]), may).iloc[0]
    assert row["state"] == "open" and np.isnan(row["low"]) and row["stop_beyond_zone"] == near["stop"]
    for bad in ({"side": "long"}, {"side": "long", "entry_price": 1, "leverage": 2, "size": 3}):
        with pytest.raises(ValueError, match="a position has side, entry_price, leverage"):
            lq.assess_positions(bad, may)


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_sweeps_are_marked_by_class_at_their_extremes(may: xr.Dataset) -> None:
    import holoviews as hv

    example = lq.load_example("btc-2024-05")
    table = lq.sweeps(example, may)
    picture = lq.plot.sweeps(table, may)
    points: list[Any] = []
    picture.traverse(lambda element: points.append(element), [hv.Points])
    assert len(points) == 3
    for element, kind in zip(points, ("swing failure", "acceptance", "undecided"), strict=True):
        mine = table[table["class"] == kind]
        assert element.dimension_values("price").tolist() == mine["extreme"].tolist()
        assert element.label == f"{kind} ({len(mine)})"
    title = hv.Store.lookup_options("bokeh", picture, "plot").kwargs["title"]
    assert "estimated" in title and "open_interest" in title
    hv.render(picture, backend="bokeh")
    hv.render(lq.plot.sweeps(table.iloc[:0], may), backend="bokeh")


def test_own_positions_are_lines_with_words(may: xr.Dataset) -> None:
    import holoviews as hv

    held = {"side": "long", "entry_price": 60_000, "leverage": 20, "stop": 58_000}
    picture = lq.plot.heatmap(may, at="2024-05-01 07:00", positions=held, strip=False, profile=False)
    lines: list[Any] = []
    texts: list[Any] = []
    picture.traverse(lambda element: lines.append(element.data), [hv.HLine])
    picture.traverse(lambda element: texts.append(element.data[2]), [hv.Text])
    assert [round(float(y), 1) for y in lines] == [57_228.9, 58_000.0]
    assert "liquidated" in texts[0] and "cluster on the way -" in texts[0] and "inside the cluster" in texts[1]
    far = lq.plot.heatmap(may, positions={**held, "leverage": 2}, strip=False, profile=False)
    words: list[str] = []
    far.traverse(lambda element: words.append(element.data[2]), [hv.Text])
    assert words[0].startswith(" ▼ long 2x liquidated")
