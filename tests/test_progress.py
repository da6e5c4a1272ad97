"""What stands in a log while something long runs."""

from __future__ import annotations

import re

import pytest

from critique_coder.progress import bar


def test_items_of_an_earlier_time_are_counted_and_say_nothing_about_the_rate(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with bar("verdicts", 1000, "solutions", done=999) as shown:
        shown.advance(0)
        shown.advance()
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("verdicts: 1000/1000 · ")
    with bar("verdicts", 1000, "solutions", done=1000) as shown:
        shown.advance(0)
    assert " 0/s " in capsys.readouterr().err


def test_rates_are_plain_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    with bar("audit", 500) as shown:
        shown.advance(500, "note")
    assert re.search(r"500/500 · \d+/s · 0 s left · note", capsys.readouterr().err)


def test_what_takes_long_until_its_first_item_says_so_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with bar("critiques", 217, "answers", done=64) as shown:
        shown.begin("asking a model")
        assert capsys.readouterr().err == "critiques: 64/217 · asking a model\n"
        shown.advance(1)
    assert capsys.readouterr().err == ""
