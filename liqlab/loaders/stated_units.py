"""What is said of a table's unit before its numbers are looked at: by the caller, its layout, or the venue's row.

The venue's rows are those of `lq.fetch` (`liqlab.loaders.exchanges._ccxt_units`); here they are applied to tables that
somebody else has fetched.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from liqlab.loaders.column_names import Parsed
from liqlab.loaders.exchanges._ccxt_parse import needs_price, parse_open_interest
from liqlab.loaders.exchanges._ccxt_units import UNKNOWN, row_of
from liqlab.loaders.exchanges._instruments import BOTH, ONE
from liqlab.loaders.exchanges._instruments import Instrument as VenueInstrument
from liqlab.loaders.funding_units import FRACTION, PERCENT
from liqlab.loaders.http import Failure, FetchError
from liqlab.loaders.layouts import CCXT, COINS, QUOTE, UNTOLD
from liqlab.loaders.unit_readings import CONTRACTS
from liqlab.loaders.volume_units import Claim, are_coins_and_turnover
from liqlab.market.instruments import Instrument, parse_symbol

__all__ = ["ASSUMED", "TARDIS", "UNITS", "ccxt_interest", "check_units", "instrument_of", "interest_claim",
           "liquidation_claim", "venue_item", "volume_claim"]  # fmt: skip

UNITS = (COINS, CONTRACTS, QUOTE)
_TABLES = ("volume", "open_interest", "liquidations", "funding_rate")
_RATES = (FRACTION, PERCENT)
ASSUMED = "one, assumed"
# What Tardis' amounts count, which are the venue's own: of linear and of inverse contracts; empty: not known.
TARDIS: Mapping[str, tuple[str, str]] = {
    "binance-futures": (COINS, ""), "bybit": (COINS, QUOTE), "bitmex": ("", QUOTE), "deribit": (COINS, QUOTE),
    "binance-delivery": ("", CONTRACTS), "okex-swap": (CONTRACTS, CONTRACTS), "okex-futures": (CONTRACTS, CONTRACTS),
    "huobi-dm-linear-swap": (CONTRACTS, ""), "huobi-dm-swap": ("", CONTRACTS), "gate-io-futures": (CONTRACTS, ""),
    "cryptofacilities": (COINS, QUOTE), "hyperliquid": (COINS, ""),
}  # fmt: skip


def check_units(units: Mapping[str, str] | None, sides: Mapping[str, str] | None, contract_size: Any) -> None:
    """Refuse names and sizes that mean nothing."""
    for what, said, tables, words in (("units", units, _TABLES, UNITS), ("sides", sides, _TABLES[:2], (ONE, BOTH))):
        for name, word in (said or {}).items():
            allowed = _RATES if what == "units" and name == _TABLES[-1] else words
            if name not in tables or word not in allowed:
                raise ValueError(f"{what} says {name!r}: {word!r}; tables are {', '.join(tables)}, {what} "
                                 f"{', '.join(allowed)}")  # fmt: skip
    if contract_size is not None and not (isinstance(contract_size, int | float) and contract_size > 0):
        raise ValueError(f"contract_size must be > 0 coins (quote, of inverse contracts), got {contract_size!r}")


def instrument_of(symbol: str, parsed: Parsed, exchange: str) -> Instrument | None:
    """The instrument as the caller or the table names it."""
    name = symbol or parsed.symbol
    return parse_symbol(name, exchange) if name else None


def venue_item(exchange: str, known: Instrument | None, size: float | None = None) -> VenueInstrument:
    """An instrument as the venue's rules want it; without a symbol, a linear contract."""
    spot = known is not None and known.kind == "spot"
    return VenueInstrument(exchange, "X/Y" if spot else "X/Y:Y", "", inverse=bool(known and known.inverse),
                           contract_size=size or 1.0)  # fmt: skip


