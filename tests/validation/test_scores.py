"""Scores against hand-computed tables and closed forms, resampling against literal resamples, units, planted truths."""

from __future__ import annotations

import os
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.signal import lfilter

import liqlab as lq
from liqlab.validation import placebos
from liqlab.validation import score_functions as s
from liqlab.validation.batch_scores import batch, partial_batch
from liqlab.validation.resampling import Drawn, days_of, interval

LONG = os.environ.get("LIQLAB_LONG") == "1"
# ten hours by hand: estimates with two ties, observations with one
X = np.array([0.0, 1.0, 1.0, 3.0, 4.0, 5.0, 5.0, 7.0, 8.0, 9.0])
Y = np.array([0.0, 2.0, 1.0, 4.0, 3.0, 6.0, 4.0, 9.0, 7.0, 20.0])


def hours(n: int, *, start: str = "2024-06-19") -> pd.DatetimeIndex:
    return pd.date_range(start, periods=n, freq="h", tz="UTC", name="time")


def amounts(n: int, seed: int = 0, *, start: str = "2024-06-19") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.gamma(0.5, 4.0, (n, 2)), index=hours(n, start=start), columns=["long", "short"])


# --- one score at a time ----------------------------------------------------------------------------------------------


def test_spearman_with_ties_by_hand() -> None:
    """Ranks 1, 2.5, 2.5, 4, 5, 6.5, 6.5, 8, 9, 10 and 1, 3, 2, 5.5, 4, 7, 5.5, 9, 8, 10: Σ(a−5.5)(b−5.5) = 78.25."""
    assert s.ranks(X).tolist() == [1, 2.5, 2.5, 4, 5, 6.5, 6.5, 8, 9, 10]
    assert s.ranks(Y).tolist() == [1, 3, 2, 5.5, 4, 7, 5.5, 9, 8, 10]
    # sums of squares: 82.5 − 2 · 0.5 = 81.5 with two ties of two, 82.5 − 0.5 = 82 with one
    assert s.spearman(X, Y) == pytest.approx(78.25 / np.sqrt(81.5 * 82.0), abs=1e-12)
    assert s.spearman(X, Y) == pytest.approx(stats.spearmanr(X, Y)[0], abs=1e-12)


def test_spearman_ignores_every_monotone_change_and_is_not_defined_for_a_constant() -> None:
    assert s.spearman(np.exp(X), np.sqrt(Y)) == pytest.approx(s.spearman(X, Y), abs=1e-12)
    assert s.spearman(-X, Y) == pytest.approx(-s.spearman(X, Y), abs=1e-12)
    assert np.isnan(s.spearman(np.ones(10), Y))


def test_r_squared_and_slope_are_those_of_the_straight_line() -> None:
    line = stats.linregress(np.log1p(X), np.log1p(Y))
    assert s.r_squared_log(X, Y) == pytest.approx(line.rvalue**2, abs=1e-12)
    assert s.calibration_slope(X, Y) == pytest.approx(line.slope, abs=1e-12)
    # 1 + y = (1 + x)²: slope 2 and R² 1, whatever the factor
    assert s.calibration_slope(X, (1 + X) ** 2 - 1) == pytest.approx(2.0, abs=1e-12)
    assert s.r_squared_log(X, 5 * (1 + X) ** 2 - 1) == pytest.approx(1.0, abs=1e-12)


def test_poisson_skill_by_hand_where_the_calibration_is_exact() -> None:
    """Two values of x: the fit gives each its mean of y, 1 and 4, so the deviance can be written down."""
    x, y = np.array([1.0, 1.0, 3.0, 3.0]), np.array([0.0, 2.0, 3.0, 5.0])
    fit = np.array([1.0, 1.0, 4.0, 4.0])

    def deviance(mu: Any) -> float:
        return float(2 * np.sum(np.where(y > 0, y * np.log(np.maximum(y, 1e-300) / mu), 0.0) - (y - mu)))

    assert s.poisson_skill(x, y) == pytest.approx(1 - deviance(fit) / deviance(np.full(4, 2.5)), abs=1e-9)


