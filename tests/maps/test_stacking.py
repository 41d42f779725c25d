"""Several maps in one Dataset: each comes out as it went in, with what belongs to it and nothing of the others."""

from __future__ import annotations

import pytest
import xarray as xr

import liqlab as lq
from liqlab.maps.stacking import heatmaps_of, own_attrs, stack_heatmaps

SPAN = {"start": "2024-05-01", "end": "2024-05-02"}


@pytest.fixture(scope="module")
def market() -> lq.Market:
    return lq.load_example("btc-2024-05")


@pytest.fixture(scope="module")
def maps(market: lq.Market) -> xr.Dataset:
    return lq.model_heatmaps(market, **SPAN)


def test_each_model_comes_out_as_if_it_had_been_made_alone(market: lq.Market, maps: xr.Dataset) -> None:
    assert maps["model"].to_numpy().tolist() == lq.models.names()
    assert maps["close"].dims == ("time",)  # alike in all, kept once
    for name, heat in heatmaps_of(maps, "model").items():
        alone = lq.heatmap(market, name, **SPAN)
        assert heat.equals(alone)
        assert {k: v for k, v in heat.attrs.items() if v != ""} == {k: v for k, v in alone.attrs.items() if v != ""}


def test_a_map_taken_out_with_sel_says_what_it_is(market: lq.Market, maps: xr.Dataset) -> None:
    """The words of the picture and the tables are those of the map, whichever way it was taken out."""
    one = maps.sel(model="volume")
    assert lq.liquidation_map(one).attrs["open_interest"].startswith("not used")
    assert lq.clusters(one).attrs["model"] == "volume"
    windows = lq.lookback_heatmaps(market, lookbacks=["12h", "3d"], **SPAN)
    assert own_attrs(windows.sel(lookback="3d")).attrs["lookback"] == "3d"
    assert own_attrs(windows.isel(lookback=0)).attrs["lookback"] == "12h"


def test_a_moment_keeps_the_dimension(maps: xr.Dataset) -> None:
    snap = lq.liquidation_map(maps, "2024-05-01 12:00")
    assert snap["notional"].dims == ("model", "price", "side")
    assert snap["notional"].sel(model="decay").equals(maps["notional"].sel(model="decay").isel(time=47))


def test_maps_on_other_cells_and_names_that_cannot_be_told_apart_are_refused(market: lq.Market) -> None:
    heat = lq.heatmap(market, **SPAN)
    with pytest.raises(ValueError, match=r"time of 'later' is not that of 'all'"):
        stack_heatmaps({"all": heat, "later": heat.isel(time=slice(4, None))}, "model")
    with pytest.raises(ValueError, match=r"models: name one or more, each once, .* got \[\]"):
        lq.model_heatmaps(market, [])
    with pytest.raises(ValueError, match="lookbacks: name one or more, each once"):
        lq.lookback_heatmaps(market, lookbacks=["24h", "24h"])
