"""Problems, solutions and critiques that the pictures of the review page show, written for that."""

from __future__ import annotations

from critique_coder.records import Problem, TestCase, TestKind

SPLIT = {"split": "train"}


def _calls(*cases: tuple[list[int], int]) -> tuple[TestCase, ...]:
    return tuple(TestCase(TestKind.CALL, args=(given,), expected=expected) for given, expected in cases)


WIDEST = """\
Given a list of $n$ integers with $0 \\le n \\le 10^5$, return the largest difference between two values that are
neighbours when the list is sorted:

$$\\max_{1 \\le i < n} \\; b_{i+1} - b_i \\qquad \\text{where } b_1 \\le b_2 \\le \\dots \\le b_n.$$

Return `0` for a list with fewer than two values. The list must not be changed.

| call | result |
|---|---|
| `widest_gap([3, 9, 1])` | `6` |
| `widest_gap([7])` | `0` |
"""
ROOMS = """\
A library lets reading rooms by the hour. Each of $m$ bookings says when it begins and when it ends; a room is free
again at the very moment at which a booking ends.

Print how many rooms are needed at the busiest moment.

**Input.** The first line holds $m$ ($0 \\le m \\le 2 \\cdot 10^5$). Each of the next $m$ lines holds two integers
$s < e$ ($0 \\le s, e \\le 10^9$).

**Output.** One integer.
"""
RUNS = """\
Return the length of the longest run of equal values that stand next to each other. Of an empty list it is `0`.

```python
longest_run([4, 4, 1, 1, 1, 4]) == 3
```
"""
_BUSY = "12\n" + "\n".join(f"{9 + n % 5} {12 + n % 7}" for n in range(12)) + "\n"

PROBLEMS = (
    Problem(
        "widest-gap", WIDEST,
        _calls(
            ([3, 9, 1], 6), ([7], 0), ([], 0), ([5, 5, 5], 0), ([-4, 10, 3], 7), ([1, 2, 4, 8], 4),
            ([n * n % 41 for n in range(24)], 6),
        ),
        entry_point="widest_gap", difficulty="easy", metadata=SPLIT, licence="CC0-1.0",
        reference="def widest_gap(values):\n    ordered = sorted(values)\n"
        "    return max((b - a for a, b in zip(ordered, ordered[1:])), default=0)\n",
    ),
    Problem(
        "reading-rooms", ROOMS,
        (
            TestCase(TestKind.STDIO, stdin="2\n9 11\n10 12\n", stdout="2\n"),
            TestCase(TestKind.STDIO, stdin="2\n9 11\n11 12\n", stdout="1\n"),
            TestCase(TestKind.STDIO, stdin="0\n", stdout="0\n"),
            TestCase(TestKind.STDIO, stdin=_BUSY, stdout="8\n"),
        ),
        difficulty="medium", metadata=SPLIT, licence="CC0-1.0",
        reference="import sys\n\nnumbers = list(map(int, sys.stdin.read().split()))[1:]\n"
        "moments = sorted([(s, 1) for s in numbers[::2]] + [(e, -1) for e in numbers[1::2]])\nrooms = most = 0\n"
        "for _, change in moments:\n    rooms += change\n    most = max(most, rooms)\nprint(most)\n",
    ),
    Problem(
        "longest-run", RUNS,
        _calls(([4, 4, 1, 1, 1, 4], 3), ([], 0), ([2], 1), ([1, 2, 3], 1), ([0, 0], 2)),
        entry_point="longest_run", difficulty="easy", metadata=SPLIT, licence="CC0-1.0",
        reference="def longest_run(values):\n    best = run = 0\n    for n, value in enumerate(values):\n"
        "        run = run + 1 if n and value == values[n - 1] else 1\n        best = max(best, run)\n"
        "    return best\n",
    ),
)  # fmt: skip

SOLUTIONS = {
    "widest-gap#0": """\
def widest_gap(values):
    # The widest gap lies between neighbours in order.
    values.sort()
    best = 0
    for left, right in zip(values, values[1:]):
        if right - left > best:
            best = right - left
    return best
""",
    "widest-gap#1": """\
def widest_gap(values):
    ordered = sorted(set(values))
    gaps = [ordered[i + 1] - ordered[i] for i in range(len(ordered) - 1)]
    return max(gaps)
""",
    "reading-rooms#0": """\
import sys


def main():
    numbers = list(map(int, sys.stdin.read().split()))
    count = numbers[0]
    begins = sorted(numbers[1::2])
    ends = sorted(numbers[2::2])
    rooms = most = finished = 0
    for begin in begins:
        while finished < count and ends[finished] < begin:
            finished += 1
            rooms -= 1
        rooms += 1
        most = max(most, rooms)
    print(most)


main()
""",
    "longest-run#0": """\
from itertools import groupby


def longest_run(values):
    return max((len(list(group)) for _, group in groupby(values)), default=0)
""",
    "longest-run#1": """\
def longest_run(values):
    best = run = 1
    for before, value in zip(values, values[1:]):
        run = run + 1 if value == before else 1
        best = max(best, run)
    return best
""",
}

CRITIQUES = {
    "longest-run#1": """\
The loop compares each value with the one before it and keeps the longest run, which is right for `[4, 4, 1, 1, 1, 4]`.

But `best` starts at **1**, and for an empty list the loop never runs:

```python
longest_run([])  # gives 1, the statement asks for 0
```

So the solution is wrong for $n = 0$ only.

\\conclusion{F}
""",
    "widest-gap#1": """\
Sorting and taking the differences of neighbours is the right idea, and `set` only removes gaps of width 0, which can
never be the widest. The solution runs in $O(n \\log n)$.

\\conclusion{T}
""",
}
