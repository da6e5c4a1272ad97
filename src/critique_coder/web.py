"""What our web servers share: a bound socket, the name by which they are asked, and bodies of bounded length."""

from __future__ import annotations

import json
import socket

from starlette.requests import Request
from starlette.responses import JSONResponse

from critique_coder.records import BadInput, Json

LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
"""By which names a browser on this machine asks a server that only this machine reaches."""


class Refused(Exception):
    """A request that is not done; carries the response."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, headers
        self.response = JSONResponse({"error": message}, status, headers)


def host_name(address: str) -> str:
    """The name in a ``Host`` header or an address's authority, without its port."""
    if not address.startswith("["):
        return address.partition(":")[0]
    name, _, port = address.partition("]")
    return f"{name}]" if port[:1] in ("", ":") else address


async def json_body(request: Request, most_bytes: int) -> dict[str, Json]:
    """The JSON object of a request; raises Refused, and reads no more than ``most_bytes``."""
    received = bytearray()
    async for block in request.stream():
        received += block
        if len(received) > most_bytes:
            size = f"{most_bytes >> 20} MiB" if most_bytes >= 1 << 20 else f"{most_bytes >> 10} KiB"
            raise Refused(413, f"the request is longer than {size}")
    try:
        body = json.loads(received)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the request is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise Refused(400, "the request must be a JSON object")
    return body


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens, so that whoever reads its address may ask at once; raises BadInput."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise BadInput(f"--host {host} --port {port}: {error.strerror or error}; choose another") from None
    return listening


def address(host: str, listening: socket.socket) -> str:
    """Where a bound socket is asked."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
