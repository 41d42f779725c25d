"""Zones: what was planted is found where, on which side and of what size; noise shows none; nothing looks ahead."""

from __future__ import annotations

import math
import os
from itertools import pairwise
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import liqlab as lq
from liqlab.maps.stacking import stack_heatmaps
from liqlab.plot.style import view
from liqlab.zones import every_cluster
from liqlab.zones._confluence import score_of
from liqlab.zones.profile_peaks import CELLS, REACH, peaks_nb, smooth_all_nb, smoother

W = 0.003
EDGES = np.arange(40_000.0, 90_000.0 + 1, 25.0)
PRICE = 60_000.0
MANY = 20 if os.environ.get("LIQLAB_LONG") == "1" else 1


def heat_of(long: Any, short: Any, edges: np.ndarray = EDGES, ohlc: Any = None, **attrs: str) -> xr.Dataset:
    """A heatmap with the given notional (time, price) of each side."""
    long, short = np.atleast_2d(np.asarray(long, float)), np.atleast_2d(np.asarray(short, float))
    n = len(long)
    time = pd.date_range("2024-05-01", periods=n, freq="15min").as_unit("ns").to_numpy()
    ohlc = np.full((n, 4), PRICE) if ohlc is None else np.asarray(ohlc, float)
    data = {name: ("time", ohlc[:, k]) for k, name in enumerate(("open", "high", "low", "close"))}
    given = {"quote": "USDT", "symbol": "BTC/USDT:USDT", "exchange": "made", "timeframe": "15m", "time_step": "15m",
             "model": "made", "law": "made", "lookback": "", "open_interest": "none", "coin": "BTC",
             **attrs}  # fmt: skip
    return xr.Dataset(
        {"notional": (("time", "price", "side"), np.stack([long, short], axis=-1)), **data},
        coords={"time": time, "price": (edges[1:] + edges[:-1]) / 2, "side": ["long", "short"],
                "close_time": ("time", time + np.timedelta64(15, "m")), "price_edge": ("price_edge", edges)},
        attrs=given,
    )  # fmt: skip


def normal(z: np.ndarray) -> np.ndarray:
    return np.array([0.5 * (1 + math.erf(x / math.sqrt(2))) for x in np.ravel(z)]).reshape(np.shape(z))


def bump(peak: float, amount: float, sigma: float, edges: np.ndarray = EDGES) -> np.ndarray:
    """Exact amount per bin of a Gaussian over log price."""
    return amount * np.diff(normal((np.log(edges) - math.log(peak)) / sigma))


def ground(amount: float, low: float, high: float, edges: np.ndarray = EDGES) -> np.ndarray:
    """An even background over log price between two prices."""
    part = np.clip(np.log(edges), math.log(low), math.log(high))
    return amount * np.diff(part) / math.log(high / low)


LONGS, SHORTS = ground(5e7, 41_000, 59_500), ground(5e7, 60_500, 89_000)
NOTHING = np.zeros(len(EDGES) - 1)


def zones_of(*args: Any, **options: Any) -> pd.DataFrame:
    """Clusters alone, without the bright blocks that are none."""
    table = lq.clusters(*args, **options)
    return table[~table["broad"]]


# --- planted zones --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [0.0008, 0.003, 0.008])
@pytest.mark.parametrize(("side", "peak"), [("long", 56_490.0), ("short", 66_123.0)])
def test_a_planted_zone_is_found_with_its_price_side_and_size(side: str, peak: float, sigma: float) -> None:
    """Limits and notional against the closed form: half-width and content of a smoothed Gaussian on an even ground."""
    amount = 3e7
    planted = bump(peak, amount, sigma)
    long, short = (LONGS + planted, SHORTS) if side == "long" else (LONGS, SHORTS + planted)
    table = zones_of(heat_of(long, short))
    (zone,) = table.to_dict("records")
    assert zone["side"] == side
    assert zone["peak"] == pytest.approx(peak, rel=W / 100)
    smooth = math.hypot(sigma, W)
    reach = REACH * W  # a wide bump has not come down to its ground within reach
    lost = math.exp(-0.5 * (reach / smooth) ** 2)
    half = smooth * math.sqrt(-2 * math.log((1 + lost) / 2))
    assert math.log(zone["high"] / peak) == pytest.approx(half, rel=0.01)
    assert math.log(zone["low"] / peak) == pytest.approx(-half, rel=0.01)
    level = 5e7 / math.log(59_500 / 41_000 if side == "long" else 89_000 / 60_500)
    inside = amount * math.erf(half / sigma / math.sqrt(2)) + 2 * half * level
    assert zone["notional"] == pytest.approx(inside, rel=0.01)
    assert zone["share"] == pytest.approx(inside / (5e7 + amount), rel=0.01)
    height = amount / smooth / math.sqrt(2 * math.pi)
    assert zone["prominence"] == pytest.approx(0.01 * height * (1 - lost), rel=0.01)
    assert zone["brightness"] == pytest.approx(1)
    assert zone["distance_to_peak"] == pytest.approx(peak / PRICE - 1, rel=1e-3)


def test_two_close_zones_are_two_and_do_not_overlap() -> None:
    low, high = 55_000.0, 55_000.0 * math.exp(4 * W)
    table = zones_of(heat_of(LONGS + bump(low, 2e7, 0.001) + bump(high, 3e7, 0.001), SHORTS))
    assert table["peak"].tolist() == pytest.approx([high, low], rel=W / 5)
    assert table["rank"].tolist() == [1, 2]
    assert table["low"][0] >= table["high"][1]


