"""Sentences of pages: what a case came to, and how old data are."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pandas as pd
import pytest

import liqlab as lq
from liqlab.report.words import case_answer, data_age
from tests.markets import market


@cache
def read_and_frozen(name: str) -> tuple[Any, pd.DataFrame]:
    case = lq.read_case(name)
    heat = lq.heatmap(case.market, start=case.start, end=case.end, lookback=case.lookback or None)
    return case, lq.zones.frozen_maps(case.market, heat, moments=case.frozen, side=case.swept_side)


def answer(name: str, **given: Any) -> str:
    case, frozen = read_and_frozen(name)
    case = replace(case, **given)
    traded = case.market.candles
    heat = lq.heatmap(case.market, start=case.start, end=case.end, price_step=10 if case.levels else None)
    told = lq.zones.compare_levels(heat, traded, case.levels, moments=case.frozen, width=case.level_width)
    return case_answer(case, case.market, frozen, told, lq.zones.summarise_periods(case.market, case.periods))


def test_the_first_of_may_missed_the_brightest_level_by_110() -> None:
    said = answer("btc-56k-cascade")
    assert "No. After the map was read, at 15:30 UTC, the price went as low as 56,600 on that day" in said
    assert "through **3 of the 7 levels**; the brightest, 56,490, was missed by 110 USDT." in said
    assert "The low of the story, 56,537.7, had come at 08:15, before the reading" in said


def test_levels_gone_past_and_reached() -> None:
    assert "Yes." in answer("btc-56k-cascade", levels=[[56_700, 1.0]])
    assert "was passed by 100 USDT" in answer("btc-56k-cascade", levels=[[56_700, 1.0]])
    assert "was reached" in answer("btc-56k-cascade", levels=[[56_600, 1.0]])


def test_a_squeeze_closes_positions() -> None:
    said = answer("xrp-squeeze")
    assert "It was no squeeze: the price moved +16.0%, open interest **+14.6%**" in said
    case, frozen = read_and_frozen("xrp-squeeze")
    periods = lq.zones.summarise_periods(case.market, case.periods)
    for change, words in ((-0.1, "It may have been a squeeze"), (float("nan"), "cannot be told")):
        other = periods.assign(open_interest=change)
        assert words in case_answer(case, case.market, frozen, pd.DataFrame(), other)


def test_a_map_without_a_zone_and_one_that_knows_little_say_so() -> None:
    case, frozen = read_and_frozen("xrp-squeeze")
    periods = lq.zones.summarise_periods(case.market, case.periods)
    said = [case_answer(case, case.market, frozen.assign(clusters=k, passed=1, coverage=cover), pd.DataFrame(), periods)
            for k, cover in ((0, 0.9), (2, 0.3))]  # fmt: skip
    assert "No zone of shorts stood out of it" in said[0] and "little weight" not in said[0]
    assert "Of its 2 clusters the price went into 1." in said[1]
    assert "knew the entries of 30% of the shorts" in said[1]


@pytest.mark.parametrize(
    ("given", "words"),
    [({"case": "btc-2024-05"}, "This is not now"), ({"candles": "my.csv"}, "From files of your own"),
     ({}, "older than it should be"), ({"dated": True}, "before this page was made.")],
)  # fmt: skip
def test_the_age_of_data_is_said(given: dict[str, Any], words: str) -> None:
    said = data_age(market([(1, 2, 1, 2, 1)]), **given)
    assert words in said and "01 May 2024, 00:15 UTC" in said
