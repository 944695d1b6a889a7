"""Widen innermost elementwise loops over BF16 to the cores' packed instructions (2 x BF16).

A loop `scf.for %j = lower to upper step 1` without loop-carried values, whose accesses to BF16
memory all run along the last dimension with `%j`, becomes a loop over groups of pairs, then the
remaining pairs, then a last odd element. Memory of wider elements is accessed one by one:

- BF16 arithmetic is done on `vector<2xbf16>`, one operation for two elements;
- f32 arithmetic (between `extf` and `truncf`) stays scalar, once for each element; its results are
  packed again, which the backend does in the same instruction as the rounding;
- operations of the same kind are emitted next to each other for all elements of a group, so that
  no instruction waits for the result of the one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from xdsl.builder import Builder
from xdsl.context import Context
from xdsl.dialects import arith, math, memref, scf, vector
from xdsl.dialects.builtin import (
    AnyFloat,
    BFloat16Type,
    IndexType,
    MemRefType,
    ModuleOp,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.rewriter import InsertPoint
from xdsl.transforms.canonicalization_patterns.utils import const_evaluate_operand

from softex_mlir.compiler.bodies.emit import Emitter
from softex_mlir.compiler.nested_operations import operations_of
from softex_mlir.dialects.cluster import GetGlobalOp
from softex_mlir.dialects.memory import static_strides
from softex_mlir.dialects.xpulp_vector import PAIR

PACKED: tuple[type[Operation], ...] = (
    arith.AddfOp,
    arith.SubfOp,
    arith.MulfOp,
    arith.DivfOp,
    arith.MaxnumfOp,
    arith.MinnumfOp,
    arith.NegfOp,
    math.AbsFOp,
    math.CopySignOp,
    math.FmaOp,
)
"""Operations that have a packed BF16 instruction."""

SCALAR: tuple[type[Operation], ...] = (
    arith.ConstantOp,
    arith.ExtFOp,
    arith.TruncFOp,
    arith.BitcastOp,
    arith.AddiOp,
    arith.SubiOp,
    arith.MuliOp,
    arith.DivSIOp,
    arith.RemSIOp,
    arith.AndIOp,
    arith.OrIOp,
    arith.XOrIOp,
    arith.ShLIOp,
    arith.ShRSIOp,
    arith.ShRUIOp,
    arith.MaxSIOp,
    arith.MinSIOp,
    arith.MinUIOp,
    arith.CmpiOp,
    arith.CmpfOp,
    arith.SelectOp,
    arith.MaximumfOp,
    arith.MinimumfOp,
    arith.FPToSIOp,
    arith.FPToUIOp,
    arith.SIToFPOp,
    arith.UIToFPOp,
    arith.ExtUIOp,
    arith.ExtSIOp,
    arith.TruncIOp,
    arith.IndexCastOp,
    GetGlobalOp,
    math.SqrtOp,
    scf.YieldOp,
)
"""Operations that a loop may contain besides, done once for each element."""

FLOAT_REGISTERS, INTEGER_REGISTERS = 28, 12
"""Registers that a group may fill, of the 32 of each kind: addresses are integers too."""

LARGEST_GROUP = 512
"""Operations of a group, which should stay in the instruction cache."""


@dataclass(frozen=True)
class VectorizePackedBf16(ModulePass):
    """Process two BF16 elements an instruction in elementwise loops."""

    name = "vectorize-packed-bf16"

    unroll: int = 8
    """Most pairs in a group; fewer are taken where the float registers would not suffice."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for region in op.regions:
            for block in region.blocks:
                vectorize_block(block, self.unroll)


def vectorize_block(block: Block, unroll: int = 8) -> None:
    """Vectorise all loops nested in a block for which it is possible."""
    loops = operations_of(block, scf.ForOp)
    for loop in loops:
        bounds = _bounds(loop)
        if bounds is not None and bounds[1] - bounds[0] >= 2 and _is_elementwise(loop, bounds):
            _Widening(loop, *bounds, unroll).run()


