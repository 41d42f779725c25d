"""The cases: they load in silence, are what they say, and hold the known facts."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab.loaders import _examples
from liqlab.margin.tiers import FILE, SHA256, default_tiers
from liqlab.market.market import TABLES, check_leverage_tiers, utc

REPOSITORY = Path(__file__).resolve().parents[2]
RAW = REPOSITORY.parent / "shared" / "market"
DATA = _examples.folder("data")
NAMES = list(_examples.examples().index)
needs_raw = pytest.mark.skipif(not (RAW / "manifest.csv").is_file(), reason="the raw figures are not beside the clone")


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("data_build", REPOSITORY / "data" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A data folder that may be damaged: the case btc-2024-07 alone."""
    files = ["cases.yml", "registry.csv"]
    files += [f"{stem}.parquet" for stem in _examples._cases(DATA)["btc-2024-07"]["tables"].values()]
    for file in files:
        shutil.copyfile(DATA / file, tmp_path / file)
    return tmp_path


# --- every case -----------------------------------------------------------------------------------------------------


def test_the_cases_are_all_there() -> None:
    may, july = ["btc", "eth", "sol", "xrp", "ada"], ["btc", "eth"]
    october = ["btc", "eth", "sol", "xrp", "ada", "avax", "doge", "ena", "tia"]
    expected = {
        "btc-2024-08",
        "btc-2025-12-binance",
        "btc-2025-12-hyperliquid",
        "tia-2023",
        "avax-2026-02",
        "ena-2025-02",
        "alt-2025-02",
    }
    expected |= {f"{coin}-2024-05" for coin in may} | {f"{coin}-2024-07" for coin in july}
    expected |= {f"{coin}-2026-02-hyperliquid" for coin in ("btc", "eth", "sol")}
    expected |= {f"{coin}-2025-10" for coin in october} | {f"{coin}-2025-12" for coin in july}
    assert set(NAMES) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_case_loads_in_silence_and_is_what_it_says(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        market = _examples.load_example(name)
    row = _examples.examples().loc[name]
    assert (market.symbol, market.exchange, market.timeframe) == (row["symbol"], row["exchange"], row["timeframe"])
    assert (market.start, market.end) == (row["start"], row["end"])
    assert market.start < row["window_start"] < row["window_end"] <= market.end
    assert (market.candles.index.to_series().diff().dropna() == market.step).all()
    has = [part.split(" ")[0] for part in row["has"].split(", ")]
    assert [table for table in has if table != "taker"] == sorted(market.has(), key=has.index)
    assert ("taker" in has) == ("taker_buy_volume" in market.candles)
    assert set(has) | set(row["lacks"].split(", ")) == {*TABLES, "leverage_tiers"}
    assert row["teaches"]


@pytest.mark.parametrize("name", NAMES)
def test_every_table_has_its_source(name: str) -> None:
    market = _examples.load_example(name)
    assert set(market.sources) == set(market.has())
    for source in market.sources.values():
        scaled = {"sides", "scale", "scale_low", "scale_high"} if source.get("sides") else set()
        assert {"exchange", "origin", "kind", "note", "sha256", "file"} | scaled == set(source)
        assert (source["kind"] == "own") == (source["exchange"] == market.exchange)
        file = FILE if source["file"] == _examples.TIERS else DATA / source["file"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == source["sha256"]


def test_a_venue_without_tiers_is_left_without() -> None:
    assert _examples.load_example("tia-2023").leverage_tiers is None
    btc = _examples.load_example("btc-2024-05").leverage_tiers
    assert btc is not None and set(btc["symbol"]) == {"BTC/USDT:USDT"}


# --- files and registry ---------------------------------------------------------------------------------------------


def test_the_registry_agrees_with_the_files() -> None:
    registry = _examples._registry(DATA)
    assert set(registry) == {path.name for path in DATA.glob("*.parquet")} | {_examples.TIERS}
    assert registry[_examples.TIERS]["sha256"] == SHA256
    for file, line in registry.items():
        content = (FILE if file == _examples.TIERS else DATA / file).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (line["sha256"], int(line["bytes"]))
        if file != _examples.TIERS:
            table = _examples._read_table(DATA, registry, file)
            assert (len(table), " ".join(table.columns)) == (int(line["rows"]), line["columns"])
            assert [f"{stamp:%Y-%m-%d %H:%M}" for stamp in table.index[[0, -1]]] == [line["first"], line["last"]]
            assert str(table.index.dtype) == "datetime64[us, UTC]"


def test_the_readme_names_every_file_and_sha256() -> None:
    text = (DATA / "README.md").read_text(encoding="utf-8")
    registry = _examples._registry(DATA)
    assert all(f"`{file}`" in text and line["sha256"] in text for file, line in registry.items())
    assert all(f"`{name}`" in text for name in NAMES)


def test_the_folder_is_small() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir() if path.is_file()) <= 12_000_000


def test_a_changed_file_is_refused(copy: Path) -> None:
    path = copy / "btc-oi-1h-2024-06.parquet"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=r"btc-oi-1h-2024-06.parquet is not the file .*git checkout"):
        _examples.load_case("btc-2024-07", copy)


