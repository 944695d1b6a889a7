"""What the cores do with a tile of a loop nest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from xdsl.dialects import arith, math, memref
from xdsl.dialects.builtin import BFloat16Type, Float32Type, IndexType, IntegerType, i32
from xdsl.dialects.linalg import ops as linalg_ops
from xdsl.ir import Attribute, Block, Operation, SSAValue

from softex_mlir.compiler.bodies.emit import Emitter, RowRef
from softex_mlir.compiler.bodies.normalisation import row_maximum
from softex_mlir.compiler.schedule.kernels.emitter import Index, StreamEmitter
from softex_mlir.compiler.schedule.kernels.kernel import KernelEmitter
from softex_mlir.compiler.schedule.kernels.nest.tiles import NestTiles

UNROLL = 4
"""Neighbouring results computed at once, so that no instruction waits for the one before it."""

SMALLEST_SHARE = 16
"""Iterations that are worth dealing out by themselves."""


@dataclass(frozen=True)
class Share:
    """How the elements of a tile are dealt out: `rows` rows, each in `pieces` of `length` elements
    and a shorter one of `rest`."""

    rows: int
    pieces: int
    length: int
    rest: int


def share_of(tiles: NestTiles, team: int) -> Share:
    """Rows are the parallel loops but the last, which is cut where that shares out more evenly."""
    *outer, last = tiles.tile[: tiles.nest.parallel]
    rows = prod(outer)
    serial = prod(tiles.tile[tiles.nest.parallel :])
    smallest = max(1, SMALLEST_SHARE // serial)

    def share(wanted: int) -> Share:
        length = -(-last // max(1, min(wanted, last // smallest)))
        if length < last and length % 2 and not tiles.nest.reduces:
            length += 1
        return Share(rows, last // length, length, last % length)

    def busiest(share: Share) -> int:
        """Iterations of the core with most of them; beginning a piece is worth some."""
        pieces = share.rows * (share.pieces + (share.rest > 0))
        return -(-pieces // team) * (share.length + smallest)

    return min((share(wanted) for wanted in range(1, team + 1)), key=busiest)


class NestBody:
    """Emits the compute stream of a tiled loop nest."""

    def __init__(
        self, tiles: NestTiles, body: Block, team: int, k: KernelEmitter, s: StreamEmitter
    ):
        self.tiles = tiles
        self.nest = tiles.nest
        self.body = body
        self.k = k
        self.s = s
        self.share = share_of(tiles, team)
        self.along = tiles.nest.parallel - 1
        self.bounds = _bounds(body, len(tiles.nest.inputs)) if tiles.nest.reduces else {}
        self.constants: dict[SSAValue, SSAValue] = {}
        for op in body.ops:
            if isinstance(op, arith.ConstantOp):
                copy = op.clone()
                s.insert(copy)
                self.constants[op.result] = copy.result

    def emit(self, step: Index) -> None:
        """One tile."""
        s = self.s
        starts = self.tiles.starts(s, step)
        named = self.tiles.named()
        slots = [self.tiles.slot(s, name, operand, step) for name, operand in named]
        if self.tiles.passes > 1:
            first = s.mod(step, self.tiles.passes)
            s.when(first, "eq", 0, lambda: self._deal(starts, slots, clear=True))
        self._deal(starts, slots, clear=False)

    def _deal(self, starts: Sequence[Index], slots: Sequence[Index], *, clear: bool) -> None:
        """Deal out the pieces of all rows."""
        share, s = self.share, self.s

        def piece(row: Index, begin: Index, length: int) -> None:
            local: list[Index] = []
            rest = share.rows
            for size in self.tiles.tile[: self.along]:
                rest //= size
                local.append(s.mod(s.div(row, rest), size))
            _Item(self, starts, slots, local, begin, length).emit(clear=clear)

        pieces = share.pieces + (share.rest > 0)

        def item(number: SSAValue) -> None:
            row, position = s.div(number, pieces), s.mod(number, pieces)
            begin = s.mul(position, share.length)
            if not share.rest:
                piece(row, begin, share.length)
                return
            whole = share.pieces
            s.when(position, "slt", whole, lambda: piece(row, begin, share.length))
            s.when(position, "eq", whole, lambda: piece(row, whole * share.length, share.rest))

        s.parallel(share.rows * pieces, item)


class _Item:
    """One core's piece of a row."""

    def __init__(
        self,
        owner: NestBody,
        starts: Sequence[Index],
        slots: Sequence[Index],
        local: Sequence[Index],
        begin: Index,
        length: int,
    ):
        self.length = length
        self.owner = owner
        self.tiles = owner.tiles
        self.nest = owner.nest
        self.along = owner.along
        self.s = owner.s
        self.starts = starts
        self.slots = slots
        self.local = local
        self.begin = begin
        self.block = owner.body
        self.named = owner.tiles.named()
        self.inputs = self.named[: len(self.nest.inputs)]
        self.outputs = self.named[len(self.nest.inputs) :]
        e = Emitter(owner.s.builder)
        self.corners = [self._corner(e, position) for position in range(len(self.named))]

    def emit(self, *, clear: bool) -> None:
        e = Emitter(self.s.builder)
        length = self.length
        if clear:
            values = [self._start(e, i) for i in range(len(self.outputs))]
            e.loop(0, length, 1, lambda e, j, _: self._store(e, [j], [values]))
        elif self._finds_largest_of_rows():
            e.loop(0, length, 1, lambda e, j, _: self._largest(e, j))
        elif self.nest.reduces:
            self._grouped(e, length, self._reduce)
        elif self._packed():
            fixed = self._invariant(e)
            e.loop(0, length, 1, lambda e, j, _: self._element(e, [j], fixed))
        else:
            fixed = self._invariant(e)
            self._grouped(e, length, lambda e, js: self._element(e, js, fixed))

    def _grouped(
        self, e: Emitter, length: int, group: Callable[[Emitter, list[SSAValue]], None]
    ) -> None:
        """The piece in groups of UNROLL elements, and the rest."""

        def body(e: Emitter, j: SSAValue, _: tuple[SSAValue, ...]) -> None:
            group(e, [e.add_index(j, u) for u in range(UNROLL)])

        whole = length // UNROLL * UNROLL
        e.loop(0, whole, UNROLL, body)
        if length > whole:
            group(e, [self.s.value(j) for j in range(whole, length)])

    # region Indices

    def _corner(self, e: Emitter, position: int) -> list[SSAValue]:
        """Indices of the operand's element at the beginning of the piece, reductions at 0."""
        _, operand = self.named[position]
        indices = [self.s.value(self.slots[position])]
        for axis in operand.axes:
            low = sum(
                f * (t - 1) for f, t in zip(axis.factors, self.tiles.tile, strict=True) if f < 0
            )
            constant, total = -low, None
            for factor, index in zip(axis.factors, (*self.local, self.begin), strict=False):
                if isinstance(index, int):
                    constant += factor * index
                elif factor:
                    total = _plus(e, total, self._scaled(e, index, factor))
            if constant or total is None:
                total = _plus(e, total, self.s.value(constant))
            indices.append(total)
        return indices

    def _place(
        self, e: Emitter, position: int, j: SSAValue | None, reductions: Sequence[SSAValue]
    ) -> tuple[SSAValue, tuple[SSAValue, ...]]:
        """The memory and indices of an operand's element."""
        name, operand = self.named[position]
        indices = list(self.corners[position])
        for number, axis in enumerate(operand.axes, 1):
            serial = axis.factors[self.nest.parallel :]
            moving = [(f, index) for f, index in zip(serial, reductions, strict=False) if f]
            if j is not None and axis.factors[self.along]:
                moving.append((axis.factors[self.along], j))
            for factor, index in moving:
                indices[number] = e.add_index(indices[number], self._scaled(e, index, factor))
        return self.owner.k.memory[name], tuple(indices)

    def _scaled(self, e: Emitter, index: SSAValue, factor: int) -> SSAValue:
        return index if factor == 1 else e.insert(arith.MuliOp(index, self.s.value(factor)))

    def _loop_index(
        self, e: Emitter, loop: int, j: SSAValue, reductions: Sequence[SSAValue]
    ) -> SSAValue:
        """The number of the iteration of a loop of the nest."""
        start = self.s.value(self.starts[loop])
        if loop >= self.nest.parallel:
            return e.add_index(start, reductions[loop - self.nest.parallel])
        if loop == self.along:
            return e.add_index(e.add_index(start, self.s.value(self.begin)), j)
        return e.add_index(start, self.s.value(self.local[loop]))

    # endregion
    # region Elements

    def _packed(self) -> bool:
        """Whether `vectorize-packed-bf16` will widen the loop over the piece."""
        for _, operand in self.named:
            if operand.dtype != "bf16":
                continue
            moved = [axis for axis in operand.axes if axis.factors[self.along]]
            if moved and (moved != [operand.axes[-1]] or moved[0].factors[self.along] != 1):
                return False
        return True

    def _invariant(self, e: Emitter) -> dict[int, SSAValue]:
        """Operands that are the same for the whole piece."""
        found: dict[int, SSAValue] = {}
        for position, (_, operand) in enumerate(self.inputs):
            if not any(axis.factors[self.along] for axis in operand.axes):
                found[position] = self._load(e, position, None, ())
        return found

    def _load(
        self, e: Emitter, position: int, j: SSAValue | None, reductions: Sequence[SSAValue]
    ) -> SSAValue:
        memory, indices = self._place(e, position, j, reductions)
        value = e.insert(memref.LoadOp.get(memory, indices))
        wanted = self.block.args[position].type
        if wanted == IntegerType(1):
            return e.insert(arith.TruncIOp(value, IntegerType(1)))
        return value

    def _store(
        self, e: Emitter, js: Sequence[SSAValue], values: Sequence[Sequence[SSAValue]]
    ) -> None:
        for j, results in zip(js, values, strict=True):
            for number, value in enumerate(results):
                memory, indices = self._place(e, len(self.inputs) + number, j, ())
                if value.type == IntegerType(1):
                    value = e.insert(arith.ExtUIOp(value, i32))
                e.builder.insert(memref.StoreOp.get(value, memory, indices))

    @property
    def _serial(self) -> int:
        return len(self.nest.extents) - self.nest.parallel

    def _element(self, e: Emitter, js: Sequence[SSAValue], fixed: dict[int, SSAValue]) -> None:
        loaded = [
            [fixed[p] for _ in js] if p in fixed else [self._load(e, p, j, ()) for j in js]
            for p in range(len(self.inputs))
        ]
        unused = (
            [[self._start(e, i)] * len(js) for i in range(len(self.outputs))]
            if self._reads_outputs()
            else []
        )
        self._store(e, js, self._run(e, js, [*loaded, *unused], ()))

    def _reads_outputs(self) -> bool:
        return any(argument.uses for argument in self.block.args[len(self.inputs) :])

    def _start(self, e: Emitter, number: int) -> SSAValue:
        """The start value of an accumulator."""
        kind = self.block.args[len(self.inputs) + number].type
        value = self.tiles.initial[number] if self.tiles.initial else 0
        return _constant(e, value, kind)

    def _reduce(self, e: Emitter, js: list[SSAValue]) -> None:
        """Some neighbouring results, over all iterations of the reduction loops."""
        count = len(self.outputs)
        if self.tiles.passes > 1:
            starts = [self._load(e, len(self.inputs) + i, j, ()) for i in range(count) for j in js]
        else:
            starts = [self._start(e, i) for i in range(count) for _ in js]
        # a bound is cheap if it may lose NaN, which a second accumulator keeps in mind
        ordered = [
            _same(e, value) for i in self.owner.bounds for value in _part(starts, i, len(js))
        ]
        results = self._serial_loops(e, js, [*starts, *ordered], [])
        split = [_part(results, i, len(js)) for i in range(count)]
        nan = e.number(float("nan")) if self.owner.bounds else None
        for number, i in enumerate(self.owner.bounds, count):
            assert nan is not None
            flags = _part(results, number, len(js))
            split[i] = [
                e.insert(arith.SelectOp(flag, value, nan))
                for flag, value in zip(flags, split[i], strict=True)
            ]
        self._store(e, js, list(zip(*split, strict=True)))

    def _finds_largest_of_rows(self) -> bool:
        """Whether the nest is the largest element of each row, which pairs of elements find."""
        inputs = [operand for _, operand in self.inputs]
        bound = self.owner.bounds.get(0)
        if bound is None or len(self.block.ops) != 3 or self._serial != 1 or len(inputs) != 1:
            return False
        widened = bound.value.owner
        if not isinstance(widened, arith.ExtFOp) or bound.losing_nan is not arith.MaxnumfOp:
            return False
        *outer, last = inputs[0].axes
        along = [int(d == self.nest.parallel) for d in range(len(self.nest.extents))]
        apart = not any(axis.factors[self.nest.parallel] for axis in outer)
        return inputs[0].dtype == "bf16" and apart and list(last.factors) == along

    def _largest(self, e: Emitter, j: SSAValue) -> None:
        """The largest element of a row. NaN, or infinities of both signs, take the slower way."""
        memory, (*leading, column) = self._place(e, 0, j, (self.s.value(0),))
        row = RowRef(memory, tuple(leading), column)
        top, trace = row_maximum(e, row, self.tiles.tile[-1], e.number(0.0))

        def store(e: Emitter) -> None:
            start = self._load(e, 1, j, ()) if self.tiles.passes > 1 else self._start(e, 0)
            self._store(e, [j], [[e.insert(arith.MaximumfOp(start, e.widen(top)))]])

        e.if_else(_same(e, trace), store, lambda e: self._reduce(e, [j]))

    def _serial_loops(
        self,
        e: Emitter,
        js: list[SSAValue],
        sums: Sequence[SSAValue],
        reductions: list[SSAValue],
    ) -> Sequence[SSAValue]:
        """The reduction loops from the outermost not yet open one."""
        depth = len(reductions)
        if depth == self._serial:
            loaded = [
                [self._load(e, p, j, reductions) for j in js] for p in range(len(self.inputs))
            ]
            width, count = len(js), len(self.outputs)
            grouped = [_part(sums, i, width) for i in range(count)]
            values = self._run(e, js, [*loaded, *grouped], reductions)
            following = [values[u][i] for i in range(count) for u in range(width)]
            flags = sums[count * width :]
            compared = range(count, count + len(self.owner.bounds))
            same = [_same(e, values[u][i]) for i in compared for u in range(width)]
            following += [
                e.insert(arith.AndIOp(flag, found)) for flag, found in zip(flags, same, strict=True)
            ]
            return following
        size = self.tiles.tile[self.nest.parallel + depth]

        def body(e: Emitter, index: SSAValue, inner: tuple[SSAValue, ...]) -> Sequence[SSAValue]:
            return self._serial_loops(e, js, inner, [*reductions, index])

        return e.loop(0, size, 1, body, sums)

    def _run(
        self,
        e: Emitter,
        js: Sequence[SSAValue],
        arguments: Sequence[Sequence[SSAValue]],
        reductions: Sequence[SSAValue],
    ) -> list[list[SSAValue]]:
        """The body for some elements side by side; their results, element by element.

        Behind the results of an accumulation there is what `bounds` compares with.
        """
        bounds = self.owner.bounds
        compared = {bound.op: bound for bound in bounds.values()}
        maps: list[dict[SSAValue, SSAValue]] = [dict(self.owner.constants) for _ in js]
        for argument, values in zip(self.block.args, arguments, strict=False):
            for mapper, value in zip(maps, values, strict=True):
                mapper[argument] = value
        for op in self.block.ops:
            if isinstance(op, linalg_ops.YieldOp):
                wanted = [*op.operands, *(bound.value for bound in bounds.values())]
                return [[mapper[value] for value in wanted] for mapper in maps]
            if isinstance(op, arith.ConstantOp):
                continue
            for mapper, j in zip(maps, js, strict=True):
                if isinstance(op, linalg_ops.IndexOp):
                    loop = op.dim.value.data
                    mapper[op.result] = self._loop_index(e, loop, j, reductions)
                elif (bound := compared.get(op)) is not None:
                    lhs, rhs = (mapper[operand] for operand in op.operands)
                    mapper[op.results[0]] = e.insert(bound.losing_nan(lhs, rhs))
                else:
                    e.builder.insert(op.clone(mapper))
        raise AssertionError("a body ends with linalg.yield")

    # endregion


