"""Told stories: levels, periods and base rates against numbers that were counted by hand or are on record."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from tests.markets import market

TOLD = [(56_880, 16.00), (56_750, 22.31), (56_620, 19.22), (56_490, 34.04), (56_360, 23.24), (56_230, 19.52),
        (56_100, 19.37)]  # fmt: skip


def test_the_seven_levels_of_the_first_of_may() -> None:
    """Four buckets had traded before the map was read, three exact prices traded after it, 56,490 not that day."""
    example = lq.load_example("btc-2024-05")
    heat = lq.heatmap(example, start="2024-05-01", end="2024-05-02", price_step=10)
    later = lq.load_example("btc-2024-07").path
    assert later is not None
    path = pd.concat([example.candles[["low", "high"]], later.loc[later.index >= example.end, ["low", "high"]]])
    table = lq.zones.compare_levels(heat, path, TOLD, moments=["2024-05-01 07:00", "2024-05-01 15:30"], width=130)
    assert table["in_bucket"].notna().sum() == 4
    day = pd.Timestamp("2024-05-02", tz="UTC")
    assert (table["traded"] < day).tolist() == [True] * 3 + [False] * 4
    assert table.loc[56_490, "traded"] == pd.Timestamp("2024-07-05 02:45", tz="UTC")
    assert table.loc[56_490, "in_bucket"] == pd.Timestamp("2024-05-01 08:15", tz="UTC")
    assert (table["map 07:00"] > 0).all()


def test_a_named_level_takes_the_bins_of_its_bucket() -> None:
    """Half a bucket to either side, whole bins of the map."""
    heat = lq.heatmap(market([(100, 100, 100, 100, 10)]), "volume", law={10: 1}, price_step=0.5)
    path = heat[["low", "high"]].to_dataframe().tz_localize("UTC")
    table = lq.zones.compare_levels(heat, path, [(91.0, 1.0), (95.0, 1.0)], moments=["2024-05-01 00:15"], width=1)
    assert table["map 00:15"].tolist() == pytest.approx([5 * 100 * 0.9 / 0.99, 0], rel=1e-4)


def test_no_level_no_row() -> None:
    heat = lq.heatmap(market([(100, 100, 100, 100, 10)]), "volume")
    table = lq.zones.compare_levels(
        heat, pd.DataFrame({"low": [], "high": []}), [], moments=["2024-05-01 00:15"], width=1
    )
    assert table.empty
    assert list(table.columns) == ["expected", "map 00:15", "in_bucket", "traded"]
    assert [kind.kind for kind in table.dtypes] == ["f", "f", "M", "M"]


def test_a_level_never_traded_has_no_time_and_two_days_have_two_columns() -> None:
    rows = [(100, 100, 100, 100, 10)] * 100
    heat = lq.heatmap(market(rows), "volume", law={10: 1}, price_step=0.5)
    path = heat[["low", "high"]].to_dataframe().tz_localize("UTC")
    moments = ["2024-05-01 00:15", "2024-05-02 00:15"]
    table = lq.zones.compare_levels(heat, path, [(91.0, 1.0)], moments=moments, width=1)
    assert list(table.columns) == ["expected", "map 01 May 00:15", "map 02 May 00:15", "in_bucket", "traded"]
    assert table[["in_bucket", "traded"]].isna().all(axis=None) and table["traded"].dt.tz is not None


@pytest.mark.parametrize(
    ("moments", "width", "words"),
    [([], 1, "moments is empty; give at least one"), (["2024-05-01 00:15"], 0, "width must be > 0")],
)
def test_levels_ask_for_what_they_need(moments: list[str], width: float, words: str) -> None:
    heat = lq.heatmap(market([(100, 100, 100, 100, 10)]), "volume")
    with pytest.raises(ValueError, match=words):
        lq.zones.compare_levels(
            heat, pd.DataFrame({"low": [], "high": []}), [(91.0, 1.0)], moments=moments, width=width
        )


def test_a_frozen_map_against_what_came_after() -> None:
    """One long at 100, 10x: its level is 90.9; the second candle falls to 85, the third to 80."""
    rows = [(100, 100, 100, 100, 10), (100, 100, 85, 90, 0), (90, 90, 80, 85, 0)]
    small = market(rows)
    heat = lq.heatmap(small, "volume", law={10: 1}, price_step=0.2)
    (row,) = lq.zones.frozen_maps(small, heat, moments=["2024-05-01 00:15"], side="long").itertuples()
    assert (row.price, row.turn, row.turned_at) == (100, 80, pd.Timestamp("2024-05-01 00:30", tz="UTC"))
    assert row.stood == row.reached == pytest.approx(5 * 100 * 0.9 / 0.99, rel=1e-4)
    assert row.liquidated == pytest.approx(row.reached, rel=1e-6)
    assert np.isnan(row.coverage) and row.passed <= row.clusters


def test_frozen_maps_look_at_nothing_later_and_end_with_the_map() -> None:
    example = lq.load_example("btc-2024-05")
    heat = lq.heatmap(example, start="2024-05-01", end="2024-05-02")
    early = lq.heatmap(example.until("2024-05-01 12:00"), start="2024-05-01")
    options = {"moments": ["2024-05-01 07:00"], "side": "long"}
    whole = lq.zones.frozen_maps(example, heat, **options)
    cut = lq.zones.frozen_maps(example.until("2024-05-01 12:00"), early, **options)
    assert whole[["price", "coverage", "turn"]].equals(cut[["price", "coverage", "turn"]])
    last = lq.zones.frozen_maps(example, heat, moments=["2024-05-02 00:00"], side="short").iloc[0]
    assert last["turn"] == last["price"] and last["reached"] == last["liquidated"] == 0
    with pytest.raises(ValueError, match="side must be 'long'"):
        lq.zones.frozen_maps(example, heat, moments=["2024-05-01 07:00"], side="both")
    with pytest.raises(ValueError, match="moments is empty"):
        lq.zones.frozen_maps(example, heat, moments=[], side="long")


def test_periods_of_the_first_of_may() -> None:
    """The extremes on record, and open interest as the snapshots have it."""
    spans = [("fall", "2024-05-01 07:00", "2024-05-01 09:00"), ("after", "2024-05-01 11:00", "2024-05-01 19:00")]
    table = lq.zones.summarise_periods(lq.load_example("btc-2024-05"), spans)
    assert table.loc["fall", "low"] == 56_537.7
    assert table.loc["fall", "low_at"] == pd.Timestamp("2024-05-01 08:15", tz="UTC")
    assert table.loc["fall", "open_interest"] == pytest.approx(56_186 / 55_023 - 1, abs=2e-3)
    assert table.loc["after", "open_interest"] == pytest.approx(53_710 / 57_043 - 1, abs=1e-4)


def test_no_period_no_row() -> None:
    table = lq.zones.summarise_periods(market([(1, 2, 1, 2, 1)]), [])
    one = lq.zones.summarise_periods(market([(1, 2, 1, 2, 1)]), [("one", "2024-05-01 00:00", "2024-05-01 00:15")])
    assert table.empty and table.dtypes.equals(one.dtypes)
    assert list(table)[3:7] == ["low", "low_at", "high", "high_at"]


def test_periods_are_half_open_and_must_hold_a_candle() -> None:
    three = market([(1, 2, 1, 2, 1), (2, 3, 2, 3, 1), (3, 9, 3, 4, 1)])
    table = lq.zones.summarise_periods(three, [("two", "2024-05-01 00:00", "2024-05-01 00:30")])
    assert table.loc["two", ["high", "close"]].tolist() == [3, 3]
    assert np.isnan(table.loc["two", "open_interest"])
    with pytest.raises(ValueError, match=r"no candle lies in .*runs from"):
        lq.zones.summarise_periods(three, [("none", "2025-01-01", "2025-01-02")])


def test_the_base_rate_of_tia_is_that_on_record() -> None:
    """76 sweeps of a seven-day high that closed back inside; +1.8 % on average a day later; the deepest fall."""
    sweeps = lq.zones.swing_sweeps(lq.load_example("tia-2023"), side="short")
    assert len(sweeps) == 76
    assert sweeps["after"].mean() == pytest.approx(0.018, abs=5e-4)
    assert sweeps["held"].sum() == 18
    worst = sweeps["reversal"].idxmin()
    assert (worst, sweeps.loc[worst, "extreme"]) == (pd.Timestamp("2023-11-13 10:00", tz="UTC"), 5.98)
    assert sweeps.loc[worst, "reversal"] == pytest.approx(-0.30, abs=0.005)


def test_a_sweep_by_hand_and_its_mirror() -> None:
    """High 11 over the 10 of two bars before, close 9 inside; two bars later 8: held, reversal 7/11 − 1."""
    rows = [(9, 10, 8, 9, 1), (9, 10, 8, 9, 1), (9, 11, 8.5, 9, 1), (9, 10, 7, 8, 1), (8, 9, 7.5, 8, 1)]
    up = lq.zones.swing_sweeps(market(rows), side="short", window="30m", horizon="30m")
    assert up.index.tolist() == [pd.Timestamp("2024-05-01 00:30", tz="UTC")]
    assert up.iloc[0][["swept", "extreme", "held"]].tolist() == [10, 11, True]
    assert up.iloc[0]["reversal"] == pytest.approx(7 / 11 - 1)
    assert up.iloc[0]["after"] == pytest.approx(8 / 9 - 1)
    mirrored = [(20 - o, 20 - low, 20 - high, 20 - c, v) for o, high, low, c, v in rows]
    down = lq.zones.swing_sweeps(market(mirrored), side="long", window="30m", horizon="30m")
    assert down.index.tolist() == up.index.tolist()
    assert down.iloc[0][["swept", "extreme", "held"]].tolist() == [10, 9, True]
    assert down.iloc[0]["reversal"] == pytest.approx(13 / 9 - 1)
    with pytest.raises(ValueError, match="side must be"):
        lq.zones.swing_sweeps(market(rows), side="buy")
