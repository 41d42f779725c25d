"""Page after page of one range, and a second look at every hole: nothing is believed missing that was asked for once.

Pages may come short, empty, out of order or twice; rows outside of what was asked for are dropped. A hole in the
regular step is asked for again until two rounds in a row bring nothing new; only then is it taken for a real one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from liqlab.market.clock import nanoseconds

__all__ = ["Pages", "collect", "holes"]

Ask = Callable[[int, int], pd.DataFrame]
STRIKES = 2  # rounds without anything new before a hole is believed


@dataclass(eq=False)
class Pages:
    """The rows of one range as they come in. `frame` is theirs at any moment, also after an interruption.

    Parameters
    ----------
    ask : callable (start, stop) -> DataFrame
        One request for rows in ``[start, stop)`` [ms since 1970].
    step : int
        Regular distance of rows [ms]; for `loose` rows the longest usual one.
    window : int
        Longest span of one request [ms]; 0: the venue counts rows itself, earliest first.
    loose : bool
        Stamps keep no exact step (funding).
    told : callable (rows) -> None
        Called with the number of new rows after every page.
    """

    ask: Ask
    step: int
    window: int = 0
    loose: bool = False
    told: Callable[[int], object] = lambda rows: None
    parts: list[pd.DataFrame] = field(default_factory=list)

    @property
    def frame(self) -> pd.DataFrame:
        """What has come in so far, in order."""
        if not self.parts:
            return pd.DataFrame(index=pd.DatetimeIndex([], dtype="datetime64[us, UTC]", name="time"))
        if len(self.parts) > 1:
            self.parts = [pd.concat(self.parts).sort_index(kind="stable")]
        return self.parts[0]

    def walk(self, start: int, stop: int) -> None:
        """Ask from start to stop once."""
        at = start
        while at < stop:
            until = min(at + self.window, stop) if self.window else stop
            page = self.ask(at, until)
            stamps = nanoseconds(page.index) // 1_000_000
            inside = (stamps >= at) & (stamps < until)
            if not inside.any():
                at = until
                continue
            self.parts.append(page[inside])
            self.told(int(inside.sum()))
            at = int(stamps[inside].max()) + (1 if self.loose else self.step)


def collect(pages: Pages, start: int, stop: int) -> pd.DataFrame:
    """All rows of ``[start, stop)`` [ms]; holes asked for again until two rounds bring nothing new."""
    pages.walk(start, stop)
    strikes = 0
    while strikes < STRIKES and (open_ := list(holes(pages.frame, start, stop, pages.step, pages.loose))):
        before = len(pages.frame)
        for first, last in open_:
            pages.walk(first, last)
        strikes = 0 if len(pages.frame) > before else strikes + 1
    return pages.frame


def holes(frame: pd.DataFrame, start: int, stop: int, step: int, loose: bool = False) -> Iterator[tuple[int, int]]:
    """Parts of ``[start, stop)`` [ms] in which a row is due and none is there.

    Examples
    --------
    >>> frame = pd.DataFrame(index=pd.to_datetime([0, 60, 240], unit="s", utc=True))
    >>> list(holes(frame, 0, 300_000, 60_000))
    [(120000, 240000)]
    """
    known = nanoseconds(frame.index) // 1_000_000
    edges = np.concatenate([[start - step], known, [stop]])
    for k in np.flatnonzero(np.diff(edges) > step + (60_000 if loose else 0)):
        first = int(edges[k]) + (1 if loose and k else step)
        yield max(first, start), int(edges[k + 1])
