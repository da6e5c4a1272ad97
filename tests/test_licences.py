"""Every package that the locks pin says under which licence it is, and none of them is under a GPL."""

from __future__ import annotations

import os
import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
GPL = re.compile(r"\b[AL]?GPL|GNU\b", re.IGNORECASE)
"""Any of them, the Affero and the Lesser one too: whoever ships the product should have nothing to ask a lawyer."""


def pinned() -> list[str]:
    lines = [line for lock in LOCKS for line in (ROOT / lock).read_text(encoding="utf-8").splitlines()]
    found = {match.group(1) for line in lines if (match := re.match(r"([\w.-]+)(?:\[[^\]]*\])?==", line))}
    assert len(found) > 50, "the locks are read"
    return sorted(found)


def said(name: str) -> list[str]:
    """What a package's metadata says of its licence; of a long text only the beginning, where the name stands."""
    told = metadata(name)
    classes = [line for line in told.get_all("Classifier") or () if line.startswith("License ::")]
    one = [text[:200] for key in ("License-Expression", "License") for text in told.get_all(key) or ()]
    return [text for text in (*one, *classes) if text]


@pytest.mark.parametrize("name", pinned())
def test_a_pinned_package_is_under_no_gpl(name: str) -> None:
    try:
        licence = said(name)
    except PackageNotFoundError:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{name} is not installed")
    assert licence, f"{name} does not say under which licence it is; look it up, and take another where it is a GPL"
    assert not any(GPL.search(text) for text in licence), f"{name}: {licence}"


@pytest.mark.parametrize("text", ["GPL-3.0-or-later", "LGPLv3", "License :: OSI Approved :: GNU Affero", "AGPL-3.0"])
def test_a_gpl_would_be_seen(text: str) -> None:
    assert GPL.search(text) and not GPL.search("MIT AND BSD-3-Clause")
