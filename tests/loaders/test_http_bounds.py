"""Servers that never stop, hardly begin, or send something else: each ends in time, in memory and in words."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
import pytest

from liqlab.loaders import download, http

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Say = Callable[[socket.socket], None]


@pytest.fixture
def server() -> Iterator[Callable[[Say], str]]:
    """Answers every connection by a function; gives the address."""
    listening: list[socket.socket] = []

    def start(say: Say) -> str:
        door = socket.create_server(("127.0.0.1", 0))
        listening.append(door)

        def serve() -> None:
            while True:
                try:
                    guest, _ = door.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(guest,), daemon=True).start()

        def answer(guest: socket.socket) -> None:
            with guest, suppress(OSError):
                guest.recv(65536)
                say(guest)

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{door.getsockname()[1]}/x"

    start.doors = listening  # type: ignore[attr-defined]
    yield start
    for door in listening:
        door.close()


@pytest.fixture(autouse=True)
def _policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "wait_seconds", lambda seconds: None)
    monkeypatch.setattr(http, "RETRY_POLICY", http.RetryPolicy(attempts=2, first=0.001, read=5.0, total=0.7,
                                                              largest=3_000_000, largest_file=4_000_000))  # fmt: skip
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def endless(guest: socket.socket) -> None:
    guest.sendall(HEAD + b"\r\n[")
    while True:
        guest.sendall(b"1," * 50_000)


def endless_chunks(guest: socket.socket) -> None:
    guest.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        guest.sendall(b"10000\r\n" + b"1" * 65536 + b"\r\n")


def _zeros() -> bytes:
    """400 MB of zeros, packed a piece at a time."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return b"".join([packer.compress(bytes(1_000_000)) for _ in range(400)]) + packer.flush()


ZEROS = _zeros()


def packed(guest: socket.socket) -> None:
    body = ZEROS
    guest.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def large(guest: socket.socket) -> None:
    guest.sendall(HEAD + b"Content-Length: 99999999999999999999\r\n\r\n1")
    time.sleep(5)


def drip(guest: socket.socket) -> None:
    guest.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
    while True:
        guest.sendall(b"1")
        time.sleep(0.05)


def drip_of_heads(guest: socket.socket) -> None:
    guest.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
    while True:
        guest.sendall(b"1")
        time.sleep(0.05)


def silent(guest: socket.socket) -> None:
    time.sleep(10)


