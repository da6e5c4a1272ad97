"""People's labels stand above the tests', both are kept, and doubtful ones are listed; style that tells is named."""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from critique_coder.data.label import Doubt, LabelCounts, critique_rows, doubtful
from critique_coder.data.losses import Loss
from critique_coder.data.people import People, read_people
from critique_coder.data.recipe import LabelSettings
from critique_coder.data.skew import Skew, comment_share
from critique_coder.feedback import PersonLabel, ProblemAction, ProblemReview, code_sha256
from critique_coder.records import CritiqueRow, LabelSource, Outcome, TestCase, TestKind
from critique_coder.storage import write_jsonl
from making import a_problem, a_row, a_solution, a_verdict, complaint


def feedback(folder: Path, *labels: PersonLabel) -> People:
    write_jsonl(folder / "labels.jsonl", [label.to_json() for label in labels])
    return read_people(folder)


def says(code: str, label: bool, source: LabelSource = LabelSource.HUMAN, solution: str = "s") -> PersonLabel:
    return PersonLabel("p", solution, code_sha256(code), label, source)


def labelled(
    people: People, passed: int, threshold: LabelSettings = LabelSettings(), outcome: Outcome | None = None
) -> CritiqueRow:
    solution = a_solution("s", "p", "x = 1\n")
    (row,) = critique_rows(
        {"p": a_problem()}, [solution], {"s": a_verdict("s", "p", passed, outcome=outcome)}, threshold, people
    )
    return row


@pytest.mark.parametrize("source", [LabelSource.HUMAN, LabelSource.ADJUDICATED])
@pytest.mark.parametrize(("passed", "person"), [(10, False), (0, True), (10, True)])
def test_a_person_stands_above_the_tests_and_both_are_kept(
    tmp_path: Path, source: LabelSource, passed: int, person: bool
) -> None:
    row = labelled(feedback(tmp_path, says("x = 1\n", person, source)), passed)
    assert (row.label, row.label_source, row.test_label, row.pass_rate) == (person, source, passed == 10, passed / 10)
    assert CritiqueRow.from_json(row.to_json(), "x") == row
    contradicted = [found.doubt for found in doubtful([row], LabelSettings())]
    assert contradicted == ([Doubt.CONTRADICTED] if person is not (passed == 10) else [])


def test_a_label_of_other_code_is_not_used(tmp_path: Path) -> None:
    row = labelled(feedback(tmp_path, says("x = 2\n", False)), 10)
    assert (row.label, row.label_source) == (True, LabelSource.TESTS) and "test_label" not in row.to_json()


def test_a_person_labels_what_the_machinery_could_not(tmp_path: Path) -> None:
    row = labelled(feedback(tmp_path, says("x = 1\n", True)), 3, outcome=Outcome.UNSCORED)
    assert row.label and row.pass_rate is None and row.test_label is None
    assert list(doubtful([row], LabelSettings())) == []


def test_strict_takes_every_test() -> None:
    assert labelled(People(), 9).label is True
    assert labelled(People(), 9, LabelSettings(strict=True)).label is False
    assert labelled(People(), 10, LabelSettings(strict=True)).label is True


def test_an_adjudicated_label_settles_and_two_unsettled_ones_are_refused(tmp_path: Path) -> None:
    settled = says("x = 1\n", True, LabelSource.ADJUDICATED)
    for order in ([says("x = 1\n", False), settled], [settled, says("x = 1\n", False)]):
        assert labelled(feedback(tmp_path, *order), 0).label is True
    assert "true and false" in complaint(feedback, tmp_path, says("x = 1\n", True), says("x = 1\n", False))


@given(st.integers(0, 20), st.booleans())
def test_what_lies_near_the_threshold_is_listed(passed: int, strict: bool) -> None:
    settings = LabelSettings(strict=strict, borderline=0.1)
    rate = passed / 20
    found = list(doubtful([a_row("s", "p", rate > 0.8, rate)], settings))
    near = (0.9 <= rate < 1) if strict else (0.7 <= rate <= 0.9)
    assert bool(found) is near


def test_the_manifest_counts_sources_and_doubts(tmp_path: Path) -> None:
    person = labelled(feedback(tmp_path, says("x = 1\n", False)), 10)
    rows = [person, a_row("b", "q", True), a_row("c", "q", False, 0.8)]
    found = LabelCounts()
    for row in rows:
        found.add(row)
    for doubt in doubtful(rows, LabelSettings()):
        found.doubt(doubt)
    counts = found.to_json()
    assert counts == {
        "total": 3, "true": 1, "by_source": {"human": 1, "tests": 2}, "doubtful": {"borderline": 1, "contradicted": 1},
    }  # fmt: skip


