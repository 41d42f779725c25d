"""Calibration: the fit finds what was planted, says how sure it is, and looks at nothing that comes later."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, spearmanr

import liqlab as lq
from liqlab.engine.records import SIDES
from liqlab.market.market import Market
from liqlab.models._law import Law
from liqlab.validation.calibration._calibrate import Calibration, calibrate
from liqlab.validation.calibration.design import Design, classes_of, design_of, observed_of, spread_law
from liqlab.validation.calibration.ensemble import band, quantiles_of, silent_laws
from liqlab.validation.calibration.fit import minimise, prior_of, spread_of

LONG = os.environ.get("LIQLAB_LONG") == "1"
KAPPA = 0.2
QUICK: dict[str, Any] = {"share_of_volume": KAPPA, "closing": "proportional"}
AGENTS: dict[str, Any] = {}  # as it comes
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75)


@pytest.fixture(scope="module")
def btc() -> Market:
    return lq.load_example("btc-2024-07")


@pytest.fixture(scope="module")
def eth() -> Market:
    return lq.load_example("eth-2024-07")


@pytest.fixture(scope="module")
def fitted(btc: Market) -> Calibration:
    return calibrate(btc, resamples=30, **QUICK)


def planted(market: Market, law: Law, rng: np.random.Generator, *, same_bar_share: float, noise: float) -> Market:
    """The market with liquidations that the model itself makes under a law, a throttle and noise."""
    z = lq.expected_liquidations(market, law=law, same_bar_share=same_bar_share, unit="coins", **QUICK)
    z = z.loc[market.liquidations.index]  # type: ignore[union-attr]
    seen = np.expm1(0.8 * np.log1p(0.3 * z)) * np.exp(noise * rng.standard_normal(z.shape) - noise**2 / 2)
    return replace(market, liquidations=seen)


def scores(estimated: pd.DataFrame, market: Market) -> list[tuple[float, float]]:
    """Rank correlation and R² of log(1 + coins) by side."""
    out = []
    for side in SIDES:
        y = market.liquidations[side]  # type: ignore[index]
        x, t = estimated.loc[y.index, side], np.log1p(y)
        r_squared = 1 - ((np.log1p(x) - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
        out.append((float(spearmanr(x, y).statistic), float(r_squared)))
    return out


# --- by hand --------------------------------------------------------------------------------------------------------


def test_a_noiseless_plant_of_three_classes_is_found() -> None:
    """Amounts made by ``z = X w`` exactly: weights, exponent and same-bar share come back."""
    rng = np.random.default_rng(0)
    stood, caught = rng.gamma(0.5, 1e6, (2, 600, 3)), rng.gamma(0.5, 1e6, (2, 600, 3))
    weight = np.array([[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]])
    z = np.einsum("stk,sk->st", stood + 0.3 * caught, weight)
    amount = 1e4 * np.expm1(0.7 * np.log1p(z / 1e4))
    even = np.full((2, 3), 1 / 3)
    fit = minimise(Design(stood, caught), amount, even, loss="censored", offset=1e4, spread=np.full(2, 0.02))
    np.testing.assert_allclose(fit.scale * fit.share, weight, rtol=0.05)
    assert fit.exponent == pytest.approx(0.7, rel=0.02)
    assert fit.same_bar_share == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("loss", ["censored", "poisson", "rank"])
def test_the_minimum_is_one(loss: str) -> None:
    """No step along any parameter lowers the loss that was minimised."""
    rng = np.random.default_rng(1)
    stood, caught = rng.gamma(0.5, 1.0, (2, 200, 4)), rng.gamma(0.5, 1.0, (2, 200, 4))
    amount = np.einsum("stk->st", stood) * np.exp(0.5 * rng.standard_normal((2, 200)))
    even, how = np.full((2, 4), 0.25), {"loss": loss, "offset": 1.0, "spread": np.ones(2)}
    fit = minimise(Design(stood, caught), amount, even, **how)
    middle, precision = prior_of(4, loss)

    def value(point: np.ndarray) -> float:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("liqlab.validation.calibration.fit.MAX_NEWTON_STEPS", 0)
            rows = minimise(Design(stood, caught), amount, even, begin=point, **how).rows
        return rows.sum() + 0.5 * (point - middle) @ precision @ (point - middle)

    best = value(fit.point)
    for k in range(len(fit.point)):
        step = np.zeros_like(fit.point)
        step[k] = 0.03
        assert min(value(fit.point + step), value(fit.point - step)) > best - 2e-3


def test_a_throttled_top_does_not_bend_a_censored_fit() -> None:
    """Cut the largest 5 % of the amounts to a third: the censored fit hardly moves, the Poisson one does."""
    rng = np.random.default_rng(2)
    stood = rng.gamma(0.4, 1.0, (2, 800, 3))
    stood[:, :, 2] *= stood[:, :, 2]
    weight = np.array([[0.2, 0.3, 0.5]] * 2)
    z = np.einsum("stk,sk->st", stood, weight) * np.exp(0.3 * rng.standard_normal((2, 800)))
    cut = np.where(z > np.quantile(z, 0.95), np.maximum(z / 3, np.quantile(z, 0.95)), z)
    even, nothing = np.full((2, 3), 1 / 3), np.zeros_like(stood)
    moved = {}
    for loss in ("censored", "poisson"):
        how: dict[str, Any] = {"loss": loss, "offset": 0.3, "spread": np.full(2, 0.3)}
        one, two = (minimise(Design(stood, nothing), y, even, **how).scale for y in (z, cut))
        moved[loss] = abs(np.log(two / one))
    assert moved["censored"] < 0.5 * moved["poisson"]


def test_bands_cover_what_they_say() -> None:
    """Of log-normal draws: 90 % of each number pointwise, 90 % of all at once simultaneously; with few draws too."""
    rng = np.random.default_rng(3)
    draws = np.exp(rng.standard_normal((4_000, 5)) * [0.1, 1.0, 0.5, 0.2, 2.0])
    low, high = band(draws, 0.9, "pointwise")
    inside = (draws >= low) & (draws <= high)
    np.testing.assert_allclose(inside.mean(axis=0), 0.9, atol=0.002)
    low, high = band(draws, 0.9, "simultaneous")
    inside = (draws >= low) & (draws <= high)
    assert inside.all(axis=1).mean() == pytest.approx(0.9, abs=0.01)
    assert (inside.mean(axis=0) > 0.95).all()
    few = np.exp(rng.standard_normal((40, 2_000)))
    low, high = band(few, 0.9, "pointwise")
    new = np.exp(rng.standard_normal(2_000))
    assert ((new >= low) & (new <= high)).mean() == pytest.approx(0.9, abs=0.02)
    with pytest.raises(ValueError, match="kind must be one of pointwise, simultaneous, got 'both'"):
        band(draws, 0.9, "both")


def test_quantiles_of_a_law_by_hand() -> None:
    """Two classes at distances e^-1 and e^-3, a quarter near: half of the mass is two thirds of the way."""
    near_far = np.array([[np.exp(-1), np.exp(-3)]] * 2)
    share = np.array([[0.75, 0.25]] * 2)
    # middles of the masses lie at 0.125 (near) and 0.625 (far)
    assert np.log(quantiles_of(share, near_far, [0.375]))[0, 0] == pytest.approx(-2.0)
    assert np.log(quantiles_of(share, near_far, [0.9]))[0, 0] == pytest.approx(-1.0)


def test_the_spread_of_a_fit_goes_with_what_is_expected() -> None:
    """Amounts that stray by a fixed factor stray little in log(1 + amount) where they are small."""
    rng = np.random.default_rng(4)
    stood = rng.gamma(0.4, 1.0, (2, 4_000, 3))
    amount = stood.sum(axis=2) * np.exp(0.5 * rng.standard_normal((2, 4_000)))
    how: dict[str, Any] = {"loss": "censored", "offset": 1.0}
    design, even = Design(stood, np.zeros_like(stood)), np.full((2, 3), 1 / 3)
    fit = minimise(design, amount, even, spread=np.ones(2), **how)
    spread, level = spread_of(design, amount, fit, **how), fit.amounts(design)
    assert spread.shape == amount.shape
    small, large = (spread[0][on].mean() for on in (level[0] < 0.3, level[0] > 3))
    assert large == pytest.approx(0.5 * 4 / 5, rel=0.25)  # y / (1 + y) of half
    assert small < 0.5 * large


def test_longs_and_shorts_share_one_link() -> None:
    """Twice as much of the longs observed moves their law inwards; it is not explained away by a link of their own."""
    rng = np.random.default_rng(5)
    stood = rng.gamma(0.5, 1.0, (2, 1_500, 3)) * [0.0, 1.0, 1.0]  # nothing reaches the farthest class
    amount = stood @ np.array([0.2, 0.4, 0.4]) * np.exp(0.2 * rng.standard_normal((2, 1_500)))
    amount[0] *= 2.0
    fit = minimise(Design(stood, np.zeros_like(stood)), amount, np.full((2, 3), 1 / 3), loss="censored", offset=1.0,
                   spread=np.full(2, 0.2))  # fmt: skip
    reached = fit.share[:, 1:].sum(axis=1)
    assert reached[0] / reached[1] == pytest.approx(2.0, rel=0.1)


# --- the design -----------------------------------------------------------------------------------------------------


def test_estimated_amounts_are_linear_in_the_shares(btc: Market) -> None:
    """The design, made under one law, gives what the model gives under another, to a few per cent."""
    seen = observed_of(btc)
    leverage = classes_of(btc, 10_000)
    share = spread_law(lq.law("measured"), leverage)
    one = Law("one", leverage, share[0], share[1], spread=2)
    design = design_of(btc, seen, lq.Assumptions(law=one, **QUICK))
    other = spread_law(lq.law("retail"), leverage)
    law = Law("other", leverage, other[0], other[1], spread=2)
    coins = lq.expected_liquidations(btc, law=law, same_bar_share=0.3, unit="coins", **QUICK)
    run = seen.sums(coins.to_numpy()).T
    linear = np.einsum("stk,sk->st", design.stood + 0.3 * design.caught, other)
    assert np.abs(linear - run).sum() / run.sum() < 0.05


def test_presets_keep_their_mass_on_other_classes() -> None:
    leverage = np.geomspace(1.5, 125, 15)
    for name in ("measured", "retail", "uniform"):
        share = spread_law(lq.law(name), leverage)
        np.testing.assert_allclose(share.sum(axis=1), 1.0)
        near = lq.law(name).long[lq.law(name).leverage > 15].sum()
        assert share[0, leverage > 15].sum() == pytest.approx(near, abs=0.06)


# --- real liquidations ----------------------------------------------------------------------------------------------


def test_out_of_sample_it_beats_the_fitted_baseline_on_the_other_asset(fitted: Calibration, eth: Market) -> None:
    """Fitted to BTC, scored on ETH; the baseline (√excursion + log volume) is even fitted to ETH itself."""
    c = eth.candles.loc[eth.liquidations.index]  # type: ignore[union-attr]
    excursion = {"long": np.log(c["open"] / c["low"]), "short": np.log(c["high"] / c["open"])}
    for k, (rank, r_squared) in enumerate(scores(fitted.estimate(eth), eth)):
        y = np.log1p(eth.liquidations[SIDES[k]])  # type: ignore[index]
        table = np.column_stack([np.ones(len(c)), np.sqrt(excursion[SIDES[k]]), np.log(c["volume"])])
        line = table @ np.linalg.lstsq(table, y, rcond=None)[0]
        assert rank > spearmanr(line, y).statistic + 0.04
        assert r_squared > 1 - ((line - y) ** 2).sum() / ((y - y.mean()) ** 2).sum() + 0.02


def test_a_later_period_is_foretold_from_the_first_half_alone(btc: Market) -> None:
    middle = btc.liquidations.index[470]  # type: ignore[union-attr]
    result = calibrate(btc.until(middle), resamples=2, **QUICK)
    assert result.span[1] <= middle
    later = replace(btc, liquidations=btc.liquidations[middle + pd.Timedelta("1D") :])  # type: ignore[misc]
    for rank, r_squared in scores(result.estimate(btc), later):
        assert rank > 0.82
        assert r_squared > 0.6


def test_what_comes_later_changes_nothing(btc: Market) -> None:
    """Calibrations of the market as known at t, and of one whose later liquidations are nonsense."""
    t = btc.liquidations.index[300]  # type: ignore[union-attr]
    wild = btc.liquidations.copy()  # type: ignore[union-attr]
    wild[wild.index >= t] = 1e9
    one, two = (calibrate(m.until(t), resamples=3, **QUICK) for m in (btc, replace(btc, liquidations=wild)))
    assert np.array_equal(one.law.long, two.law.long) and np.array_equal(one.shares(), two.shares())
    assert one.throttle.equals(two.throttle)


def test_same_seed_same_ensemble(btc: Market, fitted: Calibration) -> None:
    again = calibrate(btc, resamples=30, **QUICK)
    assert np.array_equal(fitted.shares(), again.shares())
    other = calibrate(btc, resamples=30, seed=1, **QUICK)
    assert np.array_equal(fitted.law.long, other.law.long) and not np.array_equal(fitted.shares(), other.shares())


@pytest.mark.parametrize("model", ["volume", "decay"])
def test_every_model_can_be_calibrated(btc: Market, model: str) -> None:
    result = calibrate(btc, model=model, share_of_volume=1.0, resamples=2)
    assert result.assumptions.model == model
    for rank, _ in scores(result.estimate(btc), btc):
        assert rank > 0.84


def test_the_assumptions_plug_into_maps_and_flows(fitted: Calibration, btc: Market) -> None:
    window: dict[str, Any] = {"start": "2024-07-04", "end": "2024-07-05"}
    heat = lq.heatmap(btc, assumptions=fitted, **window)
    assert heat.attrs["law"] == "calibrated"
    options = fitted.assumptions.options
    assert options["share_of_volume"] == KAPPA and options["closing"] == "proportional"
    assert lq.Assumptions.of(heat) == fitted.assumptions and lq.law(fitted) is fitted.law
    flow = lq.expected_liquidations(btc, unit="coins", assumptions=fitted)
    bare = fitted.estimate(btc, throttled=False)
    np.testing.assert_allclose(bare, flow, rtol=1e-12)
    # the link by hand, of one hour
    t, value = fitted.throttle, float(flow["long"].iloc[-5] * btc.candles["close"].iloc[-5])
    told = t["offset"] * ((1 + t["scale"] * value / t["offset"]) ** t["exponent"] - 1)
    assert fitted.estimate(btc, unit="quote")["long"].iloc[-5] == pytest.approx(told)


def test_the_map_lies_within_its_band_mostly(fitted: Calibration, btc: Market) -> None:
    heat = fitted.heatmaps(btc, start="2024-07-04", end="2024-07-05", members=8)
    low, middle, high = (heat[x].to_numpy() for x in ("notional_low", "notional", "notional_high"))
    assert (low <= high).all()
    on = middle > 0
    assert ((low <= middle) & (middle <= high))[on].mean() > 0.6
    assert heat.attrs["band_members"] == 8
    with pytest.raises(ValueError, match=r"members must lie in 2..30, got 31"):
        fitted.heatmaps(btc, members=31)


def test_finer_candles_are_summed_to_the_step_of_the_link() -> None:
    sim = lq.simulate(9, seed=5, timeframe="15m", warmup=3, positions_per_day=4_000)
    hourly = sim.market.liquidations.resample("1h").sum()  # type: ignore[union-attr]
    market = replace(sim.market, liquidations=hourly)
    result = calibrate(market, resamples=2, **QUICK)
    assert result.step == pd.Timedelta("1h")
    assert result.estimate(market).index.equals(hourly.index)


# --- planted truths -------------------------------------------------------------------------------------------------


def test_a_law_planted_in_the_model_lies_within_its_intervals(btc: Market) -> None:
    """Laws drawn from the prior, liquidations made by the model: the effective law's intervals hold theirs."""
    rng = np.random.default_rng(11)
    leverage, inside = classes_of(btc, 10_000), []
    preset = spread_law(lq.law("measured"), leverage)
    for _ in range(100 if LONG else 5):
        share = silent_laws(preset, "censored", rng, 1)[0]
        law = Law("planted", leverage, share[0], share[1], spread=2)
        market = planted(btc, law, rng, same_bar_share=0.3, noise=0.8)
        result = calibrate(market, resamples=40, **QUICK)
        table = result.intervals(of="effective")
        true = np.concatenate([law.long, law.short])
        inside.append((true >= table["low"]) & (true <= table["high"]))
    assert np.mean(inside) > (0.88 if LONG else 0.75)  # of a nominal 0.9; classes of one fit err together


