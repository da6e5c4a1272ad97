"""Clearing a scratch folder that was made to be hard to clear."""

from __future__ import annotations

import os
from pathlib import Path

from critique_coder.judge.inside.scratch import empty_folder


def test_clears_depth_width_links_and_locked_folders(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    scratch = tmp_path / "scratch"
    (scratch / "locked" / "inner").mkdir(parents=True)
    (scratch / "locked" / "inner" / "file").touch()
    (scratch / "locked").chmod(0)
    (scratch / "link").symlink_to(outside)
    for number in range(300):
        (scratch / f"wide{number}").mkdir()
    os.mkfifo(scratch / "pipe")
    deepest = os.open(scratch, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d" * 20, dir_fd=deepest)
        inner = os.open("d" * 20, os.O_RDONLY, dir_fd=deepest)
        os.close(deepest)
        deepest = inner
    os.close(deepest)
    assert empty_folder(str(scratch))
    assert list(scratch.iterdir()) == [] and (outside / "kept").exists()


def test_says_when_it_cannot(tmp_path: Path) -> None:
    assert not empty_folder(str(tmp_path / "missing"))
