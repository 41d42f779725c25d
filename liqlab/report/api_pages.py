"""The API page, made from the functions themselves: signature and numpydoc, grouped by room."""

from __future__ import annotations

import inspect
import re
from functools import cache
from importlib import import_module
from typing import Any

_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)
_CODE = re.compile(r"``(.+?)``|`([^`\n]+?)`")
_LISTS = ("Parameters", "Returns", "Raises", "Yields", "Attributes")
ROOMS = {
    "models": "Assumed: who opens and who closes, per bar. A model is chosen by its name, `model=...`; the parameters "
    "here are options of every function that takes a model",
}  # fmt: skip


@cache
def public_functions() -> dict[str, Any]:
    """Every public name with what it stands for, room by room; those of `plot` with their room before them."""
    return {name: thing for things in rooms().values() for name, thing in things.items()}


@cache
def rooms() -> dict[str, dict[str, Any]]:
    """Rooms in the order of the table of contents: the names of the front door, then what else a room offers."""
    import liqlab as lq
    from liqlab import models

    found: dict[str, dict[str, Any]] = {}
    for room, names in lq._ROOMS.items():
        if room == "engine":
            continue
        module = import_module(f"liqlab.{room}")
        more = () if room == "report" else module.__all__  # a report is made on the command line
        inside = {f"{room}.{name}": getattr(module, name) for name in more if name not in names}
        found[room] = {name: getattr(lq, name) for name in names if room != "plot"}
        found[room] |= {name: thing for name, thing in inside.items() if callable(thing)}
        if room == "models":
            found[room] |= {f"models.{name}": models.find(name) for name in models.names()}
        elif room == "plot":
            found[room] |= {f"plot.{name}": getattr(lq.plot, name) for name in names}
    return found


def anchor(name: str) -> str:
    """Where a name stands on the page.

    >>> anchor("plot.four_maps"), anchor("Law")
    ('api-plot-four-maps', 'api-class-law')
    """
    kind = (
        "class-" if name.rpartition(".")[2][:1].isupper() else ""
    )  # `Law` and `law` are two things; addresses know no capitals
    return f"api-{kind}" + re.sub(r"[._]+", "-", name).lower()


def reference() -> str:
    """The page, in MyST Markdown."""
    parts = []
    for room, things in rooms().items():
        parts.append(f"## {room}\n\n{_prose(ROOMS.get(room) or _first_line(import_module(f'liqlab.{room}')))}.\n")
        parts += [_entry(name, thing) for name, thing in things.items()]
    body = "\n".join(parts)
    return f"""# API

Every public name, grouped by what it deals with; `import liqlab as lq` brings them. Names with a room before them are
found in that room. Made from the functions themselves.
Amounts carry their units in brackets; what rests on assumptions lists them. *Education, not advice.*

{body}"""


def _entry(name: str, thing: Any) -> str:
    from liqlab import models

    model = name.removeprefix("models.")
    shown = f'model="{model}"' if name != model and model in models.names() else f"lq.{name}"
    code = f"```python\n{_signature(name, thing)}\n```\n"
    return f"({anchor(name)})=\n### {shown}\n\n{code}\n{docstring(inspect.getdoc(thing) or '')}\n"


def _signature(name: str, thing: Any) -> str:
    """The call with its defaults, without types: those stand below, parameter by parameter."""
    try:
        given = inspect.signature(thing)
    except (TypeError, ValueError):
        return f"{name}(…)"
    empty = inspect.Parameter.empty
    bare = [parameter.replace(annotation=empty) for parameter in given.parameters.values()]
    words = [part for part in str(given.replace(parameters=bare, return_annotation=empty))[1:-1].split(", ") if part]
    line = f"{name}({', '.join(words)})"
    if len(line) <= 76:
        return line
    rows, row = [], "    "
    for word in words:
        if len(row) + len(word) > 74:
            rows.append(row.rstrip())
            row = "    "
        row += f"{word}, "
    return "\n".join([f"{name}(", *rows, row.rstrip().rstrip(","), ")"])


def docstring(text: str) -> str:
    """numpydoc as MyST Markdown.

    >>> print(docstring("Twice `x`.\\n\\nParameters\\n----------\\nx : float\\n    A price [quote]."))
    Twice `x`.
    <BLANKLINE>
    **Parameters**
    <BLANKLINE>
    `x` : float
    : A price [quote].
    <BLANKLINE>
    """
    pieces = _SECTION.split(text)
    parts = [_prose(pieces[0].strip()), ""]
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        parts.append(f"**{title.strip()}**\n")
        if title.strip() in _LISTS:
            parts.append(_definitions(body, named=title.strip() == "Parameters"))
        elif title.strip() == "Examples":
            parts.append(_examples(body))
        else:
            parts.append(_prose(body.strip()) + "\n")
    return "\n".join(parts)


def _examples(body: str) -> str:
    """Prose between sessions: what follows ``>>>`` up to an empty line is code and its result."""
    parts = []
    for block in re.split(r"\n\s*\n", body.strip()):
        told, prompt, rest = block.partition(">>>")
        parts += [_prose(told.strip())] if told.strip() else []
        parts += [f"```pycon\n{prompt}{rest}\n```"] if prompt else []
    return "\n\n".join(parts) + "\n"


def _definitions(body: str, *, named: bool) -> str:
    """Heads at the margin with what is said of them, as a definition list."""
    lines: list[str] = []
    for block in re.split(r"\n(?=\S)", body.strip("\n")):
        head, _, told = block.partition("\n")
        name, colon, kind = head.partition(" : ")
        shown = f"`{name}`{f' : {_prose(kind)}' if colon else ''}" if named else _prose(head)
        said = _prose(inspect.cleandoc(told)).strip() or "—"
        lines.append(f"{shown}\n: " + said.replace("\n", "\n  ") + "\n")
    return "\n".join(lines)


def _prose(text: str) -> str:
    """Text whose signs mean themselves, with code as code and public names as links; indented lines stay code."""
    lines = []
    for line in text.splitlines():
        lines.append(line if line.startswith("    ") else _escaped(line))
    return "\n".join(lines)


def _escaped(line: str) -> str:
    parts, end = [], 0
    for found in _CODE.finditer(line):
        parts += [_plain(line[end : found.start()]), _code(found[1] or found[2], single=found[1] is None)]
        end = found.end()
    return "".join([*parts, _plain(line[end:])])


def _plain(text: str) -> str:
    return re.sub(r"(?<!^)([*_<$#|{}~])|^([#>])", lambda found: "\\" + found[0], text)


def _code(text: str, *, single: bool) -> str:
    """A name in single quotes is a link where it is public: `liqlab.heatmap`, or `heatmap` among its own."""
    name = text.removeprefix("liqlab.")
    if single and re.fullmatch(r"[\w.]+", name) and name in _names():
        return f"[`{text}`](#{anchor(name)})"
    return f"`{text}`"


@cache
def _names() -> frozenset[str]:
    import liqlab as lq

    return frozenset([*lq.__all__, *(f"plot.{name}" for name in lq.plot.__all__)]) - {"plot", "plot.SCALES"}


def _first_line(module: Any) -> str:
    return (inspect.getdoc(module) or "").partition("\n")[0].rstrip(".")
