"""The typed records that every part of critique-coder passes around.

Plain data: each record knows how to check itself and how to become JSON, and nothing else. The module needs only
the standard library, so that the judge can be used alone. The file formats are described in ``docs/formats.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from critique_coder.fields import BadInput as BadInput
from critique_coder.fields import Fields, nearest, type_name
from critique_coder.fields import Json as Json


class TestKind(StrEnum):
    """How a test exercises a solution."""

    __test__ = False

    STDIO = "stdio"
    CALL = "call"
    SCRIPT = "script"
    UNITTEST = "unittest"
    PROJECT = "project"


class CheckerName(StrEnum):
    """How an output is compared with what a test expects."""

    EXACT = "exact"
    LINES = "lines"
    TOKENS = "tokens"
    UNORDERED_LINES = "unordered_lines"
    FLOAT = "float"


class Outcome(StrEnum):
    """What execution found, for one test or for a whole solution."""

    PASSED = "passed"
    WRONG_ANSWER = "wrong_answer"
    RUNTIME_ERROR = "runtime_error"
    TIME_LIMIT = "time_limit"
    WALL_LIMIT = "wall_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    FORBIDDEN = "forbidden"
    COMPILE_ERROR = "compile_error"
    NO_CODE = "no_code"
    UNSCORED = "unscored"


class Judgement(StrEnum):
    """What a critique says of a solution. ``MALFORMED``: no verdict line that the strict parser accepts."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    MALFORMED = "malformed"


class LabelSource(StrEnum):
    """Who established the truth that a critique is held to; ADJUDICATED: people disagreed and one settled it."""

    TESTS = "tests"
    HUMAN = "human"
    ADJUDICATED = "adjudicated"


@dataclass(frozen=True, slots=True)
class Checker:
    """A comparison rule. Tolerances count for ``float`` only: equal when within either of them."""

    name: CheckerName
    rel_tol: float = 1e-9
    abs_tol: float = 0.0

    def to_json(self) -> dict[str, Json]:
        """The record in the contract's shape."""
        if self.name is not CheckerName.FLOAT:
            return {"name": self.name.value}
        return {"name": self.name.value, "rel_tol": self.rel_tol, "abs_tol": self.abs_tol}

    @classmethod
    def from_json(cls, value: Json, where: str) -> Checker:
        """Read the contract's shape; raises BadInput."""
        fields = Fields(value, where, known=("name", "rel_tol", "abs_tol"))
        name = fields.choice("name", CheckerName)
        rel_tol = fields.number("rel_tol", default=1e-9, minimum=0)
        abs_tol = fields.number("abs_tol", default=0.0, minimum=0)
        assert rel_tol is not None and abs_tol is not None
        return cls(name, rel_tol, abs_tol)