def _bounds(loop: scf.ForOp) -> tuple[int, int] | None:
    lower, upper, step = (
        const_evaluate_operand(loop.lb),
        const_evaluate_operand(loop.ub),
        const_evaluate_operand(loop.step),
    )
    if lower is None or upper is None or step != 1 or loop.iter_args:
        return None
    return lower, upper


def is_even(value: SSAValue) -> bool:
    """Whether an index is known to be a multiple of 2."""
    constant = const_evaluate_operand(value)
    if constant is not None:
        return constant % 2 == 0
    owner = value.owner
    if isinstance(owner, arith.MuliOp):
        return any(is_even(operand) for operand in owner.operands)
    if isinstance(owner, arith.AddiOp | arith.SubiOp | arith.MinSIOp):
        return all(is_even(operand) for operand in owner.operands)
    if isinstance(owner, Block) and isinstance(loop := owner.parent_op(), scf.ForOp):
        return owner.args[0] is value and is_even(loop.lb) and is_even(loop.step)
    return False


def _is_elementwise(loop: scf.ForOp, bounds: tuple[int, int]) -> bool:
    """Whether every iteration works on its own element, and pairs are aligned."""
    body = loop.body.block
    accesses: list[_Access] = []
    for op in body.ops:
        if op.regions:
            return False
        if isinstance(op, memref.LoadOp | memref.StoreOp):
            access = _access(op, body)
            if access is None:
                return False
            accesses.append(access)
        elif not isinstance(op, (*PACKED, *SCALAR)) or _chooses_narrow(op):
            return False
    stored = [a for a in accesses if a.stores]
    # two elements at once must not change what a later one of them reads
    count = bounds[1] - bounds[0]
    return bool(stored) and not any(s.meets(a, count) for s in stored for a in accesses)


@dataclass(frozen=True)
class _Access:
    """Where a loop reads or writes; `leading` indices are None where only each element tells."""

    stores: bool
    memory: SSAValue
    leading: tuple[SSAValue, ...] | None
    start: SSAValue | None = None

    def meets(self, other: _Access, count: int) -> bool:
        """Whether different ones of `count` iterations may access the same element."""
        if self is other or self.memory is not other.memory:
            return False
        if self.leading is None or other.leading is None:
            return True
        if self.leading != other.leading:
            return False
        (base, start), (other_base, other_start) = (_known_part(a.start) for a in (self, other))
        return base is not other_base or 0 < abs(start - other_start) < count


def _known_part(start: SSAValue | None) -> tuple[SSAValue | None, int]:
    """A column as the sum of one that is known at run time, None for no such, and a number."""
    if start is None:
        return None, 0
    if (value := const_evaluate_operand(start)) is not None:
        return None, value
    if isinstance(start.owner, arith.AddiOp):
        for base, known in (start.owner.operands, reversed(start.owner.operands)):
            if (value := const_evaluate_operand(known)) is not None:
                return base, value
    return start, 0


def _access(op: memref.LoadOp | memref.StoreOp, body: Block) -> _Access | None:
    """What an operation accesses; None if it is BF16 that is not along a row."""
    stores = isinstance(op, memref.StoreOp)
    if not _is_bf16(op.value if isinstance(op, memref.StoreOp) else op.res):
        return _Access(stores, op.memref, None)
    place = _place(op.memref, op.indices, body)
    return None if place is None else _Access(stores, op.memref, *place)


def _chooses_narrow(op: Operation) -> bool:
    """Whether an operation done once for each element compares BF16, or has a BF16 result."""
    if isinstance(op, arith.CmpfOp):
        return _is_bf16(op.lhs)
    chooses = isinstance(op, arith.SelectOp | arith.MaximumfOp | arith.MinimumfOp)
    converts = isinstance(op, arith.SIToFPOp | arith.UIToFPOp)
    return (chooses or converts) and _is_bf16(op.results[0])


