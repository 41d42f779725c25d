"""The comparison of two sites finds what was changed, and nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from research import compare_sites, house

PAGE = """<html><article class="bd-article"><h1>A map</h1><p>It holds {sum} USDT in bright cells.</p>
<table><tr><th></th><th>{column}</th></tr><tr><td>long</td><td>{share}</td></tr></table></article></html>"""
SAID = {"sum": "1,250", "column": "brightest", "share": "0.25"}


def site(folder: Path, **changes: str) -> Path:
    folder.mkdir()
    (folder / "page.html").write_text(PAGE.format(**SAID | changes), encoding="utf-8")
    (folder / "report.json").write_text(json.dumps({"made": str(folder), "pages": 1}), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({}, 0, "no difference"),
        ({"sum": "1,251"}, 1, "text number | 1,250 | 1,251"),
        ({"share": "0.250000000001"}, 0, "no difference"),  # within 1e-9
        ({"share": "0.26"}, 1, "column 'brightest' | table number | 0.25 | 0.26"),
        ({"column": "largest"}, 1, "2 differences"),  # one column has gone, one has come
    ],
)
def test_two_sites_are_compared_number_by_number(
    changes: dict[str, str], status: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    old, new = site(tmp_path / "old"), site(tmp_path / "new", **changes)
    monkeypatch.setattr(sys, "argv", ["compare_sites", str(old), str(new)])
    assert compare_sites.main() == status
    assert told in capsys.readouterr().out


def test_old_names_are_translated_by_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "map.csv"
    table.write_text("scope,old,new\ncolumn,brightest,largest\n", encoding="utf-8")
    old, new = site(tmp_path / "old"), site(tmp_path / "new", column="largest")
    monkeypatch.setattr(sys, "argv", ["compare_sites", str(old), str(new), "--map", str(table)])
    assert compare_sites.main() == 0


def test_the_picture_of_the_rooms_is_what_the_imports_say() -> None:
    text = house.PAGE.read_text(encoding="utf-8")
    assert house.picture(house.arrows()) in text, "run: python -m research.house"


def test_what_follows_from_other_arrows_is_left_out() -> None:
    assert house.reduced({"c": {"a", "b"}, "b": {"a"}, "a": set()}) == {"c": {"b"}, "b": {"a"}, "a": set()}


def test_docstrings_are_no_statements() -> None:
    assert (
        house.statements(
            '"What it is."\n\nclass A:\n    "One."\n    x = 1\n\ndef f(x):\n    "Twice."\n    return 2 * x\n'
        )
        == 4
    )
