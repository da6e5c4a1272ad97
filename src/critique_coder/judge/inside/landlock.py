"""Landlock: which files the process may touch, whatever its user id allows. Linux 5.13 or newer."""

# ruff: noqa: PTH112 - descriptors and raw paths are the matter here

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from .syscalls import syscall

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446  # the same on every architecture
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | (1 << 14) | (1 << 15)
_READ = _READ_FILE | _READ_DIR
_RIGHTS_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_ALL_RIGHTS = (1 << 16) - 1


def version() -> int:
    """The kernel's Landlock version; 0: none."""
    try:
        return syscall(_CREATE, ctypes.c_void_p(0), ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def restrict(readable: Iterable[str], writable: Iterable[str], programs: bool = False) -> None:
    """Confine this process to these paths and what lies below them; needs ``no_new_privs``. Raises OSError.

    ``programs``: what lies there may also be executed.

    Also, where the kernel knows it: no TCP, no signals and no abstract sockets to the outside. Missing paths are
    skipped.
    """
    abi = version()
    rights = _RIGHTS_BY_VERSION.get(abi, _ALL_RIGHTS)
    fields = [rights] + ([3] if abi >= 4 else []) + ([3] if abi >= 6 else [])
    attributes = struct.pack(f"{len(fields)}Q", *fields)
    ruleset = syscall(_CREATE, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    execute = _EXECUTE if programs else 0
    try:
        for path in readable:
            _allow(ruleset, path, (_READ | execute) & rights)
        for path in writable:
            _allow(ruleset, path, rights & ~_EXECUTE | execute)
        syscall(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(f"/proc/self/fd/{descriptor}") and not os.path.isdir(path):
            rights &= _FILE_RIGHTS
        rule = struct.pack("=Qi", rights, descriptor)
        syscall(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0))
    finally:
        os.close(descriptor)
