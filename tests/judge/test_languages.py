"""Programs of other languages: compiled once, right ones pass, wrong and hostile ones are scored as what they are."""

# ruff: noqa: E501 - programs on one line each

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from critique_coder.judge import Isolation, Judge
from critique_coder.judge.exploit_suite import survivors
from critique_coder.judge.languages import LANGUAGES, ToolchainMissing, find, require
from critique_coder.judge.languages.java import LANGUAGE as JAVA
from critique_coder.judge.languages.language import Language
from critique_coder.judge.programs import NONCE
from critique_coder.records import BadInput, Outcome, Problem, Solution, TestCase, TestKind, Verdict

ADD = {
    "cpp": "#include <iostream>\nint main(){ long long a, b; std::cin >> a >> b; std::cout << a + b << '\\n'; }",
    "java": "import java.util.*;\nclass Other {}\npublic class Sum { public static void main(String[] a) { Scanner s = new Scanner(System.in); System.out.println(s.nextInt() + s.nextInt()); } }",
    "javascript": "const [a, b] = require('fs').readFileSync(0, 'utf8').split(/\\s+/).map(Number); console.log(a + b)",
    "go": 'package main\nimport "fmt"\nfunc main() { var a, b int; fmt.Scan(&a, &b); fmt.Println(a + b) }',
    "rust": 'use std::io::Read; fn main() { let mut s = String::new(); std::io::stdin().read_to_string(&mut s).unwrap(); println!("{}", s.split_whitespace().map(|x| x.parse::<i64>().unwrap()).sum::<i64>()); }',
}
TESTS = tuple(TestCase(TestKind.STDIO, stdin=f"{x} 2\n", stdout=f"{x + 2}\n") for x in (1, 40))

HONEST = {
    "go, threads": ("go", 'package main\nimport ("fmt"; "io"; "os"; "sync")\nfunc main() { b, _ := io.ReadAll(os.Stdin); var g sync.WaitGroup; for i := 0; i < 500; i++ { g.Add(1); go func() { g.Done() }() }; g.Wait(); fmt.Println(len(b)) }'),
    "java, threads": ("java", "public class Main { public static void main(String[] a) throws Exception { byte[] b = System.in.readAllBytes(); Thread[] t = new Thread[20]; for (int i = 0; i < 20; i++) { t[i] = new Thread(() -> {}); t[i].start(); } for (Thread x : t) x.join(); System.out.println(b.length); } }"),
    "rust, a thread with a big stack": ("rust", 'use std::io::Read; fn deep(n: u64) -> u64 { let a = [n; 64]; if n == 0 { 0 } else { 1 + deep(std::hint::black_box(a)[3] - 1) } } fn main() { let mut s = Vec::new(); std::io::stdin().read_to_end(&mut s).unwrap(); let t = std::thread::Builder::new().stack_size(256 << 20).spawn(|| deep(200000)).unwrap(); assert!(t.join().unwrap() == 200000); println!("{}", s.len()); }'),
    "javascript, deep recursion": ("javascript", "const n = require('fs').readFileSync(0).length; const deep = k => k ? 1 + deep(k - 1) : 0; if (deep(50000) != 50000) throw 1; console.log(n)"),
    "cpp, deep recursion": ("cpp", "#include <bits/stdc++.h>\nint deep(int n){ volatile char a[400]; a[n % 400] = 1; return n ? a[n % 400] + deep(n - 1) : 0; }\nint main(){ std::string s((std::istreambuf_iterator<char>(std::cin)), {}); if (deep(200000) != 200000) return 1; printf(\"%zu\\n\", s.size()); }"),
}  # fmt: skip
"""Each prints how many bytes it was given."""

