"""Trades as they pass → runs of one cell, one taker side and one candle; and the candles that they make."""

from __future__ import annotations

import numpy as np
import pandas as pd

from liqlab.engine.grid import cell_of
from liqlab.engine.trade_kernels import sums_nb
from liqlab.engine.trade_steps import run_starts

__all__ = ["Batch", "Joining"]

TABLE = "trades"
Batch = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # time [ns], price, quantity, whether the taker bought


class Joining:
    """Batch after batch to runs and candles.

    What a batch holds of a candle that may go on waits for the next one: where batches are cut changes no digit.

    Parameters
    ----------
    width, start : int
        Candles are so long, and one of them begins here [ns].
    """

    def __init__(self, width: int, start: int) -> None:
        self.width, self.start, self.trades = width, start % width, 0
        self._open: Batch | None = None
        self._runs = [np.empty(0, kind) for kind in (np.int64, np.float64, np.float64, np.bool_)]
        self._count = 0
        self._bars: list[pd.DataFrame] = []
        self._last = -(2**62)

    def take(self, batch: Batch, file: str) -> None:
        """One more batch."""
        time, price, quantity, _ = batch
        if not len(time):
            return
        self._check(time, price, quantity, file)
        self._last, self.trades = int(time[-1]), self.trades + len(time)
        if self._open is not None:
            batch = tuple(np.concatenate(pair) for pair in zip(self._open, batch, strict=True))  # type: ignore[assignment]
        bar = (batch[0] - self.start) // self.width
        done = int(np.searchsorted(bar, bar[-1]))
        self._open = tuple(column[done:].copy() for column in batch)  # type: ignore[assignment]
        self._close(tuple(column[:done] for column in batch), bar[:done])  # type: ignore[arg-type]

    def _close(self, batch: Batch, bar: np.ndarray) -> None:
        """Runs and candles of whole candles."""
        time, price, quantity, buy = batch
        if len(bar):
            first = run_starts(cell_of(price), buy, bar)
            self._keep(time[first], price[first], sums_nb(quantity, first), buy[first])
            self._bars.append(self._candles(bar, price, quantity, buy))

    def _keep(self, *columns: np.ndarray) -> None:
        """Runs behind those before; the arrays grow in place, since there is no memory to hold them twice."""
        count = self._count + len(columns[0])
        for kept, more in zip(self._runs, columns, strict=True):
            if count > len(kept):
                kept.resize(count + count // 8, refcheck=False)
            kept[self._count : count] = more
        self._count = count

    def _check(self, time: np.ndarray, price: np.ndarray, quantity: np.ndarray, file: str) -> None:
        back = np.flatnonzero(np.diff(time, prepend=self._last) < 0)
        if len(back):
            raise ValueError(f"{file}: the trade at {pd.Timestamp(time[back[0]], tz='UTC')} comes after one at a later "
                             "time; files are read trade by trade: sort them by time, and pass several in their order, "
                             "none twice")  # fmt: skip
        for name, values, sound, rule in (("price", price, price > 0, "prices are > 0"),
                                          ("quantity", quantity, quantity >= 0, "quantities are >= 0")):  # fmt: skip
            if not (sound & np.isfinite(values)).all():
                row = int(np.flatnonzero(~(sound & np.isfinite(values)))[0])
                raise ValueError(f"{file}: {name} of the trade at {pd.Timestamp(time[row], tz='UTC')} is "
                                 f"{values[row]!r}; {rule}; drop or correct the row")  # fmt: skip

    def _candles(self, bar: np.ndarray, price: np.ndarray, quantity: np.ndarray, buy: np.ndarray) -> pd.DataFrame:
        first = np.flatnonzero(np.diff(bar, prepend=bar[0] - 1))
        stop = np.append(first[1:], len(bar))
        return pd.DataFrame(
            {
                "open": price[first], "high": np.maximum.reduceat(price, first),
                "low": np.minimum.reduceat(price, first), "close": price[stop - 1],
                "volume": np.add.reduceat(quantity, first), "quote_volume": np.add.reduceat(quantity * price, first),
                "trades": (stop - first).astype(float),
                "taker_buy_volume": np.add.reduceat(np.where(buy, quantity, 0.0), first),
            },
            index=bar[first],
        )  # fmt: skip

    def result(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Runs and candles."""
        if not self.trades:
            raise ValueError(f"{TABLE}: no trade was found; check the files, and the symbol asked for")
        assert self._open is not None
        self._close(self._open, (self._open[0] - self.start) // self.width)
        for kept in self._runs:
            kept.resize(self._count, refcheck=False)
        time, *columns = self._runs
        index = pd.DatetimeIndex(time.view("datetime64[ns]")).tz_localize("UTC")
        self._runs = []
        table = pd.DataFrame(dict(zip(("price", "quantity", "taker_buy"), columns, strict=True)), index=index,
                             copy=False)  # fmt: skip
        bars = pd.concat(self._bars)
        opens = pd.DatetimeIndex((bars.index.to_numpy() * self.width + self.start).view("datetime64[ns]"))
        return table.rename_axis("time"), bars.set_axis(opens.tz_localize("UTC").rename("time"))
