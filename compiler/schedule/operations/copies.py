"""Copies: tensors in other places, other shapes, or with contiguous rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from math import prod

from xdsl.ir import Operation, SSAValue

from softex_mlir.arithmetic import round_up
from softex_mlir.compiler.schedule.fused_form import UnsupportedError, layer_of
from softex_mlir.compiler.schedule.kernels.copies import CopyKernel
from softex_mlir.compiler.schedule.kernels.kernel import ELEMENT_BYTES
from softex_mlir.compiler.schedule.kernels.transposition import TransposeKernel
from softex_mlir.compiler.schedule.operations.boxes import (
    CopyDimension,
    Dimensions,
    dimensions,
    parts,
)
from softex_mlir.compiler.schedule.plan import PARTS
from softex_mlir.compiler.schedule.scheduling import Scheduling
from softex_mlir.compiler.schedule.search.tile_costs import LAUNCH_CYCLES
from softex_mlir.compiler.schedule.views import View, row_major
from softex_mlir.compiler.weight_layout import ALIGNMENT
from softex_mlir.dialects.cluster import GlobalKind

COPY_BYTES = 16384
"""Wanted size of a copy's transfer."""

SLOT_BYTES = 64
"""What slots of tiles are a multiple of."""

MAX_TURNED_ROWS = 64
"""Of a tile; more make its columns no cheaper to store."""


def matrix_of(s: Scheduling, op: Operation, view: View, columns: int = 0) -> View:
    """Rows with contiguous columns, continued with zeros to at least `columns`."""
    found = view.matrix()
    if found is not None and not found.reaches(columns):
        found = None
    if found is None:
        target = s.memory.allocate(view.shape, view.dtype, columns=columns)
        move(s, op, view, target)
        found = target.matrix()
        assert found is not None
    return found


def run_time_position(s: Scheduling, op: Operation, position: SSAValue) -> View:
    """The input that a position is. Every stream reads it when it needs it, without waiting.

    Raises:
        UnsupportedError: it is computed by the program.
    """
    view = s.view(position)
    if view.region.kind is not GlobalKind.INPUT:
        raise UnsupportedError(
            f"{op.name} (layer '{layer_of(op)}'): expected an input of the program as position, "
            "found a value that is computed: give it as an input"
        ).about(layer_of(op), op.name, "give it as an input")
    return view


def copy(s: Scheduling, op: Operation, view: View, shape: Sequence[int]) -> View:
    """The tensor in a region of its own."""
    target = s.memory.allocate(shape, view.dtype)
    move(s, op, view, target)
    return target


def copy_reshaped(s: Scheduling, op: Operation, view: View, shape: Sequence[int]) -> View:
    """A reshape that moves data: at once where the rows of one shape are whole rows of the
    other, else row by row through a region without padding."""
    if s.memory.reshapes(shape, view.dtype, view.shape):
        target = s.memory.allocate(shape, view.dtype)
        written = target.reshaped(view.shape)
        assert written is not None
        move(s, op, view, written)
        return target
    flat = s.memory.add(GlobalKind.ACTIVATION, (1, prod(shape)), view.dtype)
    dense = row_major(flat, (1, prod(shape)))
    as_source = dense.reshaped(view.shape)
    as_result = dense.reshaped(shape)
    assert as_source is not None
    assert as_result is not None
    move(s, op, view, replace(as_source, zero_padded=False))
    if shape[-1] % ALIGNMENT == 0:
        return replace(as_result, zero_padded=True)
    return copy(s, op, replace(as_result, zero_padded=False), shape)


def move(s: Scheduling, op: Operation, source: View, target: View) -> None:
    """Copy tasks for a box of any rank: by the DMA alone, or turned by the cores where rows of one
    side are columns of the other and that is faster."""
    room = min(2 * COPY_BYTES, s.machine.cluster.tcdm_bytes - s.plan.base)
    limit = room // 128 * 64 // ELEMENT_BYTES[source.dtype]

    def kernel(dims: Dimensions) -> CopyKernel:
        return CopyKernel(
            s.machine,
            tuple(dim.extent for dim in dims),
            tuple(dim.source for dim in dims),
            tuple(dim.target for dim in dims),
            source.dtype,
            s.plan.base,
        )

    def cycles(dims: Dimensions) -> int:
        return max(kernel(dims).cycles()) + LAUNCH_CYCLES

    dims = dimensions(source.shape, source.strides, target.strides)
    copies = parts(dims, limit, cycles)
    matrices = _matrices(dims, source, target)
    if matrices and len(matrices) * _turn_cycles(s, *matrices[0], room) < sum(
        cycles(part.dims) for part in copies
    ):
        for rows, turned in matrices:
            turn(s, op, rows, turned, room)
        return
    for part in copies:
        read = _part(source, part.dims, part.source, [dim.source for dim in part.dims])
        written = _part(target, part.dims, part.target, [dim.target for dim in part.dims])
        addresses = {"source": read, "target": written}
        s.tasks.add(op, kernel(part.dims), addresses, reads=[read], writes=[written])


