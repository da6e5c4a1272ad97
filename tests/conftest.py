"""The order in which files of tests begin: the longest first, so that no worker is left with one when the rest is done.

``make test`` gives whole files to its workers, in this order.
"""

from __future__ import annotations

import pytest

LONGEST = ("models/test_ray_model.py", "judge/test_ray_judge.py", "training/test_run.py", "judge/test_adversarial.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stable, so that tests of a file stay in their order."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONGEST))
