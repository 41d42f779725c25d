"""Baselines by hand and on the examples; placebos; where liquidations fell, with planted truths."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab import validation
from liqlab.market.market import Market
from liqlab.validation import baselines, placebos
from liqlab.validation._baselines import PLAIN, adverse_excursion, bars
from liqlab.validation.hindsight import features
from liqlab.validation.score_functions import r_squared_log, spearman
from tests.markets import candles, market

LONG = os.environ.get("LIQLAB_LONG") == "1"
ROWS = [(100.0, 102.0, 99.0, 101.0, 10.0), (101.0, 101.0, 97.0, 98.0, 20.0), (98.0, 104.0, 96.0, 103.0, 40.0)]


def seen(index: pd.DatetimeIndex, long: list[float], short: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"long": long, "short": short}, index=index)


# --- by hand ------------------------------------------------------------------------------------------------------


def test_baselines_by_hand() -> None:
    """Longs suffer from open to low, shorts from open to high."""
    m = market(ROWS)
    observed = seen(m.candles.index, [1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    made = baselines(m, observed, names=["excursion × volume", "range", "volume", "last bar", "24h breakout"])
    product = made["excursion × volume"]
    assert product["long"].tolist() == pytest.approx([1 / 100 * 10, 4 / 101 * 20, 2 / 98 * 40])
    assert product["short"].tolist() == pytest.approx([2 / 100 * 10, 0.0, 6 / 98 * 40])
    spread = np.array([3 / 100, 4 / 101, 8 / 98])
    assert made["range"]["long"].tolist() == pytest.approx(spread * 21 / (2 * spread.sum()))
    assert made["range"].to_numpy().sum() == pytest.approx(21.0)  # no unit: scaled to the observed total
    assert made["volume"]["short"].tolist() == [10.0, 20.0, 40.0]
    assert made["last bar"]["long"].tolist()[1:] == [1.0, 2.0] and np.isnan(made["last bar"]["long"].iloc[0])
    assert made["24h breakout"].isna().all(axis=None)  # a day has not passed


def test_breakout_is_measured_from_the_extremes_of_the_day_before() -> None:
    rows = [(100.0, 101.0, 99.0, 100.0, 1.0)] * 24 + [
        (100.0, 103.02, 98.01, 100.0, 1.0),
        (100.0, 102.0, 98.5, 100.0, 1.0),
    ]
    m = market(rows, every="1h")
    observed = seen(m.candles.index, [1.0] * 26, [1.0] * 26)
    raw = baselines(m, observed, names=["24h breakout"])["24h breakout"]
    assert raw["long"].iloc[25] == 0 and raw["short"].iloc[25] == 0  # inside the bar before
    assert raw["short"].iloc[24] / raw["long"].iloc[24] == pytest.approx(0.02 / 0.01)
    assert raw.iloc[:24].isna().all(axis=None)


def test_the_fitted_baseline_finds_the_law_it_is_made_of() -> None:
    """log(1 + observed) = 1 + 20·√excursion + 0.5·log volume: fitted without a rest."""
    rng = np.random.default_rng(0)
    low, high = 100 - rng.uniform(0, 3, 60), 100 + rng.uniform(0, 3, 60)
    m = market([(100.0, h, x, 100.0, v) for x, h, v in zip(low, high, rng.uniform(1, 50, 60), strict=True)])
    law = np.exp(1 + 20 * np.sqrt(adverse_excursion(m.candles)).add(0) + 0.5 * np.log(m.candles[["volume"]].to_numpy()))
    fit = baselines(m, law - 1, names=["√excursion + log volume"])["√excursion + log volume"]
    assert fit.to_numpy() == pytest.approx((law - 1).to_numpy(), rel=1e-8)


def test_candles_are_summed_to_the_bars_observed() -> None:
    m = market([*ROWS, (103.0, 105.0, 100.0, 104.0, 5.0)])
    frame = bars(m, m.candles.index[:1], pd.Timedelta("1h"))
    assert frame.iloc[0].tolist() == [100.0, 105.0, 96.0, 104.0, 75.0]
    short = bars(Market(m.candles.iloc[:3], timeframe="15m"), m.candles.index[:1], pd.Timedelta("1h"))
    assert short.isna().all(axis=None)  # a quarter is missing
    with pytest.raises(ValueError, match="no multiple of the candles' 15m"):
        bars(m, m.candles.index, pd.Timedelta("20min"))


def test_unknown_names_and_a_missing_market_are_refused() -> None:
    m = market(ROWS)
    observed = seen(m.candles.index, [1.0] * 3, [1.0] * 3)
    with pytest.raises(ValueError, match="no baseline is called 'momentum'; there are: excursion × volume"):
        baselines(m, observed, names=["momentum"])
    with pytest.raises(ValueError, match="'range' is made from candles; pass market="):
        baselines(None, observed, names=["range"])
    assert list(baselines(None, observed)) == ["last bar"]


# --- the examples -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "product", "fitted", "r2"), [("btc-2024-07", 0.790, 0.8015, 0.6325),
                                                             ("eth-2024-07", 0.786, 0.8030, 0.6319)])  # fmt: skip
def test_the_published_figures_of_the_baseline_come_out(case: str, product: float, fitted: float, r2: float) -> None:
    """Both sides in one ranking, excursion relative to the open, volume in coins, all 939 hours."""
    m = lq.load_example(case)
    assert m.liquidations is not None
    made = baselines(m, m.liquidations, names=PLAIN[:2])
    y = m.liquidations.to_numpy().T.ravel()
    assert len(y) == 2 * 939
    assert spearman(made["excursion × volume"].to_numpy().T.ravel(), y) == pytest.approx(product, abs=5e-4)
    x = made["√excursion + log volume"].to_numpy().T.ravel()
    assert spearman(x, y) == pytest.approx(fitted, abs=1e-3) and r_squared_log(x, y) == pytest.approx(r2, abs=1e-3)


def test_hindsight_beats_every_plain_baseline_and_never_sees_its_own_day() -> None:
    """On noise that no feature tells, trees that saw their own day would score; these must not."""
    m = lq.load_example("btc-2024-07").until("2024-07-01")
    assert m.liquidations is not None
    made = baselines(m, m.liquidations, names=["√excursion + log volume", "hindsight"])
    y = m.liquidations.to_numpy().T.ravel()
    ceiling, plain = (spearman(made[n].to_numpy().T.ravel(), y) for n in ("hindsight", "√excursion + log volume"))
    assert ceiling > plain + 0.01
    noise = m.liquidations * 0 + np.random.default_rng(0).gamma(1.0, 1.0, m.liquidations.shape)
    told = baselines(m, noise, names=["hindsight"])["hindsight"]
    assert abs(spearman(told.to_numpy().ravel(), noise.to_numpy().ravel())) < 0.12


def test_features_mirror_the_sides() -> None:
    """Prices upside down, taker share turned: what longs saw is what shorts see."""
    m = lq.load_example("btc-2024-07").until("2024-03-12")
    flip = {"open": 1 / m.candles["open"], "high": 1 / m.candles["low"], "low": 1 / m.candles["high"],
            "close": 1 / m.candles["close"], "volume": m.candles["volume"]}  # fmt: skip
    mirror = Market(pd.DataFrame(flip), timeframe="1h")
    plain = Market(m.candles[list(flip)], timeframe="1h")
    index, hour = plain.candles.index, pd.Timedelta("1h")
    longs = features(plain, bars(plain, index, hour), "long")
    shorts = features(mirror, bars(mirror, index, hour), "short")
    assert longs.shape[1] >= 30
    assert shorts.to_numpy() == pytest.approx(longs.to_numpy(), abs=1e-9, nan_ok=True)


# --- placebos -----------------------------------------------------------------------------------------------------


def test_placebos_keep_what_they_promise() -> None:
    index = pd.date_range("2024-01-01 12:00", periods=24 * 5, freq="h", tz="UTC", name="time")
    table = seen(index, list(np.arange(120.0)), list(np.arange(120.0) + 1000))
    made = placebos(table, seed=2)
    lagged = made["lagged a day"]
    assert (lagged["long"] == table["long"].reindex(lagged.index) - 24).all() and len(lagged) == 96
    assert made["sides swapped"]["long"].tolist() == table["short"].tolist()
    shuffled = made["days shuffled"]
    assert len(shuffled) == 96  # four full days
    assert (shuffled["long"] % 24 == table["long"].reindex(shuffled.index) % 24).all()  # the hour stays
    moved = shuffled["long"] - table["long"].reindex(shuffled.index)
    assert (moved != 0).all() and sorted(shuffled["long"]) == sorted(table["long"].reindex(shuffled.index))
    with pytest.raises(ValueError, match="two full days"):
        placebos(table.iloc[:30])


# --- where they fell ----------------------------------------------------------------------------------------------


def planted(events_from: str, *, columns: int = 60, seed: int = 0) -> tuple[object, pd.DataFrame]:
    """A heatmap whose ten bins below the price hold random amounts, new in every column, and events drawn from them.

    `events_from`: ``map`` draws prices with the map's probabilities, ``uniform`` evenly over the reached range.
    """
    import xarray as xr

    rng = np.random.default_rng(seed)
    edges = np.arange(80.0, 121.0)
    amount = np.zeros((columns, 40, 2))
    amount[:, 10:20, 0] = rng.gamma(0.5, 1.0, (columns, 10)) + 1e-3
    times = pd.date_range("2024-01-01", periods=columns, freq="6h").to_numpy()
    flat = np.full(columns, 100.0)
    heat = xr.Dataset(
        {"notional": (("time", "price", "side"), amount), "close": ("time", flat), "high": ("time", flat),
         "low": ("time", np.full(columns, 90.0)), "volume": ("time", np.ones(columns))},
        coords={"time": times, "close_time": ("time", times + np.timedelta64(6, "h")), "price": edges[:-1] + 0.5,
                "price_edge": edges, "side": ["long", "short"]},
    )  # fmt: skip
    rows = []
    for k in range(columns - 1):
        p = amount[k, 10:20, 0] / amount[k, 10:20, 0].sum() if events_from == "map" else np.full(10, 0.1)
        bins = rng.choice(10, size=20, p=p)
        moment = pd.Timestamp(times[k]).tz_localize("UTC") + pd.Timedelta("9h")
        rows += [(moment, "long", 90.5 + b, 1.0) for b in bins]
    return heat, pd.DataFrame(rows, columns=["time", "side", "price", "quantity"]).set_index("time")


def test_information_gain_of_the_true_density_is_its_distance_from_the_even_one() -> None:
    """Expected gain: mean of Σ p·log2(p / 0.1), up to the floor of 0.001; the PIT is even."""
    heat, events = planted("map")
    result = validation.location(heat, events, floor=1e-3, resamples=200)
    p = heat["notional"].to_numpy()[4:-1, 10:20, 0]  # the first day serves the placebo that is a day late
    p = p / p.sum(axis=1, keepdims=True)
    expected = (p * np.log2(p / 0.1)).sum(axis=1).mean()
    row = result.table.query("side == 'long'").set_index("forecast")
    assert row.loc["map", "gain"] == pytest.approx(expected, abs=0.1)
    assert row.loc["map", "low"] < expected < row.loc["map", "high"]
    assert row.loc["map", "pit_mean"] == pytest.approx(0.5, abs=0.03) and row.loc["map", "pit_distance"] < 0.08
    assert row.loc["uniform", "gain"] == 0
    for rival in ("persistence", "lagged", "mirrored", "shuffled", "distance law"):
        assert row.loc[rival, "lead_low"] > 0.3, rival
    assert len(result.events) == 55 * 20 and "information gain" in repr(result)


def test_a_map_that_knows_nothing_scores_as_its_placebos() -> None:
    """Events from an even density: below uniform, and over many seeds neither above nor below its own placebos."""
    lead = []
    for seed in range(400 if LONG else 20):
        heat, events = planted("uniform", columns=24, seed=seed)
        row = (
            validation.location(heat, events, resamples=0, seed=seed)
            .table.query("side == 'long'")
            .set_index("forecast")
        )
        assert row.loc["map", "gain"] < 0
        lead.append(row.loc[["persistence", "lagged", "shuffled"], "gain"].to_numpy() - row.loc["map", "gain"])
    mean, error = np.mean(lead, axis=0), np.std(lead, axis=0) / np.sqrt(len(lead))
    assert (np.abs(mean) < 3 * error).all() and (error < 0.05).all()


def test_on_a_simulated_market_the_map_beats_every_rival_for_where() -> None:
    sim = lq.simulate(6, seed=1, warmup=6)
    gone = sim.positions[sim.positions["reason"] == "liquidated"].set_index("closed_at")
    events = gone[["side", "quantity"]].assign(price=gone["liquidation_price"])
    heat = lq.heatmap(sim.market, time_step="2h")
    row = validation.location(heat, events, resamples=200).table.query("side == 'both'").set_index("forecast")
    assert row.loc["map", "low"] > 0
    for rival in row.index.drop(["map", "persistence"]):
        assert row.loc[rival, "lead_low"] > 0, rival


def test_location_sees_nothing_of_the_future() -> None:
    """Events before a moment score the same when all later columns are thrown away (the shuffle apart)."""
    heat, events = planted("map")
    early = events[events.index < "2024-01-08"]
    cut = heat.isel(time=heat["close_time"] <= np.datetime64("2024-01-08T06:00"))
    a, b = (validation.location(h, early, resamples=0).events for h in (heat, cut))
    keep = [c for c in a.columns if "shuffled" not in c]
    pd.testing.assert_frame_equal(a[keep], b[keep])


def test_a_stretch_of_prices_is_an_event_too() -> None:
    """An event over the whole reached range tells nothing; over the half that holds all mass it tells one bit."""
    heat, _ = planted("map", columns=8)
    amount = np.zeros((8, 40, 2))
    amount[:, 10:15, 0] = 1.0
    heat["notional"] = (("time", "price", "side"), amount)
    at = pd.DatetimeIndex(["2024-01-02 09:00"], tz="UTC")
    whole, half = (pd.DataFrame({"side": "long", "low": 90.0, "high": top}, index=at) for top in (100.0, 95.0))
    results = [validation.location(heat, e, floor=1e-9, resamples=0) for e in (whole, half)]
    gains = [r.table.query("side == 'long' and forecast == 'map'")["gain"].item() for r in results]
    assert gains == pytest.approx([0.0, 1.0], abs=1e-6)
    m = Market(candles(ROWS), timeframe="15m")
    stretches = validation.bar_events(seen(m.candles.index, [1.0, 0.0, 2.0], [0.0, 0.0, 1.0]), m)
    assert stretches[["side", "low", "high"]].to_numpy().tolist() == [
        ["long", 99.0, 100.0], ["long", 96.0, 98.0], ["short", 98.0, 104.0]
    ]  # fmt: skip


def test_location_refuses_what_it_cannot_judge() -> None:
    heat, events = planted("map", columns=6)
    with pytest.raises(ValueError, match="by must be 'events' or 'quantity', got 'coins'"):
        validation.location(heat, events, by="coins")
    with pytest.raises(ValueError, match="side must be long or short, got 'buy'"):
        validation.location(heat, events.assign(side="buy"))
    with pytest.raises(ValueError, match="no event lies in a range"):
        validation.location(heat, events.assign(price=500.0))
    with pytest.raises(ValueError, match="events lack low, high"):
        validation.location(heat, events.drop(columns="price"))
