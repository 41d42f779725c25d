"""What is saved is whole, is what was drawn or computed, and loads again; what cannot be saved is said."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import holoviews as hv
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import liqlab as lq
from liqlab.market import Provenance

START, END = "2024-07-03", "2024-07-06"


@pytest.fixture(scope="module")
def market() -> lq.Market:
    return lq.load_example("btc-2024-07")


@pytest.fixture(scope="module")
def heat(market: lq.Market) -> xr.Dataset:
    return lq.heatmap(market, start=START, end=END, price_step=100.0)


@pytest.fixture(scope="module")
def seen(market: lq.Market) -> xr.Dataset:
    return lq.observed_heatmap(market, start=START, end=END)


@pytest.fixture(scope="module")
def maps(market: lq.Market) -> xr.Dataset:
    return lq.lookback_heatmaps(market, lookbacks=["12h", "24h"], start=START, end=END, price_step=100.0)


# --- data ---


@pytest.mark.parametrize("ending", ["nc", "parquet", "csv"])
@pytest.mark.parametrize("name", ["heat", "seen", "maps", "one of them", "moment", "leverages"])
def test_a_map_loads_as_it_was(name: str, ending: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    heat = request.getfixturevalue("heat")
    if name in ("heat", "seen", "maps"):
        one = request.getfixturevalue(name)
    elif name == "moment":
        one = lq.liquidation_map(heat)
    elif name == "leverages":
        one = lq.heatmap(request.getfixturevalue("market"), start=START, end=END, price_step=500.0, by_leverage=True)
    else:
        one = request.getfixturevalue("maps").sel(lookback="24h")
    path = lq.save(one, tmp_path / f"map.{ending}")
    back = lq.load_saved(path)
    assert isinstance(back, xr.Dataset)
    assert back.identical(one)
    if name == "heat":
        assert lq.clusters(back).equals(lq.clusters(one))
        assert Provenance.of(back).law == Provenance.of(one).law
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def tables(market: lq.Market, heat: xr.Dataset) -> dict[str, pd.DataFrame]:
    odd = pd.DataFrame(
        {"none": [None, "", "NA"], "text": ["", "NA", 'a,"b"'], "number": [np.nan, np.inf, 0.1 + 0.2],
         "whole": [1, 2, 2**62], "yes": [True, False, True],
         "moment": pd.to_datetime(["2024-01-01 00:00:00.123456789", None, "2024-01-02"], format="ISO8601"),
         "span": pd.to_timedelta(["1h", "-3ns", None])},
        index=pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["x", None]),
    )  # fmt: skip
    odd.attrs = {
        "at": pd.Timestamp("2024-01-01", tz="UTC"),
        "span": pd.Timedelta("1h"),
        "pair": (1, 2.5),
        "of": {1: []},
    }
    return {
        "clusters": lq.clusters(heat, market=market),
        "max_pain": lq.max_pain(heat),
        "expected": lq.expected_liquidations(market),
        "balance": lq.balance(market),
        "examples": lq.examples(),
        "empty": lq.clusters(heat).iloc[:0],
        "odd": odd,
    }


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_tables_load_as_they_were(market: lq.Market, heat: xr.Dataset, ending: str, tmp_path: Path) -> None:
    for name, table in tables(market, heat).items():
        if (name, ending) == ("odd", "csv"):  # a column with both nothing and empty text
            with pytest.raises(ValueError, match=r"would not be read back as it is.*save it as \.parquet"):
                lq.save(table, tmp_path / "odd.csv")
            table = table.drop(columns="none")
        back = lq.load_saved(lq.save(table, tmp_path / f"{name}.{ending}"))
        pd.testing.assert_frame_equal(back, table, check_exact=True, check_freq=False)
        assert back.attrs == table.attrs


def test_others_read_the_files_too(heat: xr.Dataset, tmp_path: Path) -> None:
    """A CSV is a plain table of what stands, with one line of comment above it; a parquet needs nothing."""
    rows = pd.read_csv(lq.save(heat, tmp_path / "map.csv"), comment="#")
    assert list(rows) == ["time", "price", "side", "notional"]
    assert (rows["notional"] != 0).all()
    assert rows["notional"].sum() == pytest.approx(float(heat["notional"].sum()))
    assert pd.read_parquet(lq.save(heat, tmp_path / "map.parquet")).shape == rows.shape
    assert xr.load_dataset(lq.save(heat, tmp_path / "map.nc"), engine="scipy")["notional"].equals(heat["notional"])


def test_what_was_not_saved_here_is_not_loaded(heat: xr.Dataset, tmp_path: Path) -> None:
    own = pd.DataFrame({"a": [1]})
    own.to_csv(tmp_path / "own.csv")
    own.to_parquet(tmp_path / "own.parquet")
    own.to_xarray().to_netcdf(tmp_path / "own.nc", engine="scipy")
    for ending, words in (("csv", "a market with lq.read"), ("parquet", "a market with lq.read"), ("nc", "xarray")):
        with pytest.raises(
            ValueError, match=rf"own\.{ending} cannot be loaded: it was not written by lq\.save.*{words}"
        ):
            lq.load_saved(tmp_path / f"own.{ending}")
        (tmp_path / f"junk.{ending}").write_bytes(b"\x00junk")
        with pytest.raises(ValueError, match=rf"junk\.{ending} cannot be loaded"):
            lq.load_saved(tmp_path / f"junk.{ending}")
    saved = lq.save(heat, tmp_path / "map.csv")
    lines = saved.read_text().splitlines()
    time, _, *others = lines[2].split(",")
    lines[2] = ",".join([time, "1.5", *others])
    saved.write_text("\n".join(lines))
    with pytest.raises(ValueError, match="not on its own axes; it was changed"):
        lq.load_saved(saved)
    with pytest.raises(ValueError, match=r"market data are read with lq\.read"):
        lq.load_saved(tmp_path / "x.xlsx")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        lq.load_saved(tmp_path / "x.nc")


# --- pages ---


def asked_for(text: str) -> list[str]:
    """What the elements of a page ask for, each with the attribute that asks."""
    asked: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            asked.extend(f"{tag} {name}={value}" for name, value in attrs if name in ("src", "href", "srcset", "data"))

    Reader().feed(text)
    return asked


def test_figures_maps_and_markets_become_one_file(market: lq.Market, heat: xr.Dataset, tmp_path: Path) -> None:
    figure = lq.plot.cumulative(lq.cumulative(heat))
    zones = lq.clusters(heat)
    for name, path in {
        "figure": lq.save(figure, tmp_path / "figure.html"),
        "map": lq.save(heat, tmp_path / "map.html", market, zones=zones),
        "market": lq.save(market, tmp_path / "market.html"),
    }.items():
        text = path.read_text(encoding="utf-8")
        assert asked_for(text) == [], name
        assert 'name="generator" content="liqlab' in text
        assert ("What this was made from" in text) == (name != "figure")
        assert text.count("const docs_json = ") == 1
    assert market.sources["candles"]["sha256"] in (tmp_path / "market.html").read_text()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["figure.html", "map.html", "market.html"]


def test_text_of_a_market_is_text_on_its_page(market: lq.Market, heat: xr.Dataset, tmp_path: Path) -> None:
    odd = heat.assign_attrs(symbol="<script>alert(1)</script>$$x$$")
    text = lq.save(odd, tmp_path / "odd.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    figure = text[text.index("const docs_json = ") : text.index("<details>")]
    assert "alert(1)" in figure and "$$" not in figure


def test_a_figure_that_needs_a_kernel_is_refused(tmp_path: Path) -> None:
    hv.extension("bokeh")
    moving = hv.DynamicMap(lambda: hv.Curve([1, 2]))
    slider = hv.HoloMap({1: hv.Curve([1, 2]), 2: hv.Curve([2, 1])})
    for figure in (moving, slider):
        with pytest.raises(ValueError, match="needs a kernel, and a file has none"):
            lq.save(figure, tmp_path / "x.html")
    assert list(tmp_path.iterdir()) == []


# --- pictures ---


def test_pictures_with_all_layers_are_drawn_without_a_word(
    market: lq.Market, heat: xr.Dataset, seen: xr.Dataset, maps: xr.Dataset, tmp_path: Path
) -> None:
    own = {"side": "long", "entry_price": 58_000, "leverage": 20}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        all_of_it = lq.save(heat, tmp_path / "all.png", market, zones=lq.clusters(heat), positions=own, observed=seen,
                            at="2024-07-04 12:00", dpi=50)  # fmt: skip
        plain = lq.save(heat, tmp_path / "plain.png", candles=False, strip=False, profile=False, width=3.5, dpi=50)
        both = lq.save(maps, tmp_path / "both.svg", width=7)
        pair = lq.save([heat, seen], tmp_path / "pair.pdf")
        lq.save(heat, tmp_path / "narrow.png", width=5.5)
    assert mpl.image.imread(all_of_it).shape[0] > mpl.image.imread(plain).shape[0]
    text = both.read_text()
    assert text.count("<!-- Estimated liquidation heatmap -->") == 2
    assert "opened within 12h" in text and "opened within 24h" in text
    assert pair.read_bytes().startswith(b"%PDF-")


def test_a_picture_shows_what_the_page_shows(market: lq.Market, heat: xr.Dataset, tmp_path: Path) -> None:
    """The words of an SVG are those of the figure: title, units, strip, zones, positions, coverage."""
    zones = lq.clusters(heat)
    own = {"side": "long", "entry_price": 58_000, "leverage": 20}
    text = lq.save(heat, tmp_path / "map.svg", market, zones=zones, positions=own).read_text()
    words = set(re.findall(r"<!-- (.*?) -->", text))
    page = lq.plot.heatmap(heat, market, zones=zones, positions=own)
    labels = page.traverse(lambda part: part, [hv.Labels])
    assert labels
    for part in labels:
        assert {each.strip() for each in part.dimension_values("text")} <= {word.strip() for word in words}
    for part in page.traverse(lambda part: part, [hv.Text]):
        assert part.data[2].split("\n")[0].strip() in {word.strip() for word in words}
    assert {"OI [BTC]", "coverage", "longs", "shorts", "price [USDT]", "model open_interest"} <= words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 3}, r"width must be 5.5 to 60 inches for 1 panel\(s\) in a row, got 3; .*dpi=60"),
        ({"width": 5.4}, "width must be 5.5 to 60"),
        ({"width": 3.4, "profile": False}, "width must be 3.5 to 60"),
        ({"width": "10"}, "width must be a finite number, got the text"),
        ({"width": float("nan")}, "width must be a finite number, got nan"),
        ({"dpi": 0}, "dpi must be 10 to 1200"),
        ({"columns": 0}, "columns must be a whole number >= 1, got 0"),
    ],
)
def test_sizes_that_have_no_room_are_refused(
    heat: xr.Dataset, options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=words):
        lq.save(heat, tmp_path / "x.png", **options)
    assert list(tmp_path.iterdir()) == []


# --- places and refusals ---


def test_it_replaces_files_and_nothing_else(heat: xr.Dataset, tmp_path: Path) -> None:
    table = lq.clusters(heat)
    file, link, folder, pipe = (tmp_path / name for name in ("a.csv", "b.csv", "c.csv", "d.csv"))
    file.write_text("old")
    link.symlink_to(file)
    lq.save(table, link)
    assert link.is_symlink() and lq.load_saved(file).equals(table)
    folder.mkdir()
    os.mkfifo(pipe)
    for path, words in (
        (folder, "is a folder"),
        (pipe, "no file but a device"),
        (tmp_path / "no" / "x.csv", "no folder"),
    ):
        with pytest.raises(ValueError, match=words):
            lq.save(table, path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.csv", "b.csv", "c.csv", "d.csv"]


def test_what_fails_on_the_way_leaves_what_was_there(
    heat: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "map.nc"
    path.write_text("old")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", fail)
    with pytest.raises(OSError, match=r"map\.nc cannot be written \(No space left on device\); what was there stays"):
        lq.save(heat, path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["map.nc"]


def test_what_cannot_be_saved_is_said(market: lq.Market, heat: xr.Dataset, tmp_path: Path) -> None:
    snap = lq.liquidation_map(heat)
    cases = [
        (market, "x.png", ValueError, r"a market is saved as .html.*lq.save\(market.candles"),
        (heat, "x.jpg", ValueError, "a map is saved as .html, .png, .svg, .pdf, .nc, .parquet, .csv, got 'x.jpg'"),
        (snap, "x.png", ValueError, "a moment of a map is saved as .nc, .parquet, .csv"),
        (lq.clusters(heat), "x.nc", ValueError, "a table is saved as .parquet, .csv"),
        ([heat, heat], "x.nc", ValueError, "a list of maps is saved as .png"),
        (lq.cascade(snap, depth=1e-12), "x.html", TypeError, r"Cascade holds tables.*lq.save\(x.steps, 'steps"),
        (lq.clusters(heat)["peak"], "x.csv", TypeError, r"pass series.to_frame\(\)"),
        (lq.live(replace(market, path=None)), "x.nc", TypeError, "a live map saves itself"),
        ([], "x.png", TypeError, "takes a figure, a map, a table or a market, got list"),
        (heat["notional"], "x.nc", TypeError, "got DataArray"),
        (pd.DataFrame({"a": [object()]}), "x.parquet", ValueError, "parquet cannot hold a column"),
    ]  # fmt: skip
    for what, name, kind, words in cases:
        with pytest.raises(kind, match=words):
            lq.save(what, tmp_path / name)
    with pytest.raises(TypeError, match="width has no meaning for a map saved as"):
        lq.save(heat, tmp_path / "x.nc", width=5)
    assert list(tmp_path.iterdir()) == []
