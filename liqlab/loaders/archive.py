"""Binance's public archive: years of candles, mark-price candles, open interest and funding as zips, without a key.

`pages` downloads and yields one month (or day) after the other, each verified against its published sha256; `get` does
so for what a store lacks. What the archive does not have is told in one warning and never filled.

USD-margined contracts only have open interest here; COIN-M candles are converted from contracts to coins by the columns
that tell coins.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from liqlab.loaders import http
from liqlab.loaders import store as stores
from liqlab.loaders.archive_files import DATASETS, Dataset, Parsed, instrument, parse, unified, unzip
from liqlab.loaders.download import verified
from liqlab.loaders.http import FetchError
from liqlab.market.clock import utc

__all__ = ["BASE_URL", "fill", "get", "key_for", "pages"]

BASE_URL = "https://data.binance.vision"
TIMEFRAMES = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d")
SETTLED = pd.Timedelta(30, "D")  # a day still absent after this is taken for one that never comes
_DAY, _FIVE = pd.Timedelta(1, "D"), pd.Timedelta(5, "min")

Page = tuple[pd.DataFrame, pd.Timestamp, pd.Timestamp, dict[str, Any]]


def get(
    symbol: str, kind: str, timeframe: str, start: Any, end: Any, *, base_url: str | None = None, store: Any = None
) -> pd.DataFrame:
    """One table from the archive, through the store: only what is not there yet is downloaded.

    Parameters
    ----------
    symbol : str
        ``BTC/USDT:USDT``, ``BTC/USD:BTC`` or the archive's own ``BTCUSDT``, ``BTCUSD_PERP``.
    kind : str
        candles, mark_candles, open_interest or funding_rate.
    timeframe : str
        ``1m`` … ``1d`` for candles; open interest is there every 5m; funding has none.
    start, end : time-like
        Half-open range; UTC if they carry no zone.
    base_url : str, optional
        Another mirror of the archive; default: the environment variable LIQLAB_ARCHIVE_URL, else `BASE_URL`.
    store : path, optional
        Folder of the store, see `liqlab.loaders.store.folder`.

    Returns
    -------
    DataFrame (time,)
        As `liqlab.loaders.store.load` gives it.

    Raises
    ------
    FetchError
        Where a file cannot be downloaded or is not what its checksum says. What was stored before stays.
    ValueError
        Where the archive has no such symbol, kind or time frame.

    Warns
    -----
    UserWarning
        Once, with count and names, for days that the archive does not have, and for rows that were left out.
    """
    key = key_for(symbol, kind, timeframe)
    stores.repair(key, start, end, store=store)
    fill(key, stores.missing(key, start, end, store=store), base_url=base_url, store=store, progress=False)
    return stores.load(key, start, end, store=store)


def fill(
    key: stores.Key, gaps: list[Any], *, base_url: str | None = None, store: Any = None, progress: bool = True
) -> None:
    """Bring what the archive has of the gaps into the store, a month or day at a time; what it cannot have is told."""
    from tqdm.auto import tqdm

    try:
        key_for(key.symbol, key.kind, key.timeframe)
    except ValueError as error:
        warnings.warn(str(error), stacklevel=3)
        return
    known = key.folder(store).is_dir()
    days = sum(((until - since) / _DAY for since, until in gaps), 0.0)
    with tqdm(total=round(days, 2), desc=f"{key.symbol} {key.kind}, archive", unit=" days",
              disable=not progress or not gaps) as bar:  # fmt: skip
        for frame, since, until, origin in pages(
            key.symbol, key.kind, key.timeframe, gaps, base_url=base_url, known=known
        ):
            stores.append(key, frame, since, until, store=store, origin=origin)
            bar.update((until - since) / _DAY)


def pages(
    symbol: str,
    kind: str,
    timeframe: str,
    ranges: Iterable[tuple[Any, Any]],
    *,
    base_url: str | None = None,
    known: bool = False,
    now: Any = None,
) -> Iterator[Page]:
    """Download what the ranges need and yield it in pieces, each complete; nothing is stored here.

    ``for page in pages(symbol, kind, timeframe, store.missing(key, start, end)): store.append(key, *page[:3],
    origin=page[3])`` with ``key = key_for(symbol, kind, timeframe)`` is all that a fetch needs; a progress bar can
    count ``page[2] - page[1]``.

    Parameters
    ----------
    symbol, kind, timeframe : str
        As in `get`.
    ranges : iterable of (start, end)
        Half-open, ascending; as `liqlab.loaders.store.missing` gives them.
    base_url : str, optional
        As in `get`.
    known : bool
        The symbol is known to exist. Otherwise nothing is yielded before a first file was found, and a symbol of which
        there is none raises.
    now : time-like, optional
        Default: now. Days that are not over are not asked for.

    Yields
    ------
    frame : DataFrame (time,)
        Our columns; no rows for a day that the archive lacks and, being older than 30 days, will not get.
    start, end : Timestamp
        The half-open range that the frame answers completely.
    origin : dict
        Source, file and sha256; the same for the same data, whenever it is fetched.

    Raises
    ------
    FetchError, ValueError
        As in `get`.
    """
    address = base_url or os.environ.get("LIQLAB_ARCHIVE_URL") or BASE_URL
    job = _Job(symbol, kind, timeframe, address, utc(now) if now is not None else pd.Timestamp.now("UTC"))
    held: list[Page] = []
    asked = False
    for start, end in ranges:
        asked = True
        for page in job.range(utc(start), utc(end)):
            if not known and "absent" in page[3]:
                held.append(page)
                continue
            known = True
            yield from held
            held.clear()
            yield page
    if held:
        raise ValueError(f"the archive has nothing of {symbol} ({kind} {job.path('…')}) in this range, asked for "
                         f"{held[0][1]:%Y-%m-%d} … {held[-1][2]:%Y-%m-%d}; check the symbol, or begin when it was "
                         "listed")  # fmt: skip
    if asked:
        job.report()


def key_for(symbol: str, kind: str, timeframe: str) -> stores.Key:
    """The store's key of a table of the archive."""
    exchange, _, _ = instrument(symbol)
    if kind not in DATASETS:
        raise ValueError(
            f"the archive has no {kind}; it has {', '.join(DATASETS)} (taker-buy volume is in the candles)"
        )
    if kind == "funding_rate":
        timeframe = ""
    elif kind == "open_interest" and timeframe != "5m":
        raise ValueError(f"the archive has open interest every 5m, not every {timeframe or '?'}; take 5m")
    elif kind != "open_interest" and timeframe not in TIMEFRAMES:
        raise ValueError(f"the archive has no {timeframe!r} candles; it has {', '.join(TIMEFRAMES)}")
    if kind == "open_interest" and exchange == "binancecoinm":
        raise ValueError(f"the archive counts open interest of {symbol} in contracts and does not tell their size; "
                         "convert contracts × size [USD] ÷ price and pass it to lq.read")  # fmt: skip
    return stores.Key(exchange, unified(symbol), kind, timeframe)


