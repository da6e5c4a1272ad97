"""rStar-Coder (``microsoft/rStar-Coder``), configuration ``seed_testcase``: the paper's corpus. Licence CC-BY-4.0.

A record has ``question_id``, ``question``, ``starter_code``, ``inputs``, ``outputs`` (lists, or the text of JSON
lists), ``is_synthesized``, ``test_case_type``, ``func_name`` and ``class_name``; there are no solutions in it
(paper, section 2.2, takes this human-seeded part).
"""

from __future__ import annotations

from critique_coder.data.sources.corpus import Place, Row, Unusable, each, fields_of, from_json_text, reader
from critique_coder.data.sources.pairs import function_name, method_of, paired_tests, starter_program
from critique_coder.records import Problem


def _name(row: Row) -> str:
    return f"rstar-coder/{fields_of(row).text('question_id', empty=False)}"


def _problem(row: Row, name: str) -> Problem:
    fields = fields_of(row)
    stub = fields.text("starter_code", default="")
    entry_point = _entry_point(row, stub)
    inputs, outputs = (from_json_text(row.value.get(key), row.where, key) for key in ("inputs", "outputs"))
    return Problem(
        id=name,
        statement=fields.text("question", empty=False),
        tests=paired_tests(inputs, outputs, entry_point, row.where, "inputs"),
        starter_code=starter_program(stub) if stub.strip() else "",
        entry_point=entry_point,
        source="rstar-coder",
        licence="CC-BY-4.0",
        released="2025-05-27",
        metadata={
            "split": "train",
            "test_case_type": row.value.get("test_case_type"),
            "is_synthesized": row.value.get("is_synthesized"),
        },
    )


def _entry_point(row: Row, stub: str) -> str | None:
    """The function or method under test, or None for whole programs; raises BadInput and Unusable."""
    name, owner = (function_name(row.value.get(key), row.where, key) for key in ("func_name", "class_name"))
    if name is None and owner is not None:
        raise Unusable(f"names the class {owner} and no method of it")
    return (f"{owner}.{name}" if owner else method_of(stub, name)) if name else None


problems_of = each(_name, _problem)
PLACE = Place("rStar-Coder", hub="microsoft/rStar-Coder", patterns=("seed_testcase/*.parquet",), folder="rstar_coder")
read = reader(PLACE, problems_of)
