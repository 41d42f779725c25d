"""The explorer without a browser: its state, its maps, and what a session does when its reader changes something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import liqlab as lq
from liqlab.app.explorer_maps import Catalogue, Seen, step_for, steps_of
from liqlab.app.explorer_state import ExplorerState
from liqlab.app.explorer_view import Session
from liqlab.plot.zoomed import cells_of

EVERYTHING = {
    "market": "btc-2024-07", "window": "30d", "start": "2024-07-01 00:00", "end": "2024-07-03 12:30:30",
    "price_range": (50_000.5, 70_000.0), "model": "decay", "law": "retail", "side": "long", "leverages": (10.0, 25.0),
    "lookback": "24h", "cmap": "black-yellow", "cnorm": "eq_hist", "threshold": (0.1, 0.9), "clusters": True,
    "observed": True, "position": {"side": "long", "entry_price": 60_000.0, "leverage": 10.0},
    "beside": {"model": "volume", "law": "uniform"},
}  # fmt: skip
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue()


# --- the state ---


def test_a_state_is_a_link_and_a_line_of_python() -> None:
    state = ExplorerState(**EVERYTHING)
    assert set(EVERYTHING) == set(state.told()), "every field differs from its default here"
    assert ExplorerState.of_query("?" + state.query()) == state
    for name, value in EVERYTHING.items():
        one = ExplorerState(market="x").but(**{name: value})
        assert ExplorerState.of_query(one.query()) == one
        made = eval(one.python(), {"lq": type("lq", (), {"explore": staticmethod(_taken)})})
        assert made == one


def _taken(market: str, **state: Any) -> ExplorerState:
    return ExplorerState(market=market, **state)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"window": "2d"}, "window must be one of 12h"),
        ({"model": "magic"}, "model must be one of"),
        ({"law": "none"}, "law must be one of"),
        ({"side": "up"}, "side must be one of both"),
        ({"cmap": "jet"}, "cmap must be one of purple-yellow"),
        ({"threshold": (0.5, 0.2)}, "0 <= low < high <= 1"),
        ({"threshold": 0.5}, "must be a pair"),
        ({"price_range": (5, 1)}, "0 < low < high"),
        ({"start": "2024-05-02", "end": "2024-05-01"}, "start must be before end"),
        ({"start": "yesterday"}, "start"),
        ({"lookback": "soon"}, "lookback: not a time frame"),
        ({"leverages": (0.5,)}, "pass 25 for 25x"),
        ({"leverages": "10"}, "must be a list of numbers"),
        ({"clusters": 1}, "clusters must be True or False"),
        ({"position": {"side": "long"}}, "side, entry_price and leverage"),
        ({"position": {"side": "long", "entry_price": -1.0, "leverage": 2}}, "entry_price > 0"),
        ({"beside": {"colour": "x"}}, "beside may name"),
        ({"market": "m" * 400}, "at most 300"),
    ],
)
def test_what_cannot_be_shown_is_refused_by_name(changes: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        ExplorerState(**changes)


@pytest.mark.parametrize(
    "query",
    ["shell=rm", "model=decay&model=volume", "x" * 5_000, "position=[", "position=" + "[" * 3_000, "clusters=maybe",
     "threshold=a,b", "threshold=nan,1", "leverages=inf", "model=%ff", "price_range=1"],
)  # fmt: skip
def test_a_link_that_cannot_be_shown_is_refused(query: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        ExplorerState.of_query(query)


# --- maps ---


@pytest.mark.parametrize("by_leverage", [False, True])
def test_what_is_seen_is_the_heatmap_of_its_range_bit_for_bit(catalogue: Catalogue, by_leverage: bool) -> None:
    market, assumed = catalogue.market("eth-2024-05"), lq.Assumptions()
    for start, end in (("2024-03-02", "2024-05-30"), ("2024-05-20 07:07", "2024-05-21 03:00")):
        seen = Seen(pd.Timestamp(start, tz="UTC"), pd.Timestamp(end, tz="UTC"), 2_900.0, 3_300.0, 700, 300)
        heat = catalogue.heatmap("eth-2024-05", assumed, seen, by_leverage=by_leverage)
        assert heat.sizes["time"] <= 702 and heat.sizes["price"] <= 302
        whole = lq.heatmap(market, by_leverage=by_leverage, **steps_of(market, seen))
        assert heat.identical(whole)


def test_zooming_in_ends_at_single_bars(catalogue: Catalogue) -> None:
    market = catalogue.market("btc-2025-10")
    end = market.end
    steps = [steps_of(market, Seen(end - pd.Timedelta(days, "D"), end, 90_000, 120_000))["time_step"]
             for days in (60, 10, 3, 0.5)]  # fmt: skip
    assert steps == ["2h", "20m", "5m", "5m"]
    assert step_for(30_000, 400) == 100.0


def test_cells_are_the_amounts(catalogue: Catalogue) -> None:
    seen = Seen(pd.Timestamp("2024-05-20", tz="UTC"), pd.Timestamp("2024-05-21", tz="UTC"), 2_900.0, 3_300.0)
    heat = catalogue.heatmap("eth-2024-05", lq.Assumptions(), seen, by_leverage=True)
    few = cells_of(heat, (10.0, 25.0))
    expected = heat["notional"].sel(leverage=[10.0, 25.0], side="short").sum("leverage").transpose("price", "time")
    np.testing.assert_array_equal(few["short"][0], expected.to_numpy().astype(np.float32))
    assert cells_of(heat)["short"][0].sum() > few["short"][0].sum() > 0
    assert few["dw"] == [24 * 3_600_000]


def test_only_what_was_offered_can_be_opened(catalogue: Catalogue, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("time,open,high,low,close,volume\n2024-05-01,1,1,1,1,1\n")
    for name in (str(secret), "../../etc/passwd", "BTC/USDT:USDT"):
        with pytest.raises(ValueError, match="no market is called"):
            catalogue.market(name)


def test_what_is_kept_is_bounded(catalogue: Catalogue) -> None:
    seen = Seen(pd.Timestamp("2024-05-20", tz="UTC"), pd.Timestamp("2024-05-21", tz="UTC"), 2_900.0, 3_300.0)
    for model in lq.models.names():
        catalogue.heatmap("eth-2024-05", lq.Assumptions(model), seen)
    assert len(catalogue._ledgers) <= 2
    assert sum(kept.nbytes for kept in catalogue._ledgers.values()) <= 300_000_000


# --- a session ---


def test_each_change_is_seen_and_told(catalogue: Catalogue) -> None:
    session = Session(ExplorerState(market="btc-2024-07", start="2024-07-03", end="2024-07-06"), catalogue)
    first = session.panes[0].figure
    assert first is not None
    before = first.cells.data["long"][0]
    session.widgets["model"].value = "volume"
    assert not np.array_equal(before, first.cells.data["long"][0])
    session.widgets["leverages"].value = [10.0]
    assert np.nansum(first.cells.data["long"][0]) > 0
    session.widgets["marks"].value = ["clusters", "observed liquidations"]
    assert len(first.zones.data["left"]) and len(first.events.data["x"])
    session.widgets["position_side"].value = "long"
    session.widgets["position_entry"].value = 60_000.0
    solid, dashed = first.own.data["y"]
    assert solid == pytest.approx(lq.liquidation_price(60_000, side="long", leverage=10, exchange="binanceusdm",
                                                       symbol="BTC/USDT:USDT", as_of="2024-07-06"))  # fmt: skip
    assert dashed == 60_000.0
    session.widgets["beside_model"].value = "decay"
    second = session.panes[1].figure
    assert second is not None and session.panes[1].view.visible
    assert second.main.x_range is first.main.x_range and second.main.y_range is first.main.y_range
    assert not np.array_equal(second.cells.data["long"][0], first.cells.data["long"][0])
    session.widgets["law"].value = "retail"
    told = ExplorerState.of_query(session.link.value)
    assert told == session.state and told.law == "retail" and told.beside == {"model": "decay"}
    assert session.line.value == session.state.python()
    session.widgets["window"].value = "24h"
    assert session.state.start is None and first.main.x_range.end - first.main.x_range.start == 24 * 3_600_000
    session.widgets["market"].value = "eth-2024-05"
    assert "ETH/USDT" in session.status.object and first.main.y_range.end < 6_000


def test_zooming_asks_the_ledger(catalogue: Catalogue) -> None:
    session = Session(ExplorerState(market="btc-2024-05", window="30d"), catalogue)
    figure = session.panes[0].figure
    assert figure is not None
    end = pd.Timestamp("2024-05-10", tz="UTC")
    figure.main.x_range.update(start=(end - pd.Timedelta("12h")).value / 1e6, end=end.value / 1e6)
    figure.main.y_range.update(start=60_000.0, end=64_000.0)
    names = ("x0", "x1", "y0", "y1")
    values = (figure.main.x_range.start, figure.main.x_range.end, 60_000.0, 64_000.0)
    figure.asked.data = {name: [value] for name, value in zip(names, values, strict=True)} | {
        "wide": [800],
        "tall": [400],
    }
    heat = session.panes[0].heat
    assert heat is not None and heat.attrs["time_step"] == "15m" and heat.sizes["time"] == 48
    assert session.state.end == "2024-05-10 00:00" and session.widgets["window"].value == "own"
    table = session.panes[0].explain(61_000.0, end - pd.Timedelta("6h"))
    assert table["share"].sum() == pytest.approx(1.0)


def test_two_sessions_share_nothing_that_is_seen(catalogue: Catalogue) -> None:
    one, other = (Session(ExplorerState(market="btc-2024-05"), catalogue) for _ in range(2))
    before = other.state
    one.widgets["model"].value = "volume"
    one.widgets["side"].value = "long"
    assert one.state.model == "volume" and other.state == before
    assert other.widgets["model"].value == "open_interest"
    assert {id(m) for m in one.figures.select()}.isdisjoint(id(m) for m in other.figures.select())


def test_what_is_typed_stands_as_text(catalogue: Catalogue) -> None:
    session = Session(ExplorerState(market="btc-2024-05"), catalogue)
    session.widgets["start"].value = EVIL
    assert EVIL not in session.status.object and "&lt;script&gt;" in session.status.object
    session._uploaded(b"x", f"{EVIL}.exe")
    assert "a file must end in .csv" in session.status.object
    broken = Session(ExplorerState(market=EVIL), catalogue)
    assert EVIL not in broken.status.object and "no market is called" in broken.status.object


def test_an_uploaded_file_is_this_session_s_alone(catalogue: Catalogue) -> None:
    session = Session(ExplorerState(market="btc-2024-05"), catalogue)
    candles = catalogue.market("eth-2024-05").candles.iloc[-2_000:]
    session._uploaded(candles.to_csv(index_label="time").encode(), "mine.csv")
    assert session.state.market == "own file" and "last price" in session.status.object
    assert "given" not in catalogue.names()


@pytest.mark.parametrize(("ending", "begins"), [(".png", b"\x89PNG"), (".csv", b"")])
def test_what_is_seen_is_a_file(catalogue: Catalogue, ending: str, begins: bytes) -> None:
    session = Session(ExplorerState(market="btc-2024-05", start="2024-05-30"), catalogue)
    data = session._file(ending)().getvalue()
    assert data.startswith(begins) and len(data) > 1_000


def test_explore_refuses_what_it_cannot_open(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no market is called 'nothing'"):
        lq.explore("nothing")
    with pytest.raises(TypeError, match="market must be a name"):
        lq.explore(3)
    with pytest.raises(ValueError, match="model must be one of"):
        lq.explore("btc-2024-05", model="magic")
    view = lq.explore(lq.load_example("tia-2025-10"), window="24h")
    assert view.state.python("market") == "lq.explore(market, window='24h')"
    assert json.loads(json.dumps(view.state.told()))["window"] == "24h"


def test_an_uploaded_file_is_drawn() -> None:
    session = Session(ExplorerState(market="btc-2024-07"), Catalogue())
    file = Path(__file__).resolve().parents[2] / "data" / "sample-candles.csv"
    with pytest.warns(UserWarning, match="carry no zone"):
        session._uploaded(file.read_bytes(), file.name)
    assert session.state.market == session.panes[0].name == "own file"
    assert "no market" not in session.status.object
