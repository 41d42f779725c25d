"""Cases: their files, what is given beside them, and what is refused."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import yaml

import liqlab as lq
from liqlab.loaders.cases import TextDates
from liqlab.report.pages import give, one_page

FOLDER = Path(__file__).parents[2] / "notebooks" / "cases"
CASES = sorted(path.stem for path in FOLDER.glob("*.yml"))


@pytest.mark.parametrize("name", CASES)
def test_a_case_has_what_its_file_says(name: str) -> None:
    """What is empty in the file may have been chosen."""
    told = yaml.load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"), Loader=TextDates)
    found = asdict(lq.read_case(name))
    assert {key: found[key] for key, value in told.items() if value} == {k: v for k, v in told.items() if v}
    assert found["case"] in lq.examples().index


def test_no_case_bears_the_name_of_an_example() -> None:
    """A name says whether a story is read or not."""
    assert not set(CASES) & set(lq.examples().index)


def test_what_is_given_takes_the_place_of_the_file_and_none_does_not() -> None:
    case = lq.read_case("btc-56k-cascade", model="volume", lookback="", levels=[], price_step=None)
    assert (case.model, case.lookback, case.levels, case.price_step) == ("volume", "", [], 10)
    assert case.title == "BTC, 1 May 2024: the 56k cascade"


def test_an_example_has_no_story_and_the_window_worth_looking_at() -> None:
    case = lq.read_case("eth-2024-05", frozen=["2024-05-01 07:00", "2024-05-01 12:00"])
    window = lq.examples().loc["eth-2024-05"]
    assert (case.story, case.levels, case.squeeze) == ("", [], "")
    assert [case.start, case.end] == [f"{window[name]:%Y-%m-%d %H:%M}" for name in ("window_start", "window_end")]
    assert case.periods == [["after the map was read", "2024-05-01 12:00", case.end]]


def test_a_file_of_ones_own_is_read_and_dates_stay_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("case: eth-2024-05\nstart: 2024-04-29\nend: 2024-05-03\nfrozen: [2024-05-01 07:00]\n")
    case = lq.read_case(str(file))
    assert (case.start, case.end, case.frozen) == ("2024-04-29", "2024-05-03", ["2024-05-01 07:00"])
    assert case.levels == []  # nothing comes from another case
    monkeypatch.chdir(tmp_path)
    assert lq.read_case("mine.yml") == case
    assert lq.read_case("btc-56k-cascade").levels[0] == [56880, 16.0]  # from wherever one works


@pytest.mark.parametrize("name", CASES)
def test_the_parameters_used_are_a_case_again(name: str, tmp_path: Path) -> None:
    case = lq.read_case(name, model="decay")
    (tmp_path / "again.yml").write_text(case.to_yaml(), encoding="utf-8")
    assert lq.read_case(str(tmp_path / "again.yml")) == case


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("", {}, "no case is called ''; there are: btc-56k-cascade, .*without a story: btc-2024-05"),
        ("xrp-squeze", {}, "did you mean 'xrp-squeeze'"),
        ("missing.yml", {}, "no case is called 'missing.yml'"),
        ("xrp-squeeze", {"sede": 1}, "xrp-squeeze sets sede, which no case has; it has case, title"),
        ("eth-2024-05", {}, r"frozen is empty; give at least one moment .*between start 2024-"),
        ("xrp-squeeze", {"frozen": ["2024-04-01"]}, "2024-04-01 does not lie in what is shown, after 2024-03-08"),
        ("xrp-squeeze", {"frozen": "2024-03-11"}, "frozen must be a list, got '2024-03-11'"),
        ("xrp-squeeze", {"lookback": 7}, "lookback must be text, got 7"),
        ("xrp-squeeze", {"price_step": "10"}, "price_step must be a number, got '10'"),
        ("xrp-squeeze", {"start": "soon"}, "not a moment in time: 'soon'"),
        ("xrp-squeeze", {"price_low": 5.0}, "both price_low and price_high .*got 5 and 0"),
        ("xrp-squeeze", {"swept_side": ""}, "swept_side must be 'long' .*got ''"),
        ("xrp-squeeze", {"squeeze": "the fall"}, r"words of a period, \['the hours before', .*got 'the fall'"),
        ("xrp-squeeze", {"levels": [6.1]}, r"levels must be a list of \[price, size\], got 6.1"),
        ("xrp-squeeze", {"levels": [[6.1, 1]]}, "level_width must be > 0 quote where levels are told, got 0"),
        ("xrp-squeeze", {"periods": [["the day", "2024-03-11"]]}, r"periods must be a list of \[words, from, to\]"),
    ],
)
def test_errors_teach(name: str, given: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        lq.read_case(name, **given)


@pytest.mark.parametrize("text", ["", "- a", "title: no market\n"])
def test_a_file_that_is_no_case_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "odd.yml").write_text(text)
    with pytest.raises(ValueError, match=r"odd.yml must hold `name: value` lines, and among them `case:`"):
        lq.read_case(str(tmp_path / "odd.yml"))


def test_a_case_of_no_market_is_refused() -> None:
    with pytest.raises(ValueError, match=r"case must be the market, a name from lq\.examples.*got 'btc'"):
        lq.loaders.Case("btc")


@pytest.mark.parametrize("name", CASES)
def test_a_page_of_a_case_takes_the_file_and_what_is_given_beside_it(name: str) -> None:
    """The notebook gets all values from the page: what its own cell says of another case is not asked."""
    (page,) = give([one_page(name)], {"model": "volume", "lookback": ""})
    values = dict(page.parameters)
    case = lq.read_case(values.pop("case"), **values)
    assert case == lq.read_case(name, model="volume", lookback="")


def test_parameters_are_those_of_the_notebook() -> None:
    from tests.report.test_notebooks import ROOT, parameters

    lines = parameters(ROOT / "notebooks" / "06_case_study.ipynb")
    assert {line.partition(":")[0] for line in lines} == {each.name for each in fields(lq.loaders.Case)}
    assert lines[0].startswith('case: str = "btc-56k-cascade"')
    assert all(" = None  # " in line for line in lines[1:])  # the file's, unless it is given
