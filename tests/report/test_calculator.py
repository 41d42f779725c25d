"""The calculator in the page: its script gives what `lq.liquidation_price` gives, or refuses what that refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import liqlab as lq
from liqlab.margin import venues
from liqlab.margin.tiers import tiers_for
from liqlab.report.calculator_tables import calculator_data, calculator_script, elsewhere
from tests.browsers import CHROMIUM, launched

THEME = Path(lq.__file__).parent / "report" / "theme"
SCRIPT = THEME / "_static" / "calculator.js"
POINTS = 5_000
NODE = shutil.which("node")
runs_scripts = pytest.mark.skipif(not (NODE or CHROMIUM), reason="neither Chromium nor node is here to run the script")

ASK = """(points) => points.map(({asked, formula, table}) => {
  try {
    const {liquidation, bankruptcy, tier} = liqlabCalculator.liquidation(asked, liqlabTables.formulas[formula],
      liqlabTables.tables[table]);
    return [String(liquidation), String(bankruptcy), tier];
  } catch (error) { return error.message; }
})"""


def answers(points: list[dict[str, Any]]) -> list[Any]:
    """What the script says of each point: [liquidation, bankruptcy, tier], or the text of a refusal."""
    scripts = calculator_script() + SCRIPT.read_text(encoding="utf-8")
    if NODE:
        program = f"{scripts}\nconsole.log(JSON.stringify(({ASK})({json.dumps(points)})))"
        done = subprocess.run([NODE, "-"], input=program, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)
    with launched() as browser:
        page = browser.new_page()
        page.add_script_tag(content=scripts)
        return page.evaluate(ASK, points)


def random_points(count: int, seed: int) -> list[dict[str, Any]]:
    """Positions on three markets of every formula: isolated and cross, small and huge, some impossible."""
    draw, data = np.random.default_rng(seed), calculator_data()
    markets = [market for market in data["markets"] if market["symbol"][:3] in ("BTC", "SOL", "TIA")]
    points = []
    for _ in range(count):
        market = markets[draw.integers(len(markets))]
        formula = data["formulas"][market["formula"]]
        inverse = formula["contract"] == "inverse"
        entry = float(10 ** draw.uniform(-2, 5.2))
        value = float(10 ** draw.uniform(0.3, 8.7))  # USD
        margin = value / draw.uniform(1, 60) / (entry if inverse else 1)
        asked = {"side": str(draw.choice(["long", "short"])), "entry": entry,
                 "quantity": value if inverse else value / entry}  # fmt: skip
        if draw.random() < 0.35:
            asked["wallet"] = margin
        else:
            asked["leverage"] = float(draw.choice([draw.uniform(1, 30), draw.integers(1, 160)]))
        if draw.random() < 0.4:
            asked["added"] = float(margin * draw.uniform(-0.7, 9))
        if formula["others"] and draw.random() < 0.3:
            asked |= {"otherMaintenance": float(margin * draw.uniform(0, 0.3)),
                      "otherPnl": float(margin * draw.normal() * 0.3)}  # fmt: skip
        if draw.random() < 0.1:
            asked["rate"] = float(draw.uniform(0, 0.1))
        if draw.random() < 0.08 and set(asked) == {"side", "entry", "quantity", "leverage"}:
            del asked["quantity"]
        points.append({"asked": asked, "formula": market["formula"], "table": market["table"], "market": market})
    return points


NAMES = {"leverage": "leverage", "quantity": "quantity", "wallet": "wallet_balance", "added": "added_margin",
         "otherMaintenance": "other_maintenance_margin", "otherPnl": "other_unrealised_pnl",
         "rate": "maintenance_margin_rate"}  # fmt: skip
OF_BANKRUPTCY = {"leverage", "quantity", "wallet", "added"}


def told_by_liqlab(points: list[dict[str, Any]]) -> tuple[Any, Any]:
    """Liquidation and bankruptcy prices by liqlab of positions on one market with the same terms."""
    market = points[0]["market"]
    terms = {name: np.array([point["asked"][name] for point in points]) for name in points[0]["asked"]}
    where = {"side": terms.pop("side"), "exchange": market["exchange"], "symbol": market["symbol"]}
    entry = terms.pop("entry")
    given = {NAMES[name]: value for name, value in terms.items()}
    if "rate" not in terms:
        given["leverage_tiers"] = tiers_for(market["exchange"], market["symbol"])
    bankrupt = {NAMES[name]: value for name, value in terms.items() if name in OF_BANKRUPTCY}
    return lq.liquidation_price(entry, **where, **given), lq.bankruptcy_price(entry, **where, **bankrupt)


@runs_scripts
def test_random_positions_have_the_prices_of_the_call() -> None:
    points = random_points(POINTS, seed=20261130)
    alike: dict[Any, list[tuple[dict[str, Any], Any]]] = {}
    refused, ends = 0, 0
    for point, said in zip(points, answers(points), strict=True):
        if isinstance(said, str):
            refused += 1
            with pytest.raises(ValueError, match=r"."):
                told_by_liqlab([point])
        else:
            key = (point["market"]["exchange"], point["market"]["symbol"], *point["asked"])
            alike.setdefault(key, []).append((point, said))
    for group in alike.values():
        found = np.array([[float(each.replace("Infinity", "inf")) for each in said[:2]] for _, said in group]).T
        expected = told_by_liqlab([point for point, _ in group])
        ends += int((~((found[0] > 0) & (found[0] < np.inf))).sum())
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=0, err_msg=str(group[0]))
    assert 0.02 * POINTS < refused < 0.5 * POINTS  # both kinds were asked for
    assert ends > 0.005 * POINTS  # as were positions that no move can liquidate


@runs_scripts
def test_the_tier_told_is_the_one_that_gives_the_price() -> None:
    points = [
        point for point in random_points(600, seed=7) if "quantity" in point["asked"] and "rate" not in point["asked"]
    ]
    seen = set()
    for point, said in zip(points, answers(points), strict=True):
        if isinstance(said, str) or float(said[0].replace("Infinity", "inf")) in (0, np.inf):
            continue
        asked, market = point["asked"], point["market"]
        table = tiers_for(market["exchange"], market["symbol"])
        unit = 1 / asked["entry"] if market["contract"] == "inverse" else 1.0
        one = lq.liquidation_price(
            asked["entry"], side=asked["side"], exchange=market["exchange"], symbol=market["symbol"],
            maintenance_margin_rate=float(table.rate[said[2]]), maintenance_amount=float(table.amount[said[2]]) * unit,
            **{NAMES[name]: value for name, value in asked.items() if name in NAMES},
        )  # fmt: skip
        np.testing.assert_allclose(float(said[0]), one, rtol=1e-9)
        seen.add(said[2])
    assert len(seen) > 4


@runs_scripts
@pytest.mark.parametrize(("asked", "said"), [
    ({"leverage": 0.5}, "leverage must be 1 or more, got 0.5"),
    ({"leverage": 1000}, "above the maximum of"),
    ({"entry": 0}, "entry price must be a number above 0, got 0"),
    ({"entry": None}, "entry price must be a number above 0"),
    ({"quantity": -1}, "size must be a number above 0, got -1"),
    ({"quantity": 1e9}, "outgrows the last tier"),
    ({"added": -1e9}, "take out less"),
    ({"leverage": None, "wallet": -5}, "wallet balance must be above 0, in quote, got -5"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_words(asked: dict[str, Any], said: str) -> None:
    point = {"asked": {"side": "long", "entry": 60_000, "quantity": 1, "leverage": 10, **asked},
             "formula": "binance-linear", "table": "binanceusdm BTC/USDT:USDT"}  # fmt: skip
    (answer,) = answers([point])
    assert isinstance(answer, str) and said in answer


def test_every_formula_is_on_the_page_or_named_as_missing() -> None:
    data = calculator_data()
    assert set(data["formulas"]) | set(elsewhere()) == set(venues.FORMULAS)
    assert {market["contract"] for market in data["markets"]} == {"linear", "inverse"}
    for market in data["markets"]:
        assert venues.of_market(market["exchange"], market["symbol"]).name == market["formula"]
