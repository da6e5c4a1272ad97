"""``critique-coder serve``."""

from __future__ import annotations

import click

from critique_coder.cli.options import UNSAFE_HELP, packages_option

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command("serve", short_help="Offer the judge over HTTP.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need a token.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(min=0, max=65535),
              help="Port to listen on; 0 takes a free one.")  # fmt: skip
@click.option("--token", envvar="CRITIQUE_CODER_TOKEN",
              help="What callers must send; the variable CRITIQUE_CODER_TOKEN is in no process list.")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), help="Programs run at the same time.  [default: one a core]")
@click.option("--most-waiting", default=1000, show_default=True, type=click.IntRange(min=0),
              help="Solutions that may wait; what comes on top is turned away.")  # fmt: skip
@click.option("--time-limit", type=click.FloatRange(min=0, min_open=True), default=10.0, show_default=True,
              help="Processor seconds a test, where a request says nothing.")  # fmt: skip
@click.option("--memory-limit", type=click.FloatRange(min=1), default=1024.0, show_default=True,
              help="MiB a test, where a request says nothing.")  # fmt: skip
@packages_option
@click.option("--unsafe-no-isolation", is_flag=True, help=UNSAFE_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print where it listens as JSON.")
def command(
    host: str,
    port: int,
    token: str | None,
    workers: int | None,
    most_waiting: int,
    time_limit: float,
    memory_limit: float,
    packages: tuple[str, ...],
    unsafe_no_isolation: bool,
    as_json: bool,
) -> None:
    """Offer the judge over HTTP: /v1/verify, /run_code (as SandboxFusion has it), /metrics and /health.

    \b
    Example:
      critique-coder serve --port 8080
      curl -s localhost:8080/run_code -d '{"language": "python", "code": "print(6 * 7)"}'
    """
    import asyncio
    import json

    if host not in _LOOPBACK and not token:
        raise click.UsageError(
            f"--host {host}: others could reach this address and run programs; give a --token, or stay on 127.0.0.1"
        )
    try:
        import uvicorn

        from critique_coder.judge.service import application
        from critique_coder.web import address, bound
    except ImportError as error:
        raise click.UsageError(f"{error.name} is not installed; pip install 'critique-coder[serve]'") from None
    from critique_coder.judge import Judge
    from critique_coder.prompts import extract_code

    listening = bound(host, port)
    judge = Judge(workers, time_limit, memory_limit, allow_no_isolation=unsafe_no_isolation, packages=packages)
    server = uvicorn.Server(
        uvicorn.Config(application(judge, extract_code, token, most_waiting), log_level="warning", access_log=False)
    )
    place = address(host, listening)
    told = {"address": place, "isolation": judge.isolation.value, "token": token is not None}
    click.echo(json.dumps(told) if as_json else f"judging at {place} (isolation {judge.isolation.value}); Ctrl-C ends")
    try:
        asyncio.run(server.serve([listening]))
    finally:
        judge.close()
