"""The system-call filters that the process of a solution runs under: a deny list, written as classic BPF.

The long list is put on the zygote once and inherited; what the zygote itself needs is refused by a short filter that
each process of a test puts on itself. Everything a Python program needs for computing, threads and its scratch folder
is allowed; what reaches other processes, the network, the kernel's configuration or a new program is refused with
EPERM, so that a solution sees an ordinary PermissionError. A call through another architecture's table kills the
process (SIGSYS).
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable

from .syscalls import PR_SET_SECCOMP, prepared_prctl

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine name: column in the tables below, AUDIT_ARCH value."""

_PROGRAMS: dict[str, tuple[int | None, int | None]] = {
    # new processes and programs (clone has its own rule: threads are allowed)
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
}  # fmt: skip

_DENIED: dict[str, tuple[int | None, int | None]] = {
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setaffinity": (203, 122), "sched_setattr": (314, 274),
    "sched_setparam": (142, 118), "sched_setscheduler": (144, 119), "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # network (socketpair has its own rule)
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "accept4": (288, 242),
    # memory that no limit of ours counts
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180), "mq_notify": (244, 184), "userfaultfd": (323, 282),
    # file systems and namespaces
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "move_mount": (429, 429),
    "open_tree": (428, 428), "open_tree_attr": (467, 467), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433), "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "fanotify_init": (300, 262), "quotactl": (179, 60), "quotactl_fd": (443, 443),
    "swapon": (167, 224), "swapoff": (168, 225),
    # wide doors into the kernel
    "bpf": (321, 280), "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "io_setup": (206, 0), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142), "syslog": (103, 116),
    "acct": (163, 89), "personality": (135, 92), "seccomp": (317, 277), "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42), "vhangup": (153, 58), "ioperm": (173, None), "iopl": (172, None),
    "modify_ldt": (154, None), "uselib": (134, None), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
}  # fmt: skip

_DENIED_TO_TESTS_WITHOUT_NAMESPACES: dict[str, tuple[int | None, int | None]] = {
    # the zygote needs some of these to clear the scratch folder; a test could lock the interpreter's files with them
    "chmod": (90, None), "fchmodat": (268, 53), "fchmod": (91, 52), "fchown": (93, 55), "fsetxattr": (190, 7),
    "fremovexattr": (199, 16),
}  # fmt: skip

_DENIED_TO_TESTS: dict[str, tuple[int | None, int | None]] = {
    "setsid": (112, 157), "setpgid": (109, 154), "pidfd_open": (434, 434),
}  # fmt: skip

_DENIED_WITHOUT_NAMESPACES: dict[str, tuple[int | None, int | None]] = {
    # Landlock does not govern these, and without a private file system they would reach the user's own files
    "fchmodat2": (452, 452), "chown": (92, None), "lchown": (94, None),
    "fchownat": (260, 54), "setxattr": (188, 5), "lsetxattr": (189, 6), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "utime": (132, None), "utimes": (235, None), "futimesat": (261, None),
    "utimensat": (280, 88), "truncate": (76, 45),
    "setxattrat": (463, 463), "removexattrat": (466, 466), "file_setattr": (469, 469),
}  # fmt: skip

_CLONE, _CLONE3, _KILL, _TGKILL = (56, 220), (435, 435), (62, 129), (234, 131)
_SOCKETPAIR, _PRLIMIT, _FCNTL, _IOCTL, _SENDTO = (53, 199), (302, 261), (72, 25), (16, 29), (44, 206)
_PRCTL, _PDEATHSIG = (157, 167), 1

_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_X32_BIT = 0x40000000


def supported() -> bool:
    """Whether the tables know this machine."""
    return os.uname().machine in _ARCHITECTURES


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value & 0xFFFFFFFF)


def _argument(index: int) -> bytes:
    """Load the low half of argument ``index`` (both machines are little-endian)."""
    return _step(_LOAD, 16 + 8 * index)


def _only_if(number: int, body: list[bytes]) -> list[bytes]:
    """Run ``body``, which must return on every path, for this call only."""
    return [_step(_EQUAL, number, 0, len(body)), *body]


_REFUSE = _step(_RETURN, _ERRNO | _EPERM)
_PERMIT = _step(_RETURN, _ALLOW)


def zygote_filter(namespaces: bool, programs: bool = False) -> bytes:
    """What neither the zygote nor any test needs. ``programs``: its tests are programs of other languages."""
    column, audit = _ARCHITECTURES[os.uname().machine]
    steps = [_step(_LOAD, 4), _step(_EQUAL, audit, 1, 0), _step(_RETURN, _KILL_PROCESS), _step(_LOAD, 0)]
    if column == 0:
        steps += [_step(_AT_LEAST, _X32_BIT, 0, 1), _step(_RETURN, _KILL_PROCESS)]
    for names in (_DENIED, {} if programs else _PROGRAMS, {} if namespaces else _DENIED_WITHOUT_NAMESPACES):
        steps += _refuse_all(names, column)
    return b"".join([*steps, _PERMIT])


def test_filter(own_pid: int, namespaces: bool) -> bytes:
    """For the process ``own_pid`` of a test, on top of the zygote's: it may signal itself, and start threads only."""
    column, _ = _ARCHITECTURES[os.uname().machine]
    names = _DENIED_TO_TESTS if namespaces else _DENIED_TO_TESTS | _DENIED_TO_TESTS_WITHOUT_NAMESPACES
    return b"".join([_step(_LOAD, 0), *_refuse_all(names, column), *_special_rules(column, own_pid), _PERMIT])


