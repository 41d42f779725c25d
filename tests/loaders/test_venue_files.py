"""The contract of a file in `liqlab.loaders.exchanges`: found by its name, of one shape, silent until it is asked."""

from __future__ import annotations

import inspect
import socket
import sys
from typing import Any

import ccxt
import pytest

from liqlab.loaders.exchanges import Venue, _ccxt, _ccxt_units, venue_of, venues
from liqlab.loaders.exchanges._instruments import BOTH, COINS, CONTRACTS, KINDS, ONE, QUOTE
from liqlab.market.clock import timedelta

FILES: dict[str, Any] = {**venues(), "_ccxt": _ccxt}
OWN = [(file, exchange) for file, venue in venues().items() for exchange in venue.EXCHANGES]


@pytest.fixture(autouse=True)
def _no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("nothing may be asked of the network here")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("file", FILES)
def test_a_file_has_every_function_of_the_protocol(file: str) -> None:
    for name, wanted in inspect.getmembers(Venue, inspect.isfunction):
        if not name.startswith("_"):
            found = getattr(FILES[file], name, None)
            assert callable(found), f"{file}.py lacks {name}"
            assert list(inspect.signature(found).parameters) == list(inspect.signature(wanted).parameters)[1:], name
    assert sys.modules[f"liqlab.loaders.exchanges.{file}"].__doc__


def test_no_two_files_answer_for_one_exchange() -> None:
    names = [exchange for _, exchange in OWN]
    assert len(set(names)) == len(names) and all(names) and names == [name.lower() for name in names]
    assert all(venue_of(exchange) is FILES[file] for file, exchange in OWN)


@pytest.mark.parametrize(("file", "exchange"), OWN)
def test_what_a_file_tells_without_a_request_is_whole(file: str, exchange: str) -> None:
    venue = FILES[file]
    offers = venue.offers(exchange)
    assert set(offers) <= set(KINDS) and offers["candles"].periods
    for kind in KINDS:
        assert isinstance(venue.why_missing(exchange, kind), str)
    for kind, offer in offers.items():
        assert offer.origin and offer.limit > 0 and all(map(timedelta, offer.periods))
        assert venue.window(exchange, kind, 3_600_000) >= 0
    assert venue.connect(exchange, "http://127.0.0.1:9").base == "http://127.0.0.1:9"


@pytest.mark.parametrize(("file", "exchange"), OWN)
def test_a_file_says_what_its_numbers_count_and_where_that_is_written(file: str, exchange: str) -> None:
    units = FILES[file].units(exchange)
    assert "candles" in {unit.kind for unit in units} <= {*KINDS, "depth"}
    for unit in units:
        assert unit.source and unit.read and unit.tested and unit.sides in (ONE, BOTH)
        assert unit.kind == "funding_rate" or {unit.linear, unit.inverse} <= {COINS, CONTRACTS, QUOTE, ""}


@pytest.mark.parametrize("exchange", _ccxt_units.EXCHANGES)
def test_a_row_of_units_is_of_an_exchange_that_ccxt_knows_and_says_where_it_was_read(exchange: str) -> None:
    assert exchange in ccxt.exchanges
    assert sum(exchange in row.exchanges for row in _ccxt_units.ROWS) == 1
    for unit in _ccxt_units.units(exchange):
        assert len(unit.source) > 10 and unit.read and unit.tested and unit.sides in (ONE, BOTH)
        assert unit.kind == "funding_rate" or {*unit.linear.split("/")} <= {COINS, CONTRACTS, QUOTE, ""}