def around(guest: socket.socket) -> None:
    guest.sendall(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def around_with_a_body(guest: socket.socket) -> None:
    guest.sendall(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nConnection: close\r\n\r\n")
    while True:
        guest.sendall(bytes(100_000))


def deep(guest: socket.socket) -> None:
    guest.sendall(HEAD + b"Connection: close\r\n\r\n" + b"[" * 200_000)


def long_number(guest: socket.socket) -> None:
    guest.sendall(HEAD + b"Connection: close\r\n\r\n[" + b"9" * 5_000 + b"]")


HOSTILE: dict[str, tuple[Say, str]] = {
    "endless": (endless, "the answer is larger than 3 MB, the most that is read .*LIQLAB_HTTP_MAX_MB"),
    "endless chunks": (endless_chunks, "the answer is larger than 3 MB"),
    "packed": (packed, "the answer is larger than 3 MB"),
    "large": (large, "the answer is larger than 3 MB"),
    "drip": (drip, r"the answer took longer than 0.7 s \(LIQLAB_HTTP_TOTAL\) \(2 attempt"),
    "drip of heads": (drip_of_heads, "the answer took longer than 0.7 s"),
    "silent": (silent, "the answer took longer than 0.7 s"),
    "around": (around, "redirects without end .more than 5"),
    "around with a body": (around_with_a_body, "redirects without end"),
    "deep": (deep, "the answer is no whole JSON"),
    "long number": (long_number, "the answer is no whole JSON"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_every_answer_ends(kind: str, server: Any) -> None:
    say, message = HOSTILE[kind]
    web, url = http.session(), server(say)
    tracemalloc.start()
    began = time.monotonic()
    with pytest.raises(http.FetchError, match=message):
        http.get_json(web, url)
    took, peak = time.monotonic() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took < 10 and peak < 100_000_000
    deadline = time.monotonic() + 10
    while timers := [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]:
        assert time.monotonic() < deadline, timers
        time.sleep(0.01)


@pytest.mark.parametrize("kind", ["endless", "packed", "drip"])
def test_every_file_ends(kind: str, server: Any) -> None:
    with pytest.raises(http.FetchError, match=HOSTILE[kind][1].split(" (")[0].replace("3 MB", "4 MB").split(",")[0]):
        download.download(http.session(), server(HOSTILE[kind][0]))


def test_a_large_answer_within_the_limits_is_whole(server: Any) -> None:
    numbers = np.random.default_rng(1).integers(0, 9, 1_000_000).tolist()
    body = str(numbers).encode()[:2_900_000]
    body = body[: body.rfind(b",")] + b"]"

    def say(guest: socket.socket) -> None:
        guest.sendall(HEAD + b"Connection: close\r\n\r\n" + body)

    assert http.get_json(http.session(), server(say))[:5] == numbers[:5]


def test_certificates_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(http.FetchError, match=r"/nowhere/ca\.pem; certificates are named by SSL_CERT_FILE"):
        http.get_json(http.session(), "https://127.0.0.1:9/x")


def test_an_address_that_is_none() -> None:
    with pytest.raises(http.FetchError, match="the address is none; it begins with https://"):
        http.get_json(http.session(), "ftp://127.0.0.1:9/x")


def test_a_key_is_not_taken_to_another_host(server: Any) -> None:
    def say(guest: socket.socket) -> None:
        guest.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://localhost:9/y\r\nContent-Length: 0\r\n\r\n")

    with pytest.raises(http.FetchError, match="redirects to http://localhost, which is not followed with keys"):
        http.get_json(http.session(), server(say), headers={"X-KEY": "secret"})


# --- no network -------------------------------------------------------------------------------------------------------


@pytest.fixture
def full() -> Iterator[str]:
    """The address of a host that takes no more connections, as one behind a dead line."""
    with ExitStack() as held:
        door = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            guest = held.enter_context(socket.socket())
            guest.setblocking(False)
            guest.connect_ex(door.getsockname())
        yield f"http://127.0.0.1:{door.getsockname()[1]}/x"


@pytest.fixture
def closed() -> str:
    """The address of a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        return f"http://127.0.0.1:{door.getsockname()[1]}/x"


def ask(url: str, policy: http.RetryPolicy, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[float]]:
    """What is said of an address, and the waits between the attempts [s]."""
    waits: list[float] = []
    monkeypatch.setattr(http, "RETRY_POLICY", policy)
    monkeypatch.setattr(http, "wait_seconds", waits.append)
    with pytest.raises(http.FetchError) as caught:
        http.get_json(http.session(), url)
    return str(caught.value), waits


def test_no_network_is_said_soon(closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for url, words in ((closed, "nobody takes the connection"), ("http://x.invalid/x", "no address is known")):
        said, waits = ask(url, http.RetryPolicy(first=2.0), monkeypatch)
        assert f"{words} " in said.replace(" under this name", "") and "is there a network?" in said
        assert all(wait <= http.RetryPolicy().reach / 2 for wait in waits)


def test_a_connection_that_is_never_made_ends(full: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said, waits = ask(full, http.RetryPolicy(reach=0.3), monkeypatch)
    assert "no connection in time (1 attempt(s))" in said and not waits


def test_a_name_whose_look_up_hangs_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    hang = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: hang.wait())
    said, _ = ask("http://slow.invalid/x", http.RetryPolicy(reach=0.3), monkeypatch)
    hang.set()
    assert "no connection in time (1 attempt(s))" in said


def test_who_asks_for_attempts_gets_them_without_a_network_too(closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIQLAB_HTTP_ATTEMPTS", "5")
    said, waits = ask(closed, http.RetryPolicy.usual(), monkeypatch)
    assert "(5 attempt(s))" in said and len(waits) == 4


def test_a_host_that_has_answered_is_asked_as_patiently_as_ever(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its first answer the connections are refused for a while: the network is there, so it is asked on."""
    web, waits = http.session(), list[float]()
    url = server(lambda guest: guest.sendall(HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n[]"))
    assert http.get_json(web, url) == []
    monkeypatch.setattr(http, "RETRY_POLICY", http.RetryPolicy(attempts=6, first=60.0))
    monkeypatch.setattr(http, "wait_seconds", waits.append)
    server.doors[0].shutdown(socket.SHUT_RDWR)
    server.doors[0].close()
    with pytest.raises(http.FetchError, match=r"connection failed or broke \(6 attempt\(s\)\); what has been"):
        http.get_json(web, url)
    assert len(waits) == 5


def test_limits_are_set_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIQLAB_HTTP_TOTAL", "7")
    monkeypatch.setenv("LIQLAB_HTTP_MAX_MB", "2")
    policy = http.RetryPolicy.usual()
    assert (policy.total, policy.largest, policy.largest_file) == (7.0, 2_000_000, 2_000_000)
    monkeypatch.setenv("LIQLAB_HTTP_TOTAL", "soon")
    with pytest.raises(ValueError, match="LIQLAB_HTTP_TOTAL must be a number > 0, got 'soon'; unset it for 120"):
        http.RetryPolicy.usual()
