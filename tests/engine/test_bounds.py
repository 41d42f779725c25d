"""No kernel reads or writes outside of an array: run once with numba's bounds checks, equal to a run without them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LONG

ROOT = Path(__file__).parents[2]


def ran(folder: Path, *, checks: bool) -> dict[str, Any]:
    """What `kernels_run` says in a process of its own, compiled into a cache of its own."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / f"checks {checks}"),
                   "NUMBA_BOUNDSCHECK": str(int(checks))}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.kernels_run"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


@pytest.mark.timeout(7200)
@pytest.mark.skipif(not LONG, reason="compiles every kernel twice; LIQLAB_LONG=1 runs it")
def test_no_kernel_leaves_its_arrays(tmp_path: Path) -> None:
    checked, plain = ran(tmp_path, checks=True), ran(tmp_path, checks=False)
    assert checked["checked"] and not plain["checked"]
    assert checked["not run"] == plain["not run"] == []
    assert checked["digests"] == plain["digests"] and len(plain["digests"]) == 13
