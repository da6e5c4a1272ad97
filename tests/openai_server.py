"""A small server that speaks the OpenAI shape over real HTTP, and fails in the ways that real ones do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], Any]
"""Status, headers, body (an object that becomes JSON, or bytes)."""


def cut(reply: Reply) -> Reply:
    """The same reply from a server that dies after half of it."""
    status, headers, body = reply
    data = json.dumps(body).encode()
    return status, {**headers, "Content-Length": str(len(data)), "Connection": "close"}, data[: len(data) // 2]


def completion(text: str, finish: str = "stop", tokens: int = 3, **message: Any) -> Reply:
    """A chat completion as a server answers it; the prompt counts ten tokens."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
    usage = {"completion_tokens": tokens, "prompt_tokens": 10}
    return 200, {}, {"object": "chat.completion", "choices": [choice], "usage": usage}


class Served:
    """The running server: ``url`` is its base, ``requests`` what it was asked (path, headers, body)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.most_at_once = 0


@contextmanager
def serve(answer: Callable[[int, Any], Reply]) -> Iterator[Served]:
    """Serve on the loopback; ``answer(number of the request, body)`` decides what chat requests get."""
    lock = threading.Lock()
    busy = 0

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.requests.append((self.path, dict(self.headers), None))
            self._send(200, {}, {"data": [{"id": "served-model"}]} if self.path == "/v1/models" else {})

        def do_POST(self) -> None:
            nonlocal busy
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = sum(path.endswith("/chat/completions") for path, _, _ in served.requests)
                served.requests.append((self.path, dict(self.headers), body))
                busy += 1
                served.most_at_once = max(served.most_at_once, busy)
            try:
                self._send(*answer(number, body))
            finally:
                with lock:
                    busy -= 1

        def _send(self, status: int, headers: dict[str, str], body: Any) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = headers.get("Connection") == "close"

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Served(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
