"""Workers of a Dask scheduler that the user runs: the same calls, the same answers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice

from liqlab.app.one_market import Answer, Call, look_at
from liqlab.market.extras import require

__all__ = ["on_dask"]

TRIES, WAIT_S, AHEAD = 2, 10, 2


def on_dask(calls: Mapping[str, Call], scheduler: str) -> Iterator[tuple[str, Answer]]:
    """Answers as they come, in whatever order; never more than twice as many markets out as there are threads.

    Where a worker is lost, the scheduler itself gives its market to another one, and gives up after as many losses as
    its own setting ``distributed.scheduler.allowed-failures`` says.

    Parameters
    ----------
    calls : mapping of name to Call
    scheduler : str
        ``tcp://host:8786``.

    Raises
    ------
    ImportError
        Where the extra ``scan`` is not installed.
    ConnectionError
        Where nobody answers there, or the scheduler has no workers.
    """
    distributed = require("distributed", "lq.scan(scheduler=…)")
    try:
        client = distributed.Client(scheduler, timeout=WAIT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ConnectionError(f"no Dask scheduler answers at {scheduler!r} ({error}); start one with `dask scheduler` "
                              "and `dask worker ADDRESS`, or leave scheduler out") from error  # fmt: skip
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise ConnectionError(f"the Dask scheduler at {scheduler} has no workers; start some with "
                                  f"`dask worker {scheduler}`")  # fmt: skip
        waiting, names = iter(calls.items()), {}
        running = distributed.as_completed(loop=client.loop)

        def submit(name: str, call: Call, notes: list[str]) -> None:
            future = client.submit(look_at, call, key=f"liqlab-scan-{uuid.uuid4().hex}", pure=False)
            names[future.key] = name, call, notes
            running.add(future)

        for name, call in islice(waiting, AHEAD * threads):
            submit(name, call, [])
        for future in running:
            name, call, notes = names.pop(future.key)
            answer = _answer(future)
            if answer.again and len(notes) < TRIES - 1:
                submit(name, call, [*notes, f"tried again, because at first: {answer.reason}"])
                continue
            yield name, replace(answer, notes=[*notes, *answer.notes])
            if (more := next(waiting, None)) is not None:
                submit(*more, [])


def _answer(future: object) -> Answer:
    """What a task gave; where it gave nothing, why."""
    try:
        return future.result()  # type: ignore[attr-defined]
    except Exception as error:  # `look_at` never raises: the worker was lost, or cannot import liqlab
        text = " ".join(str(error).split())
        return Answer(reason=f"{type(error).__name__}: {text}", again=True)
