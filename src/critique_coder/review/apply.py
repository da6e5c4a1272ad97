"""From verdicts to the feedback folder that ``build`` reads (``[label] people = "feedback/"``): first as a plan.

What people said becomes three things: labels that stand above the tests', problems taken out or given other tests, and
critiques whose reasons were judged. A plan follows from the evidence alone, so the same verdicts give the same bytes.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from critique_coder.feedback import (
    CRITIQUE_REVIEWS_FILE,
    LABELS_FILE,
    PROBLEM_REVIEWS_FILE,
    CritiqueReview,
    PersonLabel,
    ProblemAction,
    ProblemReview,
    Votes,
    code_sha256,
)
from critique_coder.records import BadInput, Json, LabelSource, Problem
from critique_coder.review.adjudication import Resolved, counts
from critique_coder.review.cases import AddedTest, Case, Evidence, Question, asked, critiques_of, solutions_of
from critique_coder.storage import atomic_write, dumps

WRONG_TEST = "wrong_test"
AMBIGUOUS = "ambiguous_statement"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a feedback folder will hold, and what that changes. ``changed`` are labels that differ from the tests'.

    ``waiting`` are tests that too few people kept to be used.
    """

    labels: tuple[PersonLabel, ...]
    problems: tuple[ProblemReview, ...]
    critiques: tuple[CritiqueReview, ...]
    changed: tuple[PersonLabel, ...]
    open: Mapping[str, int]
    waiting: tuple[AddedTest, ...] = ()

    @property
    def kto(self) -> tuple[CritiqueReview, ...]:
        """The critiques that unpaired preference learns from: those whose reason was judged, or whose judgement is
        wrong, which no reason can save."""
        return tuple(one for one in self.critiques if one.reason_right is not None or not one.judgement_right)

    @property
    def cft(self) -> tuple[CritiqueReview, ...]:
        """The critiques that are right in judgement and reason, which fine-tuning imitates."""
        return tuple(one for one in self.critiques if one.judgement_right and one.reason_right)

    def summary(self) -> dict[str, Json]:
        """The counts, as ``--json`` prints them."""
        actions = Counter(review.action for review in self.problems)
        sources = Counter(label.label_source for label in self.labels)
        return {
            "labels": len(self.labels),
            "labels_human": sources[LabelSource.HUMAN],
            "labels_adjudicated": sources[LabelSource.ADJUDICATED],
            "labels_changed": len(self.changed),
            "problems_quarantined": actions[ProblemAction.QUARANTINE],
            "problems_with_other_tests": actions[ProblemAction.REPLACE_TESTS],
            "tests_waiting": len(self.waiting),
            "critiques_kto": len(self.kto),
            "critiques_cft": len(self.cft),
            "open": dict(self.open),
        }


def plan(evidence: Evidence, min_people: int = 1) -> Plan:
    """What the evidence amounts to.

    A solution of a problem in quarantine makes no label, since no row is made of it, but may bring the problem back.

    A problem's tests, or the problem, are only touched on the word of ``min_people`` who agree on one of its solutions
    or of a decision: that changes the labels of all its solutions, and one person errs too often for it.
    """
    resolved = evidence.resolved()
    cases = {case.id: case for case in solutions_of(evidence.cases) if case.gold is None}
    said = {case.id: found for case in cases.values() if (found := resolved.get(asked(case.id, Question.CORRECT)))}
    labels = {name: _label(cases[name], found, found.label) for name, found in said.items() if found.label is not None}
    labels = _without_contradictions(labels)
    trusted = [(cases[name], said[name]) for name in labels if _backed(said[name], min_people)]
    labels = {name: label for name, label in labels.items() if cases[name].quarantine is None}
    kept, waiting = _kept_tests(evidence.added_tests, min_people)
    changed = tuple(label for name, label in labels.items() if cases[name].tests not in (None, label.label))
    return Plan(
        labels=_sorted_labels(labels.values()),
        problems=tuple(_problem_reviews(trusted, kept, cases)),
        critiques=tuple(_critique_reviews(critiques_of(evidence.cases), resolved)),
        changed=_sorted_labels(changed),
        open={name: count for name, count in counts(resolved).items() if name in ("conflict", "cant_tell")},
        waiting=tuple(waiting),
    )


