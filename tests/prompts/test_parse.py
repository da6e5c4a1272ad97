r"""Strict parsers: the last complete code block, and the last ``\conclusion{T}`` or ``{F}``, after thinking only."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from critique_coder.prompts import after_thinking, extract_code, parse_judgement, parse_tests
from critique_coder.records import Judgement

settings.register_profile("rooms", database=None, deadline=None, max_examples=60)
settings.load_profile("rooms")

CODE = "def f(x):\n    return x\n"


def fenced(code: str = CODE, fence: str = "```", info: str = "python") -> str:
    return f"{fence}{info}\n{code}{fence}\n"


@pytest.mark.parametrize(
    "answer",
    [
        fenced(),
        fenced(info=""),
        fenced(info="py"),
        fenced(info="Python 3"),
        "Here:\n\n" + fenced() + "\nThat is all.",
        fenced("x = 0\n") + "Better:\n" + fenced(),
        fenced(fence="~~~"),
        fenced(fence="`````"),
        "   " + fenced().replace("\n```", "\n   ```"),
        fenced() + "and one that is cut off:\n```python\nx = 1\n",
        "<think>\n" + fenced("wrong = 1\n") + "</think>\n" + fenced(),
        "thoughts without an opening\n" + fenced("wrong = 1\n") + "</think>\n" + fenced(),
        "<think>a</think><think>b</think>" + fenced(),
        fenced().replace("\n", "\r\n"),
    ],
)
def test_the_last_complete_block_after_thinking_is_the_code(answer: str) -> None:
    assert extract_code(answer) == CODE


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I cannot.",
        CODE,
        "`x = 1`",
        "```python\nx = 1\n",
        "```python\n```",
        "```python\n\n   \n```",
        "<think>\n" + fenced(),
        "<think>\n" + fenced() + "</think>\nIt is above.",
        fenced() + "</think>",
        "<think>a</think>" + fenced() + "<think>wait",
        "```python\nx = 1\n~~~",
        "````python\nx = 1\n```",
        "```python\nx = 1\n``` trailing",
    ],
)
def test_no_complete_block_is_no_code(answer: str) -> None:
    assert extract_code(answer) is None


def test_a_longer_fence_holds_shorter_ones() -> None:
    inner = 'text = """\n```\ncode\n```\n"""\n'
    assert extract_code(fenced(inner, fence="````")) == inner
    assert extract_code(fenced(inner, fence="~~~")) == inner


def test_two_blocks_are_not_joined() -> None:
    assert extract_code(fenced("a = 1\n") + fenced("b = 2\n")) == "b = 2\n"


code_lines = st.lists(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="`~\x7f\x85"), max_size=15).filter(
        lambda line: "think>" not in line  # hypothesis tries the parser's own words
    ),
    min_size=1,
    max_size=5,
)
prose = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="`~<"), max_size=30)


@given(code_lines, prose, prose, st.sampled_from(["```", "~~~", "````"]))
def test_what_was_fenced_comes_back(lines: list[str], before: str, after: str, fence: str) -> None:
    code = "\n".join(lines) + "\n"
    answer = f"{before}\n{fence}python\n{code}{fence}\n{after}"
    assert extract_code(answer) == (code if code.strip() else None)


@given(st.text(max_size=60))
def test_nothing_is_read_from_unfinished_thinking(thoughts: str) -> None:
    answer = "<think>" + thoughts.replace("</think>", "")
    assert after_thinking(answer) is None
    assert extract_code(answer) is None and parse_judgement(answer) is Judgement.MALFORMED


@given(st.text(alphabet="`~\npython <>/think{}\\conclusion TF", max_size=80))
def test_any_text_gives_code_or_none_and_a_judgement(answer: str) -> None:
    code = extract_code(answer)
    assert code is None or (code.strip() and code.endswith("\n"))
    assert parse_judgement(answer) in Judgement


@pytest.mark.parametrize(
    ("critique", "judgement"),
    [
        (r"It is right. \conclusion{T}", Judgement.CORRECT),
        (r"It is wrong. \conclusion{F}", Judgement.INCORRECT),
        (r"\conclusion{T}. Have a nice day", Judgement.CORRECT),
        (r"**\conclusion{F}**", Judgement.INCORRECT),
        (r"$\boxed{\conclusion{T}}$", Judgement.CORRECT),
        (r"At first \conclusion{T}, but no: \conclusion{F}", Judgement.INCORRECT),
        (r"\conclusion{F} ... \conclusion{T}", Judgement.CORRECT),
        (r"<think>\conclusion{T}</think>\conclusion{F}", Judgement.INCORRECT),
        (r"\conclusion{T}</think>\conclusion{F}", Judgement.INCORRECT),
    ],
)
def test_the_last_verdict_line_after_thinking_counts(critique: str, judgement: Judgement) -> None:
    assert parse_judgement(critique) is judgement


@pytest.mark.parametrize(
    "critique",
    [
        "",
        "It is correct.",
        r"\conclusion{INCORRECT}",
        r"\conclusion{CORRECT}",
        r"\conclusion{NOT correct}",
        r"\conclusion{t}",
        r"\conclusion{f}",
        r"\conclusion{True}",
        r"\conclusion{Wrong}",
        r"\conclusion{T or F}",
        r"\conclusion{T/F}",
        r"\conclusion{ T }",
        r"\conclusion{}",
        r"\conclusion{TF}",
        r"\conclusion[T]",
        "/conclusion{T}",
        "conclusion{T}",
        r"\Conclusion{T}",
        r"\conclusion{T",
        r"\conclusion{T} and then \conclusion{INCORRECT}",
        r"\conclusion{F} or rather \conclusion{f}",
        r"<think>Surely \conclusion{T}",
        r"<think>Surely \conclusion{T}</think>It is right.",
        r"<think>a</think>\conclusion{T}<think>but",
    ],
)
def test_anything_else_is_malformed(critique: str) -> None:
    assert parse_judgement(critique) is Judgement.MALFORMED


@given(
    st.text(max_size=30),
    st.text(max_size=10).filter(lambda text: text not in ("T", "F") and not set(text) & set("{}\n")),
)
def test_a_verdict_line_of_other_letters_is_never_a_judgement(before: str, inside: str) -> None:
    critique = before + rf"\conclusion{{{inside}}}"
    assert parse_judgement(critique) is Judgement.MALFORMED


def test_tests_are_pairs_of_blocks_and_what_has_no_pair_is_left_out() -> None:
    one = "```input\n1 2\n```\nso\n```output\n3\n```\n"
    assert parse_tests(one + one) == [("1 2\n", "3\n")] * 2
    assert parse_tests("```output\n3\n```\n```input\n1\n```") == []
    assert parse_tests("```input\n1\n```\n```python\nx\n```\n```output\n3\n```") == []
    assert parse_tests("```input\n1\n```\n```output\n3") == []
    assert parse_tests("<think>" + one) == [] and parse_tests("<think>" + one + "</think>") == []
