"""The judge's server on a port of its own, for tests."""

from __future__ import annotations

import threading
import time

import uvicorn

from critique_coder.judge import Judge
from critique_coder.judge.service import application
from critique_coder.prompts import extract_code


class Running:
    """A server on a port of its own."""

    def __init__(self, token: str | None = None, most_waiting: int = 1000, workers: int = 2) -> None:
        self.judge = Judge(workers=workers, time_limit_s=5, memory_limit_mb=256)
        config = uvicorn.Config(application(self.judge, extract_code, token, most_waiting), port=0, log_level="warning")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> str:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
