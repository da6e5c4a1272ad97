"""rStar-Coder (``microsoft/rStar-Coder``), configuration ``seed_testcase``: the paper's corpus. Licence CC-BY-4.0.

A record has ``question_id``, ``question``, ``starter_code``, ``inputs``, ``outputs`` (lists, or the text of JSON
lists), ``is_synthesized``, ``test_case_type``, ``func_name`` and ``class_name``; there are no solutions in it
(paper, section 2.2, takes this human-seeded part).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from critique_coder.data.sources.corpus import Lose, Place, Row, fields_of, from_json_text, reader
from critique_coder.data.sources.pairs import Unusable, method_of, paired_tests, starter_program
from critique_coder.records import Problem


def problems_of(rows: Iterable[Row], lose: Lose) -> Iterator[Problem]:
    """The problems of the configuration's records; raises BadInput."""
    for row in rows:
        fields = fields_of(row)
        problem_id = f"rstar-coder/{fields.text('question_id', empty=False)}"
        stub = fields.text("starter_code", default="")
        name, owner = fields.text_or_none("func_name"), fields.text_or_none("class_name")
        entry_point = (f"{owner}.{name}" if owner else method_of(stub, name)) if name else None
        inputs, outputs = (from_json_text(row.value.get(key), row.where, key) for key in ("inputs", "outputs"))
        try:
            tests = paired_tests(inputs, outputs, entry_point, row.where, "inputs")
        except Unusable as error:
            lose(problem_id, str(error))
            continue
        yield Problem(
            id=problem_id,
            statement=fields.text("question", empty=False),
            tests=tests,
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


PLACE = Place("rStar-Coder", hub="microsoft/rStar-Coder", patterns=("seed_testcase/*.parquet",), folder="rstar_coder")
read = reader(PLACE, problems_of)
