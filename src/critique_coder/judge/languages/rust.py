"""Rust by rustc, from a Debian package or from rustup; it links with the C compiler."""

from __future__ import annotations

from .language import Language

LANGUAGE = Language(
    name="rust",
    tools=("rustc", "cc"),
    package="rustc cargo gcc",
    source=lambda code: "solution.rs",
    compile=lambda file: (("rustc", "--edition", "2021", "-O", "-A", "warnings", "-o", "program", file),),
    outputs=("program",),
    run=lambda code, memory_mb: ("./program",),
    places=("~/.cargo/bin",),
    paths=("/usr/lib/rustlib", "/usr/lib/gcc", "/usr/libexec/gcc", "/usr/lib/llvm-*"),
    environment={"CARGO_HOME": "{home}/.cargo", "CARGO_NET_OFFLINE": "true", "CARGO_TERM_COLOR": "never"},
    out_of_memory=("memory allocation of",),
    root_of=("rustc", "--print", "sysroot"),
)