def test_closer_than_the_scale_they_are_one() -> None:
    low, high = 55_000.0, 55_000.0 * math.exp(1.5 * W)
    table = zones_of(heat_of(LONGS + bump(low, 2e7, 0.001) + bump(high, 2e7, 0.001), SHORTS))
    assert table["peak"].tolist() == pytest.approx([math.sqrt(low * high)], rel=W / 20)
    assert len(zones_of(heat_of(LONGS + bump(low, 2e7, 5e-4) + bump(high, 2e7, 5e-4), SHORTS), width=0.001)) == 2


def test_zones_on_nothing_and_at_the_maps_edges_are_found() -> None:
    """Two widths inside the edge, nothing around: where they are, with all they hold between their limits."""
    first, last = 40_000 * math.exp(3 * W), 90_000 * math.exp(-3 * W)
    table = zones_of(heat_of(bump(first, 1e6, 0.001), bump(last, 2e6, 0.001)))
    assert table["side"].tolist() == ["short", "long"]
    assert table["peak"].tolist() == pytest.approx([last, first], rel=W / 50)
    assert table["notional"].tolist() == pytest.approx([2e6, 1e6], rel=1e-2)
    one = np.zeros(len(EDGES) - 1)
    one[0] = 5.0
    (zone,) = zones_of(heat_of(one, NOTHING)).to_dict("records")
    assert zone["notional"] == pytest.approx(5.0)
    assert zone["peak"] == pytest.approx(40_012.5, rel=1e-5)


def test_zones_are_ranked_by_notional_over_both_sides() -> None:
    long = LONGS + bump(50_000, 1e7, W) + bump(55_000, 4e7, W)
    short = SHORTS + bump(65_000, 2e7, W) + bump(75_000, 3e7, W)
    table = zones_of(heat_of(long, short))
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert table["peak"].round(-2).tolist() == [55_000, 75_000, 65_000, 50_000]
    assert table["notional"].is_monotonic_decreasing
    assert table["brightness"].max() == 1


def test_the_side_is_that_of_the_position_not_of_the_price() -> None:
    table = zones_of(heat_of(bump(66_000, 1e6, W), bump(55_000, 1e6, W)))
    assert dict(zip(table["side"], table["peak"].round(), strict=True)) == {"long": 66_000, "short": 55_000}


def test_what_is_broader_than_the_reach_is_no_zone() -> None:
    hump = bump(50_000, 1e8, 0.12)
    assert zones_of(heat_of(hump, NOTHING)).empty
    assert len(zones_of(heat_of(hump, NOTHING), width=0.03)) == 1


@pytest.mark.parametrize("side", ["long", "short"])
def test_where_a_bright_region_begins_is_a_step(side: str) -> None:
    """Even ground three times as dense from a price on: excess over the mean of sixteen widths, by hand.

    Beside the step, z widths into the bright part, the excess is (B − A)·(Φ(z) − 1/2 − z/32), largest at φ(z) = 1/32.
    """
    dim, bright, edge = 1e7, 3e7, 50_000.0  # notional per unit of log price
    span = np.abs(np.diff(np.clip(np.log(EDGES), math.log(41_000), math.log(edge))))
    beyond = np.abs(np.diff(np.clip(np.log(EDGES), math.log(edge), math.log(61_000))))
    amount = bright * span + dim * beyond if side == "long" else dim * span + bright * beyond
    table = zones_of(heat_of(amount, NOTHING) if side == "long" else heat_of(NOTHING, amount))
    (zone,) = table.to_dict("records")
    sign, z = (-1 if side == "long" else 1), math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) / (2 * REACH)))

    def excess(z: float) -> float:
        return float(normal(np.array(z))) - 0.5 - z / (2 * REACH)

    assert zone["kind"] == "step" and zone["side"] == side
    assert sign * math.log(zone["peak"] / edge) == pytest.approx(z * W, abs=W / 4)  # a flat top, on cells of W / 4
    assert zone["prominence"] == pytest.approx(0.01 * (bright - dim) * excess(z), rel=0.02)
    half = [x for x in np.arange(0, REACH, 0.01) if excess(x) >= excess(z) / 2]
    near, far = ("high", "low") if side == "long" else ("low", "high")
    assert sign * math.log(zone[near] / edge) == pytest.approx(half[0] * W, abs=W / 4)
    assert sign * math.log(zone[far] / edge) == pytest.approx(half[-1] * W, abs=W / 2)


def test_even_ground_and_a_slope_have_no_step_and_a_ridge_is_no_second_zone() -> None:
    """The ends of a side are no steps: nothing lies beyond to compare with. A spike over even ground is one zone."""
    assert zones_of(heat_of(LONGS, SHORTS)).empty
    slope = LONGS * np.exp(np.log(EDGES[1:] / 60_000))
    assert zones_of(heat_of(slope, SHORTS)).empty
    table = zones_of(heat_of(LONGS + bump(52_000, 3e7, 0.001), SHORTS))
    assert table["kind"].tolist() == ["ridge"]


def test_the_default_map_of_a_market_shows_zones_and_so_does_a_vendors() -> None:
    """Every eight hours of 25 April to 3 May 2024: a mostly smooth law makes both, the vendors' makes ridges."""
    market = lq.load_example("btc-2024-05")
    shown: dict[str, Any] = {"start": "2024-04-25", "end": "2024-05-03", "time_step": "8h"}
    fitted, vendor = (every_cluster(lq.heatmap(market, preset=name, **shown)) for name in ("fitted", "vendor"))
    assert fitted["column"].nunique() == 24
    assert 0.4 < (fitted["kind"] == "step").mean() < 0.8 and (vendor["kind"] == "ridge").all()


