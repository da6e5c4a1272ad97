"""What ``critique-coder data`` shows: tables and small plots of a build, one row, the differences of two builds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from critique_coder.data.difficulty import KS
from critique_coder.data.tables import TABLE1
from critique_coder.records import CritiqueRow, Json, Problem, TestCase, TestKind, Verdict
from critique_coder.storage import dumps

_WIDEST = 24
"""Signs of the longest bar."""
_LONGEST = 60
_SHOWN = 10
"""Ids of a list that are shown."""


def table(title: str, *columns: str) -> Table:
    """An empty table; the first column is text, the others numbers."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for number, column in enumerate(columns):
        made.add_column(column, justify="left" if number == 0 else "right")
    return made


def bar(count: int, most: int) -> str:
    """A bar of a plot whose highest count is ``most``; what is not zero can be seen."""
    return "█" * -(-count * _WIDEST // (most or 1))


def overview_tables(found: Mapping[str, Json]) -> Iterator[RenderableType]:
    """The numbers of ``data.overview`` as tables."""
    yield _kept(found["lost"])
    yield _table1(found["table1"])
    yield _counts("licences", found["problems"]["by_licence"])
    lengths = table("sizes", "what", "count", "mean", "median", "95 %")
    for name, values in (
        ("tests a problem", found["problems"]["tests"]),
        ("characters of a statement", found["problems"]["statement_characters"]),
        *((f"characters of a prompt, {split}", rows["prompt_characters"]) for split, rows in found["rows"].items()),
    ):
        lengths.add_row(name, *(number(values[key]) for key in ("count", "mean", "median", "p95")))
    yield lengths
    yield _difficulty(found["difficulty"])
    passes = [f"pass@{k}" for k in KS]
    authors = table("authors of the solutions (Table 2)", "author", "solutions", "mean pass rate", *passes, "tokens")
    for name, values in found["authors"].items():
        rates = (percent(values[key]) for key in ("mean_pass_rate", *passes))
        authors.add_row(escape(name), number(values["solutions"]), *rates, number(values["mean_tokens"]))
    yield authors
    yield _counts("outcomes", found["outcomes"])
    yield from _label_tables(found["labels"])
    rows = table("rows", "split", "kind", "rows")
    for split, values in found["rows"].items():
        for kind, count in values["by_kind"].items():
            rows.add_row(split, kind, number(count))
            if kind == "critique":
                rows.add_row(split, "of a correct solution", number(values["true"]))
    yield rows


def _counts(title: str, counts: Mapping[str, int]) -> Table:
    made = table(title, "", "count", "share")
    total = sum(counts.values())
    for name, count in counts.items():
        made.add_row(escape(name), number(count), percent(count / total if total else None))
    return made


def _kept(found: Mapping[str, Json]) -> Table:
    made = table("problems by source", "source", "read", "kept", "lost")
    made.columns[-1].justify = "left"
    for name, counts in found.items():
        lost = ", ".join(f"{count} {reason}" for reason, count in counts["lost"].items())
        made.add_row(escape(name), number(counts["read"]), number(counts["kept"]), escape(lost))
    return made


def _table1(found: Mapping[str, Json]) -> Table:
    made = table("the paper's table 1", "", *found)
    for key, title in TABLE1.items():
        made.add_row(title, *(number(state[key]) for state in found.values()))
    return made


def _difficulty(found: Mapping[str, Json]) -> Table:
    made = table("difficulty", "solutions that pass", "problems", "")
    made.columns[-1].justify = "left"
    bins = found["histogram"]
    for place, count in enumerate(bins):
        low, high = (round(100 * side / len(bins)) for side in (place, place + 1))
        made.add_row(f"{low} % to {high} %", number(count), bar(count, max(bins)))
    made.add_row("none (never solved)", number(found["never_solved"]), "")
    made.add_row("all (always solved)", number(found["always_solved"]), "")
    return made


def _label_tables(found: Mapping[str, Json]) -> Iterator[RenderableType]:
    made = table("labels", "", "count")
    made.add_row("solutions with a label", number(found["total"]))
    made.add_row("of them correct", number(found["true"]))
    for name, count in found["by_source"].items():
        made.add_row(f"by {name}", number(count))
    made.add_row("tests say otherwise", number(found["contradicted"]))
    yield made
    skew = found["skew"]
    style = table("style of correct and wrong solutions", "sign", "correct", "wrong", "AUC", "Cohen's d")
    for sign in ("characters", "lines", "comment_share"):
        style.add_row(sign, *(number(skew[sign][key]) for key in ("mean_true", "mean_false", "auc", "cohen_d")))
    yield style
    told = ", ".join(skew["suspects"])
    v = number(skew["author"]["cramer_v"])
    yield Text(
        f"Cramér's V of author and label: {v}. "
        + (f"The label can be told by: {told}." if told else "No sign tells the label.")
    )


def number(value: float | None) -> str:
    """A number as a person writes it."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")


def percent(share: float | None) -> str:
    """A share as percent."""
    return "–" if share is None else f"{100 * share:.1f} %"


def row_view(
    row: Mapping[str, Any], problem: Problem, verdict: Verdict | None, critique: CritiqueRow | None
) -> RenderableType:
    """One row: its prompt, its label, and the problem's tests with what they found of its solution."""
    parts: list[RenderableType] = [Text(_headline(row, problem), style="bold")]
    parts += [Panel(Text(turn["content"]), title=turn["role"], title_align="left") for turn in row["prompt"]]
    if critique is not None:
        parts.append(Panel(Syntax(critique.solution, problem.language), title="solution", title_align="left"))
        parts.append(Text(_label_line(critique)))
    parts.append(_tests(problem, verdict))
    return Group(*parts)


def _headline(row: Mapping[str, Any], problem: Problem) -> str:
    facts = [f"{row['id']}", f"kind {row['kind']}", f"split {row['split']}", f"template {row['template']}"]
    facts += [f"{name} {value}" for name in ("source", "licence") if (value := getattr(problem, name))]
    return " · ".join(facts)


def _label_line(row: CritiqueRow) -> str:
    line = f"label {'correct' if row.label else 'wrong'}, by {row.label_source.value}"
    if row.pass_rate is not None:
        line += f"; pass rate {row.pass_rate:.2f}"
    if row.test_label is not None and row.test_label is not row.label:
        line += f"; the tests say {'correct' if row.test_label else 'wrong'}"
    return line


def _tests(problem: Problem, verdict: Verdict | None) -> Table:
    made = Table(title="tests", title_justify="left", title_style="bold", header_style="dim")
    for column in ("", "test", "expected", *(("outcome", "message") if verdict else ())):
        made.add_column(column, overflow="fold")
    for place, test in enumerate(problem.tests):
        cells = [str(place + 1), *(_cut(text) for text in _shown(test, problem))]
        if verdict is not None and place < len(verdict.tests):
            result = verdict.tests[place]
            cells += [result.outcome.value, _cut(result.message or "")]
        made.add_row(*map(escape, cells))
    return made


def _shown(test: TestCase, problem: Problem) -> tuple[str, str]:
    if test.kind is TestKind.CALL:
        kwargs = [f"{name}={dumps(value)}" for name, value in test.kwargs.items()]
        return f"{problem.entry_point}({', '.join([*map(dumps, test.args), *kwargs])})", dumps(test.expected)
    if test.kind is TestKind.STDIO:
        return test.stdin, test.stdout
    return test.code, ""


def _cut(text: str) -> str:
    line = text.strip().replace("\n", "⏎")
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def difference_tables(found: Mapping[str, Json]) -> Iterator[RenderableType]:
    """The differences of ``data.compare`` as tables."""
    if found["settings"]:
        made = table("settings", "key", "before", "after")
        for key, (old, new) in found["settings"].items():
            made.add_row(key, escape(dumps(old)), escape(dumps(new)))
        yield made
    for name in ("inputs", "templates"):
        if found[name]:
            yield Text(f"other {name}: {', '.join(found[name])}")
    counts = table("records", "", "before", "after", "gone", "new", "changed")
    for name in ("problems", "solutions", "outcomes", "labels", "train"):
        part = found[name]
        lengths = [number(len(part[key])) for key in ("gone", "new", "changed")]
        counts.add_row(name, number(part["before"]), number(part["after"]), *lengths)
    yield counts
    for name in ("problems", "labels", "train"):
        for way in ("gone", "new", "changed"):
            if found[name][way]:
                yield Text(f"{name} {way}: {_some(found[name][way])}", overflow="fold")
    for move, count in found["moved"].items():
        yield Text(f"{count} problems moved: {move}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more (--json lists all)" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