def _place(
    memory: SSAValue, indices: Sequence[SSAValue], body: Block
) -> tuple[tuple[SSAValue, ...], SSAValue | None] | None:
    """Leading indices and start column of an access along a row; none when it is not one."""
    type_ = cast("MemRefType[Attribute]", memory.type)
    strides = static_strides(type_)
    if not isinstance(type_.element_type, BFloat16Type) or not strides or strides[-1] != 1:
        return None
    if any(stride % 2 for stride in strides[:-1]):
        return None
    *leading, column = indices
    if any(_inside(index, body) for index in leading):
        return None
    variable = body.args[0]
    if column is variable:
        return tuple(leading), None
    owner = column.owner
    if isinstance(owner, arith.AddiOp) and owner.parent is body:
        for start, moving in (owner.operands, reversed(owner.operands)):
            if moving is variable and not _inside(start, body) and is_even(start):
                return tuple(leading), start
    return None


def _inside(value: SSAValue, body: Block) -> bool:
    owner = value.owner
    return owner is body or (isinstance(owner, Operation) and owner.parent is body)


def _is_bf16(value: SSAValue) -> bool:
    return isinstance(value.type, BFloat16Type)


def _wants_pair(value: SSAValue) -> bool:
    """Whether some user of a BF16 value works on pairs (all but widening do)."""
    return any(not isinstance(use.operation, arith.ExtFOp) for use in value.uses)


@dataclass
class _Group:
    """Values of the pairs that are processed together."""

    pairs: dict[SSAValue, list[SSAValue]] = field(default_factory=dict[SSAValue, list[SSAValue]])
    """BF16 value of the scalar loop to its pairs."""

    lanes: dict[SSAValue, list[SSAValue]] = field(default_factory=dict[SSAValue, list[SSAValue]])
    """Value of the scalar loop to its scalars, two for each pair."""