HOSTILE: dict[str, tuple[str, str, set[Outcome]]] = {
    "cpp, includes a file of the caller": ("cpp", '#include "@SECRET@"\nint main(){}', {Outcome.COMPILE_ERROR}),
    "rust, includes a file of the caller": ("rust", 'fn main(){ print!("{}", include_str!("@SECRET@")); }', {Outcome.COMPILE_ERROR}),
    "cpp, a compiler that never ends": ("cpp", "template<int n> struct A { static const int v = A<n-1>::v + A<n-2>::v; };\n#define X X X\n#include __FILE__\nint main(){}", {Outcome.COMPILE_ERROR}),
    "javascript, reads a file of the caller": ("javascript", "console.log(require('fs').readFileSync('@SECRET@', 'utf8'))", {Outcome.RUNTIME_ERROR}),
    "go, reads a file of the caller": ("go", 'package main\nimport ("fmt"; "os")\nfunc main() { b, e := os.ReadFile("@SECRET@"); if e != nil { panic(e) }; fmt.Println(string(b)) }', {Outcome.RUNTIME_ERROR}),
    "java, writes outside": ("java", 'public class Main { public static void main(String[] a) throws Exception { java.nio.file.Files.writeString(java.nio.file.Path.of("@SECRET@x"), "evil"); } }', {Outcome.RUNTIME_ERROR}),
    "cpp, network": ("cpp", "#include <sys/socket.h>\nint main(){ return socket(AF_INET, SOCK_STREAM, 0) < 0 ? 1 : 0; }", {Outcome.RUNTIME_ERROR}),
    "cpp, fork bomb": ("cpp", "#include <unistd.h>\nint main(){ int ok = 0; for (int i = 0; i < 5000; i++) if (fork() >= 0) ok = 1; return ok ? 0 : 1; }", {Outcome.RUNTIME_ERROR}),
    "javascript, a child": ("javascript", "require('child_process').spawn('sleep', ['60'], {detached: true}).on('error', () => process.exit(3))", {Outcome.RUNTIME_ERROR}),
    "cpp, memory": ("cpp", "#include <vector>\nint main(){ std::vector<char*> v; for (;;) { char* p = new char[1 << 24]; for (int i = 0; i < 1 << 24; i += 4096) p[i] = 1; v.push_back(p); } }", {Outcome.MEMORY_LIMIT}),
    "java, memory": ("java", "public class Main { public static void main(String[] a) { java.util.List<long[]> l = new java.util.ArrayList<>(); for (;;) l.add(new long[1 << 20]); } }", {Outcome.MEMORY_LIMIT}),
    "javascript, memory": ("javascript", "const l = []; for (;;) l.push(new Array(1 << 16).fill(l.length))", {Outcome.MEMORY_LIMIT}),
    "go, memory": ("go", "package main\nfunc main() { var l [][]byte; for { b := make([]byte, 1<<24); for i := range b { b[i] = 1 }; l = append(l, b) } }", {Outcome.MEMORY_LIMIT}),
    "rust, endless loop": ("rust", "fn main() { let mut x = 0u64; loop { x = std::hint::black_box(x + 1); } }", {Outcome.TIME_LIMIT}),
    "go, endless loop in threads": ("go", "package main\nfunc main() { for i := 0; i < 4; i++ { go func() { for {} }() }; for {} }", {Outcome.TIME_LIMIT}),
    "rust, output flood": ("rust", 'fn main() { loop { println!("{}", "x".repeat(1000)); } }', {Outcome.OUTPUT_LIMIT, Outcome.RUNTIME_ERROR}),
    "go, searches /proc": ("go", 'package main\nimport ("fmt"; "os"; "strings"; "path/filepath")\nfunc main() { l, _ := filepath.Glob("/proc/*/*"); for _, n := range l { b, _ := os.ReadFile(n); if strings.Contains(string(b), "@TOKEN@"[1:]) { fmt.Println(strings.TrimSpace(string(b))) } } }', {Outcome.WRONG_ANSWER, Outcome.MEMORY_LIMIT}),
    "java, leaves early": ("java", "public class Main { public static void main(String[] a) { System.exit(0); } }", {Outcome.WRONG_ANSWER}),
}  # fmt: skip


@pytest.fixture(scope="module", params=[Isolation.FULL, Isolation.LIGHT])
def confined(request: pytest.FixtureRequest) -> Iterator[Judge]:
    with Judge(workers=1, isolation=request.param, time_limit_s=5, memory_limit_mb=256, output_limit_mb=2) as judge:
        yield judge