def test_people_take_problems_out_and_give_them_other_tests(tmp_path: Path) -> None:
    tests = (TestCase(TestKind.CALL, args=(5,), expected=10),)
    reviews = [
        ProblemReview("out", ProblemAction.QUARANTINE, "two answers are right"),
        ProblemReview("other", ProblemAction.REPLACE_TESTS, "wrong test", tests),
    ]
    write_jsonl(tmp_path / "problem_reviews.jsonl", [review.to_json() for review in reviews])
    same, out, other = read_people(tmp_path).reviewed([a_problem("same"), a_problem("out"), a_problem("other")])
    assert same == a_problem("same")
    assert out == Loss("out", "person_quarantined", "two answers are right")
    assert not isinstance(other, Loss) and other.tests == tests


def test_a_folder_without_feedback_is_refused(tmp_path: Path) -> None:
    assert "labels.jsonl" in complaint(read_people, tmp_path)
    assert read_people(None) == People()


def skew_of(true: list[tuple[str, str]], false: list[tuple[str, str]]) -> dict[str, object]:
    skew = Skew()
    for label, side in ((True, true), (False, false)):
        for n, (code, author) in enumerate(side):
            skew.add(a_row(f"{label}{n}", "p", label, solution=code), author)
    return skew.to_json()


def test_style_that_tells_the_label_is_named() -> None:
    right = [("# says what it does\nx = 1\n" * n, "large") for n in range(2, 12)]
    wrong = [("x = 1\n" * n, "small") for n in range(1, 11)]
    found = skew_of(right, wrong)
    assert set(found["suspects"]) >= {"characters", "comment_share", "author"}  # type: ignore[call-overload]
    assert found["author"]["cramer_v"] > 0.9  # type: ignore[index]


def test_the_same_style_on_both_sides_is_not() -> None:
    side = [("x = 1\n" * n, f"a{n % 3}") for n in range(1, 31)]
    found = skew_of(side, side)
    assert found["suspects"] == []
    assert found["characters"]["auc"] == 0.5 and found["characters"]["cohen_d"] == 0  # type: ignore[index]
    assert found["author"]["cramer_v"] == 0  # type: ignore[index]


def test_one_class_alone_has_no_effect_size() -> None:
    found = skew_of([("x = 1\n", "a")], [])
    assert found["lines"] == {"mean_true": 1.0, "mean_false": None, "auc": None, "cohen_d": None}
    assert found["author"]["cramer_v"] is None and found["suspects"] == []  # type: ignore[index]


@pytest.mark.parametrize(
    ("code", "share"),
    [("", 0.0), ("#abc", 1.0), ("x = '#no'\n", 0.0), ("ab  # c\n", 0.5), ("ab(\n# c\n", 0.4)],
)
def test_the_share_of_comments(code: str, share: float) -> None:
    assert comment_share(code) == pytest.approx(share)


def share_by_the_tokenizer(code: str) -> float:
    """The definition, by nothing but Python's own tokenizer, which costs many times as much."""
    try:
        tokens = [*tokenize.generate_tokens(io.StringIO(code).readline)]
        comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    except (tokenize.TokenError, SyntaxError, ValueError):
        comments = [line for line in code.splitlines() if line.lstrip().startswith(("#", "//"))]
    whole = len("".join(code.split()))
    return len("".join("".join(comments).split())) / whole if whole else 0.0


STATEMENTS = ["x = 1", "def f(x):", "if x:", "return", "(", ")", "[", "{", "}", "é", "$", "# c", "#", "//", "// c"]
QUOTES = ["'", '"', "'''", '"""', "f'", 'rb"', "\\"]
SPACES = [" ", "    ", "\n", "\n    ", "\r\n", "\r", "\t", "\f", "\\\n", "\0", "\u2028", "\ufeff"]


@settings(max_examples=500)
@given(st.lists(st.sampled_from([*STATEMENTS, *QUOTES, *SPACES, "\n", "\n"]), max_size=25).map("".join))
def test_comments_are_those_that_the_tokenizer_finds(code: str) -> None:
    assert comment_share(code) == pytest.approx(share_by_the_tokenizer(code), abs=1e-12)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_auc_is_the_share_of_pairs(true: list[int], false: list[int]) -> None:
    found = skew_of([("x" * (n + 1), "a") for n in true], [("x" * (n + 1), "a") for n in false])
    pairs = [(t > f) + 0.5 * (t == f) for t in true for f in false]
    assert found["characters"]["auc"] == pytest.approx(sum(pairs) / len(pairs), abs=1e-4)  # type: ignore[index]
