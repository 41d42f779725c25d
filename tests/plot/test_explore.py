"""The heatmap without a kernel: what its bytes hold, what its controls know. That they act is tested in a browser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import liqlab as lq
from liqlab.maps.stacking import heatmaps_of, stack_heatmaps
from liqlab.plot import explore_layers
from liqlab.plot.cells import cells
from liqlab.plot.explore_layers import PRECISION, decode, encode, pack, run_lengths

SPAN = {"start": "2024-05-01", "end": "2024-05-02", "by_leverage": True, "price_step": 50}
RANGE = (54_000.0, 66_000.0)


@pytest.fixture(scope="module")
def maps() -> xr.Dataset:
    return lq.model_heatmaps(lq.load_example("btc-2024-05"), ("open_interest", "volume"), **SPAN)


@pytest.fixture(scope="module")
def heats(maps: xr.Dataset) -> dict[str, xr.Dataset]:
    return heatmaps_of(maps, "model")


def unpacked(layers: Any) -> np.ndarray:
    """The plain twin of what the page does: (model, band, side, price, time) [quote]."""
    shape = (layers.frame.sizes["price"], layers.frame.sizes["time"])
    codes = [np.repeat(layers.runs[a:b:2], layers.runs[a + 1 : b : 2]).reshape(shape) for a, b in layers.spans]
    grid = np.array(codes).reshape(len(layers.models), len(layers.bands), 2, *shape)
    return np.array([decode(model, top) for model, top in zip(grid, layers.top, strict=True)])


def test_amounts_come_back_within_the_precision_that_the_hover_states() -> None:
    amounts = np.geomspace(1.01e-5, 1.0, 5_000)
    assert np.abs(decode(encode(amounts, 1.0), 1.0) / amounts - 1).max() <= PRECISION * (1 + 1e-9)
    assert 0.022 < PRECISION < 0.024
    assert encode(np.array([0.0, 9e-6]), 1.0).tolist() == [0, 0]


def test_runs_hold_every_cell() -> None:
    rng = np.random.default_rng(0)
    for codes in (
        np.repeat(rng.integers(0, 4, 300), rng.integers(1, 700, 300)).astype(np.uint8),
        np.zeros(1, np.uint8),
    ):
        runs = run_lengths(codes)
        assert np.array_equal(np.repeat(runs[::2], runs[1::2]), codes)


def test_layers_are_the_heat_by_model_leverage_and_side(heats: dict[str, Any]) -> None:
    layers = pack(heats, RANGE)
    found = unpacked(layers)
    assert layers.models == ["open_interest", "volume"] and len(layers.bands) == 6
    for k, heat in enumerate(heats.values()):
        for side, name in enumerate(("longs", "shorts")):
            whole = cells(heat, RANGE)[name].transpose("price", "time").to_numpy()
            # sums of rounded parts are as precise as the parts, but for parts too small to be told
            lost = 6 * layers.top[k] * 10**-explore_layers.DECADES
            assert np.all(np.abs(found[k, :, side].sum(axis=0) - whole) <= PRECISION * whole * 1.0001 + lost)
    some = heats["open_interest"].sel(leverage=[10.0, 20.0])
    band = cells(some, RANGE)["longs"].transpose("price", "time").to_numpy()
    assert np.allclose(found[0, layers.bands.index("7.1–22x"), 0], band, rtol=PRECISION * 1.001, atol=lost)


def test_a_heat_without_leverage_has_one_class(heats: dict[str, Any]) -> None:
    whole = heats["volume"].sum("leverage", keep_attrs=True)
    assert explore_layers.classes(whole) == {"all": None}
    few = heats["volume"].isel(leverage=slice(0, 3))
    assert list(explore_layers.classes(few)) == ["1.6–2.4x", "2.4–3.9x", "3.9–7.1x"]
    bands = explore_layers.classes(heats["volume"])
    assert sorted(x for band in bands.values() for x in band) == heats["volume"]["leverage"].to_numpy().tolist()


def test_bins_are_summed_until_the_bytes_suit_a_page(heats: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    fine = pack(heats, RANGE)
    monkeypatch.setattr(explore_layers, "MAX_BYTES", fine.runs.size // 2)
    coarse = pack(heats, RANGE)
    assert coarse.runs.size <= fine.runs.size // 2 and coarse.frame.sizes["price"] < fine.frame.sizes["price"]


def test_what_is_no_dataset_is_refused(heats: dict[str, xr.Dataset]) -> None:
    with pytest.raises(TypeError, match=r"heats must be a heatmap, .*got dict; lq\.heatmap"):
        lq.plot.explore(heats)


def test_a_choice_of_lookbacks(heats: dict[str, xr.Dataset]) -> None:
    import holoviews as hv
    from bokeh.models import Select

    both = stack_heatmaps({"24h": heats["volume"], "7d": heats["open_interest"]}, "lookback")
    root = hv.render(lq.plot.explore(both), backend="bokeh")
    choice = root.select_one({"type": Select})
    assert (choice.title, choice.options) == ("lookback", ["24h", "7d"])


def test_figure_has_its_controls_and_its_words(maps: xr.Dataset, recwarn: pytest.WarningsRecorder) -> None:
    import holoviews as hv
    from bokeh.models import BoxSelectTool, CheckboxGroup, HoverTool, Image, RadioButtonGroup, Select, Slider

    shown = lq.plot.explore(maps, lq.load_example("btc-2024-05"))
    root = hv.render(shown, backend="bokeh")
    for kind, number in ((Select, 1), (RadioButtonGroup, 1), (CheckboxGroup, 1), (Slider, 2), (BoxSelectTool, 1)):
        assert len(list(root.select({"type": kind}))) == number
    (cells,) = [r for r in root.select_one({"name": "explore-main"}).renderers if isinstance(r.glyph, Image)]
    picture = cells.data_source.data["image"][0]
    assert picture.dtype == np.uint8 and picture.min() == 0 and picture.max() == 255
    assert "Estimated" in root.select_one({"name": "explore-main"}).title.text
    lines = [line for tool in root.select({"type": HoverTool}) for line in tool.tooltips or []]
    assert ("rounded", "within 2.3%") in lines
    again = hv.render(shown, backend="bokeh")  # models belong to one document: a second rendering has its own
    assert not {m.id for m in root.references()} & {m.id for m in again.references()}


def test_one_plain_heat_has_no_choice_of_model_or_leverage(heats: dict[str, Any]) -> None:
    import holoviews as hv
    from bokeh.models import CheckboxGroup, Select

    root = hv.render(lq.plot.explore(heats["volume"].sum("leverage", keep_attrs=True)), backend="bokeh")
    assert not list(root.select({"type": Select})) and not list(root.select({"type": CheckboxGroup}))