def test_a_missing_file_says_what_to_do(copy: Path) -> None:
    (copy / "btc-oi-1h-2024-06.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"btc-oi-1h-2024-06.parquet is missing; restore .*build.py --raw"):
        _examples.load_case("btc-2024-07", copy)


def test_an_unknown_name_lists_the_names_and_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"'btc-2024-5'; did you mean 'btc-2024-05'\? .*tia-2023"):
        _examples.load_example("btc-2024-5")


def test_folders() -> None:
    assert (_examples.folder("data") / "registry.csv").is_file()
    with pytest.raises(ValueError, match="'data' and 'notebooks', got 'models'"):
        _examples.folder("models")


# --- facts ----------------------------------------------------------------------------------------------------------


def test_btc_first_of_may_2024() -> None:
    candles = _examples.load_example("btc-2024-05").candles
    assert candles.loc[utc("2024-05-01 07:00"), "open"] == pytest.approx(59_500, abs=10)
    low = candles.loc["2024-05-01", "low"]
    assert (low.min(), low.idxmin()) == (56_537.7, utc("2024-05-01 08:15"))
    after = candles.loc["2024-05-01 15:30":"2024-05-02 23:45", "low"]
    assert (after.min(), after.idxmin()) == (56_600.0, utc("2024-05-01 17:15"))


def test_btc_reached_the_brightest_level_on_5_july() -> None:
    path = _examples.load_example("btc-2024-07").path
    assert path is not None
    low = path.loc["2024-05-02":, "low"]
    assert low[low <= 56_490].index[0] == utc("2024-07-05 02:45")


def test_bybit_open_interest_fell_through_the_first_of_may() -> None:
    table = _examples.load_example("btc-2024-05").open_interest
    assert table is not None
    open_interest = table["open_interest"]
    eleven, nineteen = open_interest[utc("2024-05-01 11:00")], open_interest[utc("2024-05-01 19:00")]
    published = 57_043 / 2 * 2.70, 53_710 / 2 * 2.70  # what Bybit published, on one side, in the size of Binance's
    assert (eleven, nineteen) == (pytest.approx(published[0], abs=1), pytest.approx(published[1], abs=1))
    assert open_interest.index[-1] == utc("2024-06-01")  # an instant: it closes the last bar


def test_a_stand_in_says_how_it_was_brought_to_size() -> None:
    """Halved and multiplied; every table of another venue's open interest, no other."""
    for name in NAMES:
        source = _examples.load_example(name).sources.get("open_interest", {})
        assert ("scale" in source) == (source.get("kind") == "proxy"), name
    source = _examples.load_example("btc-2024-05").sources["open_interest"]
    assert (source["sides"], source["scale"], source["scale_low"], source["scale_high"]) == (
        "both → one", "2.7", "2.31", "2.97",
    )  # fmt: skip
    pooled = _examples.load_example("xrp-2024-05").sources["open_interest"]
    assert pooled["scale"] == "2.71" and "BTC and ETH" in pooled["note"] and "for this asset" in pooled["note"]


