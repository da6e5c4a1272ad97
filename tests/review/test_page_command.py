"""``critique-coder review FOLDER``: what it prints, and what it says in one line when it cannot serve."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from critique_coder.cli import main
from critique_coder.review.store import FILE, MIGRATIONS, ReviewStore
from making import as_nobody
from review_page import Person, Reviewing, Served, a_folder, a_run, entries

Refusal = Callable[..., str]
RUN = [sys.executable, "-c", "from critique_coder.cli import main; main()", "review"]


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refusal:
    """The one line with which ``critique-coder review`` ends, with exit code 2."""

    def go(*words: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", ["critique-coder", "review", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        told = capsys.readouterr()
        assert left.value.code == 2 and told.out == ""
        assert told.err.startswith("critique-coder: ") and told.err.count("\n") == 1, told.err
        return told.err

    return go


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return a_folder(tmp_path / "build", entries(2))


def test_it_prints_a_link_that_stays_valid_and_others_that_do_not(build: Path) -> None:
    with Served(build, "--person", "ann", "--person", "ben") as first:
        links = first.links
        assert list(links) == ["ann", "ben"]
        with Person(links["ben"]) as ben:
            ben.judge(ben.part(), "yes", "k")
    with Served(build, "--person", "ann", port=first.port) as second:
        assert second.links["ann"] == links["ann"]
        assert httpx.get(links["ben"]).status_code == 403, "ben is not among the people any more"
    with Served(build, "--person", "ann", "--new-links") as third:
        assert third.links["ann"].split("/enter/")[1] != links["ann"].split("/enter/")[1]
        old = third.links["ann"].split("/enter/")[0] + "/enter/" + links["ann"].split("/enter/")[1]
        assert httpx.get(old).status_code == 403


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_asked_to(build: Path, how: signal.Signals) -> None:
    served = Served(build)
    with Person(next(iter(served.links.values()))) as person:
        person.judge(person.part(), "yes", "k")
    served.process.send_signal(how)
    assert served.process.wait(20) in (0, 130, -how), served.process.returncode
    served.kill()
    with ReviewStore(build / FILE) as store:
        assert len(store.standing()) == 1


def test_a_build_that_is_gone(refusal: Refusal, tmp_path: Path, build: Path) -> None:
    assert "make one with `critique-coder build`" in refusal(tmp_path / "gone")
    assert "make one with `critique-coder build`" in refusal(tmp_path)
    run = a_run(tmp_path / "run", build, {})
    shutil.rmtree(build)
    assert f"{build}: is not a build folder" in refusal(run)
    assert not (run / FILE).exists(), "nothing half-made stays"


@pytest.mark.parametrize("name", ["problems.jsonl", "verdicts.jsonl", "critiques.jsonl"])
def test_a_build_of_which_a_part_is_missing_or_broken(refusal: Refusal, build: Path, name: str) -> None:
    whole = (build / name).read_bytes()
    (build / name).write_bytes(whole + b'{"half": ')
    assert name in refusal(build)
    (build / name).unlink()
    assert name in refusal(build)


@pytest.mark.parametrize("text", ["[]", "{}", '{"settings": 3}', '{"settings'])
def test_a_damaged_manifest_is_named(refusal: Refusal, build: Path, text: str) -> None:
    (build / "manifest.json").write_text(text)
    assert "manifest.json" in refusal(build)


def test_a_store_that_cannot_be_used(refusal: Refusal, build: Path) -> None:
    path = build / FILE
    path.write_text("not a database " * 100)
    assert "is not a review store; move it away" in refusal(build)
    path.unlink()
    ReviewStore(path).close()
    with sqlite3.connect(path) as base:
        base.execute("PRAGMA user_version = 99")
    assert f"has schema 99, this version knows up to {len(MIGRATIONS)}; update critique-coder" in refusal(build)
    with sqlite3.connect(path) as base:
        base.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        base.execute("BEGIN IMMEDIATE")
        assert "another process holds the database locked; end it" in refusal(build)
    base.close()


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A build that this process may read but not write, also when it runs as root."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    build = a_folder(place / "build", entries(2))
    ReviewStore(build / FILE).close()
    for path in (*build.iterdir(), build):
        path.chmod(path.stat().st_mode & 0o555)
    with as_nobody():
        yield build
    build.chmod(0o755)
    shutil.rmtree(place)


def test_a_store_that_may_not_be_written(refusal: Refusal, read_only: Path) -> None:
    assert "cannot be written; give yourself the right" in refusal(read_only)


def test_a_full_disk(tmp_path: Path, build: Path) -> None:
    """A disk of its own, as only this process's namespace has it, on which no byte is left."""
    script = (
        f"mount -t tmpfs -o size=256k none {tmp_path} && cp -r /proc/self/cwd/. {tmp_path}/build"
        f' && (cat /dev/zero > {tmp_path}/filler 2>/dev/null; exec "$@" {tmp_path}/build --port 0)'
    )
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", *RUN]
    ran = subprocess.run(words, cwd=build, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1, ran
    assert "no space left on the disk; make room" in ran.stderr


def test_a_disk_that_fills_up_meanwhile_is_told_and_the_verdict_counts_later(build: Path) -> None:
    with Reviewing(build) as reviewing, Person(reviewing.link()) as ann:
        part = ann.part()
        pages = reviewing.store._base.execute("PRAGMA page_count").fetchone()[0]
        reviewing.store._base.execute(f"PRAGMA max_page_count = {pages}")
        refused = ann.judge(part, "yes", "k", note="x" * 9_000)
        assert refused.status_code == 503 and "no space left on the disk; make room" in refused.json()["error"]
        reviewing.store._base.execute("PRAGMA max_page_count = 100000")
        assert ann.judge(part, "yes", "k", note="x" * 9_000).json()["new"]
        assert len(reviewing.store.standing()) == 1


def test_a_port_in_use(refusal: Refusal, build: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"--port {port}: Address already in use; choose another" in refusal(build, "--port", port)
    assert "choose another" in refusal(build, "--host", "203.0.113.7", "--person", "ann")


def test_others_reach_the_page_only_by_name(refusal: Refusal, build: Path) -> None:
    assert "name the reviewers with --person" in refusal(build, "--host", "0.0.0.0")
    assert "printable" in refusal(build, "--person", "a\x1b[31mnn")
    assert "--persn" in refusal(build, "--persn", "ann")


def test_an_address_that_others_reach_has_a_link_for_each(build: Path) -> None:
    with Served(build, "--host", "0.0.0.0", "--person", "ann", "--person", "Bénédicte O'Hara") as served:
        link = served.links["Bénédicte O'Hara"].replace(socket.gethostname(), "127.0.0.1")
        with Person(link) as person:
            assert "Bénédicte O&#39;Hara" in person.get("/").text
        public = Served(build, "--public-url", "https://review.example.org/", "--person", "ann")
        with public:
            assert json.dumps(public.links).count("https://review.example.org/enter/") == 1
