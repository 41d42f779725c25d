"""A watch from the command line: where alerts go, and how it ends."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from liqlab.app._alerts import Alert
from liqlab.app._watch import watch
from liqlab.app.deliveries import to_command, to_log, to_stderr, to_terminal, to_webhook
from liqlab.app.rules import USUAL, rules_of

__all__ = ["run"]


def run(
    symbols: Sequence[str],
    *,
    to: tuple[Path | None, str | None, str | None],
    rules: Sequence[str] | None,
    speed: float,
    **options: Any,
) -> int:
    """Watch until the replay is over or somebody ends it; the number of alerts.

    Parameters
    ----------
    symbols : list of str
    to : (path, str, str)
        Log, command as one line, and address of a webhook; None: not wanted. The terminal gets every alert.
    rules : list of str, optional
    speed : float
        Of a replay; 0 does not wait.
    **options
        As in `watch`.
    """
    if not symbols and options["replay"] is None:
        raise ValueError("nothing to watch; pass a symbol such as BTC/USDT:USDT, or --replay btc-2025-10")
    log, command, webhook = to
    receivers: list[Callable[[Alert], None]] = [to_terminal]
    if log is not None:
        receivers.append(to_log(log))
    if command is not None:
        receivers.append(to_command(shlex.split(command)))
    if webhook:
        receivers.append(to_webhook(webhook))
    wanted = rules_of(rules or USUAL)
    watching = watch(list(symbols) or "", rules=[str(rule) for rule in wanted], to=receivers, speed=speed or None,
                     **options)  # fmt: skip
    what = options["replay"] or ", ".join(symbols)
    to_stderr(f"watching {what}: {'; '.join(map(str, wanted))}")

    async def count() -> int:
        return len([None async for _ in watching])

    return asyncio.run(count())
