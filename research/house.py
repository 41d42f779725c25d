"""The house as it is: ``python -m research.house`` counts its statements and draws its rooms from the imports.

The count is of Python statements without docstrings, of `liqlab/` by room and of `tests/`. The picture, a Mermaid
graph, is written into docs/architecture.md, with ``--check`` it is only compared. An arrow from `engine` to `models`
says that a file of `engine` imports one of `models`; arrows that follow from others are left out of the picture.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = re.compile(r"```mermaid\n.*?```\n", re.DOTALL)
Arrows = dict[str, set[str]]


def statements(source: str) -> int:
    """Statements of a file, docstrings left out.

    >>> statements('"What it is."\\ndef f(x):\\n    "Twice."\\n    return 2 * x\\n')
    2
    """
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    texts = sum(ast.get_docstring(node, clean=False) is not None for node in nodes
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef))  # fmt: skip
    return sum(isinstance(node, ast.stmt) for node in nodes) - texts


def files(folder: Path) -> Iterator[Path]:
    """The Python files below a folder that are in the repository's care."""
    return (path for path in sorted(folder.rglob("*.py")) if "_shipped" not in path.parts)


def room(path: Path) -> str:
    """Which room of the package a file is in; files beside the rooms stand for themselves."""
    return path.relative_to(ROOT / "liqlab").parts[0].removesuffix(".py")


def sizes() -> dict[str, int]:
    """Statements by room, then those of all of `liqlab/` and of `tests/`."""
    found: Counter[str] = Counter()
    for path in files(ROOT / "liqlab"):
        found[room(path)] += statements(path.read_text(encoding="utf-8"))
    tests = sum(statements(path.read_text(encoding="utf-8")) for path in files(ROOT / "tests"))
    return dict(found) | {"liqlab/": found.total(), "tests/": tests}


def arrows() -> Arrows:
    """Room → rooms that one of its files imports, at its top or inside a function."""
    rooms = {path.name for path in (ROOT / "liqlab").iterdir() if (path / "__init__.py").is_file()}
    found: Arrows = {name: set() for name in rooms}
    for path in files(ROOT / "liqlab"):
        if room(path) not in rooms:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{one.name}" for one in node.names]
            elif isinstance(node, ast.Import):
                names = [one.name for one in node.names]
            else:
                continue
            found[room(path)] |= {name.split(".")[1] for name in names if name.startswith("liqlab.")} & rooms
        found[room(path)].discard(room(path))
    return found


def reduced(found: Arrows) -> Arrows:
    """Without the arrows that follow from others.

    >>> sorted(reduced({"c": {"a", "b"}, "b": {"a"}, "a": set()})["c"])
    ['b']
    """

    def reach(name: str) -> set[str]:
        return found[name].union(*(reach(one) for one in found[name]))

    return {name: {one for one in to if not any(one in reach(other) for other in to - {one})}
            for name, to in found.items()}  # fmt: skip


def picture(found: Arrows) -> str:
    """A Mermaid graph, rooms in the order of their depth."""

    def depth(name: str) -> int:
        return 1 + max((depth(one) for one in found[name]), default=0)

    order = sorted(found, key=lambda name: (depth(name), name))
    few = reduced(found)
    lines = [f"  {name} --> {one}" for name in order for one in sorted(few[name])]
    return "\n".join(["```mermaid", "graph BT", *lines, "```", ""])


def main() -> int:
    """Print the counts; write the picture, or compare it."""
    print("\n".join(f"{name:<12}{count:>7,}" for name, count in sizes().items()))
    text, drawn = PAGE.read_text(encoding="utf-8"), picture(arrows())
    if not PICTURE.search(text):
        print(f"{PAGE}: there is no ```mermaid block to fill; put an empty one where the picture belongs")
        return 1
    fresh = PICTURE.sub(lambda _: drawn, text, count=1)
    if "--check" in sys.argv[1:]:
        if fresh != text:
            print("the picture in docs/architecture.md is out of date; run: python -m research.house")
        return int(fresh != text)
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
