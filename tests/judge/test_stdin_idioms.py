"""Every way in which a correct Python program reads and writes must pass."""

# ruff: noqa: E501 - programs on one line each

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from critique_coder.records import Outcome, Verdict

SUM_IDIOMS = {
    "input": "n = int(input())\nprint(sum(map(int, input().split())))",
    "input until EOFError": "t = []\ntry:\n    while True: t += input().split()\nexcept EOFError: pass\nprint(sum(map(int, t[1:])))",
    "read": "import sys\nprint(sum(map(int, sys.stdin.read().split()[1:])))",
    "readline": "import sys\ninput = sys.stdin.readline\ninput()\nprint(sum(map(int, input().split())))",
    "readlines": "import sys\nprint(sum(map(int, sys.stdin.readlines()[1].split())))",
    "iterate": "import sys\nlines = [line for line in sys.stdin]\nprint(sum(map(int, lines[1].split())))",
    "buffer read": "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split()[1:])))",
    "buffer readline": "import sys\nr = sys.stdin.buffer.readline\nr()\nprint(sum(map(int, r().split())))",
    "buffer iterate": "import sys\nprint(sum(int(x) for line in list(sys.stdin.buffer)[1:] for x in line.split()))",
    "open 0": "print(sum(map(int, open(0).read().split()[1:])))",
    "open 0 lines": "_, *rest = open(0)\nprint(sum(map(int, rest[0].split())))",
    "open 0 binary": "print(sum(map(int, open(0, 'rb').read().split()[1:])))",
    "os.read": "import os\nprint(sum(map(int, os.read(0, 10**6).split()[1:])))",
    "os.read by size": "import os, io\nd = os.read(0, os.fstat(0).st_size)\nprint(sum(map(int, io.BytesIO(d).read().split()[1:])))",
    "fileinput": "import fileinput\nprint(sum(map(int, list(fileinput.input())[1].split())))",
    "/dev/stdin": "print(sum(map(int, open('/dev/stdin').read().split()[1:])))",
    "stdout.write": "import sys\ninput()\nsys.stdout.write(str(sum(map(int, input().split()))) + '\\n')",
    "stdout.buffer": "import sys\ninput()\nsys.stdout.buffer.write(b'%d' % sum(map(int, input().split())))",
    "os.write": "import os\ninput()\nos.write(1, str(sum(map(int, input().split()))).encode())",
    "print flush": "input()\nprint(sum(map(int, input().split())), flush=True)",
    "exit after output": "input()\nprint(sum(map(int, input().split())))\nexit()",
    "quit after output": "input()\nprint(sum(map(int, input().split())))\nquit()",
    "sys.exit 0": "import sys\ninput()\nprint(sum(map(int, input().split())))\nsys.exit(0)",
    "os._exit after flush": "import os\ninput()\nprint(sum(map(int, input().split())), flush=True)\nos._exit(0)",
    "main guard": "def main():\n    input()\n    print(sum(map(int, input().split())))\nif __name__ == '__main__':\n    main()",
    "big stack thread": (
        "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(1 << 27)\n"
        "def go(n): return 0 if n == 0 else 1 + go(n - 1)\n"
        "def main():\n    input()\n    print(sum(map(int, input().split())) + go(20000) - 20000)\n"
        "t = threading.Thread(target=main)\nt.start()\nt.join()"
    ),
    "thread not joined": "import threading\ndef main():\n    input()\n    print(sum(map(int, input().split())))\n"
    "threading.Thread(target=main).start()",
    "deep recursion": (
        "import sys\nsys.setrecursionlimit(10**5)\ndef go(n): return 0 if n == 0 else 1 + go(n - 1)\n"
        "input()\nprint(sum(map(int, input().split())) + go(20000) - 20000)"
    ),
    "deep lru_cache": (
        "import sys\nfrom functools import lru_cache\nsys.setrecursionlimit(10**6)\n@lru_cache(None)\n"
        "def go(n): return 0 if n == 0 else 1 + go(n - 1)\ninput()\nprint(sum(map(int, input().split())) + go(20000) - 20000)"
    ),
    "rlimit stack": (
        "import resource\nresource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "input()\nprint(sum(map(int, input().split())))"
    ),
    "redirected stdout": "import io, sys\nout = io.StringIO()\nold, sys.stdout = sys.stdout, out\ninput()\n"
    "print(sum(map(int, input().split())))\nsys.stdout = old\nprint(out.getvalue())",
    "stdin replaced": "import io, os, sys\nsys.stdin = io.StringIO(os.read(0, 1000).decode())\ninput()\nprint(sum(map(int, input().split())))",
    "atexit": "import atexit\ninput()\ntotal = sum(map(int, input().split()))\natexit.register(lambda: print(total))",
    "asyncio": "import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    input()\n    print(sum(map(int, input().split())))\n"
    "asyncio.run(main())",
    "scratch file": "open('a.txt', 'w').write(open(0).read())\nprint(sum(map(int, open('a.txt').read().split()[1:])))",
    "tempfile": "import tempfile\nwith tempfile.TemporaryFile('w+') as f:\n    f.write(open(0).read())\n    f.seek(0)\n"
    "    print(sum(map(int, f.read().split()[1:])))",
    "dataclass": "from dataclasses import dataclass\n@dataclass(order=True)\nclass A:\n    x: int = 0\n"
    "input()\nprint(sum(A(int(x)).x for x in input().split()))",
    "thread pool": "from concurrent.futures import ThreadPoolExecutor\ninput()\nwith ThreadPoolExecutor(4) as p:\n"
    "    print(sum(p.map(int, input().split())))",
    "heavy imports": "import ssl, sqlite3, decimal, asyncio, unittest, xml.dom, zoneinfo\nzoneinfo.ZoneInfo('Europe/Berlin')\n"
    "input()\nprint(sum(map(int, input().split())))",
    "streams in with": "import sys\nwith sys.stdin as fin, sys.stdout as fout:\n    next(fin)\n    print(sum(map(int, next(fin).split())), file=fout)",
    "original stdout at exit": "import atexit, io, sys\nout = sys.stdout = io.StringIO()\natexit.register(lambda: sys.__stdout__.write(out.getvalue()))\ninput()\nprint(sum(map(int, input().split())))",
    "own kind of file": "import io, os\nclass Out(io.IOBase):\n    text = b''\n    def flush(self): os.write(1, self.text)\n    def __call__(self, text): self.text += text\nout = Out()\ninput()\nout(b'%d' % sum(map(int, input().split())))",
    "file left open": "out = open(1, 'w', closefd=False)\ninput()\nout.write(str(sum(map(int, input().split()))))",
    "pickle of own class": "import pickle\nclass A: pass\npickle.loads(pickle.dumps(A()))\ninput()\nprint(sum(map(int, input().split())))",
}