# --- one table: which files, in which order --------------------------------------------------------------------------


@dataclass
class _Job:
    """The files of one table: what was found, and what was not."""

    symbol: str
    kind: str
    timeframe: str
    base_url: str
    now: pd.Timestamp
    absent: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    web: Any = None

    def __post_init__(self) -> None:
        key_for(self.symbol, self.kind, self.timeframe)
        self.web = http.session()

    @property
    def dataset(self) -> Dataset:
        return DATASETS[self.kind]

    def path(self, date: str) -> str:
        """Where the zip of a month ``2024-05`` or a day ``2024-05-01`` lies."""
        _, market, name = instrument(self.symbol)
        rhythm = "monthly" if len(date) == 7 else "daily"
        candles = "klines" in self.dataset.folder.lower()
        folder = f"{name}/{self.timeframe}" if candles else name
        middle = self.timeframe if candles else self.dataset.folder
        return f"data/futures/{market}/{rhythm}/{self.dataset.folder}/{folder}/{name}-{middle}-{date}.zip"

    def range(self, start: pd.Timestamp, end: pd.Timestamp) -> Iterator[Page]:
        """The pages of one range, a calendar month after the other."""
        if self.kind == "open_interest":
            yield from self.snapshots(start, end)
            return
        month = start.normalize().replace(day=1)
        while month < end:
            following = (month + 32 * _DAY).replace(day=1)
            since, until = max(start, month), min(end, following)
            page = self.page(f"{month:%Y-%m}", month, following, since, until) if self.dataset.monthly else None
            if page:
                yield page
            elif self.dataset.daily:
                yield from self.days(since, until)
            else:
                yield from self.lacking(f"{month:%Y-%m}", since, until, following)
            month = following

    def days(self, start: pd.Timestamp, end: pd.Timestamp) -> Iterator[Page]:
        day = start.normalize()
        while day < end:
            since, until = max(start, day), min(end, day + _DAY)
            page = self.page(f"{day:%Y-%m-%d}", day, day + _DAY, since, until)
            yield from [page] if page else self.lacking(f"{day:%Y-%m-%d}", since, until, day + _DAY)
            day += _DAY

    def snapshots(self, start: pd.Timestamp, end: pd.Timestamp) -> Iterator[Page]:
        """Days of open interest. A file holds the instants after its midnight up to and with the next one."""
        day = start.normalize()
        carried = self.read(f"{day - _DAY:%Y-%m-%d}", day, tell=False) if start == day else None
        while day < end:
            since, until = max(start, day), min(end, day + _DAY)
            midnight = [] if carried is None else [carried[0][carried[0].index >= day]]
            if carried is not None and until <= day + _FIVE:  # of this day midnight alone is wanted
                yield midnight[0][midnight[0].index < until], since, until, carried[1]
                return
            found = self.read(f"{day:%Y-%m-%d}", day + _DAY)
            frame = pd.concat([*midnight, *([found[0]] if found else [])] or [_NOTHING])
            rows = frame[(frame.index >= since) & (frame.index < until)]
            if found:
                yield rows, since, until, found[1]
            else:
                yield from self.lacking(f"{day:%Y-%m-%d}", since, until, day + _DAY, rows)
            carried, day = found, day + _DAY

    def page(
        self, date: str, first: pd.Timestamp, last: pd.Timestamp, since: pd.Timestamp, until: pd.Timestamp
    ) -> Page | None:
        """The rows of one file inside ``[since, until)``; None where there is no such file."""
        read = self.read(date, last)
        if read is None:
            return None
        frame, origin = read
        inside = (frame.index >= first) & (frame.index < last)
        if not inside.all():
            raise FetchError(f"{self.path(date)}: {int((~inside).sum())} row(s) lie outside the file's own dates, "
                             f"first {frame.index[~inside][0]}; nothing of it was kept")  # fmt: skip
        return frame[(frame.index >= since) & (frame.index < until)], since, until, origin

    def read(self, date: str, over: pd.Timestamp, *, tell: bool = True) -> tuple[pd.DataFrame, dict[str, Any]] | None:
        """Rows and origin of one file; None where its time is not over or the archive has none."""
        if over > self.now:
            return None
        path = self.path(date)
        found = verified(self.web, self.base_url, path, lambda data: self.parse(data, path))
        if found is None:
            return None
        parsed, seal = found
        for reason, count in parsed.left_out.items() if tell else ():
            self.left_out[reason] = self.left_out.get(reason, 0) + count
        return parsed.frame, {"source": "Binance public archive", "file": path, "sha256": seal}

    def parse(self, data: bytes, path: str) -> Parsed:
        _, market, name = instrument(self.symbol)
        file = path.rpartition("/")[2]
        return parse(unzip(data, file), self.kind, file=file, now=self.now, instrument=name, inverse=market == "cm")

    def lacking(
        self, date: str, since: pd.Timestamp, until: pd.Timestamp, over: pd.Timestamp, rows: pd.DataFrame | None = None
    ) -> Iterator[Page]:
        """Remember an absent file. An old one will not come any more: its range is answered, with nothing."""
        if until - since > pd.Timedelta(1, "s"):  # else only the instant at a range's end was asked for
            self.absent.append(date)
        if over + SETTLED <= self.now:
            origin = {"source": "Binance public archive", "file": self.path(date), "absent": "yes"}
            yield _NOTHING if rows is None else rows, since, until, origin

    def report(self) -> None:
        """One warning for all that is not there."""
        _, _, name = instrument(self.symbol)
        if self.absent:
            listed = ", ".join(self.absent[:20]) + (f" and {len(self.absent) - 20} more" * (len(self.absent) > 20))
            warnings.warn(f"the archive lacks {len(self.absent)} file(s) of {self.kind} of {name}: {listed}; nothing "
                          "was filled in", stacklevel=3)  # fmt: skip
        if self.left_out:
            counts = ", ".join(f"{count} {reason}" for reason, count in sorted(self.left_out.items()))
            warnings.warn(f"rows of the archive's {self.kind} of {name} that were left out: {counts}; nothing was "
                          "filled in", stacklevel=3)  # fmt: skip


_NOTHING = pd.DataFrame(index=pd.DatetimeIndex([], dtype="datetime64[us, UTC]", name="time"))
