"""What a page is given and what it answers: the person, the desk, what was sent; and how its template is filled.

A page is a plain function of a Visit. The server has made sure of everything before it is called: who asks, that a
write comes from a page of ours, how long the body is and how often this person asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import jinja2
from starlette.responses import HTMLResponse, Response

from critique_coder.fields import Fields
from critique_coder.look import visible
from critique_coder.records import Json
from critique_coder.review.desk import Desk
from critique_coder.review.queue import Queued
from critique_coder.review.static import static_address
from critique_coder.web import Refused

MOST_BYTES = 256 << 10
NOT_FOUND = "there is no such item here; open the page anew"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. ``path`` are the named parts of the address, ``body`` the JSON object that a write sent."""

    desk: Desk
    person: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Json] = field(default_factory=dict)

    def page(self, template: str, status: int = 200, **values: object) -> Response:
        """A template of ``review/page`` as the answer."""
        return HTMLResponse(self.filled(template, **values), status)

    def filled(self, template: str, **values: object) -> str:
        """A template as text; control characters in it become signs that do nothing.

        Beside ``values`` a template knows ``person``, ``desk``, ``csrf`` and ``static`` (the address of static files).
        """
        own = {"person": self.person, "desk": self.desk, "csrf": self.desk.keys.csrf(self.person)}
        return visible(templates().get_template(template).render(**own, static=static_address(), **values))

    def fields(self, *known: str) -> Fields:
        """The body, to be read field by field; raises BadInput for keys that are not ``known``."""
        return Fields(dict(self.body), "the request", known)

    def item(self, ref: str | None = None) -> Queued:
        """The item that the address (or ``ref``) names; raises Refused."""
        found = self.desk.find(self.path.get("ref", "") if ref is None else ref)
        if found is None:
            raise Refused(404, NOT_FOUND)
        return found


@dataclass(frozen=True, slots=True)
class Page:
    """An address and what answers it. ``cost``: how much of a person's pace a request takes; 1 is a plain page."""

    path: str
    answer: Callable[[Visit], Response]
    method: str = "GET"
    most_bytes: int = MOST_BYTES
    cost: float = 1.0


@cache
def templates() -> jinja2.Environment:
    """The templates: everything is escaped, and an unknown name is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("critique_coder.review", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
