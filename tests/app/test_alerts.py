"""Rules in words, events told once, nothing known too early: against a plain loop over the clusters of each bar."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import liqlab as lq
from liqlab.app import Rule
from liqlab.app._alerts import NEAR, Column, Events
from liqlab.app.rules import FORMS, USUAL, rules_of

BINS: dict[str, Any] = {"price_range": (48_000.0, 72_000.0), "price_step": 50.0}
MEASURED: dict[str, Any] = {"assumptions": lq.Assumptions.preset("measured")}  # many narrow zones: much happens
RULES = ["price within 1% of a cluster of 20M", "a cluster of 20M appears within 8%", "a long cluster of 20M is swept",
         "short coverage falls below 99%"]  # fmt: skip


# --- words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*FORMS, *USUAL])
def test_a_rule_reads_as_it_was_written(text: str) -> None:
    assert str(Rule.of(text)) == text


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("the price is within 0.5 % of a long cluster of at least 1,250,000", Rule("near", 1.25e6, 0.005, "long")),
        ("Short cluster of 1.5B appears", Rule("appears", 1.5e9, 0.0, "short")),
        ("cluster is  swept", Rule("swept")),
        ("long coverage falls below 100%", Rule("coverage", 0.0, 1.0, "long")),
    ],
)
def test_other_ways_to_write_it(text: str, rule: Rule) -> None:
    assert Rule.of(text) == rule


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("price above 100", "not a rule: .*write one of: price within 1% of a cluster of 50M"),
        ("", "not a rule"),
        ("price within 0% of a cluster", "'0' % is no share"),
        ("price within 60% of a cluster", "write a number above 0 and up to 50"),
        ("price within nan% of a cluster", "'nan' % is no share"),
        ("coverage falls below 101%", "up to 100"),
        ("a cluster of -5M is swept", "'-5m' is no amount"),
        ("a cluster of 1,5M is swept", "'1,5m' is no amount"),
        ("a cluster of infM is swept", "is no amount"),
        ("a cluster of 5M is swept\nrm -rf", "not a rule"),
    ],
)
def test_what_is_no_rule(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rules_of([text])


def test_rules_made_by_hand_and_none_at_all() -> None:
    for wrong in ({"what": "falls"}, {"what": "near"}, {"what": "swept", "side": "buy"}, {"what": "near", "share": 2.0},
                  {"what": "swept", "notional": float("nan")}):  # fmt: skip
        with pytest.raises(ValueError, match=r"write one of|0\.01 is 1 %"):
            Rule(**wrong)
    with pytest.raises(ValueError, match="no rule was given"):
        rules_of([])
    with pytest.raises(TypeError, match="a rule is text, got 5"):
        rules_of([5])  # type: ignore[list-item]


# --- events -------------------------------------------------------------------------------------------------------


def column(minute: int, close: float, *zones: tuple[str, float, float], low: float = 0.0, high: float = 0.0) -> Column:
    """A column whose clusters are a percent broad: side, peak, notional."""
    rows = [pd.Series({"side": side, "low": 0.995 * peak, "peak": peak, "high": 1.005 * peak, "notional": amount})
            for side, peak, amount in sorted(zones, key=lambda zone: -zone[2])]  # fmt: skip
    stamp = pd.Timestamp("2025-01-01", tz="UTC") + pd.Timedelta(minute, "min")
    return Column(stamp, low or close, high or close, close, rows, {"long": 0.4, "short": 0.9}, 1.0)


def told(columns: list[Column], *rules: str, quiet: str = "1h") -> list[tuple[int, str, float]]:
    """Minute, side and peak of every alert."""
    events = Events(rules_of(list(rules)), pd.Timedelta(quiet), {"symbol": "X", "exchange": "y", "quote": "USDT"})
    return [(alert.time.hour * 60 + alert.time.minute, alert.side, alert.peak)
            for one in columns for alert in events.take(one)]  # fmt: skip


def test_what_goes_on_is_told_once_and_again_after_the_quiet_time() -> None:
    """Near from the 0th to the 10th minute; again at 40, still quiet; away until 100, and near at 105."""
    away, near = ("short", 120.0, 9e6), ("short", 101.0, 9e6)
    minutes = [(0, near), (5, near), (10, near), (15, away), (40, near), (45, away), (100, away), (105, near)]
    assert told([column(at, 100.0, zone) for at, zone in minutes], "price within 1% of a cluster of 5M") == [
        (0, "short", 101.0), (105, "short", 101.0)]  # fmt: skip


def test_a_cluster_may_wander_and_two_are_two() -> None:
    """A peak that moves by 0.4 % a bar stays the same event; another side, or another price, is another one."""
    path = [("short", 100.8 * 1.004**k, 9e6) for k in range(4)]
    columns = [column(5 * k, 100.0, zone, ("long", 99.5, 8e6)) for k, zone in enumerate(path)]
    assert told(columns, "price within 2% of a cluster") == [(0, "short", 100.8), (0, "long", 99.5)]
    two = [column(0, 100.0, ("short", 101.0, 9e6)), column(5, 100.0, ("short", 101.0, 9e6), ("short", 102.2, 8e6))]
    assert told(two, "price within 2% of a cluster") == [(0, "short", 101.0), (5, "short", 102.2)]


def test_appears_sweeps_and_coverage() -> None:
    columns = [
        column(0, 100.0, ("long", 95.0, 9e6)),
        column(5, 100.0, ("long", 95.0, 9e6), ("short", 104.0, 7e6), ("short", 110.0, 1e6)),
        column(10, 94.0, ("short", 104.0, 7e6), low=94.9),
        column(15, 103.0, high=104.0),
    ]
    assert told(columns, "a cluster of 5M appears") == [(5, "short", 104.0)]
    assert told(columns, "a cluster appears within 3.5%") == [(5, "short", 104.0)]
    assert told(columns, "a cluster is swept") == [(10, "long", 95.0), (15, "short", 104.0)]
    assert told(columns, "a short cluster of 8M is swept") == []
    assert [row[:2] for row in told(columns, "coverage falls below 50%")] == [(0, "long")]
    assert told(columns, "received bars fall below 95%") == []


def test_words_of_an_alert_hold_no_control_characters() -> None:
    events = Events(rules_of("a cluster is swept"), pd.Timedelta("1h"), {"symbol": "A\n\x1b[31mB", "quote": "USDT"})
    events.take(column(0, 100.0, ("long", 95.0, 9e6)))
    [alert] = events.take(column(5, 94.0, low=94.0))
    assert alert.text.isprintable() and alert.text.startswith("liqlab: A??[31mB")


# --- against a plain loop -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def market() -> Any:
    return replace(lq.load_example("btc-2024-05").until("2024-05-02"), path=None, taker=None)


@pytest.fixture(scope="module")
def heat(market: Any) -> xr.Dataset:
    """The day of the fall, as a watch sees it: the last column of the history, then one after every bar."""
    return lq.heatmap(market, start="2024-04-30 23:45", time_step="15m", **BINS, **MEASURED)


def by_hand(heat: xr.Dataset, quiet: pd.Timedelta) -> list[tuple[Any, ...]]:
    """Alerts of RULES by a loop over `lq.clusters` of each closed bar."""
    out, last_told, before = [], dict[int, list[Any]]({k: [] for k in range(4)}), None
    for k in range(heat.sizes["time"]):
        bar = heat.isel(time=k)
        now, close = pd.Timestamp(bar["close_time"].item(), tz="UTC"), float(bar["close"])
        zones = lq.clusters(heat, at=now)
        zones = zones[~zones["broad"] & (zones["notional"] >= 20e6)]
        swept = before[(before["side"] == "long") & (before["peak"] >= float(bar["low"]))] if k else zones.iloc[:0]
        known, other = (float(bar[x].sel(side="short")) for x in ("attributed_oi", "unattributed_oi"))
        fulfilled = [
            zones[zones["distance_to_edge"].abs() <= 0.01],
            zones[zones["distance_to_edge"].abs() <= 0.08],
            swept,
            pd.DataFrame({"side": ["short"], "peak": [1.0]} if known / (known + other) < 0.99 else {}),
        ]
        for number, table in enumerate(fulfilled):
            going_on = [one for one in last_told[number] if now - one["last"] < quiet]
            for row in table.to_dict("records"):
                same = [one for one in going_on if one["side"] == row["side"] and one["last"] < now]
                same.sort(key=lambda one: abs(np.log(row["peak"] / one["peak"])))
                if same and abs(np.log(row["peak"] / same[0]["peak"])) <= NEAR:
                    same[0].update(peak=row["peak"], last=now)
                    continue
                going_on.append({"side": row["side"], "peak": row["peak"], "last": now})
                if number != 1 or k:
                    out.append((now, RULES[number], row["side"], row["peak"] if number < 3 else np.nan, close))
            last_told[number] = going_on
        before = zones
    return out


def test_alerts_equal_those_of_a_plain_loop(heat: xr.Dataset) -> None:
    heat = heat.isel(time=slice(15, 70))
    table = lq.alerts(heat, rules=RULES, quiet="2h")
    expected = pd.DataFrame(by_hand(heat, pd.Timedelta("2h")), columns=["time", "rule", "side", "peak", "price"])
    assert expected["rule"].nunique() >= 3 and len(expected) >= 8
    pd.testing.assert_frame_equal(table[expected.columns.tolist()], expected, check_exact=True, check_dtype=False)


def test_nothing_looks_ahead(heat: xr.Dataset) -> None:
    table = lq.alerts(heat, rules=RULES)
    for end in (28, 30, 31, 80):
        part = heat.isel(time=slice(0, end))
        known = table[table["time"] <= pd.Timestamp(part["close_time"].values[-1], tz="UTC")]
        pd.testing.assert_frame_equal(lq.alerts(part, rules=RULES), known.reset_index(drop=True), check_exact=True,
                                      check_dtype=False)  # fmt: skip


def test_a_replay_of_a_day_tells_what_the_table_tells(market: Any, heat: xr.Dataset) -> None:
    """No bar is lost, the last map is that of one run bit for bit, and the alerts are those of its columns."""

    async def both() -> tuple[list[Any], list[xr.Dataset]]:
        watching = lq.watch(replay=market, speed=None, start="2024-05-01", rules=RULES, to=[], **BINS,
                            **MEASURED)  # fmt: skip
        alerts = [alert async for alert in watching]
        following = lq.follow(replay=market, speed=None, start="2024-05-01", columns=96, **BINS, **MEASURED)
        return alerts, [shown async for shown in following]

    alerts, heats = asyncio.run(both())
    assert len(heats) == 96 and heats[-1].attrs["missed_bars"] == 0
    for name in ("notional", "attributed_oi", "unattributed_oi", "close", "close_time"):
        np.testing.assert_array_equal(heats[-1][name].values, heat.isel(time=slice(1, None))[name].values)
    table = lq.alerts(heat, rules=RULES)
    pd.testing.assert_frame_equal(pd.DataFrame(alerts), table, check_exact=True, check_dtype=False)
    assert len(table) > 5


def test_a_model_without_open_interest_has_no_coverage(market: Any) -> None:
    shown = lq.heatmap(market, "volume", start="2024-05-01 21:00", **BINS)
    with pytest.raises(ValueError, match="needs an open interest, and the model volume takes none"):
        lq.alerts(shown, rules="coverage falls below 50%")
    assert len(lq.alerts(shown, rules="a cluster is swept").columns) == 13
    with pytest.raises(ValueError, match="quiet: the number 4 has no unit"):
        lq.alerts(shown, rules="a cluster is swept", quiet=4)