def _part(view: View, dims: Sequence[CopyDimension], first: int, strides: Sequence[int]) -> View:
    """Elements of a view, the first of them so many elements behind its own."""
    shape = tuple(dim.extent for dim in dims)
    offset = view.offset + first
    return replace(view, offset=offset, shape=shape, strides=tuple(strides), zero_padded=False)


def _matrices(dims: Dimensions, source: View, target: View) -> list[tuple[View, View]]:
    """What a copy turns, as rows of the source and where each is a column of the target; nothing
    where it turns no rows, or more matrices than an operation has launches."""
    columns = next((dim for dim in dims if dim.source == 1 and dim.extent > 1), None)
    rows = next((dim for dim in dims if dim.target == 1 and dim.extent > 1), None)
    if columns is None or rows is None or columns is rows or source.dtype != "bf16":
        return []
    if rows.source < columns.extent or columns.target < rows.extent:
        return []
    outer = [dim for dim in dims if dim not in (columns, rows)]
    if prod(dim.extent for dim in outer) > PARTS:
        return []
    matrix = (rows, columns)
    return [
        (
            _part(source, matrix, _place(index, [dim.source for dim in outer]), (rows.source, 1)),
            _part(
                target, matrix, _place(index, [dim.target for dim in outer]), (1, columns.target)
            ),
        )
        for index in product(*(range(dim.extent) for dim in outer))
    ]


def _place(index: Sequence[int], strides: Sequence[int]) -> int:
    return sum(i * stride for i, stride in zip(index, strides, strict=True))


def tiles_of(number: int, most: int) -> list[tuple[int, int, int]]:
    """Tiles of at most so many, as (first, number, size of each): equal ones, and what is left
    where there is no divisor of at least half of it."""
    if (size := divisor(number, most)) > most // 2:
        return [(0, number, size)]
    size = -(-number // -(-number // most))
    rest = number % size
    tiles = [(0, number - rest, size), (number - rest, rest, rest)]
    return tiles if rest else tiles[:1]


def divisor(number: int, most: int) -> int:
    """The largest divisor up to a limit."""
    return next(found for found in range(min(number, most), 0, -1) if number % found == 0)


def turn(s: Scheduling, op: Operation, rows: View, target: View, room: int) -> None:
    """Rows become the columns of a matrix, of which `target` is the transpose: blocks of them, and
    what is left. Tiles take `room` bytes of TCDM."""
    for kernel, first, start in _turns(s, rows, target, room):
        width = kernel.heads * kernel.size
        source = rows.row_range(first, kernel.keys).columns(start, width)
        turned = target.row_range(first, kernel.keys).columns(start, width).permuted((1, 0))
        s.tasks.add(
            op,
            kernel,
            {"source": source, "target": turned, "zeros": s.memory.zeros(kernel.size)},
            reads=[source],
            writes=[turned],
        )


def _turn_cycles(s: Scheduling, rows: View, target: View, room: int) -> int:
    return sum(max(kernel.cycles()) + LAUNCH_CYCLES for kernel, *_ in _turns(s, rows, target, room))


def _turns(
    s: Scheduling, rows: View, target: View, room: int
) -> Iterator[tuple[TransposeKernel, int, int]]:
    """Kernels, and the row and the column that each begins with. Four slots of them fit `room`."""
    count, columns = target.shape
    elements = max(1, room // (4 * SLOT_BYTES)) * (SLOT_BYTES // 2)
    most = min(MAX_TURNED_ROWS, elements)
    block = min(count, round_up(-(-count // -(-count // most)), 2))
    for first, length in ((0, count - count % block), (count - count % block, count % block)):
        if not length:
            continue
        for start, width, size in tiles_of(columns, elements // round_up(block, 2)):
            kernel = TransposeKernel(
                *(s.machine, length, min(block, length), width // size, size, rows.strides[0]),
                out_pitch=target.strides[1],
                offset=s.plan.base,
            )
            yield kernel, first, start
