"""The contract of a file in `liqlab.margin.venues`: found by its name, sourced, of one shape, alone enough."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import liqlab as lq
from liqlab.margin import formulas, venues
from liqlab.margin.equations import Formula

FAMILIES = venues.families()
ROWS = [(file, formula) for file, family in FAMILIES.items() for formula in family.FORMULAS]
TABLE = formulas()


def test_the_folder_holds_families_and_nothing_else() -> None:
    files = {path.stem for path in Path(venues.__file__).parent.glob("*.py")} - {"__init__"}
    assert {name for name in files if not name.startswith("_")} == set(FAMILIES)
    assert {"binance", "bitmex", "bybit", "dydx", "gate", "hyperliquid", "mexc", "okx"} <= set(FAMILIES)


@pytest.mark.parametrize("file", FAMILIES)
def test_a_file_says_what_was_published_and_where(file: str) -> None:
    family = sys.modules[f"liqlab.margin.venues.{file}"]
    assert isinstance(family.FORMULAS, tuple) and family.FORMULAS
    assert family.__doc__ and "References\n----------\n" in family.__doc__


@pytest.mark.parametrize(("file", "formula"), ROWS, ids=[formula.name for _, formula in ROWS])
def test_a_row_is_complete(file: str, formula: Formula) -> None:
    assert isinstance(formula, Formula)
    assert formula.name == file or formula.name.startswith(f"{file}-")
    assert formula.exchanges and all(name == name.lower() for name in formula.exchanges)
    assert formula.contract in ("linear", "inverse") and formula.status in ("D", "S", "U")
    assert len(formula.equation) > 10 and len(formula.source) > 10 and formula.seen
    assert (formula.hedged is not None) == (formula.hedge_margin in ("both legs", "larger leg"))
    assert formula.taker_fee is None or 0 <= formula.taker_fee < 0.01


@pytest.mark.parametrize("name", TABLE.index)
def test_a_row_solves_longs_and_shorts_one_by_one_and_as_arrays(name: str) -> None:
    """At 5x and m = 1 % every venue's long is liquidated below its entry, its short above; arrays are loops."""
    entry, sides = np.array([[100.0], [250.0]]), np.array(["long", "short"])
    case = {"leverage": 5, "quantity": 1_000.0, "maintenance_margin_rate": 0.01, "formula": name}
    many = lq.liquidation_price(entry, side=sides, **case)
    assert (many[:, 0] < entry[:, 0]).all() and (many[:, 1] > entry[:, 0]).all()
    assert many.tolist() == [[lq.liquidation_price(e[0], side=s, **case) for s in ("long", "short")] for e in entry]


def test_a_formula_is_used_where_none_is_named_or_is_another_version() -> None:
    assert TABLE.index[~TABLE["default"]].tolist() == ["bybit-inverse-2026"]
    assert (TABLE.loc[["bybit-inverse-2026", "bitmex-inverse"], "status"] == "U").all()


NEW = '''"""A venue of its own.

References
----------
None: made for a test.
"""

from liqlab.margin.equations import Formula, at_entry, margin_used_up

FORMULAS = (
    Formula(name="newvenue-linear", exchanges=("newvenue",), contract="linear", equation="E − s·(IM − MM)/q",
            seen="2024", status="U", source="made for a test", solve=at_entry, bankrupt=margin_used_up),
)
'''


def test_a_new_venue_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the folder and nothing else; one that takes another's name is refused by its own."""
    (tmp_path / "newvenue.py").write_text(NEW, encoding="utf-8")
    (tmp_path / "_helper.py").write_text("FORMULAS = ()\n", encoding="utf-8")
    monkeypatch.setattr(venues, "__path__", [*venues.__path__, str(tmp_path)])
    monkeypatch.setattr(venues, "FORMULAS", venues._collected())
    assert "newvenue" in venues.families() and "_helper" not in venues.families()
    found = lq.liquidation_price(100, side="long", leverage=10, exchange="newvenue", maintenance_margin_rate=0.01)
    assert found == pytest.approx(100 - (10 - 1)) and formulas().loc["newvenue-linear", "default"]
    (tmp_path / "zcopy.py").write_text(NEW, encoding="utf-8")
    with pytest.raises(ValueError, match=r"zcopy\.py: there is another formula 'newvenue-linear'; names are unique"):
        venues._collected()
    for name in ("newvenue", "zcopy"):
        sys.modules.pop(f"liqlab.margin.venues.{name}", None)
