"""The session behind every request: whole answers within their bounds, JSON or an error, redirects that stay."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urljoin, urlsplit

from liqlab.loaders import bounded_http

__all__ = ["NO_PROXY", "FetchError", "bounded", "checked_session", "not_json", "where"]

MAX_REDIRECTS = 5
NO_PROXY = "the proxy cannot be reached (HTTP_PROXY, HTTPS_PROXY)"


class FetchError(RuntimeError):
    """An exchange or archive could not be read; the message says what it answered and what to do."""


def checked_session(policy: Callable[[], Any]) -> Any:
    """A new session: proxies and certificates from the environment, every answer checked, every wait bounded.

    Parameters
    ----------
    policy : callable
        Gives the `RetryPolicy` in force, asked before every request.
    """
    made = bounded(_session_class()())
    made.policy, made.last_headers, made.answered = policy, {}, set()
    return made


def bounded(made: Any) -> Any:
    """A session whose requests a watch can end, with the certificates that the environment names."""
    for scheme in ("http://", "https://"):
        made.mount(scheme, bounded_http.adapter()())
    made.headers["User-Agent"] = "liqlab"
    given = [os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")]
    if not any(given) and os.environ.get("SSL_CERT_FILE"):
        made.verify = os.environ["SSL_CERT_FILE"]
    return made


@cache
def _session_class() -> type:
    """The session's class, made on first use: `requests` is not imported before."""
    import requests

    class CheckedSession(requests.Session):
        """A session that takes an answer only if it is whole and JSON, and remembers the last one's head.

        `unreached`: why there was no connection for the last request, where its host, unlike those in `answered`, has
        never answered; else empty.
        """

        policy: Callable[[], Any]
        last_status: int = 0
        last_headers: Mapping[str, str]
        answered: set[str]
        unreached: str = ""

        def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
            response = self.whole(method, url, *args, largest=self.policy().largest, **options)
            if response.status_code == 200:
                try:
                    response.parsed = json.loads(response.content)  # type: ignore[attr-defined]
                except (ValueError, RecursionError):
                    # a connection error for whoever called: ccxt too treats it as one that may pass
                    raise requests.exceptions.ConnectionError(not_json(response)) from None
            return response

        def whole(self, method: Any, url: Any, *args: Any, largest: int, **options: Any) -> requests.Response:
            """An answer with its whole body, within the policy's total time and `largest` bytes."""
            self.last_status, self.last_headers, self.unreached = 0, {}, ""
            policy, host = self.policy(), urlsplit(url).netloc
            connect = policy.connect if host in self.answered else min(policy.connect, policy.reach)
            if options.get("verify") is True:  # ccxt says so each time, which would hide the session's own bundle
                del options["verify"]
            options |= {"timeout": (connect, policy.read), "stream": True, "allow_redirects": False}

            def ask(url: str, options: dict[str, Any]) -> requests.Response:
                return requests.Session.request(self, method, url, *args, **options)

            try:
                with bounded_http.watched(policy.total) as watch:
                    response = _followed(ask, self.get_redirect_target, url, options)
                    bounded_http.read_body(response, largest, watch)
            except bounded_http.OverdueError:
                late = f"the answer took longer than {policy.total:g} s (LIQLAB_HTTP_TOTAL)"
                raise requests.exceptions.ConnectionError(late) from None
            except bounded_http.TooLargeError as error:
                raise FetchError(f"{where(url)}: {error} (LIQLAB_HTTP_MAX_MB); is this the address of an exchange or "
                                 "archive? What has been stored stays") from None  # fmt: skip
            except requests.exceptions.ConnectionError as error:
                self.unreached = "" if host in self.answered else _not_connected(error)
                raise
            self.answered.add(host)
            self.last_status, self.last_headers = response.status_code, response.headers
            return response

        def resolve_redirects(self, *_: Any, **__: Any) -> Any:
            """None: requests would read their bodies, however long, to look at what comes next."""
            return iter(())

    return CheckedSession


def _not_connected(error: Exception) -> str:
    """Why there was no connection at all; empty where there was one, and it broke."""
    import requests.exceptions as wrong
    from urllib3.exceptions import NameResolutionError, NewConnectionError

    if isinstance(error, wrong.ProxyError):
        return NO_PROXY
    if isinstance(error, wrong.ConnectTimeout):
        return "no connection in time"
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(cause, NameResolutionError):
        return "no address is known under this name"
    return "nobody takes the connection" if isinstance(cause, NewConnectionError) else ""


def _followed(ask: Callable[[str, dict[str, Any]], Any], target_of: Callable[[Any], str | None], url: str,
              options: dict[str, Any]) -> Any:  # fmt: skip
    """The answer at the end of a few redirects, none of which takes a key to another host."""
    first = urlsplit(url)
    for _ in range(MAX_REDIRECTS + 1):
        response = ask(url, options)
        target = target_of(response)
        if target is None:
            return response
        response.close()
        url, options = urljoin(url, target), options | {"params": None}
        to = urlsplit(url)
        if to.scheme not in ("https", first.scheme) or (options.get("headers") and to.netloc != first.netloc):
            raise FetchError(f"{where(first.geturl())}: redirects to {to.scheme}://{to.hostname}, which is not "
                             "followed with keys or without encryption; check the address")  # fmt: skip
    raise FetchError(f"{where(first.geturl())}: redirects without end (more than {MAX_REDIRECTS}); check the address, "
                     "and whether a proxy asks to log in first")  # fmt: skip


def not_json(response: Any) -> str:
    """What an answer is instead of JSON."""
    head = response.content[:200].lstrip().lower()
    html = head.startswith((b"<!doctype", b"<html", b"<head", b"<body")) or b"html" in head
    return "the answer is HTML instead of JSON" if html else "the answer is no whole JSON"


def where(url: str) -> str:
    """Host and path of an address.

    >>> where("https://fapi.binance.com/fapi/v1/klines?symbol=BTCUSDT")
    'fapi.binance.com/fapi/v1/klines'
    """
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path}"