@dataclass(frozen=True, slots=True)
class TestCase:
    """One test of a problem. Which fields count depends on ``kind``.

    ``project``: the solution's text goes to ``solution_file`` of a folder (None: as its language has it), then
    ``files`` on top; ``build`` and then ``command``, lines for the shell, run there.

    ``args``, ``kwargs`` and ``expected`` keep the contract's tagged JSON (``{"$tuple": [...]}``); the judge decodes it.
    """

    __test__ = False

    kind: TestKind
    stdin: str = ""
    stdout: str = ""
    args: tuple[Json, ...] = ()
    kwargs: Mapping[str, Json] = field(default_factory=dict)
    expected: Json = None
    code: str = ""
    checker: Checker | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    build: str = ""
    solution_file: str | None = None

    def to_json(self) -> dict[str, Json]:
        """The record in the contract's shape."""
        row: dict[str, Json] = {"kind": self.kind.value}
        if self.kind is TestKind.PROJECT:
            row |= {"files": dict(self.files), "command": self.command}
            row |= {"build": self.build} if self.build else {}
            return row | ({"solution_file": self.solution_file} if self.solution_file else {})
        if self.kind is TestKind.STDIO:
            row |= {"stdin": self.stdin, "stdout": self.stdout}
        elif self.kind is TestKind.CALL:
            row |= {"args": list(self.args)}
            if self.kwargs:
                row["kwargs"] = dict(self.kwargs)
            row["expected"] = self.expected
        else:
            row["code"] = self.code
        if self.checker is not None:
            row["checker"] = self.checker.to_json()
        return row

    @classmethod
    def from_json(cls, value: Json, where: str) -> TestCase:
        """Read the contract's shape; raises BadInput."""
        if not isinstance(value, dict):
            raise BadInput(f"{where}: a test must be an object, not {type_name(value)}")
        value = {
            key: item
            for key, item in value.items()
            if item is not None or (key, value.get("kind")) == ("expected", "call")
        }
        kind = Fields(value, where, known=value).choice("kind", TestKind)
        fields = Fields(value, where, known=_TEST_KEYS[kind])
        checker = Checker.from_json(value["checker"], f"{where}, key 'checker'") if value.get("checker") else None
        if kind is TestKind.STDIO:
            return cls(kind, stdin=fields.text("stdin"), stdout=fields.text("stdout"), checker=checker)
        if kind is TestKind.CALL:
            args = fields.items("args")
            kwargs = value.get("kwargs") or {}
            if not isinstance(kwargs, dict):
                raise BadInput(f"{where}, key 'kwargs': must be an object, not {type_name(kwargs)}")
            if "expected" not in value:
                raise BadInput(f"{where}, key 'expected': missing; a call test says which value it expects")
            for tagged in (*args, *kwargs.values(), value["expected"]):
                check_tagged(tagged, where)
            return cls(kind, args=tuple(args), kwargs=kwargs, expected=value["expected"], checker=checker)
        if kind is TestKind.PROJECT:
            path = fields.text_or_none("solution_file")
            if path is not None and not is_project_path(path):
                raise BadInput(f"{where}, key 'solution_file': {path!r} must be a relative path such as 'src/lib.rs'")
            return cls(
                kind,
                files=project_files(fields.mapping("files"), f"{where}, key 'files'"),
                command=fields.text("command", empty=False),
                build=fields.text("build", default=""),
                solution_file=path,
            )
        return cls(kind, code=fields.text("code", empty=False))


_TEST_KEYS: dict[TestKind, tuple[str, ...]] = {
    TestKind.STDIO: ("kind", "stdin", "stdout", "checker"),
    TestKind.CALL: ("kind", "args", "kwargs", "expected", "checker"),
    TestKind.SCRIPT: ("kind", "code"),
    TestKind.UNITTEST: ("kind", "code"),
    TestKind.PROJECT: ("kind", "files", "command", "build", "solution_file"),
}
"""The keys of a test of each kind."""


def project_files(value: Mapping[str, Json], where: str) -> dict[str, str]:
    """Texts by path below a project's folder; raises BadInput for a path that leads elsewhere or lies below a file."""
    for path, text in value.items():
        if not is_project_path(path):
            raise BadInput(f"{where}: {path!r} must be a relative path such as 'src/lib.rs', without '.' or '..' parts")
        if not isinstance(text, str):
            raise BadInput(f"{where}: the text of {path!r} must be a string, not {type_name(text)}")
        for other in value:
            if other.startswith(path + "/"):
                raise BadInput(f"{where}: {path!r} cannot be both a file and the folder of {other!r}")
    return dict(value)


def is_project_path(path: str) -> bool:
    """Whether ``path`` names a file below a project's folder and nothing else."""
    return "\0" not in path and all(part not in ("", ".", "..") for part in path.split("/"))


