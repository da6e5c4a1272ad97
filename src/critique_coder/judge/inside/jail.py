"""The outer jail, entered once by each worker before it has seen any solution.

``full``: namespaces of its own for processes, mounts, network, IPC, host name and users. Its root is an empty
temporary file system with the Python runtime mounted read-only and a scratch folder; it holds no capability.
``light``: no namespaces; what protects then is put on each solution's process (Landlock, seccomp, limits).
"""

# ruff: noqa: PTH103, PTH110, PTH112, PTH114, PTH115, PTH116, PTH118, PTH120, PTH207, PTH208, PTH211 - descriptors and raw paths are the matter here

from __future__ import annotations

import _socket
import glob
import os
import resource
import signal
import stat
import sys
import sysconfig
from collections.abc import Collection

from . import landlock, seccomp
from .syscalls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_BIND,
    MS_NOATIME,
    MS_NODEV,
    MS_NODIRATIME,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_RELATIME,
    MS_REMOUNT,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    detach,
    drop_capabilities,
    mount,
    pivot_root,
    prctl,
    unshare,
)  # fmt: skip

SCRATCH_BYTES = 256 << 20
_SCRATCH_FILES = 20_000
_NOBODY = 65534
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/usr/share/zoneinfo", "/usr/lib/locale")


def enter(level: str, scratch: str, control: _socket.socket, toolchain: list[str] | None, packages: list[str]) -> None:
    """Confine this process to ``level`` and return in the process that shall serve. Raises OSError where impossible.

    ``toolchain``: what programs of another language need to be compiled and run, visible beside Python's runtime.
    ``packages``: installed packages that are visible, too.
    """
    if level != "process" and not seccomp.supported():
        raise OSError(f"no system-call filter is known for {os.uname().machine}")
    os.umask(0o022)
    _offer_to_the_oom_killer()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if level == "full":
        _enter_full(control, toolchain, packages)
    else:
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        os.chdir(scratch)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        if level == "light":
            if not landlock.version():
                raise OSError("this kernel has no Landlock")
            drop_capabilities()
        prctl(PR_SET_DUMPABLE, 0)
    if level != "process":
        seccomp.install(seccomp.zygote_filter(namespaces=level == "full", programs=toolchain is not None))


def _offer_to_the_oom_killer() -> None:
    """When the machine runs out of memory, a worker shall go before the caller does."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("800")
    except OSError:
        pass


def runtime_paths() -> list[str]:
    """The folders and files that Python needs to import its standard library and load its shared libraries."""
    python = [os.path.dirname(os.__file__), sysconfig.get_path("platstdlib")]
    if sys.base_prefix not in ("/usr", "/"):
        python.append(os.path.join(sys.base_prefix, "lib"))
    triplets = [path for pattern in ("/lib/*-linux-gnu", "/usr/lib/*-linux-gnu") for path in glob.glob(pattern)]
    system = [*_SYSTEM_FILES, *(triplets or ["/lib", "/usr/lib"]), "/lib64", "/usr/lib64"]
    # Python looks under the names in sys.path, which may go through links; shared libraries are found by either name
    paths = [*python, *map(os.path.realpath, [*python, *system])]
    return _without_nested([path for path in dict.fromkeys(map(os.path.normpath, paths)) if os.path.exists(path)])


def _without_nested(paths: list[str]) -> list[str]:
    return [path for path in paths if not any(path.startswith(other + "/") for other in paths)]


def _enter_full(control: _socket.socket, toolchain: list[str] | None, packages: list[str]) -> None:
    """Two processes: the first waits for the second, which is the first process of the new process namespace."""
    as_nobody = os.geteuid() == 0 and _world_readable(os.path.dirname(os.__file__))
    others = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID
    user, group = os.geteuid(), os.getegid()
    if as_nobody:
        unshare(others)
    else:
        unshare(others | CLONE_NEWUSER)
        _map_user(user, group)
    paths = _without_nested([*dict.fromkeys([*runtime_paths(), *(toolchain or [])])])
    if any(path.startswith(("/tmp/", "/dev/", "/proc/")) for path in paths):
        raise OSError("the Python runtime lies below /tmp, /dev or /proc, which the jail mounts anew")
    if hidden := [path for path in packages if path.startswith(("/tmp/", "/dev/", "/proc/"))]:
        raise OSError(f"{hidden[0]} lies below /tmp, /dev or /proc, which the jail mounts anew")
    base = _build_root(paths, packages)
    if pid := os.fork():
        control.close()
        os.waitpid(pid, 0)
        os._exit(0)
    _mount_proc(base)
    _make_root(base)
    _socket.sethostname("judge")
    if as_nobody:
        _become_nobody()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    drop_capabilities()
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != 0 and os.getpid() != 1:
        raise OSError("not the first process of its namespace")
    if landlock.version():
        landlock.restrict(readable=["/"], writable=["/tmp", "/dev"], programs=toolchain is not None)


def _world_readable(folder: str) -> bool:
    mode = os.stat(folder).st_mode
    return bool(mode & stat.S_IROTH and mode & stat.S_IXOTH) and bool(os.stat(os.__file__).st_mode & stat.S_IROTH)


def _map_user(user: int, group: int) -> None:
    """Give the caller's own user and group a meaning in the new user namespace."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{_NOBODY} {user} 1"), ("gid_map", f"{_NOBODY} {group} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _become_nobody() -> None:
    """From real root to a user that owns nothing, in a user namespace of its own where the kernel grants one."""
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    prctl(PR_SET_DUMPABLE, 1)  # the change of user made /proc/self root's; the map below must be writable
    unshare(CLONE_NEWUSER)
    _map_user(_NOBODY, _NOBODY)


