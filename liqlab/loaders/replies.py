"""Rows without names and the objects that venues wrap them in: which column is which, by width, venue and evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from liqlab.loaders.layouts import ARRANGEMENTS, CANDLE_TABLES, POSITIONS, Arrangement
from liqlab.loaders.volume_units import explains
from liqlab.market.market import PRICES

__all__ = ["arranged", "holds_table", "rows_of", "table_of"]

_SAMPLE = 500  # rows that decide on an order of columns
_FEWEST = 20  # rows without which evidence alone decides nothing
_COLUMNS = 5  # lists of one length in an object make a table
_MOMENTS = {"ts", "t", "time", "timestamp", "id", "date", "datetime"}  # columns that may hold stamps


def table_of(reply: Mapping[str, Any], file: str) -> tuple[Any, str]:
    """The one table in a venue's reply, and the symbol that stands beside it.

    Parameters
    ----------
    reply : mapping
        Such as ``{"retCode": 0, "result": {"symbol": "BTCUSDT", "list": [[…], …]}}``.
    file : str
        What to call it in messages.

    Returns
    -------
    rows : list or dict of lists
    symbol : str
        Empty where none is told.

    Raises
    ------
    ValueError
        Where the object holds no table, an empty one, or several.

    Examples
    --------
    >>> table_of({"result": {"XBTUSD": [[1714521600, "60000"]], "last": 1714521600}}, "x.json")
    ([[1714521600, '60000']], 'XBTUSD')
    """
    found = sorted(_tables(reply), key=lambda one: len(one[0]))
    found = [one for one in found if len(one[0]) == len(found[0][0])]
    if len(found) > 1:
        names = ", ".join(".".join(path) for path, *_ in found[:10])
        raise ValueError(f"{file}: the object holds {len(found)} tables: {names}; pass one of these lists alone")
    if not found and (single := _single(reply)) is not None:
        return [single], ""
    if not found:
        empty = any(isinstance(part, list) and not part for part in _parts(reply))
        listed = ", ".join(list(map(str, reply))[:10])
        words = "no rows (an empty list)" if empty else f"an object with {listed}, where a list of rows is understood"
        raise ValueError(f"{file}: holds {words}; {'is the range right?' if empty else 'save the list alone'}")
    path, rows, symbol = found[0]
    return rows, symbol or (path[-1] if path[-1].isupper() else "")


def _parts(reply: Any) -> Iterator[Any]:
    yield reply
    for part in reply.values() if isinstance(reply, Mapping) else ():
        yield from _parts(part)


def holds_table(reply: Mapping[str, Any]) -> bool:
    """Whether there is a table in an object."""
    return next(_tables(reply), None) is not None or _single(reply) is not None


def _single(reply: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The one object in a reply that is a row: a stamp and plain values, as Binance answers what is open now."""
    rows = [part for part in _parts(reply) if isinstance(part, Mapping) and len(part) > 1
            and not _MOMENTS.isdisjoint(part)
            and not any(isinstance(value, list | tuple | Mapping) for value in part.values())]  # fmt: skip
    return rows[0] if len(rows) == 1 else None


def _tables(reply: Mapping[str, Any], path: tuple[str, ...] = (), symbol: str = "") -> Iterator[tuple[Any, ...]]:
    own = reply.get("symbol")
    symbol = own if isinstance(own, str) else symbol
    lists = {name: part for name, part in reply.items() if isinstance(part, list) and part}
    scalar = {name: part for name, part in lists.items() if not isinstance(part[0], list | tuple | Mapping)}
    if len(scalar) >= _COLUMNS and len({len(part) for part in scalar.values()}) == 1:
        yield path or ("",), scalar, symbol
        return
    if beside := _beside_stamps(reply):
        yield path or ("",), beside, symbol
        return
    for name, part in reply.items():
        if name in lists and name not in scalar:
            yield (*path, str(name)), _stamped(part, reply), symbol
        elif isinstance(part, Mapping):
            yield from _tables(part, (*path, str(name)), symbol)