def _backed(found: Resolved, people: int) -> bool:
    return found.source is LabelSource.ADJUDICATED or (found.yes if found.label else found.no) >= people


def _kept_tests(added: Sequence[AddedTest], people: int) -> tuple[list[AddedTest], list[AddedTest]]:
    """The tests that enough people kept, and one of each of the others; who keeps a test twice is one person."""
    keepers: dict[tuple[str, str], set[str]] = {}
    for one in added:
        keepers.setdefault(_same_test(one), set()).add(one.kept_by)
    backed = [one for one in added if len(keepers[_same_test(one)]) >= people]
    return backed, list({_same_test(one): one for one in added if len(keepers[_same_test(one)]) < people}.values())


def _same_test(one: AddedTest) -> tuple[str, str]:
    return one.problem_id, dumps(one.test.to_json())


def _label(case: Case, found: Resolved, label: bool) -> PersonLabel:
    return PersonLabel(
        problem_id=case.problem.id,
        solution_id=case.solution_id,
        code_sha256=code_sha256(case.code),
        label=label,
        label_source=found.source or LabelSource.HUMAN,
        votes=Votes(found.yes, found.no, found.cant_tell),
        tags=found.tags,
        note=found.note,
    )


def _without_contradictions(labels: Mapping[str, PersonLabel]) -> dict[str, PersonLabel]:
    """One label for each code and problem: an adjudicated one before others, and none where they differ.

    Two solutions may have the same code; a build takes a label by the code and refuses two that differ.
    """
    groups: dict[tuple[str, str], list[tuple[str, PersonLabel]]] = {}
    for name, label in sorted(labels.items()):
        groups.setdefault((label.problem_id, label.code_sha256), []).append((name, label))
    kept = {}
    for group in groups.values():
        settled = [entry for entry in group if entry[1].label_source is LabelSource.ADJUDICATED] or group
        if len({label.label for _, label in settled}) == 1:
            name, label = settled[0]
            kept[name] = label
    return kept


def _sorted_labels(labels: Iterable[PersonLabel]) -> tuple[PersonLabel, ...]:
    return tuple(sorted(labels, key=lambda label: (label.problem_id, label.solution_id)))


def _problem_reviews(
    judged: Sequence[tuple[Case, Resolved]], added: Sequence[AddedTest], cases: Mapping[str, Case]
) -> list[ProblemReview]:
    """What to do with each problem that people found at fault, or gave tests to, in the order of their ids."""
    problems = {case.problem.id: case.problem for case in cases.values()}
    found = []
    for name in sorted(problems):
        own = [(case, said) for case, said in judged if case.problem.id == name]
        kept = [test for test in added if test.problem_id == name]
        review = _problem_review(problems[name], own, kept)
        if review is not None:
            found.append(review)
    return found


def _problem_review(
    problem: Problem, judged: Sequence[tuple[Case, Resolved]], added: Sequence[AddedTest]
) -> ProblemReview | None:
    """Quarantine for an ambiguous statement; for wrong tests, without them; with the tests that people kept.

    A test is wrong when it failed a solution that people call correct and tagged so, even one whose other tests make
    up for it. Where tests let a solution pass that people call incorrect and tagged so, only a further test can help:
    without one the problem is quarantined, as it is when no test is left.
    """
    if any(AMBIGUOUS in said.tags for _, said in judged):
        return ProblemReview(problem.id, ProblemAction.QUARANTINE, "people call the statement ambiguous")
    tagged = [(case, said) for case, said in judged if WRONG_TEST in said.tags]
    wrong = {place for case, said in tagged if said.label for place in case.failed_tests}
    weak = any(case.tests and not said.label for case, said in tagged)
    new = [one for one in added if one.test not in problem.tests]
    if not (wrong or weak or new):
        return None
    tests = [test for place, test in enumerate(problem.tests) if place not in wrong]
    tests += {_same_test(one): one.test for one in new}.values()
    if not tests or (weak and not new):
        reason = "tests accept what people call incorrect" if weak else "no test is left that people trust"
        return ProblemReview(problem.id, ProblemAction.QUARANTINE, reason)
    return ProblemReview(problem.id, ProblemAction.REPLACE_TESTS, _told(len(wrong), new), tuple(tests))


