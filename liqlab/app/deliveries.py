"""Where alerts go: the terminal, a table, a command, an address on the web. Each takes an alert; none ends a watch."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from liqlab.app._alerts import COLUMNS, Alert
from liqlab.loaders.posting import checked_address, post_json
from liqlab.market.extras import require

__all__ = ["to_command", "to_log", "to_terminal", "to_webhook"]

SECONDS = 30.0  # longest that a command may run


def to_terminal(alert: Alert) -> None:
    """Print an alert, one line."""
    print(alert.text, flush=True)


def to_log(path: str | Path) -> Callable[[Alert], None]:
    """Append alerts to a table, one row each (CSV; ``pd.read_csv`` reads it).

    Parameters
    ----------
    path : path
        Made with a head where there is none.

    Returns
    -------
    callable
        For ``to=`` of `watch`.

    Raises
    ------
    ValueError
        Where the file holds another table.
    FileNotFoundError
        Where its folder is not there.
    """
    file = Path(path).expanduser()
    if not file.parent.is_dir():
        raise FileNotFoundError(f"the folder {file.parent} of the log is not there; make it, or choose another path")
    if file.is_file() and file.stat().st_size:
        with file.open(newline="", encoding="utf-8") as opened:
            head = next(csv.reader(opened), [])
        if head != COLUMNS:
            raise ValueError(
                f"{file} holds another table, it begins with {', '.join(head)[:80]!r}; choose another path"
            )

    def write(alert: Alert) -> None:
        with file.open("a", newline="", encoding="utf-8") as opened:
            text = io.StringIO()
            rows = csv.writer(text, lineterminator="\n")
            if not opened.tell():
                rows.writerow(COLUMNS)
            rows.writerow("" if value != value else value for value in asdict(alert).values())
            opened.write(text.getvalue())  # at once: another process may append to the same file

    return write


def to_command(command: Sequence[str]) -> Callable[[Alert], None]:
    """Run a command for each alert; its text is the last argument.

    Parameters
    ----------
    command : list of str
        The program and its arguments, ``["notify-send", "liqlab"]``. No shell reads them. The program gets no variable
        of the environment that begins with LIQLAB_, and at most 30 s.

    Returns
    -------
    callable
        For ``to=`` of `watch`.

    Raises
    ------
    TypeError, ValueError
        Where it is no list of texts.
    """
    if isinstance(command, str) or not all(isinstance(part, str) for part in command):
        raise TypeError(
            f"command must be a list of texts, ['notify-send', 'liqlab'], got {command!r}; no shell reads it"
        )
    if not command or not command[0]:
        raise ValueError("command is empty; pass the program and its arguments, ['notify-send', 'liqlab']")
    arguments = list(command)

    def run(alert: Alert) -> None:
        variables = {name: value for name, value in os.environ.items() if not name.startswith("LIQLAB_")}
        try:
            done = subprocess.run([*arguments, alert.text], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                                  timeout=SECONDS, env=variables)  # fmt: skip
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the command {arguments[0]} ran longer than {SECONDS:g} s and was ended") from None
        except OSError as error:
            raise OSError(f"the command {arguments[0]} cannot be run: {error.strerror}") from None
        if done.returncode:
            raise OSError(f"the command {arguments[0]} ended with code {done.returncode}")

    return run


def to_webhook(url: str) -> Callable[[Alert], None]:
    """Post each alert as JSON to an address of the user's: ``text`` and ``content`` (the line), ``alert`` (its fields).

    Parameters
    ----------
    url : str
        https, on a host that you name; it is never printed, for keys stand in it. 10 s and 64 kB at most, and no
        redirect is followed.

    Returns
    -------
    callable
        For ``to=`` of `watch`.

    Raises
    ------
    ValueError
        An address that is none, or not encrypted.
    """
    require("requests", "posting to a webhook")
    checked_address(url)

    def post(alert: Alert) -> None:
        values = {name: str(value) if name == "time" else value for name, value in asdict(alert).items()}
        known = {name: value for name, value in values.items() if value == value}
        post_json(url, {"text": alert.text, "content": alert.text, "alert": known})

    return post


def delivered(to: Sequence[Callable[[Alert], object]], alert: Alert, tell: Callable[[str], object]) -> None:
    """Hand an alert to everybody; who fails is told of, and the others get it all the same."""
    for each in to:
        try:
            each(alert)
        except Exception as error:  # a callable of the user's may raise anything, and the watch goes on
            tell(f"an alert was not delivered: {type(error).__name__}: {error}")


def to_stderr(text: str) -> None:
    """A sentence for the user beside the alerts."""
    print(text, file=sys.stderr, flush=True)
