"""Pages for doing things: every command on them runs when pasted, and what they say of the code is so.

``LIQLAB_LONG=1`` runs all of them; else of those that run a notebook one, and of the others the values are checked.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

import liqlab as lq
from liqlab.cli import app
from liqlab.loaders._examples import folder
from liqlab.loaders.layouts import _TIMES
from liqlab.report.doing_pages import ORDER, doing_pages
from liqlab.report.pages import give, one_page, read_assignments
from tests.exchange_server import Exchange

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
PAGES = doing_pages(NOTEBOOKS, ["api", "glossary", "units", "cases", "index"])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# `make setup` made the environment in which the tests run
BLOCKS = [
    pytest.param(name, text, id=f"{name}-{k}")
    for name in ORDER
    for k, (kind, text) in enumerate(FENCE.findall(PAGES[name]))
    if kind == "sh" and "make setup" not in text
]
LONG = os.environ.get("LIQLAB_LONG") == "1"
WRITTEN = re.compile(r"--output (\S+\.html)")


def clone(place: Path) -> Path:
    """A folder with what commands of a clone name."""
    for name in ("data", "notebooks"):
        (place / name).symlink_to(ROOT / name)
    return place


def run(place: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(command, cwd=place, env={**os.environ, "PATH": paths}, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "text"), BLOCKS)
def test_a_command_runs_when_pasted(name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not LONG and re.search("liqlab (page|report)", text) and name != "own_csv":
        pytest.skip("runs notebooks for a minute; LIQLAB_LONG=1 does")
    for proxy in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setenv("LIQLAB_STORE", str(tmp_path / "the-users-store"))
    begin = pd.Timestamp.now("UTC").floor("h").tz_localize(None) - pd.Timedelta(8, "D")
    asked = re.search(r"--start (\d{4}-\d\d-\d\d) --end", text)
    start = asked[1] if asked and "fetch" in text else str(begin)
    place = clone(tmp_path)
    with Exchange(candles=10 * 288, step="5m", start=start, weight=10**9) as server:
        monkeypatch.setenv("LIQLAB_BINANCEUSDM_URL", server.url)
        if "offline=false" in text:  # today's candles are asked for as well
            fetch, text = text.splitlines(keepends=True)
            run(place, ["bash", "-e", "-c", fetch])
            with Exchange(candles=10 * 288, step="5m", start=str(begin), weight=10**9) as today:
                monkeypatch.setenv("LIQLAB_BINANCEUSDM_URL", today.url)
                run(place, ["bash", "-e", "-c", text])
        else:
            run(place, ["bash", "-e", "-c", text])
    for written in WRITTEN.findall(text):
        assert (place / written).stat().st_size > 100


@pytest.mark.parametrize("text", [text for block in BLOCKS if "liqlab page" in (text := block.values[1])])
def test_a_page_is_asked_for_with_values_that_it_takes(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("liqlab page") and not line.startswith("liqlab page my-case"):
            _, _, name, *rest = shlex.split(line)
            given = [value for flag, value in pairwise(rest) if flag == "-p"]
            values = read_assignments(given)
            give([one_page(name, given=values)], values)


def test_the_code_on_a_page_runs(tmp_path: Path) -> None:
    for name, text in PAGES.items():
        for kind, code in FENCE.findall(text):
            if kind == "python":
                run(clone(tmp_path / name) if (tmp_path / name).mkdir() is None else tmp_path,
                    [sys.executable, "-W", "ignore", "-c", code])  # fmt: skip
    assert (tmp_path / "own_csv" / "own.png").read_bytes().startswith(b"\x89PNG")


def test_every_command_has_an_example() -> None:
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}  # type: ignore[union-attr]
    text = PAGES["command_line"]
    assert commands and {name for name in commands if f"\nliqlab {name} " not in text} == set()
    assert "\nliqlab data list" in text and "\nliqlab data verify" in text


def test_the_sample_is_what_the_page_says() -> None:
    with pytest.warns(UserWarning, match="8 row") as said:
        market = lq.read(folder("data") / "sample-candles.csv", symbol="BTC/USDT:USDT", timezone="UTC")
    assert str(said[0].message) in PAGES["own_csv"]
    steps = market.candles.index.to_series().diff().dropna()
    assert steps.max() - market.step == pd.Timedelta(2, "h")
    named = re.findall(r"`(\w+)`", PAGES["own_csv"].split("The column of times", 1)[1].split("understood", 1)[0])
    assert set(named) <= set(_TIMES) and "time" in named


def test_values_are_put_in_and_links_lead_somewhere() -> None:
    for text in PAGES.values():
        assert re.search(r"\{[a-z]+\}(?!`| html)", FENCE.sub("", text)) is None
        assert (
            max(map(len, re.findall(r"^(?!\|).*$", "".join(code for _, code in FENCE.findall(text)), re.M)), default=0)
            < 200
        )
    alone = doing_pages([], [])
    assert set(alone) == {"installation", "command_line", "calculator"}
    assert "own_csv.md" not in alone["command_line"] and "your own CSV" in alone["command_line"]
