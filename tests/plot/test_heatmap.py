"""Pictures say what the tables say: checked on HoloViews elements, not on pixels."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import holoviews as hv
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

import liqlab as lq
from liqlab import models

START, END = "2024-05-01", "2024-05-02"
BAR = pd.Timedelta("15min")
RANGE = (55_000.0, 62_000.0)


@pytest.fixture(scope="module")
def market() -> lq.Market:
    return lq.load_example("btc-2024-05")


@pytest.fixture(scope="module")
def heat(market: lq.Market) -> xr.Dataset:
    return lq.heatmap(market, start=START, end=END, price_step=25.0)


@pytest.fixture(scope="module", params=models.names())
def each_heat(request: pytest.FixtureRequest, market: lq.Market) -> xr.Dataset:
    return lq.heatmap(market, request.param, start=START, end=END)


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What HoloViews and Bokeh log while they draw: they warn there and not through `warnings`."""
    lines: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    listener, names = Listener(logging.WARNING), ("param", "param.main", "bokeh", "holoviews")
    for name in names:
        logging.getLogger(name).addHandler(listener)
    yield lines
    for name in names:
        logging.getLogger(name).removeHandler(listener)


def parts(picture: Any, kind: type) -> list[Any]:
    """All elements of a kind in a picture, in the order in which they are drawn."""
    found: list[Any] = []
    picture.traverse(lambda element: found.append(element), [kind])
    return found


def image_of(picture: Any) -> hv.Image:
    (image,) = parts(picture, hv.Image)
    return image


def span(image: hv.Image) -> tuple[pd.Timestamp, pd.Timestamp]:
    """First and last moment that an image covers; HoloViews keeps them to some microseconds."""
    left, _, right, _ = image.bounds.lbrt()
    return pd.Timestamp(left, tz="UTC").round("s"), pd.Timestamp(right, tz="UTC").round("s")


def utc(moment: str) -> pd.Timestamp:
    return pd.Timestamp(moment, tz="UTC")


def option(element: Any, name: str, group: str = "plot") -> Any:
    return hv.Store.lookup_options("bokeh", element, group).kwargs.get(name)


def main_of(picture: Any) -> hv.Overlay:
    return next(part for part in parts(picture, hv.Overlay) if parts(part, hv.Image))


# --- the heatmap ------------------------------------------------------------------------------------------------------


def test_image_holds_the_map(heat: xr.Dataset) -> None:
    """Colour is longs + shorts; the hover has each; a cell spans its column from open to close."""
    image = image_of(lq.plot.heatmap(heat, ylim=RANGE))
    shown = heat["notional"].sel(price=slice(*RANGE))
    assert [d.name for d in image.vdims] == ["estimated", "longs", "shorts"]
    for name, expected in (("estimated", shown.sum("side")), ("longs", shown.sel(side="long")),
                           ("shorts", shown.sel(side="short"))):  # fmt: skip
        values = np.nan_to_num(image.dimension_values(name, flat=False))  # (price, time); nothing is drawn where is 0
        np.testing.assert_allclose(values, expected.transpose("price", "time").to_numpy(), rtol=1e-6)
    _, bottom, _, top = image.bounds.lbrt()
    assert span(image) == (utc(START), utc(END))
    edges = heat["price_edge"].sel(price_edge=slice(*RANGE)).to_numpy()
    assert (bottom, top) == (pytest.approx(edges[0]), pytest.approx(edges[-1]))


