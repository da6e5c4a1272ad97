"""Values: their way through tagged JSON, and when two are the same."""

# ruff: noqa: E501 - programs on one line each

from __future__ import annotations

import collections
import json
import math
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from critique_coder.judge.compare_values import Malformed, read, show, values_equal
from critique_coder.judge.inside.values import NotAValue, decode, encode
from critique_coder.records import Checker, CheckerName

EXACT, FLOAT = Checker(CheckerName.EXACT), Checker(CheckerName.FLOAT, 1e-6, 1e-6)

hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
values = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.sets(hashable, max_size=4)
        | st.dictionaries(hashable, inner, max_size=4)
    ),
    max_leaves=12,
)


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(encode(value)))


def same(expected: Any, got: Any, checker: Checker | None = None) -> bool:
    return values_equal(read(through_json(expected)), read(through_json(got)), checker)


def exactly(value: Any) -> Any:
    """The value with its types spelled out, for ``==`` alone does not see them."""
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [exactly(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, sorted(repr(exactly(item)) for item in value)
    if isinstance(value, dict):
        return "dict", sorted((repr(exactly(key)), repr(exactly(item))) for key, item in value.items())
    return type(value).__name__, repr(value)


@given(values)
def test_round_trip_keeps_value_and_type(value: Any) -> None:
    assert exactly(decode(through_json(value))) == exactly(value)


@given(values, st.sampled_from([None, EXACT, FLOAT]))
def test_everything_equals_itself(value: Any, checker: Checker | None) -> None:
    assert same(value, value, checker)


@given(values, values)
def test_symmetric_and_never_more_than_python(first: Any, second: Any) -> None:
    assert same(first, second) == same(second, first)
    if same(first, second, EXACT):
        assert first == second


@given(st.lists(st.integers(), min_size=1), st.integers(min_value=0), st.integers().filter(bool))
def test_one_changed_item_is_seen(items: list[int], place: int, change: int) -> None:
    other = list(items)
    other[place % len(other)] += change
    assert not same(items, other) and not same(items, items[:-1]) and not same(items, [*items, 0])


TABLE: list[tuple[Any, Any, Checker | None, bool]] = [
    (1, True, None, False),
    (0, False, None, False),
    (1, 1.0, None, True),
    (1, "1", None, False),
    ("a", b"a", None, False),
    (None, 0, None, False),
    (None, False, None, False),
    ([], None, None, False),
    ([1, 2], (1, 2), None, True),
    ([1, 2], (1, 2), EXACT, False),
    ([1, [2]], (1, (2,)), None, True),
    ([1, 2], {1, 2}, None, False),
    ([3, 1], [1, 3], None, False),
    ({1, 2}, frozenset({1, 2}), None, True),
    ({1, 2}, frozenset({1, 2}), EXACT, False),
    ({1, 2}, {1, 2, 3}, None, False),
    ({1}, {True}, None, False),
    ({(1, 2)}, {(1, 2.0)}, None, True),
    ({"a": 1}, {"a": 1}, None, True),
    ({1: "a"}, {"1": "a"}, None, False),
    ({1: "a"}, {True: "a"}, None, False),
    ({1: "a"}, {1.0: "a"}, None, True),
    ({"a": [1]}, collections.OrderedDict(a=(1,)), None, True),
    ({"a": 2}, collections.Counter("aa"), None, True),
    ({"$tuple": 1}, {"$tuple": 1}, None, True),
    (math.nan, math.nan, None, True),
    (math.nan, 1.0, None, False),
    (math.inf, math.inf, None, True),
    (math.inf, -math.inf, None, False),
    (10**400, 10**400, None, True),
    (10**400, 10**400 + 1, None, False),
    (2**53 + 1, float(2**53), None, False),
    (0.1 + 0.2, 0.3, None, False),
    (0.1 + 0.2, 0.3, FLOAT, True),
    ([{"x": 1.0}], [{"x": 1.0000001}], FLOAT, True),
    ([{"x": 1.0}], [{"x": 1.01}], FLOAT, False),
    ({1.0, 2.0}, {1.0000001, 2.0}, FLOAT, True),
    (10**400, 10**400 + 1, FLOAT, True),
    (1, True, FLOAT, False),
    (math.inf, 1e308, FLOAT, False),
    (1 + 2j, 1 + 2j, None, True),
    (1 + 0j, 1, None, False),
    ("a b", "a  b", Checker(CheckerName.TOKENS), True),
    ("a b", "a  b", None, False),
    ("", [], None, False),
]


@pytest.mark.parametrize(("expected", "got", "checker", "is_same"), TABLE)
def test_table(expected: Any, got: Any, checker: Checker | None, is_same: bool) -> None:
    assert same(expected, got, checker) is is_same


class _Int(int):
    pass


class _Pretender:
    __class__ = int  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "value",
    [_Int(3), _Pretender(), (n for n in [1]), object(), int, range(3), iter([]), [_Int(1)], {_Int(1): 2}],
    ids=lambda value: type(value).__name__,
)
def test_not_a_value(value: object) -> None:
    with pytest.raises(NotAValue):
        encode(value)


NUMPY = [
    (numpy.int64(3), 3), (numpy.uint8(3), 3), (numpy.float64(0.5), 0.5), (numpy.float32(0.5), 0.5),
    (numpy.bool_(True), True), (numpy.str_("a"), "a"), (numpy.complex128(1 + 2j), 1 + 2j),
    (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]), (numpy.array(5), 5), ([numpy.int64(1), {"a": numpy.float64(2)}], [1, {"a": 2.0}]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "plain"), NUMPY, ids=[repr(value) for value, _ in NUMPY])
def test_values_of_numpy_count_as_the_values_of_python_that_they_hold(value: Any, plain: Any) -> None:
    assert encode(value) == encode(plain) and same(plain, value)


def test_numpys_truth_is_no_number_and_an_object_array_holds_no_objects() -> None:
    assert not same(1, numpy.bool_(True)) and not same(True, numpy.int64(1))
    with pytest.raises(NotAValue):
        encode(numpy.array([object()], dtype=object))


def test_endless_nesting_is_not_a_value() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(NotAValue):
        encode(loop)


@pytest.mark.parametrize(
    "forged",
    [{"$set": 3}, {"$dict": [1]}, {"$dict": 5}, {"$complex": [1]}, {"$float": "x"}, {"$int": 3}, {"$bytes": "?"}, {"$nothing": 1},
     {"$complex": [{"$int": "0x" + "f" * 5000}, 0]}],
)  # fmt: skip
def test_forged_json_is_malformed(forged: object) -> None:
    with pytest.raises(Malformed):
        read(forged)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["$tuple", "$set", "$dict", "$bytes", "$complex", "$int", "$float"]), inner, max_size=1
        )
    ),
    max_leaves=10,
)


@given(ANY_JSON)
def test_whatever_comes_is_a_value_or_malformed(forged: Any) -> None:
    try:
        got = read(forged)
    except Malformed:
        return
    assert values_equal(got, got, FLOAT) and len(show(got)) <= 200


@given(values)
def test_show_is_short(value: Any) -> None:
    assert len(show(read(through_json(value)))) <= 200


def test_show_reads_like_python() -> None:
    assert show(read({"$tuple": [1, {"$set": [2]}, {"a": [None]}]})) == "(1, {2}, {'a': [None]})"
