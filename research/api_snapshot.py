"""The public interface of liqlab as JSON: ``python -m research.api_snapshot FILE``, or ``make api`` for tests/api.json.

Names of the front door and of the rooms with their signatures, methods and properties of classes, models with their
options, commands with theirs. Types and docstrings are left out: they may change without breaking anybody's notebook.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

import liqlab as lq
from liqlab import models

Snapshot = dict[str, dict[str, str]]
FRONT_DOOR, MODELS, COMMANDS = "liqlab", "models, by name", "command line"
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def signature(function: Any) -> str:
    """Names, order, kinds and defaults of the parameters, without types."""
    found = inspect.signature(function)
    bare = [parameter.replace(annotation=parameter.empty) for parameter in found.parameters.values()]
    return ADDRESS.sub("", str(found.replace(parameters=bare, return_annotation=found.empty)))


def described(name: str, thing: Any) -> dict[str, str]:
    """One public name: a signature; of a class also its methods and properties, of a value what it is."""
    if isinstance(thing, ModuleType):
        return {name: "module"}
    if not callable(thing):
        return {name: type(thing).__name__}
    if inspect.isclass(thing) and issubclass(thing, Exception):
        return {name: "error"}
    told = {name: signature(thing)}
    if inspect.isclass(thing):
        fields = set(inspect.signature(thing).parameters)
        for member in sorted(name for name in vars(thing) if not name.startswith("_") and name not in fields):
            raw = getattr(thing, member)
            told[f"{name}.{member}"] = signature(raw) if callable(raw) else "property"
    return told


def names_of(module: ModuleType) -> dict[str, str]:
    """The public names of a module; of a room those that are not at the front door under the same name."""
    front = {} if module is lq else {name: getattr(lq, name) for name in lq.__all__}
    listed = {name: getattr(module, name) for name in sorted(getattr(module, "__all__", ()))}
    own = {name: thing for name, thing in listed.items() if front.get(name) is not thing}
    return {k: v for name, thing in own.items() for k, v in described(name, thing).items()}


def commands(command: Any, path: str) -> dict[str, str]:
    """Every command of the command line with its arguments and options."""
    told = {path: " ".join("/".join([*p.opts, *p.secondary_opts]) for p in command.params)}
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        told |= commands(inner, f"{path} {name}")
    return told


def snapshot() -> Snapshot:
    """All of it, by where it is found."""
    rooms = [f"liqlab.{room}" for room in lq._ROOMS]
    told = {FRONT_DOOR: names_of(lq)} | {room: names_of(import_module(room)) for room in rooms}
    told[MODELS] = {name: signature(models.find(name)) for name in models.names()}
    told[COMMANDS] = commands(typer.main.get_command(import_module("liqlab.cli").app), "liqlab")
    return {place: names for place, names in told.items() if names}


def main() -> None:
    """Write it into the file that was named."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    text = json.dumps(snapshot(), indent=1, ensure_ascii=False)
    Path(sys.argv[1]).write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
