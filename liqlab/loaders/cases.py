"""Cases: a told story with the parameters under which the case notebook checks it, one YAML file each."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from liqlab.loaders._examples import examples, folder, load_example
from liqlab.loaders._read import read
from liqlab.market.arguments import checked
from liqlab.market.clock import utc
from liqlab.market.market import Market

__all__ = ["Case", "TextDates", "read_case", "read_own", "read_yaml"]

OWN = ("candles", "open_interest", "funding_rate", "liquidations", "symbol", "exchange", "timezone", "timeframe",
       "units", "contract_size")  # what pages take of `read`  # fmt: skip
SHOWN, SHOWN_CANDLES = "4D", 200  # of a market of one's own: the last of them, whichever is longer

MAX_DEPTH, MAX_VALUES = 20, 100_000  # of what a YAML holds; a case is four deep and has a hundred values


class TextDates(yaml.SafeLoader):
    """Reads YAML and leaves dates as the text that they are: parameters take '2024-05-01 07:00'."""


TextDates.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(text: str, where: str) -> Any:
    """What a YAML holds: text, numbers, yes or no, lists and mappings.

    Parameters
    ----------
    text : str
        The YAML; dates in it stay text.
    where : str
        What to call it in messages.

    Raises
    ------
    ValueError
        Where it is no YAML, refers to itself, is deeper than 20 or holds more than 100,000 values or bytes.

    Examples
    --------
    >>> read_yaml("at: 2024-05-01", "x.yml")
    {'at': '2024-05-01'}
    >>> read_yaml("&a [*a]", "x.yml")
    Traceback (most recent call last):
    ValueError: x.yml is nested more than 20 deep, or refers to itself; write it out, as in the cases that come along
    """
    try:
        value = yaml.load(text, Loader=TextDates)  # a safe loader
    except RecursionError:
        raise ValueError(f"{where} is nested more than {MAX_DEPTH} deep; a case is four deep") from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, AttributeError) as error:
        raise ValueError(f"{where} is not YAML: {error}") from error
    _check_plain(value, where, 0, [MAX_VALUES])
    return value


def _check_plain(value: Any, where: str, depth: int, left: list[int]) -> None:
    left[0] -= 1
    if depth > MAX_DEPTH:
        raise ValueError(f"{where} is nested more than {MAX_DEPTH} deep, or refers to itself; write it out, as in the "
                         "cases that come along")  # fmt: skip
    if left[0] < 0:
        raise ValueError(f"{where} holds more than {MAX_VALUES:,} values; a case has a hundred")
    if isinstance(value, dict):
        for name, each in value.items():
            if not isinstance(name, str):
                raise ValueError(f"{where} has the name {name!r}, which is no text; write `name: value` lines")
            _check_plain(each, where, depth + 1, left)
    elif isinstance(value, list):
        for each in value:
            _check_plain(each, where, depth + 1, left)
    elif value is not None and not isinstance(value, str | int | float):
        raise ValueError(f"{where} holds {type(value).__name__}, where text, numbers, lists and mappings are allowed")


@dataclass(frozen=True)
class Case:
    """The parameters of one case: what is told, of which market, and how the map is drawn.

    Parameters
    ----------
    case : str
        The market, a name from `examples`; empty where there are `candles`.
    title, answers : str
        Heading of the page, and the question that it answers.
    model : str
        Who opens and who closes: ``open_interest``, ``volume`` or ``decay``.
    story : str
        What is told, in two or three sentences; empty: nothing.
    start, end : str
        What is shown, half-open [UTC]; empty: the part of the example that is worth looking at first.
    lookback : str
        ``"24h"``, ``"7d"``: only positions opened within this span; empty: all.
    price_step : float
        Width of a bin [quote]; 0: chosen.
    price_low, price_high : float
        Prices drawn [quote]; both 0: chosen.
    frozen : list of str
        Moments at which the map is frozen [UTC], one at least; at the last of them the map is read.
    levels : list of [price, size]
        Levels that the story names [quote], and their sizes in whatever unit they came.
    level_width : float
        Width of a named level [quote]: a level is a bucket around its price.
    periods : list of [words, from, to]
        Stretches of time whose extremes the story needs [UTC]; empty: the time from the reading to the end.
    later_case : str
        An example whose path goes on where this one ends; empty: none.
    squeeze : str
        Words of the period that is told as a squeeze; empty: none.
    swept_side : str
        Which side the pattern liquidates: ``long`` below a low, ``short`` above a high.
    candles, open_interest : str
        Paths of files of your own, in place of the case's market; see `read`.
    symbol, exchange, timezone : str
        Of these files, as for `read`; empty: not known.
    """

    case: str
    title: str = ""
    answers: str = ""
    model: str = "open_interest"
    story: str = ""
    start: str = ""
    end: str = ""
    lookback: str = ""
    price_step: float = 0
    price_low: float = 0
    price_high: float = 0
    frozen: list[str] = field(default_factory=list)
    levels: list[list[float]] = field(default_factory=list)
    level_width: float = 0
    periods: list[list[str]] = field(default_factory=list)
    later_case: str = ""
    squeeze: str = ""
    swept_side: str = "long"
    candles: str = ""
    open_interest: str = ""
    symbol: str = ""
    exchange: str = ""
    timezone: str = ""

    def __post_init__(self) -> None:
        _check_kinds(self)
        table = examples()
        if not self.candles and self.case not in table.index:
            raise ValueError(f"case must be the market, a name from lq.examples(), got {self.case!r}; "
                             f"there are: {', '.join(table.index)}")  # fmt: skip
        for name, moment in zip(("start", "end"), self._window(), strict=True):
            if not getattr(self, name):
                object.__setattr__(self, name, f"{utc(moment):%Y-%m-%d %H:%M}")
        if self.candles and not self.frozen:
            middle = utc(self.start) + (utc(self.end) - utc(self.start)) / 2
            object.__setattr__(self, "frozen", [f"{middle:%Y-%m-%d %H:%M}"])
        _check_values(self)
        if not self.periods:
            object.__setattr__(self, "periods", [["after the map was read", self.frozen[-1], self.end]])
        names = [words for words, _, _ in self.periods]
        if self.squeeze and self.squeeze not in names:
            raise ValueError(f"squeeze must be the words of a period, {names}, or empty, got {self.squeeze!r}")

    @cached_property
    def market(self) -> Market:
        """The market: that of the files, where `candles` are given, else the example."""
        return read_own(asdict(self)) or load_example(self.case)

    def _window(self) -> tuple[Any, Any]:
        """What is shown where nothing else is said."""
        if not self.candles:
            return tuple(examples().loc[self.case, ["window_start", "window_end"]])
        market = self.market
        return max(market.start, market.end - max(pd.Timedelta(SHOWN), SHOWN_CANDLES * market.step)), market.end

    def to_yaml(self) -> str:
        """All parameters as the text of a case's file.

        Returns
        -------
        str
            YAML; written to a file, `read_case` gives this case again.

        Examples
        --------
        >>> print(read_case("xrp-squeeze", story="").to_yaml()[:66])
        case: xrp-2024-05
        title: 'XRP, March 2024: a squeeze that was none
        """
        return yaml.safe_dump(asdict(self), sort_keys=False, allow_unicode=True, width=100, default_flow_style=None)


@checked()
def read_case(name: str, **given: Any) -> Case:
    """Read the parameters of a case: those given here, the others from its file.

    Parameters
    ----------
    name : str
        A case that comes with liqlab, such as ``"btc-56k-cascade"``, or the path of a file like theirs,
        ``"my-case.yml"``. Also the name of an example, such as ``"btc-2024-05"``: then no file is read, and what is not
        given is empty.
    **given
        Parameters of `Case` that take the place of the file's; None: as in the file. With ``candles`` of your own a
        name stands for nothing: what is told of another market is not told of yours.

    Returns
    -------
    Case

    Raises
    ------
    ValueError, TypeError
        Where there is no such case (the message lists the names), or a parameter is unknown, of another kind or empty
        where the notebook cannot do without it.

    Examples
    --------
    >>> read_case("btc-56k-cascade").lookback, read_case("btc-56k-cascade", lookback="").lookback
    ('24h', '')
    >>> read_case("btc-2024-05", frozen=["2024-05-01 07:00"]).periods
    [['after the map was read', '2024-05-01 07:00', '2024-05-03 00:00']]
    """
    if given.get("candles") and not name.endswith((".yml", ".yaml")):
        values: dict[str, Any] = {"case": ""}
    else:
        values = {"case": name} if name in examples().index else _from_file(name)
    values |= {parameter: value for parameter, value in given.items() if value is not None}
    known = [each.name for each in fields(Case)]
    unknown = [parameter for parameter in values if parameter not in known]
    if unknown:
        raise TypeError(f"the case {name} sets {', '.join(unknown)}, which no case has; it has {', '.join(known)}")
    return Case(**values)


def _from_file(name: str) -> dict[str, Any]:
    """The parameters in the file of a case: one that comes along, or one at a path."""
    shipped = {path.stem: path for path in sorted((folder("notebooks") / "cases").glob("*.yml"))}
    path = Path(name) if name.endswith((".yml", ".yaml")) else shipped.get(name)
    if path is None or not path.is_file():
        near = difflib.get_close_matches(name, [*shipped, *examples().index], n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no case is called {name!r}; {hint}there are: {', '.join(shipped)}; the path of a file like "
                         f"theirs (my-case.yml); and, without a story: {', '.join(examples().index)}")  # fmt: skip
    values = read_yaml(text_of(path), str(path))
    if not isinstance(values, dict) or not ({"case", "candles"} & set(values)):
        raise ValueError(f"{path} must hold `name: value` lines, and among them `case:` with a name from lq.examples() "
                         "or `candles:` with the path of a file")  # fmt: skip
    return {"case": "", **values}


def read_own(values: Mapping[str, Any]) -> Market | None:
    """The market of the files that a page's parameters name, or None where they name none.

    Parameters
    ----------
    values : mapping
        Parameters of a page; of those that `read` has, empty ones are left out.

    Raises
    ------
    ValueError, FileNotFoundError
        Where a table is given without candles, or a file is not what `read` takes.

    Examples
    --------
    >>> read_own({"candles": "", "symbol": "BTC/USDT:USDT"}) is None
    True
    >>> read_own({"candles": "", "open_interest": "oi.csv"})
    Traceback (most recent call last):
    ValueError: open_interest is of files of your own, but candles is empty; give both, or neither
    """
    given = {name: values[name] for name in OWN if values.get(name)}
    if "candles" not in given:
        for name in ("open_interest", "funding_rate", "liquidations"):
            if name in given:
                raise ValueError(f"{name} is of files of your own, but candles is empty; give both, or neither")
        return None
    return read(**given)


def text_of(path: Path) -> str:
    """The text of a file.

    Raises
    ------
    ValueError
        Where it cannot be read, is not UTF-8, or larger than a megabyte.
    """
    try:
        if path.stat().st_size > 1_000_000:
            raise ValueError(f"{path} is larger than 1 MB; a file of parameters has a few kB")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from error


# --- what a parameter may be ------------------------------------------------------------------------------------------


def _check_kinds(case: Case) -> None:
    """Text where text is wanted, numbers where numbers are, lists of the right length."""
    kinds: dict[Any, tuple[Any, str]] = {"str": (str, "text"), "float": ((int, float), "a number")}
    for each in fields(case):
        value, (kind, words) = getattr(case, each.name), kinds.get(each.type, ((list, tuple), "a list"))
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"{each.name} must be {words}, got {value!r}")
    for name, rows, length, words in (
        ("levels", case.levels, 2, "[price, size]"),
        ("periods", case.periods, 3, "[words, from, to]"),
    ):
        for row in rows:
            if not isinstance(row, (list, tuple)) or len(row) != length:
                raise TypeError(f"{name} must be a list of {words}, got {row!r} in it")


def _check_values(case: Case) -> None:
    """What the notebook cannot do without, and what contradicts itself."""
    for name in ("open_interest", "symbol", "exchange", "timezone"):
        if getattr(case, name) and not case.candles:
            raise ValueError(f"{name} is of files of your own, but candles is empty; give both, or neither")
    if not case.frozen:
        raise ValueError("frozen is empty; give at least one moment [UTC] at which the map is read, such as "
                         f"frozen=['{case.start}'], between start {case.start} and end {case.end}")  # fmt: skip
    for moment in case.frozen:
        if not utc(case.start) < utc(moment) <= utc(case.end):
            raise ValueError(f"frozen: {moment} does not lie in what is shown, after {case.start} and until {case.end}")
    if bool(case.price_low) != bool(case.price_high):
        raise ValueError("give both price_low and price_high [quote], or neither and the range is chosen, got "
                         f"{case.price_low:g} and {case.price_high:g}")  # fmt: skip
    if case.swept_side not in ("long", "short"):
        raise ValueError(f"swept_side must be 'long' (below a low) or 'short' (above a high), got {case.swept_side!r}")
    if case.levels and not case.level_width > 0:
        raise ValueError(f"level_width must be > 0 quote where levels are told, got {case.level_width!r}")
