"""The few system calls that Python has no function for, through ctypes. Linux on x86_64 and aarch64."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import partial

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_REC, MS_PRIVATE, MS_RELATIME = 1024, 2048, 4096, 16384, 1 << 18, 1 << 21
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(number: int, *args: object) -> int:
    """Call by number; raises OSError."""
    return _checked(_libc.syscall(ctypes.c_long(number), *args), f"system call {number}")


def prctl(option: int, value: int = 0, pointer: object = 0) -> int:
    """Raises OSError."""
    end = ctypes.c_ulong(0)
    third = ctypes.c_ulong(pointer) if isinstance(pointer, int) else pointer
    return _checked(_libc.prctl(option, ctypes.c_ulong(value), third, end, end), f"prctl {option}")


def prepared_prctl(option: int, value: int = 0, pointer: object = 0) -> Callable[[], int]:
    """``prctl`` with its arguments made beforehand, for a process that was just forked; calling it raises OSError."""
    end = ctypes.c_ulong(0)
    third = ctypes.c_ulong(pointer) if isinstance(pointer, int) else pointer
    call = partial(_libc.prctl, ctypes.c_int(option), ctypes.c_ulong(value), third, end, end)
    return lambda: _checked(call(), f"prctl {option}")


def unshare(flags: int) -> None:
    """Enter new namespaces; raises OSError."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Raises OSError naming the target."""
    arguments = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode() or None)
    _checked(_libc.mount(*arguments), f"mount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make ``new`` the root of this mount namespace and put the old root at ``old``; raises OSError."""
    syscall({"x86_64": 155, "aarch64": 41}[os.uname().machine], new.encode(), old.encode())


def detach(target: str) -> None:
    """Unmount as soon as nobody uses it; raises OSError."""
    _checked(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def drop_capabilities() -> None:
    """Give up every capability for good: bounding set (as far as allowed), then the three sets. Raises OSError."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            break  # either past the last capability or not ours to drop; no_new_privs covers the rest
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    empty = (ctypes.c_uint32 * 6)()
    _checked(_libc.capset(header, empty), "capset")
