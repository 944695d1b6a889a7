"""The kernel of a loop nest: any computation of the cores that is written as `linalg.generic`.

The parallel loops are cut into tiles. `dma_out` loads the box of every operand that a tile reads
and stores the boxes it makes; the cores share the tile's elements. The last tile of a loop that
does not divide begins early and computes some elements twice. Reductions that do not fit are cut
along their outermost loop, with the accumulators staying in the TCDM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod

from xdsl.ir import Block, SSAValue

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.schedule.kernels.emitter import COMPUTE, OUT, Index, StreamEmitter
from softex_mlir.compiler.schedule.kernels.kernel import (
    ELEMENT_BYTES,
    Buffer,
    Kernel,
    KernelEmitter,
    Operand,
    Room,
    SlotUse,
    place,
)
from softex_mlir.compiler.schedule.kernels.nest.body import NestBody, body_cycles
from softex_mlir.compiler.schedule.kernels.nest.geometry import NestOperand
from softex_mlir.compiler.schedule.kernels.nest.tiles import NestTiles
from softex_mlir.compiler.schedule.search.costs import DMA_QUEUE_CYCLES, dma_box_cycles

NARROWEST = 64
"""Iterations of the last parallel loop that are worth a transfer of their own."""

STEP_CYCLES = 80
"""Waiting for a tile, meeting at its end, counting it."""


@dataclass(frozen=True)
class NestKernel(Kernel):
    """A loop nest in tiles of `tile` iterations; `text` tells bodies apart."""

    label: str
    tiles: NestTiles
    offset: int
    text: str
    body: Block = field(compare=False, repr=False)

    @property
    def title(self) -> str:
        return f"{self.label}_" + "x".join(map(str, self.tiles.nest.extents))

    def buffers(self) -> tuple[Buffer, ...]:
        rooms: list[Room] = []
        for name, operand in self.tiles.named():
            *outer, inner = self.tiles.box(operand)
            even = 2 if operand.dtype == "bf16" else 1
            shape = (*outer, round_up(inner, even))
            slots = 2 if self.tiles.moves(operand) else 1
            rooms.append(Room(name, shape, slots, operand.dtype))
        return place(self.offset, rooms)

    def operands(self) -> tuple[Operand, ...]:
        return tuple(
            Operand(
                name,
                tuple(axis.size for axis in o.axes),
                o.strides,
                "load" if name.startswith("x") else "store",
                o.dtype,
            )
            for name, o in self.tiles.named()
        )

    def with_tile(self, tile: Sequence[int]) -> NestKernel:
        """The same nest in other tiles."""
        return replace(self, tiles=replace(self.tiles, tile=tuple(tile)))

    def advances(self) -> tuple[int, int, int, int]:
        return (0, 2 * (self.tiles.steps + 1), 0, self.tiles.steps)

    def uses(self) -> list[SlotUse]:
        """TCDM bytes of a launch and when they are free again."""
        return [SlotUse(self.offset, self.end, OUT, self.advances()[1], family="rows")]

    # region Streams

    def emit(self, k: KernelEmitter) -> None:
        self._emit_out(k)
        self._emit_compute(k)

    def _transfer(
        self, k: KernelEmitter, s: StreamEmitter, name: str, operand: NestOperand, step: Index
    ) -> list[SSAValue]:
        """Move a tile's box of an operand, in or out; the tokens not waited for."""
        corner = self.tiles.corner(s, operand, self.tiles.starts(s, step))
        slot = self.tiles.slot(s, name, operand, step)
        sizes = self.tiles.box(operand)
        outer, inner = sizes[:-3], sizes[-3:]
        loads = name.startswith("x")

        def piece(number: Index) -> SSAValue:
            l2, tcdm = list(corner), [slot]
            rest = prod(outer)
            for position, size in enumerate(outer):
                rest //= size
                index = s.mod(s.div(number, rest), size)
                l2[position] = s.add(l2[position], index)
                tcdm.append(index)
            ends = (k.values[name], l2), (k.memory[name], tcdm)
            (source, at), (target, to) = ends if loads else ends[::-1]
            return s.transfer(source, at, target, to, inner)

        if prod(outer) == 1:
            return [piece(0)]
        s.loop(0, prod(outer), lambda number: s.complete(piece(number)))
        return []

    def _emit_out(self, k: KernelEmitter) -> None:
        s = k.stream(OUT)
        inputs = [(f"x{i}", operand) for i, operand in enumerate(self.tiles.nest.inputs)]
        outputs = [(f"y{i}", operand) for i, operand in enumerate(self.tiles.nest.outputs)]

        def load(step: Index, moving: bool = True) -> None:
            tokens: list[SSAValue] = []
            for name, operand in inputs:
                if self.tiles.moves(operand) is moving:
                    tokens += self._transfer(k, s, name, operand, step)
            s.complete(*tokens)

        def store(step: Index) -> None:
            s.wait(COMPUTE, s.add(step, 1))

            def results() -> None:
                tokens: list[SSAValue] = []
                for name, operand in outputs:
                    tokens += self._transfer(k, s, name, operand, step)
                s.complete(*tokens)

            last = self.tiles.passes - 1
            s.when(s.mod(step, self.tiles.passes) if last else 0, "eq", last, results)
            s.advance()

        def both(step: Index) -> None:
            load(step)
            s.advance()
            store(s.add(step, -1))

        load(0, moving=False)
        load(0)
        s.advance()
        s.advance()
        s.loop(1, self.tiles.steps, both)
        s.advance()
        store(self.tiles.steps - 1)

    def _emit_compute(self, k: KernelEmitter) -> None:
        s = k.stream(COMPUTE)
        body = NestBody(self.tiles, self.body, self.team, k, s)

        def step(index: Index) -> None:
            s.wait(OUT, s.add(s.mul(index, 2), 1))
            body.emit(index)
            s.advance()

        s.loop(0, self.tiles.steps, step)

    # endregion

    def cycles(self) -> tuple[int, int, int, int]:
        out = 0
        for name, operand in self.tiles.named():
            *outer, inner = self.tiles.box(operand)
            once = dma_box_cycles(self.machine, inner * ELEMENT_BYTES[operand.dtype], prod(outer))
            times = self.tiles.steps if self.tiles.moves(operand) else 1
            out += once * (times // self.tiles.passes if name.startswith("y") else times)
        steps = self.tiles.steps
        compute = steps * (body_cycles(self.tiles, self.body, self.team) + STEP_CYCLES)
        first = out // steps
        return (0, out, 0, int(compute) + first + DMA_QUEUE_CYCLES)


def fit_nest(kernel: NestKernel, room: int) -> NestKernel | None:
    """The kernel with the largest tiles that fit `room` bytes of TCDM; None if none does.

    Loops are cut from the outermost. The last parallel one, along which memory is contiguous, keeps
    NARROWEST iterations unless nothing else helps.
    """
    nest = kernel.tiles.nest
    whole = nest.extents
    last = nest.parallel - 1
    serial = range(nest.parallel, len(whole))
    cuts = [*((d, 1) for d in range(last)), (last, min(NARROWEST, whole[last]))]
    cuts += [*((d, 1) for d in serial), (last, min(2, whole[last]))]

    def fits(tile: Sequence[int]) -> bool:
        found = kernel.with_tile(tile)
        return found.end - found.offset <= room

    tile = list(whole)
    if fits(tile):
        return _divided(kernel.with_tile(tile), room)
    for d, smallest in cuts:
        most = tile[d]
        tile[d] = smallest
        if not fits(tile):
            continue
        low = smallest
        while low < most:
            tile[d] = (low + most + 1) // 2
            low, most = (tile[d], most) if fits(tile) else (low, tile[d] - 1)
        tile[d] = _even_cut(whole[d], low, nest.reduction[d])
        return _divided(kernel.with_tile(tile), room)
    return None


def _even_cut(extent: int, most: int, exact: bool) -> int:
    """Iterations a tile: equal shares, or a divisor where no iteration may run twice."""
    if exact:
        return next(t for t in range(most, 0, -1) if extent % t == 0)
    count = -(-extent // most)
    return -(-extent // count)


def _divided(kernel: NestKernel, room: int) -> NestKernel:
    """At least two tiles of a large nest, so that transfers hide behind the cores."""
    if kernel.tiles.steps > 1 or sum(b.slot_bytes for b in kernel.buffers()) < 4096:
        return kernel
    for d in range(kernel.tiles.nest.parallel):
        extent = kernel.tiles.nest.extents[d]
        inner = prod(kernel.tiles.nest.extents[d + 1 : kernel.tiles.nest.parallel])
        parts = min(4, extent * inner // (2 * kernel.team), extent)
        if parts >= 2:
            tile = list(kernel.tiles.tile)
            tile[d] = -(-extent // parts)
            found = kernel.with_tile(tile)
            if found.end - found.offset <= room:
                return found
    return kernel