@dataclass(frozen=True)
class _Bound:
    """The operation that compares an accumulator with a value."""

    op: Operation
    value: SSAValue
    losing_nan: type[arith.MaxnumfOp | arith.MinnumfOp]


def _bounds(body: Block, inputs: int) -> dict[int, _Bound]:
    """The largest or smallest values that a body accumulates, by the number of the result."""
    found: dict[int, _Bound] = {}
    last = body.last_op
    assert last is not None
    for number, result in enumerate(last.operands):
        op, accumulator = result.owner, body.args[inputs + number]
        if not isinstance(op, arith.MaximumfOp | arith.MinimumfOp):
            continue
        others = [value for value in op.operands if value is not accumulator]
        if len(others) == 1 and len(tuple(accumulator.uses)) == len(tuple(op.result.uses)) == 1:
            losing = arith.MaxnumfOp if isinstance(op, arith.MaximumfOp) else arith.MinnumfOp
            found[number] = _Bound(op, others[0], losing)
    return found


def _same(e: Emitter, value: SSAValue) -> SSAValue:
    """Whether a number is none that differs from itself."""
    return e.insert(arith.CmpfOp(value, value, "oeq"))


def _part(values: Sequence[SSAValue], number: int, width: int) -> list[SSAValue]:
    return list(values[number * width : (number + 1) * width])


