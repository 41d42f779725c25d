"""Rules of alerts, written in words: when the price comes near a cluster, one appears, is swept, or data grow thin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from liqlab.engine.records import SIDES
from liqlab.market.arguments import told

__all__ = ["FORMS", "USUAL", "Rule", "rules_of"]

FORMS = ("price within 1% of a cluster of 50M", "a cluster of 50M appears", "a cluster of 50M appears within 5%",
         "a cluster of 50M is swept", "coverage falls below 50%", "received bars fall below 95%")  # fmt: skip
USUAL = ("price within 1% of a cluster", "a cluster appears within 5%", "a cluster is swept",
         "received bars fall below 95%")  # fmt: skip

_SIDE = rf"(?:(?P<side>{'|'.join(SIDES)}) )?"
_CLUSTER = rf"(?:a )?{_SIDE}cluster(?: of (?:at least )?(?P<amount>\S+))?"
_SHARE = r"(?P<share>\S+?) ?%"
_WRITTEN = {
    "near": re.compile(rf"(?:the )?price(?: is)? within {_SHARE} of {_CLUSTER}"),
    "appears": re.compile(rf"{_CLUSTER} appears(?: within {_SHARE})?"),
    "swept": re.compile(rf"{_CLUSTER} is swept"),
    "coverage": re.compile(rf"{_SIDE}coverage falls below {_SHARE}"),
    "received": re.compile(rf"received bars fall below {_SHARE}"),
}
MOST = {"near": 0.5, "appears": 0.5}  # distances beyond half the price say nothing
_NUMBER = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(e\d{1,2})?")
_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}


@dataclass(frozen=True)
class Rule:
    """When to tell something.

    Attributes
    ----------
    what : str
        ``near``: the bar's close lies within `share` of the near edge of a cluster; ``appears``: a cluster is found
        that was not there; ``swept``: the bar reaches the peak of a cluster that stood at the close before;
        ``coverage``: the attributed share of the open interest is below `share`; ``received``: of the last day's bars
        fewer than `share` came.
    notional : float
        Least estimated notional of the cluster [quote].
    share : float
        Distance to the price, or the least coverage [0..1]; of ``appears`` 0: at any distance.
    side : str
        ``long`` or ``short``: of the positions; empty: both.
    """

    what: str
    notional: float = 0.0
    share: float = 0.0
    side: str = ""

    def __post_init__(self) -> None:
        most = MOST.get(self.what, 1.0)
        least = 0.0 if self.what in ("appears", "swept") else 1e-12
        if self.what not in _WRITTEN or self.side not in ("", *SIDES) or not self.notional >= 0:
            raise ValueError(f"no rule is {self.what!r}, side {self.side!r}, notional {self.notional!r}; write one of: "
                             f"{'; '.join(FORMS)}")  # fmt: skip
        if not least <= self.share <= most:
            raise ValueError(f"share of a rule {self.what!r} must be above 0 and up to {most:g}, got {self.share!r}; "
                             "0.01 is 1 %")  # fmt: skip

    @classmethod
    def of(cls, text: str) -> Rule:
        """Read a rule that is written in words.

        Raises
        ------
        ValueError
            Where it is none; the message shows the forms.

        Examples
        --------
        >>> Rule.of("price within 1% of a short cluster of 50M")
        Rule(what='near', notional=50000000.0, share=0.01, side='short')
        >>> str(Rule.of("cluster of 2.5e6 appears"))
        'a cluster of 2.5M appears'
        """
        plain = " ".join(text.lower().split())
        for what, form in _WRITTEN.items():
            if match := form.fullmatch(plain):
                parts = match.groupdict()
                share = _percent(parts.get("share"), MOST.get(what, 1.0), text)
                return cls(what, _amount(parts.get("amount"), text), share, parts.get("side") or "")
        raise ValueError(f"rules: not a rule: {told(text)}; write one of: {'; '.join(FORMS)} (with long or short "
                         "before cluster or coverage for one side)")  # fmt: skip

    def __str__(self) -> str:
        of = f" of {_short(self.notional)}" if self.notional else ""
        cluster = f"a {self.side + ' ' * bool(self.side)}cluster{of}"
        share = f"{100 * self.share:g}%"
        return {
            "near": f"price within {share} of {cluster}",
            "appears": f"{cluster} appears" + (f" within {share}" if self.share else ""),
            "swept": f"{cluster} is swept",
            "coverage": f"{self.side + ' ' * bool(self.side)}coverage falls below {share}",
            "received": f"received bars fall below {share}",
        }[self.what]


def rules_of(given: str | Rule | Sequence[str | Rule]) -> list[Rule]:
    """Rules as they were given, each once."""
    each = [given] if isinstance(given, str | Rule) else list(given)
    if not each:
        raise ValueError(f"rules: no rule was given; write one or more of: {'; '.join(FORMS)}")
    for one in each:
        if not isinstance(one, str | Rule):
            raise TypeError(f"a rule is text, got {told(one)}; write one of: {'; '.join(FORMS)}")
    return list(dict.fromkeys(Rule.of(one) if isinstance(one, str) else one for one in each))


def _amount(text: str | None, rule: str) -> float:
    """An amount of the quote currency: ``50M``, ``2.5e6``, ``50,000,000``."""
    if text is None:
        return 0.0
    unit = text[-1] if text[-1] in "kmb" else ""
    number = _NUMBER.fullmatch(text.removesuffix(unit))
    if not number:
        raise ValueError(f"{text!r} is no amount in {told(rule)}; write it like 50M, 2.5M, 750k, 1.2B or 50,000,000")
    return float(number[0].replace(",", "")) * _UNITS[unit]


def _percent(text: str | None, most: float, rule: str) -> float:
    """A share of a hundred per cent."""
    if text is None:
        return 0.0
    number = re.fullmatch(r"\d+(\.\d+)?", text)
    share = float(text) / 100 if number else 0.0
    if not 0 < share <= most:
        raise ValueError(f"{text!r} % is no share in {told(rule)}; write a number above 0 and up to {100 * most:g}, "
                         "such as 1.5%")  # fmt: skip
    return share


def _short(amount: float) -> str:
    """An amount as one writes it.

    >>> _short(50e6), _short(1234.5), _short(1_234_567)
    ('50M', '1.2345k', '1234567')
    """
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if amount >= size and float(text := f"{amount / size:g}") * size == amount:
            return text + unit
    return f"{amount:.12g}"
