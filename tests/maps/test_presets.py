"""A map by one word is the map of what the word stands for."""

from __future__ import annotations

import pandas as pd
import pytest

import liqlab as lq
from liqlab.loaders._examples import folder
from liqlab.market.market import Market
from liqlab.models._law import lognormal_shares


@pytest.fixture(scope="module")
def market() -> Market:
    return lq.load_example("btc-2025-12").until("2025-12-04")


@pytest.mark.parametrize(("name", "lookback"), [("fitted", None), ("measured", None), ("vendor", "24h")])
def test_a_preset_is_its_assumptions(market: Market, name: str, lookback: str | None) -> None:
    shown = {"start": "2025-12-03", "price_step": 50}
    heat = lq.heatmap(market, preset=name, **shown)
    spelled = lq.heatmap(market, assumptions=lq.Assumptions.preset(name), lookback=lookback, **shown)
    assert heat.identical(spelled) and name in heat.attrs["law"] and float(heat["notional"].sum()) > 0


def test_the_fitted_map_is_the_default_and_names_its_date(market: Market) -> None:
    """Law, κ, closing and entries of data/default.csv, wherever nothing is given."""
    assert lq.Assumptions() == lq.Assumptions.preset("fitted") != lq.Assumptions.preset("measured")
    shown = {"start": "2025-12-03", "price_step": 50}
    heat = lq.heatmap(market, **shown)
    assert heat.identical(lq.heatmap(market, preset="fitted", **shown)) and heat.attrs["law"] == "fitted 2026-11"
    chosen = pd.read_csv(folder("data") / "default.csv").set_index("name")["value"]
    assumed = lq.Assumptions()
    assert assumed.options["share_of_volume"] == float(chosen["share_of_volume"])
    assert assumed.options["closing"] == chosen["closing"] and assumed.entries == "ordered"
    share = lognormal_shares(*(float(chosen[name]) for name in ("median", "sigma", "near")))
    assert assumed.law.long.tolist() == assumed.law.short.tolist() == pytest.approx(share.tolist())


def test_a_vendors_bands_stand_at_four_distances(market: Market) -> None:
    """One bar with volume: four levels on each side, each a quarter, at the distances of 10x, 25x, 50x and 100x."""
    rows = lq.levels(market, assumptions=lq.Assumptions.preset("vendor"), start="2025-12-02", end="2025-12-02 00:05")
    assert rows.groupby("side").size().tolist() == [4, 4]
    assert rows["leverage"].unique().tolist() == [10, 25, 50, 100]
    assert rows["opened"].to_numpy() == pytest.approx(rows["opened"].iloc[0])


def test_what_is_given_beside_a_preset_takes_precedence(market: Market) -> None:
    heat = lq.heatmap(market, preset="vendor", lookback="6h", law={20: 1}, start="2025-12-03", price_step=50)
    assert heat.attrs["lookback"] == "6h" and heat.attrs["law"] == "own"


def test_a_preset_that_is_none_or_comes_with_a_rival(market: Market) -> None:
    with pytest.raises(ValueError, match="preset must be one of 'measured', 'fitted', 'vendor', got 'glass'"):
        lq.heatmap(market, preset="glass")
    with pytest.raises(TypeError, match="not both"):
        lq.heatmap(market, "decay", preset="vendor")
