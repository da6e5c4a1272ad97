"""How well a machine can confine a program, and the error when that is not well enough."""

from __future__ import annotations

from enum import StrEnum


class Isolation(StrEnum):
    """Levels, best first.

    ``FULL``: own namespaces for users, processes, mounts, network, IPC and host name; an empty root with the Python
    runtime read-only; system-call filter, resource limits, and Landlock where the kernel has it.
    ``LIGHT``: no namespaces; Landlock, system-call filter and resource limits.
    ``PROCESS``: resource limits only. It keeps nothing secret and nothing safe; only for programs that you trust.
    """

    FULL = "full"
    LIGHT = "light"
    PROCESS = "process"


class IsolationError(Exception):
    """This machine cannot confine programs as asked. The message names the reason and the fix."""


REMEDIES = {
    Isolation.FULL: (
        "allow user namespaces (sysctl user.max_user_namespaces > 0; on Ubuntu 23.10 or newer also "
        "kernel.apparmor_restrict_unprivileged_userns=0), or in a container start it with "
        "--security-opt seccomp=unconfined, or --cap-add SYS_ADMIN as root"
    ),
    Isolation.LIGHT: (
        "use Linux 5.13 or newer on x86_64 or aarch64 with Landlock enabled (kernel parameter lsm=landlock,...)"
    ),
}
"""Isolation level: what to do when it cannot be had."""