def _told(
    name: str, parsed: Parsed, units: Mapping[str, str] | None, size: float | None, known: Instrument | None
) -> Claim | None:
    """What the caller or the layout says."""
    inverse = bool(known and known.inverse)
    if units and name in units:
        return Claim(units[name], "units", size, inverse)
    if parsed.stored:
        return Claim(COINS, "the store", size, inverse)
    if parsed.layout.unit in (QUOTE, UNTOLD):
        return Claim(parsed.layout.unit, parsed.layout.name, size, inverse)
    return None


def volume_claim(
    parsed: Parsed,
    exchange: str,
    units: Mapping[str, str] | None,
    size: float | None,
    known: Instrument | None,
    sides: str = "",
) -> Claim:
    """What a volume counts by the caller, the layout or the venue."""
    told = _told("volume", parsed, units, size, known)
    row, inverse = row_of(exchange), bool(known and known.inverse)
    sides = sides or _sides_of_volume(parsed, exchange, known)
    if told is not None or row is UNKNOWN:
        return replace(told or Claim("", "", size, inverse), sides=sides)
    unit = row.volume.of(venue_item(exchange, known))
    if parsed.layout.unit != CCXT and unit != CONTRACTS:
        # columns that somebody has named: coins, unless the venue counts something else
        return Claim("", "", size, inverse, sides)
    return Claim(unit or UNTOLD, f"{exchange}'s rule", size, inverse, sides)


def _sides_of_volume(parsed: Parsed, exchange: str, known: Instrument | None) -> str:
    """Sides that a volume counts; asked for where the columns are those of a venue that counts both."""
    venue = parsed.layout.venue
    alike = venue and "either_volume" in parsed.frame  # HTX writes spot and coin-margined contracts in the same columns
    if alike and are_coins_and_turnover(parsed.frame, "either_volume", "volume"):
        return ONE
    if venue and exchange not in row_of(venue).exchanges:
        raise ValueError(_whose("candles", venue, exchange, "volume"))
    rule = row_of(exchange).volume
    if rule.sides != BOTH or parsed.stored or (known is not None and known.kind == "spot"):
        return ONE
    if not venue and parsed.layout.unit != CCXT:
        warnings.warn(f"candles: {exchange} counts both sides of each trade, but these columns are not its own, so "
                      "one side is taken; if the volume is as the venue gives it, pass sides={'volume': 'both'}, else "
                      "'one'", stacklevel=2)  # fmt: skip
        return ONE
    if not venue and known is None:
        raise ValueError(f"candles: {exchange} counts both sides of each trade of contracts and one on spot markets; "
                         "pass symbol='BTC/USDT:USDT' or 'BTC/USDT', whichever it is, or sides={'volume': 'both'} or "
                         "'one'")  # fmt: skip
    return BOTH


def _whose(table: str, venue: str, exchange: str, column: str) -> str:
    named = f"exchange says {exchange!r}" if exchange else "no exchange is named"
    name = {"bybit": "Bybit", "htx": "HTX"}[venue]
    return (f"{table}: these columns are those of {name}'s reply, which counts both sides, and {named}; pass "
            f"exchange={venue!r} if the market is {name}'s, or sides={{'{column}': 'one'}} if it was halved already "
            "or the venue is one that counts one side")  # fmt: skip


def _is_bybits(parsed: Parsed) -> bool:
    """Whether openInterest stands beside a stamp and nothing else, in the rows or in the venue's own within them."""
    info = parsed.found["info"].iloc[0] if "info" in parsed.found and len(parsed.found) else None
    return any(set(map(str, names)) - {"symbol"} == {"openInterest", "timestamp"}
               for names in (parsed.found.columns, info if isinstance(info, Mapping) else ()))  # fmt: skip