def program_filter(own_pid: int, namespaces: bool, processes: bool) -> bytes:
    """For a program of another language: as ``test_filter``, but it may become another program (``execve``).

    ``processes``: it is a compiler or a project's command, which may start others and signal them; new namespaces stay
    refused.
    """
    column, _ = _ARCHITECTURES[os.uname().machine]
    names = {} if namespaces or processes else _DENIED_TO_TESTS_WITHOUT_NAMESPACES
    rules = _special_rules(column, own_pid)
    if processes:
        no_namespaces = [_argument(0), _step(_ANY_BIT, _CLONE_NAMESPACES, 1, 0), _PERMIT, _REFUSE]
        rules = [*_only_if(_CLONE[column], no_namespaces), *_rules_of_any(column, own_pid, pairs=5)]
    else:
        names = names | _DENIED_TO_TESTS | {name: _PROGRAMS[name] for name in ("fork", "vfork")}
    return b"".join([_step(_LOAD, 0), *_refuse_all(names, column), *rules, _PERMIT])


def _refuse_all(names: dict[str, tuple[int | None, int | None]], column: int) -> list[bytes]:
    """Refuse these calls; those that the machine lacks have no number."""
    numbers = [numbers[column] for numbers in names.values()]
    return [step for number in numbers if number is not None for step in (_step(_EQUAL, number, 0, 1), _REFUSE)]


def _special_rules(column: int, own_pid: int) -> list[bytes]:
    """Calls whose arguments decide."""
    threads_only = [_argument(0), _step(_ANY_BIT, _CLONE_THREAD, 0, 1), _PERMIT, _REFUSE]
    self_only = [_argument(0), _step(_EQUAL, own_pid, 0, 1), _PERMIT, _REFUSE]
    return [
        *_only_if(_CLONE[column], threads_only),
        *_only_if(_KILL[column], self_only),
        *_only_if(_TGKILL[column], self_only),
        *_rules_of_any(column, own_pid),
    ]


def _rules_of_any(column: int, own_pid: int, pairs: int = 1) -> list[bytes]:
    """Rules on arguments that hold for whatever runs; ``pairs`` is a second kind of socket pair that is allowed."""
    own_limits = [_argument(0), _step(_EQUAL, own_pid, 1, 0), _step(_EQUAL, 0, 0, 1), _PERMIT, _REFUSE]
    # a connected pair (stream; packets in order: 5) talks to itself only; a datagram could go to a path of the host
    stream_pair = [_argument(1), _step(_AND, 0xF), _step(_EQUAL, 1, 1, 0), _step(_EQUAL, pairs, 0, 1), _PERMIT, _REFUSE]
    no_owner = [
        _argument(1),
        _step(_EQUAL, 8, 2, 0),
        _step(_EQUAL, 15, 1, 0),
        _PERMIT,
        _REFUSE,
    ]  # F_SETOWN, F_SETOWN_EX
    no_owner_io = [_argument(1), _step(_EQUAL, 0x8901, 3, 0), _step(_EQUAL, 0x8902, 2, 0), _step(_EQUAL, 0x5412, 1, 0)]
    # whoever could ask not to be killed with the zygote would outlive it
    dies_with_parent = [_argument(0), _step(_EQUAL, _PDEATHSIG, 1, 0), _PERMIT, _REFUSE]
    return [
        # the flags of clone3 lie in memory, out of reach of a filter; the C library falls back to clone
        *_only_if(_CLONE3[column], [_step(_RETURN, _ERRNO | _ENOSYS)]),
        *_only_if(_PRLIMIT[column], own_limits),
        *_only_if(_PRCTL[column], dies_with_parent),
        *_only_if(_SOCKETPAIR[column], stream_pair),
        *_only_if(_FCNTL[column], no_owner),
        *_only_if(_IOCTL[column], [*no_owner_io, _PERMIT, _REFUSE]),
        *_only_if(_SENDTO[column], [_argument(4), _step(_EQUAL, 0, 0, 1), _PERMIT, _REFUSE]),
    ]


def install(program: bytes) -> None:
    """Put the filter on this process; it needs ``no_new_privs`` and cannot be taken off. Raises OSError."""
    Prepared(lambda own_pid: program).install(0)


class Prepared:
    """A filter that depends on a process id only, written out beforehand except for that."""

    def __init__(self, program: Callable[[int], bytes]) -> None:
        one, other = program(1 << 24), program(1 << 25)
        self._program = ctypes.create_string_buffer(one, len(one))
        self._places = [at for at in range(4, len(one), 8) if one[at : at + 4] != other[at : at + 4]]
        # struct sock_fprog: a 16-bit count, padding, and the address of the steps
        address = ctypes.addressof(self._program)
        self._header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(one) // 8, address), 16)
        self._install = prepared_prctl(PR_SET_SECCOMP, 2, ctypes.c_void_p(ctypes.addressof(self._header)))

    def install(self, own_pid: int) -> None:
        """Put the filter for this process id on this process. Raises OSError."""
        number = own_pid.to_bytes(4, "little")
        for place in self._places:
            self._program[place : place + 4] = number  # type: ignore[call-overload]
        self._install()