def test_the_map_names_the_factor_of_a_stand_in() -> None:
    market = _examples.load_example("btc-2024-05").until("2024-03-03")
    said = lq.heatmap(market, start="2024-03-01", open_interest_scale=2).attrs["open_interest"]
    assert said.startswith("proxy: bybit × 5.4 (4.62 … 5.94), sides: both → one")


@pytest.mark.parametrize(("hour", "high", "fall"), [
    ("2023-11-13 10:00", 5.98, -0.30), ("2023-12-04 05:00", 9.87, -0.20), ("2023-12-06 04:00", 11.54, -0.20),
    ("2023-12-12 19:00", 13.11, -0.18), ("2023-12-16 16:00", 14.94, -0.16), ("2024-01-05 09:00", 17.35, -0.19),
])  # fmt: skip
def test_tia_spikes_that_reversed(hour: str, high: float, fall: float) -> None:
    candles, at = _examples.load_example("tia-2023").candles, utc(hour)
    day_after = candles.loc[at + pd.Timedelta("1h") : at + pd.Timedelta("24h")]
    assert candles.loc[at, "high"] == pytest.approx(high, abs=0.0051)
    assert day_after["low"].min() / candles.loc[at, "high"] - 1 == pytest.approx(fall, abs=0.0051)


@pytest.mark.parametrize(("name", "low"), [("btc-2025-10", 101_516.5), ("tia-2025-10", 0.2313)])
def test_the_lows_of_october_2025(name: str, low: float) -> None:
    lows = _examples.load_example(name).candles.loc["2025-10-10", "low"]
    assert (lows.min(), lows.idxmin()) == (low, utc("2025-10-10 21:20"))


@pytest.mark.parametrize("name", ["btc-2024-07", "eth-2024-07"])
def test_the_hours_are_those_of_the_path(name: str) -> None:
    market = _examples.load_example(name)
    assert market.path is not None
    grouped = market.path.resample("1h")
    assert (market.candles["high"] == grouped["high"].max()).all()
    assert (market.candles["low"] == grouped["low"].min()).all()
    assert np.allclose(market.candles["volume"], grouped["volume"].sum(), rtol=1e-12)
    taker = market.candles["taker_buy_volume"]
    assert taker.first_valid_index() == utc("2024-06-19 21:00")
    assert 0 < taker.loc["2024-06-19 21:00":].isna().sum() < 10


@pytest.mark.parametrize("name", ["btc-2024-07", "eth-2024-07"])
def test_observed_liquidations_follow_the_excursion_of_their_hour(name: str) -> None:
    """A stamp that is off by an hour, or sides that are swapped, would lose the rank correlation."""
    market = _examples.load_example(name)
    assert market.liquidations is not None
    bar = market.candles.reindex(market.liquidations.index)
    excursion = {"long": bar["open"] - bar["low"], "short": bar["high"] - bar["open"]}
    for side, distance in excursion.items():
        rank = (distance / bar["open"] * bar["volume"]).rank()
        found = [market.liquidations[side].rank().corr(rank.shift(lag)) for lag in (-1, 0, 1)]
        assert found[1] == pytest.approx(0.79, abs=0.02) and found[1] > max(found[0], found[2]) + 0.3


def test_own_open_interest_moves_with_the_bar_before_its_stamp() -> None:
    """The stamp is the instant of the snapshot: |ΔOI| belongs to the volume of the bar that ends there."""
    market = _examples.load_example("btc-2025-12")
    assert market.open_interest is not None
    moved = market.open_interest["open_interest"].diff().abs().rank()
    volume = market.candles["volume"]
    found = [moved.corr(volume.shift(lag).reindex(moved.index).rank()) for lag in (0, 1, 2)]
    assert found[1] > max(found[0], found[2]) + 0.1


