"""Empties the scratch folder of a test, however hostile what lies in it. Used in both rooms, after the test is dead."""

# ruff: noqa: PTH208 - descriptors and raw paths are the matter here

from __future__ import annotations

import os
import stat

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def empty_folder(folder: str) -> bool:
    """Remove everything below ``folder``; False when something would not go. Links are removed, not followed.

    It walks step by step with one descriptor, so that neither depth nor the length of paths matters.
    """
    try:
        here = os.open(folder, _OPEN)
    except OSError:
        return False
    walk = _Walk(here)
    try:
        walk.run()
    except OSError:
        return False
    finally:
        os.close(walk.here)
    return True


class _Walk:
    """``here``: where the walk stands. ``_trail``: how it came there. ``_waiting``: folders to see, at each step."""

    def __init__(self, here: int) -> None:
        self.here = here
        self._trail: list[str] = []
        self._waiting = [self._clear_files()]

    def run(self) -> None:
        while True:
            if self._waiting[-1]:
                self._descend(self._waiting[-1].pop())
            elif self._trail:
                self._ascend()
            else:
                return

    def _clear_files(self) -> list[str]:
        """Remove all but folders; the names of the folders."""
        names = os.listdir(self.here)
        folders = [name for name in names if stat.S_ISDIR(os.lstat(name, dir_fd=self.here).st_mode)]
        for name in set(names).difference(folders):
            os.unlink(name, dir_fd=self.here)
        return folders

    def _descend(self, name: str) -> None:
        try:
            inner = os.open(name, _OPEN, dir_fd=self.here)
        except PermissionError:
            os.chmod(name, 0o700, dir_fd=self.here)
            inner = os.open(name, _OPEN, dir_fd=self.here)
        os.close(self.here)
        self.here = inner
        if os.fstat(inner).st_mode & 0o700 != 0o700:
            os.fchmod(inner, 0o700)
        self._trail.append(name)
        self._waiting.append(self._clear_files())

    def _ascend(self) -> None:
        outer = os.open("..", _OPEN, dir_fd=self.here)
        os.close(self.here)
        self.here = outer
        self._waiting.pop()
        os.rmdir(self._trail.pop(), dir_fd=outer)
