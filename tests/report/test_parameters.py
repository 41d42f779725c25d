"""Parameters of pages: every value is checked, by its type and by what its line tells, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import liqlab as lq
from liqlab.cli import app
from liqlab.report.pages import ReportError, give, list_pages, one_page
from liqlab.report.parameters import check_values, declared, declared_in

PAGES = {page.notebook.stem: page for page in list_pages()}
EVERY = [(name, one) for name, page in PAGES.items() for one in declared(page.notebook).values()]
WRONG: dict[str, list[Any]] = {
    "moment": ["yesterday", "2024-13-01", "01/02/2024", 3, "07:00", [1], True],
    "duration": ["soon", 3, "3", "-1h", "0d", 2.5, "1M"],
    "market": ["btc", "btc-2024-5", 7, ["btc-2024-05"]],
    "model": ["opn_interest", 3],
    "law": ["mesured", 3],
    "exchange": ["binanceusmd", ["bybit"]],
    "file": ["nowhere.csv", ["a"]],
    "text": [["a"], {"a": 1}, True],
}
WRONG_KIND: dict[str, list[Any]] = {
    "float": ["abc", "1e", True, float("nan"), float("inf"), [1]],
    "int": ["abc", 1.5, True, [1]],
    "bool": ["maybe", 1, "yes please", []],
    "list": ["abc", 25, True, {"a": 1}],
    "dict": ["abc", 3, [1]],
}


def refused(name: str, parameter: Any, value: Any) -> str:
    with pytest.raises(ReportError) as caught:
        check_values(name, {parameter.name: parameter}, {parameter.name: value})
    return str(caught.value)


@pytest.mark.parametrize(("page", "parameter"), EVERY, ids=lambda x: getattr(x, "name", x))
def test_what_a_parameter_may_not_be_is_refused_by_its_name(page: str, parameter: Any) -> None:
    wrong = WRONG[parameter.meaning] if parameter.kind == "str" else WRONG_KIND[parameter.kind]
    for value in wrong:
        if isinstance(value, str) and parameter.kind in ("float", "int") and not value:
            continue
        if value == [] and parameter.may_be_empty:
            continue
        said = refused(page, parameter, value)
        assert said.startswith(f"page {page}: ") and parameter.name in said and len(said) > 40


@pytest.mark.parametrize(("page", "parameter"), EVERY, ids=lambda x: getattr(x, "name", x))
def test_the_default_is_a_value(page: str, parameter: Any) -> None:
    assert check_values(page, {parameter.name: parameter}, {parameter.name: parameter.default}) == {
        parameter.name: parameter.default
    }


@pytest.mark.parametrize(
    ("page", "given", "words"),
    [
        ("btc-56k-cascade", "price_low=abc", "price_low must be a number, got 'abc'; write -p price_low=100"),
        ("btc-56k-cascade", "frozen=2024-05-01", r"frozen must be a list, .*write -p 'frozen=\[2024-05-01\]'"),
        ("btc-56k-cascade", "frozen=[2024-05-09]", "2024-05-09 does not lie in what is shown"),
        ("btc-56k-cascade", "levels=[[1]]", r"levels must be a list of \[price, told size\]"),
        ("btc-56k-cascade", "periods=[[a, b, c]]", "'from' in periods: not a moment in time: 'b'"),
        ("btc-56k-cascade", "swept_side=left", "swept_side must be 'long'"),
        ("btc-56k-cascade", "candles=nowhere.csv", "candles: there is no file 'nowhere.csv'"),
        ("00_quickstart", "start=2024-07-10", "start must be before end, got 2024-07-10 and 2024-07-09"),
        ("00_quickstart", "model=", "model must not be empty; leave it out for 'open_interest'"),
        ("07_windows_and_confluence", "lookbacks=[24]", "each of lookbacks: the number 24 has no unit"),
        ("01_what_is_a_liquidation", "leverages=[a]", "each of leverages must be a number, got 'a'"),
        ("09_does_it_predict", "side=left", "side must be 'long' or 'short' or 'both', got 'left'"),
        ("09_does_it_predict", "models=[opn]", "each of models must be the name of a model"),
        ("12_your_market", "offline=perhaps", "offline must be true or false, got 'perhaps'"),
        ("12_your_market", "days_shown=0", "days_shown must be above 0, got 0"),
        ("12_your_market", "open_interest=oi.csv", "open_interest: there is no file 'oi.csv'"),
    ],
)
def test_errors_teach(page: str, given: str, words: str, tmp_path: Path) -> None:
    name, _, value = given.partition("=")
    with pytest.raises(ReportError, match=words):
        give([one_page(page)], lq.report.pages.read_assignments([f"{name}={value}"]))
    result = CliRunner().invoke(app, ["page", page, "-p", given, "--output", str(tmp_path / "x.html")])
    assert result.exit_code == 1 and name in result.stderr and not list(tmp_path.iterdir())


def test_a_number_for_a_text_is_that_text() -> None:
    (page,) = give([one_page("12_your_market")], {"symbol": 1000})
    assert page.parameters["symbol"] == "1000"


def test_a_comment_may_hold_anything() -> None:
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]},
            "source": "a: int = 1  # >= 0, a = 1 # and so on\nb = 'µ'  # [µs]\nc: float = 2 * 3\n"}  # fmt: skip
    a, b, c = declared_in([cell], "x").values()
    assert (a.comment, b.kind, b.comment) == (">= 0, a = 1 # and so on", "str", "[µs]")
    assert c.default is None and not c.literal


# --- files of one's own -----------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two weeks of hourly candles and open interest, written as a spreadsheet does; we work where they are."""
    market = lq.load_example("sol-2024-05")
    candles = market.candles.resample("1h").agg({"open": "first", "high": "max", "low": "min", "close": "last",
                                                 "volume": "sum"}).iloc[:336]  # fmt: skip
    candles.to_csv(tmp_path / "my.csv", sep=";", date_format="%Y-%m-%d %H:%MZ")
    coins = market.open_interest.loc[: candles.index[-1]]  # type: ignore[union-attr]
    coins.to_csv(tmp_path / "oi.csv", sep=";", date_format="%Y-%m-%d %H:%MZ")
    (tmp_path / "odd.csv").write_text("a;b\n1;2\n")
    (tmp_path / "empty.csv").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("files")
