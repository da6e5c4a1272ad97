"""Records by id: the same whether the key stands first, later, or holds what JSON escapes."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from critique_coder.data.index import GroupIndex, RecordIndex
from critique_coder.storage import write_jsonl


@given(names=st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True), first=st.booleans())
def test_every_record_is_found_under_its_key(tmp_path_factory: object, names: list[str], first: bool) -> None:
    path = tmp_path_factory.mktemp("index") / "rows.jsonl"  # type: ignore[attr-defined]
    rows = [{"id": name, "n": n} if first else {"n": n, "id": name} for n, name in enumerate(names)]
    write_jsonl(path, rows)
    index: RecordIndex[object] = RecordIndex(path, lambda row, where: row)
    assert list(index) == names and [index[name] for name in names] == rows


def test_lines_of_another_make_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({"id": "ü"}), '{ "id":"ü"}', '{"id": "a", "problem_id": "x"}']
    path.write_text("\n".join(lines[:1] + lines[2:]) + "\n")
    assert list(RecordIndex(path, lambda row, where: row)) == ["ü", "a"]
    path.write_text("\n".join(['{"problem_id": "x", "k": 1}', '{"k": 2, "problem_id": "x"}']) + "\n")
    assert [row["k"] for row in GroupIndex(path, lambda row, where: row)["x"]] == [1, 2]
