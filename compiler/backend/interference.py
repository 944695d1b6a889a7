"""Interference graphs and their colouring (Chaitin's, with Briggs' optimistic choice)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

FEW = 32
"""Ones of a set that are looked for one by one: as arrays, sets take as long as these."""


def members(bits: int) -> list[int]:
    """The positions of the ones, in order."""
    found: list[int] = []
    if bits.bit_count() < FEW:
        while bits:
            low = bits & -bits
            found.append(low.bit_length() - 1)
            bits ^= low
        return found
    packed = np.frombuffer(bits.to_bytes(-(-bits.bit_length() // 8), "little"), np.uint8)
    return np.flatnonzero(np.unpackbits(packed, bitorder="little")).tolist()


def mirrored(sets: Sequence[int]) -> list[int]:
    """Bit sets, each with those that have it: a relation made symmetric."""
    if not sets:
        return []
    count, size = len(sets), -(-len(sets) // 8)
    joined = np.frombuffer(b"".join(bits.to_bytes(size, "little") for bits in sets), np.uint8)
    matrix = np.unpackbits(joined.reshape(count, size), axis=1, count=count, bitorder="little")
    both = np.packbits(matrix | matrix.T, axis=1, bitorder="little").tobytes()
    rows = range(0, count * size, size)
    return [int.from_bytes(both[row : row + size], "little") for row in rows]


@dataclass(eq=False)
class InterferenceGraph:
    """Values and, for each, the bit set of those that must not share its register."""

    neighbours: list[int]
    nodes: set[int]

    def merge(self, a: int, b: int) -> None:
        """Make b part of a."""
        neighbours = self.neighbours
        bit_a, bit_b = 1 << a, 1 << b
        for other in members(neighbours[b]):
            neighbours[other] = neighbours[other] & ~bit_b | bit_a
        neighbours[a] |= neighbours[b]
        neighbours[b] = 0
        self.nodes.discard(b)


def color(
    graph: InterferenceGraph,
    is_float: Sequence[bool],
    registers: tuple[int, int],
    find_costs: Callable[[], Sequence[float]],
) -> tuple[list[int], list[int]]:
    """
    A register index for each node, and the nodes for which none was left.

    `registers` are the numbers of integer and of float registers; `find_costs`, what spilling each
    node costs, is asked where no node has a register to spare.
    """
    costs: Sequence[float] = ()
    neighbours = graph.neighbours
    degree = {node: neighbours[node].bit_count() for node in graph.nodes}
    # nodes with a register to spare stay so: only the others' degrees matter
    hard = sum(1 << node for node, count in degree.items() if count >= registers[is_float[node]])
    stack: list[int] = []
    easy = [n for n in sorted(graph.nodes) if not hard >> n & 1]
    left = set(graph.nodes)
    while left:
        if easy:
            node = easy.pop()
        else:
            costs = costs or find_costs()
            node = min(left, key=lambda n: (costs[n] / (degree[n] + 1), n))
            hard &= ~(1 << node)
        left.discard(node)
        stack.append(node)
        for other in members(neighbours[node] & hard) if hard else ():
            degree[other] -= 1
            if degree[other] == registers[is_float[other]] - 1:
                easy.append(other)
                hard &= ~(1 << other)
    colors = [-1] * len(neighbours)
    spilled: list[int] = []
    # the nodes of each colour, of integers and floats together: they are no neighbours
    colored = [0] * max(registers)
    for node in reversed(stack):
        others = neighbours[node]
        for register in range(registers[is_float[node]]):
            if not colored[register] & others:
                colors[node] = register
                colored[register] |= 1 << node
                break
        else:
            spilled.append(node)
    return colors, spilled