def verify(judge: Judge, language: str, code: str, tests: tuple[TestCase, ...] = TESTS, **limits: float) -> Verdict:
    return judge.verify(Problem("p", "s", tests, language=language, **limits), Solution("s", "p", code))  # type: ignore[arg-type]


@pytest.mark.parametrize("language", LANGUAGES)
def test_right_wrong_and_broken_programs(language: str, confined: Judge) -> None:
    right = verify(confined, language, ADD[language])
    assert right.outcome is Outcome.PASSED and not right.shared_process, right.tests
    wrong = verify(
        confined,
        language,
        ADD[language].replace("+ b", "- b").replace("s.nextInt() +", "2 *").replace("::<i64>());", "::<i64>() * 2);"),
    )
    assert wrong.outcome is Outcome.WRONG_ANSWER, wrong.tests
    broken = verify(confined, language, ADD[language] + "\n}}{")
    assert broken.outcome is Outcome.COMPILE_ERROR and len(broken.tests) == 2
    assert broken.tests[0].message and "error" in broken.tests[0].message.lower()


@pytest.mark.parametrize("name", HONEST)
def test_honest_programs(name: str, confined: Judge) -> None:
    language, code = HONEST[name]
    test = TestCase(TestKind.STDIO, stdin="123456789\n" * 500_000, stdout="5000000\n")
    verdict = verify(confined, language, code, (test,))
    assert verdict.outcome is Outcome.PASSED, verdict.tests


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs(name: str, confined: Judge, tmp_path: Path) -> None:
    language, code, allowed = HOSTILE[name]
    token = secrets.token_hex(8)
    secret = tmp_path / "secret.txt"
    secret.write_text(token)
    test = TestCase(TestKind.STDIO, stdin="", stdout=f"{token}\n")
    code = code.replace("@SECRET@", str(secret)).replace("@TOKEN@", "?" + token[:3])
    verdict = verify(confined, language, code, (test,), time_limit_s=8 if "memory" in name or "proc" in name else 0.5)
    assert verdict.outcome in allowed, verdict.tests
    assert (
        token not in (verdict.tests[0].message or "").replace(repr(token), "").replace(f"'{token}\\n'", "")
        or verdict.outcome is Outcome.WRONG_ANSWER
    )
    assert survivors(confined) == 0
    assert os.listdir(tmp_path) == ["secret.txt"]  # noqa: PTH208


def test_a_missing_toolchain_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Language(
        "cobol", ("cobc-that-is-not-here",), "gnucobol", lambda code: "a.cob", lambda file: (), (), JAVA.run
    )
    with pytest.raises(ToolchainMissing, match="apt-get install gnucobol"):
        find(absent)
    monkeypatch.setitem(LANGUAGES, "cobol", absent)
    with pytest.raises(BadInput, match=r"cobol.*gnucobol"):
        require(["python", "cobol"])
    with pytest.raises(BadInput, match="'klingon' cannot be run; known: python, cpp"):
        require(["klingon"])


def project(files: dict[str, str], command: str, build: str = "", solution_file: str | None = None) -> TestCase:
    return TestCase(TestKind.PROJECT, files=files, command=command, build=build, solution_file=solution_file)