def test_gamma_skill_by_hand_leaves_out_hours_without_liquidations() -> None:
    x, y = np.array([1.0, 1.0, 3.0, 3.0, 8.0]), np.array([1.0, 3.0, 6.0, 10.0, 0.0])

    def deviance(mu: Any) -> float:
        return float(2 * np.sum((y[:4] - mu) / mu - np.log(y[:4] / mu)))

    expected = 1 - deviance(np.array([2.0, 2.0, 8.0, 8.0])) / deviance(np.full(4, 5.0))
    assert s.gamma_skill(x, y) == pytest.approx(expected, abs=1e-9)


def test_skills_are_1_for_the_truth_and_0_for_a_constant() -> None:
    for skill in (s.poisson_skill, s.gamma_skill):
        assert skill(2 * (1 + X) - 1, 3 * (1 + X)) == pytest.approx(1.0, abs=1e-8)
        assert skill(np.ones(10), Y) == pytest.approx(0.0, abs=1e-9)


def test_top_decile_by_hand() -> None:
    """Of ten hours the top decile is one: hour 9 in both, so precision 1 and lift 20 / mean 5.6."""
    assert s.precision(X, Y) == 1.0
    assert s.lift(X, Y) == pytest.approx(20 / 5.6, abs=1e-12)
    assert s.precision(-X, Y) == 0.0 and s.lift(-X, Y) == 0.0


def test_ties_at_the_edge_of_the_top_decile_are_shared() -> None:
    """Nine hours tie for the one place: each holds a ninth of it."""
    x = np.array([0.0] + [1.0] * 9)
    assert s.top_share(x).tolist() == pytest.approx([0.0] + [1 / 9] * 9)
    assert s.precision(x, Y) == pytest.approx(1 / 9)
    assert s.lift(x, Y) == pytest.approx(Y[1:].mean() / Y.mean())
    assert s.precision(np.zeros(10), Y) == pytest.approx(0.1)  # knows nothing: chance


def test_partial_rank_correlation_by_regression_of_ranks() -> None:
    rng = np.random.default_rng(1)
    z = rng.normal(size=200)
    x, y = z + rng.normal(size=200), z + rng.normal(size=200)
    a, b, c = (stats.rankdata(v) for v in (x, y, z))
    left = [v - np.polyval(np.polyfit(c, v, 1), c) for v in (a, b)]
    assert s.partial_spearman(x, y, z) == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-10)


def test_calibration_curve_by_hand() -> None:
    curve = s.calibration_curve(X, Y, bins=2)
    assert curve["rows"].tolist() == [5, 5] and curve["estimated"].tolist() == pytest.approx([1.8, 6.8])
    assert curve["observed"].tolist() == [2.0, 9.2] and curve["ratio"].tolist() == pytest.approx([2 / 1.8, 9.2 / 6.8])
    assert len(s.calibration_curve(np.zeros(10), Y)) == 1  # equal estimates are not torn apart


# --- resampling ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", s.SCORES)
def test_weights_are_literal_resamples(name: str) -> None:
    """A row of weight 2 is a row that stands there twice; not so for the skills: their calibration stays."""
    table = amounts(24 * 8)
    x, y = np.round(table["long"].to_numpy()), np.round(table["long"].to_numpy() + table["short"].to_numpy())
    days = days_of(table.index, resamples=20, seed=3)
    score = s.SCORES[name]
    values = score(x, y, Drawn(days.draws, days.code))
    assert values[0] == pytest.approx(score(x, y), abs=1e-12)
    if "skill" in name:
        return
    for k in range(1, 21):
        rows = np.repeat(np.arange(len(x)), days.draws[days.code, k].astype(int))
        assert values[k] == pytest.approx(score(x[rows], y[rows]), abs=1e-10)


def test_the_batch_equals_the_scores_one_by_one() -> None:
    table, other = amounts(24 * 6), amounts(24 * 6, 1)
    y, xs = np.round(table["long"].to_numpy()), [np.round(table["short"].to_numpy()), other["long"].to_numpy()]
    days = days_of(table.index, resamples=15)
    drawn = Drawn(days.draws, days.code)
    together = batch(xs, y, drawn)
    for k, x in enumerate(xs):
        for j, score in enumerate(s.SCORES.values()):
            assert together[k, j] == pytest.approx(score(x, y, drawn), abs=1e-10)
    assert partial_batch(xs[:1], y, xs[1], drawn)[0] == pytest.approx(
        s.partial_spearman(xs[0], y, xs[1], drawn.rows), abs=1e-10
    )


