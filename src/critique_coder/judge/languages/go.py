"""Go, without cgo and without the network. Its runtime reserves far more address space than it uses."""

from __future__ import annotations

from .language import Language

LANGUAGE = Language(
    name="go",
    tools=("go",),
    package="golang-go",
    source=lambda code: "solution.go",
    compile=lambda file: (("go", "build", "-o", "program", file),),
    outputs=("program",),
    run=lambda code, memory_mb: ("./program",),
    places=("/usr/local/go/bin",),
    paths=("/usr/share/go-*", "/usr/lib/go-*", "/usr/lib/go"),
    environment={
        "GOCACHE": "{home}/.cache/go",
        "GOPATH": "{home}/.go",
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
        "GOSUMDB": "off",
        "GOTOOLCHAIN": "local",
        "GOTELEMETRY": "off",
        "CGO_ENABLED": "0",
    },
    address_space=False,
    runtime_mb=32,
    out_of_memory=("runtime: out of memory", "cannot allocate memory"),
    root_of=("go", "env", "GOROOT"),
)
