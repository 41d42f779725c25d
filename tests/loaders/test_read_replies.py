"""Single objects, per-cent signs and the hours of a rate, as replies and exports tell them."""

import numpy as np
import pandas as pd
import pytest

from liqlab.loaders.exchanges._ccxt_parse import rate_hours
from liqlab.loaders.numerals import numbers_of
from liqlab.loaders.replies import table_of

TIMES = pd.Series(["2024-05-01 00:00", "2024-05-01 08:00", "2024-05-01 16:00"])


def test_one_object_is_one_row():
    row = {"symbol": "SOLUSDT", "openInterest": "812.5", "time": 1714521600000}
    assert table_of(row, "oi.json")[0] == [row]


def test_per_cent_signs_divide_and_a_zero_needs_none():
    rates = numbers_of(pd.Series(["0.01%", "-0.02%", "0"], name="rate"), TIMES, "funding_rate", "f.csv")
    np.testing.assert_allclose(rates, [1e-4, -2e-4, 0.0])


def test_a_number_without_the_sign_of_the_others_is_refused():
    with pytest.raises(ValueError, match=r"row 1 .*'0\.02' without a per-cent sign"):
        numbers_of(pd.Series(["0.01%", "0.02", "0"], name="rate"), TIMES, "funding_rate", "f.csv")


def test_hours_follow_the_rate_that_was_taken():
    infos = [{"interest_8h": 3e-5, "interest_1h": 4e-6}]
    assert rate_hours(np.array([3e-5]), infos, "") == 8
    assert rate_hours(np.array([4e-6]), infos, "") == 1
