"""True positions: the table that comes along, its classes, and scores checked on positions that are planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab import validation
from liqlab.validation._position_scores import EDGES, _limits
from liqlab.validation._positions import distance_of
from research import mark_last

CASE = "btc-2026-02-hyperliquid"
BINS = {"start": "2026-02-03", "price_range": (14_000.0, 150_000.0), "price_step": 350.0}


@pytest.fixture(scope="module")
def market() -> lq.Market:
    return lq.load_example(CASE)


@pytest.fixture(scope="module")
def heat(market: lq.Market) -> object:
    with pytest.warns(UserWarning, match="no tiers"):
        return lq.heatmap(market, **BINS)


def planted(heat: object, accounts: int = 3_000, *, seed: int = 0) -> pd.DataFrame:
    """Positions of drawn accounts that stand where the map says, with entries at the mark."""
    rng, rows = np.random.default_rng(seed), []
    for day in range(5, 12):
        moment = pd.Timestamp(f"2026-02-{day:02d} 12:00", tz="UTC")
        snap = lq.liquidation_map(heat, at=moment)
        mark, price = float(snap["close"]), snap["price"].to_numpy()
        for side in ("long", "short"):
            share = snap["notional"].sel(side=side).to_numpy()
            drawn = rng.choice(price, accounts, p=share / share.sum())
            columns = {
                "time": moment,
                "account": np.arange(accounts),
                "side": side,
                "coins": 1e6 / drawn,
                "entry": mark,
            }
            rows.append(pd.DataFrame({**columns, "liquidation_price": drawn, "mark": mark}))
    return pd.concat(rows, ignore_index=True)


def test_the_table_is_whole() -> None:
    for coin in ("BTC", "ETH", "SOL"):
        table = validation.true_positions(coin)
        assert table["time"].diff().max() < pd.Timedelta("1D") and (table["coins"] > 0).all()
        gaps = pd.Series(table["time"].unique()).diff().dropna()
        assert gaps.min() >= pd.Timedelta("4h")
        away = distance_of(table)
        assert (away[np.isfinite(away)] > -0.05).all()  # a liquidation price lies beyond the mark
        assert table.loc[table["side"] == "short", "liquidation_price"].notna().all()
    with pytest.raises(ValueError, match="coin must be one of BTC, ETH, SOL, got 'XRP'"):
        validation.true_positions("XRP")


def test_classes_add_up_and_are_counted_by_hand() -> None:
    """Values 60, 30 and 10 of three longs: no price; 90 % away; within reach."""
    table = pd.DataFrame({
        "time": pd.Timestamp("2026-02-05", tz="UTC"), "account": [1, 2, 3], "side": "long", "coins": [6.0, 3.0, 1.0],
        "entry": 10.0, "liquidation_price": [np.nan, 1.0, 8.0], "mark": 10.0,
    })  # fmt: skip
    shares = validation.classes_of_positions(table)["share"]["long"]
    assert shares.to_dict() == pytest.approx({"no liquidation price": 0.6, "out of reach": 0.3, "within reach": 0.1})


def test_entries_outside_the_candles_are_older(market: lq.Market) -> None:
    table = validation.true_positions("BTC")
    found = validation.classes_of_positions(table, market)
    np.testing.assert_allclose(found["share"].groupby("side").sum(), 1.0)
    bare = validation.classes_of_positions(table)
    known = found["share"].drop("no liquidation price", level="class").drop("out of reach", level="class")
    np.testing.assert_allclose(known.groupby("side").sum(), bare["share"].xs("within reach", level="class"))
    with pytest.raises(ValueError, match=r"positions begin at .* pass candles from before"):
        validation.classes_of_positions(table.assign(time=table["time"] - pd.Timedelta("200D")), market)


@pytest.mark.parametrize("sums", [[100.0, *[1.0] * 50], [9.0, 7.0, *[1.0] * 30], [5.0, 1.0, 1.0], [0.0, 3.0], [0.0]])
def test_no_account_is_above_its_share(sums: list[float]) -> None:
    """Twenty or more: nobody above 5 % of what is left, and the largest exactly there; fewer: all alike."""
    cut = np.array(sums) * _limits(np.array(sums))
    there = cut[cut > 0]
    if len(there) < 20:
        np.testing.assert_allclose(there, there.min() if len(there) else [])
    else:
        assert there.max() / there.sum() == pytest.approx(0.05)
        np.testing.assert_allclose(there[there < there.max()], 1.0)


@pytest.mark.filterwarnings("ignore:no tiers")
def test_a_map_finds_positions_that_are_planted_in_it(market: lq.Market, heat: object) -> None:
    """Ahead of what knows nothing of it; and it finds nothing in positions that stand anywhere."""
    table = validation.score_positions(heat, market, positions=planted(heat), resamples=5)
    for side in ("long", "short"):
        found = table["value"].xs((side, "10-80 %"), level=("side", "band"))
        assert found["map"] > 0.6
        assert found["map"] > found["uniform"] == 0
        assert found["map"] > found["volume profile"]
    lost, rng = planted(heat), np.random.default_rng(1)
    away = rng.uniform(0, 0.8, len(lost)) * np.where(lost["side"] == "long", -1, 1)
    lost = lost.assign(liquidation_price=(1 + away) * lost["mark"])
    lost["coins"] = 1e6 / lost["liquidation_price"]
    far = validation.score_positions(heat, market, positions=lost, resamples=5).xs("40-80 %", level="band")["value"]
    assert abs(far.xs("map", level="forecast")).max() < 0.35


@pytest.mark.filterwarnings("ignore:no tiers")
def test_bins_are_filled_by_distance(market: lq.Market, heat: object) -> None:
    """One account, one position 15 % away: the bins of 10–20 % know it, and no other band has anything."""
    moment = pd.Timestamp("2026-02-08 12:00", tz="UTC")
    one = pd.DataFrame({"time": [moment, moment + pd.Timedelta("1D")], "account": 7, "side": "long", "coins": 1.0,
                        "entry": 70_000.0, "liquidation_price": 0.849 * 70_000.0, "mark": 70_000.0})  # fmt: skip
    table = validation.score_positions(heat, market, positions=one, resamples=2).xs("long")
    assert table.loc[("10-20 %", "map"), ["accounts", "moments"]].tolist() == [1, 2]
    assert table.loc[("40-80 %", "map"), ["accounts", "moments"]].tolist() == [0, 0]
    assert len(EDGES) == 41
    same = table.loc[("10-20 %", "earlier days, same accounts"), "value"]
    other = table.loc[("10-20 %", "earlier days, other accounts"), "value"]
    assert same == pytest.approx(0.5) and other == 0  # the first day has no earlier one; the other half has nobody


def test_positions_before_the_map_are_refused(market: lq.Market, heat: object) -> None:
    early = validation.true_positions("BTC").assign(time=pd.Timestamp("2026-01-05", tz="UTC"))
    with pytest.raises(ValueError, match=r"heat has no column closed by .* make it from earlier on"):
        validation.score_positions(heat, market, positions=early, resamples=2)
    with pytest.raises(ValueError, match="positions are empty"):
        validation.score_positions(heat, market, positions=early.iloc[:0], resamples=2)
    with pytest.raises(ValueError, match="name must be one of"):
        validation.kept_results("magic")


def test_hours_that_only_the_last_price_reaches_are_counted() -> None:
    """Of ten days' hours at 2 % by the mark, the last price has a fifth more at 0.5 %; closes have none."""
    times = pd.date_range("2026-06-12", periods=240, freq="h", tz="UTC")
    mark = np.where(np.arange(240) % 6 < 5, 0.02, 0.0)
    table = pd.DataFrame({"extreme": 0.02, "close": mark, "mark": mark}, index=times)
    rows = {row["name"]: row for row in mark_last.rows(table)}
    assert rows["hours reached more, 0.50%, by its extremes"]["value"] == pytest.approx(0.2)
    assert rows["hours reached more, 0.50%, by closes of the same minutes"]["value"] == 0
    kept = validation.kept_results("mark_last")
    assert kept["value"].between(kept["low"], kept["high"]).all() and set(kept.index) == set(rows)
