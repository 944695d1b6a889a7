"""The kernel of row-wise operations: layer norm, elementwise, activations, softmax, masks.

`dma_out` loads blocks of rows into rings and stores the results; the cores share the rows
of a block. `dma_in` is left alone: it keeps feeding RedMulE meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from xdsl.ir import Operation, SSAValue

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.bodies import (
    GELU_SQUARE,
    RowRef,
    emit_after_softex,
    emit_before_softex,
    emit_fill,
    emit_gelu_finish,
    emit_unary,
)
from softex_mlir.compiler.row_operations.rows import RowOperation, row_operation
from softex_mlir.compiler.schedule.fused_form import BINARY
from softex_mlir.compiler.schedule.kernels.emitter import COMPUTE, OUT, Index, StreamEmitter
from softex_mlir.compiler.schedule.kernels.kernel import (
    Buffer,
    Dtype,
    Kernel,
    KernelEmitter,
    Operand,
    Room,
    SlotUse,
    dtype_of,
    place,
)
from softex_mlir.compiler.schedule.search.costs import (
    DMA_QUEUE_CYCLES,
    SOFTEX_COMMAND_CYCLES,
    core_cycles,
    dma_box_cycles,
    softex_sum_cycles,
    softmax_cycles,
)
from softex_mlir.dialects import transformer as tf
from softex_mlir.dialects.softex import SoftmaxOp
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units.softex_jobs import padded_length

NARROWEST = 64
"""Columns of the narrowest piece of a row."""


@dataclass(frozen=True)
class RowOperand:
    """An operand of a row-wise operation in L2.

    `streamed` operands have a row for every row of the result; the others (gamma, a repeated
    vector) are one row that is loaded once. Pitch in elements.
    """

    columns: int
    pitch: int
    streamed: bool = True
    dtype: Dtype = "bf16"


@dataclass(frozen=True)
class RowsKernel(Kernel):
    """`rows` rows in blocks of `block`; the result has `columns` columns."""

    operation: RowOperation
    rows: int
    columns: int
    block: int
    inputs: tuple[RowOperand, ...]
    out_pitch: int
    offset: int
    out_dtype: Dtype = "bf16"
    third_slot: bool = True
    """Whether a softmax by SoftEx may have a third block in the TCDM."""

    @property
    def title(self) -> str:
        return f"{self.operation.name}_{self.rows}x{self.columns}"

    @property
    def blocks(self) -> int:
        """Blocks of rows, the last may be shorter."""
        return -(-self.rows // self.block)

    @property
    def tail(self) -> int:
        """Rows of the last block."""
        return self.rows - (self.blocks - 1) * self.block

    @property
    def on_softex(self) -> bool:
        """Whether SoftEx does part of the operation."""
        return self.pipelined or self.operation.softmax_on_softex(self.machine)

    @property
    def pipelined(self) -> bool:
        """Whether SoftEx works on a block while the cores finish the one before and begin the next
        (GELU)."""
        return self.operation.sums_on_softex(self.machine)

    @property
    def lag(self) -> int:
        """Blocks that are loaded before the first one is stored."""
        return 2 if self.pipelined or self.both_ways else 1

    @property
    def both_ways(self) -> bool:
        """Whether a block is loaded while another is stored: SoftEx takes less time for a softmax
        than the DMA for both, one after the other."""
        return self.on_softex and not self.pipelined and self.third_slot

    @property
    def slots(self) -> int:
        """Blocks in the TCDM: one is loaded while the others are in the works or stored."""
        return self.lag + 1

    @property
    def width(self) -> int:
        """Columns of a result row in memory; SoftEx needs whole beats."""
        softex = self.machine.softex
        if softex is not None and self.operation.softmax_on_softex(self.machine):
            return padded_length(softex, self.columns)
        columns = round_up(self.columns, 2)
        if self.pipelined and softex is not None and not softex.masked_tail:
            # the published unit drops a job of exactly one beat
            columns += 2 * (self.block * columns == softex.lanes)
        return columns

    def buffers(self) -> tuple[Buffer, ...]:
        rooms: list[Room] = []
        for index, operand in enumerate(self.inputs):
            columns = round_up(operand.columns, 2)
            if index == 0 and operand.dtype == "bf16":
                columns = max(columns, self.width)
            rows, slots = (self.block, self.slots) if operand.streamed else (1, 1)
            rooms.append(Room(f"in{index}", (rows, columns), slots, operand.dtype))
        block = (self.block, self.width)
        if not self.in_place:
            rooms.append(Room("out", block, self.slots, self.out_dtype))
        if self.pipelined:
            rooms.append(Room("q", block, 2))
        return place(self.offset, rooms)

    @property
    def in_place(self) -> bool:
        """Whether the result overwrites the first input."""
        first = self.inputs[0]
        return first.streamed and first.dtype == "bf16"

    def narrowed(self, columns: int) -> RowsKernel:
        """The same operation on rows of other columns."""
        inputs = tuple(replace(operand, columns=columns) for operand in self.inputs)
        return replace(self, columns=columns, inputs=inputs)

    def operands(self) -> tuple[Operand, ...]:
        found: list[Operand] = []
        for index, operand in enumerate(self.inputs):
            shape = (self.rows if operand.streamed else 1, operand.columns)
            found.append(Operand(f"x{index}", shape, (operand.pitch, 1), "load", operand.dtype))
        shape = (self.rows, self.columns)
        found.append(Operand("y", shape, (self.out_pitch, 1), "store", self.out_dtype))
        return tuple(found)

    def advances(self) -> tuple[int, int, int, int]:
        return (0, 2 * (self.blocks + self.lag), 0, self.blocks)

    def uses(self) -> list[SlotUse]:
        """TCDM bytes of a launch and when they are free again."""
        return [SlotUse(self.offset, self.end, OUT, self.advances()[1], family="rows")]

    # region Streams

    def emit(self, k: KernelEmitter) -> None:
        constants = k.sum_constants(self.machine) if self.pipelined else ()
        self._emit_out(k)
        self._emit_compute(k, constants)

    def _emit_out(self, k: KernelEmitter) -> None:
        s = k.stream(OUT)
        result = k.memory["in0" if self.in_place else "out"]

        def load(block: Index, rows: int) -> list[SSAValue]:
            row, slot = s.mul(block, self.block), s.mod(block, self.slots)
            tokens: list[SSAValue] = []
            for index, operand in enumerate(self.inputs):
                if operand.streamed:
                    source, target = k.values[f"x{index}"], k.memory[f"in{index}"]
                    sizes = [rows, operand.columns]
                    tokens.append(s.transfer(source, [row], target, [slot], sizes))
            return tokens

        def store(block: Index, rows: int) -> list[SSAValue]:
            s.wait(COMPUTE, s.add(block, 1))
            row, slot = s.mul(block, self.block), s.mod(block, self.slots)
            sizes = [rows, self.columns]
            return [s.transfer(result, [slot], k.values["y"], [row], sizes)]

        def move(block: Index, loaded: int, stored: int) -> None:
            """Rows to load of a block, and to store of the one `lag` before it."""
            loads = load(block, loaded) if loaded else []
            if not self.both_ways:
                s.complete(*loads)
                s.advance()
            stores = store(s.add(block, -lag), stored) if stored else []
            if self.both_ways:
                s.complete(*loads)
                s.advance()
            s.complete(*stores)
            s.advance()

        def rows(block: int) -> int:
            if not 0 <= block <= last:
                return 0
            return self.tail if block == last else self.block

        once = [
            s.transfer(k.values[f"x{i}"], [], k.memory[f"in{i}"], [0], [1, operand.columns])
            for i, operand in enumerate(self.inputs)
            if not operand.streamed
        ]
        s.complete(*once)

        lag, last = self.lag, self.blocks - 1

        for block in range(lag):
            move(block, rows(block), 0)
        s.loop(lag, last, lambda block: move(block, self.block, self.block))
        for block in range(max(lag, last), self.blocks + lag):
            move(block, rows(block), rows(block - lag))

    def _emit_compute(self, k: KernelEmitter, constants: tuple[SSAValue, ...]) -> None:
        s = k.stream(COMPUTE)

        def softmax(block: Index) -> None:
            # SoftEx reads no rows past the end: they may never have been written
            rows = self.tail if block == self.blocks - 1 else self.block
            self._emit_softmax(k, s, self._loaded(s, block), rows)
            s.advance()

        def step(block: Index) -> None:
            slot = self._loaded(s, block)
            s.parallel(self.block, lambda r: self._emit_row(k, s, slot, r))
            s.advance()

        if self.pipelined:
            self._emit_gelu(k, s, constants)
        elif self.on_softex:
            s.loop(0, self.blocks - 1, softmax)
            softmax(self.blocks - 1)
        else:
            s.loop(0, self.blocks, step)

    def _loaded(self, s: StreamEmitter, block: Index) -> SSAValue:
        """Wait for a block; its slot."""
        s.wait(OUT, s.add(s.mul(block, 2), 1))
        return s.value(s.mod(block, self.slots))

    def _emit_row(self, k: KernelEmitter, s: StreamEmitter, slot: SSAValue, r: SSAValue) -> None:
        """One row on one core."""
        refs = [
            RowRef(k.memory[f"in{i}"], (slot, r) if operand.streamed else (s.value(0),) * 2)
            for i, operand in enumerate(self.inputs)
        ]
        out = refs[0] if self.in_place else RowRef(k.memory["out"], (slot, r))
        self.operation.emit(s.builder, refs, out, self.columns)

    def _emit_softmax(self, k: KernelEmitter, s: StreamEmitter, slot: SSAValue, rows: int) -> None:
        assert self.machine.softex is not None
        x, lanes = k.memory["in0"], self.machine.softex.lanes

        def before(r: SSAValue) -> None:
            if self.width != self.columns:
                padding = RowRef(x, (slot, r), s.value(self.columns))
                emit_fill(s.builder, padding, float("-inf"), self.width - self.columns)
            emit_before_softex(s.builder, RowRef(x, (slot, r)), self.width, lanes)

        def jobs() -> None:
            def row(r: Index) -> None:
                where = [slot, s.value(r)]
                s.insert(SoftmaxOp(x, where, x, where, length=self.width))

            s.loop(0, rows, row)
            s.drain()

        def after(r: SSAValue) -> None:
            emit_after_softex(s.builder, RowRef(x, (slot, r)), self.columns)

        s.parallel(rows, before)
        s.barrier()
        s.leader(jobs)
        s.barrier()
        s.parallel(rows, after)

    def _emit_gelu(
        self, k: KernelEmitter, s: StreamEmitter, constants: tuple[SSAValue, ...]
    ) -> None:
        """Squares of a block, its job, the last step of the block before."""
        assert self.machine.softex is not None
        terms = self.machine.softex.terms
        x, q = k.memory["in0"], k.memory["q"]

        def square(block: Index) -> None:
            slot, half = self._loaded(s, block), s.value(s.mod(block, 2))

            def row(r: SSAValue) -> None:
                value, squared = RowRef(x, (slot, r)), RowRef(q, (half, r))
                emit_unary(s.builder, GELU_SQUARE, value, squared, self.columns)
                if self.width > self.columns:
                    # the job reads all of the block
                    emit_fill(s.builder, squared, 0.0, self.width, self.columns)

            s.parallel(self.block, row)
            s.barrier()

        def start(block: Index) -> None:
            half, length = s.value(s.mod(block, 2)), self.block * self.width
            s.sum_exponentials(q, half, constants, length=length, terms=terms)

        def finish(block: Index) -> None:
            slot, half = s.value(s.mod(block, self.slots)), s.value(s.mod(block, 2))

            def row(r: SSAValue) -> None:
                value, squared = RowRef(x, (slot, r)), RowRef(q, (half, r))
                emit_gelu_finish(s.builder, value, squared, value, self.columns)

            s.barrier()
            s.parallel(self.block, row)
            s.advance()

        def step(block: Index) -> None:
            square(block)

            def next_job() -> None:
                s.drain()
                start(block)

            s.leader(next_job)
            finish(s.add(block, -1))

        square(0)
        s.leader(lambda: start(0))
        s.loop(1, self.blocks, step)

        s.leader(s.drain)
        finish(self.blocks - 1)

    # endregion

    def cycles(self) -> tuple[int, int, int, int]:
        machine, elements = self.machine, self.rows * self.columns
        out = dma_box_cycles(machine, self.columns * 2, self.rows)
        for operand in self.inputs:
            if operand.streamed:
                out += dma_box_cycles(machine, operand.columns * 2, self.rows)
        rounded = -(-self.block // self.team) * self.team / self.block
        compute = core_cycles(machine, self.operation.core_cycles(machine), int(elements * rounded))
        if self.operation.softmax_on_softex(machine):
            compute = softmax_cycles(machine, self.rows, self.columns)
        if self.pipelined:
            job = softex_sum_cycles(machine, self.block * self.columns)
            compute = max(compute, self.blocks * job) + job
        compute += self.blocks * (60 + SOFTEX_COMMAND_CYCLES)
        # the first block's load and the last one's store have nothing to hide behind
        streamed = sum(operand.streamed for operand in self.inputs)
        block = dma_box_cycles(machine, self.columns * 2, self.block)
        compute += block * (streamed + 1) + DMA_QUEUE_CYCLES
        return (0, out, 0, compute)


def one_row(op: Operation, machine: Machine) -> RowsKernel:
    """An operation on rows, one row at a time, its operands lying in rows."""
    operation = row_operation(op)
    values = list(op.operands)
    if isinstance(op, tf.MaskToBiasOp):
        values.reverse()  # the base, which the result overwrites, before the mask
    inputs: list[RowOperand] = []
    for index, value in enumerate(values):
        *rows, columns = tf.shape_of(value) or (1,)
        # a product may become part of the addition behind it
        streamed = index == 0 or type(op) in BINARY or prod(rows) != 1
        inputs.append(RowOperand(columns, 0, streamed, dtype_of(value)))
    result = op.results[0]
    columns, kind = tf.shape_of(result)[-1], dtype_of(result)
    return RowsKernel(machine, operation, 1, columns, 1, tuple(inputs), 0, 0, kind)


def least_bytes(op: Operation, machine: Machine) -> int:
    """TCDM bytes without which an operation on rows has no kernel."""
    kernel = replace(one_row(op, machine), third_slot=False)
    if kernel.operation.whole_rows:
        return kernel.end
    return kernel.narrowed(min(kernel.columns, NARROWEST)).end


def wanted_bytes(op: Operation, machine: Machine, limit: int, rows: int) -> int:
    """TCDM bytes of an operation on blocks of `rows` rows, or of fewer to respect the limit. Rows
    that are longer go piece by piece where they may."""
    kernel = one_row(op, machine)
    if kernel.end > limit:
        kernel = replace(kernel, third_slot=False)
    while rows > 1 and replace(kernel, rows=rows, block=rows).end > limit:
        rows -= 1
    need = replace(kernel, rows=rows, block=rows).end
    return need if kernel.operation.whole_rows else min(need, limit)
