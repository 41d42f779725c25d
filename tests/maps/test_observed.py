"""What has been seen: every observed coin is on the map, at its price; paths around events are those of the candles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import holoviews as hv
import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab.loaders.exchanges._instruments import Instrument
from liqlab.loaders.exchanges.binance import parse_depth
from tests.markets import START, frame, market

Q = pd.Timedelta("15min")


def stamp(k: float) -> pd.Timestamp:
    return START + k * Q


def five(**tables: Any) -> lq.Market:
    rows = [(100, 110, 90, 105, 1), (105, 105, 95, 100, 1), (100, 102, 98, 102, 1), (102, 130, 102, 120, 1),
            (120, 121, 119, 120, 1)]  # fmt: skip
    return market(rows, **tables)


# --- observed ---------------------------------------------------------------------------------------------------------


def test_a_bar_is_spread_evenly_over_its_range_by_hand() -> None:
    """Ten coins of longs over 90 … 110 in cells of 5: 2.5 coins each, at the middle of the cell's price."""
    seen = lq.observed_heatmap(five(liquidations=frame([(10, 0), (0, 4)], "long short")), price_step=5)
    longs = seen["notional"].sel(side="long").isel(time=0)
    assert longs.sel(price=[92.5, 97.5, 102.5, 107.5]).to_numpy() == pytest.approx(
        [2.5 * x for x in (92.5, 97.5, 102.5, 107.5)]
    )
    assert seen["notional"].sum().item() == pytest.approx(10 * 100 + 4 * 100)
    assert seen["notional"].sel(side="short").isel(time=1).sum().item() == pytest.approx(4 * (95 + 105) / 2)


def test_an_event_stands_at_its_own_price_and_time() -> None:
    rows = {"side": ["long", "short", "long"], "price": [91.0, 104.0, 91.0], "quantity": [2.0, 1.0, 3.0]}
    events = pd.DataFrame(rows,
                          index=pd.DatetimeIndex([stamp(0.2), stamp(1.1), stamp(0.9)]))  # fmt: skip
    seen = lq.observed_heatmap(five(), events=events.sort_index(), price_step=1)
    assert seen["notional"].sel(side="long").isel(time=0).sel(price=91.5).item() == 5 * 91
    assert seen["notional"].sel(side="short").isel(time=1).sel(price=104.5).item() == 104
    assert seen["notional"].sum().item() == 5 * 91 + 104
    assert "own price" in seen.attrs["placing"]


@pytest.mark.parametrize(
    "options", [{}, {"time_step": "2h"}, {"price_step": 7.3}, {"time_step": "1h", "price_step": 1000.0}]
)
def test_nothing_is_lost_on_real_hours(options: dict[str, Any]) -> None:
    """Coins × mean of each hour's range, side by side, whatever the cells; the range is half-open."""
    example = lq.load_example("btc-2024-07")
    assert example.liquidations is not None
    seen = lq.observed_heatmap(example, start="2024-07-04", end="2024-07-06", **options)
    part = example.liquidations[example.liquidations.index >= "2024-07-04"]
    part = part[part.index < "2024-07-06"]
    middle = example.candles.loc[part.index, ["low", "high"]].mean(axis=1)
    for side in ("long", "short"):
        assert seen["notional"].sel(side=side).sum().item() == pytest.approx((part[side] * middle).sum(), rel=1e-12)
    assert seen.attrs["title"].startswith("Observed") and "lower bounds" in seen.attrs["caution"]


def test_coarser_bars_take_the_range_of_all_their_candles() -> None:
    """An hour of liquidations over quarter hours 90 … 130: columns are then an hour wide."""
    hours = frame([(1, 1), (1, 1)], "long short", every="1h").iloc[:1]
    rows = [(100, 110, 90, 105, 1), (105, 105, 95, 100, 1), (100, 102, 98, 102, 1), (102, 130, 102, 120, 1)]
    both = pd.concat([hours, hours.set_axis(hours.index + pd.Timedelta("1h"))])
    seen = lq.observed_heatmap(market(rows + rows, liquidations=both), price_step=10)
    assert seen.sizes["time"] == 2 and seen.attrs["time_step"] == "1h"
    assert seen["notional"].sel(side="long").isel(time=0).sum().item() == pytest.approx((90 + 130) / 2)


