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
    remaining = 0
    for node in graph.nodes:
        remaining |= 1 << node
    degree = {node: neighbours[node].bit_count() for node in graph.nodes}
    stack: list[int] = []
    easy = [n for n in sorted(graph.nodes) if degree[n] < registers[is_float[n]]]
    left = set(graph.nodes)
    while left:
        if easy:
            node = easy.pop()
            if node not in left:
                continue
        else:
            node = min(left, key=lambda n: (costs[n] / (degree[n] + 1), n))
        left.discard(node)
        remaining &= ~(1 << node)
        stack.append(node)
        for other in members(neighbours[node] & remaining):
            degree[other] -= 1
            if degree[other] == registers[is_float[other]] - 1:
                easy.append(other)
    colors = [-1] * len(neighbours)
    spilled: list[int] = []
    for node in reversed(stack):
        taken = 0
        for other in members(neighbours[node]):
            if colors[other] >= 0:
                taken |= 1 << colors[other]
        free = ~taken & (1 << registers[is_float[node]]) - 1
        if free:
            colors[node] = (free & -free).bit_length() - 1
        else:
            spilled.append(node)
    return colors, spilled
