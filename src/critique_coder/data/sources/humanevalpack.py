"""HumanEvalPack: HumanEval's 164 tasks in C++, Go, Java, JavaScript and Rust, each with a buggy solution. Licence MIT.

Found at ``path`` (``humanevalpack_cpp.jsonl`` and so on, or their folder), or in the folder that
``CRITIQUE_CODER_DATA`` names. Each task is one ``project`` test. Its check program runs beside the solution, and what
it prints at its very end is a word that is new in each run, so that neither an early ``exit(0)`` nor a guess is a pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

from critique_coder.data.sources.corpus import (
    Place,
    Reader,
    Row,
    Source,
    each,
    fields_of,
    rows_in,
    source_of,
    task_number,
)
from critique_coder.records import BadInput, Problem, Solution, TestCase, TestKind

Record: TypeAlias = Mapping[str, str]
_WORD = "@@NONCE@@"
_ASSERTIONS = """package assert

import (
	"reflect"
	"testing"
)

type Assertions struct{ t *testing.T }

func New(t *testing.T) *Assertions { return &Assertions{t} }

func (a *Assertions) Equal(expected, got interface{}, _ ...interface{}) bool {
	if reflect.DeepEqual(expected, got) {
		return true
	}
	a.t.Errorf("expected %#v, got %#v", expected, got)
	return false
}
"""
"""The one function of a Go library that the checks use, so that the library need not be fetched."""

_RANDOM = """#[allow(dead_code)]
mod rand {
    thread_local!(static STATE: std::cell::Cell<u64> = std::cell::Cell::new(123456789));
    pub trait Number { fn of(bits: u64) -> Self; fn between(low: Self, high: Self, bits: u64) -> Self; }
    macro_rules! numbers { ($($kind:ty),*) => { $(impl Number for $kind {
        fn of(bits: u64) -> Self { bits as $kind }
        fn between(low: Self, high: Self, bits: u64) -> Self { low + (bits % (high - low) as u64) as $kind }
    })* } }
    numbers!(u8, i32, u32, i64, u64, usize);
    fn bits() -> u64 {
        STATE.with(|state| {
            let mut x = state.get();
            x ^= x << 13; x ^= x >> 7; x ^= x << 17;
            state.set(x);
            x >> 11
        })
    }
    pub struct Generator;
    impl Generator {
        pub fn gen<T: Number>(&mut self) -> T { T::of(bits()) }
        pub fn gen_range<T: Number>(&mut self, low: T, high: T) -> T { T::between(low, high, bits()) }
    }
    pub fn thread_rng() -> Generator { Generator }
    pub fn random<T: Number>() -> T { T::of(bits()) }
}
"""
"""What four Rust checks need of a library of random numbers; the same numbers in every run."""

_CRATES = re.compile(r"^use (rand::Rng|regex::Regex|md5);\n", re.MULTILINE)
"""Rust libraries that every task imports, two tasks use, and a machine without network does not have."""


def readers() -> dict[str, Reader]:
    """A reader for each language, by the name of its source."""
    return {f"humanevalpack-{language}": partial(_read, language) for language in _PROJECTS}


def _read(language: str, path: str | None) -> Source:
    """Raises BadInput when the file is nowhere to be found or, when it is read, not in its published shape."""
    file = f"humanevalpack_{_FILES.get(language, language)}.jsonl"
    place = Place(f"HumanEvalPack ({language})", folder="humanevalpack", names=(file,), only=True)
    files = place.files(path)
    problems_of = each(partial(_name, language), partial(_problem, language))
    return source_of(place.name, files, problems_of, partial(_buggy, language, files))


def _name(language: str, row: Row) -> str:
    return f"humanevalpack-{language}/{task_number(row)}"


_KEYS = (
    "prompt",
    "declaration",
    "canonical_solution",
    "buggy_solution",
    "test",
    "entry_point",
    "instruction",
    "bug_type",
)
_GO_KEYS = ("import", "test_setup")


def _texts(language: str, row: Row) -> dict[str, str]:
    """What is read of a record; raises BadInput."""
    fields = fields_of(row)
    found = {key: fields.text(key, empty=False) for key in _KEYS}
    return found | ({key: fields.text(key) for key in _GO_KEYS} if language == "go" else {})


def _problem(language: str, row: Row, name: str) -> Problem:
    record = _texts(language, row)
    right = _start(language, record, record["canonical_solution"]) + record["canonical_solution"]
    try:
        test = _PROJECTS[language](record)
    except ValueError as error:
        raise BadInput(f"{row.where}, key 'test': is no check program of HumanEvalPack ({error})") from None
    return Problem(
        id=name,
        statement=record["instruction"].strip(),
        tests=(test,),
        language=language,
        starter_code=right.removesuffix(record["canonical_solution"]),
        entry_point=record["entry_point"],
        reference=right,
        source=f"humanevalpack-{language}",
        licence="MIT",
        released="2023-08-14",
        metadata={"bug_type": record["bug_type"]},
    )


def _buggy(language: str, files: Sequence[Path]) -> Iterator[Solution]:
    for row in rows_in(files):
        record, name = _texts(language, row), _name(language, row)
        buggy = _start(language, record, record["buggy_solution"]) + record["buggy_solution"]
        yield Solution(f"{name}/buggy", name, buggy, author="humanevalpack")


def _start(language: str, row: Record, body: str) -> str:
    """What stands before the ``body`` of the function, in a file of its own."""
    start = row["declaration"]
    if language == "go":
        start = row["prompt"].replace(row["import"].strip(), "", 1).lstrip()  # only the prompt has all functions
        return f"package main\n\n{_go_imports(row, start + body)}\n{start}"
    if language == "rust" and not _needs_crates(start + body):
        start = _CRATES.sub("", start)
    return start.lstrip("\n")


def _needs_crates(code: str) -> bool:
    return re.search(r"\b(Regex|md5|rand)::|thread_rng", _CRATES.sub("", code)) is not None


def _project(files: dict[str, str], build: str, command: str, solution_file: str) -> TestCase:
    return TestCase(TestKind.PROJECT, files=files, build=build, command=command, solution_file=solution_file)


def _cpp(row: Record) -> TestCase:
    checks = re.sub(r"\bint main\s*\(\s*\)", "static int checks()", row["test"])
    checks = checks[: checks.rindex("}")] + "return 0;\n}\n"  # only main may go without
    text = (
        f'#include "solution.cpp"\n{checks}#include <stdio.h>\nint main(){{ checks(); puts("{_WORD}"); return 0; }}\n'
    )
    return _project({"tests.cpp": text}, "g++ -std=gnu++17 -w -o tests tests.cpp -lm", "./tests", "solution.cpp")


def _go(row: Record) -> TestCase:
    main = f"""
