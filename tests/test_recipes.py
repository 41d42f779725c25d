"""Recipes of CONTRIBUTING.md: each recorded patch, applied in a copy of the tree, passes the tests that it names."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATCHES = sorted((ROOT / "docs" / "patches").glob("*.patch"))
COPIED = ("liqlab", "tests", "research", "notebooks", "data", "pyproject.toml", "README.md")
pytestmark = [
    pytest.mark.skipif(shutil.which("git") is None, reason="git applies the patches"),
    pytest.mark.timeout(900),
]


def changed(patch: Path) -> list[str]:
    return re.findall(r"^diff --git a/\S+ b/(\S+)$", patch.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree with all patches applied."""
    folder = tmp_path_factory.mktemp("copy")
    # compiled kernels come along: a copied file keeps the time by which numba knows it
    apart = shutil.ignore_patterns("*.pyc", "_shipped", ".ipynb_checkpoints")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=apart)
        else:
            shutil.copy(ROOT / name, folder / name)
    for patch in PATCHES:
        command = ["git", "apply", "--recount", "-C1", str(patch)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{patch.name} no longer applies; record it anew: {done.stderr}"
    return folder


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_the_table_says_how_many_files_a_recipe_takes(patch: Path) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (row,) = [line for line in page.splitlines() if f"(docs/patches/{patch.name})" in line]
    assert int(row.split("|")[2]) == len(changed(patch))
    for name in changed(patch):
        assert Path(name).parent.as_posix() in row, f"the row does not say where {name} lies"


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_recipe_passes_the_tests_that_it_names(patch: Path, copy: Path) -> None:
    tests = re.search(r"^Tests: (.+)$", patch.read_text(encoding="utf-8"), re.MULTILINE)[1].split()
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    paths = os.pathsep.join(filter(None, [str(copy), os.environ.get("PYTHONPATH")]))
    inside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        command, cwd=copy, env={**inside, "PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert re.search(r"\b[1-9]\d* passed", done.stdout), done.stdout[-500:]
