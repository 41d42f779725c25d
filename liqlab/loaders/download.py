"""One file of an archive: downloaded with retries, verified against its published sha256, and only then read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from liqlab.loaders import http
from liqlab.loaders.archive_files import checksum
from liqlab.loaders.http import FetchError

__all__ = ["download", "verified"]

DOWNLOADS = 3  # of one file that is not what its checksum says
Read = TypeVar("Read")


def verified(web: Any, base_url: str, path: str, read: Callable[[bytes], Read]) -> tuple[Read, str] | None:
    """Content and sha256 of a file, downloaded again where it is not what its checksum says; None if there is none."""
    url, file = f"{base_url.rstrip('/')}/{path}", path.rpartition("/")[2]
    wrong: Exception | None = None
    for _ in range(DOWNLOADS):
        data = download(web, url)
        if data is None:
            return None
        stated = download(web, f"{url}.CHECKSUM")
        if stated is None:
            raise FetchError(f"{path}: the archive publishes no checksum of it, so it cannot be verified; what has "
                             "been stored stays, try again later")  # fmt: skip
        try:
            seal = checksum(data, stated.decode("utf-8", "replace"), file)
            return read(data), seal
        except ValueError as error:
            wrong = error
    raise FetchError(f"{path}: {wrong} ({DOWNLOADS} downloads); nothing of it was kept, what has been stored stays; "
                     "try again later, or fetch around this file with start= and end=") from wrong  # fmt: skip


def download(web: Any, url: str) -> bytes | None:
    """The bytes behind an address, with retries; None where there is nothing (404)."""
    what = http.where(url)
    policy = http.RETRY_POLICY or http.RetryPolicy.usual()

    def attempt() -> bytes | None:
        with http.translate_errors(web):
            # the session takes JSON only; its proxies, certificates and time-outs hold for zips as well
            answer = web.whole("GET", url, largest=policy.largest_file)
        if answer.status_code == 404:
            return None
        http.raise_for_status(answer.status_code, answer.headers)
        if answer.status_code != 200:
            raise FetchError(f"{what}: refused with status {answer.status_code}; is the archive's address right?")
        return answer.content

    return http.retry(attempt, what)