def test_days_are_drawn_whole_and_seeded() -> None:
    index = hours(50, start="2024-01-01 21:00")  # 3 hours, a full day, 23 hours
    days = days_of(index, resamples=200, seed=5)
    assert np.bincount(days.code).tolist() == [3, 24, 23] and (days.draws[:, 0] == 1).all()
    assert (days.draws.sum(axis=0) == 3).all()
    assert np.array_equal(days.draws, days_of(index, resamples=200, seed=5).draws)
    assert not np.array_equal(days.draws, days_of(index, resamples=200, seed=6).draws)


def test_a_thousand_resamples_hold_no_table_of_rows_and_resamples() -> None:
    x, y = amounts(4_800).to_numpy().T
    days = days_of(hours(4_800), resamples=1_000)
    drawn = Drawn(days.draws, days.code)
    batch([x], y, drawn)  # compiled
    tracemalloc.start()
    batch([x], y, drawn)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < x.nbytes * 1_000 / 4


def test_intervals_cover_the_truth_of_a_process_with_memory() -> None:
    """Hours with memory (AR, 0.8 per hour) and known correlation: a 90 % interval holds the truth about as often.

    Forty days are few and memory runs over midnight, so a little less is expected: at least 80 %. Resampling single
    hours instead would hold it far less often; that is what the blocks are for.
    """
    trials, n, rho = (600 if LONG else 120), 24 * 40, 0.6
    truth = 6 / np.pi * np.arcsin(rho / 2)  # Spearman of two normal variables
    hit = {"days": 0, "hours": 0}
    for k in range(trials):
        rng = np.random.default_rng(k)
        x, y = memory(rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=n + 50))[50:].T
        days = days_of(hours(n), resamples=120, seed=k)
        single = Drawn(np.column_stack([np.ones(n), rng.multinomial(n, np.full(n, 1 / n), size=120).T]), np.arange(n))
        for name, drawn in (("days", Drawn(days.draws, days.code)), ("hours", single)):
            _, low, high = interval(s.spearman(x, y, drawn), 0.9)
            hit[name] += low <= truth <= high
    assert 0.80 <= hit["days"] / trials <= 0.97
    assert hit["hours"] / trials < 0.70


def memory(noise: np.ndarray) -> np.ndarray:
    """x(t) = 0.8·x(t − 1) + 0.6·noise(t): variance 1, the correlation of the noise."""
    return lfilter([0.6], [1.0, -0.8], noise, axis=0)


# --- the scoreboard ---------------------------------------------------------------------------------------------------


def test_a_perfect_estimate_gets_1_and_paired_differences_are_differences() -> None:
    table = amounts(24 * 10)
    result = lq.score(
        {"truth": table, "noise": amounts(24 * 10, 9)}, table, unit="coins", baselines=False, resamples=50
    )
    for score in ("spearman", "r_squared_log", "precision", "calibration_slope"):
        assert result.of(score).loc["truth", "value"] == pytest.approx(1.0, abs=1e-9)
    noise = result.of("spearman").loc["noise"]
    assert noise["lead"] == pytest.approx(1 - noise["value"], abs=1e-12)
    assert noise["lead_low"] == pytest.approx(1 - noise["high"], abs=1e-9)  # the truth has 1 in every resample
    assert np.isnan(result.of("spearman").loc["truth", "lead"])
    assert (
        result.kinds == {"truth": "map", "noise": "map"} and result.about["days"] == 10 and result.about["dropped"] == 0
    )


