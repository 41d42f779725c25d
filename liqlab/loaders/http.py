"""One way out to the network: every wait and answer has an end, retries, answers that are JSON or an error.

Proxies and certificates come from the usual variables (``HTTPS_PROXY``, ``NO_PROXY``, ``REQUESTS_CA_BUNDLE``,
``CURL_CA_BUNDLE``, ``SSL_CERT_FILE``). Messages name host and path, never the query or a header: keys stand there.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from liqlab.loaders.http_session import NO_PROXY, FetchError, checked_session, not_json, where

__all__ = [
    "Failure",
    "FetchError",
    "RetryPolicy",
    "get_json",
    "retry",
    "wait_seconds",
    "read_credential",
    "session",
    "where",
]


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait for an answer, and how often to ask again.

    Attributes
    ----------
    attempts : int
        Requests for one answer before giving up.
    first, longest : float
        Shortest wait and longest wait by our own choice [s]; it doubles each time, with jitter.
    obey : float
        Longest ``Retry-After`` that is waited for [s]; beyond it the error names the wait.
    connect, read : float
        Time-outs of a single wait [s].
    reach : float
        Longest wait for a connection to a host that has not answered yet [s]; without one for half of it, it is not
        asked again: the network is not there, or the address is wrong.
    total : float
        Time of one request from its beginning to the last byte of its answer [s].
    largest, largest_file : int
        Largest answer, and largest file of an archive, that is read [bytes].
    """

    attempts: int = 8
    first: float = 0.5
    longest: float = 60.0
    obey: float = 600.0
    connect: float = 10.0
    reach: float = 2.5
    read: float = 30.0
    total: float = 120.0
    largest: int = 50_000_000
    largest_file: int = 80_000_000

    @classmethod
    def usual(cls) -> RetryPolicy:
        """The defaults, changed by the environment.

        LIQLAB_HTTP_ATTEMPTS, LIQLAB_HTTP_BACKOFF [s], LIQLAB_HTTP_TIMEOUT [s, a wait], LIQLAB_HTTP_TOTAL [s, a request]
        and LIQLAB_HTTP_MAX_MB [MB, an answer or a file]. Who sets the attempts wants them also without a network.
        """
        read = _positive("LIQLAB_HTTP_TIMEOUT", cls.read)
        first = _positive("LIQLAB_HTTP_BACKOFF", cls.first)
        attempts = int(_positive("LIQLAB_HTTP_ATTEMPTS", cls.attempts))
        total = _positive("LIQLAB_HTTP_TOTAL", cls.total)
        largest, file = (
            int(1e6 * _positive("LIQLAB_HTTP_MAX_MB", size / 1e6)) for size in (cls.largest, cls.largest_file)
        )
        reach = float("inf") if os.environ.get("LIQLAB_HTTP_ATTEMPTS") else cls.reach
        return cls(attempts=max(attempts, 1), first=first, connect=min(cls.connect, read), reach=reach, read=read,
                   total=total, largest=largest, largest_file=file)  # fmt: skip


RETRY_POLICY: RetryPolicy | None = None  # tests put their own here; None: as the environment says