def test_default_tiers_are_checked_dated_and_fresh() -> None:
    tiers = default_tiers()
    pd.testing.assert_frame_equal(tiers, check_leverage_tiers(tiers))
    assert tiers["symbol"].nunique() == 11 and set(tiers["exchange"]) == {"binanceusdm"}
    assert tiers.groupby("symbol")["as_of"].nunique().max() == 5
    tiers["tier"] = 0
    assert default_tiers()["tier"].min() == 1


# --- build.py -------------------------------------------------------------------------------------------------------


def test_a_factor_by_hand(build: ModuleType) -> None:
    """Ratios of 2.5, 5 and 22.5: median 5, 5 and 95 % a tenth of the way from the outer ones; 8 / 2 × 5 = 20."""
    hours = pd.date_range("2024-01-01", periods=3, freq="1h", tz="UTC")
    ratio = {"BTC": pd.Series([2.5, 5.0, 22.5], hours)}
    entry, spec = {"note": "n", "scale": ["BTC"]}, {"scale": {"sides": "both"}}
    found = build.scale_of(entry, spec, ratio)
    assert (found["sides"], found["scale"], found["scale_low"], found["scale_high"]) == ("both → one", 5.0, 2.75, 20.75)
    made = build.stand_in(pd.DataFrame({"open_interest": [8.0] * 3}, hours), sides="both", factor=found["scale"])
    assert made["open_interest"].tolist() == [20.0] * 3


@needs_raw
def test_the_build_is_reproducible(build: ModuleType, tmp_path: Path) -> None:
    for name in ("first", "second"):
        build.main(["--raw", str(RAW), "--out", str(tmp_path / name)])
    made = {path.name: path.read_bytes() for path in sorted((tmp_path / "first").iterdir())}
    assert made == {path.name: path.read_bytes() for path in sorted((tmp_path / "second").iterdir())}
    shipped = _examples._registry(DATA)
    again = _examples._registry(tmp_path / "first")
    for file in shipped.keys() - {_examples.TIERS}:  # values, not bytes: another pyarrow may write other bytes
        pd.testing.assert_frame_equal(
            _examples._read_table(DATA, shipped, file), _examples._read_table(tmp_path / "first", again, file)
        )
    assert made[_examples.TIERS] == FILE.read_bytes()


@needs_raw
def test_our_tiers_are_the_published_facts(build: ModuleType) -> None:
    raw = check_leverage_tiers(pd.read_csv(RAW / _examples.TIERS))
    pd.testing.assert_frame_equal(raw, default_tiers(), check_dtype=False)


def test_a_raw_file_with_a_wrong_sha256_is_refused(build: ModuleType, tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.mkdir()
    files = [file for entry in _examples._yaml(DATA)["files"].values() for file in entry["raw"].values()]
    lines = [f"{file},{'0' * 64}" for file in dict.fromkeys(files)]
    (raw / "manifest.csv").write_text("\n".join(["file,sha256", *lines]), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"is not there, in .*raw; the build needs it"):
        build.main(["--raw", str(raw), "--out", str(out)])
    for file in files:
        (raw / file).write_bytes(b"something else")
    with pytest.raises(SystemExit, match=rf"\w+\.parquet is not the one of manifest.csv: sha256 .*{'0' * 64}"):
        build.main(["--raw", str(raw), "--out", str(out)])
    assert not list(out.iterdir())  # nothing half made is left


def test_a_folder_without_manifest_is_refused(build: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"manifest\.csv is missing; pass --raw the folder"):
        build.main(["--raw", str(tmp_path), "--out", str(tmp_path / "out")])


def test_hour_ends_keeps_every_instant(build: ModuleType) -> None:
    index = pd.DatetimeIndex(["2024-01-01 00:00", "2024-01-01 01:00"], tz="UTC")
    figures = pd.DataFrame({"open_interest_open": [1.0, 2.0], "open_interest_close": [1.9, 3.0]}, index=index)
    made = build.hour_ends(figures)["open_interest"]
    assert made.tolist() == [1.0, 2.0, 3.0]
    assert made.index[-1] == utc("2024-01-01 02:00")