def _beside_stamps(reply: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of a list of stamps and a list of values or of bars beside it, as Kraken's analytics have them."""
    stamps, data = reply.get("timestamp"), reply.get("data")
    if not isinstance(stamps, list) or not isinstance(data, list) or not data or len(stamps) != len(data):
        return []
    if all(isinstance(bar, list) and len(bar) == len(PRICES) for bar in data):
        return [dict(zip("tohlc", (stamp, *bar), strict=True)) for stamp, bar in zip(stamps, data, strict=True)]
    if any(isinstance(value, list | Mapping) for value in data):
        return []
    return [{"timestamp": stamp, "value": value} for stamp, value in zip(stamps, data, strict=True)]


def _stamped(rows: list[Any], reply: Mapping[str, Any]) -> list[Any]:
    """Rows of what stands now, with the stamp ``ts`` that stands beside their list; others as they are."""
    now = reply.get("ts")
    if now is None or not all(isinstance(row, Mapping) and _MOMENTS.isdisjoint(row) for row in rows):
        return rows
    return [{"ts": now, **row} for row in rows]


def rows_of(rows: Any, table: str, file: str, exchange: str) -> pd.DataFrame:
    """Rows as ccxt and the venues give them, lists or mappings, as a frame with names."""
    if isinstance(rows, Mapping):  # columns
        return pd.DataFrame(dict(rows))
    if not rows:
        raise ValueError(f"{file}: no rows (an empty list); is the range right?")
    if all(isinstance(row, Mapping) for row in rows):
        return pd.DataFrame(_unnested(rows))
    width = len(rows[0]) if isinstance(rows[0], list | tuple) else 0
    for number, row in enumerate(rows):
        if not isinstance(row, list | tuple) or len(row) != width:
            raise ValueError(f"{file}: row {number} is {row!r}, unlike the row(s) before; rows are lists of one "
                             f"length (here {width}) or all mappings")  # fmt: skip
    return arranged(pd.DataFrame(list(rows)), table, file, exchange)


def _unnested(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Coinalyze gives a list of symbols, each with its ``history``."""
    if not all(isinstance(row.get("history"), list) for row in rows):
        return list(rows)
    return [{"symbol": row.get("symbol", ""), **entry} for row in rows for entry in row["history"]]


def arranged(frame: pd.DataFrame, table: str, file: str, exchange: str) -> pd.DataFrame:
    """Names for columns that have none.

    Parameters
    ----------
    frame : DataFrame (rows, columns)
        Columns in the order found.
    table, file, exchange : str
        What it is to become, what to call it, and the venue, which decides where several orders are possible.

    Raises
    ------
    ValueError
        Where no known order has so many columns, none fits the numbers, or several do.
    """
    order = _order_of(frame, table, file, exchange)
    named = frame.set_axis(pd.Index(order.columns), axis=1)
    named.attrs["newest_first"] = order.name != "ccxt"
    return named


def _order_of(frame: pd.DataFrame, table: str, file: str, exchange: str) -> Arrangement:
    width = frame.shape[1]
    own = POSITIONS.get((table, width))
    if own and exchange in own.venues:
        return own
    known = [order for order in ARRANGEMENTS if len(order.columns) == width] if table in CANDLE_TABLES else []
    if not known:
        raise ValueError(f"{file}: {table} without column names, {width} column(s) wide; only candles are understood "
                         "so: 6 (ccxt: time, open, high, low, close, volume), 12 (Binance klines), and 6 to 9 as the "
                         "venues reply; add a header")  # fmt: skip
    fitting = [order for order in known if _fits(frame, order)]
    named = [order for order in fitting if exchange in order.venues]
    if len(known) == 1 or (known[0].name == "ccxt" and (not fitting or known[0] in fitting)):
        return known[0]
    if len(named) == 1:
        return named[0]
    if len(fitting) == 1 and len(frame) >= _FEWEST:
        return fitting[0]
    names = " or ".join(f"{order.name} ({', '.join(order.columns)})" for order in fitting or known)
    venue = (fitting or known)[0].venues[0] if (fitting or known)[0].venues else ""
    if fitting:
        raise ValueError(f"{file}: {len(frame)} row(s) of {width} columns without names can be {names}; pass "
                         f"exchange={venue!r} or the one it is from, or add a header")  # fmt: skip
    raise ValueError(f"{file}: rows of {width} columns without names, but none of the known orders fits their numbers: "
                     f"{names}; add a header with the names of the columns")  # fmt: skip


def _stamps_where_they_belong(part: pd.DataFrame, order: Arrangement) -> bool:
    """A close later than the open where the order has one, and no stamps [ms] where it has none."""
    if "close_time" in order.columns:
        opens, closes = (pd.to_numeric(part.iloc[:, order.columns.index(name)], errors="coerce").to_numpy(float)
                         for name in (order.columns[0], "close_time"))  # fmt: skip
        return bool((closes > opens).all())
    others = [part.iloc[:, k] for k, role in enumerate(order.columns) if role == "-"]
    return not any(pd.to_numeric(one, errors="coerce").between(1.2e12, 4e12).all() for one in others)


def _fits(frame: pd.DataFrame, order: Arrangement) -> bool:
    """Whether the numbers can stand in this order: low ≤ open, close ≤ high, a turnover that goes with the volume."""
    part = frame.head(_SAMPLE)
    values = {role: pd.to_numeric(part.iloc[:, k], errors="coerce").to_numpy(float)
              for k, role in enumerate(order.columns) if role not in ("time", "timestamp", "-")}  # fmt: skip
    if not _stamps_where_they_belong(part, order):
        return False
    open_, high, low, close = (values[name] for name in PRICES)
    with np.errstate(invalid="ignore"):
        inside = (low <= np.minimum(open_, close)) & (high >= np.maximum(open_, close)) & (low > 0)
        if not inside.all():
            return False
        trades = values.get("trades")
        if trades is not None and not ((trades >= 0) & (trades % 1 == 0)).all():
            return False
        mean = values.get("vwap")
        if mean is not None and not ((mean >= low * 0.99) & (mean <= high * 1.01) | (mean == 0)).all():
            return False
        if "quote_volume" not in values:
            return True
        volumes = [values[name] for name in ("volume", "either_volume") if name in values]
        return any(explains(volume, values["quote_volume"], low, high) for volume in volumes)
