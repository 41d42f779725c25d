"""Kernels forked from a warm interpreter: nothing leaks from page to page, and each is a kernel like any other."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from typing import Any

import pytest

from liqlab.report.forked_kernels import ForkedKernel, connect, fork_kernel
from liqlab.report.pages import Page
from liqlab.report.run import run_pages
from liqlab.report.warm_kernels import WarmKernels
from tests.small_site import SETUP, write_notebook

SEED = "seed: int = 1  # told"
MARK = """import os, random, sys, warnings
import liqlab as lq
import matplotlib.pyplot as plt
pd.set_option("display.max_rows", 7)
hv.opts.defaults(hv.opts.Curve(color="red"))
np.random.seed(3); random.seed(3); np.seterr(all="raise")
warnings.simplefilter("error")
os.environ["LIQLAB_MARK"] = "left"
sys.modules["left_behind"] = os
pd.DataFrame.left = lq.left = left = 1
lq.heatmap = None
os.chdir("elsewhere")
plt.plot([1, 2])"""
TELL = """import json, os, random, sys, threading, warnings
import liqlab as lq
tasks = f"/proc/{os.getppid()}/task"
print(json.dumps({
    "parent": os.getppid(), "group": os.getpgid(0) == os.getpid(), "rows": pd.get_option("display.max_rows"),
    "environment": dict(os.environ), "environment of the parent": open(f"/proc/{os.getppid()}/environ").read(),
    "left": [hasattr(pd.DataFrame, "left"), hasattr(lq, "left"), "left_behind" in sys.modules, "left" in globals()],
    "heatmap": callable(lq.heatmap), "folder": os.getcwd(), "errors": np.geterr()["divide"],
    "curve": str(hv.Store.lookup_options("bokeh", hv.Curve([]), "style").kwargs.get("color")),
    "drawn": [float(np.random.random()), random.random()], "filters": str(warnings.filters[0]),
    "path": sys.path, "files": sorted(os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")),
    "threads of the parent": [open(f"{tasks}/{n}/comm").read().strip() for n in os.listdir(tasks)]}))"""
DRAW = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kernels are forked on Linux alone"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What three pages showed that were run one after the other, the second of which leaves marks."""
    folder = tmp_path_factory.mktemp("warm")
    (folder / "elsewhere").mkdir()
    cells = {"1_before": (TELL,), "2_marks": (MARK,), "3_after": (TELL, DRAW)}
    pages = [
        Page(name, write_notebook(folder / f"{name}.ipynb", "# What is left?", SEED, SETUP, *code))
        for name, code in cells.items()
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("LIQLAB_OKX_SECRET", "s3cret")
        runs = run_pages(pages, folder=folder / "out", jobs=1)
    assert [run.error for run in runs] == ["", "", ""]
    return {run.name: [o for cell in json.loads(run.path.read_text())["cells"] for o in cell.get("outputs", ())]
            for run in runs}  # fmt: skip


@pytest.fixture(scope="module")
def told(outputs: dict[str, list[Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    def said(name: str) -> dict[str, Any]:
        texts = ("".join(o["text"]) for o in outputs[name] if o["output_type"] == "stream" and o["name"] == "stdout")
        return json.loads("".join(texts))

    return said("1_before"), said("3_after")


def test_nothing_leaks_from_page_to_page(told: tuple[dict[str, Any], dict[str, Any]]) -> None:
    before, after = told
    assert before["parent"] == after["parent"] not in (os.getpid(), 1)  # one interpreter has forked both
    assert before.pop("drawn") != after.pop("drawn")
    for one in (before, after):
        # without sockets and pipes, and what IPython's history opens in a thread, sooner or later
        files = {name for name in one["files"] if not name.startswith("/proc/") and "history.sqlite" not in name}
        one["files"] = sorted(files)
        one["environment"].pop("JPY_SESSION_NAME", None)
    assert before == after
    assert after["left"] == [False] * 4 and after["heatmap"] and after["group"]


def test_the_warm_interpreter_holds_no_secret_and_no_thread(told: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert "s3cret" not in json.dumps(told) and "LIQLAB_MARK" not in json.dumps(told)
    # Arrow's allocator keeps a thread of its own, and looks after it at a fork
    assert [name for name in told[1]["threads of the parent"] if "jemalloc" not in name] == ["python"]


def test_what_a_page_draws_with_pyplot_is_shown(outputs: dict[str, list[Any]]) -> None:
    assert any("image/png" in output.get("data", {}) for output in outputs["3_after"])
    assert any("application/vnd.holoviews_load.v0+json" in output.get("data", {}) for output in outputs["3_after"])


def test_without_the_warm_interpreter_a_kernel_is_started_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liqlab.report.forked_kernels._WARM", [])
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "x.json"]
    assert fork_kernel(command, environment={}, folder=".") is None
    (asked, requests), (answers, told) = (multiprocessing.Pipe(duplex=False) for _ in range(2))
    told.close()  # it has died
    connect(WarmKernels(requests, answers, multiprocessing.Lock()))
    assert fork_kernel(command, environment={}, folder=".") is None
    assert fork_kernel(["julia", *command[1:]], environment={}, folder=".") is None
    asked.close()


def test_a_kernel_that_is_no_child_is_watched_and_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        kernel = ForkedKernel(process.pid)
        assert kernel.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            kernel.wait(0.01)
        kernel.kill()
        assert kernel.wait(10) == kernel.poll() == 1
    kernel.terminate()  # nobody is there any more
