"""A folder to review and its page being served, for tests: by the command itself, or by a server in this process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import httpx
import uvicorn

from critique_coder.records import CritiqueRow, LabelSource, Problem, Solution, Verdict
from critique_coder.review.desk import Desk
from critique_coder.review.from_build import cases_of
from critique_coder.review.queue import QueueSettings, queue
from critique_coder.review.server import application
from critique_coder.review.store import FILE, ReviewStore
from critique_coder.storage import write_json, write_jsonl
from critique_coder.training.rewards import Scored
from critique_coder.training.run import _write_rollouts
from making import a_problem, a_verdict

SCRIPT = (
    "</code></pre></script><script>alert(1)</script><img src=x onerror=alert(2)><a href='javascript:alert(3)'>x</a>"
)
ESCAPES = "\x1b[31mred\x1b]8;;http://evil/\x07 \u202edesrever\u2066 \x00 \ud800 \u2028"
LOADERS = (
    "![i](http://evil/i.png) [l](http://evil/) <http://evil/> http://evil/ [r][1]\n\n[1]: http://evil/ 'x'\n\n"
    "<iframe src=http://evil/></iframe>\n\n<style>@import url(http://evil/)</style>\n\n"
    "$\\href{javascript:alert(1)}{x}$ $\\text{<img src=x onerror=alert(1)>}$ $\\style{color:red}{x}$"
)
"""What an attacker would put wherever text can stand: a script, signs that steer a terminal, things that load."""
RIGHT, WRONG = "def double(n):\n    return 2 * n\n", "def double(n):\n    return n + 2\n"


@dataclass(frozen=True)
class Entry:
    """A solution of a folder, with how many of its problem's tests passed."""

    problem: Problem
    code: str
    passed: int
    author: str = "a model"


def entries(count: int, each: int = 2) -> list[Entry]:
    """Wrong and right solutions in turn, ``each`` of them a problem."""
    problems = [a_problem(f"p{number}") for number in range(-(-count // each))]
    return [Entry(problems[n // each], RIGHT if n % 2 else WRONG, 4 if n % 2 else 1) for n in range(count)]


def a_folder(folder: Path, found: Iterable[Entry]) -> Path:
    """A build folder as a build leaves it, without running anything."""
    named = [(f"{entry.problem.id}#{number}", entry) for number, entry in enumerate(found)]
    problems = {entry.problem.id: entry.problem for _, entry in named} or {"p": a_problem("p")}
    write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in problems.values()))
    solutions, verdicts, rows = [], [], []
    for name, entry in named:
        problem, total = entry.problem, len(entry.problem.tests)
        verdict: Verdict = a_verdict(name, problem.id, entry.passed, total)
        solutions.append(Solution(name, problem.id, entry.code, author=entry.author).to_json())
        verdicts.append(verdict.to_json())
        rows.append(
            CritiqueRow(
                f"critique/{name}", problem.id, name, problem.statement, entry.code, entry.passed == total,
                LabelSource.TESTS, verdict.pass_rate,
            ).to_json()
        )  # fmt: skip
    write_jsonl(folder / "solutions.jsonl", solutions)
    write_jsonl(folder / "verdicts.jsonl", verdicts)
    write_jsonl(folder / "critiques.jsonl", rows)
    return folder


def a_run(folder: Path, build: Path, critiques: Mapping[str, str]) -> Path:
    """A run's folder whose rollouts hold critiques, by the row that they judge."""
    write_json(folder / "manifest.json", {"kind": "run", "data": {"folder": str(build)}})
    scored = [
        Scored(
            row_id=row, kind="critique", problem_id=row.split("/")[1].split("#")[0], completion=text, reward=1.0,
            finding="correct" if "{T}" in text else "incorrect", detail="",
        )
        for row, text in critiques.items()
    ]  # fmt: skip
    _write_rollouts(folder, 1, scored)
    return folder


class Person(httpx.Client):
    """A person's browser without its script: knows the session, the CSRF token and where the page is."""

    def __init__(self, link: str) -> None:
        address = link.split("/enter/")[0]
        super().__init__(base_url=address, headers={"accept": "text/html"}, timeout=30)
        self._link, self.csrf = link, ""

    def __enter__(self) -> Self:
        super().__enter__()
        assert self.get(self._link).status_code == 200
        self.csrf = found(r'name="csrf" content="([^"]+)"', self.get("/").text)
        return self

    def write(self, path: str, body: Any, **headers: str | None) -> httpx.Response:
        """A write as the page's script sends it; a header that is None is left out."""
        own = {"origin": str(self.base_url).rstrip("/"), "x-csrf": self.csrf, "accept": "application/json"}
        given = {**own, **{name.replace("_", "-"): value for name, value in headers.items()}}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {name: value for name, value in given.items() if value is not None}
        return self.post(path, content=content, headers=sent)

    def part(self, path: str = "/part") -> dict[str, Any]:
        """What the server says about an item to the script, with the part's HTML under ``html``."""
        page = self.get(path)
        assert page.status_code == 200, page.text
        return data_of(page.text)

    def judge(self, part: Mapping[str, Any], answer: str, key: str, **others: Any) -> httpx.Response:
        """Give every question of an item the same answer."""
        answers = dict.fromkeys(part["questions"], answer)
        own = {"key": key, "ref": part["ref"], "sha": part["sha"], "tags": [], "note": "", "marks": []}
        return self.write("/verdict", {**own, "answers": answers, **others})


def found(pattern: str, text: str) -> str:
    """The first group of a pattern that must be in the text."""
    match = re.search(pattern, text)
    assert match, (pattern, text[:500])
    return match[1]


def data_of(page: str) -> dict[str, Any]:
    """The data of the item in a page or a part."""
    import html

    data: dict[str, Any] = json.loads(html.unescape(found(r'data-part="([^"]+)"', page)))
    return {**data, "html": page}


class Reviewing:
    """The page of a folder, served by a thread of this process; ``links`` by person."""

    def __init__(self, folder: Path, *people: str, names: Iterable[str] = ()) -> None:
        self.folder, self.people, self._names = folder, people or ("ann",), tuple(names)

    def __enter__(self) -> Self:
        cases = cases_of(self.folder)
        self.store = ReviewStore(self.folder / FILE)
        items = queue(cases, {case.id: 0.5 for case in cases}, replace(QueueSettings(), overlap_share=0.3))
        self.desk = Desk(self.folder, self.store, items, self.people)
        config = uvicorn.Config(application(self.desk, self._names), port=0, log_level="warning")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.address = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        return self

    def link(self, person: str | None = None) -> str:
        """The link that lets a person in."""
        return f"{self.address}/enter/{self.desk.keys.token('link', person or self.people[0])}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self.desk.close()


class Served:
    """The page of a folder, served by ``critique-coder review`` in a process of its own, which can be killed."""

    def __init__(self, folder: Path, *words: str, port: int = 0) -> None:
        run = [sys.executable, "-c", "from critique_coder.cli import main; main()", "review", str(folder), "--json"]
        self.process = subprocess.Popen([*run, "--port", str(port), *words], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.links: dict[str, str] = json.loads(self.process.stdout.readline())["links"]
        port_found = re.search(r":(\d+)/", next(iter(self.links.values())))
        self.port = int(port_found[1]) if port_found else port

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
