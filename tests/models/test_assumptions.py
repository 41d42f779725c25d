"""Assumptions: one value for all that a map assumes, checked when it is made, given back by the map."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab import models
from liqlab.models import Assumptions
from tests.markets import market, oi

ROWS = [(100, 101, 99, 100, 10), (100, 102, 100, 101, 20), (101, 103, 95, 99, 30), (99, 100, 98, 99, 30)]
HERE = market(ROWS, open_interest=oi([50, 60, 70, 80]))
CHOSEN: dict[str, Any] = {"model": "decay", "half_life": "3d", "law": {10: 1, 33: 2}, "entries": "extremes",
                          "position_notional": 2e4, "same_bar_share": 0.3}  # fmt: skip


@pytest.mark.parametrize("model", models.names())
def test_the_map_gives_its_assumptions_back_to_the_last_digit(model: str) -> None:
    rng = np.random.default_rng(1)
    law = dict(zip(rng.uniform(2, 100, 30).tolist(), rng.random(30).tolist(), strict=True))
    made = Assumptions(model, law=law, share_of_volume=1 / 3, entries="vwap", same_bar_share=0.1)
    heat = lq.heatmap(HERE, assumptions=made)
    again = Assumptions.of(heat)
    assert again == made and hash(again) == hash(made)
    np.testing.assert_array_equal(lq.heatmap(HERE, assumptions=again)["notional"], heat["notional"])
    assert Assumptions.of(lq.combine([HERE, market(ROWS, exchange="other")], assumptions=made)) == made


def test_one_map_of_a_stack_gives_its_own_back() -> None:
    maps = lq.model_heatmaps(HERE, law="retail")
    for model in models.names():
        assert Assumptions.of(maps.sel(model=model)) == Assumptions(model, law="retail")
    with pytest.raises(ValueError, match="its attribute 'provenance' is missing"):
        Assumptions.of(maps)


def calls(given: dict[str, Any]) -> dict[str, Any]:
    """What every function that assumes something makes of the same."""
    two = [HERE, market(ROWS, exchange="other")]
    short = lq.lookback_heatmaps(HERE, lookbacks=["15m"], start=HERE.candles.index[1], **given)
    return {
        "heatmap": lq.heatmap(HERE, **given)["notional"].to_dataframe(),
        "lookbacks": short["notional"].to_dataframe(),
        "combine": lq.combine(two, **given)["notional"].to_dataframe(),
        "levels": lq.levels(HERE, **given),
        "balance": lq.balance(HERE, **given),
        "by_leverage": lq.balance(HERE, by_leverage=True, **given),
        "expected": lq.expected_liquidations(HERE, **given),
        "explain": lq.explain(HERE, price=91.0, price_step=10, **given),
        "live": lq.live(HERE, **given).map()["notional"].to_dataframe(),
    }


def test_plain_keywords_and_assumptions_are_the_same_everywhere() -> None:
    given = {**CHOSEN, "entries": "spread"}
    plain, whole, usual = calls(given), calls({"assumptions": Assumptions(**given)}), calls({})
    for name, table in plain.items():
        assert len(table) and not table.equals(usual[name]), name
        pd.testing.assert_frame_equal(table, whole[name], check_exact=True, obj=name)


@pytest.mark.parametrize(
    "besides", [{"model": "volume"}, {"model": "decay"}, {"law": "measured"}, {"same_bar_share": 0.5}]
)
@pytest.mark.parametrize(
    "function", [lq.heatmap, lq.levels, lq.balance, lq.expected_liquidations, lq.live, lq.calibrate, lq.show]
)
def test_both_ways_at_once_are_refused(function: Any, besides: dict[str, Any]) -> None:
    words = (
        "give assumptions= or plain keywords, not both"
        if function is not lq.calibrate
        else "assumptions=|calibrate fits"
    )
    with pytest.raises(TypeError, match=words):
        function(HERE, assumptions=Assumptions("decay"), **besides)


def test_what_is_no_assumptions_is_refused() -> None:
    with pytest.raises(TypeError, match=r"must be Assumptions or a Calibration, got dict; lq\.Assumptions"):
        lq.heatmap(HERE, assumptions={"model": "decay"})


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"model": "crystal"}, ValueError, "no model is called 'crystal'; there are: decay, .*volume"),
        ({"half_life": "1d"}, TypeError, "model 'open_interest' has no option 'half_life'; it has share_of_volume, "),
        ({"entries": "close"}, ValueError, "entries must be one of spread, ordered, vwap, extremes, got 'close'"),
        ({"position_notional": 0}, ValueError, "position_notional must be > 0 quote, got 0; 10_000 is the default"),
        ({"same_bar_share": 1.1}, ValueError, r"same_bar_share is a share in \[0, 1\], got 1.1"),
        ({"law": "own"}, ValueError, "no law is called 'own'"),
    ],
)
def test_wrong_ones_are_refused_when_they_are_made(options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Assumptions(**options)


def test_they_are_frozen_compared_by_what_they_say_and_show_all_of_it() -> None:
    one = Assumptions(**CHOSEN)
    assert one == Assumptions(**CHOSEN) == one.replace() and one != one.replace(half_life="7d") and one != "decay"
    assert one.replace(model="volume", share_of_volume=0.2).options == {"share_of_volume": 0.2}
    assert one.replace(model="volume").law is one.law
    assert Assumptions(**one.keywords()) == one
    assert one.changed() == {name: one.keywords()[name] for name in CHOSEN if name != "model"}
    assert Assumptions().changed() == {}
    with pytest.raises(FrozenInstanceError):
        one.model = "volume"  # type: ignore[misc]
    assert {f.name for f in fields(one)} <= set(dir(one))
    for word in ("decay", "half_life='3d'", "law='own'", "entries='extremes'", "position_notional=20000.0"):
        assert word in repr(one)


def test_durations_and_numbers_of_libraries_become_plain() -> None:
    one = Assumptions("decay", half_life=pd.Timedelta("1D"), share_of_volume=np.float32(0.5))
    assert one == Assumptions("decay", half_life="1d", share_of_volume=0.5)
    assert Assumptions("decay", half_life=np.timedelta64(1, "D")).options["half_life"] == "1d"
