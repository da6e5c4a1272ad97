"""C++ by GCC."""

from __future__ import annotations

from .language import Language

LANGUAGE = Language(
    name="cpp",
    tools=("g++",),
    package="g++",
    source=lambda code: "solution.cpp",
    compile=lambda file: (("g++", "-std=gnu++17", "-O2", "-o", "program", file),),
    outputs=("program",),
    run=lambda code, memory_mb: ("./program",),
    paths=("/usr/include", "/usr/lib/gcc", "/usr/libexec/gcc", "/usr/share/cmake-*"),
    out_of_memory=("std::bad_alloc",),
)