def _positive(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    try:
        number = float(text or default)
    except ValueError:
        number = -1.0
    if number <= 0:
        raise ValueError(f"{name} must be a number > 0, got {text!r}; unset it for {default:g}")
    return number


class Failure(Exception):
    """One attempt failed in a way that another may not: the reason, and how long the server asks to wait [s].

    `unreached`: there was no connection, and the host has not answered before.
    """

    def __init__(self, reason: str, *, status: int = 0, wait: float = 0.0, unreached: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.status, self.wait, self.unreached = reason, status, wait, unreached


# A ban or a region block is not cured by asking on: few tries, then the remedy.
FEW = {451: 3, 403: 3}
REMEDIES = {
    451: "this exchange is blocked in your region; use another exchange, Binance's public archive, or files (lq.read)",
    403: "a firewall refused the request; check the proxy (HTTPS_PROXY), or wait a few minutes",
    418: "the exchange has banned this address for asking too often; wait, then run the same again: it goes on there",
    429: "the exchange's rate limit; wait, then run the same again: it goes on there",
}


def retry(attempt: Callable[[], Any], what: str) -> Any:
    """Call `attempt` until it raises no `Failure`; wait as the server asks, else longer each time, with jitter.

    Parameters
    ----------
    attempt : callable
        Raises `Failure` where asking again may help, anything else where it does not.
    what : str
        What is asked for, for messages: ``fapi.example.com/fapi/v1/klines``.

    Returns
    -------
    object
        What `attempt` returned.

    Raises
    ------
    FetchError
        After the last attempt, or at once where the server asks for a longer wait than `RetryPolicy.obey`.
    """
    from tenacity import Retrying, retry_if_exception_type, wait_random_exponential

    policy = RETRY_POLICY or RetryPolicy.usual()
    backoff = wait_random_exponential(multiplier=policy.first, max=policy.longest)

    def stop(state: Any) -> bool:
        failure = state.outcome.exception()
        if failure.unreached and state.seconds_since_start + state.upcoming_sleep > policy.reach / 2:
            return True
        return state.attempt_number >= FEW.get(failure.status, policy.attempts) or failure.wait > policy.obey

    def wait(state: Any) -> float:
        asked = state.outcome.exception().wait
        return asked + float(backoff(state)) * (0.1 if asked else 1.0)

    try:
        on, sleep = retry_if_exception_type(Failure), lambda seconds: wait_seconds(seconds)
        for again in Retrying(stop=stop, wait=wait, retry=on, sleep=sleep, reraise=True):
            with again:
                return attempt()
    except Failure as failure:
        times = again.retry_state.attempt_number
        raise FetchError(_told(what, failure, times)) from None  # the chain would show the whole URL
    raise AssertionError("unreachable")


def _told(what: str, failure: Failure, times: int) -> str:
    """The message of the last failure: what was asked, what came, what to do."""
    remedy = REMEDIES.get(failure.status, "what has been stored stays; check the connection and run the same again")
    if failure.unreached:
        remedy = ("is there a network? Check it, the address and the proxy (HTTPS_PROXY), and run the same again; "
                  "LIQLAB_HTTP_ATTEMPTS=8 in the environment asks for longer")  # fmt: skip
    asked = f", it asks to wait {failure.wait:.0f} s" if failure.wait else ""
    return f"{what}: {failure.reason}{asked} ({times} attempt(s)); {remedy}"


def wait_seconds(seconds: float) -> None:
    """Wait. The one place where liqlab sleeps, so that tests can look at it instead."""
    time.sleep(max(seconds, 0.0))


# --- the session ------------------------------------------------------------------------------------------------------


def session() -> Any:
    """A new session: proxies and certificates from the environment, every answer checked, every wait bounded."""
    return checked_session(lambda: RETRY_POLICY or RetryPolicy.usual())


def get_json(web: Any, url: str, params: Mapping[str, Any] | None = None, *, headers: Mapping[str, str] | None = None,
             fresh: Callable[[], Mapping[str, Any]] | None = None) -> Any:  # fmt: skip
    """The JSON behind an address, with retries.

    Parameters
    ----------
    web : Session
        From `session`.
    url : str
        Address without a query.
    params : mapping, optional
        The query; None values are left out.
    headers : mapping, optional
        Sent along and never shown.
    fresh : callable, optional
        Makes the query anew for every attempt (a signature carries the time).

    Returns
    -------
    object
        What the JSON says.

    Raises
    ------
    FetchError
        Where retries were in vain, or the server refuses the request for good.
    """
    what = where(url)

    def attempt() -> Any:
        query = {key: value for key, value in (fresh() if fresh else params or {}).items() if value is not None}
        with translate_errors(web):
            response = web.request("GET", url, params=query, headers=dict(headers or {}))
        if response.status_code == 200:
            return response.parsed
        raise_for_status(response.status_code, response.headers)
        raise FetchError(f"{what}: refused with status {response.status_code}: {_said(response)}")

    return retry(attempt, what)


class translate_errors:
    """Context in which the network's own errors become a `Failure`, without address and query."""

    def __init__(self, web: Any) -> None:
        self.web = web

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        import requests.exceptions as wrong

        if isinstance(error, OSError) and not isinstance(error, wrong.RequestException):
            raise FetchError(f"{error}; certificates are named by SSL_CERT_FILE, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE: "
                             "point them to a file that is there, or unset them") from None  # fmt: skip
        if isinstance(error, wrong.InvalidURL | wrong.InvalidSchema | wrong.MissingSchema):
            raise FetchError("the address is none; it begins with https:// and names a host (LIQLAB_…_URL)") from None
        if isinstance(error, wrong.SSLError):
            raise FetchError("the server's certificate is not trusted; behind a company's proxy point SSL_CERT_FILE or "
                             "REQUESTS_CA_BUNDLE to its certificate") from None  # fmt: skip
        if isinstance(error, wrong.RequestException) and (words := getattr(self.web, "unreached", "")):
            raise Failure(words, unreached=True) from None
        if isinstance(error, wrong.ProxyError):
            raise Failure(NO_PROXY) from None
        if isinstance(error, wrong.Timeout):
            raise Failure("no answer in time") from None
        if isinstance(error, wrong.RequestException):
            said = str(error)
            raise Failure(said if said.startswith("the answer") else "the connection failed or broke") from None


def raise_for_status(status: int, headers: Mapping[str, str]) -> None:
    """Raise `Failure` for a status that may pass: 408, 418, 429, 403, 451 and all of 5xx."""
    if status in (403, 408, 418, 429, 451) or status >= 500:
        raise Failure(f"status {status}", status=status, wait=retry_after(headers))


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that ``Retry-After`` asks for, whether it is a number or a date; 0 without it."""
    text = str(next((value for key, value in headers.items() if key.lower() == "retry-after"), "")).strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not text:
        return 0.0
    from email.utils import parsedate_to_datetime

    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError):
        return 0.0


def _said(response: Any) -> str:
    """What the server said of a refusal, in short: the message of its JSON, else the first words."""
    try:
        said = json.loads(response.content)
    except (ValueError, RecursionError):
        return not_json(response)
    if isinstance(said, dict) and "msg" in said:
        return f"{said.get('code', '')} {said['msg']}".strip()[:200]
    return str(said)[:200]


def read_credential(exchange: str, name: str) -> str:
    """A key from the environment, ``LIQLAB_BINANCEUSDM_KEY`` or the like; empty without it. It is kept nowhere."""
    return os.environ.get(f"LIQLAB_{exchange.upper()}_{name.upper()}", "")
