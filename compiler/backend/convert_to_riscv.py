"""
Lowering of functions on `scf`, `arith`, `math`, `memref`, `vector` and register-level commands to `riscv`,
`riscv_cf` and `xpulp`: a control-flow graph of blocks whose values are registers not yet chosen.

Loops with a trip count known before they start and nothing but straight-line code inside become hardware loops,
two levels deep. In innermost loops addresses that advance with the loop become pointers, which integer accesses
advance themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from softex_mlir.compiler.backend.emitter import (
    FLOAT,
    INT,
    Emitter,
    Linear,
    ScopeKind,
    fits_imm12,
    signed32,
)
from softex_mlir.compiler.backend.select_arith import (
    BINARY,
    INT_BINARY,
    INT_PREDICATES,
    SAME_OPERAND,
    ArithmeticSelector,
    UnsupportedOperation,
    float_class,
    is_float,
    width_of,
)
from softex_mlir.dialects import xpulp
from softex_mlir.dialects.memory import element_bytes, static_strides
from xdsl.context import Context
from xdsl.dialects import arith, func, riscv, riscv_cf, riscv_func, rv32, scf
from xdsl.dialects.builtin import (
    BFloat16Type,
    IntegerAttr,
    MemRefType,
    ModuleOp,
    UnitAttr,
)
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass

MHARTID = 0xF14

STRAIGHT_LINE_MAXIMUM = 1000
"""Operations in the body of a hardware loop: its length is encoded in 12 bits of words."""


@dataclass
class Pointer:
    """A register that walks through memory with an innermost loop."""

    start: int
    argument: SSAValue
    stride: int
    accesses: list[tuple[int, Operation]] = field(
        default_factory=lambda: list[tuple[int, Operation]]()
    )
    """Offset from the register, and the access, in program order."""


@dataclass
class LoopFrame:
    """A loop being lowered."""

    block: Block
    induction: SSAValue
    lower: Linear
    depth: int
    innermost: bool
    initial: list[SSAValue]
    pointers: dict[object, list[Pointer]] = field(
        default_factory=lambda: dict[object, list[Pointer]]()
    )


LOADS: dict[tuple[int, str], type[Operation]] = {
    (1, "s"): riscv.LbOp,
    (1, "u"): riscv.LbuOp,
    (2, "s"): riscv.LhOp,
    (2, "u"): riscv.LhuOp,
    (4, "s"): riscv.LwOp,
    (4, "u"): riscv.LwOp,
}
STORES: dict[int, type[Operation]] = {1: riscv.SbOp, 2: riscv.ShOp, 4: riscv.SwOp}
POST_INCREMENT: dict[type[Operation], type[Operation]] = {
    riscv.LbOp: xpulp.PostLoadByteOp,
    riscv.LbuOp: xpulp.PostLoadByteUnsignedOp,
    riscv.LhOp: xpulp.PostLoadHalfOp,
    riscv.LhuOp: xpulp.PostLoadHalfUnsignedOp,
    riscv.LwOp: xpulp.PostLoadWordOp,
    riscv.SbOp: xpulp.PostStoreByteOp,
    riscv.ShOp: xpulp.PostStoreHalfOp,
    riscv.SwOp: xpulp.PostStoreWordOp,
}


class FunctionLowering(ArithmeticSelector):
    """Lowers one func.func."""

    def __init__(self, source: func.FuncOp) -> None:
        super().__init__()
        self.source = source
        self.emitter = Emitter(source.sym_name.data)
        self.memrefs: dict[SSAValue, Linear] = {}
        self.frames: list[LoopFrame] = []
        self.results: list[SSAValue] = []

    def lower(self) -> riscv_func.FuncOp:
        """The function in riscv ops."""
        source = self.source
        name = source.sym_name.data
        if source.function_type.inputs.data or source.function_type.outputs.data:
            raise UnsupportedOperation(
                f"@{name}: the backend takes functions without arguments and results; kernels read "
                "their arguments with cluster.launch_word",
                source,
            )
        if len(source.body.blocks) != 1:
            raise UnsupportedOperation(
                f"@{name}: expected structured control flow (one block)", source
            )
        self.block(source.body.block)
        self.emitter.block.add_op(riscv_func.ReturnOp())
        remove_dead(self.emitter)
        return riscv_func.FuncOp(name, self.emitter.region, ((), ()))

    # region Dispatch

    def block(self, block: Block) -> Sequence[SSAValue]:
        """Lower a block; returns its terminator's operands."""
        for op in block.ops:
            name = op.name
            if name in ("scf.yield", "func.return"):
                return op.operands
            self.op(op)
        return ()

    def op(self, op: Operation) -> None:
        """Lower one operation."""
        handler = HANDLERS.get(op.name)
        try:
            if handler is None:
                raise UnsupportedOperation(
                    f"@{self.source.sym_name.data}: no instructions for {op.name}; it should have "
                    "been lowered before the backend"
                )
            handler(self, op)
        except UnsupportedOperation as error:
            error.operation = error.operation or op
            raise

    # endregion
    # region Control flow

    def branch_unless(self, condition: SSAValue, target: Block, following: Block) -> Operation:
        """A branch to `target` where the condition is false, not yet placed."""
        e = self.emitter
        compare = self.conditions.get(condition)
        if compare is None:
            return riscv_cf.BeqOp(self.extend(condition, False), e.zero, (), (), target, following)
        predicate = INT_PREDICATES[compare.predicate.value.data]
        signed = predicate[0] == "s"
        x = self.extend(compare.lhs, signed)
        y = self.extend(compare.rhs, signed)
        classes = {
            "eq": (riscv_cf.BneOp, False),
            "ne": (riscv_cf.BeqOp, False),
            "slt": (riscv_cf.BgeOp, False),
            "sge": (riscv_cf.BltOp, False),
            "sgt": (riscv_cf.BgeOp, True),
            "sle": (riscv_cf.BltOp, True),
            "ult": (riscv_cf.BgeuOp, False),
            "uge": (riscv_cf.BltuOp, False),
            "ugt": (riscv_cf.BgeuOp, True),
            "ule": (riscv_cf.BltuOp, True),
        }
        cls, swap = classes[predicate]
        x, y = (y, x) if swap else (x, y)
        return cls(x, y, (), (), target, following)

    def passed(self, value: SSAValue) -> SSAValue:
        """A value to pass to a block argument: never the zero register itself."""
        register = self.reg(value)
        if register.type == INT or register.type == FLOAT:
            return register
        return self.emitter.fresh_zero()

    def bind(self, value: SSAValue, register: SSAValue) -> None:
        """Record the register of a block argument or of a result of control flow."""
        if is_float(value.type):
            self.floats[value] = register
        else:
            self.set_int(value, register)

    def leave(self, value: SSAValue, register: SSAValue) -> None:
        """As bind, for a value that outlives the scope it was made in."""
        e = self.emitter
        level = len(e.scopes) - 1
        if e.depth[register] > level:
            e.depth[register] = level
        self.bind(value, register)

    def if_op(self, op: scf.IfOp) -> None:
        """Two blocks and a merge; no else block where there is nothing in it."""
        e = self.emitter
        known = self.constant_of(op.cond) if op.cond not in self.conditions else None
        if known is not None:
            region = op.true_region if known & 1 else op.false_region
            if region.blocks:
                for result, value in zip(op.results, self.block(region.block), strict=True):
                    self.alias(result, value)
            return
        types = [FLOAT if is_float(result.type) else INT for result in op.results]
        then_block, _ = e.new_block()
        merge, merge_label = e.new_block(types)
        has_else = bool(op.false_region.blocks) and not (
            len(op.false_region.block.ops) == 1 and not op.results
        )
        else_block = e.new_block()[0] if has_else else merge
        terminator = self.branch_unless(op.cond, else_block, then_block)
        origin = e.scopes[-1]
        origin_block = origin.block
        e.push(ScopeKind.BRANCH, then_block)
        yielded = [self.passed(value) for value in self.block(op.true_region.block)]
        then_end = e.pop()
        # Hoisted instructions went into the block that branches.
        origin_block.add_op(terminator)
        if has_else:
            then_end.add_op(riscv_cf.JOp(yielded, merge))
            e.push(ScopeKind.BRANCH, else_block)
            yielded = [self.passed(value) for value in self.block(op.false_region.block)]
            end = e.pop()
        else:
            end = then_end
        end.add_op(riscv_cf.BranchOp(yielded, merge))
        e.place(merge)
        del merge_label
        for result, argument in zip(op.results, merge.args, strict=True):
            self.bind(result, argument)

    def alias(self, result: SSAValue, value: SSAValue) -> None:
        """The result is the value."""
        if is_float(value.type):
            self.floats[result] = self.freg(value)
        else:
            self.linear[result] = self.lin(value)

    def while_op(self, op: scf.WhileOp) -> None:
        """Header with the condition, body, back."""
        e = self.emitter
        before, after = op.before_region.block, op.after_region.block
        initial = [self.passed(value) for value in op.arguments]
        header, _ = e.new_block([value.type for value in initial])
        body, _ = e.new_block()
        exit_block, _ = e.new_block()
        e.push(ScopeKind.LOOP, header)
        for argument, register in zip(before.args, header.args, strict=True):
            self.bind(argument, register)
        terminator = before.last_op
        assert isinstance(terminator, scf.ConditionOp)
        for inner in before.ops:
            if inner is not terminator:
                self.op(inner)
        values = terminator.args
        registers = [self.reg(value) for value in values]
        e.block.add_op(self.branch_unless(terminator.condition, exit_block, body))
        e.place(body)
        for argument, value in zip(after.args, values, strict=True):
            self.alias(argument, value)
        yielded = [self.passed(value) for value in self.block(after)]
        e.pop().add_op(riscv_cf.JOp(yielded, header))
        e.block.add_op(riscv_cf.BranchOp(initial, header))
        e.place(exit_block)
        for result, register in zip(op.results, registers, strict=True):
            self.leave(result, register)

    def for_op(self, op: scf.ForOp) -> None:
        """A hardware loop where possible, else a loop with a test at its head."""
        lower, upper, step = self.lin(op.lb), self.lin(op.ub), self.lin(op.step)
        trips = trip_count(lower, upper, step)
        if trips == 0:
            for result, value in zip(op.results, op.iter_args, strict=True):
                self.alias(result, value)
            return
        if trips == 1:
            body = op.body.block
            self.linear[body.args[0]] = lower
            for argument, value in zip(body.args[1:], op.iter_args, strict=True):
                self.alias(argument, value)
            for result, value in zip(op.results, self.block(body), strict=True):
                self.alias(result, value)
            return
        height = self.hardware_height(op)
        shift = step.constant.bit_length() - 1
        simple = step.is_constant and step.constant == 1 << shift
        if height is None or (trips is None and (not simple or bool(op.results))):
            self.software_loop(op, lower, upper, step)
        else:
            self.hardware_loop(op, lower, upper, step, trips, height)

    def hardware_height(self, op: scf.ForOp) -> int | None:
        """0 for a loop without loops inside, 1 for one around such; None where the hardware can not."""
        height = 0
        budget = STRAIGHT_LINE_MAXIMUM
        for inner in op.body.block.ops:
            budget -= 1
            if not inner.regions:
                if inner.name == "func.call":
                    return None
                continue
            if not isinstance(inner, scf.ForOp):
                return None
            bounds = [constant_index(value) for value in (inner.lb, inner.ub, inner.step)]
            lower, upper, step = bounds
            if lower is None or upper is None or not step:
                return None
            nested = self.hardware_height(inner)
            if nested is None:
                return None
            once = len(range(lower, upper, step)) <= 1
            height = max(height, nested if once else nested + 1)
        return height if height <= 1 and budget > 0 else None

    def open_loop(self, op: scf.ForOp, lower: Linear) -> tuple[LoopFrame, list[SSAValue]]:
        """The frame of a loop, its arguments bound, its block not yet placed."""
        e = self.emitter
        body = op.body.block
        start = self.lin(op.lb)
        first = e.value(start)
        if first.type != INT:
            first = e.fresh_zero()
        initial = [first, *(self.passed(value) for value in op.iter_args)]
        block, _ = e.new_block([value.type for value in initial])
        innermost = not any(isinstance(inner, scf.ForOp | scf.WhileOp) for inner in op.body.walk())
        frame = LoopFrame(block, block.args[0], lower, len(e.scopes), innermost, initial)
        self.linear[body.args[0]] = Linear.of(block.args[0])
        for argument, register in zip(body.args[1:], block.args[1:], strict=True):
            self.bind(argument, register)
        return frame, initial

    def close_loop(
        self, op: scf.ForOp, frame: LoopFrame, step: Linear
    ) -> tuple[list[SSAValue], list[SSAValue]]:
        """Lower the body; returns the values of the next iteration and those of the results."""
        e = self.emitter
        self.frames.append(frame)
        yielded = self.block(op.body.block)
        self.frames.pop()
        registers = [self.passed(value) for value in yielded]
        advanced: list[SSAValue] = []
        for pointers in frame.pointers.values():
            for pointer in pointers:
                advanced.append(self.advance(frame, pointer, step))
        following = e.value(Linear.of(frame.induction).plus(step))
        return [following, *registers, *advanced], registers

    def hardware_loop(
        self,
        op: scf.ForOp,
        lower: Linear,
        upper: Linear,
        step: Linear,
        trips: int | None,
        height: int,
    ) -> None:
        """Set up, body, no branch; a loop that may not run at all is jumped over."""
        e = self.emitter
        if trips is not None:
            count = e.li(trips)
        else:
            distance = upper.plus(lower, -1).plus_constant(step.constant - 1)
            count = e.shift(rv32.SraiOp, e.value(distance), step.constant.bit_length() - 1)
        frame, initial = self.open_loop(op, lower)
        setup_block, _ = e.new_block()
        exit_block, exit_label = e.new_block()
        origin = e.block
        if trips is None:
            e.place(setup_block)
            e.scopes[-1].block = origin
        e.push(ScopeKind.LOOP, frame.block)
        following, results = self.close_loop(op, frame, step)
        # The arguments change before the loop is left: results that are arguments need copies.
        results = [
            self.moved(value) if value.owner is frame.block and result.first_use else value
            for value, result in zip(results, op.results, strict=True)
        ]
        following[1 : 1 + len(results)] = results
        end = e.pop()
        if trips is None:
            origin.add_op(riscv_cf.BgeOp(e.zero, count, (), (), exit_block, setup_block))
        else:
            setup_block = origin
        counting = following[0].owner
        if (
            following[0].first_use is None
            and frame.induction not in following
            and following[0] not in following[1:]
            and all(use.operation is counting for use in frame.induction.uses)
        ):
            del following[0], initial[0]
            self.drop_induction(frame)
        setup_block.add_op(xpulp.LoopSetupOp(count, height, exit_label))
        setup_block.add_op(riscv_cf.BranchOp(initial, frame.block))
        end.add_op(xpulp.LoopEndOp(following, frame.block, exit_block))
        e.place(exit_block)
        for result, register in zip(op.results, results, strict=True):
            self.leave(result, register)

    def moved(self, value: SSAValue) -> SSAValue:
        """A copy of a value."""
        cls = riscv.FMVOp if value.type == FLOAT else riscv.MVOp
        return self.emitter.effect(cls, (value,), (value.type,)).results[0]

    def drop_induction(self, frame: LoopFrame) -> None:
        """Remove a loop's counter that only counts."""
        for use in tuple(frame.induction.uses):
            operation = use.operation
            operation.detach()
            self.emitter.pure.discard(operation)
            operation.erase(safe_erase=False)
        frame.block.erase_arg(frame.block.args[0])

    def software_loop(self, op: scf.ForOp, lower: Linear, upper: Linear, step: Linear) -> None:
        """Compare at the head, jump back from the end."""
        e = self.emitter
        bound = e.value(upper)
        frame, initial = self.open_loop(op, lower)
        body, _ = e.new_block()
        exit_block, _ = e.new_block()
        iterated = frame.block.args[1 : 1 + len(op.results)]
        e.push(ScopeKind.LOOP, frame.block)
        frame.block.add_op(riscv_cf.BgeOp(frame.induction, bound, (), (), exit_block, body))
        e.place(body)
        following, _ = self.close_loop(op, frame, step)
        e.pop().add_op(riscv_cf.JOp(following, frame.block))
        e.block.add_op(riscv_cf.BranchOp(initial, frame.block))
        e.place(exit_block)
        for result, register in zip(op.results, iterated, strict=True):
            self.leave(result, register)

    # endregion
    # region Memory

    def view(self, op: Any) -> None:
        """Memory at an address."""
        self.memrefs[op.results[0]] = self.lin(op.operands[0])

    def address(
        self, memref: SSAValue, indices: Sequence[SSAValue]
    ) -> tuple[SSAValue, int, Pointer | None]:
        """Register and offset of an element, and the pointer that register is, if it is one."""
        type_ = memref.type
        assert isinstance(type_, MemRefType)
        size = element_bytes(type_)
        linear = self.memrefs[memref]
        for index, stride in zip(indices, static_strides(type_), strict=False):
            linear = linear.plus(self.lin(index), stride * size)
        return self.locate(linear)

    def locate(self, linear: Linear) -> tuple[SSAValue, int, Pointer | None]:
        """Register and offset of an address."""
        e = self.emitter
        if self.frames and self.frames[-1].innermost:
            frame = self.frames[-1]
            terms = dict(linear.terms)
            stride = terms.pop(frame.induction, 0)
            if stride and all(e.depth[value] < frame.depth for value in terms):
                pointer = self.pointer(frame, linear, stride, terms)
                return pointer.argument, linear.constant - pointer.start, pointer
        base, offset = e.address(linear)
        return base, offset, None

    def pointer(
        self, frame: LoopFrame, linear: Linear, stride: int, terms: dict[SSAValue, int]
    ) -> Pointer:
        """The pointer that reaches an address, a new one if need be."""
        e = self.emitter
        key = (stride, frozenset(terms.items()))
        group = frame.pointers.setdefault(key, [])
        for pointer in group:
            if fits_imm12(linear.constant - pointer.start):
                return pointer
        first = Linear(linear.constant, tuple(terms.items())).plus(frame.lower, stride)
        # Two pointers must not begin as one value: each is advanced in its own register.
        start = e.value(first)
        argument = frame.block.insert_arg(INT, len(frame.block.args))
        e.depth[argument] = frame.depth
        frame.initial.append(start)
        pointer = Pointer(linear.constant, argument, stride)
        group.append(pointer)
        return pointer

    def advance(self, frame: LoopFrame, pointer: Pointer, step: Linear) -> SSAValue:
        """The pointer's value in the next iteration."""
        e = self.emitter
        if step.is_constant and self.can_post_increment(pointer, pointer.stride * step.constant):
            return self.post_increment(pointer, pointer.stride * step.constant)
        return e.value(Linear.of(pointer.argument).plus(step, pointer.stride))

    def can_post_increment(self, pointer: Pointer, advance: int) -> bool:
        """Whether the accesses can advance the pointer: integers, in one block, small steps."""
        ops = [op for _, op in pointer.accesses]
        if any(type(op) not in POST_INCREMENT or op.parent is not ops[0].parent for op in ops):
            return False
        if any(op.parent is not self.emitter.block for op in ops):
            return False
        offsets = [offset for offset, _ in pointer.accesses]
        if offsets[0] != 0:
            return False
        steps = zip(offsets, [*offsets[1:], advance], strict=True)
        used_otherwise = sum(1 for _ in pointer.argument.uses) != len(ops)
        return all(fits_imm12(b - a) for a, b in steps) and not used_otherwise

    def post_increment(self, pointer: Pointer, advance: int) -> SSAValue:
        """Each access moves the pointer to where the next one is."""
        current = pointer.argument
        offsets = [offset for offset, _ in pointer.accesses]
        for (offset, op), following in zip(pointer.accesses, [*offsets[1:], advance], strict=True):
            cls = POST_INCREMENT[type(op)]
            is_load = bool(op.results)
            new = cls.create(
                operands=(current, *op.operands[1:]),
                result_types=(INT, INT) if is_load else (INT,),
                attributes=Emitter.offset(following - offset),
            )
            block = op.parent
            assert block is not None
            block.insert_op_before(new, op)
            if is_load:
                self.replace(op.results[0], new.results[0])
            current = new.results[-1]
            self.emitter.depth[current] = self.emitter.depth[pointer.argument]
            op.detach()
            op.erase()
        return current

    def replace(self, old: SSAValue, new: SSAValue) -> None:
        """Put one register in the place of another, also in what is recorded of source values."""
        self.emitter.depth[new] = self.emitter.depth[old]
        old.replace_all_uses_with(new)
        for value, word in self.words.items():
            if word is old:
                self.words[value] = new
        for value, linear in self.linear.items():
            if any(term is old for term, _ in linear.terms):
                self.linear[value] = Linear(
                    linear.constant,
                    tuple((new if t is old else t, c) for t, c in linear.terms),
                )

    def load(self, op: Any) -> None:
        """memref.load and vector.load."""
        self.load_from(op, *self.address(op.operands[0], op.operands[1:]))

    def load_from(self, op: Any, base: SSAValue, offset: int, pointer: Pointer | None) -> None:
        """Load the op's result."""
        e = self.emitter
        result = op.results[0]
        if is_float(result.type) and only_bits(result):
            size = 2 if isinstance(result.type, BFloat16Type) else 4
            cls = riscv.LhOp if size == 2 else riscv.LwOp
            load = e.effect(cls, (base,), (INT,), Emitter.offset(offset))
            self.words[result] = load.results[0]
        elif is_float(result.type):
            kind = float_class(result.type)
            cls = xpulp.FLoadHalfOp if kind == "bf16" else riscv.FLwOp
            load = e.effect(cls, (base,), (FLOAT,), Emitter.float_offset(offset))
            self.floats[result] = load.results[0]
        else:
            size = width_of(result.type) // 8
            uses = tuple(result.uses)
            unsigned = bool(uses) and all(use.operation.name == "arith.extui" for use in uses)
            self.extended[result] = "u" if unsigned else "s"
            load = e.effect(
                LOADS[size, self.extended[result]], (base,), (INT,), Emitter.offset(offset)
            )
            self.set_int(result, load.results[0])
        if pointer is not None:
            pointer.accesses.append((offset, load))

    def store(self, op: Any) -> None:
        """memref.store and vector.store."""
        value, memref, *indices = op.operands
        self.store_to(value, *self.address(memref, indices))

    def store_to(
        self, value: SSAValue, base: SSAValue, offset: int, pointer: Pointer | None
    ) -> None:
        """Store a value of any type."""
        e = self.emitter
        if value in self.words and value not in self.floats:
            cls = riscv.ShOp if isinstance(value.type, BFloat16Type) else riscv.SwOp
            store = e.effect(cls, (base, self.words[value]), (), Emitter.offset(offset))
            if pointer is not None:
                pointer.accesses.append((offset, store))
            return
        register = self.reg(value)
        if is_float(value.type):
            cls = xpulp.FStoreHalfOp if isinstance(value.type, BFloat16Type) else riscv.FSwOp
            store = e.effect(cls, (base, register), (), Emitter.float_offset(offset))
        else:
            cls = STORES[width_of(value.type) // 8]
            store = e.effect(cls, (base, register), (), Emitter.offset(offset))
        if pointer is not None:
            pointer.accesses.append((offset, store))

    def launch_word(self, op: Any) -> None:
        """A word of the launch record, which register tp points at."""
        e = self.emitter
        offset = 4 * op.index.value.data
        record = e.register(riscv.Registers.TP)
        # The record does not change while a kernel runs: the load is as good as a constant.
        register = e.emit(riscv.LwOp, (record,), INT, Emitter.offset(offset), offset)
        self.set_int(op.results[0], register)

    def register_access(self, op: Any) -> None:
        """A read, a write or a wait of a memory-mapped register."""
        e = self.emitter
        base, offset = e.address(Linear(signed32(op.address())))
        attributes = Emitter.offset(offset)
        if op.name == "hwpe.write":
            e.effect(riscv.SwOp, (base, self.reg(op.operands[0])), (), attributes)
            return
        cls = xpulp.EventLoadWordOp if op.name == "hwpe.wait" else riscv.LwOp
        read = e.effect(cls, (base,), (INT,), attributes)
        self.set_int(op.results[0], read.results[0])

    def delay(self, op: Any) -> None:
        """An instruction that does nothing for each cycle."""
        for _ in range(op.cycles.value.data):
            self.emitter.effect(riscv.NopOp, ())

    def core_id(self, op: Operation) -> None:
        """CSR mhartid."""
        e = self.emitter
        attributes: dict[str, Attribute] = {
            "csr": IntegerAttr(MHARTID, 32),
            "readonly": UnitAttr(),
        }
        register = e.emit(riscv.CsrrsOp, (e.zero,), INT, attributes, MHARTID)
        self.set_int(op.results[0], register)

    # endregion


def trip_count(lower: Linear, upper: Linear, step: Linear) -> int | None:
    """Iterations of a loop where they are known."""
    distance = upper.plus(lower, -1)
    if not (distance.is_constant and step.is_constant):
        return None
    if step.constant <= 0:
        raise UnsupportedOperation(f"a loop's step must be positive, found {step.constant}")
    return len(range(0, distance.constant, step.constant))


def constant_index(value: SSAValue) -> int | None:
    """The value of an index constant."""
    owner = value.owner
    if isinstance(owner, arith.ConstantOp) and isinstance(owner.value, IntegerAttr):
        return owner.value.value.data
    return None


def remove_dead(emitter: Emitter) -> None:
    """Erase pure instructions whose results nobody uses."""
    for block in reversed(tuple(emitter.region.blocks)):
        for op in reversed(tuple(block.ops)):
            if op in emitter.pure and not any(result.first_use for result in op.results):
                op.detach()
                op.erase()


BIT_USERS = ("memref.store", "vector.store", "vector.shuffle", "vector.extract", "arith.bitcast")


def only_bits(value: SSAValue) -> bool:
    """Whether the users of a loaded float value move bits only: then an integer register is best."""
    uses = tuple(value.uses)
    return bool(uses) and all(use.operation.name in BIT_USERS for use in uses)


def only_branches(op: arith.CmpiOp) -> bool:
    """Whether a comparison is needed by branches only."""
    return all(use.operation.name in ("scf.if", "scf.condition") for use in op.result.uses)


def lower_cmpi(lowering: FunctionLowering, op: Any) -> None:
    """Comparisons for branches become part of the branch."""
    lhs, rhs = lowering.lin(op.lhs), lowering.lin(op.rhs)
    if lhs.is_constant and rhs.is_constant and width_of(op.lhs.type) == 32:
        lowering.linear[op.result] = Linear(compare_constants(op, lhs.constant, rhs.constant))
    elif only_branches(op):
        lowering.conditions[op.result] = op
    else:
        lowering.compare_int(op)


def compare_constants(op: arith.CmpiOp, a: int, b: int) -> int:
    """1 where the comparison of two constants holds."""
    predicate = INT_PREDICATES[op.predicate.value.data]
    if predicate[0] == "u":
        a, b = a & 0xFFFFFFFF, b & 0xFFFFFFFF
    results = {"eq": a == b, "ne": a != b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}
    return int(results[predicate.removeprefix("s").removeprefix("u")])


Handler = Callable[[FunctionLowering, Any], None]
F = FunctionLowering
HANDLERS: dict[str, Handler] = {
    "arith.constant": F.constant,
    "arith.cmpi": lower_cmpi,
    "arith.cmpf": F.compare_float,
    "arith.select": F.select,
    "math.fma": F.fma,
    "vector.fma": F.fma,
    "math.sqrt": F.sqrt,
    "arith.maximumf": F.float_min_max,
    "arith.minimumf": F.float_min_max,
    "vector.broadcast": F.broadcast,
    "vector.splat": F.broadcast,
    "vector.extract": F.extract,
    "vector.from_elements": F.from_elements,
    "vector.insert": F.insert,
    "vector.shuffle": F.shuffle,
    "vector.load": F.load,
    "vector.store": F.store,
    "memref.load": F.load,
    "memref.store": F.store,
    "scf.for": F.for_op,
    "scf.if": F.if_op,
    "scf.while": F.while_op,
    "cluster.view": F.view,
    "cluster.launch_word": F.launch_word,
    "cluster.core_id": F.core_id,
    "hwpe.read": F.register_access,
    "hwpe.write": F.register_access,
    "hwpe.wait": F.register_access,
    "hwpe.delay": F.delay,
    "arith.addi": F.int_binary,
    "arith.subi": F.int_binary,
    **dict.fromkeys(INT_BINARY, F.int_binary),
    "arith.ceildivsi": F.int_binary,
    "arith.floordivsi": F.int_binary,
    **dict.fromkeys(BINARY, F.float_binary),
    **dict.fromkeys(SAME_OPERAND, F.float_same),
    **dict.fromkeys(
        (
            "arith.index_cast",
            "arith.index_castui",
            "arith.trunci",
            "arith.extsi",
            "arith.extui",
            "arith.extf",
            "arith.truncf",
            "arith.sitofp",
            "arith.uitofp",
            "arith.fptosi",
            "arith.fptoui",
            "arith.bitcast",
        ),
        F.conversion,
    ),
}
"""How to lower each operation, by its name."""


@dataclass(frozen=True)
class ConvertToRiscvPass(ModulePass):
    """Replaces every func.func by a riscv_func.func whose registers are not yet allocated."""

    name = "convert-to-riscv"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        """Lower all functions of the module."""
        for function in tuple(op.body.block.ops):
            if isinstance(function, func.FuncOp):
                op.body.block.insert_op_before(FunctionLowering(function).lower(), function)
                function.detach()
                function.erase()
