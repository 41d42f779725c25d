"""What a map says of itself: written once, read once, and words that are only for people."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import xarray as xr

import liqlab as lq
from liqlab import models
from liqlab.market import OpenInterestUse, Provenance, TakerUse, TierUse, TouchUse
from liqlab.models import Bars, Flow
from tests.markets import market, oi

ROWS = [(100, 101, 99, 100, 10), (100, 102, 100, 101, 20), (101, 103, 95, 99, 30), (99, 100, 98, 99, 30)]
PROXY = {"open_interest": {"kind": "proxy", "exchange": "bybit"}}


@pytest.mark.parametrize("name", models.names())
def test_every_model_tells_whose_open_interest_and_taker_share_it_takes(name: str) -> None:
    used = Provenance.of(lq.heatmap(market(ROWS, open_interest=oi([5, 6, 7, 8])), name))
    assert isinstance(used.open_interest, OpenInterestUse) and isinstance(used.taker, TakerUse)


@pytest.mark.parametrize(
    ("given", "options", "use"),
    [
        ({"open_interest": oi([5, 6, 7, 8])}, {}, OpenInterestUse("own")),
        ({"open_interest": oi([5, 6, 7, 8])}, {"open_interest_scale": 2}, OpenInterestUse("own", scale=2.0)),
        ({"open_interest": oi([5, 6, 7, 8]), "sources": PROXY}, {}, OpenInterestUse("proxy", "bybit")),
        ({}, {"days_of_volume": 2}, OpenInterestUse("assumed", days_of_volume=2.0)),
    ],
)
def test_whose_open_interest_it_is(given: Any, options: Any, use: OpenInterestUse) -> None:
    heat = lq.heatmap(market(ROWS, **given), **options)
    assert Provenance.of(heat).open_interest == use
    assert heat.attrs["open_interest"] == str(use)


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (OpenInterestUse("own"), "own"),
        (OpenInterestUse("own", scale=2.0, assumed_bars=3), "own × 2, assumed before its first stamp (3 bars)"),
        (OpenInterestUse("proxy", "bybit", 0.5), "proxy: bybit × 0.5"),
        (OpenInterestUse("proxy", "bybit", 2.7, scale_range=(2.3, 3.0), sides="both → one"),
         "proxy: bybit × 2.7 (2.3 … 3), sides: both → one"),
        (OpenInterestUse("proxy"), "proxy: another venue × 1"),
        (OpenInterestUse("assumed", days_of_volume=0.3), "none (assumed: 0.3 days of the mean volume so far)"),
        (OpenInterestUse("not used", reason="levels fade"), "not used: levels fade"),
        (TakerUse("none", 4, 4), "none (half of all openings are longs)"),
        (TakerUse("candle", 4), "of the candle"),
        (TakerUse("coarser", 4, 1), "of the last completed coarser bar, half where unknown (1 of 4 bars)"),
        (TierUse("bybit", ("2024-01-01", "2024-05-01"), ("old",)), "bybit as of 2024-01-01, 2024-05-01 (old)"),
        (TouchUse(4), "last price"),
        (TouchUse(4, 3), "mark price in 3 of 4 candles, else last price"),
        (TouchUse(4, path_bars=2), "last price, order inside 2 of 4 candles from a finer path"),
    ],
)  # fmt: skip
def test_records_in_words(use: Any, words: str) -> None:
    assert str(use) == words


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="kind must be one of own, proxy, assumed, not used, got 'mine'"):
        OpenInterestUse("mine")
    with pytest.raises(ValueError, match="kind must be one of candle, coarser, none, got ''"):
        TakerUse("")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """The very record, also from a file."""
    here = market(ROWS, open_interest=oi([5, 6, 7, 8]), sources=PROXY)
    heat = lq.heatmap(here, "decay", lookback="1h", law={5: 1, 25: 3})
    made = Provenance.of(heat)
    assert (made.symbol, made.model, made.law, made.lookback, made.time_step) == (
        here.symbol,
        "decay",
        "own",
        "1h",
        "15m",
    )
    assert made.sources == PROXY and made.parameters == json.loads(heat.attrs["parameters"]) and made.venues == ()
    assert made.attrs() == {name: text for name, text in heat.attrs.items() if name != "lookback_held"}
    heat.to_netcdf(tmp_path / "heat.nc", engine="scipy")
    assert Provenance.of(xr.open_dataset(tmp_path / "heat.nc", engine="scipy")).attrs() == made.attrs()


def test_a_sum_keeps_the_record_of_each() -> None:
    here, there = market(ROWS, open_interest=oi([5, 6, 7, 8])), replace(market(ROWS), exchange="elsewhere")
    both = lq.combine([here, there])
    made = Provenance.of(both)
    assert [one.open_interest.kind for one in made.venues] == ["own", "assumed"]
    assert both.attrs["open_interest"] == "own + none (assumed: 0.3 days of the mean volume so far)"
    assert both.attrs["taker"] == "none (half of all openings are longs)"
    assert both.attrs["exchange"] == made.exchange == "venue + elsewhere"
    assert Provenance.of(lq.heatmap(here)).each[0].open_interest.kind == "own"


def test_a_dataset_without_a_record_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"its attribute 'provenance' is missing.*assign_attrs"):
        Provenance.of(xr.Dataset())


def forgetful(bars: Bars) -> Flow:
    """Does not tell whose open interest it takes."""
    n = len(bars)
    return Flow(np.ones((2, n)), np.full(n, np.nan))


def talkative(bars: Bars) -> Flow:
    """Tells it in prose."""
    n = len(bars)
    return Flow(np.ones((2, n)), np.full(n, np.nan), "mine", "half")


@pytest.mark.parametrize(
    ("wrong", "words"), [(forgetful, "open_interest_use"), (talkative, "tells whose open interest")]
)
def test_a_model_that_does_not_tell_is_refused(wrong: Any, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(f"liqlab.models.{wrong.__name__}")
    setattr(module, wrong.__name__, wrong)
    monkeypatch.setitem(__import__("sys").modules, module.__name__, module)
    monkeypatch.setattr("liqlab.models._discovery.names", lambda: [wrong.__name__])
    with pytest.raises(TypeError, match=words):
        lq.heatmap(market(ROWS), wrong.__name__)


def test_a_map_chosen_from_a_stack_has_its_own_record() -> None:
    maps = lq.model_heatmaps(lq.load_example("btc-2024-05"), ["open_interest", "volume"], start="2024-05-01",
                             end="2024-05-02")  # fmt: skip
    for name, kind in (("open_interest", "proxy"), ("volume", "not used")):
        record = Provenance.of(maps.sel(model=name))
        assert (record.model, record.open_interest.kind) == (name, kind)
    with pytest.raises(ValueError, match="does not say what it was made from"):
        Provenance.of(maps)
