"""Small arithmetic that all rooms share."""

from collections.abc import Iterable


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is at least `value`."""
    return -(-value // multiple) * multiple


def covered(ranges: Iterable[tuple[int, int]]) -> int:
    """How many integers lie in at least one of some ranges [start, end)."""
    total, reached = 0, 0
    for start, end in sorted(ranges):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def signed32(value: int) -> int:
    """The value of the low 32 bits as a signed number."""
    return (value + 0x80000000 & 0xFFFFFFFF) - 0x80000000
