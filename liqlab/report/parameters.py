"""What a notebook's parameters may be, read from its parameters cell, and the check of values before anything runs.

A line of that cell is ``name: type = default  # what it is``. The type is checked, and what the line tells beside it:
``[UTC]`` marks moments; a default or a quoted example such as ``"24h"`` marks durations; a market is one of
``lq.examples()``; words such as ``long, short or both`` are all that is allowed; ``[words, from, to]`` is what each row
of a list holds; ``above 0`` or ``0 or more`` bounds a number. *Empty* in the comment, or an empty default, lets it be
empty.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from liqlab.market.clock import timedelta, utc

__all__ = ["Parameter", "ReportError", "check_values", "declared", "declared_in"]

_DURATION = re.compile(r"\d+[smhdw]")
_QUOTED_DURATION = re.compile(r'"\d+[smhdw]"')
_CHOICE = re.compile(r"\w+(?:, \w+)*,? or \w+")
_ROW = re.compile(r"\[(\w[\w ]*(?:, \w[\w ]*)+)\]")
_BOUND = re.compile(r"above 0|0 or more")
_IN_A_ROW = {"price": "number", "size": "number", "told size": "number", "millions": "number", "from": "moment",
             "to": "moment", "day": "moment", "case": "market"}  # fmt: skip


class ReportError(Exception):
    """A report that cannot be made; the message says what is wrong, what is allowed and what to do."""


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell.

    Parameters
    ----------
    name, kind, comment : str
        As they stand there; the kind is ``str``, ``float``, ``int``, ``bool`` or ``list``, or empty.
    default : object
        The literal.
    literal : bool
        Whether the default is one; else `default` is None.
    """

    name: str
    kind: str
    default: Any
    comment: str
    literal: bool = True

    @property
    def meaning(self) -> str:
        """What a text, or each value of a list, stands for: ``moment``, ``duration``, ``market`` …; ``text`` else."""
        sample = self.default[0] if self.kind == "list" and self.default else self.default
        if self.name in ("model", "models", "law", "laws", "exchange"):
            return self.name.removesuffix("s")
        if "path of" in self.comment:
            return "file"
        if "[UTC]" in self.comment:
            return "moment"
        if _QUOTED_DURATION.search(self.comment) or (isinstance(sample, str) and _DURATION.fullmatch(sample)):
            return "duration"
        if "lq.examples()" in self.comment or (isinstance(sample, str) and sample in _examples()):
            return "market"
        if isinstance(sample, int | float) and not isinstance(sample, bool):
            return "number"
        return "text"

    @property
    def may_be_empty(self) -> bool:
        """Whether empty text, an empty list or nothing at all is a value."""
        return "empty" in self.comment or (not self.default and self.default != 0)

    @property
    def row(self) -> list[str]:
        """What each row of a list of lists holds, by the comment or by the first row; empty where there are no rows."""
        if self.kind != "list":
            return []
        if found := _ROW.search(self.comment):
            return found[1].split(", ")
        first = self.default[0] if self.default else None
        return ["case" if one in _examples() else "day" for one in first] if isinstance(first, list) else []

    @property
    def choice(self) -> list[str]:
        """The words that are all that is allowed; none where any are."""
        if self.meaning != "text":
            return []
        found = (re.split(r", or |, | or ", one) for one in _CHOICE.findall(self.comment))
        return next((words for words in found if self.default in words), [])


def declared(notebook: Path) -> dict[str, Parameter]:
    """The parameters of the cell tagged ``parameters``, by name."""
    return declared_in(_cells(notebook), notebook.name)


def declared_in(cells: Iterable[Mapping[str, Any]], name: str) -> dict[str, Parameter]:
    """The same of the cells of a notebook that was read; `name` is what messages call it."""
    found = {}
    for cell in cells:
        if cell["cell_type"] != "code" or "parameters" not in cell.get("metadata", {}).get("tags", ()):
            continue
        source = "".join(cell["source"])
        try:
            lines, statements = source.encode().splitlines(), ast.parse(source).body
        except (SyntaxError, ValueError) as error:
            raise ReportError(f"{name}: the cell tagged parameters is not Python ({error}); write name: type = "
                              "default  # what it is") from error  # fmt: skip
        for each in statements:
            target = each.target if isinstance(each, ast.AnnAssign) else getattr(each, "targets", [None])[0]
            if isinstance(target, ast.Name) and getattr(each, "value", None) is not None:
                comment = lines[each.end_lineno - 1][each.end_col_offset :].decode().strip(" #")  # type: ignore[operator]
                kind = ast.unparse(each.annotation) if isinstance(each, ast.AnnAssign) else ""
                found[target.id] = _parameter(target.id, kind, each.value, comment)  # type: ignore[attr-defined]
    return found


def _parameter(name: str, kind: str, value: ast.expr, comment: str) -> Parameter:
    try:
        default = ast.literal_eval(value)
    except (ValueError, TypeError):
        return Parameter(name, kind, None, comment, literal=False)
    return Parameter(name, kind or (type(default).__name__ if default is not None else ""), default, comment)