def test_the_law_of_a_market_of_agents_lies_within_the_intervals() -> None:
    """`simulate` is not made of the model's assumptions: what its agents opened lies within the stated intervals."""
    seeds = range(1_000, 1_000 + (200 if LONG else 2))
    inside = []
    for seed in seeds:
        sim = lq.simulate(30 if LONG else 12, seed=seed, timeframe="15m")
        table = calibrate(sim.market, resamples=60, **(AGENTS if LONG else QUICK)).distances(QUANTILES)
        true = np.minimum(sim.distances(QUANTILES).to_numpy().ravel(), 0.97)  # beyond that nothing can be told apart
        inside.append((true >= table["low"]) & (true <= table["high"]))
    hits = np.array(inside).reshape(len(inside), -1)
    if LONG:
        for quantile in hits.sum(axis=0):
            assert binomtest(int(quantile), len(hits), 0.9, alternative="less").pvalue > 0.01
    assert hits.mean() > (0.9 if LONG else 0.6)  # quantiles of one market err together, and the short run has two


# --- what it says ---------------------------------------------------------------------------------------------------


def test_intervals_say_what_was_learned(fitted: Calibration) -> None:
    table = fitted.intervals()
    assert list(table.columns) == ["distance_from_entry", "share", "low", "high", "learned"]
    assert (table["low"] <= table["high"]).all()
    for side in SIDES:
        part = table.loc[side]
        assert part["share"].sum() == pytest.approx(1.0)
        # near levels are reached every day, far ones never: that is where the data speak
        assert part["learned"].iloc[-1] > part["learned"].iloc[:5].mean()
    wide, narrow = (fitted.intervals(kind=kind) for kind in ("simultaneous", "pointwise"))
    assert (np.log(wide["high"] / wide["low"]) > np.log(narrow["high"] / narrow["low"]) - 1e-9).mean() > 0.9
    bold = fitted.distances((0.5,), of="opened")["low"] < fitted.distances((0.5,), of="effective")["low"]
    assert bold.all()


