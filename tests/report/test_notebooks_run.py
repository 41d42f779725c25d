"""Every notebook runs bare, and what is left empty leaves a whole page or is asked for in words.

``LIQLAB_SITE=site``: what that site has run bare, from the same notebook, package and data, need not end again.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

import liqlab as lq
from liqlab.report.page_record import key_of, read_report
from liqlab.report.pages import Page
from tests.bare import main
from tests.conftest import LONG
from tests.report.test_notebooks import NOTEBOOKS, ROOT, parameters

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs share what they have in common by forking"),
    pytest.mark.timeout(900),
]
EMPTY: dict[str, Any] = {"str": "", "list": []}
# What may be empty, where it is not so by default: then the page is whole. The others are asked for.
SLOW = {"11"}  # a second whole run of these only with LIQLAB_LONG=1
STORY = {"title": "", "answers": "", "story": "", "later_case": "", "periods": [], "squeeze": ""}
PICTURE = {"start": "", "end": "", "lookback": "", "price_step": 0, "price_low": 0, "price_high": 0}
FILES = {"candles": "", "open_interest": "", "symbol": "", "exchange": "", "timezone": ""}
# The case study takes from the case's file what is None, so empty is something else there.
OF_THE_CASE_STUDY = [
    {"case": ""}, {"model": ""}, {"frozen": []}, {"price_low": 0}, {"price_high": 0}, {"level_width": 0},
    {"swept_side": ""}, {"case": "btc-2024-05"},
]  # fmt: skip
WHOLE_OF_THE_CASE_STUDY = [
    {**STORY, **PICTURE, **FILES}, {"levels": [], "level_width": 0},
    {"case": "eth-2024-05", "frozen": ["2024-05-01 07:00"]}, {"case": "xrp-squeeze", "model": "volume"},
]  # fmt: skip


def was_run_bare(notebook: Path) -> bool:
    """Whether a site that is already built has the page of this notebook, of all that it depends on now."""
    site = os.environ.get("LIQLAB_SITE")
    built = read_report(Path(site)).get(notebook.stem, {}) if site else {}
    return built.get("key") == key_of(Page(notebook.stem, notebook))


@pytest.fixture(scope="module")
def forks() -> Iterator[Any]:
    """Where a process comes from that has imported all that notebooks do."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.warm"])
    with pytest.MonkeyPatch.context() as patch:
        paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("OPENBLAS_NUM_THREADS", "1")  # a pool of threads does not survive a fork
        forkserver.ensure_running()
    yield context
    forkserver._forkserver._stop()  # type: ignore[attr-defined]  else it lives on to the end of the run


def run(notebook: Path, changes: list[dict[str, Any]], folder: Path, forks: Any) -> list[dict[str, Any]]:
    """How the notebook ended with each change, and bare at last; the working folder is none of the project's."""
    process = forks.Process(target=main, args=(str(notebook), changes, str(folder)),
                            kwargs={"whole": not was_run_bare(notebook)})  # fmt: skip
    process.start()
    process.join()
    assert process.exitcode == 0
    return [json.loads(line) for line in (folder / "ends").read_text(encoding="utf-8").splitlines()]


def asked_for(end: dict[str, Any]) -> bool:
    """Refused on purpose, by liqlab or by the notebook's own words, and told what is empty or what there is."""
    on_purpose = end["line"].startswith(("raise ", "assert ")) and end["error"] in (
        "ValueError", "TypeError", "AssertionError"
    )  # fmt: skip
    ours = Path(lq.__file__).parent in Path(end["file"]).parents or end["file"].startswith("<ipython-input")
    return on_purpose and ours and len(end["says"]) > 20


def empties(notebook: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What may be empty by its comment ("empty: …") and is not by default, together; what must not, one by one."""
    allowed, asked = {}, []
    for line in parameters(notebook):
        name, kind, default, words = re.match(r"(\w+): (\w+) = (.+?)  # (.*)", line).groups()  # type: ignore[union-attr]
        if kind in EMPTY and default not in ('""', "[]"):
            if "empty:" in words:
                allowed[name] = EMPTY[kind]
            else:
                asked.append({name: EMPTY[kind]})
    return allowed, asked


@pytest.mark.parametrize("notebook", [n for n in NOTEBOOKS if n.stem != "06_case_study"], ids=lambda n: n.stem)
def test_runs_bare_and_asks_for_what_is_empty(notebook: Path, tmp_path: Path, forks: Any) -> None:
    allowed, asked = empties(notebook)
    changes = [allowed, *asked] if allowed and (LONG or notebook.stem[:2] not in SLOW) else asked
    *changed, bare = run(notebook, changes, tmp_path, forks)
    assert bare["error"] is None, bare
    assert len(changed) == len(changes)
    for end in changed:
        if end["changed"] == allowed:
            assert end["error"] is None, end
        else:
            assert end["error"] is not None and asked_for(end), end


def test_case_study_runs_bare_and_with_what_may_be_empty(tmp_path: Path, forks: Any) -> None:
    """Without told levels, story or periods, and for a bare market, it is whole; without a map it asks."""
    notebook = next(n for n in NOTEBOOKS if n.stem == "06_case_study")
    *changed, bare = run(notebook, [*OF_THE_CASE_STUDY, *WHOLE_OF_THE_CASE_STUDY], tmp_path, forks)
    assert bare["error"] is None, bare
    assert len(changed) == len(OF_THE_CASE_STUDY) + len(WHOLE_OF_THE_CASE_STUDY)
    for end in changed:
        if end["changed"] in WHOLE_OF_THE_CASE_STUDY:
            assert end["error"] is None, end
        else:
            assert end["error"] is not None and asked_for(end), end
    named = {name for change in [*OF_THE_CASE_STUDY, *WHOLE_OF_THE_CASE_STUDY] for name in change}
    assert named == {line.partition(":")[0] for line in parameters(notebook)}
