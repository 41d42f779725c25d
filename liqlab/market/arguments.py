"""Arguments of public functions, checked against what their signatures say: one rule and one wording for all.

`checked` reads a function's annotations. What an annotation cannot say (which columns a table has, from where it comes)
is told to the decorator. Ranges of values are checked where they are used.
"""

from __future__ import annotations

import errno
import inspect
import numbers
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

from liqlab.market.clock import timedelta, utc

__all__ = ["Table", "at_least", "checked", "is_kind", "told", "warn", "within_0_and_1"]

P = ParamSpec("P")
R = TypeVar("R")

MOMENTS = ("at", "start", "end", "as_of", "moment")
DURATIONS = ("lookback", "time_step", "embargo", "horizon", "most_age", "every", "before", "after", "window", "step",
             "vwap", "funding_window", "open_interest_change", "stale", "half_life")  # fmt: skip
SEVERAL_MOMENTS = ("moments",)
SEVERAL_DURATIONS = ("lookbacks", "horizons")
# what an annotation means: words for a message, and where such a thing comes from
KINDS = {
    "Market": ("a Market", "lq.load_example(name), lq.read(file) and lq.Market(candles) make one"),
    "Dataset": ("a heatmap, one moment of it or a live map", "lq.heatmap(market) makes one"),
    "DataFrame": ("a pandas DataFrame", "pass the table itself; lq.read loads files"),
    "Series": ("a pandas Series", "pass one column of a table"),
    "float": ("a finite number", "write it without quotation marks"),
    "ArrayLike": ("a number, or an array of numbers", "write it without quotation marks"),
    "int": ("a whole number", "write it without a fraction or quotation marks"),
    "bool": ("True or False", "pass one of the two"),
    "str": ("text", "write it in quotation marks"),
    "None": ("None", "leave it out"),
    "tuple": ("a pair (low, high) of numbers, low < high", "pass two numbers in parentheses"),
    "Mapping": ("a mapping {name: value}", "pass a dict"),
    "Sequence": ("a list", "put it into brackets, [value]"),
    "Iterable": ("a list", "put it into brackets, [value]"),
    "Callable": ("a function", "pass it without parentheses"),
    "Path": ("the path of a file", "pass text or a pathlib.Path"),
    "Tiers": ("a tier table", "lq.margin.tiers_for(exchange, symbol) gives one"),
    "Law": ("a law", "lq.law(name) gives one"),
    "Calibration": ("a Calibration", "lq.calibrate(market) gives one"),
    "Cascade": ("a Cascade", "lq.cascade(heat, depth=…) gives one"),
    "Magnet": ("a Magnet", "lq.magnet(market) gives one"),
    "Simulation": ("a Simulation", "lq.simulate(seed=1) gives one"),
    "Scores": ("Scores", "lq.score(estimated, observed) gives them"),
}
MOST_INT = 2**63 - 1  # beyond it numpy counts in Python's objects
LISTS = ("Sequence", "Iterable", "list", "tuple")
MOST = 2**31 - 1  # of a whole number: no table, picture or list has more of anything
ROOT = str(Path(__file__).parents[1]) + os.sep


class Table(NamedTuple):
    """What a table must have that an annotation cannot say.

    Attributes
    ----------
    source : str
        The call that makes such a table.
    columns : str
        Names of the columns it must have.
    attrs : str
        Names of what it must say in its ``attrs``.
    times : bool
        Its index must hold moments in UTC.
    """

    source: str
    columns: str = ""
    attrs: str = ""
    times: bool = False


Rule = Callable[[str, Any], None]