def _told(wrong: int, new: Sequence[AddedTest]) -> str:
    parts = [f"{wrong} wrong test{'s' * (wrong != 1)} left out"] if wrong else []
    if new:
        people = ", ".join(sorted({one.kept_by for one in new}))
        number = len({_same_test(one) for one in new})
        parts.append(f"{number} test{'s' * (number != 1)} added by {people}")
    return "; ".join(parts)


def _critique_reviews(cases: Sequence[Case], resolved: Mapping[str, Resolved]) -> list[CritiqueReview]:
    """The critiques whose judgement people agree on; a reason nobody is sure of stays None."""
    found = []
    for case in sorted(cases, key=lambda case: case.id):
        judgement = resolved.get(asked(case.id, Question.JUDGEMENT))
        reason = resolved.get(asked(case.id, Question.REASON))
        if case.row_id is None or case.completion is None or judgement is None or judgement.label is None:
            continue
        adjudicated = LabelSource.ADJUDICATED in (judgement.source, reason.source if reason else None)
        found.append(
            CritiqueReview(
                row_id=case.row_id,
                problem_id=case.problem.id,
                solution_id=case.solution_id,
                completion=case.completion,
                judgement_right=judgement.label,
                reason_right=reason.label if reason else None,
                label_source=LabelSource.ADJUDICATED if adjudicated else LabelSource.HUMAN,
            )
        )
    return found


def describe(made: Plan, most: int = 10) -> list[str]:
    """The plan in lines for a person to read before it happens; at most ``most`` labels and problems by name."""
    count = made.summary()
    lines = [
        f"labels     {count['labels']} ({count['labels_human']} human, {count['labels_adjudicated']} adjudicated), "
        f"{count['labels_changed']} of them against the tests"
    ]
    lines += _cut([f"           {one.solution_id} becomes {_word(one.label)}" for one in made.changed], most)
    lines.append(
        f"problems   {count['problems_quarantined']} quarantined, {count['problems_with_other_tests']} with other tests"
    )
    lines += _cut([f"           {one.problem_id}: {one.action.value}, {one.reason}" for one in made.problems], most)
    lines.append(
        f"critiques  {count['critiques_kto']} to preference (KTO), {count['critiques_cft']} to fine-tuning (CFT)"
    )
    lines.append(f"left open  {made.open['conflict']} in conflict, {made.open['cant_tell']} that nobody can tell")
    if made.waiting:
        lines.append(f"           {len(made.waiting)} kept tests that too few people kept to be used (--min-people)")
    return lines


def _cut(lines: Sequence[str], most: int) -> list[str]:
    rest = len(lines) - most
    return list(lines) if rest <= 0 else [*lines[:most], f"           and {rest} more"]


def _word(label: bool) -> str:
    return "correct" if label else "incorrect"


def differs(made: Plan, folder: Path) -> bool:
    """Whether writing the plan would change a byte in ``folder``."""
    return any(_text(folder / name) != text for name, text in _files(made).items())


def write_feedback(made: Plan, folder: Path) -> list[Path]:
    """Write what changes in the folder; returns those files. None is replaced before all are written out.

    Raises BadInput when the folder cannot be written.
    """
    changed = {folder / name: text for name, text in _files(made).items() if _text(folder / name) != text}
    try:
        with ExitStack() as stack:
            for path, text in changed.items():
                stack.enter_context(atomic_write(path)).write_text(text, encoding="utf-8")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BadInput(f"{folder}: no space left on the disk; make room and run the command again") from None
        raise BadInput(f"{folder}: cannot be written: {error.strerror or error}") from None
    return list(changed)


def _files(made: Plan) -> dict[str, str]:
    records: dict[str, Sequence[PersonLabel | ProblemReview | CritiqueReview]] = {
        CRITIQUE_REVIEWS_FILE: made.critiques,
        PROBLEM_REVIEWS_FILE: made.problems,
        LABELS_FILE: made.labels,
    }
    return {name: "".join(dumps(one.to_json()) + "\n" for one in found) for name, found in records.items()}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}; move it away, then run the command again") from None