class _Widening:
    """The rewriting of one loop."""

    def __init__(self, loop: scf.ForOp, lower: int, upper: int, unroll: int):
        self.loop = loop
        self.lower = lower
        self.upper = upper
        self.body = loop.body.block
        self.before = Emitter(Builder(InsertPoint.before(loop)))
        self.splats: dict[SSAValue, SSAValue] = {}
        self.indices: dict[int, SSAValue] = {}
        self._hoist_constants()
        self.unroll = self._unroll(unroll)

    def _hoist_constants(self) -> None:
        for op in self.body.ops:
            if isinstance(op, arith.ConstantOp | GetGlobalOp):
                op.detach()
                self.before.builder.insert(op)

    def _unroll(self, most: int) -> int:
        """Pairs of a group, such that all live values have a register."""
        live: set[SSAValue] = set()
        invariant: set[SSAValue] = set()
        floats, integers = 0, 0
        for op in reversed(list(self.body.ops)):
            live -= set(op.results)
            for operand in op.operands:
                if _inside(operand, self.body):
                    if not isinstance(operand.type, IndexType):
                        live.add(operand)
                elif isinstance(operand.type, AnyFloat):
                    invariant.add(operand)
            narrow = sum(_is_bf16(value) for value in live)
            wide = sum(isinstance(value.type, AnyFloat) for value in live) - narrow
            floats = max(floats, narrow + 2 * wide)
            integers = max(integers, 2 * (len(live) - narrow - wide))
        fitting = (FLOAT_REGISTERS - len(invariant)) // max(floats, 1)
        fitting = min(fitting, INTEGER_REGISTERS // max(integers, 1))
        code = LARGEST_GROUP // (2 * len(self.body.ops))
        return max(1, min(most, fitting, code, (self.upper - self.lower) // 2))

    def run(self) -> None:
        """Replace the loop."""
        start = self.lower
        if start % 2:
            self._scalar(start)
            start += 1
        group = 2 * self.unroll
        grouped = start + (self.upper - start) // group * group
        if grouped - start == group:
            self._group(self.before, lambda k: self._index(start + k), self.unroll)
        else:
            self.before.loop(start, grouped, group, self._loop_body)
        pairs = (self.upper - grouped) // 2
        if pairs:
            self._group(self.before, lambda k: self._index(grouped + k), pairs)
        if (self.upper - grouped) % 2:
            self._scalar(self.upper - 1)
        self.loop.detach()
        self.loop.erase()

    def _loop_body(self, e: Emitter, j: SSAValue, _: tuple[SSAValue, ...]) -> None:
        elements = {0: j}

        def element(k: int) -> SSAValue:
            if k not in elements:
                elements[k] = e.add_index(j, self._index(k))
            return elements[k]

        self._group(e, element, self.unroll)

    def _index(self, value: int) -> SSAValue:
        """A constant before the loop."""
        if value not in self.indices:
            self.indices[value] = self.before.index(value)
        return self.indices[value]

    def _scalar(self, position: int) -> None:
        """One element by itself."""
        mapper: dict[SSAValue, SSAValue] = {self.body.args[0]: self._index(position)}
        for op in self.body.ops:
            if not isinstance(op, scf.YieldOp):
                self.before.builder.insert(op.clone(mapper))

    def _splat(self, value: SSAValue) -> SSAValue:
        """A loop-invariant BF16 value in both halves."""
        if value not in self.splats:
            self.splats[value] = self.before.broadcast(value)
        return self.splats[value]

    def _group(self, e: Emitter, element: Callable[[int], SSAValue], count: int) -> None:
        """Emit the body for ``count`` pairs; ``element(k)`` is the index of the k-th element."""
        group = _Group()

        def lane(value: SSAValue, k: int) -> SSAValue:
            if value is self.body.args[0]:
                return element(k)
            return group.lanes[value][k] if _inside(value, self.body) else value

        def pair(value: SSAValue, u: int) -> SSAValue:
            return group.pairs[value][u] if _inside(value, self.body) else self._splat(value)

        for op in self.body.ops:
            if not isinstance(op, scf.YieldOp):
                self._widen(e, op, count, group, lane, pair)

    def _widen(
        self,
        e: Emitter,
        op: Operation,
        count: int,
        group: _Group,
        lane: Callable[[SSAValue, int], SSAValue],
        pair: Callable[[SSAValue, int], SSAValue],
    ) -> None:
        def scalars() -> list[SSAValue]:
            made: list[SSAValue] = []
            for k in range(2 * count):
                operands = {operand: lane(operand, k) for operand in op.operands}
                made.append(e.insert(op.clone(operands)))
            return made

        if isinstance(op, memref.StoreOp) and not _is_bf16(op.value):
            for k in range(2 * count):
                e.builder.insert(op.clone({operand: lane(operand, k) for operand in op.operands}))
            return
        if isinstance(op, memref.StoreOp):
            for u in range(count):
                indices = [lane(index, 2 * u) for index in op.indices]
                e.builder.insert(vector.StoreOp(pair(op.value, u), op.memref, indices))
            return
        result = op.results[0]
        if isinstance(op, memref.LoadOp) and _is_bf16(result) and _wants_pair(result):
            group.pairs[result] = [
                e.insert(vector.LoadOp(op.memref, [lane(i, 2 * u) for i in op.indices], PAIR))
                for u in range(count)
            ]
        elif isinstance(op, PACKED) and _is_bf16(result):
            group.pairs[result] = [
                _packed(e, op, [pair(operand, u) for operand in op.operands]) for u in range(count)
            ]
        elif isinstance(op, arith.TruncFOp):
            halves = scalars()
            group.pairs[result] = [e.pack(halves[2 * u], halves[2 * u + 1]) for u in range(count)]
        else:
            group.lanes[result] = scalars()
            return
        if any(isinstance(use.operation, arith.ExtFOp) for use in result.uses):
            group.lanes[result] = (
                scalars()
                if isinstance(op, memref.LoadOp)
                else [e.lane(p, k) for p in group.pairs[result] for k in range(2)]
            )


def _packed(e: Emitter, op: Operation, operands: Sequence[SSAValue]) -> SSAValue:
    """The packed form of a BF16 operation."""
    if isinstance(op, math.FmaOp):
        return e.fma(*operands)
    return e.insert(
        type(op).create(operands=operands, result_types=(PAIR,), properties=dict(op.properties))
    )