GO_TESTS = {
    "go.mod": "module task\n\ngo 1.18\n",
    "f_test.go": f'package task\nimport ("os"; "testing")\nfunc TestF(t *testing.T) {{ if F(2) != 7 {{ t.Fatal("F(2) is not 7") }} }}\nfunc TestMain(m *testing.M) {{ s := m.Run(); if s == 0 {{ os.Stdout.WriteString("\\n{NONCE}\\n") }}; os.Exit(s) }}\n',
}
CPP_TESTS = {
    "tests.cpp": f'#undef NDEBUG\n#include <cassert>\n#include <cstdio>\nint f(int);\nint main(){{ assert(f(2) == 7); puts("{NONCE}"); }}\n'
}
CPP = project(CPP_TESTS, "./tests", "g++ -o tests tests.cpp solution.cpp")
PROJECTS = {
    "go": (project(GO_TESTS, "./tests", "go test -c -o tests .", "f.go"), "package task\nfunc F(x int) int { return 3*x + 1 }"),
    "cpp": (CPP, "int f(int x) { return 3 * x + 1; }"),
    "rust": (project({"tests.rs": f'mod solution;\nfn main() {{ assert_eq!(solution::f(2), 7); println!("{NONCE}"); }}\n'}, "./tests", "rustc -o tests tests.rs"), "pub fn f(x: i64) -> i64 { 3 * x + 1 }"),
    "java": (project({"Tests.java": f'public class Tests {{ public static void main(String[] a) {{ if (Solution.f(2) != 7) throw new AssertionError(); System.out.println("{NONCE}"); }} }}'}, "java -cp . Tests", "javac Tests.java Solution.java", "Solution.java"), "class Solution { static int f(int x) { return 3 * x + 1; } }"),
    "javascript": (project({"f.test.js": "const test = require('node:test'), assert = require('node:assert'); const { f } = require('./solution.js'); test('f', () => assert.strictEqual(f(2), 7))"}, "node --test"), "exports.f = x => 3 * x + 1"),
}  # fmt: skip


@pytest.fixture(scope="module")
def full() -> Iterator[Judge]:
    with Judge(workers=1, isolation=Isolation.FULL, time_limit_s=5) as judge:
        yield judge


@pytest.mark.parametrize("language", PROJECTS)
def test_projects(language: str, full: Judge) -> None:
    test, code = PROJECTS[language]
    right = verify(full, language, code, (test,))
    assert right.outcome is Outcome.PASSED and right.shared_process, right.tests
    wrong = verify(full, language, code.replace("+ 1", "- 1"), (test,))
    assert wrong.outcome is Outcome.WRONG_ANSWER, wrong.tests
    if test.build:
        assert verify(full, language, code + "}}{", (test,)).outcome is Outcome.COMPILE_ERROR


CARGO = '[package]\nname = "task"\nversion = "0.1.0"\nedition = "2021"\n'
CARGO_TESTS = project(
    {
        "Cargo.toml": CARGO,
        "tests/f.rs": "#[test]\nfn two() { assert_eq!(task::f(2), 7); }\n#[test]\nfn zero() { assert_eq!(task::f(0), 1); }\n",
    },
    "cargo test --offline --quiet",
    "cargo test --offline --quiet --no-run",
    "src/lib.rs",
)
CARGO_WITH_A_WORD = project(
    {
        "Cargo.toml": CARGO + '[[test]]\nname = "f"\nharness = false\n',
        "tests/f.rs": f'fn main() {{ assert_eq!(task::f(2), 7); println!("{NONCE}"); }}\n',
    },
    "cargo test --offline --quiet",
    "cargo test --offline --quiet --no-run",
    "src/lib.rs",
)
JUNIT_JARS = "/usr/share/java/junit4.jar:/usr/share/java/hamcrest-core.jar"
JUNIT_TESTS = project(
    {
        "SolutionTest.java": "import static org.junit.Assert.*;\nimport org.junit.Test;\npublic class SolutionTest {\n"
        "  @Test public void two() { assertEquals(7, Solution.f(2)); }\n  @Test public void zero() { assertEquals(1, Solution.f(0)); }\n}\n"
    },
    f"java -cp .:{JUNIT_JARS} org.junit.runner.JUnitCore SolutionTest",
    f"javac -cp .:{JUNIT_JARS} Solution.java SolutionTest.java",
    "Solution.java",
)
RUNNERS = {
    "cargo test": ("rust", CARGO_TESTS, "pub fn f(x: i64) -> i64 { 3 * x + 1 }"),
    "cargo test, own main": ("rust", CARGO_WITH_A_WORD, "pub fn f(x: i64) -> i64 { 3 * x + 1 }"),
    "JUnit": ("java", JUNIT_TESTS, "class Solution { static int f(int x) { return 3 * x + 1; } }"),
}


