"""Hypothesis: the same examples on every run, few by default, many with LIQLAB_LONG=1."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "liqlab",
    derandomize=True,
    deadline=None,
    max_examples=1_000 if os.environ.get("LIQLAB_LONG") == "1" else 25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
settings.load_profile("liqlab")
