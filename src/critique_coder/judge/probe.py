"""How well can this machine confine programs? Found out by trying to get out."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .attacks import ATTACKS, Attack
from .inside import landlock, seccomp
from .isolation import REMEDIES, Isolation, IsolationError
from .limits import Limits
from .packages import NO_PACKAGES, Packages
from .worker import Job, Worker, WorkerLost

_LIMITS = Limits(time_s=2, memory_mb=256, output_mb=1)
_proven: set[Isolation] = set()


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. ``remedy`` is None where there is nothing to mend."""

    name: str
    ok: bool
    detail: str
    remedy: str | None = None


def probe() -> list[Finding]:
    """Which isolation level is reached, with the result of each attack under it. Takes about a second."""
    findings: list[Finding] = []
    for level in (Isolation.FULL, Isolation.LIGHT):
        try:
            worker = open_worker(level)
        except (IsolationError, WorkerLost) as error:
            findings.append(Finding(f"isolation {level.value}", False, str(error), REMEDIES[level]))
            continue
        worker.close()
        findings.append(Finding(f"isolation {level.value}", True, "reached"))
        break
    else:
        level = Isolation.PROCESS
        findings.append(
            Finding("isolation", False, "only 'process' is left, which protects nothing", REMEDIES[Isolation.LIGHT])
        )
    version = landlock.version()
    findings.append(Finding("Landlock", version > 0, f"version {version}" if version else "not in this kernel",
                            None if version else REMEDIES[Isolation.LIGHT]))  # fmt: skip
    known = seccomp.supported()
    findings.append(
        Finding("system-call filter", known, f"{'known' if known else 'unknown'} machine {os.uname().machine}")
    )
    return findings + try_attacks(level)


def open_worker(level: Isolation, packages: Packages = NO_PACKAGES) -> Worker:
    """A worker at ``level`` that has withstood the attacks once in this process; raises IsolationError, WorkerLost."""
    if level is not Isolation.PROCESS and level not in _proven:
        failed = [finding for finding in try_attacks(level) if not finding.ok]
        if failed:
            listed = "; ".join(f"{finding.name}: {finding.detail}" for finding in failed)
            raise IsolationError(f"isolation {level.value!r} does not hold here: {listed}")
        _proven.add(level)
    return Worker(level, packages=packages)


def try_attacks(level: Isolation) -> list[Finding]:
    """Run every attack under ``level``; raises IsolationError or WorkerLost when no program can be run at all."""
    with tempfile.TemporaryDirectory(prefix="critique-coder-probe-") as folder:
        worker = Worker(level)
        try:
            findings = []
            for attack in ATTACKS:
                if not worker.usable:
                    worker.close()
                    worker = Worker(level)
                findings.append(_try(attack, worker, Path(folder)))
            return findings
        finally:
            worker.close()


def _try(attack: Attack, worker: Worker, folder: Path) -> Finding:
    secret = folder / "secret.txt"
    secret.write_text(secrets.token_hex(8))
    marker = f"cc{secrets.token_hex(5)}"
    goal = json.dumps({"secret": str(secret), "outside": str(folder), "marker": marker})
    try:
        ending = worker.run(Job("program", (attack.code,), stdin=goal + "\n"), _LIMITS)
    except WorkerLost as error:
        return Finding(attack.name, False, f"the judge's own process died ({error})", attack.remedy)
    told = ending.stdout.decode(errors="replace").strip()
    if _process_named(marker):
        told = "got out: a process outlived its test"
    if attack.name == "start another program" and ending.status == 0:
        told = "got out: another program ran"
    return Finding(attack.name, False, told, attack.remedy) if told else Finding(attack.name, True, "blocked")


def _process_named(marker: str) -> bool:
    """Whether a process calls itself ``marker``; those in namespaces below ours are visible to us."""
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().strip() == marker:
                return True
        except OSError:
            continue
    return False
