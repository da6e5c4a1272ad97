"""Files in and out: JSON Lines and Parquet, atomic writes, logs that survive a kill, build and run folders."""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

from critique_coder.records import BadInput, Json, Problem, Solution

T = TypeVar("T")


def read_rows(path: str | Path) -> Iterator[tuple[str, Json]]:
    """Yield (where, object) for each row of a ``.jsonl``, ``.jsonl.gz`` or ``.parquet`` file; raises BadInput.

    ``where`` names file and line (or row) for complaints.
    """
    path = Path(path)
    if not path.exists():
        raise BadInput(f"{path}: no such file")
    if path.is_dir():
        raise BadInput(f"{path}: is a folder; give a .jsonl, .jsonl.gz or .parquet file")
    if path.suffix == ".parquet":
        yield from _read_parquet(path)
        return
    try:
        with _open_text(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"{path}, line {number}", _parse_line(line, f"{path}, line {number}")
    except UnicodeDecodeError:
        raise BadInput(
            f"{path}: is not UTF-8 text; convert it, or give the file's real ending (.gz, .parquet)"
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadInput(f"{path}: the compressed file is damaged or cut short ({error})") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from None


def _open_text(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return open(path, encoding="utf-8-sig")


def _parse_line(line: str, where: str) -> Json:
    try:
        return json.loads(
            line,
            parse_constant=lambda name: _refuse_constant(name, where),
            object_pairs_hook=lambda pairs: _object(pairs, where),
        )
    except json.JSONDecodeError as error:
        cut = "; the line seems cut off" if not line.endswith("\n") else ""
        raise BadInput(f"{where}: not valid JSON at column {error.colno}: {error.msg}{cut}") from None
    except RecursionError:
        raise BadInput(f"{where}: nested too deeply") from None
    except ValueError as error:
        raise BadInput(f"{where}: not readable as JSON: {str(error).split(';')[0]}") from None


def _object(pairs: list[tuple[str, Json]], where: str) -> dict[str, Json]:
    """An object whose keys all differ: of two, ``json`` would drop the first without a word."""
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"{where}, key {twice!r}: stands twice in one object; remove one of them")
    return value


def _refuse_constant(name: str, where: str) -> Json:
    tagged = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}[name]
    raise BadInput(f'{where}: {name} is not JSON; write {{"$float": "{tagged}"}} in its place')


def _read_parquet(path: Path) -> Iterator[tuple[str, Json]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path)
        row = 0
        for batch in table.iter_batches(batch_size=256):
            for value in batch.to_pylist():
                row += 1
                yield f"{path}, row {row}", value
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{path}: not a readable Parquet file: {str(error).splitlines()[0]}") from None


def read_all(path: str | Path, parse: Callable[[Json, str], T], key: Callable[[T], str]) -> list[T]:
    """All records of a file; refuses an empty file and two records with the same ``key``. Raises BadInput."""
    records: list[T] = []
    seen: dict[str, str] = {}
    for where, row in read_rows(path):
        record = parse(row, where)
        name = key(record)
        if name in seen:
            raise BadInput(f"{where}, key 'id': {name!r} stands already at {seen[name]}; ids must be unique")
        seen[name] = where
        records.append(record)
    if not records:
        raise BadInput(f"{path}: is empty; expected at least one JSON object, one a line")
    return records


def read_problems(path: str | Path) -> list[Problem]:
    """The problems of a file in the contract's format; raises BadInput."""
    return read_all(path, Problem.from_json, lambda problem: problem.id)


def read_solutions(path: str | Path, extract: Callable[[str], str | None]) -> list[Solution]:
    """The solutions of a file in the contract's format; ``extract`` gets code out of completions. Raises BadInput."""
    return read_all(path, lambda row, where: Solution.from_json(row, where, extract), lambda solution: solution.id)


def dumps(row: Json) -> str:
    """One line of JSON, the same bytes for the same value."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False)


def cannot_write(path: str | Path, error: OSError) -> str:
    """One line that says why nothing can be written at ``path``, and the remedy."""
    path = Path(path)
    there = next((place for place in (path, *path.parents) if _is_there(place)), path)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path}: cannot be written; give yourself the right to write to {there}, or choose another place"
    if path.is_dir():
        return f"{path}: cannot be written: it is a folder; name a file"
    if there.is_file():
        which = "it" if there == path else str(there)
        return f"{path}: cannot be written: {which} is a file, not a folder; choose another place"
    return f"{path}: cannot be written: {error.strerror or error}; choose another place"


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # below a folder that may not be looked into
        return False


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Write to the yielded temporary path; it takes the place of ``path`` only when the block ends well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _named(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with open(temporary, "rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """An error of the file system names ``path``: a full disk names none, and nobody knows a temporary one."""
    try:
        yield
    except OSError as error:
        if error.filename is None or Path(str(error.filename)).name.startswith(f".{path.name}."):
            error.filename = str(path)
        raise


def drop_unfinished(folder: str | Path) -> None:
    """Remove what ``atomic_write`` was writing below ``folder`` when it was killed; for one that nobody writes to."""
    for file in Path(folder).rglob(".*.????????"):
        if _UNFINISHED.fullmatch(file.name):
            file.unlink(missing_ok=True)


_UNFINISHED = re.compile(r"\..+\.(json|jsonl|md|parquet|toml)\.[a-z0-9_]{8}")


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Json) -> None:
    """Write an indented JSON file atomically."""
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file; raises BadInput."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except RecursionError:
        raise BadInput(f"{path}: nested too deeply") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        what = "is empty; expected JSON" if Path(path).stat().st_size == 0 else f"not a readable JSON file: {error}"
        raise BadInput(f"{path}: {what}") from None


def write_jsonl(path: str | Path, rows: Iterable[Json]) -> None:
    """Write a JSON Lines file atomically."""
    with atomic_write(path) as temporary, open(temporary, "w", encoding="utf-8") as out:
        out.writelines(dumps(row) + "\n" for row in rows)


_ROW_GROUP = 2048
"""Rows that are held before they go to a Parquet file."""


def write_parquet(path: str | Path, rows: Iterable[dict[str, Json]], schema: Any) -> None:
    """Write rows as Parquet atomically, with a pyarrow ``schema``; only a group of rows is held at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with atomic_write(path) as temporary, pq.ParquetWriter(temporary, schema) as out:
        groups = iter(rows)
        group = list(islice(groups, _ROW_GROUP))
        while True:
            out.write_table(pa.Table.from_pylist(group, schema=schema))
            group = list(islice(groups, _ROW_GROUP))
            if not group:
                return


def _hold(file: IO[Any], path: Path) -> None:
    """Keep other processes from ``path`` while ``file`` is open; raises BadInput while another has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BadInput(
            f"{path}: another process is writing to it; wait for that one, or choose another output"
        ) from None
    except OSError:  # a file system without locks
        pass


_TAIL = 1 << 16
"""Bytes read at a time in search of the last whole line."""


class AppendLog:
    """A JSON Lines file that grows one object at a time and can be taken up again after a kill.

    On opening, a last line that a kill cut short is dropped. ``done`` holds what was already there; with ``keep``
    False it stays empty, and ``rows`` reads what is there one by one. Raises BadInput while another process has the
    file open for the same purpose.
    """

    def __init__(self, path: str | Path, keep: bool = True) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 - closed by close()
        try:
            _hold(self._file, self.path)
            self._drop_half_line()
            self.done: list[Json] = [row for _, row in self.rows()] if keep else []
        except BaseException:
            self._file.close()
            raise

    def _drop_half_line(self) -> None:
        with open(self.path, "r+b") as file:
            size = end = file.seek(0, os.SEEK_END)
            while end > 0:
                begin = max(0, end - _TAIL)
                file.seek(begin)
                newline = file.read(end - begin).rfind(b"\n")
                if newline >= 0:
                    end = begin + newline + 1
                    break
                end = begin
            if end != size:
                file.truncate(end)

    def rows(self) -> Iterator[tuple[str, Json]]:
        """Yield (where, object) for each object that is there; raises BadInput."""
        with open(self.path, encoding="utf-8", errors="replace", newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"{self.path}, line {number}", _parse_line(line, f"{self.path}, line {number}")

    def append(self, row: Json) -> None:
        """Add one object; it is on its way to the disk when this returns."""
        with _named(self.path):
            self._file.write(dumps(row) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Flush to the disk and close."""
        with _named(self.path):
            try:
                self._file.flush()
                os.fsync(self._file.fileno())
            finally:
                self._file.close()

    def __enter__(self) -> AppendLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def count_lines(path: str | Path) -> int:
    """How many lines a file has."""
    with open(path, "rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def sha256_file(path: str | Path) -> str:
    """The sha256 of a file, as hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_fraction(*parts: object) -> float:
    """A number in [0, 1) that depends on ``parts`` alone: the way all random choices over data are made."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


class SettingsChanged(BadInput):
    """A folder holds work that was begun with other settings."""


def claim_folder(folder: str | Path, settings: dict[str, Json]) -> None:
    """Make ``folder`` for work with these settings, or go on in it when it was begun with the same ones.

    The settings lie in ``settings.json``. Raises SettingsChanged naming the keys that differ, and BadInput when the
    folder holds other things or cannot be made.
    """
    folder = Path(folder)
    mark = folder / "settings.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        occupied = any(not entry.name.startswith(".") for entry in folder.iterdir())
    except OSError as error:
        raise BadInput(cannot_write(folder, error)) from None
    if mark.exists():
        differing = sorted(differences(read_json(mark), json.loads(dumps(settings))))
        if differing:
            raise SettingsChanged(
                f"{folder}: was begun with other settings ({', '.join(differing)}); "
                "use the same ones to go on, or another --output"
            )
    elif occupied:
        raise BadInput(f"{folder}: exists and was not made by this command; choose another --output")
    else:
        write_json(mark, settings)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Go on in a claimed ``folder`` in which no other process works, without what a killed one was writing.

    Raises BadInput while another process works in it.
    """
    with open(folder / "settings.json", "r+b") as mark:
        _hold(mark, folder)
        drop_unfinished(folder)
        yield


def differences(old: Json, new: Json, prefix: str = "") -> Iterator[str]:
    """The dotted keys under which two JSON objects hold other values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            yield from differences(old.get(key), new.get(key), f"{prefix}.{key}" if prefix else str(key))
    elif old != new:
        yield prefix


def require_space(folder: str | Path, megabytes: float) -> None:
    """Refuse to begin when the disk has less than ``megabytes`` free; raises BadInput."""
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e6
    if free < megabytes:
        raise BadInput(
            f"{folder}: the disk has {free:.0f} MB free and about {megabytes:.0f} MB are needed; make room first"
        )
