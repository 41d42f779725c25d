"""Symbols in the venues' spellings: what is certain is stated, what differs is different, any script counts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liqlab.market.instruments import contradiction, parse_symbol

SAME = {
    "BTC/USDT:USDT": ["BTC-USDT-SWAP", "BTCUSDT.P", "BINANCE:BTCUSDT.P", "BTCUSDT_PERP.A", "XBTUSDTM", "BTCUSDTPERP",
                      "BTC_USDT-PERPETUAL", "BTCUSDT_UMCBL", "tBTCF0:USTF0", "BTCUSDT", "BTC-USDT", "BTC_USDT", "BTC",
                      "btcusdt", "BTCUSDT.6"],
    "BTC/USD:BTC": ["BTC-PERPETUAL", "PI_XBTUSD", "BTCUSD_PERP", "BTC-USD-SWAP", "XBTUSDM", "BTCUSD_PERP.A",
                    "BTCUSD_DMCBL", "XBTUSD", "BTCUSD", "BTCUSD.P"],
    "BTC/USD:USD": ["PF_XBTUSD", "BTC-PERP", "XBTUSD"],
    "BTC/USDT": ["BTCUSDT", "BTC-USDT"],
    "BTC/USD": ["XXBTZUSD", "XBTUSD", "XBT/USD"],
    "BTC/USDT:USDT-241227": ["BTCUSDT_241227", "BTC-USDT-241227"],
    "BTC/USD:BTC-241227": ["BTCUSD_241227", "BTC-USD-241227", "FI_XBTUSD_241227"],
    "币安人生/USDT:USDT": ["币安人生USDT", "币安人生-USDT-SWAP"],
    "1000SHIB/USDT:USDT": ["1000SHIBUSDT"],
    "SHIB/USDT:USDT": ["SHIBUSDT"],
    "DOT/USD": ["DOTUSD"],
    "ARB/USD": ["ARBUSD"],
    "BTC/BUSD": ["BTCBUSD"],
}  # fmt: skip


@pytest.mark.parametrize("symbol", SAME)
def test_spellings_of_one_instrument_agree(symbol: str) -> None:
    for spelling in SAME[symbol]:
        assert contradiction(parse_symbol(symbol), parse_symbol(spelling)) == "", spelling
        assert contradiction(parse_symbol(spelling), parse_symbol(symbol)) == "", spelling


def test_instruments_that_differ_contradict_each_other() -> None:
    for one, other in itertools.permutations(SAME, 2):
        assert contradiction(parse_symbol(one), parse_symbol(other)), (one, other)
    for one, other in [("BTCUSDT_PERP.A", "BTCUSD_PERP.A"), ("BTC-PERPETUAL", "BTC_USDC-PERPETUAL"),
                       ("PF_XBTUSD", "PI_XBTUSD"), ("XBTUSDTM", "XBTUSDM"), ("我踏马来了USDT", "币安人生USDT"),
                       ("BTCUSDT", "BTCUSDC"), ("BTC-27DEC24", "BTC-28MAR25")]:  # fmt: skip
        assert contradiction(parse_symbol(one), parse_symbol(other)), (one, other)


def test_what_the_spelling_leaves_open_the_exchange_tells() -> None:
    assert parse_symbol("XBTUSD").inverse is None
    assert parse_symbol("XBTUSD", "bitmex").inverse is True
    assert parse_symbol("BTCUSD.P").inverse is None
    assert parse_symbol("BTC/USDT:USDT").inverse is False


@given(base=st.text(st.characters(categories=["Lu", "Lo", "Nd"]), min_size=2, max_size=6))
def test_letters_of_every_script_count(base: str) -> None:
    mine = parse_symbol(f"{base}/USDT:USDT")
    assert mine.base in (base.upper(), "BTC", "DOGE")
    assert contradiction(mine, parse_symbol(f"{base}X/USDT:USDT"))
    assert not contradiction(mine, parse_symbol(f"{base}-USDT-SWAP"))
