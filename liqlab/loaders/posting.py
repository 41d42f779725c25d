"""One small message to an address that the user names: bounded in time and size, no redirect, told by its host."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from liqlab.loaders import bounded_http
from liqlab.loaders.http import Failure, FetchError, translate_errors
from liqlab.loaders.http_session import bounded

__all__ = ["checked_address", "post_json"]

LARGEST = 65_536  # answer that is read [bytes]
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def checked_address(url: str) -> str:
    """The host of an address that may be posted to; no message repeats the address, for keys stand in it.

    Raises
    ------
    ValueError
        Without https (but for this computer), without a host, or with a name and password before it.

    Examples
    --------
    >>> checked_address("https://hooks.example.com/services/a-key")
    'hooks.example.com'
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if not host or parts.scheme not in ("https", "http"):
        raise ValueError("the webhook's address is none; write it like https://hooks.example.com/…")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ValueError(f"the webhook on {host} must be reached by https, for its address holds a key; write https://")
    if parts.username or parts.password:
        raise ValueError(f"the webhook on {host}: name and password before the host are not sent; leave them out")
    return host


def post_json(url: str, body: Mapping[str, Any], *, seconds: float = 10.0) -> None:
    """Post a small JSON body once.

    Parameters
    ----------
    url : str
        As `checked_address` takes it.
    body : mapping
    seconds : float
        For all of it, to the last byte of the answer.

    Raises
    ------
    FetchError
        Where it was not accepted: what came instead. The message names the host alone.
    """
    import requests

    host = checked_address(url)
    web = bounded(requests.Session())
    web.auth = lambda request: request  # no name and password out of a netrc file
    began = time.monotonic()
    try:
        with translate_errors(web), bounded_http.watched(seconds) as watch:
            answer = web.post(url.strip(), json=dict(body), timeout=seconds, stream=True, allow_redirects=False)
            bounded_http.read_body(answer, LARGEST, watch)
    except (bounded_http.OverdueError, bounded_http.TooLargeError, Failure) as error:
        why = str(error) or f"no answer within {time.monotonic() - began:.0f} s"
        raise FetchError(f"webhook on {host}: {why}") from None
    except FetchError as error:
        raise FetchError(f"webhook on {host}: {error}") from None
    finally:
        web.close()
    if 300 <= answer.status_code < 400:
        raise FetchError(f"webhook on {host}: redirects elsewhere, which is not followed; name the final address")
    if not 200 <= answer.status_code < 300:
        raise FetchError(f"webhook on {host}: refused with status {answer.status_code}; is the address still valid?")