def test_units_are_told_checked_and_never_guessed() -> None:
    table = amounts(48)
    with pytest.raises(ValueError, match=r"does not say its unit.*pass unit='coins'"):
        lq.score(table, table, baselines=False)
    with pytest.raises(ValueError, match="is in quote, the comparison is in coins; pass market= or price="):
        lq.score(table, table, unit="quote", baselines=False)
    with pytest.raises(ValueError, match="unit must be 'coins' or 'quote', got 'usd'"):
        lq.score(table, table, unit="usd", baselines=False)
    told = table.copy()
    told.attrs["unit"] = "quote"
    with pytest.raises(ValueError, match="says that it is in 'quote', but unit is 'coins'; correct one"):
        lq.score(told, table, unit="coins", baselines=False)
    price = pd.Series(50.0, index=table.index)
    same = lq.score(table * 50.0, table, price=price, unit="quote", baselines=False, resamples=0)
    assert same.forecasts["estimate"].to_numpy() == pytest.approx(table.to_numpy())
    with pytest.raises(ValueError, match="no price for 24 of its 48 bars"):
        lq.score(told, table, price=price[:24], baselines=False)


def test_both_tables_are_summed_to_the_coarser_step_and_partial_bars_are_dropped() -> None:
    """Quarter hours 1, 2, 3, … sum to 10, 26, 42, … per hour; the hour without its last quarter is left out."""
    fine = pd.DataFrame({"long": np.arange(1.0, 24.0), "short": 1.0},
                        index=pd.date_range("2024-01-01", periods=23, freq="15min", tz="UTC", name="time"))  # fmt: skip
    seen = pd.DataFrame(
        {"long": [1.0, 2, 3, 4, 5, 6], "short": [1.0, 2, 3, 4, 5, 6]}, index=hours(6, start="2024-01-01")
    )
    result = lq.score(fine, seen, unit="coins", baselines=False, resamples=0)
    assert result.forecasts["estimate"]["long"].tolist() == [10, 26, 42, 58, 74] and result.about["step"] == "1h"
    assert len(result.observed) == 5
    wide = lq.score(seen, seen, unit="coins", baselines=False, resamples=0, step="2h")
    assert wide.observed["long"].tolist() == [3.0, 7.0, 11.0] and wide.about["step"] == "2h"


def test_what_cannot_be_scored_is_refused_with_a_reason() -> None:
    table = amounts(48)
    with pytest.raises(ValueError, match="no bar in common: estimate has 48 bars"):
        lq.score(table, amounts(48, start="2025-01-01"), unit="coins", baselines=False)
    with pytest.raises(TypeError, match="estimated must be a pandas DataFrame or a mapping"):
        lq.score(table["long"], table, unit="coins")
    with pytest.raises(ValueError, match=r"observed: liquidations: column"):
        lq.score(table, -table, unit="coins", baselines=False)
    odd = table.copy()
    odd.index = pd.date_range("2024-06-19", periods=48, freq="90min", tz="UTC", name="time")
    with pytest.raises(ValueError, match="do not add up to"):
        lq.score(odd, table, unit="coins", baselines=False)
    with pytest.raises(ValueError, match="no score 'pearson'"):
        lq.score(table, table, unit="coins", baselines=False, resamples=0).of("pearson")


def test_bars_without_an_observed_row_are_counted_and_said() -> None:
    """Of 48 hours two have no row; summed to four hours, two of twelve bars are not whole."""
    table = amounts(48)
    seen = table.drop(table.index[[5, 20]])
    result = lq.score(table, seen, unit="coins", baselines=False, resamples=10)
    assert result.about["left_out"] == {"without an observed row": 2} and len(result.observed) == 46
    assert "left out: 2 bar(s) without an observed row" in repr(result)
    coarse = lq.score(table, seen, unit="coins", baselines=False, resamples=10, step="4h")
    assert coarse.about["left_out"] == {"without an observed row": 2} and len(coarse.observed) == 10
    whole = lq.score(table, table, unit="coins", resamples=10)
    assert whole.about["left_out"] == {"not known to 'last bar'": 1}


def test_bars_that_a_forecast_does_not_know_are_dropped_for_all_and_counted() -> None:
    table = amounts(48)
    result = lq.score(table, table, unit="coins", resamples=10)
    assert list(result.forecasts) == ["estimate", "last bar"]
    assert len(result.observed) == 47 and result.about["dropped"] == 1
    assert result.forecasts["last bar"]["long"].to_numpy() == pytest.approx(table["long"].to_numpy()[:-1])


