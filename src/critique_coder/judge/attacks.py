"""Small programs that try to get out of the jail, run to find out how good it is on this machine.

Each reads a line of JSON with ``secret`` (a file of the caller), ``outside`` (a folder of the caller) and ``marker`` (a
word), and prints ``got out: ...`` when the attack worked. Two leave traces that are looked for from outside as well.
"""

from __future__ import annotations

from dataclasses import dataclass

_PROLOGUE = "import json, os, sys\ngoal = json.loads(input())\n"


@dataclass(frozen=True, slots=True)
class Attack:
    """``name`` says what is tried; ``remedy`` what to do where it works."""

    name: str
    body: str
    remedy: str

    @property
    def code(self) -> str:
        """The whole program."""
        return _PROLOGUE + self.body


_CONFINE = (
    "have a kernel with namespaces or Landlock (see the isolation level above), or run inside a throw-away machine"
)

ATTACKS = (
    Attack(
        "open a network socket",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nprint('got out: a socket was created')\n",
        "run on x86_64 or aarch64 with seccomp (CONFIG_SECCOMP_FILTER)",
    ),
    Attack(
        "read a file of the caller",
        "print('got out:', open(goal['secret']).read())\n",
        _CONFINE,
    ),
    Attack(
        "write outside the scratch folder",
        "for folder in (goal['outside'], '/var/tmp', os.path.dirname(os.__file__)):\n"
        "    try:\n"
        "        path = os.path.join(folder, goal['marker'])\n"
        "        open(path, 'w').close()\n"
        "        os.remove(path)\n"
        "        print('got out: wrote', path)\n"
        "    except OSError:\n"
        "        pass\n",
        _CONFINE,
    ),
    Attack(
        "leave a process behind",
        "import time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    open('/proc/self/comm', 'w').write(goal['marker'])\n"
        "    for number in range(3): os.close(number)\n"
        "    time.sleep(20)\n"
        "    os._exit(0)\n"
        "time.sleep(0.2)\n",
        "run on x86_64 or aarch64 with seccomp (CONFIG_SECCOMP_FILTER)",
    ),
    Attack(
        "start another program",
        "program = '/bin/true' if os.path.exists('/bin/true') else sys.executable\nos.execv(program, [program])\n",
        "run on x86_64 or aarch64 with seccomp (CONFIG_SECCOMP_FILTER)",
    ),
    Attack(
        "kill the parent process",
        "import signal\nos.kill(os.getppid(), signal.SIGTERM)\nos.kill(os.getppid(), signal.SIGKILL)\n"
        "print('got out: sent a signal')\n",
        "run on x86_64 or aarch64 with seccomp (CONFIG_SECCOMP_FILTER)",
    ),
    Attack(
        "read the environment of other processes",
        "for name in os.listdir('/proc'):\n"
        "    if name.isdigit() and int(name) != os.getpid():\n"
        "        try:\n"
        "            if open(f'/proc/{name}/environ', 'rb').read():\n"
        "                print('got out: read the environment of process', name)\n"
        "                break\n"
        "        except OSError:\n"
        "            pass\n",
        _CONFINE,
    ),
)
