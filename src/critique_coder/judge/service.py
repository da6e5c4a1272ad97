"""The judge over HTTP: ``/v1/verify`` in the contract's shapes, and ``/run_code`` as SandboxFusion answers it.

Work beyond what the judge does at a time waits, up to a bound; what comes on top is turned away with a hint to come
again, so that a burst costs time and never memory. A failure of the machinery is told as one (``unscored``, or
``SandboxError``), never as a wrong program.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import PurePosixPath
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from critique_coder.records import BadInput, Json, Outcome, Problem, Solution
from critique_coder.web import LOCAL_NAMES, Refused, host_name, json_body

from .judging import Judge, ProgramResult
from .limits import Limits
from .worker import WorkerLost

T = TypeVar("T")
Extract = Callable[[str], str | None]
"""Gets the code out of a model's answer."""

_MOST_BYTES = 64 << 20
_PYTHON_NAMES = ("python", "python3")


class Service:
    """The state behind the routes. ``most_waiting``: solutions that may wait beside those at work."""

    def __init__(self, judge: Judge, extract: Extract, token: str | None, most_waiting: int) -> None:
        self._judge, self._extract, self._token = judge, extract, token
        self._most = most_waiting
        self._inside = 0
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._refused = 0
        self._seconds = 0.0
        self._threads = anyio.CapacityLimiter(max(1, judge.workers))

    async def verify(self, request: Request) -> Response:
        """``{"problem": {...}, "solutions": [{...}]}`` to ``{"verdicts": [...]}``."""
        body = await json_body(request, _MOST_BYTES)
        unknown = set(body) - {"problem", "solutions"}
        if unknown:
            raise Refused(400, f"key {min(unknown)!r}: unknown; a request has 'problem' and 'solutions'")
        problem = Problem.from_json(body.get("problem"), "key 'problem'")
        given = body.get("solutions")
        if not isinstance(given, list) or not given:
            raise Refused(400, "key 'solutions': must be a list with at least one solution")
        solutions = [
            Solution.from_json(_of_problem(row, problem), f"key 'solutions', entry {n}", self._extract)
            for n, row in enumerate(given, 1)
        ]
        self._enter(len(solutions), 503)
        verdicts: list[Json] = [None] * len(solutions)
        unfit: list[BadInput] = []

        async def one(place: int, solution: Solution) -> None:
            try:
                verdict = await self._work(partial(self._judge.verify, problem, solution))
            except BadInput as error:
                unfit.append(error)
                return
            self._outcomes["verify", verdict.outcome.value] += 1
            verdicts[place] = verdict.to_json()

        try:
            async with anyio.create_task_group() as group:
                for place, solution in enumerate(solutions):
                    group.start_soon(one, place, solution)
        finally:
            self._inside -= len(solutions)
        if unfit:
            raise unfit[0]
        return JSONResponse({"verdicts": verdicts})

    async def run_code(self, request: Request) -> Response:
        """SandboxFusion's ``/run_code``."""
        body = await json_body(request, _MOST_BYTES)
        language, code = body.get("language"), body.get("code")
        if not isinstance(code, str):
            return JSONResponse({"detail": "code: a text is required"}, 422)
        if language not in _PYTHON_NAMES:
            return JSONResponse({"detail": f"language: {language!r} is not served here; only 'python' is"}, 422)
        try:
            run = self._program(body, code)
        except (TypeError, ValueError) as error:
            return JSONResponse({"detail": str(error)}, 422)
        self._enter(1, 504)  # the status on which verl's client tries again
        try:
            result = await self._work(run)
        except WorkerLost as error:
            self._outcomes["run_code", "sandbox_error"] += 1
            return JSONResponse({"status": "SandboxError", "message": str(error), **_NOTHING})
        finally:
            self._inside -= 1
        self._outcomes["run_code", result.outcome.value] += 1
        return JSONResponse(fusion_answer(result))

    def _program(self, body: dict[str, Json], code: str) -> Callable[[], ProgramResult]:
        own = self._judge.limits
        seconds = _number(body, "run_timeout", own.time_s)
        memory = _number(body, "memory_limit_MB", own.memory_mb)
        files = {
            _below(name): str(content) for name, content in dict(body.get("files") or {}).items() if content is not None
        }
        for content in files.values():
            base64.b64decode(content, validate=True)
        fetch = [_below(name) for name in body.get("fetch_files") or []]
        stdin = body.get("stdin")
        limits = Limits(seconds, memory, own.output_mb)
        return partial(self._judge.run_program, code, "" if stdin is None else str(stdin), limits, files, fetch)

    async def health(self, request: Request) -> Response:
        """Whether the service answers, and how programs are confined."""
        return JSONResponse({"status": "ok", "isolation": self._judge.isolation.value})

    async def metrics(self, request: Request) -> Response:
        """Counters in the text format of Prometheus."""
        lines = [
            "# TYPE judge_results_total counter",
            *(
                f'judge_results_total{{route="{route}",outcome="{outcome}"}} {count}'
                for (route, outcome), count in sorted(self._outcomes.items())
            ),
            "# TYPE judge_refused_total counter",
            f"judge_refused_total {self._refused}",
            "# TYPE judge_seconds_total counter",
            f"judge_seconds_total {self._seconds:.3f}",
            "# TYPE judge_inside gauge",
            f"judge_inside {self._inside}",
            "# TYPE judge_workers gauge",
            f"judge_workers {self._judge.workers}",
        ]
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")

    def _enter(self, count: int, status: int) -> None:
        """Count work in; raises Refused when too much waits."""
        if self._inside and self._inside + count > self._most + self._judge.workers:
            self._refused += 1
            waiting = f"{self._inside} solutions are waiting; come again in a moment"
            raise Refused(status, waiting, {"Retry-After": "1"})
        self._inside += count

    async def _work(self, job: Callable[[], T]) -> T:
        def timed() -> T:
            begun = time.monotonic()
            try:
                return job()
            finally:
                self._seconds += time.monotonic() - begun

        return await anyio.to_thread.run_sync(timed, limiter=self._threads)

    def admit(self, request: Request) -> None:
        """Raises Refused for a caller who may not ask: without the token, or sent here by a page of another site."""
        if self._token is None:
            if host_name(request.headers.get("host", "")) not in LOCAL_NAMES or "origin" in request.headers:
                raise Refused(403, "without a token only programs on this machine may ask; start with --token")
            return
        given = request.path_params.get("token") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(given.encode(), self._token.encode()):
            raise Refused(
                401, "the token is missing or wrong: send 'Authorization: Bearer TOKEN' or ask /token/TOKEN/..."
            )