def test_observed_refuses_what_it_cannot_place() -> None:
    with pytest.raises(ValueError, match="has no liquidations; pass events="):
        lq.observed_heatmap(five())
    seen = five(liquidations=frame([(1, 0)], "long short"))
    with pytest.raises(ValueError, match="no liquidation was observed"):
        lq.observed_heatmap(seen, start="2030-01-01")
    with pytest.raises(ValueError, match="no candle to tell their price"):
        lq.observed_heatmap(five(liquidations=frame([(1, 0)], "long short", start=START - Q)))
    with pytest.raises(ValueError, match="multiple of the bar"):
        lq.observed_heatmap(seen, time_step="10m")
    bad = pd.DataFrame({"side": ["buy"], "price": [1.0], "quantity": [1.0]}, index=pd.DatetimeIndex([stamp(0)]))
    with pytest.raises(ValueError, match=r"side is long or short.*1 row"):
        lq.observed_heatmap(five(), events=bad)
    with pytest.raises(ValueError, match=r"events lacks the column\(s\) side"):
        lq.observed_heatmap(five(), events=bad.drop(columns="side"))


# --- around -----------------------------------------------------------------------------------------------------------


def test_paths_around_an_event_by_hand() -> None:
    """The close at 00:30 is 100; one bar before it was 105, two bars on 120; mirrored for a short."""
    path = lq.event_windows(five(), [stamp(2), stamp(2)], before="30m", after="30m", sign=[1, -1])
    assert path.index.tolist() == [k * Q for k in range(-2, 3)]
    assert path.iloc[:, 0].tolist() == pytest.approx([np.nan, 0.05, 0.0, 0.02, 0.2], nan_ok=True)
    assert path.iloc[1:, 1].tolist() == pytest.approx([-0.05, 0.0, -0.02, -0.2])
    assert path.attrs["dropped"] == 0


def test_gaps_and_ends_are_empty_and_odd_moments_are_counted() -> None:
    rows = five().candles.drop(stamp(2))
    with pytest.warns(UserWarning, match="1 gap"):
        holed = lq.Market(rows, symbol="X/USDT:USDT", exchange="venue", timeframe="15m")
    path = lq.event_windows(holed, [stamp(2), pd.NaT, stamp(2.5), stamp(3)], before="15m", after="1h")
    assert path.shape == (6, 1) and path.attrs["dropped"] == 3
    assert np.isnan(path.iloc[2, 0]) and path.iloc[3, 0] == pytest.approx(0.2) and np.isnan(path.iloc[-1, 0])
    with pytest.raises(ValueError, match="closes at any of the 1 moments"):
        lq.event_windows(five(), [stamp(0.5)])
    with pytest.raises(ValueError, match="1 or -1"):
        lq.event_windows(five(), [stamp(1)], sign=2)


# --- pictures ---------------------------------------------------------------------------------------------------------


def found(picture: Any, kind: type) -> list[Any]:
    out: list[Any] = []
    picture.traverse(lambda element: out.append(element), [kind])
    return out


def title_of(picture: Any) -> str:
    """Titles of every overlay in a picture."""
    overlays = [*found(picture, hv.Overlay), *([picture] if isinstance(picture, hv.Overlay) else [])]
    return "\n".join(str(hv.Store.lookup_options("bokeh", part, "plot").kwargs.get("title", "")) for part in overlays)


def test_the_observed_picture_holds_the_table_and_says_observed() -> None:
    example = lq.load_example("btc-2024-07")
    seen = lq.observed_heatmap(example, start="2024-07-04", end="2024-07-06")
    picture = lq.plot.observed_heatmap(seen)
    (image,) = found(picture, hv.Image)
    values = np.nan_to_num(image.dimension_values("observed"))
    assert values.sum() == pytest.approx(seen["notional"].sum().item(), rel=1e-5)
    words = title_of(picture)
    assert "Observed" in words and "stimated" not in words
    total = seen["notional"].sel(side="long").sum().item()
    assert f"longs {total / 1e6:.3g}M" in words
    hv.render(lq.plot.observed_heatmap(seen, cmap="green-red", strip=False, profile=False), backend="bokeh")
    with pytest.raises(ValueError, match="cmap must be"):
        lq.plot.observed_heatmap(seen, cmap="ash")


