"""The review page with 20,000 items and 20 simulated reviewers at once: how fast, how much memory, is anything lost.

Starts ``critique-coder review`` on a build made for this, asks for the first page and then for one item after the
other, and lets simulated reviewers judge for a minute: each fetches the next item, says that it is on the screen and
posts a verdict, one in ten twice (as a browser does that missed the answer). Then the same with a kill -9 of the server
in the middle; the reviewers send again what was not answered, as the page's script does. At the end the store must hold
each verdict sent exactly once and as it was sent.

    .venv/bin/python benchmarks/review_load.py --output runs/review-load
"""

from __future__ import annotations

import argparse
import html
import http.client
import json
import os
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from critique_coder.records import CritiqueRow, LabelSource, Outcome, Problem, Solution, TestCase, TestKind, TestResult
from critique_coder.records import Verdict as Tested
from critique_coder.review.store import FILE
from critique_coder.storage import write_json, write_jsonl

SOLUTIONS_EACH, TESTS_EACH = 4, 12
WORDS = "given an array of n integers find the smallest number of steps after which every element is even"


def make_build(folder: Path, items: int) -> None:
    """A build of ``items`` labelled solutions with texts of a usual length."""
    chance = random.Random(0)
    words = WORDS.split()
    problems = [_problem(number, chance, words) for number in range(-(-items // SOLUTIONS_EACH))]
    solutions, verdicts, rows = [], [], []
    for number in range(items):
        problem = problems[number // SOLUTIONS_EACH]
        name, passed = f"{problem.id}#{number % SOLUTIONS_EACH}", chance.choice((0, 3, 9, 11, TESTS_EACH, TESTS_EACH))
        body = "".join(f"    step_{line} = sum(values[{line}:]) % {chance.randrange(2, 99)}\n" for line in range(25))
        code = f"def solve(values):\n{body}    return step_{passed}\n"
        results = tuple(
            TestResult(Outcome.PASSED if place < passed else Outcome.WRONG_ANSWER, 0.01) for place in range(TESTS_EACH)
        )
        outcome = Outcome.PASSED if passed == TESTS_EACH else Outcome.WRONG_ANSWER
        rate = passed / TESTS_EACH
        solutions.append(Solution(name, problem.id, code, author=f"model {number % 5}").to_json())
        verdicts.append(Tested(name, problem.id, outcome, passed, TESTS_EACH, rate, results).to_json())
        row = CritiqueRow(
            f"critique/{name}", problem.id, name, problem.statement, code, rate > 0.8, LabelSource.TESTS, rate
        )
        rows.append(row.to_json())
    write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in problems))
    write_jsonl(folder / "solutions.jsonl", solutions)
    write_jsonl(folder / "verdicts.jsonl", verdicts)
    write_jsonl(folder / "critiques.jsonl", rows)
    write_json(folder / "manifest.json", {"kind": "build", "settings": {}})


def _problem(number: int, chance: random.Random, words: list[str]) -> Problem:
    text = "\n\n".join(" ".join(chance.choices(words, k=45)).capitalize() + "." for _ in range(4))
    tests = tuple(
        TestCase(TestKind.CALL, args=([chance.randrange(1000) for _ in range(20)],), expected=chance.randrange(99))
        for _ in range(TESTS_EACH)
    )
    return Problem(f"p{number}", f"{text}\n\nWrite `solve(values)`, where $n \\le 10^5$.", tests, entry_point="solve")


class Server:
    """``critique-coder review`` in a process of its own."""

    def __init__(self, folder: Path, people: list[str], port: int = 0) -> None:
        start = time.monotonic()
        names = [word for name in people for word in ("--person", name)]
        command = [sys.executable, "-c", "from critique_coder.cli import main; main()", "review", str(folder), "--json"]
        self._process = subprocess.Popen([*command, "--port", str(port), *names], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.links: dict[str, str] = json.loads(self._process.stdout.readline())["links"]
        self.port = int(_found(r":(\d+)/", next(iter(self.links.values()))))
        self.started_s = time.monotonic() - start

    def memory_mb(self) -> float:
        """Resident memory in MiB."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(_found(r"VmRSS:\s+(\d+)", text)) / 1024

    def cpu_s(self) -> float:
        """Processor seconds used so far."""
        used = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"the page does not hold {pattern!r}: {text[:300]!r}")
    return match[1]


@dataclass
class Client:
    """A browser without its script: a connection, the session and the CSRF token."""

    link: str
    port: int
    cookie: str = ""
    csrf: str = ""
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def enter(self) -> None:
        """Turn the link into a session."""
        self._line.request("GET", "/enter/" + self.link.rpartition("/")[2])
        answer = self._line.getresponse()
        answer.read()
        self.cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
        self.csrf = _found(r'name="csrf" content="([^"]+)"', self.ask("/")[1])

    def ask(self, path: str, body: Any = None) -> tuple[int, str]:
        """Status and text of an answer; ``waits`` takes the seconds."""
        headers = {"cookie": self.cookie, "accept": "*/*"}
        if body is not None:
            headers |= {"origin": f"http://127.0.0.1:{self.port}", "x-csrf": self.csrf}
            headers |= {"content-type": "application/json"}
        start = time.perf_counter()
        try:
            sent = None if body is None else json.dumps(body)
            self._line.request("GET" if body is None else "POST", path, sent, headers)
            answer = self._line.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            self._line.close()
            raise
        self.waits.append(time.perf_counter() - start)
        return answer.status, text

    def part(self, path: str) -> dict[str, Any]:
        """What the server says to the script about an item."""
        status, text = self.ask(path)
        if status != 200:
            raise Refusal(status)
        data: dict[str, Any] = json.loads(html.unescape(_found(r'data-part="([^"]+)"', text)))
        return data


@dataclass
class Clock:
    """Until when all judge."""

    until: float


class Refusal(Exception):
    """An answer that says no for now."""


class Reviewer(threading.Thread):
    """One simulated reviewer. ``sent``: by key, the item's reference and the answers; each is sent until answered."""

    def __init__(self, number: int, link: str, port: int, clock: Clock) -> None:
        super().__init__()
        self._chance, self._clock = random.Random(number), clock
        self.client = Client(link, port)
        self.sent: dict[str, tuple[str, dict[str, str]]] = {}
        self.times: dict[str, list[float]] = {"next": [], "verdict": []}
        self.again = 0
        self.longest_s = 0.0
        self._number = number

    def run(self) -> None:
        """Judge until the time is over."""
        after = ""
        while time.monotonic() < self._clock.until:
            part = self._try(lambda after=after: self.client.part(f"/part?after={after}"))
            self.times["next"].append(self.client.waits[-1])
            if part["ref"] is None:
                return
            self._try(lambda part=part: self._write("/place", {"ref": part["ref"]}))
            self._judge(part)
            after = part["ref"]

    def _judge(self, part: dict[str, Any]) -> None:
        answers = {question: self._chance.choice(("yes", "no", "cant_tell")) for question in part["questions"]}
        key = f"{self._number}-{len(self.sent)}-{self._chance.getrandbits(64):x}"
        body = {"key": key, "ref": part["ref"], "sha": part["sha"], "answers": answers, "tags": [], "note": key}
        self.sent[key] = (part["ref"], answers)
        for _ in range(2 if self._chance.random() < 0.1 else 1):
            self._try(lambda: self._write("/verdict", {**body, "marks": []}))
            self.times["verdict"].append(self.client.waits[-1])

    def _write(self, path: str, body: dict[str, Any]) -> None:
        status, text = self.client.ask(path, body)
        if status != 200:
            raise Refusal(f"{status} {text[:200]}")

    def _try(self, action: Any) -> Any:
        """Until it is answered, as the page's script does; ``longest_s``: the longest that took, all tries in."""
        start = time.monotonic()
        while True:
            try:
                done = action()
                self.longest_s = max(self.longest_s, time.monotonic() - start)
                return done
            except (OSError, http.client.HTTPException, Refusal):
                self.again += 1
                time.sleep(0.1)


def measure_single(server: Server, person: str, count: int) -> dict[str, Any]:
    """The first page, and the next item ``count`` times, for one person alone."""
    client = Client(server.links[person], server.port)
    start = time.perf_counter()
    client.enter()
    first_s = time.perf_counter() - start
    client.waits.clear()
    ref, before, used_s = "", server.memory_mb(), server.cpu_s()
    for _ in range(count):
        ref = client.part(f"/part?after={ref}")["ref"]
        time.sleep(0.05)
    return {
        "start_s": round(server.started_s, 2),
        "first_page_s": round(first_s, 3),
        "next_item_ms": _spread(client.waits),
        "next_item_processor_ms": round(1000 * (server.cpu_s() - used_s) / count, 1),
        "memory_mb": [round(before), round(server.memory_mb())],
    }


def _spread(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    named = {"median": statistics.median(ordered), "p99": ordered[int(0.99 * len(ordered))], "most": ordered[-1]}
    return {name: round(1000 * value, 1) for name, value in named.items()}


def crowd(folder: Path, people: list[str], seconds: float, kill: bool) -> dict[str, Any]:
    """All reviewers at once; with ``kill`` the server is killed in the middle and started again."""
    server = Server(folder, people)
    clock = Clock(0)
    reviewers = [Reviewer(n, server.links[name], server.port, clock) for n, name in enumerate(people)]
    for reviewer in reviewers:
        reviewer.client.enter()
    used_s = server.cpu_s()
    clock.until = time.monotonic() + seconds * (10 if kill else 1)
    for reviewer in reviewers:
        reviewer.start()
    memory = []
    if kill:
        time.sleep(seconds / 2)
        server.kill()
        server = Server(folder, people, server.port)
        clock.until = time.monotonic() + seconds / 2
    while any(reviewer.is_alive() for reviewer in reviewers):
        memory.append(server.memory_mb())
        time.sleep(1)
    used_s = server.cpu_s() - used_s
    server.kill()
    times = {name: _spread([one for r in reviewers for one in r.times[name]]) for name in ("next", "verdict")}
    third = max(1, len(memory) // 3)
    verdicts = sum(len(reviewer.sent) for reviewer in reviewers)
    return {
        "verdicts": verdicts,
        "per_s": round(verdicts / seconds, 1),
        "asked_again": sum(reviewer.again for reviewer in reviewers),
        "longest_wait_s": round(max(reviewer.longest_s for reviewer in reviewers), 1),
        **({"started_again_s": round(server.started_s, 1)} if kill else {}),
        "next_ms": times["next"],
        "verdict_ms": times["verdict"],
        "memory_mb": [round(memory[0]), round(statistics.mean(memory[-third:])), round(max(memory))],
        **({} if kill else {"processor_ms_per_verdict": round(1000 * used_s / max(1, verdicts), 1)}),
        **compare(folder, people, reviewers),
    }


def compare(folder: Path, people: list[str], reviewers: list[Reviewer]) -> dict[str, Any]:
    """What the store holds against what was sent."""
    from critique_coder.review.desk import ref_of

    with sqlite3.connect(folder / FILE) as base:
        rows = base.execute("SELECT key, item, person, answers FROM verdicts").fetchall()
    stored = [(key, ref_of(item), json.loads(answers)) for key, item, _, answers in rows]
    wanted = {f"{people[number]}/{key}": what for number, one in enumerate(reviewers) for key, what in one.sent.items()}
    keys = [key for key, _, _ in stored]
    judged: dict[str, int] = {}
    for _, item, _, _ in rows:
        judged[item] = judged.get(item, 0) + 1
    return {
        "lost": len(set(wanted) - set(keys)),
        "doubled": len(keys) - len(set(keys)),
        "not_sent": len(set(keys) - set(wanted)),
        "changed": sum((ref, answers) != wanted.get(key) for key, ref, answers in stored if key in wanted),
        "twice_by_one_person": len(rows) - len({(item, person) for _, item, person, _ in rows}),
        "items_judged": len(judged),
        "items_judged_by_more_than_two": sum(count > 2 for count in judged.values()),
    }


def main() -> None:
    """Run all three and write ``figures.json``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("runs/review-load"))
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--reviewers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    folder, people = given.output / "build", [f"reviewer-{number:02}" for number in range(given.reviewers)]
    shutil.rmtree(folder, ignore_errors=True)
    make_build(folder, given.items)
    figures: dict[str, Any] = {"items": given.items, "reviewers": given.reviewers, "seconds": given.seconds}
    server = Server(folder, people[:1])
    figures["alone"] = measure_single(server, people[0], 300)
    server.kill()
    for name, kill in (("together", False), ("killed", True)):
        for path in folder.glob(f"{FILE}*"):
            path.unlink()
        figures[name] = crowd(folder, people, given.seconds, kill)
        print(json.dumps({name: figures[name]}, indent=1), flush=True)
    write_json(given.output / "figures.json", figures)
    print(json.dumps(figures, indent=1))
    bad = [name for name in ("together", "killed") if any(figures[name][key] for key in ("lost", "doubled", "changed"))]
    if bad:
        raise SystemExit(f"verdicts were lost, doubled or changed: {', '.join(bad)}")


if __name__ == "__main__":
    main()