def test_a_bright_block_that_is_no_cluster_is_listed_with_the_reason() -> None:
    """A broad hump, half as high 1.177 standard deviations away; noise on an even ground; a spike on a broad block."""
    hump = bump(52_000, 1e8, 0.08)
    (block,) = lq.clusters(heat_of(hump, NOTHING)).to_dict("records")
    assert block["broad"] and block["reason"].startswith("broad: it falls by ") and block["rank"] == 1
    half = math.hypot(0.08, W) * math.sqrt(2 * math.log(2))
    assert math.log(block["peak"] / 52_000) == pytest.approx(0, abs=W / 10)
    assert math.log(block["high"] / 52_000) == pytest.approx(half, rel=0.01)
    assert math.log(block["low"] / 52_000) == pytest.approx(-half, rel=0.01)
    assert block["notional"] == pytest.approx(1e8 * math.erf(half / 0.08 / math.sqrt(2)), rel=0.01)
    assert block["distance_to_edge"] == pytest.approx(block["high"] / PRICE - 1)
    rough = np.random.default_rng(1).exponential(1e5, len(EDGES) - 1) * (LONGS > 0)
    noisy = lq.clusters(heat_of(rough, NOTHING)).iloc[0]
    assert noisy["broad"] and "standard deviations, a cluster by" in noisy["reason"]
    spike, block = lq.clusters(heat_of(hump + bump(54_000, 2e6, 0.001), NOTHING)).to_dict("records")
    assert not spike["broad"] and spike["reason"] == "" and spike["peak"] == pytest.approx(54_000, rel=1e-3)
    assert block["broad"] and "of it" in block["reason"] and block["low"] < spike["low"] < spike["high"] < block["high"]


@pytest.mark.parametrize("case", ["btc-2025-10", "sol-2025-10"])
def test_max_pain_lies_in_a_row_of_the_table(case: str) -> None:
    """10 October 2025: clusters alone had nothing near on the side of the longs, where the most stood."""
    heat = lq.heatmap(lq.load_example(case), start="2025-10-08", end="2025-10-10 20:00", time_step="4h")
    for at in heat["close_time"].to_numpy()[-6:]:
        zones, pain = lq.clusters(heat, at), lq.max_pain(heat, at)
        for side in ("long", "short"):
            mine = zones[zones["side"] == side]
            price = pain.loc[side, "price"]
            assert ((mine["low"] <= price) & (price <= mine["high"])).any(), (at, side)
    assert zones["rank"].tolist() == list(range(1, len(zones) + 1))
    assert not zones["broad"].diff().iloc[1:].lt(0).any()  # clusters come first


def test_the_nearest_zone_of_each_side() -> None:
    """By the edge: a broad block may lie nearer than any cluster, and is then told, unless it is not wanted."""
    heat = heat_of(LONGS + bump(50_000, 1e7, W) + bump(55_000, 4e7, W), SHORTS + bump(65_000, 2e7, W))
    near = lq.nearest(heat, broad=False)
    assert near.index.tolist() == ["long", "short"] and near["peak"].round(-2).tolist() == [55_000, 65_000]
    assert near.loc["long", "distance_to_edge"] == pytest.approx(near.loc["long", "high"] / PRICE - 1)
    assert near.loc["short", "distance_to_edge"] == pytest.approx(near.loc["short", "low"] / PRICE - 1)
    assert near.loc["long", "distance_to_peak"] == pytest.approx(55_000 / PRICE - 1, rel=1e-3)
    assert lq.nearest(heat_of(LONGS, SHORTS))["broad"].tolist() == [True, True]
    empty = lq.nearest(heat_of(LONGS + bump(55_000, 4e7, W), NOTHING))
    assert np.isnan(empty.loc["short", "peak"]) and empty.attrs["price"] == PRICE
    assert empty.loc["short", "reason"] == "" and not empty.loc["short", "broad"]


def test_a_ten_bin_map_by_hand() -> None:
    """Bins of 1 % of log price, amounts 1 but 9 in the sixth: width 1 %, the smoothed top and its half by hand."""
    edges = 100 * np.exp(0.01 * np.arange(11))
    amount = np.array([1.0, 1, 1, 1, 1, 9, 1, 1, 1, 1])
    (zone,) = zones_of(heat_of(amount, np.zeros(10), edges), width=0.01).to_dict("records")
    assert zone["peak"] == pytest.approx(100 * math.exp(0.055), rel=1e-4)
    # height: 8·[Φ(.5) − Φ(−.5)] = 3.0634 per 1 % above a ground of 1; both lowest points lie off the map, at 0
    assert zone["prominence"] == pytest.approx(8 * 0.382925 + 1, abs=2e-3)
    # half of it, 2.0317, is reached where 0.9987 + 8·[Φ(z + .5) − Φ(z − .5)] is: z = 1.533 widths
    assert math.log(zone["high"] / zone["peak"]) == pytest.approx(0.01533, abs=1e-4)
    # bins within ±1.533 %: the sixth, one neighbour on each side, and 3.3 % of the next ones
    assert zone["notional"] == pytest.approx(9 + 2 + 2 * 0.033, abs=0.02)
    assert zone["share"] == pytest.approx(zone["notional"] / 18)


# --- what must not matter ---------------------------------------------------------------------------------------------


def many() -> tuple[np.ndarray, np.ndarray]:
    """Fine bins with zones of all kinds."""
    fine = np.arange(40_000.0, 90_000.0 + 1, 12.5)
    amount = ground(1e8, 41_000, 88_000, fine)
    for peak, size, sigma in ((45_010, 8e6, 1e-4), (50_000, 2e7, W), (52_345, 1.5e7, 0.002), (70_007, 9e7, 0.008)):
        amount += bump(peak, size, sigma, fine)
    return fine, amount


