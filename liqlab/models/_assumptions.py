"""Everything that is assumed in making a map, in one value: the model, its options, the law, and what they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from liqlab.market.checks import no_text
from liqlab.market.clock import timeframe_of
from liqlab.market.provenance import Provenance
from liqlab.models._discovery import options_of
from liqlab.models._law import Law
from liqlab.models._law import law as law_of

__all__ = ["ENTRIES", "Assumptions"]

ENTRIES = ("spread", "ordered", "vwap", "extremes")
VENDOR = np.array([10.0, 25.0, 50.0, 100.0])
PRESETS: dict[str, dict[str, Any]] = {
    "measured": {"law": "measured", "entries": "spread", "share_of_volume": 0.1, "closing": "by_age"},
    "fitted": {"law": "fitted", "entries": "ordered", "share_of_volume": 0.2, "closing": "mostly_short"},
    "vendor": {
        "model": "volume",
        "law": Law("vendor 10x 25x 50x 100x", VENDOR, np.ones(4), np.ones(4), "what vendors draw; no evidence"),
        "entries": "vwap",
    },
}
SHARED = ("law", "entries", "position_notional")


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Assumptions:
    """What a map assumes: who opens and closes, how far from its entry a position is liquidated, how large it is.

    Every function that takes ``assumptions=`` takes the same as plain keywords, ``model="decay", half_life="3d"``.
    They are checked when they are made, compare equal where they say the same, and are never changed: `replace` gives
    others.

    Parameters
    ----------
    model : str
        ``open_interest`` (default), ``volume``, ``decay``; see `liqlab.models`.
    law : str, Law, Calibration, mapping {leverage: share} or sequence of leverages
        How far from their entries positions are liquidated; see `liqlab.law`.
    entries : 'spread', 'ordered', 'vwap' or 'extremes'
        Where in the bar positions open. ``spread``: evenly over its range in log price, in no order.
        ``ordered`` (default): evenly along open → low → high → close where it closed at or above its open, else open →
        high → low → close; levels are reached in that order. ``vwap``: at its volume-weighted price, where that is
        known, else at (high + low + close) / 3. ``extremes``: half at its low and half at its high.
    position_notional : float
        Notional [quote] of one typical position: it decides the maintenance tier.
    same_bar_share : float
        Share [0..1] of the positions reached within the bar of their opening that counts as liquidated.
    **options
        The model's own.

    Attributes
    ----------
    model, law, entries, position_notional, same_bar_share
        As above, the law as a `Law`.
    options : dict
        Every option of the model with its value.

    Raises
    ------
    ValueError, TypeError
        An unknown model, law or option, a value out of range.

    Examples
    --------
    >>> import liqlab as lq
    >>> chosen = lq.Assumptions("decay", half_life="3d", law={10: 1})
    >>> chosen
    Assumptions(model='decay', share_of_volume=1.0, half_life='3d', half_life_exponent=1.0, law='own',
                entries='ordered', position_notional=10000.0, same_bar_share=0.5)
    >>> chosen.replace(half_life="7d", law="retail") == lq.Assumptions("decay", law="retail")
    True
    """

    model: str
    options: dict[str, Any]
    law: Law
    entries: str
    position_notional: float
    same_bar_share: float

    def __init__(
        self,
        model: str = "open_interest",
        *,
        law: str | Law | Mapping[float, float] | Sequence[float] | Any = "fitted",
        entries: str = "ordered",
        position_notional: float = 10_000.0,
        same_bar_share: float = 0.5,
        **options: Any,
    ) -> None:
        if entries not in ENTRIES:
            raise ValueError(f"entries must be one of {', '.join(ENTRIES)}, got {entries!r}")
        no_text(position_notional=position_notional, same_bar_share=same_bar_share)
        if not position_notional > 0:
            raise ValueError(f"position_notional must be > 0 quote, got {position_notional!r}; 10_000 is the default")
        if not 0 <= same_bar_share <= 1:
            raise ValueError(f"same_bar_share is a share in [0, 1], got {same_bar_share!r}; "
                             "0.5 counts half as liquidated")  # fmt: skip
        allowed = options_of(model)
        unknown = [name for name in options if name not in allowed]
        if unknown:
            raise TypeError(f"model {model!r} has no option {unknown[0]!r}; it has {', '.join([*allowed, *SHARED])}")
        own = {name: _plain(value) for name, value in {**allowed, **options}.items()}
        values = {"model": model, "options": own, "law": law_of(law), "entries": entries,
                  "position_notional": _plain(position_notional), "same_bar_share": _plain(same_bar_share)}  # fmt: skip
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def given(cls, assumptions: Any, model: str | None, options: Mapping[str, Any]) -> Assumptions:
        """Those of a call: whole, or as plain keywords, not both; a calibration gives its own."""
        if assumptions is None:
            return cls("open_interest" if model is None else model, **options)
        if model is not None or options:
            named = ", ".join([*([] if model is None else ["model"]), *options])
            raise TypeError(f"give assumptions= or plain keywords, not both, got {named} besides; change them with "
                            "assumptions.replace(…)")  # fmt: skip
        found = getattr(assumptions, "assumptions", assumptions)
        if not isinstance(found, Assumptions):
            raise TypeError(f"assumptions must be Assumptions or a Calibration, got {type(assumptions).__name__}; "
                            "lq.Assumptions(model, law=…, …) makes some")  # fmt: skip
        return found

    @classmethod
    def preset(cls, name: str) -> Assumptions:
        """Assumptions by one word.

        Parameters
        ----------
        name : str
            ``fitted``: the defaults, chosen by how they rank published liquidations and simulated positions
            (``docs/default-map.md``, ``data/default.csv``). ``measured``: the defaults until November 2026, with the
            law of standing positions of one venue and entries spread over each bar. ``vendor``: the picture that
            vendors commonly draw, all of a bar's positions at its mean price, a quarter each at 10x, 25x, 50x and 100x,
            none ever closed; of their window `liqlab.heatmap` knows.

        Returns
        -------
        Assumptions

        Raises
        ------
        ValueError
            An unknown name.

        Examples
        --------
        >>> Assumptions.preset("vendor").law
        Law 'vendor 10x 25x 50x 100x' (long/short): 10x 25.0%/25.0%, 25x 25.0%/25.0%, 50x 25.0%/25.0%, 100x 25.0%/25.0%
        """
        if name not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(map(repr, PRESETS))}, got {name!r}; leave it out for "
                             "the default")  # fmt: skip
        return cls(**PRESETS[name])

    @classmethod
    def of(cls, heat: Any) -> Assumptions:
        """Those that a map was made with, to the last digit.

        Parameters
        ----------
        heat : Dataset
            From `liqlab.heatmap`.

        Returns
        -------
        Assumptions

        Raises
        ------
        ValueError
            Where the Dataset does not say what it was made from.
        """
        record = dict(Provenance.of(heat).assumptions)
        options = record.pop("options")
        return cls(**{**record, **options, "law": Law.recorded(record["law"])})

    def replace(self, **changes: Any) -> Assumptions:
        """The same with some changes; with another model, the options of this one are left behind.

        Parameters
        ----------
        **changes
            As in `Assumptions`.

        Returns
        -------
        Assumptions
        """
        kept = self.keywords()
        if changes.get("model", self.model) != self.model:
            kept = {name: value for name, value in kept.items() if name not in self.options}
        return Assumptions(**{**kept, **changes})

    def keywords(self) -> dict[str, Any]:
        """As plain keywords: ``lq.heatmap(market, **assumptions.keywords())``."""
        return {"model": self.model, **self.options, "law": self.law, "entries": self.entries,
                "position_notional": self.position_notional, "same_bar_share": self.same_bar_share}  # fmt: skip

    def changed(self) -> dict[str, Any]:
        """Those keywords, without the model, that are not the model's defaults."""
        usual, mine = Assumptions(self.model).keywords(), self.keywords()
        return {name: value for name, value in mine.items() if self.replace(**{name: usual[name]}) != self}

    def record(self) -> dict[str, Any]:
        """As JSON has it, for `of`."""
        options = {name: _text(value) for name, value in self.options.items()}
        return {"model": self.model, "options": options, "law": self.law.record(), "entries": self.entries,
                "position_notional": self.position_notional, "same_bar_share": self.same_bar_share}  # fmt: skip

    def parameters(self) -> dict[str, Any]:
        """Everything but `same_bar_share`, for readers: JSON-ready, the law's shares (long, short) by leverage."""
        law, options = self.law, {name: _text(value) for name, value in self.options.items()}
        shares = {f"{x:g}": [float(a), float(b)] for x, a, b in zip(law.leverage, law.long, law.short, strict=True)}
        return {**options, "law": {law.name: shares}, "law_spread": law.counts.tolist(), "law_exact": law.exact,
                "entries": self.entries, "position_notional": self.position_notional}  # fmt: skip

    @property
    def _key(self) -> tuple[Any, ...]:
        law = self.law
        shares = (law.name, *(x.tobytes() for x in (law.leverage, law.long, law.short, law.counts)), law.exact)
        options = tuple((name, _text(value)) for name, value in sorted(self.options.items()))
        return self.model, options, shares, self.entries, self.position_notional, self.same_bar_share

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Assumptions) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        first = {"model": self.model, **self.options, "law": self.law.name}
        last = {name: getattr(self, name) for name in ("entries", "position_notional", "same_bar_share")}
        lines = (", ".join(f"{name}={value!r}" for name, value in part.items()) for part in (first, last))
        return f"Assumptions({f',{chr(10)}            '.join(lines)})"


def _plain(value: Any) -> Any:
    """An option as plain numbers and text: numpy's numbers as Python's, durations as text."""
    if isinstance(value, timedelta | np.timedelta64):
        return timeframe_of(pd.Timedelta(value))
    return value.item() if isinstance(value, np.generic) else value


def _text(value: Any) -> Any:
    """A value as JSON has it; what JSON does not know becomes text."""
    return value if value is None or isinstance(value, str | int | float) else str(value)
