"""Counts: few by default, many with LIQLAB_LONG=1. Hypothesis takes the same examples on every run."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

LONG = os.environ.get("LIQLAB_LONG") == "1"
if LONG:
    os.environ.setdefault("PYTEST_TIMEOUT", "7200")  # seconds a test; the short counts have theirs in pyproject.toml

settings.register_profile(
    "liqlab",
    derandomize=True,
    deadline=None,
    max_examples=1_000 if LONG else 25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
settings.load_profile("liqlab")

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # as the report does: 3 s a worker

SPREAD = {"test_notebooks_run.py"}  # their tests share nothing, so any worker may take any of them


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``--dist loadgroup`` the tests of a file stay together, as they share what its fixtures make."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            if item.path.name not in SPREAD:
                item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
