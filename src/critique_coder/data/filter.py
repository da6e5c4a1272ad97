"""The paper's test filter (section 2.2): drop long tests, keep up to a number of them at random."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from critique_coder.data.losses import Loss
from critique_coder.data.recipe import FilterSettings
from critique_coder.records import BadInput, Problem, TestCase
from critique_coder.storage import dumps, hash_fraction

_TOKEN = re.compile(r"\w+|[^\w\s]")


CountTokens = Callable[[TestCase], int]


def filtered(problem: Problem, settings: FilterSettings, seed: int, count: CountTokens | None = None) -> Problem | Loss:
    """The problem with the tests that are kept, or why it is lost: none of its tests is short enough.

    ``count`` counts a test's tokens; the built-in way when nothing is given.
    """
    count = count or count_tokens
    tests = [test for test in problem.tests if count(test) <= settings.max_test_tokens]
    if not tests:
        detail = f"all {len(problem.tests)} tests are longer than {settings.max_test_tokens} tokens"
        return Loss(problem.id, "tests_too_long", detail)
    return replace(problem, tests=tuple(_draw(tests, settings.max_tests, seed, problem.id)))


def drawn(ids: Iterable[str], most: int, seed: int) -> set[str]:
    """``most`` of the ids, drawn by a hash of each, so that fewer are a part of more."""
    return {name for _, name in heapq.nsmallest(most, ((hash_fraction(seed, "problem", name), name) for name in ids))}


def count_tokens(test: TestCase) -> int:
    """The length of a test: words, numbers and signs in its JSON form."""
    return len(_TOKEN.findall(dumps(test.to_json())))


def token_counter(tokenizer: str | None) -> CountTokens:
    """What counts a test's tokens: the built-in way, or a tokenizer's; raises BadInput when it cannot be loaded."""
    if not tokenizer:
        return count_tokens
    try:
        loaded = _tokenizer(tokenizer)
    except Exception as error:  # the hub client and the library raise many kinds; all mean the same to the user
        raise BadInput(
            f"filter.tokenizer = {tokenizer!r}: is no tokenizer's folder, and cannot be had from the hub "
            f'({type(error).__name__}); give a folder, or filter.tokenizer="" to count words, numbers and signs'
        ) from None
    return lambda test: len(loaded.encode(dumps(test.to_json()), add_special_tokens=False, verbose=False))


def _tokenizer(name: str) -> Any:
    """What lies here is taken first: where there is no network the hub is asked for most of a minute."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(name, local_files_only=True)
    except OSError:
        return AutoTokenizer.from_pretrained(name)


def _draw(tests: list[TestCase], most: int, seed: int, problem_id: str) -> list[TestCase]:
    if len(tests) <= most:
        return tests
    order = sorted(range(len(tests)), key=lambda n: hash_fraction(seed, "test", problem_id, n))
    return [tests[n] for n in sorted(order[:most])]
