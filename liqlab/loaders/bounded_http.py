"""A request with an end: a total time over connecting, head and body, and a largest body, read in pieces.

A time-out of `requests` is one of a single wait: a server that sends a byte every few seconds never meets it. So a
watch beside every request closes its connection when its time is over.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from liqlab.loaders.bounded_streams import in_words

__all__ = ["OverdueError", "TooLargeError", "adapter", "read_body", "watched"]

PIECE = 1 << 16  # bytes
_watching = threading.local()


class OverdueError(Exception):
    """The total time of a request is over."""


class TooLargeError(Exception):
    """A body is larger than what is read."""


class _Watch:
    """Closes the connections of one request at its end, so that whoever waits for them wakes up."""

    def __init__(self, seconds: float) -> None:
        self.over, self._sockets, self._lock = False, list[Any](), threading.Lock()
        self._ends, self._timer = time.monotonic() + seconds, threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def add(self, connection: Any) -> None:
        with self._lock:
            self._sockets.append(connection)
        if self.over:
            self._end()

    def _end(self) -> None:
        self.over = True
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(each, socket.SHUT_RDWR)

    def check(self) -> None:
        if self.over or time.monotonic() > self._ends:
            raise OverdueError

    def stop(self) -> None:
        self._timer.cancel()


@contextlib.contextmanager
def watched(seconds: float) -> Iterator[_Watch]:
    """Everything that this thread asks for inside ends after `seconds`, with `OverdueError`."""
    watch = _watching.now = _Watch(seconds)
    try:
        yield watch
    except Exception:
        if watch.over:
            raise OverdueError from None
        raise
    finally:
        _watching.now = None
        watch.stop()


@cache
def adapter() -> type:
    """The adapter's class, made on first use: connections that the watch of their thread knows."""
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class _Watched:
        def _new_conn(self) -> Any:
            return _within(self.timeout, super()._new_conn, self)  # type: ignore[attr-defined,misc]

        def getresponse(self) -> Any:
            watch = getattr(_watching, "now", None)
            if watch is not None and self.sock is not None:  # type: ignore[attr-defined]
                watch.add(self.sock)  # type: ignore[attr-defined]
            return super().getresponse()  # type: ignore[misc]

    class _Plain(_Watched, HTTPConnection):
        pass

    class _Secure(_Watched, HTTPSConnection):
        pass

    pools = {"http": type("_PlainPool", (HTTPConnectionPool,), {"ConnectionCls": _Plain}),
             "https": type("_SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": _Secure})}  # fmt: skip

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **options)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
            manager = super().proxy_manager_for(*args, **options)
            manager.pool_classes_by_scheme = pools
            return manager

    return Adapter


def _within(seconds: Any, connect: Callable[[], Any], connection: Any) -> Any:
    """A socket of `connect`, within so many seconds [s] for looking the name up and for all of its addresses.

    A look-up cannot be stopped: it is left behind in its thread.
    """
    from urllib3.exceptions import ConnectTimeoutError

    if not isinstance(seconds, int | float):
        return connect()
    done: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((connect(), None))
        except BaseException as error:
            done.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        found, error = done.get(timeout=seconds)
    except queue.Empty:
        raise ConnectTimeoutError(connection, f"no connection within {seconds:g} s") from None
    if error is not None:
        raise error
    return found


def read_body(response: Any, largest: int, watch: _Watch) -> None:
    """Read the body of a streamed response into it, in pieces.

    Raises
    ------
    TooLargeError
        As soon as it is more than `largest` bytes, packed or unpacked; the message names both.
    OverdueError
        Where the time of the watch is over.
    """
    body = bytearray()
    stated = str(response.headers.get("Content-Length", ""))
    if stated.isdigit() and (len(stated) > 15 or int(stated) > largest):
        response.close()
        raise TooLargeError(f"the answer is larger than {in_words(largest)}, the most that is read")
    for piece in response.iter_content(PIECE):
        body += piece
        watch.check()
        if len(body) > largest:
            response.close()
            raise TooLargeError(f"the answer is larger than {in_words(largest)}, the most that is read")
    watch.check()  # a connection that was closed in between looks like the end of the answer
    response._content, response._content_consumed = bytes(body), True