def _sides_of_interest(parsed: Parsed, exchange: str) -> str:
    """Sides that an open interest counts: by its layout, by the venue's rule, else one, which is said.

    The columns of a venue that counts both sides are asked about where the venue is another or not told.
    """
    venue = "bybit" if _is_bybits(parsed) else parsed.layout.venue
    if venue and exchange not in row_of(venue).exchanges:
        raise ValueError(_whose("open_interest", venue, exchange, "open_interest"))
    if parsed.stored or parsed.layout.sides:
        return ONE
    rule, own = row_of(exchange).open_interest, parsed.layout.name == "liqlab"
    if rule is not None and (rule.sides == ONE or not own):
        return rule.sides
    if not own:
        named = f"nor known to liqlab of {exchange}" if exchange else "and no exchange is named"
        warnings.warn(f"open_interest: whether it counts one side or both (as Bybit and HTX do) is not told by its "
                      f"columns {named}; one side is assumed. Pass sides={{'open_interest': 'one'}} or 'both'"
                      f"{'' if exchange else ', or exchange='}", stacklevel=2)  # fmt: skip
    elif rule is not None:
        warnings.warn(f"open_interest: {exchange} counts both sides, but time and open_interest are liqlab's own "
                      "columns, which count one; if it is as the venue gives it, pass sides={'open_interest': 'both'}, "
                      "else 'one'", stacklevel=2)  # fmt: skip
    return ASSUMED


def interest_claim(
    parsed: Parsed,
    exchange: str,
    units: Mapping[str, str] | None,
    size: float | None,
    known: Instrument | None,
    sides: str = "",
) -> Claim:
    """What an open interest counts by the caller, the layout or the venue."""
    sides = sides or _sides_of_interest(parsed, exchange)
    told = _told("open_interest", parsed, units, size, known)
    rule = row_of(exchange).open_interest
    inverse = bool(known and known.inverse)
    if told is None and parsed.layout.name == "Tardis" and "exchange" in parsed.found:
        venue = str(parsed.found["exchange"].iloc[0]).lower()
        told = Claim(TARDIS.get(venue, ("", ""))[inverse] or UNTOLD, f"Tardis' table of {venue}", size, inverse)
    if told is not None:
        return replace(told, sides=sides)
    if rule is None:
        return Claim("", "", size, inverse, sides)
    unit = (rule.inverse if inverse else rule.linear)[1]
    if rule.unit_field in parsed.found:
        kinds = {str(one) for one in parsed.found[rule.unit_field].unique()}
        unit = rule.unit_values.get(kinds.pop(), UNTOLD) if len(kinds) == 1 else UNTOLD
    if parsed.layout.name == "liqlab" and unit != CONTRACTS:
        return Claim("", "", size, inverse, sides)
    return Claim(unit, f"{exchange}'s rule", size, inverse, sides)


def liquidation_claim(
    parsed: Parsed, units: Mapping[str, str] | None, size: float | None, known: Instrument | None
) -> Claim:
    """What liquidations count by the caller or the layout; coins where nobody says."""
    return _told("liquidations", parsed, units, size, known) or Claim("", "", size, bool(known and known.inverse))


def ccxt_interest(
    parsed: Parsed, exchange: str, size: float | None, known: Instrument | None, price: Any, file: str
) -> pd.DataFrame | None:
    """Open interest [coins, one side] of ccxt's rows with the venue's own in them, as `lq.fetch` reads them.

    None where the rows are not ccxt's, or the venue has no rule.
    """
    rule = row_of(exchange).open_interest
    if rule is None or "info" not in parsed.found or len(parsed.found) != len(parsed.frame):
        return None
    item = venue_item(exchange, known, size)
    stamps = parsed.frame.index.as_unit("ms").asi8  # type: ignore[attr-defined]
    names = {str(name): name for name in parsed.found.columns}
    records = parsed.found[[name for name in names if name.startswith("openInterest") or name == "info"]]
    rows = [{**{str(name): value for name, value in row.items()}, "timestamp": int(stamp)}
            for row, stamp in zip(records.to_dict("records"), stamps, strict=True)]  # fmt: skip
    prices = pd.Series(price, parsed.frame.index).dropna() if needs_price(item) else None
    try:
        return parse_open_interest(rows, item, prices)
    except (Failure, FetchError) as failure:
        raise ValueError(f"{file}: {failure}") from None