def _cells(path: Path) -> list[dict[str, Any]]:
    """The cells of a notebook; refuses what is none before libraries, whose words are about themselves, read it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path} is no notebook: not JSON ({error}); save it again in Jupyter") from error
    cells = found.get("cells") if isinstance(found, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) and "cell_type" in cell for cell in cells):
        raise ReportError(f"{path} is no notebook of format 4: it has no list of cells; save it again in Jupyter")
    if not isinstance(found.get("metadata"), dict) or found.get("nbformat") != 4:
        raise ReportError(f"{path} is no notebook of format 4: it lacks metadata or nbformat; save it again in Jupyter")
    return cells


# --- values -----------------------------------------------------------------------------------------------------------


def check_values(page: str, known: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the notebook takes them: a number given for a text is that text.

    Raises
    ------
    ReportError
        Where a value is not what its parameter may be; names the parameter, what is allowed and the remedy.
    """
    values = {}
    for name, value in given.items():
        parameter = known[name]
        try:
            values[name] = _checked(parameter, value)
        except (ValueError, TypeError) as error:
            about = f" ({name}: {parameter.comment})" if parameter.comment else ""
            raise ReportError(f"page {page}: {error}{about}") from None
    whole = {name: each.default for name, each in known.items()} | values
    for name in values:
        first, last = (re.sub("(start|end)$", edge, name) for edge in ("start", "end"))
        if first != last and whole.get(first) and whole.get(last) and not utc(whole[first]) < utc(whole[last]):
            raise ReportError(f"page {page}: {first} must be before {last}, got {whole[first]} and {whole[last]}; "
                              f"give both, -p {first}=… -p {last}=…")  # fmt: skip
    return values


def _checked(parameter: Parameter, value: Any) -> Any:
    name, kind = parameter.name, parameter.kind
    if value is None and parameter.default is not None:
        value = "" if kind == "str" else value
    if value is None or value in ("", [], {}):
        if parameter.may_be_empty and (value is None or kind in ("str", "list", "dict", "")):
            return value
        raise ValueError(f"{name} must not be empty; leave it out for {parameter.default!r}")
    if kind == "bool" and not isinstance(value, bool):
        raise TypeError(f"{name} must be true or false, got {value!r}; write -p {name}=true")
    if kind == "dict" and not isinstance(value, dict):
        raise TypeError(f"{name} must be name: value pairs, got {value!r}; write -p '{name}={{name: value}}'")
    if kind in ("int", "float"):
        return _number(parameter, value)
    if kind == "list":
        return _list(parameter, value)
    return _text(parameter, value) if kind == "str" else value


def _number(parameter: Parameter, value: Any) -> Any:
    name, whole = parameter.name, parameter.kind == "int"
    example = parameter.default if parameter.default is not None else 100
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{name} must be a number, got {value!r}; write -p {name}={example}")
    if whole and value != int(value):
        raise TypeError(f"{name} must be a whole number, got {value!r}; write -p {name}={example}")
    bound = _BOUND.search(parameter.comment)
    if bound and (value < 0 or (value == 0 and bound[0] == "above 0")):
        raise ValueError(f"{name} must be {bound[0]}, got {value!r}; write -p {name}={example}")
    return int(value) if whole else value


def _list(parameter: Parameter, value: Any) -> list[Any]:
    name, parts = parameter.name, parameter.row
    words = ", ".join(parts)
    if not isinstance(value, list | tuple):
        one = f"[[{words}], …]" if parts else f"[{value}]"
        raise TypeError(f"{name} must be a list, got {value!r}; write -p '{name}={one}'")
    if not parts:
        return [_meant(parameter.meaning, f"each of {name}", one) for one in value]
    for one in value:
        if not isinstance(one, list | tuple) or len(one) != len(parts):
            raise TypeError(f"{name} must be a list of [{words}], got {one!r} in it; write -p '{name}=[[…], …]'")
    return [[_meant(_IN_A_ROW.get(part, "text"), f"{part!r} in {name}", x) for part, x in zip(parts, one, strict=True)]
            for one in value]  # fmt: skip


def _text(parameter: Parameter, value: Any) -> str:
    name = parameter.name
    if parameter.choice and value not in parameter.choice:
        raise ValueError(f"{name} must be {' or '.join(map(repr, parameter.choice))}, got {value!r}")
    if value == parameter.default:
        return value
    return _meant(parameter.meaning, name, value)


def _meant(meaning: str, name: str, value: Any) -> Any:
    """A single value that stands for something."""
    if meaning == "number":
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise TypeError(f"{name} must be a number, got {value!r}; write it like 25 or 0.5")
        return value
    if meaning == "moment":
        utc(value, name=name)
        return value
    if meaning == "duration":
        timedelta(value, name)
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value}"
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text, got {value!r}; write it in quotes, -p '{name}=\"…\"'")
    if meaning in _NAMED:
        _NAMED[meaning](name, value)
    return value


def _model(name: str, value: str) -> None:
    from liqlab.models import names

    _one_of(name, value, names(), "the name of a model")


def _law(name: str, value: str) -> None:
    from liqlab.models._law import PRESETS

    _one_of(name, value, list(PRESETS), "the name of a law")


def _market(name: str, value: str) -> None:
    _one_of(name, value, _examples(), "a name from lq.examples()")


@cache
def _examples() -> list[str]:
    from liqlab.loaders import examples

    return list(examples().index)


def _exchange(name: str, value: str) -> None:
    from liqlab.loaders.exchanges._ccxt_units import ROWS
    from liqlab.loaders.plausibility import check_exchange

    check_exchange(value, {each for row in ROWS for each in row.exchanges})


def _file(name: str, value: str) -> None:
    path = Path(value).expanduser()
    if not path.exists() and not any(sign in value for sign in "*?["):
        raise ValueError(f"{name}: there is no file {value!r} in {Path.cwd()}; give a path from there, or a whole one")


_NAMED = {"model": _model, "law": _law, "market": _market, "exchange": _exchange, "file": _file}


def _one_of(name: str, value: str, allowed: list[str], what: str) -> None:
    from difflib import get_close_matches

    if value not in allowed:
        near = get_close_matches(value, allowed, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"{name} must be {what}, got {value!r}; {hint}there are: {', '.join(allowed)}")
