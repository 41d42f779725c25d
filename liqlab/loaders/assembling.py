"""From opened files to the tables of one market: files joined, stamps made opens, amounts made coins."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders import events, interest_units, stated_units, volume_units
from liqlab.loaders.column_names import Parsed, parse, recognise
from liqlab.loaders.file_formats import load, pieces
from liqlab.loaders.funding_units import fractions, with_hours
from liqlab.loaders.interest_units import price_at
from liqlab.loaders.layouts import CANDLE_TABLES, CLOSE, EVENTS, QUOTE
from liqlab.loaders.stated_units import ASSUMED
from liqlab.loaders.timestamps import begins_of_bars, stamps
from liqlab.loaders.unit_readings import CONTRACTS
from liqlab.loaders.volume_units import BOTH, HALVED
from liqlab.market.checks import PRICES
from liqlab.market.clock import step_of, timeframe_of

__all__ = ["Opened", "Said", "in_coins", "open_table"]

_BARS = (*CANDLE_TABLES, "taker", "liquidations")  # tables whose rows last; the others hold instants
_LOOKED_AT = 1000  # closes that stand beside the opens, spread over the table


@dataclass(frozen=True)
class Said:
    """What the caller of `read` says, and when."""

    symbol: str
    exchange: str
    timeframe: str
    timezone: str | None
    units: dict[str, str]
    sides: dict[str, str]
    contract_size: float | None
    now: pd.Timestamp


@dataclass
class Opened:
    """One table as it was found, in one or several files, and what is learnt of it."""

    name: str
    parts: list[Parsed]
    files: list[str]
    origin: dict[str, Any]
    label: str
    rows: list[pd.DataFrame] = field(default_factory=list)  # liquidations as a venue writes them
    notes: list[str] = field(default_factory=list)
    sides: str = ""  # of open interest: what is to be known of them

    @property
    def symbol(self) -> str:
        """The symbol that stands in the table; empty where none does."""
        return self.parts[0].symbol if self.parts else ""

    def source(self) -> dict[str, str]:
        """Where it comes from, for `Market.sources`."""
        notes = dict.fromkeys(note for note in (self.origin.get("note", ""), *self.notes) if note)
        told = {name: _settled(value) for name, value in self.origin.items()}
        told |= {"note": "; ".join(notes)} if notes else {}
        return told | ({"sides": self.sides} if self.sides else {})

    def whole(self) -> pd.DataFrame:
        """All files as one table, in the order of time: files have no order of their own."""
        if len(self.parts) == 1:
            return self.parts[0].frame
        frame = pd.concat([part.frame for part in self.parts])
        return frame.sort_index(kind="stable") if isinstance(frame.index, pd.DatetimeIndex) else frame


def _settled(value: Any) -> str:
    return str(value.result() if isinstance(value, Future) else value)


def open_table(source: Any, table: str, said: Said) -> Opened:
    """One table from one source or from several files, each understood for itself."""
    parts, origins, files, rows = [], [], [], []
    with _in_words(table):
        for piece in pieces(source, table):
            frame, origin = load(piece, table, said.exchange)
            files.append(origin.get("file", f"{table} (from memory)"))
            origins.append(origin)
            if table == "liquidations" and _of_venue(frame, said.exchange or events.told_venue(frame)):
                rows.append(frame)
                continue
            parts.append(parse(frame, table, file=files[-1], now=said.now, symbol=said.symbol, exchange=said.exchange,
                               timezone=said.timezone, unit=said.units.get(table, "")))  # fmt: skip
    if len(files) == 1:
        return Opened(table, parts, files, origins[0], files[0], rows)
    columns = [list(part.frame.columns) for part in parts]
    odd = next((number for number, names in enumerate(columns) if set(names) != set(columns[0])), None)
    if odd is not None:
        raise ValueError(f"{table}: {files[0]} gives {', '.join(columns[0])}, but {files[odd]} "
                         f"{', '.join(columns[odd])}; several files must hold one table")  # fmt: skip
    seals = "".join(f"{_settled(origin['sha256'])}  {origin['file']}\n" for origin in origins)
    label = f"{files[0]} … {files[-1]} ({len(files)} files)"
    whole = {"file": label, "sha256": hashlib.sha256(seals.encode()).hexdigest(), "kind": "own",
             "note": "sha256 is that of the list of the files' own, as sha256sum writes it"}  # fmt: skip
    return Opened(table, parts, files, whole, label, rows)


@contextmanager
def _in_words(table: str) -> Iterator[None]:
    """What has no end, or no place among the numbers of a table, is told as such."""
    try:
        yield
    except RecursionError as error:
        raise ValueError(f"{table}: nested too deep, or refers to itself; pass a table, or a list of rows") from error
    except OverflowError as error:
        raise ValueError(f"{table}: holds a number that is too large ({error}); check its columns and units") from error


def _of_venue(frame: pd.DataFrame, exchange: str) -> bool:
    """Whether these are liquidations as the venue or ccxt writes them, and no layout knows them."""
    if not events.is_of_venue(list(frame.columns), exchange):
        return False
    try:
        recognise(frame.columns, "liquidations", "")
    except ValueError:
        return True
    return False


def in_coins(opened: dict[str, Opened], said: Said) -> dict[str, pd.DataFrame]:
    """The tables of a market: stamped by opens, closed, in coins.

    Open interest comes before the volume, as its value beside it shows the size of a contract.
    """
    ready: dict[str, pd.DataFrame] = {}
    for name, table in opened.items():
        if name != "liquidations" or (table.parts and table.parts[0].layout.name not in EVENTS):
            ready[name] = _stamped(table, said)
    candles = ready["candles"]
    beside = {"open_interest", "funding_rate", "liquidations"} & set(opened)
    step = _step(candles, said.timeframe) if beside else pd.Timedelta(0)
    size = said.contract_size
    if "open_interest" in opened:
        ready["open_interest"], seen = _interest(opened, ready["open_interest"], candles, step, said)
        size = size or seen
    if "funding_rate" in opened:
        rates = opened["funding_rate"]
        ready["funding_rate"], note = fractions(rates.parts[0], ready["funding_rate"], candles, step,
                                                said.units.get("funding_rate", ""), rates.label)  # fmt: skip
        ready["funding_rate"] = with_hours(rates.parts[0], ready["funding_rate"], said.exchange)
        rates.notes.append(note)
    ready["candles"] = candles = _candles(opened["candles"], candles, said, size)
    if "liquidations" in opened:
        ready["liquidations"] = _liquidations(opened, ready.get("liquidations"), candles, step, said)
    if "path" in ready and not {"volume"} <= set(ready["path"]):
        ready["path"] = ready["path"][list(PRICES)]
    return {name: ready[name] for name in opened}


def _step(candles: pd.DataFrame, timeframe: str) -> pd.Timedelta:
    return step_of(candles if candles.index.is_unique else candles[~candles.index.duplicated()], timeframe)


def _stamped(table: Opened, said: Said) -> pd.DataFrame:
    """Bars by their opens, and only those that have closed."""
    frame = table.whole()
    if table.name not in _BARS:
        return frame
    timeframe = said.timeframe if table.name == "candles" else ""
    index, note = begins_of_bars(pd.DatetimeIndex(frame.index), closes=table.parts[0].layout.stamp == CLOSE,
                                 ends=_ends(table, said), timeframe=timeframe, file=table.label)  # fmt: skip
    if note:
        table.notes.append(note)
        frame = frame.set_axis(index)
    return _finished(frame, table.name, table.label, timeframe, said.now)


def _ends(table: Opened, said: Said) -> pd.Series | None:
    """Closes that stand beside the opens of one file, a sample where they are many, by their opens."""
    part = table.parts[0]
    if part.ends is None or len(part.ends) != len(part.frame):
        return None
    chosen = slice(None, None, -(-len(part.ends) // _LOOKED_AT))
    ends = part.ends.iloc[chosen]
    zone = part.layout.zone or said.timezone or "UTC"
    later = said.now + pd.Timedelta(400, "D")  # the close of a bar that is still open
    return pd.Series(stamps(ends, file=table.files[0], zone=zone, now=later), index=part.frame.index[chosen])


def _candles(table: Opened, frame: pd.DataFrame, said: Said, size: float | None) -> pd.DataFrame:
    part = table.parts[0]
    venue = said.exchange or part.venue
    known = stated_units.instrument_of(said.symbol, part, venue)
    claim = stated_units.volume_claim(part, venue, said.units, size, known, said.sides.get("volume", ""))
    settled, note = volume_units.candle_volume(frame, file=table.label, claim=claim)
    table.notes.append(note)
    return settled


def _interest(
    opened: dict[str, Opened], frame: pd.DataFrame, candles: pd.DataFrame, step: pd.Timedelta, said: Said
) -> tuple[pd.DataFrame, float | None]:
    """Open interest in coins, and the size of a contract that it shows."""
    table = opened["open_interest"]
    part = table.parts[0]
    venue, told = said.exchange or part.venue, said.sides.get("open_interest", "")
    known = stated_units.instrument_of(said.symbol, part, venue)
    claim = stated_units.interest_claim(part, venue, said.units, said.contract_size, known, told)
    table.sides = {BOTH: f"{BOTH} → one", ASSUMED: ASSUMED}.get(claim.sides, "")
    if len(table.parts) == 1 and not told and "open_interest" not in said.units and claim.unit != CONTRACTS:
        price = price_at(candles, frame.index, step)
        read = stated_units.ccxt_interest(part, said.exchange, said.contract_size, known, price, table.label)
        if read is not None:
            table.notes.append(HALVED if claim.sides == BOTH else "")
            return read, None
    settled, note, size = interest_units.open_interest(frame, candles, step, file=table.label, claim=claim)
    table.notes.append(note)
    return settled, size


def _liquidations(
    opened: dict[str, Opened], frame: pd.DataFrame | None, candles: pd.DataFrame, step: pd.Timedelta, said: Said
) -> pd.DataFrame:
    """Liquidations per bar in coins: as they were found, or summed from events."""
    table = opened["liquidations"]
    size = said.contract_size
    if frame is None:
        found = []
        for part in table.parts:
            known = stated_units.instrument_of(said.symbol, part, said.exchange)
            claim = stated_units.liquidation_claim(part, said.units, size, known)
            found.append(events.archive_events(part, table.label, claim))
        known = stated_units.parse_symbol(said.symbol, said.exchange) if said.symbol else None
        found += [events.venue_events(rows, said.exchange or events.told_venue(rows), known, size, table.label)
                  for rows in table.rows]  # fmt: skip
        table.notes.append("single events, summed to bars; 0 only from the first to the last that was recorded")
        return events.per_bar(list(zip(found, table.files, strict=True)), candles, step)
    part = table.parts[0]
    claim = stated_units.liquidation_claim(
        part, said.units, size, stated_units.instrument_of(said.symbol, part, said.exchange)
    )
    if claim.unit not in (QUOTE, CONTRACTS):
        return frame
    if claim.unit == CONTRACTS and claim.size is None:
        raise ValueError(f"{table.label}: contracts become coins by their size; pass contract_size=")
    price = _middle_price(candles, frame, step)
    coins = {side: interest_units.in_coins_at(frame[side].to_numpy(), price, claim, table.label, "liquidations")
             for side in ("long", "short")}  # fmt: skip
    kept = np.isfinite(coins["long"])
    table.notes.append(f"{claim.unit} → coins")
    if claim.by != "units":
        warnings.warn(f"{table.label}: liquidations are in {claim.unit} ({claim.by}) and were divided by the middle "
                      f"price of their bar; {int((~kept).sum())} of {len(kept)} bars have no candle and are left out",
                      stacklevel=2)  # fmt: skip
    return pd.DataFrame(coins, index=frame.index)[kept]


def _middle_price(candles: pd.DataFrame, frame: pd.DataFrame, step: pd.Timedelta) -> np.ndarray:
    """Mean of the middle prices of the candles in each bar."""
    length = step_of(frame) if len(frame) > 1 else step
    middle = candles[["high", "low", "close"]].mean(axis=1).to_numpy()
    sums = np.concatenate([[0.0], np.cumsum(middle)])
    begin = np.searchsorted(candles.index, frame.index)
    stop = np.searchsorted(candles.index, pd.DatetimeIndex(frame.index) + pd.Timedelta(max(length, step)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(stop > begin, (sums[stop] - sums[begin]) / (stop - begin), np.nan)


def _finished(table: pd.DataFrame, name: str, file: str, timeframe: str, now: pd.Timestamp) -> pd.DataFrame:
    """The bars that have closed; an exchange's last row is mostly the bar that is still being traded."""
    distinct = table if table.index.is_unique else table[~table.index.duplicated()]
    stated = timeframe if name == "candles" else ""
    if len(distinct) == 1 and not stated:
        if name in ("candles", "path"):
            remedy = "pass timeframe='1h' or the like" if name == "candles" else "pass a longer path"
            raise ValueError(f"{file}: only one row, so its time frame cannot be seen; {remedy}")
        return table
    if not stated and table.index[-1] + (table.index[-1] - distinct.index[-2]) <= now:
        return table  # the step is no longer than the last one
    step = step_of(distinct, stated)
    if stated and len(distinct) > 1 and (found := step_of(distinct)) != step and (found < step or len(distinct) > 2):
        raise ValueError(f"{file}: the rows are {timeframe_of(found)} apart, but timeframe={timeframe!r}; "
                         "correct it or leave it out")  # fmt: skip
    late = np.asarray(table.index > now - step)
    opens = table.index[late].unique()
    if len(opens) > 1:
        raise ValueError(f"{file}: {len(opens)} bars close after now ({now:%Y-%m-%d %H:%M} UTC), the last opens at "
                         f"{opens[-1]}; if the times are not UTC, pass timezone='Europe/Berlin' "
                         "or the like")  # fmt: skip
    if late.all():
        raise ValueError(f"{file}: the only bar, open at {opens[0]}, has not closed yet; read it again later")
    if late.any():
        warnings.warn(f"{file}: dropped 1 unfinished bar, open at {opens[0]}: it closes after now", stacklevel=2)
        return table[~late]
    return table
