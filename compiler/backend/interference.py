"""Interference graphs and their colouring (Chaitin's, with Briggs' optimistic choice)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


def members(bits: int) -> Iterator[int]:
    """The positions of the ones."""
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


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
    costs: Sequence[float],
) -> tuple[list[int], list[int]]:
    """
    A register index for each node, and the nodes for which none was left.

    `registers` are the numbers of integer and of float registers, `costs` what spilling a node
    costs.
    """
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
            node = min(left, key=lambda n: (costs[n] / (degree[n] + 1), n))
            hard &= ~(1 << node)
        left.discard(node)
        stack.append(node)
        for other in members(neighbours[node] & hard):
            degree[other] -= 1
            if degree[other] == registers[is_float[other]] - 1:
                easy.append(other)
                hard &= ~(1 << other)
    colors = [-1] * len(neighbours)
    spilled: list[int] = []
    # the nodes of each colour, of integers and floats together: they are no neighbours
    colored = [0] * max(registers)
    for node in reversed(stack):
        choices = range(registers[is_float[node]])
        free = next((n for n in choices if not colored[n] & neighbours[node]), None)
        if free is None:
            spilled.append(node)
        else:
            colors[node] = free
            colored[free] |= 1 << node
    return colors, spilled