@pytest.mark.parametrize("name", RUNNERS)
def test_projects_with_the_test_runner_of_their_language(name: str, full: Judge) -> None:
    language, test, code = RUNNERS[name]
    right = verify(full, language, code, (test,))
    assert right.outcome is Outcome.PASSED, right.tests
    wrong = verify(full, language, code.replace("+ 1", "- 1"), (test,))
    assert wrong.outcome is Outcome.WRONG_ANSWER, wrong.tests
    broken = verify(full, language, code + "}}{", (test,))
    assert broken.outcome is Outcome.COMPILE_ERROR, broken.tests
    assert survivors(full) == 0


def test_a_word_shows_that_a_cargo_test_left_early(full: Judge) -> None:
    leaves = "pub fn f(_: i64) -> i64 { std::process::exit(0) }"
    verdict = verify(full, "rust", leaves, (CARGO_WITH_A_WORD,))
    assert verdict.outcome in (Outcome.WRONG_ANSWER, Outcome.RUNTIME_ERROR), verdict.tests


@pytest.mark.parametrize(
    "body",
    [
        '#include <cstdlib>\nint f(int) { exit(0); }',
        '#include <cstdio>\n#include <cstdlib>\nint f(int) { puts("passed"); puts("@@NON" "CE@@"); exit(0); }',
        '#include <cstdlib>\nstruct A { A() { _Exit(0); } } a;\nint f(int) { return 0; }',
        '#include <unistd.h>\nint f(int) { if (fork() == 0) for (;;) sleep(1); _exit(0); }',
    ],
)  # fmt: skip
def test_an_early_exit_is_no_pass_and_a_child_dies_with_the_project(body: str, full: Judge) -> None:
    verdict = verify(full, "cpp", body, (CPP,))
    assert verdict.outcome is Outcome.RUNTIME_ERROR, verdict.tests
    assert survivors(full) == 0


def test_a_project_forks_without_end_and_the_next_verdict_is_right(full: Judge) -> None:
    bomb = "#include <unistd.h>\nint f(int) { for (;;) fork(); }"
    verdict = verify(full, "cpp", bomb, (CPP,), time_limit_s=1)
    assert verdict.outcome in (Outcome.TIME_LIMIT, Outcome.WALL_LIMIT, Outcome.MEMORY_LIMIT), verdict.tests
    assert survivors(full) == 0
    assert verify(full, "cpp", PROJECTS["cpp"][1], (CPP,)).outcome is Outcome.PASSED


def test_a_solution_cannot_replace_the_tests(full: Judge) -> None:
    fake = {"tests.cpp": "int main() {}", "more.h": "#define ONE 1\n"}
    problem = Problem("p", "s", (CPP,), language="cpp")
    wrong = Solution("s", "p", "int f(int x) { return 0; }", metadata={"files": fake})
    assert full.verify(problem, wrong).outcome is Outcome.WRONG_ANSWER
    several = Solution("s", "p", '#include "more.h"\nint f(int x) { return 3 * x + ONE; }', metadata={"files": fake})
    assert full.verify(problem, several).outcome is Outcome.PASSED
    with pytest.raises(BadInput, match="relative path"):
        full.verify(problem, Solution("s", "p", "x", metadata={"files": {"../evil": ""}}))


def test_projects_need_the_full_level(confined: Judge) -> None:
    if confined.isolation is Isolation.LIGHT:
        with pytest.raises(BadInput, match="isolation 'light' cannot hold"):
            verify(confined, "cpp", "int f(int x) { return 7; }", (CPP,))


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a//b", "a/./b", "", "x\0y"])
def test_paths_of_a_project_stay_inside(path: str) -> None:
    row = {"kind": "project", "files": {path: "x"}, "command": "true"}
    with pytest.raises(BadInput, match="relative path"):
        TestCase.from_json(row, "file, line 1")


def test_a_project_test_comes_back_as_it_was_written() -> None:
    assert TestCase.from_json(CPP.to_json(), "here") == CPP