def test_bins_are_summed_to_what_a_screen_can_show(heat: xr.Dataset) -> None:
    """No level is lost: 2,500 bins become at most 400, and every column keeps its sum."""
    low, high = heat["price_edge"].to_numpy()[[0, -1]]
    image = image_of(lq.plot.heatmap(heat, ylim=(low, high)))
    values = np.nan_to_num(image.dimension_values("estimated", flat=False))
    whole = heat["notional"].sum(["price", "side"]).to_numpy()
    assert values.shape[0] <= 400 < heat.sizes["price"]
    group = -(-heat.sizes["price"] // 400)
    rest = heat.sizes["price"] % group  # at the very end of the bins there may be no whole group left
    kept = heat["notional"].isel(price=slice(0, heat.sizes["price"] - rest)).sum(["price", "side"]).to_numpy()
    np.testing.assert_allclose(values.sum(axis=0), kept, rtol=1e-5)
    assert kept.sum() > 0.99 * whole.sum()
    narrow = image_of(lq.plot.heatmap(heat, ylim=(50_000.0, 50_000.0 + 25 * 401)))
    assert narrow.bounds.lbrt()[3] >= 50_000.0 + 25 * 401  # rather a bin more than one less


def test_candles_hold_the_data_and_lie_over_the_image(heat: xr.Dataset) -> None:
    """Wicks span low to high at the middle of the column; bodies open and close, risen and fallen apart."""
    main = main_of(lq.plot.heatmap(heat))
    assert [type(part) for part in main] == [hv.Image, hv.Segments, hv.Rectangles, hv.Rectangles]
    (wicks,), bodies = parts(main, hv.Segments), parts(main, hv.Rectangles)
    table = wicks.dframe()
    opens = heat["time"].to_numpy()
    assert (table["time"].to_numpy() == opens + np.timedelta64(450, "s")).all()
    assert np.array_equal(table["price"], heat["low"]) and np.array_equal(table["price1"], heat["high"])
    up = (heat["close"] >= heat["open"]).to_numpy()
    for body, on, (below, above) in zip(bodies, (up, ~up), (("open", "close"), ("close", "open")), strict=True):
        table = body.dframe()
        assert np.array_equal(table["price"], heat[below].to_numpy()[on])
        assert np.array_equal(table["price1"], heat[above].to_numpy()[on])
        assert (table["time"].to_numpy() > opens[on]).all()
        assert (table["time1"].to_numpy() < opens[on] + np.timedelta64(900, "s")).all()


@pytest.mark.parametrize(("scale", "name"), [*lq.plot.SCALES.items(), ("cividis", "cividis")])
def test_the_four_scales_are_there_by_name_and_matplotlibs(heat: xr.Dataset, scale: str, name: str) -> None:
    """The upper end is that of the colour map; a cell in which nothing stands has a colour that no amount has."""
    image = image_of(lq.plot.heatmap(heat, cmap=scale, strip=False, profile=False))
    shades = option(image, "cmap", "style")
    assert shades[-1] == mpl.colors.to_hex(mpl.colormaps[name](1.0))
    assert len(shades) == 256 and option(image, "bgcolor") == "#0a0a0a" not in shades


def test_logarithmic_colours_begin_low_and_say_what_lies_below(each_heat: xr.Dataset) -> None:
    """At most a hundredth of the notional, and at most a tenth of the brightest colour; the bar says how much it is."""
    image = image_of(lq.plot.heatmap(each_heat, logz=True))
    values = image.dimension_values("estimated")
    values = values[values > 0]
    low, high = image.vdims[0].range
    assert option(image, "cnorm") == "log" and high == pytest.approx(np.quantile(values, 0.999), rel=1e-5)
    assert low <= 0.1001 * high
    below = values[values < low].sum() / values.sum()
    assert below <= 0.0101
    assert option(image, "clabel").splitlines()[1] == f"below: {100 * below:.1f} % of the notional"


def test_linear_colours_begin_at_nothing(heat: xr.Dataset) -> None:
    image = image_of(lq.plot.heatmap(heat, logz=False))
    assert image.vdims[0].range[0] == 0 and option(image, "cnorm") == "linear"
    assert len(option(image, "clabel").splitlines()) == 1  # nothing lies below


def test_colours_by_rank_span_all_amounts(heat: xr.Dataset, said: list[str], tmp_path: Path) -> None:
    from bokeh.models import EqHistColorMapper

    picture = lq.plot.heatmap(heat, cnorm="eq_hist", strip=False, profile=False)
    values = image_of(picture).dimension_values("estimated")
    mapper = hv.render(picture, backend="bokeh").select_one({"type": EqHistColorMapper})
    assert (mapper.low, mapper.high) == pytest.approx((np.nanmin(values), np.nanmax(values)), rel=1e-5)
    assert said == []
    assert lq.plot.png(heat, tmp_path / "ranks.png", cnorm="eq_hist").stat().st_size > 5_000


def test_threshold_hides_dimmer_cells_and_no_others(heat: xr.Dataset) -> None:
    values = image_of(lq.plot.heatmap(heat)).dimension_values("estimated", flat=False)
    image = image_of(lq.plot.heatmap(heat, threshold=0.8))
    values = np.nan_to_num(values)
    left = image.dimension_values("estimated", flat=False)
    bright = values >= 0.8 * image.vdims[0].range[1]
    hidden = 100 * values[~bright].sum() / values.sum()
    assert option(image, "clabel").endswith(f"hidden: {hidden:.1f} % of the notional")
    assert 0 < bright.sum() < 0.5 * bright.size
    assert np.array_equal(np.isfinite(left), bright)
    assert np.array_equal(left[bright], values[bright])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cmap": "rainbow-blue"}, r"cmap must be one of purple-yellow, .*matplotlib's, got 'rainbow-blue'"),
        ({"cnorm": "sqrt"}, r"cnorm must be one of linear, log, eq_hist, got 'sqrt'"),
        ({"threshold": 1.0}, r"threshold is a share of the brightest colour in \[0, 1\), got 1\.0"),
        ({"threshold": -0.1}, r"threshold .*got -0\.1"),
        ({"ylim": (1.0, 2.0)}, r"ylim \(1, 2\) holds no bin; bins run from \d+ to \d+"),
        ({"at": "2024-04-30"}, r"no column had closed by 2024-04-30.*the first closes at 2024-05-01 00:15"),
    ],
)  # fmt: skip
def test_wrong_options_explain_themselves(heat: xr.Dataset, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lq.plot.heatmap(heat, **options)


def test_the_title_says_estimated_and_how(market: lq.Market, heat: xr.Dataset) -> None:
    """Whose market, which model and law, which positions, whose open interest: in every picture."""
    words = option(main_of(lq.plot.heatmap(heat)), "title")
    for word in ("Estimated", "BTC/USDT:USDT", "binanceusdm", "15m", "model open_interest", "law fitted 2026-11",
                 "all positions", "OI proxy bybit"):  # fmt: skip
        assert word in words
    other = lq.heatmap(market, "volume", start=START, end=END, lookback="24h", law={10: 1})
    words = option(main_of(lq.plot.heatmap(other, title="A day")), "title")
    for word in ("A day", "model volume", "law own", "opened within 1d", "OI not used"):
        assert word in words
    assert "estimated" in option(image_of(lq.plot.heatmap(other)), "clabel")


def test_the_moment_asked_for_is_marked_and_mapped(heat: xr.Dataset) -> None:
    """A dashed line at the moment; the profile is that of the last column closed by then."""
    picture = lq.plot.heatmap(heat, at="2024-05-01 07:05")
    (line,) = parts(picture, hv.VLine)
    assert pd.Timestamp(line.data) == pd.Timestamp("2024-05-01 07:05")
    assert "01 May 2024 07:00" in option(profile_of(picture), "title")
    assert not parts(lq.plot.heatmap(heat), hv.VLine)


def test_plain_hvplot_draws_the_dataset(heat: xr.Dataset, said: list[str]) -> None:
    """As the README has it, no function of ours; logarithmic colours need a lower limit, since most cells are empty."""
    import hvplot.xarray  # noqa: F401  (registers .hvplot)

    assert parts(heat.notional.sum("side").hvplot.image(x="time", y="price", logz=True), hv.Image)
    picture = heat.notional.sum("side").hvplot.image(x="time", y="price", logz=True, clim=(1e5, 1e7))
    (image,) = parts(picture, hv.Image)
    values = image.dimension_values(2, flat=False)
    np.testing.assert_allclose(values, heat["notional"].sum("side").transpose("price", "time").to_numpy())
    assert option(image, "logz") is True
    hv.render(picture, backend="bokeh")
    assert said == []


# --- the map of one moment --------------------------------------------------------------------------------------------


def profile_of(picture: Any) -> hv.Overlay:
    return next(part for part in parts(picture, hv.Overlay) if "map at its close" in (option(part, "title") or ""))


def sums(overlay: Any) -> dict[str, float]:
    """Drawn notional by side; every bar is a bin wide and begins at 0."""
    found = {}
    for bars in parts(overlay, hv.Rectangles):
        table = bars.dframe()
        assert (table["zero"] == 0).all()
        np.testing.assert_allclose(table["top"] - table["price"], 25.0)
        found[bars.label] = float(table["amount"].sum())
    return found


@pytest.mark.parametrize("at", [None, "2024-05-01 07:00"])
def test_profile_sums_equal_the_map(heat: xr.Dataset, at: Any) -> None:
    snap = lq.liquidation_map(heat, at=at)["notional"].sel(price=slice(*RANGE))
    expected = {f"{side}s": pytest.approx(float(snap.sel(side=side).sum())) for side in ("long", "short")}
    assert sums(profile_of(lq.plot.heatmap(heat, at=at, ylim=RANGE))) == expected
    assert sums(lq.plot.liquidation_map(heat, at=at, ylim=RANGE)) == expected


def test_a_map_on_its_own_names_itself_and_marks_prices(heat: xr.Dataset) -> None:
    alone = lq.plot.liquidation_map(heat, at="2024-05-01 07:00", marks=[57_000, 58_000])
    first, *legend = option(alone, "title").splitlines()
    assert first == "Estimated liquidation map, 01 May 2024 07:00 UTC"
    assert {"model open_interest", "law fitted 2026-11"} <= set(legend)
    assert [line.data for line in parts(alone, hv.HLine)] == [57_000, 58_000]
    bars = parts(alone, hv.Rectangles)[0].dframe()
    assert option(alone, "xlabel") == f"estimated [USDT per {(bars['top'] - bars['price']).iloc[0]:g} USDT]"


def test_profile_and_heatmap_share_the_price_axis(heat: xr.Dataset) -> None:
    """Both drawn figures hold the very same range object: zooming one zooms the other."""
    grid = hv.render(lq.plot.heatmap(heat), backend="bokeh")
    figures = {(row, column): figure for figure, row, column in grid.children}
    assert figures[0, 0].y_range is figures[0, 1].y_range
    assert figures[0, 0].x_range is figures[1, 0].x_range  # and the strip the time
    assert figures[1, 1].y_range is not figures[0, 0].y_range  # the coverage has an axis of its own


# --- strip and coverage -----------------------------------------------------------------------------------------------


def strip_of(picture: Any) -> hv.Curve:
    (strip,) = parts(picture, hv.Curve)
    return strip


def test_the_strip_is_the_open_interest_and_names_its_lender(market: lq.Market, heat: xr.Dataset) -> None:
    strip = strip_of(lq.plot.heatmap(heat, market))
    table = market.open_interest
    assert table is not None
    expected = table[utc(START) : utc(END)]
    assert np.array_equal(strip.dimension_values("open_interest"), expected["open_interest"])
    assert np.array_equal(strip.dimension_values("time"), expected.index.tz_localize(None).to_numpy())
    assert option(strip, "ylabel") == "OI (bybit) [BTC]"


def test_without_open_interest_the_strip_is_the_volume(heat: xr.Dataset) -> None:
    strip = strip_of(lq.plot.heatmap(heat))
    assert np.array_equal(strip.dimension_values("volume"), heat["volume"])
    assert option(strip, "ylabel") == "volume [BTC]"


def test_coverage_is_the_attributed_share(heat: xr.Dataset) -> None:
    snap = lq.liquidation_map(heat)
    share = (snap["attributed_oi"] / (snap["attributed_oi"] + snap["unattributed_oi"])).to_numpy()
    picture = lq.plot.heatmap(heat)
    corner = next(p for p in parts(picture, hv.Overlay) if (option(p, "title") or "").startswith("coverage"))
    drawn = [float(bar.dframe()["y1"].iloc[0]) for bar in parts(corner, hv.Rectangles)]
    assert drawn == pytest.approx(list(share))
    assert option(corner, "xticks") == [(0, f"L {share[0]:.0%}"), (1, f"S {share[1]:.0%}")]


@pytest.mark.parametrize(
    ("options", "elements"),
    [({"strip": False}, 2), ({"profile": False}, 2), ({}, 4), ({"strip": False, "profile": False}, 0)],
)
def test_parts_can_be_left_out(heat: xr.Dataset, options: dict[str, bool], elements: int) -> None:
    """Without strip and profile the picture is a plain overlay that composes with others."""
    picture = lq.plot.heatmap(heat, **options)
    if elements:
        assert isinstance(picture, hv.Layout) and len(picture) == elements
    else:
        assert isinstance(picture * hv.HLine(57_000), hv.Overlay)


# --- odd maps ---------------------------------------------------------------------------------------------------------


def odd(heat: xr.Dataset, how: str) -> xr.Dataset:
    if how == "one column":
        return heat.isel(time=[5])
    if how == "hole in time":
        return heat.isel(time=[0, 1, 2, 8, 9, 30])
    if how == "nothing stands":
        return heat.assign(notional=0.0 * heat["notional"])
    if how == "one cell":
        return heat.assign(notional=heat["notional"].where(heat["notional"] == heat["notional"].max(), 0.0))
    return heat


ODD = ["one column", "hole in time", "nothing stands", "one cell"]


@pytest.mark.parametrize("how", ODD)
def test_odd_maps_are_drawn_without_a_word(heat: xr.Dataset, how: str, said: list[str], tmp_path: Path) -> None:
    map_ = odd(heat, how)
    hv.render(lq.plot.heatmap(map_), backend="bokeh")
    assert said == []
    assert lq.plot.png(map_, tmp_path / "odd.png").stat().st_size > 5_000


def test_one_bin_is_drawn(heat: xr.Dataset, said: list[str]) -> None:
    picture = lq.plot.heatmap(heat, ylim=(57_000.0, 57_025.0))
    hv.render(picture, backend="bokeh")
    assert said == []


def test_a_hole_in_time_is_shown_as_a_hole(heat: xr.Dataset) -> None:
    """Nothing is stretched over columns that are missing."""
    values = image_of(lq.plot.heatmap(odd(heat, "hole in time"))).dimension_values("estimated", flat=False)
    assert values.shape[1] == 31
    assert np.flatnonzero(np.isfinite(values).any(axis=0)).tolist() == [0, 1, 2, 8, 9, 30]


def hatched(picture: Any) -> list[tuple[Any, ...]]:
    """Boxes of what there are no data of, with times as numbers of columns since the start."""
    boxes = [box for box in parts(picture, hv.Rectangles) if box.group == "no data"]
    rows = [row for box in boxes for row in box.dframe().itertuples(index=False)]
    start = pd.Timestamp(START)
    return [((a - start) / BAR, low, (b - start) / BAR, high) for a, low, b, high in rows]


def test_a_gap_in_the_data_does_not_look_like_an_empty_map(heat: xr.Dataset) -> None:
    """Missing columns are hatched from edge to edge, prices beyond the map's bins too; a whole map has no such box."""
    assert hatched(lq.plot.heatmap(heat, ylim=RANGE)) == []
    hole = lq.plot.heatmap(odd(heat, "hole in time"), ylim=RANGE)
    assert hatched(hole) == [(3, RANGE[0], 8, RANGE[1]), (10, RANGE[0], 30, RANGE[1])]
    bottom = float(heat["price_edge"][0])
    beyond = lq.plot.heatmap(heat, ylim=(bottom - 5_000, 62_000), strip=False, profile=False)
    ((left, low, right, high),) = hatched(beyond)
    assert (left, low, right) == (0, bottom - 5_000, 96) and high == pytest.approx(bottom, abs=200)
    glyphs = [renderer.glyph for renderer in hv.render(beyond, backend="bokeh").renderers]
    assert [getattr(glyph, "hatch_pattern", None) for glyph in glyphs].count("right_diagonal_line") == 1


def test_leverages_are_summed(market: lq.Market, heat: xr.Dataset) -> None:
    """A map by leverage draws the same picture."""
    apart = lq.heatmap(market, start=START, end=END, price_step=25.0, by_leverage=True)
    for one, other in zip(*(parts(lq.plot.heatmap(h), hv.Image) for h in (heat, apart)), strict=True):
        np.testing.assert_allclose(one.dimension_values("estimated"), other.dimension_values("estimated"), rtol=1e-5)
    assert sums(lq.plot.liquidation_map(apart)) == pytest.approx(sums(lq.plot.liquidation_map(heat)))


# --- drawn by Bokeh ---------------------------------------------------------------------------------------------------


def test_bokeh_draws_every_model_without_a_word(each_heat: xr.Dataset, market: lq.Market, said: list[str]) -> None:
    """No warning, as wide as its page, the hover in words: three lines of its own instead of the raw columns."""
    from bokeh.models import HoverTool

    grid = hv.render(lq.plot.heatmap(each_heat, market), backend="bokeh")
    hv.render(lq.plot.liquidation_map(each_heat), backend="bokeh")
    assert said == []
    assert grid.sizing_mode == "stretch_width" or grid.children[0][0].sizing_mode == "stretch_width"
    (hover,) = grid.children[0][0].select({"type": HoverTool})
    assert [name for name, _ in hover.tooltips] == ["time", "price", "longs", "shorts"]


@pytest.mark.parametrize("case", ["btc-2024-05", "tia-2023", "btc-2025-10"])
def test_show_draws_a_case_in_one_line(case: str, said: list[str]) -> None:
    """Its window, wider columns where there are too many, options sorted to where they belong."""
    picture = lq.show(case, cmap="black-yellow", lookback="7d")
    row = lq.examples().loc[case]
    image = image_of(picture)
    first, last = span(image)
    assert first == row["window_start"]
    assert last >= row["window_end"]
    assert image.dimension_values("estimated", flat=False).shape[1] <= 700
    assert option(image, "cmap", "style")[-1] == mpl.colors.to_hex(mpl.colormaps["inferno"](1.0))
    assert "opened within 7d" in option(main_of(picture), "title")
    assert said == []


def test_show_takes_a_market_and_names_a_wrong_option(market: lq.Market) -> None:
    assert span(image_of(lq.show(market))) == (market.end - pd.Timedelta("3D"), market.end)
    with pytest.raises(TypeError, match="has no option 'colour'"):
        lq.show(market, colour="red")


def test_levels_run_from_opening_to_touch(market: lq.Market) -> None:
    """A level that nobody touched runs to the end of the picture."""
    table = lq.levels(market, start="2024-05-01 06:00", end="2024-05-01 06:30")
    picture = lq.plot.levels(table, quote="USDT")
    longs, shorts = (part.dframe() for part in parts(picture, hv.Segments))
    for part, side in ((longs, "long"), (shorts, "short")):
        rows = table[table["side"] == side]
        assert np.array_equal(part["liquidation_price"], rows["liquidation_price"])
        assert np.array_equal(part["liquidation_price"], part["again"])
        touched = rows["touched_at"].notna().to_numpy()
        assert (part["until"].dt.tz_localize("UTC")[touched] == rows["touched_at"].to_numpy()[touched]).all()
        assert (part["until"][~touched] > part["opened_at"].max()).all()
    assert "Estimated" in option(picture, "title")


# --- PNG --------------------------------------------------------------------------------------------------------------


def test_png_is_written_without_a_browser(heat: xr.Dataset, tmp_path: Path) -> None:
    path = lq.plot.png(heat, tmp_path / "map.png", cmap="green-red", width=6.0, dpi=50, title="A day")
    assert path == tmp_path / "map.png"
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert mpl.image.imread(path).shape[1] == 300
    assert [file.name for file in tmp_path.iterdir()] == ["map.png"]
    with pytest.raises(ValueError, match="cmap must be one of"):
        lq.plot.png(heat, path, cmap="rainbow-blue")


@pytest.mark.parametrize(("name", "begins"), [("map.svg", b"<?xml"), ("map.PDF", b"%PDF-"), ("a.b.png", b"\x89PNG")])
def test_the_ending_of_the_name_says_what_is_written(
    heat: xr.Dataset, tmp_path: Path, name: str, begins: bytes
) -> None:
    assert lq.plot.png(heat, tmp_path / name, width=6.0, dpi=50).read_bytes().startswith(begins)


@pytest.mark.parametrize("name", ["map.jpg", "map", "map.html"])
def test_what_cannot_be_written_is_refused(heat: xr.Dataset, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=rf"written as .png, .svg or .pdf, got '{name}'"):
        lq.plot.png(heat, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_the_side_panel_of_a_file_has_the_cells_of_its_map(heat: xr.Dataset, tmp_path: Path) -> None:
    """The same unit stands at both, and the bars are as high as the cells."""
    text = lq.plot.png(heat, tmp_path / "map.svg", ylim=(52_000, 70_000), logz=True).read_text()
    assert "<!-- per 50 USDT] -->" in text and "estimated [USDT per 50 USDT]" in text
    assert "% of the notional" in text


def test_what_is_no_heatmap_is_told_what_is_wanted(market: lq.Market, tmp_path: Path) -> None:
    for draw in (lq.plot.heatmap, lq.plot.liquidation_map, lambda x: lq.plot.png(x, tmp_path / "a.png")):
        with pytest.raises(TypeError, match=r"heat must be a heatmap, one moment of it or a live map.*, got Market"):
            draw(market)


def test_a_failing_write_leaves_the_old_file(heat: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a picture never stands under the name: what was there stays, and nothing is left beside it."""
    path = tmp_path / "map.png"
    path.write_bytes(b"the old one")

    def fail(self: Figure, file: Path, **_: Any) -> None:
        Path(file).write_bytes(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="no space left"):
        lq.plot.png(heat, path)
    assert path.read_bytes() == b"the old one"
    assert [file.name for file in tmp_path.iterdir()] == ["map.png"]
