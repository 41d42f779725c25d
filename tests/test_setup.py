"""The environment files agree with each other, and what is committed names no machine and no registry."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from research import api_snapshot

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_EXTRAS = ("report", "lab", "fetch", "research")
# written in halves, because this file is searched too
REGISTRIES = ["pypi" + ".org", "python" + "hosted.org", "conda." + "anaconda.org", "npm" + "js.org", "index" + "-url="]
MACHINE = re.compile(r"(?<![\w.])/(home|root|Users|work)/\w")
BINARY = {".parquet", ".png", ".feather", ".gz", ".zst", ".ico"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(*extras: str) -> dict[str, Requirement]:
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    return {canonical(Requirement(line).name): Requirement(line) for line in lines}


def committed() -> list[Path]:
    """Files that are, or are about to be, under version control."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a clone: nothing tells which files are committed")
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_conda_environment_equals_pyproject() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == "liqlab" and environment["channels"] == ["conda-forge", "nodefaults"]
    packages = {line.split()[0]: line for line in environment["dependencies"] if isinstance(line, str)}
    assert packages.pop("pip") == "pip"
    assert packages.pop("python") == f"python {PROJECT['requires-python']}"
    wanted = {need.name: need.specifier for need in requirements(*CONDA_EXTRAS).values()}
    found = {name: SpecifierSet(line.partition(" ")[2]) for name, line in packages.items()}
    assert found == wanted
    assert environment["dependencies"][-1] == {"pip": ["-e ."]}


def test_conda_reads_every_line() -> None:
    rattler = pytest.importorskip("rattler")
    for line in yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]:
        if isinstance(line, str):
            spec = rattler.MatchSpec(line, strict=True)
            assert spec.name is not None


def test_lock_has_hashes_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text and "--index" not in text and "--find-links" not in text
    entries = re.split(r"\n(?=[a-z0-9])", text)
    assert all("--hash=sha256:" in entry for entry in entries)


def test_lock_satisfies_pyproject() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", text, re.MULTILINE))
    for name, need in requirements(*PROJECT["optional-dependencies"]).items():
        assert name in locked, f"{name} is not locked; run `make lock`"
        assert need.specifier.contains(locked[name]), f"{need} is locked at {locked[name]}; run `make lock`"


def test_committed_files_name_no_machine_and_no_registry() -> None:
    for path in committed():
        if path.suffix in BINARY:
            continue
        text = path.read_text(encoding="utf-8")
        found = MACHINE.search(text)
        assert not found, f"{path.relative_to(ROOT)} names a folder of one machine: {text[found.start() :][:60]!r}"
        named = [host for host in REGISTRIES if host in text]
        assert not named, f"{path.relative_to(ROOT)} names a registry: {named}"


def test_notebooks_are_committed_without_outputs() -> None:
    for path in (ROOT / "notebooks").rglob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            assert not cell.get("outputs") and cell.get("execution_count") is None, f"{path.name} holds outputs"
        assert "widgets" not in notebook["metadata"] and "papermill" not in notebook["metadata"]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_help_lists_the_targets() -> None:
    told = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout
    for target in ("report", "test", "test-all", "lab", "bench", "lock", "clean"):
        assert f"make {target} " in told
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111, ".ci/run must be executable"


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_what_there_is(path: Path) -> None:
    """Targets of the Makefile, files that exist, commands and options of liqlab, pages that can be built."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    commands = api_snapshot.snapshot()[api_snapshot.COMMANDS]
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    steps = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert steps
    for step in steps:
        if step.startswith("make "):
            assert step.removeprefix("make ") in targets
        elif step.startswith("bash "):
            assert (ROOT / step.removeprefix("bash ")).is_file()
        else:
            typed = step.removeprefix(".venv/bin/")
            name = max((name for name in commands if typed.startswith(f"{name} ")), key=len)
            known = commands[name].replace("/", " ").split()
            assert name != "liqlab"
            assert {word for word in step.split() if re.match(r"-{1,2}[a-z]", word)} <= {*known, "-d", "-u"}, step


def test_hooks_are_local_and_use_the_locked_tools() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert [repo["repo"] for repo in yaml.safe_load(text)["repos"]] == ["local"] and "://" not in text
    (hooks,) = [repo["hooks"] for repo in yaml.safe_load(text)["repos"]]
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for hook in hooks:
        tool = re.match(r"\.venv/bin/(\w+)", hook["entry"])
        assert hook["language"] == "python" if tool is None else f"\n{tool[1]}==" in locked
