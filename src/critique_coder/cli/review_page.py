"""``critique-coder review BUILD_OR_RUN``: serve the page on which people judge."""

from __future__ import annotations

import getpass
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from critique_coder.cli.options import unsafe_option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from critique_coder.review.desk import Desk

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command("page", hidden=True, short_help="Serve the page on which people judge.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--person", "people", multiple=True, help="A reviewer's name; once for each. You, when left out.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others need names.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(min=0, max=65535),
              help="Port to listen on; 0 takes a free one.")  # fmt: skip
@click.option("--public-url", help="How reviewers reach the page, e.g. https://review.example.org behind a proxy.")
@click.option(
    "--gold",
    type=click.Path(path_type=Path),
    help="CSV or JSONL with items whose answer is certain, shown among the others to check reviewers.",
)
@click.option("--gold-share", type=click.FloatRange(0, 1), help="Items made from the audit for the same; 0.05.")
@click.option("--random-share", type=click.FloatRange(0, 1), help="Items drawn whatever their doubt; 0.1.")
@click.option("--overlap-share", type=click.FloatRange(0, 1), help="Items that several people judge; 0.15.")
@click.option("--overlap-people", type=click.IntRange(min=1), help="How many judge those; 2.")  # fmt: skip
@click.option("--new-links", is_flag=True, help="Make all links and sessions of before invalid.")
@unsafe_option
@click.option("--json", "as_json", is_flag=True, help="Print the links as JSON.")
def command(
    folder: Path,
    people: tuple[str, ...],
    host: str,
    port: int,
    public_url: str | None,
    new_links: bool,
    unsafe_no_isolation: bool,
    as_json: bool,
    gold: Path | None,
    **shares: float | None,
) -> None:
    """Serve the page on which people judge the solutions of a build and the critiques of a run.

    A link for each person is printed; it stays valid when the server starts again. Verdicts go to review.sqlite in the
    folder. On an address that others reach, every reviewer needs a name. Doubtful items come first; how the queue is
    made is kept in review.json in the folder, so that a later start without these options goes on alike.

    \b
    Example:
      critique-coder review runs/data
      critique-coder review runs/data --host 0.0.0.0 --person ann --person ben
    """
    import asyncio

    try:
        import uvicorn

        from critique_coder.review.server import application
        from critique_coder.web import address, bound
    except ImportError as error:
        raise click.UsageError(f"{error.name} is not installed; pip install 'critique-coder[serve]'") from None
    from critique_coder.review.access import checked_names

    if host not in LOOPBACK and not people:
        raise click.UsageError(f"--host {host}: others could reach this address; name the reviewers with --person")
    chosen = {"gold": str(gold.absolute()) if gold else None, "people": shares.pop("overlap_people"), **shares}
    names = checked_names(people or (getpass.getuser(),))
    listening = bound(host, port)
    with listening:
        desk = _desk(folder, names, new_links, unsafe_no_isolation, chosen)
        where = public_url.rstrip("/") if public_url else address(_reachable(host), listening)
        links = {name: f"{where}/enter/{desk.keys.token('link', name)}" for name in names}
        config = uvicorn.Config(
            application(desk, _names(host, public_url), where.startswith("https:")),
            log_level="warning", access_log=False, server_header=False, limit_concurrency=400,
        )  # fmt: skip
        _tell(folder, len(desk.items), links, as_json)
        try:
            asyncio.run(uvicorn.Server(config).serve([listening]))
        finally:
            desk.close()


def _desk(folder: Path, names: Sequence[str], new_links: bool, no_isolation: bool, chosen: Mapping[str, Any]) -> Desk:
    """The state of the server; ``chosen`` are settings of the queue, None for those kept. Raises BadInput."""
    from critique_coder.data.mutants import mutants
    from critique_coder.review.desk import Desk
    from critique_coder.review.doubts import queued, remember, remembered
    from critique_coder.review.rerun import judge_opener
    from critique_coder.review.store import FILE, ReviewStore
    from critique_coder.review.wrong_gold import WrongGold

    wrong = WrongGold(mutants, judge_opener(folder, no_isolation), lambda told: click.echo(told, err=True))
    settings = replace(remembered(folder), **{name: value for name, value in chosen.items() if value is not None})
    items = queued(folder, settings, wrong)
    store = ReviewStore(folder / FILE)
    try:
        store.secret("links", renew=new_links)
        remember(folder, settings)
        return Desk(folder, store, items, names, settings.seed, no_isolation)
    except BaseException:
        store.close()
        raise


def _reachable(host: str) -> str:
    """A host name for links: others cannot go to an address that means all of this machine's."""
    return socket.gethostname() if host in ("0.0.0.0", "::", "") else host


def _names(host: str, public_url: str | None) -> list[str]:
    from critique_coder.web import host_name

    own = [host, socket.gethostname(), socket.getfqdn()] if host not in LOOPBACK else []
    return [*own, host_name(public_url.partition("://")[2])] if public_url else own


def _tell(folder: Path, count: int, links: dict[str, str], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"folder": str(folder), "items": count, "links": links}, ensure_ascii=False))
        return
    click.echo(f"{count:,} items of {folder} are waiting; Ctrl-C ends, and everything is kept")
    for name, link in links.items():
        click.echo(f"  {name}: {link}" if len(links) > 1 else f"  {link}")