def _build_root(paths: list[str], packages: list[str]) -> str:
    """Mount an empty root and the runtime below it; returns where. The sources are opened before they can be hidden.

    Folders of installed packages are covered up, and the ``packages`` that shall be seen lie on top of that.
    """
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    devices = [device for device in DEVICES if os.path.exists(device)]
    masks = [mask for path in paths if os.path.isdir(path) for mask in _package_folders(path)]
    sources, allowed = (
        [(path, os.open(path, os.O_PATH)) for path in group] for group in ((*paths, *devices), packages)
    )
    base = "/tmp" if os.path.isdir("/tmp") else "/mnt"
    mount("tmpfs", base, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    _bind_all(sources, base, devices)
    for mask in masks:
        mount("tmpfs", base + mask, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=4k")
    _bind_all(allowed, base)
    for mask in masks:
        mount("none", base + mask, flags=MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_RDONLY)
    _copy_links(base)
    for folder in ("/proc", "/tmp", "/dev/shm"):
        os.makedirs(base + folder, exist_ok=True)
    options = f"mode=1777,size={SCRATCH_BYTES},nr_inodes={_SCRATCH_FILES}"
    mount("tmpfs", base + "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, options)
    mount("tmpfs", base + "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, options)
    return base


def _bind_all(sources: list[tuple[str, int]], base: str, devices: Collection[str] = ()) -> None:
    """Mount each open source below ``base`` at its own path, and close it."""
    for path, descriptor in sources:
        source = f"/proc/self/fd/{descriptor}"
        _bind(source, base + path, is_folder=os.path.isdir(source), device=path in devices)
        os.close(descriptor)


def _package_folders(path: str) -> list[str]:
    """Installed packages lie inside the library folder; a solution must not see them."""
    names = ("site-packages", "dist-packages")
    found = [os.path.join(path, name) for name in names] + [
        os.path.join(path, folder, name) for folder in os.listdir(path) if folder.startswith("python") for name in names
    ]
    return [folder for folder in found if os.path.isdir(folder)]


def _bind(source: str, target: str, is_folder: bool, device: bool) -> None:
    """Mount ``source`` read-only; the flags it is already mounted with must be kept."""
    if is_folder:
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    mount(source, target, flags=MS_BIND)
    now = os.statvfs(target).f_flag
    kept = MS_NOEXEC * bool(now & os.ST_NOEXEC) | MS_NOATIME * bool(now & os.ST_NOATIME)
    kept |= MS_NODIRATIME * bool(now & os.ST_NODIRATIME) | MS_RELATIME * bool(now & os.ST_RELATIME)
    kept |= 0 if device else MS_RDONLY | MS_NODEV
    mount("none", target, flags=MS_BIND | MS_REMOUNT | MS_NOSUID | kept)


def _copy_links(base: str) -> None:
    """Links of the host's root (``/lib`` to ``/usr/lib``) and the usual names of the standard streams."""
    links = {path: os.readlink(path) for path in ("/bin", "/lib", "/lib64") if os.path.islink(path)}
    links |= {"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0"}
    links |= {"/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2"}
    for path, target in links.items():
        if not os.path.lexists(base + path):
            os.symlink(target, base + path)


def _mount_proc(base: str) -> None:
    """A view of the own processes. A container may refuse it; then there is none, and ``/dev/stdin`` is missing."""
    for options in ("hidepid=2,subset=pid", "hidepid=2", ""):
        try:
            mount("proc", base + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, options)
            return
        except OSError:
            continue


def _make_root(base: str) -> None:
    """Make ``base`` the root and let go of the old one."""
    mount("none", base, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)
    os.chdir(base)
    pivot_root(".", ".")
    detach(".")
    os.chdir("/tmp")
