"""Attacks on the page: each test is one way in, and holds it shut."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from critique_coder.review.access import Keys, Pace, checked_names
from critique_coder.review.prose import formula, prose
from critique_coder.review.shown import difference, lines, literal, value
from making import a_problem, complaint
from review_page import ESCAPES, LOADERS, SCRIPT, Entry, Person, Reviewing, a_folder, a_run, entries


@pytest.fixture(scope="module")
def reviewing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewing]:
    with Reviewing(a_folder(tmp_path_factory.mktemp("attacked") / "build", entries(8)), "ann", "ben") as reviewing:
        yield reviewing


@pytest.fixture
def ann(reviewing: Reviewing) -> Iterator[Person]:
    with Person(reviewing.link("ann")) as person:
        yield person


class Tags(HTMLParser):
    """What a browser would make of a page: its tags with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_harmless(page: str) -> Tags:
    """Nothing in the page runs, loads or leads elsewhere, and nothing steers a terminal or turns text around."""
    found = Tags(page)
    for tag, attributes in found.tags:
        assert tag not in ("iframe", "object", "embed", "style", "base", "form", "video", "audio", "svg") or (
            tag == "form" and attributes == {"method": "dialog"}
        ), (tag, attributes)
        for name, content in attributes.items():
            assert not name.startswith("on") and name != "style", (tag, attributes)
            if name in ("href", "src", "action", "srcset", "data", "xlink:href"):
                assert content is not None and (content.startswith(("/", "#")) and not content.startswith("//"))
        if tag == "script":
            assert (attributes.get("src") or "").startswith("/static/")
    assert not set(page) & set("\x1b\x00\x07\u202e\u2066\u2028\x85")
    return found


# --- Who is let in -------------------------------------------------------------------------------------------------

ADDRESSES = ("/", "/part", "/part/0000000000000000", "/item/0000000000000000", "/compare/0000000000000000")
WRITES = ("/verdict", "/undo", "/draft", "/place", "/outcomes/0000000000000000")


@pytest.mark.parametrize("address", ADDRESSES)
def test_without_a_token_nobody_reads(reviewing: Reviewing, address: str) -> None:
    for cookies in ({}, {reviewing.desk.keys.cookie: "x"}, {reviewing.desk.keys.cookie: "YW5u.AAAA"}):
        with httpx.Client(base_url=reviewing.address, cookies=cookies) as stranger:
            answer = stranger.get(address)
            assert answer.status_code == 401 and "double" not in answer.text


@pytest.mark.parametrize("address", WRITES)
def test_without_a_token_nobody_writes(reviewing: Reviewing, address: str) -> None:
    for cookies in ({}, {reviewing.desk.keys.cookie: "x.y"}):
        answer = httpx.post(
            reviewing.address + address, cookies=cookies, json={}, headers={"origin": reviewing.address}
        )
        assert answer.status_code == 401
    assert not reviewing.store.standing()


def test_a_link_of_another_review_or_another_purpose_lets_nobody_in(reviewing: Reviewing, ann: Person) -> None:
    keys = reviewing.desk.keys
    other = Keys(b"another secret", ("ann",))
    for token in (
        other.token("link", "ann"),
        keys.token("session", "ann"),
        keys.token("link", "zoe"),
        "",
        "a.b",
        "%00",
    ):
        answer = httpx.get(f"{reviewing.address}/enter/{token}")
        assert answer.status_code in (403, 404) and "set-cookie" not in answer.headers
    link = keys.token("link", "ann")
    assert httpx.get(reviewing.address + "/", cookies={keys.cookie: link}).status_code == 401


def test_a_session_cannot_be_read_by_scripts_nor_sent_by_other_sites(reviewing: Reviewing) -> None:
    cookie = httpx.get(reviewing.link()).headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost", None, ""])
def test_a_write_from_another_origin_is_refused(reviewing: Reviewing, ann: Person, origin: str | None) -> None:
    part = ann.part()
    body = {"key": "o", "ref": part["ref"], "sha": part["sha"], "answers": {"correct": "yes"}, "tags": [], "marks": []}
    assert ann.write("/verdict", body, origin=origin).status_code == 403
    assert ann.write("/verdict", body, sec_fetch_site="cross-site", sec_fetch_mode="cors").status_code == 403
    assert not reviewing.store.standing()


def test_a_forged_csrf_token_is_refused(reviewing: Reviewing, ann: Person) -> None:
    for csrf in (None, "", "x" * 32, reviewing.desk.keys.csrf("ben"), reviewing.desk.keys.token("session", "ann")):
        assert ann.judge(ann.part(), "yes", "c", x=1).status_code == 400, "the test itself reaches the page"
        assert ann.write("/verdict", {}, x_csrf=csrf).status_code == 403
    assert not reviewing.store.standing()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "", "[::1].evil"])
def test_another_host_name_is_refused_so_that_dns_cannot_be_turned_round(ann: Person, host: str) -> None:
    assert ann.get("/", headers={"host": host}).status_code == 403