def checked(**tables: Table) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Check every argument of a function against its annotation before the function runs.

    Parameters
    ----------
    **tables : Table
        By the name of a parameter.
    """

    def around(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        order = [p.name for p in signature.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        rules: dict[str, Rule] = {}

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if not rules:
                rules.update({p.name: _rule(str(p.annotation), p.name, p.default, tables.get(p.name))
                              for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD})  # fmt: skip
            for name, value in zip(order, args, strict=False):
                rules[name](name, value)
            for name, value in kwargs.items():
                if name in rules:
                    rules[name](name, value)
            return function(*args, **kwargs)

        return call

    return around


def _rule(annotation: str, parameter: str, default: Any, table: Table | None) -> Rule:
    """The check of one parameter."""
    parts = _alternatives(annotation)
    kinds = [kind.partition("[")[0].rpartition(".")[2] for kind in parts]
    values, items = _of_each(parts, ("Mapping",), table), _of_each(parts, LISTS, table)

    def check(name: str, value: Any) -> None:
        if value is None and (default is None or "None" in kinds):
            return
        if parameter in MOMENTS and kinds == ["Any"]:
            _moment(name, value)
        elif parameter in DURATIONS and kinds == ["Any"]:
            if not (parameter == "embargo" and type(value) in (int, float) and value == 0):
                timedelta(value, name)
        elif "Any" not in kinds and not any(is_kind(kind, value) for kind in kinds):
            _refuse(name, value, kinds, table)
        elif parameter == "seed" and (isinstance(value, float) or value < 0):
            raise ValueError(f"seed must be a whole number >= 0, got {told(value)}; pass 0, 1, 2 …")
        elif {*kinds} <= {"int", "None"} and parameter != "seed" and abs(value) > MOST:
            raise ValueError(f"{name} must be a whole number up to {MOST:,}, got {told(value)}; pass a smaller one")
        if parameter in SEVERAL_MOMENTS and "int" not in kinds:
            for k, each in enumerate(value):
                _moment(f"{name}[{k}]", each)
        if parameter in SEVERAL_DURATIONS:
            for k, each in enumerate(value):
                timedelta(each, f"{name}[{k}]")
        if values and is_kind("Mapping", value):
            for key, each in value.items():
                values(f"{name}[{key!r}]", each)
        elif items and is_kind("Sequence", value):
            for k, each in enumerate(value):
                items(f"{name}[{k}]", each)
        if any(part.startswith("tuple[float") for part in parts):
            _pair(name, value)
        if table is not None and is_kind("DataFrame", value):
            _table(name, value, table)

    return check


def _of_each(parts: list[str], names: tuple[str, ...], table: Table | None) -> Rule | None:
    """The check of what a list or a mapping holds: ``Sequence[X]``, ``tuple[X, X]``, ``Mapping[K, X]``."""
    for part in parts:
        outer, _, inner = part.partition("[")
        if outer.rpartition(".")[2] in names and inner:
            held = [each for each in _alternatives(inner.removesuffix("]"), ",") if each != "..."]
            return _rule(held[-1], "", inspect.Parameter.empty, table)
    return None


def _alternatives(annotation: str, mark: str = "|") -> list[str]:
    """The parts of ``A | B[c | d]`` on the outside of brackets."""
    parts, depth = [""], 0
    for letter in annotation:
        depth += (letter == "[") - (letter == "]")
        if letter == mark and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def is_kind(kind: str, value: Any) -> bool:
    """Is a value what an annotation calls it? Classes are told by name, so that nothing heavy is imported."""
    if kind == "Dataset":
        return hasattr(value, "data_vars") or (hasattr(value, "heatmap") and hasattr(value, "close_time"))
    if kind == "float":
        real = isinstance(value, numbers.Real | np.floating | np.integer) and not isinstance(value, bool)
        return real and abs(value) <= (MOST_INT if isinstance(value, int) else sys.float_info.max)
    if kind == "ArrayLike":
        return _is_numbers(value)
    if kind == "int":
        return is_kind("float", value) and float(value).is_integer()
    if kind == "bool":
        return isinstance(value, bool | np.bool_)
    if kind in ("str", "slice"):
        return isinstance(value, str if kind == "str" else slice)
    if kind in ("Path", "PathLike"):
        return isinstance(value, str | os.PathLike)
    if kind == "Mapping":
        return isinstance(value, Mapping) and not hasattr(value, "data_vars")
    if kind in ("Sequence", "list", "tuple"):
        listed = isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes)
        return listed or is_kind("Index", value) or is_kind("Series", value)
    if kind == "Iterable":
        return isinstance(value, Iterable) and not (hasattr(value, "data_vars") or is_kind("DataFrame", value))
    if kind in ("Callable", "Model"):
        return callable(value) or (kind == "Model" and isinstance(value, str))
    return any(base.__name__ == kind for base in type(value).__mro__)


def _is_numbers(value: Any) -> bool:
    """Is it a number, or an array, list or column of numbers?"""
    if isinstance(value, numbers.Real | np.number):
        return not isinstance(value, bool)
    if not (is_kind("Sequence", value) or hasattr(value, "__array__")) or hasattr(value, "data_vars"):
        return False
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):  # rows of different lengths, or an object that refuses
        return False
    return array.dtype.kind in "iuf" or (array.dtype == object and all(map(_is_numbers, array.flat)))


def _refuse(name: str, value: Any, kinds: list[str], table: Table | None) -> None:
    """A TypeError, or a ValueError for a number or text that is none of the right kind."""
    known = [KINDS[kind] for kind in kinds if kind in KINDS and kind != "None"]
    wanted = list(dict.fromkeys(words for words, _ in known)) or list(kinds)
    words = (", or " if any(" or " in one for one in wanted) else " or ").join(wanted)
    remedy = f"{table.source} gives one" if table else known[0][1] if known else "see its documentation"
    plain = isinstance(value, str | float | int | np.number) and {"float", "int", "ArrayLike"} & set(kinds)
    raise (ValueError if plain else TypeError)(f"{name} must be {words}, got {told(value)}; {remedy}")


def told(value: Any) -> str:
    """A value as a message shows it: short ones as they are, others by their type."""
    if isinstance(value, str):
        return f"the text {value!r}" if len(value) <= 80 else f"a text of {len(value)} letters"
    if value is None or isinstance(value, bool | int | float | np.generic):
        return repr(value.item() if isinstance(value, np.generic) else value)
    if isinstance(value, list | tuple) and len(text := repr(value)) <= 80:
        return text
    return type(value).__name__


def _moment(name: str, value: Any) -> None:
    """Refuse what no moment can be; a bare number is judged where the data are at hand."""
    if isinstance(value, dict) and value:  # one for each of several markets
        for key, each in value.items():
            _moment(f"{name}[{key!r}]", each)
    elif isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        utc(value, name=name)


def _pair(name: str, value: Any) -> None:
    if len(value) != 2 or not value[0] < value[1]:
        raise ValueError(f"{name} must be {KINDS['tuple'][0]}, got {told(value)}; {KINDS['tuple'][1]}")


def _table(name: str, value: Any, table: Table) -> None:
    """The columns and attributes that a table must have."""
    missing = [column for column in table.columns.split() if column not in value.columns]
    if missing:
        there = ", ".join(map(str, value.columns[:12])) or "none"
        raise ValueError(f"{name} lacks the column(s) {', '.join(missing)}; it has {there}; {table.source} gives such "
                         "a table")  # fmt: skip
    if table.times and len(value) and getattr(value.index, "tz", None) is None:
        raise ValueError(f"{name} must be indexed by time in UTC, its index holds {value.index.dtype}; {table.source} "
                         "gives such a table, pd.to_datetime(…, utc=True) makes such an index")  # fmt: skip
    lost = [key for key in table.attrs.split() if key not in value.attrs]
    if lost:
        raise ValueError(f"{name} has lost its attrs {', '.join(lost)}, as it does in some of pandas' operations; put "
                         f"them back (table.attrs = before.attrs), or pass what {table.source} gave")  # fmt: skip


def path_of(path: str | os.PathLike[str], name: str) -> Path:
    """A path that can be one: its home is put in, and a name that is longer than a file's can be is refused.

    >>> path_of("9" * 3000, "candles")
    Traceback (most recent call last):
    ValueError: candles: '999999999999999999999999…' has 3,000 characters, more than a path can have; check the path
    """
    found = Path(path).expanduser()
    try:
        found.exists()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise ValueError(f"{name}: {str(path)[:24] + '…'!r} has {len(str(path)):,} characters, more than a path can "
                         "have; check the path") from None  # fmt: skip
    return found


def at_least(least: float, **values: Any) -> None:
    """Refuse numbers below a bound.

    >>> at_least(0, patience=-1)
    Traceback (most recent call last):
        ...
    ValueError: patience must be >= 0, got -1; pass 0 or more
    """
    for name, value in values.items():
        if not value >= least:
            raise ValueError(f"{name} must be >= {least:g}, got {value!r}; pass {least:g} or more")


def within_0_and_1(**values: float) -> None:
    """Refuse shares and probabilities that are not above 0 and below 1.

    >>> within_0_and_1(level=95)
    Traceback (most recent call last):
        ...
    ValueError: level must lie in (0, 1), got 95; 0.9 is usual for a level, 0.05 for a part that is spread
    """
    for name, value in values.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} must lie in (0, 1), got {value!r}; 0.9 is usual for a level, 0.05 for a part "
                             "that is spread")  # fmt: skip


def warn(text: str) -> None:
    """Warn, and point to the line outside of the package from which the call came."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(ROOT):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, stacklevel=level)
