"""JavaScript by Node.js. V8 reserves far more address space than it uses; its heap is limited by a flag of its own."""

from __future__ import annotations

from .language import Language

LANGUAGE = Language(
    name="javascript",
    tools=("node",),
    package="nodejs",
    source=lambda code: "solution.js",
    compile=lambda file: (("node", "--check", file),),
    outputs=("solution.js",),
    run=lambda code, memory_mb: ("node", f"--max-old-space-size={int(memory_mb)}", "--stack-size=60000", "solution.js"),
    paths=("/usr/share/nodejs", "/usr/lib/nodejs", "/usr/share/node_modules", "/etc/ssl/openssl.cnf"),
    environment={"NODE_DISABLE_COLORS": "1", "NO_UPDATE_NOTIFIER": "1"},
    address_space=False,
    runtime_mb=128,
    out_of_memory=("heap out of memory", "Array buffer allocation failed"),
)