def test_an_observed_map_is_drawn_by_the_heatmap_figure_too(tmp_path: Path) -> None:
    seen = lq.observed_heatmap(lq.load_example("btc-2024-07"), start="2024-07-04", end="2024-07-06")
    (image,) = found(lq.plot.heatmap(seen), hv.Image)
    assert np.nan_to_num(image.dimension_values("observed")).sum() == pytest.approx(
        seen["notional"].sum().item(), rel=1e-5
    )
    assert "Observed" in title_of(lq.plot.heatmap(seen)) and "stimated" not in title_of(lq.plot.heatmap(seen))
    assert lq.plot.png(seen, tmp_path / "seen.png").stat().st_size > 5_000
    zones = pd.DataFrame(columns=["side", "low", "peak", "high", "notional"])
    zones.attrs = {"at": None, "start": None}
    for option in ({"at": "2024-07-05"}, {"positions": {"side": "long"}}, {"zones": zones}):
        with pytest.raises(ValueError, match="this one is of observed liquidations"):
            lq.plot.heatmap(seen, **option)


def test_the_event_figure_draws_median_and_spread_and_tells_n() -> None:
    example = lq.load_example("btc-2024-07")
    times = example.candles.index[100:120]
    path = lq.event_windows(example, times, before="2h", after="3h")
    picture = lq.plot.events({"some": path, "more": path.iloc[:, :5]})
    first, second = (curve for curve in found(picture, hv.Curve) if type(curve) is hv.Curve)
    assert first.dimension_values("change") == pytest.approx(100 * path.median(axis=1).to_numpy())
    assert (first.label, second.label) == ("some, n = 20", "more, n = 5")
    areas = found(picture, hv.Area)
    assert areas[1].dimension_values("upper") == pytest.approx(100 * path.quantile(0.75, axis=1).to_numpy())
    hv.render(lq.plot.events(path), backend="bokeh")
    with pytest.raises(ValueError, match="no event"):
        lq.plot.events(path.iloc[:, :0])
    with pytest.raises(ValueError, match="at most 3"):
        lq.plot.events(dict.fromkeys("abcd", path))


def test_four_maps_show_data_or_say_that_there_are_none() -> None:
    example = lq.load_example("btc-2024-07")
    heat = lq.heatmap(example, start="2024-07-04", end="2024-07-06")
    bare = lq.plot.four_maps(heat)
    texts = [text.data[2] for text in found(bare, hv.Text)]
    assert len(texts) == 3 and all(text.startswith("no data") for text in texts)
    price = float(heat["close"][-1])
    depth = pd.DataFrame({"side": ["bid", "ask"], "price": [0.99 * price, 1.01 * price], "quantity": [2.0, 3.0]})
    stops = pd.DataFrame({"side": ["long", "short"], "price": [0.98 * price, 1.02 * price], "quantity": [1.0, 1.0]})
    full = lq.plot.four_maps(heat, example, at="2024-07-05", depth=depth, stops=stops)
    assert not found(full, hv.Text)
    drawn = {box.label: box.dimension_values("amount").sum() for box in found(full, hv.Rectangles)[:2]}
    assert drawn == pytest.approx({"bids": 2 * 0.99 * price, "asks": 3 * 1.01 * price})
    for word in ("Order book", "estimated", "observed", "Stops"):
        assert word in title_of(full)
    hv.render(full, backend="bokeh")
    said = {
        "bids": [[0.99 * price, 2.0]],
        "asks": [[1.01 * price, 3.0]],
    }  # a venue's answer, read as lq.fetch_depth does
    fetched = lq.plot.four_maps(heat, depth=parse_depth(said, Instrument("binanceusdm", "BTC/USDT:USDT", "BTCUSDT")))
    again = {box.label: box.dimension_values("amount").sum() for box in found(fetched, hv.Rectangles)[:2]}
    assert again == pytest.approx(drawn)
    with pytest.raises(ValueError, match="bid or ask"):
        lq.plot.four_maps(heat, depth=depth.assign(side="buy"))