@dataclass(frozen=True, slots=True)
class Problem:
    """A task with its tests. ``time_limit_s`` (processor seconds) and ``memory_limit_mb`` (MiB) hold for each test."""

    id: str
    statement: str
    tests: tuple[TestCase, ...]
    language: str = "python"
    starter_code: str = ""
    entry_point: str | None = None
    time_limit_s: float | None = None
    memory_limit_mb: float | None = None
    reference: str | None = None
    source: str | None = None
    difficulty: str | None = None
    released: str | None = None
    licence: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """The record in the contract's shape; optional keys that are unset are left out."""
        row: dict[str, Json] = {
            "id": self.id,
            "statement": self.statement,
            "language": self.language,
            "starter_code": self.starter_code,
            "entry_point": self.entry_point,
            "tests": [test.to_json() for test in self.tests],
        }
        for key in _PROBLEM_OPTIONAL:
            if getattr(self, key) is not None:
                row[key] = getattr(self, key)
        if self.metadata:
            row["metadata"] = dict(self.metadata)
        return row

    @classmethod
    def from_json(cls, value: Json, where: str) -> Problem:
        """Read the contract's shape; ``where`` ("file, line n") stands before every complaint. Raises BadInput."""
        known = ("id", "statement", "language", "starter_code", "entry_point", "tests", *_PROBLEM_OPTIONAL, "metadata")
        fields = Fields(value, where, known)
        problem_id = fields.text("id", empty=False)
        tests = fields.items("tests")
        if not tests:
            raise BadInput(
                f"{where}, key 'tests': problem {problem_id!r} has no tests; nothing could fail it, so add at least one"
            )
        cases = tuple(TestCase.from_json(t, f"{where}, test {n}") for n, t in enumerate(tests, 1))
        entry_point = fields.text_or_none("entry_point")
        if entry_point is None and any(case.kind is TestKind.CALL for case in cases):
            raise BadInput(f"{where}, key 'entry_point': missing; call tests need the name of the function they call")
        return cls(
            id=problem_id,
            statement=fields.text("statement", empty=False),
            tests=cases,
            language=fields.text("language", default="python"),
            starter_code=fields.text("starter_code", default=""),
            entry_point=entry_point,
            time_limit_s=fields.number("time_limit_s", default=None, above=0),
            memory_limit_mb=fields.number("memory_limit_mb", default=None, above=0),
            reference=fields.text_or_none("reference"),
            source=fields.text_or_none("source"),
            difficulty=fields.text_or_none("difficulty", convert=True),
            released=fields.text_or_none("released"),
            licence=fields.text_or_none("licence"),
            metadata=fields.mapping("metadata"),
        )


_PROBLEM_OPTIONAL = (
    "time_limit_s",
    "memory_limit_mb",
    "reference",
    "source",
    "difficulty",
    "released",
    "licence",
)


@dataclass(frozen=True, slots=True)
class Solution:
    """A candidate program. ``completion`` is the raw answer; then ``code`` is what was extracted (None: none)."""

    id: str
    problem_id: str
    code: str | None = None
    completion: str | None = None
    author: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """The record in the contract's shape."""
        row: dict[str, Json] = {"id": self.id, "problem_id": self.problem_id}
        if self.completion is not None:
            row["completion"] = self.completion
        else:
            row["code"] = self.code or ""
        if self.author is not None:
            row["author"] = self.author
        if self.metadata:
            row["metadata"] = dict(self.metadata)
        return row

    @classmethod
    def from_json(cls, value: Json, where: str, extract: Callable[[str], str | None]) -> Solution:
        """Read the contract's shape. ``extract`` gets the code out of a ``completion``. Raises BadInput."""
        fields = Fields(value, where, known=("id", "problem_id", "code", "completion", "author", "metadata"))
        code = fields.text_or_none("code")
        completion = fields.text_or_none("completion")
        if (code is None) == (completion is None):
            raise BadInput(f"{where}: give either 'code' or 'completion', exactly one of them")
        return cls(
            id=fields.text("id", empty=False),
            problem_id=fields.text("problem_id", empty=False),
            code=code if completion is None else extract(completion),
            completion=completion,
            author=fields.text_or_none("author"),
            metadata=fields.mapping("metadata"),
        )


@dataclass(frozen=True, slots=True)
class TestResult:
    """What one test found. ``time_s`` is processor time in seconds."""

    __test__ = False

    outcome: Outcome
    time_s: float
    message: str | None = None

    def to_json(self) -> dict[str, Json]:
        """The record in the contract's shape."""
        row: dict[str, Json] = {"outcome": self.outcome.value, "time_s": round(self.time_s, 6)}
        if self.message is not None:
            row["message"] = self.message
        return row


