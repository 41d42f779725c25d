"""Workers on this machine: a process each, one market at a time, tried once more where its process has ended."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import IO, cast

from liqlab.app.one_market import Answer, Call

__all__ = ["on_this_machine"]

TRIES = 2


def on_this_machine(calls: Mapping[str, Call], workers: int) -> Iterator[tuple[str, Answer]]:
    """Answers as they come, in whatever order.

    Parameters
    ----------
    calls : mapping of name to Call
    workers : int
        Processes at once, each on one core.
    """
    todo: queue.SimpleQueue[tuple[str, Call]] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, Answer] | BaseException] = queue.SimpleQueue()
    for each in calls.items():
        todo.put(each)
    stop, hands = Event(), [_Hand() for _ in range(min(workers, len(calls)))]
    threads = [Thread(target=_serve, args=(hand, todo, done, stop), daemon=True) for hand in hands]
    try:
        for thread in threads:
            thread.start()
        for _ in calls:
            got = done.get()
            if isinstance(got, BaseException):
                raise got
            yield got
    finally:
        stop.set()
        for hand in hands:
            hand.end()
        for thread in threads:
            thread.join()


def _serve(
    hand: _Hand, todo: queue.SimpleQueue[tuple[str, Call]],
    done: queue.SimpleQueue[tuple[str, Answer] | BaseException], stop: Event,
) -> None:  # fmt: skip
    """Hand one market after the other to a worker."""
    try:
        while not stop.is_set():
            try:
                name, call = todo.get_nowait()
            except queue.Empty:
                break
            notes: list[str] = []
            for attempt in range(1, TRIES + 1):
                answer = hand.ask(call)
                if not answer.again or attempt == TRIES or stop.is_set():
                    break
                notes.append(f"tried again, because at first: {answer.reason}")
            done.put((name, replace(answer, notes=[*notes, *answer.notes])))
    except BaseException as error:  # e.g. a market that cannot be pickled: the caller's thread raises it
        done.put(error)
    finally:
        hand.end()


class _Hand:
    """A worker process, started when it is first asked and again after it has ended."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, call: Call) -> Answer:
        message = pickle.dumps(call, protocol=pickle.HIGHEST_PROTOCOL)
        process = self.process = self.process or _start()
        try:
            calls, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
            calls.write(message)
            calls.flush()
            return cast("Answer", pickle.load(answers))
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):  # it has ended, or was ended
            self.end()
            return Answer(reason=f"its worker process ended ({_ending(process.wait())})", again=True)

    def end(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # what was still to be written to a process that is no more
                cast("IO[bytes]", pipe).close()


def _start() -> subprocess.Popen[bytes]:
    """A process in a session of its own, so that Ctrl-C comes to the caller alone; on one core, as told in `scan`."""
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    threads = dict.fromkeys(("LIQLAB_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return subprocess.Popen([sys.executable, "-m", "liqlab.app.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            env={**os.environ, **threads, "PYTHONPATH": path}, start_new_session=True)  # fmt: skip


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