@pytest.mark.parametrize("together", [2, 4, 8])
def test_other_bins_give_the_same_zones(together: int) -> None:
    fine, amount = many()
    coarse, summed = fine[::together], np.add.reduceat(amount, np.arange(0, len(amount), together))
    one = zones_of(heat_of(amount, 0 * amount, fine))
    other = zones_of(heat_of(summed, 0 * summed, coarse))
    assert len(one) == len(other) == 4
    assert (one["peak"] - other["peak"]).abs().max() < 12.5 * together / 2
    assert (other["notional"] / one["notional"] - 1).abs().max() < 0.02


def test_other_bins_of_a_real_market_give_the_same_zones() -> None:
    """Those at the limit of being one (within a fifth) may come and go; the others stay what they are."""
    market = lq.load_example("btc-2024-05")
    options = {"start": "2024-05-01 12:00", "end": "2024-05-01 12:15", "lookback": "24h", "law": {5: 1, 10: 1, 25: 1}}
    made = {step: every_cluster(lq.heatmap(market, price_step=step, **options)) for step in (12.5, 25.0, 50.0)}
    for step in (12.5, 50.0):
        for one, other in ((made[25.0], made[step]), (made[step], made[25.0])):
            clear = one[one["strength"] > 1.2]
            assert len(clear) >= 3
            for zone in clear.itertuples():
                near = other.iloc[(other["peak"] - zone.peak).abs().argmin()]
                assert near["side"] == zone.side
                assert abs(near["peak"] - zone.peak) < 25.0
                assert near["notional"] == pytest.approx(zone.notional, rel=0.03)


def test_scale_of_coins_and_of_price_does_not_matter() -> None:
    fine, amount = many()
    one = zones_of(heat_of(amount, 0 * amount, fine))
    tenfold = zones_of(heat_of(10 * amount, 0 * amount, fine))
    pd.testing.assert_series_equal(tenfold["peak"], one["peak"], rtol=1e-9)
    pd.testing.assert_series_equal(tenfold["notional"], 10 * one["notional"], rtol=1e-9)
    pd.testing.assert_series_equal(tenfold["prominence"], 10 * one["prominence"], rtol=1e-9)
    factor = math.exp(-1_000 * W / CELLS)  # the grid has a step, so whole steps are exact
    moved = heat_of(amount, 0 * amount, fine * factor, ohlc=[[PRICE * factor] * 4])
    for name in ("peak", "low", "high"):
        pd.testing.assert_series_equal(zones_of(moved)[name], factor * one[name], rtol=1e-6)
    pd.testing.assert_series_equal(zones_of(moved)["distance_to_peak"], one["distance_to_peak"], rtol=1e-5)


def test_empty_maps_single_columns_and_nan() -> None:
    table = zones_of(heat_of(NOTHING, NOTHING))
    assert table.empty and "notional" in table
    assert every_cluster(heat_of(NOTHING, NOTHING)).empty and lq.track(heat_of(NOTHING, NOTHING)).empty
    long = LONGS + bump(55_000, 2e7, W)
    long[LONGS == 0] = np.nan
    table = zones_of(heat_of(long, np.full(len(NOTHING), np.nan)))
    assert table["peak"].tolist() == pytest.approx([55_000], rel=1e-4)
    assert table["distance_to_peak_atr"].isna().all()
    with pytest.raises(ValueError, match="width must be at least the bins' own"):
        zones_of(heat_of(long, NOTHING), width=1e-5)
    with pytest.raises(ValueError, match=r"width must be > 0 and at most 1, got -1"):
        zones_of(heat_of(long, NOTHING), width=-1)


# --- noise ------------------------------------------------------------------------------------------------------------

NOISES = {
    "exponential": lambda rng, shape: rng.exponential(1, shape),
    "gamma of shape 4": lambda rng, shape: rng.gamma(4, 1, shape),
    "gamma of shape 1/2": lambda rng, shape: rng.gamma(0.5, 1, shape),
    "uniform": lambda rng, shape: rng.uniform(0, 1, shape),
    "Poisson of mean 2": lambda rng, shape: rng.poisson(2.0, shape),
    "Poisson of mean 1/2": lambda rng, shape: rng.poisson(0.5, shape),
}


