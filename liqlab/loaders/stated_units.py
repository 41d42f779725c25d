"""What is said of a table's unit before its numbers are looked at: by the caller, its layout, or the venue's row.

The venue's rows are those of `lq.fetch` (`liqlab.loaders.exchanges._ccxt_units`); here they are applied to tables that
somebody else has fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from liqlab.loaders.column_names import Parsed
from liqlab.loaders.exchanges._ccxt_parse import needs_price, parse_open_interest
from liqlab.loaders.exchanges._ccxt_units import UNKNOWN, row_of
from liqlab.loaders.exchanges._instruments import Instrument as VenueInstrument
from liqlab.loaders.http import Failure, FetchError
from liqlab.loaders.layouts import CCXT, COINS, QUOTE, UNTOLD
from liqlab.loaders.volume_units import CONTRACTS, Claim
from liqlab.market.instruments import Instrument, parse_symbol

__all__ = ["UNITS", "ccxt_interest", "check_units", "instrument_of", "interest_claim", "liquidation_claim",
           "venue_item", "volume_claim"]  # fmt: skip

UNITS = (COINS, CONTRACTS, QUOTE)
_TABLES = ("volume", "open_interest", "liquidations")


def check_units(units: Mapping[str, str] | None, contract_size: Any) -> None:
    """Refuse names and sizes that mean nothing."""
    for name, unit in (units or {}).items():
        if name not in _TABLES or unit not in UNITS:
            raise ValueError(f"units says {name!r}: {unit!r}; tables are {', '.join(_TABLES)}, units "
                             f"{', '.join(UNITS)}")  # fmt: skip
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
    parsed: Parsed, exchange: str, units: Mapping[str, str] | None, size: float | None, known: Instrument | None
) -> Claim:
    """What a volume counts by the caller, the layout or the venue."""
    told = _told("volume", parsed, units, size, known)
    row = row_of(exchange)
    if told is not None or row is UNKNOWN:
        return told or Claim("", "", size, bool(known and known.inverse))
    unit = row.volume.of(venue_item(exchange, known))
    own = parsed.layout.unit != CCXT
    if own and unit != CONTRACTS:  # columns that somebody has named: coins, unless the venue counts something else
        return Claim("", "", size, bool(known and known.inverse))
    sides = row.volume.sides if not own else ""
    return Claim(unit or UNTOLD, f"{exchange}'s rule", size, bool(known and known.inverse), sides)


def _check_sides(parsed: Parsed, exchange: str) -> None:
    """Refuse the columns of Bybit's reply, which counts both sides, where the venue is another or not told."""
    if exchange in row_of("bybit").exchanges:
        return
    info = parsed.found["info"].iloc[0] if "info" in parsed.found and len(parsed.found) else None
    for names in (parsed.found.columns, info if isinstance(info, Mapping) else ()):
        if set(map(str, names)) - {"symbol"} == {"openInterest", "timestamp"}:
            named = f"exchange says {exchange!r}" if exchange else "no exchange is named"
            raise ValueError(f"open_interest: openInterest and timestamp alone are the columns of Bybit's reply, which "
                             f"counts both sides, and {named}; pass exchange='bybit' if the market is Bybit's. For "
                             "another market halve it, or leave it if one side is counted, and pass a table with the "
                             "columns timestamp and open_interest")  # fmt: skip


def interest_claim(
    parsed: Parsed, exchange: str, units: Mapping[str, str] | None, size: float | None, known: Instrument | None
) -> Claim:
    """What an open interest counts by the caller, the layout or the venue."""
    _check_sides(parsed, exchange)
    told = _told("open_interest", parsed, units, size, known)
    rule = row_of(exchange).open_interest
    inverse = bool(known and known.inverse)
    own = parsed.layout.name == "liqlab"
    sides = "" if own or rule is None or parsed.layout.sides else rule.sides
    if told is not None:
        return Claim(told.unit, told.by, told.size, told.inverse, "" if told.by == "the store" else sides)
    if rule is None:
        return Claim("", "", size, inverse)
    unit = (rule.inverse if inverse else rule.linear)[1]
    if own and unit != CONTRACTS:
        return Claim("", "", size, inverse)
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
