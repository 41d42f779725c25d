"""Contract tests over all venue files, whatever their number; the table of units; a new venue is one file."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

import pandas as pd
import pytest

import liqlab as lq
from liqlab.loaders import exchanges, venue_units
from liqlab.loaders.exchanges import Venue, _ccxt, _ccxt_units, venue_of, venues
from liqlab.loaders.exchanges._instruments import BOTH, KINDS, ONE, Instrument
from liqlab.loaders.planning import plan
from liqlab.report.units_page import venue_units_page

pytest.importorskip("ccxt")

FUNCTIONS = {name: thing for name, thing in vars(Venue).items() if isinstance(thing, FunctionType) and name[0] != "_"}
FILES: dict[str, Any] = {**venues(), "_ccxt": _ccxt}
OWN = {one for file in venues().values() for one in file.EXCHANGES}
SOME = [(name, one) for name, file in FILES.items() for one in file.EXCHANGES or ("bybit", "okx", "gate", "kraken")]


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_every_function_with_the_arguments_of_the_protocol(name: str) -> None:
    assert len(FUNCTIONS) == 11
    for function, wanted in FUNCTIONS.items():
        given = inspect.signature(getattr(FILES[name], function)).parameters.values()
        asked = list(inspect.signature(wanted).parameters.values())[1:]  # without self
        assert [(one.name, one.kind, one.default) for one in given] == [
            (one.name, one.kind, one.default) for one in asked
        ]


def test_no_exchange_is_claimed_twice() -> None:
    claimed = [exchange for file in venues().values() for exchange in file.EXCHANGES]
    assert claimed and len(claimed) == len(set(claimed))
    assert all(venue_of(exchange) is file for file in venues().values() for exchange in file.EXCHANGES)
    assert venue_of("bybit") is _ccxt


@pytest.mark.parametrize(("name", "exchange"), SOME)
def test_what_a_file_says_without_a_request(name: str, exchange: str) -> None:
    venue = FILES[name]
    offers = venue.offers(exchange)
    assert "candles" in offers and set(offers) <= set(KINDS)
    for kind, offer in offers.items():
        assert offer.origin and offer.limit > 0
        assert kind in ("funding_rate", "leverage_tiers") or offer.periods
        if kind != "leverage_tiers":
            assert venue.window(exchange, kind, 3_600_000) >= 0
    assert all(isinstance(venue.why_missing(exchange, kind), str) for kind in KINDS)
    assert {unit.kind for unit in venue.units(exchange)} <= {*KINDS, "depth"}
    assert venue.connect(exchange).exchange == exchange


def test_a_new_venue_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by its name, offered, its units shown, and `fetch` plans with it."""
    (tmp_path / "nowhere.py").write_text(
        '"""A venue with endpoints of its own."""\n'
        "from liqlab.loaders.exchanges._instruments import Offer, Unit\n"
        'EXCHANGES = ("nowhere",)\n'
        'def offers(exchange): return {"candles": Offer("/klines", 100, ("1m", "1h"))}\n'
        'def why_missing(exchange, kind): return "it is nowhere"\n'
        'def units(exchange): return (Unit("candles", "coins", sides="both", source="/klines", read="2026-11-28"),)\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(exchanges, "__path__", [*exchanges.__path__, str(tmp_path)])
    monkeypatch.setitem(sys.modules, "liqlab.loaders.exchanges.nowhere", None)
    monkeypatch.delitem(sys.modules, "liqlab.loaders.exchanges.nowhere")
    assert set(venues()) == {*FILES, "nowhere"} - {"_ccxt"}
    assert lq.capabilities("nowhere")["offered"].sum() == 1
    assert "nowhere" in set(lq.capabilities()["exchange"])
    assert venue_units().set_index("exchange").loc["nowhere", "sides"] == "both → one"
    assert plan("X/USDT:USDT", "nowhere", "1h", "2024-01-01", "2024-01-02", None, tmp_path).kinds == ("candles",)
    with pytest.raises(ValueError, match="nowhere has no liquidations: it is nowhere"):
        plan("X/USDT:USDT", "nowhere", "1h", "2024-01-01", "2024-01-02", ["liquidations"], tmp_path)
    monkeypatch.delitem(sys.modules, "liqlab.loaders.exchanges.nowhere", raising=False)
    monkeypatch.delattr(exchanges, "nowhere", raising=False)


# --- the table of units -----------------------------------------------------------------------------------------------


def test_every_row_is_whole() -> None:
    import ccxt

    table = venue_units()
    assert set(table["sides"]) == {"one", "both → one"} and set(table["stamp"]) == {"open", "instant"}
    assert (table[["source", "read", "tested"]] != "").all(axis=None)
    assert pd.to_datetime(table["read"]).max() <= pd.Timestamp.now()
    known = {"coins", "contracts", "quote", "contracts/coins", ""}
    assert set(table.loc[table["kind"] != "funding_rate", ["linear", "inverse"]].to_numpy().ravel()) <= known
    rows = [name for row in _ccxt_units.ROWS for name in row.exchanges]
    assert len(rows) == len(set(rows)) and set(rows) <= set(ccxt.exchanges)
    assert not table.duplicated(["exchange", "kind"]).any()


def test_where_both_sides_are_counted_the_source_says_so() -> None:
    both = venue_units().query("sides == 'both → one'")
    counted = both.groupby("kind")["exchange"].agg(set).to_dict()
    assert "htx" in counted["candles"] and {"bybit", "bybiteu", "bybitid", "htx"} <= counted["open_interest"]
    assert both["source"].str.contains("both").all()


def test_only_what_can_be_parsed_is_offered() -> None:
    """Each offered open interest has a rule, each offered liquidation a way to read it."""
    table = lq.capabilities().query("offered")
    for kind in ("open_interest", "liquidations"):
        for name in set(table.loc[table["kind"] == kind, "exchange"]) - OWN:
            assert kind in {unit.kind for unit in _ccxt.units(name)}, name


@pytest.mark.parametrize(
    ("amount", "unit", "sides", "inverse", "size", "coins"),
    [
        (10.0, "coins", ONE, False, 1.0, 10.0),
        (10.0, "coins", BOTH, False, 1.0, 5.0),
        (10.0, "contracts", BOTH, False, 0.001, 0.005),
        (600.0, "quote", ONE, False, 1.0, 0.01),
        (600.0, "contracts", BOTH, True, 100.0, 0.5),
    ],
)
def test_amounts_become_coins_of_one_side(
    amount: float, unit: str, sides: str, inverse: bool, size: float, coins: float
) -> None:
    item = Instrument("x", "BTC/USD:BTC", "", inverse, size)
    assert _ccxt_units.in_coins(amount, 60_000.0, unit, item, sides) == pytest.approx(coins, rel=1e-12)


def test_the_page_says_what_the_table_says() -> None:
    page, table = venue_units_page(), venue_units()
    sections = {part.partition("\n")[0]: part for part in page.split("\n## ")[1:]}
    assert list(sections) == list(table["exchange"].unique())
    for row in table.to_dict("records"):
        line = next(line for line in sections[row["exchange"]].splitlines()
                    if line.startswith(f"| {row['kind']}".replace("_", "\\_")))  # fmt: skip
        assert [row["sides"], row["stamp"]] == [cell.strip() for cell in line.split("|")[4:6]]
        assert f"Read {row['read']}" in sections[row["exchange"]]