@pytest.mark.parametrize("false_alarms", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("noise", NOISES)
def test_noise_shows_no_more_zones_than_stated(noise: str, false_alarms: float) -> None:
    """Noise maps, even and humped; three standard errors of the count are granted."""
    rng = np.random.default_rng(5)
    maps, middle = 200 * MANY, np.log((EDGES[1:] + EDGES[:-1]) / 2)
    hump = 0.3 + np.exp(-0.5 * ((middle - middle.mean()) / 0.25) ** 2)
    for shape in (np.ones(len(middle)), hump):
        part = (EDGES[1:] <= PRICE).astype(float) * shape
        other = (EDGES[:-1] >= PRICE).astype(float) * shape
        long, short = (side * NOISES[noise](rng, (maps, len(middle))) for side in (part, other))
        found = every_cluster(heat_of(long, short), false_alarms=false_alarms)
        expected = 2 * maps * false_alarms
        assert len(found) <= expected + 3 * math.sqrt(expected)


def test_zones_are_found_in_noise() -> None:
    """A zone of twelve standard deviations over exponential noise, in nearly all of a hundred maps."""
    rng = np.random.default_rng(6)
    level = ground(1e8, 41_000, 59_500)
    noise = level * rng.exponential(1, (100, len(level)))
    amount = noise + bump(52_000, 5.5e6, 0.001)
    found = every_cluster(heat_of(amount, 0 * amount))
    hit = found[(found["peak"] / 52_000 - 1).abs() < W]
    assert hit["column"].nunique() >= 97


# --- twin -------------------------------------------------------------------------------------------------------------


def test_the_profile_equals_its_plain_twin() -> None:
    rng = np.random.default_rng(1)
    edges = 100 + np.cumsum(rng.uniform(0.02, 0.2, 81))
    amount = rng.exponential(1, (3, 80))
    grid = smoother(edges, 0.004)
    found = smooth_all_nb(amount, grid.first, grid.weight, grid.cells)
    at = np.log(grid.price)
    log_edge = np.log(edges)
    plain = np.zeros_like(found)
    for i in range(80):
        density = (normal((at - log_edge[i]) / 0.004) - normal((at - log_edge[i + 1]) / 0.004)) / (
            log_edge[i + 1] - log_edge[i]
        )
        plain += amount[:, [i]] * density
    np.testing.assert_allclose(found, plain, atol=1e-5 * plain.max())
    assert found.sum(axis=1) * grid.step == pytest.approx(amount.sum(axis=1), rel=1e-5)


def plain_peaks(g: np.ndarray, reach: int) -> list[tuple[int, float]]:
    """Maxima and bases, by looking at every cell."""
    found = []
    for k in range(1, len(g) - 1):
        if g[k - 1] < g[k] > g[k + 1]:
            bases = []
            for way in (range(k - 1, max(k - reach, 0) - 1, -1), range(k + 1, min(k + reach, len(g) - 1) + 1)):
                seen = [g[k]]
                for j in way:
                    if g[j] > g[k]:
                        break
                    seen.append(g[j])
                bases.append(min(seen))
            found.append((k, max(bases)))
    return found


def test_peaks_equal_their_plain_twin() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        g = np.concatenate([[0.0], rng.exponential(1, 60).round(2), [0.0]])
        peak, base, low, high = np.empty(62, np.int64), *(np.empty(62) for _ in range(3))
        n = peaks_nb(g, 9, peak, base, low, high)
        expected = plain_peaks(g, 9)
        strict = [i for i in range(n) if g[peak[i] - 1] < g[peak[i]] > g[peak[i] + 1]]
        assert [(int(peak[i]), base[i]) for i in strict] == [x for x in expected if x[0] in peak[strict]]
        assert len(strict) == len(expected)
        for i in range(n):
            half = (g[peak[i]] + base[i]) / 2
            assert np.interp([low[i], high[i]], np.arange(62), g) == pytest.approx([half, half])


# --- through time -----------------------------------------------------------------------------------------------------


def test_every_column_is_what_clusters_says_of_it_and_knows_no_later_one() -> None:
    market = lq.load_example("btc-2024-05")
    heat = lq.heatmap(market, start="2024-04-30", end="2024-05-02", price_step=25.0)
    whole = every_cluster(heat)
    for k in (0, 20, 95, 191):
        at = pd.Timestamp(heat["close_time"].to_numpy()[k], tz="UTC")
        one = zones_of(heat, at)
        same = whole[whole["column"] == k].sort_values("rank", ignore_index=True)
        told = one.drop(columns=["broad", "reason"])
        pd.testing.assert_frame_equal(told, same[told.columns], check_exact=True)
    cut = every_cluster(heat.isel(time=slice(0, 100)))
    pd.testing.assert_frame_equal(cut, whole[whole["column"] < 100], check_exact=True)


@pytest.mark.parametrize("case", ["btc-2024-05", "tia-2023"])
def test_lives_know_no_later_column(case: str) -> None:
    """Births and decided ends of a cut heatmap are those of the whole one, bit for bit."""
    row = lq.examples().loc[case]
    heat = lq.heatmap(lq.load_example(case), start=row["window_start"], end=row["window_start"] + pd.Timedelta("6D"),
                      lookback="7d", time_step="1h")  # fmt: skip
    whole = lq.track(heat)
    assert set(whole["status"]) == {"standing", "faded", "swept"} - ({"swept"} if case == "btc-2024-05" else set())
    for n in (1, 40, 111):
        cut = lq.track(heat.isel(time=slice(0, n)))
        end = pd.Timestamp(heat["close_time"].to_numpy()[n - 1], tz="UTC")
        same = whole[whole["born"] <= end]
        births = ["side", "born", "born_peak", "notional_born"]
        pd.testing.assert_frame_equal(cut[births], same[births], check_exact=True)
        decided = same["died"] <= end
        pd.testing.assert_frame_equal(cut[decided], same[decided], check_exact=True)
        assert (cut.loc[~decided, "status"] == "standing").all()


def test_births_are_the_first_columns_that_show_a_zone() -> None:
    market = lq.load_example("btc-2024-05")
    heat = lq.heatmap(market, start="2024-04-30", end="2024-05-02", price_step=25.0)
    every, lives = every_cluster(heat), lq.track(heat)
    for life in lives.itertuples():
        there = every[(every["close_time"] == life.born) & (every["side"] == life.side)]
        assert life.born_peak in there["peak"].to_numpy()


def test_a_zone_is_born_grows_and_is_swept_by_hand() -> None:
    """Planted at 55,000 from the third column on, doubled, then reached by a low of 54,990; another one fades."""
    n, ohlc = 12, np.full((12, 4), PRICE)
    long = np.tile(LONGS, (n, 1))
    for k in range(2, 8):
        long[k] += bump(55_000, 1e7 * (k - 1), 0.001)
    for k in range(4):
        long[k] += bump(50_000, 2e7, 0.001)
    ohlc[8] = [56_000, 56_500, 54_990, 55_500]
    lives = lq.track(heat_of(long, np.tile(SHORTS, (n, 1)), ohlc=ohlc), patience=3)
    faded, swept = lives.to_dict("records")
    close = pd.Timestamp("2024-05-01 00:15", tz="UTC")
    step = pd.Timedelta("15min")
    assert (faded["status"], faded["born"], faded["columns"]) == ("faded", close, 4)
    assert (faded["last_seen"], faded["died"]) == (close + 3 * step, close + 7 * step)
    assert (swept["status"], swept["born"], swept["died"]) == ("swept", close + 2 * step, close + 8 * step)
    assert (swept["columns"], swept["age"]) == (6, pytest.approx(6 * 15 / 1440))
    assert swept["peak"] == pytest.approx(55_000, rel=1e-4)
    level = 5e7 / math.log(59_500 / 41_000) * math.log(swept["high"] / swept["low"])
    assert swept["notional_born"] == pytest.approx(1e7 + level, rel=0.01)
    assert swept["notional_last"] == swept["notional_max"] == pytest.approx(6e7 + level, rel=0.01)
    assert swept["growth"] == pytest.approx(swept["notional_last"] / swept["notional_born"])


def test_a_short_missing_is_forgiven_and_a_low_above_the_peak_sweeps_nothing() -> None:
    ohlc = np.full((8, 4), PRICE)
    ohlc[4] = [56_000, 56_500, 55_020, 55_500]
    long = np.tile(LONGS + bump(55_000, 2e7, 0.001), (8, 1))
    long[2:4] = LONGS
    (life,) = lq.track(heat_of(long, np.tile(SHORTS, (8, 1)), ohlc=ohlc)).to_dict("records")
    assert (life["status"], life["columns"]) == ("standing", 6)


def test_distance_in_atr_is_wilders() -> None:
    """Ranges 1 … 14 have a mean of 7.5; then (13 · 7.5 + 21.5) / 14 = 8.5."""
    n = 15
    half = np.append(np.arange(1, 15), 21.5) / 2
    ohlc = np.column_stack([np.full(n, PRICE), PRICE + half, PRICE - half, np.full(n, PRICE)])
    table = every_cluster(heat_of(np.tile(LONGS + bump(55_000, 2e7, W), (n, 1)), np.tile(NOTHING, (n, 1)), ohlc=ohlc))
    assert table["distance_to_peak_atr"].isna().tolist() == [True] * 13 + [False] * 2
    assert table["distance_to_peak_atr"].iloc[-2:].tolist() == pytest.approx([-5_000 / 7.5, -5_000 / 8.5], rel=1e-4)


# --- who stands there -------------------------------------------------------------------------------------------------


def test_age_and_leverages_are_those_that_explain_tells(market: lq.Market) -> None:
    options: dict[str, Any] = {"start": "2024-05-01", "end": "2024-05-02", "price_step": 25.0, "lookback": "3d"}
    table = zones_of(lq.heatmap(market, law={10: 0.5, 25: 0.5}, **options), market=market)
    assert set(" ".join(table["leverages"]).split()) <= {"10x", "25x"}
    assert ((table["age"] >= 0) & (table["age"] <= 3)).all()
    zone = table.iloc[0]
    who = lq.explain(market, price=zone["peak"], at=table.attrs["at"], price_step=25.0, lookback="3d",
                     law={10: 0.5, 25: 0.5})  # fmt: skip
    who = who[who["side"] == zone["side"]]
    days = (who["age"].dt.total_seconds() / 86_400 * who["notional"]).sum() / who["notional"].sum()
    assert zone["age"] == pytest.approx(days)
    apart = zones_of(lq.heatmap(market, law={10: 0.5, 25: 0.5}, by_leverage=True, **options))
    assert apart["leverages"].isin(["10x", "25x", "10x 25x"]).all()


# --- confluence, curves -----------------------------------------------------------------------------------------------


def test_the_score_by_hand() -> None:
    """Three bins, two maps: brightness (1, .5, 0) and (.5, .5, 1) on the longs."""
    edges = np.array([100.0, 101, 102, 103])
    one, two = (heat_of(x, np.zeros(3), edges) for x in ([4.0, 2, 0], [1.0, 1, 2]))
    table = lq.confluence({"24h": one, "7d": two}, width=None)
    expected = [((1 + 0.5**0.5) / 2) ** 2, 0.5, 0.25]
    assert table["long"].tolist() == pytest.approx(expected)
    assert table["short"].tolist() == [0, 0, 0]
    assert table.attrs["layers"] == ["24h", "7d"]


def test_the_score_is_brightness_times_the_effective_share_of_layers() -> None:
    u = np.random.default_rng(3).uniform(0, 1, (5, 100))
    hill = (np.sqrt(u / u.sum(axis=0)).sum(axis=0)) ** 2
    np.testing.assert_allclose(score_of(u), u.mean(axis=0) * hill / 5)
    assert (score_of(u) <= u.mean(axis=0)).all() and (score_of(u) >= np.exp(np.log(u).mean(axis=0))).all()


def test_zones_where_layers_meet_come_first() -> None:
    """Large in one window only, against half as large in both."""
    lone, both = bump(50_000, 6e7, 0.001), bump(55_000, 3e7, 0.001)
    maps = {"24h": heat_of(LONGS + both, SHORTS), "7d": heat_of(LONGS + both + lone, SHORTS)}
    zones = zones_of(maps["7d"])
    assert zones["peak"].round(-2).tolist() == [50_000, 55_000]
    ranked = lq.confluence(maps, zones=zones)
    assert ranked["peak"].round(-2).tolist() == [55_000, 50_000]
    assert ranked["layers"].tolist() == ["24h 7d", "7d"]
    assert ranked["rank"].tolist() == [1, 2]
    assert ((ranked["score"] >= 0) & (ranked["score"] <= 1)).all()


def test_layers_may_have_other_bins_and_must_be_two() -> None:
    fine, amount = many()
    coarse = np.add.reduceat(amount, np.arange(0, len(amount), 4))
    table = lq.confluence({"a": heat_of(amount, 0 * amount, fine), "b": heat_of(coarse, 0 * coarse, fine[::4])})
    assert table["long"].max() == pytest.approx(1, abs=0.01)
    with pytest.raises(ValueError, match="same bins"):
        lq.confluence({"a": heat_of(amount, 0 * amount, fine), "b": heat_of(coarse, 0 * coarse, fine[::4])}, width=None)
    with pytest.raises(ValueError, match="two layers or more"):
        lq.confluence({"a": heat_of(LONGS, SHORTS)})
    with pytest.raises(ValueError, match="by_leverage=True"):
        lq.confluence(heat_of(LONGS, SHORTS))


def test_leverages_of_a_real_map_meet() -> None:
    heat = lq.heatmap(lq.load_example("btc-2024-05"), start="2024-05-01", end="2024-05-02", by_leverage=True)
    table = lq.confluence(heat, leverages=(25, 50, 100))
    assert table.attrs["layers"] == ["22–35x", "35–61x", "87–112x"]
    assert ((table >= 0) & (table <= 1)).all(axis=None) and table.max(axis=None) > 0.3
    with pytest.raises(ValueError, match=r"no leverage 7; it has 2, 3, 5"):
        lq.confluence(heat, leverages=(7, 25))


def test_windows_share_bins_and_are_nested(market: lq.Market) -> None:
    maps = lq.lookback_heatmaps(market, lookbacks=["12h", "24h", "3d"], start="2024-05-01", end="2024-05-02")
    assert maps["lookback"].to_numpy().tolist() == ["12h", "24h", "3d"]
    assert all((a <= b * (1 + 1e-9) + 1e-6).all() for a, b in pairwise(maps["notional"].to_numpy()))
    apart = {name: maps.sel(lookback=name) for name in ("12h", "24h", "3d")}
    assert lq.confluence(maps).equals(lq.confluence(apart))
    assert lq.confluence(maps).attrs["layers"] == ["12h", "24h", "3d"]
    assert zones_of(apart["24h"]).attrs["lookback"] == "24h"
    for reader in (lq.clusters, lq.cumulative, lq.max_pain):
        with pytest.raises(
            ValueError, match=r"one map for each lookback \(12h, 24h, 3d\); choose one, .sel\(lookback='12h'"
        ):
            reader(maps)
    with pytest.raises(ValueError, match=r"a map of 30d .* would need a market from"):
        lq.lookback_heatmaps(market, lookbacks=["30d"], start="2024-05-01", end="2024-05-02")


def test_cumulative_curves_by_hand() -> None:
    """Price 102.5 in the third bin: half of its longs (in log price) stand below."""
    edges = np.array([100.0, 101, 102, 103, 104])
    heat = heat_of([1.0, 2, 4, 8], [16.0, 32, 64, 128], edges, ohlc=[[102.5] * 4])
    curve = lq.cumulative(heat)
    part = math.log(102.5 / 102) / math.log(103 / 102)
    assert curve.index.tolist() == [100, 101, 102, 102.5, 103, 104]
    assert curve["long"].tolist() == pytest.approx([3 + 4 * part, 2 + 4 * part, 4 * part, 0, 0, 0])
    assert curve["short"].tolist() == pytest.approx([0, 0, 0, 0, 64 * (1 - part), 64 * (1 - part) + 128])


def test_max_pain_is_the_brightest_price_of_each_side() -> None:
    heat = heat_of(LONGS + bump(55_000, 2e7, 0.001), SHORTS + bump(66_000, 3e7, 0.001))
    pain = lq.max_pain(heat)
    assert pain["price"].tolist() == pytest.approx([55_000, 66_000], rel=W / CELLS)
    level = 5e7 / math.log(59_500 / 41_000)
    assert pain.loc["long", "notional"] == pytest.approx(2e7 + 4 * W * level, rel=1e-3)
    assert pain.loc["long", "on_the_way"] == pytest.approx(1e7 + level * math.log(59_500 / 55_000), rel=0.05)
    assert np.isnan(lq.max_pain(heat_of(NOTHING, SHORTS)).loc["long", "price"])


@pytest.fixture(scope="module")
def market() -> lq.Market:
    """Two weeks of the example: enough for pictures, and quick."""
    whole = lq.load_example("btc-2024-05")
    return lq.Market(whole.candles.loc["2024-04-18":"2024-05-02"], open_interest=whole.open_interest,
                     symbol=whole.symbol, exchange=whole.exchange, sources=whole.sources)  # fmt: skip


# --- pictures ---------------------------------------------------------------------------------------------------------


def parts(picture: Any, kind: type) -> list[Any]:
    found: list[Any] = []
    picture.traverse(lambda element: found.append(element), [kind])
    return found


@pytest.fixture(scope="module")
def heat(market: lq.Market) -> xr.Dataset:
    return lq.heatmap(market, start="2024-04-30", end="2024-05-02", price_step=25.0)


def test_zones_are_outlined_and_labelled(heat: xr.Dataset, market: lq.Market) -> None:
    zones = zones_of(heat, "2024-05-01 15:30", market=market)
    picture = lq.plot.clusters(zones)
    boxes = {box.group: box for box in parts(picture, hv.Rectangles)}
    for side in ("long", "short"):
        part = zones[zones["side"] == side]
        assert boxes[f"{side} zones"]["price"].tolist() == part["low"].tolist()
        assert boxes[f"{side} zones"]["price1"].tolist() == part["high"].tolist()
    texts = [text for labels in parts(picture, hv.Labels) for text in labels["text"]]
    assert 0 < len(texts) <= 6
    first = zones.iloc[0]
    assert any(f"{first['peak']:,.0f}"[:4] in text and "x" in text and "M" in text for text in texts)
    whole = lq.plot.heatmap(heat, zones=zones, strip=False, profile=False)
    assert parts(whole, hv.Labels)
    drawn, alone = ({box.group: box["time"].tolist() for box in parts(each, hv.Rectangles) if "zones" in box.group}
                    for each in (whole, lq.plot.clusters(zones, heat=heat, ylim=view(heat))))  # fmt: skip
    assert drawn == alone and drawn["short zones"]
    hv.render(whole, backend="bokeh")
    hv.render(lq.plot.heatmap(heat, strip=False, profile=False) * picture, backend="bokeh")
    assert not parts(lq.plot.clusters(zones.iloc[:0]), hv.Labels)


def test_outlines_begin_where_the_zone_began() -> None:
    """A zone of the fourth column on, one that was there from the start, and one that came, went and came again."""
    old, new, again = (bump(x, 3e7, 0.001) for x in (56_000, 53_000, 50_000))
    rows = np.stack([LONGS + old + (k >= 3) * new + (k in (0, 1, 4, 5)) * again for k in range(6)])
    heat = heat_of(rows, np.tile(SHORTS, (6, 1)))
    zones = zones_of(heat)
    boxes = next(box for box in parts(lq.plot.clusters(zones, heat=heat), hv.Rectangles) if box.group == "long zones")
    began = {round(peak, -3): list(heat["time"].to_numpy()).index(time)
             for peak, time in zip(boxes["peak"], boxes["time"], strict=True)}  # fmt: skip
    assert began == {56_000: 0, 53_000: 3, 50_000: 4}
    early = zones_of(heat, heat["close_time"].to_numpy()[1])  # what came later is not looked at
    box = next(b for b in parts(lq.plot.clusters(early, heat=heat), hv.Rectangles) if b.group == "long zones")
    assert {list(heat["time"].to_numpy()).index(time) for time in box["time"]} == {0}


def test_labels_keep_apart() -> None:
    long = LONGS + bump(55_000, 3e7, 0.001) + bump(55_000 * math.exp(5 * W), 2e7, 0.001) + bump(50_000, 2e7, 0.001)
    zones = zones_of(heat_of(long, SHORTS))
    assert len(zones) == 3
    drawn = lq.plot.clusters(zones, ylim=(45_000, 65_000))
    labels = [y for each in parts(drawn, hv.Labels) for y in each["peak"]]
    assert sorted(np.round(labels, -2)) == [50_000, 55_000]


def test_panels_of_windows_curves_and_confluence_say_what_the_tables_say(heat: xr.Dataset) -> None:
    picture = lq.plot.lookback_heatmaps(stack_heatmaps({"12h": heat, "24h": heat}, "lookback"))
    assert len(parts(picture, hv.Image)) == 2
    grid = hv.render(picture, backend="bokeh")
    for figure, *_ in grid.children:
        assert figure.height >= 500 and figure.xaxis[0].ticker.__class__.__name__ == "DatetimeTicker"
        assert type(figure.xaxis[0].major_label_policy).__name__ == "NoOverlap"
    with pytest.raises(ValueError, match="a Dataset with a dimension lookback"):
        lq.plot.lookback_heatmaps(heat)
    hv.render(picture, backend="bokeh")
    curve, pain = lq.cumulative(heat), lq.max_pain(heat)
    drawn = lq.plot.cumulative(curve, pain=pain)
    at = curve.attrs["price"]
    for area, side in zip(parts(drawn, hv.Area), ("long", "short"), strict=True):
        assert area["amount"].tolist() == curve.loc[area["price"], side].tolist()
        assert (area["price"] <= at).all() if side == "long" else (area["price"] >= at).all()
    hv.render(drawn, backend="bokeh")
    table = lq.confluence({"a": heat, "b": heat})
    strip = lq.plot.confluence(table)
    bars = {box.label: box for box in parts(strip, hv.Rectangles)}
    shown = table[(table.index >= 0.85 * at) & (table.index <= 1.15 * at)]
    assert bars["longs"]["score"].tolist() == shown.loc[shown["long"] > 0, "long"].tolist()
    hv.render(strip, backend="bokeh")
    hv.render(lq.plot.confluence(table, width=120), backend="bokeh")


def test_columns_with_bins_too_coarse_for_the_scale_are_named() -> None:
    """TIA rose tenfold: bins of one size are 1 % of the price at the start and a tenth of that at the top."""
    market = lq.load_example("tia-2023")
    heat = lq.heatmap(market, end="2024-01-01", price_step=0.02)
    with pytest.warns(UserWarning, match=r"of \d+ columns have bins wider than 0.003 of the price"):
        zones = every_cluster(heat)
    fine = 0.02 / heat["close"].to_numpy() <= 0.003
    assert len(zones) and fine[zones["column"].to_numpy()].all()
    assert not zones_of(heat).empty  # the price stands high enough by then