def _plus(e: Emitter, a: SSAValue | None, b: SSAValue) -> SSAValue:
    return b if a is None else e.add_index(a, b)


def _constant(e: Emitter, value: float | int, kind: Attribute) -> SSAValue:
    if isinstance(kind, Float32Type | BFloat16Type):
        return e.number(float(value), kind)
    if kind == IntegerType(1):
        return e.insert(arith.ConstantOp.from_int_and_width(int(value) & 1, 1))
    if isinstance(kind, IndexType):
        return e.index(int(value))
    return e.integer(int(value) & 0xFFFFFFFF)


SLOW: dict[type[Operation], float] = {
    arith.DivfOp: 15.0,
    math.SqrtOp: 15.0,
    arith.DivSIOp: 20.0,
    arith.RemSIOp: 20.0,
    arith.SelectOp: 4.0,
    arith.MaximumfOp: 8.0,
    arith.MinimumfOp: 8.0,
}
"""Cycles of operations that take more than one."""


def _cost(op: Operation) -> float:
    if isinstance(op, arith.ConstantOp | linalg_ops.YieldOp):
        return 0.0
    return SLOW.get(type(op), 1.0)


def body_cycles(tiles: NestTiles, body: Block, team: int) -> float:
    """Predicted cycles of the cores for one tile."""
    share = share_of(tiles, team)
    serial = prod(tiles.tile[tiles.nest.parallel :])
    operations = sum(_cost(op) for op in body.ops)
    memory = 1.5 * len(tiles.nest.inputs)
    element = serial * (operations + memory) + 2.0 * len(tiles.nest.outputs)
    items = -(-share.rows * share.pieces // team)
    rests = -(-share.rows // team) if share.rest else 0
    return items * (share.length * element + 30.0) + rests * (share.rest * element + 30.0)
