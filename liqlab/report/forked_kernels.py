"""Kernels that a warm interpreter forks, as jupyter_client starts, watches and ends them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from typing import Any

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from liqlab.report.warm_kernels import WarmKernels

__all__ = ["PROVISIONER", "ForkedProvisioner", "connect"]

PROVISIONER = "liqlab-fork"
_LAUNCHER = ["-m", "ipykernel_launcher"]  # how a kernel's command begins, after the interpreter
_WARM: list[WarmKernels] = []  # in a worker


def connect(warm: WarmKernels) -> None:
    """Have this process's kernels forked; known to jupyter_client here alone, without an installed entry point."""
    _WARM[:] = [warm]
    factory = KernelProvisionerFactory.instance()
    where = f"{ForkedProvisioner.__module__}:{ForkedProvisioner.__name__}"
    factory.provisioners[PROVISIONER] = EntryPoint(PROVISIONER, where, factory.GROUP_NAME)
    factory.default_provisioner_name = PROVISIONER


class ForkedProvisioner(LocalProvisioner):
    """Starts a kernel by a fork where there is a warm interpreter, else from nothing."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start a kernel with this command, as `LocalProvisioner` does."""
        folder = str(kwargs.get("cwd") or os.getcwd())
        forked: Any = fork_kernel(cmd, environment=kwargs.get("env") or os.environ, folder=folder)
        if forked is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process, self.pid, self.pgid, self.cwd = forked, forked.pid, forked.pid, folder
        return self.connection_info


def fork_kernel(command: Sequence[str], *, environment: Mapping[str, str], folder: str) -> ForkedKernel | None:
    """A kernel forked for this command; None where there is no warm interpreter, or no longer."""
    if not _WARM or list(command[1:3]) != _LAUNCHER:
        return None
    warm = _WARM[0]
    try:
        with warm.turn:
            warm.requests.send((list(command[3:]), dict(environment), folder))
            number = warm.answers.recv()
            return ForkedKernel(number) if number else None  # in turn: a kernel that ends now is not yet forgotten
    except (OSError, EOFError):  # it has died, or the kernel has, before it could be looked at
        return None


class ForkedKernel:
    """A kernel that is not this process's child, with what `LocalProvisioner` asks of a `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, number: int) -> None:
        self.pid = number
        self._handle = os.pidfd_open(number)

    def poll(self) -> int | None:
        """None while it runs; how it ended is not known, so 1 afterwards."""
        return 1 if select.select([self._handle], [], [], 0)[0] else None

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended."""
        if not select.select([self._handle], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
        return 1

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def __del__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            os.close(self._handle)