def test_files_become_pages() -> None:
    given = {"candles": "my.csv", "open_interest": "oi.csv"}
    for name in ("12_your_market", "06_case_study"):
        (page,) = give([one_page(name, None, given)], given)
        assert page.name == name and not page.case and page.parameters == given


@pytest.mark.parametrize(("file", "words"), [("odd.csv", "columns are not understood"), ("empty.csv", "file is empty")])
@pytest.mark.parametrize("name", ["12_your_market", "06_case_study"])
@pytest.mark.usefixtures("files")
def test_a_file_that_is_no_market_is_refused(name: str, file: str, words: str) -> None:
    for given in ({"candles": file}, {"candles": "my.csv", "open_interest": file}):
        with pytest.raises(ReportError, match=rf"page {name}: {file}: .*{words}"):
            give([one_page(name, None, given)], given)


@pytest.mark.usefixtures("files")
def test_a_table_needs_its_candles() -> None:
    for name in ("12_your_market", "06_case_study"):
        with pytest.raises(ReportError, match="open_interest is of files of your own, but candles is empty"):
            give([one_page(name, None, {"candles": ""})], {"open_interest": "oi.csv"})


@pytest.mark.usefixtures("files")
def test_a_told_case_is_not_told_of_another_market() -> None:
    with pytest.raises(
        ReportError, match=r"tells of btc-2024-05, not of my\.csv.*liqlab page 06_case_study -p candles"
    ):
        give([one_page("btc-56k-cascade")], {"candles": "my.csv"})


@pytest.mark.usefixtures("files")
def test_a_case_of_files_takes_nothing_from_the_case_that_is_named() -> None:
    case = lq.read_case("btc-56k-cascade", candles="my.csv", open_interest="oi.csv")
    market = case.market
    assert (case.case, case.story, case.levels, case.later_case) == ("", "", [], "")
    assert market.sources["candles"]["origin"] == "my.csv" and market.symbol == ""
    start, end, moment = (pd.Timestamp(x, tz="UTC") for x in (case.start, case.end, case.frozen[0]))
    assert end == market.end and market.start <= start < moment < end


@pytest.mark.usefixtures("files")
def test_a_file_of_parameters_may_name_files(files: Path) -> None:
    (files / "mine.yml").write_text("candles: my.csv\nstory: mine\n")
    (page,) = give([one_page(files / "mine.yml")], {})
    assert page.case and lq.read_case("mine.yml").story == "mine"