def test_a_map_that_adds_gains_and_one_that_repeats_the_baseline_does_not() -> None:
    """Observed = a · b with independent a, b: given a, b adds; given a, a again adds nothing."""
    rng = np.random.default_rng(4)
    a, b = np.exp(rng.normal(size=(2, 24 * 30, 2)))
    index = hours(24 * 30)
    seen = pd.DataFrame(a * b, index=index, columns=["long", "short"])
    from liqlab.validation._gains import gains

    forecasts = {name: pd.DataFrame(x, index=index, columns=["long", "short"]) for name, x in
                 (("b", b), ("again", a**1.5), ("a", a))}  # fmt: skip
    kinds = {"b": "map", "again": "map", "a": "baseline"}
    table = pd.DataFrame({"score": "spearman", "side": "long", "forecast": list(kinds), "value": [0.7, 0.7, 0.7]})
    made = gains(forecasts, seen, kinds, table, days_of(index, resamples=200)).set_index(["forecast", "measure"])
    assert made.loc[("b", "partial_spearman"), "low"] > 0.8 and made.loc[("b", "r_squared_gain"), "low"] > 0.3
    assert abs(made.loc[("again", "r_squared_gain"), "value"]) < 0.02


def test_a_shuffled_map_scores_as_its_placebo() -> None:
    """Once its days are shuffled a map has nothing left that another shuffle would destroy."""
    sim = lq.simulate(12, timeframe="1h", seed=3, warmup=5)
    estimated = lq.expected_liquidations(sim.market, unit="coins")
    shuffled = placebos(estimated, seed=1)["days shuffled"]
    again = placebos(shuffled, seed=2)["days shuffled"]
    tables = {"shuffled": shuffled, "shuffled again": again, "map": estimated.loc[shuffled.index]}
    result = lq.score(tables, sim.market.liquidations, unit="coins", baselines=False, resamples=400)
    rows = result.of("spearman")
    assert rows.loc["shuffled again", "lead_low"] < 0 < rows.loc["shuffled again", "lead_high"]
    assert rows.loc["map", "lead_high"] < 0  # the true map is well above both
    assert sorted(shuffled["long"]) == pytest.approx(sorted(estimated.loc[shuffled.index, "long"]))


def test_the_result_says_what_it_is() -> None:
    table = amounts(24 * 4)
    words = repr(lq.score(table, table, unit="coins", resamples=20))
    assert "95 bars of 1h on 4 days" in words and "pointwise" in words and "last bar" in words


def test_the_scoreboard_draws_every_forecast_and_refuses_unknown_scores() -> None:
    table = amounts(24 * 4)
    result = lq.score({"one": table, "two": amounts(24 * 4, 2)}, table, unit="coins", resamples=20)
    figure = lq.plot.scoreboard({"first": result, "second": result}, score="precision", placebos=("two",))
    assert len(figure) == 2
    import holoviews as hv

    points = [p for panel in figure for p in panel.traverse(lambda x: x, [hv.Points])]
    assert sum(len(p) for p in points) == 6 and {p.label for p in points} >= {"map, estimated", "placebo"}
    with pytest.raises(ValueError, match="score must be one of spearman"):
        lq.plot.scoreboard(result, score="pearson")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"resamples": -1}, "resamples must be from 0"), ({"level": 3.0}, "level must"),
     ({"baselines": ["momentum"]}, "baselines: no baseline is called 'momentum'"),
     ({"observed_unit": "usd"}, "observed_unit must be 'coins' or 'quote', got 'usd'"),
     ({"step": "900d"}, "step: estimate has no whole bar of 900d")],
)  # fmt: skip
def test_arguments_are_refused_before_anything_is_computed(
    wrong: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = lq.load_example("btc-2024-07")
    estimated = lq.expected_liquidations(example, unit="coins")
    monkeypatch.setattr("liqlab.validation._score._baselines", None)
    with pytest.raises(ValueError, match=words):
        lq.score(estimated, example.liquidations, market=example, **wrong)
