"""The judge as a server: its own routes, and SandboxFusion's as the real clients of others use it."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import sandbox_fusion

from judge_server import Running

PROBLEM = {
    "id": "p", "statement": "Double it.", "entry_point": "f", "time_limit_s": 1,
    "tests": [{"kind": "call", "args": [n], "expected": 2 * n} for n in (1, 3)],
}  # fmt: skip
RIGHT = "def f(x): return 2 * x"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with Running() as where:
        yield where


def ask(address: str, body: Any, route: str = "/v1/verify", **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(address + route, content=content, headers=headers, timeout=60)


def fusion(address: str, **body: Any) -> dict[str, Any]:
    response = ask(address, {"language": "python", **body}, "/run_code")
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_verdicts_in_the_contracts_shape(address: str) -> None:
    solutions = [{"id": "a", "code": RIGHT}, {"id": "b", "completion": "So:\n```python\ndef f(x): return 2\n```"}]
    first, second = ask(address, {"problem": PROBLEM, "solutions": solutions}).json()["verdicts"]
    assert (first["solution_id"], first["outcome"], first["pass_rate"]) == ("a", "passed", 1.0)
    assert (second["outcome"], second["passed"], second["total"]) == ("wrong_answer", 1, 2)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "not JSON"),
        (b"[]", "must be a JSON object"),
        ({"problem": PROBLEM, "solution": {}}, "'solution': unknown"),
        ({"problem": PROBLEM, "solutions": []}, "at least one solution"),
        ({"problem": PROBLEM, "solutions": [{"id": "a"}]}, "entry 1"),
        ({"problem": {**PROBLEM, "tests": []}, "solutions": [{"id": "a", "code": ""}]}, "has no tests"),
        ({"problem": {**PROBLEM, "language": "cobol"}, "solutions": [{"id": "a", "code": RIGHT}]}, "cobol"),
    ],
)
def test_a_bad_request_is_told_in_one_line(address: str, body: Any, told: str) -> None:
    response = ask(address, body)
    assert response.status_code == 400 and told in response.json()["error"] and "\n" not in response.json()["error"]
    assert ask(address, {"problem": PROBLEM, "solutions": [{"id": "a", "code": RIGHT}]}).status_code == 200


def test_many_at_once_are_all_answered_and_counted(address: str) -> None:
    def one(n: int) -> str:
        body = {"problem": PROBLEM, "solutions": [{"id": str(n), "code": RIGHT if n % 2 else "def f(x): return 0"}]}
        return str(ask(address, body).json()["verdicts"][0]["outcome"])

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(one, range(48)))
    assert outcomes == ["wrong_answer", "passed"] * 24
    told = httpx.get(address + "/metrics").text
    assert "judge_inside 0\n" in told and 'judge_results_total{route="verify",outcome="passed"}' in told


def test_what_is_too_much_is_turned_away_and_comes_through_later() -> None:
    slow = {"language": "python", "code": "import time\ntime.sleep(1.5)\nprint(1)"}
    with Running(most_waiting=0, workers=1) as address, ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask, address, slow, "/run_code")
        time.sleep(0.5)
        assert ask(address, slow, "/run_code").status_code == 504
        refused = ask(address, {"problem": PROBLEM, "solutions": [{"id": "a", "code": RIGHT}]})
        assert refused.status_code == 503 and refused.headers["retry-after"] == "1"
        assert first.result().json()["run_result"]["stdout"] == "1\n"
        assert ask(address, {"problem": PROBLEM, "solutions": [{"id": "a", "code": RIGHT}]}).status_code == 200


def test_a_page_of_another_site_and_another_name_are_refused(address: str) -> None:
    assert httpx.get(address + "/health").json()["isolation"] in ("full", "light")
    assert httpx.get(address + "/health", headers={"Host": "evil.example"}).status_code == 403
    assert ask(address, {}, "/run_code", Origin="https://evil.example").status_code == 403


def test_with_a_token_only_who_has_it_may_ask() -> None:
    with Running(token="secret") as address:
        assert httpx.get(address + "/health").status_code == 401
        assert httpx.get(address + "/health", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert httpx.get(address + "/health", headers={"Authorization": "Bearer secret"}).status_code == 200
        assert httpx.get(address + "/token/secret/health", headers={"Host": "judge.example"}).status_code == 200
        assert httpx.get(address + "/token/wrong/health").status_code == 401


@pytest.mark.parametrize(
    ("code", "status", "run_status", "return_code", "stdout", "stderr"),
    [
        ("print(input()[::-1])", "Success", "Finished", 0, "cba\n", ""),
        ("import sys\nprint('x', file=sys.stderr)\nsys.exit(3)", "Failed", "Finished", 3, "", "x\n"),
        ("1 / 0", "Failed", "Finished", 1, "", "ZeroDivisionError"),
        ("def f(:", "Failed", "Finished", 1, "", "SyntaxError"),
        ("while True: pass", "Failed", "TimeLimitExceeded", None, "", ""),
        ("print('x' * 200_000)", "Success", "Finished", 0, "x" * 200_000 + "\n", ""),
        ("import sys\nsys.stderr.write('y' * 300_000)", "Success", "Finished", 0, "", "y" * 300_000),
        ("x = bytearray(900 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1", "Failed", "Finished", None, "", ""),
        ("import os\nos.fork()", "Failed", "Finished", 1, "", "PermissionError"),
    ],
)
def test_sandbox_fusions_answers(
    address: str, code: str, status: str, run_status: str, return_code: int | None, stdout: str, stderr: str
) -> None:
    answer = fusion(address, code=code, stdin="abc", run_timeout=1, compile_timeout=1)
    run = answer["run_result"]
    assert (answer["status"], run["status"], run["stdout"]) == (status, run_status, stdout), answer
    assert stderr in run["stderr"]
    if return_code is not None:
        assert run["return_code"] == return_code


def test_files_go_in_and_come_out(address: str) -> None:
    code = "text = open('in/a.txt').read()\nopen('b.txt', 'w').write(text.upper())"
    files = {"in/a.txt": base64.b64encode(b"abc").decode(), "empty": None}
    answer = fusion(address, code=code, files=files, fetch_files=["b.txt", "none.txt"])
    assert answer["status"] == "Success" and base64.b64decode(answer["files"]["b.txt"]) == b"ABC"
    assert set(answer["files"]) == {"b.txt"}
    for bad in ({"/etc/a": "YQ=="}, {"../a": "YQ=="}, {"a": "%"}):
        refused = ask(address, {"language": "python", "code": "", "files": {**bad, "b": "YQ=="}}, "/run_code")
        assert refused.status_code == 422


def test_unknown_languages_and_senseless_limits_are_refused(address: str) -> None:
    assert "cobol" in ask(address, {"language": "cobol", "code": ""}, "/run_code").json()["detail"]
    for body in ({"run_timeout": -1}, {"run_timeout": "x"}, {"memory_limit_MB": 0}, {"files": 3}):
        assert ask(address, {"language": "python", "code": "", **body}, "/run_code").status_code == 422


def test_the_client_of_sandbox_fusion(address: str) -> None:
    request = sandbox_fusion.RunCodeRequest(
        code="print(int(input()) + 1)", language="python", stdin="41", run_timeout=5
    )
    answer = sandbox_fusion.run_code(request, endpoint=address, max_attempts=1)
    assert answer.status == sandbox_fusion.RunStatus.Success and answer.run_result.stdout == "42\n"
    failing = sandbox_fusion.RunCodeRequest(code="raise SystemExit(2)", language="python")
    assert sandbox_fusion.run_code(failing, endpoint=address, max_attempts=1).run_result.return_code == 2
    many = [sandbox_fusion.RunCodeRequest(code=f"print({n})", language="python") for n in range(20)]
    answers = sandbox_fusion.run_concurrent(
        sandbox_fusion.run_code, args=[[one] for one in many], kwargs=[{"endpoint": address}] * 20, concurrency=8
    )
    assert [one.run_result.stdout for one in answers] == [f"{n}\n" for n in range(20)]


def verl_reward() -> ModuleType:
    """verl's reward for SandboxFusion as its package ships it, without the rest of verl and what that needs."""
    package = importlib.util.find_spec("verl")
    assert package is not None and package.origin is not None, "verl is not installed; see the Makefile"
    folder = Path(package.origin).parent / "utils" / "reward_score" / "sandbox_fusion"
    name = "verl_sandbox_fusion"
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("program", "tests", "score", "statuses"),
    [
        ("print(int(input()) * 2)", {"inputs": ["1", "4"], "outputs": ["2", "8"]}, 1.0, ["success", "success"]),
        ("print(2)", {"inputs": ["1", "4"], "outputs": ["2", "8"]}, 0.5, ["success", "wrong_answer"]),
        ("1 / 0", {"inputs": ["1"], "outputs": ["2"]}, 0.0, ["runtime_error"]),
        ("while True: pass", {"inputs": ["1"], "outputs": ["2"]}, 0.0, ["timeout"]),
        ("def f(a, b): return [a, b]", {"fn_name": "f", "inputs": ["1\n2"], "outputs": ["[1, 2]"]}, 1.0, ["success"]),
        ("print('z' * 200_000)", {"inputs": [""], "outputs": ["z" * 200_000]}, 1.0, ["success"]),
        ("def f(): return 1", {"assert_case": ["assert f()", "assert f() > 1"]}, 0.5, ["success", "runtime_error"]),
    ],
)  # fmt: skip
def test_verls_reward(address: str, program: str, tests: dict[str, Any], score: float, statuses: list[str]) -> None:
    completion = f"Here:\n```python\n{program}\n```"
    semaphore = threading.Semaphore(4)
    got, details = verl_reward().compute_score(address + "/run_code", semaphore, 256, completion, tests, timeout=2)
    assert got == score and [detail["status"] for detail in details] == statuses, details


def test_the_command_listens_answers_and_ends(tmp_path: Path) -> None:
    program = "from critique_coder.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--json", "--workers", "1", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=dict(os.environ)) as server:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        try:
            assert fusion(told["address"], code="print(1)")["run_result"]["stdout"] == "1\n"
            taken = subprocess.run(
                [*command[:-1], told["address"].rpartition(":")[2]], capture_output=True, text=True, check=False
            )
            assert taken.returncode == 2 and "choose another" in taken.stderr
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(20) in (0, -signal.SIGTERM)