@pytest.mark.parametrize("name", SUM_IDIOMS)
def test_idiom(name: str, program: Callable[..., Verdict]) -> None:
    verdict = program(SUM_IDIOMS[name], "3\n1 2 3\n", "6\n")
    assert verdict.outcome is Outcome.PASSED, verdict.tests


def test_the_page_lists_what_is_tested() -> None:
    """Name and program of each, as docs/stdin.md shows them."""
    page = (Path(__file__).parents[2] / "docs" / "stdin.md").read_text()
    rows = [row.removesuffix("` |").split(" | `", 1) for row in page.splitlines() if row.endswith("` |")]
    shown = {name.removeprefix("| "): code.replace(" ⏎ ", "\n").replace("\\|", "|") for name, code in rows}
    assert shown == SUM_IDIOMS
    assert len(SUM_IDIOMS) >= 36 and f"judges all {len(SUM_IDIOMS)} of them" in page


def test_five_megabytes_in(program: Callable[..., Verdict]) -> None:
    numbers = "1234567 " * 650_000
    code = "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))"
    assert program(code, numbers, str(1234567 * 650_000)).outcome is Outcome.PASSED


def test_two_megabytes_out(program: Callable[..., Verdict]) -> None:
    assert program("for i in range(200_000): print('x' * 9)", "", "xxxxxxxxx\n" * 200_000).outcome is Outcome.PASSED


def test_text_beyond_ascii(program: Callable[..., Verdict]) -> None:
    assert program("print(input()[::-1])", "żółw 龍\n", "龍 włóż\n").outcome is Outcome.PASSED


@pytest.mark.parametrize(
    "code", ["print(6)\nraise SystemExit(1)", "print(6)\n1/0", "print(6, flush=True)\nimport os\nos._exit(3)"]
)
def test_right_output_and_a_bad_end_is_an_error(code: str, program: Callable[..., Verdict]) -> None:
    assert program(code, "", "6").outcome is Outcome.RUNTIME_ERROR


def test_right_output_and_a_signal_is_an_error(program: Callable[..., Verdict]) -> None:
    verdict = program("import os\nprint(6, flush=True)\nos.abort()", "", "6")
    assert verdict.outcome is Outcome.RUNTIME_ERROR
    assert "SIGABRT" in (verdict.tests[0].message or "")


def test_message_names_the_line(program: Callable[..., Verdict]) -> None:
    assert program("x = 1\ny = x / 0\n").tests[0].message == "ZeroDivisionError: division by zero (line 2)"