func TestMain(m *testing.M) {{
	status := m.Run()
	if status == 0 {{
		os.Stdout.WriteString("\\n{_WORD}\\n")
	}}
	os.Exit(status)
}}
"""
    imports = _go_imports(row, row["test"], "os", "testing", "github.com/stretchr/testify/assert")
    library = "github.com/stretchr/testify"
    files = {
        "go.mod": f"module task\n\ngo 1.18\n\nrequire {library} v0.0.0\n\nreplace {library} => ./testify\n",
        "testify/go.mod": f"module {library}\n\ngo 1.18\n",
        "testify/assert/assert.go": _ASSERTIONS,
        "solution_test.go": f"package main\n\n{imports}\n{row['test']}\n{main}",
    }
    return _project(files, "go test -vet=off -c -o tests .", "./tests", "solution.go")


def _go_imports(row: Record, code: str, *always: str) -> str:
    """The imports that ``code`` uses; Go refuses others. Some records forget one of the three usual packages."""
    listed = [*re.findall(r'"([\w/.]+)"', row["import"] + row["test_setup"]), "math", "sort", "strings"]
    used = [path for path in dict.fromkeys(listed) if re.search(rf"\b{path.split('/')[-1]}\.", code)]
    paths = [path for path in used if path not in always]
    return "".join(f'import "{path}"\n' for path in [*always, *paths])


def _java(row: Record) -> TestCase:
    imports = row["declaration"].split("class Solution")[0]
    checks = row["test"].replace("public static void main(", "static void checks(")
    main = f'    public static void main(String[] a) throws Exception {{ checks(a); System.out.println("{_WORD}"); }}\n'
    text = f"{imports}{checks[: checks.rindex('}')]}{main}}}\n"
    build = (
        "javac -J-XX:+UseSerialGC -J-XX:TieredStopAtLevel=1 -nowarn -encoding UTF-8 -d classes Main.java Solution.java"
    )
    return _project({"Main.java": text}, build, "java -XX:+UseSerialGC -Xss64m -cp classes Main", "Solution.java")


def _javascript(row: Record) -> TestCase:
    checks = row["test"].replace("console.assert(", "mustHold(")
    held = "function mustHold(holds) { if (!holds) throw new Error('a check does not hold') }\n"
    text = f'\n{held}{checks}\nprocess.stdout.write("\\n{_WORD}\\n")\n'
    build = "cat solution.js tests.js > program.js && node --check program.js"
    return _project({"tests.js": text}, build, "node --stack-size=60000 program.js", "solution.js")


def _rust(row: Record) -> TestCase:
    names = _RUST_TEST.findall(row["test"])
    if len(names) != row["test"].count("#[test]") or not names:
        raise ValueError("a test function has no name")
    checks = _RUST_TEST.sub(r"pub fn \1", row["test"].replace("#[cfg(test)]", ""))
    checks = re.sub(r"\bmod tests\b", "pub mod tests", checks, count=1)
    calls = "".join(f"    task::tests::{name}();\n" for name in names)
    main = f'fn main() {{\n{calls}    println!("\\n{_WORD}");\n}}\n'
    random = _RANDOM if "rand::" in row["test"] else ""
    text = f'mod task {{\ninclude!("solution.rs");\n{random}{checks}\n}}\n{main}'
    build = "rustc --edition 2021 -A warnings -C debug-assertions=on -o tests tests.rs"
    return _project({"tests.rs": text}, build, "./tests", "solution.rs")


_RUST_TEST = re.compile(r"#\[test\](?:\s|//[^\n]*\n)*(?:pub )?fn (\w+)")
_FILES = {"javascript": "js"}
_PROJECTS: dict[str, Callable[[Record], TestCase]] = {
    "cpp": _cpp,
    "go": _go,
    "java": _java,
    "javascript": _javascript,
    "rust": _rust,
}
