"""CTRL's first stage (arXiv 2502.03492, section 3.2): critiques written with a hint from execution, learned without.

The teacher is shown what the tests found and must write as if it had seen the program alone. The row's prompt has no
hint; a critique that speaks of it is left out, since the student would learn to speak of what it has never seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from critique_coder.data.asking import Question
from critique_coder.data.rows.cft import critique_columns
from critique_coder.data.rows.source import RowSource
from critique_coder.judge.compare_values import read, show
from critique_coder.prompts import after_thinking
from critique_coder.records import CritiqueRow, Outcome, Problem, TestCase, TestKind, TestResult, Verdict

_LONGEST = 300
"""Characters of an input, an output or a message above which a hint cuts it."""
_SLOW = (Outcome.TIME_LIMIT, Outcome.WALL_LIMIT)
_FRAME = (
    "\n\nFor you alone, here is what running the solution on tests has shown: {finding} Use it to be right, but write "
    "as if you had read the solution only: do not speak of this note, of tests that were run, or of their results."
)
_LEAKS = re.compile(
    r"""\bhint(s|ed)?\b
    | \b(this|that|the|your|provided|given|private)\s+note\b | \bfor\s+you\s+alone\b
    | \b(test|execution|judge|grader|sandbox)('s)?\s+(results?|report|feedback|outcome|verdict|logs?)\b
    | \b(according\s+to|based\s+on|as\s+(shown|seen|indicated|reported)\s+(by|in))\s+the\s+([a-z]+\s+)?
      (tests?|execution|run|results?|feedback)\b
    | \b(all|some|none|most|many|\d+)\s+(of\s+)?(the\s+|its\s+|\d+\s+)?(hidden\s+|unit\s+|provided\s+)?
      tests?(\s+cases?)?\s+((have|had|were|are)\s+)?(pass|fail)(ed|ing|es|s)?\b
    | \b(pass|fail)(es|s|ed|ing)?\s+(all|some|none|most|many|\d+)\s+(of\s+)?(the\s+|its\s+|\d+\s+)?
      (hidden\s+|unit\s+|provided\s+)?tests?\b
    | \bwas\s+(run|executed|tested)\s+(on|against)\b | \bi\s+(was|have\s+been|am)\s+(told|given|informed|shown)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def ctrl(source: RowSource) -> Iterator[dict[str, object]]:
    """A row for each hinted critique that judges rightly and does not give its hint away."""
    verdicts = source.verdicts(row.solution_id for row in source.critiques)
    rows = [row for row in source.critiques if _hintable(source, row, verdicts)]
    questions = [Question(row.id, _hinted(source, row, verdicts[row.solution_id])) for row in rows]
    answers = source.answers("hinted_critiques", source.settings.critiques, questions, "hinted critiques")
    for row in rows:
        answer = answers.get(row.id)
        judgement = source.usable(row, answer) if answer is not None else None
        if answer is None or judgement is None:
            continue
        if leaks(answer.completion):
            source.lost["leaks_the_hint"] += 1
        else:
            yield critique_columns(source, row, answer, judgement, "ctrl")


def _hintable(source: RowSource, row: CritiqueRow, verdicts: dict[str, Verdict]) -> bool:
    """Whether execution found something, and nothing that speaks against the label."""
    verdict = verdicts.get(row.solution_id)
    if verdict is None or verdict.pass_rate is None:
        source.lost["no_verdict"] += 1
        return False
    if row.label is not (verdict.outcome is Outcome.PASSED):
        source.lost["tests_contradict_label"] += 1
        return False
    return True


def _hinted(source: RowSource, row: CritiqueRow, verdict: Verdict) -> list[dict[str, str]]:
    """The critique prompt with what execution found at the end of its last turn."""
    *before, last = source.critique_prompt(row)
    finding = hint(source.data.problems[row.problem_id], verdict)
    return [*before, {**last, "content": last["content"] + _FRAME.format(finding=finding)}]


def hint(problem: Problem, verdict: Verdict) -> str:
    """What execution found, in a few sentences (the cases of CTRL's table 7)."""
    if verdict.outcome is Outcome.PASSED:
        return f"it passes all {verdict.total} tests, so it is correct; say briefly why."
    if verdict.outcome is Outcome.COMPILE_ERROR:
        return f"it does not compile ({_cut(verdict.tests[0].message or '') if verdict.tests else 'no message'})."
    failed = [
        (test, result)
        for test, result in zip(problem.tests, verdict.tests, strict=False)
        if result.outcome is not Outcome.PASSED
    ]
    if not failed:
        return f"it ends as {verdict.outcome.value}."
    test, result = min(failed, key=lambda entry: len(_asked(entry[0], problem)))
    if all(found.outcome in _SLOW for _, found in failed):
        return f"it is too slow: {len(failed)} of {verdict.total} tests run out of time. It needs a faster way."
    example = f"{_asked(test, problem)}{_found(result)}"
    if verdict.passed == 0:
        return f"it fails all {verdict.total} tests, so its whole approach is in doubt. For example, {example}"
    return f"it fails {len(failed)} of {verdict.total} tests. For example, {example}"


def _asked(test: TestCase, problem: Problem) -> str:
    if test.kind is TestKind.CALL:
        values = [show(read(value)) for value in test.args]
        values += [f"{name}={show(read(value))}" for name, value in test.kwargs.items()]
        return f"{problem.entry_point}({_cut(', '.join(values))}) should give {_cut(show(read(test.expected)))}, but "
    if test.kind is TestKind.STDIO:
        return f"the input {_cut(test.stdin)!r} should give {_cut(test.stdout)!r}, but "
    return f"the check `{_cut(test.code)}` fails: "


def _found(result: TestResult) -> str:
    message = result.message or ""
    if result.outcome is Outcome.WRONG_ANSWER:
        _, got, value = message.partition(", got ")
        return f"it gives {_cut(value)}." if got else f"the answer is wrong ({_cut(message)})."
    if result.outcome in _SLOW:
        return "it does not come to an end in time."
    return f"it ends as {result.outcome.value} ({_cut(message)})."


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST].rstrip() + "..."


def leaks(critique: str) -> bool:
    """Whether a critique speaks of the hint, or of test runs that its writer has not seen; thinking does not count."""
    return _LEAKS.search(after_thinking(critique) or "") is not None
