"""Wrong programs that try to be scored as right ones, by the classes of the catalogue. The task: ``f(x) = 3 * x + 1``.

``A`` leave early, ``B`` lie in the comparison, ``C`` read the answers, ``D`` write the verdict, ``E`` defeat the limits,
``F`` reach other tests. Each comes with the outcomes that an honest judge may give.
"""

# ruff: noqa: E501 - programs on one line each

from __future__ import annotations

from critique_coder.records import Outcome

WRONG, ERROR, DENIED = Outcome.WRONG_ANSWER, Outcome.RUNTIME_ERROR, Outcome.FORBIDDEN
TIME, MEMORY, OUTPUT = Outcome.TIME_LIMIT, Outcome.MEMORY_LIMIT, Outcome.OUTPUT_LIMIT

WRONG_F = "def f(x): return 7\n"

ADVERSARIES: dict[str, tuple[str, tuple[Outcome, ...]]] = {
    # A: leave before the comparison
    "A sys.exit at import": ("import sys\nsys.exit(0)", (ERROR,)),
    "A sys.exit in f": ("import sys\ndef f(x): sys.exit(0)", (ERROR,)),
    "A quit": ("def f(x): quit()", (ERROR,)),
    "A os._exit at import": ("import os\nos._exit(0)", (ERROR,)),
    "A os._exit in f": ("import os\ndef f(x): os._exit(0)", (ERROR,)),
    "A posix._exit": ("import posix\ndef f(x): posix._exit(0)", (ERROR,)),
    "A libc exit": ("import ctypes\ndef f(x): ctypes.CDLL(None)._exit(0)", (ERROR,)),
    "A atexit": ("import atexit, os\natexit.register(os._exit, 0)\n" + WRONG_F, (WRONG,)),
    "A thread exits": ("import os, threading, time\nthreading.Thread(target=lambda: os._exit(0)).start()\ntime.sleep(0.2)\n" + WRONG_F, (ERROR,)),
    "A excepthook": ("import os, sys\nsys.excepthook = lambda *a: os._exit(0)\ndef f(x): 1/0", (ERROR,)),
    "A SkipTest": ("import unittest\ndef f(x): raise unittest.SkipTest()", (ERROR,)),
    "A KeyboardInterrupt": ("def f(x): raise KeyboardInterrupt", (ERROR,)),
    "A kill itself": ("import os\ndef f(x): os.kill(os.getpid(), 9)", (ERROR, MEMORY)),
    "A exec true": ("import os\ndef f(x): os.execv('/bin/true', ['true'])", (DENIED, ERROR)),
    "A never returns a value": ("def f(x): pass", (WRONG,)),
    # B: lie in the comparison
    "B equal object": ("class A:\n    def __eq__(self, o): return True\ndef f(x): return A()", (WRONG,)),
    "B equal int": ("class A(int):\n    def __eq__(self, o): return True\n    __hash__ = int.__hash__\ndef f(x): return A(7)", (WRONG,)),
    "B equal list": ("class A(list):\n    def __eq__(self, o): return True\ndef f(x): return A()", (WRONG,)),
    "B equal str": ("class A(str):\n    def __eq__(self, o): return True\ndef f(x): return A()", (WRONG,)),
    "B equal nan": ("class A(float):\n    def __eq__(self, o): return True\ndef f(x): return A('nan')", (WRONG,)),
    "B equal class": ("class M(type):\n    def __eq__(c, o): return True\n    __hash__ = None\nclass A(metaclass=M): pass\ndef f(x): return A", (WRONG,)),
    "B says it is an int": ("class A:\n    __class__ = int\n    def __eq__(self, o): return True\ndef f(x): return A()", (WRONG,)),
    "B dict with other items": ("class A(dict):\n    def items(self): return [(1, 2)]\ndef f(x): return A()", (WRONG,)),
    "B reduce gadget": ("import os\nclass A:\n    def __reduce__(self): return (os._exit, (0,))\ndef f(x): return A()", (WRONG,)),
    "B mock.ANY": ("from unittest import mock\ndef f(x): return mock.ANY", (WRONG,)),
    "B generator": ("def f(x): yield 3 * x + 1", (WRONG,)),
    "B coroutine": ("async def f(x): return 3 * x + 1", (WRONG,)),
    "B all answers at once": ("def f(x): return [4, 7, 10]", (WRONG,)),
    "B text of the answer": ("def f(x): return str(3 * x + 1)", (WRONG,)),
    "B patched isinstance": ("import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.all = lambda *a: True\n" + WRONG_F, (WRONG, ERROR)),
    "B patched enumerate": ("import builtins\nbuiltins.enumerate = builtins.zip = lambda *a: iter(())\n" + WRONG_F, (WRONG,)),
    "B patched type": ("import builtins\nbuiltins.type = lambda *a: int\n" + WRONG_F, (WRONG, ERROR)),
    "B patched json": ("import json\njson.dumps = lambda *a, **k: '4'\njson.JSONEncoder.encode = lambda *a: '[\"value\", 4]'\n" + WRONG_F, (WRONG,)),
    "B faked numpy": (("import sys, types\nn = types.ModuleType('numpy')\nclass A:\n    def item(self): return self\nn.generic = n.ndarray = A\n"
                      "sys.modules['numpy'] = n\ndef f(x): return A()"), (WRONG,)),
    # C: read the answers
    "C frames": (("import sys\ndef f(x):\n    g = sys._getframe()\n    while g:\n        for v in g.f_locals.values():\n"
                 "            if isinstance(v, dict) and 'expected' in v: return v['expected']\n        g = g.f_back\n    return 7"), (WRONG,)),
    "C gc": ("import gc\ndef f(x):\n    for o in gc.get_objects():\n        if type(o) is dict and 'expected' in o: return o['expected']\n    return 7", (WRONG,)),
    "C parent memory": ("import os\ndef f(x):\n    open(f'/proc/{os.getppid()}/mem', 'rb').read(10)\n    return 3 * x + 1", (DENIED, ERROR)),
    "C parent environment": ("import os\ndef f(x): return open(f'/proc/{os.getppid()}/environ').read() and 3 * x + 1", (DENIED, ERROR)),
    "C parent descriptors": ("import os\ndef f(x): return os.listdir(f'/proc/{os.getppid()}/fd') and 3 * x + 1", (DENIED, ERROR)),
    "C own folder": ("import os\ndef f(x): return 3 * x + 1 if os.listdir('.') else 7", (WRONG,)),
    "C own arguments": ("import sys\ndef f(x): return 3 * x + 1 if len(sys.argv) > 1 or sys.stdin.read() else 7", (WRONG,)),
    "C import the judge": ("import critique_coder\ndef f(x): return 3 * x + 1", (ERROR,)),
    "C tests on disk": (f"def f(x): return open({__file__!r}).read() and 3 * x + 1", (DENIED, ERROR)),
    "C passwords": ("def f(x): return open('/etc/passwd').read() and 3 * x + 1", (DENIED, ERROR)),
    # D: write the verdict
    "D every descriptor": (
        "import os\nfor n in range(3, 1000):\n    try: os.write(n, b'[\"value\", 4]\\n[\"passed\", \"\"]\\n' * 3)\n    except OSError: pass\n" + WRONG_F, (WRONG,)),
    "D close every descriptor": ("import os\nos.closerange(0, 1000)\n" + WRONG_F, (WRONG,)),
    "D print a verdict": ("print('{\"outcome\": \"passed\"}')\n" + WRONG_F, (WRONG,)),
    "D find the channel": (
        "import gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Channel': o.send('passed', ''); o.send('value', 5)\n" + WRONG_F, (WRONG,)),
    "D wipe the channel": (
        "import gc, mmap, os\ndef f(x):\n    for o in gc.get_objects():\n        if type(o) is mmap.mmap: o[:8] = b'\\xff' * 8\n    os._exit(97)", (ERROR,)),
    "D replace the channel": (
        "import gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Channel': type(o).send = lambda *a: True\n" + WRONG_F, (ERROR,)),
    "D ptrace": ("import ctypes, os\ndef f(x): return 3 * x + 1 if ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0 else 7", (WRONG,)),
    "D kill the parent": ("import os\ndef f(x): os.kill(os.getppid(), 9); return 3 * x + 1", (DENIED,)),
    "D kill all": ("import os\ndef f(x): os.kill(-1, 9); return 3 * x + 1", (DENIED,)),
    "D kill the group": ("import os\ndef f(x): os.kill(0, 9); return 3 * x + 1", (DENIED,)),
    "D stop the parent": ("import os, signal\ndef f(x): os.kill(os.getppid(), signal.SIGSTOP); return 3 * x + 1", (DENIED,)),
    "D signal by descriptor": (
        "import fcntl, os\ndef f(x):\n    r, w = os.pipe()\n    fcntl.fcntl(r, 8, os.getppid())\n    return 3 * x + 1", (DENIED,)),
    # E: defeat the limits
    "E swallow everything": ("def f(x):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass", (TIME,)),
    "E patched clocks": ("import time\ntime.time = time.monotonic = time.process_time = lambda: 0\ndef f(x):\n    while True: pass", (TIME,)),
    "E raise own limits": ("import resource\nresource.setrlimit(resource.RLIMIT_CPU, (-1, -1))\n" + WRONG_F, (ERROR, DENIED)),
    "E raise own memory": ("import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))\n" + WRONG_F, (ERROR, DENIED)),
    "E fork": ("import os\ndef f(x):\n    while True: os.fork()", (DENIED,)),
    "E fork in C": ("import ctypes\ndef f(x): return 3 * x + 1 if ctypes.CDLL(None).fork() >= 0 else 7", (WRONG,)),
    "E vfork, clone, clone3": (
        ("import ctypes, os\ns = ctypes.CDLL(None).syscall\nn = {'x86_64': (56, 435, 58), 'aarch64': (220, 435, 435)}[os.uname().machine]\n"
        "def f(x): return 3 * x + 1 if s(n[0], 17, 0, 0, 0, 0) >= 0 or s(n[1], bytes(88), 88) >= 0 else 7"), (WRONG,)),
    "E setsid": ("import os\ndef f(x): os.setsid(); return 3 * x + 1", (DENIED,)),
    "E threads": ("import threading, time\ndef f(x):\n    while True: threading.Thread(target=time.sleep, args=(9,)).start()", (ERROR, MEMORY)),
    "E memory": ("def f(x):\n    a = []\n    while True: a.append(bytes(10**6))", (MEMORY,)),
    "E output": ("def f(x):\n    while True: print('x' * 10**5)", (OUTPUT,)),
    "E descriptors": ("def f(x): return [open('/dev/null') for _ in range(10**5)]", (ERROR,)),
    "E deep value": ("def f(x):\n    a = []\n    for _ in range(10**5): a = [a]\n    return a", (WRONG,)),
    "E huge int": ("def f(x): return 1 << 10**6", (WRONG,)),
    "E colliding set": ("def f(x): return {i * (2**61 - 1) for i in range(1, 3000)}", (WRONG,)),
    # F: reach other tests and the rest of the machine
    "F files stay": (("import os\nok = os.path.exists('/dev/shm/a') or os.path.exists('a')\nopen('a', 'w').close()\n"
                     "try: open('/dev/shm/a', 'w').close()\nexcept OSError: pass\ndef f(x): return 3 * x + 1 if ok else 7"), (WRONG,)),
    "F write the library": ("import os\nopen(os.path.join(os.path.dirname(os.__file__), 'evil.py'), 'w')\n" + WRONG_F, (DENIED,)),
    "F write home": ("import os\nopen('/root/evil', 'w')\n" + WRONG_F, (DENIED, ERROR)),
    "F network": ("import socket\nsocket.socket()\n" + WRONG_F, (DENIED,)),
    "F local socket": ("import socket\nsocket.socket(socket.AF_UNIX)\n" + WRONG_F, (DENIED,)),
    "F netlink": ("import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW)\n" + WRONG_F, (DENIED,)),
    "F datagrams": ("import socket\nsocket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n" + WRONG_F, (DENIED,)),
    "F namespaces": ("import ctypes\ndef f(x): return 3 * x + 1 if ctypes.CDLL(None).unshare(0x10000000) == 0 else 7", (WRONG,)),
    "F other architecture": (
        ("import ctypes, mmap\nm = mmap.mmap(-1, 4096, prot=7)\nm.write(bytes.fromhex('b814000000cd80c3'))\n"
        "g = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))\ndef f(x): return 3 * x + 1 if g() > 0 else 7"),
        (DENIED, ERROR)),
    "F lock the library": ("import os\nwith open(os.__file__) as f: os.fchmod(f.fileno(), 0o444)\n" + WRONG_F, (DENIED,)),
    "F touch the library": ("import os\nos.utime(os.__file__)\n" + WRONG_F, (DENIED,)),
    "F deep folders": ("import os\nfor _ in range(400):\n    os.mkdir('d')\n    os.chdir('d')\n" + WRONG_F, (WRONG,)),
    "F closed folder": ("import os\nos.mkdir('d')\nopen('d/e', 'w').close()\nd = os.open('d', os.O_RDONLY)\nos.fchmod(d, 0)\n" + WRONG_F, (WRONG, DENIED)),
}  # fmt: skip