def application(judge: Judge, extract: Extract, token: str | None = None, most_waiting: int = 1000) -> Starlette:
    """The web application around a judge, which is closed when the application ends."""
    service = Service(judge, extract, token, most_waiting)
    endpoints = [
        ("/v1/verify", service.verify, "POST"),
        ("/run_code", service.run_code, "POST"),
        ("/metrics", service.metrics, "GET"),
        ("/health", service.health, "GET"),
    ]
    routes = [
        Route(prefix + path, _guarded(service, endpoint), methods=[method])
        for prefix in ("", "/token/{token}")  # for clients that can be told an address and no header
        for path, endpoint, method in endpoints
    ]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        judge.close()

    return Starlette(routes=routes, lifespan=lifespan)


def _guarded(
    service: Service, endpoint: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            service.admit(request)
            return await endpoint(request)
        except Refused as refused:
            return refused.response
        except BadInput as error:
            return JSONResponse({"error": str(error)}, 400)

    return answer


def _of_problem(row: Json, problem: Problem) -> Json:
    """A solution may leave its problem's name out, for there is one problem."""
    return {"problem_id": problem.id, **row} if isinstance(row, dict) else row


def _below(name: Json) -> str:
    """A path below the folder in which the program starts; raises ValueError."""
    path = PurePosixPath(str(name))
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"files: {name!r} must be a path below the program's folder")
    return str(path)


def _number(body: dict[str, Json], key: str, default: float) -> float:
    value = body.get(key)
    if value is None or (value == -1 and key == "memory_limit_MB"):
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError(f"{key}: must be a number above 0")
    return float(value)


_NOTHING: dict[str, Json] = {"compile_result": None, "run_result": None, "executor_pod_name": None, "files": {}}


def fusion_answer(result: ProgramResult) -> dict[str, Json]:
    """A program's result in SandboxFusion's shape."""
    late = result.outcome in (Outcome.TIME_LIMIT, Outcome.WALL_LIMIT)
    status = 0 if result.outcome is Outcome.PASSED else result.status or 1
    told = "" if result.outcome is Outcome.PASSED or result.stderr.strip() else result.message or ""
    run = {
        "status": "TimeLimitExceeded" if late else "Finished",
        "execution_time": result.wall_s,
        "cpu_time": result.time_s,
        "return_code": None if late else status,
        "stdout": result.stdout,
        "stderr": result.stderr + (told + "\n" if told else ""),
    }
    done = "Success" if result.outcome is Outcome.PASSED else "Failed"
    return {"status": done, "message": "", **_NOTHING, "run_result": run, "files": dict(result.files)}
