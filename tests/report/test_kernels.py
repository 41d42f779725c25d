"""A notebook that hangs, shouts or crashes, and a report that is stopped: no process stays, and no file is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from liqlab.cli import app
from liqlab.report.build import ReportError, build_page, build_site
from liqlab.report.kernels import Bounds, allowed
from liqlab.report.page_record import read_report, write_report
from liqlab.report.pages import Page
from liqlab.report.run import run_pages
from liqlab.report.site import sweep, work_folder
from tests.small_site import write_notebook

SEED = "seed: int = 1  # told"
TELL = "import os, pathlib\npathlib.Path(os.environ.get('LIQLAB_TOLD', 'pid') + str(os.getpid())).touch()"
HANG = "import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
HANG += "import pathlib\npathlib.Path(f'pid{child.pid}').touch()\nwhile True: pass"
FORKED = "# where two pages name holoviews, their kernels are forked"
pytestmark = [pytest.mark.skipif(sys.platform == "win32", reason="process groups"), pytest.mark.timeout(300)]


def alive(folder: Path) -> list[int]:
    """Which of the processes that left a file with their number still run."""
    found = []
    for path in folder.glob("pid*"):
        stat = Path(f"/proc/{path.name[3:]}/stat")
        if stat.is_file() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
            found.append(int(path.name[3:]))
    return found


def gone(folder: Path, within: float = 10.0) -> bool:
    deadline = time.monotonic() + within
    while alive(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(folder)


def test_what_hangs_shouts_or_crashes_ends_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebooks = tmp_path / "notebooks"
    write_notebook(notebooks / "00_plain.ipynb", "# What is plain?", SEED, "print(seed)")
    build_site("site", notebooks=notebooks)
    before = (tmp_path / "site" / "report.json").read_bytes()
    write_notebook(notebooks / "01_hangs.ipynb", "# What hangs?", SEED, TELL, HANG, FORKED)
    write_notebook(
        notebooks / "02_shouts.ipynb", "# What shouts?", SEED, TELL, "while True: print('x' * 100_000)", FORKED
    )
    write_notebook(notebooks / "03_crashes.ipynb", "# What crashes?", SEED, TELL, "os._exit(7)")
    began = time.monotonic()
    with pytest.raises(ReportError) as error:
        build_site("site", notebooks=notebooks, time_limit=15, output_limit=3)
    told = str(error.value)
    assert "01_hangs: it ran longer than 15 s; make it shorter, or pass --time-limit" in told
    assert "02_shouts: it showed more than 3 MB; print less, or pass --output-limit" in told
    assert "03_crashes: " in told and "site is as it was" in told
    assert time.monotonic() - began < 150
    assert len(list(tmp_path.glob("pid*"))) == 4 and gone(tmp_path)
    assert (tmp_path / "site" / "report.json").read_bytes() == before
    assert not list(tmp_path.glob(".site-*"))


@pytest.mark.parametrize("forked", [False, True], ids=["started", "forked"])
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_a_report_that_is_stopped_takes_its_kernels_along(by: signal.Signals, forked: bool, tmp_path: Path) -> None:
    notebooks = tmp_path / "notebooks"
    more = (FORKED,) if forked else ()
    write_notebook(notebooks / "01_hangs.ipynb", "# What hangs?", SEED, TELL, HANG, *more)
    write_notebook(notebooks / "02_waits.ipynb", "# What waits?", SEED, *more)
    command = [sys.executable, "-m", "liqlab.cli", "report", "--jobs", "1", "--notebooks", str(notebooks)]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as report:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.glob("pid*"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(alive(tmp_path)) == 2
        report.send_signal(by)
        code = report.wait(90)
        said = report.stderr.read() if report.stderr else ""
    assert gone(tmp_path)
    assert code == (143 if by == signal.SIGTERM else -signal.SIGKILL), said
    assert "Traceback" not in said
    left = list(tmp_path.glob(".site-*"))
    assert bool(left) == (by == signal.SIGKILL)
    sweep(tmp_path / "site")
    assert not list(tmp_path.glob(".site-*"))


def test_kernels_get_what_they_need_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"AWS_SECRET_ACCESS_KEY": "s3cret", "LIQLAB_BINANCEUSDM_KEY": "s3cret", "GITHUB_TOKEN": "s3cret",
               "HTTPS_PROXY": "http://u:s3cret@127.0.0.1:9", "SOME_SERVICE": "s3cret"}  # fmt: skip
    for name, value in {**secrets, "LIQLAB_STORE": str(tmp_path), "MINE": "1", "LIQLAB_KERNEL_ENV": "MINE"}.items():
        monkeypatch.setenv(name, value)
    notebook = write_notebook(tmp_path / "n.ipynb", "# What is there?", SEED,
                              "import json, os\nprint(json.dumps(dict(os.environ)))")  # fmt: skip
    (run,) = run_pages([Page("n", notebook)], folder=tmp_path / "out", jobs=1)
    assert run.error == ""
    outputs = [o for cell in json.loads(run.path.read_text())["cells"] for o in cell.get("outputs", ())]
    seen = json.loads("".join(outputs[-1]["text"]))
    assert "s3cret" not in json.dumps(seen)
    assert seen["LIQLAB_STORE"] == str(tmp_path) and seen["MINE"] == "1" and {"PATH", "HOME"} <= set(seen)
    assert "HTTPS_PROXY" in allowed(os.environ, network=True) and "HTTPS_PROXY" not in seen


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_folder_in_use_stays_and_a_site_that_was_set_aside_comes_back(tmp_path: Path) -> None:
    target = tmp_path / "site"
    with work_folder(target) as work:
        sweep(target)
        assert work.is_dir()
    left = tmp_path / ".site-abcd1234"
    (left / "old" / "_notebooks").mkdir(parents=True)
    (left / "old" / "index.html").write_text("the old one")
    (left / ".in-use").touch()
    (tmp_path / ".site-mine0000").mkdir()  # none of ours: there is no lock in it
    sweep(target)
    assert (target / "index.html").read_text() == "the old one"
    assert [path.name for path in tmp_path.glob(".site-*")] == [".site-mine0000"]


@pytest.fixture
def fake_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from liqlab.report.run import Run

    def write(executed: Path, *, page: Page, folder: Path) -> Path:
        (folder / "x.html").write_text('<meta name="generator" content="liqlab">')
        return folder / "x.html"

    monkeypatch.setattr("liqlab.report.run.run_pages", lambda pages, **_: [Run(page.name, Path(), 0) for page in pages])
    monkeypatch.setattr("liqlab.report.single_page.write_page", write)


@pytest.mark.usefixtures("fake_run")
def test_a_page_takes_the_place_of_pages_alone(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "n.ipynb", "# What is there?", SEED)
    target = tmp_path / "thesis.html"
    target.write_text("years of work")
    with pytest.raises(ReportError, match=r"thesis\.html is a file that no report has written; pass --force"):
        build_page(notebook, target)
    assert target.read_text() == "years of work"
    build_page(notebook, target, force=True)
    assert build_page(notebook, target).read_text().startswith("<meta")
    for place in ("/dev/null", "/dev/full"):
        for force in (False, True):
            with pytest.raises(ReportError, match="is no file but a device or the like"):
                build_page(notebook, place, force=force)
    with pytest.raises(ReportError, match="is a folder; pass --output with the file"):
        build_page(notebook, tmp_path)


def test_a_report_is_strict_json(tmp_path: Path) -> None:
    page = {
        "page": "x",
        "picture": False,
        "key": None,
        "seconds": float("nan"),
        "parameters": {"a": [float("inf"), 1.5]},
    }
    write_report(tmp_path, [page], "now")

    def refuse(name: str) -> Any:
        raise AssertionError(name)

    told = json.loads((tmp_path / "report.json").read_text(), parse_constant=refuse)
    assert told["pages"][0]["parameters"] == {"a": [None, 1.5]} and set(read_report(tmp_path)) == {"x"}
    for text in ("[" * 100_000, '{"pages": [{"page": "x"}]}', '{"pages": 7}', "[]", ""):
        (tmp_path / "report.json").write_text(text)
        assert read_report(tmp_path) == {}


BAD_NOTEBOOKS = {
    "": "is no notebook: not JSON", "{": "is no notebook: not JSON", "[" * 100_000: "is no notebook: not JSON",
    "[]": "no notebook of format 4: it has no list of cells", '{"cells": [1]}': "it has no list of cells",
    '{"cells": []}': "it lacks metadata or nbformat", "9" * 5_000: "is no notebook: not JSON",
}  # fmt: skip
BAD_CASES = {
    "&a [*a]": "is nested more than 20 deep, or refers to itself", "[" * 5_000: "is nested more than 20|is not YAML",
    "x: " + "9" * 5_000: "is not YAML", "a: {b: [": "is not YAML", "1: 2": "has the name 1, which is no text",
    "a: !!binary aGk=": "holds bytes, where text", "- 1": "must hold `name: value`", "": "must hold `name: value`",
    "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
    "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*d,*d,*d,*d,*d,*d,*d,*d]":
        "holds more than 100,000 values",
    "x" * 1_100_000: "is larger than 1 MB",
}  # fmt: skip


@pytest.mark.parametrize("text", BAD_NOTEBOOKS, ids=range(len(BAD_NOTEBOOKS)))
def test_what_is_no_notebook_is_refused_in_words(text: str, tmp_path: Path) -> None:
    (tmp_path / "n.ipynb").write_text(text)
    said = CliRunner().invoke(app, ["page", str(tmp_path / "n.ipynb")])
    assert said.exit_code == 1 and BAD_NOTEBOOKS[text] in said.output and "save it again in Jupyter" in said.output
    assert isinstance(said.exception, SystemExit)


@pytest.mark.parametrize("text", BAD_CASES, ids=range(len(BAD_CASES)))
def test_what_is_no_case_is_refused_in_words(text: str, tmp_path: Path) -> None:
    import liqlab as lq

    file = tmp_path / "c.yml"
    file.write_text(text)
    said = CliRunner().invoke(app, ["page", str(file)])
    assert said.exit_code == 1 and isinstance(said.exception, SystemExit)
    assert any(words in said.output for words in BAD_CASES[text].split("|"))
    with pytest.raises(ValueError, match=r"c\.yml"):
        lq.read_case(str(file))


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    notebooks = tmp_path / "n"
    write_notebook(notebooks / "00_plain.ipynb", "# What is plain?", SEED)
    for command in (["report", "--notebooks", str(notebooks)], ["page", str(notebooks / "00_plain.ipynb")]):
        said = CliRunner().invoke(app, [*command, "--output", str(tmp_path / "file" / "x")])
        assert said.exit_code == 1 and "cannot be written" in said.output and isinstance(said.exception, SystemExit)
    for option in ("--time-limit", "--output-limit"):
        said = CliRunner().invoke(app, ["report", "--notebooks", str(notebooks), option, "-1"])
        assert said.exit_code == 1 and "must be a number > 0" in said.output
    assert Bounds().seconds == 1800
