"""What the explorer shows, in one value: checked when it is made, told as a link's query and as a line of Python."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pandas as pd

from liqlab import models
from liqlab.market.clock import timedelta, utc
from liqlab.models._law import PRESETS
from liqlab.plot.colour_bar import NORMS, SCALES

__all__ = ["LAWS", "LOOKBACKS", "SIDES", "WINDOWS", "ExplorerState"]

WINDOWS = {"12h": "12h", "24h": "24h", "3d": "3d", "7d": "7d", "30d": "30d", "90d": "90d", "1y": "365d"}
LOOKBACKS = ("12h", "24h", "3d", "7d", "30d", "90d")
SIDES = ("both", "long", "short")
LAWS = tuple(PRESETS)
MAX_QUERY, MAX_NAME = 4_000, 300  # characters
PAIRS, WORDS = ("price_range", "threshold"), {"true": True, "false": False}


@dataclass(frozen=True)
class ExplorerState:
    """What is shown of a market, and how.

    Parameters
    ----------
    market : str
        Name of a market that the explorer was given.
    window : str
        A name of `WINDOWS`, back from the end of the market; where `start` or `end` is given they say it.
    start, end : str, optional
        What is shown, half-open, UTC.
    price_range : (low, high), optional
        Prices shown [quote].
    model, law : str
        As in `liqlab.heatmap`.
    side : 'both', 'long' or 'short'
    leverages : tuple of float
        Classes of the law that are shown; empty: all.
    lookback : str, optional
        As in `liqlab.heatmap`.
    cmap, cnorm : str
        As in `liqlab.plot.heatmap`.
    threshold : (low, high)
        Shares [0..1] of the brightest colour: what is dimmer than `low` is hidden, and colours end at `high`.
    clusters, observed : bool
        Outline zones at the end of what is shown; mark observed liquidations where the market has them.
    position : dict, optional
        The reader's own: side, entry_price [quote], leverage.
    beside : dict, optional
        A second map beside it: any of market, model, law, which replace those of the first.

    Raises
    ------
    ValueError, TypeError
        What the explorer cannot show, by the argument's name.

    Examples
    --------
    >>> state = ExplorerState("btc-2024-05", model="decay", threshold=(0.1, 1.0))
    >>> state.query()
    'market=btc-2024-05&model=decay&threshold=0.1%2C1.0'
    >>> ExplorerState.of_query(state.query()) == state
    True
    >>> state.python()
    "lq.explore('btc-2024-05', model='decay', threshold=(0.1, 1.0))"
    """

    market: str = ""
    window: str = "7d"
    start: str | None = None
    end: str | None = None
    price_range: tuple[float, float] | None = None
    model: str = "open_interest"
    law: str = "fitted"
    side: str = "both"
    leverages: tuple[float, ...] = ()
    lookback: str | None = None
    cmap: str = "purple-yellow"
    cnorm: str = "log"
    threshold: tuple[float, float] = (0.0, 1.0)
    clusters: bool = False
    observed: bool = False
    position: dict[str, Any] | None = None
    beside: dict[str, str] | None = None

    def __post_init__(self) -> None:
        _text(self.market, "market")
        for name, allowed in (("window", WINDOWS), ("model", models.names()), ("law", LAWS), ("side", SIDES),
                              ("cmap", SCALES), ("cnorm", NORMS)):  # fmt: skip
            _one_of(getattr(self, name), name, allowed)
        for name in ("clusters", "observed"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}")
        self._take("start", _moment(self.start, "start"))
        self._take("end", _moment(self.end, "end"))
        if self.start and self.end and not pd.Timestamp(self.start) < pd.Timestamp(self.end):
            raise ValueError(f"start must be before end, got {self.start} and {self.end}; swap them")
        if self.lookback is not None:
            timedelta(self.lookback, "lookback")
        if self.price_range is not None:
            low, high = _pair(self.price_range, "price_range")
            if not 0 < low < high:
                raise ValueError(f"price_range must be (low, high) with 0 < low < high, got {self.price_range!r}; "
                                 "leave it out for all")  # fmt: skip
            self._take("price_range", (low, high))
        low, high = _pair(self.threshold, "threshold")
        if not 0 <= low < high <= 1:
            raise ValueError(f"threshold must be (low, high) with 0 <= low < high <= 1, got {self.threshold!r}; "
                             "(0, 1) hides nothing")  # fmt: skip
        self._take("threshold", (low, high))
        self._take("leverages", _leverages(self.leverages))
        self._take("position", _position(self.position))
        self._take("beside", _beside(self.beside))

    def _take(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def but(self, **changes: Any) -> ExplorerState:
        """Another state, with these changes."""
        return replace(self, **changes)

    def told(self) -> dict[str, Any]:
        """What differs from the defaults, by name; the market comes first."""
        mine = {f.name: getattr(self, f.name) for f in fields(self)}
        blank = {f.name: f.default for f in fields(self)}
        return {name: value for name, value in mine.items() if name == "market" or value != blank[name]}

    def query(self) -> str:
        """The query of a link that shows this."""
        return urlencode({name: _written(value) for name, value in self.told().items()})

    @classmethod
    def of_query(cls, query: str, default: ExplorerState | None = None) -> ExplorerState:
        """The state that a link's query tells; what it does not tell is as in `default`.

        Raises
        ------
        ValueError
            A query that is too long, has a name twice or one that is unknown, or a value that cannot be shown.
        """
        if len(query) > MAX_QUERY:
            raise ValueError(f"the link is {len(query)} characters long; at most {MAX_QUERY} are read")
        try:
            pairs = parse_qsl(query.removeprefix("?"), keep_blank_values=True, max_num_fields=50, errors="strict")
        except ValueError as error:
            raise ValueError(f"the link cannot be read: {error}; copy it anew from the explorer") from None
        known = {f.name for f in fields(cls)}
        given: dict[str, Any] = {}
        for name, text in pairs:
            if name not in known:
                raise ValueError(f"the link names {name[:40]!r}, which the explorer does not know; it knows "
                                 f"{', '.join(sorted(known))}")  # fmt: skip
            if name in given:
                raise ValueError(f"the link names {name} twice; keep one of them")
            given[name] = _read(name, text)
        return replace(default or cls(), **given)

    def python(self, market: str | None = None) -> str:
        """The line of Python that shows this.

        Parameters
        ----------
        market : str, optional
            Code that stands for the market, such as the name of a variable; default: its name.
        """
        told = self.told()
        words = [market or repr(told.pop("market"))]
        told.pop("market", None)
        return f"lq.explore({', '.join([*words, *(f'{name}={value!r}' for name, value in told.items())])})"


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(repr(each) for each in value)
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _read(name: str, text: str) -> Any:
    if name in ("clusters", "observed"):
        if text not in WORDS:
            raise ValueError(f"{name} must be true or false, got {text[:40]!r}")
        return WORDS[text]
    if name in ("position", "beside"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(f"{name} of the link cannot be read: {text[:60]!r}; copy the link anew") from None
    if name in (*PAIRS, "leverages"):
        try:
            return tuple(float(part) for part in text.split(",") if part)
        except ValueError:
            raise ValueError(f"{name} must be numbers with commas between them, got {text[:60]!r}") from None
    return text


# --- checks -----------------------------------------------------------------------------------------------------------


def _text(value: Any, name: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text, got {type(value).__name__}")
    if len(value) > MAX_NAME:
        raise ValueError(f"{name} is {len(value)} characters long; at most {MAX_NAME} are allowed")


def _one_of(value: Any, name: str, allowed: Any) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {str(value)[:60]!r}")


def _moment(value: Any, name: str) -> str | None:
    """As text to the second, which a link and a line of Python hold."""
    if value is None or value == "":
        return None
    moment = utc(value, name=name)
    return f"{moment:%Y-%m-%d %H:%M}" if moment.second == 0 else f"{moment:%Y-%m-%d %H:%M:%S}"


def _pair(value: Any, name: str) -> tuple[float, float]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(f"{name} must be a pair (low, high), got {value!r}")
    return _number(value[0], name), _number(value[1], name)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
        raise TypeError(f"{name} must be a finite number, got {str(value)[:40]!r}; write it without quotation marks")
    return float(value)


def _leverages(value: Any) -> tuple[float, ...]:
    if isinstance(value, (str, dict)) or not hasattr(value, "__iter__"):
        raise TypeError(f"leverages must be a list of numbers such as (10, 25), got {value!r}")
    found = tuple(sorted({_number(each, "leverages") for each in value}))
    if found and found[0] < 1:
        raise ValueError(f"leverages must be >= 1, got {found[0]:g}; pass 25 for 25x")
    return found


def _position(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {"side", "entry_price", "leverage"}:
        raise ValueError(f"position must have side, entry_price and leverage, got {value!r}; "
                         "{'side': 'long', 'entry_price': 60_000, 'leverage': 10} is one")  # fmt: skip
    _one_of(value["side"], "position side", ("long", "short"))
    entry, leverage = (_number(value[name], f"position {name}") for name in ("entry_price", "leverage"))
    if not entry > 0 or not leverage >= 1:
        raise ValueError(f"position needs entry_price > 0 and leverage >= 1, got {entry:g} and {leverage:g}")
    return {"side": value["side"], "entry_price": entry, "leverage": leverage}


def _beside(value: Any) -> dict[str, str] | None:
    if value is None or value == {}:
        return None
    allowed = {"market": None, "model": models.names(), "law": LAWS}
    if not isinstance(value, dict) or not set(value) <= set(allowed):
        raise ValueError(f"beside may name {', '.join(allowed)}, got {value!r}; {{'model': 'decay'}} is one")
    for name, each in value.items():
        _text(each, f"beside {name}")
        if (choices := allowed[name]) is not None:
            _one_of(each, f"beside {name}", choices)
    return dict(value)