def test_the_profile_is_the_ridge(btc: Market) -> None:
    result = calibrate(btc, resamples=4, share_of_volume=(0.05, 0.2, 0.5), closing="proportional")
    profile = result.profile
    assert profile["loss"].min() == 0.0 and not profile["allowed"].loc[0.05]
    assert result.share_of_volume == profile.index[profile["allowed"]].min()
    assert set(result.members["share_of_volume"]) <= set(profile.index[profile["allowed"]])
    assert profile["scale"].is_monotonic_decreasing  # more opened, a smaller part of it observed
    assert "allowed: " in repr(result) and "BTC/USDT:USDT on binanceusdm" in repr(result)


def test_figures_draw(fitted: Calibration, btc: Market) -> None:
    import holoviews as hv

    sheet = lq.plot.calibration(fitted)
    titles = [panel.opts.get("plot").kwargs["title"] for panel in sheet.values()]
    assert all("estimated" in title for title in titles[:2]) and all("BTC/USDT:USDT" in title for title in titles)
    heat = fitted.heatmaps(btc, start="2024-07-04", end="2024-07-05", members=2)
    picture = lq.plot.uncertainty(heat)
    assert {type(x) for x in picture} == {hv.Rectangles, hv.Curve}
    hv.render(picture, backend="bokeh")
    with pytest.raises(ValueError, match="this heatmap carries no band"):
        lq.plot.uncertainty(lq.heatmap(btc, start="2024-07-04", end="2024-07-05"))


# --- errors teach ---------------------------------------------------------------------------------------------------


def test_errors_say_what_to_do(btc: Market) -> None:
    with pytest.raises(ValueError, match="no observed liquidations, so there is nothing to calibrate to"):
        calibrate(replace(btc, liquidations=None))
    with pytest.raises(ValueError, match="loss must be one of censored, poisson, rank, got 'l2'"):
        calibrate(btc, loss="l2")
    with pytest.raises(ValueError, match="resamples must be from 2 to 10,000, got 0"):
        calibrate(btc, resamples=0)
    with pytest.raises(ValueError, match="cover 3 days; calibration resamples days and needs at least 7"):
        calibrate(btc.until("2024-06-22"))
    with pytest.raises(ValueError, match="one side has no observed liquidation"):
        calibrate(replace(btc, liquidations=btc.liquidations.assign(short=0.0)))  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="of must be 'opened' or 'effective', got 'all'"):
        calibrate(btc, resamples=2, **QUICK).shares("all")
