"""What a map was made from and how: one record, written to a Dataset's attributes once and read from them once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

__all__ = ["OpenInterestUse", "Provenance", "TakerUse", "TierUse", "TouchUse"]

OPEN_INTEREST_KINDS = ("own", "proxy", "assumed", "not used")
TAKER_KINDS = ("candle", "coarser", "none")


@dataclass(frozen=True)
class OpenInterestUse:
    """Whose open interest a model took, and how.

    Attributes
    ----------
    kind : str
        ``own``: of the market itself; ``proxy``: of another venue; ``assumed``: none is known, a size in days of volume
        stands in; ``not used``: the model does not look at it.
    exchange : str
        Whose it is, of a proxy; empty where that is not known.
    scale : float
        Factor that was applied, to a proxy's one-sided coins.
    scale_range : tuple of float
        Of a proxy: 5 and 95 % of the hours in which its factor was measured; empty where it was not measured.
    sides : str
        ``both → one`` where the venue counts both sides and half was taken, ``one, assumed`` where nobody tells; else
        empty.
    assumed_bars : int
        Bars before the first known value, for which a size was assumed.
    days_of_volume : float
        The size that is assumed where none is known [days of mean volume].
    reason : str
        Why it is not used.
    """

    kind: str
    exchange: str = ""
    scale: float = 1.0
    assumed_bars: int = 0
    days_of_volume: float = 0.0
    reason: str = ""
    scale_range: tuple[float, ...] = ()
    sides: str = ""

    def __post_init__(self) -> None:
        _check_kind(self.kind, OPEN_INTEREST_KINDS, "whose open interest it takes")

    def __str__(self) -> str:
        if self.kind == "assumed":
            return f"none (assumed: {self.days_of_volume:g} days of the mean volume so far)"
        if self.kind == "not used":
            return f"not used: {self.reason}" if self.reason else "not used"
        words = f"proxy: {self.exchange or 'another venue'} × {self.scale:g}" if self.kind == "proxy" else "own"
        if self.kind == "own" and self.scale != 1:
            words += f" × {self.scale:g}"
        words += f" ({' … '.join(f'{x:g}' for x in self.scale_range)})" if self.scale_range else ""
        words += f", sides: {self.sides}" if self.sides else ""
        return words + (f", assumed before its first stamp ({self.assumed_bars} bars)" if self.assumed_bars else "")


@dataclass(frozen=True)
class TakerUse:
    """Where the long share of the openings came from.

    Attributes
    ----------
    kind : str
        ``candle``: the candle's own taker-buy volume; ``coarser``: the last completed coarser bar; ``none``: half of
        all openings are longs.
    bars, half_bars : int
        Candles in all, and those for which it was not known and half was taken.
    """

    kind: str
    bars: int = 0
    half_bars: int = 0

    def __post_init__(self) -> None:
        _check_kind(self.kind, TAKER_KINDS, "where its taker share comes from")

    def __str__(self) -> str:
        if self.kind == "none":
            return "none (half of all openings are longs)"
        words = "of the candle" if self.kind == "candle" else "of the last completed coarser bar"
        return words + (f", half where unknown ({self.half_bars} of {self.bars} bars)" if self.half_bars else "")


@dataclass(frozen=True)
class TierUse:
    """Which maintenance tables were in force: whose, of which days, and how far they can be trusted."""

    exchange: str
    as_of: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.exchange} as of {', '.join(self.as_of)}" + (f" ({', '.join(self.flags)})" if self.flags else "")


@dataclass(frozen=True)
class TouchUse:
    """What decided that a level was reached.

    Attributes
    ----------
    bars : int
        Candles in all.
    mark_bars : int or None
        Candles whose mark price was known; None: the market has no mark price.
    path_bars : int or None
        Candles inside which a finer path told the order; None: there is no path.
    trade_bars : int or None
        Candles inside which every trade told it; None: there are no trades.
    """

    bars: int
    mark_bars: int | None = None
    path_bars: int | None = None
    trade_bars: int | None = None

    def __str__(self) -> str:
        words = "last price"
        if self.mark_bars is not None:
            words = f"mark price in {self.mark_bars} of {self.bars} candles, else last price"
        if self.path_bars is not None:
            words += f", order inside {self.path_bars} of {self.bars} candles from a finer path"
        if self.trade_bars is not None:
            words += f", order and entries inside {self.trade_bars} of {self.bars} candles from every trade"
        return words


USES: dict[str, type] = {
    "taker": TakerUse, "open_interest": OpenInterestUse, "tiers": TierUse, "touch": TouchUse,
}  # fmt: skip
RECORDED = ("provenance", "parameters", "sources")  # attributes that are read back


@dataclass(frozen=True, eq=False)
class Provenance:
    """What a map was made from and how.

    `attrs` gives the attributes of a Dataset: words for its readers, and the record itself as JSON under
    ``provenance``. `of` reads that record; words are never read back.

    Attributes
    ----------
    symbol, exchange, timeframe, quote, coin : str
        Of the market.
    time_step : str
        Width of a column.
    lookback : str
        Only positions opened within this span are shown; empty: all.
    model, law : str
    taker, open_interest, tiers, touch
        What was used of the market.
    closing : str
        How the model closes, in words; empty: it has one way.
    parameters : mapping
        Every option with its value, for readers.
    assumptions : mapping
        The same to the last digit, for `liqlab.Assumptions.of`.
    sources : mapping
        The market's own: table -> where it is from.
    liqlab : str
        Version.
    venues : tuple of Provenance
        Of a sum of maps: the record of each; empty otherwise.
    """

    symbol: str
    exchange: str
    timeframe: str
    time_step: str
    quote: str
    coin: str
    model: str
    lookback: str
    taker: TakerUse
    open_interest: OpenInterestUse
    law: str
    tiers: TierUse
    touch: TouchUse
    closing: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    assumptions: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, Any] = field(default_factory=dict)
    liqlab: str = ""
    venues: tuple[Provenance, ...] = ()

    @property
    def each(self) -> tuple[Provenance, ...]:
        """The records of a sum of maps, or this one alone."""
        return self.venues or (self,)

    def attrs(self, title: str = "Estimated liquidation heatmap") -> dict[str, str]:
        """Attributes of a Dataset, all of them text, so that it can be saved as netCDF."""
        names = ("symbol", "exchange", "timeframe", "time_step", "quote", "coin", "model", "lookback", "taker",
                 "open_interest", "closing", "law", "tiers", "touch")  # fmt: skip
        words = {name: self._words(name) for name in names if name != "closing" or self.closing}
        record = asdict(self)
        tables = {name: json.dumps(record.pop(name)) for name in ("parameters", "sources")}
        return {"title": title, **words, **tables, "liqlab": self.liqlab, "provenance": json.dumps(record)}

    def _words(self, name: str) -> str:
        """A field in words; where the maps of a sum differ in what they used, all of theirs."""
        if name in USES:
            return " + ".join(dict.fromkeys(str(getattr(one, name)) for one in self.each))
        return str(getattr(self, name))

    @classmethod
    def of(cls, heat: Any) -> Provenance:
        """The record of a Dataset that liqlab made.

        Raises
        ------
        ValueError
            Where the Dataset carries none.
        """
        said = dict(heat.attrs)  # of one map of a stack, coordinates say what is its own
        said |= {name: coord.item() for name, coord in heat.coords.items() if name in RECORDED and coord.ndim == 0}
        if "provenance" not in said:
            raise ValueError("this Dataset does not say what it was made from: its attribute 'provenance' is missing; "
                             "arithmetic on Datasets drops attributes, put them back with "
                             "result.assign_attrs(heat.attrs)")  # fmt: skip
        record = json.loads(said["provenance"])
        tables = {name: json.loads(said.get(name, "{}")) for name in ("parameters", "sources")}
        return cls._read({**record, **tables})

    @classmethod
    def _read(cls, record: Mapping[str, Any]) -> Provenance:
        uses = {name: kind(**_tuples(record[name])) for name, kind in USES.items()}
        return cls(**{**record, **uses, "venues": tuple(cls._read(one) for one in record["venues"])})

    @classmethod
    def combined(cls, each: Sequence[Provenance], names: Sequence[str]) -> Provenance:
        """The record of a sum of maps, which keeps that of each; `names`: what the venues are called."""
        sources = {name: one.sources for name, one in zip(names, each, strict=True)}
        return replace(each[0], exchange=" + ".join(names), sources=sources, venues=tuple(each))


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has lists where a record has tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _check_kind(kind: str, kinds: tuple[str, ...], what: str) -> None:
    if kind not in kinds:
        raise ValueError(f"a model tells {what}: kind must be one of {', '.join(kinds)}, got {kind!r}")