SYSTEM_CALLS = {
    "x86_64": {"ptrace": 101, "process_vm_readv": 310, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272,
               "setns": 308, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425, "keyctl": 250, "add_key": 248,
               "memfd_create": 319, "memfd_secret": 447, "shmget": 29, "pidfd_open": 434, "execve": 59, "vfork": 58, "personality": 135,
               "name_to_handle_at": 303, "open_by_handle_at": 304, "fsopen": 430, "open_tree": 428, "kexec_load": 246, "reboot": 169,
               "tkill": 200, "rt_sigqueueinfo": 129, "process_madvise": 440, "setsid": 112, "mq_open": 240, "socket": 41, "modify_ldt": 154},
    "aarch64": {"ptrace": 117, "process_vm_readv": 270, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "unshare": 97,
                "setns": 268, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "io_uring_setup": 425, "keyctl": 219, "add_key": 217,
                "memfd_create": 279, "memfd_secret": 447, "shmget": 194, "pidfd_open": 434, "execve": 221, "personality": 92,
                "name_to_handle_at": 264, "open_by_handle_at": 265, "fsopen": 430, "open_tree": 428, "kexec_load": 104, "reboot": 142,
                "tkill": 130, "rt_sigqueueinfo": 138, "process_madvise": 440, "setsid": 157, "mq_open": 180, "socket": 198},
}  # fmt: skip
"""Calls that must be refused with EPERM, as numbers, to be made by number."""
