"""Files in and out: the same records from every format, damage told in one line, and nothing lost to a kill."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from critique_coder.prompts import extract_code
from critique_coder.storage import (
    AppendLog,
    SettingsChanged,
    atomic_write,
    claim_folder,
    hash_fraction,
    read_all,
    read_json,
    read_problems,
    read_rows,
    read_solutions,
    require_space,
    sha256_file,
    write_json,
    write_jsonl,
    write_parquet,
)
from making import a_problem, complaint

ROWS = [{"id": f"s{n}", "problem_id": "p", "code": f"x = {n}\n# äöü ✓\n"} for n in range(5)]


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read(path: Path) -> list[Any]:
    return [row for _, row in read_rows(path)]


def save(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_jsonl_gz_and_parquet_give_the_same_solutions(tmp_path: Path) -> None:
    plain = save(tmp_path / "s.jsonl", lines(ROWS))
    packed = tmp_path / "s.jsonl.gz"
    packed.write_bytes(gzip.compress(lines(ROWS).encode()))
    table = tmp_path / "s.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), table)
    first = read_solutions(plain, extract_code)
    assert [solution.to_json() for solution in first] == ROWS
    assert read_solutions(packed, extract_code) == first
    assert read_solutions(table, extract_code) == first


def test_problems_with_one_kind_of_test_come_back_from_parquet(tmp_path: Path) -> None:
    rows = [
        {"id": f"p{n}", "statement": "Say.", "tests": [{"kind": "stdio", "stdin": "", "stdout": "1\n"}]}
        for n in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    write_jsonl(tmp_path / "p.jsonl", rows)
    assert read_problems(tmp_path / "p.parquet") == read_problems(tmp_path / "p.jsonl")


def test_blank_lines_are_passed_over_and_lines_keep_their_number(tmp_path: Path) -> None:
    path = save(tmp_path / "s.jsonl", "\n" + json.dumps(ROWS[0]) + "\n  \n" + json.dumps(ROWS[1]) + "\n")
    assert [where.rpartition(" ")[2] for where, _ in read_rows(path)] == ["2", "4"]


def test_a_byte_order_mark_at_the_beginning_is_passed_over(tmp_path: Path) -> None:
    path = save(tmp_path / "s.jsonl", "\ufeff" + json.dumps(ROWS[0]) + "\n")
    assert [row for _, row in read_rows(path)] == [ROWS[0]]


def test_a_key_that_stands_twice_in_one_object_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "s.jsonl", json.dumps(ROWS[0]) + '\n{"id": "a", "metadata": {"x": 1, "x": 2}}\n')
    message = complaint(read, path)
    assert "line 2" in message and "'x'" in message and "twice" in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "no such file" in complaint(read, tmp_path / "nothing.jsonl")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    assert "is a folder" in complaint(read, tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    for text in ("", "\n \n"):
        assert "is empty" in complaint(read_problems, save(tmp_path / "p.jsonl", text))


def test_a_cut_last_line_is_named_and_said_to_be_cut(tmp_path: Path) -> None:
    message = complaint(read, save(tmp_path / "s.jsonl", lines(ROWS)[:-20]))
    assert "line 5" in message and "cut off" in message


def test_a_bad_line_in_the_middle_is_named(tmp_path: Path) -> None:
    message = complaint(
        read, save(tmp_path / "s.jsonl", json.dumps(ROWS[0]) + "\n{'a': 1}\n" + json.dumps(ROWS[1]) + "\n")
    )
    assert "line 2" in message and "cut off" not in message


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_gz_file_is_refused(tmp_path: Path, keep: float) -> None:
    data = gzip.compress(lines(ROWS * 50).encode())
    path = tmp_path / "s.jsonl.gz"
    path.write_bytes(data[: int(len(data) * keep)])
    assert "cut short" in complaint(read, path)


def test_text_under_the_name_gz_is_refused(tmp_path: Path) -> None:
    assert "compressed" in complaint(read, save(tmp_path / "s.jsonl.gz", lines(ROWS)))


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes('{"id": "ä"}\n'.encode("latin-1"))
    assert "UTF-8" in complaint(read, path)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    assert "Parquet" in complaint(read, save(tmp_path / "s.parquet", "hello"))


def test_a_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    path.write_bytes(path.read_bytes()[:-30])
    assert "Parquet" in complaint(read, path)


def test_two_records_with_one_id_are_refused_naming_both_places(tmp_path: Path) -> None:
    message = complaint(read_solutions, save(tmp_path / "s.jsonl", lines([ROWS[0], ROWS[1], ROWS[0]])), extract_code)
    assert "line 3" in message and "line 1" in message and "'s0'" in message


def test_deeply_nested_json_is_refused_not_a_crash(tmp_path: Path) -> None:
    assert "nested" in complaint(read, save(tmp_path / "s.jsonl", "[" * 200_000 + "]" * 200_000 + "\n"))


def test_read_all_keeps_the_order_and_the_key_decides(tmp_path: Path) -> None:
    path = save(tmp_path / "s.jsonl", lines(ROWS[::-1]))
    assert read_all(path, lambda row, where: str(row["id"]), lambda name: name) == ["s4", "s3", "s2", "s1", "s0"]


@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers() | st.none(), max_size=3), max_size=5
    )
)
def test_what_is_written_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "f.jsonl"
    write_jsonl(path, rows)
    assert read(path) == rows


def test_atomic_write_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    path = save(tmp_path / "f.txt", "old")

    def broken() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        broken()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["f.txt"]


def test_a_row_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = save(tmp_path / "f.jsonl", "{}\n")
    with pytest.raises(ValueError, match="JSON"):
        write_jsonl(path, [{"a": 1}, {"a": float("nan")}])
    assert path.read_text() == "{}\n"


def test_atomic_write_makes_the_folder_and_a_readable_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a" / "b" / "f.json", {"x": "ä"})
    assert read_json(tmp_path / "a" / "b" / "f.json") == {"x": "ä"}
    assert (tmp_path / "a" / "b" / "f.json").stat().st_mode & 0o444 == 0o444


def test_the_same_parquet_rows_give_the_same_bytes(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.string()), ("n", pa.int64())])
    for name in ("a", "b"):
        write_parquet(tmp_path / name, [{"id": "x", "n": 1}, {"id": "y", "n": None}], schema)
    assert sha256_file(tmp_path / "a") == sha256_file(tmp_path / "b")


def test_a_bad_json_file_is_refused(tmp_path: Path) -> None:
    assert "not a readable JSON" in complaint(read_json, save(tmp_path / "f.json", "{"))
    assert "no such file" in complaint(read_json, tmp_path / "g.json")


def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "log.jsonl"
    with AppendLog(path) as log:
        assert log.done == []
        log.append({"n": 1, "text": "line\nbreak ä"})
    with AppendLog(path) as log:
        assert log.done == [{"n": 1, "text": "line\nbreak ä"}]
        log.append({"n": 2})
    assert [row["n"] for row in read(path)] == [1, 2]


def test_a_log_has_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with AppendLog(path) as log:
        log.append({"n": 1})
        assert "another process is writing to it" in complaint(AppendLog, path)
        log.append({"n": 2})
    with AppendLog(path) as log:
        assert log.done == [{"n": 1}, {"n": 2}]


def test_what_a_log_was_given_is_in_the_file_before_it_is_closed(tmp_path: Path) -> None:
    with AppendLog(tmp_path / "log.jsonl") as log:
        log.append({"n": 1})
        assert read(tmp_path / "log.jsonl") == [{"n": 1}]


@given(st.integers(0, 200))
def test_a_log_cut_anywhere_keeps_its_whole_lines_and_grows_on(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    rows = [{"n": n, "text": "ä✓ " * 3} for n in range(4)]
    whole = lines(rows).encode()
    kept = whole[: min(cut, len(whole))]
    path.write_bytes(kept)
    with AppendLog(path) as log:
        assert log.done == rows[: kept.count(b"\n")]
        log.append({"n": "new"})
    assert read(path) == [*rows[: kept.count(b"\n")], {"n": "new"}]


def test_a_log_with_a_broken_line_in_the_middle_is_refused(tmp_path: Path) -> None:
    message = complaint(AppendLog, save(tmp_path / "log.jsonl", '{"n": 1}\n{"n"\n{"n": 3}\n'))
    assert "line 2" in message


SETTINGS = {"recipe": {"mix": {"critique_share": 0.2, "seed": 1}, "source": [{"name": "starter"}]}, "data": "abc"}


def test_a_folder_is_claimed_once_and_then_gone_on_in(tmp_path: Path) -> None:
    claim_folder(tmp_path / "run", SETTINGS)
    claim_folder(tmp_path / "run", json.loads(json.dumps(SETTINGS)))
    assert read_json(tmp_path / "run" / "settings.json") == SETTINGS


def test_changed_settings_are_refused_naming_the_dotted_keys(tmp_path: Path) -> None:
    claim_folder(tmp_path, SETTINGS)
    changed = json.loads(json.dumps(SETTINGS))
    changed["recipe"]["mix"]["critique_share"] = 0.5
    changed["data"] = "xyz"
    with pytest.raises(SettingsChanged) as caught:
        claim_folder(tmp_path, changed)
    message = str(caught.value)
    assert "recipe.mix.critique_share" in message and "data" in message
    assert "seed" not in message and "source" not in message and "\n" not in message
    assert read_json(tmp_path / "settings.json") == SETTINGS


def test_a_key_that_came_or_went_is_a_change(tmp_path: Path) -> None:
    claim_folder(tmp_path, {"a": {"b": 1}})
    assert "a.c" in complaint(claim_folder, tmp_path, {"a": {"b": 1, "c": 2}})
    assert "a.b" in complaint(claim_folder, tmp_path, {"a": {}})


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    save(tmp_path / "thesis.txt", "mine")
    assert "choose another" in complaint(claim_folder, tmp_path, SETTINGS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_cannot_be_claimed_as_folder(tmp_path: Path) -> None:
    path = save(tmp_path / "file", "")
    assert "it is a file, not a folder; choose another place" in complaint(claim_folder, path, SETTINGS)
    assert f"{path} is a file, not a folder" in complaint(claim_folder, path / "below", SETTINGS)


@given(st.lists(st.text(max_size=8) | st.integers(), max_size=4))
def test_a_hash_fraction_lies_in_its_range_and_does_not_change(parts: list[str | int]) -> None:
    value = hash_fraction(*parts)
    assert 0 <= value < 1 and hash_fraction(*parts) == value


def test_a_hash_fraction_is_the_same_on_every_machine() -> None:
    assert hash_fraction("split", "family") == pytest.approx(0.0655392802202878, abs=1e-15)


def test_hash_fractions_are_spread_evenly_and_seeds_do_not_agree() -> None:
    values = [hash_fraction(0, "mix", f"p{n}") for n in range(10_000)]
    tenths = [sum(k / 10 <= value < (k + 1) / 10 for value in values) for k in range(10)]
    assert all(850 < count < 1150 for count in tenths)
    others = [hash_fraction(1, "mix", f"p{n}") for n in range(10_000)]
    both = sum(a < 0.5 and b < 0.5 for a, b in zip(values, others, strict=True))
    assert 2300 < both < 2700


def test_the_parts_of_a_hash_do_not_run_together() -> None:
    assert hash_fraction("ab", "c") != hash_fraction("a", "bc")


def test_a_full_disk_is_refused_before_work_begins(tmp_path: Path) -> None:
    require_space(tmp_path / "not" / "there" / "yet", 0.001)
    assert "free" in complaint(require_space, tmp_path, 1e12)


def test_problems_written_by_us_are_read_by_us(tmp_path: Path) -> None:
    problems = [a_problem(f"p{n}") for n in range(3)]
    write_jsonl(tmp_path / "p.jsonl", (problem.to_json() for problem in problems))
    assert read_problems(tmp_path / "p.jsonl") == problems