def test_a_form_of_another_site_cannot_write(reviewing: Reviewing, ann: Person) -> None:
    """What a foreign form can send: the cookie, were it not strict, and a body of its own, but no header of ours."""
    body = "answers=yes&key=1"
    headers = {"content-type": "application/x-www-form-urlencoded", "origin": "http://evil.example"}
    assert ann.post("/verdict", content=body, headers=headers).status_code == 403


# --- What is sent --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../server.py",
        "..%2fserver.py",
        "%2e%2e/%2e%2e/access.py",
        "....//x",
        "/etc/passwd",
        "item.html.jinja",
        "%00.css",
    ],
)
def test_no_path_leads_out_of_the_static_files(reviewing: Reviewing, ann: Person, name: str) -> None:
    for prefix in ("/static/x/", "/static/", "/item/", "/part/", "/compare/"):
        with socket.create_connection(("127.0.0.1", int(reviewing.address.rpartition(":")[2]))) as line:
            cookie = f"{reviewing.desk.keys.cookie}={reviewing.desk.keys.token('session', 'ann')}"
            head = (f"GET {prefix}{name} HTTP/1.1", "Host: localhost", f"Cookie: {cookie}", "Connection: close", "", "")
            line.sendall("\r\n".join(head).encode())
            answer = b"".join(iter(lambda: line.recv(65536), b"")).decode()
        assert answer.split()[1] in ("404", "400", "307"), answer
        assert "import" not in answer and "root:" not in answer and "{%" not in answer


def test_an_oversized_body_is_refused_before_it_is_all_read(ann: Person) -> None:
    assert ann.write("/verdict", b'{"note": "' + b"x" * (300 << 10) + b'"}').status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(10_000):
            yield b"x" * 65536

    headers = {"origin": str(ann.base_url).rstrip("/"), "x-csrf": ann.csrf}
    with contextlib.suppress(httpx.TransportError):  # the server hangs up while we are still sending
        assert ann.post("/verdict", content=endless(), headers=headers).status_code == 413
    assert ann.get("/").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"ref": 1}',
        b'{"unknown": 1}',
        b'{"ref": "0000000000000000"}',
        b"NaN",
    ],
)
@pytest.mark.parametrize("address", ["/verdict", "/undo", "/draft", "/place"])
def test_nonsense_is_refused_in_one_line(reviewing: Reviewing, ann: Person, address: str, body: bytes) -> None:
    answer = ann.write(address, body)
    assert answer.status_code in (400, 404) and "\n" not in answer.json()["error"]
    assert not reviewing.store.standing()


@pytest.mark.parametrize(
    "change",
    [
        {"answers": {"correct": "maybe"}},
        {"answers": {"correct": "yes", "reason": "yes"}},
        {"answers": {}},
        {"tags": ["<script>"]},
        {"tags": "format"},
        {"note": "x" * 10_001},
        {"note": "\ud800"},
        {"marks": [0]},
        {"marks": [1.5]},
        {"marks": [True]},
        {"marks": list(range(1, 2000))},
        {"key": ""},
        {"key": "k" * 200},
        {"key": 1},
        {"ref": "../../x"},
        {"person": "ben"},
        {"blind": True},
    ],
)
def test_a_verdict_that_is_none_is_refused(reviewing: Reviewing, ann: Person, change: dict[str, Any]) -> None:
    answer = ann.judge(ann.part(), "yes", **{"key": "k", **change})
    assert answer.status_code in (400, 404) and answer.json()["error"], answer.text
    assert not reviewing.store.standing()


def test_who_asks_too_often_waits_and_others_do_not(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "build", entries(2))
    with (
        Reviewing(folder, "ann", "ben") as reviewing,
        Person(reviewing.link("ann")) as ann,
        Person(reviewing.link("ben")) as ben,
    ):
        answers = (ann.write("/place", {}) for _ in range(2000))
        limited = next(answer for answer in answers if answer.status_code == 429)
        assert int(limited.headers["retry-after"]) >= 1
        assert ben.get("/").status_code == 200


