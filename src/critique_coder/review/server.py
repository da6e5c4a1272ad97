"""The review page's server: who is let in, what is sent along with every answer, and which pages there are.

To add a page: write ``pages/NAME.py`` with functions of a Visit and ``PAGES = (Page("/address", function), ...)``, name
it in ``_pages`` below, and put its template into ``page/``: ``{% extends "layout.html.jinja" %}`` (blocks ``title``,
``head`` for its own style sheet or script, ``main``; ``{% set here = "/address" %}`` marks it in the navigation, which
is a list in the layout). A write is a Page with ``method="POST"``: it is given the JSON object that was sent as
``visit.body`` and answers in JSON. Scripts send it with ``send`` of ``page/sending.js``, which adds what proves that
it comes from a page of ours. To refuse, raise Refused or BadInput. Styles and scripts lie in ``page/`` too and are
served below the address ``static``; nothing may stand inline.

Every answer forbids the browser to load anything from elsewhere and to run anything but our own files. Text of models
and people is escaped by the templates; ``prose`` and ``highlighted`` alone make HTML of it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Protocol
from urllib.parse import urlsplit

import anyio.to_thread
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from critique_coder.records import BadInput
from critique_coder.review.access import Pace
from critique_coder.review.desk import Desk
from critique_coder.review.pages import adjudicating, agreeing, judging, running, writing
from critique_coder.review.static import answer_static, static_address
from critique_coder.review.store import StoreTrouble
from critique_coder.review.visit import Page, Visit, templates
from critique_coder.web import LOCAL_NAMES, Refused, host_name, json_body

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_PER_S, _BURST = 20.0, 200.0
_SESSION_S = 90 * 24 * 3600
_NO_SESSION = "this page needs the link that `critique-coder review` printed for you; open it again"
_FOREIGN = "requests from pages of other sites are refused"


class _Endpoint(Protocol):
    async def __call__(self, request: Request) -> Response: ...


def _pages() -> Iterable[Page]:
    return (*judging.PAGES, *writing.PAGES, *running.PAGES, *agreeing.PAGES, *adjudicating.PAGES)


def application(desk: Desk, names: Iterable[str] = (), secure: bool = False) -> ASGIApp:
    """The web application around a desk.

    ``names``: host names by which browsers may ask, beside this machine's own and plain addresses. ``secure``: the
    page is reached by https, so the session never goes over a plain line.
    """
    gate = _Gate(desk, frozenset((*LOCAL_NAMES, *names)), secure)
    routes = [
        Route("/enter/{token}", gate.enter),
        Route("/static/{version}/{name}", answer_static),
        *(Route(page.path, gate.guarded(page), methods=[page.method]) for page in _pages()),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _cannot})
    return _WithHeaders(app, gate.why_not)


class _Gate:
    """Decides who is let in and to what."""

    def __init__(self, desk: Desk, names: frozenset[str], secure: bool) -> None:
        self._desk, self._names, self._secure = desk, names, secure
        self._pace = Pace(_PER_S, _BURST)

    def why_not(self, headers: Headers) -> str | None:
        """Why a request is refused by the names in it, whoever sends it; None when it is not."""
        host = headers.get("host", "")
        name = host_name(host).lower()
        if name not in self._names and not _is_plain_address(name):
            return f"this page is not served under the name {name!r}; start it with --public-url"
        if "origin" in headers and not _from_ourselves(headers):
            return _FOREIGN
        foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        return _FOREIGN if foreign and headers.get("sec-fetch-mode") != "navigate" else None

    async def enter(self, request: Request) -> Response:
        """Turn a link into a session and go on to an address without the token.

        By a page that goes on by itself: a browser that came from another site would not send the strict cookie along
        with a redirect.
        """
        person = self._desk.keys.person("link", request.path_params["token"])
        if person is None:
            return _answer(request, 403, "this link is not valid here; `critique-coder review` prints the right one")
        response = HTMLResponse(templates().get_template("enter.html.jinja").render(static=static_address()))
        response.set_cookie(
            self._desk.keys.cookie, self._desk.keys.token("session", person), max_age=_SESSION_S, path="/",
            secure=self._secure, httponly=True, samesite="strict",
        )  # fmt: skip
        return response

    def guarded(self, page: Page) -> _Endpoint:
        """A page as an endpoint that only its people reach."""

        async def answer(request: Request) -> Response:
            try:
                person = self._person(request, page)
                body = await json_body(request, page.most_bytes) if page.method == "POST" else {}
                visit = Visit(self._desk, person, request.path_params, dict(request.query_params), body)
                return await anyio.to_thread.run_sync(page.answer, visit)
            except Refused as refused:
                return _answer(request, refused.status, str(refused), refused.headers)
            except StoreTrouble as trouble:
                return _answer(request, 503, str(trouble))
            except BadInput as error:
                return _answer(request, 400, str(error))

        return answer

    def _person(self, request: Request, page: Page) -> str:
        """Who asks; raises Refused for a stranger, a forged write, and somebody who asks too often."""
        person = self._desk.keys.person("session", request.cookies.get(self._desk.keys.cookie, ""))
        if person is None:
            raise Refused(401, _NO_SESSION)
        if page.method != "GET" and not (
            _from_ourselves(request.headers) and self._desk.keys.is_csrf(person, request.headers.get("x-csrf", ""))
        ):
            raise Refused(403, "this did not come from the page itself; open the page anew")
        wait = self._pace.wait_s(person, page.cost)
        if wait:
            raise Refused(429, "too many requests at once; wait a moment", {"retry-after": str(int(wait) + 1)})
        return person


def _from_ourselves(headers: Headers) -> bool:
    return urlsplit(headers.get("origin", "")).netloc == headers.get("host")


def _is_plain_address(name: str) -> bool:
    """An address in numbers: nobody can make a browser take such a Host for another site's name."""
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _answer(request: Request, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """A refusal, as a page for a person and as JSON for a script."""
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"error": message}, status, headers)
    template = templates().get_template("told.html.jinja")
    return HTMLResponse(template.render(message=message, static=static_address()), status, headers)


async def _cannot(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _answer(request, status, "there is no such page" if status == 404 else "this cannot be done here")


class _WithHeaders:
    """Turns away requests by foreign names and gives every answer the headers that keep the browser to ourselves."""

    def __init__(self, app: ASGIApp, why_not: Callable[[Headers], str | None]) -> None:
        self._app, self._why_not = app, why_not

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        reason = self._why_not(Headers(scope=scope)) if scope["type"] == "http" else None
        app = self._app if reason is None else PlainTextResponse(reason + "\n", 403)
        await app(scope, receive, with_headers)
