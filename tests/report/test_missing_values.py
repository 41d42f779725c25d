"""No page shows a nan; a parameter that is no duration is refused before anything runs."""

from __future__ import annotations

import json
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest

from liqlab.report.missing_values import missing_values
from liqlab.report.pages import ReportError, give, one_page

TABLE = pd.DataFrame({"low": [1.0, 2.0], "coverage": [0.5, np.nan]}, index=["long", "short"])


def executed(**data: str) -> Any:
    output = nbformat.v4.new_output("execute_result", {name.replace("_", "/"): text for name, text in data.items()})
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("\ntable", execution_count=7, outputs=[output])])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"text_markdown": "The map holds nan % of it."}, "'The map holds nan % of it.'"),
        ({"text_html": TABLE.to_html(), "text_plain": "x"}, "in a table, row 'short', column 'coverage': 'NaN'"),
        ({"text_html": TABLE.style.to_html()}, "in a table, row 'short', column 'coverage': 'nan'"),
        ({"text_html": TABLE.astype("Float64").to_html()}, "in a table, row 'short', column 'coverage': '<NA>'"),
        ({"text_html": "<p>from NaT on</p>"}, "'from NaT on'"),
        ({"text_plain": "start   NaT"}, "'start NaT'"),
        ({"text_html": f"docs_json = {json.dumps({'title': 'held nan of 3'})}"}, "of a figure 'held nan of 3'"),
    ],
)
def test_a_nan_is_named_with_its_cell_and_the_remedy(data: dict[str, str], words: str) -> None:
    told = missing_values(executed(**data))
    assert told.startswith("cell In [7] ('table') shows ") and words in told and "na_rep='–'" in told


@pytest.mark.parametrize(
    "data",
    [
        {"text_html": TABLE.style.format(na_rep="–").to_html()},
        {"text_markdown": "Nanking, finance and banana: none is a nanosecond; not known."},
        {"text_html": 'docs_json = {"top": {"type": "number", "value": "nan"}, "code": "if (isNaN(x)) return NaN"}'},
    ],
)
def test_what_is_no_nan_passes(data: dict[str, str]) -> None:
    assert missing_values(executed(**data)) == ""


def test_a_parameter_may_hold_the_word() -> None:
    told = executed(text_markdown="a story of nan")
    assert missing_values(told) and not missing_values(told, ["a story of nan"])


@pytest.mark.parametrize(
    ("page", "given", "words"),
    [
        ("btc-56k-cascade", {"lookback": 3}, "lookback: the number 3 has no unit; write '3d', '3h' or '3m'"),
        ("xrp-squeeze", {"lookback": "2 weeks"}, "lookback: not a time frame: '2 weeks'; write 1m, 5m"),
        ("07_windows_and_confluence", {"lookbacks": ["12h", 24]}, "lookbacks: the number 24 has no unit"),
        ("12_your_market", {"bar": True}, "bar: the number True has no unit"),
    ],
)
def test_a_bare_number_is_no_duration_of_a_page_either(page: str, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ReportError, match=words):
        give([one_page(page)], given)
    assert give([one_page("btc-56k-cascade")], {"lookback": ""})[0].parameters["lookback"] == ""
