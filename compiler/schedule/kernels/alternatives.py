"""A launch that executes one of several kernels, chosen at run time by a position in L2.

What depends on how many tokens there are, attention to a cache, has kernels for the first numbers
of blocks of keys, and a last one for all numbers from there on: it is told how many there are.
Every stream reads the position when the launch begins and runs its part of the kernel for so many
blocks. Counters end where the kernel with most steps leaves them, so that all later launches wait
for values that are known at compile time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from softex_mlir.compiler.schedule.kernels.copies import POSITION, load_index
from softex_mlir.compiler.schedule.kernels.emitter import OUT, Index, StreamEmitter
from softex_mlir.compiler.schedule.kernels.kernel import (
    Buffer,
    Kernel,
    KernelEmitter,
    Operand,
    SlotUse,
)
from softex_mlir.dialects.cluster import STREAMS, StreamKind
from softex_mlir.isa_sim.machine import Machine


@dataclass(frozen=True)
class Alternatives(Kernel):
    """Kernel number ``(position + queries - 1) / block``, the last one for higher numbers too.

    The kernels' operands of one name begin at the same place; the last kernel that has it has the
    largest.
    """

    kernels: tuple[Kernel, ...]
    queries: int
    """Rows from the position on."""
    block: int

    @property
    def title(self) -> str:
        return f"{self.kernels[-1].title}_at_most"

    def buffers(self) -> tuple[Buffer, ...]:
        return tuple(
            replace(buffer, name=f"{buffer.name}_{number}")
            for number, kernel in enumerate(self.kernels)
            for buffer in kernel.buffers()
        )

    def operands(self) -> tuple[Operand, ...]:
        found = {operand.name: operand for k in self.kernels for operand in k.operands()}
        return (Operand(POSITION, (1,), (1,), "load", "i32"), *found.values())

    def advances(self) -> tuple[int, int, int, int]:
        steps = [kernel.advances() for kernel in self.kernels]
        most = [max(of_stream) for of_stream in zip(*steps, strict=True)]
        return (most[0], most[1], most[2], most[3])

    def uses(self) -> list[SlotUse]:
        """All bytes at once: they are free when the last result is stored, behind all work."""
        uses = [use for kernel in self.kernels for use in kernel.uses()]
        start, end = min(use.start for use in uses), max(use.end for use in uses)
        return [SlotUse(start, end, OUT, self.advances()[1])]

    def emit(self, k: KernelEmitter) -> None:
        streams = [kind for kind, steps in zip(STREAMS, self.advances(), strict=True) if steps]
        opened = {kind: k.stream(kind) for kind in streams}
        chosen = {kind: self._number(k, stream) for kind, stream in opened.items()}
        for number, kernel in enumerate(self.kernels):
            branch = _Branch(k.op, k.values, k.memory, opened, chosen)
            names = [buffer.name for buffer in kernel.buffers()]
            branch.memory = {name: k.memory[f"{name}_{number}"] for name in names}
            self._branch(branch, number, kernel, chosen, list(opened))

    def _branch(
        self,
        branch: _Branch,
        number: int,
        kernel: Kernel,
        chosen: dict[StreamKind, Index],
        left: list[StreamKind],
    ) -> None:
        """Emit a kernel where each stream finds its number: stream by stream the conditions, then
        inside all of them the kernel."""
        if left:
            kind, *rest = left

            def inside() -> None:
                self._branch(branch, number, kernel, chosen, rest)

            last = number == len(self.kernels) - 1
            branch.opened[kind].when(chosen[kind], "sge" if last else "eq", number, inside)
            return
        kernel.emit(branch)
        for kind, done, most in zip(STREAMS, kernel.advances(), self.advances(), strict=True):
            if most > done:
                branch.opened[kind].advance(most - done)

    def _number(self, k: KernelEmitter, s: StreamEmitter) -> Index:
        position = load_index(s, k.values[POSITION], 0)
        return s.div(s.add(position, self.queries - 1), self.block)

    def cycles(self) -> tuple[int, int, int, int]:
        """Those of the largest."""
        return self.kernels[-1].cycles()

    def moved_bytes(self) -> tuple[int, int]:
        return self.kernels[-1].moved_bytes()


@dataclass
class _Branch(KernelEmitter):
    """An emitter whose streams are open already, at a branch of each."""

    opened: dict[StreamKind, StreamEmitter]
    chosen: dict[StreamKind, Index]

    def blocks(self, s: StreamEmitter, most: int) -> Index:
        return s.smaller(s.add(self.chosen[s.kind], 1), most)

    def stream(self, kind: StreamKind) -> StreamEmitter:
        return self.opened[kind]


def alternatives(
    machine: Machine,
    kernel_for: Callable[[int], Kernel],
    each: Iterable[int],
    queries: int,
    block: int,
) -> Alternatives:
    """Kernels for `each` number of keys, all in whole blocks, the last one also for those between
    it and the one before."""
    return Alternatives(machine, tuple(map(kernel_for, each)), queries, block)
