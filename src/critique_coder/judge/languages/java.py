"""Java by OpenJDK. The JVM reserves address space, threads and code caches; its heap is limited by flags of its own."""

from __future__ import annotations

import re

from .language import Command, Language

_UNREAD = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)
_PUBLIC = re.compile(r"\bpublic\s+(?:(?:final|abstract|sealed|strictfp)\s+)*(?:class|interface|enum|record)\s+(\w+)")
_CLASS = re.compile(r"\b(?:class|enum|record|interface)\s+(\w+)")
_PACKAGE = re.compile(r"^\s*package\s+([\w.]+)\s*;", re.MULTILINE)
_MAIN = re.compile(r"\bstatic\s+(?:final\s+)?(?:synchronized\s+)?void\s+main\s*\(")


def _file_name(code: str) -> str:
    """As its public class, which Java demands; ``Main`` where there is none."""
    found = _PUBLIC.search(_UNREAD.sub(" ", code))
    return f"{found[1] if found else 'Main'}.java"


def _main_class(code: str) -> str:
    """The class that the first ``static void main`` stands in: the last one that begins before it."""
    text = _UNREAD.sub(" ", code)
    main = _MAIN.search(text)
    names = _CLASS.findall(text, 0, main.start() if main else len(text))
    package = _PACKAGE.search(text)
    return (f"{package[1]}." if package else "") + (names[-1] if names else "Main")


def _run(code: str, memory_mb: float) -> Command:
    heap = f"-Xmx{int(memory_mb)}m"
    flags = ("-Xss64m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:MaxMetaspaceSize=128m", "-Dfile.encoding=UTF-8")
    return ("java", heap, *flags, "-cp", "classes", _main_class(code))


LANGUAGE = Language(
    name="java",
    tools=("javac", "java"),
    package="default-jdk-headless",
    source=_file_name,
    compile=lambda file: (
        ("javac", "-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1", "-J-XX:-UsePerfData", "-proc:none", "-nowarn",
         "-encoding", "UTF-8", "-d", "classes", file),
    ),
    outputs=("classes/**",),
    run=_run,
    paths=("/usr/lib/jvm", "/etc/java-*", "/usr/share/java"),
    address_space=False,
    runtime_mb=256,
    out_of_memory=("java.lang.OutOfMemoryError",),
)  # fmt: skip