@dataclass(frozen=True, slots=True)
class Verdict:
    """What execution found for one solution.

    ``pass_rate`` is ``passed / total`` in [0, 1], or None when the machinery failed (``unscored``). ``isolation`` is
    the level under which the tests ran; ``shared_process`` says that a test shared a process with the solution.
    """

    solution_id: str
    problem_id: str
    outcome: Outcome
    passed: int
    total: int
    pass_rate: float | None
    tests: tuple[TestResult, ...]
    isolation: str = ""
    shared_process: bool = False

    def to_json(self) -> dict[str, Json]:
        """The record in the contract's shape."""
        row: dict[str, Json] = {
            "solution_id": self.solution_id,
            "problem_id": self.problem_id,
            "outcome": self.outcome.value,
            "passed": self.passed,
            "total": self.total,
            "pass_rate": self.pass_rate,
            "tests": [test.to_json() for test in self.tests],
            "isolation": self.isolation,
        }
        if self.shared_process:
            row["shared_process"] = True
        return row

    @classmethod
    def from_json(cls, value: Json, where: str) -> Verdict:
        """Read what ``to_json`` wrote; raises BadInput."""
        known = (
            "solution_id",
            "problem_id",
            "outcome",
            "passed",
            "total",
            "pass_rate",
            "tests",
            "isolation",
            "shared_process",
        )
        fields = Fields(value, where, known)
        results = []
        for n, row in enumerate(fields.items("tests"), 1):
            test = Fields(row, f"{where}, test {n}", known=("outcome", "time_s", "message"))
            time_s = test.number("time_s", default=0.0, minimum=0)
            results.append(TestResult(test.choice("outcome", Outcome), time_s or 0.0, test.text_or_none("message")))
        passed, total = fields.number("passed", minimum=0), fields.number("total", minimum=0)
        return cls(
            solution_id=fields.text("solution_id", empty=False),
            problem_id=fields.text("problem_id", empty=False),
            outcome=fields.choice("outcome", Outcome),
            passed=int(passed or 0),
            total=int(total or 0),
            pass_rate=fields.number("pass_rate", default=None, minimum=0),
            tests=tuple(results),
            isolation=fields.text("isolation", default=""),
            shared_process=bool(value.get("shared_process", False)),
        )


@dataclass(frozen=True, slots=True)
class CritiqueRow:
    """A question, a solution and the truth: True when the solution counts as correct.

    ``label`` is what training goes by. ``test_label`` keeps what the tests say where a person's judgement stands in its
    place; it is None where the tests are the label's source, or say nothing.
    """

    id: str
    problem_id: str
    solution_id: str
    statement: str
    solution: str
    label: bool
    label_source: LabelSource
    pass_rate: float | None
    test_label: bool | None = None

    def to_json(self) -> dict[str, Json]:
        """The record in the contract's shape."""
        row: dict[str, Json] = {
            "id": self.id,
            "problem_id": self.problem_id,
            "solution_id": self.solution_id,
            "statement": self.statement,
            "solution": self.solution,
            "label": self.label,
            "label_source": self.label_source.value,
            "pass_rate": self.pass_rate,
        }
        if self.label_source is not LabelSource.TESTS:
            row["test_label"] = self.test_label
        return row

    @classmethod
    def from_json(cls, value: Json, where: str) -> CritiqueRow:
        """Read the contract's shape; raises BadInput."""
        own = ("id", "problem_id", "solution_id", "statement", "solution", "label", "label_source", "pass_rate")
        fields = Fields(value, where, known=(*own, "test_label"))
        if not isinstance(value.get("label"), bool):
            raise BadInput(f"{where}, key 'label': must be true or false, not {type_name(value.get('label'))}")
        test_label = value.get("test_label")
        if not (test_label is None or isinstance(test_label, bool)):
            raise BadInput(f"{where}, key 'test_label': must be true, false or null, not {type_name(test_label)}")
        return cls(
            id=fields.text("id", empty=False),
            problem_id=fields.text("problem_id", empty=False),
            solution_id=fields.text("solution_id", empty=False),
            statement=fields.text("statement", empty=False),
            solution=fields.text("solution"),
            label=value["label"],
            label_source=fields.choice("label_source", LabelSource),
            pass_rate=fields.number("pass_rate", default=None, minimum=0),
            test_label=test_label,
        )


_TAGS: dict[str, tuple[type, ...]] = {
    "$tuple": (list,),
    "$set": (list,),
    "$frozenset": (list,),
    "$bytes": (str,),
    "$complex": (list,),
    "$float": (str,),
    "$dict": (list,),
}


def check_tagged(value: Json, where: str) -> None:
    """Refuse a malformed tag such as ``{"$tupel": []}``; raises BadInput."""
    if isinstance(value, list):
        for item in value:
            check_tagged(item, where)
    elif isinstance(value, dict):
        tags = [key for key in value if key.startswith("$")]
        if tags and (len(value) != 1 or tags[0] not in _TAGS):
            raise BadInput(f"{where}: unknown value tag {tags[0]!r}{nearest(tags[0], _TAGS)}")
        if tags and not isinstance(value[tags[0]], _TAGS[tags[0]]):
            raise BadInput(f"{where}: the value under {tags[0]!r} must be a {_TAGS[tags[0]][0].__name__}")
        for item in value.values():
            check_tagged(item, where)
