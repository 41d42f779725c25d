"""Dollars: the kept numbers are what their fit gives, the link by hand, and what is unseen stays within its bounds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab import validation
from research import fit_dollars

SIDES = ("long", "short")


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {case: fit_dollars.hours(case) for case in fit_dollars.CASES}


def test_the_kept_numbers_are_those_of_the_first_half(tables: dict[str, pd.DataFrame]) -> None:
    first = [fit_dollars.halves(t)[0] for t in tables.values()]
    kept = validation.dollar_factors().loc["binance-2024"]
    for side in SIDES:
        again = fit_dollars.factor_of(first, side)
        np.testing.assert_allclose(kept.loc[side, ["factor", "low", "high"]].astype(float), again, rtol=2e-3)
        z, y = (np.concatenate([t[what, side] for t in first]) for what in ("estimated", "published"))
        fitted, told = fit_dollars.fit(z, y), kept.loc[side, ["scale", "exponent", "offset"]].astype(float)
        at = np.array([0.0, 1e5, 1e6, 1e7])
        np.testing.assert_allclose(fit_dollars.link(at, *told), fit_dollars.link(at, *fitted), rtol=0.02)


def test_unseen_days_stay_within_bounds(tables: dict[str, pd.DataFrame]) -> None:
    """What is told of the second half: the median day within [.67, 1.5], 70 % of the days within [.33, 3]."""
    kept = validation.dollar_factors().loc["binance-2024"]
    for case, table in tables.items():
        second = fit_dollars.halves(table)[1]
        made = validation.published_liquidations(second["estimated"])
        for side in SIDES:
            told = fit_dollars.judged(made[side], second["published", side])
            assert 0.67 <= told["median"] <= 1.5 and told["inside"] >= 0.7
            row = kept.loc[side, [f"{case[:3]}_link_{what}" for what in ("median", "inside", "slope")]].astype(float)
            np.testing.assert_allclose(row, [told[what] for what in ("median", "inside", "slope")], rtol=2e-3)


def test_a_planted_link_is_found() -> None:
    """A thousand hours, exponential errors: within a fifth at every size."""
    rng = np.random.default_rng(0)
    made = rng.lognormal(13, 2, 1000)
    seen = fit_dollars.link(made, 5.0, 0.7, 2e4) * rng.exponential(1, 1000)
    at = np.array([1e4, 1e5, 1e6, 1e7])
    np.testing.assert_allclose(fit_dollars.link(at, *fit_dollars.fit(made, seen)), fit_dollars.link(at, 5.0, 0.7, 2e4),
                               rtol=0.2)  # fmt: skip


def test_a_map_is_multiplied_side_by_side() -> None:
    market = lq.load_example("btc-2024-07")
    heat = lq.heatmap(market, start="2024-07-05", end="2024-07-06")
    made, kept = validation.published_heatmap(heat), validation.dollar_factors().loc["binance-2024"]
    for side in SIDES:
        ratio = float(made["notional"].sel(side=side).sum() / heat["notional"].sel(side=side).sum())
        assert ratio == pytest.approx(kept.loc[side, "factor"])
    assert (made["notional_low"] <= made["notional"]).all() and (made["notional"] <= made["notional_high"]).all()
    assert (
        "published" in made.attrs and "published" not in heat.attrs and made["notional"].dims == heat["notional"].dims
    )


def test_what_cannot_be_turned_into_dollars_is_refused() -> None:
    days = pd.DataFrame({"long": 1.0, "short": 1.0}, index=pd.date_range("2024-01-01", periods=5, freq="D", tz="UTC"))
    with pytest.raises(ValueError, match="longer than an hour; make it from candles of 1h or finer"):
        validation.published_liquidations(days)
    with pytest.raises(ValueError, match="truth must be one of binance-2024, got 'magic'"):
        validation.published_liquidations(days, truth="magic")


def test_the_monitor_tells_what_no_longer_fits() -> None:
    """The days that the map is scored on fit; shuffled hours rank worse; a tenth of the amounts is off."""
    market = lq.load_example("btc-2024-07")
    table = validation.shelf_life(market, every="20d", resamples=50)
    assert table["verdict"].tolist() == ["fits", "fits"]
    assert (table["days"] >= 19).all() and table["rank"].between(table["low"], table["high"]).all()
    from dataclasses import replace

    seen = market.liquidations
    assert seen is not None
    mixed = seen.sample(frac=1, random_state=0).set_axis(seen.index)
    assert set(validation.shelf_life(replace(market, liquidations=mixed), every="20d", resamples=50)["verdict"]) == {
        "ranks worse"
    }
    small = validation.shelf_life(replace(market, liquidations=seen / 20), every="20d", resamples=50)
    assert set(small["verdict"]) == {"amounts off"}
    with pytest.raises(ValueError, match="every must be 5 days or more"):
        validation.shelf_life(market, every="1d")
    with pytest.raises(ValueError, match="market has no liquidations"):
        validation.shelf_life(lq.load_example("btc-2024-05"))
