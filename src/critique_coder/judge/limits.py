"""What one test may use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one test. ``time_s`` is processor time in seconds.

    ``wall_s`` passes on the clock on the wall, less the time that the program was ready to run and got no processor.
    """

    time_s: float = 10.0
    memory_mb: float = 1024
    output_mb: float = 16
    partner_s: float = 0.0
    """Seconds more to wait, for the process that this one waits for was kept from running."""

    def beside(self, starved_s: float) -> Self:
        """With patience for a partner that got no processor for so long: three times that, for it may get less yet."""
        return replace(self, partner_s=3 * starved_s)

    @property
    def patience_s(self) -> float:
        """Seconds until this process counts as stuck, those for its partner included."""
        return min(self.wall_s + self.partner_s, self.longest_s)

    @property
    def wall_s(self) -> float:
        """Seconds until a test that waits counts as stuck: generous, for a busy machine is not the program's fault."""
        return max(3 * self.time_s, self.time_s + 5)

    @property
    def longest_s(self) -> float:
        """Seconds after which a test ends even if it got no processor all the while."""
        return 12 * self.wall_s

    @property
    def memory_bytes(self) -> int:
        """Bytes, from MiB."""
        return int(self.memory_mb * _MIB)

    @property
    def output_bytes(self) -> int:
        """Bytes, from MiB; for stdout, stderr and the returned values each."""
        return int(self.output_mb * _MIB)
