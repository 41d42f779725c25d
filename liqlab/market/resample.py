"""Where coarser bars begin: one rule for pictures, sums of events and sessions.

Bars are not counted from 1 January 1970, which was a Thursday: weeks begin on Monday 00:00 UTC, and bars that a venue
opens at an hour of its own (days at 16:00 UTC, weeks on Sunday) keep it.
"""

from __future__ import annotations

from typing import Any

__all__ = ["bar_number", "bar_opens", "next_open", "origin_of"]

_DAY = 86_400 * 10**9
_WEEK = 7 * _DAY
_MONDAY = 4 * _DAY  # 5 January 1970


def origin_of(first: int, step: int, width: int) -> int:
    """A moment at which a bar of `width` begins [ns since 1970]; it does not depend on how many bars are shown.

    Parameters
    ----------
    first : int
        Open of any bar of the table [ns].
    step, width : int
        Length of the table's bars, and of the bars to be made of them [ns]; 1 for single events.

    Examples
    --------
    Hours, days and the weeks made of hours; days that open at 16:00 keep that hour.

    >>> hour = 3_600 * 10**9
    >>> day = 24 * hour
    >>> [origin_of(7 * hour, hour, width) // hour for width in (hour, day, 7 * day)]
    [0, 0, 96]
    >>> [origin_of(40 * hour, day, width) // hour for width in (day, 7 * day)]
    [16, 112]
    """
    anchor = _MONDAY if width % _WEEK == 0 and step % _WEEK else 0
    return anchor + (int(first) - anchor) % int(step)


def bar_number(stamps: Any, width: int, origin: int) -> Any:
    """Number of the bar that a moment, or each of an array, lies in, counted from the one that begins at `origin`."""
    return (stamps - origin) // width


def bar_opens(stamps: Any, width: int, origin: int = 0) -> Any:
    """Open of the bar that a moment, or each of an array, lies in; all in one unit of time.

    >>> import numpy as np
    >>> bar_opens(np.array([15, 16, 40]), 24, 16).tolist()
    [-8, 16, 40]

    Weeks are counted from Thursday where 1970 is the origin, and from Monday on most venues.

    >>> bar_opens(11, 7), bar_opens(11, 7, 4)  # [days]
    (7, 11)
    """
    return bar_number(stamps, width, origin) * width + origin


def next_open(stamps: Any, width: int, origin: int = 0) -> Any:
    """The first open of a bar at or after a moment, as `bar_opens`.

    >>> [next_open(day, 7, 4) for day in (10, 11, 12)]
    [11, 11, 18]
    """
    return -bar_opens(-stamps, width, -origin)
