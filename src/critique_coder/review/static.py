"""The styles and scripts of the pages, served under an address that changes with their content."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from critique_coder.look import colours

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_A_YEAR = "public, max-age=31536000, immutable"


@cache
def _contents() -> dict[str, tuple[bytes, str]]:
    """All that is served, by name, with its type; nothing else is ever opened for a request."""
    found = {"colours.css": (colours().encode(), _KINDS[".css"])}
    for file in files(__package__).joinpath("page").iterdir():
        kind = _KINDS.get("." + file.name.rpartition(".")[2])
        if kind:
            found[file.name] = (file.read_bytes(), kind)
    return dict(sorted(found.items()))


@cache
def static_address() -> str:
    """Where the files are; another address when one of them changes, so that browsers may keep them."""
    content = b"".join(content for content, _ in _contents().values())
    return f"/static/{hashlib.sha256(content).hexdigest()[:12]}"


async def answer_static(request: Request) -> Response:
    """A style or a script."""
    if request.path_params["name"] not in _contents():
        raise HTTPException(404)
    content, kind = _contents()[request.path_params["name"]]
    return Response(content, headers={"content-type": f"{kind}; charset=utf-8", "cache-control": _FOR_A_YEAR})