def test_the_pace_lets_a_burst_through_and_then_so_many_a_second() -> None:
    now = 0.0
    pace = Pace(2.0, 4.0, lambda: now)
    assert [pace.wait_s("ann") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    now = 0.5
    assert pace.wait_s("ann") == 0 and pace.wait_s("ann") == 0.5 and pace.wait_s("ben") == 0


# --- What is shown -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewing]:
    """A folder in which everything that can hold text holds an attack."""
    folder = tmp_path_factory.mktemp("poisoned")
    bad = SCRIPT + ESCAPES.replace("\ud800", "")
    problem = a_problem("p" + SCRIPT, statement=bad + "\n\n" + LOADERS, source=SCRIPT, difficulty=SCRIPT)
    code = f"def double(n):\n    return '''{bad}'''\n\r\x1b[2J"
    found = [Entry(problem, code, 1, SCRIPT), Entry(problem, code + "#\n", 4, SCRIPT)]
    build = a_folder(folder / "build", found)
    row = f"critique/{problem.id}#0"
    run = a_run(folder / "run", build, {row: bad + "\n\n" + LOADERS + "\n\\conclusion{F}"})
    with Reviewing(run, SCRIPT[:60]) as reviewing:
        yield reviewing


def test_nothing_in_an_item_runs_or_loads_anything(poisoned: Reviewing) -> None:
    with Person(poisoned.link()) as person:
        kinds = set()
        for item in poisoned.desk.items:
            ref = poisoned.desk.ref(item)
            for address in (f"/item/{ref}", f"/part/{ref}", f"/compare/{ref}"):
                found = assert_harmless(person.get(address).text)
                if address.startswith("/part"):
                    assert SCRIPT.replace("'", "’") in found.text.replace("'", "’"), "it is shown as it was written"
                    assert "␛[31mred" in found.text and "⟨U+202E⟩desrever" in found.text
            kinds.add(item.case.completion is None)
            assert_harmless(person.write(f"/outcomes/{ref}", {}).json()["html"])
        assert kinds == {True, False}


def test_nothing_in_a_note_a_name_or_an_author_runs(poisoned: Reviewing) -> None:
    with Person(poisoned.link()) as person:
        part = person.part()
        answered = person.judge(part, "no", "k", note=SCRIPT + ESCAPES.replace("\ud800", ""))
        assert answered.status_code == 200
        assert_harmless(answered.json()["reveal"])
        assert_harmless(person.get(f"/item/{part['ref']}").text)
        assert SCRIPT[:60] in Tags(person.get("/").text).text, "the name is shown as it was written"


def test_every_answer_forbids_to_load_from_elsewhere(reviewing: Reviewing, ann: Person) -> None:
    address = ann.get("/").text.split('src="')[1].split('"')[0]
    for answer in (ann.get("/"), ann.get("/part"), ann.get(address), ann.get("/nowhere"), httpx.get(reviewing.address)):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert ("immutable" in answer.headers["cache-control"]) == answer.url.path.startswith("/static")


@given(st.text(max_size=300) | st.text("<>&'\"$\\{}[]()!`*_#\n \tabx=:/", max_size=200))
def test_markdown_is_harmless_whatever_it_says(text: str) -> None:
    for tag, attributes in Tags(prose(text)).tags:
        assert tag not in ("script", "img", "a", "iframe", "style", "link", "svg")
        assert not {name for name in attributes if name.startswith("on") or name in ("href", "src", "style")}


@given(st.text(max_size=80) | st.text("\\{}<>\"'&_^ abfrachreftextstyle", max_size=80))
def test_formulas_are_harmless_whatever_they_say(latex: str) -> None:
    for tag, attributes in Tags(formula(latex)).tags:
        assert tag in ("code", "math") or tag.startswith("m") or tag == "none"
        assert not {name for name in attributes if name.startswith("on") or name in ("href", "src", "style", "class")}


@given(
    st.text(max_size=300), st.text(max_size=300), st.sampled_from(["python", "cpp", "java", "javascript", "go", "rust"])
)
def test_code_is_shown_as_it_is_line_by_line(code: str, other: str, language: str) -> None:
    shown = [Tags(line.code) for line in lines(code, language)]
    assert all(tag == "span" for line in shown for tag, _ in line.tags)
    changes = difference(code, other, language)
    left = [Tags(change.code).text for change in changes if change.sign != "+"]
    assert left == [line.text for line in shown]
    assert [change.left for change in changes if change.left] == list(range(1, len(shown) + 1))


def test_values_are_written_as_people_write_them_and_long_ones_folded() -> None:
    assert literal({"$tuple": [1, {"$set": ["a"]}]}) == "(1, {'a'})"
    assert literal({"$nonsense": 1}) == "{'$nonsense': 1}"
    assert literal({"$int": hex(10**5000)}).startswith("0x")
    assert value("short").peek is None
    long = value("x\n" * 5000)
    assert long.peek == "x " * 60 + "…" and "10,000 characters, 5,001 lines" in long.size
    assert len(value("x" * 10**6).text) < 30_000


def test_a_formula_is_drawn_and_one_that_is_none_stays_text() -> None:
    shown = prose("for $$$n \\le 10^5$$$ pay $5 or $10, and $\\frac{1}{$")
    assert shown.count("<math") == 1 and "<mo>≤</mo>" in shown and "$5 or $10" in shown
    assert "<code>\\frac{1}{</code>" in shown
    assert prose("```sh\n$$$a$$$\n```").count("$$$") >= 2 or "math" not in prose("```sh\n$$$a$$$\n```")


@pytest.mark.parametrize("name", ["", " ", " ann", "a\nb", "a\x1b[0m", "\u202eann", "x" * 61])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    assert "printable" in complaint(checked_names, [name])
