"""Choosing the slots and rows of attention kernels, under the TCDM's size."""

from __future__ import annotations

from dataclasses import replace

from softex_mlir.compiler.schedule.kernels.attention.whole_rows import AttentionKernel
from softex_mlir.compiler.schedule.search.costs import (
    TRANSPOSE_CYCLES,
    core_cycles,
    dma_box_cycles,
    softmax_cycles,
)


def attention_candidates(kernel: AttentionKernel, end: int) -> AttentionKernel | None:
    """The cheapest variant of an attention kernel that ends before TCDM offset `end`."""
    machine = kernel.machine
    unit = 8 if machine.redmule is None else machine.redmule.rows
    best: tuple[float, AttentionKernel] | None = None
    tiles = -(-kernel.queries // unit)
    for count in range(1, tiles + 1):
        rows = -(-kernel.queries // count)
        for scores, transposed, values in (
            (3, 2, 2),
            (3, 2, 1),
            (2, 2, 1),
            (3, 1, 1),
            (2, 1, 1),
        ):
            found = replace(
                kernel,
                rows=rows,
                score_slots=scores,
                transposed_slots=transposed,
                value_slots=values,
            )
            if found.end > end or not found.is_computed:
                continue
            cost = float(attention_cycles(found))
            if best is None or cost < best[0]:
                best = (cost, found)
    return None if best is None else best[1]


def attention_cycles(kernel: AttentionKernel) -> int:
    """Predicted cycles of a launch."""
    feed, _, engine, compute = kernel.cycles()
    machine = kernel.machine
    bubbles = 0
    if kernel.transposed_slots == 1:
        keys = dma_box_cycles(machine, kernel.size * 2, kernel.padded)
        transposed = 0 if kernel.turned else kernel.padded * kernel.inner
        turn = core_cycles(machine, TRANSPOSE_CYCLES, transposed)
        bubbles += kernel.heads * (keys + turn)
    if kernel.score_slots == 2:
        bubbles += kernel.items * dma_box_cycles(machine, kernel.padded * 2, kernel.rows)
    if kernel.value_slots == 1 and kernel.blocks == 1:
        bubbles += kernel.heads * dma_box_cycles(machine, kernel.value_size * 2, kernel.padded)
    drain = softmax_cycles(machine, kernel.rows, kernel.padded)
    return max(feed, engine, compute) + bubbles + drain
